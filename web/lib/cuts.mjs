// Cut lists, as syncam_core/video/cut_list.py reads them: "0 A; 24 B; 48 A ~6". And timecode.

/** @typedef {{frame: number, view: number, fade: number}} Cut */

export const letterOf = (view) =>
  (view >= 26 ? letterOf(Math.floor(view / 26) - 1) : "") + String.fromCharCode(65 + (view % 26));

export const nominal = (rate) => Math.max(1, Math.floor(rate + 0.5));

/** @param {number} frame @param {number} rate frames per second @returns {string} such as 00:00:01:09 */
export function timecode(frame, rate) {
  const base = nominal(rate);
  const seconds = Math.floor(frame / base);
  const two = (number, digits = 2) => String(number).padStart(digits, "0");
  const digits = Math.max(2, String(base - 1).length);
  return [
    two(Math.floor(seconds / 3600)),
    two(Math.floor(seconds / 60) % 60),
    two(seconds % 60),
    two(frame % base, digits),
  ].join(":");
}

/** Pieces of text between ";" and line ends, without comments; what stands in quotes stays together. */
function piecesOf(text) {
  const pieces = [""];
  for (const [token] of text.matchAll(/"(?:[^"\r\n]|"")*"|#[^\r\n]*|[^"#]+|"/g)) {
    if (token === '"') return null;
    if (token[0] === '"') pieces[pieces.length - 1] += token;
    else if (token[0] !== "#") {
      const [first, ...others] = token.split(/[;\uff1b\r\n]/);
      pieces[pieces.length - 1] += first;
      pieces.push(...others);
    }
  }
  return pieces.map((piece) => piece.trim()).filter(Boolean);
}

/** Full-width letters, digits and signs, as East Asian input methods type them, as plain ones. */
const narrow = (text) => text.replace(/[\uff01-\uff5e]/g, (wide) => wide.normalize("NFKC"));

function frameOf(written, rate) {
  const when = narrow(written);
  if (/^\d{1,18}$/.test(when)) return Number(when);
  const seconds = /^(\d+(?:\.\d*)?|\.\d+)s$/.exec(when);
  // a hair more: 0.1 s at 15 frames per second is 1.5, which is the later frame, in whatever binary
  if (seconds) return Math.floor(Number(seconds[1]) * rate + 0.5 + 1e-9);
  const fields = /^(\d{1,2}):(\d{1,2}):(\d{1,2}):(\d{1,3})$/.exec(when)?.slice(1).map(Number);
  if (!fields || fields[1] > 59 || fields[2] > 59 || fields[3] >= nominal(rate)) return null;
  return ((fields[0] * 60 + fields[1]) * 60 + fields[2]) * nominal(rate) + fields[3];
}

function viewOf(camera, names) {
  const quoted = /^"((?:[^"]|"")*)"$/.exec(camera);
  const wanted = quoted ? quoted[1].replaceAll('""', '"') : camera;
  if (names.includes(wanted)) return names.indexOf(wanted);
  const alike = names.flatMap((name, view) => (name.toLowerCase() === wanted.toLowerCase() ? [view] : []));
  if (alike.length) return alike.length === 1 ? alike[0] : null;
  if (quoted) return null;
  const plain = narrow(wanted);
  if (plain !== wanted) return viewOf(plain, names);
  const view = names.findIndex(
    (_, at) => wanted.toUpperCase() === letterOf(at) || (/^\d+$/.test(wanted) && Number(wanted) === at + 1),
  );
  return view < 0 ? null : view;
}

/**
 * @param {string} text
 * @param {number} rate frames per second
 * @param {string[]} names of the views
 * @returns {Cut[] | string} the cuts in the order of time, or the entry that is not understood
 */
export function readCuts(text, rate, names) {
  const pieces = piecesOf(text);
  if (!pieces) return text.trim().slice(0, 40);
  const cuts = [];
  for (const piece of pieces) {
    const parts = /^(\S+)\s+("(?:[^"]|"")*"|[^~]*?)\s*(?:~\s*(\d+))?$/.exec(piece);
    const frame = parts ? frameOf(parts[1], rate) : null;
    const view = parts ? viewOf(parts[2], names) : null;
    if (frame === null || view === null || frame <= (cuts.at(-1)?.frame ?? -1)) return piece.slice(0, 40);
    cuts.push({ frame, view, fade: Number(parts[3] ?? 0) });
  }
  return cuts;
}

/** @param {Cut[]} cuts @param {string[]} names @returns {string} the list in one line */
export function writeCuts(cuts, names) {
  const taken = new Set(names.map((name) => name.toLowerCase()));
  const camera = (view) => {
    const letter = letterOf(view);
    return taken.has(letter.toLowerCase()) ? `"${names[view].replaceAll('"', '""')}"` : letter;
  };
  return cuts.map(({ frame, view, fade }) => `${frame} ${camera(view)}${fade ? ` ~${fade}` : ""}`).join("; ");
}

/** @param {Cut[]} cuts @returns {number} the view that a cut list shows at a frame */
export const viewAt = (cuts, frame) => cuts.findLast((cut) => cut.frame <= frame)?.view ?? cuts[0]?.view ?? 0;

/**
 * The list with one more cut. A cut at the same frame is replaced; what would change nothing is left out, so that no
 * two neighbours show the same view.
 *
 * @param {Cut[]} cuts
 * @param {number} frame from which on the view is seen
 * @param {number} view
 * @param {number} first the view that the film begins with where the list is empty
 */
export function withCut(cuts, frame, view, first) {
  const begun = cuts.length ? cuts : [{ frame: 0, view: first, fade: 0 }];
  const others = begun.filter((cut) => cut.frame !== frame);
  const sorted = [...others, { frame, view, fade: 0 }].sort((a, b) => a.frame - b.frame);
  return sorted.filter((cut, index) => index === 0 || sorted[index - 1].view !== cut.view);
}
