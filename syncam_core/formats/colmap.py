"""COLMAP models: a folder with cameras and images, and with rigs and frames since COLMAP 3.12, as text or binary files.

The world has an arbitrary unit, and its axes stay as they are. What the files hold is told in colmap_model.py.

Photos of one moment are one view each. Cameras move where the model's frames hold the images of several cameras, or
where names and lenses say so (shots.py): `cam01/000001.png` (a folder per camera, as COLMAP itself wants it),
`cam01_0001.png`, or `frame_00000.png`, ... of one lens.

What a rig does not hold is lost: points, the distortion and the principal point of a lens, and fy beside fx. A fisheye
or a panorama has its pose read, and is drawn with the default lens.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from ..cameras.rig import Lens, Rig
from ..disk.names import file_slugs
from ..errors import UserError
from . import colmap_binary, colmap_text
from .axes_and_units import (
    OPENCV_FORWARD,
    first_poses,
    in_metres,
    in_units,
    metres_per_unit,
    refuse_inverted,
    rig_of,
)
from .colmap_model import (
    AT_REFERENCE,
    DISTORTION_FROM,
    PARAMETERS,
    Camera,
    FrameRow,
    ImagePoint,
    ImageRow,
    Images,
    Model,
    Point,
    Pose,
    frames_of,
    images_of,
)
from .files import make_folder
from .lost_of_lenses import pinhole_losses, say_lost, zoom_losses
from .points import NO_POINTS, Points
from .realestate10k import checked_size, lens_of
from .shots import Listed, choose_shots

NAME = "COLMAP (folder)"
SUFFIXES = ()  # a model is a folder
UNIT = "asked for"
WORDS = "a COLMAP model has cameras.txt and images.txt, or .bin, itself or in sparse/0"
FILE_READ = "folder with `cameras` and `images`, `.txt` or `.bin`; also the project folder around `sparse/0`"
CAMERA_AXES = "x right, y down, z forward; world to camera"
WORLD_AXES = "as it is"
FILE_WRITTEN = "a folder: `cameras.txt`, `images.txt`, `rigs.txt`, `frames.txt`, empty `points3D.txt`"
AXES_WRITTEN = "x right, y down, z forward; world to camera"
LOST = "colours; names become safe file names"
HAS_PICTURES = True

MODEL_PLACES = ("", "sparse/0", "sparse", "0", "colmap/sparse/0")
KINDS = {".bin": colmap_binary, ".txt": colmap_text}  # COLMAP takes the binary files where both are there
PARTS = ("cameras", "images", "rigs", "frames", "points3D")

_RIGID_M = 1e-11  # how far cameras may move against each other and still be one rig

_HINT = "COLMAP's poses are world-to-camera."

_Content = TypeVar("_Content")


def looks_like(path: Path, head: bytes) -> bool:
    """Whether a folder holds a model, itself or where COLMAP puts it (sparse/0)."""
    return not head and path.is_dir() and _model_in(path) is not None


def is_part(path: Path) -> bool:
    """Whether a file is one of those of a model, which is read as a folder."""
    return path.stem in PARTS and looks_like(path.parent, b"")


def read(path: Path, cameras: str | Sequence[str] = "", unit_m: float | None = None, pictures: str = "auto") -> Rig:
    """The rig of a model, in the order of COLMAP's image numbers.

    `path` is the folder of the model, of the project around it (sparse/0 is looked into), or one of the model's files.
    Raises UserError with a sentence that names the file and the place in it.
    """
    return read_with_pictures(path, cameras, unit_m, pictures)[0]


def read_with_pictures(
    path: Path, cameras: str | Sequence[str] = "", unit_m: float | None = None, pictures: str = "auto"
) -> tuple[Rig, list[list[str]]]:
    """As `read`, and the names of each camera's pictures, in the order of their moments."""
    scale = metres_per_unit(unit_m, None, "")
    model, kind = _model_of(path)
    images = model.posed_images()
    if not images.names:
        raise UserError(f"'images{kind}' holds no images; reconstruct them first.")
    sensors, frames = model.taken_together(images)
    listed = Listed(
        images.names,
        lambda row: f"image {images.numbers[row]} ({images.names[row][:60]!r})",
        lenses=images.cameras.tolist(),
        sensors=sensors,
        frames=frames,
    )
    chosen = choose_shots(listed, cameras, pictures)
    shots = [images.rows(rows) for rows in chosen.shots.values()]
    every = images.rows([row for rows in chosen.shots.values() for row in rows])
    poses = in_metres(_c2w(every), scale).split([*map(len, shots)])
    refuse_inverted(
        first_poses(
            lambda row: in_metres(_c2w(images.rows([row]))[0], scale),
            chosen.first_of_each,
            lambda rows: in_metres(_c2w(images.rows(rows)), scale),
        ),
        OPENCV_FORWARD,
        "like camera-to-world ones",
        "COLMAP's are world-to-camera, so invert each of them first",
    )
    lenses = [_lens(model.cameras, taken) for taken in shots]
    _say_distorted([model.cameras[int(taken.cameras[0])] for taken in shots])
    say_lost({name: _lost(model.cameras, taken) for name, taken in zip(chosen.shots, shots, strict=True)})
    return rig_of([*chosen.shots], poses, lenses, _HINT), [[*taken.names] for taken in shots]


