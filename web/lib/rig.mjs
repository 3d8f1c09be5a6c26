// The rig JSON in JavaScript: reads, writes and bakes the documents that syncam_core/cameras/rig_json accepts, with
// the same numbers; both run the accepted cases of tests/shared_cases/rig. What is no rig is judged by the pack's route
// (nodes/rigs/editor_route.py): here only what would break a picture of it is noticed.
//
// Metres and degrees. c2w maps camera to world; its columns are the camera's x axis (right in the picture), y axis
// (down), z axis (forward) and its centre. World: right-handed, x right, y down, z away from a camera at azimuth 0.

import { conjugate, cross, dot, matrixOf, multiply, nearestRotation, quaternionOf, quaternionOfVector, rotationVector } from "./rotations.mjs";

export const FORMAT = "syncam-rig";
export const VERSION = 1;
export const MAX_VIEWS = 64;
export const MAX_FRAMES = 10_000;
export const MAX_POSES = 64 * 2_000; // views times frames
export const MAX_NAME_LENGTH = 64;
export const PALETTE = [
  "#3399ff", "#ff8800", "#006655", "#22eeee", "#5522ff", "#aadd99",
  "#994400", "#1188aa", "#66aa99", "#3355aa", "#449955", "#00ccff",
];
export const EASES = ["none", "in", "out", "in_out", "hold"];
export const INTERPOLATIONS = ["smooth", "linear"];

const MAX_CHARACTERS = 16 * 2 ** 20;
const MAX_DEPTH = 100; // of metadata
const LENS_KEYS = ["focal_mm", "sensor_width_mm"];
const DEFAULT_LENS = { focal_mm: 24, sensor_width_mm: 23.76 };
const RADIANS = Math.PI / 180;

