"""The nodes that make, change and move rigs, in the real host: what they give, and what they refuse."""

from __future__ import annotations

import asyncio
import math
import re
import uuid

import numpy as np
import pytest
import torch

from syncam_core.cameras import orbit_c2w
from syncam_core.cameras.presets import PRESETS

POINT = ("target", "STRING", "0, 0, 0")
CONTRACT = {
    "SynCamRigCamera": [
        ("azimuth", "FLOAT", 0),
        ("elevation", "FLOAT", 0),
        ("distance", "FLOAT", 3),
        ("roll", "FLOAT", 0),
        POINT,
        ("name", "STRING", "cam01"),
    ],
    "SynCamRigRing": [
        ("count", "INT", 4),
        ("elevation", "FLOAT", 0),
        ("distance", "FLOAT", 3),
        ("start_azimuth", "FLOAT", 0),
        POINT,
    ],
    "SynCamRigArc": [
        ("count", "INT", 3),
        ("start_azimuth", "FLOAT", -15),
        ("end_azimuth", "FLOAT", 15),
        ("elevation", "FLOAT", 0),
        ("distance", "FLOAT", 3),
        ("rise", "FLOAT", 0),
        ("push_in", "FLOAT", 0),
        ("reference", "COMBO", "first"),
        POINT,
    ],
    "SynCamRigDome": [
        ("count", "INT", 6),
        ("spread", "FLOAT", 15),
        ("azimuth", "FLOAT", 0),
        ("elevation", "FLOAT", 15),
        ("distance", "FLOAT", 3),
        POINT,
    ],
    "SynCamRigLine": [
        ("count", "INT", 3),
        ("spacing", "FLOAT", 0.5),
        ("direction", "COMBO", "horizontal"),
        ("aim", "COMBO", "target"),
        ("azimuth", "FLOAT", 0),
        ("elevation", "FLOAT", 0),
        ("distance", "FLOAT", 3),
        POINT,
    ],
    "SynCamRigGrid": [
        ("columns", "INT", 3),
        ("rows", "INT", 2),
        ("column_spacing", "FLOAT", 0.5),
        ("row_spacing", "FLOAT", 0.5),
        ("aim", "COMBO", "target"),
        ("azimuth", "FLOAT", 0),
        ("elevation", "FLOAT", 0),
        ("distance", "FLOAT", 3),
        POINT,
    ],
    "SynCamRigStereo": [
        ("interaxial", "FLOAT", 0.065),
        ("convergence", "FLOAT", 3),
        ("method", "COMBO", "parallel"),
        ("azimuth", "FLOAT", 0),
        ("elevation", "FLOAT", 0),
        ("distance", "FLOAT", 3),
        POINT,
    ],
    "SynCamRigCloseWide": [
        ("close", "FLOAT", 1.5),
        ("wide", "FLOAT", 4),
        ("azimuth", "FLOAT", 0),
        ("elevation", "FLOAT", 0),
        POINT,
    ],
    "SynCamRigPreset": [("preset", "COMBO", "authors az")],
    "SynCamRigReorder": [("rig", "SYNCAM_RIG", None), ("cameras", "STRING", "1"), ("others", "COMBO", "follow")],
    "SynCamRigTransform": [
        ("rig", "SYNCAM_RIG", None),
        ("scale", "FLOAT", 1),
        ("turn", "STRING", "0, 0, 0"),
        ("move", "STRING", "0, 0, 0"),
        ("pivot", "STRING", "0, 0, 0"),
        ("look_at", "STRING", ""),
        ("cameras", "STRING", ""),
    ],
    "SynCamRigMove": [
        ("rig", "SYNCAM_RIG", None),
        ("move", "COMBO", "orbit"),
        ("amount", "FLOAT", 30),
        ("ease", "COMBO", "in_out"),
        ("length", "INT", 81),
        ("start_frame", "INT", 0),
        ("end_frame", "INT", -1),
        ("cameras", "STRING", ""),
        ("together", "BOOLEAN", False),
        POINT,
    ],
}
BUILDERS = [node_id for node_id, inputs in CONTRACT.items() if inputs[0][0] != "rig"]


def defaults(node_id: str, **changed) -> dict:
    return {name: default for name, _, default in CONTRACT[node_id] if default is not None} | changed


@pytest.fixture
def queue(comfy, monkeypatch):
    """Judge a prompt as the host does when a job is queued; gives what it says of all errors."""
    import execution

    import nodes as host_nodes

    for node_id, node in comfy.nodes.items():
        monkeypatch.setitem(host_nodes.NODE_CLASS_MAPPINGS, node_id, node)

    def judge(prompt: dict) -> list[str]:
        nodes = {number: {"class_type": node_id, "inputs": values} for number, (node_id, values) in prompt.items()}
        _, error, _, node_errors = asyncio.run(execution.validate_prompt(uuid.uuid4().hex, nodes, None))
        found = [f"{one['message']} {one['details']}" for node in node_errors.values() for one in node["errors"]]
        return found or ([error["message"]] if error else [])

    return judge


