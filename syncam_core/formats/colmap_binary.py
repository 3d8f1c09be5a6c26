"""COLMAP's binary files: little-endian numbers, one record behind the other, their count before them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..disk.bounded import file_bytes, open_file
from ..errors import UserError
from .colmap_model import (
    AT_REFERENCE,
    CAMERA_SENSOR,
    MAX_IMAGES,
    MODELS,
    SENSORS,
    Camera,
    Frames,
    ImagePoint,
    Images,
    Model,
    Pose,
)

LONGEST_NAME = 1024
MAX_FRAMES_BYTES = 64 * 2**20
MAX_SENSORS = 1000  # of a rig
COUNT, SENSOR_COUNT = struct.Struct("<Q"), struct.Struct("<I")
IMAGE = np.dtype([("number", "<u4"), ("pose", "<f8", 7), ("camera", "<u4")])  # the name and the points follow
WINDOW = 64 * 1024  # bytes read at once of the list of images
FRAME = np.dtype([("number", "<u4"), ("rig", "<u4"), ("pose", "<f8", 7), ("count", "<u4")])  # its images follow
FRAME_IMAGE = np.dtype([("kind", "<i4"), ("camera", "<u4"), ("image", "<u8")])
TOO_SHORT = "it ends too early; copy it again."
UNUSUAL = "holds NaN or a far too large number."


class _Records:
    """A place in a file's content, which moves on with each record."""

    def __init__(self, content: bytes, shortest: int):
        self.content, self.place = content, 0
        (self.count,) = self.take("<Q")
        if self.count > len(content) // shortest:
            raise UserError(f"it promises {self.count} records, but ends after {len(content)} bytes; copy it again.")

    def take(self, form: str) -> tuple[Any, ...]:
        values = _unpack(form, self.content, self.place)
        self.place += struct.calcsize(form)
        return values

    def take_pose(self, of: str) -> Pose:
        return _usual(self.take("<7d"), f"the pose of {of}")


def cameras(path: Path) -> dict[int, Camera]:
    records, found = _Records(file_bytes(path), 48), {}
    for _ in range(records.count):
        key, model, width, height = records.take("<IiQQ")
        if model not in MODELS:
            raise UserError(f"camera {key} has the model number {model}, which is not known.")
        name, count = MODELS[model]
        found[key] = Camera(name, width, height, _usual(records.take(f"<{count}d"), f"the lens of camera {key}"))
    return found


def rigs(path: Path) -> dict[int, dict[int, Pose | None]]:
    records, found = _Records(file_bytes(path), 8), {}
    for _ in range(records.count):
        key, count = records.take("<II")
        sensors: dict[int, Pose | None] = {}
        for place in range(count):
            kind, sensor = records.take("<iI")
            pose: Pose | None = AT_REFERENCE
            if place > 0:
                pose = records.take_pose(f"rig {key}'s camera {sensor}") if records.take("<?")[0] else None
            if SENSORS.get(kind) == CAMERA_SENSOR:
                sensors[sensor] = pose
        found[key] = sensors
    return found


def frames(path: Path) -> Frames:
    content = file_bytes(path, MAX_FRAMES_BYTES)
    place, heads, taken = COUNT.size, [], []
    head, image = FRAME.itemsize, FRAME_IMAGE.itemsize
    for _ in range(_Records(content, head).count):
        if place + head > len(content):
            raise UserError(TOO_SHORT)
        (count,) = SENSOR_COUNT.unpack_from(content, place + head - SENSOR_COUNT.size)
        if count > MAX_SENSORS:
            _refuse_data(_unpack("<I", content, place)[0], count)
        end = place + head + count * image
        heads.append(content[place : place + head])
        taken.append(content[place + head : end])
        place = end
    if place > len(content):
        raise UserError(TOO_SHORT)
    records, data = np.frombuffer(b"".join(heads), FRAME), np.frombuffer(b"".join(taken), FRAME_IMAGE)
    _check_poses(records["pose"], records["number"], "frame")
    of_camera = np.isin(data["kind"], [kind for kind, name in SENSORS.items() if name == CAMERA_SENSOR])
    return Frames(
        records["number"].astype(np.uint64),
        records["rig"].astype(np.uint64),
        records["pose"].copy(),
        np.repeat(np.arange(len(records)), records["count"])[of_camera],
        data["camera"][of_camera].astype(np.uint64),
        data["image"][of_camera],
    )


def _refuse_data(frame: int, count: int) -> NoReturn:
    raise UserError(f"frame {frame} promises {count} images, but at most {MAX_SENSORS} are possible; copy it again.")


def images(path: Path) -> Images:
    heads, names = _heads_and_names(path)
    records = np.frombuffer(b"".join(heads), IMAGE)
    _check_poses(records["pose"], records["number"], "image")
    numbers, cameras = records["number"].astype(np.uint64), records["camera"].astype(np.uint64)
    return Images(numbers, records["pose"].copy(), cameras, _texts_of(names, numbers))


