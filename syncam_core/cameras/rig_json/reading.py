"""A rig from a rig JSON."""

from __future__ import annotations

import torch

from ...errors import UserError
from ..json_text import Json, parse_json
from ..rig import MAX_VIEWS, PALETTE, Lens, Rig, name_problem
from .metadata import check_metadata
from .tracks import at_most, baked, length_of, most_frames, read_pose
from .values import check_keys, number, shown, whole_number

FORMAT = "syncam-rig"
VERSION = 1
MAX_CHARACTERS = 16 * 2**20
_TOP_KEYS = ("format", "version", "cameras", "metadata", "frames")
_LENS_KEYS = ("focal_mm", "sensor_width_mm")


def rig_from_json(text: str) -> Rig:
    """The rig of a rig JSON text, with a pose for every frame of cameras that are given by keyframes.

    Raises UserError with a sentence that names the place: `cameras[1].distance`.
    """
    return rig_from_document(parse_json(text, MAX_CHARACTERS))


def rig_from_document(document: Json) -> Rig:
    """The rig of a parsed rig JSON. Raises UserError with a sentence that names the place."""
    if not isinstance(document, dict):
        raise UserError(f'the rig JSON is {shown(document)}, but an object is needed: {{"cameras": [...]}}.')
    _check_header(document)
    cameras = document.get("cameras")
    if not isinstance(cameras, list):
        what = f"cameras is {shown(cameras)}" if "cameras" in document else "the rig JSON has no 'cameras'"
        raise UserError(f"{what}, but a list of cameras is needed.")
    if not cameras:
        raise UserError("cameras is an empty list; give at least one camera.")
    if len(cameras) > MAX_VIEWS:
        raise UserError(f"cameras lists {len(cameras)} cameras, but at most {MAX_VIEWS} are possible; leave some out.")
    frames = _read_frames(document, len(cameras))
    tracks = [read_pose(camera, f"cameras[{index}]", len(cameras)) for index, camera in enumerate(cameras)]
    names = _read_names(cameras)
    length = length_of(tracks, frames)
    return Rig(
        names=names,
        colors=tuple(_read_color(camera, index) for index, camera in enumerate(cameras)),
        lenses=tuple(_read_lens(camera, f"cameras[{index}].lens") for index, camera in enumerate(cameras)),
        c2w=torch.stack([baked(track, length, f"cameras[{index}]") for index, track in enumerate(tracks)]),
    )


def _check_header(document: dict[str, Json]) -> None:
    given_format = document.get("format", FORMAT)
    if given_format != FORMAT:
        raise UserError(
            f"format is {shown(given_format)}, but a rig JSON has the format '{FORMAT}', or none.", field="format"
        )
    version = document.get("version", VERSION)
    whole = whole_number(version)
    if whole is None or whole < 1:
        raise UserError(
            f"version is {shown(version)}, but it must be the number {VERSION}, or be left out.", field="version"
        )
    if whole > VERSION:
        raise UserError(
            f"version is {shown(version)}, but this release of ComfyUI-SynCam reads version {VERSION} only; "
            "update the node pack, or save the rig as an older version.",
            field="version",
        )
    check_keys(document, _TOP_KEYS, "the rig JSON")
    if not isinstance(document.get("metadata", {}), dict):
        raise UserError(
            f"metadata is {shown(document['metadata'])}, but it must be an object, or be left out.", field="metadata"
        )
    check_metadata(document.get("metadata", {}))


def _read_frames(document: dict[str, Json], views: int) -> int | None:
    if "frames" not in document:
        return None
    frames = whole_number(document["frames"])
    if frames is None or frames < 1:
        raise UserError(
            f"frames is {shown(document['frames'])}, but it must be a whole number of frames from 1, or be left out.",
            field="frames",
        )
    if frames > most_frames(views):
        raise UserError(
            f"frames is {shown(document['frames'])}, but {at_most(views)}; give a smaller number.", field="frames"
        )
    return frames


def _read_names(cameras: list[dict[str, Json]]) -> tuple[str, ...]:
    given: dict[str, int] = {}
    for index, camera in enumerate(cameras):
        if "name" not in camera:
            continue
        problem = name_problem(camera["name"])
        if problem:
            raise UserError(f"cameras[{index}] {problem}")
        if camera["name"] in given:
            raise UserError(
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


def _read_color(camera: dict[str, Json], index: int) -> str:
    default = PALETTE[index % len(PALETTE)]
    color = camera.get("color", default)
    digits = color[1:] if isinstance(color, str) and color.startswith("#") else ""
    if len(digits) != 6 or not set(digits) <= set("0123456789abcdefABCDEF"):
        raise UserError(f"cameras[{index}].color is {shown(color)}, but it must be written like '{default}'.")
    return color


def _read_lens(camera: dict[str, Json], path: str) -> Lens:
    lens = camera.get("lens", {})
    if not isinstance(lens, dict):
        raise UserError(
            f"{path} is {shown(lens)}, but an object with {' and '.join(_LENS_KEYS)} is needed.", place=path
        )
    check_keys(lens, _LENS_KEYS, path)
    lengths = {key: number(value, f"{path}.{key}") for key, value in lens.items()}
    try:
        return Lens(**lengths)
    except UserError as problem:
        raise problem.told(f"{path}: {problem}", place=path) from problem
