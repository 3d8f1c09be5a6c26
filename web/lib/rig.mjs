// The rig JSON in JavaScript: reads, writes and bakes the same documents as syncam_core/cameras/rig_json.py, refuses
// the same ones, and gives the same numbers. The two run the same cases, tests/shared_cases/rig.
//
// Metres and degrees. c2w maps camera to world; its columns are the camera's x axis (right in the picture), y axis
// (down), z axis (forward) and its centre. World: right-handed, x right, y down, z away from a camera at azimuth 0.

import { isBlank, lengthOf, parseJson, quoted } from "./json_text.mjs";

export const FORMAT = "syncam-rig";
export const VERSION = 1;
export const MAX_VIEWS = 64;
export const MAX_FRAMES = 10_000;
export const MAX_POSES = 64 * 2_000; // views times frames
export const PALETTE = [
  "#3399ff", "#ff8800", "#006655", "#22eeee", "#5522ff", "#aadd99",
  "#994400", "#1188aa", "#66aa99", "#3355aa", "#449955", "#00ccff",
];
export const EASES = ["none", "in", "out", "in_out", "hold"];
export const INTERPOLATIONS = ["smooth", "linear"];

const MAX_CHARACTERS = 16 * 2 ** 20;
const MAX_DEPTH = 100; // of metadata
const MAX_NAME_LENGTH = 64;
const MAX_COORDINATE_M = 1e9;
const MAX_ANGLE_DEG = 1e6; // of a keyframe: beyond it the numbers between two keyframes lose their digits
const ROTATION_TOLERANCE = 1e-3;
const TOP_KEYS = ["format", "version", "cameras", "metadata", "frames"];
const ORBIT_KEYS = ["azimuth", "elevation", "distance", "roll", "target"];
const CAMERA_KEYS = ["name", "color", "lens", "c2w", ...ORBIT_KEYS, "keyframes", "interpolation"];
const KEYFRAME_KEYS = ["frame", "ease", "c2w", ...ORBIT_KEYS];
const LENS_KEYS = ["focal_mm", "sensor_width_mm"];
const DEFAULT_LENS = { focal_mm: 24, sensor_width_mm: 23.76 };
const RADIANS = Math.PI / 180;

// Metadata whose integers a number cannot hold: the tree as it was read, so that it is written as it was read.
const exactMetadata = new WeakMap();

// -- reading ---------------------------------------------------------------------------------------------------------

// The document of a rig JSON text:
// {frames | null, metadata | null,
//  cameras: [{name, color, lens: {focal_mm, sensor_width_mm}, interpolation, keyframes}]}
// with keyframes [{frame, ease, azimuth, elevation, distance, roll, target: [x, y, z]}] or [{frame, ease, c2w: [16]}]
// (row by row). A camera that stands still has one keyframe, at frame 0; a list of matrices has one for each frame.
// Throws an Error with a sentence that names the place: `cameras[1].distance`.
export function parseRig(text) {
  const document = parseJson(text, MAX_CHARACTERS);
  if (!(document instanceof Map)) {
    throw new Error(`the rig JSON is ${shown(document)}, but an object is needed: {"cameras": [...]}.`);
  }
  checkHeader(document);
  const cameras = document.get("cameras");
  if (!Array.isArray(cameras)) {
    const what = document.has("cameras") ? `cameras is ${shown(cameras)}` : "the rig JSON has no 'cameras'";
    throw new Error(`${what}, but a list of cameras is needed.`);
  }
  if (!cameras.length) throw new Error("cameras is an empty list; give at least one camera.");
  if (cameras.length > MAX_VIEWS) {
    throw new Error(
      `cameras lists ${cameras.length} cameras, but at most ${MAX_VIEWS} are possible; leave some out.`,
    );
  }
  const most = Math.min(MAX_FRAMES, Math.floor(MAX_POSES / cameras.length));
  const ofViews = cameras.length === 1 ? "a rig of 1 camera" : `a rig of ${cameras.length} cameras`;
  const limit = { most, sentence: `${ofViews} has at most ${most} frames` };
  const frames = readFrames(document, limit);
  const tracks = cameras.map((camera, index) => readPose(camera, `cameras[${index}]`, limit));
  const names = readNames(cameras);
  checkLengths(tracks, frames);
  const colors = cameras.map(readColor);
  const lenses = cameras.map((camera, index) => readLens(camera, `cameras[${index}].lens`));
  const doc = {
    frames,
    cameras: tracks.map(({ interpolation, keyframes }, index) => ({
      name: names[index],
      color: colors[index],
      lens: lenses[index],
      interpolation,
      keyframes,
    })),
    metadata: document.has("metadata") ? plainMetadata(document.get("metadata")) : null,
  };
  checkOrbits(doc);
  return doc;
}

