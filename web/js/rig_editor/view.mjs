// The view: one WebGL context, the cameras one looks through, the labels over the picture. Draws when asked to, once.

import * as THREE from "../../vendor/three/three.mjs";
import { PICTURE_ASPECT, c2wAt, fieldOfView, poseAt, trackOf } from "./camera.mjs";
import { h } from "../shared/dom.mjs";
import { placeCamera, toThree } from "../shared/axes.mjs";
import { RigScene } from "./scene.mjs";
import { Thumbnails } from "./thumbnails.mjs";
import { DRAWN, FILMED } from "./world.mjs";

export const MODES = ["free", "top", "side", "front", "look"];
const MOST_PIXELS_PER_PIXEL = 2;
const SPECK = 8; // times as far away as would do
const DIRECTIONS = { top: [0, 1, 0], side: [1, 0, 0], front: [0, 0, 1] };

export class View {
  /**
   * @param {HTMLElement} stage where the picture goes
   * @param {import("./store.mjs").Store} store
   * @param {(index: number) => string} verdictOf "inside", "edge", "outside" or ""
   * @param {number[]} anchor where the figure stands
   */
  constructor(stage, store, verdictOf, anchor) {
    this.stage = stage;
    this.store = store;
    this.verdictOf = verdictOf;
    this.mode = "free";
    this.anchor = anchor;
    this.aspect = PICTURE_ASPECT; // of the pictures that the cameras take
    this.canvas = h("canvas", { class: "sc-canvas", "aria-hidden": "true" });
    this.overlay = h("div", { class: "sc-overlay", "aria-hidden": "true" });
    this.handle = h("div", { class: "sc-handle" });
    this.gate = h("div", { class: "sc-gate" }, h("i"), h("i"), h("i"), h("i"));
    this.overlay.append(this.gate, this.handle);
    stage.prepend(this.canvas, this.overlay);
    this.renderer = new THREE.WebGLRenderer({ canvas: this.canvas, antialias: true, powerPreference: "low-power" });
    this.renderer.autoClear = false;
    this.world = new RigScene();
    this.thumbnails = new Thumbnails(this);
    this.free = new THREE.PerspectiveCamera(40, 1, 0.05, 400);
    this.flat = new THREE.OrthographicCamera(-1, 1, 1, -1, -200, 400);
    for (const camera of [this.free, this.flat]) {
      camera.layers.enable(DRAWN);
    }
    this.eye = new THREE.PerspectiveCamera(40, 1, 0.02, 400);
    this.eye.layers.set(FILMED);
    this.labels = [];
    this.request = 0;
    this.frames = 0; // how many times it was drawn, for tests and for measuring
    this.lastMilliseconds = 0;
    this.canvas.addEventListener("webglcontextlost", this.#lost);
    this.canvas.addEventListener("webglcontextrestored", this.#restored);
    this.fit();
  }

  #lost = (event) => {
    event.preventDefault();
    this.isLost = true;
  };

  #restored = () => {
    this.isLost = false;
    this.thumbnails.forget();
    this.draw();
  };

  /** The camera of the current mode. */
  get eyeOfMode() {
    return this.mode === "free" ? this.free : this.mode === "look" ? this.eye : this.flat;
  }

  /** Size of a drawn camera, in metres: the same share of the rig, however large that is. */
  get gizmo() {
    const distances = this.store.doc.cameras.map((camera) => poseAt(camera, this.store.frame).distance);
    distances.sort((a, b) => a - b);
    const crowd = this.store.doc.cameras.length > 16 ? 0.6 : 1;
    const size = Math.min(Math.max(distances[distances.length >> 1] * 0.13, 0.03), 20) * crowd;
    return Number(size.toPrecision(2)); // a hair of a difference is no reason to shape all cameras anew
  }

  setMode(mode) {
    this.mode = mode;
    if (mode in DIRECTIONS) this.fit();
    this.draw();
  }

