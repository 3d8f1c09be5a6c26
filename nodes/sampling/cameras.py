"""Nodes between rig and model: the cameras as the model reads them, and the empty latent of N views."""

from __future__ import annotations

import comfy.model_management
import torch
from comfy_api.latest import io

from ...syncam_core.cameras import CameraEncoding, Rig, TrajectoryEncoding, encode_cameras
from ...syncam_core.cameras.meter import warn
from ...syncam_core.cameras.remarks import remarks_on
from ...syncam_core.errors import UserError
from ...syncam_core.wan.geometry import WAN21
from ..shared.checks import counted_noun
from ..shared.node import SynCamNode, told_as_required
from ..shared.socket_types import CamerasType, RigType, TrajectoriesType
from ..shared.video_size import check_length, check_size, length_input, side_inputs


class SynCamEncodeCameras(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamEncodeCameras",
            display_name="SynCam Encode Cameras",
            category="SynCam",
            description=(
                "Turns a rig into what the model reads: the pose of every camera relative to view 0, 12 numbers for "
                "each latent frame, for a video of the given length."
            ),
            search_aliases=["syncammaster cameras", "camera embedding", "camera poses"],
            inputs=[
                RigType.Input("rig", tooltip="The cameras, from any SynCam rig node. The first is the reference."),
                length_input(
                    "Frames of the video, 4n+1: 77, 81, 85, ... The released weights know 81. "
                    "It must agree with SynCam Empty Latent."
                ),
            ],
            outputs=[
                CamerasType.Output(
                    display_name="cameras", tooltip="Goes into SynCam Apply and into SynCam Empty Latent."
                ),
            ],
            # The host sends what the node said again when it answers a run from its cache.
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, length: int | None = None) -> bool | str:
        return cls.judged(check_length, length) if isinstance(length, int) else True

    @classmethod
    def execute(cls, rig: Rig, length: int) -> io.NodeOutput:
        check_length(length)
        cameras = encode_cameras(rig, length)
        warning = warn(rig.cut(0, min(rig.frames, length)))  # what is not filmed needs no warning
        # web/js/node_words.js shows both on the node; empty lists take the last words away. The warning is about the
        # released weights, and not shown where the graph holds the demo's only.
        return io.NodeOutput(cameras, ui={"warning": [warning] if warning else [], "remarks": remarks_on(rig, length)})


class SynCamEmptyLatent(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamEmptyLatent",
            display_name="SynCam Empty Latent",
            category="SynCam",
            description="An empty Wan video latent with one batch item for each camera, or for each trajectory of a re-capture.",
            search_aliases=["empty video latent", "multi view latent"],
            inputs=[
                io.MultiType.Input(
                    "cameras",
                    types=[CamerasType, TrajectoriesType],
                    optional=True,
                    tooltip="From SynCam Encode Cameras; says how many views there are. Or trajectories.",
                ),
                *side_inputs(),
                length_input("Frames of the video, 4n+1; the same as in SynCam Encode Cameras."),
                TrajectoriesType.Input(
                    "trajectories",
                    optional=True,
                    tooltip="For re-captures, in place of cameras: from SynCam Encode Trajectories, one video for each.",
                ),
            ],
            outputs=[io.Latent.Output(display_name="latent", tooltip="Goes into SynCam Sampler or any KSampler.")],
        )

    @classmethod
    def validate_inputs(cls, length: int | None = None) -> bool | str:
        # The host repeats the sentence for every input named here, so one is; the others are judged when it runs.
        return cls.judged(check_length, length) if isinstance(length, int) else True

    @classmethod
    def execute(
        cls,
        width: int,
        height: int,
        length: int,
        cameras: CameraEncoding | TrajectoryEncoding | None = None,
        trajectories: TrajectoryEncoding | None = None,
    ) -> io.NodeOutput:
        check_size(width, height, length)
        encoded: CameraEncoding | TrajectoryEncoding
        if cameras is not None and trajectories is None:
            encoded, socket = cameras, "cameras"
        elif trajectories is not None and cameras is None:
            encoded, socket = trajectories, "trajectories"
        else:
            raise UserError(
                "connect 'cameras' of SynCamEncodeCameras for synchronized views, or 'trajectories' of "
                f"SynCamEncodeTrajectories for re-captures; {'none' if cameras is None else 'both'} are connected.",
                field="cameras",
            )
        # By its name: a script may have made it with a copy of the core of its own.
        moves = type(encoded).__name__ == TrajectoryEncoding.__name__
        encoder = "SynCamEncodeTrajectories" if moves else "SynCamEncodeCameras"
        shape = WAN21.latent_shape(encoded.views, length, height, width)
        if shape[2] != encoded.latent_frames:
            frames = WAN21.length(encoded.latent_frames)
            raise UserError(
                f"'length' is {length} ({counted_noun(shape[2], 'latent frame')}), but '{socket}' were encoded for "
                f"{counted_noun(frames, 'frame')} ({counted_noun(encoded.latent_frames, 'latent frame')}); set 'length' here to {frames}, or 'length' of {encoder} to "
                f"{length}.",
                field="length",
            )
        samples = torch.zeros(shape, device=comfy.model_management.intermediate_device())
        # For models of another geometry, hosts since 0.24 fit an empty latent to them by this key.
        return io.NodeOutput({"samples": samples, "downscale_ratio_spacial": WAN21.pixels})

    @classmethod
    def GET_NODE_INFO_V1(cls) -> dict:
        """What clients are told: `cameras` is required and the first, as it was before there were trajectories. A job
        needs one of the two, so the schema that it is held against asks for neither."""
        return told_as_required(cls, super().GET_NODE_INFO_V1(), "cameras")


NODES = (
    SynCamEncodeCameras,
    SynCamEmptyLatent,
)
