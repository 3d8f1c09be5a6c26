// The rig's axes (x right, y down, z away) in those of three.js (x right, y up, z near), and back.

import * as THREE from "../../vendor/three/three.mjs";

/** Half a turn about x, from one to the other. */
export const FLIP = new THREE.Matrix4().makeScale(1, -1, -1);

/** @param {ArrayLike<number>} c2w row-major camera-to-world, OpenCV axes @param {THREE.Camera} camera in three.js axes */
export function placeCamera(camera, c2w) {
  camera.matrixAutoUpdate = false;
  camera.matrix
    .set(...c2w)
    .multiply(FLIP)
    .premultiply(FLIP);
  camera.matrixWorld.copy(camera.matrix);
  camera.matrixWorldInverse.copy(camera.matrix).invert();
}

/** @param {number[]} point in the rig's axes @returns {THREE.Vector3} in the axes of three.js */
export const toThree = (point) => new THREE.Vector3(point[0], -point[1], -point[2]);

/** @param {THREE.Vector3} point @returns {number[]} */
export const toRig = (point) => [point.x, -point.y, -point.z];