def write(
    rig: Rig,
    path: Path,
    unit_m: float = 1.0,
    image_size: tuple[int, int] = (832, 480),  # width, height
    binary: bool = False,
    name_of: Callable[[str, int], str] = "{}/{:06d}.png".format,  # of a view's safe name and its frame, from 1
    points: Points = NO_POINTS,  # their tracks are in the images of their frames, or of the first
) -> None:
    """Write a model into the folder `path`, in place of one that is there.

    Every view has a camera (PINHOLE) and a folder of images, "cam01/000001.png", ..., by which they are told apart
    when the model is read: one for each frame, or a single one where nothing moves. Cameras that keep their places
    against each other are one rig of COLMAP's, whose frames hold an image of each; others are a rig of their own each.

    Raises UserError for what cannot be written.
    """
    width, height = checked_size(image_size)
    poses = _w2c_numbers(in_units(rig.c2w, unit_m))
    cameras = {}
    images: list[ImageRow] = []
    for view, (slug, lens, camera) in enumerate(zip(file_slugs(rig.names), rig.lenses, poses, strict=True), start=1):
        focal_px = lens.focal_mm / lens.sensor_width_mm * width
        cameras[view] = Camera("PINHOLE", width, height, (focal_px, focal_px, width / 2, height / 2))
        for frame, pose in enumerate(camera, start=1):
            images.append((len(images) + 1, pose, view, name_of(slug, frame)))
    make_folder(path)
    try:
        for name in PARTS:
            for kind in KINDS:
                (path / f"{name}{kind}").unlink(missing_ok=True)
        rigs, frames = _rigs_and_frames(in_units(rig.c2w, unit_m), images)
        shown, found = _points_of(images, rig.frames, points, unit_m)
        model = Model(cameras, images_of(images, shown), rigs, frames_of(frames), found)
        KINDS[".bin" if binary else ".txt"].write(path, model)
    except OSError as problem:
        raise UserError(f"folder {path.name!r} cannot be written to ({problem.strerror}).") from problem


def _points_of(
    images: Sequence[ImageRow],  # of each view in turn, `frames` of them
    frames: int,
    points: Points,
    unit_m: float,
) -> tuple[list[list[ImagePoint]], list[Point]]:
    """The points that were found in each image, and the points with where that was."""
    shown: list[list[ImagePoint]] = [[] for _ in images]
    found = []
    tracks = points.tracks or ((),) * len(points)
    errors = [0.0] * len(points) if points.errors is None else points.errors.tolist()
    moments = [0] * len(points) if points.frames is None else points.frames.tolist()
    for number, (track, moment) in enumerate(zip(tracks, moments, strict=True), start=1):
        seen = []
        for view, x, y in track:
            image = view * frames + moment
            seen.append((images[image][0], len(shown[image])))
            shown[image].append((float(x), float(y), number))
        xyz, rgb = (points.xyz[number - 1] / unit_m).tolist(), points.rgb[number - 1].tolist()
        found.append(Point(number, tuple(xyz), tuple(rgb), errors[number - 1], tuple(seen)))
    return shown, found


