"""COLMAP models: a folder with cameras and images, as text or binary files.

    cameras.txt    CAMERA_ID MODEL WIDTH HEIGHT PARAMETERS...
    images.txt     IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, and a line of points in the image, which may be empty
    points3D.txt   read by nobody here, written empty

The quaternion (w first) and the translation are world-to-camera, in OpenCV axes; the world has an arbitrary unit, and
its axes stay as they are. https://colmap.github.io/format.html

Photos of one moment are one view each. Where the names of the images say camera and frame, the cameras move:
`cam01/000001.png` (a folder per camera, as COLMAP itself wants it) or `cam01_0001.png`.

What a rig does not hold is lost: points, the distortion and the principal point of a lens, and fy beside fx. A fisheye
or a panorama has its pose read, and is drawn with the default lens.
"""

from __future__ import annotations

import logging
import os
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedReader
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from ..cameras.rig import Lens, Rig
from ..disk.bounded import file_bytes, file_text, open_file
from ..disk.names import file_slugs
from ..errors import UserError
from .axes_and_units import OPENCV_FORWARD, first_poses, in_metres, in_units, metres_per_unit, refuse_inverted, rig_of
from .files import (
    LONGEST_LINE,
    chosen_of,
    make_folder,
    number,
    rows_of,
    write_text,
)
from .realestate10k import checked_size, lens_of

NAME = "COLMAP (folder)"
SUFFIXES = ()  # a model is a folder

MODEL_PLACES = ("", "sparse/0", "sparse", "0", "colmap/sparse/0")
KINDS = (".bin", ".txt")  # COLMAP takes the binary files where both are there
MAX_IMAGES = 100_000
LONGEST_NAME = 1024
PLAIN_FOLDERS = ("images", "photos", "input")  # what people call a folder of all their photos

