"""All results of a farm on one HTML page, to choose from: what was filmed, what it scored, which cameras filmed it."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path, PurePath
from urllib.parse import quote

import numpy as np
from PIL import Image

from ..cameras.rig_json import rig_from_json
from ..disk.bounded import file_text
from ..disk.staged import staged_file
from ..errors import UserError
from ..preview import draw_rig
from .ledger import Entry

PAGE, RIG_PICTURE = "index.html", "rig.png"
FILMS, PICTURES = (".mp4", ".webm", ".mov"), (".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif")

STYLE = """
:root { color-scheme: dark; font: 15px/1.45 system-ui, sans-serif }
body { margin: 0; background: #15171b; color: #dfe3ea; min-height: 100vh; display: flex; flex-direction: column }
header { position: sticky; top: 0; z-index: 1; padding: 12px 20px; background: #1d2026; display: flex; gap: 20px; align-items: baseline; flex-wrap: wrap }
h1 { font-size: 18px; margin: 0 }
input[type=search] { background: #2a2e36; color: inherit; border: 0; border-radius: 6px; padding: 6px 10px; min-width: 220px }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); gap: 16px; padding: 20px }
article { background: #1d2026; border-radius: 10px; overflow: hidden; outline: 2px solid transparent }
article:has(:checked) { outline-color: #6aa7ff }
article > video, article > img, .none { display: block; width: 100%; aspect-ratio: 16/10; object-fit: contain; background: #000 }
.none { display: grid; place-items: center; color: #ff9a8a; padding: 16px; box-sizing: border-box; text-align: center }
.text { padding: 10px 14px 14px; display: grid; grid-template-columns: 1fr auto; gap: 6px 12px }
.text img { width: 128px; border-radius: 6px; grid-row: span 3 }
dl { margin: 0; display: grid; grid-template-columns: auto 1fr; gap: 0 10px; color: #aab2bf; font-size: 13px; grid-column: 1 / -1 }
dt { color: #7f8896 } dd { margin: 0; overflow-wrap: anywhere; white-space: pre-line }
a { color: #8fbcff } code { background: #2a2e36; padding: 2px 6px; border-radius: 4px; user-select: all }
main { flex: 1; align-content: start }
footer { position: sticky; bottom: 0; padding: 10px 20px; background: #23272f }
footer[hidden] { display: none }
"""

SCRIPT = """
const cards = [...document.querySelectorAll("article")];
document.querySelector("[type=search]").oninput = ({ target }) =>
  cards.forEach((card) => { card.hidden = !card.textContent.toLowerCase().includes(target.value.toLowerCase()); });
document.onchange = () => {
  const names = [...document.querySelectorAll(":checked")].map((box) => box.value);
  document.querySelector("footer").hidden = !names.length;
  const { folder, set } = document.body.dataset;
  const words = [folder, ...names].map((word) => JSON.stringify(word)).join(" ");
  document.querySelector("footer code").textContent = `python -m syncam_core.farm promote ${words}${set && ` --set "${set}=50"`}`;
};
for (const film of document.querySelectorAll("video")) {
  film.onmouseenter = () => film.play();
  film.onmouseleave = () => film.pause();
  film.onclick = () => (film.paused ? film.play() : film.pause());
}
"""


def write_page(folder: Path, entries: Sequence[Entry], total: int, steps: str = "") -> Path:
    """``index.html`` in the folder of results, with relative links only: the folder can be sent to somebody.

    ``steps`` is the column that full quality sets, where the workflow has one.
    """
    done = sum(entry.status == "done" for entry in entries)
    bad = len(entries) - done
    head = f"{done} of {total} done" + (f", {bad} not" if bad else "")
    cards = "\n".join(_card(folder, entry) for entry in entries)
    page = f"""<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{html.escape(folder.resolve().name)}: {head}</title><style>{STYLE}</style>
<body data-folder="{html.escape(folder.as_posix(), quote=True)}" data-set="{html.escape(steps, quote=True)}">
<header><h1>{html.escape(folder.resolve().name)}</h1><span>{head}</span><input type="search" placeholder="filter" aria-label="filter"></header>
<main>{cards}</main><footer hidden>The same seeds in full quality: <code></code></footer>
<script>{SCRIPT}</script></body></html>
"""
    with staged_file(folder / PAGE) as hidden:
        hidden.write_text(page, "utf-8")
    return folder / PAGE


def _card(folder: Path, entry: Entry) -> str:
    name = html.escape(entry.name, quote=True)
    rows = {**{k: v for k, v in entry.row.items() if k != "name" and v}, **entry.texts}
    if entry.server:
        rows["time"] = f"{entry.seconds:.0f} s on {entry.server}"
    listed = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(_short(v))}</dd>" for k, v in rows.items())
    rig = _rig_picture(folder, entry)
    picture = f'<img src="{_link(entry, rig)}" alt="the cameras" loading="lazy">' if rig else "<span></span>"
    files = " ".join(f'<a href="{_link(entry, file)}">{html.escape(PurePath(file).name)}</a>' for file in entry.files)
    return (
        f'<article>{_shown(entry)}<div class="text"><label><input type="checkbox" value="{name}"> <b>{name}</b></label>'
        f"{picture}<dl>{listed}<dt>files</dt><dd>{files or html.escape(entry.error)}</dd></dl></div></article>"
    )


def _shown(entry: Entry) -> str:
    """The grid of all views before single ones, a film before a picture."""
    films = [file for file in entry.files if file.lower().endswith(FILMS)]
    pictures = [file for file in entry.files if file.lower().endswith(PICTURES) and file != RIG_PICTURE]
    best = sorted(films or pictures, key=lambda file: "grid" not in file)
    if not best:
        return f'<div class="none">{html.escape(_short(entry.error or "no picture among its files"))}</div>'
    link = _link(entry, best[0])
    if films:
        return f'<video src="{link}" muted loop preload="metadata" playsinline></video>'
    return f'<img src="{link}" loading="lazy" alt="">'


def _rig_picture(folder: Path, entry: Entry) -> str | None:
    """A drawing of the cameras that the job filmed with, made once from the rig file among its results."""
    place = folder / entry.folder
    if not entry.folder or (place / RIG_PICTURE).exists():
        return RIG_PICTURE if entry.folder else None
    for file in entry.files:
        if not file.endswith(".json"):
            continue
        try:
            drawn: np.ndarray = draw_rig(rig_from_json(file_text(place / file)), 640, 360)
        except UserError:
            continue  # another JSON file
        Image.fromarray(drawn).save(place / RIG_PICTURE)
        return RIG_PICTURE
    return None


def _link(entry: Entry, file: str) -> str:
    return quote(f"{entry.folder}/{file}")


def _short(text: str) -> str:
    text = text if isinstance(text, str) else json.dumps(text)
    return text if len(text) <= 400 else text[:400] + " ..."
