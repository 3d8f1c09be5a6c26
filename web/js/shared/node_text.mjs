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

const REDRAWS = 20; // that the host may take until the text is there, and as wide as the node

/**
 * Once the text is drawn: the node grows by what is hidden of it, and lies over the other nodes of Nodes 2.0 while it shows
 * what must be read (classic nodes have their texts above all nodes anyway).
 */
function fit(node, name, redraws = REDRAWS) {
  requestAnimationFrame(() => {
    const widget = textOn(node, name);
    if (!widget || node.graph !== app.canvas.graph) return; // gone, or another graph's node of this id is shown
    const element = document.querySelector(`[data-node-id="${node.id}"]`);
    const boxes = element ? [...element.querySelectorAll("textarea")] : [widget.element];
    const isLaidOut = ({ clientWidth, clientHeight }) => clientHeight && clientWidth > node.size[0] / 2;
    const box = boxes.find((one) => one?.value === widget.value && isLaidOut(one));
    element?.toggleAttribute(IN_FRONT, true);
    const hidden = box ? box.scrollHeight - box.clientHeight : 0;
    // in Nodes 2.0 what the node is larger by is not the text's
    if (hidden > 1 && element) box.style.minHeight = `${box.offsetHeight + hidden}px`;
    else if (hidden > 1) node.setSize([node.size[0], node.size[1] + hidden]);
    else if (redraws) fit(node, name, redraws - 1);
  });
}

function layBack(node) {
  document.querySelector(`[data-node-id="${node.id}"][${IN_FRONT}]`)?.removeAttribute(IN_FRONT);
}

/** Shows words on a node, which grows for them as far as it has no room, or takes them away where there are none. */
export function showWords(node, name, label, words, role = "status") {
  const there = textOn(node, name);
  const [width, height] = node.size;
  if (words) {
    const least = node.computeSize()[1];
    const widget = there ?? addText(node, name, label, role);
    widget.value = words;
    if (there) return fit(node, name);
    widget.heightBefore = height;
    const lines = words.split("\n").reduce((sum, line) => sum + Math.ceil((line.length * CHARACTER_PX) / width), 1);
    node.setSize([width, Math.max(height, least + lines * LINE_PX)]); // no wider: it would cover what is beside it
    fit(node, name);
  } else if (there) {
    node.removeWidget(there);
    layBack(node);
    node.setSize([width, Math.min(height, there.heightBefore)]);
  }
}
