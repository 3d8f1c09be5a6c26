// The host shows the videos of an output node in a widget that it adds after the run, and in classic nodes puts its value
// into the next prompt: an unchanged workflow would then write all its files once more. Of our nodes it stays out. Classic
// nodes show the first video alone; here a list of all of them chooses another. In both renderers they play by themselves,
// over and over, without their sound until somebody switches it on.

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { after } from "./shared/host.mjs";

const CHOICE = "shown"; // the widget with the list
const PREVIEW = "video-preview";

const pathOf = ({ subfolder, filename }) => (subfolder ? `${subfolder}/${filename}` : filename);

const videoIn = (node) => node.widgets?.find(({ name }) => name === PREVIEW)?.element?.querySelector("video");
const videoOn = (node) => document.querySelector(`[data-node-id="${node.id}"] video`);

/** The host makes the element when it is drawn, and in classic nodes a new one after each run. */
function playOverAndOver(node, tries = 20) {
  const shown = LiteGraph.vueNodesMode ? videoOn(node) : videoIn(node);
  if (shown && !shown.autoplay) {
    Object.assign(shown, { loop: true, muted: true, autoplay: true }); // browsers play by themselves what is silent
    shown.play().catch(() => {});
  }
  if (tries) setTimeout(() => playOverAndOver(node, tries - 1), 250);
}

/** @param {{filename: string, subfolder: string, type: string}[]} files that a classic node has saved */
function offer(node, files) {
  const show = (path) => {
    const shown = videoIn(node);
    if (!shown) return;
    const { filename, subfolder, type } = files.find((file) => pathOf(file) === path);
    shown.src = api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type, t: Date.now() })}`);
  };
  const there = node.widgets.find(({ name }) => name === CHOICE);
  const choice = there ?? node.addWidget("combo", CHOICE, "", (path) => show(path), { values: [], serialize: false });
  choice.serialize = false;
  choice.options.values = files.map(pathOf);
  choice.value = choice.options.values[0];
  choice.callback = (path) => show(path);
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
      if (!output?.animated?.[0] || !files.length) return;
      if (files.length > 1 && !LiteGraph.vueNodesMode) offer(node, files);
      playOverAndOver(node);
    });
  },
});
