/**
 * How far a rig lies from what the released weights were trained on: the same as syncam_core/cameras/meter, whose
 * text defines every measure. Both run the cases in tests/shared_cases/meter; change one only together with the other.
 *
 * Pure functions, no DOM.
 */

export const AZIMUTH_LIMIT_DEG = 30;
export const ELEVATION_LIMIT_DEG = 15;
const EDGE = 1.1;
const ROUNDING_DEG = 1e-6;

const TRAINED_LENS = { focal_mm: 24, sensor_width_mm: 23.76 };
const [LENS_INSIDE, LENS_EDGE] = [0.02, 0.1];
const [ROLL_INSIDE_DEG, ROLL_EDGE_DEG] = [2, 10];
const [AIM_INSIDE_DEG, AIM_EDGE_DEG] = [5, 15];
const STILL = 1e-6;

const LEAST_CROSSING_DEG = 0.05;
const [ON_AXIS_DEG, ON_AXIS_M] = [0.5, 0.01];
const AT_POINT_M = 1e-3; // a camera this near to a point does not look at it: rounding would say from where
const ASSUMED_DISTANCE_M = 3;
const [NEAR_KNOWN_M, FAR_KNOWN_M] = [3, 9];

const MOMENTS = 9;
const PICTURE_ASPECT = 832 / 480;
const [OVERLAP_COLUMNS, OVERLAP_ROWS, OVERLAP_DEPTHS] = [10, 6, 4];
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
  const overlap = overlaps(cameras, lenses);

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

// ---- geometry

const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const plus = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
const times = (a, s) => [a[0] * s, a[1] * s, a[2] * s];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const norm = (a) => Math.sqrt(dot(a, a));
const degrees = (radians) => (radians * 180) / Math.PI + 0; // + 0: no negative zeros

function momentsOf(frames) {
  const count = Math.min(frames, MOMENTS);
  if (count === 1) return [0];
  return Array.from({ length: count }, (_, i) => Math.floor((i * (frames - 1)) / (count - 1) + 0.5));
}

function cameraAt(c2w, at) {
  const column = (axis) => [c2w[at + axis], c2w[at + 4 + axis], c2w[at + 8 + axis]];
  const [right, down, forward, centre] = [0, 1, 2, 3].map(column);
  const level = Math.hypot(forward[0], forward[2]);
  const vertical = level < 1e-6; // straight up or down the picture's right tells the azimuth
  return {
    right,
    down,
    forward,
    centre,
    azimuth: degrees(vertical ? Math.atan2(right[2], right[0]) : Math.atan2(-forward[0], forward[2])),
    elevation: degrees(Math.atan2(forward[1], level)),
    roll: vertical ? 0 : degrees(Math.atan2(right[1], down[1])),
  };
}

function isMoving(c2w, view, frames) {
  const start = view * frames * 16;
  for (let at = start + 16; at < start + frames * 16; at++) {
    if (Math.abs(c2w[at] - c2w[start + ((at - start) % 16)]) > STILL) return true;
  }
  return false;
}

/** The same angle within (-180, 180]. */
function wrapped(angle) {
  return angle - 360 * Math.ceil((angle - 180) / 360);
}

/** The number of largest size, the first of several, with its sign. */
function largest(numbers) {
  return numbers.reduce((most, number) => (Math.abs(number) > Math.abs(most) ? number : most)) + 0;
}

function commonPoint(cameras) {
  const views = cameras.length;
  const middle = times(cameras.reduce((sum, camera) => plus(sum, camera.centre), [0, 0, 0]), 1 / views);
  const about = cameras.map(({ centre, forward }) => ({ centre: minus(centre, middle), forward }));
  let best = null;
  let most = Math.floor(views / 2);
  for (let i = 0; i < views && most < views; i++) {
    for (let j = i + 1; j < views; j++) {
      const point = crossing(about[i], about[j]);
      if (!point || aimOff(about[i], point) > AIM_INSIDE_DEG || aimOff(about[j], point) > AIM_INSIDE_DEG) continue;
      const aimed = about.filter((camera) => aimOff(camera, point) <= AIM_INSIDE_DEG);
      if (aimed.length > most) {
        best = aimed;
        most = aimed.length;
      }
    }
  }
  if (best) return ["common", plus(leastSquares(best), middle)];
  return onOneAxis(cameras);
}

/** The point nearest to two axes, null for axes that are as good as parallel. */
function crossing(first, second) {
  const sine = Math.min(1, norm(cross(first.forward, second.forward)));
  return degrees(Math.asin(sine)) < LEAST_CROSSING_DEG ? null : leastSquares([first, second]);
}

/** The point with the smallest sum of squared distances from viewing axes. */
function leastSquares(cameras) {
  const rows = [0, 1, 2].map(() => [0, 0, 0]);
  let right = [0, 0, 0];
  for (const { centre, forward } of cameras) {
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) rows[i][j] += (i === j ? 1 : 0) - forward[i] * forward[j];
    }
    right = plus(right, minus(centre, times(forward, dot(forward, centre))));
  }
  return solve(rows, right);
}

