// Shows on a node what it says of its run: the warning of SynCam Encode Cameras, the files of SynCam Save Edit. The words
// come with the node's output, so that the host repeats them when it answers a run from its cache, and they go when
// there is nothing to say any more.

import { app } from "../../../scripts/app.js";
import { after } from "./shared/host.mjs";
import { addText, textOn } from "./shared/node_text.mjs";

const LEAST_WIDTH_PX = 300;
const CHARACTER_PX = 7;
const LINE_PX = 20;

/** By node: the key of its output, which is also the name of the text, and what screen readers call it. */
const WORDS = {
  SynCamEncodeCameras: { key: "warning", label: "Warning" },
  SynCamSaveEdit: { key: "saved", label: "Saved files" },
};

function show(node, name, label, words) {
  const there = textOn(node, name);
  const [width, height] = node.size;
  if (words) {
    const widget = there ?? addText(node, name, label, "status");
    widget.value = words;
    if (there) return;
    widget.heightBefore = height;
    const wide = Math.max(width, LEAST_WIDTH_PX);
    const lines = words.split("\n").reduce((sum, line) => sum + Math.ceil((line.length * CHARACTER_PX) / wide), 1);
    node.setSize([wide, height + lines * LINE_PX]);
  } else if (there) {
    node.removeWidget(there);
    node.setSize([width, Math.min(height, there.heightBefore)]);
  }
}

app.registerExtension({
  name: "syncam.NodeWords",
  nodeCreated(node) {
    const words = WORDS[node.comfyClass];
    if (!words) return;
    after(node, "onExecuted", (output) => {
      const said = output?.[words.key];
      if (Array.isArray(said)) show(node, words.key, words.label, said.join("\n"));
    });
  },
});
