"""The poses of one camera of a rig JSON: by angles, by a matrix, by one for each frame, by keyframes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...errors import UserError
from ..json_text import Json
from ..keyframes import EASES, INTERPOLATIONS, bake_keyframes
from ..orbit import orbit_c2w, orbit_matrices
from ..rig import MAX_COORDINATE_M, camera_problem
from .values import check_keys, number, read_choice, shown, whole_number

MAX_FRAMES = 10_000
MAX_POSES = 64 * 2000  # views times frames
MAX_ANGLE_DEG = 1e6  # of a keyframe: beyond it the numbers between two keyframes lose their digits
_ORBIT_KEYS = ("azimuth", "elevation", "distance", "roll", "target")
_CAMERA_KEYS = ("name", "color", "lens", "c2w", *_ORBIT_KEYS, "keyframes", "interpolation")
_KEYFRAME_KEYS = ("frame", "ease", "c2w", *_ORBIT_KEYS)


@dataclass(frozen=True, eq=False)
class _Track:
    """One camera as it is written: its poses, and the frames that they belong to."""

    at: Sequence[int]
    poses: Tensor  # (keyframes, 4, 4) c2w, or (keyframes, 7) as `bake_keyframes` takes them
    interpolation: str = "linear"
    eases: Sequence[str] = ()
    is_list: bool = False  # one matrix per frame, which sets the number of frames


def read_pose(camera: Json, path: str, views: int) -> _Track:
    if not isinstance(camera, dict):
        raise UserError(f"{path} is {shown(camera)}, but an object is needed.", place=path)
    check_keys(camera, _CAMERA_KEYS, path)
    interpolation = read_choice(camera, "interpolation", INTERPOLATIONS, path)
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


def _has_matrix(given: dict[str, Json], path: str, possible: str) -> bool:
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


def _read_orbit(given: dict[str, Json], path: str) -> list[float]:  # azimuth, elevation, distance, roll, target x, y, z
    numbers = [number(given.get(key, 0.0), f"{path}.{key}") for key in _ORBIT_KEYS if key != "target"]
    target = given.get("target", [0.0, 0.0, 0.0])
    if not isinstance(target, list) or len(target) != 3:
        raise UserError(
            f"{path}.target is {shown(target)}, but three numbers [x, y, z] in metres are needed.", place=path
        )
    centre = [number(value, f"{path}.target[{axis}]") for axis, value in enumerate(target)]
    azimuth, elevation, distance, roll = numbers
    if not -90 <= elevation <= 90 or not distance > 0:
        try:
            orbit_c2w(azimuth, elevation, distance, roll, centre)
        except UserError as problem:
            raise problem.told(f"{path}.{problem}", place=path) from problem
    return [*numbers, *centre]


def _read_c2w(given: Json, path: str, views: int) -> _Track:
    if _depth(given) == 3:
        if len(given) > most_frames(views):
            raise UserError(f"{path} lists {len(given)} matrices, but {at_most(views)}; leave some out.", place=path)
        rows = [_read_matrix(frame, f"{path}[{index}]") for index, frame in enumerate(given)]
    else:
        rows = [_read_matrix(given, path)]
    matrices = torch.tensor(rows, dtype=torch.float64)
    problem = camera_problem(matrices)
    if problem:
        frame, what = problem
        raise UserError(f"{path}{f'[{frame}]' if len(matrices) > 1 else ''} {what}", place=path)
    return _Track(at=range(len(matrices)), poses=matrices, is_list=len(matrices) > 1)


def _depth(value: Json) -> int:
    depth = 0
    while isinstance(value, list) and depth < 4:
        depth += 1
        value = value[0] if value else None
    return depth


def _read_matrix(given: Json, path: str) -> list[list[float]]:  # 4 x 4
    if not isinstance(given, list) or len(given) not in (3, 4):
        raise UserError(f"{path} is {shown(given)}, but 3 or 4 rows of 4 numbers are needed.", place=path)
    rows = []
    for index, row in enumerate(given):
        if not isinstance(row, list) or len(row) != 4:
            raise UserError(f"{path} row {index} is {shown(row)}, but a list of 4 numbers is needed.", place=path)
        rows.append([number(value, f"{path} row {index}", "holds") for value in row])
    last_row = [0.0, 0.0, 0.0, 1.0]
    if len(rows) == 3:
        rows.append(last_row)
    elif max(abs(value - wanted) for value, wanted in zip(rows[3], last_row, strict=True)) <= 1e-6:
        rows[3] = last_row  # programs that multiply matrices leave rounding errors here
    return rows


# ---- keyframes


def _read_keyframes(given: Json, path: str, views: int, interpolation: str) -> _Track:
    if not isinstance(given, list):
        raise UserError(f"{path} is {shown(given)}, but a list of keyframes is needed.", place=path)
    if not given:
        raise UserError(f"{path} is an empty list; give at least one keyframe.", place=path)
    if len(given) > most_frames(views):
        raise UserError(f"{path} lists {len(given)} keyframes, but {at_most(views)}; leave some out.", place=path)
    at: list[int] = []
    eases, poses = [], []
    by_matrix = False
    for index, keyframe in enumerate(given):
        place = f"{path}[{index}]"
        if not isinstance(keyframe, dict):
            raise UserError(f"{place} is {shown(keyframe)}, but an object is needed.", place=place)
        check_keys(keyframe, _KEYFRAME_KEYS, place)
        at.append(_read_keyframe_number(keyframe, place, views, at))
        eases.append(read_choice(keyframe, "ease", EASES, place))
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


def _read_keyframe_number(keyframe: dict[str, Json], path: str, views: int, before: list[int]) -> int:
    if "frame" not in keyframe:
        raise UserError(f"{path} has no frame; give its frame number, counted from 0.", place=path)
    frame = whole_number(keyframe["frame"])
    if frame is None or frame < 0:
        raise UserError(f"{path}.frame is {shown(keyframe['frame'])}, but a whole number from 0 is needed.", place=path)
    if frame >= most_frames(views):
        raise UserError(
            f"{path}.frame is {shown(keyframe['frame'])}, but {at_most(views)}; the last one has the number "
            f"{most_frames(views) - 1}.",
            place=path,
        )
    if before and frame <= before[-1]:
        raise UserError(
            f"{path}.frame is {frame}, but the keyframe before it has {before[-1]}; the frames of keyframes must "
            "increase.",
            place=path,
        )
    return frame


def _read_limited(keyframe: dict[str, Json], path: str) -> list[float]:
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


# ---- frames


def most_frames(views: int) -> int:
    return min(MAX_FRAMES, MAX_POSES // views)


def at_most(views: int) -> str:
    cameras = "1 camera" if views == 1 else f"{views} cameras"
    return f"a rig of {cameras} has at most {most_frames(views)} frames"


def length_of(tracks: list[_Track], frames: int | None) -> int:
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


def baked(track: _Track, frames: int, path: str) -> Tensor:  # (frames, 4, 4)
    if track.is_list:
        return track.poses
    c2w = torch.from_numpy(bake_keyframes(track.at, track.poses.numpy(), frames, track.interpolation, track.eases))
    problem = camera_problem(c2w)  # a camera far from the origin may swing out of bounds between two keyframes
    if problem:
        raise UserError(f"{path}.keyframes: at frame {problem[0]} the camera {problem[1]}", place=path)
    return c2w
