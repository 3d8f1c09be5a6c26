// A text on a node that people read and do not write: neither in the prompt nor in the workflow.

import { app } from "../../../../scripts/app.js";

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
