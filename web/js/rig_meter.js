// Shows what SynCam Rig Meter found on the node itself, in both node renderers; it also comes back when the host
// answers a run from its cache.

import { app } from "../../../scripts/app.js";
import { after, textsOf } from "./shared/host.mjs";
import { addText, textOn } from "./shared/node_text.mjs";

const WIDGET = "findings";

function textWidget(node) {
  const there = textOn(node, WIDGET);
  if (there) return there;
  const widget = addText(node, WIDGET, "");
  textsOf("syncamRigMeter").then((t) => widget.element?.setAttribute("aria-label", t("findings")));
  return widget;
}

app.registerExtension({
  name: "syncam.RigMeter",
  nodeCreated(node) {
    if (node.comfyClass !== "SynCamRigMeter") return;
    textWidget(node).value = "";
    const [width, height] = node.size;
    node.setSize([Math.max(width, 420), Math.max(height, 340)]);
    after(node, "onExecuted", (output) => {
      const text = output?.text;
      if (text !== undefined) textWidget(node).value = Array.isArray(text) ? text.join("\n") : String(text);
    });
  },
});
