// Menus and small forms that open over the editor.

import { h } from "../shared/dom.mjs";

/** One menu or form at a time, inside the editor's element, closed by Escape and by a click elsewhere. */
export class Popover {
  /** @param {HTMLElement} root @param {AbortSignal} signal that it is not needed any more */
  constructor(root, signal) {
    this.root = root;
    this.element = null;
    this.opener = null;
    root.addEventListener(
      "pointerdown",
      (event) => {
        if (this.element && !this.element.contains(event.target) && !this.opener?.contains(event.target)) this.close();
      },
      { capture: true, signal },
    );
  }

  /**
   * @param {HTMLElement} content
   * @param {HTMLElement} opener the button it belongs to
   */
  open(content, opener) {
    const again = this.opener === opener && this.element;
    this.close();
    if (again) return;
    this.element = content;
    this.opener = opener;
    content.classList.add("sc-menu");
    this.root.append(content);
    content.classList.toggle("sc-columns", content.scrollHeight > content.clientHeight); // rather than a hidden end
    const box = (element) => element.getBoundingClientRect();
    const scale = box(this.root).width / this.root.offsetWidth || 1;
    const left = (box(opener).left - box(this.root).left) / scale;
    const under = (box(opener).bottom - box(this.root).top) / scale + 3;
    const room = this.root.offsetWidth - content.offsetWidth - 6;
    content.style.left = `${Math.max(6, Math.min(left, room))}px`;
    content.style.top = `${Math.max(6, Math.min(under, this.root.offsetHeight - content.offsetHeight - 6))}px`;
    opener.setAttribute("aria-expanded", "true");
    content.querySelector("[role=menuitem], input, textarea")?.focus();
    content.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {boolean} [back] whether the focus returns to the button */
  close(back = false) {
    if (!this.element) return;
    const { element, opener } = this;
    this.element = this.opener = null;
    element.remove();
    opener?.setAttribute("aria-expanded", "false");
    if (back) opener?.focus();
  }

  #key(event) {
    if (!this.element) return; // what the key did has closed it
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      this.close(true);
      return;
    }
    const items = [...this.element.querySelectorAll("[role=menuitem]")];
    const at = items.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (!items.length || next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    items[(next + items.length) % items.length].focus();
  }
}

/**
 * A menu of headings (text) and items ([text, action, disabled]).
 *
 * @param {string} label
 * @param {(string | [string, () => void, boolean?, string?])[]} entries headings, and items: text, action, disabled, key
 * @param {() => void} close
 */
export function menu(label, entries, close) {
  return h(
    "div",
    { role: "menu", "aria-label": label },
    ...entries.map((entry) => {
      if (typeof entry === "string") return h("h4", { text: entry });
      const [text, action, disabled, key] = entry;
      const run = () => {
        close();
        action();
      };
      return h("button", {
        class: "sc-button sc-item",
        role: "menuitem",
        text: key ? `${text} (${key})` : text,
        "aria-label": text, // the key is told apart
        "aria-keyshortcuts": key,
        disabled: Boolean(disabled),
        onclick: run,
      });
    }),
  );
}
