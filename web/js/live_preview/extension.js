// Plays on the sampler node what SynCam Sampler sends while it works: all views in a grid, over the frames of the clip.

import { app } from "../../../../scripts/app.js";
import { api } from "../../../../scripts/api.js";
import { addStyleSheet, nodeOf, whenGone } from "../shared/host.mjs";

const EVENT = "syncam.live_preview";
const WIDGET = "syncam_live_preview";
const STILL = "$$canvas-image-preview"; // the host's widget for the still of the same step
const CLASS = "syncam-live-node";
const MOMENT_MS = 140;
const STILL_MS = 700;
const HEIGHTS = { least: 120, most: 360 }; // of the preview
const MARGINS = 30; // beside it
const ENDS = ["execution_success", "execution_error", "execution_interrupted"];

const shown = new Map(); // execution id of a node -> its Preview
const heights = new WeakMap(); // of nodes that lost their preview and have not shrunk yet: Nodes 2.0 takes its time

class Preview {
  constructor(node, { views, rows, aspect }) {
    this.node = node;
    const ratio = rows / (Math.ceil(views.length / rows) * aspect);
    const height = Math.min(Math.max((node.size[0] - MARGINS) * ratio, HEIGHTS.least), HEIGHTS.most);
    this.height = Math.round(height);
    this.heightBefore = heights.get(node) ?? node.size[1];
    this.moment = 0;
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    Object.assign(this.canvas.style, { width: "100%", height: "100%", display: "block", minHeight: "0" });
    this.widget = node.addDOMWidget(WIDGET, "SYNCAM_LIVE_PREVIEW", this.canvas, {
      serialize: false,
      getMinHeight: always(height),
      hideOnZoom: false,
      hideInPanel: true,
      socketless: true,
    });
    this.widget.serialize = false;
    this.widget.preview = this;
    // The host draws the still of the same moment; two of them would be one too many.
    this.drawBackground = Object.hasOwn(node, "onDrawBackground") ? node.onDrawBackground : null;
    node.onDrawBackground = () => {};
    removeStill(node);
    node.graph?.setDirtyCanvas(true, true); // an idle graph gives a new widget no room until it is drawn again
    addStyleSheet(new URL("./style.css", import.meta.url).href);
    this.timer = setInterval(() => this.#tick(), MOMENT_MS);
  }

  async show(message) {
    const picture = new Image();
    picture.src = message.picture;
    try {
      await picture.decode();
    } catch {
      return; // the next step brings another one
    }
    if (this.gone) return;
    Object.assign(this, { picture, message });
    this.canvas.setAttribute(
      "aria-label",
      `${message.step} / ${message.steps}: ${message.views.map(({ name }) => name).join(", ")}`,
    );
    this.#tick(0);
  }

  #tick(by = 1) {
    const { canvas, picture, message } = this;
    // Nodes 2.0 draws the node anew now and then, and asks no widget for its height.
    const element = canvas.closest("[data-node-id]");
    if (element && !element.classList.contains(CLASS)) element.classList.add(CLASS);
    canvas.style.minHeight = element ? `${this.height}px` : "0";
    if (!picture || canvas.clientWidth < 8 || canvas.clientHeight < 8) return;
    this.moment = (this.moment + by) % message.moments;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    draw(canvas.getContext("2d"), width, height, ratio, picture, message, this.moment);
  }

  dispose() {
    this.gone = true;
    clearInterval(this.timer);
    const { node, canvas, widget } = this;
    if (this.drawBackground) node.onDrawBackground = this.drawBackground;
    else delete node.onDrawBackground;
    canvas.closest("[data-node-id]")?.classList.remove(CLASS);
    if (node.widgets?.includes(widget)) node.removeWidget(widget);
    // The host keeps the widget as long as the node, and that beyond its workflow: nothing large may hang on it.
    widget.preview = null;
    canvas.width = canvas.height = 0;
    heights.set(node, this.heightBefore);
    const fit = () => {
      removeStill(node);
      node.setSize([node.size[0], Math.max(this.heightBefore, node.computeSize()[1])]);
      node.graph?.setDirtyCanvas(true, true);
    };
    fit();
    // The host shows the last still when it has decoded it.
    setTimeout(() => {
      if ([...shown.values()].some((other) => other.node === node)) return; // the next run has begun
      fit();
      heights.delete(node);
    }, STILL_MS);
  }
}