function checkHeader(document) {
  const format = document.has("format") ? document.get("format") : FORMAT;
  if (format !== FORMAT) {
    throw new Error(`format is ${shown(format)}, but a rig JSON has the format '${FORMAT}', or none.`);
  }
  const version = document.has("version") ? document.get("version") : VERSION;
  const whole = wholeNumber(version);
  if (whole === null || whole < 1) {
    throw new Error(`version is ${shown(version)}, but it must be the number ${VERSION}, or be left out.`);
  }
  if (whole > VERSION) {
    throw new Error(
      `version is ${shown(version)}, but this release of ComfyUI-SynCam reads version ${VERSION} only; ` +
        "update the node pack, or save the rig as an older version.",
    );
  }
  checkKeys(document, TOP_KEYS, "the rig JSON");
  if (document.has("metadata")) checkMetadata(document.get("metadata"));
}

function checkMetadata(metadata) {
  if (!(metadata instanceof Map)) {
    throw new Error(`metadata is ${shown(metadata)}, but it must be an object, or be left out.`);
  }
  const open = [[metadata, "metadata", 1]];
  while (open.length) {
    const [value, path, depth] = open.pop();
    if (depth > MAX_DEPTH) {
      throw new Error(`metadata is nested more than ${MAX_DEPTH} levels deep; leave the deepest ones out.`);
    }
    const inner = [];
    for (const [key, item] of value.entries()) {
      if (typeof item === "number" || typeof item === "bigint") {
        if (!Number.isFinite(Number(item))) number(item, short(childPath(value, path, key)));
      } else if (item instanceof Map || Array.isArray(item)) {
        inner.push([item, childPath(value, path, key), depth + 1]);
      }
    }
    open.push(...inner.reverse());
  }
}

function childPath(parent, path, key) {
  return Array.isArray(parent) ? `${path}[${key}]` : `${path}.${[...key.slice(0, 120)].slice(0, 60).join("")}`;
}

function short(path) {
  return lengthOf(path) > 120 ? `${[...path].slice(0, 120).join("")}...` : path;
}

function checkKeys(given, known, path) {
  for (const key of given.keys()) {
    if (known.includes(key)) continue;
    const guess = closest(characters(key, 60).toLowerCase(), known);
    const hint = guess ? `did you mean '${guess}'?` : `possible are ${known.join(", ")}.`;
    throw new Error(`${path} has the unknown key ${quoted(key, 60)}; ${hint}`);
  }
}

function readFrames(document, limit) {
  if (!document.has("frames")) return null;
  const frames = wholeNumber(document.get("frames"));
  if (frames === null || frames < 1) {
    throw new Error(
      `frames is ${shown(document.get("frames"))}, but it must be a whole number of frames from 1, or be left out.`,
    );
  }
  if (frames > limit.most) {
    throw new Error(`frames is ${shown(document.get("frames"))}, but ${limit.sentence}; give a smaller number.`);
  }
  return frames;
}

