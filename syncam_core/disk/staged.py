"""Files and folders that appear whole or not at all, whatever ends the work: an exception, an interrupt, a kill.

While they are written they have hidden names that begin with ".syncam-" and stand where they will stand in the end, as
renaming is one step within a disk only. What a killed process left there goes with a later block, once nothing was
written to it for a day.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

HIDDEN = ".syncam-"
ABANDONED_AFTER_S = 24 * 3600.0


@contextmanager
def staged_file(path: str | os.PathLike[str], durable: bool = False, name: str = "") -> Iterator[Path]:
    """A hidden empty file beside `path`, which takes its place when the block ends without an error.

    `durable` makes it survive a loss of power; `name` is part of the hidden name. Raises OSError at once where the folder cannot be written to.
    """
    path = Path(path)
    hidden = path.with_name(f"{HIDDEN}{name}{uuid.uuid4().hex}.tmp")
    hidden.touch(exist_ok=False)
    try:
        yield hidden
        if durable:
            flush(hidden)
        os.replace(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)
    if durable:
        with suppress(OSError):  # some systems do not let folders be synchronized
            flush(path.parent)


@contextmanager
def staged_folder(folder: str | os.PathLike[str], name: str = "") -> Iterator[Path]:
    """A hidden folder inside `folder`, gone when the block ends: what it holds is to be moved until then.

    With a `name` it is called after it, so that two processes cannot both have the name; raises FileExistsError for
    the second one.
    """
    folder = Path(folder)
    remove_abandoned(folder)
    stage = folder / f"{HIDDEN}{name or uuid.uuid4().hex}"
    stage.mkdir()
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)  # a stage that has been put into its place is not there any more


@contextmanager
def staged_files(folder: str | os.PathLike[str], name: str = "") -> Iterator[Path]:
    """A `staged_folder` whose files move to `folder` when the block ends without an error.

    Files that belong together thus appear together. Raises FileExistsError, and moves nothing, where a name is in use.
    """
    folder = Path(folder)
    with staged_folder(folder, name) as stage:
        yield stage
        files = sorted(stage.iterdir())
        for file in files:
            if (folder / file.name).exists():
                raise FileExistsError(f"'{folder / file.name}' exists already")
        moved: list[Path] = []
        try:
            for file in files:
                moved.append(folder / file.name)
                os.replace(file, moved[-1])
        except BaseException:
            for file in moved:
                file.unlink(missing_ok=True)
            raise


def put(stage: Path, place: Path) -> bool:
    """Rename a folder, unless there is something at its place: no system lets a folder replace one that is not empty."""
    try:
        os.rename(stage, place)
    except OSError:
        if os.path.lexists(place):
            return False
        raise
    return True


def flush(path: str | os.PathLike[str]) -> None:
    """Wait until a file's content, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR)  # Windows flushes what is open to write
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_abandoned(folder: Path) -> None:
    """Remove hidden files and folders of this module to which nothing was written for a day."""
    for left in folder.glob(f"{HIDDEN}*"):
        if time.time() - _last_change(left) > ABANDONED_AFTER_S:
            shutil.rmtree(left, ignore_errors=True)
            with suppress(OSError):
                left.unlink(missing_ok=True)


def _last_change(path: Path) -> float:
    newest = 0.0
    below = (Path(at, name) for at, folders, files in os.walk(path) for name in (*folders, *files))
    for one in (path, *below):
        with suppress(OSError):  # another process may be renaming or removing it
            newest = max(newest, one.lstat().st_mtime)
    return newest or time.time()
