// A text on a node that people read and do not write: neither in the prompt nor in the workflow.

import { app } from "../../../../scripts/app.js";

const CHARACTER_PX = 7;
const LINE_PX = 20;
const IN_FRONT = "data-syncam-in-front";

document.head.append(
  Object.assign(document.createElement("style"), { textContent: `[${IN_FRONT}] { z-index: 9999 !important; }` }),
);

export function textOn(node, name) {
  return node.widgets?.find((widget) => widget.name === name);
}

/** Adds the text; `role` and `label` are for screen readers. Shows in both node renderers. */
export function addText(node, name, label, role) {
  const { widget } = app.widgets.STRING(node, name, ["STRING", { multiline: true }], app);
  widget.options.read_only = true;
  widget.options.serialize = false; // not in the prompt: the node has no such input
  widget.serialize = false; // nor in the workflow
  if (widget.element) {
    widget.element.readOnly = true;
    widget.element.setAttribute("aria-label", label);
    if (role) widget.element.setAttribute("role", role);
  }
  return widget;
}

/**
 * Lays a node of Nodes 2.0 over the others while it shows what must be read: it may grow over the one below it. Classic
 * nodes have their texts above all nodes anyway.
 */
function keepInFront(node, is) {
  requestAnimationFrame(() => {
    if (node.graph !== app.canvas.graph) return; // another graph's node of this id is shown
    const element = document.querySelector(`[data-node-id="${node.id}"]`);
    element?.toggleAttribute(IN_FRONT, is);
  });
}

/** Shows words on a node, which grows for them as far as it has no room, or takes them away where there are none. */
export function showWords(node, name, label, words, role = "status") {
  const there = textOn(node, name);
  const [width, height] = node.size;
  if (words) {
    const least = node.computeSize()[1];
    const widget = there ?? addText(node, name, label, role);
    widget.value = words;
    keepInFront(node, true);
    if (there) return;
    widget.heightBefore = height;
    const lines = words.split("\n").reduce((sum, line) => sum + Math.ceil((line.length * CHARACTER_PX) / width), 1);
    node.setSize([width, Math.max(height, least + lines * LINE_PX)]); // no wider: it would cover what is beside it
  } else if (there) {
    node.removeWidget(there);
    keepInFront(node, false);
    node.setSize([width, Math.min(height, there.heightBefore)]);
  }
}
