"""The one camera type of the pack: N named cameras over F frames."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError

MAX_VIEWS = 64
MAX_NAME_LENGTH = 64
ROTATION_TOLERANCE = 1e-3  # camera files are written with as few as 6 decimals
MAX_COORDINATE_M = 1e9  # beyond it float64 no longer resolves a tenth of a micrometre, and units are surely wrong

# Chosen by search so that any two differ by at least 25 (CIELAB) for normal, deuteranopic and protanopic sight,
# the first ones by the most, and all of them stand out on black and on white.
PALETTE = (
    "#3399ff", "#ff8800", "#006655", "#22eeee", "#5522ff", "#aadd99",
    "#994400", "#1188aa", "#66aa99", "#3355aa", "#449955", "#00ccff",
)  # fmt: skip


@dataclass(frozen=True)
class Lens:
    """Focal length and sensor width, for drawing a camera only: no lens enters the model.

    The default is the one lens of the training data, 24 mm on a 23.76 mm wide sensor (52.7 degrees across).

    Raises UserError for a length that is not a positive, finite number.
    """

    focal_mm: float = 24.0
    sensor_width_mm: float = 23.76

    def __post_init__(self) -> None:
        for name in ("focal_mm", "sensor_width_mm"):
            length = getattr(self, name)
            if isinstance(length, bool) or not isinstance(length, (int, float)) or not 0 < length < 1e6:
                raise UserError(f"the lens has {name} {length!r}, but a length in millimetres above 0 is needed.")
            object.__setattr__(self, name, float(length))


@dataclass(frozen=True, eq=False)
class Rig:
    """Cameras that film the same moment: `views` named cameras over `frames` video frames.

    `c2w` (views, frames, 4, 4) maps camera to world coordinates, in metres. Its columns are the camera's x axis
    (right in the picture), y axis (down), z axis (forward, the viewing direction) and its centre: OpenCV axes. The
    world is right-handed, too: x right, y down, z away from a camera at azimuth 0. One frame means that the cameras
    stand still, whatever the length of the video. View 0 is the reference view.

    Any real tensor, array or nested list is accepted and kept as float64 with the numbers it came with: nothing is
    re-orthonormalised. Empty `colors` and `lenses` stand for the default palette and the default lens.

    Raises UserError, naming the camera, for anything that is not a set of 1..MAX_VIEWS uniquely named rigid cameras.
    """

    names: tuple[str, ...]
    c2w: Tensor  # (views, frames, 4, 4) float64
    colors: tuple[str, ...] = ()  # #rrggbb
    lenses: tuple[Lens, ...] = ()

    def __post_init__(self) -> None:
        names = _checked_names(self.names)
        colors = tuple(self.colors) or tuple(PALETTE[view % len(PALETTE)] for view in range(len(names)))
        lenses = tuple(self.lenses) or (Lens(),) * len(names)
        for what, given in (("colors", colors), ("lenses", lenses)):
            if len(given) != len(names):
                raise UserError(f"the rig has {len(names)} cameras but {len(given)} {what}; give one for each camera.")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "colors", tuple(map(_checked_color, colors, names)))
        object.__setattr__(self, "lenses", lenses)
        object.__setattr__(self, "c2w", _checked_c2w(self.c2w, names))

    @property
    def views(self) -> int:
        return self.c2w.shape[0]

    @property
    def frames(self) -> int:
        return self.c2w.shape[1]

    @property
    def is_static(self) -> bool:
        """Whether every camera keeps exactly its first pose."""
        return bool((self.c2w == self.c2w[:, :1]).all())

    @property
    def w2c(self) -> Tensor:  # (views, frames, 4, 4) float64
        """World-to-camera matrices."""
        return inverse(self.c2w)

    def at_frame(self, frame: int) -> Rig:
        """The cameras as they stand at a frame, still; cameras that stand still stand so at every frame.

        Raises UserError for a frame that a moving rig does not have.
        """
        at = self.index_of(frame)
        return replace(self, c2w=self.c2w[:, at : at + 1])

    def index_of(self, frame: int) -> int:
        """Where in `c2w` the poses of a frame stand. Raises UserError for one that a moving rig does not have."""
        if frame < 0 or (self.frames > 1 and frame >= self.frames):
            raise UserError(
                f"'frame' is {frame}, but the cameras of the rig move over frames 0 to {self.frames - 1}.",
                field="frame",
            )
        return frame if self.frames > 1 else 0

    def cut(self, start: int, count: int) -> Rig:
        """The cameras from frame `start` on for `count` frames; cameras that stand still stay as they are.

        Raises UserError for frames that a moving rig does not have.
        """
        if self.frames == 1:
            return self
        if not (start >= 0 and 1 <= count <= self.frames - start):
            raise UserError(
                f"frames {start} to {start + count - 1} are asked for, but the cameras of the rig move over frames 0 to "
                f"{self.frames - 1}.",
                field="frames",
            )
        return replace(self, c2w=self.c2w[:, start : start + count])

    def positions(self, cameras: Sequence[int] | None) -> list[int]:
        """The positions of cameras, counted from 0; None means all. Raises UserError for one that does not exist."""
        chosen = list(range(self.views)) if cameras is None else [int(camera) for camera in cameras]
        for camera in chosen:
            if not 0 <= camera < self.views:
                raise UserError(f"camera number {camera} does not exist; the rig has cameras 0 to {self.views - 1}.")
        return chosen

    def select(self, indices: Sequence[int]) -> Rig:
        """The cameras at `indices`, in that order, with their names, colours and lenses.

        Raises UserError for an index outside the rig, a repeated one, or none at all.
        """
        chosen = self.positions(indices)
        return Rig(
            names=tuple(self.names[index] for index in chosen),
            c2w=self.c2w[chosen],
            colors=tuple(self.colors[index] for index in chosen),
            lenses=tuple(self.lenses[index] for index in chosen),
        )


def inverse(
    poses: Tensor,  # (..., 4, 4) rigid, or nearly so
) -> Tensor:  # (..., 4, 4)
    """Camera-to-world as world-to-camera and back, in the unit of length and the type that came; the last row is exact.

    It is the general inverse, by numpy. Rotations of camera files are rounded to as few as 6 digits: by transposing them
    they would not come back as they were, and the poses that the released weights have learned from are made so, with
    the same LAPACK call (`relative_poses`).
    """
    result = torch.from_numpy(np.linalg.inv(poses.numpy()))
    result[..., 3, :] = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=poses.dtype)
    return result


def default_names(count: int) -> tuple[str, ...]:
    """cam01, cam02, ...: the names of the SynCamVideo data set."""
    return tuple(f"cam{number:02d}" for number in range(1, count + 1))


def camera_problem(c2w: Tensor) -> tuple[int, str] | None:
    """What keeps the frames of one camera from being rigid poses, or None.

    c2w: (frames, 4, 4) float64. Returns the first bad frame and half a sentence that says what is wrong with it
    and what is needed ("is mirrored: ...").
    """
    rotation = c2w[:, :3, :3]
    gram = rotation.mT @ rotation
    deviation = (gram - torch.eye(3, dtype=c2w.dtype)).abs().amax((1, 2))
    right, down, forward = rotation.unbind(-1)
    determinant = (torch.linalg.cross(right, down) * forward).sum(-1)
    last_row = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=c2w.dtype)
    rigid = (
        torch.isfinite(c2w).all((1, 2))
        & (c2w[:, 3] == last_row).all(1)
        & (deviation <= ROTATION_TOLERANCE)
        & (determinant > 0)
        & (c2w[:, :3, 3].abs() <= MAX_COORDINATE_M).all(1)
    )
    if rigid.all():
        return None
    frame = int(rigid.int().argmin())
    return frame, _explain(c2w[frame], gram[frame], float(deviation[frame]))


def _explain(c2w: Tensor, gram: Tensor, deviation: float) -> str:
    if not torch.isfinite(c2w).all():
        return "holds NaN or an infinite number; every number must be finite."
    if not torch.equal(c2w[3], torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=c2w.dtype)):
        transposed = torch.equal(c2w[:, 3], torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=c2w.dtype))
        hint = " (it looks transposed: the position belongs in the last column)" if transposed else ""
        return f"has the last row {_row(c2w[3])}, but it must be 0 0 0 1{hint}."
    if deviation <= ROTATION_TOLERANCE:
        if torch.linalg.det(c2w[:3, :3]) < 0:
            return (
                "is mirrored (determinant -1): one of its axes points the wrong way; the columns must be right, down, "
                "forward in a right-handed world, so turn one axis round or convert the world axes first."
            )
        return (
            f"stands at {_row(c2w[:3, 3])} m, farther than {MAX_COORDINATE_M:g} m from the origin; check the unit, "
            "positions are in metres."
        )
    lengths = gram.diagonal().sqrt()
    if lengths.max() - lengths.min() <= ROTATION_TOLERANCE * lengths.max() and abs(lengths.mean() - 1) > 1e-3:
        off_axis = (gram / lengths.square().mean() - torch.eye(3, dtype=gram.dtype)).abs().max()
        if off_axis <= ROTATION_TOLERANCE:
            return f"is scaled by {float(lengths.mean()):.6g}, but its three axes must have the length 1."
    return (
        "is not a rotation: its three axes must be perpendicular and of length 1, but R^T R differs from the "
        f"identity by {deviation:.3g} (up to {ROTATION_TOLERANCE:g} is accepted)."
    )


def _row(numbers: Tensor) -> str:
    return " ".join(f"{number:.6g}" for number in numbers.tolist())


def _checked_names(given: Iterable[str]) -> tuple[str, ...]:
    names = tuple(given)
    if not names:
        raise UserError("the rig has no cameras; give at least one.")
    if len(names) > MAX_VIEWS:
        raise UserError(f"the rig has {len(names)} cameras, but at most {MAX_VIEWS} are possible; leave some out.")
    for index, name in enumerate(names):
        problem = name_problem(name)
        if problem:
            raise UserError(f"camera {index + 1} of the rig {problem}")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"two cameras are named {twice!r}; give every camera a name of its own.")
    return names


def name_problem(name: object) -> str | None:
    """Half a sentence about a camera name that cannot stand in a label or a file name, or None."""
    if not isinstance(name, str):
        return "has a name that is not text; write it in quotes."
    if not name.strip():
        return "has an empty name; give it one, or leave the name out."
    if len(name) > MAX_NAME_LENGTH:
        return f"has a name of {len(name)} characters, but at most {MAX_NAME_LENGTH} are possible."
    # control characters, lone surrogates (they cannot be written as UTF-8), line and paragraph separators
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in name):
        return f"has the name {name!a}, which holds a control character; use letters, digits and signs."
    return None


def _checked_color(color: object, name: str) -> str:
    if not isinstance(color, str) or not re.fullmatch("#[0-9a-fA-F]{6}", color):
        raise UserError(f"camera {name!r} has the colour {color!r}, but it must be written like {PALETTE[0]}.")
    return color.lower()


def _checked_c2w(given: object, names: tuple[str, ...]) -> Tensor:
    if isinstance(given, Tensor):
        c2w = given.detach()
    else:
        try:
            array = np.asarray(given)
        except (ValueError, TypeError, RuntimeError) as problem:
            raise UserError("the camera matrices do not form a (cameras, frames, 4, 4) array of numbers.") from problem
        if array.dtype.kind not in "fiu":
            raise UserError("the camera matrices do not form a (cameras, frames, 4, 4) array of numbers.")
        c2w = torch.from_numpy(array.astype(np.float64))
    if c2w.is_complex() or c2w.dtype == torch.bool:
        raise UserError(f"the camera matrices are {c2w.dtype}, but real numbers are needed.")
    if c2w.ndim != 4 or c2w.shape[2:] != (4, 4) or c2w.shape[1] == 0:
        raise UserError(
            f"the camera matrices have the shape {tuple(c2w.shape)}, but (cameras, frames, 4, 4) with at least one "
            "frame is needed."
        )
    if c2w.shape[0] != len(names):
        raise UserError(f"the rig has {len(names)} names but matrices of {c2w.shape[0]} cameras; give one for each.")
    c2w = c2w.to(device="cpu", dtype=torch.float64, copy=True).contiguous()
    if camera_problem(c2w.flatten(0, 1)):
        for name, camera in zip(names, c2w, strict=True):
            wrong = camera_problem(camera)
            if wrong:
                frame, what = wrong
                at = f", frame {frame}," if len(camera) > 1 else ""
                raise UserError(f"camera {name!r}{at} {what}")
    return c2w
