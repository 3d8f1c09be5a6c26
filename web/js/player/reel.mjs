// The frames of all views, always as a set: frame i of every view, or nothing.
//
// A browser's video element does not say which frame it shows while it plays, and two of them drift apart. So nothing
// is played here: each view's hidden video is sent to the middle of frame i, its own report of the frame's time is
// checked, and the picture is kept. A set is complete when all views have the same i; only complete sets are ever
// shown. What has been seen once plays at any speed from memory.

const BUDGET_BYTES = 400e6; // of decoded pictures, of one player
const SMALLEST_SCALE = 0.35; // smaller pictures are no help; long clips keep fewer frames instead
const ATTEMPTS = 4;
const REPORT_MS = 400; // how long a browser may take to report a frame it has found
const AHEAD = 0.85; // the share of what can be kept that lies in front of the frame on screen

/** Wait until the page can be seen. */
const shown = () =>
  new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));

/** How large pictures are kept, and how many frames of them: all, unless they would be smaller than SMALLEST_SCALE. */
export function plan(views, frames, budget = BUDGET_BYTES) {
  const pixels = views.reduce((sum, view) => sum + view.width * view.height, 0);
  const fitting = Math.sqrt(budget / (4 * pixels * frames));
  if (fitting >= SMALLEST_SCALE) return { scale: Math.min(1, fitting), room: frames };
  return { scale: SMALLEST_SCALE, room: Math.max(2, Math.floor(budget / (4 * pixels * SMALLEST_SCALE ** 2))) };
}

/** One view's video, of which single frames are asked. */
class Deck {
  constructor(view, url, rate, frames, scale) {
    this.view = view;
    this.url = url;
    this.rate = rate;
    this.frames = frames;
    this.scale = scale;
    this.at = -1;
    this.gone = false;
    this.video = document.createElement("video");
    Object.assign(this.video, { muted: true, preload: "auto", playsInline: true, crossOrigin: "anonymous" });
    this.loaded = new Promise((resolve, reject) => {
      this.video.addEventListener("loadeddata", resolve, { once: true });
      this.video.addEventListener("error", () => reject(new Error("unplayable")));
    });
    this.loaded.catch(() => {}); // grab() reports it
    this.video.src = url;
  }

  /** @returns {Promise<ImageBitmap>} the picture of a frame */
  async grab(frame) {
    await this.loaded;
    if (this.at !== frame) await this.#seek(frame);
    if (this.gone) throw new Error("disposed");
    const { videoWidth: width, videoHeight: height } = this.video;
    const small = this.scale < 1;
    return createImageBitmap(
      this.video,
      small
        ? {
            resizeWidth: Math.max(2, Math.round(width * this.scale)),
            resizeHeight: Math.max(2, Math.round(height * this.scale)),
            resizeQuality: "medium",
          }
        : {},
    );
  }

  async #seek(frame) {
    this.at = -1;
    // Where a file begins later than at 0 the reported time is off by whole frames; ask for what is missing.
    let aim = frame;
    for (let attempt = 0; attempt < ATTEMPTS && !this.gone; attempt += 1) {
      const shown = await this.#shownAfter((aim + 0.5) / this.rate);
      if (shown === null || shown === frame) {
        this.at = frame;
        return;
      }
      aim += frame - shown;
    }
    throw new Error(this.gone ? "disposed" : "inexact");
  }

  /** Seek, and @returns {Promise<number | null>} the frame that the browser says it shows, null where it cannot say */
  #shownAfter(time) {
    const { video } = this;
    return new Promise((resolve, reject) => {
      let reported = null;
      let seeked = false;
      let timer = 0;
      const done = () => {
        clearTimeout(timer);
        video.removeEventListener("seeked", onSeeked);
        video.removeEventListener("error", onError);
        if (handle !== undefined) video.cancelVideoFrameCallback(handle);
        this.cancel = null;
      };
      const finish = () => {
        done();
        resolve(reported);
      };
      const onError = () => {
        done();
        reject(new Error("unplayable"));
      };
      const onSeeked = () => {
        seeked = true;
        // Some browsers report nothing: there their word that the seek is done has to do.
        if (reported !== null) finish();
        else timer = setTimeout(finish, handle === undefined ? 50 : REPORT_MS);
      };
      const onFrame = (_, facts) => {
        handle = undefined;
        reported = Math.round(facts.mediaTime * this.rate);
        if (seeked) finish();
      };
      let handle = video.requestVideoFrameCallback?.(onFrame);
      video.addEventListener("seeked", onSeeked);
      video.addEventListener("error", onError);
      this.cancel = onError;
      video.currentTime = Math.min(time, Math.max(0, (video.duration || Infinity) - 0.1 / this.rate));
    });
  }

  dispose() {
    this.gone = true;
    this.video.removeAttribute("src");
    this.video.load(); // lets the decoder and the connection go
    this.cancel?.();
  }
}

