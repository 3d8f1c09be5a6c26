// The strip of cameras: a list box of what each of them sees. Its order is the order of the views.

import { isMoving } from "./camera.mjs";
import { h, iconButton, ownHistory } from "../shared/dom.mjs";

export class CameraList {
  #editor;
  #cards = [];
  #id = `syncam-cameras-${Math.random().toString(36).slice(2, 8)}`;
  #later = 0;

  /** @param {import("./editor.mjs").Editor} editor */
  constructor(editor) {
    this.#editor = editor;
    this.list = h("ul", {
      class: "sc-list",
      role: "listbox",
      tabIndex: 0,
      "aria-label": editor.t("cameras"),
      "aria-orientation": "horizontal",
      "aria-multiselectable": "true",
    });
    ownHistory(this.list);
    this.element = h("div", { class: "sc-strip" }, this.list, orderTools(editor), cameraTools(editor));
    this.#listenToKeys();
    this.#listenToScrolling();
  }

  #listenToKeys() {
    const { store } = this.#editor;
    this.list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Home") store.select(0);
      else if (event.key === "End") store.select(store.doc.cameras.length - 1);
      else if (step && event.altKey) this.#editor.move(step);
      else if (step) store.select(store.selected + step);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  #listenToScrolling() {
    const { list } = this;
    const roll = (event) => {
      if (list.scrollWidth > list.clientWidth && !event.deltaX) list.scrollLeft += event.deltaY;
    };
    list.addEventListener("wheel", roll, { passive: true });
    list.addEventListener("scroll", () => this.#editor.view?.draw(), { passive: true });
  }

  // -- cards ---------------------------------------------------------------------------------------------------------

  #card(index) {
    const element = h(
      "li",
      { class: "sc-card", role: "option", id: `${this.#id}-${index}` },
      h("canvas", { width: 104, height: 60, "aria-hidden": "true" }),
      h("b", { class: "sc-number", "aria-hidden": "true", text: String(index + 1) }),
      h("span", { class: "sc-badge", "aria-hidden": "true" }),
      h("div", { class: "sc-card-name", "aria-hidden": "true" }, h("i", { class: "sc-dot" }), h("span")),
      h("canvas", { class: "sc-taken", width: 208, height: 120, hidden: true, "aria-hidden": "true" }),
    );
    element.addEventListener("dblclick", () => this.#editor.setMode("look"));
    this.#letReorder(element, index);
    return element;
  }

