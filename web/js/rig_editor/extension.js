// The rig editor's widget in ComfyUI: everything that knows the host. The editor itself is loaded when one is needed.

import { app } from "../../../../scripts/app.js";
import { api } from "../../../../scripts/api.js";
import { addStyleSheet, after, editorBefore, keepEvents, keepTouches, livesWith, nodeOf, noteChange, textsOf } from "../shared/host.mjs";

const TYPE = "SYNCAM_RIG_STATE";
const NODE = "SynCamRigEditor";
const SEED = "syncam_connected_rig"; // property that keeps the connected rig of the last run, to show it after a reload
const MINIMUM = { width: 360, height: 430 };
const FRESH = { width: 580, height: 600 }; // shows seven thumbnails, and the menus whole

/** The text of a rig JSON for whatever the host hands over as the widget's value. */
function textOf(value) {
  if (typeof value === "string") return value.trim();
  if (!value || typeof value !== "object" || !Object.keys(value).length || value.cameras?.length === 0) return "";
  return JSON.stringify(value);
}

/** What a prompt holds: the document, or a text that is none, for the node to explain. */
function documentOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

let noted = 0;

/** Let the host see the change soon, for its drafts and its own history; keys pressed in the editor are not its business. */
function noteChangeSoon() {
  clearTimeout(noted);
  noted = setTimeout(noteChange, 400);
}

/**
 * What the pack's route makes of camera files, or of the text of a rig JSON: a rig JSON, or a sentence and what it would
 * need beside them.
 */
async function readRig({ files = [], text = "", unit_m = "", cameras = "" }) {
  const form = new FormData();
  for (const file of files) form.append("file", file, file.name);
  for (const [name, value] of Object.entries({ text, unit_m, cameras })) if (value) form.append(name, value);
  const response = await api.fetchApi("/syncam/read_rig?status=200", { method: "POST", body: form });
  const answer = await response.text();
  try {
    const { error, asks = [] } = JSON.parse(answer);
    return error ? { error, asks } : { text: answer };
  } catch {
    return { error: `${response.status} ${response.statusText}`.trim(), asks: [] };
  }
}

/** Width by height of the videos that the cameras of a node film, from the latent behind it; null where there is none. */
function aspectBehind(node, type = "SYNCAM_RIG", steps = 20) {
  for (const output of (node.outputs ?? []).filter((one) => one.type === type)) {
    for (const id of output.links ?? []) {
      const link = node.graph?.getLink?.(id);
      const next = link && node.graph.getNodeById(link.target_id);
      if (!next || steps === 0) continue;
      if (next.comfyClass === "SynCamEmptyLatent") {
        const [width, height] = ["width", "height"].map((side) => next.widgets.find(({ name }) => name === side)?.value);
        return width > 0 && height > 0 ? width / height : null;
      }
      const found =
        aspectBehind(next, "SYNCAM_CAMERAS", steps - 1) ?? (type === "SYNCAM_RIG" ? aspectBehind(next, type, steps - 1) : null);
      if (found) return found;
    }
  }
  return null;
}

function rigStateWidget(node, name, spec) {
  const standard = textOf(spec[1]?.default);
  const element = document.createElement("div");
  element.style.minHeight = "0";
  keepEvents(element, ["wheel", "pointerdown", "pointermove", "pointerup", "dblclick", "contextmenu"]);
  keepTouches(element); // two fingers would zoom the graph as well
  let text = standard;

  const widget = node.addDOMWidget(name, TYPE, element, {
    getValue: () => text, // text, because tools that make prompts of saved workflows leave objects out
    setValue(given) {
      const wanted = textOf(given) || standard;
      if (wanted === text) return;
      text = wanted;
      widget.editor?.load(text);
    },
    getMinHeight: () => MINIMUM.height,
    hideOnZoom: false,
    socketless: true,
    hideInPanel: true, // the side panel would take the element out of the node
  });
  widget.serializeValue = () => documentOf(text);

  const connect = (editor = widget.editor) => {
    const linked = (node.inputs ?? []).some((input) => input.name === "rig" && input.link != null);
    editor?.connect(linked, node.properties?.[SEED] ?? "");
    return linked;
  };
  livesWith(node, widget, "editor", async () => {
    const [{ createEditor }, t] = await Promise.all([
      import("./editor.mjs"),
      textsOf("syncamRigEditor"),
      addStyleSheet(new URL("./style.css", import.meta.url).href),
    ]);
    const editor = createEditor(element, {
      ...{ text, standard, t, readRig, suffixes: spec[1]?.suffixes ?? [] },
      onChange(changed) {
        text = changed;
        node.graph?.setDirtyCanvas(true, true);
        noteChangeSoon();
      },
    });
    connect(editor);
    editor.setAspect(aspectBehind(node));
    return editor;
  });
  element.addEventListener("pointerenter", () => widget.editor?.setAspect(aspectBehind(node)));
  after(node, "onExecuted", (output) => {
    const seed = output?.syncam_rig?.[0];
    if (!seed) return;
    node.setProperty?.(SEED, seed);
    connect();
  });
  after(node, "onConnectionsChange", () => {
    if (!connect() && node.properties) delete node.properties[SEED];
  });
  after(node, "onConfigure", () => connect());
  return { widget, minWidth: MINIMUM.width, minHeight: MINIMUM.height };
}

/** The videos of single views among what a node says of its run. */
function viewsIn(output) {
  const played = output?.syncam_player?.[0]?.views?.map(({ file }) => file);
  return played ?? (output?.animated?.[0] ? output.images.filter(({ filename }) => !/_grid\.\w+$/.test(filename)) : []);
}

const urlOf = ({ filename, subfolder = "", type }) =>
  api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);

app.registerExtension({
  name: "syncam.RigEditor",
  setup() {
    api.addEventListener("executed", ({ detail }) => {
      const node = nodeOf(detail?.display_node ?? detail?.node ?? "");
      const files = node?.comfyClass?.startsWith("SynCam") ? viewsIn(detail.output) : [];
      if (files.length) editorBefore(node)?.showTaken(files.map(urlOf));
    });
  },
  getCustomWidgets: () => ({ [TYPE]: rigStateWidget }),
  nodeCreated(node) {
    if (node.comfyClass !== NODE) return;
    node.setSize([Math.max(node.size[0], FRESH.width), Math.max(node.size[1], FRESH.height)]);
    after(node, "onResize", (size) => {
      if (size[0] < MINIMUM.width) size[0] = MINIMUM.width; // below it, buttons would be cut off
    });
  },
});
