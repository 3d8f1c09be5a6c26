// Shot sizes as film-makers call them, and the line that cameras stay on one side of.

import { fieldOfView } from "./camera.mjs";

const FIGURE_M = 1.4; // the stand-in, from head to foot

/** Height of what is in the picture, as a share of the figure: of the middle of each size. */
export const SHOTS = { shotWide: 2.5, shotFull: 1.2, shotMedium: 0.6, shotClose: 0.28 };

/** The size of a shot from a distance. @returns {keyof typeof SHOTS} */
export function shotOf({ distance }, lens, aspect) {
  const share = (2 * distance * Math.tan((fieldOfView(lens, aspect).down * Math.PI) / 360)) / FIGURE_M;
  const far = (size) => Math.abs(Math.log(share / SHOTS[size]));
  return Object.keys(SHOTS).reduce((best, size) => (far(size) < far(best) ? size : best));
}

/** From how far away a lens takes a shot of a size. @returns {number} metres */
export const distanceOf = (size, lens, aspect) =>
  (SHOTS[size] * FIGURE_M) / (2 * Math.tan((fieldOfView(lens, aspect).down * Math.PI) / 360));

/**
 * Whether a camera stands across the 180-degree line: on the other side of the action than the reference, so that what
 * looks to the left there looks to the right here. The line is that of two people who face each other before the reference.
 */
export const acrossTheLine = (reference, { azimuth }) => Math.cos(((azimuth - reference.azimuth) * Math.PI) / 180) < -1e-6;
