"""The node that films the synthetic world with a rig: views whose cameras are known exactly."""

from __future__ import annotations

from dataclasses import replace

import comfy.utils
import torch
from comfy_api.latest import io

from ...syncam_core.cameras import Rig
from ...syncam_core.errors import UserError
from ...syncam_core.synthetic import Scene, frame_times, render
from ..host.output_files import ticking
from ..shared.inputs import fps_input
from ..shared.node import SynCamNode
from ..shared.socket_types import RigType

DEFAULT_PROMPT = "a red cube turning on grass under a clear sky"


class SynCamRenderWorld(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRenderWorld",
            display_name="SynCam Render World",
            category="SynCam/Footage",
            description=(
                "Films a small synthetic world with the rig's cameras, without any model: views whose cameras, lenses "
                "and moments are exact. For trying rigs and for seeing what SynCam Camera Accuracy and SynCam Sync "
                "Score say about truth."
            ),
            search_aliases=["synthetic scene", "ground truth views", "test footage", "calibration", "toy world"],
            inputs=[
                RigType.Input("rig", tooltip="The cameras that film, each with its own lens; standing or moving."),
                io.String.Input(
                    "prompt",
                    default=DEFAULT_PROMPT,
                    tooltip=(
                        "A colour (red, green, blue, yellow, purple), a shape (ball, cube, cone, pillar), a motion "
                        "(standing, turning, walking, circling, bouncing), a floor (concrete, sand, grass) and a sky "
                        "(clear, pink). What is left open is drawn from the seed."
                    ),
                ),
                io.Int.Input("seed", default=0, min=0, max=2**32, tooltip="Draws place, heading and moment."),
                io.Int.Input("width", default=832, min=16, max=4096, tooltip="Pixels."),
                io.Int.Input("height", default=480, min=16, max=4096, tooltip="Pixels."),
                io.Int.Input("length", default=17, min=1, max=1025, tooltip="Frames."),
                fps_input("Frames per second of the world's time."),
                io.Boolean.Input(
                    "texture",
                    default=True,
                    tooltip="Fine grain on every surface, which SynCam Camera Accuracy needs. Off: the plain colours of "
                    "the demo model's world.",
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
    def execute(
        cls, rig: Rig, prompt: str, seed: int, width: int, height: int, length: int, fps: float, texture: bool
    ) -> io.NodeOutput:
        if 1 < rig.frames < length:
            raise UserError(
                f"'length' is {length}, but the cameras of 'rig' move over {rig.frames} frames only.", field="length"
            )
        scene = replace(Scene.from_prompt(prompt, Scene.random(seed)), texture=int(texture))
        tick = ticking(comfy.utils.ProgressBar(rig.views * length))
        views = []
        for view in range(rig.views):
            frames = torch.empty(length, height, width, 3)
            for frame, time in enumerate(frame_times(length, fps)):
                camera = rig.select([view])
                camera = camera.cut(frame, 1) if rig.frames > 1 else camera
                frames[frame] = render(scene, camera, height, width, time[None])[0, 0]
                tick()
            views.append(frames)
        return io.NodeOutput(views)


NODES = (SynCamRenderWorld,)
