// The contact sheet of SynCam Scout Seeds on its node: a button for each seed, and a click chooses the one to promote.

import { app } from "../../../scripts/app.js";
import { api } from "../../../scripts/api.js";
import { after, keepEvents, noteChange } from "./shared/host.mjs";

const LEAST_HEIGHT = 160;
const SHEET = "syncam_sheet"; // property that keeps the files of the last run, to show them after a reload

const urlOf = ({ filename, subfolder, type }) =>
  api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);

app.registerExtension({
  name: "syncam.ScoutSeeds",
  nodeCreated(node) {
    if (node.comfyClass !== "SynCamScoutSeeds") return;
    const element = document.createElement("div");
    element.setAttribute("role", "radiogroup");
    Object.assign(element.style, { overflowY: "auto", minHeight: "0", display: "grid", gap: "4px", alignContent: "start" });
    keepEvents(element, ["pointerdown", "pointermove", "pointerup"]);
    const widget = node.addDOMWidget("sheet", "SYNCAM_SHEET", element, {
      serialize: false,
      getMinHeight: () => LEAST_HEIGHT,
      hideOnZoom: false,
      socketless: true,
      hideInPanel: true,
    });
    widget.serialize = false;
    const chosen = () => node.widgets.find(({ name }) => name === "chosen");
    const mark = () => {
      [...element.children].forEach((row, index) => {
        const here = index + 1 === chosen().value;
        row.setAttribute("aria-checked", String(here));
        row.style.outline = here ? "2px solid #6cb4ff" : "none";
      });
    };
    const show = ({ seeds = [], rows = [] } = {}) => {
      const buttons = rows.map((place, index) => {
        const row = document.createElement("button");
        row.type = "button";
        row.setAttribute("role", "radio");
        row.title = row.ariaLabel = `seed ${seeds[index]}`;
        Object.assign(row.style, { padding: "0", border: "0", borderRadius: "4px", cursor: "pointer", background: "none" });
        const picture = Object.assign(document.createElement("img"), { src: urlOf(place), alt: "" });
        Object.assign(picture.style, { width: "100%", display: "block", borderRadius: "4px" });
        row.append(picture);
        row.onclick = () => {
          chosen().value = index + 1;
          chosen().callback?.(index + 1);
          mark();
          node.graph?.setDirtyCanvas(true, true);
          noteChange();
        };
        return row;
      });
      element.replaceChildren(...buttons);
      mark();
    };
    after(node, "onExecuted", (output) => {
      const said = output?.syncam_seeds?.[0];
      if (!said) return;
      node.setProperty?.(SHEET, said);
      show(said);
    });
    after(node, "onConfigure", () => show(node.properties?.[SHEET]));
    after(chosen(), "callback", mark);
    node.setSize([Math.max(node.size[0], 340), Math.max(node.size[1], 620)]);
  },
});
