// The player's widget in ComfyUI: everything that knows the host. The player itself is loaded when one is needed.

import { app } from "../../../../scripts/app.js";
import { api } from "../../../../scripts/api.js";
import { addStyleSheet, after, editorBefore, keepEvents, livesWith, noteChange, textsOf, whenGone } from "../shared/host.mjs";

const NODE = "SynCamPlayer";
const WIDGET = "player";
const FILM = "syncam_film"; // property that keeps the files of the last run, to show them after a reload
const LIST_HEIGHT = { least: 46, most: 64 }; // of the cut list above the player
const MINIMUM = { width: 440, height: 340 };

const urlOf = ({ filename, subfolder, type }) =>
  api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);

/** What the player plays, from what the node said. */
function filmOf(said) {
  try {
    const { frames, fps, views } = said;
    if (!(frames > 0) || !views.length) return null;
    return {
      frames,
      rate: fps[0] / fps[1],
      views: views.map(({ file, download, ...view }) => ({
        ...view,
        url: urlOf(file),
        download: urlOf(download),
        filename: download.filename,
      })),
    };
  } catch {
    return null; // a workflow that somebody has edited by hand
  }
}

/** Choose a camera in the rig editor, without editing anything. */
function chooseCamera(node, name) {
  const store = editorBefore(node)?.store;
  const index = store?.doc.cameras.findIndex((camera) => camera.name === name) ?? -1;
  if (index >= 0) store.select(index);
}

/** Nodes 2.0 shares a node's height among its large widgets; the list needs two lines, and the pictures the rest. */
function giveRoom(element) {
  let grid = element.parentElement;
  while (grid && !grid.style.gridTemplateRows) grid = grid.dataset.nodeId ? null : grid.parentElement;
  if (!grid?.style.gridTemplateRows.includes("auto")) return;
  const rows = grid.style.gridTemplateRows.split(" ");
  const last = rows.lastIndexOf("auto");
  grid.style.gridTemplateRows = rows
    .map((row, at) => (row !== "auto" ? row : at === last ? "1fr" : `${LIST_HEIGHT.most}px`))
    .join(" ");
}

/** The element that the player fills, kept at a good size among the node's other widgets. */
function roomFor(node) {
  const element = document.createElement("div");
  element.style.minHeight = "0";
  element.addEventListener("pointerdown", () => {
    if (!element.contains(document.activeElement)) element.focus({ preventScroll: true });
  });
  const room = new ResizeObserver(() => giveRoom(element));
  room.observe(element);
  whenGone(
    node,
    () => room.disconnect(),
    () => room.observe(element),
  );
  keepEvents(element, ["pointerdown", "pointermove", "pointerup", "dblclick", "contextmenu"]);
  return element;
}

function addWidget(node) {
  const widget = node.addDOMWidget(WIDGET, "SYNCAM_PLAYER", roomFor(node), {
    serialize: false, // not in the prompt: the node has no such input
    getMinHeight: () => MINIMUM.height,
    hideOnZoom: false,
    socketless: true,
    hideInPanel: true, // the side panel would take the element out of the node
  });
  widget.serialize = false; // nor among the values of the workflow
  const list = cutsWidget(node);
  if (list?.options) {
    list.options.getMinHeight = () => LIST_HEIGHT.least;
    list.options.getMaxHeight = () => LIST_HEIGHT.most;
  }
  return widget;
}

const cutsWidget = (node) => node.widgets?.find(({ name }) => name === "cuts");
const filmSaid = (node) => node.properties?.[FILM];

/** The cut list of a node as the player reads and writes it. */
function cutsOf(node) {
  const linked = () => (node.inputs ?? []).some(({ name, link }) => name === "cuts" && link != null);
  return {
    linked,
    read: () => String((linked() ? filmSaid(node)?.cuts : cutsWidget(node)?.value) ?? ""),
    write(text) {
      const holder = cutsWidget(node);
      if (!holder) return;
      holder.value = text;
      holder.callback?.(text);
      node.graph?.setDirtyCanvas(true, true);
      noteChange();
    },
  };
}

function addPlayer(node) {
  const widget = addWidget(node);
  const { element } = widget;
  livesWith(node, widget, "player", async () => {
    const [{ Player }, t] = await Promise.all([
      import("./player.mjs"),
      textsOf("syncamPlayer"),
      addStyleSheet(new URL("./style.css", import.meta.url).href),
    ]);
    const player = new Player(element, { t, cuts: cutsOf(node), onSelect: (name) => chooseCamera(node, name) });
    player.load(filmOf(filmSaid(node)), filmSaid(node)?.problem);
    const holder = cutsWidget(node);
    if (holder && !holder.watched) after(holder, "callback", () => widget.player?.cutsChanged());
    if (holder) holder.watched = true;
    return player;
  });
  after(node, "onExecuted", (output) => {
    const said = output?.syncam_player?.[0];
    if (!said) return;
    node.setProperty?.(FILM, said);
    widget.player?.cutsChanged();
    widget.player?.load(filmOf(said), said.problem);
  });
  after(node, "onConfigure", () => widget.player?.load(filmOf(filmSaid(node)), filmSaid(node)?.problem));
}

app.registerExtension({
  name: "syncam.Player",
  nodeCreated(node) {
    if (node.comfyClass !== NODE) return;
    addPlayer(node);
    node.setSize([Math.max(node.size[0], 560), Math.max(node.size[1], 640)]);
  },
});
