"""Nodes between a rig and other cameras: ComfyUI's 3D viewers, CameraCtrl pose lists, and Wan's camera control."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import comfy.model_management
from comfy_api.latest import io

from ...syncam_core.cameras.rig import MAX_VIEWS, Rig
from ...syncam_core.errors import UserError
from ..shared.inputs import in_order, members_input, unit_input
from ..shared.node import SynCamNode
from .inputs import CATEGORY, rig_given, rig_output

Item = TypeVar("Item")
CameraCtrlPoses = io.Custom("CAMERACTRL_POSES")  # list of rows of 19 numbers

ROWS = ("frames", "cameras")
MOST_PIXELS = 16384
WAN_SIZE = "Pixels, the same as of Wan Camera Image to Video: link both."


class SynCamRigFromLoad3D(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigFromLoad3D",
            display_name="SynCam Rig from 3D Cameras",
            category=CATEGORY,
            description=(
                "Cameras of ComfyUI's 3D viewers (camera_info) as a rig, one view for each. The viewer's front is "
                "azimuth 0. The first camera is the reference."
            ),
            search_aliases=["load3d camera", "camera_info", "preview 3d camera", "create camera info", "camera rig"],
            is_input_list=True,
            inputs=[
                members_input(
                    "cameras",
                    io.Load3DCamera.Input(
                        "camera", tooltip="A camera_info of Load 3D, Preview 3D or Create Camera Info."
                    ),
                    MAX_VIEWS,
                    "The cameras, in order; a new socket appears with each. A list of cameras counts for all "
                    "of its items.",
                ),
                unit_input("One unit of the 3D scene in metres: 1 where the scene is in metres, 0.01 for centimetres."),
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def execute(cls, cameras: dict[str, list[dict[str, object]]], unit_m: list[float]) -> io.NodeOutput:
        from ...syncam_core.formats.load3d_camera import rig_from_load3d

        return io.NodeOutput(rig_from_load3d(connected(cameras), unit_m[0]))


class SynCamRigToLoad3D(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigToLoad3D",
            display_name="SynCam Rig to 3D Cameras",
            category=CATEGORY,
            description=(
                "The cameras of a rig for ComfyUI's 3D nodes (Render Splat, Preview 3D), as a list of camera_info: "
                "nodes behind it run once for each camera."
            ),
            search_aliases=["load3d camera", "camera_info", "render splat cameras", "camera rig"],
            inputs=[
                rig_given(),
                io.Int.Input(
                    "frame",
                    default=0,
                    min=0,
                    max=MOST_PIXELS,
                    tooltip="Which video frame of cameras that move, from 0. Still cameras have one for all.",
                ),
                unit_input("One unit of the 3D scene in metres: 1 where the scene is in metres, 0.01 for centimetres."),
                *size_inputs("The shape of the picture, which the vertical field of view depends on."),
            ],
            outputs=[
                io.Load3DCamera.Output(
                    display_name="camera_info",
                    is_output_list=True,
                    tooltip="One for each camera of the rig, in its order. Goes into Render Splat or Preview 3D.",
                )
            ],
        )

    @classmethod
    def execute(cls, rig: Rig, frame: int, unit_m: float, width: int, height: int) -> io.NodeOutput:
        from ...syncam_core.formats.load3d_camera import load3d_from_rig

        return io.NodeOutput(load3d_from_rig(rig, frame, unit_m, width / height))


class SynCamRigFromCameraCtrl(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigFromCameraCtrl",
            display_name="SynCam Rig from CameraCtrl Poses",
            category=CATEGORY,
            description=(
                "CameraCtrl pose lists as a rig: each list a moving camera, or each row a still one. The released "
                "weights have only seen cameras that stand still; moving ones are an experiment."
            ),
            search_aliases=[
                "cameractrl poses",
                "realestate10k",
                "animatediff camera",
                "camera trajectory",
                "camera rig",
            ],
            is_input_list=True,
            inputs=[
                members_input(
                    "poses",
                    CameraCtrlPoses.Input(
                        "poses", tooltip="A pose list of CameraCtrl nodes (AnimateDiff-Evolved and others)."
                    ),
                    MAX_VIEWS,
                    "The pose lists, in order; a new socket appears with each. They need the same length.",
                ),
                io.Combo.Input(
                    "rows",
                    options=list(ROWS),
                    default=ROWS[0],
                    tooltip="What the rows of a list are: 'frames' of one moving camera, or 'cameras' that stand still.",
                ),
                unit_input("One unit of the poses in metres. Pose lists have no unit: measure, or try."),
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def execute(cls, poses: dict[str, list[list[list[float]]]], rows: list[str], unit_m: list[float]) -> io.NodeOutput:
        from ...syncam_core.formats.cameractrl_poses import rig_from_cameractrl

        return io.NodeOutput(rig_from_cameractrl(connected(poses), rows[0], unit_m[0]))


class SynCamRigToCameraCtrl(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigToCameraCtrl",
            display_name="SynCam Rig to CameraCtrl Poses",
            category=CATEGORY,
            description=(
                "The cameras of a rig for nodes that take CameraCtrl poses, as a list of pose lists: nodes behind it "
                "run once for each camera."
            ),
            search_aliases=[
                "cameractrl poses",
                "funcamera embeds",
                "animatediff camera",
                "camera trajectory",
                "camera rig",
            ],
            inputs=[
                rig_given(),
                io.Int.Input(
                    "length",
                    default=81,
                    min=1,
                    max=MOST_PIXELS,
                    tooltip="Video frames, one row for each. Cameras that move need the number they move over.",
                ),
                unit_input("How many metres one unit of the poses shall be. CameraCtrl's own motions use about 1."),
                *size_inputs("The shape of the picture; it stands in the poses and gives the focal length fy."),
            ],
            outputs=[
                CameraCtrlPoses.Output(
                    display_name="poses",
                    is_output_list=True,
                    tooltip="One pose list for each camera of the rig, in its order.",
                )
            ],
        )

    @classmethod
    def execute(cls, rig: Rig, length: int, unit_m: float, width: int, height: int) -> io.NodeOutput:
        from ...syncam_core.formats.cameractrl_poses import cameractrl_from_rig

        return io.NodeOutput(cameractrl_from_rig(rig, length, unit_m, (width, height)))


class SynCamRigToWanCamera(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigToWanCamera",
            display_name="SynCam Rig to Wan Camera",
            category=CATEGORY,
            description=(
                "The path of each camera of a rig as the camera embedding that Wan Camera Image to Video takes, where "
                "the core's own node knows nine motions. All views come as a list: nodes behind it run once for each."
            ),
            search_aliases=[
                "wan fun camera",
                "WanCameraEmbedding",
                "plucker embedding",
                "camera control",
                "camera rig",
            ],
            inputs=[
                rig_given(),
                io.Int.Input(
                    "view",
                    default=0,
                    min=0,
                    max=MAX_VIEWS,
                    tooltip="Which camera, from 1 in the rig's order. 0 gives all of them, as a list.",
                ),
                io.Int.Input("width", default=832, min=16, max=MOST_PIXELS, step=16, tooltip=WAN_SIZE),
                io.Int.Input("height", default=480, min=16, max=MOST_PIXELS, step=16, tooltip=WAN_SIZE),
                io.Int.Input(
                    "length",
                    default=81,
                    min=1,
                    max=MOST_PIXELS,
                    step=4,
                    tooltip="Video frames, 4n+1. A rig that moves must have as many.",
                ),
            ],
            outputs=[
                io.WanCameraEmbedding.Output(
                    display_name="camera_embedding",
                    is_output_list=True,
                    tooltip="For Wan Camera Image to Video, one for each view. Each camera moves from its own first pose.",
                ),
                io.Int.Output(display_name="width", tooltip="As given, to be linked to Wan Camera Image to Video."),
                io.Int.Output(display_name="height", tooltip="As given, to be linked to Wan Camera Image to Video."),
                io.Int.Output(display_name="length", tooltip="As given, to be linked to Wan Camera Image to Video."),
            ],
        )

    @classmethod
    def execute(cls, rig: Rig, view: int, width: int, height: int, length: int) -> io.NodeOutput:
        from ...syncam_core.cameras.plucker import wan_camera_embedding

        if not 0 <= view <= rig.views:
            raise UserError(f"'view' is {view}, but the rig has views 1 to {rig.views}; 0 means all.", field="view")
        views = range(rig.views) if view == 0 else [view - 1]
        device = comfy.model_management.intermediate_device()
        paths = [wan_camera_embedding(rig, one, width, height, length).to(device) for one in views]
        return io.NodeOutput(paths, width, height, length)


def connected(sockets: Mapping[str, list[Item] | None]) -> list[Item]:
    """What the sockets hold; a viewer that gave nothing stays in its place, for the reader to name it."""
    return [item for items in in_order(sockets) for item in items]


def size_inputs(tooltip: str):
    return [
        io.Int.Input("width", default=832, min=16, max=MOST_PIXELS, tooltip=f"Pixels. {tooltip}"),
        io.Int.Input("height", default=480, min=16, max=MOST_PIXELS, tooltip=f"Pixels. {tooltip}"),
    ]


NODES = (SynCamRigFromLoad3D, SynCamRigToLoad3D, SynCamRigFromCameraCtrl, SynCamRigToCameraCtrl, SynCamRigToWanCamera)
