/**
 * How far a rig lies from what the released weights were trained on: the same as syncam_core/cameras/meter, whose
 * text defines every measure. Both run the cases in tests/shared_cases/meter; change one only together with the other.
 *
 * Pure functions, no DOM.
 */

import {
  AIM_EDGE_DEG,
  AIM_INSIDE_DEG,
  ASSUMED_DISTANCE_M,
  AT_POINT_M,
  ON_AXIS_M,
  aimOff,
  cameraAt,
  commonPoint,
  cross,
  degrees,
  distanceDifference,
  dot,
  isMoving,
  largest,
  minus,
  momentsOf,
  norm,
  overlaps,
  plus,
  times,
  wrapped,
} from "./meter_geometry.mjs";

export const AZIMUTH_LIMIT_DEG = 30;
export const ELEVATION_LIMIT_DEG = 15;
const EDGE = 1.1;
const ROUNDING_DEG = 1e-6;

const TRAINED_LENS = { focal_mm: 24, sensor_width_mm: 23.76 };
const [LENS_INSIDE, LENS_EDGE] = [0.02, 0.1];
const [ROLL_INSIDE_DEG, ROLL_EDGE_DEG] = [2, 10];

const [NEAR_KNOWN_M, FAR_KNOWN_M] = [3, 9];

const BRIDGE_MARGIN_DEG = 0.5;

const VERDICTS = ["inside", "edge", "outside"];

/**
 * Hold a rig against the training data of the released weights.
 *
 * baked: {views, frames, c2w} as `bake` of rig.mjs gives it, c2w row by row; lenses: one {focal_mm, sensor_width_mm} per
 * view; names: one per view, for the sentences. Gives what `to_document` of meter.py gives: {target, target_kind,
 * verdict, views, pairs, best_reference, bridges, notes}.
 */
export function measure(baked, lenses, names = null) {
  const { views, frames, c2w } = baked;
  names ??= Array.from({ length: views }, (_, view) => `view ${view + 1}`);
  const cameras = []; // [view][moment]
  for (let view = 0; view < views; view++) {
    cameras.push(momentsOf(frames).map((frame) => cameraAt(c2w, (view * frames + frame) * 16)));
  }
  const [kind, target] = commonPoint(cameras.map((moments) => moments[0]));
  for (const camera of cameras.flat()) {
    camera.distance = target ? norm(minus(target, camera.centre)) : null;
    camera.aimOff = target ? aimOff(camera, target) : null;
  }
  const pairs = pairsOf(cameras, overlaps(cameras, lenses));
  const trajectories = areTrajectories(baked);
  const paths = pathsFromReference(views, pairs);
  const judged = cameras.map((moments, view) => {
    const facts = {
      reference: names[0],
      toReference: view ? pairs[view - 1] : null,
      kind,
      aimOff: target ? Math.max(...moments.map((camera) => camera.aimOff)) : null,
      roll: largest(moments.map((camera) => camera.roll)),
      lensDeg: lensDeg(lenses[view]),
      moves: isMoving(c2w, view, frames),
    };
    const sizes = trajectories ? sizesOf(moments) : null;
    const problems = trajectories ? trajectoryProblems(facts, sizes, lenses[view]) : problemsOf(facts, lenses[view]);
    const through = trajectories ? [] : (paths.get(view) ?? []);
    return {
      name: names[view],
      azimuth_deg: moments[0].azimuth,
      elevation_deg: moments[0].elevation,
      roll_deg: facts.roll,
      distance_m: moments[0].distance,
      aim_off_deg: facts.aimOff,
      lens_deg: facts.lensDeg,
      moves: facts.moves,
      verdict: worst(problems.map((problem) => problem.verdict)),
      reason: trajectories
        ? trajectoryReason(problems, sizes)
        : reasonOf(facts, problems, through.map((other) => names[other])),
      problems,
      through,
    };
  });
  return {
    target,
    target_kind: kind,
    views: judged,
    pairs,
    best_reference: trajectories ? 0 : bestReference(judged, pairs),
    bridges: trajectories ? [] : bridgesOf(judged, pairs, target),
    notes: trajectories ? [TRAJECTORIES_NOTE] : notesOf(judged, kind, cameras.map(([{ centre }]) => centre)),
    trajectories,
    verdict: worst(judged.map((view) => view.verdict)),
  };
}

