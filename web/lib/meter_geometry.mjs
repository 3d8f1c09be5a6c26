// Where the cameras of a rig stand, what they look at and what they see of it; syncam_core/cameras/meter/geometry.py
// is the same in Python.

const STILL = 1e-6;
const LEAST_CROSSING_DEG = 0.05;
export const [AIM_INSIDE_DEG, AIM_EDGE_DEG] = [5, 15];
export const [ON_AXIS_DEG, ON_AXIS_M] = [0.5, 0.01];
export const AT_POINT_M = 1e-3; // a camera this near to a point does not look at it: rounding would say from where
export const ASSUMED_DISTANCE_M = 3;
const MOMENTS = 9;
const PICTURE_ASPECT = 832 / 480;
const [OVERLAP_COLUMNS, OVERLAP_ROWS, OVERLAP_DEPTHS] = [10, 6, 4];

export const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const plus = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
export const times = (a, s) => [a[0] * s, a[1] * s, a[2] * s];
export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
export const norm = (a) => Math.sqrt(dot(a, a));
export const degrees = (radians) => (radians * 180) / Math.PI + 0; // + 0: no negative zeros

export function momentsOf(frames) {
  const count = Math.min(frames, MOMENTS);
  if (count === 1) return [0];
  return Array.from({ length: count }, (_, i) => Math.floor((i * (frames - 1)) / (count - 1) + 0.5));
}

export function cameraAt(c2w, at) {
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

export function isMoving(c2w, view, frames) {
  const start = view * frames * 16;
  for (let at = start + 16; at < start + frames * 16; at++) {
    if (Math.abs(c2w[at] - c2w[start + ((at - start) % 16)]) > STILL) return true;
  }
  return false;
}

/** The same angle within (-180, 180]. */
export function wrapped(angle) {
  return angle - 360 * Math.ceil((angle - 180) / 360);
}

/** The number of largest size, the first of several, with its sign. */
export function largest(numbers) {
  return numbers.reduce((most, number) => (Math.abs(number) > Math.abs(most) ? number : most)) + 0;
}

export function commonPoint(cameras) {
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
export function aimOff({ centre, forward }, point) {
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

export function distanceDifference(first, second) {
  if (first.distance !== null) return second.distance - first.distance;
  let mean = plus(first.forward, second.forward);
  const length = norm(mean);
  mean = length > 1e-6 ? times(mean, 1 / length) : first.forward;
  return dot(minus(first.centre, second.centre), mean);
}

/** The overlap of every two views, as a flat symmetric matrix: the smallest of all moments. */
export function overlaps(cameras, lenses) {
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
