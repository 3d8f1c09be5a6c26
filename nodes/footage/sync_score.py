"""The node that measures how well views agree with each other and with their cameras."""

from __future__ import annotations

import json
import math

from comfy_api.latest import io, ui
from torch import Tensor

from ...syncam_core.cameras import Rig
from ...syncam_core.metrics import NoSubject, demo_reference_c2w, score_scene
from ...syncam_core.metrics.picture import score_picture
from ..shared.checks import check_views, common_frame_count, names_and_colors
from ..shared.inputs import views_input
from ..shared.node import SynCamNode
from ..shared.socket_types import RigType


class SynCamSyncScore(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamSyncScore",
            display_name="SynCam Sync Score",
            category="SynCam",
            description=(
                "Measures whether the views show the same moment of one world from the rig's cameras. It locates ONE "
                "strongly coloured subject on a pale background, as in the demo world of SynCam Demo Model, and is "
                "not meant for arbitrary footage."
            ),
            search_aliases=["syncammaster metric", "multi view consistency", "reprojection error", "epipolar error"],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                views_input(", all of the same length."),
                RigType.Input(
                    "rig", tooltip="The rig that the views were made with: one camera per view, in the same order."
                ),
            ],
            outputs=[
                io.String.Output(display_name="score", tooltip="The numbers as a few lines of text."),
                io.Float.Output(
                    display_name="reprojection_px",
                    tooltip="Median distance in pixels between where a view shows the subject and where the other "
                    "views and the cameras say it is. Rendered truth has about 0.3 in a 64 px picture.",
                ),
                io.String.Output(display_name="json", tooltip="All numbers as JSON, for a file or a script."),
                io.Image.Output(
                    display_name="picture",
                    tooltip="A row per view, three moments: the located subject as a dot, where it should be as a "
                    "white cross, and the other views' epipolar lines in their colours.",
                ),
            ],
        )

    @classmethod
    def execute(cls, views: list[Tensor], rig: list[Rig]) -> io.NodeOutput:
        check_views(views)
        names, _ = names_and_colors(rig, len(views))
        common_frame_count(views, names)
        video = [view[..., :3] for view in views]
        try:
            score = score_scene(video, rig[0], reference_c2w=demo_reference_c2w())
            text, pixels, numbers = score.to_text(), score.reprojection_px, score.to_json()
        except NoSubject as nothing:
            # A finding, not a mistake: an error would end the job before nodes after this one save the views.
            text, pixels, numbers = f"not measured: {nothing}", math.nan, {"not_measured": str(nothing)}
        picture = score_picture(video, rig[0])[None]
        document = json.dumps(numbers, allow_nan=False)
        return io.NodeOutput(text, pixels, document, picture, ui=ui.PreviewImage(picture, cls=cls))


NODES = (SynCamSyncScore,)
