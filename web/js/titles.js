// A new node is as wide as its title; classic nodes cut what has no room beside the two places for buttons.

import { app } from "../../../scripts/app.js";

const pen = document.createElement("canvas").getContext("2d");

function widthOf(title) {
  pen.font = app.canvas?.title_text_font ?? `${LiteGraph.NODE_TEXT_SIZE}px ${LiteGraph.NODE_FONT}`;
  return Math.ceil(pen.measureText(title).width) + 2 * LiteGraph.NODE_TITLE_HEIGHT + 4;
}

app.registerExtension({
  name: "syncam.Titles",
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("SynCam")) return;
    const least = widthOf(node.getTitle?.() ?? node.title);
    if (node.size[0] < least) node.setSize([least, node.size[1]]);
  },
});
