// What the player is made of, and what its keys and pointers do.

import { h, icon, iconButton, ownHistory } from "../shared/dom.mjs";

export const SPEEDS = [0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2];
const EDGE_PX = 5; // how near to the edge of a shot it is taken
const MODES = { all: "g", one: "s", wipe: "w", cut: "c" };

const glyphButton = (name, label, onclick, action) =>
  iconButton(name, label, onclick, { class: "sp-button", data: { action } });

/** Fill the player's element with its parts, which become its properties. */
export function buildControls(player) {
  const { element, t } = player;
  element.classList.add("sp-player");
  element.tabIndex = 0;
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", t("player"));
  element.setAttribute("aria-description", t("help"));
  ownHistory(element);
  buildCutControls(player);
  buildStage(player);
  buildTrack(player);
  buildTimeControls(player);
  player.note = h("div", { class: "sp-note", hidden: true });
  player.chips = h("div", { class: "sp-views", role: "radiogroup", "aria-label": t("views") });
  element.replaceChildren(
    cutBar(player),
    player.note,
    player.stage,
    player.chips,
    player.track,
    timeBar(player),
    player.live,
  );
  element.addEventListener("keydown", (event) => pressKey(player, event), { signal: player.gone.signal });
  listenToTrack(player);
  listenToDivider(player);
}

function buildCutControls(player) {
  const { t } = player;
  player.modeButtons = Object.keys(MODES).map((mode) =>
    h("button", {
      class: "sp-button",
      text: t(`${mode}Short`),
      title: `${t(mode)} (${MODES[mode].toUpperCase()})`,
      "aria-label": t(mode),
      data: { mode },
      onclick: () => player.setMode(mode),
    }),
  );
  player.swap = glyphButton("swap", `${t("swap")} (X)`, () => player.swapSides(), "swap");
  player.download = h("a", { class: "sp-button", data: { action: "download" } }, icon("download"));
  player.record = h(
    "button",
    {
      class: "sp-button sp-record",
      title: `${t("record")} (R)`,
      "aria-label": t("record"),
      data: { action: "record" },
      onclick: () => player.arm(!player.armed),
    },
    h("i"),
    h("span", { text: "REC" }),
  );
  player.undo = glyphButton("undo", `${t("undo")} (U)`, () => player.undoCut(), "undo");
  player.clear = glyphButton("trash", t("clear"), () => player.clearCuts(), "clear");
}

function cutBar(player) {
  return h(
    "div",
    { class: "sp-bar" },
    h("div", { class: "sp-group", role: "group" }, ...player.modeButtons),
    player.swap,
    h("div", { class: "sp-space" }),
    h("div", { class: "sp-group" }, player.record, player.undo, player.clear),
    player.download,
  );
}

function buildStage(player) {
  const { t } = player;
  player.canvas = h("canvas", { "aria-hidden": "true" });
  player.context = player.canvas.getContext("2d");
  player.divider = h("div", {
    class: "sp-divider",
    tabIndex: 0,
    role: "slider",
    "aria-label": t("divider"),
    "aria-valuemin": "0",
    "aria-valuemax": "100",
  });
  player.labels = [h("div", { class: "sp-name" }), h("div", { class: "sp-name sp-right" })];
  player.stage = h("div", { class: "sp-stage" }, player.canvas, ...player.labels, player.divider);
}

function buildTrack(player) {
  const { t } = player;
  player.loaded = h("div", { class: "sp-loaded" });
  player.loopMark = h("div", { class: "sp-loop" });
  player.cutMarks = h("div", { class: "sp-cuts" });
  player.head = h("div", { class: "sp-head" });
  player.rail = h("div", { class: "sp-rail" }, player.loaded, player.cutMarks, player.loopMark, player.head);
  player.track = h(
    "div",
    {
      class: "sp-track",
      tabIndex: 0,
      role: "slider",
      "aria-label": t("time"),
      "aria-orientation": "horizontal",
      "aria-valuemin": "0",
    },
    player.rail,
  );
  for (const part of [player.track, player.divider]) ownHistory(part);
}

function buildTimeControls(player) {
  const { t } = player;
  player.play = glyphButton("play", t("play"), () => player.toggle(), "play");
  player.readout = h("div", { class: "sp-readout" });
  player.speeds = h(
    "select",
    {
      class: "sp-speed",
      title: t("speed"),
      "aria-label": t("speed"),
      onchange: () => player.setSpeed(Number(player.speeds.value)),
    },
    ...SPEEDS.map((speed) => h("option", { value: String(speed), text: `${speed}×` })),
  );
  player.speeds.value = "1";
  player.live = h("div", { class: "sp-hidden", "aria-live": "polite" });
  player.loopAll = glyphButton("loop", t("loopAll"), () => player.setLoop(null), "loop-all");
}

