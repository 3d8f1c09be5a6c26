// What stands around the pictures: chips, buttons, words, the timeline's marks.

import { letterOf, timecode } from "../../lib/cuts.mjs";
import { h, icon } from "../shared/dom.mjs";
import { arrange } from "./stage.mjs";

/** The number of a view on its camera's colour. */
export const numberOf = (view) => h("b", { class: "sp-number", text: String(view + 1) });

export function showChips(player) {
  player.chips.replaceChildren(
    ...player.film.views.map(({ name, color, angles }, view) =>
      h(
        "button",
        {
          class: "sp-chip",
          role: "radio",
          title: [name, angles].filter(Boolean).join("  "),
          "aria-label": player.t("view", { number: view + 1, name, angles }),
          style: { "--color": color },
          data: { view: String(view) },
          onclick: () => player.select(view),
        },
        numberOf(view),
        h("span", { text: name }),
        h("small", { text: letterOf(view) }), // what the cut list calls it
      ),
    ),
  );
  player.chips.childNodes.forEach((chip, view) => chip.style.setProperty("--color", player.film.views[view].color));
}

export function showEverything(player) {
  for (const part of [player.chips, player.track]) part.hidden = !player.film;
  showNote(player);
  showButtons(player);
  showLoaded(player);
  showCuts(player);
  showTime(player);
  arrange(player);
}

export function showNote(player) {
  const text = player.problem || (player.film ? "" : player.t("empty"));
  player.note.hidden = !text;
  player.note.textContent = text;
  player.note.setAttribute("role", player.problem ? "alert" : "status");
}

export function showButtons(player) {
  const { t, film } = player;
  for (const button of player.modeButtons) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === player.mode));
    setOn(player, button, "disabled", !film);
  }
  setOn(player, player.swap, "hidden", player.mode !== "wipe");
  const label = player.playing ? t("pause") : t("play");
  player.play.replaceChildren(icon(player.playing ? "pause" : "play"));
  player.play.title = label;
  player.play.setAttribute("aria-label", label);
  setOn(player, player.play, "disabled", !film || player.failed);
  player.record.setAttribute("aria-pressed", String(player.armed));
  setOn(player, player.record, "disabled", !film);
  setOn(player, player.undo, "disabled", !film || !(player.history.length || player.cuts?.length));
  setOn(player, player.clear, "disabled", !film || !player.options.cuts.read());
  player.loopAll.setAttribute("aria-pressed", String(!player.loop));
  player.chips.childNodes.forEach((chip, view) => {
    chip.setAttribute("aria-checked", String(view === player.selected));
    chip.tabIndex = view === player.selected ? 0 : -1;
  });
  player.tiles?.forEach((tile, view) => tile.setAttribute("aria-pressed", String(view === player.selected)));
  const chosen = film?.views[player.selected];
  player.download.hidden = !chosen;
  if (!chosen) return;
  player.download.href = chosen.download;
  player.download.download = chosen.filename;
  player.download.title = t("download", { name: chosen.name });
  player.download.setAttribute("aria-label", player.download.title);
}

export function showTime(player) {
  const { film, wanted } = player;
  if (!film) {
    player.readout.replaceChildren();
    return;
  }
  const code = timecode(wanted, film.rate);
  const seconds = (wanted / film.rate).toFixed(3);
  player.readout.replaceChildren(
    h("b", { text: String(wanted) }),
    h("span", { text: ` / ${player.last} · ` }),
    code,
    h("span", { class: "sp-optional", text: ` · ${seconds} s` }),
  );
  const place = (frame) => `${(100 * frame) / Math.max(1, player.last)}%`;
  player.head.style.left = place(wanted);
  player.loopMark.hidden = !player.loop;
  player.loopMark.style.left = place(player.region[0]);
  player.loopMark.style.right = place(player.last - player.region[1]);
  player.track.setAttribute("aria-valuemax", String(player.last));
  player.track.setAttribute("aria-valuenow", String(wanted));
  player.track.setAttribute("aria-valuetext", player.t("frame", { frame: wanted, frames: film.frames, timecode: code }));
}

/** Which frames are there, as bars. */
export function showLoaded(player) {
  const runs = [];
  for (let frame = 0; player.film && frame <= player.last; frame += 1) {
    if (!player.reel?.has(frame)) continue;
    if (runs.at(-1)?.[1] === frame) runs.at(-1)[1] = frame + 1;
    else runs.push([frame, frame + 1]);
  }
  const place = (frame) => (100 * frame) / (player.last + 1);
  player.loaded.replaceChildren(
    ...runs.map(([from, to]) => h("i", { style: { left: `${place(from)}%`, width: `${place(to) - place(from)}%` } })),
  );
}

export function showCuts(player) {
  const cuts = (player.film && player.cuts) || [];
  const place = (frame) => (100 * frame) / Math.max(1, player.last);
  player.cutMarks.replaceChildren(
    ...cuts.flatMap(({ frame, view }, index) => {
      const end = Math.min(cuts[index + 1]?.frame ?? player.last, player.last);
      if (frame > player.last) return [];
      const mark = h("i", {
        text: `${view + 1} ${letterOf(view)}`,
        style: { left: `${place(frame)}%`, width: `${Math.max(place(end) - place(frame), 0.5)}%` },
      });
      mark.style.setProperty("--color", player.film.views[view].color);
      return [mark];
    }),
  );
}

/** Set `hidden` or `disabled` of a part; where that takes the focus from it, keys go on working. */
export function setOn(player, part, property, value) {
  if (value && document.activeElement === part) player.element.focus({ preventScroll: true });
  part[property] = value;
}