def chain(*rig_nodes: tuple[str, dict], length: int = 81) -> dict:
    """rig nodes, each reading the one before -> encode -> empty latent -> an output node"""
    prompt = {}
    for number, (node_id, values) in enumerate(rig_nodes):
        before = {"rig": [str(number - 1), 0]} if number else {}
        prompt[str(number)] = (node_id, {**before, **values})
    prompt["encode"] = ("SynCamEncodeCameras", {"rig": [str(len(rig_nodes) - 1), 0], "length": length})
    prompt["latent"] = (
        "SynCamEmptyLatent",
        {"cameras": ["encode", 0], "width": 64, "height": 48, "length": length},
    )
    prompt["save"] = ("SaveLatent", {"samples": ["latent", 0], "filename_prefix": "x"})
    return prompt


@pytest.mark.parametrize("node_id", [*CONTRACT, "SynCamRigMerge"])
def test_inputs_outputs_and_defaults_are_the_contract_and_everything_is_explained(comfy, node_id):
    schema = comfy.nodes[node_id].GET_SCHEMA()
    if node_id in CONTRACT:
        given = [(one.id, one.io_type, getattr(one, "default", None)) for one in schema.inputs]
        assert given == CONTRACT[node_id]
    assert [(one.io_type, one.display_name) for one in schema.outputs] == [("SYNCAM_RIG", "rig")]
    assert schema.category == "SynCam/Rig"
    assert schema.description
    assert schema.search_aliases
    assert all(one.tooltip for one in [*schema.inputs, *schema.outputs])


@pytest.mark.parametrize("node_id", BUILDERS)
def test_every_builder_gives_a_rig_that_can_be_encoded_with_its_defaults(comfy, queue, node_id):
    assert queue(chain((node_id, defaults(node_id)))) == []
    (rig,) = comfy.run(node_id, **defaults(node_id))
    assert rig.frames == 1
    cameras = comfy.run("SynCamEncodeCameras", rig=rig, length=81)[0]
    assert torch.equal(cameras.poses[0, 0], torch.eye(4)[:3].flatten())
    for c2w in rig.c2w[:, 0].numpy():  # all look at the origin, the parallel pair within its half interaxial
        seen = np.linalg.inv(c2w) @ [0, 0, 0, 1]
        assert np.abs(seen[:2]).max() <= 0.065 / 2 + 1e-9
        assert seen[2] > 0


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_can_be_chosen(comfy, queue, preset):
    assert queue(chain(("SynCamRigPreset", {"preset": preset}))) == []
    (rig,) = comfy.run("SynCamRigPreset", preset=preset)
    assert rig.names == tuple(name for name, *_ in PRESETS[preset])


def test_the_target_may_be_left_out_over_the_api_and_moves_the_rig(comfy, queue):
    values = defaults("SynCamRigRing")
    del values["target"]
    assert queue(chain(("SynCamRigRing", values))) == []
    (rig,) = comfy.run("SynCamRigRing", **values)
    (moved,) = comfy.run("SynCamRigRing", **values, target="1, -2, 3")
    assert np.allclose((moved.c2w - rig.c2w)[:, 0, :3, 3], [1, -2, 3], atol=1e-12)


def test_merge_takes_rigs_in_the_order_of_their_sockets_and_gaps_between_them(comfy, queue):
    prompt = {
        "ring": ("SynCamRigRing", defaults("SynCamRigRing")),
        "pair": ("SynCamRigStereo", defaults("SynCamRigStereo")),
        "merge": ("SynCamRigMerge", {"rigs.rig0": ["pair", 0], "rigs.rig2": ["ring", 0]}),
        "encode": ("SynCamEncodeCameras", {"rig": ["merge", 0], "length": 81}),
        "latent": ("SynCamEmptyLatent", {"cameras": ["encode", 0], "width": 64, "height": 48, "length": 81}),
        "save": ("SaveLatent", {"samples": ["latent", 0], "filename_prefix": "x"}),
    }
    assert queue(prompt) == []
    (ring,) = comfy.run("SynCamRigRing", **defaults("SynCamRigRing"))
    (pair,) = comfy.run("SynCamRigStereo", **defaults("SynCamRigStereo"))
    (merged,) = comfy.run("SynCamRigMerge", rigs={"rig0": pair, "rig2": ring})
    assert merged.names == ("left", "right", "cam01", "cam02", "cam03", "cam04")
    prompt["merge"] = ("SynCamRigMerge", {})
    assert any("rig0" in sentence for sentence in queue(prompt))


