// `length` of SynCam Empty Latent is that of the cameras it is for: changed in one node, it changes in the nodes that are
// wired to it and had the same number.

import { app } from "../../../scripts/app.js";
import { after } from "./shared/host.mjs";

const KINDS = ["SynCamEncodeCameras", "SynCamEncodeTrajectories", "SynCamEmptyLatent"];

const last = new WeakMap(); // the length of a node before it is changed
const lengthOf = (node) => node.widgets?.find(({ name }) => name === "length");

/** The nodes with a length that cameras or trajectories tie to this one, directly, in either direction. */
function tied(node) {
  const { graph } = node;
  const link = (id) => graph.getLink?.(id) ?? graph.links?.get?.(id);
  const before = (node.inputs ?? []).map((input) => link(input.link)?.origin_id);
  const behind = (node.outputs ?? []).flatMap((output) => output.links ?? []).map((id) => link(id)?.target_id);
  return [...before, ...behind].map((id) => graph.getNodeById(id)).filter((other) => KINDS.includes(other?.comfyClass));
}

function follow(node, from, to, seen = new Set([node])) {
  for (const other of tied(node)) {
    const length = lengthOf(other);
    if (seen.has(other) || length?.value !== from || other.inputs?.find(({ name }) => name === "length")?.link != null) continue;
    seen.add(other);
    length.value = to;
    last.set(other, to);
    follow(other, from, to, seen);
  }
}

app.registerExtension({
  name: "syncam.SameLength",
  nodeCreated(node) {
    if (!KINDS.includes(node.comfyClass)) return;
    const length = lengthOf(node);
    last.set(node, length.value);
    after(node, "onConfigure", () => last.set(node, length.value));
    after(length, "callback", (to) => {
      const from = last.get(node);
      last.set(node, to);
      if (node.graph && typeof to === "number" && to !== from) follow(node, from, to);
    });
  },
});
