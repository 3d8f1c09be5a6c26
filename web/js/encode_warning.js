// Shows on SynCam Encode Cameras what of a rig the released weights have not seen. The words come with the node's
// output, so that the host repeats them when it answers a run from its cache, and they go when the rig is fine again.

import { app } from "../../../scripts/app.js";

const WIDGET = "warning";
const LEAST_WIDTH_PX = 300;
const CHARACTER_PX = 7;
const LINE_PX = 20;

function addWidget(node) {
  const { widget } = app.widgets.STRING(node, WIDGET, ["STRING", { multiline: true }], app);
  widget.options.read_only = true;
  widget.options.serialize = false; // not in the prompt: the node has no such input
  widget.serialize = false; // nor in the workflow
  if (widget.element) {
    widget.element.readOnly = true;
    widget.element.setAttribute("role", "status");
    widget.element.setAttribute("aria-label", "Warning");
  }
  return widget;
}

function show(node, warning) {
  const there = node.widgets?.find((widget) => widget.name === WIDGET);
  const [width, height] = node.size;
  if (warning) {
    const widget = there ?? addWidget(node);
    widget.value = warning;
    if (there) return;
    widget.heightBefore = height;
    const lines = Math.ceil((warning.length * CHARACTER_PX) / Math.max(width, LEAST_WIDTH_PX)) + 1;
    node.setSize([Math.max(width, LEAST_WIDTH_PX), height + lines * LINE_PX]);
  } else if (there) {
    node.removeWidget(there);
    node.setSize([width, Math.min(height, there.heightBefore)]);
  }
}

app.registerExtension({
  name: "SynCam.EncodeWarning",
  nodeCreated(node) {
    if (node.comfyClass !== "SynCamEncodeCameras") return;
    const onExecuted = node.onExecuted;
    node.onExecuted = function (output) {
      onExecuted?.apply(this, arguments);
      if (Array.isArray(output?.warning)) show(this, output.warning.join("\n"));
    };
  },
});