def test_a_merge_that_cannot_be_says_why(comfy):
    (ring,) = comfy.run("SynCamRigRing", **defaults("SynCamRigRing", count=40))
    with pytest.raises(ValueError, match=r"^SynCamRigMerge: the rigs hold 40 \+ 40 = 80 cameras"):
        comfy.run("SynCamRigMerge", rigs={"rig0": ring, "rig1": ring})


def test_reorder_chooses_the_reference(comfy):
    (ring,) = comfy.run("SynCamRigRing", **defaults("SynCamRigRing"))
    (follow,) = comfy.run("SynCamRigReorder", rig=ring, cameras="3", others="follow")
    assert follow.names == ("cam03", "cam01", "cam02", "cam04")
    (alone,) = comfy.run("SynCamRigReorder", rig=ring, cameras="cam03, 1", others="are left out")
    assert alone.names == ("cam03", "cam01")
    with pytest.raises(ValueError, match=r"^SynCamRigReorder: 'cameras' asks for '7'"):
        comfy.run("SynCamRigReorder", rig=ring, cameras="7", others="follow")


def test_transform_scales_turns_moves_and_aims_in_this_order(comfy):
    (rig,) = comfy.run("SynCamRigCamera", **defaults("SynCamRigCamera"))
    values = defaults("SynCamRigTransform", scale=2, turn="90", move="0, -1, 0", pivot="0, 0, 0")
    (changed,) = comfy.run("SynCamRigTransform", rig=rig, **values)
    expected = orbit_c2w(90, 0, 6)
    expected[1, 3] -= 1
    assert np.allclose(changed.c2w[0, 0], expected, atol=1e-12)
    (aimed,) = comfy.run("SynCamRigTransform", rig=rig, **{**values, "look_at": "0, 0, 0"})
    assert np.allclose(aimed.c2w[0, 0, :3, 3], expected[:3, 3], atol=1e-12)
    assert np.allclose((np.linalg.inv(aimed.c2w[0, 0].numpy()) @ [0, 0, 0, 1])[:3], [0, 0, math.hypot(6, 1)], atol=1e-9)


def test_transform_with_its_defaults_changes_nothing(comfy):
    (rig,) = comfy.run("SynCamRigArc", **defaults("SynCamRigArc"))
    (same,) = comfy.run("SynCamRigTransform", rig=rig, **defaults("SynCamRigTransform"))
    assert torch.equal(same.c2w, rig.c2w)


def test_moves_in_a_row_make_a_spiral_at_the_distance_of_the_camera(comfy, queue):
    camera = ("SynCamRigCamera", defaults("SynCamRigCamera", distance=4))
    orbit = ("SynCamRigMove", defaults("SynCamRigMove", amount=90, ease="none"))
    push_in = ("SynCamRigMove", defaults("SynCamRigMove", move="push_in", amount=1, ease="none", start_frame=40))
    assert queue(chain(camera, orbit, push_in)) == []
    (rig,) = comfy.run(camera[0], **camera[1])
    (rig,) = comfy.run(orbit[0], rig=rig, **orbit[1])
    (rig,) = comfy.run(push_in[0], rig=rig, **push_in[1])
    assert rig.frames == 81
    for frame in (0, 20, 40, 60, 80):
        expected = orbit_c2w(90 * frame / 80, 0, 4 - max(0, frame - 40) / 40)
        assert np.allclose(rig.c2w[0, frame], expected, atol=1e-12)
    cameras = comfy.run("SynCamEncodeCameras", rig=rig, length=81)[0]
    assert cameras.latent_frames == 21


