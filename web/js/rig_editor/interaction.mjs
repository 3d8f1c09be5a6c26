// Fingers, pens and mice on the view: drag a camera on its sphere, or along its axis; everything else turns the view.

import * as THREE from "../../vendor/three/three.mjs";
import { OrbitControls } from "../../vendor/three/three.mjs";
import { c2wAt, poseAt, tidy, unwrap } from "./camera.mjs";
import { toRig, toThree } from "../shared/axes.mjs";

const REACH = { mouse: 18, pen: 20, touch: 30 }; // pixels within which something is hit
const DEGREES_PER_PIXEL = 0.35; // in camera-view mode
export const SNAP = { degrees: 5, metres: 0.25 };

export class Interaction {
  /**
   * @param {import("./view.mjs").View} view
   * @param {import("./store.mjs").Store} store
   * @param {{snap: boolean}} options
   * @param {() => void} focus
   */
  constructor(view, store, options, focus) {
    this.view = view;
    this.store = store;
    this.options = options;
    this.drag = null;
    const { stage } = view;
    this.controls = { free: this.#orbit(view.free, true), flat: this.#orbit(view.flat, false) };
    view.onfit = (middle) => {
      this.#controlsOfMode.target.copy(middle);
      this.#controlsOfMode.update();
    };
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    // First in line: what hits a camera is not for the controls.
    stage.addEventListener(
      "pointerdown",
      (event) => {
        focus();
        this.#down(event);
      },
      { capture: true, signal },
    );
    stage.addEventListener("pointermove", (event) => this.#move(event), { capture: true, signal });
    stage.addEventListener("pointerup", (event) => this.#up(event), { capture: true, signal });
    stage.addEventListener("pointercancel", (event) => this.#cancel(event), { capture: true, signal });
    stage.addEventListener("wheel", (event) => this.#wheel(event), { capture: true, passive: false, signal });
    stage.addEventListener("dblclick", (event) => this.#look(event), { signal });
    stage.addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
  }

  #orbit(camera, turns) {
    const controls = new OrbitControls(camera, surfaceOf(this.view.stage));
    controls.enableRotate = turns;
    controls.enableDamping = false;
    controls.screenSpacePanning = true;
    controls.minDistance = 0.2;
    controls.maxDistance = 300;
    if (!turns) {
      controls.mouseButtons = { LEFT: 2, MIDDLE: 1, RIGHT: 2 }; // pan, zoom, pan
      controls.touches = { ONE: 1, TWO: 2 };
    }
    controls.target.copy(this.view.centre);
    controls.addEventListener("change", () => this.view.draw());
    controls.update();
    return controls;
  }

  get #controlsOfMode() {
    return ["free", "look"].includes(this.view.mode) ? this.controls.free : this.controls.flat;
  }

  modeChanged() {
    this.controls.free.enabled = this.view.mode === "free";
    this.controls.flat.enabled = !["free", "look"].includes(this.view.mode);
  }

  /** The place of an event in the stage's own pixels, whatever the host's zoom. */
  #at(event) {
    const box = this.view.stage.getBoundingClientRect();
    const { width, height } = this.view.size;
    return {
      x: ((event.clientX - box.left) / box.width) * width,
      y: ((event.clientY - box.top) / box.height) * height,
    };
  }

  /** @returns {{what: "camera" | "handle" | "target", index: number} | null} */
  #hit(event) {
    const { x, y } = this.#at(event);
    const { doc, frame, selected } = this.store;
    const reach = REACH[event.pointerType] ?? REACH.mouse;
    const near = (point) => {
      const place = this.view.project(point);
      return place.behind ? Infinity : Math.hypot(place.x - x, place.y - y);
    };
    let best = null;
    let least = reach;
    doc.cameras.forEach((camera, index) => {
      const c2w = c2wAt(camera, frame);
      // the chosen camera wins where several stand in one place
      const distance = near([c2w[3], c2w[7], c2w[11]]) - (index === selected ? 4 : 0);
      if (distance < least) [best, least] = [{ what: "camera", index }, distance];
    });
    if (near(this.view.axisPoint()) < Math.min(least, reach * 0.7)) best = { what: "handle", index: selected };
    // Elsewhere a press on the figure turns the view, so that what is looked at asks for a key.
    const { target } = poseAt(this.store.camera, frame);
    if (event.altKey && near(target) < least) best = { what: "target", index: selected };
    return best;
  }

  #down(event) {
    if (this.drag) {
      // a second finger: it is the view that is meant
      this.#cancel();
      return;
    }
    if (event.button !== 0) return;
    const { x, y } = this.#at(event);
    if (this.view.mode === "look") {
      this.#begin(event, { what: "look", index: this.store.selected, x, y });
      return;
    }
    const hit = this.#hit(event);
    if (!hit) return;
    if (event.ctrlKey && event.shiftKey && hit.what === "camera") {
      event.stopImmediatePropagation();
      this.store.toggle(hit.index);
      return;
    }
    this.store.select(hit.index);
    this.#begin(event, { ...hit, x, y });
  }

  #begin(event, drag) {
    event.stopImmediatePropagation();
    event.preventDefault();
    const pose = poseAt(this.store.doc.cameras[drag.index], this.store.frame);
    const along = drag.what === "handle" || (drag.what === "camera" && event.altKey);
    this.drag = { ...drag, along, pose, id: event.pointerId, side: null, missed: false, moved: false };
    if (drag.what === "camera" && !along) this.#takeHold();
    try {
      this.view.stage.setPointerCapture(event.pointerId);
    } catch {
      // a pointer that is already gone cannot be captured, and need not be
    }
    this.store.begin();
  }