function timeBar(player) {
  const { t } = player;
  return h(
    "div",
    { class: "sp-bar" },
    h(
      "div",
      { class: "sp-group" },
      glyphButton("start", `${t("start")} (Home)`, () => player.seek(player.region[0]), "start"),
      glyphButton("back", `${t("back")} (←)`, () => player.step(-1), "back"),
      player.play,
      glyphButton("forward", `${t("forward")} (→)`, () => player.step(1), "forward"),
      glyphButton("end", `${t("end")} (End)`, () => player.seek(player.region[1]), "end"),
    ),
    h(
      "div",
      { class: "sp-group sp-optional" },
      glyphButton("loopIn", `${t("loopIn")} (I)`, () => player.loopFrom(), "loop-in"),
      glyphButton("loopOut", `${t("loopOut")} (O)`, () => player.loopTo(), "loop-out"),
      player.loopAll,
    ),
    player.speeds,
    h("div", { class: "sp-space" }),
    player.readout,
  );
}

function listenToTrack(player) {
  let start = null; // the frame where the pointer went down
  let trimmed = -1; // the cut that is pulled
  const frameUnder = (event) => {
    const box = player.rail.getBoundingClientRect();
    return Math.round(Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * player.last);
  };
  /** The cut whose edge is under the pointer, in the lower part of the track, where the shots are; -1 for none. */
  const cutUnder = (event) => {
    const box = player.rail.getBoundingClientRect();
    const cuts = player.cuts ?? [];
    if (event.clientY < box.top + box.height * 0.55 || player.options.cuts.linked()) return -1;
    const at = ({ frame }) => box.left + (box.width * frame) / Math.max(1, player.last);
    return cuts.findLastIndex((cut, index) => index > 0 && Math.abs(at(cut) - event.clientX) <= EDGE_PX);
  };
  player.track.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !player.film) return;
    player.pause();
    player.track.setPointerCapture(event.pointerId);
    trimmed = event.shiftKey ? -1 : cutUnder(event);
    if (trimmed > 0) {
      player.history.push(player.options.cuts.read());
      return;
    }
    start = frameUnder(event);
    if (!event.shiftKey) player.seek(start);
  });
  player.track.addEventListener("pointermove", (event) => {
    if (trimmed > 0) {
      player.moveCut(trimmed, frameUnder(event));
      player.seek(player.cuts[trimmed].frame);
    } else player.track.style.cursor = cutUnder(event) > 0 ? "ew-resize" : "";
    if (start === null) return;
    const now = frameUnder(event);
    if (event.shiftKey) player.setLoop(now === start ? null : [Math.min(now, start), Math.max(now, start)]);
    else player.seek(now);
  });
  for (const kind of ["pointerup", "pointercancel"])
    player.track.addEventListener(kind, () => {
      start = null;
      trimmed = -1;
    });
}

function listenToDivider(player) {
  let dragging = false;
  const move = (event) => {
    const box = player.stage.getBoundingClientRect();
    const scale = box.width / player.stage.clientWidth || 1; // the graph may be zoomed
    const { x, width } = player.picture;
    player.setShare(((event.clientX - box.left) / scale - x) / width);
  };
  player.divider.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    dragging = true;
    player.divider.setPointerCapture(event.pointerId);
  });
  player.divider.addEventListener("pointermove", (event) => dragging && move(event));
  for (const kind of ["pointerup", "pointercancel"])
    player.divider.addEventListener(kind, () => {
      dragging = false;
    });
  player.divider.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (by === undefined) return;
    player.setShare(player.share + by);
    event.preventDefault();
    event.stopPropagation();
  });
}

export function pressKey(player, event) {
  const { target } = event;
  const typing = ["SELECT", "INPUT"].includes(target.tagName);
  const control = event.ctrlKey || event.metaKey;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  let known = true;
  if (control && key === "z") player.undoCut();
  else if (control || event.altKey || typing) known = false;
  else if (key === " ") player.toggle();
  else if (/^Digit[1-9]$/.test(event.code) && event.shiftKey && player.mode === "wipe")
    player.selectOther(Number(event.code.at(-1)) - 1);
  else if (/^Digit\d$/.test(event.code) && event.shiftKey) player.select(Number(event.code.at(-1)) + 9);
  else if (/^\d$/.test(key)) player.select(key === "0" ? 9 : Number(key) - 1);
  else if (key === "j" || key === "l") player.shuttle(key === "j" ? -1 : 1);
  else if (key === "k") player.pause();
  else if (key === "ArrowLeft" || key === "ArrowRight")
    player.step((key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 10 : 1));
  else if (key === "Home") player.seek(player.region[0]);
  else if (key === "End") player.seek(player.region[1]);
  else if (key === "r") player.arm(!player.armed);
  else if (key === "u") player.undoCut();
  else if (key === "i") player.loopFrom();
  else if (key === "o") player.loopTo();
  else if (key === "x") player.swapSides();
  else if (key === "+" || key === "=") player.faster(1);
  else if (key === "-") player.faster(-1);
  else if (key === ",") player.select((player.selected + player.names.length - 1) % player.names.length);
  else if (key === ".") player.select((player.selected + 1) % player.names.length);
  else if (Object.values(MODES).includes(key)) player.setMode(Object.keys(MODES).find((mode) => MODES[mode] === key));
  else known = false;
  if (known) event.preventDefault();
  // single letters and Delete are commands of the host that nobody means in here
  const meant = !control && (key.length === 1 || key === "Delete" || key === "Backspace" || typing);
  if (known || meant) event.stopPropagation();
}
