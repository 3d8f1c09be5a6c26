"""Networks of other people, found in the user's folder by what is in their files; nothing is ever downloaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ..disk.checkpoint import WeightsError, open_state_dict
from ..errors import UserError

FOLDER = "syncam_metrics"  # the model folder's key and its name in ComfyUI's models folder
SUFFIXES = {".safetensors", ".pt", ".pth", ".ckpt", ".bin"}

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class WeightsFile:
    """A file that a metric or a matcher needs: told by its keys, whatever it is called."""

    name: str  # as published
    megabytes: float
    source: str  # where a user gets it, as it goes on after "get it from"
    is_it: Callable[[State], bool]

    def said(self) -> str:
        """What it is, how large and from where, as part of a sentence."""
        return f"{self.name} ({self.megabytes:.0f} MB, from {self.source})"


def find_weights(file: WeightsFile, folders: Sequence[Path]) -> tuple[Path, State] | None:
    """The first file of the folders whose keys are the wanted ones, and its tensors; None where there is none."""
    for path in weights_paths(folders):
        try:
            state, _ = open_state_dict(path, old=True)
        except (WeightsError, OSError):
            continue  # another kind of file; `missing` says what could not be read
        if file.is_it(state):
            return path, state
    return None


def needed_weights(file: WeightsFile, folders: Sequence[Path], what: str, field: str, instead: str = "") -> State:
    """The tensors of a file, or a UserError that says what needs it, how large it is, from where and into which folder.

    `instead` is a further half sentence: what can be done without the file.
    """
    found = find_weights(file, folders)
    if found is None:
        raise UserError(missing(file, folders, what, instead), field=field)
    return found[1]


def missing(file: WeightsFile, folders: Sequence[Path], what: str, instead: str = "") -> str:
    place = str(folders[0]) if folders else f"models/{FOLDER}"
    unreadable = [path.name for path in weights_paths(folders) if not _is_readable(path)]
    there = f" (not readable there: {', '.join(unreadable)})" if unreadable else ""
    return f"{what} needs {file.said()} in {place}{there}{'; ' + instead if instead else ''}."


def weights_paths(folders: Sequence[Path]) -> list[Path]:
    """Everything in the folders that may hold weights, by name."""
    return [
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.is_file()
    ]


def _is_readable(path: Path) -> bool:
    try:
        open_state_dict(path, old=True)
    except (WeightsError, OSError):
        return False
    return True