def test_together_is_what_a_stereo_pair_needs(comfy):
    (pair,) = comfy.run("SynCamRigStereo", **defaults("SynCamRigStereo"))
    (rig,) = comfy.run("SynCamRigMove", rig=pair, **defaults("SynCamRigMove", move="pan", together=True))
    between = np.linalg.inv(rig.c2w[0].numpy()) @ rig.c2w[1].numpy()
    assert np.allclose(between, between[0], atol=1e-12)


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (("SynCamRigRing", {"count": 65}), "65 bigger than max of 64 count"),
        (("SynCamRigRing", {"elevation": 91}), "91.0 bigger than max of 90 elevation"),
        (("SynCamRigLine", {"spacing": 0}), "0.0 smaller than min of 0.001 spacing"),
        (("SynCamRigArc", {"reference": "last"}), "reference: 'last' not in ['first', 'middle']"),
        (("SynCamRigPreset", {"preset": "az"}), "preset: 'az' not in "),
        (("SynCamRigCamera", {"target": "0, 0"}), "SynCamRigCamera: 'target' holds 2 numbers"),
    ],
)
def test_a_builder_that_cannot_be_is_refused_once_when_the_job_is_queued(queue, node, said):
    node_id, changed = node
    (sentence,) = queue(chain((node_id, defaults(node_id, **changed))))
    assert said in sentence


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (("SynCamRigMove", {"length": 80}), "SynCamRigMove: 'length' is 80, but Wan makes 4n+1 frames; use 77 or 81."),
        (("SynCamRigMove", {"length": 1}), "SynCamRigMove: 'length' is 1, but a camera needs at least 5 frames"),
        (("SynCamRigMove", {"length": 1_000_001}), "SynCamRigMove: 'length' is 1000001, but at most"),
        (("SynCamRigMove", {"move": "zoom"}), "move: 'zoom' not in "),
        (("SynCamRigTransform", {"turn": "1, 2"}), "SynCamRigTransform: 'turn' holds 2 numbers"),
        (("SynCamRigTransform", {"turn": "0, 100, 0"}), "'turn' has the elevation 100"),
    ],
)
def test_a_change_that_cannot_be_is_refused_once_when_the_job_is_queued(queue, node, said):
    node_id, changed = node
    (sentence,) = queue(chain(("SynCamRigRing", defaults("SynCamRigRing")), (node_id, defaults(node_id, **changed))))
    assert said in sentence


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (("SynCamRigCamera", {"name": ""}), "SynCamRigCamera: camera 1 of the rig has an empty name"),
        (("SynCamRigRing", {"distance": math.nan}), "SynCamRigRing: distance is nan"),
        (("SynCamRigRing", {"target": "here"}), "SynCamRigRing: 'target' holds 'here'"),
        (("SynCamRigArc", {"end_azimuth": 345}), "SynCamRigArc: the arc ends where it starts"),
        (("SynCamRigArc", {"elevation": 80, "rise": 20}), "SynCamRigArc: camera 3 of the arc: elevation is 100"),
        (("SynCamRigDome", {"spread": math.nan}), "SynCamRigDome: 'spread' is nan"),
        (("SynCamRigLine", {"direction": "depth", "spacing": 4}), "SynCamRigLine: the row is 8 m long"),
        (("SynCamRigGrid", {"columns": 9, "rows": 9}), "SynCamRigGrid: 'columns' 9 times 'rows' 9 makes 81 cameras"),
        (("SynCamRigStereo", {"interaxial": math.nan}), "SynCamRigStereo: 'interaxial' is nan"),
        (("SynCamRigCloseWide", {"close": 5}), "SynCamRigCloseWide: 'close' is 5 m and 'wide' 4 m"),
        (("SynCamRigTransform", {"look_at": "1, 2"}), "SynCamRigTransform: 'look_at' holds 2 numbers"),
        (
            ("SynCamRigTransform", {"look_at": "0, 0, -3"}),
            "SynCamRigTransform: camera 'cam01': a camera would stand at",
        ),
        (("SynCamRigTransform", {"cameras": "left"}), "SynCamRigTransform: 'cameras' asks for 'left'"),
        (("SynCamRigMove", {"end_frame": 81}), "SynCamRigMove: the move runs from frame 0 to frame 81"),
        (
            ("SynCamRigMove", {"start_frame": 9, "end_frame": 4}),
            "SynCamRigMove: 'end_frame' is 4, but the move starts at frame 9",
        ),
        (("SynCamRigMove", {"move": "push_in", "amount": 3}), "SynCamRigMove: camera 'cam01' is 3 m from its target"),
        (("SynCamRigMove", {"amount": math.nan}), "SynCamRigMove: 'amount' is nan"),
    ],
)
def test_what_only_the_run_can_judge_is_refused_with_a_sentence(comfy, node, said):
    node_id, changed = node
    values = defaults(node_id, **changed)
    if node_id not in BUILDERS:
        (values["rig"],) = comfy.run("SynCamRigRing", **defaults("SynCamRigRing"))
    with pytest.raises(ValueError, match="^" + re.escape(said)):
        comfy.run(node_id, **values)


def test_merged_rigs_stand_in_the_order_of_their_sockets_however_a_prompt_lists_them(comfy):
    rigs = {number: camera_named(comfy, f"camera {number}") for number in (10, 2, 0)}
    merged = comfy.run("SynCamRigMerge", rigs={f"rig{number}": rig for number, rig in rigs.items()})[0]
    assert merged.names == ("camera 0", "camera 2", "camera 10")


def camera_named(comfy, name):
    return comfy.run(
        "SynCamRigCamera", azimuth=0.0, elevation=0.0, distance=3.0, roll=0.0, target="0, 0, 0", name=name
    )[0]
