// Cameras by rule, the same as syncam_core/cameras/builders.py and presets.py make, as angles that stay editable.

import { PALETTE, orbitC2w, orbitOf } from "../../lib/rig.mjs";
import { tidy } from "./camera.mjs";
import { trajectories } from "./trajectories.mjs";

const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
const RADIANS = Math.PI / 180;

/** @typedef {import("./camera.mjs").Pose & {name?: string, color?: string}} NamedPose */

const count = (usual) => ["count", usual, 1, 64, 1, ""];
const azimuth = ["azimuth", 0, -720, 720, 5, "°"];
const elevation = (usual = 0) => ["elevation", usual, -90, 90, 5, "°"];
const distance = ["distance", 3, 0.1, 1000, 0.25, "m"];
const spacing = (key) => [key, 0.5, 0.001, 100, 0.05, "m"];
const rise = ["rise", 0, -180, 180, 5, "°"];
const pushIn = ["pushIn", 0, -1000, 1000, 0.25, "m"];

/**
 * The rules, in the order in which they are offered. Each has the fields of its form, as
 * [key, default, least, most, step, unit], [key, false] for a switch, or [key, default, [choice, ...]], and makes poses
 * of their values. `idle` are the fields that do nothing with these values.
 */
export const GENERATORS = {
  ring: {
    fields: [count(8), ["from", 0, -720, 720, 5, "°"], elevation(), distance],
    make: ({ count, from, elevation, distance }) =>
      steps(count).map((view) => pose(from + (360 * view) / count, elevation, distance)),
  },
  arc: {
    fields: [
      ...[count(5), distance, ["from", -30, -720, 720, 5, "°"], ["to", 30, -720, 720, 5, "°"]],
      ...[elevation(), rise, pushIn],
    ],
    make: arc,
  },
  bullet: {
    fields: [count(24), distance, azimuth, ["sweep", 120, 1, 720, 5, "°"], elevation(10), rise, pushIn],
    make: bulletTime,
  },
  line: {
    fields: [
      ...[count(5), spacing("spacing"), azimuth, elevation(), distance],
      ...[
        ["direction", "horizontal", ["horizontal", "vertical", "depth"]],
        ["parallel", false],
      ],
    ],
    make: line,
  },
  grid: {
    fields: [
      ["columns", 3, 1, 64, 1, ""],
      ["rows", 2, 1, 64, 1, ""],
      ...[spacing("columnSpacing"), spacing("rowSpacing"), azimuth, elevation(), distance, ["parallel", false]],
    ],
    make: grid,
  },
  stereo: {
    fields: [
      ["interaxial", 0.065, 0.001, 10, 0.005, "m"],
      ["convergence", 3, 0.1, 100000, 0.25, "m"],
      ...[azimuth, elevation(), distance, ["parallel", false]],
    ],
    idle: ({ parallel }) => (parallel ? ["convergence"] : []), // then the pictures are shifted afterwards
    make: stereo,
  },
  dome: {
    fields: [count(12), distance, ["spread", 90, 1, 180, 5, "°"], elevation(90), azimuth],
    make: dome,
  },
  closeWide: {
    fields: [
      ["close", 1.5, 0.1, 1000, 0.25, "m"],
      ["wide", 4, 0.1, 1000, 0.25, "m"],
      ...[azimuth, elevation()],
    ],
    make: ({ close, wide, azimuth, elevation }) => {
      if (close >= wide) throw new GeneratorError("closeNotNearer");
      return [
        { name: "close", ...pose(azimuth, elevation, close) },
        { name: "wide", ...pose(azimuth, elevation, wide) },
      ];
    },
  },
  trajectories,
};

/** Numbers that make no rig; the message is the key of a text. */
export class GeneratorError extends Error {}

const level = (name, azimuth, distance) => [name, azimuth, 0, distance];
/** Straight above cam03, 3 m from the subject along the floor, so that the distance grows with the elevation. */
const above = (name, elevation) => [name, 0, elevation, 3 / Math.cos(elevation * RADIANS)];

/** The cameras of the authors' example file. */
const EXAMPLES = [
  ...[level("cam01", 30, 3), level("cam02", 15, 3), level("cam03", 0, 3), level("cam04", -15, 3)],
  ...[level("cam05", -30, 3), above("cam06", 10), above("cam07", 20), above("cam08", 30)],
  ...[level("cam09", 0, 4), level("cam10", 0, 5)],
];
const examples = (...numbers) => numbers.map((number) => EXAMPLES[number - 1]);

export const PRESETS = [
  ["presetAz", examples(1, 3)],
  ["presetEl", examples(3, 7)],
  ["presetDis", examples(9, 10)],
  ["presetTen", EXAMPLES],
  ["presetAz90", [level("front", 0, 3), level("side", 90, 3)]],
  ["presetEl45", [level("level", 0, 3), ["high", 0, 45, 3]]],
  ["presetClose", [level("close", 0, 1.5), level("wide", 0, 4)]],
  ["presetBoth", [level("front", 0, 3), ["high side", 60, 30, 3]]],
  // of two people who face each other across azimuth 0: all cameras stay on one side of the line between them
  ["presetInterview", [level("wide", 0, 4), level("A", 25, 2), level("B", -25, 2)]],
  ["presetShoulder", [level("master", 0, 4), ["over A", 65, 8, 2.4], ["over B", -65, 8, 2.4]]],
];

