"""Views with their cameras as a dataset that training and trainers read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import comfy.utils
import folder_paths
from comfy_api.latest import Input, io, ui
from torch import Tensor

from ...syncam_core.cameras import Rig
from ...syncam_core.cameras.spoken import choose_cameras
from ...syncam_core.disk.names import checked_folder, checked_name, is_taken
from ...syncam_core.errors import UserError
from ...syncam_core.video import frame_rate
from ...syncam_core.video.clip import BITS_8
from ...syncam_core.video.codecs import DATASET_CRF
from ..host.output_files import disk_sentences, ticking, workflow_tags
from ..host.video import clips_of
from ..shared.checks import counted_noun, names_and_colors
from ..shared.errors import refusal, sentences_of
from ..shared.inputs import NULL_TEXT, fps_input
from ..shared.node import SynCamNode
from ..shared.socket_types import RigType

if TYPE_CHECKING:
    from ...syncam_core.datasets import Training

CATEGORY = "SynCam/Footage"
# The keys of LAYOUTS and POINTS in syncam_core.datasets, which is slow to import.
LAYOUTS = ("syncamvideo", "nerfstudio", "colmap", "nerfstudio_4d", "colmap_4d", "dnerf")
POINTS = ("none", "seeded", "triangulated")
POINTS_OF = ("first frame", "every frame")
IN_USE = ("refuse", "keep it")


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


def training_of(
    points: str, points_of: str, hold_out: str, names: Sequence[str], masks: Sequence[Tensor | None]
) -> Training:
    """Raises UserError for cameras that there are not."""
    from ...syncam_core.datasets import Training

    held_out = choose_cameras(hold_out, names, "hold_out") if hold_out.strip() not in ("", NULL_TEXT) else []
    given = tuple(mask[None] if mask.ndim == 2 else mask for mask in masks if mask is not None)
    return Training(points, tuple(sorted(held_out)), given, every_frame=points_of == POINTS_OF[1])


NODES = (SynCamExportDataset,)