const always = (value) => () => value; // made here, a function holds nothing else of a preview

function removeStill(node) {
  node.imgs = undefined;
  const still = node.widgets?.find(({ name }) => name === STILL);
  if (still) node.removeWidget(still);
}

/** One moment of all views, as large as the room allows, with their names and the step. */
function draw(context, width, height, ratio, picture, { views, moments, rows, step, steps }, moment) {
  const columns = Math.ceil(views.length / rows);
  const [w, h] = [picture.naturalWidth / moments, picture.naturalHeight / views.length];
  const scale = Math.min(width / (columns * w), height / (rows * h));
  const [left, top] = [(width - columns * w * scale) / 2, (height - rows * h * scale) / 2];
  context.clearRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  views.forEach(({ name, color }, view) => {
    const x = left + (view % columns) * w * scale;
    const y = top + Math.floor(view / columns) * h * scale;
    context.drawImage(picture, moment * w, view * h, w, h, x, y, w * scale, h * scale);
    plate(context, name, color, x + 4 * ratio, y + 4 * ratio, w * scale - 8 * ratio, ratio);
  });
  const text = `${step} / ${steps}`;
  context.font = fontOf(ratio);
  const wide = context.measureText(text).width + 16 * ratio;
  plate(context, text, "", left + columns * w * scale - wide - 4 * ratio, top + rows * h * scale - 22 * ratio, wide, ratio);
}

const fontOf = (ratio) => `600 ${11 * ratio}px Inter, system-ui, sans-serif`;

function plate(context, text, color, x, y, most, ratio) {
  context.font = fontOf(ratio);
  const stripe = color ? 4 * ratio : 0;
  const wide = Math.min(context.measureText(text).width + 12 * ratio + stripe, most);
  if (wide < 20 * ratio) return;
  context.fillStyle = "#0c0c0ed0";
  context.fillRect(x, y, wide, 18 * ratio);
  context.fillStyle = color || "#fff";
  if (color) context.fillRect(x, y, stripe, 18 * ratio);
  context.save();
  context.beginPath();
  context.rect(x, y, wide, 18 * ratio);
  context.clip();
  context.fillStyle = "#fff";
  context.textBaseline = "middle";
  context.fillText(text, x + stripe + 6 * ratio, y + 9.5 * ratio);
  context.restore();
}

function show({ detail }) {
  const node = nodeOf(detail.node);
  if (!node) return;
  const there = shown.get(detail.node);
  if (there && there.node !== node) remove(detail.node); // another workflow has come
  if (!shown.has(detail.node)) shown.set(detail.node, new Preview(node, detail));
  shown.get(detail.node).show(detail);
}

function remove(id) {
  shown.get(id)?.dispose();
  shown.delete(id);
}

const removeAll = () => [...shown.keys()].forEach(remove);

app.registerExtension({
  name: "syncam.LivePreview",
  setup() {
    api.addEventListener(EVENT, show);
    for (const end of ENDS) api.addEventListener(end, removeAll);
    // Another node runs now: the sampler is done.
    api.addEventListener("executing", ({ detail }) => {
      const id = detail === null ? null : String(detail?.node ?? detail);
      for (const known of shown.keys()) if (known !== id) remove(known);
    });
  },
  nodeCreated(node) {
    if (node.comfyClass !== "SynCamSampler") return;
    whenGone(node, () => {
      for (const [id, preview] of shown) if (preview.node === node) remove(id);
    });
  },
});