# Number of parameters by COLMAP's own numbering of the models, which is needed to get past a camera in a binary file.
_MODELS = {
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
_DISTORTION_FROM = {
    "SIMPLE_PINHOLE": 3,
    "PINHOLE": 4,
    "SIMPLE_RADIAL": 3,
    "RADIAL": 3,
    "OPENCV": 4,
    "FULL_OPENCV": 4,
    "SIMPLE_DIVISION": 3,
    "DIVISION": 4,
}
_COUNTS = dict(_MODELS.values())

_HINT = "COLMAP's poses are world-to-camera."


@dataclass(frozen=True)
class _Camera:
    model: str
    width: int
    height: int
    parameters: tuple[float, ...]


@dataclass(frozen=True)
class _Image:
    number: int
    pose: tuple[float, ...]  # qw qx qy qz tx ty tz, world-to-camera
    camera: int
    name: str


def looks_like(path: Path, head: bytes) -> bool:
    """Whether a folder holds a model, itself or where COLMAP puts it (sparse/0)."""
    return not head and path.is_dir() and _model_in(path) is not None


def read(path: Path, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The rig of a model, in the order of COLMAP's image numbers.

    `path` is the folder of the model, of the project around it (sparse/0 is looked into), or one of the model's files.
    Raises UserError with a sentence that names the file and the place in it.
    """
    scale = metres_per_unit(unit_m, None, "")
    folder = path.parent if path.is_file() else path
    found = _model_in(folder)
    if found is None:
        raise UserError("there is no such file in it as cameras.txt with images.txt, or cameras.bin with images.bin.")
    folder, kind = found
    read_cameras, read_images = (_cameras_bin, _images_bin) if kind == ".bin" else (_cameras_txt, _images_txt)
    lenses_of = _in_file(folder / f"cameras{kind}", read_cameras)
    images = sorted(_in_file(folder / f"images{kind}", read_images), key=lambda image: image.number)
    if not images:
        raise UserError(f"'images{kind}' holds no images; reconstruct them first.")
    grouped = _cameras_of([image.name for image in images])
    chosen = [grouped[index] for index in chosen_of(cameras, [name for name, _ in grouped])]

    poses = [in_metres(_c2w([images[index] for index in members]), scale) for _, members in chosen]
    refuse_inverted(
        first_poses(lambda camera: in_metres(_c2w([images[camera[1][0]]])[0], scale), grouped),
        OPENCV_FORWARD,
        "like camera-to-world ones",
        "COLMAP's are world-to-camera, so invert each of them first",
    )
    lenses = [_lens(lenses_of, images[members[0]]) for _, members in chosen]
    _say_distorted([lenses_of[images[members[0]].camera] for _, members in chosen])
    return rig_of([name for name, _ in chosen], poses, lenses, _HINT)


def write(
    rig: Rig,
    path: Path,
    unit_m: float = 1.0,
    image_size: tuple[int, int] = (832, 480),  # width, height
    binary: bool = False,
) -> None:
    """Write a model without points into the folder `path`, in place of one that is there.

    Every view has a camera (PINHOLE) and a folder of images, "cam01/000001.png", ..., by which they are told apart
    when the model is read: one for each frame, or a single one where nothing moves.

    Raises UserError for what cannot be written.
    """
    width, height = checked_size(image_size)
    poses = _w2c_numbers(in_units(rig.c2w, unit_m))
    cameras, images = [], []
    for view, (slug, lens, camera) in enumerate(zip(file_slugs(rig.names), rig.lenses, poses, strict=True), start=1):
        focal_px = lens.focal_mm / lens.sensor_width_mm * width
        cameras.append((view, _Camera("PINHOLE", width, height, (focal_px, focal_px, width / 2, height / 2))))
        for frame, pose in enumerate(camera, start=1):
            images.append(_Image(len(images) + 1, tuple(pose), view, f"{slug}/{frame:06d}.png"))
    make_folder(path)
    try:
        for name in ("cameras", "images", "points3D", "rigs", "frames"):
            for kind in KINDS:
                (path / f"{name}{kind}").unlink(missing_ok=True)
        (_write_bin if binary else _write_txt)(path, cameras, images)
    except OSError as problem:
        raise UserError(f"folder {path.name!r} cannot be written to ({problem.strerror}).") from problem


# -- views and frames ------------------------------------------------------------------------------------------------


def _cameras_of(names: Sequence[str]) -> list[tuple[str, list[int]]]:
    """The cameras that the names of images speak of, in the order of their first images, each with its images in the
    order of their frames. Raises UserError where moving cameras have not the same frames.
    """
    paths = [os.path.splitext(name.replace("\\", "/"))[0] for name in names]
    path, times = Counter(paths).most_common(1)[0]
    if times > 1:
        raise UserError(f"{times} images are called {path[:60]!r}; rename them.")
    by_folder = _grouped(paths, _camera_folder)
    if by_folder and _are_cameras(by_folder):
        cameras = _without_common_folders(by_folder)
        if any(len(frames) > 1 for frames in by_folder.values()):
            _check_frames(cameras)
        return _in_order(cameras)
    by_name = _grouped(paths, _camera_prefix)
    if by_name and _are_numbered(by_name):
        _check_frames(by_name)
        return _in_order(by_name)
    stems = [path.split("/")[-1] for path in paths]
    return [(name, [index]) for index, name in enumerate(stems if len(set(stems)) == len(stems) else paths)]


def _camera_folder(begin: str) -> str:
    """Of "cam01/frame_", which stands before a frame's number: cam01."""
    return begin.rpartition("/")[0]


def _camera_prefix(begin: str) -> str:
    """Of "cam01_" or "cam01_f": cam01. Nothing where there is a folder, no separator, or no letter in the name."""
    name = re.sub("(frame|f)$", "", begin.removesuffix("_") if begin.endswith("frame_") else begin)
    camera = name.rstrip("_-. ")
    return camera if camera != name and "/" not in camera and any(map(str.isalpha, camera)) else ""


def _grouped(paths: Sequence[str], camera_of: Callable[[str], str]) -> dict[str, dict[int, int]]:
    """{camera: {frame: index}}, or nothing where a path names none, or a camera would have a frame twice."""
    cameras: dict[str, dict[int, int]] = {}
    for index, path in enumerate(paths):
        digits = re.search("[0-9]{1,15}$", path[-64:])
        camera = camera_of(path[: -len(digits[0])]) if digits else ""
        if not camera or int(digits[0]) in cameras.setdefault(camera, {}):
            return {}
        cameras[camera][int(digits[0])] = index
    return cameras


def _are_cameras(folders: dict[str, dict[int, int]]) -> bool:
    """Whether folders are cameras that film together, not just places for photos of one moment."""
    if len(folders) == 1:
        (name, frames), *_ = folders.items()
        return name.split("/")[-1].lower() not in PLAIN_FOLDERS and len(_steps(frames)) <= 1
    counts = Counter(frame for frames in folders.values() for frame in frames)
    return max(counts.values()) > 1 or all(len(frames) == 1 for frames in folders.values())


def _are_numbered(cameras: dict[str, dict[int, int]]) -> bool:
    """Whether names without folders surely mean cameras and frames: photos of one moment have numbers, too."""
    if any(len(frames) < 2 for frames in cameras.values()):
        return False
    if len(cameras) == 1:
        (name, frames), *_ = cameras.items()
        return name[-1].isdigit() and _steps(frames) == {1}  # cam01_0001, cam01_0002; not IMG_0001, IMG_0002
    same = len({tuple(sorted(frames)) for frames in cameras.values()}) == 1
    return same or (all(name[-1].isdigit() for name in cameras) and _are_cameras(cameras))


def _steps(frames: Iterable[int]) -> set[int]:
    return {after - before for before, after in pairwise(sorted(frames))}


def _check_frames(cameras: dict[str, dict[int, int]]) -> None:
    """Raises UserError where moving cameras lack frames that others have, or where frames are missing in between."""
    moving = {name: frames for name, frames in cameras.items() if len(frames) > 1}
    every = sorted(set().union(*moving.values()))
    for name, frames in moving.items():
        missing = next((frame for frame in every if frame not in frames), None)
        if missing is not None:
            raise UserError(
                f"camera {name[:60]!r} has {len(frames)} frames, and frame {missing}, which another camera has, is not "
                "among them; every moving camera needs every frame, so register it, or leave it out everywhere."
            )
    step = min(_steps(every))
    missing = next((before + step for before, after in pairwise(every) if after - before != step), None)
    if missing is not None:
        raise UserError(f"frame {missing} is missing in all cameras; frames must be equally far apart.")


def _without_common_folders(cameras: dict[str, dict[int, int]]) -> dict[str, dict[int, int]]:
    """Folders that all cameras share, before or behind their own, are no part of their names."""
    parts = [name.split("/") for name in cameras]
    while len(parts[0]) > 1 and min(map(len, parts)) > 1 and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    while len(parts) > 1 and min(map(len, parts)) > 1 and len({part[-1] for part in parts}) == 1:
        parts = [part[:-1] for part in parts]
    return {"/".join(part): frames for part, frames in zip(parts, cameras.values(), strict=True)}


def _in_order(cameras: dict[str, dict[int, int]]) -> list[tuple[str, list[int]]]:
    return [(name, [frames[frame] for frame in sorted(frames)]) for name, frames in cameras.items()]


# -- poses and lenses ------------------------------------------------------------------------------------------------


def _c2w(images: Sequence[_Image]) -> Tensor:  # (frames, 4, 4) in the file's unit
    from scipy.spatial.transform import Rotation

    pose = torch.tensor([image.pose for image in images], dtype=torch.float64)
    lengths = pose[:, :4].norm(dim=1)
    wrong = ~((lengths - 1).abs() < 1e-3)
    if wrong.any():
        first = int(wrong.int().argmax())
        raise UserError(
            f"image {images[first].name[:60]!r} has a quaternion of length {float(lengths[first]):.6g}, but a rotation "
            "has one of length 1."
        )
    to_world = Rotation.from_quat(pose[:, [1, 2, 3, 0]].numpy()).inv()
    c2w = torch.eye(4, dtype=torch.float64).repeat(len(images), 1, 1)
    c2w[:, :3, :3] = torch.from_numpy(to_world.as_matrix())
    c2w[:, :3, 3] = -torch.from_numpy(to_world.apply(pose[:, 4:].numpy()))
    return c2w


def _w2c_numbers(c2w: Tensor) -> list[list[list[float]]]:  # views x frames x (qw qx qy qz tx ty tz)
    from scipy.spatial.transform import Rotation

    rotations = Rotation.from_matrix(c2w[..., :3, :3].flatten(0, 1).numpy()).inv()
    x, y, z, w = torch.from_numpy(rotations.as_quat(canonical=True)).unbind(-1)
    translation = -torch.from_numpy(rotations.apply(c2w[..., :3, 3].flatten(0, 1).numpy()))
    numbers = torch.cat([torch.stack([w, x, y, z], dim=-1), translation], dim=-1)
    return numbers.unflatten(0, c2w.shape[:2]).tolist()


def _lens(cameras: dict[int, _Camera], image: _Image) -> Lens:
    camera = cameras.get(image.camera)
    if camera is None:
        raise UserError(f"image {image.name[:60]!r} is of camera {image.camera}, which the model does not have.")
    if camera.model not in _COUNTS:
        raise UserError(
            f"camera {image.camera} has the model {camera.model!r}, which is not known; possible are "
            f"{', '.join(_COUNTS)}."
        )
    if camera.model not in _DISTORTION_FROM:
        return Lens()
    if not camera.width > 0:
        raise UserError(f"camera {image.camera} has a picture {camera.width} pixels wide, but at least 1 is needed.")
    try:
        return lens_of(camera.parameters[0] / camera.width)
    except UserError as problem:
        raise problem.told(f"camera {image.camera} {problem}") from problem


def _say_distorted(cameras: Sequence[_Camera]) -> None:
    flat = [camera for camera in cameras if camera.model in _DISTORTION_FROM]
    bent = {camera.model for camera in flat if any(camera.parameters[_DISTORTION_FROM[camera.model] :])}
    round_ = {camera.model for camera in cameras} - _DISTORTION_FROM.keys()
    log = logging.getLogger(__name__)
    if round_:
        log.warning(
            "SynCam: the COLMAP model's cameras are no pinhole cameras (%s); their poses are read, and they are drawn "
            "with the default lens.",
            ", ".join(sorted(round_)),
        )
    if bent:
        log.warning(
            "SynCam: the COLMAP model's lens distortion (%s) is ignored; a rig holds focal lengths only.",
            ", ".join(sorted(bent)),
        )


# -- files -----------------------------------------------------------------------------------------------------------


def _model_in(folder: Path) -> tuple[Path, str] | None:
    for place in MODEL_PLACES:
        for kind in KINDS:
            if (folder / place / f"cameras{kind}").is_file() and (folder / place / f"images{kind}").is_file():
                return folder / place, kind
    return None


def _in_file(path: Path, read_it):
    try:
        return read_it(path)
    except UserError as problem:
        raise problem.told(f"{path.name!r}: {problem}") from problem


def _cameras_txt(path: Path) -> dict[int, _Camera]:
    cameras = {}
    for line, words in rows_of(file_text(path)):
        try:
            if len(words) < 5:
                raise UserError(f"has {len(words)} words, but number, model, width, height and parameters are needed.")
            count = _COUNTS.get(words[1])
            if count is not None and len(words) != 4 + count:
                raise UserError(f"has {len(words) - 4} parameters, but {words[1]} has {count}.")
            cameras[_whole(words[0])] = _Camera(
                words[1][:60], _whole(words[2]), _whole(words[3]), tuple(map(number, words[4:]))
            )
        except UserError as problem:
            raise problem.told(f"line {line} {problem}", place=f"line {line}") from problem
    return cameras


def _images_txt(path: Path) -> list[_Image]:
    images = []
    with open_file(path) as file:
        lines = enumerate(_short_lines(file), start=1)
        for place, line in lines:
            if not line.strip() or line.lstrip().startswith(b"#"):
                continue
            try:
                images.append(_image_of(line.decode("utf-8-sig")))
            except UnicodeDecodeError as problem:
                raise UserError(f"line {place} is not UTF-8 text; save it as UTF-8.") from problem
            except UserError as problem:
                raise problem.told(f"line {place} {problem}", place=f"line {place}") from problem
            next(lines, None)  # the points in the image; a line without any is empty
    return images


def _short_lines(file: BufferedReader) -> Iterator[bytes]:
    """The lines of a text, cut where they get longer than an image's: points, of which nothing is kept."""
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


def _image_of(line: str) -> _Image:
    words = line.split(maxsplit=9)
    if len(words) != 10:
        raise UserError(f"has {len(words)} words, but 10 are needed (number, quaternion, translation, camera, name).")
    return _Image(_whole(words[0]), tuple(map(number, words[1:8])), _whole(words[8]), words[9].strip())


def _whole(word: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", word):
        raise UserError(f"holds {word[:40]!r}, but a whole number is needed.")
    return int(word)


def _cameras_bin(path: Path) -> dict[int, _Camera]:
    content = file_bytes(path)
    place, cameras = 8, {}
    (count,) = _unpack("<Q", content, 0)
    if count > len(content) // 48:
        raise UserError(f"it promises {count} cameras, but ends after {len(content)} bytes; copy it again.")
    for _ in range(count):
        camera, model, width, height = _unpack("<IiQQ", content, place)
        if model not in _MODELS:
            raise UserError(f"camera {camera} has the model number {model}, which is not known.")
        name, length = _MODELS[model]
        parameters = _unpack(f"<{length}d", content, place + 24)
        if not all(map(_is_usual, parameters)):
            raise UserError(f"camera {camera} has a parameter that is NaN or far too large.")
        cameras[camera] = _Camera(name, width, height, parameters)
        place += 24 + 8 * length
    return cameras


def _images_bin(path: Path) -> list[_Image]:
    images = []
    size = path.stat().st_size
    with open_file(path) as file:
        (count,) = _unpack("<Q", file.read(8), 0)
        if count > size // 73 or count > MAX_IMAGES:
            raise UserError(
                f"it promises {count} images in {size} bytes; at most {MAX_IMAGES} are read. Is the file complete?"
            )
        for place in range(count):
            image, *pose, camera = _unpack("<I7dI", file.read(64), 0)
            if not all(map(_is_usual, pose)):
                raise UserError(f"the pose of image {image} holds NaN or a far too large number.")
            name = _read_name(file, image)
            (points,) = _unpack("<Q", file.read(8), 0)
            if points > (size - file.tell()) // 24:
                raise UserError(f"it ends within image {place + 1} of {count}; copy it again.")
            file.seek(24 * points, os.SEEK_CUR)
            images.append(_Image(image, tuple(pose), camera, name))
    return images


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


def _is_usual(value: float) -> bool:
    return abs(value) < 1e300  # false for NaN, too


def _write_txt(folder: Path, cameras: Sequence[tuple[int, _Camera]], images: Sequence[_Image]) -> None:
    lines = ["# CAMERA_ID MODEL WIDTH HEIGHT PARAMETERS"]
    for key, camera in cameras:
        lines.append(f"{key} {camera.model} {camera.width} {camera.height} {' '.join(map(repr, camera.parameters))}")
    write_text(folder / "cameras.txt", "\n".join(lines) + "\n")
    lines = ["# IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, then a line of points, which is empty"]
    for image in images:
        lines.append(f"{image.number} {' '.join(map(repr, image.pose))} {image.camera} {image.name}\n")
    write_text(folder / "images.txt", "\n".join(lines) + "\n")
    write_text(folder / "points3D.txt", "# no points\n")


def _write_bin(folder: Path, cameras: Sequence[tuple[int, _Camera]], images: Sequence[_Image]) -> None:
    numbers = {name: key for key, (name, _) in _MODELS.items()}
    content = struct.pack("<Q", len(cameras))
    for key, camera in cameras:
        content += struct.pack("<IiQQ", key, numbers[camera.model], camera.width, camera.height)
        content += struct.pack(f"<{len(camera.parameters)}d", *camera.parameters)
    (folder / "cameras.bin").write_bytes(content)
    with (folder / "images.bin").open("wb") as file:
        file.write(struct.pack("<Q", len(images)))
        for image in images:
            file.write(struct.pack("<I7dI", image.number, *image.pose, image.camera))
            file.write(image.name.encode() + b"\0" + struct.pack("<Q", 0))
    (folder / "points3D.bin").write_bytes(struct.pack("<Q", 0))
