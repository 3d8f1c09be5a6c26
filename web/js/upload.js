// Buttons that bring files of this machine into the input folder: cameras for SynCam Load Rig, where several files become
// a folder, and a whole folder for SynCam Load Dataset.

import { app } from "../../../scripts/app.js";
import { noteChange, offerNewFiles, textsOf, upload } from "./shared/host.mjs";

const KINDS = {
  SynCamLoadRig: { text: "files", picks: { multiple: true }, then: chooseRig },
  SynCamLoadDataset: { text: "folder", picks: { webkitdirectory: true }, then: chooseDataset },
};

const say = (severity, detail) => app.extensionManager?.toast?.add({ severity, summary: "SynCam", detail, life: 8000 });

function set(node, name, value) {
  const widget = node.widgets.find((one) => one.name === name);
  widget.value = value;
  widget.callback?.(value);
}

async function chooseRig(node, files, texts) {
  const folder = files.length > 1 ? `cameras_${new Date().toISOString().replace(/\D/g, "").slice(0, 14)}` : "";
  const names = [];
  for (const file of files) names.push(await upload(file, folder));
  await offerNewFiles();
  const name = folder || names[0];
  const offered = node.widgets.find((one) => one.name === "file").options.values;
  // Newer frontends take no value that is not offered, and say nothing.
  if (Array.isArray(offered) && !offered.includes(name)) return say("warn", (await texts)("noCameras", { name }));
  set(node, "file", name);
}

async function chooseDataset(node, files) {
  for (const file of files) await upload(file, file.webkitRelativePath.split("/").slice(0, -1).join("/"));
  set(node, "dataset", files[0].webkitRelativePath.split("/")[0]);
  set(node, "below", "input");
}

/** Files that a person chooses, none if they think better of it. */
function pick(options) {
  return new Promise((resolve) => {
    const input = Object.assign(document.createElement("input"), { type: "file", ...options });
    input.onchange = () => resolve([...input.files]);
    input.oncancel = () => resolve([]);
    input.click();
  });
}

app.registerExtension({
  name: "syncam.Upload",
  nodeCreated(node) {
    const kind = KINDS[node.comfyClass];
    if (!kind) return;
    const texts = textsOf("syncamUpload");
    const press = async () => {
      const files = await pick(kind.picks);
      if (!files.length) return;
      try {
        await kind.then(node, files, texts);
        node.graph?.setDirtyCanvas(true, true);
        noteChange();
      } catch (error) {
        say("error", (await texts)("failed", { problem: error.message }));
      }
    };
    const button = node.addWidget("button", "upload", null, press, { serialize: false });
    button.serialize = false;
    texts.then((t) => {
      button.label = t(kind.text);
      node.graph?.setDirtyCanvas(true, true);
    });
  },
});
