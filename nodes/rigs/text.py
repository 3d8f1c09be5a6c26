"""Nodes that make a rig from what is typed: angles, or JSON."""

from __future__ import annotations

import re

from comfy_api.latest import io

from ...syncam_core.cameras import Rig, orbit_rig, parse_numbers, rig_from_json
from ...syncam_core.errors import UserError
from ..shared.node import SynCamNode
from .inputs import rig_output

EXAMPLES = {"azimuths": "0, 30", "elevations": "0, 10", "distances": "3, 4.5"}
FILE_NAME = re.compile(r"[^{}\[\]\r\n]+\.\w{2,5}")
TWO_CAMERAS = """{
  "format": "syncam-rig",
  "version": 1,
  "cameras": [
    {"name": "front", "azimuth": 0, "elevation": 0, "distance": 3.0},
    {"name": "right", "azimuth": 30, "elevation": 10, "distance": 3.0}
  ]
}
"""


class SynCamRigOrbit(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigOrbit",
            display_name="SynCam Orbit Rig",
            category="SynCam",
            description=(
                "Still cameras around one point, each given by its angles and distance. The first camera is view 0, "
                "the reference of all others. The released weights know pairs within 30 degrees of azimuth and 15 of "
                "elevation."
            ),
            search_aliases=["syncammaster cameras", "multi view cameras", "orbit camera", "camera rig"],
            inputs=[
                io.String.Input(
                    "azimuths",
                    default="0, 30",
                    tooltip="Degrees to the right around the subject, one number for each camera: '0, 30'. "
                    "0 stands in front of it. Separate by commas, semicolons or blanks.",
                ),
                io.String.Input(
                    "elevations",
                    default="0",
                    tooltip="Degrees upwards, -90 to 90: one number for all cameras, or one for each.",
                ),
                io.String.Input(
                    "distances",
                    default="3.0",
                    tooltip="Metres to the subject: one number for all cameras, or one for each. "
                    "The authors' example cameras stand 3 to 5 m away.",
                ),
            ],
            outputs=[rig_output("The cameras. Goes into SynCam Encode Cameras.")],
        )

    @classmethod
    def validate_inputs(cls, azimuths: object = None) -> bool | str:
        # The host repeats the sentence for every input named here, so one is; the others are judged when it runs.
        return cls.judged(typed_orbit, azimuths, "0", "1") if isinstance(azimuths, str) else True

    @classmethod
    def execute(cls, azimuths: str, elevations: str, distances: str) -> io.NodeOutput:
        return io.NodeOutput(typed_orbit(azimuths, elevations, distances))


def typed_orbit(azimuths: str, elevations: str, distances: str) -> Rig:
    given = {"azimuths": azimuths, "elevations": elevations, "distances": distances}
    return orbit_rig(*(parse_numbers(text, name, EXAMPLES[name]) for name, text in given.items()))


class SynCamRigJSON(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigJSON",
            display_name="SynCam Rig from JSON",
            category="SynCam",
            description=(
                "Cameras written as JSON: by azimuth, elevation and distance, or as matrices, still or moving. "
                "The help page shows every key."
            ),
            search_aliases=["syncammaster cameras", "camera json", "camera rig", "camera matrix"],
            inputs=[
                io.String.Input(
                    "rig_json",
                    default=TWO_CAMERAS,
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="A rig JSON, version 1: degrees and metres; matrices are camera-to-world in OpenCV axes.",
                )
            ],
            outputs=[rig_output("The cameras. Goes into SynCam Encode Cameras.")],
        )

    @classmethod
    def validate_inputs(cls, rig_json: object = None) -> bool | str:
        return cls.judged(typed_rig, rig_json) if isinstance(rig_json, str) else True

    @classmethod
    def execute(cls, rig_json: str) -> io.NodeOutput:
        return io.NodeOutput(typed_rig(rig_json))


def typed_rig(rig_json: str) -> Rig:
    if FILE_NAME.fullmatch(rig_json.strip()):
        raise UserError(
            f"'rig_json' is the file name {rig_json.strip()[-60:]!r}, but the text of a rig is needed; paste what is in the "
            "file, or use SynCam Load Rig.",
            field="rig_json",
        )
    try:
        return rig_from_json(rig_json)
    except UserError as problem:
        raise problem.told(f"in 'rig_json', {problem}", field="rig_json") from problem


NODES = (
    SynCamRigOrbit,
    SynCamRigJSON,
)