  /** Press and pull sideways to give a camera another place. Touch scrolls the strip instead. */
  #letReorder(element, index) {
    const { store } = this.#editor;
    let drag = null;
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      if (event.ctrlKey || event.metaKey || event.shiftKey) {
        store.toggle(index);
        return;
      }
      store.select(index);
      if (event.pointerType !== "touch") drag = { x: event.clientX, id: event.pointerId };
    });
    element.addEventListener("pointermove", (event) => {
      if (!drag || Math.abs(event.clientX - drag.x) < 8) return;
      if (!drag.moved) element.setPointerCapture(drag.id);
      drag.moved = true;
      this.#markDrop(index, this.#placeUnder(event));
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      element.addEventListener(kind, (event) => {
        const target = drag?.moved && kind === "pointerup" ? this.#placeUnder(event) : index;
        drag = null;
        this.#markDrop(index, index);
        if (target !== index) this.#editor.move(target - index);
      });
    }
  }

  /** The place in the list at which a pointer is, left and right of it, too. */
  #placeUnder(event) {
    const over = this.#cards.findIndex((card) => {
      const box = card.getBoundingClientRect();
      return event.clientX >= box.left && event.clientX < box.right;
    });
    if (over >= 0) return over;
    return event.clientX < this.#cards[0].getBoundingClientRect().left ? 0 : this.#cards.length - 1;
  }

  /** Show where the camera that is pulled would go; nowhere if that is where it is. */
  #markDrop(index, over) {
    this.#cards.forEach((card, at) => {
      card.dataset.drop = at !== over || at === index ? "" : over > index ? "after" : "before";
    });
  }

  // -- what is shown -------------------------------------------------------------------------------------------------

  /** @param {Set<string>} [what] has changed */
  update(what) {
    clearTimeout(this.#later);
    if (what?.size === 1 && what.has("frame")) {
      this.#later = setTimeout(() => this.update(), 200); // while time runs, only the pictures change
      return;
    }
    const { store } = this.#editor;
    const { cameras } = store.doc;
    const cards = this.#cards;
    while (cards.length > cameras.length) cards.pop().remove();
    while (cards.length < cameras.length) cards.push(this.list.appendChild(this.#card(cards.length)));
    cameras.forEach((camera, index) => this.#updateCard(camera, index));
    this.list.setAttribute("aria-activedescendant", `${this.#id}-${store.selected}`);
    if (what?.has("selected")) this.#scrollTo(cards[store.selected]);
    this.#updateTools();
  }

  #updateCard(camera, index) {
    const { store, t, leftOut } = this.#editor;
    const element = this.#cards[index];
    element.setAttribute("aria-selected", String(index === store.selected || store.others.has(index)));
    element.classList.toggle("sc-off", leftOut.includes(camera.name));
    element.setAttribute("aria-label", this.#editor.describe(index));
    element.title = camera.name;
    element.style.setProperty("--color", camera.color);
    const [, , badge, name] = element.children;
    badge.textContent = [index === 0 && t("referenceShort"), isMoving(camera) && "◆"].filter(Boolean).join(" ");
    badge.hidden = !badge.textContent;
    badge.title = index === 0 ? t("reference") : t("moving");
    name.firstChild.dataset.verdict = this.#editor.verdictOf(index);
    name.lastChild.textContent = camera.name;
  }

  #updateTools() {
    const { store, hasRoom } = this.#editor;
    const last = store.doc.cameras.length - 1;
    const idle = { delete: last < 1, earlier: store.selected === 0, later: store.selected === last };
    for (const button of this.element.querySelectorAll("[data-action]"))
      button.disabled = idle[button.dataset.action] ?? !hasRoom;
  }

  /** Scroll the strip, and nothing around it, until a card can be seen. */
  #scrollTo(card) {
    const { list } = this;
    const left = card.offsetLeft - list.offsetLeft - 4;
    if (left < list.scrollLeft) list.scrollLeft = left;
    const right = left + card.offsetWidth + 8;
    if (right > list.scrollLeft + list.clientWidth) list.scrollLeft = right - list.clientWidth;
  }

  // -- pictures ------------------------------------------------------------------------------------------------------

  /** The canvas of a camera's picture if it is in sight. */
  canvasOf(index) {
    const { list } = this;
    const card = this.#cards[index];
    if (!card) return null;
    const left = card.offsetLeft - list.offsetLeft - list.scrollLeft;
    return left + card.offsetWidth > -40 && left < list.clientWidth + 40 ? card.firstChild : null;
  }

  /** Lay a picture over what the card shows, until `forgetTaken`. @param {HTMLVideoElement} video */
  showTaken(index, video) {
    const over = this.#cards[index]?.querySelector(".sc-taken");
    if (!over) return;
    const scale = Math.min(over.width / video.videoWidth, over.height / video.videoHeight);
    const [width, height] = [video.videoWidth * scale, video.videoHeight * scale];
    const context = over.getContext("2d");
    context.fillRect(0, 0, over.width, over.height);
    context.drawImage(video, (over.width - width) / 2, (over.height - height) / 2, width, height);
    over.hidden = false;
  }

  forgetTaken() {
    for (const card of this.#cards) card.querySelector(".sc-taken").hidden = true;
  }
}

function orderTools(editor) {
  const { t } = editor;
  return h(
    "div",
    { class: "sc-tools sc-optional" },
    iconButton("left", `${t("earlier")} (Alt+←)`, () => editor.move(-1), { data: { action: "earlier" } }),
    iconButton("right", `${t("later")} (Alt+→)`, () => editor.move(1), { data: { action: "later" } }),
  );
}

function cameraTools(editor) {
  const { t } = editor;
  return h(
    "div",
    { class: "sc-tools" },
    iconButton("copy", `${t("duplicate")} (Ctrl+D)`, () => editor.duplicate(), { data: { action: "duplicate" } }),
    iconButton("mirror", t("mirrorCopy"), () => editor.mirror(true), { data: { action: "mirror-copy" } }),
    iconButton("trash", `${t("delete")} (Del)`, () => editor.remove(), { data: { action: "delete" } }),
  );
}
