// A text of several lines that comes from another node is one line on a classic node, with its name. The host hides the
// box and keeps its place empty. Nodes 2.0 goes on showing it.

import { app } from "../../../scripts/app.js";
import { after } from "./shared/host.mjs";

const LINE_PX = 20;

function isLinked(node, widget) {
  if (LiteGraph.vueNodesMode) return false;
  return (node.inputs ?? []).some((input) => input.widget?.name === widget.name && input.link != null);
}

function boundBy(node, widget, bound) {
  const before = widget.options[bound];
  widget.options[bound] = () => (isLinked(node, widget) ? LINE_PX : before?.());
}

function drawName(widget, context, y) {
  context.save();
  context.font = `${LiteGraph.NODE_SUBTEXT_SIZE}px ${LiteGraph.NODE_FONT}`;
  context.textAlign = "left";
  context.fillStyle = LiteGraph.NODE_TEXT_COLOR;
  context.fillText(widget.label || widget.name, 20, y + 0.7 * LINE_PX);
  context.restore();
}

/** The node gives up the room of a box that goes, and has it again when the box comes back. */
function keepHeight(node, widget) {
  let given = 0;
  after(node, "onConnectionsChange", (kind, slot, connected, link, input) => {
    if (input?.widget?.name !== widget.name || app.configuringGraph || LiteGraph.vueNodesMode) return;
    const room = connected ? Math.max(0, (widget.computedHeight ?? LINE_PX) - LINE_PX) : 0;
    if (connected ? given || !room : !given) return;
    node.setSize([node.size[0], node.size[1] + given - room]);
    given = room;
  });
}

app.registerExtension({
  name: "syncam.LinkedText",
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("SynCam")) return;
    for (const widget of (node.widgets ?? []).filter(({ type }) => type === "customtext")) {
      for (const bound of ["getMinHeight", "getMaxHeight"]) boundBy(node, widget, bound);
      // by the node: newer frontends do not draw a widget whose box they hide
      after(node, "onDrawForeground", (context) => {
        if (!node.flags?.collapsed && isLinked(node, widget)) drawName(widget, context, widget.y);
      });
      keepHeight(node, widget);
    }
  },
});
