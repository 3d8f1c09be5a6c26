// Number and text fields: typed, stepped with the arrow keys, or scrubbed by dragging the label.

import { tidy } from "./camera.mjs";
import { h, ownHistory } from "../shared/dom.mjs";

let made = 0;

/**
 * What a person has typed into a number field: a number, with a comma or a point, or a sum of some, also in the full-width
 * digits of East Asian input methods, and with the unit of the field behind it.
 *
 * @param {string} text
 * @param {string} [unit]
 * @returns {number} NaN for anything else
 */
export function numberOf(text, unit = "") {
  const plain = text.replace(/[\uff01-\uff5e\u2212]/g, (sign) => (sign === "\u2212" ? "-" : sign.normalize("NFKC"))).trim();
  const bare = unit && plain.endsWith(unit) ? plain.slice(0, -unit.length) : plain;
  const parts = bare.replaceAll(",", ".").match(/\d+\.?\d*(?:e[+-]?\d+)?|\.\d+|[-+*/()]|\S/gi) ?? [];
  let at = 0;
  const factor = () => {
    const part = parts[at++];
    if (part === "-") return -factor();
    if (part === "+") return factor();
    if (part !== "(") return /^[\d.]/.test(part ?? "") ? Number(part) : NaN;
    const value = sum();
    return parts[at++] === ")" ? value : NaN;
  };
  const product = () => {
    let value = factor();
    while ("*/".includes(parts[at] ?? " ")) value = parts[at++] === "*" ? value * factor() : value / factor();
    return value;
  };
  const sum = () => {
    let value = product();
    while ("+-".includes(parts[at] ?? " ")) value += parts[at++] === "+" ? product() : -product();
    return value;
  };
  const value = parts.length ? sum() : NaN;
  return at === parts.length && Number.isFinite(value) ? value : NaN;
}

/** A number with a label and a unit. */
export class NumberField {
  #dirty = false; // something is typed that is not taken over yet
  #current = 0;
  #options;
  #caption;

  /**
   * @param {{label: string, name: string, unit?: string, least?: number, most?: number, step?: number, digits?: number,
   *   onchange: (value: number, how: "typed" | "stepped") => void, begin?: () => void, end?: () => void, title?: string,
   *   refuse?: (text: string, least: number, most: number, value: number) => void}} options `refuse` says what cannot be typed
   */
  constructor({ unit = "", least = -1e6, most = 1e6, step = 1, digits = 3, ...others }) {
    this.#options = { unit, least, most, step, digits, ...others };
    this.#build();
    this.#listenToTyping();
    this.#listenToKeys();
    this.#listenToScrubbing();
  }

