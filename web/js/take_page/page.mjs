// The page of a take: everything that it shows is in it. One clock: a frame is shown of all views, or not at all.

import { timecode } from "../../lib/cuts.mjs";
import { fitted, gridded } from "../player/layout.mjs";
import { Reel } from "../player/reel.mjs";
import { h, icon } from "../shared/dom.mjs";
import { Space } from "./space.mjs";

const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2];
const BUDGET_BYTES = matchMedia("(pointer: coarse)").matches ? 150e6 : 400e6; // of decoded pictures
const TILE_PX = 84; // high in the strip

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const take = read("take");
const rate = take.fps[0] / take.fps[1];
const last = take.frames - 1;

const languages = read("words");
const language = navigator.languages.map((one) => one.split("-")[0]).find((one) => one in languages) ?? "en";
document.documentElement.lang = language;
const t = (key, values = {}) =>
  (languages[language][key] ?? languages.en[key]).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** The addresses of the videos, which are in the page or came with it from scripts; they are given up as text. */
function addressesOf() {
  const texts = globalThis.syncamVideos ?? [];
  document.querySelectorAll("script[data-video]").forEach((script) => {
    texts[script.dataset.video] ??= script.textContent;
    script.remove();
  });
  return take.views.map(({ type }, view) => {
    if (!type || !texts[view]) return "";
    const address = URL.createObjectURL(new Blob([bytesOf(texts[view])], { type }));
    texts[view] = "";
    return address;
  });
}

class Page {
  constructor() {
    Object.assign(this, { frame: -1, wanted: 0, playing: false, speed: 1, isGrid: false, through: null, reel: null });
    this.stage = h("div", { class: "stage" });
    this.problem = h("div", { class: "problem", role: "alert", hidden: true });
    this.spoken = h("div", { class: "spoken", "aria-live": "polite" });
    this.tiles = take.views.map((view, index) => this.#tile(view, index));
    this.strip = h("div", { class: "tiles", role: "group", "aria-label": t("views") }, ...this.tiles);
    this.main = document.querySelector("main");
    this.main.append(this.problem, this.stage, this.strip, this.#bar(), this.spoken);
    try {
      this.space = new Space(this.stage, take);
      this.stage.append((this.hint = h("div", { class: "hint", text: t("metres") })));
    } catch {
      this.inSpace.hidden = this.fit.hidden = this.size.hidden = true;
      this.say(t("noWebGL"));
    }
    document.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#arrange()).observe(this.strip);
    this.setGrid(!this.space);
    this.#load();
  }

  // -- what it is made of ----------------------------------------------------------------------------------------------

  #tile({ name, color, type }, index) {
    const label = h("span", {}, h("b", { class: "number", text: String(index + 1) }), name);
    const words = t("through", { number: index + 1, name });
    const tile = h(
      "button",
      { class: "tile", title: words, "aria-label": words, onclick: () => this.look(index) },
      type && h("canvas", { "aria-hidden": "true" }),
      label,
    );
    tile.style.setProperty("--color", color);
    return tile;
  }

  #bar() {
    const button = (key, content, onclick, more = "") => {
      const label = t(key);
      return h("button", { title: label + more, "aria-label": label, onclick }, content);
    };
    this.play = button("play", icon("play"), () => this.toggle(), " (Space)");
    this.slider = h("input", { class: "time", type: "range", min: "0", max: String(last), value: "0" });
    this.slider.setAttribute("aria-label", t("time"));
    this.slider.addEventListener("input", () => {
      this.pause();
      this.seek(Number(this.slider.value));
    });
    this.readout = h("div", { class: "readout" });
    this.speeds = h(
      "select",
      { title: t("speed"), "aria-label": t("speed"), onchange: () => (this.speed = Number(this.speeds.value)) },
      ...SPEEDS.map((speed) => h("option", { value: String(speed), text: `${speed}×` })),
    );
    this.speeds.value = "1";
    this.inSpace = button("space", icon("free"), () => this.look(null), " (0)");
    this.allViews = button("grid", icon("top"), () => this.setGrid(true), " (G)");
    this.fit = button("fit", icon("fit"), () => this.space.fit(), " (F)");
    this.size = h("input", { class: "size wide", type: "range", min: "0.05", max: "1", step: "0.01", value: "0.25" });
    Object.assign(this.size, { title: t("size") }).setAttribute("aria-label", t("size"));
    this.size.addEventListener("input", () => this.space.setSize(Number(this.size.value)));
    const back = button("back", icon("back"), () => this.step(-1), " (←)");
    const forward = button("forward", icon("forward"), () => this.step(1), " (→)");
    const time = [back, this.play, forward, this.slider, this.readout, this.speeds];
    for (const part of time) part.hidden = take.frames < 2;
    return h("div", { class: "bar" }, this.inSpace, this.allViews, this.fit, this.size, ...time);
  }

