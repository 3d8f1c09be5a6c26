"""Nodes for the finished views: decode them, show them side by side, save them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import comfy.utils
from comfy.cli_args import args
from comfy.sd import VAE
from comfy_api.latest import Input, io
from torch import Tensor

from ...syncam_core.cameras import Rig
from ...syncam_core.cameras.json_text import Json, parse_json
from ...syncam_core.cameras.rig import MAX_VIEWS
from ...syncam_core.errors import UserError
from ...syncam_core.video import frame_rate
from ...syncam_core.video.clip import BITS_8, in_order
from ...syncam_core.video.layout import MAX_COLUMNS, Layout, grid_shape
from ...syncam_core.video.layout_film import laid_out
from ...syncam_core.video.view_files import ViewFiles, captions
from ..host.latents import remarks_on_samples, view_latents
from ..host.output_files import normal_prefix, own_place, ticking, view_files_shown, workflow_tags
from ..host.parallel_decode import decode_views
from ..host.sound import heard
from ..host.video import clips_of, film_out
from ..shared.checks import names_and_colors
from ..shared.errors import refusal
from ..shared.inputs import (
    NULL_TEXT,
    audio_input,
    film_outputs,
    folder_input,
    footage_input,
    fps_input,
    layout_input,
    prefix_input,
    rig_input,
)
from ..shared.node import SynCamNode
from ..shared.socket_types import FilesType

LONGEST_SCORE = 2**20  # characters


class SynCamDecodeViews(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamDecodeViews",
            display_name="SynCam Decode Views",
            category="SynCam",
            description=(
                "Decodes the latent of N views into a list of N videos (batches of frames), one view at a time, so "
                "that the decoder needs the memory of one view. Nodes behind it run once for each view."
            ),
            search_aliases=["syncammaster decode", "multi view vae decode"],
            inputs=[
                io.Latent.Input(
                    "latent", tooltip="One batch item per view, as SynCam Sampler or any KSampler gives it."
                ),
                io.Vae.Input("vae", tooltip="The video VAE of the model; for Wan2.1: wan_2.1_vae.safetensors."),
                # Optional, so that jobs from before it was there still run.
                io.Int.Input(
                    "devices",
                    default=1,
                    min=0,
                    max=MAX_VIEWS,
                    optional=True,
                    tooltip="How many GPUs decode, each a view at a time on a copy of the VAE; 0 is all of this machine.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="views",
                    is_output_list=True,
                    tooltip="A list: one batch of frames per view, in the order of the cameras.",
                )
            ],
        )

    @classmethod
    def execute(cls, latent: Input.Latent, vae: VAE, devices: int = 1) -> io.NodeOutput:
        samples = view_latents(latent)
        progress = comfy.utils.ProgressBar(len(samples))
        decoded = decode_views(vae, samples, devices, lambda: progress.update(1))
        return io.NodeOutput(decoded, ui={"remarks": remarks_on_samples(samples)})


class SynCamViewGrid(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamViewGrid",
            display_name="SynCam View Grid",
            category="SynCam",
            description="Puts all views into one picture per frame, with the camera names in the cameras' colours.",
            search_aliases=[
                "syncammaster grid",
                "multi view grid",
                "view combiner",
                "side by side",
                "picture in picture",
            ],
            is_input_list=True,
            inputs=[
                footage_input(),
                io.Int.Input(
                    "columns",
                    default=0,
                    min=0,
                    max=MAX_COLUMNS,
                    tooltip=(
                        "Views per row; 0 chooses the arrangement that shows each view largest on a 16:9 screen. A "
                        "connected layout decides instead."
                    ),
                ),
                io.Boolean.Input(
                    "labels",
                    default=True,
                    tooltip=(
                        "Name each view in its top left corner: with a rig by its camera, else 'view 1', 'view 2'. A "
                        "connected layout decides instead."
                    ),
                ),
                rig_input(),
                layout_input(),
                # Optional, so that jobs from before there was a video still run.
                fps_input("Frames per second of the video output and of timecode.", optional=True),
            ],
            outputs=film_outputs(),
        )

    @classmethod
    def validate_inputs(cls, columns: list[int | None]) -> bool | str:
        return refusal("SynCamViewGrid", check_columns, columns, int)

    @classmethod
    def execute(
        cls,
        views: list[Tensor | Input.Video],
        columns: list[int],
        labels: list[bool],
        rig: list[Rig] | None = None,
        layout: list[Layout] | None = None,
        fps: Sequence[float] = (15.0,),
    ) -> io.NodeOutput:
        check_columns(columns[0])
        rate, own = frame_rate(fps[0]), Layout(columns=columns[0], names=labels[0])
        names, colors = names_and_colors(rig, len(views))
        chosen = layout[0] if layout else own
        angles = captions(rig[0] if rig else None, chosen)
        film = laid_out(clips_of(views, names), chosen, names, colors, rate, angles)
        return io.NodeOutput(*film_out(film, rate))


class SynCamSaveViews(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamSaveViews",
            display_name="SynCam Save Views",
            category="SynCam",
            description=(
                "Saves one mp4 per view, a labelled grid of all views as another mp4, a contact sheet as a picture, "
                "and, with a rig connected, the rig as JSON that SynCam Load Rig reads again. The workflow is kept in "
                "every mp4 and in the sheet: drag one into ComfyUI to get it back."
            ),
            search_aliases=["syncammaster save", "save multi view video", "export views", "contact sheet"],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                footage_input(),
                prefix_input("syncam/views"),
                fps_input("Frames per second."),
                rig_input(),
                # Optional, so that jobs from before there was a sheet still run.
                io.Boolean.Input(
                    "contact_sheet",
                    default=True,
                    optional=True,
                    tooltip=(
                        "Also save one picture with a row per view and six moments of the clip, to judge at a glance "
                        "whether the views show the same thing."
                    ),
                ),
                layout_input("Arranges the grid video otherwise: connect SynCam Layout."),
                io.String.Input(
                    "scores",
                    optional=True,
                    force_input=True,
                    tooltip="The json of SynCam Camera Accuracy, SynCam Sync Score or a list of several: kept in the "
                    "rig's file beside the videos, under metadata. Needs the rig.",
                ),
                audio_input("Every video carries it. Without it, VIDEOs among the views bring their own."),
                folder_input(),
            ],
            outputs=[
                FilesType.Output(
                    display_name="files",
                    tooltip="Which files were written, for SynCam Player and SynCam Save Edit.",
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, filename_prefix: list[str | None]) -> bool | str:
        return refusal("SynCamSaveViews", normal_prefix, filename_prefix, str)

    @classmethod
    def execute(
        cls,
        views: list[Tensor | Input.Video],
        filename_prefix: list[str],
        fps: list[float],
        rig: list[Rig] | None = None,
        contact_sheet: Sequence[bool] = (True,),
        layout: list[Layout] | None = None,
        scores: Sequence[str] = (),
        audio: Sequence[Mapping[str, object] | None] = (None,),
        folder_per_take: Sequence[bool] = (False,),
    ) -> io.NodeOutput:
        prefix, rate = normal_prefix(filename_prefix[0]), frame_rate(fps[0])
        scores = [text for text in scores if text != NULL_TEXT]
        if scores and not rig:
            raise UserError("'scores' are kept in the rig's file; connect 'rig', too.", field="scores")
        names, colors = names_and_colors(rig, len(views))
        clips = clips_of(views, names, BITS_8)
        sounds, remarks = heard(audio[0], views, names, len(clips[0]), rate)
        run = ViewFiles(
            names,
            colors,
            rate,
            rig=rig[0] if rig else None,
            layout=layout[0] if layout else None,
            has_sheet=contact_sheet[0],
            tags=workflow_tags(cls.hidden),
            tells_rig=not args.disable_metadata,
            sounds=sounds,
            scores=[score_of(text) for text in scores],
        )
        run.check(clips)
        progress = comfy.utils.ProgressBar(len(clips[0]) * (len(clips) + 1))
        with own_place(prefix, clips[0].height, clips[0].width, folder_per_take[0]) as (stage, *place):
            files = run.planned(clips, *place)
            run.write(stage, files, [(clip, in_order(clip)) for clip in clips], ticking(progress))
        return io.NodeOutput(files, ui={**view_files_shown(files), **({"remarks": remarks} if remarks else {})})


def check_columns(columns: int) -> None:
    grid_shape(views=1, columns=columns)


def score_of(text: str) -> dict[str, Json]:
    """The JSON object that a metric's node gives. Raises UserError for anything else."""
    try:
        score = parse_json(text, LONGEST_SCORE)
    except UserError as problem:
        raise UserError(f"in 'scores', {problem}", field="scores") from None
    if not isinstance(score, dict):
        raise UserError("'scores' is not a JSON object; connect the json of a metric's node.", field="scores")
    return score


NODES = (
    SynCamDecodeViews,
    SynCamViewGrid,
    SynCamSaveViews,
)
