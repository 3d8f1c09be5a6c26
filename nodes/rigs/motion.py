"""The node that lets cameras move."""

from __future__ import annotations

from comfy_api.latest import io

from ...syncam_core.cameras import Rig, choose_cameras
from ...syncam_core.cameras.motion import MOVE_EASES, MOVES, Move, check_motion_length, move_cameras
from ..shared.node import SynCamNode
from ..shared.video_size import LONGEST_VIDEO, check_length
from .inputs import CATEGORY, FARTHEST_M, cameras_input, degrees_input, point_input, point_of, rig_given, rig_output


class SynCamRigMove(SynCamNode):
    @classmethod
    def define_schema(cls):
        units = "; ".join(f"{move}: {unit}" for move, unit in MOVES.items())
        return io.Schema(
            node_id="SynCamRigMove",
            display_name="SynCam Move Cameras",
            category=CATEGORY,
            description=(
                "Lets cameras of a rig pan, tilt, roll, dolly, truck, pedestal, orbit, rise, crane or push in while they "
                "film. Several of these nodes in a row add up. The released weights have only seen cameras that stand "
                "still: what they make of moving ones is an experiment."
            ),
            search_aliases=[
                "camera motion",
                "camera path",
                "trajectory",
                "pan",
                "dolly",
                "orbit",
                "crane",
                "keyframes",
                "camera control",
                "camera motion",
                "keyframe",
            ],
            inputs=[
                rig_given("The cameras, from any SynCam rig node; they may move already."),
                io.Combo.Input(
                    "move",
                    options=list(MOVES),
                    default="orbit",
                    tooltip="What the cameras do. An orbit keeps their distance to the target and what they frame. The "
                    "released weights have not seen moving cameras.",
                ),
                degrees_input("amount", 30.0, f"How far, negative for the other way. {units}.", most=FARTHEST_M),
                io.Combo.Input(
                    "ease",
                    options=list(MOVE_EASES),
                    default="in_out",
                    tooltip="'none' keeps one speed, 'in' starts gently, 'out' stops gently, 'in_out' does both.",
                ),
                io.Int.Input(
                    "length",
                    default=81,
                    min=1,
                    max=LONGEST_VIDEO,
                    step=4,
                    tooltip="Frames of the video, 4n+1; the same as in SynCam Encode Cameras.",
                ),
                io.Int.Input(
                    "start_frame",
                    default=0,
                    min=0,
                    max=LONGEST_VIDEO,
                    tooltip="The frame in which the move starts, from 0; the cameras wait until then.",
                ),
                io.Int.Input(
                    "end_frame",
                    default=-1,
                    min=-1,
                    max=LONGEST_VIDEO,
                    tooltip="The frame in which the move ends; the cameras wait from then on. -1 is the last frame.",
                ),
                cameras_input(),
                io.Boolean.Input(
                    "together",
                    default=False,
                    tooltip="Off: every camera moves on its own. On: they move as one body mounted on the first of them, "
                    "as a stereo pair does.",
                ),
                point_input(
                    tooltip="The point that orbit, rise, crane and push_in refer to: metres to the right, down and away."
                ),
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def validate_inputs(cls, length: object = None) -> bool | str:
        # The host repeats the sentence for every input named here, so one is; the others are judged when it runs.
        return cls.judged(check_frames, length) if isinstance(length, int) else True

    @classmethod
    def execute(
        cls,
        rig: Rig,
        move: str,
        amount: float,
        ease: str,
        length: int,
        start_frame: int,
        end_frame: int,
        cameras: str,
        together: bool,
        target: str,
    ) -> io.NodeOutput:
        check_frames(length)
        one = Move(move, amount, ease, start_frame, None if end_frame == -1 else end_frame, point_of(target))
        return io.NodeOutput(move_cameras(rig, [one], length, choose_cameras(cameras, rig.names), together))


def check_frames(length: int) -> None:
    check_motion_length(length)
    check_length(length)


NODES = (SynCamRigMove,)
