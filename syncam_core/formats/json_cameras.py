"""What the JSON camera formats share: bounded reading, values refused by their place, and the way to a rig."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..cameras.json_text import parse_json
from ..cameras.rig import MAX_VIEWS, Lens, Rig, camera_problem
from ..disk.bounded import MAX_BYTES, file_text
from ..errors import UserError

MAX_ITEMS = 60_000  # of a list: 64 cameras over 900 frames
ONE_SPOT_M = 0.01

OPENCV_FORWARD = (0.0, 0.0, 1.0)  # x right, y down, z forward
OPENGL_FORWARD = (0.0, 0.0, -1.0)  # x right, y up, z back; Blender's cameras, too
UNREAL_FORWARD = (1.0, 0.0, 0.0)  # x forward, y right, z up

# Between OpenGL's camera axes and OpenCV's; its own inverse.
FLIP_YZ = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
# From a world with z up and y away from the viewer (Blender, nerfstudio) to the rig's (x right, y down, z away).
Z_UP_TO_RIG = torch.tensor([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=torch.float64)


# -- files -----------------------------------------------------------------------------------------------------------


def read_json(path: Path) -> Any:
    """The value of a JSON file. Raises UserError for one that is missing, too large, not UTF-8 or not JSON."""
    return parse_json(file_text(Path(path)), MAX_BYTES)


def write_json(path: Path, head: dict[str, Any], key: str = "", items: Any = ()) -> None:
    """Write one object: the pairs of `head` and then `key` with its `items`, each on a line of its own.

    `items` is a list, or a dict; json writes the shortest digits that give every float64 back.
    Raises UserError where the file cannot be written.
    """
    lines = [f"  {json.dumps(name)}: {json.dumps(value, allow_nan=False)}" for name, value in head.items()]
    if key:
        opening, closing, rows = ("{", "}", _pairs(items)) if isinstance(items, dict) else ("[", "]", map(_line, items))
        body = ",\n    ".join(rows)
        lines.append(f"  {json.dumps(key)}: {opening}\n    {body}\n  {closing}")
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8. Raises UserError where that is not possible."""
    try:
        Path(path).write_bytes(text.encode("utf-8"))
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or "its name is not possible"
        raise UserError(f"file {Path(path).name!r} cannot be written ({why}).") from problem


def _pairs(items: dict[str, Any]) -> list[str]:
    return [f"{json.dumps(name, ensure_ascii=False)}: {_line(value)}" for name, value in items.items()]


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def refuse_foreign(document: Any, name: str, key: str) -> None:
    """Raises UserError for a document that is no object with `key`, or that names another format or version."""
    if not isinstance(document, dict) or key not in document:
        held = "null" if document is None else shown(document)
        raise UserError(f"it holds {held} without {key!r}; a file of the format '{name}' has it.")
    given = document.get("format", name)
    if given != name:
        raise UserError(f"format is {shown(given)}, but '{name}' is needed.", field="format")
    version = document.get("version", 1)
    if version != 1 or isinstance(version, bool):
        raise UserError(
            f"version is {shown(version)}, but this release of ComfyUI-SynCam reads version 1 of '{name}'.",
            field="version",
        )


# -- values ----------------------------------------------------------------------------------------------------------


def as_object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"{place} is {shown(value)}, but an object is needed.", place=place)
    return value


def as_list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise UserError(f"{place} is {shown(value)}, but a list with at least one item is needed.", place=place)
    if len(value) > MAX_ITEMS:
        raise UserError(
            f"{place} is {shown(value)}, but at most {MAX_ITEMS} are possible; give a part of them.", place=place
        )
    return value


