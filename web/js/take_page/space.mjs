// The take in space: each camera with its picture on its frustum, the floor in metres, a figure where they look.

import * as THREE from "../../vendor/three/three.mjs";
import { OrbitControls } from "../../vendor/three/three.mjs";
import { FLOOR_Y, figure, grid, lines } from "../rig_editor/world.mjs";
import { FLIP, placeCamera, toThree } from "../shared/axes.mjs";
import { h } from "../shared/dom.mjs";
import { fitted } from "../player/layout.mjs";

const TURN = Math.PI / 36; // of one key
const MOST_PIXELS_PER_PIXEL = 2;

/** The pose of a view at a frame, row by row; a still view has one. */
export const poseAt = (view, frame) => {
  const rows = view.c2w[Math.min(frame, view.c2w.length - 1)];
  return [...rows, 0, 0, 0, 1];
};

/**
 * The projection of a pinhole camera in the axes of three.js; its pixels begin at the upper left corner of the picture.
 *
 * @param {{width: number, height: number, k: number[]}} view with k = [fx, fy, cx, cy] in pixels
 * @param {number} near metres @param {number} far metres
 */
function projectionOf({ width, height, k: [fx, fy, cx, cy] }, near, far) {
  const depth = far - near;
  return new THREE.Matrix4().set(
    ...[(2 * fx) / width, 0, 1 - (2 * cx) / width, 0],
    ...[0, (2 * fy) / height, (2 * cy) / height - 1, 0],
    ...[0, 0, -(far + near) / depth, (-2 * far * near) / depth],
    ...[0, 0, -1, 0],
  );
}

