// What can be done with the cameras: every edit is one step of the store.

import { MAX_NAME_LENGTH, MAX_VIEWS } from "../../lib/rig.mjs";
import { freeColor, freeName, hasRoom, isMoving, keyAt, newCamera, poseAt, tidy } from "./camera.mjs";
import { distanceOf } from "./shots.mjs";
import { keyedDocument, lengthOf, withoutKeyframe } from "./timeline.mjs";
import { camerasOf } from "./toolbar.mjs";

const LEFT_OUT = "left_out"; // metadata key; nodes/rigs/editor.py leaves these cameras out

/** The editor's commands; the editor itself has the store, the view and the words. */
export class Commands {
  get hasRoom() {
    return hasRoom(this.store.doc.cameras);
  }

  setMode(mode) {
    this.mode = mode;
    this.view?.setMode(mode);
    this.interaction?.modeChanged();
    this.toolbar.update();
  }

  toggleSnap() {
    this.options.snap = !this.options.snap;
    this.toolbar.update();
  }

  toggleTimeline() {
    this.timelineWish = !this.showsTimeline;
    this.refresh(new Set());
  }

  /** Put a camera after the chosen one, or at another place. */
  #insert(camera, at = this.store.selected + 1) {
    const { doc } = this.store;
    if (!this.#checkRoom(1)) return;
    this.store.commit({ ...doc, cameras: doc.cameras.toSpliced(at, 0, camera) }, { select: at });
  }

