"""Views with their cameras, written as a scene of a dataset."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..cameras.rig import Rig, default_names
from ..errors import UserError
from ..formats import colmap, nerfstudio, syncamvideo
from ..formats.files import write_text
from ..video.clip import BITS_8, Clip, in_depth
from ..video.codecs import DATASET_CRF
from .scene_file import LAYOUTS, SceneFacts, write_facts

CAPTION = "caption.txt"
MAX_CAPTION_BYTES = 64 * 2**10  # what readers take
PNG_COMPRESSION = 4  # as the host's Save Image


def check_take(layout: str, clips: Sequence[Clip], rig: Rig, caption: str) -> None:
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
) -> None:
    """Write a scene, frame by frame. Raises UserError as `check_take`, and OSError where the disk refuses."""
    check_take(layout, clips, rig, caption)
    frames = len(clips[0])
    stems = _stems(rig.names)
    shot = replace(rig.cut(0, frames), names=stems)
    if layout == "syncamvideo":
        _write_videos(folder, clips, shot, fps, crf, tags, tick)
    else:
        write_cameras = {"nerfstudio": _write_transforms, "colmap": _write_model}[layout]
        for index in range(frames):
            moment = folder / f"frame_{index:05d}"
            (moment / "images").mkdir(parents=True)
            write_cameras(moment, shot.at_frame(index), (clips[0].width, clips[0].height))
            for stem, clip in zip(stems, clips, strict=True):
                _write_png(moment / "images" / f"{stem}.png", in_depth(clip[index], BITS_8))
                tick()
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


def _write_videos(
    folder: Path,
    clips: Sequence[Clip],
    rig: Rig,
    fps: Fraction,
    crf: float,
    tags: Mapping[str, str] | None,
    tick: Callable[[], None],
) -> None:
    from ..video.write import write_video

    for below in ("videos", "cameras"):
        (folder / below).mkdir()
    syncamvideo.write(rig, folder / "cameras" / "camera_extrinsics.json", frames=len(clips[0]))
    for stem, clip in zip(rig.names, clips, strict=True):
        write_video(folder / "videos" / f"{stem}.mp4", _pictures(clip, tick), fps, tags, crf)


def _pictures(clip: Clip, tick: Callable[[], None]) -> Iterator[np.ndarray]:
    for index in range(len(clip)):
        yield in_depth(clip[index], BITS_8)
        tick()


def _write_transforms(moment: Path, rig: Rig, size: tuple[int, int]) -> None:
    nerfstudio.write(rig, moment / "transforms.json", image_size=size)


def _write_model(moment: Path, rig: Rig, size: tuple[int, int]) -> None:
    colmap.write(rig, moment / "sparse" / "0", image_size=size)
    # A folder for each picture says nothing here, and some readers of COLMAP models know images by the last part of
    # their name only, where all of them would be "000001.png".
    images = moment / "sparse" / "0" / "images.txt"
    write_text(images, images.read_text(encoding="utf-8").replace("/000001.png\n", ".png\n"))


def _write_png(path: Path, picture: np.ndarray) -> None:  # (height, width, 3) uint8
    from PIL import Image

    Image.fromarray(np.ascontiguousarray(picture)).save(path, format="PNG", compress_level=PNG_COMPRESSION)
