"""What a COLMAP model's files hold: cameras, images, and since COLMAP 3.12 rigs of cameras and frames of rigs.

    cameras    CAMERA_ID MODEL WIDTH HEIGHT PARAMETERS
    images     IMAGE_ID, pose, CAMERA_ID NAME, points
    rigs       RIG_ID, reference sensor, further sensors with their poses relative to it
    frames     FRAME_ID RIG_ID, pose of the rig, the images taken at once

Poses are quaternions (w first) and translations, from the world or from the rig to the camera, in OpenCV axes. Where
rigs and frames are there, they are the truth, for COLMAP too: the poses in the list of images are not looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..errors import UserError

Pose = tuple[float, ...]  # qw qx qy qz tx ty tz
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


class Image(NamedTuple):
    number: int
    pose: Pose  # world-to-camera
    camera: int
    name: str
    points: tuple[tuple[float, float, int], ...] = ()  # pixels right and down, and which point it is; not read
    problem: str = ""  # why its pose is not known, in a sentence


class Point(NamedTuple):
    number: int
    xyz: tuple[float, float, float]
    rgb: tuple[int, int, int]
    error: float
    track: tuple[tuple[int, int], ...]  # image, and which of its points


class Frame(NamedTuple):
    number: int
    rig: int
    pose: Pose  # world-to-rig
    images: tuple[tuple[int, int], ...]  # camera and image


@dataclass(frozen=True)
class Model:
    """A model as its files hold it; without rigs and frames where these have no files."""

    cameras: dict[int, Camera]
    images: list[Image]
    rigs: dict[int, dict[int, Pose | None]] = field(default_factory=dict)  # camera -> rig-to-camera; None: not known
    frames: list[Frame] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)  # written; reading leaves them out

    def posed_images(self) -> list[Image]:
        """The images in the order of their numbers, with the poses of rigs and frames where there are any.

        One whose pose these do not say has a `problem`, which is in nobody's way who chooses other cameras. Raises
        UserError where they say no pose at all.
        """
        images = sorted(self.images, key=lambda image: image.number)
        if not self.frames or not images:
            return images
        known = self._poses_of_sensors()
        frames, sensors = self._places_of(images, {seat: place for place, seat in enumerate(known)})
        of_rigs = np.array([*(frame.pose for frame in self.frames), NO_POSE])[frames]
        of_sensors = np.array([*known.values(), NO_POSE])[sensors]
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = np.linalg.norm(of_rigs[:, :4], axis=1) * np.linalg.norm(of_sensors[:, :4], axis=1)
        unknown = ~((lengths > 1e-9) & (lengths < np.inf))  # true for NaN, too
        problems = {place: self._problem_of(images[place], frames[place]) for place in np.flatnonzero(unknown).tolist()}
        if len(problems) == len(images):
            raise UserError(problems[0])
        of_rigs[unknown] = of_sensors[unknown] = AT_REFERENCE
        own, poses = np.array([image.pose for image in images]), _chained(of_rigs, of_sensors)
        for place in np.flatnonzero(_differ(own, poses)).tolist():  # its own spares an image the chain's rounding
            images[place] = images[place]._replace(pose=tuple(poses[place].tolist()))
        for place, problem in problems.items():
            images[place] = images[place]._replace(problem=problem)
        return images

    def _poses_of_sensors(self) -> dict[tuple[int, int], Pose]:
        """Rig-to-camera by rig and camera, where they are known."""
        return {
            (rig, camera): pose
            for rig, sensors in self.rigs.items()
            for camera, pose in sensors.items()
            if pose is not None
        }

    def _places_of(self, images: Sequence[Image], sensor_of: dict[tuple[int, int], int]) -> tuple[list[int], list[int]]:
        """For each image which of the frames and which of the known sensors it is of; one behind the last for none."""
        no_sensor, nowhere = len(sensor_of), (len(self.frames), len(sensor_of))
        places = {
            image: (place, sensor_of.get((frame.rig, camera), no_sensor))
            for place, frame in enumerate(self.frames)
            for camera, image in frame.images
        }
        frames, sensors = zip(*(places.get(image.number, nowhere) for image in images), strict=True)
        return [*frames], [*sensors]

    def _problem_of(self, image: Image, place: int) -> str:
        """Why the frame at `place` says no pose of an image."""
        if place == len(self.frames):
            return f"image {image.name[:60]!r} is in none of the model's frames; write the model again."
        frame = self.frames[place]
        camera = next(camera for camera, number in frame.images if number == image.number)
        if self.rigs.get(frame.rig, {}).get(camera) is None:
            return (
                f"rig {frame.rig} has no pose for camera {camera}, of which image {image.name[:60]!r} is; calibrate the "
                "rig first."
            )
        return "a frame or a rig has a quaternion of length 0, but a rotation has one of length 1."

    def taken_together(self, images: list[Image]) -> list[tuple[int, int]]:
        """Camera and frame of each image, where all are of one rig of several cameras; else nothing."""
        if len({frame.rig for frame in self.frames}) != 1 or max(len(frame.images) for frame in self.frames) < 2:
            return []
        places = {image: (camera, frame.number) for frame in self.frames for camera, image in frame.images}
        return [places[image.number] for image in images] if all(image.number in places for image in images) else []


def _chained(first: np.ndarray, then: np.ndarray) -> np.ndarray:  # (poses, 7) each
    """The poses that lead where one after the other does; quaternions of another length keep it, to be refused."""
    from scipy.spatial.transform import Rotation

    lengths = np.linalg.norm(first[:, :4], axis=1) * np.linalg.norm(then[:, :4], axis=1)
    (before, behind) = (Rotation.from_quat(pose[:, [1, 2, 3, 0]]) for pose in (first, then))
    x, y, z, w = (behind * before).as_quat().T * lengths
    return np.column_stack([w, x, y, z, behind.apply(first[:, 4:]) + then[:, 4:]])


def _differ(some: np.ndarray, others: np.ndarray) -> np.ndarray:  # (poses, 7) each -> (poses,)
    """Where poses are not the same up to rounding; a quaternion and its negative are one rotation."""
    sign = np.where((some[:, :4] * others[:, :4]).sum(axis=1, keepdims=True) < 0, -1.0, 1.0)
    away = np.concatenate([sign * some[:, :4] - others[:, :4], some[:, 4:] - others[:, 4:]], axis=1)
    size = np.maximum(1.0, np.abs(others).max(axis=1))
    return ~(np.abs(away).max(axis=1) <= _SAME * size)
