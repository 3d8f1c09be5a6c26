"""A player that keeps all views on one clock, and records cuts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import comfy.utils
import folder_paths
import numpy as np
from comfy_api.latest import Input, io
from torch import Tensor

from ...syncam_core.cameras import Rig
from ...syncam_core.cameras.json_text import Json
from ...syncam_core.disk.names import file_slugs
from ...syncam_core.errors import UserError
from ...syncam_core.video import check_video_size, frame_rate
from ...syncam_core.video.clip import BITS_8, Clip, in_order
from ...syncam_core.video.cut_list import cuts_of, entries_of
from ...syncam_core.video.layout_film import angle_captions
from ...syncam_core.video.preview_file import PreviewWriter, digest_of, frames_of_file, plays_in_browsers
from ...syncam_core.video.view_files import SavedViews
from ..host.output_files import disk_sentences, temp_folder, ticking
from ..host.video import clips_of
from ..shared.checks import names_and_colors
from ..shared.errors import refusal
from ..shared.inputs import footage_input, fps_input, rig_input
from ..shared.node import SynCamNode
from ..shared.socket_types import FilesType

PREFIX = "syncam_player"


class Shown:
    """The files that players have been told to play, in this run of the host."""

    def __init__(self) -> None:
        self.paths: set[Path] = set()
        self.losses = 0

    def count_losses(self) -> int:
        """How often some of the files have been found gone: a new number each time, so that players run again."""
        gone = {path for path in self.paths if not path.is_file()}
        self.paths -= gone
        self.losses += bool(gone)
        return self.losses


SHOWN = Shown()


class SynCamPlayer(SynCamNode):
    @classmethod
    def define_schema(cls):
        views = footage_input()
        views.optional = True
        return io.Schema(
            node_id="SynCamPlayer",
            display_name="SynCam Player",
            category="SynCam/Footage",
            description=(
                "Plays all views on one clock: scrub, loop, change the speed, look at one view, at all, or at two with a "
                "wipe. Number keys switch the camera while it plays and record the cuts for SynCam Edit."
            ),
            search_aliases=[
                "multicam",
                "multi view player",
                "compare videos",
                "scrubber",
                "wipe",
                "live switching",
                "multicam player",
                "davinci",
            ],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                views,
                FilesType.Input(
                    "files",
                    optional=True,
                    tooltip="The files that SynCam Save Views or SynCam Render Views wrote; they are played instead of "
                    "'views'.",
                ),
                fps_input("Frames per second of 'views'; files have their own."),
                io.String.Input(
                    "cuts",
                    default="",
                    multiline=True,
                    tooltip="The cut list, like '0 A; 24 B; 48 A': which camera is on screen from which frame on. The "
                    "player records it here, and it can be typed (see SynCam Edit).",
                ),
                rig_input(),
            ],
            outputs=[io.String.Output(display_name="cuts", tooltip="The cut list, for SynCam Edit.")],
        )

    @classmethod
    def validate_inputs(cls, cuts: Sequence[str | None] = ("",)) -> bool | str:
        return refusal("SynCamPlayer", entries_of, cuts, str)

    @classmethod
    def fingerprint_inputs(cls, **_) -> int:
        # The host would answer an unchanged run from its cache, whose files may have been deleted or moved since.
        return SHOWN.count_losses()

    @classmethod
    def execute(
        cls,
        fps: list[float],
        cuts: list[str],
        views: list[Tensor | Input.Video] | None = None,
        files: list[SavedViews] | None = None,
        rig: list[Rig] | None = None,
    ) -> io.NodeOutput:
        if files:
            shown = of_files(files, rig)
        elif views:
            shown = of_views(views, frame_rate(fps[0]), rig)
        else:
            raise UserError(
                "there is nothing to play; connect the views of SynCam Decode Views to 'views', or the files of "
                "SynCam Save Views to 'files'."
            )
        # A list that was made for other views does not keep anybody from looking at these; the edit refuses it.
        SHOWN.paths.update(path_of(view["file"]) for view in shown["views"])
        shown |= {"cuts": cuts[0], "problem": problem_of(cuts[0], shown)}
        return io.NodeOutput(cuts[0], ui={"syncam_player": [shown]})


# ---- what the widget plays, as JSON: see web/js/player/player.mjs


def of_views(views: list[Tensor | Input.Video], rate: Fraction, rig: list[Rig] | None) -> dict[str, Json]:
    names, colors = names_and_colors(rig, len(views))
    clips = clips_of(views, names, BITS_8)
    for clip in clips:
        check_video_size(clip.height, clip.width)
    progress = comfy.utils.ProgressBar(len(clips) * len(clips[0]))
    played = [preview_of_clip(clip, slug, rate, progress) for clip, slug in zip(clips, file_slugs(names), strict=True)]
    sizes = [(clip.height, clip.width) for clip in clips]
    return playable(names, colors, sizes, played, played, len(clips[0]), rate, rig)


def of_files(files: list[SavedViews], rig: list[Rig] | None) -> dict[str, Json]:
    if len(files) > 1:
        raise UserError(f"'files' holds {len(files)} runs; connect the files of one.", field="files")
    (saved,) = files
    names, colors = (list(saved.names), list(saved.colors)) if not rig else names_and_colors(rig, len(saved.files))
    downloads = [place(file, saved.subfolder, saved.kind) for file in saved.files]
    played = []
    progress = comfy.utils.ProgressBar(len(saved.files) * saved.frames)
    for file, slug, original in zip(saved.files, file_slugs(names), downloads, strict=True):
        path = Path(saved.folder) / file
        if not path.is_file():
            raise UserError(f"'{file}' is no longer in the folder '{saved.folder}'; save the views again.")
        if plays_in_browsers(path):
            played.append(original)
            progress.update(saved.frames)
        else:
            played.append(preview_of_file(path, slug, saved.fps, progress))
    return playable(names, colors, list(saved.sizes), played, downloads, saved.frames, saved.fps, rig)


def playable(
    names: list[str],
    colors: list[str],
    sizes: list[tuple[int, int]],  # (height, width) of each view's pictures
    played: list[dict],
    downloads: list[dict],
    frames: int,
    rate: Fraction,
    rig: list[Rig] | None,
) -> dict[str, Json]:
    angles = angle_captions(rig[0]) if rig else [""] * len(names)
    return {
        "frames": frames,
        "fps": [rate.numerator, rate.denominator],
        "views": [
            {
                "name": name,
                "color": color,
                "angles": caption,
                "height": height,
                "width": width,
                "file": file,
                "download": download,
            }
            for name, color, caption, (height, width), file, download in zip(
                names, colors, angles, sizes, played, downloads, strict=True
            )
        ],
    }


def problem_of(cuts: str, shown: dict[str, Json]) -> str:
    """What keeps a cut list from being a film of these views, in a sentence, or ""."""
    try:
        names = [view["name"] for view in shown["views"]]
        cuts_of(cuts, shown["frames"], Fraction(*shown["fps"]), names)
    except UserError as problem:
        return str(problem)
    return ""


# ---- temporary previews


def preview_of_clip(clip: Clip, slug: str, rate: Fraction, progress: comfy.utils.ProgressBar) -> dict:
    """The clip as a file in the host's temporary folder; one that is there already is used again."""
    return temporary_file(f"{digest_of(clip, rate)}_{slug}", in_order(clip), len(clip), rate, progress)