  #checkRoom(more) {
    if (hasRoom(this.store.doc.cameras, more)) return true;
    this.complain(this.t("tooMany", { most: MAX_VIEWS }));
    return false;
  }

  /** One more camera, seen from beside the chosen one; it comes last, so that its number is the one in its name. */
  addCamera() {
    const { cameras } = this.store.doc;
    const pose = poseAt(this.store.camera, this.store.frame);
    const taken = (azimuth) =>
      cameras.some((camera) => {
        const other = poseAt(camera, this.store.frame);
        return Math.abs(other.azimuth - azimuth) < 5 && Math.abs(other.elevation - pose.elevation) < 5;
      });
    let azimuth = pose.azimuth + 15;
    for (let tries = 0; taken(azimuth) && tries < 24; tries += 1) azimuth += 15;
    const camera = newCamera(cameras, { ...pose, azimuth: tidy(azimuth), roll: 0 }, "", this.store.camera.lens);
    this.#insert(camera, cameras.length);
  }

  duplicate() {
    const { camera, doc } = this.store;
    this.#insert({ ...camera, name: freeName(doc.cameras, camera.name), color: freeColor(doc.cameras) });
  }

  /** Left becomes right. @param {boolean} copy whether the camera stays and gets a partner */
  mirror(copy) {
    const { camera, doc, selected } = this.store;
    const keyframes = camera.keyframes.map(mirrored);
    if (!copy) this.store.change(selected, { ...camera, keyframes });
    else
      this.#insert({ ...camera, keyframes, name: freeName(doc.cameras, camera.name), color: freeColor(doc.cameras) });
  }

  remove() {
    const { doc, selected } = this.store;
    if (doc.cameras.length < 2) {
      this.say(this.t("lastCamera"), 4000);
      return;
    }
    this.store.commit({ ...doc, cameras: doc.cameras.filter((_, index) => index !== selected) }, { select: selected });
  }

  /** Give the chosen camera another place in the order. */
  move(by) {
    const { doc, selected, camera } = this.store;
    const to = Math.min(Math.max(selected + by, 0), doc.cameras.length - 1);
    if (to === selected) return;
    const cameras = doc.cameras.toSpliced(selected, 1).toSpliced(to, 0, camera);
    this.store.commit({ ...doc, cameras }, { select: to });
  }

  /** Make a camera view 0, which all others are seen from. */
  chooseReference(index) {
    this.store.select(index);
    this.move(-index);
  }

  /** @param {import("./generators.mjs").NamedPose[]} poses of the cameras to have instead */
  replaceCameras(poses) {
    const { doc, camera } = this.store;
    this.store.commit({ ...doc, frames: null, cameras: camerasOf([], poses, camera.lens) }, { select: 0 });
    this.view?.fit();
  }

  /** @param {import("./generators.mjs").NamedPose[]} poses of cameras to put beside those that are there */
  addCameras(poses) {
    const { doc, camera } = this.store;
    if (!this.#checkRoom(poses.length)) return;
    this.store.commit({ ...doc, cameras: camerasOf(doc.cameras, poses, camera.lens) }, { select: doc.cameras.length });
    this.view?.fit();
  }

  /** Move the chosen camera to where its lens takes a shot of a size. @param {keyof import("./shots.mjs").SHOTS} size */
  frameAs(size) {
    const { camera } = this.store;
    const distance = tidy(distanceOf(size, camera.lens, this.aspect), 2);
    this.store.pose({ distance });
  }

  /** Names of cameras that stay in the editor and are not filmed. */
  get leftOut() {
    const names = this.store.doc.metadata?.[LEFT_OUT];
    return Array.isArray(names) ? names : [];
  }

  get isLeftOut() {
    return this.leftOut.includes(this.store.camera.name);
  }

  get canLeaveOut() {
    return this.isLeftOut || this.leftOut.length + 1 < this.store.doc.cameras.length;
  }

  /** Film the chosen camera no more, or again. */
  toggleLeftOut() {
    if (!this.canLeaveOut) return;
    const { name } = this.store.camera;
    this.#leaveOut(this.isLeftOut ? this.leftOut.filter((one) => one !== name) : [...this.leftOut, name]);
  }

  #leaveOut(names, doc = this.store.doc) {
    const there = names.filter((name) => doc.cameras.some((camera) => camera.name === name));
    const { [LEFT_OUT]: _, ...metadata } = doc.metadata ?? {};
    if (there.length) metadata[LEFT_OUT] = there;
    this.store.commit({ ...doc, metadata: Object.keys(metadata).length ? metadata : null });
  }

  /** @returns {boolean} whether the chosen camera has the name now */
  rename(text) {
    const { doc, selected, camera } = this.store;
    const plain = text.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu, " ").trim();
    const name = [...plain].slice(0, MAX_NAME_LENGTH).join("").trim();
    if (!name) {
      this.complain(this.t("nameNeeded"));
      return false;
    }
    if (doc.cameras.some((other, index) => index !== selected && other.name === name)) {
      this.complain(this.t("nameTaken", { name }));
      return false;
    }
    const renamed = { ...doc, cameras: doc.cameras.map((old, index) => (index === selected ? { ...camera, name } : old)) };
    if (this.isLeftOut) this.#leaveOut(this.leftOut.map((one) => (one === camera.name ? name : one)), renamed);
    else this.store.commit(renamed);
    return true;
  }

  seek(frame) {
    this.store.seek(Math.min(frame, lengthOf(this.store.doc) - 1));
  }

  addKeyframe() {
    const { doc, selected, camera, frame } = this.store;
    if (!isMoving(camera) && keyAt(camera, frame) >= 0) {
      // The first key of a camera that stands still: from now on another frame is another key.
      this.store.commit({
        ...doc,
        frames: lengthOf(doc),
        cameras: doc.cameras.map((old, index) => (index === selected ? { ...old, isKeyed: true } : old)),
      });
      this.say(this.t("firstKey", { frame }), 6000);
    } else this.store.commit(keyedDocument(doc, selected, frame));
  }

  deleteKeyframe() {
    const { camera, selected, frame } = this.store;
    this.store.change(selected, isMoving(camera) ? withoutKeyframe(camera, frame) : { ...camera, isKeyed: false });
  }

  /** Another length; keyframes beyond it go. */
  setFrames(frames) {
    const { doc } = this.store;
    let cut = false;
    const cameras = doc.cameras.map((camera) => {
      const keyframes = camera.keyframes.filter((key) => key.frame < frames);
      cut ||= keyframes.length < camera.keyframes.length;
      if (keyframes.length === camera.keyframes.length) return camera;
      return keyframes.length > 1
        ? { ...camera, keyframes }
        : { ...camera, keyframes: [{ ...camera.keyframes[0], frame: 0, ease: "none" }] };
    });
    this.store.commit({ ...doc, frames, cameras: cut ? cameras : doc.cameras });
    this.seek(this.store.frame);
  }
}

/** A keyframe seen in a mirror that stands upright in front of azimuth 0. */
function mirrored(key) {
  if (!key.c2w)
    return {
      ...key,
      azimuth: 0 - key.azimuth,
      roll: 0 - key.roll,
      target: [0 - key.target[0], key.target[1], key.target[2]],
    };
  // M c2w M with M = diag(-1, 1, 1): what was a rotation stays one
  return { ...key, c2w: key.c2w.map((value, index) => ((index % 4 === 0) !== index < 4 ? 0 - value : value)) };
}