function readNames(cameras) {
  const given = new Map();
  cameras.forEach((camera, index) => {
    if (!camera.has("name")) return;
    const name = camera.get("name");
    const problem = nameProblem(name);
    if (problem) throw new Error(`cameras[${index}] ${problem}`);
    if (given.has(name)) {
      throw new Error(
        `cameras[${index}].name is ${quoted(name)}, as is cameras[${given.get(name)}].name; ` +
          "give every camera a name of its own.",
      );
    }
    given.set(name, index);
  });
  const names = [];
  cameras.forEach((camera, index) => {
    let count = index + 1;
    while (!camera.has("name") && (given.has(numbered(count)) || names.includes(numbered(count)))) count += 1;
    names.push(camera.has("name") ? camera.get("name") : numbered(count));
  });
  return names;
}

function numbered(count) {
  return `cam${String(count).padStart(2, "0")}`;
}

function nameProblem(name) {
  if (typeof name !== "string") return "has a name that is not text; write it in quotes.";
  if (isBlank(name)) return "has an empty name; give it one, or leave the name out.";
  if (lengthOf(name) > MAX_NAME_LENGTH) {
    return `has a name of ${lengthOf(name)} characters, but at most ${MAX_NAME_LENGTH} are possible.`;
  }
  if (/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(name)) {
    return `has the name ${quoted(name)}, which holds a control character; use letters, digits and signs.`;
  }
  return null;
}

function readColor(camera, index) {
  const standard = PALETTE[index % PALETTE.length];
  const color = camera.has("color") ? camera.get("color") : standard;
  if (typeof color !== "string" || !/^#[0-9a-fA-F]{6}$/.test(color)) {
    throw new Error(`cameras[${index}].color is ${shown(color)}, but it must be written like '${standard}'.`);
  }
  return color.toLowerCase();
}

function readLens(camera, path) {
  const given = camera.has("lens") ? camera.get("lens") : new Map();
  if (!(given instanceof Map)) {
    throw new Error(`${path} is ${shown(given)}, but an object with ${LENS_KEYS.join(" and ")} is needed.`);
  }
  checkKeys(given, LENS_KEYS, path);
  const lens = { ...DEFAULT_LENS };
  for (const [key, value] of given) lens[key] = number(value, `${path}.${key}`);
  for (const key of LENS_KEYS) {
    if (!(lens[key] > 0 && lens[key] < 1e6)) {
      throw new Error(
        `${path}: the lens has ${key} ${pythonFloat(lens[key])}, but a length in millimetres above 0 is needed.`,
      );
    }
  }
  return lens;
}

function readPose(camera, path, limit) {
  if (!(camera instanceof Map)) throw new Error(`${path} is ${shown(camera)}, but an object is needed.`);
  checkKeys(camera, CAMERA_KEYS, path);
  const interpolation = readChoice(camera, "interpolation", INTERPOLATIONS, path);
  if (camera.has("keyframes")) {
    const beside = ["c2w", ...ORBIT_KEYS].find((key) => camera.has(key));
    if (beside) {
      throw new Error(`${path} has both keyframes and ${beside}; write ${beside} into the keyframes, or leave it out.`);
    }
    return { interpolation, keyframes: readKeyframes(camera.get("keyframes"), `${path}.keyframes`, limit) };
  }
  const form = formOf(camera, path, "azimuth and distance, or c2w, or keyframes");
  if (form === "angles") {
    const keyframe = { frame: 0, ease: "none", ...readOrbit(camera, path) };
    const problem = cameraProblem(c2wOf(keyframe));
    if (problem) throw new Error(`${path} ${problem}`);
    return { interpolation, keyframes: [keyframe] };
  }
  const matrices = readC2w(camera.get("c2w"), `${path}.c2w`, limit);
  return {
    interpolation: matrices.length > 1 ? "linear" : interpolation,
    keyframes: matrices.map((c2w, frame) => ({ frame, ease: "none", c2w })),
    isList: matrices.length > 1,
  };
}

// "c2w" or "angles": how a camera or a keyframe is given.
function formOf(given, path, possible) {
  const orbit = ORBIT_KEYS.filter((key) => given.has(key));
  if (given.has("c2w")) {
    if (orbit.length) {
      throw new Error(`${path} has both c2w and ${orbit[0]}; give either c2w or azimuth and distance.`);
    }
    return "c2w";
  }
  for (const key of ["azimuth", "distance"]) {
    if (!given.has(key)) {
      const beside = orbit.length ? ` ${key} beside ${orbit[0]}` : " pose";
      throw new Error(`${path} has no${beside}; give ${possible}.`);
    }
  }
  return "angles";
}

