"""A take as files for somebody who has none of this: a page for any browser, a recording for Rerun."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import comfy.utils
from comfy_api.latest import io

from ...syncam_core.cameras import Rig
from ...syncam_core.take_files.page import INSIDE, PLACES, check_page, steps_of_page, words_of, write_page
from ...syncam_core.take_files.rerun_file import PICTURES, VIDEOS, check_rerun, steps_of_rerun, write_rerun
from ...syncam_core.take_files.take import ToldTake, take_of_files
from ...syncam_core.video import frame_rate
from ...syncam_core.video.view_files import SavedViews
from ..host.output_files import normal_prefix, own_place, saved, temp_folder, ticking
from ..shared.inputs import fps_input
from ..shared.node import SynCamNode
from ..shared.socket_types import FilesType, RigType

LOCALES = Path(__file__).resolve().parents[2] / "locales"
LARGEST_SIDE = 16_384  # of a picture


class SynCamSavePage(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamSavePage",
            display_name="SynCam Save Page",
            category="SynCam/Footage",
            description=(
                "Saves a take as one web page for somebody who has none of this: the cameras in space with their videos on "
                "them, on one clock. It opens by a double click, without a network, on computers and phones."
            ),
            search_aliases=["html", "web page", "share take", "3d viewer", "three.js", "send to client", "export html"],
            is_output_node=True,
            inputs=[
                *take_inputs(),
                io.Combo.Input(
                    "video_files",
                    options=list(PLACES),
                    default=INSIDE,
                    tooltip="in the page: one file, which is what can be sent. beside the page: a folder of scripts, for "
                    "videos that are too large for one file; keep the two together.",
                ),
                prefix_of_take(".html"),
                *rig_only_inputs(),
            ],
            outputs=[path_output("The page.")],
        )

    @classmethod
    def validate_inputs(cls, filename_prefix: str | None = None) -> bool | str:
        return True if filename_prefix is None else cls.judged(normal_prefix, filename_prefix)

    @classmethod
    def execute(
        cls,
        rig: Rig,
        files: SavedViews | None = None,
        caption: str = "",
        video_files: str = INSIDE,
        filename_prefix: str = "syncam/take",
        fps: float = 15.0,
        width: int = 832,
        height: int = 480,
    ) -> io.NodeOutput:
        take = take_of(rig, files, caption, fps, width, height)
        check_page(take, video_files)
        progress = comfy.utils.ProgressBar(max(1, steps_of_page(take)))
        with (
            place_of(take, filename_prefix) as place,
            tempfile.TemporaryDirectory(prefix="syncam_page_", dir=temp_folder()) as scratch,
        ):
            write_page(
                take, place.stage, place.stem, words_of(LOCALES), "", video_files, ticking(progress), Path(scratch)
            )
        return done(place, ".html")


class SynCamSaveRerun(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamSaveRerun",
            display_name="SynCam Save Rerun",
            category="SynCam/Footage",
            description=(
                "Saves a take as a recording for the Rerun viewer (.rrd): cameras, their videos and paths, and where they "
                "look, over frames and seconds. Needs the package rerun-sdk, and a viewer of the same version or newer."
            ),
            search_aliases=["rrd", "rerun.io", "rerun viewer", "visualize cameras", "robotics viewer", "export rerun"],
            is_output_node=True,
            inputs=[
                *take_inputs(),
                io.Combo.Input(
                    "pictures",
                    options=list(PICTURES),
                    default=VIDEOS,
                    tooltip="videos: the files as they are; the viewer needs FFmpeg on its machine for H.264 and H.265. "
                    "jpeg: a picture for each frame, several times as large, which any viewer shows.",
                ),
                prefix_of_take(".rrd"),
                *rig_only_inputs(),
            ],
            outputs=[path_output("The recording.")],
        )

    @classmethod
    def validate_inputs(cls, filename_prefix: str | None = None) -> bool | str:
        return True if filename_prefix is None else cls.judged(normal_prefix, filename_prefix)

    @classmethod
    def execute(
        cls,
        rig: Rig,
        files: SavedViews | None = None,
        caption: str = "",
        pictures: str = VIDEOS,
        filename_prefix: str = "syncam/take",
        fps: float = 15.0,
        width: int = 832,
        height: int = 480,
    ) -> io.NodeOutput:
        take = take_of(rig, files, caption, fps, width, height)
        check_rerun(take, pictures)
        progress = comfy.utils.ProgressBar(steps_of_rerun(take, pictures))
        with place_of(take, filename_prefix) as place:
            write_rerun(take, place.stage / f"{place.stem}.rrd", place.stem, pictures, ticking(progress))
        return done(place, ".rrd")


# ---- what both have


def take_inputs() -> list:
    return [
        RigType.Input("rig", tooltip="The cameras that the views were made with."),
        FilesType.Input(
            "files",
            optional=True,
            tooltip="The saved views: from SynCam Save Views or SynCam Render Views. Without them the cameras are shown "
            "alone.",
        ),
        io.String.Input(
            "caption",
            default="",
            multiline=True,
            tooltip="What the take shows, for whoever opens it. Connect the prompt, or leave it empty.",
        ),
    ]


def prefix_of_take(suffix: str) -> io.String.Input:
    return io.String.Input(
        "filename_prefix",
        default="syncam/take",
        tooltip=f"Folder and beginning of the name, inside the output folder: <prefix>_<number>{suffix}. May hold "
        "%date:yyyy-MM-dd%.",
    )


def rig_only_inputs() -> list:
    return [
        fps_input(
            tooltip="Frames per second of cameras that move, where no files are connected; files have their own.",
            optional=True,
        ),
        io.Int.Input(
            "width",
            default=832,
            min=1,
            max=LARGEST_SIDE,
            optional=True,
            tooltip="Of the cameras' pictures in pixels, where no files are connected.",
        ),
        io.Int.Input(
            "height",
            default=480,
            min=1,
            max=LARGEST_SIDE,
            optional=True,
            tooltip="Of the cameras' pictures in pixels, where no files are connected.",
        ),
    ]


def path_output(what: str) -> io.Output:
    return io.String.Output(display_name="path", tooltip=f"{what[:-1]}: its full path.")


def take_of(rig: Rig, files: SavedViews | None, caption: str, fps: float, width: int, height: int) -> ToldTake:
    if files is not None:
        return take_of_files(rig, files, caption)
    return ToldTake(rig, frame_rate(fps), rig.frames, ((height, width),) * rig.views, caption=caption)


@dataclass(frozen=True)
class Place:
    stage: Path
    folder: Path
    subfolder: str
    stem: str


@contextmanager
def place_of(take: ToldTake, prefix: str) -> Iterator[Place]:
    height, width = take.shown_sizes[0]
    with own_place(normal_prefix(prefix), height, width) as place:
        yield Place(*place)


def done(place: Place, suffix: str) -> io.NodeOutput:
    """The path, and for web/js/saved_links.js where the file is and how large."""
    file = place.folder / f"{place.stem}{suffix}"
    beside = place.folder / f"{place.stem}_videos"
    size = sum(path.stat().st_size for path in (file, *(beside.iterdir() if beside.is_dir() else ())))
    link = {"filename": file.name, "subfolder": place.subfolder, "type": "output", "bytes": size}
    link["beside"] = beside.name if beside.is_dir() else ""
    return io.NodeOutput(str(file), ui={"syncam_links": [link], "files": [saved(file.name, place.subfolder)]})


NODES = (SynCamSavePage, SynCamSaveRerun)
