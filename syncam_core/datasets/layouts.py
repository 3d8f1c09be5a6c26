"""Layouts of pictures, one file per camera and frame: what they are called, and the camera files beside them.

A folder for each moment holds a scene that stands still, which is what trainers of static scenes take. Where all moments
are in one folder, its camera files say when each picture was taken: `time` from 0 (first frame) to 1 (last).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..cameras.json_text import Json
from ..cameras.rig import Rig
from ..errors import UserError
from ..formats import colmap, nerfstudio
from ..formats.axes_and_units import Z_UP_TO_RIG
from ..formats.files import write_text
from ..formats.json_values import write_json
from ..formats.points import Points, write_ply

MOST_PICTURES = 30_000  # of camera files that hold all moments: readers take files of 16 MB
SAME_ANGLE = 1e-9  # between lenses, of their focal lengths
SPLITS = ("train", "val", "test")
DNERF_POINTS = ("points3d.ply", "fused.ply")  # as 3D Gaussian Splatting and 4DGaussians call them


@dataclass(frozen=True)
class Shot:
    """What a camera file tells of: one moment, or all."""

    rig: Rig  # its names are those of the files
    frames: range
    size: tuple[int, int]  # width, height
    held_out: tuple[int, ...]  # views for evaluation alone; none: every view is for both
    masked: bool

    def time(self, frame: int) -> float:
        return frame / max(1, len(self.frames) - 1)

    def times(self, points: Points) -> np.ndarray | None:  # (points,)
        return None if points.frames is None else points.frames / max(1, len(self.frames) - 1)

    def views(self, split: str) -> Sequence[int]:
        """The views of a split."""
        everyone = range(self.rig.views)
        if not self.held_out:
            return everyone
        return [view for view in everyone if (view in self.held_out) == (split != "train")]


@dataclass(frozen=True)
class FrameLayout:
    folder_per_moment: bool
    picture: Callable[[str, int, bool], str]  # of a file's stem, the frame, and whether the camera is held out
    mask: Callable[[str], str]  # of a picture's name
    write_cameras: Callable[[Path, Shot, Points], None]
    mask_is_alpha: bool = False


def check_frame_layout(layout: str, rig: Rig, frames: int) -> None:
    """Raise UserError for cameras that the layout's files cannot hold."""
    if not FRAME_LAYOUTS[layout].folder_per_moment and rig.views * frames > MOST_PICTURES:
        raise UserError(
            f"'layout' is {layout}, whose files would list {rig.views * frames} pictures, but at most {MOST_PICTURES} are "
            "possible; cut the views, or choose a layout with a folder per frame.",
            field="layout",
        )
    if layout != "dnerf":
        return
    focals = [lens.focal_mm / lens.sensor_width_mm for lens in rig.lenses]
    other = next((view for view, focal in enumerate(focals) if abs(focal / focals[0] - 1) > SAME_ANGLE), None)
    if other is not None:
        raise UserError(
            f"'layout' is dnerf, which has one lens for all cameras, but {rig.names[0]!r} and {rig.names[other]!r} have "
            "different ones; choose nerfstudio_4d or colmap_4d, which have a lens for each.",
            field="layout",
        )


# -- COLMAP ----------------------------------------------------------------------------------------------------------


def _write_model(folder: Path, shot: Shot, points: Points) -> None:
    """The model, the points again as PLY, and the list of the pictures for evaluation."""
    place, rig = folder / "sparse" / "0", shot.rig
    # A folder for each picture says nothing here, and some readers of COLMAP models know images by the last part of
    # their name only, where all of them would be "000001.png".
    colmap.write(rig, place, image_size=shot.size, name_of=lambda slug, frame: f"{slug}.png", points=points)
    _write_beside_model(place, shot, points, [f"{rig.names[view]}.png" for view in shot.held_out])


def _write_model_4d(folder: Path, shot: Shot, points: Points) -> None:
    place, frames = folder / "sparse" / "0", len(shot.frames)
    rig = replace(shot.rig, c2w=shot.rig.c2w.expand(-1, frames, -1, -1).clone())
    colmap.write(rig, place, image_size=shot.size, name_of=lambda slug, frame: _in_time(slug, frame - 1), points=points)
    held_out = [_in_time(rig.names[view], frame) for view in shot.held_out for frame in shot.frames]
    _write_beside_model(place, shot, points, held_out)


def _write_beside_model(place: Path, shot: Shot, points: Points, held_out: Sequence[str]) -> None:
    if len(points):
        write_ply(place / "points3D.ply", points.xyz, points.rgb, shot.times(points))
    if held_out:
        write_text(place / "test.txt", "\n".join(held_out) + "\n")


