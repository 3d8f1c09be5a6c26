// Line drawings on the player's buttons.

import { h } from "../rig_editor/dom.mjs";

const ICONS = {
  play: "M5 3v10l8-5z",
  pause: "M5.5 3v10M10.5 3v10",
  back: "M11.5 4 6 8l5.500 4zM4 4v8",
  forward: "M4.500 4 10 8l-5.500 4zM12 4v8",
  start: "M3 3.500v9M13 4 8.500 8l4.500 4M8.500 4 4.500 8l4 4",
  end: "M13 3.500v9M3 4l4.500 4L3 12M7.500 4l4 4-4 4",
  loopIn: "M7 3H4v10h3M7 8h6m-2.500-2.500L13 8l-2.500 2.500",
  loopOut: "M9 3h3v10H9M9 8H3m2.500-2.500L3 8l2.500 2.500",
  loop: "M4.500 10.500A4 4 0 0 1 5 5h6.500M9.500 3l2 2-2 2M11.500 5.500A4 4 0 0 1 11 11H4.500M6.500 13l-2-2 2-2",
  swap: "M3 5.500h9.500L10 3M13 10.500H3.500L6 13",
  undo: "M6 3 3 6l3 3M3 6h6.5a3.5 3.5 0 0 1 0 7H6",
  trash: "M3 4.5h10M6 4.5V3h4v1.5M4.5 4.5l.6 9h5.800l.6-9M7 7v4M9 7v4",
  download: "M8 2.500v7.500M4.500 7 8 10.500 11.500 7M3 13.500h10",
};

/** @param {keyof typeof ICONS} name @returns {SVGElement} a 16 x 16 line drawing, hidden from screen readers */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", class: "sp-icon", "aria-hidden": "true" }))
    svg.setAttribute(key, value);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A button that shows an icon and says what it does. */
export const glyphButton = (name, label, onclick, action) =>
  h("button", { class: "sp-button", title: label, "aria-label": label, onclick, data: { action } }, icon(name));
