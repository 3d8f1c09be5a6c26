"""Files of the host's input folder: which hold cameras, where a named one lies, whether it has changed."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths

from ...syncam_core.errors import UserError
from ...syncam_core.formats import ANY_TEXT, camera_suffixes, format_of, video_tag
from ...syncam_core.formats.files import is_leftover

def camera_files() -> list[str]:
    """The camera files and folders of the input folder and of the folders directly below it, with forward slashes."""
    root = Path(folder_paths.get_input_directory())
    found = []
    for entry in _entries(root):
        offered = _is_camera_file(entry)
        found += [entry.name] * offered
        for below in _entries(Path(entry.path)) if entry.is_dir() else ():
            # A folder within a model, "sparse", is the same model again.
            if not (offered and below.is_dir()) and _is_camera_file(below):
                found.append(f"{entry.name}/{below.name}")
    return sorted(found)


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not is_leftover(entry.name)]
    except OSError:  # a folder that is missing or may not be read has no files to offer
        return []


def _is_camera_file(entry: os.DirEntry) -> bool:
    """Texts and folders are looked into: an input folder has many that hold something else."""
    suffix = os.path.splitext(entry.name)[1].lower()
    if suffix in camera_suffixes() and suffix != ANY_TEXT:
        return entry.is_file()
    if suffix in video_tag.SUFFIXES:
        return entry.is_file() and video_tag.has_rig(Path(entry.path))
    return (entry.is_dir() or (suffix == ANY_TEXT and entry.is_file())) and format_of(entry.path) is not None


def file_state(path: str) -> str:
    """A text that changes when a file does; of a folder, when one of its files does, down to sparse/0."""
    places = [path, *(os.path.join(path, place) for place in ("sparse", "0", "sparse/0", "colmap/sparse/0"))]
    below = [entry for place in places if os.path.isdir(place) for entry in _entries(Path(place)) if entry.is_file()]
    states = [(str(file), os.stat(file)) for file in sorted([path, *(entry.path for entry in below)])]
    return str([(name, status.st_mtime_ns, status.st_size) for name, status in states])


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
