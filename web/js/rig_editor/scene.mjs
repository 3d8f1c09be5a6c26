// The 3D scene: the filmed world, and over it what the editor draws about the cameras.

import * as THREE from "../../vendor/three/three.mjs";
import { FLIP } from "../shared/axes.mjs";
import { c2wAt, fieldOfView, isMoving, poseAt, trackOf } from "./camera.mjs";
import { DRAWN, FILMED, FLOOR_Y, disposeAll, figure, floor, grid, lines, onLayer } from "./world.mjs";

export const TRAINED_AZIMUTH = 30; // degrees from the reference view that pairs in training differed by at most
export const TRAINED_ELEVATION = 15;

const BACKDROP = new THREE.Color("#14171c");
const SKY = new THREE.Color("#9fb0c6");

export class RigScene {
  constructor() {
    this.scene = new THREE.Scene();
    this.rig = new THREE.Group();
    this.rig.matrixAutoUpdate = false;
    this.rig.matrix.copy(FLIP);
    this.scene.add(this.rig);
    this.#light();
    this.filmed = onLayer(new THREE.Group().add(figure(), floor()), FILMED);
    this.filmedFloor = this.filmed.children[1];
    this.drawn = new THREE.Group().add(grid(1, 10, "#3a4150", 0.55), this.#compass());
    onLayer(this.drawn, DRAWN);
    this.cameras = new THREE.Group();
    this.range = null;
    this.stage = new THREE.Group().add(this.filmed, this.drawn);
    this.rig.add(this.stage, this.cameras);
    this.items = [];
  }

  #light() {
    const sky = new THREE.HemisphereLight("#ffffff", "#59616d", 1.9);
    const sun = new THREE.DirectionalLight("#fff3dd", 1.7);
    sun.position.set(3, 6, 5);
    for (const light of [sky, sun]) {
      light.layers.enableAll();
      this.scene.add(light);
    }
  }

  /** An arrow on the floor that points to azimuth 0. */
  #compass() {
    const y = FLOOR_Y - 0.004;
    const points = [0, y, -0.45, 0, y, -1.5, 0, y, -1.5, -0.12, y, -1.3, 0, y, -1.5, 0.12, y, -1.3];
    return new THREE.LineSegments(lines(points), new THREE.LineBasicMaterial({ color: "#8d97a8" }));
  }

  /**
   * Show the cameras of a document at a frame.
   *
   * @param {{cameras: object[]}} doc
   * @param {{frame: number, selected: number, size: number, anchor: number[], aspect: number}} state size of a drawn
   *   camera in metres, where the figure stands, and the shape of the pictures
   */
  update(doc, { frame, selected, size, anchor, aspect }) {
    this.stage.position.set(...anchor);
    this.floorY = anchor[1] + FLOOR_Y;
    while (this.items.length > doc.cameras.length) this.#remove(this.items.pop());
    this.chosenTarget = poseAt(doc.cameras[selected], frame).target.join();
    doc.cameras.forEach((camera, index) => {
      this.items[index] ??= this.#create();
      this.#place(this.items[index], camera, { frame, chosen: index === selected, size, aspect });
    });
    this.#showRange(doc.cameras[0], frame);
  }

  #create() {
    const body = new THREE.LineSegments(
      lines(new Array(60).fill(0)),
      new THREE.LineBasicMaterial({ transparent: true }),
    );
    const pane = new THREE.Mesh(
      new THREE.PlaneGeometry(1, 1),
      new THREE.MeshBasicMaterial({ side: THREE.DoubleSide, transparent: true, depthWrite: false }),
    );
    const axis = new THREE.LineSegments(
      lines(new Array(6).fill(0)),
      new THREE.LineBasicMaterial({ transparent: true }),
    );
    const drop = new THREE.LineSegments(
      lines(new Array(6).fill(0)),
      new THREE.LineBasicMaterial({ transparent: true }),
    );
    const target = new THREE.LineSegments(
      lines([-0.09, 0, 0, 0.09, 0, 0, 0, -0.09, 0, 0, 0.09, 0, 0, 0, -0.09, 0, 0, 0.09]),
      new THREE.LineBasicMaterial({ transparent: true }),
    );
    const path = new THREE.Line(new THREE.BufferGeometry(), new THREE.LineBasicMaterial({ transparent: true }));
    const item = { body, pane, axis, drop, target, path, camera: null, lens: "" };
    for (const part of [body, pane, axis, drop, target, path]) {
      part.layers.set(DRAWN);
      part.frustumCulled = false;
      this.cameras.add(part);
    }
    body.matrixAutoUpdate = pane.matrixAutoUpdate = false;
    return item;
  }

  #remove(item) {
    for (const part of [item.body, item.pane, item.axis, item.drop, item.target, item.path]) {
      this.cameras.remove(part);
      disposeAll(part);
    }
  }

  #place(item, camera, { frame, chosen, size, aspect }) {
    const c2w = c2wAt(camera, frame);
    const pose = poseAt(camera, frame);
    const color = new THREE.Color(camera.color);
    const centre = [c2w[3], c2w[7], c2w[11]];
    const lens = `${camera.lens.focal_mm}/${camera.lens.sensor_width_mm}/${size}/${aspect}`;
    if (item.lens !== lens) {
      item.lens = lens;
      frustum(item, camera.lens, size, aspect);
    }
    item.body.matrix.set(...c2w);
    item.pane.matrix.set(...c2w).multiply(item.paneShape);
    set(item.axis.geometry, [...centre, ...pose.target]);
    set(item.drop.geometry, [...centre, centre[0], this.floorY, centre[2]]);
    item.target.position.set(...pose.target);
    item.target.visible = chosen || this.chosenTarget !== pose.target.join(); // one cross for all who look at it
    if (item.camera !== camera) {
      item.camera = camera;
      this.#path(item.path, camera);
    }
    for (const [part, opacity] of [
      [item.body, chosen ? 1 : 0.85],
      [item.pane, chosen ? 0.42 : 0.14],
      [item.axis, chosen ? 0.9 : 0.16],
      [item.drop, chosen ? 0.5 : 0.18],
      [item.target, chosen ? 1 : 0.3],
      [item.path, chosen ? 0.9 : 0.4],
    ]) {
      part.material.color.copy(color);
      if (chosen && part === item.body) part.material.color.lerp(new THREE.Color("#ffffff"), 0.35);
      part.material.opacity = opacity;
      part.renderOrder = chosen ? 2 : 1;
    }
  }

  #path(line, camera) {
    line.visible = isMoving(camera);
    line.geometry.dispose();
    line.geometry = new THREE.BufferGeometry();
    if (!line.visible) return;
    const { frames, c2w } = trackOf(camera);
    const points = [];
    for (let frame = 0; frame < frames; frame += 1) {
      points.push(c2w[frame * 16 + 3], c2w[frame * 16 + 7], c2w[frame * 16 + 11]);
    }
    line.geometry = lines(points);
  }

  /** Shade where the others may stand for the pair with the reference to be one that the training knew. */
  #showRange(reference, frame) {
    const pose = poseAt(reference, frame);
    const name = JSON.stringify(pose);
    if (this.rangeOf === name) return;
    this.rangeOf = name;
    if (this.range) {
      this.rig.remove(this.range);
      disposeAll(this.range);
    }
    const patch = sphericalPatch(pose, TRAINED_AZIMUTH, TRAINED_ELEVATION);
    const fill = new THREE.MeshBasicMaterial({
      color: "#35c0a5",
      transparent: true,
      opacity: 0.11,
      side: THREE.DoubleSide,
      depthWrite: false,
    });
    const edge = new THREE.LineBasicMaterial({ color: "#35c0a5", transparent: true, opacity: 0.55 });
    this.range = new THREE.Group().add(new THREE.Mesh(patch.surface, fill), new THREE.LineLoop(patch.edge, edge));
    onLayer(this.range, DRAWN);
    this.rig.add(this.range);
  }

  /** What a camera of the rig sees: the world without the drawings. */
  filming(render) {
    const { background } = this.scene;
    this.scene.background = SKY;
    this.filmedFloor.visible = true;
    render();
    this.scene.background = background;
  }

  /** The editor's own view: a dark stage with the drawings over it. */
  editing(render) {
    this.scene.background = BACKDROP;
    this.filmedFloor.visible = false;
    render();
  }

  dispose() {
    disposeAll(this.scene);
  }
}

