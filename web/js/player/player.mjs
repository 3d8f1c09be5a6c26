// The player: stage, transport, timeline, and the cuts that are recorded. Knows no host; extension.js does.

import { h, icon, iconButton, ownHistory } from "../shared/dom.mjs";
import { letterOf, readCuts, timecode, viewAt, withCut, writeCuts } from "../../lib/cuts.mjs";
import { fitted, gridded } from "./layout.mjs";
import { Reel } from "./reel.mjs";

export const SPEEDS = [0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2];
const MODES = { all: "g", one: "s", wipe: "w", cut: "c" };
const SHARPEST = 2; // device pixels per pixel that are drawn at most

/**
 * @typedef {{name: string, color: string, angles: string, width: number, height: number, url: string, download: string,
 *   filename: string}} PlayedView
 * @typedef {{frames: number, rate: number, views: PlayedView[]}} Film
 * @typedef {object} PlayerOptions
 * @property {(key: string, values?: Record<string, any>) => string} t words of locales/<language>/main.json
 * @property {{read: () => string, write: (text: string) => void, linked: () => boolean}} cuts the node's cut list
 * @property {(name: string) => void} onSelect a view was chosen
 */

const glyphButton = (name, label, onclick, action) =>
  iconButton(name, label, onclick, { class: "sp-button", data: { action } });

/** The number of a view on its camera's colour. */
const numberOf = (view) => h("b", { class: "sp-number", text: String(view + 1) });