  /** Remember on which side of its sphere the camera is, and how far from its middle it was taken. */
  #takeHold() {
    const { drag } = this;
    const c2w = c2wAt(this.store.doc.cameras[drag.index], this.store.frame);
    const centre = [c2w[3], c2w[7], c2w[11]];
    const place = this.view.project(centre);
    drag.grip = { x: place.x - drag.x, y: place.y - drag.y };
    const ray = this.view.ray(place.x, place.y);
    const toTarget = toThree(drag.pose.target).sub(ray.origin).dot(ray.direction);
    const toCamera = toThree(centre).sub(ray.origin).dot(ray.direction);
    drag.side = toCamera <= toTarget ? "near" : "far";
  }

  #move(event) {
    const { drag } = this;
    if (!drag || event.pointerId !== drag.id) return;
    event.stopPropagation();
    const { x, y } = this.#at(event);
    if (!drag.moved && Math.hypot(x - drag.x, y - drag.y) < 3) return;
    drag.moved = true;
    const change = drag.what === "target" ? this.#aimed(x, y) : drag.along
      ? this.#alongAxis(x, y)
      : drag.what === "look"
        ? this.#around(x, y, event)
        : this.#onSphere(x, y);
    this.store.pose(drag.what === "target" ? change : this.#rounded(change, event));
  }

  /** Where the pointer's ray meets the sphere about the target. */
  #onSphere(x, y) {
    const { drag } = this;
    const ray = this.view.ray(x + drag.grip.x, y + drag.grip.y);
    const target = toThree(drag.pose.target);
    const radius = drag.pose.distance;
    const to = target.clone().sub(ray.origin);
    const along = to.dot(ray.direction);
    const nearest = ray.origin.clone().addScaledVector(ray.direction, along);
    const miss = nearest.distanceTo(target);
    let point;
    if (miss >= radius) {
      // Past the edge of the sphere: the camera waits there, and comes back on the other side of it.
      if (!drag.missed) drag.side = drag.side === "near" ? "far" : "near";
      drag.missed = true;
      point = target.clone().add(nearest.sub(target).setLength(radius));
    } else {
      drag.missed = false;
      const half = Math.sqrt(radius * radius - miss * miss);
      point = nearest.addScaledVector(ray.direction, drag.side === "near" ? -half : half);
    }
    const [dx, dy, dz] = toRig(point.sub(target));
    const elevation = (Math.asin(Math.min(1, Math.max(-1, -dy / radius))) * 180) / Math.PI;
    const now = poseAt(this.store.doc.cameras[drag.index], this.store.frame);
    // straight above the target every azimuth is the same place: keep the one it had
    const azimuth = Math.hypot(dx, dz) < radius * 1e-3 ? now.azimuth : (Math.atan2(dx, -dz) * 180) / Math.PI;
    if (this.view.mode === "top") return { azimuth: unwrap(azimuth, now.azimuth) };
    return { azimuth: unwrap(azimuth, now.azimuth), elevation };
  }

  /** How far along the axis the pointer is. */
  #alongAxis(x, y) {
    const { drag } = this;
    const c2w = c2wAt(this.store.doc.cameras[drag.index], this.store.frame);
    const from = this.view.project(drag.pose.target);
    const to = this.view.project([c2w[3], c2w[7], c2w[11]]);
    const axis = { x: to.x - from.x, y: to.y - from.y };
    const length = Math.hypot(axis.x, axis.y);
    if (length < 8) {
      // seen end on: up is away
      return { distance: drag.pose.distance * 1.01 ** (drag.y - y) };
    }
    const target = toThree(drag.pose.target);
    const direction = toThree([c2w[3], c2w[7], c2w[11]]).sub(target).normalize();
    const place = (px, py) => {
      const ray = this.view.ray(px, py);
      return alongLine(target, direction, ray);
    };
    drag.from ??= place(drag.x, drag.y);
    const share = drag.what === "handle" ? 0.68 : 1; // the handle sits that far out
    return { distance: drag.pose.distance + (place(x, y) - drag.from) / share };
  }

  /** Look at the point under the pointer, as far away as the target was: the camera stays where it is. */
  #aimed(x, y) {
    const { drag } = this;
    const ray = this.view.ray(x, y);
    const towards = this.view.eyeOfMode.getWorldDirection(new THREE.Vector3());
    const away = toThree(drag.pose.target).sub(ray.origin).dot(towards) / ray.direction.dot(towards);
    const target = toRig(ray.origin.clone().addScaledVector(ray.direction, away)).map((value) => tidy(value, 2));
    const c2w = c2wAt(this.store.doc.cameras[drag.index], this.store.frame);
    const [dx, dy, dz] = [0, 1, 2].map((axis) => c2w[4 * axis + 3] - target[axis]);
    const distance = Math.hypot(dx, dy, dz);
    if (distance < 0.1) return {};
    const elevation = tidy((Math.asin(-dy / distance) * 180) / Math.PI, 6);
    const azimuth = tidy(unwrap((Math.atan2(dx, -dz) * 180) / Math.PI, drag.pose.azimuth), 6);
    return { target, distance: tidy(distance, 6), azimuth, elevation };
  }

  /** In camera-view mode: walk around what is seen. */
  #around(x, y) {
    const { drag } = this;
    return {
      azimuth: drag.pose.azimuth - (x - drag.x) * DEGREES_PER_PIXEL,
      elevation: drag.pose.elevation + (y - drag.y) * DEGREES_PER_PIXEL,
    };
  }

  /** Steps of the snap, or what a person would write by hand; Shift keeps to one direction. */
  #rounded(change, event) {
    const snaps = this.options.snap !== event.ctrlKey;
    const rounded = {};
    for (const [key, value] of Object.entries(change)) {
      const step = key === "distance" ? SNAP.metres : SNAP.degrees;
      rounded[key] = snaps ? tidy(Math.round(value / step) * step) : tidy(value, key === "distance" ? 2 : 1);
    }
    if (event.shiftKey && "elevation" in rounded && "azimuth" in rounded) {
      const turned = Math.abs(rounded.azimuth - this.drag.pose.azimuth);
      const raised = Math.abs(rounded.elevation - this.drag.pose.elevation);
      if (turned >= raised) rounded.elevation = this.drag.pose.elevation;
      else rounded.azimuth = this.drag.pose.azimuth;
    }
    return rounded;
  }

  #up(event) {
    if (!this.drag || event.pointerId !== this.drag.id) return;
    event.stopPropagation();
    this.drag = null;
    this.store.end();
  }

  #cancel(event) {
    if (event && event.pointerId !== this.drag?.id) return;
    this.drag = null;
    this.store.cancel();
  }

  /** Escape while dragging. @returns {boolean} whether there was a drag */
  escape() {
    const dragging = this.drag !== null;
    if (dragging) this.#cancel();
    return dragging;
  }

  #wheel(event) {
    if (this.view.mode !== "look") return;
    event.preventDefault();
    event.stopPropagation();
    const pose = poseAt(this.store.camera, this.store.frame);
    const distance = tidy(pose.distance * (event.deltaY > 0 ? 1.05 : 1 / 1.05), 2);
    this.store.pose({ distance }, { kind: "wheel" });
  }

  #look(event) {
    if (this.view.mode !== "look" && this.#hit(event)?.what === "camera") this.onlook?.();
  }

  dispose() {
    this.listeners.abort();
    this.drag = null;
    for (const controls of Object.values(this.controls)) controls.dispose();
  }
}

/** The place on the line origin + t direction that is nearest to a ray, as t. */
function alongLine(origin, direction, ray) {
  const between = new THREE.Vector3().subVectors(origin, ray.origin);
  const cosine = direction.dot(ray.direction);
  const rest = 1 - cosine * cosine;
  if (rest < 1e-6) return 0;
  return (cosine * between.dot(ray.direction) - between.dot(direction)) / rest;
}

/**
 * The stage as OrbitControls should see it. They listen for moves on the document, where the events of a widget do not
 * arrive; the pointer is captured, so the stage itself gets them all.
 */
function surfaceOf(stage) {
  return new Proxy(stage, {
    get(element, key) {
      if (key === "ownerDocument") return element;
      return typeof element[key] === "function" ? element[key].bind(element) : element[key];
    },
  });
}