  #build() {
    const { label, name, unit, least, most, title = label } = this.#options;
    const id = `syncam-field-${(made += 1)}`;
    this.input = h("input", {
      id,
      name,
      type: "text",
      inputMode: "decimal",
      autocomplete: "off",
      spellcheck: false,
      role: "spinbutton",
      "aria-valuemin": least,
      "aria-valuemax": most,
      "aria-label": unit ? `${title} (${unit})` : title,
    });
    this.#caption = h("label", { htmlFor: id, title, text: label });
    this.element = h(
      "div",
      { class: "sc-field", data: { field: name } },
      this.#caption,
      this.input,
      unit && h("i", { text: unit, "aria-hidden": "true" }),
    );
  }

  /** @param {number | null} value null for a field that means nothing now */
  show(value) {
    this.#current = value ?? 0;
    this.input.disabled = value === null;
    this.input.setAttribute("aria-valuenow", tidy(this.#current, this.#options.digits));
    if (document.activeElement !== this.input || !this.#dirty) this.#write();
  }

  #write() {
    const { input } = this;
    this.#dirty = false;
    delete input.dataset.typing;
    input.removeAttribute("aria-invalid");
    input.value = input.disabled ? "" : String(tidy(this.#current, this.#options.digits));
    input.style.flexBasis = `${Math.max(input.value.length, 2) + 0.7}ch`; // the label gives way to the number
  }

  #isPossible(value) {
    return value >= this.#options.least && value <= this.#options.most;
  }

  /** Take over what is typed; of what is no possible number nothing is guessed: what was there comes back. */
  #accept() {
    if (!this.#dirty) return;
    const { least, most, unit, onchange, refuse } = this.#options;
    const text = this.input.value.trim();
    const value = tidy(numberOf(text, unit), 9);
    if (!this.#isPossible(value)) {
      this.#write();
      if (text) refuse?.(text, least, most, value);
      return;
    }
    this.#dirty = false;
    onchange(value, "typed");
    this.#write();
  }

  #stepTo(value) {
    const { least, most, onchange } = this.#options;
    onchange(Math.min(most, Math.max(least, tidy(value, 6))), "stepped");
    this.#write();
  }

  #move(steps) {
    this.#accept();
    this.#stepTo(this.#current + steps * this.#options.step);
  }

  #listenToTyping() {
    const { input } = this;
    input.addEventListener("input", () => {
      this.#dirty = true;
      input.dataset.typing = "true";
      if (this.#isPossible(numberOf(input.value, this.#options.unit))) input.removeAttribute("aria-invalid");
      else input.setAttribute("aria-invalid", "true");
    });
    input.addEventListener("change", () => this.#accept());
    input.addEventListener("blur", () => this.#accept());
    input.addEventListener("focus", () => input.select());
  }

  #listenToKeys() {
    this.input.addEventListener("keydown", (event) => {
      const size = event.shiftKey ? 10 : event.altKey ? 0.1 : 1;
      if (event.key === "Enter") this.#accept();
      else if (event.key === "Escape" && this.#dirty) this.#write();
      else if (event.key === "ArrowUp") this.#move(size);
      else if (event.key === "ArrowDown") this.#move(-size);
      else if (event.key === "PageUp") this.#move(10);
      else if (event.key === "PageDown") this.#move(-10);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  /** The label is pulled sideways. */
  #listenToScrubbing() {
    const { begin, end, step } = this.#options;
    const caption = this.#caption;
    let drag = null;
    caption.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || this.input.disabled) return;
      drag = { x: event.clientX, value: this.#current, moved: false };
      caption.setPointerCapture(event.pointerId);
    });
    caption.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const moved = event.clientX - drag.x;
      if (!drag.moved && Math.abs(moved) < 3) return;
      if (!drag.moved) begin?.();
      drag.moved = true;
      const size = event.shiftKey ? 4 : event.altKey ? 0.2 : 1;
      this.#stepTo(drag.value + Math.round(moved / 3) * step * size);
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      caption.addEventListener(kind, () => {
        if (drag?.moved) end?.();
        drag = null;
      });
    }
    caption.addEventListener("click", (event) => event.preventDefault());
    caption.addEventListener("dblclick", () => this.input.focus());
  }
}

/** @param {{label: string, name: string, onchange: (text: string) => boolean}} options `onchange` may refuse */
export function textField({ label, name, onchange }) {
  const id = `syncam-field-${(made += 1)}`;
  const input = h("input", { id, name, type: "text", autocomplete: "off", spellcheck: false, maxLength: 64 });
  let current = "";
  const show = (text) => {
    current = text;
    if (document.activeElement !== input) input.value = text;
  };
  const accept = () => {
    if (input.value !== current && !onchange(input.value)) input.value = current;
  };
  input.addEventListener("change", accept);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") input.value = current;
    else if (event.key === "Enter") accept();
    else return;
    event.stopPropagation();
  });
  const element = h(
    "div",
    { class: "sc-field sc-word", data: { field: name } },
    h("label", { htmlFor: id, text: label }),
    input,
  );
  return { element, input, show };
}

/** @param {{label: string, name: string, choices: [string, string][], onchange: (value: string) => void}} options */
export function choiceField({ label, name, choices, onchange }) {
  const select = h("select", { name, "aria-label": label, title: label, onchange: () => onchange(select.value) });
  select.append(...choices.map(([value, text]) => h("option", { value, text })));
  ownHistory(select);
  const element = h("div", { class: "sc-field sc-grow", data: { field: name } }, select);
  return {
    element,
    input: select,
    show: (value) => {
      select.value = value;
    },
  };
}