# -- transforms.json -------------------------------------------------------------------------------------------------


def _write_transforms(folder: Path, shot: Shot, points: Points) -> None:
    head, frames = nerfstudio.document_of(shot.rig, 1.0, shot.size)
    for stem, (frame,) in zip(shot.rig.names, frames, strict=True):
        frame["file_path"] = f"images/{stem}.png"
    _write_nerfstudio(folder, shot, points, head, frames)


def _write_transforms_4d(folder: Path, shot: Shot, points: Points) -> None:
    _write_nerfstudio(folder, shot, points, *_document_4d(shot))


def _document_4d(shot: Shot) -> tuple[dict[str, Json], list[list[dict[str, Json]]]]:
    rig = replace(shot.rig, c2w=shot.rig.c2w.expand(-1, len(shot.frames), -1, -1))
    head, frames = nerfstudio.document_of(rig, 1.0, shot.size)
    for stem, camera in zip(rig.names, frames, strict=True):
        for number, frame in enumerate(camera):
            frame["file_path"], frame["time"] = f"images/{_in_time(stem, number)}", shot.time(number)
    return head, frames


def _write_nerfstudio(
    folder: Path, shot: Shot, points: Points, head: dict[str, Json], frames: list[list[dict[str, Json]]]
) -> None:
    """nerfstudio takes lists of all three splits or none at all, and by itself leaves nothing to evaluate below ten."""
    for split in SPLITS:
        head[f"{split}_filenames"] = [frame["file_path"] for view in shot.views(split) for frame in frames[view]]
    if shot.masked:
        for frame in (frame for camera in frames for frame in camera):
            frame["mask_path"] = _beside(frame["file_path"])
    if len(points):
        head["ply_file_path"] = "points3d.ply"
        write_ply(folder / "points3d.ply", _z_up(points.xyz), points.rgb, shot.times(points))
    write_json(folder / nerfstudio.FILE, head, "frames", [frame for camera in frames for frame in camera])


def _write_dnerf(folder: Path, shot: Shot, points: Points) -> None:
    """The files of D-NeRF: one angle for all cameras, and names without their suffix."""
    head, frames = _document_4d(shot)
    angle = 2 * math.atan(shot.rig.lenses[0].sensor_width_mm / (2 * shot.rig.lenses[0].focal_mm))
    for view, camera in enumerate(frames):
        for number, frame in enumerate(camera):
            name = _dnerf_name(shot.rig.names[view], number, view in shot.held_out)
            frame["file_path"] = f"./{name.removesuffix('.png')}"
    for split in SPLITS:
        listed = [frame for view in shot.views(split) for frame in frames[view]]
        write_json(folder / f"transforms_{split}.json", {"camera_angle_x": angle, **head}, "frames", listed)
    if len(points):
        for name in DNERF_POINTS:
            write_ply(folder / name, _z_up(points.xyz), points.rgb, shot.times(points))


def _z_up(xyz: np.ndarray) -> np.ndarray:
    return xyz @ Z_UP_TO_RIG[:3, :3].numpy()


# -- names -----------------------------------------------------------------------------------------------------------


def _in_time(stem: str, frame: int) -> str:
    """No folder for each camera: some readers know pictures by the last part of their name."""
    return f"{stem}_{frame:05d}.png"


def _dnerf_name(stem: str, frame: int, held_out: bool) -> str:
    return f"{'test' if held_out else 'train'}/{_in_time(stem, frame)}"


def _beside(picture: str) -> str:
    """A mask, as nerfstudio names it."""
    return picture.replace("images/", "masks/", 1)


FRAME_LAYOUTS = {
    "nerfstudio": FrameLayout(True, lambda stem, frame, held_out: f"images/{stem}.png", _beside, _write_transforms),
    "colmap": FrameLayout(
        True,
        lambda stem, frame, held_out: f"images/{stem}.png",
        lambda picture: f"{_beside(picture)}.png",  # COLMAP's own way
        _write_model,
    ),
    "nerfstudio_4d": FrameLayout(
        False, lambda stem, frame, held_out: f"images/{_in_time(stem, frame)}", _beside, _write_transforms_4d
    ),
    "colmap_4d": FrameLayout(
        False,
        lambda stem, frame, held_out: f"images/{_in_time(stem, frame)}",
        lambda picture: f"{_beside(picture)}.png",
        _write_model_4d,
    ),
    "dnerf": FrameLayout(False, _dnerf_name, _beside, _write_dnerf, mask_is_alpha=True),
}
