"""The node that measures whether the cameras that the views show stand as they were asked to."""

from __future__ import annotations

import json
from collections.abc import Mapping

import comfy.model_management
import comfy.utils
import torch
from comfy_api.latest import io, ui
from torch import Tensor

from ...syncam_core.cameras import Rig
from ...syncam_core.metrics.camera_accuracy import (
    LENSES,
    TRAINING_DATA,
    camera_accuracy,
    depth_anything_accuracy,
    moments_of,
    with_opinion,
)
from ...syncam_core.metrics.matching import MATCHERS, matcher_of
from ...syncam_core.preview.accuracy_picture import ShownMatches, draw_accuracy
from ...syncam_core.video.clip import FLOAT, ImageClip
from ..host.model_folder import metrics_folders
from ..host.output_files import ticking
from ..shared.checks import check_views, common_frame_count, names_and_colors
from ..shared.inputs import views_input
from ..shared.node import SynCamNode
from ..shared.socket_types import GeometryType, RigType


class SynCamCameraAccuracy(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamCameraAccuracy",
            display_name="SynCam Camera Accuracy",
            category="SynCam",
            description=(
                "Measures whether the views were taken from where the rig's cameras stand: it matches each view with "
                "the first one, finds how their cameras stand to each other, and compares with the rig (RotErr and "
                "TransErr, as in the paper's Table 4). Needs no weights with the matcher sift."
            ),
            search_aliases=[
                "RotErr TransErr",
                "camera pose error",
                "CameraCtrl metric",
                "relative pose",
                "essential matrix",
                "SIFT XFeat ALIKED DISK LightGlue",
                "do my cameras do what I asked",
            ],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                views_input(", all of the same length, at least two."),
                RigType.Input(
                    "rig", tooltip="The rig that the views were made with: one camera per view, in the same order."
                ),
                io.Combo.Input(
                    "matcher",
                    options=list(MATCHERS),
                    default="sift",
                    tooltip=(
                        "What finds the same points in two views. sift needs no file. xfeat (fast), aliked and disk "
                        "(both for larger angles) need theirs in models/syncam_metrics; the message says which."
                    ),
                ),
                io.Combo.Input(
                    "lens",
                    options=list(LENSES),
                    default=TRAINING_DATA,
                    tooltip=(
                        "Through which lens the views were made. The model has none to set and paints as in its "
                        "training data, 24 mm on a sensor of 23.76 mm, whatever the rig says. Choose rig for renderings "
                        "and footage that were made with the rig's own lenses. A wrong lens makes wrong errors."
                    ),
                ),
                io.Int.Input(
                    "every",
                    default=8,
                    min=1,
                    max=4096,
                    tooltip="Measures every so many frames, from the first: 8 measures 11 of 81 frames.",
                ),
                GeometryType.Input(
                    "da3_geometry",
                    optional=True,
                    tooltip=(
                        "A second opinion: Run Depth Anything 3 in multiview mode on one picture per view of a moment "
                        "(Small or Base model). One for the first frame, or a list with one for each measured frame."
                    ),
                ),
            ],
            outputs=[
                io.String.Output(display_name="text", tooltip="The numbers as a few lines of text."),
                io.Float.Output(
                    display_name="rot_err_deg",
                    tooltip="Mean angle in degrees between found and asked rotations. Not a number where nothing could "
                    "be measured. Rendered truth has about 0.1.",
                ),
                io.Float.Output(
                    display_name="trans_err",
                    tooltip="Mean distance between found and asked directions of position, 0 (the same) to 2 "
                    "(opposite). Rendered truth has below 0.01.",
                ),
                io.String.Output(display_name="json", tooltip="All numbers as JSON, for a file or a script."),
                io.Image.Output(
                    display_name="picture",
                    tooltip="Asked cameras in colour and found ones in white, the matches of two views, and both "
                    "errors over time.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        views: list[Tensor],
        rig: list[Rig],
        matcher: list[str],
        lens: list[str],
        every: list[int],
        da3_geometry: list[Mapping[str, object]] | None = None,
    ) -> io.NodeOutput:
        check_views(views)
        names, _ = names_and_colors(rig, len(views))
        moments = moments_of(common_frame_count(views, names), every[0])
        clips = [ImageClip(view, FLOAT) for view in views]
        found = matcher_of(matcher[0], metrics_folders(), comfy.model_management.get_torch_device())
        shown = ShownMatches()
        progress = comfy.utils.ProgressBar(len(moments) * (len(views) - 1))
        accuracy = camera_accuracy(
            clips,
            rig[0],
            found,
            lens=lens[0],
            every=every[0],
            on_pair=ticking(progress),
            on_matches=shown.keep,
        )
        if da3_geometry:
            accuracy = with_opinion(accuracy, *depth_anything_accuracy(da3_geometry, rig[0], moments))
        picture = torch.from_numpy(draw_accuracy(accuracy, clips, rig[0], shown)).float()[None] / 255
        document = json.dumps(accuracy.to_json(), allow_nan=False)
        return io.NodeOutput(
            accuracy.to_text(),
            accuracy.rot_err_deg,
            accuracy.trans_err,
            document,
            picture,
            ui=ui.PreviewImage(picture, cls=cls),
        )


NODES = (SynCamCameraAccuracy,)