/** What lies between any two cameras; `overlap` is one number for each, row by row. */
function pairsOf(cameras, overlap) {
  const views = cameras.length;
  const pairs = [];
  for (let first = 0; first < views; first++) {
    for (let second = first + 1; second < views; second++) {
      const both = cameras[first].map((camera, moment) => [camera, cameras[second][moment]]);
      const azimuth = largest(both.map(([a, b]) => wrapped(b.azimuth - a.azimuth)));
      const elevation = largest(both.map(([a, b]) => b.elevation - a.elevation));
      pairs.push({
        first,
        second,
        azimuth_deg: azimuth,
        elevation_deg: elevation,
        distance_m: largest(both.map(([a, b]) => distanceDifference(a, b))),
        overlap: overlap[first * views + second],
        verdict: angleVerdict(azimuth, elevation),
      });
    }
  }
  return pairs;
}

// ---- verdicts

function grade(size, limit, edge) {
  if (size < limit - ROUNDING_DEG) return "inside";
  return size <= edge + ROUNDING_DEG ? "edge" : "outside";
}

function worst(verdicts) {
  return VERDICTS[Math.max(0, ...verdicts.map((verdict) => VERDICTS.indexOf(verdict)))];
}

function angleVerdict(azimuth, elevation) {
  return worst([
    grade(Math.abs(azimuth), AZIMUTH_LIMIT_DEG, AZIMUTH_LIMIT_DEG * EDGE),
    grade(Math.abs(elevation), ELEVATION_LIMIT_DEG, ELEVATION_LIMIT_DEG * EDGE),
  ]);
}

function lensDeg(lens) {
  return degrees(2 * Math.atan(lens.sensor_width_mm / lens.focal_mm / 2));
}

function problemsOf(facts, lens) {
  const problems = [];
  const add = (kind, verdict, text) => {
    if (verdict !== "inside") problems.push({ kind, verdict, text });
  };
  const { toReference: pair, reference } = facts;
  if (pair) {
    let [size, limit] = [Math.abs(pair.azimuth_deg), AZIMUTH_LIMIT_DEG];
    let where = `${shown(size)} to the ${side(pair.azimuth_deg)} of '${reference}'`;
    add("azimuth", grade(size, limit, limit * EDGE), `${where} (trained: less than ${shown(limit)})`);
    [size, limit] = [Math.abs(pair.elevation_deg), ELEVATION_LIMIT_DEG];
    where = `${shown(size)} ${height(pair.elevation_deg)} '${reference}'`;
    add("elevation", grade(size, limit, limit * EDGE), `${where} (trained: less than ${shown(limit)})`);
    if (facts.kind === "none") {
      add("no_common_point", "edge", "looks at no point together with the others (trained: all at one)");
    }
  }
  if (facts.aimOff !== null) {
    const text = `looks ${shown(facts.aimOff)} past the common point (trained: at it)`;
    add("aim", grade(facts.aimOff, AIM_INSIDE_DEG + 2 * ROUNDING_DEG, AIM_EDGE_DEG), text);
  }
  const roll = Math.abs(facts.roll);
  const rolled = `rolled by ${shown(roll)} (trained: level)`;
  add("roll", grade(roll, ROLL_INSIDE_DEG + 2 * ROUNDING_DEG, ROLL_EDGE_DEG), rolled);
  const ratio = ((lens.focal_mm / lens.sensor_width_mm) * TRAINED_LENS.sensor_width_mm) / TRAINED_LENS.focal_mm;
  const across = `sees ${shown(facts.lensDeg)} across (trained: ${shown(lensDeg(TRAINED_LENS))})`;
  add("lens", grade(Math.max(ratio, 1 / ratio) - 1, LENS_INSIDE + 2 * ROUNDING_DEG, LENS_EDGE), across);
  add("motion", facts.moves ? "outside" : "inside", "moves (trained: standing still)");
  return problems;
}

