// Cameras as the editor handles them: reading and changing the pose of a camera at a frame.
//
// A camera is what rig.mjs makes of it: {name, color, lens, interpolation, keyframes}. Cameras and documents are never
// changed in place; every change makes a new object, so history is a list of documents and caches can hang on cameras.

import { MAX_VIEWS, PALETTE, bake, orbitAt, orbitC2w, orbitOf } from "../../lib/rig.mjs";

/**
 * @typedef {{azimuth: number, elevation: number, distance: number, roll: number, target: number[]}} Pose
 * degrees and metres, as in the rig JSON
 */

export const DEFAULT_LENS = { focal_mm: 24, sensor_width_mm: 23.76 };
export const PICTURE_ASPECT = 832 / 480; // of the videos that the model makes
export const SHORTEST_M = 0.1;

const tracks = new WeakMap();

/**
 * All poses of one camera.
 *
 * @returns {{frames: number, c2w: Float64Array}} row-major 4 x 4 per frame; one frame when it stands still
 */
export function trackOf(camera) {
  let track = tracks.get(camera);
  if (!track) {
    const { frames, c2w } = bake({ frames: null, cameras: [camera], metadata: null });
    track = { frames, c2w };
    tracks.set(camera, track);
  }
  return track;
}

/** @returns {Float64Array} row-major camera-to-world at a frame; a camera holds after its last keyframe */
export function c2wAt(camera, frame) {
  const { frames, c2w } = trackOf(camera);
  const index = Math.min(Math.max(Math.round(frame), 0), frames - 1);
  return c2w.subarray(index * 16, index * 16 + 16);
}

/**
 * Where the figure stands, and what cameras that are given by matrices are taken to look at.
 *
 * A rig that was written around the origin has it there. One from a file may be anywhere: then it is the point that its
 * cameras look at in common, or what the first of them looks at.
 *
 * @param {object} doc
 * @param {number[] | null} common
 */
export function anchorOf(doc, common) {
  const near = (point) => Math.hypot(...point) < 1.5;
  const [first] = doc.cameras;
  const point = usesMatrices(first) ? common : first.keyframes[0].target;
  return !point || near(point) ? [0, 0, 0] : point.map((value) => tidy(value, 4));
}

/** The document with every matrix camera told what it looks at. The note is the editor's own and is not written. */
export const anchored = (doc, about) => ({
  ...doc,
  cameras: doc.cameras.map((camera) => (usesMatrices(camera) ? { ...camera, about } : camera)),
});

export const isMoving = (camera) => camera.keyframes.length > 1;
export const usesMatrices = (camera) => camera.keyframes.some((key) => key.c2w);
export const keyAt = (camera, frame) => camera.keyframes.findIndex((key) => key.frame === frame);

/** @returns {Pose} in angles at a frame */
export const poseAt = (camera, frame) => orbitAt(camera, frame) ?? poseOfMatrix(c2wAt(camera, frame), camera.about);

/** The pose of any camera-to-world matrix: its target is the point of its axis that is nearest to a given one. */
function poseOfMatrix(c2w, about = [0, 0, 0]) {
  const exact = orbitOf(c2w, about);
  if (exact) return { ...tidyAngles(exact), target: [...about] };
  const centre = [c2w[3], c2w[7], c2w[11]];
  const forward = [c2w[2], c2w[6], c2w[10]];
  const along = [0, 1, 2].reduce((sum, axis) => sum + (about[axis] - centre[axis]) * forward[axis], 0);
  const distance = along > 0.2 ? along : 3;
  const target = centre.map((value, axis) => value + distance * forward[axis]);
  return { ...tidyAngles(orbitOf(c2w, target) ?? { azimuth: 0, elevation: 0, distance, roll: 0 }), target };
}

const tidyAngles = (pose) => Object.fromEntries(Object.entries(pose).map(([key, value]) => [key, tidy(value, 9)]));

/**
 * The camera with another pose at a frame.
 *
 * A still camera changes as a whole. A moving one gets a keyframe at the frame if there is none, and so does a still one
 * whose first key has been set (`isKeyed`, the editor's own note, which is not written).
 *
 * @param {Partial<Pose>} change
 */
