// Rotations of the rig: quaternions as [x, y, z, w], matrices row by row, vectors of three numbers.

// The rotation nearest to a matrix that is one up to rounding (3x3 rows): Newton's iteration for the polar factor.
export function nearestRotation(c2w) {
  let rows = [0, 4, 8].map((row) => [c2w[row], c2w[row + 1], c2w[row + 2]]);
  for (let step = 0; step < 6; step++) {
    const cofactors = [0, 1, 2].map((i) => cross(rows[(i + 1) % 3], rows[(i + 2) % 3]));
    const determinant = dot(rows[0], cofactors[0]);
    rows = rows.map((row, i) => row.map((value, j) => (value + cofactors[i][j] / determinant) / 2));
  }
  return rows;
}

export function quaternionOf([[a, b, c], [d, e, f], [g, h, i]]) {
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

export function conjugate([x, y, z, w]) {
  return [-x, -y, -z, w];
}

export function multiply([x, y, z, w], [X, Y, Z, W]) {
  return [
    w * X + x * W + y * Z - z * Y,
    w * Y - x * Z + y * W + z * X,
    w * Z + x * Y - y * X + z * W,
    w * W - x * X - y * Y - z * Z,
  ];
}

// Axis times angle (radians) along the shorter arc. Of the two half turns it is the one to the right: about the
// camera's own down axis, else about its right axis, else clockwise.
export function rotationVector(given) {
  const [x, y, z, w] = given;
  const leading = Math.abs(w) >= 1e-9 ? w : [y, x, z].find((part) => Math.abs(part) > 1e-6);
  const [X, Y, Z, W] = leading < 0 ? [-x, -y, -z, -w] : given;
  const sine = Math.hypot(X, Y, Z);
  const scale = sine < 1e-12 ? 2 : (2 * Math.atan2(sine, W)) / sine;
  return [scale * X, scale * Y, scale * Z];
}

export function quaternionOfVector(vector) {
  const angle = Math.hypot(...vector);
  const scale = angle < 1e-12 ? 0.5 : Math.sin(angle / 2) / angle;
  return [...vector.map((part) => scale * part), Math.cos(angle / 2)];
}

export function matrixOf(quaternion) {
  const [x, y, z, w] = normalized(quaternion);
  const c2w = new Float64Array(16);
  c2w.set([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], 0);
  c2w.set([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], 4);
  c2w.set([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], 8);
  c2w[15] = 1;
  return c2w;
}

export function dot(a, b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function cross(a, b) {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}
