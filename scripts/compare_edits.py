#!/usr/bin/env python3
"""Hold the files for editing programs against the film: random edits, each format read by its real reader, every frame.

    pip install opentimelineio==0.18.1 otio-cmx3600-adapter otio-fcp-adapter otio-fcpx-xml-adapter
    apt install melt                                        for --render; beside it numpy and av
    python scripts/compare_edits.py                         400 edits at six rates, some of them rendered by MLT
    python scripts/compare_edits.py --edits 60 --render 60 --seed 7

Each edit is written in all formats, into a folder with blanks, an umlaut and a per cent sign in its name. A frame counts
as right where the files and frames that make it, and their shares, are those of the edit. Rendered films are compared
pixel by pixel with the pack's own film of the same files. Ends with 1 where a frame is not right.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]

import edit_films as films  # noqa: E402
import numpy as np  # noqa: E402

from syncam_core.video.clip import in_order, joined  # noqa: E402
from syncam_core.video.edit import Edit, edited  # noqa: E402
from syncam_core.video.edit_files import edit_texts  # noqa: E402
from syncam_core.video.view_files import SavedViews  # noqa: E402

FOLDER = "Ordner mit Ümlaut, 50% & #1"
NAMES = ('front "1"', "links, hoch", "カメラ 3", "<b>")
LENGTHS = (2, 17, 61, 113)
SHORTEST_RENDERED = 5  # frames
MOST_LEVELS = 4  # of 255: MLT mixes in limited range, with 8 bits


def main() -> int:
    options = arguments()
    if options.render and shutil.which("melt") is None:
        sys.exit("melt is not there; install it (apt install melt), or use --render 0.")
    rng, told = random.Random(options.seed), Counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / FOLDER
        folder.mkdir()
        made: dict[tuple[Fraction, int], SavedViews] = {}
        for number in range(options.edits):
            fps, frames = films.RATES[number % len(films.RATES)], LENGTHS[number // len(films.RATES) % len(LENGTHS)]
            files = made.get((fps, frames)) or films.telling_files(
                folder, fps, frames, NAMES, f"{float(fps):.3f} {frames}"
            )
            made[fps, frames] = files
            edit = films.random_edit(rng, fps, NAMES, frames)
            is_rendered = number * options.render // options.edits != (number + 1) * options.render // options.edits
            compare(edit, files, folder / "edit", is_rendered and frames >= SHORTEST_RENDERED, told)
    for what in sorted({what for what, _ in told}):
        print(f"{what:40} {told[what, 'right']:7} of {told[what, 'right'] + told[what, 'wrong']:7}")
    return int(any(count for (what, verdict), count in told.items() if verdict == "wrong" and not what.startswith("(")))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=400)
    parser.add_argument(
        "--render", type=int, default=100, help="how many of them MLT renders, but for those of two frames"
    )
    parser.add_argument("--seed", type=int, default=19)
    return parser.parse_args()


def compare(edit: Edit, files: SavedViews, stem: Path, is_rendered: bool, told: Counter) -> None:
    texts, sentences = edit_texts(edit, files)
    for sentence in sentences:
        told[f"(said: {sentence[:60]}...)", "right"] += 1
    for suffix, text in texts.items():
        stem.with_suffix(suffix).write_text(text, encoding="utf-8", newline="\n")
    expected = films.film_of_edit(edit, files)
    readers: dict[str, Callable[[], list[films.Shot]]] = {
        "otio, by OpenTimelineIO: frames": lambda: films.read_otio(stem.with_suffix(".otio")),
        "edl, by cmx_3600: frames": lambda: films.read_edl(stem.with_suffix(".edl"), edit, files),
        "fcp7 xml, by fcp_xml: frames": lambda: films.read_fcp7(stem.with_suffix(".xml")),
        "fcpxml, the multicam project: frames": lambda: films.read_fcpxml(stem.with_suffix(".fcpxml"), 0),
        "fcpxml, the files' project: frames": lambda: films.read_fcpxml(stem.with_suffix(".fcpxml"), 1),
    }
    for what, read in readers.items():
        found = films.film_of_shots(read(), edit.fps, edit.frames)
        count(told, what, sum(a == b for a, b in zip(found, expected, strict=True)), edit.frames)
    shots = [(files.files[cut.view], cut.start / edit.fps, (end - cut.start) / edit.fps) for cut, end in edit.shots]
    found = films.read_fcpxml_by_adapter(stem.with_suffix(".fcpxml"))
    count(
        told, f"(fcpxml, by fcpx_xml: shots at {float(edit.fps):.3f})", sum(map(shots.__contains__, found)), len(shots)
    )
    if is_rendered:
        compare_pixels(edit, files, stem, told)


def compare_pixels(edit: Edit, files: SavedViews, stem: Path, told: Counter) -> None:
    sources = [films.pictures_of(files.folder / file) for file in files.files]
    clips = [joined([films.MadeClip(len(s), *s.shape[1:3], s.dtype, s.__getitem__)]) for s in sources]
    film = np.stack(list(in_order(edited(clips, edit))))
    out = stem.parent.parent / "rendered.mkv"
    count_pixels(told, "mlt, rendered by melt: frames", film, films.rendered(stem.with_suffix(".mlt"), out))


def count_pixels(told: Counter, what: str, film: np.ndarray, found: np.ndarray) -> None:
    if found.shape != film.shape:
        count(told, what, 0, len(film))
        return
    off = np.abs(found.astype(int) - film).max(axis=(1, 2, 3))
    told[f"(largest difference, {what})", "right"] = max(told[f"(largest difference, {what})", "right"], int(off.max()))
    count(told, what, int((off <= MOST_LEVELS).sum()), len(film))


def count(told: Counter, what: str, right: int, of: int) -> None:
    told[what, "right"] += right
    told[what, "wrong"] += of - right


if __name__ == "__main__":
    sys.exit(main())