def _rigs_and_frames(
    c2w: Tensor,  # (views, frames, 4, 4)
    images: Sequence[ImageRow],  # of the first view, then of the second, ...
) -> tuple[dict[int, dict[int, Pose | None]], list[FrameRow]]:
    views, count = c2w.shape[:2]
    from_first = torch.linalg.inv(c2w) @ c2w[:1]  # first camera to each, (views, frames, 4, 4)
    if (from_first - from_first[:, :1]).abs().max() <= _RIGID_M * max(1.0, float(c2w[..., :3, 3].abs().max())):
        others = _w2c_numbers(torch.linalg.inv(from_first[1:, :1])) if views > 1 else []
        rig: dict[int, Pose | None] = {
            1: AT_REFERENCE,
            **{camera: pose for camera, (pose,) in enumerate(others, start=2)},
        }
        moments = [images[frame::count] for frame in range(count)]
        return {1: rig}, [
            (place, 1, taken[0][1], [(camera, number) for number, _, camera, _ in taken])
            for place, taken in enumerate(moments, start=1)
        ]
    return {view: {view: AT_REFERENCE} for view in range(1, views + 1)}, [
        (number, camera, pose, [(camera, number)]) for number, pose, camera, _ in images
    ]


def _model_of(path: Path) -> tuple[Model, str]:
    """Raises UserError, naming the file, for anything else than a model."""
    found = _model_in(path.parent if path.is_file() else path)
    if found is None:
        raise UserError("there is no such file in it as cameras.txt with images.txt, or cameras.bin with images.bin.")
    folder, kind = found
    files = KINDS[kind]
    cameras = _in_file(folder / f"cameras{kind}", files.cameras)
    images = _in_file(folder / f"images{kind}", files.images)
    rigs, frames = folder / f"rigs{kind}", folder / f"frames{kind}"
    if not (rigs.is_file() and frames.is_file()):
        return Model(cameras, images), kind
    return Model(cameras, images, _in_file(rigs, files.rigs), _in_file(frames, files.frames)), kind


def _model_in(folder: Path) -> tuple[Path, str] | None:
    for place in MODEL_PLACES:
        for kind in KINDS:
            if (folder / place / f"cameras{kind}").is_file() and (folder / place / f"images{kind}").is_file():
                return folder / place, kind
    return None


def _in_file(path: Path, read_it: Callable[[Path], _Content]) -> _Content:
    try:
        return read_it(path)
    except UserError as problem:
        raise problem.told(f"{path.name!r}: {problem}") from problem


# -- poses and lenses ------------------------------------------------------------------------------------------------


def _c2w(images: Images) -> Tensor:  # (frames, 4, 4) in the file's unit
    from scipy.spatial.transform import Rotation

    if images.problems:
        raise UserError(images.problems[min(images.problems)])
    pose = torch.from_numpy(images.poses)
    lengths = pose[:, :4].norm(dim=1)
    wrong = ~((lengths - 1).abs() < 1e-3)
    if wrong.any():
        first = int(wrong.int().argmax())
        raise UserError(
            f"image {images.names[first][:60]!r} has a quaternion of length {float(lengths[first]):.6g}, but a rotation "
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


def _lens(cameras: dict[int, Camera], images: Images) -> Lens:
    number = int(images.cameras[0])
    camera = cameras.get(number)
    if camera is None:
        raise UserError(f"image {images.names[0][:60]!r} is of camera {number}, which the model does not have.")
    if camera.model not in PARAMETERS:
        raise UserError(
            f"camera {number} has the model {camera.model!r}, which is not known; possible are {', '.join(PARAMETERS)}."
        )
    if camera.model not in DISTORTION_FROM:
        return Lens()
    if not camera.width > 0:
        raise UserError(f"camera {number} has a picture {camera.width} pixels wide, but at least 1 is needed.")
    try:
        return lens_of(camera.parameters[0] / camera.width)
    except UserError as problem:
        raise problem.told(f"camera {number} {problem}") from problem


def _lost(cameras: dict[int, Camera], images: Images) -> list[str]:
    camera = cameras[int(images.cameras[0])]
    if camera.model not in DISTORTION_FROM:
        return []
    focals = camera.parameters[: DISTORTION_FROM[camera.model] - 2]  # one, or those of the width and of the height
    of_all = [cameras[number] for number in {*images.cameras.tolist()} if number in cameras]
    alike = [other for other in of_all if other.model == camera.model and other.width > 0]
    zoom = zoom_losses([other.parameters[0] / other.width for other in alike])
    centre = camera.parameters[len(focals)], camera.parameters[len(focals) + 1]
    return pinhole_losses((camera.width, camera.height), centre, (focals[0], focals[-1])) + zoom


def _say_distorted(cameras: Sequence[Camera]) -> None:
    flat = [camera for camera in cameras if camera.model in DISTORTION_FROM]
    bent = {camera.model for camera in flat if any(camera.parameters[DISTORTION_FROM[camera.model] :])}
    round_ = {camera.model for camera in cameras} - DISTORTION_FROM.keys()
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
