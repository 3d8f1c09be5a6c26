// The moves of the ReCamMaster release as keyframes, the same as syncam_core/cameras/trajectories.py makes. All begin
// level, `distance` in front of the origin, which moves 7 to 10 keep in the picture.

import { orbitC2w } from "../../lib/rig.mjs";

const RADIANS = Math.PI / 180;
const LATENT = 4; // frames: the model reads every fourth, where keyframes meet the authors' numbers exactly

const pan = (degrees, distance) => turned(-degrees, 0, distance);
const tilt = (degrees, distance) => turned(0, -degrees, distance);
const zoom = (metres, distance) => ({ azimuth: 0, elevation: 0, distance, target: [0, 0, metres] });
const crane = (metres, distance) => lookingAt([0, -metres, -distance]);
const orbit = (degrees, distance) => ({ azimuth: degrees, elevation: 0, distance, target: [0, 0, 0] });

/** Key, name, the authors' total, and the pose that a camera has after so much of it. */
export const MOVES = {
  panRight: ["pan right", 20, pan],
  panLeft: ["pan left", -20, pan],
  tiltUp: ["tilt up", 10, tilt],
  tiltDown: ["tilt down", -10, tilt],
  zoomIn: ["zoom in", 2, zoom],
  zoomOut: ["zoom out", -2, zoom],
  translateUp: ["translate up", 1, crane],
  translateDown: ["translate down", -1, crane],
  arcLeft: ["arc left", -30, orbit],
  arcRight: ["arc right", 30, orbit],
};
const STRAIGHT = [zoom, orbit]; // two keyframes say all of them

/** The rule in the form of `GENERATORS`: cameras with keyframes instead of one pose. */
export const trajectories = {
  fields: [
    ["move", "allMoves", ["allMoves", ...Object.keys(MOVES)]],
    ["amount", 1, -100, 100, 0.1, ""],
    ["distance", 4, 0.1, 1000, 0.25, "m"],
    ["path", "chord", ["chord", "trueOrbit"]],
    ["length", 81, 5, 2001, 4, ""],
  ],
  make: ({ move, ...rest }) => (move === "allMoves" ? Object.keys(MOVES) : [move]).map((key) => trajectory(key, rest)),
};

function trajectory(key, { amount, distance, path, length }) {
  const [name, total, pose] = MOVES[key];
  const last = LATENT * Math.max(1, Math.round((length - 1) / LATENT));
  const chord = pose === orbit && path === "chord";
  const end = chord && centreOf(orbit(total * amount, distance));
  const step = STRAIGHT.includes(pose) && !chord ? last : LATENT;
  const keyframes = [];
  for (let frame = 0; frame <= last; frame += step) {
    const share = frame / (last + 0.5); // the last frame of the authors' files is not quite the end
    const at = chord
      ? lookingAt([0, 1, 2].map((axis) => (axis === 2 ? -distance : 0) + share * (end[axis] - (axis === 2 ? -distance : 0))))
      : pose(total * amount * share, distance);
    keyframes.push({ frame, ease: "none", roll: 0, ...at });
  }
  return { name, interpolation: "linear", keyframes };
}

/** Turned on its spot, the target with it. */
function turned(azimuth, elevation, distance) {
  const c2w = orbitC2w(azimuth, elevation, distance);
  const target = [2, 6, 10].map((entry, axis) => (axis === 2 ? -distance : 0) + distance * c2w[entry]);
  return { azimuth, elevation, distance, target };
}

function lookingAt([x, y, z]) {
  const ground = Math.hypot(x, z);
  return {
    azimuth: Math.atan2(x, -z) / RADIANS,
    elevation: Math.atan2(-y, ground) / RADIANS,
    distance: Math.hypot(x, y, z),
    target: [0, 0, 0],
  };
}

const centreOf = ({ azimuth, elevation, distance }) => {
  const c2w = orbitC2w(azimuth, elevation, distance);
  return [c2w[3], c2w[7], c2w[11]];
};
