"""Views with their cameras, written as a scene of a dataset."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from ..cameras.rig import Rig, default_names
from ..errors import UserError
from ..formats import syncamvideo
from ..formats.points import NO_POINTS, Points, joined
from ..video.clip import BITS_8, Clip, in_depth
from ..video.codecs import DATASET_CRF
from ..video.frames import rgb_to_uint8
from ..video.write import VideoWriter
from .lanes import MOST_LANES, Lanes, lanes
from .layouts import FRAME_LAYOUTS, FrameLayout, Shot, check_frame_layout
from .png import write_png
from .scene_file import LAYOUTS, SceneFacts, write_facts
from .seeding import SEEDED, seeded_points
from .triangulation import LEAST_VIEWS, pycolmap_module, triangulated_points

CAPTION = "caption.txt"
MAX_CAPTION_BYTES = 64 * 2**10  # what readers take
POINTS = {
    "none": "no points",
    "seeded": "spread over what the cameras see in common, coloured from the pictures",
    "triangulated": "found in the pictures by COLMAP, from the known cameras; needs pycolmap",
}
FEWEST_POINTS = 100  # of a moment; where triangulation finds fewer, seeded ones are added
MOST_SEEDED = 100_000  # of every frame together: as many as 4D Gaussian Splatting takes of a file
FEWEST_SEEDED = 500  # of each
# One thread for each of several videos, as threads within a frame would stand in each other's way; and what x264 spends
# much time on for little: 0.60 of its usual CPU time, with the same errors and size at the same crf (832 x 480, noisy).
_FAST = {"preset": "fast", "partitions": "i4x4,i8x8", "threads": "1"}


@dataclass(frozen=True)
class Training:
    """What a scene has for programs that are trained on it, beside pictures and cameras."""

    points: str = "none"  # a key of POINTS
    held_out: tuple[int, ...] = ()  # views that are for evaluation alone
    masks: tuple[Tensor, ...] = ()  # of the views (1 or frames, height, width), 1 where the pictures count; empty: none
    every_frame: bool = False  # points of each frame, with its time, also where one folder holds all; else of the first


NOTHING_MORE = Training()


def check_take(layout: str, clips: Sequence[Clip], rig: Rig, caption: str, training: Training = NOTHING_MORE) -> None:
    """Raise UserError for what `write_take` could not write: before the work, and before a folder is made."""
    if layout not in LAYOUTS:
        raise UserError(f"'layout' is {str(layout)[:40]!r}; possible are {', '.join(LAYOUTS)}.", field="layout")
    if len(clips) != rig.views:
        raise UserError(
            f"'rig' has {rig.views} cameras but 'views' has {len(clips)} views; connect the rig that the views were made "
            "with, and the list that SynCam Decode Views gives.",
            field="rig",
        )
    sizes = [f"{clip.width} x {clip.height}" for clip in clips]
    if len(set(sizes)) > 1:
        other = next(index for index, size in enumerate(sizes) if size != sizes[0])
        raise UserError(
            f"'views' has pictures of {sizes[0]} pixels ({rig.names[0]}) and of {sizes[other]} ({rig.names[other]}); "
            "the cameras of a dataset need one size, so scale or crop the views to it first.",
            field="views",
        )
    frames = len(clips[0])
    if rig.frames != 1 and rig.frames < frames:
        raise UserError(
            f"'views' has {frames} frames, but the cameras of 'rig' move over {rig.frames} frames only; connect the rig "
            "that the views were made with, or cut the views.",
            field="views",
        )
    _caption_bytes(caption)
    _check_training(layout, clips, rig, training)


def _check_training(layout: str, clips: Sequence[Clip], rig: Rig, training: Training) -> None:
    if training.points not in POINTS:
        raise UserError(f"'points' is {str(training.points)[:40]!r}; possible are {', '.join(POINTS)}.", field="points")
    if layout in FRAME_LAYOUTS:
        check_frame_layout(layout, rig, len(clips[0]))
    else:
        given = {
            "points": training.points != "none",
            "hold_out": bool(training.held_out),
            "masks": bool(training.masks),
        }
        field = next((name for name, is_given in given.items() if is_given), None)
        if field:
            raise UserError(
                f"'{field}' is given, but the layout {layout} has no place for it; choose one of "
                f"{', '.join(FRAME_LAYOUTS)}, or leave it out.",
                field=field,
            )
    if len(training.held_out) >= rig.views:
        raise UserError(
            f"'hold_out' names all {rig.views} cameras, which leaves none to train on; name fewer.", field="hold_out"
        )
    if training.points == "triangulated":
        pycolmap_module()
        if rig.views < LEAST_VIEWS:
            raise UserError(
                "'points' is triangulated, which needs two cameras at least, but there is one; choose seeded.",
                field="points",
            )
    if training.masks:
        _check_masks(training.masks, clips, rig)


def _check_masks(masks: Sequence[Tensor], clips: Sequence[Clip], rig: Rig) -> None:
    if len(masks) != rig.views:
        raise UserError(
            f"'masks' has {len(masks)} masks, but there are {rig.views} views; give a mask for each, in their order.",
            field="masks",
        )
    for name, mask, clip in zip(rig.names, masks, clips, strict=True):
        if mask.ndim != 3 or mask.shape[1:] != (clip.height, clip.width):
            size = " x ".join(map(str, reversed(mask.shape[-2:])))
            raise UserError(
                f"'masks' has a mask of {size} pixels for {name!r}, but its pictures have {clip.width} x {clip.height}; "
                "scale it to that.",
                field="masks",
            )
        if len(mask) not in (1, len(clip)):
            raise UserError(
                f"'masks' has {len(mask)} frames for {name!r}, but its video has {len(clip)}; give as many, or one for "
                "all.",
                field="masks",
            )


def pictures_and_points(layout: str, clips: Sequence[Clip], training: Training) -> int:
    """How often `write_take` ticks."""
    moments = 0
    if training.points == "triangulated" and layout in FRAME_LAYOUTS:
        moments = len(clips[0]) if FRAME_LAYOUTS[layout].folder_per_moment or training.every_frame else 1
    return len(clips) * (len(clips[0]) + moments)


def write_take(
    folder: Path,  # is there, and empty
    layout: str,  # a key of LAYOUTS
    clips: Sequence[Clip],  # of the views, all of one size and length
    rig: Rig,  # moving cameras may go on after the last frame
    fps: Fraction,
    caption: str = "",
    crf: float = DATASET_CRF,  # of the videos of "syncamvideo"
    tags: Mapping[str, str] | None = None,  # metadata of the same
    tick: Callable[[], None] = lambda: None,  # called after each picture, by whose exceptions the work can be ended
    training: Training = NOTHING_MORE,
) -> None:
    """Write a scene, frame by frame, on all cores. Raises UserError as `check_take`, and OSError where the disk refuses.

    What is in memory at once are the pictures of one moment, where points are wanted of it, and four for each core.
    """
    check_take(layout, clips, rig, caption, training)
    frames = len(clips[0])
    stems = _stems(rig.names)
    shot = replace(rig.cut(0, frames), names=stems)
    if layout == "syncamvideo":
        _write_videos(folder, clips, shot, fps, crf, tags, tick)
    else:
        _FrameWriter(folder, FRAME_LAYOUTS[layout], clips, shot, training, tick).write()
    if text := _caption_bytes(caption):
        (folder / CAPTION).write_bytes(text)
    write_facts(
        folder,
        SceneFacts(layout, fps, frames, clips[0].height, clips[0].width, stems, rig.names, rig.colors, rig.lenses),
    )


def _stems(names: Sequence[str]) -> tuple[str, ...]:
    """What the files are called: cam01, ..., as in the data sets; names of this form stay."""
    return tuple(names) if all(re.fullmatch("cam[0-9]{2,9}", name) for name in names) else default_names(len(names))


def _caption_bytes(caption: str) -> bytes:
    try:
        text = caption.strip().lstrip("\ufeff").strip().encode()
    except UnicodeEncodeError as problem:
        raise UserError(
            "'caption' holds half a character (a lone surrogate); write it again.", field="caption"
        ) from problem
    if len(text) > MAX_CAPTION_BYTES:
        raise UserError(
            f"'caption' has {len(text)} bytes, but at most {MAX_CAPTION_BYTES} are possible; shorten it.",
            field="caption",
        )
    return text


# -- a video per camera ----------------------------------------------------------------------------------------------


def _write_videos(
    folder: Path,
    clips: Sequence[Clip],
    rig: Rig,
    fps: Fraction,
    crf: float,
    tags: Mapping[str, str] | None,
    tick: Callable[[], None],
) -> None:
    for below in ("videos", "cameras"):
        (folder / below).mkdir()
    syncamvideo.write(rig, folder / "cameras" / "camera_extrinsics.json", frames=len(clips[0]))
    views = range(rig.views)
    with lanes(rig.views) as workers:
        options = _FAST if workers.count > 1 else {**_FAST, "threads": "0"}
        for together in (views[first : first + workers.count] for first in views[:: workers.count]):
            with ExitStack() as opened:
                places = [folder / "videos" / f"{rig.names[view]}.mp4" for view in together]
                videos = [opened.enter_context(VideoWriter(place, fps, tags, crf, options=options)) for place in places]
                opened.callback(workers.drop)  # before the files are closed
                for index in range(len(clips[0])):
                    for lane, view in enumerate(together):
                        workers.hand(lane, partial(_append, videos[lane], clips[view][index]))
                        tick()
                workers.finish()


def _append(video: VideoWriter, picture: np.ndarray) -> None:
    video.write(in_depth(picture, BITS_8))


# -- a picture file per frame and camera -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _FrameWriter:
    folder: Path
    layout: FrameLayout
    clips: Sequence[Clip]
    rig: Rig  # its names are those of the files
    training: Training
    tick: Callable[[], None]

    def write(self) -> None:
        frames = len(self.clips[0])
        found: list[Points] = []  # of each frame, where one folder holds all
        with lanes(MOST_LANES) as workers:
            for index in range(frames):
                place = self._place(index)
                self._make_folders(place)
                wanted = self._has_points(index)
                shown = [self._hand_over(workers, view, index, keep=wanted) for view in range(self.rig.views)]
                points = self._points(workers, index, shown) if wanted else NO_POINTS
                if self.layout.folder_per_moment:
                    self._write_cameras(place, self.rig.at_frame(index), range(index, index + 1), points)
                elif wanted:
                    found.append(points.of_frame(index) if self.training.every_frame else points)
        if not self.layout.folder_per_moment:
            self._write_cameras(self.folder, self.rig, range(frames), joined(found))

    def _has_points(self, index: int) -> bool:
        of_each = self.layout.folder_per_moment or self.training.every_frame
        return self.training.points != "none" and (of_each or index == 0)

    def _seeded_count(self) -> int:
        if self.layout.folder_per_moment or not self.training.every_frame:
            return SEEDED
        return min(SEEDED, max(FEWEST_SEEDED, MOST_SEEDED // len(self.clips[0])))

    def _write_cameras(self, place: Path, rig: Rig, frames: range, points: Points) -> None:
        size = (self.clips[0].width, self.clips[0].height)
        shot = Shot(rig, frames, size, self.training.held_out, bool(self.training.masks))
        self.layout.write_cameras(place, shot, points)

    def _place(self, index: int) -> Path:
        return self.folder / f"frame_{index:05d}" if self.layout.folder_per_moment else self.folder

    def _make_folders(self, place: Path) -> None:
        paths = [
            self.layout.picture(stem, 0, view in self.training.held_out) for view, stem in enumerate(self.rig.names)
        ]
        paths += [self.layout.mask(path) for path in paths] if self._has_mask_files else []
        for path in {(place / path).parent for path in paths}:
            path.mkdir(parents=True, exist_ok=True)

    @property
    def _has_mask_files(self) -> bool:
        return bool(self.training.masks) and not self.layout.mask_is_alpha

    def _hand_over(self, workers: Lanes, view: int, index: int, keep: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Have a picture written, and its mask; what is to be kept of them comes back in 8 bits."""
        picture = self.clips[view][index]
        picture = in_depth(picture, BITS_8) if keep else picture
        mask = _mask_at(self.training.masks[view], index) if self.training.masks else None
        place, name = self._place(index), self._name(view, index)
        seen = mask if self.layout.mask_is_alpha else None
        workers.hand(index * self.rig.views + view, partial(_write_picture, place / name, picture, seen))
        if mask is not None and self._has_mask_files:
            workers.hand(index * self.rig.views + view, partial(write_png, place / self.layout.mask(name), mask))
        self.tick()
        return picture, mask

    def _name(self, view: int, index: int) -> str:
        return self.layout.picture(self.rig.names[view], index, view in self.training.held_out)

    def _points(self, workers: Lanes, index: int, shown: Sequence[tuple[np.ndarray, np.ndarray | None]]) -> Points:
        c2w = self.rig.c2w[:, min(index, self.rig.frames - 1)].numpy()
        size = (self.clips[0].height, self.clips[0].width)
        focals = [lens.focal_mm / lens.sensor_width_mm * size[1] for lens in self.rig.lenses]
        found = NO_POINTS
        if self.training.points == "triangulated":
            workers.finish()  # COLMAP reads the files
            place, names = self._place(index), [self._name(view, index) for view in range(self.rig.views)]
            masks = place / "masks" if self._has_mask_files else None
            found = triangulated_points(place, names, c2w, focals, size, masks, self.tick)
        if len(found) < FEWEST_POINTS:
            masks_shown = [mask for _, mask in shown if mask is not None]
            pictures = [picture for picture, _ in shown]
            found = joined([found, seeded_points(c2w, focals, pictures, masks_shown, self._seeded_count())])
        return found


def _write_picture(path: Path, picture: np.ndarray, alpha: np.ndarray | None) -> None:
    picture = in_depth(picture, BITS_8)
    write_png(path, picture if alpha is None else np.dstack([picture, alpha]))


def _mask_at(mask: Tensor, index: int) -> np.ndarray:  # (height, width) uint8
    one = mask[index if len(mask) > 1 else 0]
    return rgb_to_uint8(one.detach().cpu().float().nan_to_num(0.0).clamp(0.0, 1.0).numpy())
