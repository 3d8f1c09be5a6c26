// What the editor says, in the host's language.
//
// The words live where the host looks for those of node packs, in locales/<language>/main.json under "syncamRigEditor";
// the host serves them all at /i18n. English is here as well, so that the editor never shows a bare key.

export const ENGLISH = {
  editor: "Camera rig editor",
  view: "3D view of the cameras",
  viewHelp:
    "Arrow keys move the chosen camera around its target, plus and minus change its distance, comma and dot choose another camera, Delete removes it.",
  viewFree: "Free view",
  viewTop: "From above",
  viewSide: "From the side",
  viewFront: "From the front",
  viewLook: "Through the chosen camera",
  fit: "Fit all cameras",
  undo: "Undo",
  redo: "Redo",
  snap: "Snap to 5 degrees and 0.25 m",
  add: "Add cameras",
  more: "Rig and file",
  timeline: "Timeline",
  cameras: "Cameras",
  reference: "Reference view",
  addCamera: "One more camera",
  duplicate: "Duplicate",
  delete: "Delete",
  mirror: "Mirror left and right",
  mirrorCopy: "Add mirrored copy",
  earlier: "Move to the front of the list",
  later: "Move to the back of the list",
  makeReference: "Make it the reference view",
  bestReference: "Best reference: {name}",
  bridges: "Add suggested bridges ({count})",
  generators: "Generate",
  presets: "Presets",
  ring: "Ring",
  arc: "Arc",
  line: "Line",
  stereo: "Stereo pair",
  dome: "Dome",
  count: "Cameras",

  from: "From azimuth",
  to: "To azimuth",
  spacing: "Spacing",
  spread: "Spread",
  interaxial: "Interaxial",
  parallel: "Parallel axes",
  replaceAll: "Replace all",
  addThese: "Add",
  cancel: "Cancel",
  presetAz: "Authors: azimuth 30°",
  presetEl: "Authors: elevation 20°",
  presetDis: "Authors: distance 4 and 5 m",
  presetAz90: "90° of azimuth",
  presetEl45: "45° of elevation",
  presetClose: "Close-up and wide",
  presetBoth: "60° azimuth and 30° elevation",
  name: "Name",
  color: "Colour",
  lens: "Lens",
  azimuth: "Azimuth",
  elevation: "Elevation",
  distance: "Distance",
  roll: "Roll",
  target: "Target",
  targetX: "Target x",
  targetY: "Target y",
  targetZ: "Target z",
  inside: "Like the training data",
  edge: "At the edge of the training data",
  outside: "Beyond the training data",
  moving: "Moves",
  copyJson: "Copy JSON",
  pasteJson: "Paste JSON",
  openFile: "Open a file",
  saveFile: "Save to a file",
  copied: "The JSON is in the clipboard.",
  pasteHere: "Paste the rig JSON here, or press Ctrl+V in the 3D view.",
  apply: "Apply",
  dropHere: "Drop a rig JSON to open it",
  notARig: "This is not a rig JSON: {problem}",
  tooMany: "A rig has at most {most} cameras.",
  nameTaken: "Another camera has the name {name}.",
  seeded: "Shows the connected rig. Your first edit takes over.",
  waiting: "The connected rig is used until you edit here. Run once to see it.",
  offer: "The connected rig is ignored: you have edited here.",
  takeOver: "Use connected rig",
  play: "Play",
  pause: "Pause",
  frame: "Frame",
  frames: "Frames",
  addKey: "Add keyframe",
  deleteKey: "Delete keyframe",
  keyframe: "Keyframe at frame {frame}",
  ease: "Ease",
  easeNone: "No ease",
  easeIn: "Ease in",
  easeOut: "Ease out",
  easeInOut: "Ease in and out",
  easeHold: "Hold",
  interpolation: "Between keyframes",
  smooth: "Smooth",
  linear: "Linear",
  movingHint: "The released weights have only seen cameras that stand still.",
  noWebgl: "This browser offers no WebGL, so there is no 3D view; the numbers below work.",
  announce: "{name}: azimuth {azimuth}, elevation {elevation}, distance {distance} metres. {verdict}",
};

const SECTION = "syncamRigEditor";

/**
 * The words of a language, with English where one is missing.
 *
 * @param {Record<string, any>} translations what the host serves at /i18n
 * @param {string} locale the host's setting, such as "ja" or "zh"
 * @returns {(key: keyof typeof ENGLISH, values?: Record<string, any>) => string}
 */
export function textsOf(translations, locale) {
  const known = translations?.[locale]?.[SECTION] ?? translations?.[String(locale).split("-")[0]]?.[SECTION] ?? {};
  return (key, values = {}) => {
    const text = known[key] ?? ENGLISH[key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  };
}