function readChoice(given, key, possible, path) {
  const choice = given.has(key) ? given.get(key) : possible[0];
  if (!possible.includes(choice)) {
    throw new Error(`${path}.${key} is ${shown(choice)}, but possible are ${possible.join(", ")}.`);
  }
  return choice;
}

function readOrbit(given, path) {
  const read = {};
  for (const key of ["azimuth", "elevation", "distance", "roll"]) {
    read[key] = number(given.has(key) ? given.get(key) : 0, `${path}.${key}`);
  }
  const target = given.has("target") ? given.get("target") : [0, 0, 0];
  if (!Array.isArray(target) || target.length !== 3) {
    throw new Error(`${path}.target is ${shown(target)}, but three numbers [x, y, z] in metres are needed.`);
  }
  read.target = target.map((value, axis) => number(value, `${path}.target[${axis}]`));
  if (!(Math.abs(read.elevation) <= 90)) {
    throw new Error(
      `${path}.elevation is ${general(read.elevation)}, ` +
        "but it must lie between -90 (straight below) and 90 (straight above).",
    );
  }
  if (!(read.distance > 0)) {
    throw new Error(`${path}.distance is ${general(read.distance)}, but it must be a number of metres above 0.`);
  }
  return read;
}

function readKeyframes(given, path, limit) {
  if (!Array.isArray(given)) throw new Error(`${path} is ${shown(given)}, but a list of keyframes is needed.`);
  if (!given.length) throw new Error(`${path} is an empty list; give at least one keyframe.`);
  if (given.length > limit.most) {
    throw new Error(`${path} lists ${given.length} keyframes, but ${limit.sentence}; leave some out.`);
  }
  const keyframes = [];
  let form = null;
  given.forEach((keyframe, index) => {
    const place = `${path}[${index}]`;
    if (!(keyframe instanceof Map)) throw new Error(`${place} is ${shown(keyframe)}, but an object is needed.`);
    checkKeys(keyframe, KEYFRAME_KEYS, place);
    const frame = readKeyframeFrame(keyframe, place, limit);
    if (index && frame <= keyframes[index - 1].frame) {
      throw new Error(
        `${place}.frame is ${frame}, but the keyframe before it has ${keyframes[index - 1].frame}; ` +
          "the frames of keyframes must increase.",
      );
    }
    const ease = readChoice(keyframe, "ease", EASES, place);
    const own = formOf(keyframe, place, "either azimuth and distance, or c2w");
    form ??= own;
    if (own !== form) {
      const [here, there] = own === "c2w" ? ["c2w", "azimuth and distance"] : ["azimuth and distance", "c2w"];
      throw new Error(
        `${place} is given by ${here}, but the keyframes before it by ${there}; ` +
          "give all keyframes of a camera in the same way.",
      );
    }
    if (form === "c2w") {
      keyframes.push({ frame, ease, c2w: readMatrix(keyframe.get("c2w"), `${place}.c2w`) });
    } else {
      const orbit = readOrbit(keyframe, place);
      checkOrbitRange(orbit, place);
      keyframes.push({ frame, ease, ...orbit });
    }
  });
  keyframes.forEach((keyframe, index) => {
    const problem = cameraProblem(c2wOf(keyframe));
    if (problem) throw new Error(`${path}[${index}]${form === "c2w" ? ".c2w" : ""} ${problem}`);
  });
  return keyframes;
}

function readKeyframeFrame(keyframe, path, limit) {
  if (!keyframe.has("frame")) throw new Error(`${path} has no frame; give its frame number, counted from 0.`);
  const frame = wholeNumber(keyframe.get("frame"));
  if (frame === null || frame < 0) {
    throw new Error(`${path}.frame is ${shown(keyframe.get("frame"))}, but a whole number from 0 is needed.`);
  }
  if (frame >= limit.most) {
    throw new Error(
      `${path}.frame is ${shown(keyframe.get("frame"))}, but ${limit.sentence}; ` +
        `the last one has the number ${limit.most - 1}.`,
    );
  }
  return frame;
}

