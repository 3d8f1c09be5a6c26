// The keyboard. What the editor understands stays in it; what it does not is the host's, single letters excepted.

import { SHORTEST_M, poseAt, tidy } from "./camera.mjs";
import { SNAP } from "./interaction.mjs";

const STEPS = { azimuth: 1, elevation: 1, roll: 1, distance: 0.1 };
const SNAP_STEPS = { azimuth: SNAP.degrees, elevation: SNAP.degrees, roll: SNAP.degrees, distance: SNAP.metres };
const ARROWS = {
  ArrowLeft: ["azimuth", -1],
  ArrowRight: ["azimuth", 1],
  ArrowUp: ["elevation", 1],
  ArrowDown: ["elevation", -1],
  "+": ["distance", -1],
  "=": ["distance", -1],
  "-": ["distance", 1],
  PageUp: ["distance", -1],
  PageDown: ["distance", 1],
  "[": ["roll", -1],
  "]": ["roll", 1],
};
const MODES = { 1: "free", 2: "top", 3: "side", 4: "front", 5: "look" };

/** @returns {boolean} whether an element takes text or keys of its own */
export const isText = (target) =>
  (target.tagName === "INPUT" && !["color", "checkbox"].includes(target.type)) ||
  ["TEXTAREA", "SELECT"].includes(target.tagName);

/** @param {import("./editor.mjs").Editor} editor @param {KeyboardEvent} event */
export function pressed(editor, event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const known =
    event.ctrlKey || event.metaKey
      ? withControl(editor, key, event)
      : !isText(event.target) && plain(editor, key, event);
  if (known) event.preventDefault();
  // single letters and Delete are commands of the host that nobody means in here
  const meant = key.length === 1 || key === "Delete" || key === "Backspace" || isText(event.target);
  const forHost = (event.ctrlKey || event.metaKey) && !["z", "y", "c", "v", "x", "a"].includes(key); // Ctrl+Enter, Ctrl+S
  if (known || (meant && !forHost)) event.stopPropagation();
}

function withControl(editor, key, event) {
  const { store } = editor;
  // text that is being typed has an undo of its own
  const typing = event.target.tagName === "TEXTAREA" || event.target.dataset?.typing;
  if (typing) return false;
  if (key === "z" && event.shiftKey) store.redo();
  else if (key === "z") store.undo();
  else if (key === "y") store.redo();
  else if (key === "d" && !isText(event.target)) editor.duplicate();
  else return false;
  return true;
}

function plain(editor, key, event) {
  const { store } = editor;
  if (key === "Delete" || key === "Backspace") editor.remove();
  else if (key === "Escape") return Boolean(editor.interaction?.escape());
  else if (key === "k") editor.addKeyframe();
  else if (key === "f") editor.view?.fit();
  else if (key === "s") editor.toggleSnap();
  else if (key === "n") editor.addCamera();
  else if (key === "," || key === "<") store.select(store.selected - 1);
  else if (key === "." || key === ">") store.select(store.selected + 1);
  else if (key in MODES) editor.setMode(MODES[key]);
  else if (event.target === editor.stage && key in ARROWS && !event.altKey) nudge(editor, ...ARROWS[key], event);
  else return false;
  return true;
}

/** Move the chosen camera by a step; with snap to the next multiple of one. */
function nudge(editor, key, direction, event) {
  const { store } = editor;
  const now = poseAt(store.camera, store.frame)[key];
  const { snap } = editor.options;
  const large = event.shiftKey && event.key.length > 1 && !snap;
  const step = (snap ? SNAP_STEPS : STEPS)[key] * (large ? 10 : 1);
  const value = snap ? (Math.round(now / step) + direction) * step : now + direction * step;
  const change = { [key]: tidy(key === "distance" ? Math.max(SHORTEST_M, value) : value, 6) };
  store.pose(change, { kind: `nudge ${key}` });
  editor.live.textContent = editor.describe(store.selected);
}
