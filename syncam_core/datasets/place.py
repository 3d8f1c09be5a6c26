"""Where a scene of a dataset stands: names that every file system takes, and folders that appear in one step."""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import UserError

LONGEST_NAME = 180  # bytes; a file name may have 255 on common file systems
MOST_FOLDERS = 8
STAGE_PREFIX = ".syncam-scene-"
ABANDONED_AFTER_S = 24 * 3600
SCENE = re.compile("scene([0-9]{1,9})", re.IGNORECASE)

# Names that Windows refuses with any extension, and signs that it refuses anywhere.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
_NO_SIGNS = '<>:"|?*'


def checked_folder(given: str, what: str) -> str:
    """A path of folders below another one, with "/" between them, whichever system it was written on.

    Raises UserError, calling the text `what`, for one that leads out or that some file system does not take.
    """
    if not isinstance(given, str):
        raise UserError(f"{what} is {given!r}, but the name of a folder is needed, like 'syncam/dataset'.")
    path = given.strip().replace("\\", "/")
    said = f"{what} is {_shown(given)}"
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or (parts and parts[0][1:2] == ":"):
        raise UserError(f"{said}, which leads out of its folder; use a name inside it, like 'syncam/dataset'.")
    if not parts:
        raise UserError(f"{said}, which names no folder; use a name like 'syncam/dataset'.")
    if len(parts) > MOST_FOLDERS:
        raise UserError(f"{said}, {len(parts)} folders deep; at most {MOST_FOLDERS} are possible.")
    for part in parts:
        _check_part(part, said)
    return "/".join(parts)


def checked_name(given: str, what: str) -> str:
    """The name of a single folder, or an empty text as it is. Raises UserError as `checked_folder` does."""
    if isinstance(given, str) and not given.strip():
        return ""
    path = checked_folder(given, what)
    if "/" in path:
        raise UserError(f"{what} is {_shown(given)}, but it is one folder; use a name without slashes.")
    return path


def _check_part(part: str, said: str) -> None:
    try:
        length = len(part.encode())
    except UnicodeEncodeError as problem:
        raise UserError(f"{said}, which holds half a character; write it again.") from problem
    if length > LONGEST_NAME:
        raise UserError(f"{said}, with a name of {length} bytes; at most {LONGEST_NAME} are possible.")
    bad = next((sign for sign in part if ord(sign) < 32 or ord(sign) == 127 or sign in _NO_SIGNS), None)
    if bad is not None:
        raise UserError(f"{said}, which holds {bad!r}; use letters, digits, '-' and '_'.")
    if part.startswith("."):
        raise UserError(f"{said}, with the hidden folder {part[:60]!r}, which readers pass over; drop the first dot.")
    if part != part.strip() or part.endswith("."):
        raise UserError(f"{said}, where {part[:60]!r} begins or ends with a blank or a dot, which Windows drops.")
    if part.split(".")[0].strip().lower() in _DEVICES:
        raise UserError(f"{said}, but {part[:60]!r} is the name of a device on Windows; use another one.")


def _shown(given: str) -> str:
    return f"{given[:60]!r}" + "..." * (len(given) > 60)


def has_scene(folder: Path, name: str) -> bool:
    """Whether a folder holds something of this name, in upper or lower case letters."""
    return any(there.casefold() == name.casefold() for there in _names_in(folder))


def append_scene(folder: Path, fill: Callable[[Path], None], name: str = "") -> Path:
    """Make a folder, let `fill` write into it, and put it into `folder` under its name in one step.

    Without a name it is called scene00001, ..., by the next number; several processes that append to one folder at
    once get numbers of their own. While it is written it has a hidden name that no reader looks at. Where `fill` raises
    anything (an interrupt is a BaseException), it is removed; what a killed process left is removed after a day.

    Raises FileExistsError where the name is in use, and what the file system refuses as OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if name and has_scene(folder, name):
        raise FileExistsError(f"'{name}' exists already")
    _remove_abandoned(folder)
    stage = folder / f"{STAGE_PREFIX}{uuid.uuid4().hex}"
    stage.mkdir()
    try:
        fill(stage)
        if name:
            if not _put(stage, folder / name):
                raise FileExistsError(f"'{name}' exists already")
            return folder / name
        number = max(
            (int(SCENE.fullmatch(there)[1]) for there in _names_in(folder) if SCENE.fullmatch(there)), default=0
        )
        while not _put(stage, folder / f"scene{(number := number + 1):05d}"):
            continue  # another process was faster
        return folder / f"scene{number:05d}"
    finally:
        shutil.rmtree(stage, ignore_errors=True)  # it is gone where all went well


def _put(stage: Path, place: Path) -> bool:
    """Rename a folder, unless there is something at its place: no system lets a folder replace one that is not empty."""
    try:
        os.rename(stage, place)
    except OSError:
        if os.path.lexists(place):
            return False
        raise
    return True


def _names_in(folder: Path) -> list[str]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        return [entry.name for entry in entries]
    return []


def _remove_abandoned(folder: Path) -> None:
    for name in _names_in(folder):
        if name.startswith(STAGE_PREFIX) and time.time() - _last_change(folder / name) > ABANDONED_AFTER_S:
            shutil.rmtree(folder / name, ignore_errors=True)


def _last_change(folder: Path) -> float:
    newest = 0.0
    for path in _with_all_below(folder):
        with suppress(OSError):  # another process may be renaming or removing it
            newest = max(newest, path.lstat().st_mtime)
    return newest or time.time()


def _with_all_below(folder: Path) -> Iterator[Path]:
    yield folder
    for at, folders, files in os.walk(folder):
        yield from (Path(at, name) for name in (*folders, *files))