function checkOrbitRange(orbit, path) {
  for (const key of ["azimuth", "roll"]) {
    if (!(Math.abs(orbit[key]) <= MAX_ANGLE_DEG)) {
      throw new Error(
        `${path}.${key} is ${general(orbit[key])}, but a keyframe can turn to at most ` +
          `${general(MAX_ANGLE_DEG)} degrees either way.`,
      );
    }
  }
  orbit.target.forEach((value, axis) => {
    if (!(Math.abs(value) <= MAX_COORDINATE_M)) {
      throw new Error(
        `${path}.target[${axis}] is ${general(value)}, farther than ${general(MAX_COORDINATE_M)} m from the origin; ` +
          "check the unit, positions are in metres.",
      );
    }
  });
}

function readC2w(given, path, limit) {
  if (depthOf(given) !== 3) {
    const c2w = readMatrix(given, path);
    const problem = cameraProblem(c2w);
    if (problem) throw new Error(`${path} ${problem}`);
    return [c2w];
  }
  if (given.length > limit.most) {
    throw new Error(`${path} lists ${given.length} matrices, but ${limit.sentence}; leave some out.`);
  }
  const matrices = given.map((matrix, index) => readMatrix(matrix, `${path}[${index}]`));
  matrices.forEach((c2w, index) => {
    const problem = cameraProblem(c2w);
    if (problem) throw new Error(`${path}${matrices.length > 1 ? `[${index}]` : ""} ${problem}`);
  });
  return matrices;
}

function depthOf(value) {
  let depth = 0;
  while (Array.isArray(value) && depth < 4) {
    depth += 1;
    value = value[0];
  }
  return depth;
}

function readMatrix(given, path) {
  if (!Array.isArray(given) || (given.length !== 3 && given.length !== 4)) {
    throw new Error(`${path} is ${shown(given)}, but 3 or 4 rows of 4 numbers are needed.`);
  }
  const c2w = [];
  given.forEach((row, index) => {
    if (!Array.isArray(row) || row.length !== 4) {
      throw new Error(`${path} row ${index} is ${shown(row)}, but a list of 4 numbers is needed.`);
    }
    for (const value of row) c2w.push(number(value, `${path} row ${index}`, "holds"));
  });
  const lastRow = [0, 0, 0, 1];
  // programs that multiply matrices leave rounding errors here
  if (c2w.length === 12 || lastRow.every((wanted, column) => Math.abs(c2w[12 + column] - wanted) <= 1e-6)) {
    c2w.splice(12, 4, ...lastRow);
  }
  return c2w;
}

// Lists of matrices set the number of frames; every keyframe has to lie within it.
function checkLengths(tracks, frames) {
  const lists = tracks.filter((track) => track.isList).map((track) => track.keyframes.length);
  const longest = lists.length ? Math.max(...lists) : 0;
  const owner = tracks.findIndex((track) => track.isList && track.keyframes.length === longest);
  tracks.forEach(({ isList, keyframes }, index) => {
    if (isList && keyframes.length !== longest) {
      throw new Error(
        `cameras[${index}].c2w lists ${keyframes.length} frames but cameras[${owner}].c2w ${longest}; ` +
          "give every moving camera the same number of frames.",
      );
    }
  });
  if (lists.length && frames !== null && frames !== longest) {
    throw new Error(
      `cameras[${owner}].c2w lists ${longest} frames, but frames is ${frames}; ` +
        "give one matrix for each frame, or leave frames out.",
    );
  }
  const length = frames ?? longest;
  if (!length) return;
  const what = frames !== null ? `frames is ${length}` : `cameras[${owner}].c2w lists ${length} frames`;
  tracks.forEach(({ keyframes }, index) => {
    const late = keyframes.findIndex((keyframe) => keyframe.frame >= length);
    if (late >= 0) {
      throw new Error(
        `cameras[${index}].keyframes[${late}].frame is ${keyframes[late].frame}, but ${what}, ` +
          `so the last one has the number ${length - 1}; move the keyframe, or give more frames.`,
      );
    }
  });
}

