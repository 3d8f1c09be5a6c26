"""What is told of a take: its cameras over the frames, and the videos of the views where there are some."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..cameras.meter.geometry import ASSUMED_DISTANCE_M, common_point
from ..cameras.rig import Rig
from ..errors import UserError
from ..synthetic.projection import focal_px
from ..video.frames import even
from ..video.view_files import SavedViews

LONGEST_CAPTION = 20_000  # characters
MOST_POSES = 64 * 2_000  # views times frames: 30 MB of numbers


@dataclass(frozen=True)
class ToldTake:
    """Cameras that film the same moments, frame i at i / fps seconds.

    Raises UserError where rig, videos and frames do not belong together.
    """

    rig: Rig  # of one frame, or of as many as there are
    fps: Fraction
    frames: int
    sizes: tuple[tuple[int, int], ...]  # (height, width) of each view's pictures, as the cameras made them
    videos: tuple[Path, ...] = ()  # of each view, or none at all
    caption: str = ""

    def __post_init__(self) -> None:
        if len(self.caption) > LONGEST_CAPTION:
            raise UserError(
                f"'caption' has {len(self.caption)} characters; at most {LONGEST_CAPTION} are possible.",
                field="caption",
            )
        if self.rig.views * self.frames > MOST_POSES:
            raise UserError(
                f"the take has {self.rig.views} cameras over {self.frames} frames; at most {MOST_POSES} poses are "
                "possible: cut it, or leave cameras out.",
                field="rig",
            )

    @property
    def shown_sizes(self) -> list[tuple[int, int]]:  # (height, width)
        """Of the videos: an odd side has grown by one at its end."""
        return [(even(height), even(width)) if self.videos else (height, width) for height, width in self.sizes]

    @property
    def intrinsics(self) -> np.ndarray:  # (views, 4) fx, fy, cx, cy
        """In pixels, which begin at the upper left corner of the picture: the middle of the first is (0.5, 0.5)."""
        rows = []
        for lens, (height, width) in zip(self.rig.lenses, self.sizes, strict=True):
            focal = focal_px(lens, width)
            rows.append((focal, focal, width / 2, height / 2))
        return np.array(rows)


def take_of_files(rig: Rig, files: SavedViews, caption: str = "") -> ToldTake:
    """The take of saved views. Raises UserError for files that are gone, and for another rig than theirs."""
    if not files.files:
        raise UserError("'files' has no videos of the views; set 'films' so that there are some.", field="files")
    if rig.views != len(files.files):
        raise UserError(
            f"'rig' has {rig.views} cameras but 'files' has {len(files.files)} views; connect the rig that the views "
            "were made with.",
            field="rig",
        )
    if 1 < rig.frames < files.frames:
        raise UserError(
            f"the cameras of 'rig' move over {rig.frames} frames but the views have {files.frames}; connect the rig "
            "that the views were made with, and save them without frames in between.",
            field="rig",
        )
    videos = tuple(files.folder / file for file in files.files)
    gone = next((path for path in videos if not path.is_file()), None)
    if gone is not None:
        raise UserError(
            f"'{gone.name}' is no longer in the folder '{gone.parent}'; save the views again.", field="files"
        )
    return ToldTake(rig.cut(0, files.frames), files.fps, files.frames, files.sizes, videos, caption)


def subject_track(rig: Rig) -> np.ndarray:  # (frames, 3) metres
    """Where the cameras look, at each frame of the rig: the point that most viewing axes have in common.

    Where they have none it is the one before, or a point before the first camera.
    """
    c2w = rig.c2w.numpy()
    begin = c2w[0, 0, :3, 3] + ASSUMED_DISTANCE_M * c2w[0, 0, :3, 2]
    points: list[np.ndarray] = []
    for frame in range(rig.frames):
        _, point = common_point(c2w[:, frame, :3, 3], c2w[:, frame, :3, 2])
        points.append(point if point is not None else points[-1] if points else begin)
    return np.stack(points)