  /** All that there is to see, its middle, and how far it reaches from there. */
  #extent() {
    const points = [-0.7, 0.7].map((y) => toThree(this.anchor).add(new THREE.Vector3(0, y, 0)));
    for (const camera of this.store.doc.cameras) {
      const c2w = c2wAt(camera, this.store.frame);
      points.push(toThree([c2w[3], c2w[7], c2w[11]]), toThree(poseAt(camera, this.store.frame).target));
      const { frames, c2w: path } = trackOf(camera);
      for (let at = 0; at < frames; at += Math.ceil(frames / 8)) {
        points.push(toThree([path[16 * at + 3], path[16 * at + 7], path[16 * at + 11]]));
      }
    }
    const middle = points.reduce((sum, point) => sum.add(point), new THREE.Vector3()).divideScalar(points.length);
    return { points, middle, reach: Math.max(...points.map((point) => point.distanceTo(middle)), 0.5) };
  }

  /** Bring all cameras and what they look at into the picture. */
  fit() {
    const { points, middle, reach } = this.#extent();
    this.centre = middle;
    this.reach = reach;
    if (this.mode === "free" || this.mode === "look") {
      // from where one looked before; at first from in front, to the right and above
      const direction = this.frames
        ? new THREE.Vector3(0, 0, 1).applyQuaternion(this.free.quaternion)
        : new THREE.Vector3(0.62, 0.62, 1).normalize();
      this.free.position.copy(middle).add(direction);
      this.free.lookAt(middle);
      this.free.position.copy(middle).addScaledVector(direction, this.#farEnough(points, middle));
    } else {
      this.flat.up.set(0, this.mode === "top" ? 0 : 1, this.mode === "top" ? -1 : 0);
      this.flat.position.copy(middle).add(new THREE.Vector3(...DIRECTIONS[this.mode]).multiplyScalar(reach * 2 + 5));
      this.flat.zoom = 1;
      this.flat.lookAt(middle);
      this.span = reach * 1.25;
    }
    this.onfit?.(middle);
    this.draw();
  }

  /** Fit everything if the chosen camera cannot be seen; a number typed may have sent it anywhere. */
  keepInSight() {
    const c2w = c2wAt(this.store.camera, this.store.frame);
    const { width, height } = this.size;
    const eye = this.eyeOfMode;
    eye.updateMatrixWorld();
    const { x, y, behind } = this.project([c2w[3], c2w[7], c2w[11]]);
    const air = 10;
    const isOut = behind || x < air || y < air || x > width - air || y > height - air;
    if (this.mode !== "look" && (isOut || this.#isLost())) this.fit();
  }

  /** Whether the rig is a speck: it has shrunk since the view was fitted to it. */
  #isLost() {
    const { points, middle, reach } = this.#extent();
    if (this.mode !== "free") return this.span / this.flat.zoom > SPECK * reach;
    return this.free.position.distanceTo(middle) > SPECK * this.#farEnough(points, middle);
  }

  /** How far from the middle the free camera sees all points, and some air around them. */
  #farEnough(points, middle) {
    const { width, height } = this.size;
    const up = Math.tan((this.free.fov * Math.PI) / 360) * 0.72;
    const across = up * (height ? width / height : 1.6);
    const turned = this.free.quaternion.clone().invert();
    const needed = points.map((point) => {
      const { x, y, z } = point.clone().sub(middle).applyQuaternion(turned);
      return Math.max(Math.abs(x) / across, Math.abs(y) / up) + z;
    });
    return Math.max(...needed, 1.5);
  }

  /** Draw before the next repaint; any number of calls make one drawing. */
  draw() {
    if (!this.request && !this.disposed) this.request = requestAnimationFrame(() => this.#drawNow());
  }

  /** @returns {{width: number, height: number}} of the stage, in its own pixels */
  get size() {
    return { width: this.stage.clientWidth, height: this.stage.clientHeight };
  }

  #drawNow() {
    this.request = 0;
    const { width, height } = this.size;
    if (this.disposed || this.isLost || width < 8 || height < 8) return;
    const start = performance.now();
    // The host scales nodes with CSS; draw as many pixels as are seen.
    const scale = this.stage.getBoundingClientRect().width / width || 1;
    const ratio = Math.min(Math.max(scale * devicePixelRatio, 0.5), MOST_PIXELS_PER_PIXEL);
    if (this.renderer.getPixelRatio() !== ratio || this.width !== width || this.height !== height) {
      this.renderer.setPixelRatio(ratio);
      this.renderer.setSize(width, height, false);
      Object.assign(this, { width, height });
    }
    const { doc, frame, selected } = this.store;
    this.world.update(doc, { frame, selected, size: this.gizmo, anchor: this.anchor, aspect: this.aspect });
    this.thumbnails.draw();
    this.#aim();
    this.#drawMain();
    this.#placeLabels();
    this.frames += 1;
    this.lastMilliseconds = performance.now() - start;
  }

  #aim() {
    const { width, height } = this;
    this.free.aspect = width / height;
    this.free.updateProjectionMatrix();
    this.free.updateMatrixWorld();
    const wide = width / height;
    const span = this.span ?? 1;
    const [x, y] = wide > 1 ? [span * wide, span] : [span, span / wide];
    Object.assign(this.flat, { left: -x, right: x, top: y, bottom: -y });
    this.flat.updateProjectionMatrix();
    this.flat.updateMatrixWorld();
    const camera = this.store.camera;
    this.eye.aspect = this.aspect;
    this.eye.fov = fieldOfView(camera.lens, this.aspect).down;
    placeCamera(this.eye, c2wAt(camera, this.store.frame));
    this.eye.updateProjectionMatrix();
    placeCamera(this.eye, c2wAt(camera, this.store.frame));
  }

  /** @returns {{left: number, top: number, width: number, height: number}} the picture's place in camera-view mode */
  get gateBox() {
    const { width, height } = this.size;
    const wide = Math.min(width - 16, (height - 16) * this.aspect);
    return {
      left: (width - wide) / 2,
      top: (height - wide / this.aspect) / 2,
      width: wide,
      height: wide / this.aspect,
    };
  }

  #drawMain() {
    const { renderer, world } = this;
    renderer.setScissorTest(true);
    renderer.setViewport(0, 0, this.width, this.height);
    renderer.setScissor(0, 0, this.width, this.height);
    if (this.mode !== "look") {
      world.editing(() => {
        renderer.clear();
        renderer.render(world.scene, this.eyeOfMode);
      });
      return;
    }
    renderer.setClearColor("#0d0f12", 1);
    renderer.clear();
    const { left, top, width, height } = this.gateBox;
    const box = [left, this.height - top - height, width, height];
    renderer.setViewport(...box);
    renderer.setScissor(...box);
    world.filming(() => renderer.render(world.scene, this.eye));
  }

  /** @param {number[]} point in the rig's axes @returns {{x: number, y: number, behind: boolean}} in the stage's pixels */
  project(point) {
    const eye = this.eyeOfMode;
    const seen = toThree(point).project(eye);
    const { width, height } = this.size;
    return { x: ((seen.x + 1) / 2) * width, y: ((1 - seen.y) / 2) * height, behind: seen.z > 1 };
  }

  #placeLabels() {
    const { cameras } = this.store.doc;
    const looking = this.mode === "look";
    this.gate.hidden = !looking;
    if (looking) {
      const { left, top, width, height } = this.gateBox;
      Object.assign(this.gate.style, {
        left: `${left}px`,
        top: `${top}px`,
        width: `${width}px`,
        height: `${height}px`,
      });
    }
    while (this.labels.length > cameras.length) this.labels.pop().remove();
    const crowded = cameras.length > 12;
    this.overlay.classList.toggle("sc-crowded", crowded);
    cameras.forEach((camera, index) => {
      const label = (this.labels[index] ??= this.overlay.appendChild(
        h("div", { class: "sc-label" }, h("b"), h("span")),
      ));
      const chosen = index === this.store.selected;
      const c2w = c2wAt(camera, this.store.frame);
      const { x, y, behind } = this.project([c2w[3], c2w[7], c2w[11]]);
      label.hidden = looking || behind;
      if (label.hidden) return;
      label.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
      const look = `${camera.color} ${this.verdictOf(index)}`;
      if (label.look !== look) {
        label.look = look;
        label.style.setProperty("--color", camera.color);
        label.dataset.verdict = this.verdictOf(index);
      }
      label.classList.toggle("sc-chosen", chosen || this.store.others.has(index));
      write(label.firstChild, String(index + 1));
      write(label.lastChild, crowded && !chosen ? "" : camera.name);
    });
    const middle = this.axisPoint();
    const { x, y, behind } = this.project(middle);
    this.handle.hidden = looking || behind;
    this.handle.style.transform = `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`;
    this.handle.style.setProperty("--color", this.store.camera.color);
  }

  /** Where the handle for the distance sits: on the chosen camera's axis, a bit towards its target. */
  axisPoint() {
    const c2w = c2wAt(this.store.camera, this.store.frame);
    const { target } = poseAt(this.store.camera, this.store.frame);
    return [0, 1, 2].map((axis) => c2w[4 * axis + 3] * 0.68 + target[axis] * 0.32);
  }

  /** The ray under a point of the stage. */
  ray(x, y) {
    const { width, height } = this.size;
    const eye = this.eyeOfMode;
    const near = new THREE.Vector3((x / width) * 2 - 1, 1 - (y / height) * 2, -1).unproject(eye);
    const far = new THREE.Vector3((x / width) * 2 - 1, 1 - (y / height) * 2, 1).unproject(eye);
    return new THREE.Ray(near, far.sub(near).normalize());
  }

  dispose() {
    this.disposed = true;
    cancelAnimationFrame(this.request);
    this.canvas.removeEventListener("webglcontextlost", this.#lost);
    this.canvas.removeEventListener("webglcontextrestored", this.#restored);
    this.world.dispose();
    this.renderer.dispose();
    this.renderer.forceContextLoss();
    this.canvas.remove();
    this.overlay.remove();
  }
}

/** Set a text where it is another one: setting the same again would cost a layout. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
