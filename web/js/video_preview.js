// The host shows the videos of an output node in a widget that it adds after the run, and in classic nodes puts its value
// into the next prompt: an unchanged workflow would then write all its files once more. Of our nodes it stays out.

import { app } from "../../../scripts/app.js";

app.registerExtension({
  name: "syncam.VideoPreview",
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("SynCam")) return;
    const { addDOMWidget } = node;
    node.addDOMWidget = function (name, ...given) {
      const widget = addDOMWidget.call(this, name, ...given);
      if (name === "video-preview") widget.options.serialize = false;
      return widget;
    };
  },
});
