// What is on the stage: the views' pictures, their names, and where they stand.

import { h } from "../shared/dom.mjs";
import { numberOf, setOn } from "./around.mjs";
import { fitted, gridded } from "./layout.mjs";

const SHARPEST = 2; // device pixels per pixel that are drawn at most

/** Where everything stands; after a change of size, mode or choice. */
export function arrange(player) {
  const box = { x: 0, y: 0, width: player.stage.clientWidth, height: player.stage.clientHeight };
  const { film } = player;
  player.stage.classList.toggle("sp-air", player.armed);
  setOn(player, player.divider, "hidden", !film || player.mode !== "wipe");
  if (!film || box.width < 8 || box.height < 8) {
    for (const label of player.labels) label.hidden = true;
    showTiles(player, []);
    draw(player);
    return;
  }
  const aspects = film.views.map((view) => view.width / view.height);
  if (player.mode === "all") {
    player.places = gridded(box, aspects).map((place, view) => ({ ...place, view }));
    showTiles(player, player.places);
    for (const label of player.labels) label.hidden = true;
  } else {
    const view = player.single;
    player.picture = fitted(box, aspects[view]);
    player.places = [{ ...player.picture, view }];
    showTiles(player, []);
    showLabel(player, 0, view, player.picture);
    const wiping = player.mode === "wipe";
    player.labels[1].hidden = !wiping;
    if (wiping) {
      player.places.push({ ...player.picture, view: player.other, from: player.share });
      showLabel(player, 1, player.other, player.picture);
      const [left, right] = player.labels;
      const narrow = left.offsetWidth + right.offsetWidth + 15 > player.picture.width;
      if (narrow) right.style.top = `${player.picture.y + player.picture.height - right.offsetHeight - 5}px`;
      Object.assign(player.divider.style, {
        left: `${player.picture.x + player.picture.width * player.share}px`,
        top: `${player.picture.y}px`,
        height: `${player.picture.height}px`,
      });
      player.divider.setAttribute("aria-valuenow", String(Math.round(100 * player.share)));
    }
  }
  draw(player);
}

function showLabel(player, which, view, place) {
  const label = player.labels[which];
  const { name, color, angles } = player.film.views[view];
  label.hidden = false;
  label.style.setProperty("--color", color);
  if (which === 0) label.style.left = `${place.x + 5}px`;
  else label.style.right = `${player.stage.clientWidth - place.x - place.width + 5}px`;
  label.style.top = `${place.y + 5}px`;
  label.replaceChildren(numberOf(view), `${name} `, h("small", { text: angles }));
}

/** The places of the grid as buttons with the views' names. */
function showTiles(player, places) {
  player.tiles ??= [];
  while (player.tiles.length > places.length) player.tiles.pop().remove();
  while (player.tiles.length < places.length) {
    const view = player.tiles.length;
    const tile = h(
      "button",
      {
        class: "sp-tile",
        tabIndex: -1, // the chips below are the same for the keyboard
        onclick: () => player.select(view),
        ondblclick: () => player.setMode("one"),
      },
      h("div", { class: "sp-name" }),
    );
    player.tiles.push(tile);
    player.stage.append(tile);
  }
  places.forEach(({ x, y, width, height, view }, index) => {
    const tile = player.tiles[index];
    const { name, color, angles } = player.film.views[view];
    Object.assign(tile.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
    tile.style.setProperty("--color", color);
    tile.title = [name, angles].filter(Boolean).join("  ");
    tile.setAttribute("aria-label", player.t("view", { number: view + 1, name, angles }));
    tile.setAttribute("aria-pressed", String(view === player.selected));
    tile.firstChild.replaceChildren(numberOf(view), name);
  });
}

export function draw(player) {
  const { canvas, context, stage } = player;
  const ratio = Math.min(window.devicePixelRatio || 1, SHARPEST);
  const [width, height] = [Math.round(stage.clientWidth * ratio), Math.round(stage.clientHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  const pictures = player.reel?.get(player.frame);
  if (!pictures || !player.film || width < 8) return;
  if (player.mode === "cut" && player.places?.[0]?.view !== player.single) {
    arrange(player); // another view now, maybe of another size; draws
    return;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  for (const { x, y, width: w, height: hh, view, from = 0 } of player.places ?? []) {
    const picture = pictures[view];
    const cut = picture.width * from;
    if (cut < picture.width)
      context.drawImage(picture, cut, 0, picture.width - cut, picture.height, x + w * from, y, w * (1 - from), hh);
  }
}