/** Gaussian elimination with pivots for a 3x3 system. */
function solve(rows, right) {
  const system = rows.map((row, i) => [...row, right[i]]);
  for (let column = 0; column < 3; column++) {
    let pivot = column;
    for (let row = column + 1; row < 3; row++) {
      if (Math.abs(system[row][column]) > Math.abs(system[pivot][column])) pivot = row;
    }
    [system[column], system[pivot]] = [system[pivot], system[column]];
    for (let row = column + 1; row < 3; row++) {
      const factor = system[row][column] / system[column][column];
      for (let k = column; k < 4; k++) system[row][k] -= factor * system[column][k];
    }
  }
  const x = [0, 0, 0];
  for (let row = 2; row >= 0; row--) {
    let rest = system[row][3];
    for (let k = row + 1; k < 3; k++) rest -= system[row][k] * x[k];
    x[row] = rest / system[row][row];
  }
  return x;
}

/** The angle between the viewing direction and the point; 180 for a camera that stands at it. */
function aimOff({ centre, forward }, point) {
  const toPoint = minus(point, centre);
  if (norm(toPoint) <= AT_POINT_M) return 180;
  return degrees(Math.atan2(norm(cross(forward, toPoint)), dot(forward, toPoint)));
}

function onOneAxis(cameras) {
  const [first] = cameras;
  for (const { centre, forward } of cameras) {
    const turned = degrees(Math.asin(Math.min(1, norm(cross(forward, first.forward)))));
    const aside = norm(cross(minus(centre, first.centre), first.forward));
    if (turned > LEAST_CROSSING_DEG || aside > ON_AXIS_M) return ["none", null];
  }
  const origin = [0, 0, 0];
  if (cameras.every((camera) => aimOff(camera, origin) <= ON_AXIS_DEG)) return ["axis", origin];
  const along = ({ centre }) => dot(minus(centre, first.centre), first.forward);
  const back = cameras.filter(({ forward }) => dot(forward, first.forward) <= 0); // they look towards the first
  const start = Math.max(...cameras.filter((camera) => !back.includes(camera)).map(along));
  if (!back.length) return ["axis", plus(first.centre, times(first.forward, start + ASSUMED_DISTANCE_M))];
  const end = Math.min(...back.map(along));
  if (end - start <= ON_AXIS_M) return ["none", null];
  return ["axis", plus(first.centre, times(first.forward, (start + end) / 2))];
}

function distanceDifference(first, second) {
  if (first.distance !== null) return second.distance - first.distance;
  let mean = plus(first.forward, second.forward);
  const length = norm(mean);
  mean = length > 1e-6 ? times(mean, 1 / length) : first.forward;
  return dot(minus(first.centre, second.centre), mean);
}

/** The overlap of every two views, as a flat symmetric matrix: the smallest of all moments. */
function overlaps(cameras, lenses) {
  const views = cameras.length;
  const halfWidth = lenses.map((lens) => lens.sensor_width_mm / lens.focal_mm / 2);
  const grid = [];
  for (let i = 0; i < OVERLAP_COLUMNS; i++) {
    for (let j = 0; j < OVERLAP_ROWS; j++) {
      for (let k = 0; k < OVERLAP_DEPTHS; k++) {
        const z = 0.5 + (k + 0.5) / OVERLAP_DEPTHS;
        grid.push([(((i + 0.5) / OVERLAP_COLUMNS) * 2 - 1) * z, (((j + 0.5) / OVERLAP_ROWS) * 2 - 1) * z, z]);
      }
    }
  }
  const least = new Float64Array(views * views).fill(1);
  for (let moment = 0; moment < cameras[0].length; moment++) {
    const seen = new Float64Array(views * views); // the share of the first that the second sees
    for (let a = 0; a < views; a++) {
      const { right, down, forward, centre, distance } = cameras[a][moment];
      const reach = distance !== null && distance > AT_POINT_M ? distance : ASSUMED_DISTANCE_M;
      const [width, height] = [halfWidth[a] * reach, (halfWidth[a] / PICTURE_ASPECT) * reach];
      const points = new Float64Array(grid.length * 3); // about the camera: world coordinates may be large
      grid.forEach(([x, y, z], at) => {
        const [px, py, pz] = [x * width, y * height, z * reach];
        for (let i = 0; i < 3; i++) points[at * 3 + i] = right[i] * px + down[i] * py + forward[i] * pz;
      });
      for (let b = 0; b < views; b++) {
        seen[a * views + b] = shareSeen(points, minus(centre, cameras[b][moment].centre), cameras[b][moment], halfWidth[b]);
      }
    }
    for (let a = 0; a < views; a++) {
      for (let b = 0; b < views; b++) {
        const both = (seen[a * views + b] + seen[b * views + a]) / 2;
        least[a * views + b] = Math.min(least[a * views + b], both);
      }
    }
  }
  return least;
}

function shareSeen(points, [sx, sy, sz], { right, down, forward }, halfWidth) {
  const slack = 1 + 1e-9; // a point on the border is inside, whatever the rounding
  const wide = halfWidth * slack;
  const high = (halfWidth / PICTURE_ASPECT) * slack;
  const [[rx, ry, rz], [dx, dy, dz], [fx, fy, fz]] = [right, down, forward];
  let inside = 0;
  for (let at = 0; at < points.length; at += 3) {
    const x = points[at] + sx;
    const y = points[at + 1] + sy;
    const z = points[at + 2] + sz;
    const ahead = x * fx + y * fy + z * fz;
    if (
      ahead > 1e-9 &&
      Math.abs(x * rx + y * ry + z * rz) <= wide * ahead &&
      Math.abs(x * dx + y * dy + z * dz) <= high * ahead
    ) {
      inside++;
    }
  }
  return inside / (points.length / 3);
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