export class Player {
  /** @param {HTMLElement} element that the player fills @param {PlayerOptions} options */
  constructor(element, options) {
    this.element = element;
    this.options = options;
    this.t = options.t;
    this.gone = new AbortController(); // for listeners on the element, which outlives the player
    this.film = null;
    this.reel = null;
    this.frame = -1; // on screen
    this.wanted = 0; // asked for; on screen as soon as all views have it
    this.mode = "all";
    this.selected = 0;
    this.other = 1; // the right side of the wipe
    this.share = 0.5; // of the wipe's picture that the left side has
    this.speed = 1;
    this.loop = null; // [first, last], or null: everything
    this.playing = false;
    this.armed = false;
    this.history = []; // cut lists before each recorded cut
    this.problem = "";
    this.#build();
    this.sizes = new ResizeObserver(() => this.#arrange());
    this.sizes.observe(this.stage);
    this.#showEverything();
  }

  // -- parts ---------------------------------------------------------------------------------------------------------

  #build() {
    const { element, t } = this;
    element.classList.add("sp-player");
    element.tabIndex = 0;
    element.setAttribute("role", "group");
    element.setAttribute("aria-label", t("player"));
    element.setAttribute("aria-description", t("help"));
    ownHistory(element);
    this.modeButtons = Object.keys(MODES).map((mode) =>
      h("button", {
        class: "sp-button",
        text: t(`${mode}Short`),
        title: `${t(mode)} (${MODES[mode].toUpperCase()})`,
        "aria-label": t(mode),
        data: { mode },
        onclick: () => this.setMode(mode),
      }),
    );
    this.swap = glyphButton("swap", `${t("swap")} (X)`, () => this.swapSides(), "swap");
    this.download = h("a", { class: "sp-button", data: { action: "download" } }, icon("download"));
    this.record = h(
      "button",
      {
        class: "sp-button sp-record",
        title: `${t("record")} (R)`,
        "aria-label": t("record"),
        data: { action: "record" },
        onclick: () => this.arm(!this.armed),
      },
      h("i"),
      h("span", { text: "REC" }),
    );
    this.undo = glyphButton("undo", `${t("undo")} (U)`, () => this.undoCut(), "undo");
    this.clear = glyphButton("trash", t("clear"), () => this.clearCuts(), "clear");
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.context = this.canvas.getContext("2d");
    this.divider = h("div", {
      class: "sp-divider",
      tabIndex: 0,
      role: "slider",
      "aria-label": t("divider"),
      "aria-valuemin": "0",
      "aria-valuemax": "100",
    });
    this.labels = [h("div", { class: "sp-name" }), h("div", { class: "sp-name sp-right" })];
    this.stage = h("div", { class: "sp-stage" }, this.canvas, ...this.labels, this.divider);
    this.note = h("div", { class: "sp-note", hidden: true });
    this.chips = h("div", { class: "sp-views", role: "radiogroup", "aria-label": t("views") });
    this.loaded = h("div", { class: "sp-loaded" });
    this.loopMark = h("div", { class: "sp-loop" });
    this.cutMarks = h("div", { class: "sp-cuts" });
    this.head = h("div", { class: "sp-head" });
    this.rail = h("div", { class: "sp-rail" }, this.loaded, this.cutMarks, this.loopMark, this.head);
    this.track = h(
      "div",
      {
        class: "sp-track",
        tabIndex: 0,
        role: "slider",
        "aria-label": t("time"),
        "aria-orientation": "horizontal",
        "aria-valuemin": "0",
      },
      this.rail,
    );
    for (const part of [this.track, this.divider]) ownHistory(part);
    this.play = glyphButton("play", t("play"), () => this.toggle(), "play");
    this.readout = h("div", { class: "sp-readout" });
    this.speeds = h(
      "select",
      {
        class: "sp-speed",
        title: t("speed"),
        "aria-label": t("speed"),
        onchange: () => this.setSpeed(Number(this.speeds.value)),
      },
      ...SPEEDS.map((speed) => h("option", { value: String(speed), text: `${speed}×` })),
    );
    this.speeds.value = "1";
    this.live = h("div", { class: "sp-hidden", "aria-live": "polite" });
    this.loopAll = glyphButton("loop", t("loopAll"), () => this.setLoop(null), "loop-all");
    element.replaceChildren(
      h(
        "div",
        { class: "sp-bar" },
        h("div", { class: "sp-group", role: "group" }, ...this.modeButtons),
        this.swap,
        h("div", { class: "sp-space" }),
        h("div", { class: "sp-group" }, this.record, this.undo, this.clear),
        this.download,
      ),
      this.note,
      this.stage,
      this.chips,
      this.track,
      h(
        "div",
        { class: "sp-bar" },
        h(
          "div",
          { class: "sp-group" },
          glyphButton("start", `${t("start")} (Home)`, () => this.seek(this.region[0]), "start"),
          glyphButton("back", `${t("back")} (←)`, () => this.step(-1), "back"),
          this.play,
          glyphButton("forward", `${t("forward")} (→)`, () => this.step(1), "forward"),
          glyphButton("end", `${t("end")} (End)`, () => this.seek(this.region[1]), "end"),
        ),
        h(
          "div",
          { class: "sp-group sp-optional" },
          glyphButton("loopIn", `${t("loopIn")} (I)`, () => this.loopFrom(), "loop-in"),
          glyphButton("loopOut", `${t("loopOut")} (O)`, () => this.loopTo(), "loop-out"),
          this.loopAll,
        ),
        this.speeds,
        h("div", { class: "sp-space" }),
        this.readout,
      ),
      this.live,
    );
    element.addEventListener("keydown", (event) => this.#pressed(event), { signal: this.gone.signal });
    this.#listenToTrack();
    this.#listenToDivider();
  }

  #listenToTrack() {
    let start = null; // the frame where the pointer went down
    const frameUnder = (event) => {
      const box = this.rail.getBoundingClientRect();
      return Math.round(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * this.last);
    };
    this.track.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.film) return;
      this.pause();
      start = frameUnder(event);
      this.track.setPointerCapture(event.pointerId);
      if (!event.shiftKey) this.seek(start);
    });
    this.track.addEventListener("pointermove", (event) => {
      if (start === null) return;
      const now = frameUnder(event);
      if (event.shiftKey) this.setLoop(now === start ? null : [Math.min(now, start), Math.max(now, start)]);
      else this.seek(now);
    });
    for (const kind of ["pointerup", "pointercancel"])
      this.track.addEventListener(kind, () => {
        start = null;
      });
  }

  #listenToDivider() {
    let dragging = false;
    const move = (event) => {
      const box = this.stage.getBoundingClientRect();
      const scale = box.width / this.stage.clientWidth || 1; // the graph may be zoomed
      const { x, width } = this.picture;
      this.setShare(((event.clientX - box.left) / scale - x) / width);
    };
    this.divider.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      dragging = true;
      this.divider.setPointerCapture(event.pointerId);
    });
    this.divider.addEventListener("pointermove", (event) => dragging && move(event));
    for (const kind of ["pointerup", "pointercancel"])
      this.divider.addEventListener(kind, () => {
        dragging = false;
      });
    this.divider.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
      if (by === undefined) return;
      this.setShare(this.share + by);
      event.preventDefault();
      event.stopPropagation();
    });
  }

  // -- what is played ------------------------------------------------------------------------------------------------

  /**
   * @param {Film | null} film what to play; the same one again changes nothing on screen
   * @param {string} [problem] what is to be said about it
   */
  load(film, problem = "") {
    if (film && this.reel && !this.failed && JSON.stringify(film) === JSON.stringify(this.film)) {
      this.problem = problem;
      this.#showNote();
      return;
    }
    const replay = this.frame;
    this.pause();
    this.reel?.dispose();
    this.reel = null;
    this.film = film;
    this.frame = -1;
    this.failed = false;
    this.problem = problem;
    if (!film) {
      this.#showEverything();
      return;
    }
    this.selected = Math.min(this.selected, film.views.length - 1);
    this.other = film.views.length > 1 ? Math.min(Math.max(this.other, 1), film.views.length - 1) : 0;
    if (this.loop && this.loop[1] > this.last) this.loop = null;
    this.wanted = Math.min(Math.max(replay, 0), this.last);
    this.#makeChips();
    this.reel = new Reel(
      film.views,
      film.frames,
      film.rate,
      (frame) => this.#arrived(frame),
      ({ kind, view }) => {
        this.failed = true;
        this.problem = this.t(kind, { name: film.views[view].name });
        this.pause();
        this.#showEverything();
      },
    );
    this.seek(this.wanted);
    this.#showEverything();
  }

  get last() {
    return Math.max(0, (this.film?.frames ?? 1) - 1);
  }

  /** The frames that are played over and over. */
  get region() {
    return this.loop ?? [0, this.last];
  }

  get names() {
    return this.film?.views.map((view) => view.name) ?? [];
  }

  #arrived(frame) {
    if (frame === this.wanted && this.frame !== frame) this.#show(frame);
    this.#showLoaded();
  }

  /** Put a frame of all views on screen; the reel has it. */
  #show(frame) {
    this.frame = this.wanted = frame;
    this.#draw();
    this.#showTime();
  }

  // -- time ----------------------------------------------------------------------------------------------------------

  seek(frame) {
    if (!this.film) return;
    this.wanted = Math.min(Math.max(Math.round(frame), 0), this.last);
    this.position = this.wanted;
    this.reel?.look(this.wanted, this.region);
    if (this.reel?.has(this.wanted)) this.#show(this.wanted);
    else this.#showTime();
  }

  step(by) {
    this.pause();
    this.seek(this.wanted + by);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.start();
  }

  start() {
    if (!this.film || this.failed || this.playing) return;
    this.playing = true;
    const [first, last] = this.region;
    if (this.wanted < first || this.wanted >= last) this.seek(first);
    this.position = this.wanted;
    let before = null;
    const tick = (now) => {
      if (!this.playing) return;
      if (!this.element.isConnected) {
        this.pause();
        return;
      }
      if (before !== null) this.#advance((now - before) / 1000);
      before = now;
      this.request = requestAnimationFrame(tick);
    };
    this.request = requestAnimationFrame(tick);
    this.#showButtons();
  }

  /** Go on by a time, but never past a frame that not all views have yet. */
  #advance(seconds) {
    const [first, last] = this.region;
    const length = last - first + 1;
    const ahead = Math.min(seconds * this.film.rate * this.speed, length);
    const next = this.position + ahead;
    const aim = next > last + 1 - 1e-9 ? first + ((next - first) % length) : next;
    const target = Math.floor(aim);
    if (target === this.frame) {
      this.position = aim;
      return;
    }
    // Up to the target as far as everything is there. The clock waits for what is not.
    let reached = this.frame;
    for (let at = this.frame; at !== target; ) {
      at = at >= last ? first : at + 1;
      if (!this.reel.has(at)) break;
      reached = at;
    }
    this.position = reached === target ? aim : reached + 0.999;
    if (reached !== this.frame) this.#show(reached);
    this.reel.look(reached === target ? target : reached >= last ? first : reached + 1, this.region);
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    cancelAnimationFrame(this.request);
    if (this.frame >= 0) this.seek(this.frame);
    this.#showButtons();
  }

  setSpeed(speed) {
    this.speed = Math.min(Math.max(speed, SPEEDS[0]), SPEEDS.at(-1));
    this.speeds.value = String(this.speed);
  }

  #faster(by) {
    const at = SPEEDS.findIndex((speed) => speed >= this.speed);
    this.setSpeed(SPEEDS[Math.min(Math.max(at + by, 0), SPEEDS.length - 1)]);
  }

  /** @param {[number, number] | null} region */
  setLoop(region) {
    this.loop = region && (region[0] > 0 || region[1] < this.last) ? region : null;
    this.reel?.look(this.wanted, this.region);
    this.#showTime();
    this.#showButtons();
  }

  loopFrom() {
    this.setLoop([this.wanted, this.region[1] > this.wanted ? this.region[1] : this.last]);
  }

  loopTo() {
    this.setLoop([this.region[0] < this.wanted ? this.region[0] : 0, this.wanted]);
  }

  // -- what is shown -------------------------------------------------------------------------------------------------

  setMode(mode) {
    this.mode = mode;
    this.#arrange();
    this.#showButtons();
  }

  /** Choose a view; while recording, cut to it. */
  select(view) {
    if (!this.film || view < 0 || view >= this.film.views.length) return;
    if (this.armed && this.frame >= 0) this.#recordCut(view);
    else if (this.mode === "cut") this.mode = "one";
    if (this.mode === "wipe" && view === this.other) this.other = this.selected;
    this.selected = view;
    this.#arrange();
    this.#showButtons();
    const { name } = this.film.views[view];
    if (!this.armed) this.live.textContent = this.t("shown", { number: view + 1, name });
    this.options.onSelect(name);
  }

  /** Choose the right side of the wipe. */
  selectOther(view) {
    if (!this.film || view < 0 || view >= this.film.views.length) return;
    if (view === this.selected) this.selected = this.other;
    this.other = view;
    this.#arrange();
    this.#showButtons();
  }

  swapSides() {
    [this.selected, this.other] = [this.other, this.selected];
    this.#arrange();
    this.#showButtons();
  }

  setShare(share) {
    this.share = Math.min(Math.max(share, 0), 1);
    this.#arrange();
  }

  /** The view that fills the stage. */
  get single() {
    if (this.mode !== "cut") return this.selected;
    return Math.min(viewAt(this.cuts ?? [], Math.max(this.frame, 0)), this.names.length - 1);
  }

  // -- cuts ----------------------------------------------------------------------------------------------------------

  /** @returns {import("../../lib/cuts.mjs").Cut[] | null} null where the list is not understood */
  get cuts() {
    const text = this.options.cuts.read();
    if (this.cutsText !== text || this.cutsFilm !== this.film) {
      const read = readCuts(text, this.film?.rate ?? 15, this.names);
      this.cutsText = text;
      this.cutsFilm = this.film;
      this.badEntry = typeof read === "string" ? read : "";
      this.knownCuts = typeof read === "string" ? null : read;
    }
    return this.knownCuts;
  }

  arm(armed) {
    this.problem = "";
    if (armed && this.options.cuts.linked()) this.problem = this.t("linkedCuts");
    else if (armed && this.cuts === null) this.problem = this.t("badCuts", { entry: `“${this.badEntry}”` });
    this.armed = armed && !this.problem;
    if (this.armed && this.mode === "wipe") this.mode = "all";
    this.#showEverything();
  }

  #recordCut(view) {
    const before = this.options.cuts.read();
    if (this.cuts === null) {
      this.arm(true); // says why it cannot be
      return;
    }
    const cuts = withCut(this.cuts, this.frame, view, this.selected);
    const text = writeCuts(cuts, this.names);
    if (text === before) return;
    this.history.push(before);
    this.options.cuts.write(text);
    this.live.textContent = this.t("recorded", { name: this.names[view], frame: this.frame });
    this.cutsChanged();
  }

  undoCut() {
    if (this.options.cuts.linked()) return;
    if (this.history.length) this.options.cuts.write(this.history.pop());
    else if (this.cuts?.length) this.options.cuts.write(writeCuts(this.cuts.slice(0, -1), this.names));
    this.cutsChanged();
  }

  clearCuts() {
    const text = this.options.cuts.read();
    if (!text || this.options.cuts.linked()) return;
    this.history.push(text);
    this.options.cuts.write("");
    this.cutsChanged();
  }

  /** The cut list is another one than before. */
  cutsChanged() {
    if (this.problem && !this.failed) this.problem = "";
    this.#showCuts();
    this.#showNote();
    this.#showButtons();
    this.#arrange();
  }

  // -- keys ----------------------------------------------------------------------------------------------------------

  #pressed(event) {
    const { target } = event;
    const typing = ["SELECT", "INPUT"].includes(target.tagName);
    const control = event.ctrlKey || event.metaKey;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    let known = true;
    if (control && key === "z") this.undoCut();
    else if (control || event.altKey || typing) known = false;
    else if (key === " ") this.toggle();
    else if (/^Digit[1-9]$/.test(event.code) && event.shiftKey && this.mode === "wipe")
      this.selectOther(Number(event.code.at(-1)) - 1);
    else if (/^[1-9]$/.test(key)) this.select(Number(key) - 1);
    else if (key === "ArrowLeft" || key === "ArrowRight")
      this.step((key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 10 : 1));
    else if (key === "Home") this.seek(this.region[0]);
    else if (key === "End") this.seek(this.region[1]);
    else if (key === "r") this.arm(!this.armed);
    else if (key === "u") this.undoCut();
    else if (key === "i") this.loopFrom();
    else if (key === "o") this.loopTo();
    else if (key === "x") this.swapSides();
    else if (key === "+" || key === "=") this.#faster(1);
    else if (key === "-") this.#faster(-1);
    else if (key === ",") this.select((this.selected + this.names.length - 1) % this.names.length);
    else if (key === ".") this.select((this.selected + 1) % this.names.length);
    else if (Object.values(MODES).includes(key)) this.setMode(Object.keys(MODES).find((mode) => MODES[mode] === key));
    else known = false;
    if (known) event.preventDefault();
    // single letters and Delete are commands of the host that nobody means in here
    const meant = !control && (key.length === 1 || key === "Delete" || key === "Backspace" || typing);
    if (known || meant) event.stopPropagation();
  }

  // -- drawing -------------------------------------------------------------------------------------------------------

  /** Where everything stands; after a change of size, mode or choice. */
  #arrange() {
    const box = { x: 0, y: 0, width: this.stage.clientWidth, height: this.stage.clientHeight };
    const { film } = this;
    this.stage.classList.toggle("sp-air", this.armed);
    this.#set(this.divider, "hidden", !film || this.mode !== "wipe");
    if (!film || box.width < 8 || box.height < 8) {
      for (const label of this.labels) label.hidden = true;
      this.#showTiles([]);
      this.#draw();
      return;
    }
    const aspects = film.views.map((view) => view.width / view.height);
    if (this.mode === "all") {
      this.places = gridded(box, aspects).map((place, view) => ({ ...place, view }));
      this.#showTiles(this.places);
      for (const label of this.labels) label.hidden = true;
    } else {
      const view = this.single;
      this.picture = fitted(box, aspects[view]);
      this.places = [{ ...this.picture, view }];
      this.#showTiles([]);
      this.#label(0, view, this.picture);
      const wiping = this.mode === "wipe";
      this.labels[1].hidden = !wiping;
      if (wiping) {
        this.places.push({ ...this.picture, view: this.other, from: this.share });
        this.#label(1, this.other, this.picture);
        Object.assign(this.divider.style, {
          left: `${this.picture.x + this.picture.width * this.share}px`,
          top: `${this.picture.y}px`,
          height: `${this.picture.height}px`,
        });
        this.divider.setAttribute("aria-valuenow", String(Math.round(100 * this.share)));
      }
    }
    this.#draw();
  }

  #label(which, view, place) {
    const label = this.labels[which];
    const { name, color, angles } = this.film.views[view];
    label.hidden = false;
    label.style.setProperty("--color", color);
    if (which === 0) label.style.left = `${place.x + 5}px`;
    else label.style.right = `${this.stage.clientWidth - place.x - place.width + 5}px`;
    label.style.top = `${place.y + 5}px`;
    label.replaceChildren(numberOf(view), `${name} `, h("small", { text: angles }));
  }

  /** The places of the grid as buttons with the views' names. */
  #showTiles(places) {
    this.tiles ??= [];
    while (this.tiles.length > places.length) this.tiles.pop().remove();
    while (this.tiles.length < places.length) {
      const view = this.tiles.length;
      const tile = h(
        "button",
        {
          class: "sp-tile",
          tabIndex: -1, // the chips below are the same for the keyboard
          onclick: () => this.select(view),
          ondblclick: () => this.setMode("one"),
        },
        h("div", { class: "sp-name" }),
      );
      this.tiles.push(tile);
      this.stage.append(tile);
    }
    places.forEach(({ x, y, width, height, view }, index) => {
      const tile = this.tiles[index];
      const { name, color, angles } = this.film.views[view];
      Object.assign(tile.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
      tile.style.setProperty("--color", color);
      tile.title = [name, angles].filter(Boolean).join("  ");
      tile.setAttribute("aria-label", this.t("view", { number: view + 1, name, angles }));
      tile.setAttribute("aria-pressed", String(view === this.selected));
      tile.firstChild.replaceChildren(numberOf(view), name);
    });
  }

  #draw() {
    const { canvas, context, stage } = this;
    const ratio = Math.min(window.devicePixelRatio || 1, SHARPEST);
    const [width, height] = [Math.round(stage.clientWidth * ratio), Math.round(stage.clientHeight * ratio)];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    const pictures = this.reel?.get(this.frame);
    if (!pictures || !this.film || width < 8) return;
    if (this.mode === "cut" && this.places?.[0]?.view !== this.single) {
      this.#arrange(); // another view now, maybe of another size; draws
      return;
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const { x, y, width: w, height: hh, view, from = 0 } of this.places ?? []) {
      const picture = pictures[view];
      const cut = picture.width * from;
      if (cut < picture.width)
        context.drawImage(picture, cut, 0, picture.width - cut, picture.height, x + w * from, y, w * (1 - from), hh);
    }
  }

  // -- what stands around the pictures -------------------------------------------------------------------------------

  #makeChips() {
    this.chips.replaceChildren(
      ...this.film.views.map(({ name, color, angles }, view) =>
        h(
          "button",
          {
            class: "sp-chip",
            role: "radio",
            title: [name, angles].filter(Boolean).join("  "),
            "aria-label": this.t("view", { number: view + 1, name, angles }),
            style: { "--color": color },
            data: { view: String(view) },
            onclick: () => this.select(view),
          },
          numberOf(view),
          h("span", { text: name }),
        ),
      ),
    );
    this.chips.childNodes.forEach((chip, view) => chip.style.setProperty("--color", this.film.views[view].color));
  }

  #showEverything() {
    for (const part of [this.chips, this.track]) part.hidden = !this.film;
    this.#showNote();
    this.#showButtons();
    this.#showLoaded();
    this.#showCuts();
    this.#showTime();
    this.#arrange();
  }

  #showNote() {
    const text = this.problem || (this.film ? "" : this.t("empty"));
    this.note.hidden = !text;
    this.note.textContent = text;
    this.note.setAttribute("role", this.problem ? "alert" : "status");
  }

  #showButtons() {
    const { t, film } = this;
    for (const button of this.modeButtons) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === this.mode));
      this.#set(button, "disabled", !film);
    }
    this.#set(this.swap, "hidden", this.mode !== "wipe");
    const label = this.playing ? t("pause") : t("play");
    this.play.replaceChildren(icon(this.playing ? "pause" : "play"));
    this.play.title = label;
    this.play.setAttribute("aria-label", label);
    this.#set(this.play, "disabled", !film || this.failed);
    this.record.setAttribute("aria-pressed", String(this.armed));
    this.#set(this.record, "disabled", !film);
    this.#set(this.undo, "disabled", !film || !(this.history.length || this.cuts?.length));
    this.#set(this.clear, "disabled", !film || !this.options.cuts.read());
    this.loopAll.setAttribute("aria-pressed", String(!this.loop));
    this.chips.childNodes.forEach((chip, view) => {
      chip.setAttribute("aria-checked", String(view === this.selected));
      chip.tabIndex = view === this.selected ? 0 : -1;
    });
    this.tiles?.forEach((tile, view) => tile.setAttribute("aria-pressed", String(view === this.selected)));
    const chosen = film?.views[this.selected];
    this.download.hidden = !chosen;
    if (!chosen) return;
    this.download.href = chosen.download;
    this.download.download = chosen.filename;
    this.download.title = t("download", { name: chosen.name });
    this.download.setAttribute("aria-label", this.download.title);
  }

  /** Set `hidden` or `disabled` of a part; where that takes the focus from it, keys go on working. */
  #set(part, property, value) {
    if (value && document.activeElement === part) this.element.focus({ preventScroll: true });
    part[property] = value;
  }

  #showTime() {
    const { film, wanted } = this;
    if (!film) {
      this.readout.replaceChildren();
      return;
    }
    const code = timecode(wanted, film.rate);
    const seconds = (wanted / film.rate).toFixed(3);
    this.readout.replaceChildren(
      h("b", { text: String(wanted) }),
      h("span", { text: ` / ${this.last} · ` }),
      code,
      h("span", { class: "sp-optional", text: ` · ${seconds} s` }),
    );
    const place = (frame) => `${(100 * frame) / Math.max(1, this.last)}%`;
    this.head.style.left = place(wanted);
    this.loopMark.hidden = !this.loop;
    this.loopMark.style.left = place(this.region[0]);
    this.loopMark.style.right = place(this.last - this.region[1]);
    this.track.setAttribute("aria-valuemax", String(this.last));
    this.track.setAttribute("aria-valuenow", String(wanted));
    this.track.setAttribute("aria-valuetext", this.t("frame", { frame: wanted, frames: film.frames, timecode: code }));
  }

  /** Which frames are there, as bars. */
  #showLoaded() {
    const runs = [];
    for (let frame = 0; this.film && frame <= this.last; frame += 1) {
      if (!this.reel?.has(frame)) continue;
      if (runs.at(-1)?.[1] === frame) runs.at(-1)[1] = frame + 1;
      else runs.push([frame, frame + 1]);
    }
    const place = (frame) => (100 * frame) / (this.last + 1);
    this.loaded.replaceChildren(
      ...runs.map(([from, to]) => h("i", { style: { left: `${place(from)}%`, width: `${place(to) - place(from)}%` } })),
    );
  }

  #showCuts() {
    const cuts = (this.film && this.cuts) || [];
    const place = (frame) => (100 * frame) / Math.max(1, this.last);
    this.cutMarks.replaceChildren(
      ...cuts.flatMap(({ frame, view }, index) => {
        const end = Math.min(cuts[index + 1]?.frame ?? this.last, this.last);
        if (frame > this.last) return [];
        const mark = h("i", {
          text: letterOf(view),
          style: { left: `${place(frame)}%`, width: `${Math.max(place(end) - place(frame), 0.5)}%` },
        });
        mark.style.setProperty("--color", this.film.views[view].color);
        return [mark];
      }),
    );
  }

  dispose() {
    this.pause();
    this.sizes.disconnect();
    this.gone.abort();
    this.reel?.dispose();
    this.reel = null;
    this.film = null;
    this.canvas.width = this.canvas.height = 0;
    this.element.replaceChildren();
  }
}
