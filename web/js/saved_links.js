// Shows on a node what it saved, as a link, with its size: pages and recordings are for somebody else's programs. The
// link comes with the node's output, so that the host repeats it when it answers a run from its cache.

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { after, keepEvents, textsOf } from "./shared/host.mjs";

const NODES = ["SynCamSavePage", "SynCamSaveRerun"];
const WIDGET = "links";
const HEIGHT_PX = 56;

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;

function linkTo({ filename, subfolder, type, bytes, beside }, t) {
  const href = api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);
  const link = Object.assign(document.createElement("a"), { href, download: filename, textContent: filename });
  link.title = t("download", { name: filename });
  Object.assign(link.style, { color: "#6cb4ff", overflowWrap: "anywhere" });
  const line = document.createElement("div");
  line.append(link, ` ${beside ? `+ ${beside}/ ` : ""}(${megabytes(bytes)})`);
  return line;
}

function linksOn(node) {
  const there = node.widgets?.find(({ name }) => name === WIDGET);
  if (there) return there.element;
  const element = document.createElement("div");
  element.setAttribute("role", "status");
  Object.assign(element.style, { font: "12px/1.4 system-ui, sans-serif", padding: "4px 8px", overflow: "auto" });
  keepEvents(element, ["pointerdown", "pointermove", "pointerup", "dblclick"]);
  const widget = node.addDOMWidget(WIDGET, "SYNCAM_LINKS", element, {
    serialize: false, // not in the prompt: the node has no such input
    getMinHeight: () => HEIGHT_PX,
    hideOnZoom: false,
    socketless: true,
  });
  widget.serialize = false; // nor among the values of the workflow
  const [width, height] = node.size;
  node.setSize([width, Math.max(height, node.computeSize()[1])]);
  node.graph?.setDirtyCanvas(true, true);
  return element;
}

app.registerExtension({
  name: "syncam.SavedLinks",
  nodeCreated(node) {
    if (!NODES.includes(node.comfyClass)) return;
    after(node, "onExecuted", async (output) => {
      const links = output?.syncam_links;
      if (!Array.isArray(links)) return;
      const t = await textsOf("syncamPlayer");
      linksOn(node).replaceChildren(...links.map((link) => linkTo(link, t)));
    });
  },
});
