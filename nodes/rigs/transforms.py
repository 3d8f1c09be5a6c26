"""Nodes that make rigs from rigs: merge, choose and reorder, transform."""

from __future__ import annotations

from comfy_api.latest import io

from ...syncam_core.cameras import Rig, choose_cameras, parse_numbers, transforms
from ...syncam_core.errors import UserError
from ..shared.inputs import in_order, members_input
from ..shared.node import SynCamNode
from ..shared.socket_types import RigType
from .inputs import CATEGORY, cameras_input, point_input, point_of, rig_given, rig_output

MOST_RIGS = 16


class SynCamRigMerge(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigMerge",
            display_name="SynCam Merge Rigs",
            category=CATEGORY,
            description=(
                "One rig with the cameras of several. The first camera of the first rig is the reference. Names and "
                "colours stay, except where an earlier camera has them already."
            ),
            search_aliases=["join rigs", "combine cameras", "add camera", "camera rig"],
            inputs=[
                members_input(
                    "rigs",
                    RigType.Input("rig", tooltip="A rig whose cameras are added behind those before it."),
                    MOST_RIGS,
                    f"The rigs, in order; a new socket appears with each, up to {MOST_RIGS}.",
                )
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def execute(cls, rigs: dict[str, Rig | None]) -> io.NodeOutput:
        return io.NodeOutput(transforms.merge_rigs(in_order(rigs)))


class SynCamRigReorder(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigReorder",
            display_name="SynCam Reorder Rig",
            category=CATEGORY,
            description=(
                "Chooses the reference, the order of the cameras, and which of them are used. The model sees every "
                "camera relative to the first one, so a reference in the middle keeps the others close to it."
            ),
            search_aliases=["choose reference", "select cameras", "main camera", "pick views", "camera rig"],
            inputs=[
                rig_given(),
                cameras_input(
                    "1",
                    "Cameras in the new order, by name, letter or number, like '3, 1', 'cam03, left' or '5-8'. "
                    "The first becomes view 0, the reference. Empty changes nothing.",
                ),
                io.Combo.Input(
                    "others",
                    options=list(transforms.OTHERS),
                    default="follow",
                    tooltip="What becomes of the cameras that are not named.",
                ),
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def execute(cls, rig: Rig, cameras: str, others: str) -> io.NodeOutput:
        return io.NodeOutput(transforms.reorder_rig(rig, cameras, others))


class SynCamRigTransform(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigTransform",
            display_name="SynCam Transform Rig",
            category=CATEGORY,
            description=(
                "Scales, turns and moves cameras, in this order, and then aims them at a point. The model sees cameras "
                "relative to the first one only: turning or moving all of them alike changes nothing for it, scaling and "
                "aiming do."
            ),
            search_aliases=["move rig", "rotate rig", "scale rig", "look at", "retarget", "level horizon"],
            inputs=[
                rig_given(),
                io.Float.Input(
                    "scale",
                    default=1.0,
                    min=0.000001,
                    max=1_000_000,
                    step=0.01,
                    round=0.000001,
                    tooltip="Factor on every distance to the pivot. 0.01 turns centimetres into metres.",
                ),
                io.String.Input(
                    "turn",
                    default="0, 0, 0",
                    tooltip="Degrees of azimuth, elevation and roll, as one body around the pivot: '90, 0, 0'. "
                    "One number is an azimuth.",
                ),
                point_input("move", "Metres to the right, down and away, like '0, -1.5, 0'; down is positive."),
                point_input(
                    "pivot", "The point around which cameras are scaled and turned: right, down, away in metres."
                ),
                io.String.Input(
                    "look_at",
                    default="",
                    tooltip="A point that every camera turns to look at afterwards, on its spot: right, down, away in "
                    "metres. Empty leaves their directions as they are.",
                ),
                cameras_input(),
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def validate_inputs(cls, turn: object = None) -> bool | str:
        # The host repeats the sentence for every input named here, so one is; the others are judged when it runs.
        return cls.judged(turn_of, turn) if isinstance(turn, str) else True

    @classmethod
    def execute(
        cls, rig: Rig, scale: float, turn: str, move: str, pivot: str, look_at: str, cameras: str
    ) -> io.NodeOutput:
        angles, offset, centre = turn_of(turn), point_of(move, "move"), point_of(pivot, "pivot")
        target = point_of(look_at, "look_at") if look_at.strip() else None
        chosen = choose_cameras(cameras, rig.names)
        if scale != 1:
            rig = transforms.scale_rig(rig, scale, centre, chosen)
        if any(angles):
            rig = transforms.turn_rig(rig, *angles, pivot=centre, cameras=chosen)
        if any(offset):
            rig = transforms.translate_rig(rig, offset, chosen)
        if target is not None:
            rig = transforms.retarget_rig(rig, target, chosen)
        return io.NodeOutput(rig)


def turn_of(turn: str) -> tuple[float, float, float]:
    """Azimuth, elevation and roll in degrees, as a person types them. Raises UserError."""
    angles = parse_numbers(turn, "turn", "90, 0, 0") if turn.strip() else [0.0]
    if len(angles) not in (1, 3):
        raise UserError(
            f"'turn' holds {len(angles)} numbers, but one (azimuth) or three (azimuth, elevation, roll) in "
            'degrees are needed, like "90, 0, 0".',
            field="turn",
        )
    azimuth, elevation, roll = (*angles, 0.0, 0.0)[:3]
    if abs(elevation) > 90:
        raise UserError(
            f"'turn' has the elevation {elevation:g}, but it must lie between -90 (straight below) and 90 "
            "(straight above).",
            field="turn",
        )
    return azimuth, elevation, roll


NODES = (SynCamRigMerge, SynCamRigReorder, SynCamRigTransform)
