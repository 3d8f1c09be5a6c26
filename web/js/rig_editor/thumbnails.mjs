// What every camera sees, in small: drawn into a corner of the view's own canvas and copied from there.

import * as THREE from "../../vendor/three/three.mjs";
import { PICTURE_ASPECT, c2wAt, fieldOfView } from "./camera.mjs";
import { placeCamera } from "../shared/axes.mjs";
import { FILMED } from "./world.mjs";

export const WIDTH = 104;
export const HEIGHT = Math.round(WIDTH / PICTURE_ASPECT);
const MOST_AT_ONCE = 12; // of those that changed; the rest follows in the next drawings
const SMOOTH_MS = 8; // while a drawing takes longer, fewer pictures are made with it

export class Thumbnails {
  /** @param {import("./view.mjs").View} view */
  constructor(view) {
    this.view = view;
    this.eye = new THREE.PerspectiveCamera(40, PICTURE_ASPECT, 0.02, 400);
    this.eye.layers.set(FILMED);
    this.drawn = new WeakMap(); // canvas -> what it shows
    this.when = new WeakMap(); // canvas -> the drawing in which it was made
    this.most = MOST_AT_ONCE;
    this.canvasOf = () => null; // (index) => the canvas of a camera, if it can be seen
  }

  forget() {
    this.drawn = new WeakMap();
  }

  /** Draw those that show something else than they should. */
  draw() {
    const { store, renderer, world } = this.view;
    const stale = [];
    store.doc.cameras.forEach((camera, index) => {
      const canvas = this.canvasOf(index);
      if (!canvas) return;
      const c2w = c2wAt(camera, store.frame);
      const shown = `${c2w.join()}/${camera.lens.focal_mm}/${camera.lens.sensor_width_mm}/${this.view.aspect}`;
      if (this.drawn.get(canvas) !== shown)
        stale.push({ camera, canvas, c2w, shown, chosen: index === store.selected });
    });
    if (!stale.length) return;
    const { frames, lastMilliseconds } = this.view;
    this.most = lastMilliseconds > SMOOTH_MS ? Math.max(this.most >> 1, 1) : Math.min(this.most + 1, MOST_AT_ONCE);
    const age = ({ canvas }) => this.when.get(canvas) ?? -1;
    stale.sort((a, b) => b.chosen - a.chosen || age(a) - age(b));
    const ratio = renderer.getPixelRatio();
    const columns = Math.floor(this.view.width / WIDTH);
    const rows = Math.floor(this.view.height / HEIGHT);
    const room = Math.min(Math.max(columns * rows, 0), this.most);
    const now = stale.slice(0, room);
    world.cameras.visible = world.drawn.visible = false;
    renderer.setScissorTest(true);
    const { aspect } = this.view;
    const [wide, high] = [Math.min(WIDTH, HEIGHT * aspect), Math.min(HEIGHT, WIDTH / aspect)];
    this.eye.aspect = aspect;
    world.filming(() => {
      now.forEach((item, at) => {
        const [left, bottom] = [(at % columns) * WIDTH, Math.floor(at / columns) * HEIGHT];
        renderer.setScissor(left, bottom, WIDTH, HEIGHT);
        renderer.setViewport(left, bottom, WIDTH, HEIGHT);
        renderer.setClearColor("#0d0f12", 1);
        renderer.clear(); // what the picture leaves of the card
        const box = [left + (WIDTH - wide) / 2, bottom + (HEIGHT - high) / 2, wide, high];
        renderer.setViewport(...box);
        renderer.setScissor(...box);
        this.eye.fov = fieldOfView(item.camera.lens, aspect).down;
        this.eye.updateProjectionMatrix();
        placeCamera(this.eye, item.c2w);
        renderer.clear();
        renderer.render(world.scene, this.eye);
      });
    });
    world.cameras.visible = world.drawn.visible = true;
    const source = renderer.domElement;
    now.forEach(({ canvas, shown }, at) => {
      const [w, h] = [WIDTH * ratio, HEIGHT * ratio];
      if (canvas.width !== Math.round(w)) Object.assign(canvas, { width: Math.round(w), height: Math.round(h) });
      const x = (at % columns) * w;
      const y = source.height - (Math.floor(at / columns) + 1) * h;
      canvas.getContext("2d").drawImage(source, x, y, w, h, 0, 0, canvas.width, canvas.height);
      this.drawn.set(canvas, shown);
      this.when.set(canvas, frames);
    });
    if (stale.length > now.length && room > 0) this.view.draw();
  }
}
