// Shows what SynCam Rig Meter found on the node itself, in both node renderers; it also comes back when the host
// answers a run from its cache.

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { addText, textOn } from "./node_text.mjs";

const WIDGET = "findings";

function textWidget(node) {
  const there = textOn(node, WIDGET);
  if (there) return there;
  const widget = addText(node, WIDGET, "What the meter found");
  if (widget.element) nameIt(widget.element);
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
  name: "syncam.RigMeter",
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
