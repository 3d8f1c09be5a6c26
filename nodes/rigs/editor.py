"""The node around the rig editor: its state is the rig JSON that the editor shows."""

from __future__ import annotations

import json

from comfy_api.latest import io

from ...syncam_core.cameras import Rig, rig_from_json, rig_to_json
from ...syncam_core.cameras.rig_json import rig_from_document
from ...syncam_core.errors import UserError
from ...syncam_core.formats import camera_suffixes
from ..shared.node import SynCamNode
from ..shared.socket_types import RigType
from .editor_route import add_routes_to_host
from .inputs import CATEGORY, rig_output

StateType = io.Custom("SYNCAM_RIG_STATE")  # the editor's widget: a rig JSON document

LEFT_OUT = "left_out"  # metadata: names of cameras that stay in the editor and are not filmed
UNTOUCHED = {"editor": "untouched"}  # metadata of a state that nobody has edited yet


def two_cameras() -> dict[str, object]:
    """What a fresh editor shows: a pair that the released weights know."""
    return {
        "format": "syncam-rig",
        "version": 1,
        "cameras": [
            {"name": "front", "azimuth": 0, "elevation": 0, "distance": 3},
            {"name": "right", "azimuth": 25, "elevation": 5, "distance": 3},
        ],
        "metadata": dict(UNTOUCHED),
    }


class SynCamRigEditor(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigEditor",
            display_name="SynCam Rig Editor",
            category=CATEGORY,
            description=(
                "All cameras in one 3D view: drag them, type their numbers, see what each one sees. A connected rig is "
                "where editing begins; it never replaces what has been edited here."
            ),
            search_aliases=[
                "syncammaster cameras",
                "camera editor",
                "camera rig",
                "3d camera",
                "camera path",
                "wan camera",
                "camera control",
                "storyboard",
                "keyframe",
                "keyframes",
                "blender camera",
                "camera animation",
                "omnicam",
            ],
            inputs=[
                RigType.Input(
                    "rig",
                    optional=True,
                    tooltip="Optional cameras to begin with. They are used as they are until something is edited here; "
                    "from then on the editor's own cameras are.",
                ),
                StateType.Input(
                    "state",
                    tooltip="The cameras as a rig JSON document (see SynCam Rig from JSON). Over the API give it as an "
                    "object or as its text.",
                    # The editor's file chooser offers these.
                    extra_dict={"default": two_cameras(), "socketless": True, "suffixes": [*camera_suffixes(), ".bin"]},
                ),
            ],
            outputs=[rig_output("The cameras. Goes into SynCam Encode Cameras.")],
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, state: object = None) -> bool | str:
        return True if is_untouched(state) else cls.judged(edited, state)

    @classmethod
    def execute(cls, state: object = None, rig: Rig | None = None) -> io.NodeOutput:
        untouched = is_untouched(state)
        result = rig if rig is not None and untouched else filmed(state)
        # The widget offers the connected rig to its user, and shows it as long as nothing is edited.
        shown = {"syncam_rig": [rig_to_json(rig)]} if rig is not None else {}
        return io.NodeOutput(result, ui=shown)


def edited(state: object) -> Rig:
    """The rig of the editor's cameras. Raises UserError."""
    try:
        if is_empty(state):
            return rig_from_document(two_cameras())
        return rig_from_json(state) if isinstance(state, str) else rig_from_document(state)
    except UserError as problem:
        raise problem.told(f"in 'state', {problem}", field="state") from problem


def filmed(state: object) -> Rig:
    """The rig without the cameras that the editor's metadata leaves out. Raises UserError."""
    rig = edited(state)
    document = json.loads(state) if isinstance(state, str) and state.strip() else state
    metadata = document.get("metadata") if isinstance(document, dict) else None
    left_out = metadata.get(LEFT_OUT) if isinstance(metadata, dict) else None
    kept = [
        index for index, name in enumerate(rig.names) if name not in (left_out if isinstance(left_out, list) else [])
    ]
    return rig.select(kept) if kept else rig


def is_empty(state: object) -> bool:
    """Whether there is nothing to read: nothing at all, blank text, no object keys, or an empty list of cameras."""
    if isinstance(state, str):
        return not state.strip()
    return state is None or state == {} or (isinstance(state, dict) and state.get("cameras") == [])


def is_untouched(state: object) -> bool:
    """Whether the state is what a fresh editor holds, so that a connected rig takes its place."""
    if is_empty(state):
        return True
    if isinstance(state, str):
        try:
            state = json.loads(state)
        except (ValueError, RecursionError):
            return False
    metadata = state.get("metadata") if isinstance(state, dict) else None
    return isinstance(metadata, dict) and metadata.get("editor") == UNTOUCHED["editor"]


NODES = (SynCamRigEditor,)
add_routes_to_host()  # while the pack is loaded: the host collects its routes afterwards
