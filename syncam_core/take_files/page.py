"""A take as a page that opens from the disk, without a network: the cameras in space with their videos, on one clock.

The page is put together from `web/js/take_page`, the player's and the editor's own modules and the part of three.js that
they use. Names and words are data in it and never markup, and its policy lets nothing run or load but what it holds.
"""

from __future__ import annotations

import base64
import html
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from ..disk.names import file_slugs
from ..errors import UserError
from ..video.preview_file import PreviewWriter, frames_of_file, plays_in_browsers
from .one_script import joined_modules
from .take import ToldTake, subject_track

WEB = Path(__file__).resolve().parents[2] / "web"
PARTS = WEB / "js" / "take_page"
INSIDE, BESIDE = PLACES = ("in the page", "beside the page")
# Browsers keep a page's text, and each script's, as one string, which in Chromium ends at 512 MB; base64 adds a third.
MOST_BYTES = 256 * 2**20  # of the videos in one page, or of one video beside it
CHUNK_BYTES = 3 * 2**18
TYPES = {".mp4": "video/mp4", ".webm": "video/webm"}
LONGEST_TITLE = 200

Words = Mapping[str, Mapping[str, str]]


# What the page says: the words of its own, and of the player's.
OWN_WORDS = ("space", "grid", "through", "fit", "size", "metres", "noWebGL", "missing", "unplayable", "inexact")
PLAYERS_WORDS = ("play", "pause", "back", "forward", "speed", "time", "frame", "views")


def words_of(locales: Path) -> dict[str, dict[str, str]]:
    """The page's words by language, from the folder of the locales."""
    words = {}
    for path in sorted(locales.glob("*/main.json")):
        said = json.loads(path.read_text(encoding="utf-8"))
        words[path.parent.name] = {
            **{key: said["syncamPlayer"][key] for key in PLAYERS_WORDS},
            **{key: said["syncamTakePage"][key] for key in OWN_WORDS},
        }
    return words


def check_page(take: ToldTake, place: str) -> None:
    """Raise UserError for videos that no page can hold, before any work."""
    if place not in PLACES:
        raise UserError(f"'video_files' is {place!r}; possible are {', '.join(PLACES)}.", field="video_files")
    sizes = [path.stat().st_size for path in take.videos]
    held, whose = (
        (sum(sizes), "the videos have") if place == INSIDE else (max(sizes, default=0), "one of the videos has")
    )
    if held > MOST_BYTES:
        other = f"put them {BESIDE} in 'video_files', or " if place == INSIDE and max(sizes) <= MOST_BYTES else ""
        raise UserError(
            f"{whose} {held // 2**20} MB, but browsers open at most {MOST_BYTES // 2**20} MB {place}; {other}save the "
            "views smaller, with a higher crf.",
            field="video_files",
        )