def _heads_and_names(path: Path) -> tuple[list[bytes], list[bytes]]:
    """Of each image the record before its name, and the name."""
    heads, names = [], []
    size, head, longest = path.stat().st_size, IMAGE.itemsize, IMAGE.itemsize + LONGEST_NAME + 1 + COUNT.size
    points_in = COUNT.unpack_from
    with open_file(path) as file:
        (count,) = _unpack("<Q", file.read(8), 0)
        if count > size // 73 or count > MAX_IMAGES:
            raise UserError(
                f"it promises {count} images in {size} bytes; at most {MAX_IMAGES} are read. Is the file complete?"
            )
        window, begin, at, last = (
            b"",
            COUNT.size,
            0,
            0,
        )  # what is read, where that begins, this record and the last in it
        for index in range(1, count + 1):
            if at + longest > len(window):
                begin += at
                file.seek(begin)
                many = 4 * (at - last) < WINDOW  # else the points of an image are passed over
                window, at = file.read(WINDOW if many else longest), 0
            end = window.find(b"\0", at + head, at + head + LONGEST_NAME + 1)
            if end < 0:
                _refuse_name(window[at:])
            heads.append(window[at : at + head])
            names.append(window[at + head : end])
            if len(window) < end + 1 + COUNT.size:
                raise UserError(TOO_SHORT)
            last, at = at, end + 1 + COUNT.size + 24 * points_in(window, end + 1)[0]
            if begin + at > size:
                raise UserError(f"it ends within image {index} of {count}; copy it again.")
    return heads, names


def _check_poses(poses: np.ndarray, numbers: np.ndarray, what: str) -> None:
    for place in np.flatnonzero(~(np.abs(poses) < 1e300).all(1))[:1]:  # false for NaN, too
        raise UserError(f"the pose of {what} {numbers[place]} {UNUSUAL}")


def write(folder: Path, model: Model) -> None:
    """Write a model. Raises OSError where the disk refuses."""
    numbers = {name: key for key, (name, _) in MODELS.items()}
    lenses = [
        struct.pack(f"<IiQQ{len(one.parameters)}d", key, numbers[one.model], one.width, one.height, *one.parameters)
        for key, one in model.cameras.items()
    ]
    images = [
        struct.pack("<I7dI", number, *pose, camera) + name.encode() + b"\0" + _points_of(shown)
        for number, pose, camera, name, shown in model.images.each()
    ]
    points = [
        struct.pack("<Q3d3BdQ", one.number, *one.xyz, *one.rgb, one.error, len(one.track))
        + b"".join(struct.pack("<II", image, place) for image, place in one.track)
        for one in model.points
    ]
    _write_records(folder / "cameras.bin", lenses)
    _write_records(folder / "images.bin", images)
    _write_records(folder / "points3D.bin", points)
    rigs = []
    for key, sensors in model.rigs.items():
        (reference, _), *others = sensors.items()
        rigs.append(struct.pack("<IIiI", key, len(sensors), 0, reference))
        known = ((camera, pose) for camera, pose in others if pose is not None)
        rigs[-1] += b"".join(struct.pack("<iI?7d", 0, camera, True, *pose) for camera, pose in known)
    _write_records(folder / "rigs.bin", rigs)
    frames = [
        struct.pack("<II7dI", number, rig, *pose, len(taken))
        + b"".join(struct.pack("<iIQ", 0, camera, image) for camera, image in taken)
        for number, rig, pose, taken in (model.frames.each() if model.frames else ())
    ]
    _write_records(folder / "frames.bin", frames)


def _points_of(shown: Sequence[ImagePoint]) -> bytes:
    return struct.pack("<Q", len(shown)) + b"".join(struct.pack("<ddQ", *point) for point in shown)


def _write_records(path: Path, records: list[bytes]) -> None:
    path.write_bytes(struct.pack("<Q", len(records)) + b"".join(records))


def _refuse_name(record: bytes) -> NoReturn:
    if len(record) < IMAGE.itemsize:
        raise UserError(TOO_SHORT)
    (image,) = _unpack("<I", record, 0)
    raise UserError(f"image {image} has a name without an end; is the file complete?")


def _texts_of(names: list[bytes], numbers: np.ndarray) -> list[str]:
    try:
        return b"\0".join(names).decode("utf-8").split("\0") if names else []  # no name holds a zero
    except UnicodeDecodeError as problem:
        place = b"\0".join(names).count(b"\0", 0, problem.start)
        raise UserError(f"image {numbers[place]} has a name that is not UTF-8 text.") from problem


def _unpack(form: str, content: bytes, place: int) -> tuple[Any, ...]:
    try:
        return struct.unpack_from(form, content, place)
    except struct.error as problem:
        raise UserError(TOO_SHORT) from problem


def _usual(values: tuple[float, ...], what: str) -> tuple[float, ...]:
    if not sum(map(abs, values)) < 1e300:  # false for NaN, too
        raise UserError(f"{what} {UNUSUAL}")
    return values
