"""The rig JSON, version 1: cameras as a person writes them and as the pack saves them."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from .builders import orbit_c2w
from .json_text import parse_json
from .rig import MAX_VIEWS, PALETTE, Lens, Rig, camera_problem, name_problem

FORMAT = "syncam-rig"
VERSION = 1
MAX_CHARACTERS = 16 * 2**20

_TOP_KEYS = ("format", "version", "cameras", "metadata")
_ORBIT_KEYS = ("azimuth", "elevation", "distance", "roll", "target")
_CAMERA_KEYS = ("name", "color", "lens", "c2w", *_ORBIT_KEYS)
_LENS_KEYS = ("focal_mm", "sensor_width_mm")


def rig_from_json(text: str) -> Rig:
    """The rig of a rig JSON text. Raises ValueError with a sentence that names the place: `cameras[1].distance`."""
    return rig_from_document(parse_json(text, MAX_CHARACTERS))


def rig_to_json(rig: Rig, metadata: dict[str, Any] | None = None) -> str:
    """The rig JSON of a rig; reading it gives the identical rig back, every number included.

    `metadata` is any JSON object that should travel with the cameras; readers carry it and do not interpret it.
    Raises ValueError where it is not that.
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


def _metadata_text(metadata: dict[str, Any] | None) -> str:
    if metadata is None:
        return ""
    if not isinstance(metadata, dict):
        raise ValueError(f"metadata is of type {type(metadata).__name__}, but a dict of JSON values is needed.")
    try:
        return f',\n  "metadata": {json.dumps(metadata, allow_nan=False)}'
    except (TypeError, ValueError, RecursionError) as problem:
        raise ValueError(
            "metadata holds something that JSON cannot hold (only text, numbers, lists, dicts)."
        ) from problem


def rig_from_document(document: Any) -> Rig:
    """The rig of a parsed rig JSON. Raises ValueError with a sentence that names the place."""
    if not isinstance(document, dict):
        raise ValueError(f'the rig JSON is {_shown(document)}, but an object is needed: {{"cameras": [...]}}.')
    _check_header(document)
    cameras = document.get("cameras")
    if not isinstance(cameras, list):
        what = f"cameras is {_shown(cameras)}" if "cameras" in document else "the rig JSON has no 'cameras'"
        raise ValueError(f"{what}, but a list of cameras is needed.")
    if not cameras:
        raise ValueError("cameras is an empty list; give at least one camera.")
    if len(cameras) > MAX_VIEWS:
        raise ValueError(f"cameras lists {len(cameras)} cameras, but at most {MAX_VIEWS} are possible; leave some out.")
    poses = [_read_pose(camera, f"cameras[{index}]") for index, camera in enumerate(cameras)]
    return Rig(
        names=_read_names(cameras),
        c2w=_same_length(poses),
        colors=tuple(_read_color(camera, index) for index, camera in enumerate(cameras)),
        lenses=tuple(_read_lens(camera, f"cameras[{index}].lens") for index, camera in enumerate(cameras)),
    )


def _check_header(document: dict[str, Any]) -> None:
    given_format = document.get("format", FORMAT)
    if given_format != FORMAT:
        raise ValueError(f"format is {_shown(given_format)}, but a rig JSON has the format '{FORMAT}', or none.")
    version = document.get("version", VERSION)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ValueError(f"version is {_shown(version)}, but it must be the number {VERSION}, or be left out.")
    if version > VERSION:
        raise ValueError(
            f"version is {_shown(version)}, but this release of ComfyUI-SynCam reads version {VERSION} only; "
            "update the node pack, or save the rig as an older version."
        )
    _check_keys(document, _TOP_KEYS, "the rig JSON")
    if not isinstance(document.get("metadata", {}), dict):
        raise ValueError(f"metadata is {_shown(document['metadata'])}, but it must be an object, or be left out.")


def _check_keys(given: dict[str, Any], known: Iterable[str], path: str) -> None:
    for key in given:
        if key not in known:
            guess = difflib.get_close_matches(key[:60].lower(), known, n=1)
            hint = f"did you mean '{guess[0]}'?" if guess else f"possible are {', '.join(known)}."
            raise ValueError(f"{path} has the unknown key {key[:60]!r}; {hint}")


def _read_names(cameras: list[dict[str, Any]]) -> tuple[str, ...]:
    given: dict[str, int] = {}
    for index, camera in enumerate(cameras):
        if "name" not in camera:
            continue
        problem = name_problem(camera["name"])
        if problem:
            raise ValueError(f"cameras[{index}] {problem}")
        if camera["name"] in given:
            raise ValueError(
                f"cameras[{index}].name is {camera['name']!r}, as is cameras[{given[camera['name']]}].name; "
                "give every camera a name of its own."
            )
        given[camera["name"]] = index
    names = []
    for index, camera in enumerate(cameras):
        number = index + 1
        while "name" not in camera and (f"cam{number:02d}" in given or f"cam{number:02d}" in names):
            number += 1
        names.append(camera.get("name", f"cam{number:02d}"))
    return tuple(names)


def _read_color(camera: dict[str, Any], index: int) -> str:
    default = PALETTE[index % len(PALETTE)]
    color = camera.get("color", default)
    digits = color[1:] if isinstance(color, str) and color.startswith("#") else ""
    if len(digits) != 6 or not set(digits) <= set("0123456789abcdefABCDEF"):
        raise ValueError(f"cameras[{index}].color is {_shown(color)}, but it must be written like '{default}'.")
    return color