export class Space {
  /** @param {HTMLElement} stage @param {object} take the data of the page. Throws where there is no WebGL. */
  constructor(stage, take) {
    Object.assign(this, { stage, take, frame: 0, through: null, pictures: null, request: 0 });
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.renderer = new THREE.WebGLRenderer({ canvas: this.canvas, antialias: true });
    this.renderer.autoClear = false;
    this.free = new THREE.PerspectiveCamera(40, 1);
    this.eye = new THREE.PerspectiveCamera();
    this.labels = take.views.map(({ name, color }, index) => {
      const label = h("div", { class: "label" }, h("b", { text: String(index + 1) }), h("span", { text: name }));
      label.style.setProperty("--color", color);
      return label;
    });
    stage.append(this.canvas, ...this.labels);
    this.#build();
    this.controls = new OrbitControls(this.free, this.canvas);
    this.controls.addEventListener("change", () => this.draw());
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => this.draw());
    // Until somebody takes hold of the view, all is in sight, also when a phone is turned.
    this.isHeld = false;
    this.controls.addEventListener("start", () => (this.isHeld = true));
    new ResizeObserver(() => (this.isHeld ? this.draw() : this.fit())).observe(stage);
  }

  #build() {
    const { views, subject } = this.take;
    this.scene = new THREE.Scene();
    this.rig = new THREE.Group();
    this.rig.matrixAutoUpdate = false;
    this.rig.matrix.copy(FLIP);
    const sun = new THREE.DirectionalLight("#fff3dd", 1.7);
    sun.position.set(3, 6, 5);
    this.scene.add(this.rig, sun, new THREE.HemisphereLight("#ffffff", "#59616d", 1.9));
    this.standIn = figure();
    this.stand = new THREE.Group().add(this.standIn, grid(1, 20, "#3a4150", 0.7), grid(5, 20, "#565f70", 0.7));
    this.stand.position.set(...subject);
    this.rig.add(this.stand);
    const far = views.map((view) => Math.hypot(...[3, 7, 11].map((at, axis) => poseAt(view, 0)[at] - subject[axis])));
    far.sort((a, b) => a - b);
    this.unit = Math.max(far[far.length >> 1], 0.1); // metres from a camera to what is filmed
    const reach = Math.max(...views.flatMap((view) => view.c2w.map((row) => toThree([row[3], row[7], row[11]]).length())));
    this.near = this.unit * 0.004;
    this.far = 40 * (reach + this.unit) + 100;
    Object.assign(this.free, { near: this.near, far: this.far });
    this.size = 0.25; // of a drawn camera, as a share of that
    this.items = views.map((view) => this.#camera(view));
  }

  #camera(view) {
    const body = new THREE.LineSegments(lines(new Array(48).fill(0)), new THREE.LineBasicMaterial({ color: view.color }));
    const texture = new THREE.Texture();
    texture.colorSpace = "srgb";
    texture.anisotropy = this.renderer.capabilities.getMaxAnisotropy();
    const pane = new THREE.Mesh(
      new THREE.BufferGeometry(),
      new THREE.MeshBasicMaterial({ side: THREE.DoubleSide, color: view.color, transparent: true, opacity: 0.25 }),
    );
    const geometry = lines(new Array(12).fill(0));
    geometry.setIndex([0, 1, 2, 0, 2, 3]);
    // Pictures are uploaded from their first row on, whatever is asked for: v runs down.
    geometry.setAttribute("uv", new THREE.BufferAttribute(new Float32Array([0, 0, 1, 0, 1, 1, 0, 1]), 2));
    pane.geometry = geometry;
    const centres = view.c2w.map((rows) => [rows[3], rows[7], rows[11]]);
    const path = new THREE.Line(lines(centres.flat()), new THREE.LineBasicMaterial({ color: view.color }));
    path.visible = centres.length > 1;
    for (const part of [body, pane, path]) {
      part.frustumCulled = false;
      this.rig.add(part);
    }
    body.matrixAutoUpdate = pane.matrixAutoUpdate = false;
    return { body, pane, path, texture };
  }

  /** The corners of a view's picture at a depth, in the camera's own axes. */
  #corners({ width, height, k: [fx, fy, cx, cy] }, depth) {
    return [[0, 0], [width, 0], [width, height], [0, height]].map(([u, v]) => [
      ((u - cx) / fx) * depth,
      ((v - cy) / fy) * depth,
      depth,
    ]);
  }

  /** Show a frame, with the pictures of all views where there are some. */
  show(frame, pictures) {
    this.frame = frame;
    if (pictures) {
      this.items.forEach(({ texture, pane }, index) => {
        texture.image = pictures[index];
        texture.needsUpdate = true;
        if (pane.material.map) return;
        Object.assign(pane.material, { map: texture, transparent: false, opacity: 1, needsUpdate: true });
        pane.material.color.set("#ffffff");
      });
    }
    this.draw();
  }

  /** @param {number | null} view whose camera is looked through; null: the free view */
  look(view) {
    this.through = view;
    this.controls.enabled = view === null;
    this.draw();
  }

  setSize(share) {
    this.size = share;
    this.draw();
  }

  /** Turn the free view, by a key. */
  turn(across, up) {
    this.isHeld = true;
    const away = this.free.position.clone().sub(this.controls.target);
    const level = Math.hypot(away.x, away.z);
    const azimuth = Math.atan2(away.x, away.z) + across * TURN;
    const elevation = Math.min(Math.max(Math.atan2(away.y, level) + up * TURN, -1.5), 1.5);
    const flat = away.length() * Math.cos(elevation);
    away.set(flat * Math.sin(azimuth), away.length() * Math.sin(elevation), flat * Math.cos(azimuth));
    this.free.position.copy(this.controls.target).add(away);
    this.controls.update();
  }

  /** Bring all cameras over all frames, with their pictures, and what they film, into the free view. */
  fit() {
    const { views, subject } = this.take;
    const points = [-0.7, 0.7].map((y) => toThree([subject[0], subject[1] + y, subject[2]]));
    for (const view of views) {
      const corners = [[0, 0, 0], ...this.#corners(view, this.size * this.unit)].map((corner) => toThree(corner));
      for (let frame = 0; frame < view.c2w.length; frame += Math.ceil(view.c2w.length / 16)) {
        placeCamera(this.eye, poseAt(view, frame));
        points.push(...corners.map((corner) => corner.clone().applyMatrix4(this.eye.matrixWorld)));
      }
    }
    const middle = points.reduce((sum, point) => sum.add(point), new THREE.Vector3()).divideScalar(points.length);
    this.free.position.copy(middle).add(new THREE.Vector3(0.5, 0.5, 0.8).normalize());
    this.free.lookAt(middle);
    const { clientWidth: width, clientHeight: height } = this.stage;
    const up = Math.tan((this.free.fov * Math.PI) / 360) * 0.82;
    const across = up * (height ? width / height : 1);
    const turned = this.free.quaternion.clone().invert();
    const needed = points.map((point) => {
      const { x, y, z } = point.clone().sub(middle).applyQuaternion(turned);
      return Math.max(Math.abs(x) / across, Math.abs(y) / up) + z;
    });
    const away = this.free.position.clone().sub(middle);
    this.free.position.copy(middle).addScaledVector(away, Math.max(...needed, this.near * 4));
    this.controls.target.copy(middle);
    this.controls.update();
    this.draw();
  }

  /** Draw before the next repaint; any number of calls make one drawing. */
  draw() {
    this.request ||= requestAnimationFrame(() => this.#drawNow());
  }

  #drawNow() {
    this.request = 0;
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (width < 8 || height < 8) return;
    const ratio = Math.min(devicePixelRatio || 1, MOST_PIXELS_PER_PIXEL);
    const { renderer } = this;
    if (renderer.getPixelRatio() !== ratio) renderer.setPixelRatio(ratio);
    if (this.width !== width || this.height !== height || this.ratio !== ratio) {
      renderer.setSize(width, height, false);
      Object.assign(this, { width, height, ratio });
    }
    this.#placeViews();
    renderer.setViewport(0, 0, width, height);
    renderer.setClearColor(this.through === null ? "#14171c" : "#0b0d10", 1);
    renderer.clear();
    const looking = this.through !== null;
    if (looking) {
      const view = this.take.views[this.through];
      const box = fitted({ x: 0, y: 0, width, height }, view.width / view.height);
      renderer.setViewport(box.x, height - box.y - box.height, box.width, box.height);
      placeCamera(this.eye, poseAt(view, this.frame));
      this.eye.projectionMatrix.copy(projectionOf(view, this.near, this.far));
      this.eye.projectionMatrixInverse.copy(this.eye.projectionMatrix).invert();
      this.box = box;
    } else {
      this.free.aspect = width / height;
      this.free.updateProjectionMatrix();
      this.box = { x: 0, y: 0, width, height };
    }
    renderer.render(this.scene, looking ? this.eye : this.free);
    this.#placeLabels();
  }

  #placeViews() {
    // Through a camera its own picture is the backdrop: as far away as nothing else is.
    const hasPictures = Boolean(this.items[0].pane.material.map);
    this.standIn.visible = !(this.through !== null && hasPictures);
    this.take.views.forEach((view, index) => {
      const { body, pane, path } = this.items[index];
      const own = index === this.through;
      const corners = this.#corners(view, own ? this.far / 2 : this.size * this.unit);
      const c2w = poseAt(view, this.frame);
      body.matrix.set(...c2w);
      pane.matrix.set(...c2w);
      body.visible = !own;
      path.visible = view.c2w.length > 1 && !own;
      // Whoever looks through a camera wants to see its picture, which those of its neighbours would cover.
      pane.visible = own ? hasPictures : this.through === null || !hasPictures;
      pane.material.depthTest = pane.material.depthWrite = !own;
      pane.renderOrder = own ? -1 : 0;
      setPoints(pane.geometry, corners.flat());
      setPoints(body.geometry, corners.flatMap((corner, at) => [0, 0, 0, ...corner, ...corner, ...corners[(at + 1) % 4]]));
    });
  }

  #placeLabels() {
    this.labels.forEach((label, index) => {
      const c2w = poseAt(this.take.views[index], this.frame);
      const at = this.#seen([c2w[3], c2w[7], c2w[11]]);
      label.hidden = index === this.through || at.behind || (this.through !== null && !isIn(this.box, at));
      if (!label.hidden) label.style.transform = `translate(${at.x.toFixed(1)}px, ${at.y.toFixed(1)}px)`;
    });
  }

  #seen(point) {
    const seen = toThree(point).project(this.through === null ? this.free : this.eye);
    const { x, y, width, height } = this.box;
    return { x: x + ((seen.x + 1) / 2) * width, y: y + ((1 - seen.y) / 2) * height, behind: Math.abs(seen.z) > 1 };
  }

  /** Where a point in the rig's axes is seen through the camera of the moment, in pixels of that view's picture. */
  pixelOf(point) {
    const { x, y } = this.#seen(point);
    const { width, height } = this.take.views[this.through];
    return [((x - this.box.x) / this.box.width) * width, ((y - this.box.y) / this.box.height) * height];
  }
}

const isIn = ({ x, y, width, height }, at) => at.x >= x && at.x <= x + width && at.y >= y && at.y <= y + height;

function setPoints(geometry, numbers) {
  geometry.attributes.position.array.set(numbers);
  geometry.attributes.position.needsUpdate = true;
}