function frustum(item, lens, size, aspect) {
  const { across } = fieldOfView(lens, aspect);
  const depth = size;
  const x = Math.min(Math.tan((across * Math.PI) / 360) * depth, size * 1.6);
  const y = x / aspect;
  const corners = [
    [-x, -y],
    [x, -y],
    [x, y],
    [-x, y],
  ].map(([cx, cy]) => [cx, cy, depth]);
  const points = [];
  corners.forEach((corner, index) => {
    points.push(0, 0, 0, ...corner, ...corner, ...corners[(index + 1) % 4]);
  });
  // which way is up in the picture: a small roof
  points.push(-x * 0.45, -y * 1.12, depth, 0, -y * 1.75, depth, 0, -y * 1.75, depth, x * 0.45, -y * 1.12, depth);
  set(item.body.geometry, points);
  item.paneShape = new THREE.Matrix4().makeScale(2 * x, 2 * y, 1).setPosition(0, 0, depth);
}

function set(geometry, numbers) {
  geometry.attributes.position.array.set(numbers);
  geometry.attributes.position.needsUpdate = true;
}

/** The part of the sphere about a pose's target within the given degrees of it. */
function sphericalPatch(pose, azimuthReach, elevationReach) {
  const steps = 16;
  const point = (u, v) => {
    const azimuth = ((pose.azimuth + azimuthReach * u) * Math.PI) / 180;
    const elevation = (Math.max(-90, Math.min(90, pose.elevation + elevationReach * v)) * Math.PI) / 180;
    return [
      pose.target[0] + pose.distance * Math.sin(azimuth) * Math.cos(elevation),
      pose.target[1] - pose.distance * Math.sin(elevation),
      pose.target[2] - pose.distance * Math.cos(azimuth) * Math.cos(elevation),
    ];
  };
  const corners = [];
  const index = [];
  for (let row = 0; row <= steps; row += 1) {
    for (let column = 0; column <= steps; column += 1) {
      corners.push(...point((2 * column) / steps - 1, (2 * row) / steps - 1));
      if (row < steps && column < steps) {
        const at = row * (steps + 1) + column;
        index.push(at, at + 1, at + steps + 1, at + 1, at + steps + 2, at + steps + 1);
      }
    }
  }
  const surface = lines(corners);
  surface.setIndex(index);
  const edge = [];
  for (let side = 0; side < 4; side += 1) {
    for (let step = 0; step < steps; step += 1) {
      const along = (2 * step) / steps - 1;
      edge.push(...[point(along, -1), point(1, along), point(-along, 1), point(-1, -along)][side]);
    }
  }
  return { surface, edge: lines(edge) };
}