// Between two keyframes a camera far from the origin may swing out of bounds, which only baking tells.
function checkOrbits(doc) {
  doc.cameras.forEach((camera, index) => {
    if (camera.keyframes.length < 2 || camera.keyframes[0].c2w) return;
    const reach = Math.max(...camera.keyframes.map((one) => Math.max(...one.target.map(Math.abs)) + one.distance));
    if (reach <= MAX_COORDINATE_M) return;
    const frames = frameCount(doc);
    const c2w = bakeCamera(camera, frames);
    for (let frame = 0; frame < frames; frame++) {
      const problem = cameraProblem(c2w.subarray(16 * frame, 16 * frame + 16));
      if (problem) throw new Error(`cameras[${index}].keyframes: at frame ${frame} the camera ${problem}`);
    }
  });
}

function plainMetadata(tree) {
  let exact = true;
  const plain = (value) => {
    if (typeof value === "bigint") {
      exact = false;
      return Number(value);
    }
    if (Array.isArray(value)) return value.map(plain);
    if (!(value instanceof Map)) return value;
    return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  };
  const metadata = plain(tree);
  if (!exact) exactMetadata.set(metadata, { tree, unchanged: JSON.stringify(metadata) });
  return metadata;
}

// What keeps a matrix (16 numbers) from being a rigid pose: half a sentence, or null.
export function cameraProblem(c2w) {
  if (!c2w.every(Number.isFinite)) return "holds NaN or an infinite number; every number must be finite.";
  const isLastRow = (row) => row[0] === 0 && row[1] === 0 && row[2] === 0 && row[3] === 1;
  const last = [c2w[12], c2w[13], c2w[14], c2w[15]];
  if (!isLastRow(last)) {
    const transposed = isLastRow([c2w[3], c2w[7], c2w[11], c2w[15]]);
    const hint = transposed ? " (it looks transposed: the position belongs in the last column)" : "";
    return `has the last row ${last.map((value) => general(value)).join(" ")}, but it must be 0 0 0 1${hint}.`;
  }
  const axes = [0, 1, 2].map((axis) => [c2w[axis], c2w[4 + axis], c2w[8 + axis]]);
  const gram = axes.map((one) => axes.map((other) => dot(one, other)));
  const off = (matrix, scale) =>
    Math.max(...matrix.flatMap((row, i) => row.map((value, j) => Math.abs(value / scale - (i === j ? 1 : 0)))));
  const deviation = off(gram, 1);
  if (deviation <= ROTATION_TOLERANCE) {
    if (!(dot(axes[0], cross(axes[1], axes[2])) > 0)) {
      return (
        "is mirrored (determinant -1): one of its axes points the wrong way; the columns must be right, down, " +
        "forward in a right-handed world, so turn one axis round or convert the world axes first."
      );
    }
    const position = [c2w[3], c2w[7], c2w[11]];
    if (position.every((value) => Math.abs(value) <= MAX_COORDINATE_M)) return null;
    return (
      `stands at ${position.map((value) => general(value)).join(" ")} m, ` +
      `farther than ${general(MAX_COORDINATE_M)} m from the origin; check the unit, positions are in metres.`
    );
  }
  const squares = [gram[0][0], gram[1][1], gram[2][2]];
  const lengths = squares.map(Math.sqrt);
  const mean = (lengths[0] + lengths[1] + lengths[2]) / 3;
  const spread = Math.max(...lengths) - Math.min(...lengths);
  if (spread <= ROTATION_TOLERANCE * Math.max(...lengths) && Math.abs(mean - 1) > 1e-3) {
    if (off(gram, (squares[0] + squares[1] + squares[2]) / 3) <= ROTATION_TOLERANCE) {
      return `is scaled by ${general(mean)}, but its three axes must have the length 1.`;
    }
  }
  return (
    "is not a rotation: its three axes must be perpendicular and of length 1, but R^T R differs from the " +
    `identity by ${general(deviation, 3)} (up to ${general(ROTATION_TOLERANCE)} is accepted).`
  );
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
  const kept = exactMetadata.get(metadata);
  if (kept && JSON.stringify(metadata) === kept.unchanged) return jsonText(kept.tree, "metadata", 1);
  if (typeof metadata !== "object" || Array.isArray(metadata)) {
    throw new Error(`metadata is ${shown(metadata)}, but it must be an object, or be left out.`);
  }
  return jsonText(metadata, "metadata", 1);
}

