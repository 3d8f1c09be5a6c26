"""Views with their cameras as a dataset, written and read."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import comfy.utils
import folder_paths
import torch
from comfy_api.latest import Input, io, ui
from torch import Tensor

from ...syncam_core.cameras import Rig
from ...syncam_core.cameras.spoken import choose_cameras
from ...syncam_core.disk.names import checked_folder, checked_name, is_taken
from ...syncam_core.errors import UserError
from ...syncam_core.formats.files import is_leftover
from ...syncam_core.video import frame_rate
from ...syncam_core.video.clip import BITS_8
from ...syncam_core.video.codecs import DATASET_CRF
from ..host.output_files import disk_sentences, ticking, workflow_tags
from ..host.video import check_memory, clips_of
from ..shared.checks import counted_noun, names_and_colors
from ..shared.errors import refusal, sentences_of
from ..shared.inputs import NULL_TEXT, fps_input, unit_input
from ..shared.node import SynCamNode
from ..shared.socket_types import RigType

if TYPE_CHECKING:
    from ...syncam_core.datasets import StoredScene, Training

CATEGORY = "SynCam/Footage"
# The keys of LAYOUTS and POINTS in syncam_core.datasets, which is slow to import.
LAYOUTS = ("syncamvideo", "nerfstudio", "colmap", "nerfstudio_4d", "colmap_4d", "dnerf")
POINTS = ("none", "seeded", "triangulated")
POINTS_OF = ("first frame", "every frame")
IN_USE = ("refuse", "keep it")
UNKNOWN_FPS = 15  # the training data's


class SynCamExportDataset(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamExportDataset",
            display_name="SynCam Export Dataset",
            category=CATEGORY,
            description=(
                "Adds the views with their cameras to a dataset below the output folder, as a scene of its own: in the "
                "layout of SynCamVideo, which the training reads, or as pictures for nerfstudio, COLMAP and Gaussian "
                "splatting, of each moment or of all. A scene appears whole or not at all."
            ),
            search_aliases=[
                *("save dataset", "nerf", "gaussian splatting", "transforms.json", "training data", "4d"),
                *("4dgs", "gsplat", "splatfacto", "d-nerf", "points3d", "point cloud"),
            ],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                # Lazy: where the scene is there already, the sampling behind it does not run again.
                io.MultiType.Input(
                    "views",
                    types=[io.Image, io.Video],
                    lazy=True,
                    tooltip="One video per view, all of the same size and length: the list from SynCam Decode Views, or "
                    "a list of VIDEOs.",
                ),
                RigType.Input("rig", tooltip="The cameras that the views were made with, in the order of the views."),
                io.String.Input(
                    "caption",
                    default="",
                    multiline=True,
                    tooltip="What the scene shows; the training needs it. Connect the prompt. Empty writes none.",
                ),
                io.String.Input(
                    "dataset",
                    default="syncam/dataset",
                    tooltip="The dataset's folder below the output folder. It is made, or grows.",
                ),
                io.Combo.Input(
                    "layout",
                    options=list(LAYOUTS),
                    default="syncamvideo",
                    tooltip="syncamvideo: an mp4 per camera and one camera file. nerfstudio, colmap: a folder per frame "
                    "with PNGs and transforms.json, or a text model. nerfstudio_4d, colmap_4d, dnerf: PNGs of all frames "
                    "in one folder, for 4D trainers; the camera files say the times.",
                ),
                fps_input("Frames per second."),
                io.String.Input(
                    "split",
                    default="",
                    tooltip="A folder within the dataset, like 'train' or 'test'. Empty: none.",
                ),
                io.String.Input(
                    "scene",
                    default="",
                    tooltip="The name of the scene. Empty takes the next number: scene00001, scene00002, ...",
                ),
                io.Combo.Input(
                    "name_in_use",
                    options=list(IN_USE),
                    default=IN_USE[0],
                    tooltip="When the dataset has a scene of this name: stop with a message, or keep that scene and "
                    "sample nothing. With names and 'keep it', a queue that was cut off goes on where it was. Nothing is "
                    "ever replaced.",
                ),
                io.Int.Input(
                    "crf",
                    default=DATASET_CRF,
                    min=0,
                    max=40,
                    tooltip="Quality of the videos in the layout syncamvideo, H.264: 0 loses nothing but colour "
                    f"resolution, {DATASET_CRF} next to nothing, 23 is common. PNGs are exact.",
                ),
                io.Combo.Input(
                    "points",
                    options=list(POINTS),
                    default=POINTS[0],
                    optional=True,  # as hold_out: jobs from before they were there still run
                    tooltip="Points for trainers to start from, coloured from the pictures. seeded: spread over what the "
                    "cameras see in common. triangulated: found in the pictures by COLMAP from these cameras; needs pip "
                    "install pycolmap.",
                ),
                io.String.Input(
                    "hold_out",
                    default="",
                    optional=True,
                    tooltip="Cameras for evaluation alone, not for training: names or numbers, like '2, 4'. Empty: every "
                    "camera is for both.",
                ),
                io.Mask.Input(
                    "masks",
                    optional=True,
                    tooltip="A mask per view, of one frame or of all: white is trained on, black is not.",
                ),
                io.Combo.Input(
                    "points_of",
                    options=list(POINTS_OF),
                    default=POINTS_OF[0],
                    optional=True,
                    tooltip="Where one folder holds all frames (nerfstudio_4d, colmap_4d, dnerf): points of the first "
                    "frame, which trainers that bend one shape over time begin with, or of every frame, each with its "
                    "time. Folders per frame have their own points always.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="scene",
                    tooltip="The scene's folder, relative to the output folder: the 'dataset' of SynCam Load Dataset.",
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, dataset: list[str | None]) -> bool | str:
        return refusal("SynCamExportDataset", dataset_name, dataset, str)

    @classmethod
    def check_lazy_status(
        cls, dataset: list[str], split: list[str], scene: list[str], name_in_use: list[str], **others: object
    ) -> list[str]:
        with sentences_of("SynCamExportDataset"):
            below, name = scene_place(dataset[0], split[0], scene[0])
            return [] if is_there(below, name, name_in_use[0]) else ["views"]

    @classmethod
    def execute(
        cls,
        rig: list[Rig],
        views: Sequence[Tensor | Input.Video | None] = (None,),
        caption: Sequence[str] = ("",),
        dataset: Sequence[str] = ("syncam/dataset",),
        layout: Sequence[str] = LAYOUTS[:1],
        fps: Sequence[float] = (15.0,),
        split: Sequence[str] = ("",),
        scene: Sequence[str] = ("",),
        name_in_use: Sequence[str] = IN_USE[:1],
        crf: Sequence[int] = (DATASET_CRF,),
        points: Sequence[str | None] = POINTS[:1],
        hold_out: Sequence[str] = ("",),
        masks: Sequence[Tensor | None] = (),
        points_of: Sequence[str | None] = POINTS_OF[:1],
    ) -> io.NodeOutput:
        from ...syncam_core.datasets import append_scene, check_take, pictures_and_points, write_take

        below, name = scene_place(dataset[0], split[0], scene[0])
        if is_there(below, name, name_in_use[0]):
            return io.NodeOutput(f"{below}/{name}", ui=ui.PreviewText(f"{below}/{name}\nwas there and was kept"))
        rate = frame_rate(fps[0])
        names, _ = names_and_colors(rig, len(views))
        clips = clips_of(views, names, BITS_8)
        kind = points[0] or POINTS[0]
        training = training_of(kind, points_of[0] or POINTS_OF[0], hold_out[0], names, masks)
        check_take(layout[0], clips, rig[0], caption[0], training)
        tick = ticking(comfy.utils.ProgressBar(pictures_and_points(layout[0], clips, training)))

        def fill(folder: Path) -> None:
            tags = workflow_tags(cls.hidden)
            write_take(folder, layout[0], clips, rig[0], rate, caption[0], crf[0], tags, tick, training)

        try:
            with disk_sentences(below):
                made = append_scene(Path(folder_paths.get_output_directory(), below), fill, name)
        except UserError as problem:
            if name and isinstance(problem.__cause__, FileExistsError):
                raise problem.told(in_use(below, name)) from problem
            raise
        done = f"{below}/{made.name}"
        about = f"{layout[0]}: {counted_noun(len(clips), 'camera')}, {counted_noun(len(clips[0]), 'frame')}"
        return io.NodeOutput(done, ui=ui.PreviewText(f"{done}\n{about}"))


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


# ---- places


def dataset_name(dataset: str) -> str:
    return checked_folder(dataset, "'dataset'")


def scene_place(dataset: str, split: str, scene: str) -> tuple[str, str]:
    """The folder below the output folder that the scene goes into, and the scene's name. Raises UserError."""
    below, part = dataset_name(dataset), checked_name(split, "'split'")
    return f"{below}/{part}" if part else below, checked_name(scene, "'scene'")


def is_there(below: str, name: str, in_use_means: str) -> bool:
    """Whether the scene is there and is to be kept. Raises UserError where it is there and is not."""
    if not name:
        return False
    with disk_sentences(below):
        there = is_taken(Path(folder_paths.get_output_directory(), below), name)
    if there and in_use_means != IN_USE[1]:
        raise UserError(in_use(below, name))
    return there


def in_use(below: str, name: str) -> str:
    return (
        f"'scene' is {name[:60]!r}, but '{below}' has a scene of this name; choose another name, or leave it empty for "
        "the next number."
    )


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


# ---- what trainers read


def training_of(
    points: str, points_of: str, hold_out: str, names: Sequence[str], masks: Sequence[Tensor | None]
) -> Training:
    """Raises UserError for cameras that there are not."""
    from ...syncam_core.datasets import Training

    held_out = choose_cameras(hold_out, names, "hold_out") if hold_out.strip() not in ("", NULL_TEXT) else []
    given = tuple(mask[None] if mask.ndim == 2 else mask for mask in masks if mask is not None)
    return Training(points, tuple(sorted(held_out)), given, every_frame=points_of == POINTS_OF[1])


# ---- loading


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


NODES = (SynCamExportDataset, SynCamLoadDataset)
