"""Inputs and outputs that rig nodes share."""

from __future__ import annotations

from typing import TypeVar

from comfy_api.latest import io

from ...syncam_core.cameras.rig import MAX_VIEWS
from ...syncam_core.cameras.spoken import parse_point
from ..shared.inputs import NULL_TEXT
from ..shared.socket_types import RigType

CATEGORY = "SynCam/Rig"
FARTHEST_M = 100_000.0
DEGREE_STEP = 0.5  # the frontend shows as many decimals as the step has
ROUNDING = 0.001  # of typed numbers; the frontend would round to the step otherwise
ORIGIN = "0, 0, 0"

Item = TypeVar("Item")


def rig_given(tooltip: str = "The cameras, from any SynCam rig node."):
    return RigType.Input("rig", tooltip=tooltip)


def rig_output(
    tooltip: str = "The cameras; the first is the reference. Goes into SynCam Encode Cameras, or into another rig node.",
):
    return RigType.Output(display_name="rig", tooltip=tooltip)


def count_input(default: int):
    return io.Int.Input(
        "count", default=default, min=1, max=MAX_VIEWS, tooltip=f"How many cameras, 1 to {MAX_VIEWS}. Each is one view."
    )


def degrees_input(name: str, default: float, tooltip: str, most: float = 3600):
    return io.Float.Input(name, default=default, min=-most, max=most, step=DEGREE_STEP, round=ROUNDING, tooltip=tooltip)


def azimuth_input(tooltip: str = "Degrees to the right around the subject; 0 is in front of it."):
    return degrees_input("azimuth", 0.0, tooltip)


def elevation_input(default: float = 0.0, tooltip: str = "Degrees upwards: -90 is straight below, 90 straight above."):
    return degrees_input("elevation", default, tooltip, most=90)


def metres_input(name: str, default: float, tooltip: str, step: float = 0.05):
    return io.Float.Input(name, default=default, min=0.001, max=FARTHEST_M, step=step, round=ROUNDING, tooltip=tooltip)


def distance_input(tooltip: str = "Metres to the subject. The authors' example cameras stand 3 to 5 m away."):
    return metres_input("distance", 3.0, tooltip)


def point_input(name: str = "target", tooltip: str = "", **options):
    tooltip = tooltip or (
        "The point that the cameras look at: metres to the right, down and away, like '0, -1.5, 0'. "
        "It matters where several rigs are merged."
    )
    return io.String.Input(name, default=ORIGIN, tooltip=tooltip, **options)


def point_of(text: str, field: str = "target") -> tuple[float, float, float]:
    """Raises UserError for what is not three numbers of metres."""
    return parse_point(ORIGIN if text == NULL_TEXT else text, field)


def cameras_input(
    default: str = "", tooltip: str = "Which cameras change, like '1, 3-5', 'left' or 'all but 2'. Empty means all."
):
    return io.String.Input("cameras", default=default, tooltip=tooltip)
