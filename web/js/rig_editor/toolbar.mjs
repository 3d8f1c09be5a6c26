// The bar on top: views, undo, snap, and the menus for adding cameras and for the rig as a file.

import { MAX_VIEWS, PALETTE, writeRig } from "../../lib/rig.mjs";
import { freeName, hasRoom, newCamera } from "./camera.mjs";
import { h, iconButton } from "../shared/dom.mjs";
import { chooseFile, copyJson, saveFile } from "./exchange.mjs";
import { NumberField, choiceField } from "./fields.mjs";
import { GENERATORS, GeneratorError, PRESETS, presetPoses } from "./generators.mjs";
import { menu } from "./menu.mjs";
import { SHOTS } from "./shots.mjs";
import { MODES } from "./view.mjs";

const MODE_LABELS = { free: "viewFree", top: "viewTop", side: "viewSide", front: "viewFront", look: "viewLook" };
const WHOLE = ["count", "columns", "rows", "length"];

/** @param {import("./editor.mjs").Editor} editor */
export function createToolbar(editor) {
  const { store, t, popover } = editor;
  const modes = Object.fromEntries(
    MODES.map((mode) => [
      mode,
      iconButton(mode, t(MODE_LABELS[mode]), () => editor.setMode(mode), { "aria-pressed": "false", data: { mode } }),
    ]),
  );
  const undo = iconButton("undo", `${t("undo")} (Ctrl+Z)`, () => store.undo(), { data: { action: "undo" } });
  const redo = iconButton("redo", `${t("redo")} (Ctrl+Shift+Z)`, () => store.redo(), { data: { action: "redo" } });
  const snap = iconButton("snap", t("snap"), () => editor.toggleSnap(), { data: { action: "snap" } });
  const time = iconButton("time", t("timeline"), () => editor.toggleTimeline(), { data: { action: "timeline" } });
  const fit = iconButton("fit", `${t("fit")} (F)`, () => editor.view?.fit(), {
    class: "sc-button sc-optional",
    data: { action: "fit" },
  });
  const add = iconButton("add", t("add"), () => popover.open(addMenu(editor, add), add), {
    data: { action: "add" },
    "aria-haspopup": "menu",
  });
  const more = iconButton("more", t("more"), () => popover.open(fileMenu(editor, more), more), {
    data: { action: "more" },
    "aria-haspopup": "menu",
  });
  const element = h(
    "div",
    { class: "sc-bar", role: "toolbar", "aria-label": t("editor") },
    h("div", { class: "sc-group", role: "group" }, ...Object.values(modes)),
    fit,
    h("div", { class: "sc-space" }),
    undo,
    redo,
    snap,
    time,
    h("div", { class: "sc-space" }),
    add,
    more,
  );
  const update = () => {
    for (const [mode, button] of Object.entries(modes))
      button.setAttribute("aria-pressed", String(editor.mode === mode));
    undo.disabled = !store.canUndo;
    redo.disabled = !store.canRedo;
    snap.setAttribute("aria-pressed", String(editor.options.snap));
    time.setAttribute("aria-pressed", String(editor.showsTimeline));
  };
  return { element, update, more };
}

function addMenu(editor, opener) {
  const { t, store, popover } = editor;
  const full = !hasRoom(store.doc.cameras);
  const bridges = (editor.meter?.bridges ?? []).map(({ camera }) => ({ ...camera, roll: 0 }));
  return menu(
    t("add"),
    [
      [t("addCamera"), () => editor.addCamera(), full, "N"],
      [t("duplicate"), () => editor.duplicate(), full],
      [t("mirrorCopy"), () => editor.mirror(true), full],
      ...(bridges.length
        ? [
            [
              t("bridges", { count: bridges.length }),
              () => editor.addCameras(bridges),
              !hasRoom(store.doc.cameras, bridges.length),
            ],
          ]
        : []),
      t("generators"),
      ...Object.keys(GENERATORS).map((rule) => [
        `${t(rule)}…`,
        () => popover.open(generatorForm(editor, rule), opener),
      ]),
      t("presets"),
      ...PRESETS.map(([key, cameras]) => [t(key), () => editor.replaceCameras(presetPoses(cameras))]),
    ],
    () => popover.close(),
  );
}

function fileMenu(editor, opener) {
  const { t, popover } = editor;
  const best = editor.meter?.best_reference ?? 0;
  return menu(
    t("more"),
    [
      [t("copyJson"), () => copyJson(editor)],
      [t("pasteJson"), () => popover.open(pasteForm(editor), opener)],
      [t("openFile"), () => chooseFile(editor)],
      [t("saveFile"), () => saveFile(editor)],
      t("shotSizes"),
      ...Object.keys(SHOTS).map((size) => [t(size), () => editor.frameAs(size)]),
      t("cameras"),
      [t(editor.isLeftOut ? "takeIn" : "leaveOut"), () => editor.toggleLeftOut(), !editor.canLeaveOut],
      [t("mirror"), () => editor.mirror(false)],
      [t("makeReference"), () => editor.move(-editor.store.selected), editor.store.selected === 0],
      ...(best > 0
        ? [[t("bestReference", { name: editor.store.doc.cameras[best].name }), () => editor.chooseReference(best)]]
        : []),
    ],
    () => popover.close(),
  );
}

