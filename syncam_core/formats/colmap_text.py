"""COLMAP's text files: https://colmap.github.io/format.html."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

from ..disk.bounded import file_text, open_file
from ..errors import UserError
from .colmap_model import (
    AT_REFERENCE,
    CAMERA_SENSOR,
    MAX_IMAGES,
    PARAMETERS,
    Camera,
    FrameRow,
    Frames,
    ImageRow,
    Images,
    Model,
    Pose,
    frames_of,
    images_of,
)
from .files import LONGEST_LINE, are_numbers, number, numbers, rows_of, write_text

Read = TypeVar("Read")

MAX_LINES_BYTES = 64 * 2**20  # of frames.txt: one of 100,000 frames is 20 MB


def cameras(path: Path) -> dict[int, Camera]:
    return dict(_each_line(rows_of(file_text(path)), _camera_of))


def rigs(path: Path) -> dict[int, dict[int, Pose | None]]:
    return dict(_each_line(rows_of(file_text(path)), _rig_of))


def frames(path: Path) -> Frames:
    lines = (line for line in file_text(path, MAX_LINES_BYTES).splitlines())
    rows = ((place, line.split()) for place, line in enumerate(lines, start=1))
    found = _each_line(((place, words) for place, words in rows if words and words[0][0] != "#"), _frame_of)
    return frames_of([*found])


def images(path: Path) -> Images:
    found = []
    with open_file(path) as file:
        lines = enumerate(_short_lines(file), start=1)
        for place, line in lines:
            if not line.strip() or line.lstrip().startswith(b"#"):
                continue
            try:
                found.append(_image_of(line.decode("utf-8")))
            except UnicodeDecodeError as problem:
                raise UserError(f"line {place} is not UTF-8 text; save it as UTF-8.") from problem
            except UserError as problem:
                raise problem.told(f"line {place} {problem}", place=f"line {place}") from problem
            _, points = next(lines, (0, b""))  # a line without any is empty
            if not _are_points(points):
                raise UserError(
                    f"line {place + 1} holds no points of the image in line {place}; behind every image stands a line for "
                    "its points, so put an empty line there."
                )
    return images_of(found)


def write(folder: Path, model: Model) -> None:
    """Write a model. Raises UserError and OSError where the disk refuses."""
    lines = ["# CAMERA_ID MODEL WIDTH HEIGHT PARAMETERS"]
    for key, camera in model.cameras.items():
        lines.append(f"{key} {camera.model} {camera.width} {camera.height} {_words(camera.parameters)}")
    _write_lines(folder / "cameras.txt", lines)
    lines = ["# IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, then a line of points: X Y POINT3D_ID"]
    for key, pose, lens, name, shown in model.images.each():
        points = " ".join(f"{x!r} {y!r} {point}" for x, y, point in shown)
        lines.append(f"{key} {_words(pose)} {lens} {name}\n{points}")
    _write_lines(folder / "images.txt", lines)
    lines = ["# POINT3D_ID X Y Z R G B ERROR, then IMAGE_ID and which of its points for each image that shows it"]
    for point in model.points:
        track = "".join(f" {image} {place}" for image, place in point.track)
        lines.append(f"{point.number} {_words(point.xyz)} {_words(point.rgb)} {point.error!r}{track}")
    _write_lines(folder / "points3D.txt", lines)
    lines = ["# RIG_ID NUM_SENSORS, reference sensor, then SENSOR HAS_POSE QW QX QY QZ TX TY TZ (sensor from rig)"]
    for key, sensors in model.rigs.items():
        (reference, _), *others = sensors.items()
        poses = [f" {CAMERA_SENSOR} {camera} 1 {_words(pose)}" for camera, pose in others if pose is not None]
        lines.append(f"{key} {len(sensors)} {CAMERA_SENSOR} {reference}{''.join(poses)}")
    _write_lines(folder / "rigs.txt", lines)
    lines = ["# FRAME_ID RIG_ID QW QX QY QZ TX TY TZ (rig from world) NUM_DATA, then SENSOR IMAGE_ID"]
    for key, rig, pose, taken in model.frames.each() if model.frames else ():
        data = [f" {CAMERA_SENSOR} {camera} {image}" for camera, image in taken]
        lines.append(f"{key} {rig} {_words(pose)} {len(data)}{''.join(data)}")
    _write_lines(folder / "frames.txt", lines)


def _words(values: Sequence[float]) -> str:
    return " ".join(map(repr, values))


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    write_text(path, "\n".join(lines) + "\n")


def _each_line(rows: Iterator[tuple[int, list[str]]], read: Callable[[list[str]], Read]) -> Iterator[Read]:
    for line, words in rows:
        try:
            yield read(words)
        except UserError as problem:
            raise problem.told(f"line {line} {problem}", place=f"line {line}") from problem


def _camera_of(words: list[str]) -> tuple[int, Camera]:
    if len(words) < 5:
        raise UserError(f"has {len(words)} words, but number, model, width, height and parameters are needed.")
    count = PARAMETERS.get(words[1])
    if count is not None and len(words) != 4 + count:
        raise UserError(f"has {len(words) - 4} parameters, but {words[1]} has {count}.")
    return whole(words[0]), Camera(words[1][:60], whole(words[2]), whole(words[3]), numbers(words[4:]))


def _rig_of(words: list[str]) -> tuple[int, dict[int, Pose | None]]:
    left = iter(words)
    sensors: dict[int, Pose | None] = {}
    try:
        key, count = whole(next(left)), whole(next(left))
        for place in range(count):
            kind, sensor = next(left), whole(next(left))
            pose: Pose | None = AT_REFERENCE
            if place > 0:
                pose = tuple(number(next(left)) for _ in range(7)) if whole(next(left)) else None
            if kind == CAMERA_SENSOR:
                sensors[sensor] = pose
    except (StopIteration, RuntimeError) as problem:
        raise UserError(f"has {len(words)} words, which are too few for its sensors.") from problem
    return key, sensors


def _frame_of(words: list[str]) -> FrameRow:
    count = whole(words[9]) if len(words) > 9 else -1
    if count < 0 or len(words) != 10 + 3 * count:
        raise UserError(f"has {len(words)} words, but number, rig, pose and 3 words for each of its images are needed.")
    data = [
        (whole(words[at + 1]), whole(words[at + 2])) for at in range(10, len(words), 3) if words[at] == CAMERA_SENSOR
    ]
    return whole(words[0]), whole(words[1]), numbers(words[2:9]), data


def _image_of(line: str) -> ImageRow:
    words = line.split(maxsplit=9)
    if len(words) != 10:
        raise UserError(f"has {len(words)} words, but 10 are needed (number, quaternion, translation, camera, name).")
    return whole(words[0]), numbers(words[1:8]), whole(words[8]), words[9].strip()


def _are_points(line: bytes) -> bool:
    """Whether a line has x, y and number of each point. The rest of a long line is not there, and not judged."""
    words = line.split()
    if not words or len(line) >= LONGEST_LINE:
        return True
    return len(words) % 3 == 0 and are_numbers([words[0], words[-1]])


def _short_lines(file: BufferedReader) -> Iterator[bytes]:
    """The lines of a text, cut where they get longer than an image's: points, of which nothing is kept."""
    file.seek(len(BOM_UTF8) if file.peek(3).startswith(BOM_UTF8) else 0)
    for _ in range(2 * MAX_IMAGES):
        line = file.readline(LONGEST_LINE)
        if not line:
            return
        rest = line
        while not rest.endswith(b"\n") and len(rest) >= LONGEST_LINE:
            rest = file.readline(2**20)
        yield line
    if file.read(1):
        raise UserError(f"it has more than {2 * MAX_IMAGES} lines; at most {MAX_IMAGES} images are read.")


def whole(word: str) -> int:
    """Raises UserError with half a sentence."""
    if not (word.isascii() and word.isdecimal() and len(word) <= 18):
        raise UserError(f"holds {word[:40]!r}, but a whole number is needed.")
    return int(word)
