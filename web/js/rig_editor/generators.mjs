// Cameras by rule, the same as syncam_core/cameras/builders.py and presets.py make, as angles that stay editable.

import { orbitC2w } from "../../lib/rig.mjs";
import { tidy } from "./camera.mjs";

const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
const RADIANS = Math.PI / 180;

/** @typedef {import("./camera.mjs").Pose & {name?: string}} NamedPose */

/**
 * The rules, in the order in which they are offered. Each has the fields of its form, as
 * [key, default, least, most, step, unit], and makes poses of their numbers.
 */
export const GENERATORS = {
  ring: {
    fields: [
      ["count", 8, 1, 64, 1, ""],
      ["from", 0, -720, 720, 5, "°"],
      ["elevation", 0, -90, 90, 5, "°"],
      ["distance", 3, 0.1, 1000, 0.25, "m"],
    ],
    make: ({ count, from, elevation, distance }) =>
      steps(count).map((view) => pose(from + (360 * view) / count, elevation, distance)),
  },
  arc: {
    fields: [
      ["count", 5, 1, 64, 1, ""],
      ["distance", 3, 0.1, 1000, 0.25, "m"],
      ["from", -30, -720, 720, 5, "°"],
      ["to", 30, -720, 720, 5, "°"],
      ["elevation", 0, -90, 90, 5, "°"],
    ],
    make: ({ count, from, to, elevation, distance }) =>
      steps(count).map((view) => pose(from + (count > 1 ? view / (count - 1) : 0) * (to - from), elevation, distance)),
  },
  line: {
    fields: [
      ["count", 5, 1, 64, 1, ""],
      ["spacing", 0.5, 0.001, 100, 0.05, "m"],
      ["azimuth", 0, -720, 720, 5, "°"],
      ["elevation", 0, -90, 90, 5, "°"],
      ["distance", 3, 0.1, 1000, 0.25, "m"],
      ["parallel", false],
    ],
    make: ({ count, spacing, parallel, ...middle }) =>
      steps(count).map((view) => beside(middle, (view - (count - 1) / 2) * spacing, parallel)),
  },
  stereo: {
    fields: [
      ["interaxial", 0.065, 0.001, 10, 0.005, "m"],
      ["azimuth", 0, -720, 720, 5, "°"],
      ["distance", 3, 0.1, 1000, 0.25, "m"],
      ["elevation", 0, -90, 90, 5, "°"],
      ["parallel", false],
    ],
    make: ({ interaxial, parallel, ...middle }) =>
      [
        ["left", -0.5],
        ["right", 0.5],
      ].map(([name, side]) => ({ name, ...beside(middle, side * interaxial, parallel) })),
  },
  dome: {
    fields: [
      ["count", 12, 1, 64, 1, ""],
      ["distance", 3, 0.1, 1000, 0.25, "m"],
      ["spread", 90, 1, 180, 5, "°"],
      ["elevation", 90, -90, 90, 5, "°"],
      ["azimuth", 0, -720, 720, 5, "°"],
    ],
    make: dome,
  },
};

export const PRESETS = [
  [
    "presetAz",
    [
      ["cam01", 30, 0, 3],
      ["cam03", 0, 0, 3],
    ],
  ],
  [
    "presetEl",
    [
      ["cam03", 0, 0, 3],
      ["cam07", 0, 20, 3 / Math.cos(20 * RADIANS)],
    ],
  ],
  [
    "presetDis",
    [
      ["cam09", 0, 0, 4],
      ["cam10", 0, 0, 5],
    ],
  ],
  [
    "presetAz90",
    [
      ["front", 0, 0, 3],
      ["side", 90, 0, 3],
    ],
  ],
  [
    "presetEl45",
    [
      ["level", 0, 0, 3],
      ["high", 0, 45, 3],
    ],
  ],
  [
    "presetClose",
    [
      ["close", 0, 0, 1.5],
      ["wide", 0, 0, 4],
    ],
  ],
  [
    "presetBoth",
    [
      ["front", 0, 0, 3],
      ["high side", 60, 30, 3],
    ],
  ],
];

/** @returns {NamedPose[]} of a preset */
export const presetPoses = (cameras) =>
  cameras.map(([name, azimuth, elevation, distance]) => ({ name, ...pose(azimuth, elevation, distance) }));

const steps = (count) => Array.from({ length: count }, (_, view) => view);

const pose = (azimuth, elevation, distance, target = [0, 0, 0]) => ({
  ...{ azimuth: tidy(azimuth, 9), elevation: tidy(elevation, 9), distance, roll: 0 },
  target,
});

/** A camera so many metres to the right of the middle one: looking at the same target, or in the same direction. */
function beside({ azimuth, elevation, distance }, metres, parallel) {
  const c2w = orbitC2w(azimuth, elevation, distance);
  const offset = [c2w[0], c2w[4], c2w[8]].map((axis) => axis * metres);
  if (parallel) return pose(azimuth, elevation, distance, offset);
  return lookingAt(
    [0, 1, 2].map((axis) => c2w[4 * axis + 3] + offset[axis]),
    azimuth,
  );
}

/** A camera at a place, looking at the origin with a level horizon. */
function lookingAt([x, y, z], azimuth) {
  const ground = Math.hypot(x, z);
  const distance = Math.hypot(x, y, z);
  const turned = ground > 1e-9 * distance ? Math.atan2(x, -z) / RADIANS : azimuth;
  return pose(turned, Math.atan2(-y, ground) / RADIANS, distance);
}

/** Evenly over a cap of the sphere, by the golden angle, from its middle outwards. */
function dome({ count, distance, spread, elevation, azimuth }) {
  const middle = orbitC2w(azimuth, elevation, distance);
  return steps(count).map((view) => {
    const share = count > 1 ? (view + 0.5) / count : 0;
    const cosine = 1 - share * (1 - Math.cos(spread * RADIANS));
    const sine = Math.sqrt(Math.max(0, 1 - cosine ** 2));
    const turn = view * GOLDEN_ANGLE;
    return lookingAt(
      [0, 4, 8].map((row) => {
        const sideways = Math.cos(turn) * middle[row] - Math.sin(turn) * middle[row + 1];
        return distance * (sine * sideways - cosine * middle[row + 2]);
      }),
      azimuth,
    );
  });
}
