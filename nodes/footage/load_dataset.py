"""Views with their cameras out of a dataset, one written here or elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import comfy.utils
import folder_paths
import torch
from comfy_api.latest import io
from torch import Tensor

from ...syncam_core.errors import UserError
from ...syncam_core.formats.files import is_leftover
from ..host.output_files import ticking
from ..host.video import check_memory
from ..shared.checks import counted_noun
from ..shared.errors import sentences_of
from ..shared.inputs import unit_input
from ..shared.node import SynCamNode
from ..shared.socket_types import RigType
from .export_dataset import LAYOUTS

if TYPE_CHECKING:
    from ...syncam_core.datasets import StoredScene

CATEGORY = "SynCam/Footage"
UNKNOWN_FPS = 15  # the training data's


class SynCamLoadDataset(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamLoadDataset",
            display_name="SynCam Load Dataset",
            category=CATEGORY,
            description=(
                "Reads a scene of a dataset back as views with their cameras, and says what is wrong with it: scenes of "
                "SynCam Export Dataset, of SynCamVideo, and folders of nerfstudio or COLMAP."
            ),
            search_aliases=["read dataset", "load scene", "syncamvideo", "transforms.json", "colmap images"],
            inputs=[
                io.String.Input(
                    "dataset",
                    default="syncam/dataset",
                    tooltip="The folder of a dataset, or of one scene, below the output or input folder.",
                ),
                io.Combo.Input(
                    "below",
                    options=["output", "input"],
                    default="output",
                    tooltip="The folder of ComfyUI in which the dataset is.",
                ),
                io.Int.Input(
                    "scene",
                    default=1,
                    min=1,
                    max=10_000_000,
                    tooltip="Which scene of the dataset, counted from 1 in natural order of their names.",
                ),
                io.String.Input(
                    "cameras",
                    default="",
                    tooltip="Which cameras, and in which order: names or numbers, like '1, 3' or 'left, right'. The "
                    "first becomes view 0. Empty means all.",
                ),
                io.Int.Input(
                    "first_frame",
                    default=0,
                    min=0,
                    max=100_000,
                    tooltip="The first frame to load, counted from 0.",
                ),
                io.Int.Input(
                    "frames",
                    default=0,
                    min=0,
                    max=100_000,
                    tooltip="How many frames to load; 0 means all that follow.",
                ),
                io.Combo.Input(
                    "layout",
                    options=["auto", *LAYOUTS],
                    default="auto",
                    tooltip="What the scene must be; 'auto' takes any.",
                ),
                unit_input(
                    "Metres in one unit of nerfstudio's or COLMAP's files, where another program wrote them: these "
                    "formats do not say it. 0 is for scenes of SynCam Export Dataset, and for SynCamVideo.",
                    default=0.0,
                    least=0.0,
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="views",
                    is_output_list=True,
                    tooltip="A list: one batch of frames per view, in the order of the cameras.",
                ),
                RigType.Output(
                    display_name="rig", tooltip="The cameras; moving ones have a pose for every frame loaded."
                ),
                io.String.Output(display_name="caption", tooltip="What the scene shows; empty where no file says it."),
                io.Float.Output(
                    display_name="fps",
                    tooltip="Frames per second; 15 where no file says it, as in folders of pictures by others.",
                ),
                io.String.Output(display_name="name", tooltip="The scene's folder, relative to the folder chosen."),
            ],
        )

    @classmethod
    def fingerprint_inputs(
        cls, dataset: str | None = None, below: str | None = None, scene: int | None = None, **others: object
    ) -> str:
        if dataset is None or below is None or scene is None:  # linked: what is linked says when it changes
            return ""
        with sentences_of("SynCamLoadDataset"):
            return files_state(cls.scene_of(dataset, below, scene))

    @classmethod
    def execute(
        cls,
        dataset: str,
        below: str = "output",
        scene: int = 1,
        cameras: str = "",
        first_frame: int = 0,
        frames: int = 0,
        layout: str = "auto",
        unit_m: float = 0.0,
    ) -> io.NodeOutput:
        from ...syncam_core.datasets import open_scene

        path = cls.scene_of(dataset, below, scene)
        found = open_scene(path, cameras, layout, unit_m or None)
        count = frames_wanted(found, first_frame, frames)
        rig = found.rig
        about = f"{counted_noun(rig.views, 'camera')}, {counted_noun(count, 'frame')} of {found.width} x {found.height}"
        remedy = "load fewer with 'cameras' or 'frames'"
        check_memory(f"scene {found.name!r}", about, rig.views * count, found.height, found.width, remedy)
        rig = rig.cut(first_frame, count)
        tick = ticking(comfy.utils.ProgressBar(count * rig.views))
        views = [loaded(found, view, first_frame, count, tick) for view in range(rig.views)]
        name = path.relative_to(root_of(below)).as_posix()
        return io.NodeOutput(views, rig, found.caption, float(found.fps or UNKNOWN_FPS), name)

    @classmethod
    def scene_of(cls, dataset: str, below: str, scene: int) -> Path:
        from ...syncam_core.datasets import scenes_in

        folder = folder_of(dataset, below)
        scenes = scenes_in(folder)
        if not scenes:
            raise UserError(
                f"'dataset' is {dataset[:100]!r}, but this folder holds no scenes; they have videos/, frame_00000/, "
                "transforms.json or a COLMAP model in them.",
                field="dataset",
            )
        if not 1 <= scene <= len(scenes):
            raise UserError(
                f"'scene' is {scene}, but the dataset has {counted_noun(len(scenes), 'scene')}; use 1 to {len(scenes)}.",
                field="scene",
            )
        return scenes[scene - 1]


def root_of(below: str) -> Path:
    """The host's folder, as the disk knows it."""
    folders = {"output": folder_paths.get_output_directory, "input": folder_paths.get_input_directory}
    if below not in folders:
        raise UserError(f"'below' is {str(below)[:40]!r}; possible are output and input.", field="below")
    return Path(os.path.realpath(folders[below]()))


