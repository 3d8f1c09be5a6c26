"""The node that makes the trajectories of the ReCamMaster release."""

from __future__ import annotations

from comfy_api.latest import io

from ...syncam_core.cameras.trajectories import (
    ARCS,
    AUTHORS_DISTANCE_M,
    CHORD,
    MOST_AMOUNT,
    RECAM_MOVES,
    moves_of,
    recam_rig,
)
from ..shared.node import SynCamNode
from ..shared.video_size import length_input
from .inputs import CATEGORY, FARTHEST_M, rig_output

TABLE = ", ".join(f"{number} {move.name}" for number, move in enumerate(RECAM_MOVES, start=1))


class SynCamRigReCam(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigReCam",
            display_name="SynCam ReCam Trajectories",
            category=CATEGORY,
            description=(
                "The ten camera moves of the ReCamMaster release, one camera for each that is named. All begin where the "
                "source was filmed from. Any other rig that moves is a trajectory, too: SynCam Move Cameras, the timeline "
                "of the rig editor, or a file."
            ),
            search_aliases=["recammaster", "camera trajectory", "re-capture", "pan", "arc", "orbit", "zoom in"],
            inputs=[
                io.String.Input(
                    "moves",
                    default="9, 10",
                    tooltip=f"Numbers, ranges or names, one camera each: {TABLE}.",
                ),
                io.Float.Input(
                    "amount",
                    default=1.0,
                    min=-MOST_AMOUNT,
                    max=MOST_AMOUNT,
                    step=0.05,
                    round=0.001,
                    tooltip="Times the authors' own 20 and 10 degrees, 2 and 1 m, 30 degrees; negative goes the other way.",
                ),
                io.Float.Input(
                    "distance_m",
                    display_name="distance",
                    default=AUTHORS_DISTANCE_M,
                    min=0.01,
                    max=FARTHEST_M,
                    step=0.1,
                    round=0.001,
                    tooltip="Metres to the subject, which moves 7 to 10 keep in the picture.",
                ),
                io.Combo.Input(
                    "arc",
                    options=list(ARCS),
                    default=CHORD,
                    tooltip="The authors' arcs run straight along a chord, as the weights have seen them; a true orbit "
                    "keeps the distance at every frame and takes any angle.",
                ),
                length_input("Frames of the move, 4n+1; the same as in SynCam Encode Trajectories.", least=5),
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def validate_inputs(cls, moves: str | None = None) -> bool | str:
        return cls.judged(moves_of, moves) if isinstance(moves, str) else True

    @classmethod
    def execute(cls, moves: str, amount: float, distance_m: float, arc: str, length: int) -> io.NodeOutput:
        return io.NodeOutput(recam_rig(moves, amount, distance_m, arc, length))


NODES = (SynCamRigReCam,)