// Texts, which may hold digits as well, and integers that a number may not hold exactly.
const LONG_INTEGER = /"[^"\\]*(?:\\.[^"\\]*)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g;
const INTEGER_MARK = "\u0000integer ";

// Metadata with such integers: the tree with their digits, so that they are written as they were read.
const exactMetadata = new WeakMap();

// -- reading ---------------------------------------------------------------------------------------------------------

// The document of a rig JSON text:
// {frames | null, metadata | null,
//  cameras: [{name, color, lens: {focal_mm, sensor_width_mm}, interpolation, keyframes}]}
// with keyframes [{frame, ease, azimuth, elevation, distance, roll, target: [x, y, z]}] or [{frame, ease, c2w: [16]}]
// (row by row). A camera that stands still has one keyframe, at frame 0; a list of matrices has one for each frame.
// Throws an Error for a text that is no rig at all.
export function parseRig(given) {
  if (typeof given !== "string" || given.length > MAX_CHARACTERS) throw new Error("the text is no rig JSON.");
  const text = given.replace(/^\ufeff/, "");
  const { frames = null, cameras, metadata = null } = JSON.parse(text);
  if (!Array.isArray(cameras) || !cameras.length || cameras.length > MAX_VIEWS) {
    throw new Error(`a rig JSON lists from 1 to ${MAX_VIEWS} cameras.`);
  }
  if (typeof metadata !== "object" || Array.isArray(metadata) || (frames !== null && !Number.isInteger(frames))) {
    throw new Error("metadata is an object, and frames a number.");
  }
  const names = readNames(cameras);
  const doc = { frames, cameras: cameras.map((camera, index) => readCamera(camera, index, names[index])), metadata };
  const length = Math.max(frames ?? 1, frameCount(doc));
  if (!(length >= 1 && length <= Math.min(MAX_FRAMES, MAX_POSES / cameras.length))) {
    throw new Error("the rig has no frame, or more than can be shown.");
  }
  if (metadata && /\d{16}/.test(text)) {
    const marked = text.replace(LONG_INTEGER, (one) => (one[0] === '"' ? one : JSON.stringify(INTEGER_MARK + one)));
    exactMetadata.set(metadata, { tree: JSON.parse(marked).metadata, unchanged: JSON.stringify(metadata) });
  }
  return doc;
}

function readNames(cameras) {
  const given = new Set(cameras.map(({ name }) => name));
  const names = [];
  cameras.forEach(({ name }, index) => {
    let count = index + 1;
    while (name === undefined && (given.has(numbered(count)) || names.includes(numbered(count)))) count += 1;
    names.push(String(name ?? numbered(count)));
  });
  return names;
}

const numbered = (count) => `cam${String(count).padStart(2, "0")}`;

function readCamera({ color, lens, interpolation = INTERPOLATIONS[0], ...poses }, index, name) {
  const keyframes = readKeyframes(poses);
  const isList = !poses.keyframes && keyframes.length > 1;
  const millimetres = { ...DEFAULT_LENS, ...lens };
  const fits = ({ frame, ease, c2w }, at) =>
    Number.isInteger(frame) && frame > (keyframes[at - 1]?.frame ?? -1) && ease in EASE && !c2w === !keyframes[0].c2w;
  if (!keyframes.length || !keyframes.every(fits)) {
    throw new Error(`cameras[${index}] has no keyframes of one kind whose frames increase.`);
  }
  if (!LENS_KEYS.every((key) => Number.isFinite(millimetres[key]) && millimetres[key] > 0)) {
    throw new Error(`cameras[${index}] has no lens.`);
  }
  return {
    name,
    color: (color ?? PALETTE[index % PALETTE.length]).toLowerCase(),
    lens: millimetres,
    interpolation: isList ? "linear" : interpolation,
    keyframes,
  };
}

function readKeyframes({ keyframes, ...pose }) {
  if (keyframes) return keyframes.map(({ frame, ease = "none", ...given }) => ({ frame, ease, ...readPose(given) }));
  const isList = Array.isArray(pose.c2w?.[0]?.[0]);
  return (isList ? pose.c2w.map((c2w) => ({ c2w })) : [pose]).map((given, frame) => ({
    ...{ frame, ease: "none" },
    ...readPose(given),
  }));
}

function readPose({ c2w, azimuth, elevation = 0, distance, roll = 0, target = [0, 0, 0] }) {
  const matrix = c2w?.flat();
  // The last row is 0 0 0 1 in every rig; programs that multiply matrices leave rounding errors there.
  if (matrix) matrix.splice(12, 4, 0, 0, 0, 1);
  const numbers = matrix ?? [azimuth, elevation, distance, roll, ...target];
  if (numbers.length !== (matrix ? 16 : 7) || !numbers.every(Number.isFinite) || !(matrix || distance > 0)) {
    throw new Error("a camera has no pose.");
  }
  return matrix ? { c2w: matrix } : { azimuth, elevation, distance, roll, target };
}

// -- writing ---------------------------------------------------------------------------------------------------------

// The rig JSON text of a document; reading it gives the same document. A camera that stands still is written by its
// angles or its matrix, a moving one by keyframes or, where it has a matrix for every frame, by their list.
// Throws an Error that names the place of a number that is not finite.
export function writeRig(doc) {
  const length = frameCount(doc);
  const lines = ["{", `  "format": "${FORMAT}",`, `  "version": ${VERSION},`];
  if (doc.frames != null) lines.push(`  "frames": ${written(doc.frames, "frames")},`);
  const cameras = doc.cameras.map((camera, index) => cameraText(camera, length, `cameras[${index}]`));
  lines.push(`  "cameras": [\n${cameras.join(",\n")}\n  ]${doc.metadata == null ? "" : ","}`);
  if (doc.metadata != null) lines.push(`  "metadata": ${metadataText(doc.metadata)}`);
  return `${lines.join("\n")}\n}\n`;
}

function cameraText(camera, length, path) {
  const { keyframes } = camera;
  const parts = [];
  if (camera.name != null) parts.push(`"name": ${JSON.stringify(camera.name)}`);
  if (camera.color != null) parts.push(`"color": ${JSON.stringify(camera.color)}`);
  if (camera.lens) {
    const numbers = LENS_KEYS.map((key) => `"${key}": ${written(camera.lens[key], `${path}.lens.${key}`)}`);
    parts.push(`"lens": {${numbers.join(", ")}}`);
  }
  const interpolation = camera.interpolation ?? INTERPOLATIONS[0];
  const isList =
    keyframes.length > 1 &&
    keyframes.length === length &&
    interpolation === "linear" &&
    keyframes.every((one, index) => one.c2w && one.frame === index && (one.ease ?? "none") === "none");
  if (interpolation !== INTERPOLATIONS[0] && !isList) parts.push(`"interpolation": ${JSON.stringify(interpolation)}`);
  if (isList) {
    const matrices = keyframes.map((one, index) => `        ${matrixText(one.c2w, `${path}.c2w[${index}]`)}`);
    parts.push(`"c2w": [\n${matrices.join(",\n")}\n      ]`);
  } else if (keyframes.length === 1 && keyframes[0].frame === 0 && (keyframes[0].ease ?? "none") === "none") {
    parts.push(poseText(keyframes[0], path));
  } else {
    const rows = keyframes.map((one, index) => `        ${keyframeText(one, `${path}.keyframes[${index}]`)}`);
    parts.push(`"keyframes": [\n${rows.join(",\n")}\n      ]`);
  }
  return `    {\n      ${parts.join(",\n      ")}\n    }`;
}

function keyframeText(keyframe, path) {
  const ease = (keyframe.ease ?? "none") === "none" ? "" : `"ease": ${JSON.stringify(keyframe.ease)}, `;
  return `{"frame": ${written(keyframe.frame, `${path}.frame`)}, ${ease}${poseText(keyframe, path)}}`;
}

function poseText(pose, path) {
  if (pose.c2w) return `"c2w": ${matrixText(pose.c2w, `${path}.c2w`)}`;
  const parts = ["azimuth", "elevation", "distance", "roll"].map(
    (key) => `"${key}": ${written(pose[key] ?? 0, `${path}.${key}`)}`,
  );
  const target = (pose.target ?? [0, 0, 0]).map((value, axis) => written(value, `${path}.target[${axis}]`));
  return `${parts.join(", ")}, "target": [${target.join(", ")}]`;
}

// 3x4: the last row is 0 0 0 1 in every rig.
function matrixText(c2w, path) {
  const rows = [0, 1, 2].map((row) => {
    const numbers = [0, 1, 2, 3].map((column) => written(c2w[4 * row + column], `${path} row ${row}`));
    return `[${numbers.join(", ")}]`;
  });
  return `[${rows.join(", ")}]`;
}

function written(value, path) {
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw new Error(`${path} is ${String(value)}, but a finite number is needed.`);
  }
  return Object.is(value, -0) ? "-0.0" : String(value); // the shortest digits that give the number back
}

function metadataText(metadata) {
  if (typeof metadata !== "object" || Array.isArray(metadata)) {
    throw new Error("metadata is a list or a single value, but it must be an object, or be left out.");
  }
  const kept = exactMetadata.get(metadata);
  const isUnchanged = kept && JSON.stringify(metadata) === kept.unchanged;
  return jsonText(isUnchanged ? kept.tree : metadata, "metadata", 1);
}

function jsonText(value, path, depth) {
  if (typeof value === "string" && value.startsWith(INTEGER_MARK)) return value.slice(INTEGER_MARK.length);
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return written(value, path.slice(0, 120));
  if (depth > MAX_DEPTH) {
    throw new Error(`metadata is nested more than ${MAX_DEPTH} levels deep; leave the deepest ones out.`);
  }
  if (Array.isArray(value)) {
    return `[${value.map((item, index) => jsonText(item, `${path}[${index}]`, depth + 1)).join(", ")}]`;
  }
  if (typeof value !== "object") {
    throw new Error("metadata holds something that JSON cannot hold (only text, numbers, lists, objects).");
  }
  const items = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}: ${jsonText(item, `${path}.${key}`, depth + 1)}`,
  );
  return `{${items.join(", ")}}`;
}

// -- baking ----------------------------------------------------------------------------------------------------------

// The number of frames of a document: 1 when every camera stands still.
export function frameCount(doc) {
  if (!doc.cameras.some((camera) => camera.keyframes.length > 1)) return 1;
  return doc.frames ?? Math.max(...doc.cameras.map((camera) => camera.keyframes.at(-1).frame)) + 1;
}

// The matrices of every camera at every frame, {views, frames, c2w: Float64Array(views * frames * 16)}, row by row.
export function bake(doc) {
  const frames = frameCount(doc);
  const views = doc.cameras.length;
  const c2w = new Float64Array(views * frames * 16);
  doc.cameras.forEach((camera, view) => c2w.set(bakeCamera(camera, frames), view * frames * 16));
  return { views, frames, c2w };
}

function bakeCamera(camera, frames) {
  const { keyframes } = camera;
  const c2w = new Float64Array(frames * 16);
  if (keyframes.length === 1) {
    for (let frame = 0; frame < frames; frame++) c2w.set(c2wOf(keyframes[0]), 16 * frame);
    return c2w;
  }
  const between = keyframes[0].c2w ? matricesBetween(camera) : orbitsBetween(camera);
  let segment = 0;
  for (let frame = 0; frame < frames; frame++) {
    while (segment < keyframes.length - 1 && frame >= keyframes[segment + 1].frame) segment += 1;
    const time = warpedTime(keyframes, segment, frame);
    // a keyframe is met exactly, with the numbers that were written
    const isMet = time === keyframes[segment].frame;
    c2w.set(c2wOf(isMet ? keyframes[segment] : between(segment, time)), 16 * frame);
  }
  return c2w;
}

// The angles, distance and target of a camera at a frame; null for a camera that is given by matrices.
export function orbitAt(camera, frame) {
  const { keyframes } = camera;
  if (keyframes[0].c2w) return null;
  const segment = Math.max(0, keyframes.findLastIndex((one) => one.frame <= frame));
  const time = warpedTime(keyframes, segment, frame);
  const isMet = time === keyframes[segment].frame;
  const { azimuth, elevation = 0, distance, roll = 0, target = [0, 0, 0] } = isMet
    ? keyframes[segment]
    : orbitsBetween(camera)(segment, time);
  return { azimuth, elevation, distance, roll, target: [...target] };
}

function c2wOf(pose) {
  return pose.c2w ?? orbitC2w(pose.azimuth, pose.elevation ?? 0, pose.distance, pose.roll ?? 0, pose.target);
}

// The eased time of a frame in the segment that begins with a keyframe.
function warpedTime(keyframes, segment, frame) {
  const start = keyframes[segment].frame;
  if (segment === keyframes.length - 1 || frame <= start) return start;
  const length = keyframes[segment + 1].frame - start;
  const u = (frame - start) / length;
  return start + length * EASE[keyframes[segment].ease ?? "none"](u);
}

const EASE = {
  none: (u) => u,
  in: (u) => u * u,
  out: (u) => 1 - (1 - u) * (1 - u),
  in_out: (u) => u * u * (3 - 2 * u),
  hold: () => 0,
};

function orbitsBetween({ interpolation, keyframes }) {
  const at = keyframes.map((one) => one.frame);
  const curves = [
    ...["azimuth", "elevation", "distance", "roll"].map((key) => keyframes.map((one) => one[key] ?? 0)),
    ...[0, 1, 2].map((axis) => keyframes.map((one) => one.target?.[axis] ?? 0)),
  ].map((values) => curve(at, values, interpolation));
  return (segment, time) => {
    const [azimuth, elevation, distance, roll, ...target] = curves.map((value) => value(segment, time));
    return { azimuth, elevation, distance, roll, target };
  };
}

function matricesBetween({ interpolation, keyframes }) {
  const at = keyframes.map((one) => one.frame);
  const centres = [3, 7, 11].map((entry) => curve(at, keyframes.map((one) => one.c2w[entry]), interpolation));
  const turns = keyframes.map((one) => quaternionOf(nearestRotation(one.c2w)));
  const steps = turns.slice(1).map((next, index) => rotationVector(multiply(conjugate(turns[index]), next)));
  return (segment, time) => {
    const share = (time - at[segment]) / (at[segment + 1] - at[segment]);
    const c2w = matrixOf(multiply(turns[segment], quaternionOfVector(steps[segment].map((part) => share * part))));
    centres.forEach((value, row) => (c2w[4 * row + 3] = value(segment, time)));
    return { c2w };
  };
}

// A function (segment, time) -> value through the points (at[i], values[i]): straight lines, or the monotone cubic of
// Fritsch and Butland with the end slopes of PCHIP, as scipy.interpolate.PchipInterpolator computes it.
function curve(at, values, interpolation) {
  const last = at.length - 1;
  const steps = at.slice(1).map((time, i) => time - at[i]);
  const slopes = steps.map((step, i) => (values[i + 1] - values[i]) / step);
  const tangents = interpolation === "linear" || last === 1 ? null : pchipTangents(steps, slopes);
  return (segment, time) => {
    const s = time - at[segment];
    const [from, to, step, slope] = [values[segment], values[segment + 1], steps[segment], slopes[segment]];
    let value = from + slope * s;
    if (tangents) {
      const bend = (tangents[segment] + tangents[segment + 1] - 2 * slope) / step;
      value = from + s * (tangents[segment] + s * ((slope - tangents[segment]) / step - bend + s * (bend / step)));
    }
    return Math.min(Math.max(value, Math.min(from, to)), Math.max(from, to)); // both are monotone; rounding is not
  };
}

function pchipTangents(steps, slopes) {
  const tangents = [endTangent(steps[0], steps[1], slopes[0], slopes[1])];
  for (let i = 1; i < slopes.length; i++) {
    const [before, after] = [slopes[i - 1], slopes[i]];
    const weights = [2 * steps[i] + steps[i - 1], steps[i] + 2 * steps[i - 1]];
    const turns = Math.sign(before) !== Math.sign(after) || before === 0;
    tangents.push(turns ? 0 : 1 / ((weights[0] / before + weights[1] / after) / (weights[0] + weights[1])));
  }
  tangents.push(endTangent(steps.at(-1), steps.at(-2), slopes.at(-1), slopes.at(-2)));
  return tangents;
}

// The slope at an end, from three points, kept within what a monotone curve allows.
function endTangent(step, nextStep, slope, nextSlope) {
  const tangent = ((2 * step + nextStep) * slope - step * nextSlope) / (step + nextStep);
  if (Math.sign(tangent) !== Math.sign(slope)) return 0;
  if (Math.sign(slope) !== Math.sign(nextSlope) && Math.abs(tangent) > 3 * Math.abs(slope)) return 3 * slope;
  return tangent;
}

// -- orbits ----------------------------------------------------------------------------------------------------------

// A camera that looks at `target` from an angle and a distance, as a Float64Array of 16 numbers row by row.
// Its centre is target + distance (sin az cos el, -sin el, -cos az cos el).
export function orbitC2w(azimuth, elevation, distance, roll = 0, target = [0, 0, 0]) {
  const { right, down, forward } = orbitAxes(azimuth, elevation);
  const [sinRoll, cosRoll] = [Math.sin(roll * RADIANS), Math.cos(roll * RADIANS)];
  const c2w = new Float64Array(16);
  for (let row = 0; row < 3; row++) {
    c2w[4 * row] = cosRoll * right[row] + sinRoll * down[row];
    c2w[4 * row + 1] = cosRoll * down[row] - sinRoll * right[row];
    c2w[4 * row + 2] = forward[row];
    c2w[4 * row + 3] = target[row] - distance * forward[row];
  }
  c2w[15] = 1;
  return c2w;
}

function orbitAxes(azimuth, elevation) {
  const [sinAz, cosAz] = [Math.sin(azimuth * RADIANS), Math.cos(azimuth * RADIANS)];
  const [sinEl, cosEl] = [Math.sin(elevation * RADIANS), Math.cos(elevation * RADIANS)];
  return {
    right: [cosAz, 0, sinAz],
    down: [sinAz * sinEl, cosEl, -cosAz * sinEl],
    forward: [-sinAz * cosEl, sinEl, cosAz * cosEl],
  };
}

// The angles (degrees) and the distance of a camera that looks at `target`; null when it looks more than 0.01 degrees
// past it. Straight above or below the target, where azimuth and roll are one turn, all of it is azimuth.
export function orbitOf(c2w, target = [0, 0, 0]) {
  const away = [c2w[3] - target[0], c2w[7] - target[1], c2w[11] - target[2]];
  const distance = Math.hypot(...away);
  const [right, forward] = [0, 2].map((axis) => [c2w[axis], c2w[4 + axis], c2w[8 + axis]]);
  if (!(distance > 0) || !Number.isFinite(distance)) return null;
  const miss = Math.atan2(Math.hypot(...cross(forward, away)), -dot(forward, away)) / RADIANS;
  if (!(miss <= 0.01)) return null;
  const level = Math.hypot(away[0], away[2]);
  const overhead = level < 1e-9 * distance;
  const elevation = overhead ? (away[1] > 0 ? -90 : 90) : Math.atan2(-away[1], level) / RADIANS;
  const azimuth = (overhead ? Math.atan2(right[2], right[0]) : Math.atan2(away[0], -away[2])) / RADIANS;
  const axes = orbitAxes(azimuth, elevation);
  const roll = overhead ? 0 : Math.atan2(dot(right, axes.down), dot(right, axes.right)) / RADIANS;
  return { azimuth, elevation, distance, roll };
}