def number(value: Any, place: str) -> float:
    """A finite number. Raises UserError by its place."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"{place} is {shown(value)}, but a number is needed.", place=place)
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise UserError(f"{place} is NaN or an infinite number, but a finite number is needed.", place=place)
    return result


def positive(value: Any, place: str) -> float:
    result = number(value, place)
    if result <= 0:
        raise UserError(f"{place} is {result:g}, but a number above 0 is needed.", place=place)
    return result


def numbers(value: Any, count: int, place: str) -> list[float]:
    """`count` finite numbers, given as a list, or as a list of lists of one number each (a column)."""
    items = value if isinstance(value, list) else []
    items = [item[0] if isinstance(item, list) and len(item) == 1 else item for item in items]
    if len(items) != count:
        raise UserError(f"{place} is {shown(value)}, but {count} numbers are needed.", place=place)
    return [number(item, f"{place}[{index}]") for index, item in enumerate(items)]


def rotation_rows(value: Any, place: str) -> list[list[float]]:
    """Three rows of three finite numbers."""
    if not isinstance(value, list) or len(value) != 3:
        raise UserError(f"{place} is {shown(value)}, but three rows of three numbers are needed.", place=place)
    return [numbers(row, 3, f"{place} row {index}") for index, row in enumerate(value)]


def pose(value: Any, place: str) -> list[list[float]]:
    """A 4x4 matrix of 3 or 4 rows of 4 finite numbers; the last row is 0 0 0 1 within rounding.

    Raises UserError by its place, also for a matrix that is written transposed.
    """
    if not isinstance(value, list) or len(value) not in (3, 4):
        raise UserError(f"{place} is {shown(value)}, but a matrix of 3 or 4 rows of 4 numbers is needed.", place=place)
    rows = [numbers(row, 4, f"{place} row {index}") for index, row in enumerate(value)]
    last = [0.0, 0.0, 0.0, 1.0]
    if len(rows) == 4 and any(abs(a - b) > 1e-6 for a, b in zip(rows[3], last, strict=True)):
        transposed = all(abs(row[3] - b) <= 1e-6 for row, b in zip(rows, last, strict=True))
        hint = " (it looks transposed: the position belongs in the last column)" if transposed else ""
        given = " ".join(f"{value:g}" for value in rows[3])
        raise UserError(f"{place} has the last row {given}, but it must be 0 0 0 1{hint}.", place=place)
    return [*rows[:3], last]


def is_matrix(value: Any) -> bool:
    """Whether a value is one matrix, and not a list of matrices: its first row begins with a number."""
    return (
        isinstance(value, list)
        and bool(value)
        and isinstance(value[0], list)
        and bool(value[0])
        and not isinstance(value[0][0], list)
    )


def metres_per_unit(given: float | None, in_file: Any, place: str) -> float:
    """The unit: the one that the caller gives, else the one in the file. Raises UserError where neither says it."""
    if given is not None:
        return positive(given, "unit_m (metres per unit of the file)")
    if in_file is None:
        raise UserError(
            "it does not say its unit; give 'unit_m', the metres per unit of the file (1 for metres, 0.01 for "
            "centimetres)."
        )
    return positive(in_file, place)


def lens_of(focal_mm: Any, sensor_width_mm: Any, place: str) -> Lens:
    try:
        return Lens(number(focal_mm, "focal length"), number(sensor_width_mm, "sensor width"))
    except UserError as problem:
        raise problem.told(f"{place}: {problem}", place=place) from problem


def shown(value: Any) -> str:
    """A value as a sentence can hold it."""
    if isinstance(value, (list, dict)):
        kind, items = ("a list", "items") if isinstance(value, list) else ("an object", "keys")
        return f"{kind} of {len(value)} {items}" if value else f"an empty {kind.split()[1]}"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return "missing" if value is None else str(value).lower()[:40]


# -- rigs ------------------------------------------------------------------------------------------------------------


def rig_of(
    names: Sequence[str],
    poses: Sequence[Tensor],  # per camera (frames, 4, 4): c2w, in the rig's axes and metres
    lenses: Sequence[Lens] = (),
    hint: str = "",
) -> Rig:
    """The rig of cameras whose frame counts are 1 or all the same; cameras that all stand still become one frame.

    `hint` is a sentence about the format's matrices that stands behind what is wrong with one. Raises UserError,
    naming camera and frame, for mixed frame counts and for matrices that are no rigid poses.
    """
    frames = max(map(len, poses))
    longest = next(name for name, camera in zip(names, poses, strict=True) if len(camera) == frames)
    for name, camera in zip(names, poses, strict=True):
        if len(camera) not in (1, frames):
            raise UserError(
                f"camera {name[:60]!r} has {len(camera)} frames but camera {longest[:60]!r} {frames}; give every "
                "moving camera the same number of frames."
            )
        problem = camera_problem(camera)
        if problem:
            frame, what = problem
            at = f", frame {frame}" if len(camera) > 1 else ""
            raise UserError(f"camera {name[:60]!r}{at}: the matrix {what} {hint}".rstrip())
    c2w = torch.stack([camera.expand(frames, 4, 4) for camera in poses])
    if (c2w == c2w[:, :1]).all():
        c2w = c2w[:, :1]
    return Rig(names=tuple(names), c2w=c2w, lenses=tuple(lenses))


def in_metres(matrices: Tensor, unit_m: float) -> Tensor:
    """Poses (..., 4, 4) with their positions scaled to metres."""
    scaled = matrices.clone()
    scaled[..., :3, 3] *= unit_m
    return scaled


def in_units(matrices: Tensor, unit_m: float) -> Tensor:
    """Poses (..., 4, 4) in metres with their positions in units of `unit_m` metres."""
    scaled = matrices.clone()
    scaled[..., :3, 3] /= positive(unit_m, "unit_m (metres per unit of the file)")
    return scaled


def refuse_inverted(c2w: Sequence[Tensor], forward: Sequence[float], what: str, advice: str) -> None:
    """Raises UserError for matrices that `looks_inverted`: `what` they look like, and what to do about it."""
    if c2w and looks_inverted(torch.stack([*c2w]), forward):
        raise UserError(
            f"the matrices look {what} (only their inverses look at a common point); {advice}; if they are meant so, "
            "bring them as a rig JSON, which is not judged."
        )


def first_poses(read_pose: Callable[[Any], Tensor], entries: Iterable[Any]) -> list[Tensor]:
    """The poses (4, 4) of the first MAX_VIEWS entries of a file, chosen ones or not; broken ones are left out."""
    found = []
    for entry in itertools.islice(entries, MAX_VIEWS):
        with contextlib.suppress(UserError):  # reported when it is one of those to be read
            found.append(read_pose(entry))
    return found


def looks_inverted(c2w: Tensor, forward: Sequence[float]) -> bool:
    """Whether camera-to-world matrices are beyond doubt world-to-camera ones.

    c2w: (cameras, 4, 4) float64, metres, any world. forward: the viewing direction in camera axes.

    The cameras of a scene look at it together. If three or more viewing rays meet in a point in front of all cameras
    only once the matrices are inverted, and then ten times more exactly than any hand aims, they are world-to-camera.
    (An orbit read as its inverse misses by 1 to 10 %; the six digits of a file cost 0.02 %.) Parallel cameras say
    nothing either way.

    An orbit around the world's origin, read as its inverse, is a set of cameras on one spot. So is a panorama, which
    may be meant; but only by a rare accident on the axis that a camera at rest looks along, as the inverses are.
    """
    usable = (c2w.abs() < 1e12).all((1, 2))
    c2w = c2w[usable]
    c2w = c2w[torch.linalg.det(c2w[:, :3, :3]).abs() > 0.5][:MAX_VIEWS]
    if len(c2w) < 3:
        return False
    as_given = _ray_miss(c2w, forward)
    if as_given is None:
        return False
    if as_given == math.inf and _spread_m(c2w) < ONE_SPOT_M and not _on_axis(c2w, forward):
        return False
    as_inverse = _ray_miss(torch.linalg.inv(c2w), forward)
    return as_inverse is not None and as_given > 0.005 and as_inverse < 0.0005


def _spread_m(c2w: Tensor) -> float:
    position = c2w[:, :3, 3]
    return float((position - position.mean(0)).norm(dim=1).max())


def _on_axis(c2w: Tensor, forward: Sequence[float]) -> bool:
    """Whether the cameras' common spot lies ahead of a camera at rest in the origin, in the middle of its picture."""
    spot, axis = c2w[:, :3, 3].mean(0), torch.tensor(forward, dtype=c2w.dtype)
    ahead = float(spot @ axis)
    return ahead > ONE_SPOT_M and float((spot - ahead * axis).norm()) < 0.0005 * ahead


def _ray_miss(c2w: Tensor, forward: Sequence[float]) -> float | None:
    """How far viewing rays pass by their nearest common point, as a share of the distance to it.

    Infinite where the point lies behind a camera, and for cameras on one spot; None for nearly parallel rays.
    """
    direction = c2w[:, :3, :3] @ torch.tensor(forward, dtype=c2w.dtype)
    direction = direction / direction.norm(dim=1, keepdim=True).clamp_min(1e-12)
    position = c2w[:, :3, 3]
    across = (
        torch.eye(3, dtype=c2w.dtype) - direction[:, :, None] * direction[:, None]
    )  # removes the part along the ray
    system = across.mean(0)
    if torch.linalg.eigvalsh(system)[0] < 1e-3:
        return None
    if _spread_m(c2w) < ONE_SPOT_M:
        return math.inf
    point = torch.linalg.solve(system, (across @ position[:, :, None]).mean(0))[:, 0]
    depth = ((point - position) * direction).sum(1)
    if depth.min() <= 0:
        return math.inf
    miss = (across @ (point - position)[:, :, None])[:, :, 0].norm(dim=1)
    return float((miss / depth).max())
