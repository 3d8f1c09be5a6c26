// The strip of cameras: a list box of what each of them sees. Its order is the order of the views.

import { isMoving } from "./camera.mjs";
import { h, iconButton, ownHistory } from "../shared/dom.mjs";

/** @param {import("./editor.mjs").Editor} editor */
export function createList(editor) {
  const { store, t } = editor;
  const list = h("ul", {
    class: "sc-list",
    role: "listbox",
    tabIndex: 0,
    "aria-label": t("cameras"),
    "aria-orientation": "horizontal",
    "aria-multiselectable": "true",
  });
  ownHistory(list);
  const id = `syncam-cameras-${Math.random().toString(36).slice(2, 8)}`;
  const tools = h(
    "div",
    { class: "sc-tools" },
    iconButton("copy", `${t("duplicate")} (Ctrl+D)`, () => editor.duplicate(), { data: { action: "duplicate" } }),
    iconButton("mirror", t("mirrorCopy"), () => editor.mirror(true), { data: { action: "mirror-copy" } }),
    iconButton("trash", `${t("delete")} (Del)`, () => editor.remove(), { data: { action: "delete" } }),
  );
  const order = h(
    "div",
    { class: "sc-tools sc-optional" },
    iconButton("left", `${t("earlier")} (Alt+←)`, () => editor.move(-1), { data: { action: "earlier" } }),
    iconButton("right", `${t("later")} (Alt+→)`, () => editor.move(1), { data: { action: "later" } }),
  );
  const element = h("div", { class: "sc-strip" }, list, order, tools);
  const cards = [];

  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Home") store.select(0);
    else if (event.key === "End") store.select(store.doc.cameras.length - 1);
    else if (step && event.altKey) editor.move(step);
    else if (step) store.select(store.selected + step);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  list.addEventListener(
    "wheel",
    (event) => {
      if (list.scrollWidth > list.clientWidth && !event.deltaX) list.scrollLeft += event.deltaY;
    },
    { passive: true },
  );
  list.addEventListener("scroll", () => editor.view?.draw(), { passive: true });

  const card = (index) => {
    const element = h(
      "li",
      { class: "sc-card", role: "option", id: `${id}-${index}` },
      h("canvas", { width: 104, height: 60, "aria-hidden": "true" }),
      h("b", { class: "sc-number", "aria-hidden": "true", text: String(index + 1) }),
      h("span", { class: "sc-badge", "aria-hidden": "true" }),
      h("div", { class: "sc-card-name", "aria-hidden": "true" }, h("i", { class: "sc-dot" }), h("span")),
      h("canvas", { class: "sc-taken", width: 208, height: 120, hidden: true, "aria-hidden": "true" }),
    );
    element.addEventListener("dblclick", () => editor.setMode("look"));
    reorder(element, index);
    return element;
  };

  /** Press and pull sideways to give a camera another place. Touch scrolls the strip instead. */
  const reorder = (element, index) => {
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
    const place = (event) => {
      const over = cards.findIndex((other) => {
        const box = other.getBoundingClientRect();
        return event.clientX >= box.left && event.clientX < box.right;
      });
      return over < 0 ? (event.clientX < cards[0].getBoundingClientRect().left ? 0 : cards.length - 1) : over;
    };
    element.addEventListener("pointermove", (event) => {
      if (!drag || Math.abs(event.clientX - drag.x) < 8) return;
      if (!drag.moved) element.setPointerCapture(drag.id);
      drag.moved = true;
      const over = place(event);
      cards.forEach((other, at) => {
        const mark = at !== over || at === index ? "" : over > index ? "after" : "before";
        other.dataset.drop = mark;
      });
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      element.addEventListener(kind, (event) => {
        const target = drag?.moved && kind === "pointerup" ? place(event) : index;
        drag = null;
        cards.forEach((other) => {
          other.dataset.drop = "";
        });
        if (target !== index) editor.move(target - index);
      });
    }
  };

  let later = 0;
  const update = (what) => {
    clearTimeout(later);
    if (what?.size === 1 && what.has("frame")) {
      later = setTimeout(update, 200); // while time runs, only the pictures change
      return;
    }
    const { cameras } = store.doc;
    while (cards.length > cameras.length) cards.pop().remove();
    while (cards.length < cameras.length) cards.push(list.appendChild(card(cards.length)));
    cameras.forEach((camera, index) => {
      const element = cards[index];
      const verdict = editor.verdictOf(index);
      element.setAttribute("aria-selected", String(index === store.selected || store.others.has(index)));
      element.classList.toggle("sc-off", editor.leftOut.includes(camera.name));
      element.setAttribute("aria-label", editor.describe(index));
      element.title = camera.name;
      element.style.setProperty("--color", camera.color);
      const [, , badge, name] = element.children;
      badge.textContent = [index === 0 && t("referenceShort"), isMoving(camera) && "◆"].filter(Boolean).join(" ");
      badge.hidden = !badge.textContent;
      badge.title = index === 0 ? t("reference") : t("moving");
      name.firstChild.dataset.verdict = verdict;
      name.lastChild.textContent = camera.name;
    });
    list.setAttribute("aria-activedescendant", `${id}-${store.selected}`);
    if (what?.has("selected")) show(cards[store.selected]);
    const buttons = element.querySelectorAll("[data-action]");
    for (const button of buttons) {
      const { action } = button.dataset;
      button.disabled =
        action === "delete"
          ? cameras.length < 2
          : action === "earlier"
            ? store.selected === 0
            : action === "later"
              ? store.selected === cameras.length - 1
              : !editor.hasRoom;
    }
  };

  /** Scroll the strip, and nothing around it, until a card can be seen. */
  const show = (element) => {
    const left = element.offsetLeft - list.offsetLeft - 4;
    if (left < list.scrollLeft) list.scrollLeft = left;
    const right = left + element.offsetWidth + 8;
    if (right > list.scrollLeft + list.clientWidth) list.scrollLeft = right - list.clientWidth;
  };

  /** The canvas of a camera's picture if it is in sight. */
  const canvasOf = (index) => {
    const element = cards[index];
    if (!element) return null;
    const left = element.offsetLeft - list.offsetLeft - list.scrollLeft;
    return left + element.offsetWidth > -40 && left < list.clientWidth + 40 ? element.firstChild : null;
  };

  /** Lay a picture over what the card shows, until `forgetTaken`. @param {HTMLVideoElement} video */
  const showTaken = (index, video) => {
    const over = cards[index]?.querySelector(".sc-taken");
    if (!over) return;
    const scale = Math.min(over.width / video.videoWidth, over.height / video.videoHeight);
    const [width, height] = [video.videoWidth * scale, video.videoHeight * scale];
    const context = over.getContext("2d");
    context.fillRect(0, 0, over.width, over.height);
    context.drawImage(video, (over.width - width) / 2, (over.height - height) / 2, width, height);
    over.hidden = false;
  };
  const forgetTaken = () => cards.forEach((card) => (card.querySelector(".sc-taken").hidden = true));

  return { element, list, update, canvasOf, showTaken, forgetTaken };
}