function jsonText(value, path, depth) {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") return written(value, short(path));
  if (depth > MAX_DEPTH) {
    throw new Error(`metadata is nested more than ${MAX_DEPTH} levels deep; leave the deepest ones out.`);
  }
  if (Array.isArray(value)) {
    return `[${value.map((item, index) => jsonText(item, `${path}[${index}]`, depth + 1)).join(", ")}]`;
  }
  if (typeof value !== "object") {
    throw new Error("metadata holds something that JSON cannot hold (only text, numbers, lists, objects).");
  }
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  const items = entries.map(([key, item]) => `${JSON.stringify(key)}: ${jsonText(item, `${path}.${key}`, depth + 1)}`);
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

// -- rotations (quaternions as [x, y, z, w]) -------------------------------------------------------------------------

// The rotation nearest to a matrix that is one up to rounding (3x3 rows): Newton's iteration for the polar factor.
function nearestRotation(c2w) {
  let rows = [0, 4, 8].map((row) => [c2w[row], c2w[row + 1], c2w[row + 2]]);
  for (let step = 0; step < 6; step++) {
    const cofactors = [0, 1, 2].map((i) => cross(rows[(i + 1) % 3], rows[(i + 2) % 3]));
    const determinant = dot(rows[0], cofactors[0]);
    rows = rows.map((row, i) => row.map((value, j) => (value + cofactors[i][j] / determinant) / 2));
  }
  return rows;
}

function quaternionOf([[a, b, c], [d, e, f], [g, h, i]]) {
  // of four equal formulas the one with the largest divisor
  const squares = [1 + a - e - i, 1 - a + e - i, 1 - a - e + i, 1 + a + e + i]; // 4x^2, 4y^2, 4z^2, 4w^2
  const candidates = [
    [squares[0], b + d, c + g, h - f],
    [b + d, squares[1], f + h, c - g],
    [c + g, f + h, squares[2], d - b],
    [h - f, c - g, d - b, squares[3]],
  ];
  return normalized(candidates[squares.indexOf(Math.max(...squares))]);
}

function normalized(quaternion) {
  const length = Math.hypot(...quaternion);
  return quaternion.map((part) => part / length);
}

function conjugate([x, y, z, w]) {
  return [-x, -y, -z, w];
}

function multiply([x, y, z, w], [X, Y, Z, W]) {
  return [
    w * X + x * W + y * Z - z * Y,
    w * Y - x * Z + y * W + z * X,
    w * Z + x * Y - y * X + z * W,
    w * W - x * X - y * Y - z * Z,
  ];
}

// Axis times angle (radians) along the shorter arc. Of the two half turns it is the one to the right: about the
// camera's own down axis, else about its right axis, else clockwise.
function rotationVector(given) {
  const [x, y, z, w] = given;
  const leading = Math.abs(w) >= 1e-9 ? w : [y, x, z].find((part) => Math.abs(part) > 1e-6);
  const [X, Y, Z, W] = leading < 0 ? [-x, -y, -z, -w] : given;
  const sine = Math.hypot(X, Y, Z);
  const scale = sine < 1e-12 ? 2 : (2 * Math.atan2(sine, W)) / sine;
  return [scale * X, scale * Y, scale * Z];
}

function quaternionOfVector(vector) {
  const angle = Math.hypot(...vector);
  const scale = angle < 1e-12 ? 0.5 : Math.sin(angle / 2) / angle;
  return [...vector.map((part) => scale * part), Math.cos(angle / 2)];
}

function matrixOf(quaternion) {
  const [x, y, z, w] = normalized(quaternion);
  const c2w = new Float64Array(16);
  c2w.set([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], 0);
  c2w.set([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], 4);
  c2w.set([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], 8);
  c2w[15] = 1;
  return c2w;
}

function dot(a, b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a, b) {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

// -- sentences -------------------------------------------------------------------------------------------------------

function number(value, path, verb = "is") {
  if (typeof value === "string") {
    throw new Error(`${path} ${verb} ${shown(value)}, but a number is needed; write it without quotes.`);
  }
  if (typeof value !== "number" && typeof value !== "bigint") {
    throw new Error(`${path} ${verb} ${shown(value)}, but a number is needed.`);
  }
  const read = Number(value);
  if (Number.isNaN(read)) throw new Error(`${path} ${verb} NaN, but a finite number is needed.`);
  if (!Number.isFinite(read)) {
    throw new Error(`${path} ${verb} an infinite or far too large number, but a finite number is needed.`);
  }
  return read;
}

function wholeNumber(value) {
  if (typeof value !== "number" && typeof value !== "bigint") return null;
  return Number.isInteger(Number(value)) ? Number(value) : null;
}

function shown(value) {
  if (Array.isArray(value)) return value.length ? `a list of ${value.length} items` : "an empty list";
  if (value instanceof Map) return value.size ? `an object of ${value.size} keys` : "an empty object";
  if (typeof value === "string") return `the text ${quoted(value, 40)}`;
  if (typeof value === "bigint") return String(value).slice(0, 40);
  if (typeof value !== "number") return String(value);
  return Number.isSafeInteger(value) ? String(value) : pythonFloat(value);
}

// A number with `digits` significant digits, as Python's format "g" writes it.
function general(value, digits = 6) {
  if (!Number.isFinite(value)) return String(value).replace("Infinity", "inf").replace("NaN", "nan");
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  if (exponent >= -4 && exponent < digits) {
    const fixed = value.toFixed(Math.max(0, digits - 1 - exponent));
    const trimmed = fixed.includes(".") ? fixed.replace(/\.?0+$/, "") : fixed;
    return Object.is(value, -0) ? "-0" : trimmed;
  }
  return withExponent(mantissa.includes(".") ? mantissa.replace(/\.?0+$/, "") : mantissa, exponent);
}

// A number as Python prints a float.
function pythonFloat(value) {
  if (!Number.isFinite(value)) return general(value);
  const [mantissa, exponent] = value.toExponential().split("e");
  if (exponent < -4 || exponent >= 16) return withExponent(mantissa, exponent);
  return Number.isInteger(value) ? `${Object.is(value, -0) ? "-0" : value}.0` : String(value);
}

function withExponent(mantissa, exponent) {
  const power = Math.abs(exponent);
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${power < 10 ? "0" : ""}${power}`;
}

function characters(text, most) {
  return [...text.slice(0, 2 * most)].slice(0, most).join("");
}

// The known word that is most like a mistyped one, or null: the similarity of Python's difflib, of at least 0.6.
function closest(word, known) {
  let best = null;
  for (const one of known) {
    const ratio = (2 * matching(one, word)) / (one.length + word.length);
    const isBetter = !best || ratio > best.ratio || (ratio === best.ratio && one > best.one);
    if (ratio >= 0.6 && isBetter) best = { ratio, one };
  }
  return best?.one ?? null;
}

function matching(a, b) {
  let [size, i, j] = [0, 0, 0];
  for (let x = 0; x < a.length; x++) {
    for (let y = 0; y < b.length; y++) {
      let run = 0;
      while (x + run < a.length && y + run < b.length && a[x + run] === b[y + run]) run += 1;
      if (run > size) [size, i, j] = [run, x, y];
    }
  }
  if (!size) return 0;
  return size + matching(a.slice(0, i), b.slice(0, j)) + matching(a.slice(i + size), b.slice(j + size));
}
