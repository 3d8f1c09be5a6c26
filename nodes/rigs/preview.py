"""Nodes that show a rig and judge it, before anything is generated."""

from __future__ import annotations

import torch
from comfy_api.latest import io, ui
from numpy import ndarray

from ...syncam_core.cameras import Rig
from ..shared.node import SynCamNode
from .inputs import CATEGORY, rig_given, rig_output

THUMBNAIL_ASPECT = 832 / 480  # the size that the released weights know


class SynCamRigPreview(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigPreview",
            display_name="SynCam Rig Preview",
            category=CATEGORY,
            description=(
                "Draws a rig, in perspective and from above, and shows what each camera sees of a figure on a floor. "
                "Needs no model and takes less than a second for a few cameras."
            ),
            search_aliases=["camera preview", "show cameras", "camera frustum", "rig view", "camera visualizer"],
            is_output_node=True,
            inputs=[
                rig_given("The cameras, from any SynCam rig node. The first is the reference."),
                io.Int.Input(
                    "width", default=1280, min=64, max=4096, step=16, tooltip="Width of the drawing in pixels."
                ),
                io.Int.Input(
                    "height", default=720, min=64, max=4096, step=16, tooltip="Height of the drawing in pixels."
                ),
                io.Int.Input(
                    "thumbnail_width",
                    default=320,
                    min=32,
                    max=2048,
                    step=8,
                    tooltip="Width in pixels of what each camera sees; the height follows as in 832 x 480.",
                ),
                io.Int.Input(
                    "frame",
                    default=0,
                    min=0,
                    max=100_000,
                    tooltip="Which frame of moving cameras the thumbnails show, counted from 0. "
                    "Cameras that stand still look the same at all of them.",
                ),
                io.Float.Input(
                    "figure_scale",
                    default=1.0,
                    min=0.01,
                    max=1000.0,
                    step=0.1,
                    tooltip="Size of the figure: 1 is 1.4 m tall. For a table-top or a landscape, make it the size of "
                    "what you film. It changes no camera.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="drawing",
                    tooltip="The rig in perspective and from above, with numbers, names, distances, the range that "
                    "the released weights know, and each camera's verdict.",
                ),
                io.Image.Output(
                    display_name="thumbnails",
                    tooltip="What each camera sees: a batch with one labelled picture per camera, in the rig's order.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, rig: Rig, width: int, height: int, thumbnail_width: int = 320, frame: int = 0, figure_scale: float = 1.0
    ) -> io.NodeOutput:
        from ...syncam_core.cameras.meter import measure
        from ...syncam_core.preview import draw_rig, thumbnail_sheet, thumbnails

        meter = measure(rig)
        drawing = as_image(draw_rig(rig, width, height, figure_scale=figure_scale, meter=meter))
        thumbnail_height = max(16, round(thumbnail_width / THUMBNAIL_ASPECT / 8) * 8)
        seen = thumbnails(rig, thumbnail_width, thumbnail_height, frame=frame, figure_scale=figure_scale, meter=meter)
        shown = ui.PreviewImage(drawing, cls=cls).as_dict()
        shown["images"] = [*shown["images"], *ui.PreviewImage(as_image(thumbnail_sheet(seen)), cls=cls).values]
        return io.NodeOutput(drawing, seen, ui=shown)


class SynCamRigMeter(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigMeter",
            display_name="SynCam Rig Meter",
            category=CATEGORY,
            description=(
                "Holds a rig against what the released weights were trained on: still cameras with one lens that look "
                "at one point, in pairs less than 30 degrees of azimuth and 15 of elevation apart. Gives a verdict for "
                "every camera, the best reference, and cameras that would bridge wide gaps. Cameras that begin at one "
                "pose and move are held against ReCamMaster's trajectories instead."
            ),
            search_aliases=["in distribution", "camera check", "rig check", "training range", "camera angles"],
            is_output_node=True,
            inputs=[rig_given("The cameras, from any SynCam rig node. The first is the reference.")],
            outputs=[
                io.String.Output(display_name="text", tooltip="The findings as a few lines, also shown on the node."),
                io.String.Output(
                    display_name="json",
                    tooltip="The findings as JSON: all views and pairs, the common look-at point, bridge cameras that "
                    "can be pasted into a rig JSON.",
                ),
                io.Boolean.Output(
                    display_name="inside", tooltip="Whether every camera is inside the range that the weights know."
                ),
                rig_output("The same cameras with the best reference first; the others keep their order."),
            ],
        )

    @classmethod
    def execute(cls, rig: Rig) -> io.NodeOutput:
        from ...syncam_core.cameras.meter import measure, to_json, to_text

        meter = measure(rig)
        text = to_text(meter)
        best = meter.best_reference
        best_first = rig.select([best, *(view for view in range(len(meter.views)) if view != best)])
        return io.NodeOutput(text, to_json(meter), meter.verdict == "inside", best_first, ui=ui.PreviewText(text))


def as_image(picture: ndarray) -> torch.Tensor:  # (height, width, 3) uint8 -> (1, height, width, 3) in 0..1
    return torch.from_numpy(picture)[None].float() / 255


NODES = (SynCamRigPreview, SynCamRigMeter)
