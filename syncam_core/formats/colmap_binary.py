"""COLMAP's binary files: little-endian numbers, one record behind the other, their count before them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..disk.bounded import file_bytes, open_file
from ..errors import UserError
from .colmap_model import AT_REFERENCE, CAMERA_SENSOR, MAX_IMAGES, MODELS, SENSORS, Camera, Frame, Image, Model, Pose

LONGEST_NAME = 1024
MAX_FRAMES_BYTES = 64 * 2**20
MAX_SENSORS = 1000  # of a rig
COUNT = struct.Struct("<Q")
IMAGE = np.dtype([("number", "<u4"), ("pose", "<f8", 7), ("camera", "<u4")])  # the name and the points follow
WINDOW = 64 * 1024  # bytes read at once of the list of images
FRAME = struct.Struct("<II7dI")  # number, rig, pose, how many images
FRAME_OF_ONE = np.dtype(  # and the record of its image behind it
    [
        ("number", "<u4"),
        ("rig", "<u4"),
        ("pose", "<f8", 7),
        ("count", "<u4"),
        ("kind", "<i4"),
        ("camera", "<u4"),
        ("image", "<u8"),
    ]
)
FRAME_IMAGE = struct.Struct("<iIQ")  # kind of sensor, camera, image
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


def frames(path: Path) -> list[Frame]:
    content = file_bytes(path, MAX_FRAMES_BYTES)
    records, found = _Records(content, FRAME.size), _frames_of_one_image(content)
    if found:
        return found
    place = records.place
    try:
        for _ in range(records.count):
            key, rig, *pose, count = FRAME.unpack_from(content, place)
            place += FRAME.size
            if count > MAX_SENSORS:
                _refuse_data(key, count)
            end = place + count * FRAME_IMAGE.size
            images = FRAME_IMAGE.iter_unpack(content[place:end])
            cameras = tuple((camera, image) for kind, camera, image in images if SENSORS.get(kind) == CAMERA_SENSOR)
            if end > len(content):
                raise struct.error
            found.append(Frame(key, rig, tuple(pose), cameras))
            place = end
    except struct.error as problem:
        raise UserError(TOO_SHORT) from problem
    _check_poses(np.array([frame.pose for frame in found]).reshape(-1, 7), found, "frame")
    return found


def _frames_of_one_image(content: bytes) -> list[Frame]:
    """The frames of a single camera all at once, nothing where there are others."""
    (count,) = COUNT.unpack_from(content)
    if not count or len(content) != COUNT.size + count * FRAME_OF_ONE.itemsize:
        return []
    records = np.frombuffer(content, FRAME_OF_ONE, offset=COUNT.size)
    if (records["count"] != 1).any() or any(SENSORS.get(kind) != CAMERA_SENSOR for kind in {*records["kind"].tolist()}):
        return []
    numbers, rigs, poses, cameras, images = (
        records[part].tolist() for part in ("number", "rig", "pose", "camera", "image")
    )
    shown = (((camera, image),) for camera, image in zip(cameras, images, strict=True))
    found = [*map(Frame, numbers, rigs, map(tuple, poses), shown)]
    _check_poses(records["pose"], found, "frame")
    return found


def _refuse_data(frame: int, count: int) -> NoReturn:
    raise UserError(f"frame {frame} promises {count} images, but at most {MAX_SENSORS} are possible; copy it again.")


def images(path: Path) -> list[Image]:
    heads, names = _heads_and_names(path)
    records = np.frombuffer(b"".join(heads), IMAGE)
    numbers, poses, cameras = (records[part].tolist() for part in ("number", "pose", "camera"))
    found = [*map(Image, numbers, map(tuple, poses), cameras, map(_text_of, names, numbers))]
    _check_poses(records["pose"], found, "image")
    return found


def _heads_and_names(path: Path) -> tuple[list[bytes], list[bytes]]:
    """Of each image the record before its name, and the name."""
    heads, names = [], []
    size, head, longest = path.stat().st_size, IMAGE.itemsize, IMAGE.itemsize + LONGEST_NAME + 1 + COUNT.size
    with open_file(path) as file:
        (count,) = _unpack("<Q", file.read(8), 0)
        if count > size // 73 or count > MAX_IMAGES:
            raise UserError(
                f"it promises {count} images in {size} bytes; at most {MAX_IMAGES} are read. Is the file complete?"
            )
        place, last, window, begin = 8, 8, b"", 8  # of this record and the last, what is read, and where that begins
        for index in range(1, count + 1):
            at = place - begin
            if at + longest > len(window):
                file.seek(place)
                many = 4 * (place - last) < WINDOW  # else the points of an image are passed over
                window, begin, at = file.read(WINDOW if many else longest), place, 0
            end = window.find(b"\0", at + head, at + head + LONGEST_NAME + 1)
            if end < 0:
                _refuse_name(window[at:])
            heads.append(window[at : at + head])
            names.append(window[at + head : end])
            (points,) = _unpack("<Q", window, end + 1)
            last, place = place, begin + end + 1 + COUNT.size + 24 * points
            if place > size:
                raise UserError(f"it ends within image {index} of {count}; copy it again.")
    return heads, names


def _check_poses(numbers: np.ndarray, found: Sequence[Image | Frame], what: str) -> None:
    for place in np.flatnonzero(~(np.abs(numbers) < 1e300).all(1))[:1]:  # false for NaN, too
        raise UserError(f"the pose of {what} {found[place].number} {UNUSUAL}")


def write(folder: Path, model: Model) -> None:
    """Write a model. Raises OSError where the disk refuses."""
    numbers = {name: key for key, (name, _) in MODELS.items()}
    lenses = [
        struct.pack(f"<IiQQ{len(one.parameters)}d", key, numbers[one.model], one.width, one.height, *one.parameters)
        for key, one in model.cameras.items()
    ]
    images = [
        struct.pack("<I7dI", one.number, *one.pose, one.camera) + one.name.encode() + b"\0" + _points_of(one)
        for one in model.images
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
    frames = []
    for frame in model.frames:
        data = b"".join(struct.pack("<iIQ", 0, camera, image) for camera, image in frame.images)
        frames.append(struct.pack("<II7dI", frame.number, frame.rig, *frame.pose, len(frame.images)) + data)
    _write_records(folder / "frames.bin", frames)


def _points_of(image: Image) -> bytes:
    return struct.pack("<Q", len(image.points)) + b"".join(struct.pack("<ddQ", *point) for point in image.points)


def _write_records(path: Path, records: list[bytes]) -> None:
    path.write_bytes(struct.pack("<Q", len(records)) + b"".join(records))


def _refuse_name(record: bytes) -> NoReturn:
    if len(record) < IMAGE.itemsize:
        raise UserError(TOO_SHORT)
    (image,) = _unpack("<I", record, 0)
    raise UserError(f"image {image} has a name without an end; is the file complete?")


def _text_of(name: bytes, image: int) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise UserError(f"image {image} has a name that is not UTF-8 text.") from problem


def _unpack(form: str, content: bytes, place: int) -> tuple[Any, ...]:
    try:
        return struct.unpack_from(form, content, place)
    except struct.error as problem:
        raise UserError(TOO_SHORT) from problem


def _usual(values: tuple[float, ...], what: str) -> tuple[float, ...]:
    if not sum(map(abs, values)) < 1e300:  # false for NaN, too
        raise UserError(f"{what} {UNUSUAL}")
    return values
