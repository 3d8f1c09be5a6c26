"""Files of the host's input folder: which hold cameras, where a named one lies, whether it has changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import folder_paths

from ...syncam_core.errors import UserError
from ...syncam_core.formats import ANY_TEXT, camera_suffixes, format_of, video_tag
from ...syncam_core.formats.files import is_leftover

State = tuple[int, int, int]  # time of the last change in nanoseconds, size, inode
MODEL_PLACES = ("sparse", "0", "sparse/0", "colmap/sparse/0")  # below a folder, of a COLMAP model

# Texts, videos and folders are looked into, as an input folder has thousands that hold something else. The host asks for
# the list on every page and several times for every prompt, so what was found is kept for as long as a file is the same.
Found = dict[str, tuple[State | int, bool]]
_found: Found = {}


def camera_files() -> list[str]:
    """The camera files and folders of the input folder and of the folders directly below it, with forward slashes.

    No file is opened again that has not changed since it was last looked into.
    """
    global _found
    offered: list[str] = []
    found: Found = {}  # the server's thread and that of the prompts may list at once: each makes its own
    for entry in _entries(folder_paths.get_input_directory()):
        if not entry.is_dir():
            if _file_holds_cameras(entry, found):
                offered.append(entry.name)
            continue
        below = _entries(entry.path)
        holds = _folder_holds_cameras(entry, below, found)
        offered += [entry.name] * holds
        for inner in below:
            if not inner.is_dir():
                inner_holds = _file_holds_cameras(inner, found)
            else:  # a folder within a model, "sparse", is the same model again
                inner_holds = not holds and _folder_holds_cameras(inner, _entries(inner.path), found)
            offered += [f"{entry.name}/{inner.name}"] * inner_holds
    _found = found
    return sorted(offered)


def _entries(folder: str | Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not is_leftover(entry.name)]
    except OSError:  # a folder that is missing or may not be read has no files to offer
        return []


@cache
def _looks() -> dict[str, Callable[[str], bool] | None]:
    """How a file with an ending shows that it holds cameras; None where the ending says it."""
    return {
        **dict.fromkeys(camera_suffixes(), None),
        ANY_TEXT: lambda path: bool(format_of(path)),
        **dict.fromkeys(video_tag.SUFFIXES, lambda path: video_tag.has_rig(Path(path))),
    }


def _file_holds_cameras(entry: os.DirEntry[str], found: Found) -> bool:
    # Here a folder of thousands takes its time: ask for nothing that is not needed.
    suffix = entry.name[entry.name.rfind(".") :].lower()
    looks = _looks()
    if suffix not in looks or not entry.is_file():
        return False
    look = looks[suffix]
    if look is None:
        return True
    path = entry.path
    try:
        known = _found.get(path)
        state = _state(entry.stat())
        if known is None or known[0] != state:
            known = state, look(path)
    except OSError:  # it went away while the folder was read
        return False
    found[path] = known
    return known[1]


def _folder_holds_cameras(folder: os.DirEntry[str], below: list[os.DirEntry[str]], found: Found) -> bool:
    try:
        state = hash(_folder_state(folder.path, below))
        known = _found.get(folder.path)
        if known is None or known[0] != state:
            known = state, bool(format_of(folder.path))
    except OSError:
        return False
    found[folder.path] = known
    return known[1]


def _state(status: os.stat_result) -> State:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _folder_state(folder: str, entries: Iterable[os.DirEntry[str]]) -> tuple[tuple[str, State], ...]:
    """What of a folder its cameras are read from: its camera files, and those of a model, down to sparse/0."""
    models = [entry for place in MODEL_PLACES for entry in _entries(Path(folder, place))]
    suffixes = (*camera_suffixes(), ANY_TEXT, ".bin")  # the last two are COLMAP's
    read = [entry for entry in [*entries, *models] if entry.name.lower().endswith(suffixes) and entry.is_file()]
    return tuple(sorted((entry.path, _state(entry.stat())) for entry in read))


def file_state(path: str) -> str:
    """A text that changes when a file does; of a folder, when one of its camera files does, down to sparse/0."""
    if os.path.isdir(path):
        return str(_folder_state(path, _entries(Path(path))))
    return str((path, _state(os.stat(path))))


def input_path(file: str) -> str:
    """The path of a file, or of a folder of cameras, that a widget or an API user names, inside the host's folders.

    Raises UserError for a name that leads out of them, and for one that does not exist.
    """
    if not file or not isinstance(file, str):
        raise UserError("'file' names no file; put a camera file into the input folder and choose it.", field="file")
    name, folder = folder_paths.annotated_filepath(file)
    folder = os.path.realpath(folder or folder_paths.get_input_directory())
    try:
        path = os.path.realpath(os.path.join(folder, name))
        inside = os.path.commonpath([folder, path]) == folder
    except ValueError:  # a null byte, or another drive
        inside = False
    if not inside:
        raise UserError(
            f"'file' is {file[:200]!r}, which leads out of the input folder; give a path relative to it.", field="file"
        )
    if not os.path.isfile(path) and not (os.path.isdir(path) and format_of(path)):
        offer = ", ".join(camera_files()[:8])
        instead = (
            f"choose one of: {offer}"
            if offer
            else f"put a camera file there ({', '.join(camera_suffixes())}, COLMAP folder)"
        )
        what = (
            "no such file" if not os.path.isdir(path) else "no such file, and the folder of this name holds no cameras,"
        )
        raise UserError(f"'file' is {file[:200]!r}, but there is {what} in the input folder; {instead}.", field="file")
    return path