function reasonOf(facts, problems, through) {
  if (problems.length) {
    let sentence = listed(problems.map((problem) => problem.text));
    if (through.length) {
      const named = through.slice(0, 3).map((name) => `'${name}'`).join(", ");
      sentence += `; trained hops lead here through ${named}${through.length > 3 ? " and more" : ""}`;
    }
    return `${capital(sentence)}.`;
  }
  if (!facts.toReference) return "The reference: the other views are measured from here.";
  const { azimuth_deg: azimuth, elevation_deg: elevation } = facts.toReference;
  const place = [];
  if (rounded(azimuth)) place.push(`${shown(Math.abs(azimuth))} to the ${side(azimuth)} of`);
  if (rounded(elevation)) place.push(`${shown(Math.abs(elevation))} ${height(elevation)}`);
  const where = place.join(" and ") || "in the same direction as";
  return `${capital(where)} '${facts.reference}', like the trained pairs.`;
}

const side = (azimuth) => (azimuth >= 0 ? "right" : "left");
const height = (elevation) => (elevation >= 0 ? "above" : "below");
const capital = (text) => text[0].toUpperCase() + text.slice(1);
const listed = (parts) => (parts.length === 1 ? parts[0] : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`);
const rounded = (number) => Math.floor(number * 10 + 0.5) / 10;

function shown(number) {
  const value = rounded(number);
  return Number.isInteger(value) ? `${value}°` : `${value.toFixed(1)}°`;
}

function metres(number) {
  return `${(Math.floor(number * 100 + 0.5) / 100).toFixed(2)} m`;
}

function notesOf(views, kind, centres) {
  const notes = [];
  const onOneSpot = centres.every((centre) => norm(minus(centre, centres[0])) <= ON_AXIS_M);
  if (kind === "axis") {
    notes.push(
      "The cameras look along one line: the point at which they look is assumed, only distance differences are " +
        "certain.",
    );
  } else if (kind === "none" && onOneSpot) {
    notes.push(
      "All cameras stand on one spot and look different ways, at no common point. If that is not meant, their " +
        "matrices may be world-to-camera; invert them.",
    );
  } else if (kind === "none") {
    notes.push(
      "No point is in the middle of most pictures: distances are measured along the viewing direction, and no " +
        "bridge cameras can be suggested.",
    );
  } else {
    const beyond = views.filter((v) => !(v.distance_m >= NEAR_KNOWN_M - 0.01 && v.distance_m <= FAR_KNOWN_M + 0.01));
    if (beyond.length) {
      const distances = beyond.slice(0, 4).map((view) => `'${view.name}' ${metres(view.distance_m)}`);
      const more = beyond.length > 4 ? ` and ${beyond.length - 4} more` : "";
      notes.push(
        `Distances: the training cameras that are known stand ${NEAR_KNOWN_M} to ${FAR_KNOWN_M} m from the subject; ` +
          `${distances.join(", ")}${more}.`,
      );
    }
  }
  if (views.length > 1 && views.every((view) => Math.abs(view.roll_deg) > ROLL_EDGE_DEG)) {
    notes.push("Every camera is rolled: the file's up direction may be another one than this pack's -y.");
  }
  return notes;
}

// ---- trajectories of a re-capture, as syncam_core/cameras/meter/trajectories.py defines them

const BEGINS_ALIKE = 1e-6;
const RANGES = { pan: [5, 45], tilt: [5, 30], arc: [15, 75], way: [0.25, 1] };
const LENSES_MM = [18, 50];
const TRAJECTORY_WORDS = { pan: "pans by", tilt: "tilts by", arc: "goes around its subject by", way: "goes" };
const TRAJECTORIES_NOTE =
  "All cameras begin at one pose and move: they are judged as trajectories of a re-capture (ReCamMaster), each against " +
  "its own first frame.";

function areTrajectories({ views, frames, c2w }) {
  for (let view = 0; view < views; view++) {
    const own = c2w.subarray(view * frames * 16, (view + 1) * frames * 16);
    const first = own.findIndex((number, at) => Math.abs(number - c2w[at % 16]) > BEGINS_ALIKE);
    if (first < 16) return false; // begins elsewhere, or stays
  }
  return true;
}

/** How far a camera goes in each of RANGES, at the moment when it is farthest. */
function sizesOf(moments) {
  const [start] = moments;
  const reach = start.distance !== null && start.distance > AT_POINT_M ? start.distance : ASSUMED_DISTANCE_M;
  const point = plus(start.centre, times(start.forward, reach));
  const ground = ({ centre }) => Math.hypot(centre[0] - point[0], centre[2] - point[2]);
  const off = ({ centre, forward }) => {
    const toPoint = minus(point, centre);
    return degrees(Math.atan2(norm(cross(forward, toPoint)), dot(forward, toPoint)));
  };
  const gone = ({ centre }) => norm(minus(centre, start.centre));
  const led = moments.some((camera) => gone(camera) > BEGINS_ALIKE * reach) && moments.every((camera) => off(camera) <= AIM_INSIDE_DEG);
  const around = ({ centre }) =>
    wrapped(degrees(Math.atan2(centre[0] - point[0], point[2] - centre[2])) - start.azimuth);
  const most = (size) => Math.max(...moments.map((camera) => Math.abs(size(camera))));
  return {
    pan: led ? 0 : most(({ azimuth }) => wrapped(azimuth - start.azimuth)),
    tilt: led ? 0 : most(({ elevation }) => elevation - start.elevation),
    arc: led ? most(around) : 0,
    way:
      (led
        ? Math.max(
            most((camera) => ground(camera) - ground(start)),
            most(({ centre }) => centre[1] - start.centre[1]),
          )
        : most(gone)) / reach,
  };
}

function trajectoryProblems(facts, sizes, lens) {
  const problems = [];
  const add = (kind, verdict, text) => {
    if (verdict !== "inside") problems.push({ kind, verdict, text });
  };
  for (const [kind, size] of Object.entries(sizes)) {
    const [least, most] = RANGES[kind];
    const span = kind === "way" ? `${percent(least)} to ${percent(most)}` : `${least} to ${shown(most)}`;
    const text = `${TRAJECTORY_WORDS[kind]} ${amount(kind, size)} (trained: ${span})`;
    add(kind, grade(size, most + 2 * ROUNDING_DEG, most * EDGE), text);
  }
  const isSmall = Object.entries(sizes).every(([kind, size]) => size < RANGES[kind][0] / EDGE);
  if (!problems.length && isSmall) {
    add("motion", "edge", "moves less than any trajectory that was trained");
  }
  const roll = Math.abs(facts.roll);
  add("roll", grade(roll, ROLL_INSIDE_DEG + 2 * ROUNDING_DEG, ROLL_EDGE_DEG), `rolled by ${shown(roll)} (trained: level)`);
  const millimetres = (lens.focal_mm / lens.sensor_width_mm) * TRAINED_LENS.sensor_width_mm;
  const beyond = Math.max(LENSES_MM[0] / millimetres, millimetres / LENSES_MM[1], 1) - 1;
  const [wide, narrow] = LENSES_MM.map((focal_mm) => shown(lensDeg({ ...TRAINED_LENS, focal_mm })));
  const text = `sees ${shown(facts.lensDeg)} across (trained: ${narrow} to ${wide})`;
  add("lens", grade(beyond, LENS_INSIDE + 2 * ROUNDING_DEG, LENS_EDGE), text);
  return problems;
}

function trajectoryReason(problems, sizes) {
  if (problems.length) return `${capital(listed(problems.map(({ text }) => text)))}.`;
  const told = Object.entries(sizes).filter(([kind, size]) => size >= (kind === "way" ? 0.01 : 0.1));
  const ways = told.map(([kind, size]) => `${TRAJECTORY_WORDS[kind]} ${amount(kind, size)}`);
  return `${capital(listed(ways))}, like trained trajectories.`;
}

const amount = (kind, size) => (kind === "way" ? `${percent(size)} of its distance` : shown(size));
const percent = (share) => `${Math.floor(100 * share + 0.5)} %`;

// ---- reference and bridges

/** 1 at the limit of the training range. */
function cost(azimuth, elevation) {
  return Math.max(Math.abs(azimuth) / AZIMUTH_LIMIT_DEG, Math.abs(elevation) / ELEVATION_LIMIT_DEG);
}

/** The first of two lists of numbers in their order. */
function isBefore(a, b) {
  const at = a.findIndex((number, i) => number !== b[i]);
  return at >= 0 && a[at] < b[at];
}

/** The view with the fewest others outside, then at the edge, then one that stands still, then the most central. */
function bestReference(views, pairs) {
  const ranks = views.map((view, index) => [0, 0, view.moves ? 1 : 0, 0, index]);
  for (const pair of pairs) {
    for (const view of [pair.first, pair.second]) {
      ranks[view][0] += pair.verdict === "outside" ? 1 : 0;
      ranks[view][1] += pair.verdict === "edge" ? 1 : 0;
      ranks[view][3] += cost(pair.azimuth_deg, pair.elevation_deg);
    }
  }
  for (const rank of ranks) rank[3] = Math.floor(rank[3] * 1e6 + 0.5);
  return ranks.reduce((best, rank) => (isBefore(rank, best) ? rank : best)).at(-1);
}

/** For every view that trained hops connect with view 0: the views in between, on the way with the fewest hops. */
function pathsFromReference(views, pairs) {
  const neighbours = Array.from({ length: views }, () => []);
  for (const pair of pairs) {
    if (pair.verdict === "inside") {
      neighbours[pair.first].push(pair.second);
      neighbours[pair.second].push(pair.first);
    }
  }
  const paths = new Map([[0, []]]);
  const queue = [0];
  for (const view of queue) {
    for (const other of neighbours[view].sort((a, b) => a - b)) {
      if (paths.has(other)) continue;
      paths.set(other, view ? [...paths.get(view), view] : []);
      queue.push(other);
    }
  }
  return paths;
}

/** The cameras that connect all views with the reference in trained hops, by the shortest gaps first. */
function bridgesOf(views, pairs, target) {
  if (!target) return [];
  const seats = views.map((v) => ({ azimuth: v.azimuth_deg, elevation: v.elevation_deg, distance: v.distance_m, name: v.name }));
  let group = views.map((_, view) => view); // views that trained hops connect carry one number
  const join = (old, now) => (group = group.map((number) => (number === old ? now : number)));
  for (const pair of pairs) if (pair.verdict === "inside") join(group[pair.second], group[pair.first]);
  const taken = new Set(views.map((view) => view.name));
  const bridges = [];
  for (;;) {
    let shortest = null;
    for (let i = 0; i < seats.length; i++) {
      if (group[i] !== group[0]) continue;
      for (let j = 0; j < seats.length; j++) {
        if (group[j] === group[0]) continue;
        const found = [...gap(seats[i], seats[j]), i, j];
        if (!shortest || isBefore(found, shortest)) shortest = found;
      }
    }
    if (!shortest) return bridges;
    const [hops, , i, j] = shortest;
    const [from, to] = [seats[i], seats[j]];
    const turn = wrapped(to.azimuth - from.azimuth);
    join(group[j], group[0]);
    for (let hop = 1; hop < hops; hop++) {
      const share = hop / hops;
      let number = bridges.length + 1;
      while (taken.has(`bridge ${number}`)) number++;
      const name = `bridge ${number}`;
      taken.add(name);
      const camera = {
        name,
        azimuth: wrapped(from.azimuth + turn * share),
        elevation: from.elevation + (to.elevation - from.elevation) * share,
        distance: from.distance + (to.distance - from.distance) * share,
        target: [...target],
      };
      bridges.push({ camera, between: [from.name, to.name] });
      seats.push(camera);
      group.push(group[0]);
    }
  }
}

/** How many hops lead over the gap between two seats, and its size for comparisons. */
function gap(first, second) {
  const azimuth = Math.abs(wrapped(second.azimuth - first.azimuth));
  const elevation = Math.abs(second.elevation - first.elevation);
  const hops =
    angleVerdict(azimuth, elevation) === "inside"
      ? 1
      : Math.max(
          hopsOver(azimuth, AZIMUTH_LIMIT_DEG - BRIDGE_MARGIN_DEG),
          hopsOver(elevation, ELEVATION_LIMIT_DEG - BRIDGE_MARGIN_DEG),
        );
  return [hops, Math.floor(cost(azimuth, elevation) * 1e6 + 0.5)];
}

function hopsOver(size, most) {
  return Math.max(1, Math.ceil(size / most - ROUNDING_DEG));
}
