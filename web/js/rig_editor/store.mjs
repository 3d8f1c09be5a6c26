// What is being edited: the document, which camera is chosen, the frame, and the way back.

import { movedTogether } from "./camera.mjs";

const MOST_STEPS = 200;

/**
 * The editor's state. Documents are immutable and share their cameras, so that a history of 200 steps is cheap.
 *
 * Listeners are called with the names of what changed: "doc", "selected", "frame", "seed".
 */
export class Store {
  #undo = [];
  #redo = [];
  #listeners = new Set();
  #gesture = null;
  #lastKind = "";

  constructor(doc) {
    this.doc = doc;
    this.selected = 0;
    this.others = new Set(); // chosen with it: they move together
    this.count = doc.cameras.length;
    this.frame = 0;
  }

  /** @param {(what: Set<string>) => void} listener @returns {() => void} how to stop listening */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(...what) {
    for (const listener of [...this.#listeners]) listener(new Set(what));
  }

  get camera() {
    return this.doc.cameras[this.selected];
  }

  get canUndo() {
    return this.#undo.length > 0;
  }

  get canRedo() {
    return this.#redo.length > 0;
  }

  /**
   * One step of the history.
   *
   * @param {object} doc the new document
   * @param {{select?: number, kind?: string}} [options] steps of the same kind in a row (keys held down) count as one
   */
  commit(doc, { select, kind = "" } = {}) {
    if (doc === this.doc && !this.#gesture) return;
    if (!this.#gesture && !(kind && kind === this.#lastKind)) this.#remember();
    this.#lastKind = this.#gesture ? "" : kind;
    this.#show(doc, select);
  }

  #remember() {
    this.#undo.push({ doc: this.doc, selected: this.selected });
    if (this.#undo.length > MOST_STEPS) this.#undo.shift();
    this.#redo.length = 0;
  }

  #show(doc, select = this.selected) {
    this.doc = doc;
    if (select !== this.selected || doc.cameras.length !== this.count) this.others = new Set();
    this.count = doc.cameras.length;
    this.selected = Math.min(Math.max(select, 0), doc.cameras.length - 1);
    this.emit("doc", "selected");
  }

  /** Replace one camera. */
  change(index, camera, options) {
    if (camera === this.doc.cameras[index]) return;
    this.commit({ ...this.doc, cameras: this.doc.cameras.map((old, at) => (at === index ? camera : old)) }, options);
  }

  /** Everything until `end` is one step; `cancel` takes it back. */
  begin() {
    this.#gesture ??= { doc: this.doc, selected: this.selected };
  }

  end() {
    const before = this.#gesture;
    this.#gesture = null;
    this.#lastKind = "";
    if (!before || before.doc === this.doc) return;
    this.#undo.push(before);
    if (this.#undo.length > MOST_STEPS) this.#undo.shift();
    this.#redo.length = 0;
    this.emit("doc", "selected");
  }

  cancel() {
    const before = this.#gesture;
    this.#gesture = null;
    if (before && before.doc !== this.doc) this.#show(before.doc, before.selected);
  }

  get inGesture() {
    return this.#gesture !== null;
  }

  undo() {
    this.#step(this.#undo, this.#redo);
  }

  redo() {
    this.#step(this.#redo, this.#undo);
  }

  #step(from, to) {
    this.cancel();
    const state = from.pop();
    if (!state) return;
    to.push({ doc: this.doc, selected: this.selected });
    this.#lastKind = "";
    this.#show(state.doc, state.selected);
  }

  select(index) {
    const wanted = Math.min(Math.max(index, 0), this.doc.cameras.length - 1);
    if (wanted === this.selected && !this.others.size) return;
    if (!this.others.has(wanted)) this.others = new Set();
    else this.others = new Set([...this.others, this.selected].filter((other) => other !== wanted));
    this.selected = wanted;
    this.#lastKind = "";
    this.emit("selected");
  }

  /** Choose another camera beside the chosen one, or no longer. */
  toggle(index) {
    if (index === this.selected) return;
    const others = new Set(this.others);
    if (!others.delete(index)) others.add(index);
    this.others = others;
    this.emit("selected");
  }

  /** Give the chosen camera another pose, and those that are chosen with it the same change. */
  pose(change, options) {
    const cameras = movedTogether(this.doc.cameras, this.selected, this.others, this.frame, change);
    this.commit({ ...this.doc, cameras }, options);
  }

  seek(frame) {
    const wanted = Math.max(0, Math.round(frame));
    if (wanted === this.frame) return;
    this.frame = wanted;
    this.#lastKind = "";
    this.emit("frame");
  }

  /** Another document that is no edit (loaded, seeded): there is no way back from it. */
  load(doc) {
    this.#undo.length = 0;
    this.#redo.length = 0;
    this.#gesture = null;
    this.#lastKind = "";
    this.frame = 0;
    this.#show(doc, 0);
    this.emit("frame");
  }
}
