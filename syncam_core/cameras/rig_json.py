"""The rig JSON, version 1: cameras as a person writes them and as the pack saves them."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import UserError
from .builders import orbit_c2w
from .json_text import parse_json
from .keyframes import EASES, INTERPOLATIONS, bake_keyframes, orbit_matrices
from .rig import MAX_COORDINATE_M, MAX_VIEWS, PALETTE, Lens, Rig, camera_problem, name_problem

FORMAT = "syncam-rig"
VERSION = 1
MAX_CHARACTERS = 16 * 2**20
MAX_FRAMES = 10_000
MAX_POSES = 64 * 2000  # views times frames
MAX_ANGLE_DEG = 1e6  # of a keyframe: beyond it the numbers between two keyframes lose their digits
MAX_DEPTH = 100  # of metadata

_TOP_KEYS = ("format", "version", "cameras", "metadata", "frames")
_ORBIT_KEYS = ("azimuth", "elevation", "distance", "roll", "target")
_CAMERA_KEYS = ("name", "color", "lens", "c2w", *_ORBIT_KEYS, "keyframes", "interpolation")
_KEYFRAME_KEYS = ("frame", "ease", "c2w", *_ORBIT_KEYS)
_LENS_KEYS = ("focal_mm", "sensor_width_mm")


@dataclass(frozen=True, eq=False)
class _Track:
    """One camera as it is written: its poses, and the frames that they belong to."""

    at: Sequence[int]
    poses: Tensor  # (keyframes, 4, 4) c2w, or (keyframes, 7) as `bake_keyframes` takes them
    interpolation: str = "linear"
    eases: Sequence[str] = ()
    is_list: bool = False  # one matrix per frame, which sets the number of frames


def rig_from_json(text: str) -> Rig:
    """The rig of a rig JSON text, with a pose for every frame of cameras that are given by keyframes.

    Raises UserError with a sentence that names the place: `cameras[1].distance`.
    """
    return rig_from_document(parse_json(text, MAX_CHARACTERS))


def rig_to_json(rig: Rig, metadata: dict[str, Any] | None = None) -> str:
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


def _metadata_text(metadata: dict[str, Any] | None) -> str:
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
    _check_metadata(metadata)
    return f',\n  "metadata": {text}'


def rig_from_document(document: Any) -> Rig:
    """The rig of a parsed rig JSON. Raises UserError with a sentence that names the place."""
    if not isinstance(document, dict):
        raise UserError(f'the rig JSON is {_shown(document)}, but an object is needed: {{"cameras": [...]}}.')
    _check_header(document)
    cameras = document.get("cameras")
    if not isinstance(cameras, list):
        what = f"cameras is {_shown(cameras)}" if "cameras" in document else "the rig JSON has no 'cameras'"
        raise UserError(f"{what}, but a list of cameras is needed.")
    if not cameras:
        raise UserError("cameras is an empty list; give at least one camera.")
    if len(cameras) > MAX_VIEWS:
        raise UserError(f"cameras lists {len(cameras)} cameras, but at most {MAX_VIEWS} are possible; leave some out.")
    frames = _read_frames(document, len(cameras))
    tracks = [_read_pose(camera, f"cameras[{index}]", len(cameras)) for index, camera in enumerate(cameras)]
    names = _read_names(cameras)
    length = _length(tracks, frames)
    return Rig(
        names=names,
        colors=tuple(_read_color(camera, index) for index, camera in enumerate(cameras)),
        lenses=tuple(_read_lens(camera, f"cameras[{index}].lens") for index, camera in enumerate(cameras)),
        c2w=torch.stack([_baked(track, length, f"cameras[{index}]") for index, track in enumerate(tracks)]),
    )


def _check_header(document: dict[str, Any]) -> None:
    given_format = document.get("format", FORMAT)
    if given_format != FORMAT:
        raise UserError(
            f"format is {_shown(given_format)}, but a rig JSON has the format '{FORMAT}', or none.", field="format"
        )
    version = document.get("version", VERSION)
    whole = _whole_number(version)
    if whole is None or whole < 1:
        raise UserError(
            f"version is {_shown(version)}, but it must be the number {VERSION}, or be left out.", field="version"
        )
    if whole > VERSION:
        raise UserError(
            f"version is {_shown(version)}, but this release of ComfyUI-SynCam reads version {VERSION} only; "
            "update the node pack, or save the rig as an older version.",
            field="version",
        )
    _check_keys(document, _TOP_KEYS, "the rig JSON")
    if not isinstance(document.get("metadata", {}), dict):
        raise UserError(
            f"metadata is {_shown(document['metadata'])}, but it must be an object, or be left out.", field="metadata"
        )
    _check_metadata(document.get("metadata", {}))


def _check_metadata(metadata: dict[str, Any]) -> None:
    """Refuse numbers that JSON cannot hold, and a depth that other readers may not survive."""
    pending: list[tuple[Any, tuple | None, int]] = [
        (metadata, None, 1)
    ]  # value, (its key, and so up to the top), depth
    while pending:
        value, keys, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise UserError(
                f"metadata is nested more than {MAX_DEPTH} levels deep; leave the deepest ones out.", field="metadata"
            )
        inner = []
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(item, (list, tuple, dict)):
                if item or depth == MAX_DEPTH:
                    inner.append((item, (key, value, keys), depth + 1))
            elif isinstance(item, (int, float)) and not isinstance(item, bool) and not _is_finite(item):
                _number(item, _path_of((key, value, keys)))
        pending += reversed(inner)


def _path_of(keys: tuple | None) -> str:
    steps = []
    while keys:
        key, parent, keys = keys
        steps.append(f".{str(key)[:60]}" if isinstance(parent, dict) else f"[{key}]")
    path = "metadata" + "".join(reversed(steps))
    return path if len(path) <= 120 else f"{path[:120]}..."


def _is_finite(number: int | float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _read_frames(document: dict[str, Any], views: int) -> int | None:
    if "frames" not in document:
        return None
    frames = _whole_number(document["frames"])
    if frames is None or frames < 1:
        raise UserError(
            f"frames is {_shown(document['frames'])}, but it must be a whole number of frames from 1, or be left out.",
            field="frames",
        )
    if frames > _most_frames(views):
        raise UserError(
            f"frames is {_shown(document['frames'])}, but {_at_most(views)}; give a smaller number.", field="frames"
        )
    return frames


def _most_frames(views: int) -> int:
    return min(MAX_FRAMES, MAX_POSES // views)


def _at_most(views: int) -> str:
    cameras = "1 camera" if views == 1 else f"{views} cameras"
    return f"a rig of {cameras} has at most {_most_frames(views)} frames"


def _check_keys(given: dict[str, Any], known: Iterable[str], path: str) -> None:
    for key in given:
        if key not in known:
            guess = difflib.get_close_matches(key[:60].lower(), known, n=1)
            hint = f"did you mean '{guess[0]}'?" if guess else f"possible are {', '.join(known)}."
            raise UserError(f"{path} has the unknown key {key[:60]!r}; {hint}", place=path)


def _read_names(cameras: list[dict[str, Any]]) -> tuple[str, ...]:
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


def _read_color(camera: dict[str, Any], index: int) -> str:
    default = PALETTE[index % len(PALETTE)]
    color = camera.get("color", default)
    digits = color[1:] if isinstance(color, str) and color.startswith("#") else ""
    if len(digits) != 6 or not set(digits) <= set("0123456789abcdefABCDEF"):
        raise UserError(f"cameras[{index}].color is {_shown(color)}, but it must be written like '{default}'.")
    return color


def _read_lens(camera: dict[str, Any], path: str) -> Lens:
    lens = camera.get("lens", {})
    if not isinstance(lens, dict):
        raise UserError(
            f"{path} is {_shown(lens)}, but an object with {' and '.join(_LENS_KEYS)} is needed.", place=path
        )
    _check_keys(lens, _LENS_KEYS, path)
    lengths = {key: _number(value, f"{path}.{key}") for key, value in lens.items()}
    try:
        return Lens(**lengths)
    except UserError as problem:
        raise problem.told(f"{path}: {problem}", place=path) from problem


def _read_pose(camera: Any, path: str, views: int) -> _Track:
    if not isinstance(camera, dict):
        raise UserError(f"{path} is {_shown(camera)}, but an object is needed.", place=path)
    _check_keys(camera, _CAMERA_KEYS, path)
    interpolation = _read_choice(camera, "interpolation", INTERPOLATIONS, path)
    if "keyframes" in camera:
        beside = next((key for key in ("c2w", *_ORBIT_KEYS) if key in camera), None)
        if beside:
            raise UserError(
                f"{path} has both keyframes and {beside}; write {beside} into the keyframes, or leave it out.",
                place=path,
            )
        return _read_keyframes(camera["keyframes"], f"{path}.keyframes", views, interpolation)
    if _has_matrix(camera, path, "azimuth and distance, or c2w, or keyframes"):
        return _read_c2w(camera["c2w"], f"{path}.c2w", views)
    azimuth, elevation, distance, roll, *target = _read_orbit(camera, path)
    c2w = orbit_c2w(azimuth, elevation, distance, roll, target)[None]
    problem = camera_problem(c2w)
    if problem:
        raise UserError(f"{path} {problem[1]}", place=path)
    return _Track(at=(0,), poses=c2w)


def _has_matrix(given: dict[str, Any], path: str, possible: str) -> bool:
    """Whether a camera or a keyframe is given by c2w, and not by azimuth and distance."""
    orbit = [key for key in _ORBIT_KEYS if key in given]
    if "c2w" in given:
        if orbit:
            raise UserError(f"{path} has both c2w and {orbit[0]}; give either c2w or azimuth and distance.", place=path)
        return True
    for key in ("azimuth", "distance"):
        if key not in given:
            beside = f" {key} beside {orbit[0]}" if orbit else " pose"
            raise UserError(f"{path} has no{beside}; give {possible}.", place=path)
    return False


def _read_choice(given: dict[str, Any], key: str, possible: Sequence[str], path: str) -> str:
    choice = given.get(key, possible[0])
    if choice not in possible:
        raise UserError(f"{path}.{key} is {_shown(choice)}, but possible are {', '.join(possible)}.", place=path)
    return choice


def _read_orbit(given: dict[str, Any], path: str) -> list[float]:  # azimuth, elevation, distance, roll, target x, y, z
    numbers = [_number(given.get(key, 0.0), f"{path}.{key}") for key in _ORBIT_KEYS if key != "target"]
    target = given.get("target", [0.0, 0.0, 0.0])
    if not isinstance(target, list) or len(target) != 3:
        raise UserError(
            f"{path}.target is {_shown(target)}, but three numbers [x, y, z] in metres are needed.", place=path
        )
    centre = [_number(value, f"{path}.target[{axis}]") for axis, value in enumerate(target)]
    azimuth, elevation, distance, roll = numbers
    if not -90 <= elevation <= 90 or not distance > 0:
        try:
            orbit_c2w(azimuth, elevation, distance, roll, centre)
        except UserError as problem:
            raise problem.told(f"{path}.{problem}", place=path) from problem
    return [*numbers, *centre]


def _read_keyframes(given: Any, path: str, views: int, interpolation: str) -> _Track:
    if not isinstance(given, list):
        raise UserError(f"{path} is {_shown(given)}, but a list of keyframes is needed.", place=path)
    if not given:
        raise UserError(f"{path} is an empty list; give at least one keyframe.", place=path)
    if len(given) > _most_frames(views):
        raise UserError(f"{path} lists {len(given)} keyframes, but {_at_most(views)}; leave some out.", place=path)
    at: list[int] = []
    eases, poses = [], []
    by_matrix = False
    for index, keyframe in enumerate(given):
        place = f"{path}[{index}]"
        if not isinstance(keyframe, dict):
            raise UserError(f"{place} is {_shown(keyframe)}, but an object is needed.", place=place)
        _check_keys(keyframe, _KEYFRAME_KEYS, place)
        at.append(_read_keyframe_number(keyframe, place, views, at))
        eases.append(_read_choice(keyframe, "ease", EASES, place))
        has_matrix = _has_matrix(keyframe, place, "either azimuth and distance, or c2w")
        if index == 0:
            by_matrix = has_matrix
        if has_matrix != by_matrix:
            here, there = ("c2w", "azimuth and distance") if has_matrix else ("azimuth and distance", "c2w")
            raise UserError(
                f"{place} is given by {here}, but the keyframes before it by {there}; give all keyframes of a camera "
                "in the same way.",
                place=place,
            )
        poses.append(_read_matrix(keyframe["c2w"], f"{place}.c2w") if by_matrix else _read_limited(keyframe, place))
    numbers = torch.tensor(poses, dtype=torch.float64)
    problem = camera_problem(numbers if by_matrix else torch.from_numpy(orbit_matrices(numbers.numpy())))
    if problem:
        raise UserError(f"{path}[{problem[0]}]{'.c2w' if by_matrix else ''} {problem[1]}", place=path)
    return _Track(at=at, poses=numbers, interpolation=interpolation, eases=eases)


def _read_keyframe_number(keyframe: dict[str, Any], path: str, views: int, before: list[int]) -> int:
    if "frame" not in keyframe:
        raise UserError(f"{path} has no frame; give its frame number, counted from 0.", place=path)
    frame = _whole_number(keyframe["frame"])
    if frame is None or frame < 0:
        raise UserError(
            f"{path}.frame is {_shown(keyframe['frame'])}, but a whole number from 0 is needed.", place=path
        )
    if frame >= _most_frames(views):
        raise UserError(
            f"{path}.frame is {_shown(keyframe['frame'])}, but {_at_most(views)}; the last one has the number "
            f"{_most_frames(views) - 1}.",
            place=path,
        )
    if before and frame <= before[-1]:
        raise UserError(
            f"{path}.frame is {frame}, but the keyframe before it has {before[-1]}; the frames of keyframes must "
            "increase.",
            place=path,
        )
    return frame


def _read_limited(keyframe: dict[str, Any], path: str) -> list[float]:
    """The numbers of a camera given by its angles, in a range in which there are digits left between two of them."""
    orbit = _read_orbit(keyframe, path)
    azimuth, _, _, roll, *target = orbit
    for key, angle in (("azimuth", azimuth), ("roll", roll)):
        if abs(angle) > MAX_ANGLE_DEG:
            raise UserError(
                f"{path}.{key} is {angle:g}, but a keyframe can turn to at most {MAX_ANGLE_DEG:g} degrees either way.",
                place=path,
            )
    for axis, coordinate in enumerate(target):
        if abs(coordinate) > MAX_COORDINATE_M:
            raise UserError(
                f"{path}.target[{axis}] is {coordinate:g}, farther than {MAX_COORDINATE_M:g} m from the origin; check "
                "the unit, positions are in metres.",
                place=path,
            )
    return orbit


def _read_c2w(given: Any, path: str, views: int) -> _Track:
    if _depth(given) == 3:
        if len(given) > _most_frames(views):
            raise UserError(f"{path} lists {len(given)} matrices, but {_at_most(views)}; leave some out.", place=path)
        rows = [_read_matrix(frame, f"{path}[{index}]") for index, frame in enumerate(given)]
    else:
        rows = [_read_matrix(given, path)]
    matrices = torch.tensor(rows, dtype=torch.float64)
    problem = camera_problem(matrices)
    if problem:
        frame, what = problem
        raise UserError(f"{path}{f'[{frame}]' if len(matrices) > 1 else ''} {what}", place=path)
    return _Track(at=range(len(matrices)), poses=matrices, is_list=len(matrices) > 1)


def _depth(value: Any) -> int:
    depth = 0
    while isinstance(value, list) and depth < 4:
        depth += 1
        value = value[0] if value else None
    return depth


def _read_matrix(given: Any, path: str) -> list[list[float]]:  # 4 x 4
    if not isinstance(given, list) or len(given) not in (3, 4):
        raise UserError(f"{path} is {_shown(given)}, but 3 or 4 rows of 4 numbers are needed.", place=path)
    rows = []
    for index, row in enumerate(given):
        if not isinstance(row, list) or len(row) != 4:
            raise UserError(f"{path} row {index} is {_shown(row)}, but a list of 4 numbers is needed.", place=path)
        rows.append([_number(value, f"{path} row {index}", "holds") for value in row])
    last_row = [0.0, 0.0, 0.0, 1.0]
    if len(rows) == 3:
        rows.append(last_row)
    elif max(abs(value - wanted) for value, wanted in zip(rows[3], last_row, strict=True)) <= 1e-6:
        rows[3] = last_row  # programs that multiply matrices leave rounding errors here
    return rows


def _length(tracks: list[_Track], frames: int | None) -> int:
    """The number of frames of the rig: 1 if no camera moves. Lists of matrices set it, keyframes have to lie in it."""
    lists = {index: len(track.poses) for index, track in enumerate(tracks) if track.is_list}
    longest = max(lists, key=lists.__getitem__, default=0)
    for index, listed in lists.items():
        if listed != lists[longest]:
            raise UserError(
                f"cameras[{index}].c2w lists {listed} frames but cameras[{longest}].c2w {lists[longest]}; "
                "give every moving camera the same number of frames."
            )
    if lists and frames is not None and frames != lists[longest]:
        raise UserError(
            f"cameras[{longest}].c2w lists {lists[longest]} frames, but frames is {frames}; give one matrix for each "
            "frame, or leave frames out."
        )
    if frames is not None or lists:
        length = frames or lists[longest]
        what = f"frames is {length}" if frames else f"cameras[{longest}].c2w lists {length} frames"
        for index, track in enumerate(tracks):
            late = next((keyframe for keyframe, frame in enumerate(track.at) if frame >= length), None)
            if late is not None:
                raise UserError(
                    f"cameras[{index}].keyframes[{late}].frame is {track.at[late]}, but {what}, so the last one has "
                    f"the number {length - 1}; move the keyframe, or give more frames."
                )
    else:
        length = max(track.at[-1] for track in tracks) + 1
    return length if any(len(track.poses) > 1 for track in tracks) else 1


def _baked(track: _Track, frames: int, path: str) -> Tensor:  # (frames, 4, 4)
    if track.is_list:
        return track.poses
    c2w = torch.from_numpy(bake_keyframes(track.at, track.poses.numpy(), frames, track.interpolation, track.eases))
    problem = camera_problem(c2w)  # a camera far from the origin may swing out of bounds between two keyframes
    if problem:
        raise UserError(f"{path}.keyframes: at frame {problem[0]} the camera {problem[1]}", place=path)
    return c2w


def _number(value: Any, path: str, verb: str = "is") -> float:
    if isinstance(value, str):
        raise UserError(f"{path} {verb} {_shown(value)}, but a number is needed; write it without quotes.", place=path)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"{path} {verb} {_shown(value)}, but a number is needed.", place=path)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isnan(number):
        raise UserError(f"{path} {verb} NaN, but a finite number is needed.", place=path)
    if math.isinf(number):
        raise UserError(
            f"{path} {verb} an infinite or far too large number, but a finite number is needed.", place=path
        )
    return number


def _whole_number(value: Any) -> int | None:
    # 81.0 is a whole number in JSON, and programs in languages without integers write it so
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_finite(value):
        return None
    return int(value) if value == int(value) else None


def _shown(value: Any) -> str:
    if isinstance(value, (list, dict)):
        kind, items = ("a list", "items") if isinstance(value, list) else ("an object", "keys")
        return f"{kind} of {len(value)} {items}" if value else f"an empty {kind.split()[1]}"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)  # JSON has one kind of number: 1e3 and 1000 are the same, here as in JavaScript
    return str(value)[:40]
