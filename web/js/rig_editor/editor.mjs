// The editor: puts view, numbers, list and timeline around one store. Knows no host; extension.js does.

import { measure } from "../../lib/meter.mjs";
import { bake, parseRig, writeRig } from "../../lib/rig.mjs";
import { PICTURE_ASPECT, anchorOf, anchored, isMoving, poseAt, tidy, usesMatrices } from "./camera.mjs";
import { acrossTheLine, shotOf } from "./shots.mjs";
import { showTaken } from "./shots_taken.mjs";
import { Commands } from "./commands.mjs";
import { h, iconButton, ownHistory } from "../shared/dom.mjs";
import { listenForRigs } from "./exchange.mjs";
import { Inspector } from "./inspector.mjs";
import { Interaction } from "./interaction.mjs";
import { pressed } from "./keys.mjs";
import { CameraList } from "./list.mjs";
import { Popover } from "./menu.mjs";
import { Store } from "./store.mjs";
import { Timeline } from "./timeline.mjs";
import { createToolbar } from "./toolbar.mjs";
import { View } from "./view.mjs";

const MARK = "editor"; // metadata key of a state that nobody has edited
const METER_DELAY_MS = 120;
/**
 * @typedef {object} EditorOptions
 * @property {string} text the rig JSON to edit
 * @property {string} standard the rig JSON of a fresh node
 * @property {(key: string, values?: Record<string, any>) => string} t words of locales/<language>/main.json
 * @property {(text: string) => void} onChange called with the rig JSON after every edit
 * @property {string[]} suffixes of camera files, ".json" for one
 * @property {import("./exchange.mjs").ReadRig} readRig reads camera files, and judges the text of a rig JSON
 */

/** @param {HTMLElement} element @param {EditorOptions} options */
export const createEditor = (element, options) => new Editor(element, options);

export class Editor extends Commands {
  /** @param {HTMLElement} element that the editor fills @param {EditorOptions} options */
  constructor(element, options) {
    super();
    this.element = element;
    this.gone = new AbortController(); // for listeners on the element, which outlives the editor
    this.t = options.t;
    this.onChange = options.onChange;
    this.readRig = options.readRig;
    this.suffixes = options.suffixes;
    this.standard = options.standard;
    this.options = { snap: false };
    this.mode = "free";
    this.meter = null;
    this.anchor = [0, 0, 0];
    this.aspect = PICTURE_ASPECT;
    this.problem = "";
    this.seed = "";
    this.isLinked = false;
    this.timelineWish = null; // shown or not as the user wants, or null: when something moves
    this.store = new Store(parseRig(options.standard));
    this.#build();
    this.store.listen((what) => this.#changed(what));
    this.load(options.text);
    this.#watchSize();
  }

  // -- parts ---------------------------------------------------------------------------------------------------------

  #build() {
    const { element, t } = this;
    element.classList.add("sc-editor");
    element.replaceChildren();
    this.popover = new Popover(element, this.gone.signal);
    this.hint = h("div", { class: "sc-corner" }, h("i", { class: "sc-dot" }), h("span"));
    this.stage = h(
      "div",
      {
        class: "sc-stage",
        tabIndex: 0,
        role: "application",
        "aria-label": t("view"),
        "aria-description": t("viewHelp"),
      },
      this.hint,
    );
    ownHistory(this.stage);
    this.note = h("div", { class: "sc-note", hidden: true });
    this.live = h("div", { class: "sc-hidden", "aria-live": "polite" });
    this.toolbar = createToolbar(this);
    this.list = new CameraList(this);
    this.inspector = new Inspector(this);
    this.timeline = new Timeline(this);
    this.drop = h("div", { class: "sc-drop", hidden: true, text: t("dropHere") });
    element.append(
      this.toolbar.element,
      this.note,
      this.stage,
      this.list.element,
      this.inspector.element,
      this.timeline.element,
      this.live,
      this.drop,
    );
    element.addEventListener("keydown", (event) => pressed(this, event), { signal: this.gone.signal });
    listenForRigs(this);
  }

