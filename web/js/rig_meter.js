// Shows what SynCam Rig Meter found on the node itself, in both node renderers; it also comes back when the host
// answers a run from its cache.

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";

const WIDGET = "findings";

function textWidget(node) {
  const there = node.widgets?.find((widget) => widget.name === WIDGET);
  if (there) return there;
  const { widget } = app.widgets.STRING(node, WIDGET, ["STRING", { multiline: true }], app);
  widget.options.read_only = true;
  widget.options.serialize = false; // not in the prompt: the node has no such input
  widget.serialize = false; // nor in the workflow
  if (widget.element) {
    widget.element.readOnly = true;
    widget.element.setAttribute("aria-label", "What the meter found");
    nameIt(widget.element);
  }
  return widget;
}

/** The words of the host's language, where there are any. */
async function nameIt(element) {
  try {
    const words = await api.getCustomNodesI18n();
    const name = words[app.extensionManager?.setting?.get("Comfy.Locale")]?.syncamRigMeter?.findings;
    if (name) element.setAttribute("aria-label", name);
  } catch {
    // English it is
  }
}

app.registerExtension({
  name: "SynCam.RigMeter",
  nodeCreated(node) {
    if (node.comfyClass !== "SynCamRigMeter") return;
    textWidget(node).value = "";
    const [width, height] = node.size;
    node.setSize([Math.max(width, 420), Math.max(height, 340)]);
    const onExecuted = node.onExecuted;
    node.onExecuted = function (output) {
      onExecuted?.apply(this, arguments);
      const text = output?.text;
      if (text !== undefined) textWidget(this).value = Array.isArray(text) ? text.join("\n") : String(text);
    };
  },
});
