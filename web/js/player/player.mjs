// The player: stage, transport, timeline, and the cuts that are recorded. Knows no host; extension.js does.

import { readCuts, viewAt, withCut, writeCuts } from "../../lib/cuts.mjs";
import { showButtons, showChips, showCuts, showEverything, showLoaded, showNote, showTime } from "./around.mjs";
import { buildControls, SPEEDS } from "./controls.mjs";
import { Reel } from "./reel.mjs";
import { arrange, draw } from "./stage.mjs";

/**
 * @typedef {{name: string, color: string, angles: string, width: number, height: number, url: string, download: string,
 *   filename: string}} PlayedView
 * @typedef {{frames: number, rate: number, views: PlayedView[]}} Film
 * @typedef {object} PlayerOptions
 * @property {(key: string, values?: Record<string, any>) => string} t words of locales/<language>/main.json
 * @property {{read: () => string, write: (text: string) => void, linked: () => boolean}} cuts the node's cut list
 * @property {(name: string) => void} onSelect a view was chosen
 */

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
    buildControls(this);
    this.sizes = new ResizeObserver(() => arrange(this));
    this.sizes.observe(this.stage);
    showEverything(this);
  }

  // -- what is played ------------------------------------------------------------------------------------------------

  /**
   * @param {Film | null} film what to play; the same one again changes nothing on screen
   * @param {string} [problem] what is to be said about it
   */
  load(film, problem = "") {
    if (film && this.reel && !this.failed && JSON.stringify(film) === JSON.stringify(this.film)) {
      this.problem = problem;
      showNote(this);
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
      showEverything(this);
      return;
    }
    this.selected = Math.min(this.selected, film.views.length - 1);
    this.other = film.views.length > 1 ? Math.min(Math.max(this.other, 1), film.views.length - 1) : 0;
    if (this.loop && this.loop[1] > this.last) this.loop = null;
    this.wanted = Math.min(Math.max(replay, 0), this.last);
    showChips(this);
    this.reel = new Reel(
      film.views,
      film.frames,
      film.rate,
      (frame) => this.#arrived(frame),
      ({ kind, view }) => {
        this.failed = true;
        this.problem = this.t(kind, { name: film.views[view].name });
        this.pause();
        showEverything(this);
      },
    );
    this.seek(this.wanted);
    showEverything(this);
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
    showLoaded(this);
  }

  /** Put a frame of all views on screen; the reel has it. */
  #show(frame) {
    this.frame = this.wanted = frame;
    draw(this);
    showTime(this);
  }

  // -- time ----------------------------------------------------------------------------------------------------------

  seek(frame) {
    if (!this.film) return;
    this.wanted = Math.min(Math.max(Math.round(frame), 0), this.last);
    this.position = this.wanted;
    this.reel?.look(this.wanted, this.region);
    if (this.reel?.has(this.wanted)) this.#show(this.wanted);
    else showTime(this);
  }

  step(by) {
    this.pause();
    this.seek(this.wanted + by);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.start();
  }

  /** As editing programs do it with J and L: play in a direction, and faster when it is asked for again. */
  shuttle(direction) {
    if (this.playing && this.direction === direction) this.faster(1);
    else {
      this.pause();
      this.start(direction);
    }
  }

  start(direction = 1) {
    if (!this.film || this.failed || this.playing) return;
    this.playing = true;
    this.direction = direction;
    const [first, last] = this.region;
    if (direction > 0 && (this.wanted < first || this.wanted >= last)) this.seek(first);
    if (direction < 0 && (this.wanted <= first || this.wanted > last)) this.seek(last);
    this.position = this.wanted;
    let before = null;
    const tick = (now) => {
      if (!this.playing) return;
      if (!this.element.isConnected) {
        this.pause();
        return;
      }
      if (before !== null && direction > 0) this.#advance((now - before) / 1000);
      else if (before !== null) this.#goBack((now - before) / 1000);
      before = now;
      this.request = requestAnimationFrame(tick);
    };
    this.request = requestAnimationFrame(tick);
    showButtons(this);
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

  /** Go back by a time, as far as all views have the frame. */
  #goBack(seconds) {
    const [first, last] = this.region;
    const next = this.position - Math.min(seconds * this.film.rate * this.speed, last - first);
    const aim = next < first ? last + 0.999 - (first - next) : next;
    const target = Math.floor(aim);
    if (target !== this.frame && !this.reel.has(target)) {
      this.reel.look(target, this.region);
      return;
    }
    this.position = aim;
    if (target !== this.frame) this.#show(target);
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    cancelAnimationFrame(this.request);
    if (this.frame >= 0) this.seek(this.frame);
    showButtons(this);
  }

  setSpeed(speed) {
    this.speed = Math.min(Math.max(speed, SPEEDS[0]), SPEEDS.at(-1));
    this.speeds.value = String(this.speed);
  }

  faster(by) {
    const at = SPEEDS.findIndex((speed) => speed >= this.speed);
    this.setSpeed(SPEEDS[Math.min(Math.max(at + by, 0), SPEEDS.length - 1)]);
  }

  /** @param {[number, number] | null} region */
  setLoop(region) {
    this.loop = region && (region[0] > 0 || region[1] < this.last) ? region : null;
    this.reel?.look(this.wanted, this.region);
    showTime(this);
    showButtons(this);
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
    arrange(this);
    showButtons(this);
  }

  /** Choose a view; while recording, cut to it. */
  select(view) {
    if (!this.film || view < 0 || view >= this.film.views.length) return;
    if (this.armed && this.frame >= 0) this.#recordCut(view);
    else if (this.mode === "cut") this.mode = "one";
    if (this.mode === "wipe" && view === this.other) this.other = this.selected;
    this.selected = view;
    arrange(this);
    showButtons(this);
    const { name } = this.film.views[view];
    if (!this.armed) this.live.textContent = this.t("shown", { number: view + 1, name });
    this.options.onSelect(name);
  }

  /** Choose the right side of the wipe. */
  selectOther(view) {
    if (!this.film || view < 0 || view >= this.film.views.length) return;
    if (view === this.selected) this.selected = this.other;
    this.other = view;
    arrange(this);
    showButtons(this);
  }

  swapSides() {
    [this.selected, this.other] = [this.other, this.selected];
    arrange(this);
    showButtons(this);
  }

  setShare(share) {
    this.share = Math.min(Math.max(share, 0), 1);
    arrange(this);
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
    showEverything(this);
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

  /** Move the beginning of a shot, up to its neighbours. */
  moveCut(index, frame) {
    const { cuts } = this;
    if (!cuts?.[index] || index === 0 || this.options.cuts.linked()) return;
    const least = cuts[index - 1].frame + 1;
    const most = (cuts[index + 1]?.frame ?? this.last + 1) - 1;
    const moved = cuts.map((cut, at) => (at === index ? { ...cut, frame: Math.min(Math.max(frame, least), most) } : cut));
    this.options.cuts.write(writeCuts(moved, this.names));
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
    if (!this.failed) {
      const isBad = this.film && this.options.cuts.read() && this.cuts === null;
      this.problem = isBad ? this.t("badCuts", { entry: `“${this.badEntry}”` }) : "";
    }
    showCuts(this);
    showNote(this);
    showButtons(this);
    arrange(this);
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
