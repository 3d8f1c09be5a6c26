// The rig editor's widget in ComfyUI: everything that knows the host. The editor itself is loaded when one is needed.

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";

const TYPE = "SYNCAM_RIG_STATE";
const NODE = "SynCamRigEditor";
const SEED = "syncam_connected_rig"; // property that keeps the connected rig of the last run, to show it after a reload
const MINIMUM = { width: 420, height: 430 };

/** Keep the host from treating what happens in the editor as its own. */
function keepEvents(element) {
  element.dataset.captureWheel = "true"; // Nodes 2.0 takes the wheel unless the focus is inside
  for (const kind of ["wheel", "pointerdown", "pointermove", "pointerup", "dblclick", "contextmenu"]) {
    element.addEventListener(kind, (event) => event.stopPropagation());
  }
}

/** The text of a rig JSON for whatever the host hands over as the widget's value. */
function textOf(value) {
  if (typeof value === "string") return value.trim();
  if (!value || typeof value !== "object" || !Object.keys(value).length || value.cameras?.length === 0) return "";
  return JSON.stringify(value);
}

let noted = 0;

/** Let the host see the change soon, for its drafts and its own history; keys pressed in the editor are not its business. */
function noteChange() {
  clearTimeout(noted);
  noted = setTimeout(() => app.extensionManager?.workflow?.activeWorkflow?.changeTracker?.captureCanvasState?.(), 400);
}

/** What the pack's route makes of camera files: a rig JSON, or a sentence and what it would need beside them. */
async function readFiles(files, { unit_m = "", cameras = "" } = {}) {
  const form = new FormData();
  for (const file of files) form.append("file", file, file.name);
  if (unit_m) form.append("unit_m", unit_m);
  if (cameras) form.append("cameras", cameras);
  const response = await api.fetchApi("/syncam/read_rig?status=200", { method: "POST", body: form });
  const text = await response.text();
  try {
    const { error, asks = [] } = JSON.parse(text);
    return error ? { error, asks } : { text };
  } catch {
    return { error: `${response.status} ${response.statusText}`.trim(), asks: [] };
  }
}

async function translations() {
  try {
    return await api.getCustomNodesI18n();
  } catch {
    return {}; // English it is
  }
}

function rigStateWidget(node, name, spec) {
  const standard = textOf(spec[1]?.default);
  const element = document.createElement("div");
  element.style.minHeight = "0";
  keepEvents(element);
  let text = standard; // what the widget holds while the editor is not there yet
  let value = JSON.parse(standard);
  let editor = null;

  const linked = () => (node.inputs ?? []).some((input) => input.name === "rig" && input.link != null);

  const widget = node.addDOMWidget(name, TYPE, element, {
    getValue: () => value,
    setValue(given) {
      const wanted = textOf(given) || standard;
      if (wanted === JSON.stringify(value)) return;
      text = wanted;
      try {
        value = JSON.parse(wanted);
      } catch {
        value = wanted; // not JSON: kept as it is, for the editor and the node to explain
      }
      editor?.load(text);
    },
    getMinHeight: () => MINIMUM.height,
    hideOnZoom: false,
    socketless: true,
    hideInPanel: true, // the side panel would take the element out of the node
  });
  widget.serializeValue = () => structuredClone(value);

  const start = async () => {
    const [{ createEditor }, words] = await Promise.all([import("./rig_editor/editor.mjs"), translations()]);
    editor = createEditor(element, {
      text,
      standard,
      translations: words,
      locale: app.extensionManager?.setting?.get("Comfy.Locale") ?? "en",
      readFiles,
      onChange(changed) {
        value = JSON.parse(changed);
        text = changed;
        node.graph?.setDirtyCanvas(true, true);
        noteChange();
      },
    });
    widget.editor = editor;
    editor.connect(linked(), node.properties?.[SEED] ?? "");
  };
  start().catch((error) => {
    element.textContent = `SynCam: the rig editor could not be loaded (${error.message}).`;
    console.error("SynCam rig editor", error);
  });

  after(node, "onRemoved", () => editor?.release());
  after(node, "onExecuted", (output) => {
    const seed = output?.syncam_rig?.[0];
    if (!seed) return;
    node.setProperty?.(SEED, seed);
    editor?.connect(linked(), seed);
  });
  after(node, "onConnectionsChange", () => {
    if (!linked() && node.properties) delete node.properties[SEED];
    editor?.connect(linked(), node.properties?.[SEED] ?? "");
  });
  after(node, "onConfigure", () => editor?.connect(linked(), node.properties?.[SEED] ?? ""));
  return { widget, minWidth: MINIMUM.width, minHeight: MINIMUM.height };
}

/** Let something happen after a method of a node. */
function after(node, method, action) {
  const original = node[method];
  node[method] = function (...given) {
    const result = original?.apply(this, given);
    action(...given);
    return result;
  };
}

app.registerExtension({
  name: "syncam.RigEditor",
  getCustomWidgets: () => ({ [TYPE]: rigStateWidget }),
  nodeCreated(node) {
    if (node.comfyClass !== NODE) return;
    node.setSize([Math.max(node.size[0], MINIMUM.width), Math.max(node.size[1], 520)]);
  },
});