def _read_lens(camera: dict[str, Any], path: str) -> Lens:
    lens = camera.get("lens", {})
    if not isinstance(lens, dict):
        raise ValueError(f"{path} is {_shown(lens)}, but an object with {' and '.join(_LENS_KEYS)} is needed.")
    _check_keys(lens, _LENS_KEYS, path)
    lengths = {key: _number(value, f"{path}.{key}") for key, value in lens.items()}
    try:
        return Lens(**lengths)
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from problem


def _read_pose(camera: Any, path: str) -> Tensor:  # (frames, 4, 4)
    if not isinstance(camera, dict):
        raise ValueError(f"{path} is {_shown(camera)}, but an object is needed.")
    _check_keys(camera, _CAMERA_KEYS, path)
    orbit = [key for key in _ORBIT_KEYS if key in camera]
    if "c2w" in camera:
        if orbit:
            raise ValueError(f"{path} has both c2w and {orbit[0]}; give either c2w or azimuth and distance.")
        return _read_c2w(camera["c2w"], f"{path}.c2w")
    for key in ("azimuth", "distance"):
        if key not in camera:
            beside = f" {key} beside {orbit[0]}" if orbit else " pose"
            raise ValueError(f"{path} has no{beside}; give either azimuth and distance, or c2w.")
    return _read_orbit(camera, path)[None]


def _read_orbit(camera: dict[str, Any], path: str) -> Tensor:  # (4, 4)
    numbers = {key: _number(camera.get(key, 0.0), f"{path}.{key}") for key in _ORBIT_KEYS if key != "target"}
    target = camera.get("target", [0.0, 0.0, 0.0])
    if not isinstance(target, list) or len(target) != 3:
        raise ValueError(f"{path}.target is {_shown(target)}, but three numbers [x, y, z] in metres are needed.")
    centre = [_number(value, f"{path}.target[{axis}]") for axis, value in enumerate(target)]
    try:
        c2w = orbit_c2w(numbers["azimuth"], numbers["elevation"], numbers["distance"], numbers["roll"], centre)
    except ValueError as problem:
        raise ValueError(f"{path}.{problem}") from problem
    problem = camera_problem(c2w[None])
    if problem:
        raise ValueError(f"{path} {problem[1]}")
    return c2w


def _read_c2w(given: Any, path: str) -> Tensor:  # (frames, 4, 4)
    if _depth(given) == 3:
        matrices = torch.stack([_read_matrix(frame, f"{path}[{index}]") for index, frame in enumerate(given)])
    else:
        matrices = _read_matrix(given, path)[None]
    problem = camera_problem(matrices)
    if problem:
        frame, what = problem
        raise ValueError(f"{path}{f'[{frame}]' if len(matrices) > 1 else ''} {what}")
    return matrices


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list) and depth < 4:
        depth += 1
        value = value[0] if value else None
    return depth


def _read_matrix(given: Any, path: str) -> Tensor:  # (4, 4)
    if not isinstance(given, list) or len(given) not in (3, 4):
        raise ValueError(f"{path} is {_shown(given)}, but 3 or 4 rows of 4 numbers are needed.")
    rows = []
    for index, row in enumerate(given):
        if not isinstance(row, list) or len(row) != 4:
            raise ValueError(f"{path} row {index} is {_shown(row)}, but a list of 4 numbers is needed.")
        rows.append([_number(value, f"{path} row {index}", "holds") for value in row])
    last_row = [0.0, 0.0, 0.0, 1.0]
    if len(rows) == 3:
        rows.append(last_row)
    elif max(abs(value - wanted) for value, wanted in zip(rows[3], last_row, strict=True)) <= 1e-6:
        rows[3] = last_row  # programs that multiply matrices leave rounding errors here
    return torch.tensor(rows, dtype=torch.float64)


def _same_length(poses: list[Tensor]) -> Tensor:  # (views, frames, 4, 4)
    frames = max(map(len, poses))
    longest = next(index for index, camera in enumerate(poses) if len(camera) == frames)
    for index, camera in enumerate(poses):
        if len(camera) not in (1, frames):
            raise ValueError(
                f"cameras[{index}].c2w lists {len(camera)} frames but cameras[{longest}].c2w {frames}; "
                "give every moving camera the same number of frames."
            )
    return torch.stack([camera.expand(frames, 4, 4) for camera in poses])


def _number(value: Any, path: str, verb: str = "is") -> float:
    if isinstance(value, str):
        raise ValueError(f"{path} {verb} {_shown(value)}, but a number is needed; write it without quotes.")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{path} {verb} {_shown(value)}, but a number is needed.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isnan(number):
        raise ValueError(f"{path} {verb} NaN, but a finite number is needed.")
    if math.isinf(number):
        raise ValueError(f"{path} {verb} an infinite or far too large number, but a finite number is needed.")
    return number


def _shown(value: Any) -> str:
    if isinstance(value, (list, dict)):
        kind, items = ("a list", "items") if isinstance(value, list) else ("an object", "keys")
        return f"{kind} of {len(value)} {items}" if value else f"an empty {kind.split()[1]}"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)[:40]
