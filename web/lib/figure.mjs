// The person whom cameras film in the rig editor and in the pictures of SynCam Rig Preview, who looks at azimuth 0 and
// waves with the left arm. In the rig's axes: x right, y down, z away, metres; 1.85 m from head to foot, the hips at y 0.

export const SOLE_Y = 0.95; // of the shoes

export const COLORS = {
  skin: "#e2b493",
  hair: "#3a2c28",
  shirt: "#d8643f",
  trousers: "#2f4a6d",
  shoe: "#23262d",
  scarf: "#f2c14e",
};

/** Capsules: colour, radius, the middles of both ends. Where the ends are one it is a ball. */
export const LIMBS = [
  ["shirt", 0.155, [0, -0.48, 0], [0, -0.12, 0]],
  ["trousers", 0.14, [0, -0.03, 0], [0, 0.07, 0]],
  ["trousers", 0.078, [-0.095, 0.1, 0], [-0.095, 0.76, 0]],
  ["trousers", 0.078, [0.095, 0.1, 0], [0.095, 0.76, 0]],
  ["shoe", 0.06, [-0.1, 0.885, 0.015], [-0.1, 0.885, -0.115]],
  ["shoe", 0.06, [0.1, 0.885, 0.015], [0.1, 0.885, -0.115]],
  ["shirt", 0.055, [-0.211, -0.413, 0], [-0.329, 0.073, 0]], // the figure's right arm: on the left of the picture
  ["skin", 0.065, [-0.36, 0.13, 0], [-0.36, 0.13, 0]],
  ["shirt", 0.055, [0.195, -0.492, 0], [0.525, -0.868, 0]], // the left arm waves
  ["skin", 0.065, [0.57, -0.92, 0], [0.57, -0.92, 0]],
  ["skin", 0.125, [0, -0.74, 0], [0, -0.74, 0]],
  ["hair", 0.132, [0, -0.765, 0.03], [0, -0.765, 0.03]],
  ["skin", 0.022, [0, -0.735, -0.115], [0, -0.73, -0.16]],
  ["shoe", 0.014, [-0.045, -0.77, -0.112], [-0.045, -0.77, -0.112]],
  ["shoe", 0.014, [0.045, -0.77, -0.112], [0.045, -0.77, -0.112]],
];

/** A ring about the neck: colour, radius of the ring and of what it is made of, y. */
export const SCARF = ["scarf", 0.1, 0.035, -0.6];
