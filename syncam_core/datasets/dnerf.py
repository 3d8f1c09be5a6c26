"""Scenes of D-NeRF: transforms_train.json, transforms_val.json and transforms_test.json, each with its frames' times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..cameras.json_text import Json
from ..cameras.rig import Rig
from ..errors import UserError
from ..formats import nerfstudio
from ..formats.json_values import read_json
from .layouts import SPLITS

FILES = [f"transforms_{split}.json" for split in SPLITS]


def looks_like(path: Path, head: bytes) -> bool:
    """Whether a folder holds such a scene."""
    return not head and (path / FILES[0]).is_file()


def read_with_pictures(
    path: Path, cameras: str | Sequence[str] = "", unit_m: float | None = None, pictures: str = "auto"
) -> tuple[Rig, list[list[str]]]:
    """The rig of all splits together, and each camera's pictures; a picture that several splits list counts once.

    Raises UserError, naming the file, for anything else than such a scene.
    """
    document: dict[str, Json] = {}
    frames: dict[str, dict[str, Json]] = {}
    for name in FILES:
        if not (path / name).is_file():
            continue
        try:
            one = read_json(path / name)
            for frame in nerfstudio.frames_of(one):
                frames.setdefault(str(frame.get("file_path")), frame)
        except UserError as problem:
            raise problem.told(f"'{name}': {problem}") from problem
        document = document or one
    return nerfstudio.cameras_of_document({**document, "frames": [*frames.values()]}, cameras, unit_m, pictures)