export class Reel {
  /**
   * @param {{width: number, height: number, url: string}[]} views
   * @param {number} frames of each view
   * @param {number} rate frames per second
   * @param {(frame: number) => void} onFrame a set is there
   * @param {(problem: {kind: "gone" | "unplayable" | "inexact", view: number}) => void} onProblem
   */
  constructor(views, frames, rate, onFrame, onProblem, budget = BUDGET_BYTES) {
    Object.assign(this, { frames, onFrame, onProblem, ...plan(views, frames, budget) });
    this.sets = new Map();
    this.focus = 0;
    this.region = [0, frames - 1];
    this.disposed = false;
    this.idle = false;
    this.decks = views.map((view) => new Deck(view, view.url, rate, frames, this.scale));
    this.#run();
  }

  has(frame) {
    return this.sets.has(frame);
  }

  /** @returns {ImageBitmap[] | undefined} the pictures of all views at a frame */
  get(frame) {
    return this.sets.get(frame);
  }

  /** What is on screen, or should be: it comes first, then what follows it in the region. */
  look(frame, region) {
    this.focus = frame;
    this.region = region;
    if (this.idle) this.#run();
  }

  #distance(frame) {
    const [first, last] = this.region;
    if (frame < first || frame > last) return this.frames + Math.abs(frame - this.focus);
    return frame >= this.focus ? frame - this.focus : frame - this.focus + (last - first + 1);
  }

  /** The frame that is missed most. */
  #next() {
    if (!this.has(this.focus)) return this.focus;
    const window = this.room < this.frames ? Math.floor(this.room * AHEAD) : this.frames * 2;
    let best = null;
    for (let frame = 0; frame < this.frames; frame += 1) {
      if (this.has(frame)) continue;
      const distance = this.#distance(frame);
      if (distance < window && (best === null || distance < this.#distance(best))) best = frame;
    }
    return best;
  }

  #makeRoom() {
    while (this.sets.size >= this.room) {
      const farthest = [...this.sets.keys()].reduce((a, b) => (this.#distance(a) > this.#distance(b) ? a : b));
      for (const picture of this.sets.get(farthest)) picture.close();
      this.sets.delete(farthest);
    }
  }

  async #run() {
    this.idle = false;
    while (!this.disposed) {
      if (document.hidden) await shown(); // a hidden page gets no reports of frames
      const frame = this.#next();
      if (frame === null || this.disposed) break;
      const asked = await Promise.allSettled(this.decks.map((deck) => deck.grab(frame)));
      const pictures = asked.filter((one) => one.status === "fulfilled").map((one) => one.value);
      const failed = asked.findIndex((one) => one.status === "rejected");
      if (this.disposed || failed >= 0) {
        for (const picture of pictures) picture.close();
        if (!this.disposed) await this.#explain(failed, asked[failed].reason);
        return;
      }
      this.#makeRoom();
      this.sets.set(frame, pictures);
      this.onFrame(frame);
    }
    this.idle = !this.disposed;
  }

  async #explain(view, reason) {
    let kind = reason.message === "inexact" ? "inexact" : "unplayable";
    try {
      const answer = await fetch(this.decks[view].url, { method: "HEAD" });
      if (answer.status === 404) kind = "gone";
    } catch {
      // the server is not there: the file cannot be played
    }
    if (!this.disposed) this.onProblem({ kind, view });
  }

  dispose() {
    this.disposed = true;
    for (const deck of this.decks) deck.dispose();
    for (const pictures of this.sets.values()) for (const picture of pictures) picture.close();
    this.sets.clear();
  }
}