def preview_of_file(path: Path, slug: str, rate: Fraction, progress: comfy.utils.ProgressBar) -> dict:
    """A copy that browsers play of a file that they do not."""
    facts = path.stat()
    key = f"{path.resolve()} {facts.st_mtime_ns} {facts.st_size} {rate}"
    name = f"{hashlib.blake2b(os.fsencode(key), digest_size=10).hexdigest()}_{slug}"
    return temporary_file(name, frames_of_file(path), 0, rate, progress)


def temporary_file(
    name: str, frames: Iterable[np.ndarray], count: int, rate: Fraction, progress: comfy.utils.ProgressBar
) -> dict:
    file, tick = f"{PREFIX}_{name}.mp4", ticking(progress)
    with disk_sentences(folder_paths.get_temp_directory()):
        path = temp_folder() / file
        if path.is_file():
            progress.update(count)
        else:
            with PreviewWriter(path, rate) as video:
                for frame in frames:
                    video.write(frame)
                    tick()
    return place(file, "", "temp")


def place(file: str, subfolder: str, kind: str) -> dict[str, str]:
    """Where the host's /view route finds a file."""
    return {"filename": file, "subfolder": subfolder, "type": kind}


def path_of(place: dict[str, str]) -> Path:
    return Path(folder_paths.get_directory_by_type(place["type"]), place["subfolder"], place["filename"])


NODES = (SynCamPlayer,)
