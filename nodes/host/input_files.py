"""Files of the host's input folder: which hold cameras, where a named one lies, whether it has changed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
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
# The files of a folder in the input folder are not even asked for their state while nothing came, went or was renamed,
# for so long: somebody who writes into a file and lists at once waits this long, but nobody for thousands of captions.
TRUSTED_NS = 2_000_000_000
# A folder that changed less than this before it was looked into may have changed once more at the same time of its clock.
SETTLED_NS = 100_000_000


@dataclass
class _Look:
    """What one look into a folder found."""

    at: int = field(default_factory=time.time_ns)
    offered: list[str] = field(default_factory=list)
    found: Found = field(default_factory=dict)
    folders: dict[str, int] = field(default_factory=dict)  # all that were read, with the times of their last changes

    def is_trusted(self) -> bool:
        if not 0 <= time.time_ns() - self.at < TRUSTED_NS:
            return False
        return all(
            changed < self.at - SETTLED_NS and changed == _changed(folder) for folder, changed in self.folders.items()
        )


_files = _Look()  # directly in the input folder
_folders: dict[str, _Look] = {}


def camera_files() -> list[str]:
    """The camera files and folders of the input folder and of the folders directly below it, with forward slashes.

    No file is opened again that has not changed since it was last looked into.
    """
    global _files
    files, looks = _Look(), {}
    for entry in _entries(Path(folder_paths.get_input_directory())):
        if entry.is_dir():
            before = _folders.get(entry.path, _Look())
            looks[entry.path] = before if before.folders and before.is_trusted() else _look_into(entry, before.found)
        elif _file_holds_cameras(entry, _files.found, files.found):
            files.offered.append(entry.name)
    _files = files
    for path in list(_folders):  # a copy: the server's thread and that of the prompts may list at once
        if path not in looks:
            _folders.pop(path, None)
    _folders.update(looks)
    return sorted(name for look in (files, *looks.values()) for name in look.offered)


def _look_into(folder: os.DirEntry[str], before: Found) -> _Look:
    """A folder directly in the input folder; `before` is what the last look found in it."""
    look = _Look()
    look.folders.update(_changes(folder.path))
    entries = _entries(Path(folder.path))
    holds = _folder_holds_cameras(folder, entries, before, look.found)
    look.offered += [folder.name] * holds
    for entry in entries:
        if not entry.is_dir():
            offer = _file_holds_cameras(entry, before, look.found)
        elif holds:  # a folder within a model, "sparse", is the same model again
            offer = False
        else:
            look.folders.update(_changes(entry.path))
            offer = _folder_holds_cameras(entry, _entries(Path(entry.path)), before, look.found)
        look.offered += [f"{folder.name}/{entry.name}"] * offer
    return look


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not is_leftover(entry.name)]
    except OSError:  # a folder that is missing or may not be read has no files to offer
        return []


def _changes(folder: str) -> dict[str, int]:
    """When this folder, and the places of a model in it, last changed."""
    return {path: _changed(path) for path in (folder, *(os.path.join(folder, place) for place in MODEL_PLACES))}


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return -1  # not there


@cache
def _looks() -> dict[str, Callable[[str], bool] | None]:
    """How a file with an ending shows that it holds cameras; None where the ending says it."""
    return {
        **dict.fromkeys(camera_suffixes(), None),
        ANY_TEXT: lambda path: bool(format_of(path)),
        **dict.fromkeys(video_tag.SUFFIXES, lambda path: video_tag.has_rig(Path(path))),
    }


def _file_holds_cameras(entry: os.DirEntry[str], before: Found, found: Found) -> bool:
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
        known = before.get(path)
        state = _state(entry.stat())
        if known is None or known[0] != state:
            known = state, look(path)
    except OSError:  # it went away while the folder was read
        return False
    found[path] = known
    return known[1]


def _folder_holds_cameras(
    folder: os.DirEntry[str], entries: list[os.DirEntry[str]], before: Found, found: Found
) -> bool:
    try:
        state = hash(_folder_state(folder.path, entries))
        known = before.get(folder.path)
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