/** @returns {NamedPose[]} of a preset */
export const presetPoses = (cameras) =>
  cameras.map(([name, azimuth, elevation, distance]) => ({ name, ...pose(azimuth, elevation, distance) }));

const steps = (count) => Array.from({ length: count }, (_, view) => view);

const pose = (azimuth, elevation, distance, target = [0, 0, 0]) => ({
  ...{ azimuth: tidy(azimuth, 9), elevation: tidy(elevation, 9), distance, roll: 0 },
  target,
});

function arc({ count, from, to, elevation, distance, rise, pushIn }) {
  if (count > 1 && (to - from) % 360 === 0 && !rise && !pushIn) throw new GeneratorError("arcMeetsItself");
  return steps(count).map((view) => {
    const part = count > 1 ? view / (count - 1) : 0;
    return pose(from + part * (to - from), elevation + part * rise, tidy(distance - part * pushIn, 12));
  });
}

/** A dense arc. View 0 is the camera in the middle; the names, and with them the colours, follow the arc. */
function bulletTime({ azimuth, sweep, ...rest }) {
  const half = rest.count > 1 ? sweep / 2 : 0;
  const poses = arc({ ...rest, from: azimuth - half, to: azimuth + half }).map((one, at) => ({
    ...one,
    name: `cam${String(at + 1).padStart(2, "0")}`,
    color: PALETTE[at % PALETTE.length],
  }));
  const [reference] = poses.splice((poses.length - 1) >> 1, 1);
  return [reference, ...poses];
}

function line({ count, spacing, direction, parallel, ...middle }) {
  const along = steps(count).map((view) => (view - (count - 1) / 2) * spacing);
  if (direction === "depth" && along.at(-1) >= middle.distance) throw new GeneratorError("rowReachesTarget");
  const offset = {
    horizontal: (step) => [step, 0, 0],
    vertical: (step) => [0, step, 0],
    depth: (step) => [0, 0, 0 - step],
  }[direction];
  return along.map((step) => beside(middle, offset(step), parallel));
}

/** A flat wall, row by row from the top left. */
function grid({ columns, rows, columnSpacing, rowSpacing, parallel, ...middle }) {
  if (columns * rows > 64) throw new GeneratorError("tooMany");
  return steps(columns * rows).map((view) => {
    const [column, row] = [view % columns, Math.floor(view / columns)];
    const offset = [(column - (columns - 1) / 2) * columnSpacing, (row - (rows - 1) / 2) * rowSpacing, 0];
    return beside(middle, offset, parallel);
  });
}

/** Two cameras side by side: with parallel axes, or turned until these meet at the convergence. */
function stereo({ interaxial, convergence, parallel, ...middle }) {
  const c2w = matrixOf(middle);
  const meeting = moved(c2w, [0, 0, convergence]);
  const toeIn = Math.atan(interaxial / 2 / convergence);
  return [
    ["left", -1],
    ["right", 1],
  ].map(([name, side]) => {
    const offset = [(side * interaxial) / 2, 0, 0];
    if (parallel) return { name, ...beside(middle, offset, true) };
    // turned about the middle's own vertical, so a pair that looks down is rolled a little against the horizon
    const [cosine, sine] = [Math.cos(toeIn), side * Math.sin(toeIn)];
    const turned = c2w.slice();
    for (const row of [0, 4, 8]) {
      turned[row] = cosine * c2w[row] + sine * c2w[row + 2];
      turned[row + 2] = cosine * c2w[row + 2] - sine * c2w[row];
    }
    moved(c2w, offset).forEach((place, axis) => {
      turned[4 * axis + 3] = place;
    });
    const { azimuth, elevation, distance, roll } = orbitOf(turned, meeting);
    return {
      ...{ name, azimuth: tidy(azimuth, 12), elevation: tidy(elevation, 12), distance, roll: tidy(roll, 12) },
      target: meeting,
    };
  });
}

const matrixOf = ({ azimuth, elevation, distance }) => orbitC2w(azimuth, elevation, distance);

/** A point that is given in the axes of a camera. */
const moved = (c2w, [x, y, z]) =>
  [0, 4, 8].map((row) => tidy(c2w[row + 3] + c2w[row] * x + c2w[row + 1] * y + c2w[row + 2] * z, 12));

/** A camera beside the middle one, by metres in its axes: looking at the same target, or in the same direction. */
function beside(middle, offset, parallel) {
  const { azimuth, elevation, distance } = middle;
  const c2w = matrixOf(middle);
  if (!parallel) return lookingAt(moved(c2w, offset), azimuth);
  return pose(azimuth, elevation, distance, moved(c2w, [offset[0], offset[1], offset[2] + distance]));
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
