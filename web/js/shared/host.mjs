// What the pack's extensions do with ComfyUI in the same way.

import { app } from "../../../../scripts/app.js";
import { api } from "../../../../scripts/api.js";

/** Let something happen after a method of an object. */
export function after(object, method, action) {
  const original = object[method];
  object[method] = function (...given) {
    const result = original?.apply(this, given);
    action(...given);
    return result;
  };
}

/** Keep the host from treating what happens in an element as its own. */
export function keepEvents(element, kinds) {
  element.dataset.captureWheel = "true"; // Nodes 2.0 takes the wheel unless the focus is inside
  for (const kind of kinds) element.addEventListener(kind, (event) => event.stopPropagation());
}

const touched = new WeakSet();
let isListening = false;

/** Keep the host from touches that begin in an element; it listens above all nodes, before these are told. */
export function keepTouches(element) {
  touched.add(element);
  if (isListening) return;
  isListening = true;
  for (const kind of ["touchstart", "touchmove", "touchend", "touchcancel"]) window.addEventListener(kind, stopTouch, true);
}

function stopTouch(event) {
  if (event.composedPath().some((element) => touched.has(element))) event.stopPropagation();
}

/**
 * The words of a section of locales/<language>/main.json in the host's language, in English where one is missing.
 *
 * @param {string} section
 * @returns {Promise<(key: string, values?: Record<string, any>) => string>}
 */
export async function textsOf(section) {
  const locale = String(app.extensionManager?.setting?.get("Comfy.Locale") ?? "en");
  let all = {};
  try {
    all = await api.getCustomNodesI18n();
  } catch {
    // the bare keys, while there is no server
  }
  const words = { ...all.en?.[section], ...(all[locale] ?? all[locale.split("-")[0]])?.[section] };
  return (key, values = {}) => (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

const sheets = {};

/** Put a style sheet into the page, once. @returns {Promise<void>} done when it applies */
export function addStyleSheet(url) {
  sheets[url] ??= new Promise((resolve) => {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: url });
    link.onload = link.onerror = () => resolve();
    document.head.append(link);
  });
  return sheets[url];
}

/** Let the host's history and drafts see a change that did not come from its own widgets. */
export const noteChange = () => app.extensionManager?.workflow?.activeWorkflow?.changeTracker?.captureCanvasState?.();

// -- files --------------------------------------------------------------------------------------------------------

/** Upload a file into the input folder, or into a folder below it. @returns {Promise<string>} the name it has there */
export async function upload(file, subfolder = "") {
  const form = new FormData();
  form.append("image", file, file.name); // the host's route takes any file under this name
  form.append("subfolder", subfolder);
  const answer = await api.fetchApi("/upload/image", { method: "POST", body: form });
  if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`.trim());
  const { name, subfolder: below } = await answer.json();
  return below ? `${below}/${name}` : name;
}

/** Have new files offered by the nodes that choose among files. */
export const offerNewFiles = () => (app.reloadNodeDefs ?? app.refreshComboInNodes).call(app);

// -- where a node is --------------------------------------------------------------------------------------------------

/** The node of an execution id; ids of nodes in subgraphs are "5:3". */
export function nodeOf(id) {
  let graph = app.rootGraph ?? app.graph;
  const path = String(id).split(":");
  for (const part of path.slice(0, -1)) graph = graph?.getNodeById(part)?.subgraph;
  return graph?.getNodeById(path.at(-1)) ?? null;
}

/** The node of the outermost graph that holds the one with an execution id, or is it. */
export const outermostOf = (id) => (app.rootGraph ?? app.graph).getNodeById(String(id).split(":")[0]) ?? null;

/** The rig editor that a node's rig comes from, through whatever stands between. */
export function editorBefore(node, steps = 20) {
  const input = (node.inputs ?? []).find(({ type, link }) => type === "SYNCAM_RIG" && link != null);
  const link = input && node.graph?.getLink?.(input.link);
  const origin = link && node.graph.getNodeById(link.origin_id);
  if (!origin || steps === 0) return null;
  if (origin.comfyClass === "SynCamRigEditor") return origin.widgets?.find((widget) => widget.editor)?.editor ?? null;
  return editorBefore(origin, steps - 1);
}

// -- the life of a node ----------------------------------------------------------------------------------------------

const living = new Set(); // our nodes that were put into a graph and were not told that they left it

/**
 * Let something happen when a node leaves its graph, and when it is put into one, for the first time or again.
 *
 * The host calls `onRemoved`, but up to frontend 1.53 not for nodes inside subgraphs when another workflow is opened.
 * What is left of those is looked for after every such change, and their `onRemoved` is called here, so that the host's
 * own parts of the node go as well.
 *
 * @param {object} node that has just been created
 * @param {() => void} leaves
 * @param {() => void} [comes]
 */
export function whenGone(node, leaves, comes) {
  let there = false;
  after(node, "onAdded", () => {
    living.add(node);
    if (!there) comes?.();
    there = true;
  });
  after(node, "onRemoved", () => {
    living.delete(node);
    if (there) leaves();
    there = false;
  });
}

function isInGraph(node) {
  const root = app.rootGraph ?? app.graph;
  const graph = node.graph?.id === root.id ? root : root.subgraphs?.get(node.graph?.id);
  return graph?.getNodeById(node.id) === node;
}

function tellThoseThatAreGone() {
  for (const node of [...living]) if (!isInGraph(node)) node.onRemoved?.();
}

app.registerExtension({
  name: "syncam.Lifetime",
  setup: () => api.addEventListener("graphCleared", tellThoseThatAreGone),
  beforeConfigureGraph: tellThoseThatAreGone,
  afterConfigureGraph: tellThoseThatAreGone,
});

/**
 * Give a node's widget a part that exists as long as the node is in a graph: `widget[name]`, null while it is not there.
 *
 * @param {object} node that has just been created
 * @param {object} widget whose element the part fills
 * @param {string} name
 * @param {() => Promise<{dispose: () => void}>} make called when the node comes; one that the host makes to copy from it
 *   never does
 */
export function livesWith(node, widget, name, make) {
  let there = false;
  widget[name] = null;
  const open = async () => {
    try {
      const made = await make();
      if (there && !widget[name]) widget[name] = made;
      else made.dispose();
    } catch (error) {
      widget.element.textContent = `SynCam: the ${name} could not be loaded (${error.message}).`;
      console.error(`SynCam ${name}`, error);
    }
  };
  whenGone(
    node,
    () => {
      there = false;
      widget[name]?.dispose();
      widget[name] = null;
    },
    () => {
      there = true;
      open();
    },
  );
}
