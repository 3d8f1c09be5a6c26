// What the cameras film: a figure on a floor. Everything is in the rig's own axes: x right, y down, z away, metres.

import { COLORS, LIMBS, SCARF, SOLE_Y } from "../../lib/figure.mjs";
import * as THREE from "../../vendor/three/three.mjs";

export const FLOOR_Y = 0.72; // below the middle of the figure, which is where new cameras look
export const FILMED = 0; // layer of what cameras see
export const DRAWN = 1; // layer of what only the editor shows

const SCALE = FLOOR_Y / SOLE_Y; // 1.4 m, so that all of it is in a picture from 3 m through the usual lens

/** @returns {THREE.Group} a person of 1.4 m who looks at azimuth 0 and raises the left arm, beside a box */
export function figure() {
  const group = new THREE.Group();
  const material = Object.fromEntries(
    Object.entries(COLORS).map(([name, color]) => [name, new THREE.MeshLambertMaterial({ color })]),
  );
  const part = (geometry, name, place) => {
    const mesh = new THREE.Mesh(geometry, material[name]);
    mesh.position.copy(place);
    group.add(mesh);
    return mesh;
  };
  const up = new THREE.Vector3(0, 1, 0);
  for (const [name, radius, from, to] of LIMBS) {
    const [start, end] = [new THREE.Vector3(...from), new THREE.Vector3(...to)];
    const along = end.clone().sub(start);
    const length = along.length();
    const shape = length ? new THREE.CapsuleGeometry(radius, length, 4, 12) : new THREE.SphereGeometry(radius, 20, 14);
    part(shape, name, start.add(end).divideScalar(2)).quaternion.setFromUnitVectors(up, length ? along.normalize() : up);
  }
  const [scarf, ring, thickness, y] = SCARF;
  part(new THREE.TorusGeometry(ring, thickness, 8, 18), scarf, new THREE.Vector3(0, y, 0)).rotation.x = Math.PI / 2;
  const box = new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), new THREE.MeshLambertMaterial({ color: "#7b8da3" }));
  box.position.set(-1.1, SOLE_Y - 0.25, 0.9);
  box.rotation.y = 0.4;
  group.add(box);
  group.scale.setScalar(SCALE);
  return group;
}

/** @returns {THREE.Group} a floor with a line every metre, and a heavier one every five */
export function floor() {
  const group = new THREE.Group();
  const plane = new THREE.Mesh(new THREE.CircleGeometry(40, 64), new THREE.MeshLambertMaterial({ color: "#5d646f" }));
  plane.rotation.x = Math.PI / 2;
  plane.position.y = FLOOR_Y + 0.002;
  group.add(plane);
  group.add(grid(1, 20, "#7d8694"), grid(5, 20, "#a5afbd"));
  return group;
}

/** @returns {THREE.LineSegments} lines on the floor, in pieces of a step */
export function grid(step, half, color, opacity = 1) {
  const points = [];
  // Software WebGL (SwiftShader) leaves out a line of which one end is behind the eye: of a long one nothing is seen.
  for (let at = -half; at <= half; at += step) {
    for (let from = -half; from < half; from += step) {
      points.push(from, FLOOR_Y, at, from + step, FLOOR_Y, at, at, FLOOR_Y, from, at, FLOOR_Y, from + step);
    }
  }
  return new THREE.LineSegments(lines(points), new THREE.LineBasicMaterial({ color, transparent: true, opacity }));
}

/** @param {number[]} points x y z of both ends of every line, in a row */
export function lines(points) {
  const geometry = new THREE.BufferGeometry();
  geometry.setAttribute("position", new THREE.BufferAttribute(new Float32Array(points), 3));
  return geometry;
}

/** @param {THREE.Object3D} object @param {number} layer */
export function onLayer(object, layer) {
  object.traverse((part) => part.layers.set(layer));
  return object;
}

/** Free what the graphics card holds of everything below an object. */
export function disposeAll(object) {
  object.traverse((part) => {
    part.geometry?.dispose();
    for (const material of [part.material].flat()) material?.dispose();
  });
}
