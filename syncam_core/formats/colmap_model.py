"""What a COLMAP model's files hold: cameras, images, and since COLMAP 3.12 rigs of cameras and frames of rigs.

    cameras    CAMERA_ID MODEL WIDTH HEIGHT PARAMETERS
    images     IMAGE_ID, pose, CAMERA_ID NAME, points
    rigs       RIG_ID, reference sensor, further sensors with their poses relative to it
    frames     FRAME_ID RIG_ID, pose of the rig, the images taken at once

Poses are quaternions (w first) and translations, from the world or from the rig to the camera, in OpenCV axes. Where
rigs and frames are there, they are the truth, for COLMAP too: the poses in the list of images are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import NamedTuple

import numpy as np

from ..errors import UserError

Pose = Sequence[float]  # qw qx qy qz tx ty tz
ImagePoint = tuple[float, float, int]  # pixels right and down, and which point it is
AT_REFERENCE: Pose = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
NO_POSE: Pose = (0.0,) * 7

MAX_IMAGES = 100_000
CAMERA_SENSOR = "CAMERA"
SENSORS = {0: CAMERA_SENSOR, 1: "IMU"}  # by their numbers in binary files

# Number of parameters by COLMAP's own numbering of the models, which is needed to get past a camera in a binary file.
MODELS = {
    0: ("SIMPLE_PINHOLE", 3),
    1: ("PINHOLE", 4),
    2: ("SIMPLE_RADIAL", 4),
    3: ("RADIAL", 5),
    4: ("OPENCV", 8),
    5: ("OPENCV_FISHEYE", 8),
    6: ("FULL_OPENCV", 12),
    7: ("FOV", 5),
    8: ("SIMPLE_RADIAL_FISHEYE", 4),
    9: ("RADIAL_FISHEYE", 5),
    10: ("THIN_PRISM_FISHEYE", 12),
    11: ("RAD_TAN_THIN_PRISM_FISHEYE", 16),
    12: ("SIMPLE_DIVISION", 4),
    13: ("DIVISION", 5),
    14: ("SIMPLE_FISHEYE", 3),
    15: ("FISHEYE", 4),
    16: ("EUCM", 6),
    17: ("EQUIRECTANGULAR", 2),
}
# First of the parameters that bend the picture. The models left out here have no focal length that compares to a lens's.
DISTORTION_FROM = {
    "SIMPLE_PINHOLE": 3,
    "PINHOLE": 4,
    "SIMPLE_RADIAL": 3,
    "RADIAL": 3,
    "OPENCV": 4,
    "FULL_OPENCV": 4,
    "SIMPLE_DIVISION": 3,
    "DIVISION": 4,
}
PARAMETERS = dict(MODELS.values())

_SAME = 1e-12  # of the largest number of a pose, at least of 1


class Camera(NamedTuple):
    model: str
    width: int
    height: int
    parameters: tuple[float, ...]


ImageRow = tuple[int, Pose, int, str]  # number, pose, camera, name
FrameRow = tuple[int, int, Pose, Sequence[tuple[int, int]]]  # number, rig, pose, camera and image of those taken in it


@dataclass(frozen=True, eq=False)
class Images:
    """Images, one in each row."""

    numbers: np.ndarray  # (images,) uint64
    poses: np.ndarray  # (images, 7) world-to-camera
    cameras: np.ndarray  # (images,) uint64
    names: Sequence[str]
    points: Sequence[Sequence[ImagePoint]] = ()  # of each; written, reading leaves them out
    problems: dict[int, str] = field(default_factory=dict)  # by row: why a pose is not known, in a sentence

    def __len__(self) -> int:
        return len(self.names)

    def rows(self, places: Sequence[int] | np.ndarray) -> Images:
        """Those in these rows, without their points."""
        rows = np.asarray(places, dtype=np.intp)
        names, problems = [self.names[place] for place in rows.tolist()], {}
        if self.problems:
            problems = {row: self.problems[at] for row, at in enumerate(rows.tolist()) if at in self.problems}
        return Images(self.numbers[rows], self.poses[rows], self.cameras[rows], names, problems=problems)

    def each(self) -> Iterator[tuple[int, Pose, int, str, Sequence[ImagePoint]]]:
        """Number, pose, camera, name and points of one after the other."""
        columns = self.numbers.tolist(), self.poses.tolist(), self.cameras.tolist(), self.names
        return zip(*columns, self.points or [()] * len(self), strict=True)


class Point(NamedTuple):
    number: int
    xyz: tuple[float, float, float]
    rgb: tuple[int, int, int]
    error: float
    track: tuple[tuple[int, int], ...]  # image, and which of its points


@dataclass(frozen=True, eq=False)
class Frames:
    """Frames, one in each row, and the images that were taken in them."""

    numbers: np.ndarray  # (frames,) uint64
    rigs: np.ndarray  # (frames,) uint64
    poses: np.ndarray  # (frames, 7) world-to-rig
    rows: np.ndarray  # (taken,) of the frame that each image was taken in; they do not fall
    cameras: np.ndarray  # (taken,) uint64
    images: np.ndarray  # (taken,) uint64

    def __len__(self) -> int:
        return len(self.numbers)

    def each(self) -> Iterator[FrameRow]:
        """Number, rig, pose, and camera and image of those taken in it, of one after the other."""
        taken = [*zip(self.cameras.tolist(), self.images.tolist(), strict=True)]
        ends = np.searchsorted(self.rows, np.arange(len(self)), side="right").tolist()
        columns = self.numbers.tolist(), self.rigs.tolist(), self.poses.tolist()
        for number, rig, pose, begin, end in zip(*columns, [0, *ends][: len(self)], ends, strict=True):
            yield number, rig, pose, taken[begin:end]


def images_of(found: Sequence[ImageRow], points: Sequence[Sequence[ImagePoint]] = ()) -> Images:
    numbers, poses, cameras, names = zip(*found, strict=True) if found else ((), (), (), ())
    return Images(_whole(numbers), np.array(poses).reshape(-1, 7), _whole(cameras), names, points)


def frames_of(found: Sequence[FrameRow]) -> Frames:
    numbers, rigs, poses, taken = zip(*found, strict=True) if found else ((), (), (), ())
    rows = np.repeat(np.arange(len(found)), [*map(len, taken)])
    cameras, images = zip(*chain(*taken), strict=True) if len(rows) else ((), ())
    return Frames(_whole(numbers), _whole(rigs), np.array(poses).reshape(-1, 7), rows, _whole(cameras), _whole(images))


def _whole(numbers: Sequence[int]) -> np.ndarray:
    return np.array(numbers, dtype=np.uint64)


@dataclass(frozen=True)
class Model:
    """A model as its files hold it; without rigs and frames where these have no files."""

    cameras: dict[int, Camera]
    images: Images
    rigs: dict[int, dict[int, Pose | None]] = field(default_factory=dict)  # camera -> rig-to-camera; None: not known
    frames: Frames | None = None
    points: list[Point] = field(default_factory=list)  # written; reading leaves them out

    def posed_images(self) -> Images:
        """The images in the order of their numbers, with the poses of rigs and frames where there are any.

        One whose pose these do not say has a problem, which is in nobody's way who chooses other cameras. Raises
        UserError where they say no pose at all.
        """
        images = self.images.rows(np.argsort(self.images.numbers, kind="stable"))
        if self.frames is None or not len(self.frames) or not len(images):
            return images
        known = self._poses_of_sensors()
        taken = self._taken(self.frames, images)
        rows, sensors = self._places_of(self.frames, taken, {seat: place for place, seat in enumerate(known)})
        of_rigs = np.concatenate([self.frames.poses, [NO_POSE]])[rows]
        of_sensors = np.array([*known.values(), NO_POSE])[sensors]
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = np.linalg.norm(of_rigs[:, :4], axis=1) * np.linalg.norm(of_sensors[:, :4], axis=1)
        unknown = ~((lengths > 1e-9) & (lengths < np.inf))  # true for NaN, too
        problems = {
            place: self._problem_of(self.frames, images.names[place], int(taken[place]))
            for place in np.flatnonzero(unknown).tolist()
        }
        if len(problems) == len(images):
            raise UserError(problems[0])
        of_rigs[unknown] = of_sensors[unknown] = AT_REFERENCE
        poses = _chained(of_rigs, of_sensors)
        same = ~_differ(images.poses, poses)
        poses[same] = images.poses[same]  # its own spares an image the chain's rounding
        return replace(images, poses=poses, problems=problems)

    def _poses_of_sensors(self) -> dict[tuple[int, int], Pose]:
        """Rig-to-camera by rig and camera, where they are known."""
        return {
            (rig, camera): pose
            for rig, sensors in self.rigs.items()
            for camera, pose in sensors.items()
            if pose is not None
        }

    @staticmethod
    def _taken(frames: Frames, images: Images) -> np.ndarray:  # (images,)
        """Where in the frames' lists each image is, the last time; -1 for one in none of them."""
        order = np.argsort(frames.images, kind="stable")
        if not len(order):
            return np.full(len(images), -1)
        place = order[np.searchsorted(frames.images, images.numbers, side="right", sorter=order) - 1]
        return np.where(frames.images[place] == images.numbers, place, -1)

    @staticmethod
    def _places_of(
        frames: Frames, taken: np.ndarray, sensor_of: dict[tuple[int, int], int]
    ) -> tuple[np.ndarray, list[int]]:
        """For each image which of the frames and which of the known sensors it is of; one behind the last for none."""
        rows = np.append(frames.rows, len(frames))[taken]  # -1 is the last of these
        seats = zip(np.append(frames.rigs, 0)[rows].tolist(), np.append(frames.cameras, 0)[taken].tolist(), strict=True)
        return rows, [sensor_of.get(seat, len(sensor_of)) for seat in seats]

    def _problem_of(self, frames: Frames, name: str, taken: int) -> str:
        """Why the frame in which an image was taken says no pose of it."""
        if taken < 0:
            return f"image {name[:60]!r} is in none of the model's frames; write the model again."
        rig, camera = int(frames.rigs[frames.rows[taken]]), int(frames.cameras[taken])
        if self.rigs.get(rig, {}).get(camera) is None:
            return (
                f"rig {rig} has no pose for camera {camera}, of which image {name[:60]!r} is; calibrate the rig first."
            )
        return "a frame or a rig has a quaternion of length 0, but a rotation has one of length 1."

    def taken_together(self, images: Images) -> tuple[list[int], list[int]]:
        """Cameras and frames of the images, where all are of one rig of several cameras; else nothing."""
        frames = self.frames
        if frames is None or not len(frames) or (frames.rigs != frames.rigs[0]).any():
            return [], []
        taken = self._taken(frames, images)
        if np.bincount(frames.rows).max(initial=0) < 2 or (taken < 0).any():
            return [], []
        return frames.cameras[taken].tolist(), frames.numbers[frames.rows[taken]].tolist()