def folder_of(dataset: str, below: str) -> Path:
    """A folder below the host's. Raises UserError for one that is elsewhere, or that is not there."""
    root = root_of(below)
    given = f"'dataset' is {str(dataset)[:100]!r}"
    if not isinstance(dataset, str) or not dataset.strip():
        raise UserError(f"{given}, which names no folder; give that of a dataset in the {below} folder.")
    try:
        path = Path(os.path.realpath(root / dataset.strip().replace("\\", "/")))
        inside = path != root and os.path.commonpath([root, path]) == str(root)
    except ValueError:  # a null byte, or another drive
        inside = False
    if not inside:
        raise UserError(f"{given}, which leads out of the {below} folder; give a path relative to it.")
    if not path.is_dir():
        raise UserError(
            f"{given}, but there is no such folder in the {below} folder; write one with SynCam Export Dataset."
        )
    return path


def files_state(folder: Path) -> str:
    """A text that changes when a file of a scene does."""
    states = []
    for at, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_leftover(name))
        for file in sorted(name for name in files if not is_leftover(name)):
            status = os.lstat(os.path.join(at, file))
            states.append((at, file, status.st_mtime_ns, status.st_size))
    return str(hash(tuple(states)))


def frames_wanted(found: StoredScene, first_frame: int, frames: int) -> int:
    left = found.frames - first_frame
    if left < max(1, frames):
        raise UserError(
            f"'first_frame' is {first_frame} and 'frames' is {frames}, but scene {found.name!r} has "
            f"{counted_noun(found.frames, 'frame')}, counted from 0; ask for fewer.",
            field="first_frame",
        )
    return frames or left


def loaded(found: StoredScene, view: int, first: int, count: int, tick: Callable[[], None]) -> Tensor:
    images = torch.empty(count, found.height, found.width, 3)
    for image, picture in zip(images, found.pictures(view, first, count), strict=True):
        image.copy_(torch.from_numpy(picture.copy())).div_(255)
        tick()
    return images


NODES = (SynCamLoadDataset,)
