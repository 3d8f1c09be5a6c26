// Keyframes over time: scrub, add, delete, move, ease.

import { isMoving, keyAt, withKeyframe } from "./camera.mjs";
import { h, iconButton, ownHistory } from "../shared/dom.mjs";
import { choiceField, numberField } from "./fields.mjs";

const EASES = [
  ["none", "easeNone"],
  ["in", "easeIn"],
  ["out", "easeOut"],
  ["in_out", "easeInOut"],
  ["hold", "easeHold"],
];
const FRAMES_PER_SECOND = 15; // of the videos, for playing only
export const USUAL_LENGTH = 81;

/** How long the timeline of a document is: what it says, what its keyframes need, else the usual length. */
export const lengthOf = (doc) =>
  doc.frames ??
  (doc.cameras.some(isMoving)
    ? Math.max(...doc.cameras.map((camera) => camera.keyframes.at(-1).frame)) + 1
    : USUAL_LENGTH);

/** @param {import("./editor.mjs").Editor} editor */
export function createTimeline(editor) {
  const { store, t } = editor;
  let playing = 0;
  const play = iconButton("play", t("play"), () => (playing ? stop() : start()), { data: { action: "play" } });
  const addKey = iconButton("key", `${t("addKey")} (K)`, () => editor.addKeyframe(), { data: { action: "add-key" } });
  const deleteKey = iconButton("unkey", t("deleteKey"), () => editor.deleteKeyframe(), {
    data: { action: "delete-key" },
  });
  const head = h("div", { class: "sc-head" });
  const rail = h("div", { class: "sc-rail" }, head);
  const track = h(
    "div",
    {
      class: "sc-track",
      tabIndex: 0,
      role: "slider",
      "aria-label": t("frame"),
      "aria-valuemin": 0,
    },
    rail,
  );
  ownHistory(track);
  const frame = numberField({
    label: t("frame"),
    name: "frame",
    least: 0,
    most: 9999,
    digits: 0,
    onchange: (value) => editor.seek(value),
  });
  const frames = numberField({
    label: t("frames"),
    name: "frames",
    least: 1,
    most: 2000,
    digits: 0,
    onchange: (value) => editor.setFrames(Math.round(value)),
  });
  const ease = choiceField({
    label: t("ease"),
    name: "ease",
    choices: EASES.map(([value, key]) => [value, t(key)]),
    onchange: (value) => setEase(value),
  });
  const interpolation = choiceField({
    label: t("interpolation"),
    name: "interpolation",
    choices: [
      ["smooth", t("smooth")],
      ["linear", t("linear")],
    ],
    onchange: (value) => store.change(store.selected, { ...store.camera, interpolation: value }),
  });
  const element = h(
    "div",
    { class: "sc-time", role: "group", "aria-label": t("timeline"), title: t("movingHint") },
    h("div", { class: "sc-bar" }, play, track, addKey, deleteKey),
    h("div", { class: "sc-bar" }, frame.element, frames.element, ease.element, interpolation.element),
  );

  /** The keyframe whose segment the frame is in. */
  const segment = () => {
    const keys = store.camera.keyframes;
    return Math.max(
      0,
      keys.findLastIndex((key) => key.frame <= store.frame),
    );
  };
  const setEase = (value) => {
    const at = segment();
    const keyframes = store.camera.keyframes.map((key, index) => (index === at ? { ...key, ease: value } : key));
    store.change(store.selected, { ...store.camera, keyframes });
  };

  const frameUnder = (event) => {
    const box = rail.getBoundingClientRect();
    const last = lengthOf(store.doc) - 1;
    return Math.round(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * last);
  };
  let scrubbing = false;
  track.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    stop();
    scrubbing = true;
    track.setPointerCapture(event.pointerId);
    editor.seek(frameUnder(event));
  });
  track.addEventListener("pointermove", (event) => scrubbing && editor.seek(frameUnder(event)));
  for (const kind of ["pointerup", "pointercancel"])
    track.addEventListener(kind, () => {
      scrubbing = false;
    });
  track.addEventListener("keydown", (event) => {
    const last = lengthOf(store.doc) - 1;
    const size = event.shiftKey ? 10 : 1;
    const to = {
      ArrowLeft: store.frame - size,
      ArrowRight: store.frame + size,
      ArrowDown: store.frame - size,
      ArrowUp: store.frame + size,
      Home: 0,
      End: last,
      PageUp: neighbour(1),
      PageDown: neighbour(-1),
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    editor.seek(to);
  });
  const neighbour = (direction) => {
    const frames = store.camera.keyframes.map((key) => key.frame);
    const next = direction > 0 ? frames.find((at) => at > store.frame) : frames.findLast((at) => at < store.frame);
    return next ?? store.frame;
  };

  const start = () => {
    const last = lengthOf(store.doc) - 1;
    const from = store.frame >= last ? 0 : store.frame;
    const began = performance.now();
    const step = (now) => {
      const at = from + Math.floor(((now - began) / 1000) * FRAMES_PER_SECOND);
      editor.seek(Math.min(at, last));
      if (at >= last || !element.isConnected) stop();
      else playing = requestAnimationFrame(step);
    };
    playing = requestAnimationFrame(step);
    playState();
  };
  const stop = () => {
    cancelAnimationFrame(playing);
    playing = 0;
    playState();
  };
  const playState = () => {
    const label = playing ? t("pause") : t("play");
    play.title = label;
    play.setAttribute("aria-label", label);
    play.setAttribute("aria-pressed", String(Boolean(playing)));
  };

  const keys = [];
  const diamond = () => {
    const button = h("button", { class: "sc-key" });
    let drag = null;
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.stopPropagation();
      stop();
      const at = Number(button.dataset.frame);
      editor.seek(at);
      drag = { at, now: at };
      button.setPointerCapture(event.pointerId);
      store.begin();
    });
    button.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const to = frameUnder(event);
      if (to !== drag.now && moveKey(drag.now, to)) drag.now = to;
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      button.addEventListener(kind, () => {
        if (drag) store.end();
        drag = null;
      });
    }
    button.addEventListener("click", () => editor.seek(Number(button.dataset.frame)));
    button.addEventListener("keydown", (event) => {
      const at = Number(button.dataset.frame);
      if (event.key === "Delete" || event.key === "Backspace") {
        editor.seek(at);
        editor.deleteKeyframe();
        track.focus();
      } else if (event.key === "ArrowLeft") moveKey(at, at - 1);
      else if (event.key === "ArrowRight") moveKey(at, at + 1);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return button;
  };

  /** Give a keyframe of the chosen camera another frame, unless there is one already. */
  const moveKey = (from, to) => {
    const { camera } = store;
    const index = keyAt(camera, from);
    if (index < 0 || to < 0 || to >= lengthOf(store.doc) || keyAt(camera, to) >= 0) return false;
    const keyframes = camera.keyframes.map((key, at) => (at === index ? { ...key, frame: to } : key));
    keyframes.sort((a, b) => a.frame - b.frame);
    store.change(store.selected, { ...camera, keyframes }, { kind: `key ${index}` });
    editor.seek(to);
    return true;
  };

  const update = () => {
    const last = Math.max(1, lengthOf(store.doc) - 1);
    const at = Math.min(store.frame, last);
    const { camera } = store;
    head.style.left = `${(100 * at) / last}%`;
    track.setAttribute("aria-valuemax", last);
    track.setAttribute("aria-valuenow", store.frame);
    frame.show(store.frame);
    frames.show(lengthOf(store.doc));
    const moving = isMoving(camera);
    // the baked list of a file has a keyframe everywhere: a line says it better than a thousand diamonds
    const keyed = moving || Boolean(camera.isKeyed);
    const shown = keyed && camera.keyframes.length <= 64 ? camera.keyframes : [];
    while (keys.length > shown.length) keys.pop().remove();
    while (keys.length < shown.length) keys.push(rail.appendChild(diamond()));
    shown.forEach((key, index) => {
      const button = keys[index];
      button.dataset.frame = key.frame;
      button.style.left = `${(100 * key.frame) / last}%`;
      button.style.setProperty("--color", camera.color);
      button.dataset.here = String(key.frame === store.frame);
      button.setAttribute("aria-label", t("keyframe", { frame: key.frame }));
    });
    const here = keyAt(camera, store.frame) >= 0;
    addKey.disabled = here && keyed;
    deleteKey.disabled = !keyed || !here;
    ease.input.disabled = interpolation.input.disabled = !moving;
    ease.show(moving ? (camera.keyframes[segment()].ease ?? "none") : "none");
    interpolation.show(camera.interpolation ?? "smooth");
  };
  return { element, update, stop };
}

/** @returns the document with a keyframe for a camera at a frame, as long as the timeline shows it */
export function keyedDocument(doc, index, frame) {
  const camera = withKeyframe(doc.cameras[index], frame);
  if (camera === doc.cameras[index]) return doc;
  const frames = Math.max(lengthOf(doc), frame + 1);
  return { ...doc, frames, cameras: doc.cameras.map((old, at) => (at === index ? camera : old)) };
}

/** @returns the camera without its keyframe at a frame; one keyframe is a camera that stands still */
export function withoutKeyframe(camera, frame) {
  const keyframes = camera.keyframes.filter((key) => key.frame !== frame);
  if (!keyframes.length || keyframes.length === camera.keyframes.length) return camera;
  if (keyframes.length > 1) return { ...camera, keyframes };
  return { ...camera, interpolation: "smooth", keyframes: [{ ...keyframes[0], frame: 0, ease: "none" }] };
}
