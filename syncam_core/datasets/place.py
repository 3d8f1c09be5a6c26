"""Where a scene of a dataset stands: in a folder of its own, which appears in one step."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from ..disk.names import is_taken, names_in
from ..disk.staged import put, staged_folder

SCENE = re.compile("scene([0-9]{1,9})", re.IGNORECASE)


def append_scene(folder: Path, fill: Callable[[Path], None], name: str = "") -> Path:
    """Make a folder, let `fill` write into it, and put it into `folder` under its name in one step.

    Without a name it is called scene00001, ..., by the next number; several processes that append to one folder at
    once get numbers of their own. While it is written it has a hidden name that no reader looks at. Where `fill` raises
    anything (an interrupt is a BaseException), it is removed; what a killed process left is removed after a day.

    Raises FileExistsError where the name is in use, and what the file system refuses as OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if name and is_taken(folder, name):
        raise FileExistsError(f"'{name}' exists already")
    with staged_folder(folder) as stage:
        fill(stage)
        if name:
            if not put(stage, folder / name):
                raise FileExistsError(f"'{name}' exists already")
            return folder / name
        numbers = [int(match[1]) for match in map(SCENE.fullmatch, names_in(folder)) if match]
        number = max(numbers, default=0) + 1
        while not put(stage, folder / f"scene{number:05d}"):
            number += 1  # another process was faster
        return folder / f"scene{number:05d}"
