// Shows on a node what it says of its run: the warning of SynCam Encode Cameras, the files of SynCam Save Edit. The words
// come with the node's output, so that the host repeats them when it answers a run from its cache, and they go when
// there is nothing to say any more.

import { app } from "../../../scripts/app.js";
import { after } from "./shared/host.mjs";
import { showWords } from "./shared/node_text.mjs";

/** By node: the keys of its output, of which the first is the name of the text, and what screen readers call it. */
const WORDS = {
  SynCamEncodeCameras: { keys: ["warning", "remarks"], label: "Warning" },
  SynCamSampler: { keys: ["remarks"], label: "Remarks" },
  SynCamSaveEdit: { keys: ["saved"], label: "Saved files" },
};

/** Whether the cameras of a node go to the demo model only, which is not what the warning is about. */
function isForTheDemo(node) {
  const { graph } = node;
  const from = (input) => graph.getNodeById(graph.getLink?.(input?.link)?.origin_id);
  const applied = graph.nodes.filter(({ comfyClass }) => comfyClass === "SynCamApply");
  const weights = applied
    .filter((one) => from(one.inputs.find(({ name }) => name === "cameras")) === node)
    .map((one) => from(one.inputs.find(({ name }) => name === "weights"))?.comfyClass);
  return weights.length > 0 && weights.every((origin) => origin === "SynCamDemoModel");
}

app.registerExtension({
  name: "syncam.NodeWords",
  nodeCreated(node) {
    const words = WORDS[node.comfyClass];
    if (!words) return;
    after(node, "onExecuted", (output) => {
      const keys = words.keys.filter((key) => Array.isArray(output?.[key]));
      if (!keys.length) return;
      const said = keys.flatMap((key) => (key === "warning" && isForTheDemo(node) ? [] : output[key]));
      showWords(node, words.keys[0], words.label, said.join("\n"));
    });
  },
});
