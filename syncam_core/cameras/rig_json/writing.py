"""The rig JSON of a rig."""

from __future__ import annotations

import json

from torch import Tensor

from ...errors import UserError
from ..json_text import Json
from ..rig import Rig
from .metadata import check_metadata
from .reading import FORMAT, VERSION


def rig_to_json(rig: Rig, metadata: dict[str, Json] | None = None) -> str:
    """The rig JSON of a rig; reading it gives the identical rig back, every number included.

    `metadata` is any JSON object that should travel with the cameras; readers carry it and do not interpret it.
    Raises UserError where it is not that.
    """
    # In a rig that moves, a camera that stands still is written once.
    lists = rig.frames > 1 and rig.is_static
    cameras = []
    for name, color, lens, c2w in zip(rig.names, rig.colors, rig.lenses, rig.c2w, strict=True):
        still = not lists and bool((c2w == c2w[0]).all())
        matrix = _matrix_text(c2w[0], " " * 14) if still else _matrices_text(c2w)
        lens_text = json.dumps({"focal_mm": lens.focal_mm, "sensor_width_mm": lens.sensor_width_mm})
        cameras.append(
            "    {\n"
            f'      "name": {json.dumps(name, ensure_ascii=False)},\n'
            f'      "color": {json.dumps(color)},\n'
            f'      "lens": {lens_text},\n'
            f'      "c2w": {matrix}\n'
            "    }"
        )
    return (
        "{\n"
        f'  "format": "{FORMAT}",\n'
        f'  "version": {VERSION},\n'
        '  "cameras": [\n' + ",\n".join(cameras) + "\n  ]" + _metadata_text(metadata) + "\n}\n"
    )


def _matrix_text(c2w: Tensor, indent: str) -> str:
    # 3x4: the last row is 0 0 0 1 in every rig. json writes the shortest digits that give the float64 back.
    return "[" + f",\n{indent}".join(json.dumps(row) for row in c2w[:3].tolist()) + "]"


def _matrices_text(c2w: Tensor) -> str:
    return "[\n" + ",\n".join("        " + _matrix_text(frame, " " * 9) for frame in c2w) + "\n      ]"


def _metadata_text(metadata: dict[str, Json] | None) -> str:
    if metadata is None:
        return ""
    if not isinstance(metadata, dict):
        raise UserError(
            f"metadata is of type {type(metadata).__name__}, but a dict of JSON values is needed.", field="metadata"
        )
    try:
        text = json.dumps(metadata)
    except (TypeError, ValueError, RecursionError) as problem:
        raise UserError(
            "metadata holds something that JSON cannot hold (only text, numbers, lists, dicts).", field="metadata"
        ) from problem
    check_metadata(metadata)
    return f',\n  "metadata": {text}'