def steps_of_page(take: ToldTake) -> int:
    """How often `write_page` ticks."""
    return sum(
        -(-path.stat().st_size // CHUNK_BYTES) if plays_in_browsers(path) else take.frames for path in take.videos
    )


def write_page(
    take: ToldTake,
    folder: Path,
    stem: str,
    words: Words,  # by language, of which one is "en": what the page says
    title: str = "",
    place: str = INSIDE,
    tick: Callable[[], None] = lambda: None,  # called after each piece; its exceptions end the work
    scratch: Path | None = None,  # for copies that browsers play of videos that they do not
) -> Path:
    """Write "<stem>.html" into a folder, with videos beside the page also the folder "<stem>_videos" of scripts.

    A page opened from the disk may show the pixels of what it holds and of no other file, so videos beside it are scripts.
    Raises UserError for what no page can hold.
    """
    check_page(take, place)
    nonce = secrets.token_urlsafe(16)
    videos = _playable(take, scratch or folder, tick)
    fields = {
        "policy": f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; media-src blob:; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'",
        "nonce": nonce,
        "title": html.escape((title or stem)[:LONGEST_TITLE]),
        "caption": html.escape(take.caption),
        "style": (PARTS / "style.css").read_text(encoding="utf-8"),
        "take": _as_data(_told(take, stem)),
        "words": _as_data(words),
        "licence": (WEB / "vendor" / "three" / "LICENSE").read_text(encoding="utf-8"),
        "script": joined_modules(PARTS / "page.mjs"),
    }
    page = folder / f"{stem}.html"
    with page.open("wb") as out:
        pieces = re.split(r"\{\{(\w+)\}\}", (PARTS / "page.html").read_text(encoding="utf-8"))
        for text, name in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
            out.write(text.encode("utf-8"))
            if name == "videos":
                _write_videos(out, videos, folder, stem, place, nonce, tick)
            elif name:
                out.write(fields[name].encode("utf-8"))
    return page


def _told(take: ToldTake, stem: str) -> dict[str, object]:
    """What the page's script reads: metres, pixels, poses as rows of 3 x 4 numbers."""
    rig = take.rig
    poses = rig.c2w[:, :, :3].flatten(2).numpy()
    return {
        "format": "syncam-take-page",
        "version": 1,
        "fps": [take.fps.numerator, take.fps.denominator],
        "frames": take.frames,
        "subject": subject_track(rig.at_frame(0))[0].tolist(),
        "views": [
            {
                "name": rig.names[view],
                "color": rig.colors[view],
                "width": width,
                "height": height,
                "k": take.intrinsics[view].tolist(),
                "c2w": (poses[view, :1] if (poses[view] == poses[view, :1]).all() else poses[view]).tolist(),
                "type": _type_of(take.videos[view]) if take.videos else "",
                "file": f"{stem}_videos/{name}",
            }
            for view, ((height, width), name) in enumerate(zip(take.shown_sizes, _script_names(take), strict=True))
        ],
    }


def _script_names(take: ToldTake) -> list[str]:
    return [f"{number:02d}_{slug}.js" for number, slug in enumerate(file_slugs(take.rig.names), start=1)]


def _type_of(path: Path) -> str:
    return TYPES[path.suffix.lower()] if plays_in_browsers(path) else TYPES[".mp4"]


def _as_data(value: object) -> str:
    """JSON that no parser of HTML finds an end or a comment in."""
    text = json.dumps(value, allow_nan=False)  # ASCII
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _playable(take: ToldTake, scratch: Path, tick: Callable[[], None]) -> Iterator[tuple[str, Path]]:
    """The name and the file of each view's video; where browsers do not play it, a copy that they do."""
    for name, path in zip(_script_names(take), take.videos, strict=bool(take.videos)):
        if plays_in_browsers(path):
            yield name, path
            continue
        copy = scratch / f"{name}.mp4"
        with PreviewWriter(copy, take.fps) as video:
            for frame in frames_of_file(path):
                video.write(frame)
                tick()
        if copy.stat().st_size > MOST_BYTES:
            raise UserError(
                f"the copy of '{path.name}' for browsers has {copy.stat().st_size // 2**20} MB; at most "
                f"{MOST_BYTES // 2**20} are possible: save shorter or smaller views.",
                field="files",
            )
        yield name, copy
        copy.unlink()


def _write_videos(
    page: BinaryIO,
    videos: Iterator[tuple[str, Path]],
    folder: Path,
    stem: str,
    place: str,
    nonce: str,
    tick: Callable[[], None],
) -> None:
    for view, (name, path) in enumerate(videos):
        if place == INSIDE:
            page.write(f'<script type="text/plain" data-video="{view}">'.encode())
            _write_base64(page, path, tick)
            page.write(b"</script>\n")
            continue
        beside = folder / f"{stem}_videos"
        beside.mkdir(exist_ok=True)
        with (beside / name).open("wb") as out:
            out.write(f'(globalThis.syncamVideos ??= [])[{view}] = "'.encode())
            _write_base64(out, path, tick)
            out.write(b'";\n')
        source = html.escape(quote(f"{beside.name}/{name}"))
        page.write(f'<script nonce="{nonce}" src="{source}"></script>\n'.encode())


def _write_base64(out: BinaryIO, path: Path, tick: Callable[[], None]) -> None:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            out.write(base64.b64encode(chunk))
            tick()
