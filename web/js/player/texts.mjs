// What the player says, in the host's language: locales/<language>/main.json under "syncamPlayer". English is here as
// well, so that the player never shows a bare key.

export const ENGLISH = {
  player: "Player of all views",
  help: "Space plays and pauses, arrow keys step, Home and End go to the ends, 1 to 9 switch the view, R records cuts, U takes the last one back, I and O set the loop, G, S, W and C choose what is shown.",
  empty: "Run the workflow to see the views here.",
  all: "All views",
  one: "One view",
  wipe: "Two views with a wipe",
  cut: "The edit",
  allShort: "All",
  oneShort: "One",
  wipeShort: "A | B",
  cutShort: "Edit",
  views: "Views",
  divider: "Divider of the wipe",
  swap: "Swap the two sides of the wipe",
  play: "Play",
  pause: "Pause",
  back: "One frame back",
  forward: "One frame forward",
  start: "To the beginning",
  end: "To the end",
  loopIn: "The loop begins here",
  loopOut: "The loop ends here",
  loopAll: "Loop over everything",
  speed: "Speed",
  record: "Record cuts with the keys 1 to 9",
  undo: "Take the last cut back",
  clear: "Clear the cut list",
  download: "Download {name}",
  time: "Time",
  frame: "Frame {frame} of {frames}, {timecode}",
  view: "{number}: {name} {angles}",
  shown: "View {number}, {name}",
  recorded: "Cut to {name} at frame {frame}",
  gone: "The file of {name} is gone: previews are kept until ComfyUI starts again, saved files until somebody moves them. Run the workflow again.",
  unplayable: "This browser cannot play the file of {name} (H.264 video); use Chrome, Edge, Firefox or Safari.",
  inexact: "The file of {name} has not the frames it should have, so the views cannot be kept together; run the workflow again.",
  badCuts: "The cut list is not understood at {entry}; correct or clear it to record.",
  linkedCuts: "The cut list comes from another node; disconnect it to record here.",
};

const SECTION = "syncamPlayer";

/**
 * The words of a language, with English where one is missing.
 *
 * @param {Record<string, any>} translations what the host serves at /i18n
 * @param {string} locale the host's setting, such as "ja" or "zh"
 * @returns {(key: keyof typeof ENGLISH, values?: Record<string, any>) => string}
 */
export function textsOf(translations, locale) {
  const known = translations?.[locale]?.[SECTION] ?? translations?.[String(locale).split("-")[0]]?.[SECTION] ?? {};
  return (key, values = {}) =>
    (known[key] ?? ENGLISH[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