def _chained(first: np.ndarray, then: np.ndarray) -> np.ndarray:  # (poses, 7) each
    """The poses that lead where one after the other does; quaternions of another length keep it, to be refused."""
    from scipy.spatial.transform import Rotation

    (w, axis), (then_w, then_axis) = ((pose[:, :1], pose[:, 1:4]) for pose in (first, then))
    turned = Rotation.from_quat(then[:, [1, 2, 3, 0]]).apply(first[:, 4:])
    return np.concatenate(
        [  # Hamilton's product, five times as quick here as scipy's
            then_w * w - (then_axis * axis).sum(axis=1, keepdims=True),
            then_w * axis + w * then_axis + np.cross(then_axis, axis),
            turned + then[:, 4:],
        ],
        axis=1,
    )


def _differ(some: np.ndarray, others: np.ndarray) -> np.ndarray:  # (poses, 7) each -> (poses,)
    """Where poses are not the same up to rounding; a quaternion and its negative are one rotation."""
    sign = np.where((some[:, :4] * others[:, :4]).sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    away = np.concatenate([sign * some[:, :4] - others[:, :4], some[:, 4:] - others[:, 4:]], axis=1)
    size = np.maximum(1.0, np.abs(others).max(axis=1))
    return ~(np.abs(away).max(axis=1) <= _SAME * size)
