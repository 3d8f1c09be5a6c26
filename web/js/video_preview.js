// The host shows the videos of an output node in a widget that it adds after the run, and in classic nodes puts its value
// into the next prompt: an unchanged workflow would then write all its files once more. Of our nodes it stays out. Classic
// nodes show the first video alone; here a list of all of them chooses another, and each plays over and over.

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { after } from "./shared/host.mjs";

const CHOICE = "shown"; // the widget with the list
const PREVIEW = "video-preview";

const pathOf = ({ subfolder, filename }) => (subfolder ? `${subfolder}/${filename}` : filename);

/** @param {{filename: string, subfolder: string, type: string}[]} files that a classic node has saved */
function offer(node, files) {
  const video = () => node.widgets.find(({ name }) => name === PREVIEW)?.element?.querySelector("video");
  const show = (path) => {
    const shown = video();
    if (!shown) return;
    shown.loop = true;
    const { filename, subfolder, type } = files.find((file) => pathOf(file) === path);
    shown.src = api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type, t: Date.now() })}`);
  };
  const there = node.widgets.find(({ name }) => name === CHOICE);
  const choice = there ?? node.addWidget("combo", CHOICE, "", (path) => show(path), { values: [], serialize: false });
  choice.serialize = false;
  choice.options.values = files.map(pathOf);
  choice.value = choice.options.values[0];
  choice.callback = (path) => show(path);
  const looping = (tries) => {
    const shown = video();
    if (shown) shown.loop = true;
    else if (tries) setTimeout(() => looping(tries - 1), 250); // the host makes it when it is drawn
  };
  looping(20);
  if (!there) node.setSize([node.size[0], Math.max(node.size[1], node.computeSize()[1])]);
}

app.registerExtension({
  name: "syncam.VideoPreview",
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("SynCam")) return;
    const { addDOMWidget } = node;
    node.addDOMWidget = function (name, ...given) {
      const widget = addDOMWidget.call(this, name, ...given);
      if (name === PREVIEW) widget.options.serialize = false;
      return widget;
    };
    after(node, "onExecuted", (output) => {
      const files = (output?.images ?? []).filter(({ filename }) => filename.endsWith(".mp4"));
      if (output?.animated?.[0] && files.length > 1 && !LiteGraph.vueNodesMode) offer(node, files);
    });
  },
});
