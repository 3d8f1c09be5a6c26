"""COLMAP's binary files: little-endian numbers, one record behind the other, their count before them."""

from __future__ import annotations

import os
import struct
from io import BufferedReader
from pathlib import Path

from ..disk.bounded import file_bytes, open_file
from ..errors import UserError
from .colmap_model import AT_REFERENCE, CAMERA_SENSOR, MAX_IMAGES, MODELS, SENSORS, Camera, Frame, Image, Model, Pose

LONGEST_NAME = 1024
MAX_FRAMES_BYTES = 64 * 2**20


class _Records:
    """A place in a file's content, which moves on with each record."""

    def __init__(self, content: bytes, shortest: int):
        self.content, self.place = content, 0
        (self.count,) = self.take("<Q")
        if self.count > len(content) // shortest:
            raise UserError(f"it promises {self.count} records, but ends after {len(content)} bytes; copy it again.")

    def take(self, form: str) -> tuple:
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
    records, found = _Records(file_bytes(path, MAX_FRAMES_BYTES), 68), []
    for _ in range(records.count):
        key, rig = records.take("<II")
        pose = records.take_pose(f"frame {key}")
        (count,) = records.take("<I")
        data = [records.take("<iIQ") for _ in range(min(count, len(records.content)))]
        found.append(Frame(key, rig, pose, tuple(one[1:] for one in data if SENSORS.get(one[0]) == CAMERA_SENSOR)))
    return found


def images(path: Path) -> list[Image]:
    found = []
    size = path.stat().st_size
    with open_file(path) as file:
        (count,) = _unpack("<Q", file.read(8), 0)
        if count > size // 73 or count > MAX_IMAGES:
            raise UserError(
                f"it promises {count} images in {size} bytes; at most {MAX_IMAGES} are read. Is the file complete?"
            )
        for place in range(count):
            number, *pose, camera = _unpack("<I7dI", file.read(64), 0)
            name = _read_name(file, number)
            (points,) = _unpack("<Q", file.read(8), 0)
            if points > (size - file.tell()) // 24:
                raise UserError(f"it ends within image {place + 1} of {count}; copy it again.")
            if points:
                file.seek(24 * points, os.SEEK_CUR)
            found.append(Image(number, _usual(tuple(pose), f"the pose of image {number}"), camera, name))
    return found


def write(folder: Path, model: Model) -> None:
    """Write a model without points. Raises OSError where the disk refuses."""
    numbers = {name: key for key, (name, _) in MODELS.items()}
    lenses = [
        struct.pack(f"<IiQQ{len(one.parameters)}d", key, numbers[one.model], one.width, one.height, *one.parameters)
        for key, one in model.cameras.items()
    ]
    images = [
        struct.pack("<I7dI", one.number, *one.pose, one.camera) + one.name.encode() + b"\0" + struct.pack("<Q", 0)
        for one in model.images
    ]
    _write_records(folder / "cameras.bin", lenses)
    _write_records(folder / "images.bin", images)
    _write_records(folder / "points3D.bin", [])
    rigs = []
    for key, sensors in model.rigs.items():
        reference, *others = sensors
        rigs.append(struct.pack("<IIiI", key, len(sensors), 0, reference))
        rigs[-1] += b"".join(struct.pack("<iI?7d", 0, camera, True, *sensors[camera]) for camera in others)
    _write_records(folder / "rigs.bin", rigs)
    frames = []
    for frame in model.frames:
        data = b"".join(struct.pack("<iIQ", 0, camera, image) for camera, image in frame.images)
        frames.append(struct.pack("<II7dI", frame.number, frame.rig, *frame.pose, len(frame.images)) + data)
    _write_records(folder / "frames.bin", frames)


def _write_records(path: Path, records: list[bytes]) -> None:
    path.write_bytes(struct.pack("<Q", len(records)) + b"".join(records))


def _read_name(file: BufferedReader, image: int) -> str:
    name = b""
    while b"\0" not in name and len(name) <= LONGEST_NAME:
        waiting = file.peek(1)
        if not waiting:
            break
        name += file.read(waiting.find(b"\0") + 1 or min(len(waiting), LONGEST_NAME))
    if not name.endswith(b"\0") or len(name) > LONGEST_NAME:
        raise UserError(f"image {image} has a name without an end; is the file complete?")
    try:
        return name[:-1].decode("utf-8")
    except UnicodeDecodeError as problem:
        raise UserError(f"image {image} has a name that is not UTF-8 text.") from problem


def _unpack(form: str, content: bytes, place: int) -> tuple:
    try:
        return struct.unpack_from(form, content, place)
    except struct.error as problem:
        raise UserError("it ends too early; copy it again.") from problem


def _usual(values: tuple[float, ...], what: str) -> tuple[float, ...]:
    if not all(abs(value) < 1e300 for value in values):  # false for NaN, too
        raise UserError(f"{what} holds NaN or a far too large number.")
    return values