export function withPose(camera, frame, change) {
  const pose = limited({ ...poseAt(camera, frame), ...change });
  const still = !isMoving(camera) && !(camera.isKeyed && frame !== camera.keyframes[0].frame);
  const index = still ? 0 : keyAt(camera, frame);
  const old = camera.keyframes[index];
  const at = still ? camera.keyframes[0].frame : frame;
  const key = { frame: at, ease: old?.ease ?? "none" };
  // A still camera that came as a matrix is written in angles from now on; in a moving one all keyframes are alike.
  if (usesMatrices(camera) && !still) key.c2w = Array.from(matrixOf(pose));
  else Object.assign(key, pose);
  const others = camera.keyframes.filter((_, other) => other !== index);
  return { ...camera, keyframes: [...others, key].sort((a, b) => a.frame - b.frame) };
}

/**
 * The cameras with another pose of one of them, and the same change for those that are chosen with it.
 *
 * @param {object[]} cameras
 * @param {number} chosen
 * @param {Set<number>} others
 * @param {number} frame
 * @param {Partial<Pose>} change
 */
export function movedTogether(cameras, chosen, others, frame, change) {
  const before = poseAt(cameras[chosen], frame);
  const moved = withPose(cameras[chosen], frame, change);
  if (!others.size) return cameras.map((camera, index) => (index === chosen ? moved : camera));
  const after = poseAt(moved, frame);
  return cameras.map((camera, index) => {
    if (index === chosen) return moved;
    if (!others.has(index)) return camera;
    const now = poseAt(camera, frame);
    const shifted = Object.keys(change).map((key) => [
      key,
      key === "target"
        ? now.target.map((value, axis) => value + after.target[axis] - before.target[axis])
        : tidy(now[key] + after[key] - before[key], 6),
    ]);
    return withPose(camera, frame, Object.fromEntries(shifted));
  });
}

/** The camera with a keyframe at the frame that holds what is seen there. */
export function withKeyframe(camera, frame) {
  if (keyAt(camera, frame) >= 0) return camera;
  const key = { frame, ease: "none" };
  if (usesMatrices(camera)) key.c2w = Array.from(c2wAt(camera, frame));
  else Object.assign(key, poseAt(camera, frame));
  return { ...camera, keyframes: [...camera.keyframes, key].sort((a, b) => a.frame - b.frame) };
}

export const matrixOf = (pose) => orbitC2w(pose.azimuth, pose.elevation, pose.distance, pose.roll, pose.target);

function limited(pose) {
  const elevation = Math.min(90, Math.max(-90, pose.elevation));
  return { ...pose, elevation, distance: Math.max(SHORTEST_M, pose.distance), target: [...pose.target] };
}

/** @param {Partial<Pose>} pose @returns a still camera with a name and colour that the document does not have yet */
export function newCamera(cameras, pose, name = "", lens = DEFAULT_LENS) {
  const key = {
    ...{ frame: 0, ease: "none", azimuth: 0, elevation: 0, distance: 3, roll: 0, target: [0, 0, 0] },
    ...pose,
  };
  return {
    ...{ name: freeName(cameras, name), color: freeColor(cameras), lens: { ...lens } },
    ...{ interpolation: "smooth", keyframes: [key] },
  };
}

/** A name like the given one that no camera has: `front`, `front 2`, ..., or `cam03` without one. */
export function freeName(cameras, wish = "") {
  const taken = new Set(cameras.map((camera) => camera.name));
  const stem = wish.replace(/ \d+$/, "").slice(0, 60);
  let number = stem ? 2 : cameras.length + 1;
  let name = stem && !taken.has(wish) ? wish : "";
  while (!name || taken.has(name)) {
    name = stem ? `${stem} ${number}` : `cam${String(number).padStart(2, "0")}`;
    number += 1;
  }
  return name;
}

export function freeColor(cameras) {
  const uses = PALETTE.map((color) => cameras.filter((camera) => camera.color === color).length);
  return PALETTE[uses.indexOf(Math.min(...uses))];
}

export const hasRoom = (cameras, more = 1) => cameras.length + more <= MAX_VIEWS;

/** Degrees across and down of a lens in a picture of a shape, the videos' if no other is said. */
export function fieldOfView(lens, aspect = PICTURE_ASPECT) {
  const half = lens.sensor_width_mm / 2 / lens.focal_mm;
  return {
    across: (2 * Math.atan(half) * 180) / Math.PI,
    down: (2 * Math.atan(half / aspect) * 180) / Math.PI,
  };
}

/** The number of `angle` plus full turns that lies nearest to `near`, so that a drag never jumps. */
export const unwrap = (angle, near) => angle + 360 * Math.round((near - angle) / 360);

/** Rounded as the editor writes it, without the noise of binary fractions. */
export const tidy = (value, digits = 3) => {
  const rounded = Number(Number(value).toFixed(digits));
  return rounded === 0 ? 0 : rounded;
};
