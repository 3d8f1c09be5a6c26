// Shows on a node what it says of its run: the warning of SynCam Encode Cameras, sounds that are left out, the files of
// SynCam Save Edit. The words come with the node's output, so that the host repeats them when it answers a run from its
// cache, and they go when there is nothing to say any more.

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { after, nodeOf } from "./shared/host.mjs";
import { showWords, textOn } from "./shared/node_text.mjs";

/** By node: the keys of its output, of which the first is the name of the text, and what screen readers call it. */
const WORDS = {
  SynCamEncodeCameras: { keys: ["warning", "remarks"], label: "Warning" },
  SynCamSampler: { keys: ["remarks"], label: "Remarks" },
  SynCamDecodeViews: { keys: ["remarks"], label: "Remarks" },
  SynCamRenderViews: { keys: ["remarks"], label: "Remarks" },
  SynCamEdit: { keys: ["remarks"], label: "Remarks" },
  SynCamSaveViews: { keys: ["remarks"], label: "Remarks" },
  SynCamSaveEdit: { keys: ["saved"], label: "Saved files" },
};

/** Whether the cameras of a node go to the demo model only, which is not what the warning is about. */
function isForTheDemo(node) {
  const { graph } = node;
  const from = (input) => graph.getNodeById(graph.getLink?.(input?.link)?.origin_id);
  const applied = graph._nodes.filter(({ comfyClass }) => comfyClass === "SynCamApply");
  const weights = applied
    .filter((one) => from(one.inputs.find(({ name }) => name === "cameras")) === node)
    .map((one) => from(one.inputs.find(({ name }) => name === "weights"))?.comfyClass);
  return weights.length > 0 && weights.every((origin) => origin === "SynCamDemoModel");
}

const HOSTS_TEXT = "$$node-text-preview"; // shows two lines of what a node says while it runs, in classic nodes

/** What SynCam Sampler says before it begins, all of it. */
function showExpectation({ detail }) {
  const node = nodeOf(detail?.nodeId ?? detail?.node ?? "");
  if (node?.comfyClass !== "SynCamSampler" || LiteGraph.vueNodesMode || !detail.text) return;
  requestAnimationFrame(() => {
    const cut = node.widgets.find(({ name }) => name === HOSTS_TEXT);
    if (cut) node.removeWidget(cut);
    showWords(node, "expectation", "What to expect", String(detail.text));
  });
}

app.registerExtension({
  name: "syncam.NodeWords",
  setup: () => api.addEventListener("progress_text", showExpectation),
  nodeCreated(node) {
    const words = WORDS[node.comfyClass];
    if (!words) return;
    after(node, "onExecuted", (output) => {
      const keys = words.keys.filter((key) => Array.isArray(output?.[key]));
      if (!keys.length && !textOn(node, words.keys[0])) return;
      const said = keys.flatMap((key) => (key === "warning" && isForTheDemo(node) ? [] : output[key]));
      showWords(node, words.keys[0], words.label, said.join("\n"));
    });
  },
});