  #load() {
    const urls = addressesOf();
    const views = take.views.map(({ width, height }, view) => ({ width, height, url: urls[view] }));
    const hasVideos = take.views.every(({ type }) => type);
    if (hasVideos && urls.includes("")) this.say(t("missing", { file: take.views[urls.indexOf("")].file }));
    else if (hasVideos) {
      const arrived = (frame) => frame === this.wanted && this.#show(frame);
      const failed = ({ kind, view }) => this.say(t(kind, { name: take.views[view].name }));
      this.reel = new Reel(views, take.frames, rate, arrived, failed, BUDGET_BYTES);
    }
    this.seek(0);
    if (take.frames > 1 && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.start();
  }

  say(words) {
    this.problem.textContent = words;
    this.problem.hidden = false;
  }

  // -- time ------------------------------------------------------------------------------------------------------------

  #has(frame) {
    return !this.reel || this.reel.has(frame);
  }

  seek(frame) {
    this.wanted = this.position = Math.min(Math.max(frame, 0), last);
    this.reel?.look(this.wanted, [0, last]);
    if (this.#has(this.wanted)) this.#show(this.wanted);
    this.#showTime();
  }

  step(by) {
    this.pause();
    this.seek(this.wanted + by);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.start();
  }

  #showPlay() {
    const name = t(this.playing ? "pause" : "play");
    this.play.replaceChildren(icon(this.playing ? "pause" : "play"));
    this.play.title = `${name} (Space)`;
    this.play.setAttribute("aria-label", name);
  }

  start() {
    this.playing = true;
    let before = null;
    const tick = (now) => {
      if (!this.playing) return;
      // A page in the background gets no ticks; it goes on where it was.
      if (before !== null) this.#goOn(Math.min(now - before, 250) / 1000);
      before = now;
      this.request = requestAnimationFrame(tick);
    };
    this.request = requestAnimationFrame(tick);
    this.#showPlay();
  }

  /** Let time pass; the next frame is waited for until all views have it. */
  #goOn(seconds) {
    const next = this.position + seconds * rate * this.speed;
    const aim = next > last + 1 ? next % (last + 1) : next;
    const frame = Math.min(Math.floor(aim), last);
    this.reel?.look(frame, [0, last]);
    if (frame !== this.frame && !this.#has(frame)) return;
    this.position = aim;
    this.wanted = frame;
    if (frame !== this.frame) this.#show(frame);
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    cancelAnimationFrame(this.request);
    this.seek(Math.max(this.frame, 0));
    this.#showPlay();
  }

  // -- what is shown -----------------------------------------------------------------------------------------------------

  #show(frame) {
    this.frame = frame;
    const pictures = this.reel?.get(frame);
    this.space?.show(frame, pictures);
    this.#drawTiles(pictures);
    this.#showTime();
  }

  #showTime() {
    const code = timecode(this.wanted, rate);
    const seconds = (this.wanted / rate).toFixed(2);
    this.readout.replaceChildren(h("b", { text: String(this.wanted) }), ` / ${last} · ${code} · ${seconds} s`);
    this.slider.value = String(this.wanted);
    this.slider.setAttribute("aria-valuetext", t("frame", { frame: this.wanted, frames: take.frames, timecode: code }));
  }

  #drawTiles(pictures = this.reel?.get(this.frame)) {
    if (!pictures) return;
    this.tiles.forEach((tile, index) => {
      const canvas = tile.firstChild;
      const ratio = Math.min(devicePixelRatio || 1, 2);
      const width = Math.round(canvas.clientWidth * ratio);
      const height = Math.round(canvas.clientHeight * ratio);
      if (width < 2 || height < 2) return;
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      // A narrow picture's tile is wider than it, for the number on it.
      const view = take.views[index];
      const place = fitted({ x: 0, y: 0, width, height }, view.width / view.height);
      canvas.getContext("2d").drawImage(pictures[index], place.x, place.y, place.width, place.height);
    });
  }

  #arrange() {
    const aspects = take.views.map(({ width, height }) => width / height);
    const box = { x: 0, y: 0, width: this.strip.clientWidth, height: this.strip.clientHeight };
    const places = this.isGrid && gridded(box, aspects, 6);
    this.tiles.forEach((tile, index) => {
      const { x, y, width, height } = places
        ? places[index]
        : { x: 0, y: 0, width: Math.max(TILE_PX * aspects[index], 64), height: TILE_PX };
      Object.assign(tile.style, { left: `${x}px`, top: `${y}px` });
      const isBare = !places && !take.views[index].type;
      Object.assign(tile.style, isBare ? { width: "", height: "" } : { width: `${width}px`, height: `${height}px` });
    });
    this.#drawTiles();
  }

  setGrid(isGrid) {
    this.isGrid = isGrid;
    this.main.classList.toggle("grid", isGrid);
    this.allViews.setAttribute("aria-pressed", String(isGrid));
    this.inSpace.setAttribute("aria-pressed", String(!isGrid && this.through === null));
    this.tiles.forEach((tile, index) =>
      tile.setAttribute("aria-pressed", String(!isGrid && index === this.through)),
    );
    this.#arrange();
    this.space?.draw();
  }

  /** Look through a camera; null, or the same one again: the free view. */
  look(view) {
    if (!this.space) return;
    this.through = view === this.through && !this.isGrid ? null : view;
    this.space.look(this.through);
    this.hint.hidden = this.through !== null;
    this.setGrid(false);
    this.tiles[this.through ?? 0].scrollIntoView({ block: "nearest", inline: "nearest" });
    this.spoken.textContent =
      this.through === null ? t("space") : t("through", { number: view + 1, name: take.views[view].name });
  }

  /** Look through the next camera, or the one before; from the free view through the first or the last one. */
  #lookOn(by) {
    const count = take.views.length;
    const next = this.through === null ? (by > 0 ? 0 : count - 1) : (this.through + by + count) % count;
    if (next !== this.through || this.isGrid) this.look(next);
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key, target } = event;
    const isField = target.matches?.("input, select");
    const digit = /^\d$/.test(key) ? Number(key) : null;
    const actions = {
      " ": () => !target.matches?.("button, select") && this.toggle(), // there it presses or opens
      ArrowLeft: () => !isField && this.step(event.shiftKey ? -10 : -1),
      ArrowRight: () => !isField && this.step(event.shiftKey ? 10 : 1),
      Home: () => !isField && this.step(-take.frames),
      End: () => !isField && this.step(take.frames),
      g: () => this.setGrid(!this.isGrid || !this.space),
      ",": () => this.#lookOn(-1),
      ".": () => this.#lookOn(1),
      f: () => this.space?.fit(),
      a: () => this.space?.turn(-1, 0),
      d: () => this.space?.turn(1, 0),
      w: () => this.space?.turn(0, 1),
      s: () => this.space?.turn(0, -1),
      Escape: () => this.look(null),
    };
    if (digit !== null && digit <= take.views.length) actions[key] = () => this.look(digit ? digit - 1 : null);
    const action = actions[key.length === 1 ? key.toLowerCase() : key];
    if (action && action() !== false) event.preventDefault();
  }
}

globalThis.syncamTake = new Page(); // for whoever looks into it