  /** The view exists once there is room to see it, so a node that nobody has looked at holds no WebGL context. */
  #watchSize() {
    this.sizes = new ResizeObserver(() => {
      if (this.stage.clientWidth < 8) return;
      if (!this.view && !this.failed) this.#openView();
      this.view?.draw();
    });
    this.sizes.observe(this.stage);
  }

  #openView() {
    try {
      this.view = new View(this.stage, this.store, (index) => this.verdictOf(index), this.anchor);
    } catch {
      this.failed = true;
      this.#showNote();
      return;
    }
    this.view.aspect = this.aspect;
    this.view.thumbnails.canvasOf = (index) => this.list.canvasOf(index);
    this.interaction = new Interaction(this.view, this.store, this.options, () =>
      this.stage.focus({ preventScroll: true }),
    );
    this.interaction.onlook = () => this.setMode("look");
    this.setMode(this.mode);
  }

  /** Give the WebGL context back, and everything that listens. */
  dispose() {
    this.gone.abort();
    this.sizes.disconnect();
    this.timeline.stop();
    this.interaction?.dispose();
    this.view?.dispose();
    this.view = this.interaction = null;
    for (const timer of [this.meterTimer, this.liveTimer, this.messageTimer]) clearTimeout(timer);
    this.element.replaceChildren();
  }

  // -- state ---------------------------------------------------------------------------------------------------------

  /** Show a rig JSON that the host brings: a loaded workflow, a pasted node. Anything that is no rig is explained. */
  load(text) {
    this.problem = "";
    let refusal = null;
    try {
      const doc = this.#read(text);
      this.written = text;
      this.store.load(doc);
      this.#showSeed();
      this.view?.fit();
    } catch (problem) {
      refusal = problem;
      this.#showNote();
    }
    if (text !== this.standard) this.#explain(text, refusal);
  }

  /** Say what is wrong with a text that the host brought, if anything is, and it is still what is shown. */
  async #explain(text, refusal) {
    const { doc } = this.store;
    const answer = await this.judge(text);
    const problem = answer.error ?? refusal?.message;
    // Without an answer what can be shown is taken for good; the node judges it again when it runs.
    if (!problem || (answer.silent && !refusal) || this.store.doc !== doc || this.gone.signal.aborted) return;
    this.problem = this.t("notARig", { problem });
    this.#showNote();
  }

  /**
   * What the pack says of the text of a rig JSON.
   *
   * @param {string} text
   * @returns {Promise<{text?: string, error?: string, silent?: boolean}>} `silent` where there was no answer
   */
  async judge(text) {
    try {
      return await this.readRig({ text });
    } catch (problem) {
      return { error: problem.message, silent: true };
    }
  }

  /** The document of a rig JSON, and the figure put to where its cameras look. */
  #read(text) {
    const doc = parseRig(text);
    this.anchor = anchorOf(doc, doc.cameras.some(usesMatrices) ? (measured(doc)?.target ?? null) : null);
    if (this.view) this.view.anchor = this.anchor;
    return anchored(doc, this.anchor);
  }

  get isUntouched() {
    return this.store.doc.metadata?.[MARK] === "untouched";
  }

  /**
   * Tell the editor about the node's rig input.
   *
   * @param {boolean} linked
   * @param {string} seed the connected rig's JSON as of the last run, or ""
   */
  connect(linked, seed) {
    this.isLinked = linked;
    this.seed = linked ? seed : "";
    if (this.isUntouched) {
      if (this.seed) this.#showSeed();
      else if (this.shownSeed) this.load(this.standard);
    }
    this.#showNote();
  }

  /** An untouched editor shows the connected rig, and stays untouched: the node's state is not changed by looking. */
  #showSeed() {
    this.shownSeed = "";
    if (!this.seed || !this.isUntouched) return;
    try {
      const { frames, cameras } = this.#read(this.seed);
      this.shownSeed = this.seed;
      this.store.load({ frames, cameras, metadata: { ...this.store.doc.metadata } });
      this.view?.fit();
    } catch (problem) {
      this.problem = this.t("notARig", { problem: problem.message });
    }
  }

  /** @param {number | null} aspect width by height of the pictures that the cameras take; null where nobody knows */
  setAspect(aspect) {
    this.aspect = aspect ?? PICTURE_ASPECT;
    if (!this.view || this.view.aspect === this.aspect) return;
    this.view.aspect = this.aspect;
    this.view.draw();
  }

  #takeOver() {
    this.store.commit(this.#read(this.seed), { select: 0 });
    this.view?.fit();
  }

  #changed(what) {
    if (what.has("doc")) {
      if (this.store.doc !== this.lastDoc) {
        this.lastDoc = this.store.doc;
        this.list.forgetTaken();
        this.problem = "";
        this.#measureSoon(METER_DELAY_MS);
      }
      if (!this.store.inGesture) {
        if (this.store.canUndo || this.store.canRedo) this.#write();
        this.view?.keepInSight();
      }
    }
    this.refresh(what);
  }

  /** Hand the rig JSON to the host: everything that the screen shows, and nothing else. */
  #write() {
    let { doc } = this.store;
    // Undone to the beginning, a fresh editor is a fresh editor again; everything before that is an edit.
    if (doc.metadata && MARK in doc.metadata && this.store.canUndo) {
      const { [MARK]: _, ...metadata } = doc.metadata;
      doc = { ...doc, metadata: Object.keys(metadata).length ? metadata : null };
      this.store.doc = this.lastDoc = doc;
    }
    const text = this.isUntouched ? this.standard : writeRig(doc);
    if (text === this.written) return;
    this.written = text;
    this.onChange(text);
  }

  refresh(what) {
    this.toolbar.update();
    this.list.update(what);
    this.inspector.update();
    this.timeline.element.hidden = !this.showsTimeline;
    this.timeline.update();
    this.#showHint();
    this.#showNote();
    this.view?.draw();
    if (what.has("selected")) this.#announceSoon();
  }

  get showsTimeline() {
    return this.timelineWish ?? this.store.doc.cameras.some(isMoving);
  }

  // -- meter ---------------------------------------------------------------------------------------------------------

  #measureSoon(delay) {
    clearTimeout(this.meterTimer);
    this.meterTimer = setTimeout(() => {
      this.meter = measured(this.store.doc);
      this.refresh(new Set());
    }, delay);
  }

  /** @returns {"inside" | "edge" | "outside" | ""} "" while it is not known */
  verdictOf(index) {
    return this.meter?.views[index]?.verdict ?? "";
  }

  #showHint() {
    const { selected, camera, frame, doc } = this.store;
    const verdict = this.verdictOf(selected);
    this.hint.hidden = !verdict;
    if (!verdict) return;
    this.hint.firstChild.dataset.verdict = verdict;
    const pose = poseAt(camera, frame);
    const line = selected > 0 && acrossTheLine(poseAt(doc.cameras[0], frame), pose) ? this.t("acrossLine") : "";
    const words = [camera.name, this.t(shotOf(pose, camera.lens, this.aspect)), this.t(verdict), line];
    this.hint.lastChild.textContent = words.filter(Boolean).join(" · ");
  }

  /** What a screen reader says about a camera. */
  describe(index) {
    const camera = this.store.doc.cameras[index];
    const pose = poseAt(camera, this.store.frame);
    const verdict = this.verdictOf(index);
    return this.t("announce", {
      ...{
        name: camera.name,
        azimuth: tidy(pose.azimuth, 1),
        elevation: tidy(pose.elevation, 1),
        distance: tidy(pose.distance, 2),
      },
      verdict: verdict ? this.t(verdict) : "",
    });
  }

  #announceSoon() {
    clearTimeout(this.liveTimer);
    this.liveTimer = setTimeout(() => {
      if (this.element.contains(document.activeElement)) this.live.textContent = this.describe(this.store.selected);
    }, 250);
  }

  #showNote() {
    const { t } = this;
    const contents = [];
    if (this.problem)
      contents.push(
        h("span", { text: this.problem }),
        iconButton("close", t("cancel"), () => {
          this.problem = "";
          this.#showNote();
        }),
      );
    else if (this.message) contents.push(h("span", { text: this.message }));
    else if (this.failed) contents.push(h("span", { text: t("noWebgl") }));
    else if (this.isLinked && !this.isUntouched) {
      contents.push(h("span", { text: t("offer") }));
      if (this.seed)
        contents.push(
          h("button", {
            class: "sc-button sc-plain",
            text: t("takeOver"),
            onclick: () => this.#takeOver(),
            data: { action: "take-over" },
          }),
        );
    } else if (this.isLinked) contents.push(h("span", { text: this.shownSeed ? t("seeded") : t("waiting") }));
    const name = contents.map((part) => part.textContent || part.title).join();
    if (this.note.dataset.shown === name) return;
    this.note.dataset.shown = name;
    this.note.hidden = !contents.length;
    this.note.classList.toggle("sc-bad", Boolean(this.problem));
    this.note.setAttribute("role", this.problem ? "alert" : "status");
    this.note.replaceChildren(...contents);
  }

  /** Say something that passes. */
  say(message, milliseconds = 2500) {
    this.message = message;
    this.#showNote();
    clearTimeout(this.messageTimer);
    this.messageTimer = setTimeout(() => {
      this.message = "";
      this.#showNote();
    }, milliseconds);
  }

  /** Say something that stays until the next change. */
  complain(problem) {
    this.problem = problem;
    this.#showNote();
  }

  // -- files and the clipboard ---------------------------------------------------------------------------------------

  get text() {
    return writeRig(this.store.doc);
  }

  /**
   * Have the cameras of a text that a person brings; if it is no rig, the editor says what is wrong with it.
   *
   * @param {string} text
   * @returns {Promise<boolean>} whether it was one
   */
  async importText(text) {
    const mine = (this.opening = Symbol("the last one that is opened counts"));
    const { error } = await this.judge(text);
    if (this.opening !== mine || this.gone.signal.aborted) return false;
    if (error) this.complain(this.t("notARig", { problem: error }));
    else this.take(text);
    return !error;
  }

  /** Show on the cards what was generated. @param {string[]} urls of the videos, in the order of the cameras */
  showTaken(urls) {
    return showTaken(this, urls);
  }

  /** Have the cameras of a rig JSON that the pack has judged. */
  take(text) {
    const doc = this.#read(text);
    const { [MARK]: _, ...metadata } = doc.metadata ?? {};
    this.store.commit(
      { ...doc, metadata: doc.metadata && Object.keys(metadata).length ? metadata : null },
      { select: 0 },
    );
    this.store.seek(0);
    this.view?.fit();
  }
}

/** What the meter says of a document; null where it cannot: no colours are better than wrong ones. */
function measured({ cameras, ...rest }) {
  try {
    return measure(
      bake({ ...rest, cameras }),
      cameras.map((camera) => camera.lens),
      cameras.map((camera) => camera.name),
    );
  } catch {
    return null;
  }
}
