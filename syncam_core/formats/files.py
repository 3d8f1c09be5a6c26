"""Camera files on the disk: read within bounds, found in folders, never outside of them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..cameras.rig import MAX_VIEWS, Lens
from ..cameras.spoken import choose_cameras
from ..disk.bounded import HEAD_BYTES, head_of
from ..disk.names import file_slugs, natural
from ..errors import UserError

MAX_FRAMES = 20_000  # of one camera: 22 minutes of video
MAX_ENTRIES = 10_000  # of a folder that is looked through
LONGEST_LINE = 4096


def rows_of(text: str) -> Iterator[tuple[int, list[str]]]:
    """The words of every line that is neither blank nor a comment (#), with the line's number from 1.

    Raises UserError for a longer line, and for more lines, than a camera file has.
    """
    line_number, seen = 1, 0
    # Line by line: a list of all lines takes eight times the memory of a file of line breaks.
    for count, found in enumerate(re.finditer(r"\S[^\r\n]*", text)):
        line_number += text.count("\n", seen, found.start())
        seen = found.start()
        if count > 2 * MAX_FRAMES:
            raise UserError(f"it has more than {2 * MAX_FRAMES} lines, which no camera file needs.")
        if found.end() - found.start() > LONGEST_LINE:
            raise UserError(f"line {line_number} has more than {LONGEST_LINE} characters, which no camera needs.")
        if not found[0].startswith("#"):
            yield line_number, found[0].split()


def first_rows(head: bytes, count: int) -> list[list[str]]:
    """The words of the first lines of a text that are neither blank nor comments; none where it is no text."""
    if b"\0" in head:
        return []
    complete = head[: head.rfind(b"\n") + 1] if len(head) >= HEAD_BYTES else head
    try:
        rows = rows_of(complete.decode("utf-8-sig", errors="replace"))
        return [words for _, (_, words) in zip(range(count), rows, strict=False)]
    except ValueError:
        return []


def most_files_look(folder: Path, suffixes: Sequence[str], looks_like: Callable[[Path, bytes], bool]) -> bool:
    """Whether more than half of a folder's files with these suffixes look like one format.

    Not all of them: one that is broken is refused by its name, and is in nobody's way who chooses others.
    """
    try:
        files = files_in(folder, suffixes)[:MAX_VIEWS]
    except UserError:
        return False
    return 2 * sum(looks_like(file, head_of(file)) for file in files) > len(files)


def printable(text: str) -> str:
    """A text without what would spoil a sentence: a damaged file may hold any character."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def are_numbers(words: Sequence[str] | Sequence[bytes]) -> bool:
    """Whether all words are numbers, finite or not."""
    try:
        return bool([*map(float, words)])
    except ValueError:
        return False


def numbers(words: Sequence[str]) -> tuple[float, ...]:
    """Finite numbers. Raises UserError with half a sentence as `number` does."""
    try:
        values = tuple(map(float, words))
    except ValueError:
        values = (math.nan,)
    if not math.isfinite(sum(map(abs, values))) or "_" in "".join(words):
        return tuple(map(number, words))  # refuses the first that is none
    return values


def number_rows(text: str, columns: int, meaning: str) -> Tensor:  # (rows, columns) float64
    """A text of nothing but rows of so many finite numbers. Raises UserError by the line."""
    rows = []
    for line, words in rows_of(text):
        if len(words) != columns:
            raise UserError(f"line {line} has {len(words)} words, but {columns} numbers are needed ({meaning}).")
        try:
            rows.append(numbers(words))
        except UserError as problem:
            raise problem.told(f"line {line} {problem}") from problem
        if len(rows) > MAX_FRAMES:
            raise UserError(f"it has more than {MAX_FRAMES} frames; cut it.")
    if not rows:
        raise UserError(f"it holds no frames; a line has {columns} numbers ({meaning}).")
    return torch.tensor(rows, dtype=torch.float64)


def number(word: str) -> float:
    """A finite number. Raises UserError with half a sentence ("holds ...")."""
    try:
        value = float(word)
    except ValueError as problem:
        raise UserError(f"holds {word[:40]!r}, which is not a number.") from problem
    if not math.isfinite(value) or "_" in word:
        raise UserError(f"holds NaN or an infinite number ({word[:40]!r}).")
    return value


# What systems leave in folders that people copy, zip and share, beside hidden files.
_LEFT_BY_SYSTEMS = {
    *("__macosx", "icon\r", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"),
    *("@eadir", "#recycle", "lost+found"),
}


def is_leftover(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or was left by another system: it is never data."""
    return name.startswith(".") or name.lower() in _LEFT_BY_SYSTEMS


def files_in(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files of a folder with one of the suffixes, in natural order ("2" before "10").

    Hidden files and links that lead out of the folder are left out. Raises UserError for a folder of far too many.
    """
    found = []
    try:
        home = os.path.realpath(folder)
        with os.scandir(folder) as entries:
            for count, entry in enumerate(entries):
                if count >= MAX_ENTRIES:
                    raise UserError(f"it holds more than {MAX_ENTRIES} files; give a folder of camera files only.")
                if is_leftover(entry.name) or not entry.name.lower().endswith(tuple(suffixes)):
                    continue
                if entry.is_file() and os.path.dirname(os.path.realpath(entry.path)) == home:
                    found.append(Path(entry.path))
    except OSError as problem:
        raise UserError(f"it cannot be opened ({problem.strerror}).") from problem
    return sorted(found, key=lambda path: natural(path.name))


def chosen_of(cameras: str | Sequence[str], names: Sequence[str], too_many: str = "") -> list[int]:
    """What `choose_cameras` picks of a text, or the places of exact names, which must fit into a rig.

    `too_many` is a sentence that stands behind the refusal of more cameras than fit. Raises UserError.
    """
    if isinstance(cameras, str):
        chosen = choose_cameras(cameras, names)
    else:
        missing = next((name for name in cameras if name not in names), None)
        if missing is not None:
            raise UserError(f"it has no camera {missing[:60]!r}.")
        chosen = [names.index(name) for name in cameras]
    if len(chosen) > MAX_VIEWS:
        raise UserError(
            f"it has {len(chosen)} cameras, but at most {MAX_VIEWS} are possible; choose some in 'cameras', like "
            f"{names[0][:40] + ', ' + names[-1][:40]!r}.{too_many}",
            field="cameras",
        )
    return chosen


# -- formats with one file per camera --------------------------------------------------------------------------------


def camera_files(path: Path, suffixes: Sequence[str], cameras: str) -> list[tuple[str, Path]]:
    """Names and files of the cameras: the file itself, or those of a folder that `choose_cameras` picks.

    Cameras are named after their files; the numbers that `camera_paths` puts in front are left out again.
    Raises UserError.
    """
    if not path.is_dir():
        chosen_of(cameras, [path.stem])
        return [(path.stem, path)]
    files = files_in(path, suffixes)
    if not files:
        raise UserError(f"there is no such file in it as '*{suffixes[0]}'.")
    names = [file.stem for file in files]
    numbered = [f"{place:02d}_" for place in range(1, len(names) + 1)]
    if all(name.startswith(begin) and name != begin for name, begin in zip(names, numbered, strict=True)):
        bare = [name.removeprefix(begin) for name, begin in zip(names, numbered, strict=True)]
        names = bare if len(set(bare)) == len(bare) else names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"two of its files are called {twice!r}; rename one.")
    return [(names[index], files[index]) for index in chosen_of(cameras, names)]


def read_camera_files(
    path: Path, suffixes: Sequence[str], cameras: str, read_one: Callable[[Path], tuple[Tensor, Lens]]
) -> tuple[list[str], list[Tensor], list[Lens]]:
    """Names, poses (frames, 4, 4) and lenses of the cameras that `camera_files` finds.

    Raises UserError, naming the file of a folder that cannot be read.
    """
    names, poses, lenses = [], [], []
    for name, file in camera_files(path, suffixes, cameras):
        try:
            pose, lens = read_one(file)
        except UserError as problem:
            raise problem.told(f"{file.name!r}: {problem}" if file != path else str(problem)) from problem
        names.append(name)
        poses.append(pose)
        lenses.append(lens)
    return names, poses, lenses


def camera_paths(names: Sequence[str], path: Path, suffix: str) -> list[Path]:
    """Where to write the cameras: one at `path` itself, several in a folder there, numbered in the rig's order.

    A single camera goes into a folder, too, where `path` does not end with the suffix. The folder is made.
    Raises UserError where that is not possible.
    """
    if len(names) == 1 and path.suffix.lower() == suffix:
        return [path]
    make_folder(path)
    return [path / f"{place:02d}_{slug}{suffix}" for place, slug in enumerate(file_slugs(names), start=1)]


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8. Raises UserError where that is not possible."""
    try:
        Path(path).write_bytes(text.encode("utf-8"))
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or "its name is not possible"
        raise UserError(f"file {Path(path).name!r} cannot be written ({why}).") from problem


def make_folder(path: Path) -> None:
    """Raises UserError where it cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or "its name is not possible"
        raise UserError(f"folder {path.name!r} cannot be made ({why}).") from problem
