// A few lines that stand in for a framework.

/**
 * An element with properties, listeners and children.
 *
 * `class`, `text`, `style` (an object) and `data` (an object) are understood; keys that begin with `on` add listeners;
 * a key that is a property of the element sets it; anything else becomes an attribute. false, null and undefined leave a key out.
 *
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElement}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") element.className = value;
    else if (key === "text") element.textContent = value;
    else if (key === "style") Object.assign(element.style, value);
    else if (key === "data") Object.assign(element.dataset, value);
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && !key.startsWith("aria") && key !== "role") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child || child === ""));
  if (tag === "button") {
    element.setAttribute("type", "button");
    ownHistory(element);
  }
  return element;
}

/**
 * Tell the host that Ctrl+Z belongs to this element while it has the focus.
 *
 * The host's change tracker listens on the window before everybody else and leaves elements alone that have a history
 * of their own, as the editor has. Up to frontend 1.53 it knows them by the `type` of a text area, since 1.54 by
 * `isContentEditable`.
 *
 * @param {HTMLElement} element
 */
export function ownHistory(element) {
  Object.defineProperty(element, "type", { value: "textarea", configurable: true });
  Object.defineProperty(element, "isContentEditable", { value: true, configurable: true });
}

const ICONS = {
  free: "M8 1.5 14 5v6l-6 3.5L2 11V5zM2 5l6 3.5L14 5M8 8.5v6",
  top: "M3 3h10v10H3zM8 5.5v5M5.5 8h5",
  side: "M2 13h12M5 13V6l3-3 3 3v7",
  front: "M2.5 4h11v8h-11zM8 6.2a1.6 1.6 0 1 0 .01 0",
  look: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 0 .01 0",
  undo: "M6 3 3 6l3 3M3 6h6.5a3.5 3.5 0 0 1 0 7H6",
  redo: "m10 3 3 3-3 3M13 6H6.5a3.5 3.5 0 0 0 0 7H10",
  snap: "M3.5 2.5v5a4.5 4.5 0 0 0 9 0v-5H10v5a2 2 0 0 1-4 0v-5zM3.5 5H6M10 5h2.5",
  add: "M8 3v10M3 8h10",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  time: "M8 2.5a5.5 5.5 0 1 0 .01 0M8 5v3.200l2.200 1.300",
  trash: "M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.6 9h5.800l.6-9M7 7v4M9 7v4",
  copy: "M5.5 5.5h8v8h-8zM3 10.5h-.5v-8h8V3",
  mirror: "M8 2v12M6 5 2.5 11H6zM10 5l3.5 6H10z",
  left: "M10 3 5 8l5 5",
  right: "m6 3 5 5-5 5",
  play: "M5 3v10l8-5z",
  pause: "M5 3v10M11 3v10",
  key: "m8 3 5 5-5 5-5-5z",
  unkey: "m8 3 5 5-5 5-5-5zM4 4l8 8",
  close: "m4 4 8 8M12 4l-8 8",
  back: "M11.5 4 6 8l5.500 4zM4 4v8",
  forward: "M4.500 4 10 8l-5.500 4zM12 4v8",
  start: "M3 3.500v9M13 4 8.500 8l4.500 4M8.500 4 4.500 8l4 4",
  end: "M13 3.500v9M3 4l4.500 4L3 12M7.500 4l4 4-4 4",
  loopIn: "M7 3H4v10h3M7 8h6m-2.500-2.500L13 8l-2.500 2.500",
  loopOut: "M9 3h3v10H9M9 8H3m2.500-2.500L3 8l2.500 2.500",
  loop: "M4.500 10.500A4 4 0 0 1 5 5h6.500M9.500 3l2 2-2 2M11.500 5.500A4 4 0 0 1 11 11H4.500M6.500 13l-2-2 2-2",
  swap: "M3 5.500h9.500L10 3M13 10.500H3.500L6 13",
  download: "M8 2.500v7.500M4.500 7 8 10.500 11.500 7M3 13.500h10",
};

/** @param {keyof typeof ICONS} name @returns {SVGElement} a 16 x 16 line drawing, hidden from screen readers */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", class: "syncam-icon", "aria-hidden": "true" })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * A button that shows an icon and says what it does; `class` is "sc-button" unless something else is given.
 *
 * @param {keyof typeof ICONS} name
 * @param {string} label
 * @param {(event: Event) => void} action
 * @param {Record<string, any>} [properties]
 */
export function iconButton(name, label, action, properties = {}) {
  return h(
    "button",
    { class: "sc-button", title: label, "aria-label": label, onclick: action, ...properties },
    icon(name),
  );
}
