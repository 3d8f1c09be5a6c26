// Keyframes over time: scrub, add, delete, move, ease.

import { isMoving, keyAt, withKeyframe } from "./camera.mjs";
import { h, iconButton, ownHistory } from "../shared/dom.mjs";
import { NumberField, choiceField } from "./fields.mjs";

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

export class Timeline {
  #editor;
  #playing = 0; // the request of the next frame
  #diamonds = [];

  /** @param {import("./editor.mjs").Editor} editor */
  constructor(editor) {
    this.#editor = editor;
    this.#buildTrack();
    this.#buildButtons();
    this.#buildFields();
    this.element = h(
      "div",
      { class: "sc-time", role: "group", "aria-label": editor.t("timeline"), title: editor.t("movingHint") },
      h("div", { class: "sc-bar" }, this.play, this.track, this.addKey, this.deleteKey),
      h(
        "div",
        { class: "sc-bar" },
        ...[this.frame, this.frames, this.ease, this.interpolation].map((field) => field.element),
      ),
    );
    this.#listenToPointer();
    this.#listenToKeys();
  }

  // -- parts ---------------------------------------------------------------------------------------------------------

  #buildTrack() {
    this.head = h("div", { class: "sc-head" });
    this.rail = h("div", { class: "sc-rail" }, this.head);
    this.track = h(
      "div",
      {
        class: "sc-track",
        tabIndex: 0,
        role: "slider",
        "aria-label": this.#editor.t("frame"),
        "aria-valuemin": 0,
      },
      this.rail,
    );
    ownHistory(this.track);
  }

  #buildButtons() {
    const editor = this.#editor;
    const { t } = editor;
    const toggle = () => (this.#playing ? this.stop() : this.#start());
    this.play = iconButton("play", t("play"), toggle, { data: { action: "play" } });
    this.addKey = iconButton("key", `${t("addKey")} (K)`, () => editor.addKeyframe(), { data: { action: "add-key" } });
    this.deleteKey = iconButton("unkey", t("deleteKey"), () => editor.deleteKeyframe(), {
      data: { action: "delete-key" },
    });
  }

  #buildFields() {
    const editor = this.#editor;
    const { store, t } = editor;
    this.frame = new NumberField({
      ...{ label: t("frame"), name: "frame", least: 0, most: 9999, digits: 0 },
      onchange: (value) => editor.seek(value),
    });
    this.frames = new NumberField({
      ...{ label: t("frames"), name: "frames", least: 1, most: 2000, digits: 0 },
      onchange: (value) => editor.setFrames(Math.round(value)),
    });
    this.ease = choiceField({
      label: t("ease"),
      name: "ease",
      choices: EASES.map(([value, key]) => [value, t(key)]),
      onchange: (value) => this.#setEase(value),
    });
    this.interpolation = choiceField({
      label: t("interpolation"),
      name: "interpolation",
      choices: ["smooth", "linear"].map((value) => [value, t(value)]),
      onchange: (value) => store.change(store.selected, { ...store.camera, interpolation: value }),
    });
  }

  // -- time ----------------------------------------------------------------------------------------------------------

  get #last() {
    return lengthOf(this.#editor.store.doc) - 1;
  }

  #frameUnder(event) {
    const box = this.rail.getBoundingClientRect();
    return Math.round(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * this.#last);
  }

  #listenToPointer() {
    const { track } = this;
    let scrubbing = false;
    track.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      this.stop();
      scrubbing = true;
      track.setPointerCapture(event.pointerId);
      this.#editor.seek(this.#frameUnder(event));
    });
    track.addEventListener("pointermove", (event) => scrubbing && this.#editor.seek(this.#frameUnder(event)));
    for (const kind of ["pointerup", "pointercancel"])
      track.addEventListener(kind, () => {
        scrubbing = false;
      });
  }

  #listenToKeys() {
    const { store } = this.#editor;
    this.track.addEventListener("keydown", (event) => {
      const size = event.shiftKey ? 10 : 1;
      const to = {
        ArrowLeft: store.frame - size,
        ArrowRight: store.frame + size,
        ArrowDown: store.frame - size,
        ArrowUp: store.frame + size,
        Home: 0,
        End: this.#last,
        PageUp: this.#neighbour(1),
        PageDown: this.#neighbour(-1),
      }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      this.#editor.seek(to);
    });
  }

  /** The frame of the next keyframe in a direction, or where we are if there is none. */
  #neighbour(direction) {
    const { camera, frame } = this.#editor.store;
    const frames = camera.keyframes.map((key) => key.frame);
    const next = direction > 0 ? frames.find((at) => at > frame) : frames.findLast((at) => at < frame);
    return next ?? frame;
  }

  #start() {
    const editor = this.#editor;
    const last = this.#last;
    const from = editor.store.frame >= last ? 0 : editor.store.frame;
    const began = performance.now();
    const step = (now) => {
      const at = from + Math.floor(((now - began) / 1000) * FRAMES_PER_SECOND);
      editor.seek(Math.min(at, last));
      if (at >= last || !this.element.isConnected) this.stop();
      else this.#playing = requestAnimationFrame(step);
    };
    this.#playing = requestAnimationFrame(step);
    this.#showPlaying();
  }

  stop() {
    cancelAnimationFrame(this.#playing);
    this.#playing = 0;
    this.#showPlaying();
  }

  #showPlaying() {
    const label = this.#editor.t(this.#playing ? "pause" : "play");
    this.play.title = label;
    this.play.setAttribute("aria-label", label);
    this.play.setAttribute("aria-pressed", String(Boolean(this.#playing)));
  }

  // -- keyframes -----------------------------------------------------------------------------------------------------

  /** The keyframe whose segment the frame is in. */
  #segment() {
    const { camera, frame } = this.#editor.store;
    return Math.max(
      0,
      camera.keyframes.findLastIndex((key) => key.frame <= frame),
    );
  }

  #setEase(value) {
    const { store } = this.#editor;
    const at = this.#segment();
    const keyframes = store.camera.keyframes.map((key, index) => (index === at ? { ...key, ease: value } : key));
    store.change(store.selected, { ...store.camera, keyframes });
  }

  #diamond() {
    const button = h("button", { class: "sc-key" });
    button.addEventListener("click", () => this.#editor.seek(Number(button.dataset.frame)));
    this.#letPull(button);
    button.addEventListener("keydown", (event) => {
      const at = Number(button.dataset.frame);
      if (event.key === "Delete" || event.key === "Backspace") {
        this.#editor.seek(at);
        this.#editor.deleteKeyframe();
        this.track.focus();
      } else if (event.key === "ArrowLeft") this.#moveKey(at, at - 1);
      else if (event.key === "ArrowRight") this.#moveKey(at, at + 1);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return button;
  }

  /** A diamond is pulled along the track, all of it one edit. */
  #letPull(button) {
    const { store } = this.#editor;
    let now = null; // the frame where the keyframe that is pulled is
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.stopPropagation();
      this.stop();
      now = Number(button.dataset.frame);
      this.#editor.seek(now);
      button.setPointerCapture(event.pointerId);
      store.begin();
    });
    button.addEventListener("pointermove", (event) => {
      if (now === null) return;
      const to = this.#frameUnder(event);
      if (to !== now && this.#moveKey(now, to)) now = to;
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      button.addEventListener(kind, () => {
        if (now !== null) store.end();
        now = null;
      });
    }
  }

  /** Give a keyframe of the chosen camera another frame, unless there is one already. */
  #moveKey(from, to) {
    const { store } = this.#editor;
    const { camera } = store;
    const index = keyAt(camera, from);
    if (index < 0 || to < 0 || to > this.#last || keyAt(camera, to) >= 0) return false;
    const keyframes = camera.keyframes.map((key, at) => (at === index ? { ...key, frame: to } : key));
    keyframes.sort((a, b) => a.frame - b.frame);
    store.change(store.selected, { ...camera, keyframes }, { kind: `key ${index}` });
    this.#editor.seek(to);
    return true;
  }

  // -- what is shown -------------------------------------------------------------------------------------------------

  update() {
    const { store } = this.#editor;
    const { camera, frame } = store;
    const last = Math.max(1, this.#last);
    this.head.style.left = `${(100 * Math.min(frame, last)) / last}%`;
    this.track.setAttribute("aria-valuemax", last);
    this.track.setAttribute("aria-valuenow", frame);
    this.frame.show(frame);
    this.frames.show(lengthOf(store.doc));
    const moving = isMoving(camera);
    const keyed = moving || Boolean(camera.isKeyed);
    // the baked list of a file has a keyframe everywhere: a line says it better than a thousand diamonds
    this.#showDiamonds(keyed && camera.keyframes.length <= 64 ? camera.keyframes : [], last);
    const here = keyAt(camera, frame) >= 0;
    this.addKey.disabled = here && keyed;
    this.deleteKey.disabled = !keyed || !here;
    this.ease.input.disabled = this.interpolation.input.disabled = !moving;
    this.ease.show(moving ? (camera.keyframes[this.#segment()].ease ?? "none") : "none");
    this.interpolation.show(camera.interpolation ?? "smooth");
  }

  #showDiamonds(keyframes, last) {
    const { store, t } = this.#editor;
    const diamonds = this.#diamonds;
    while (diamonds.length > keyframes.length) diamonds.pop().remove();
    while (diamonds.length < keyframes.length) diamonds.push(this.rail.appendChild(this.#diamond()));
    keyframes.forEach(({ frame }, index) => {
      const button = diamonds[index];
      button.dataset.frame = frame;
      button.style.left = `${(100 * frame) / last}%`;
      button.style.setProperty("--color", store.camera.color);
      button.dataset.here = String(frame === store.frame);
      button.setAttribute("aria-label", t("keyframe", { frame }));
    });
  }
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