function generatorForm(editor, rule) {
  const { t, store, popover } = editor;
  const { fields, make, idle = () => [] } = GENERATORS[rule];
  const values = Object.fromEntries(fields.map(([key, value]) => [key, value]));
  const numbers = {};
  const problem = h("p", { class: "sc-problem", role: "alert", hidden: true });
  const change = (key, value) => {
    values[key] = value;
    problem.hidden = true;
    const unused = idle(values);
    for (const [name, field] of Object.entries(numbers)) field.show(unused.includes(name) ? null : values[name]);
  };
  const elements = fields.map((field) => generatorField(t, field, change, numbers));
  const run = async (replace) => {
    // a number that is still being typed counts
    form.querySelectorAll("input").forEach((input) => input.blur());
    const { poses, refused } = await posesOf(editor, () => make(values));
    problem.textContent = refused;
    problem.hidden = !refused;
    if (!poses) return;
    popover.close();
    if (replace) editor.replaceCameras(poses);
    else editor.addCameras(poses);
  };
  const form = h(
    "div",
    { class: "sc-form", role: "dialog", "aria-label": t(rule) },
    h("h4", { text: t(rule) }),
    h("div", { class: "sc-fields" }, ...elements),
    problem,
    h(
      "div",
      { class: "sc-bar" },
      h("button", {
        class: "sc-button sc-plain",
        text: t("addThese"),
        disabled: !hasRoom(store.doc.cameras),
        onclick: () => run(false),
        data: { action: "add-these" },
      }),
      h("button", {
        class: "sc-button sc-strong",
        text: t("replaceAll"),
        onclick: () => run(true),
        data: { action: "replace-all" },
      }),
    ),
  );
  return form;
}

/** The element of one field of a generator: a check box, a choice, or a number, which goes into `numbers`, too. */
function generatorField(t, [key, value, least, most, step, unit], change, numbers) {
  if (typeof value === "boolean") {
    const box = h("input", { type: "checkbox", name: key, onchange: () => change(key, box.checked) });
    return h("label", { class: "sc-check" }, box, t(key));
  }
  if (Array.isArray(least)) {
    const choices = least.map((choice) => [choice, t(choice)]);
    return choiceField({ label: t(key), name: key, choices, onchange: (choice) => change(key, choice) }).element;
  }
  numbers[key] = new NumberField({
    ...{ label: t(key), name: key, least, most, step, unit },
    onchange: (number) => change(key, WHOLE.includes(key) ? Math.round(number) : number),
  });
  numbers[key].show(value);
  return numbers[key].element;
}

/**
 * The poses that a generator makes, or why there are none.
 *
 * @returns {Promise<{poses?: import("./generators.mjs").NamedPose[], refused: string}>}
 */
async function posesOf(editor, make) {
  let poses;
  try {
    poses = make();
  } catch (refused) {
    const isOurs = refused instanceof GeneratorError;
    return { refused: isOurs ? editor.t(refused.message, { most: MAX_VIEWS }) : refused.message };
  }
  if (poses.every(isPlacePossible)) return { poses, refused: "" };
  // Numbers that are possible one by one may not be so together; what is wrong then says the reader of rigs.
  const cameras = camerasOf([], poses, editor.store.camera.lens);
  const { error } = await editor.judge(writeRig({ frames: null, cameras, metadata: null }));
  return { refused: error ?? "" };
}

const isPlacePossible = ({ elevation, distance, c2w, keyframes }) =>
  c2w || keyframes || (Math.abs(elevation) <= 90 && distance > 0);

function pasteForm(editor) {
  const { t, popover } = editor;
  const area = h("textarea", { "aria-label": t("pasteJson"), placeholder: t("pasteHere"), spellcheck: false });
  const apply = async () => {
    if (await editor.importText(area.value)) popover.close();
  };
  return h(
    "div",
    { class: "sc-form", role: "dialog", "aria-label": t("pasteJson") },
    h("h4", { text: t("pasteJson") }),
    area,
    h(
      "div",
      { class: "sc-bar" },
      h("button", { class: "sc-button sc-plain", text: t("cancel"), onclick: () => popover.close(true) }),
      h("button", { class: "sc-button sc-strong", text: t("apply"), onclick: apply, data: { action: "apply" } }),
    ),
  );
}

/**
 * Cameras of poses, with names and colours.
 *
 * @param {object[]} others cameras that stay beside them
 * @param {import("./generators.mjs").NamedPose[]} poses as many of them as there is room for are taken
 */
export function camerasOf(others, poses, lens) {
  const cameras = [...others];
  for (const { name = "", color, keyframes, interpolation, ...pose } of poses.slice(0, MAX_VIEWS - others.length)) {
    const camera = newCamera(cameras, pose, name, lens);
    if (keyframes) Object.assign(camera, { keyframes, interpolation });
    if (!others.length) camera.color = color ?? PALETTE[cameras.length % PALETTE.length];
    camera.name = freeName(cameras, name);
    cameras.push(camera);
  }
  return cameras;
}
