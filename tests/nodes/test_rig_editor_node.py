"""The rig editor's node without its widget: what the API gives it is what comes out."""

from __future__ import annotations

import json

import pytest

RIG = {"cameras": [{"name": "a", "azimuth": 5, "distance": 2}, {"name": "b", "azimuth": 20, "distance": 2.5}]}


def default_state(comfy) -> dict:
    schema = comfy.nodes["SynCamRigEditor"].GET_SCHEMA()
    return next(given for given in schema.inputs if given.id == "state").extra_dict["default"]


def verdict(comfy, state):
    return comfy.nodes["SynCamRigEditor"].validate_inputs(state=state)


@pytest.mark.parametrize("as_text", [False, True], ids=["as an object", "as text"])
def test_the_state_is_a_rig_json_as_an_object_or_as_its_text(comfy, as_text):
    (rig,) = comfy.run("SynCamRigEditor", state=json.dumps(RIG) if as_text else RIG)
    (expected,) = comfy.run("SynCamRigJSON", rig_json=json.dumps(RIG))
    assert rig.c2w.equal(expected.c2w)
    assert rig.names == ("a", "b")


@pytest.mark.parametrize("empty", [None, {}, "", " \n", {"cameras": []}])
def test_an_empty_state_is_two_cameras(comfy, empty):
    assert verdict(comfy, empty) is True
    (rig,) = comfy.run("SynCamRigEditor", state=empty)
    (usual,) = comfy.run("SynCamRigEditor", state=default_state(comfy))
    assert rig.names == usual.names == ("front", "right")
    assert rig.c2w.equal(usual.c2w)


@pytest.mark.parametrize("untouched", ["default", "default as text", None, {}, {"cameras": []}])
def test_a_connected_rig_is_the_output_while_nothing_is_edited(comfy, untouched):
    state = default_state(comfy) if isinstance(untouched, str) else untouched
    state = json.dumps(state) if untouched == "default as text" else state
    (wired,) = comfy.run("SynCamRigJSON", rig_json=json.dumps(RIG))
    assert comfy.run("SynCamRigEditor", state=state, rig=wired)[0] is wired


def test_edits_win_over_a_connected_rig_which_the_editor_still_is_told_of(comfy):
    (wired,) = comfy.run("SynCamRigJSON", rig_json='{"cameras": [{"name": "wired", "azimuth": 1, "distance": 1}]}')
    result = comfy.nodes["SynCamRigEditor"].execute(state=RIG, rig=wired)
    assert result[0].names == ("a", "b")
    (text,) = result.ui["syncam_rig"]
    assert json.loads(text)["cameras"][0]["name"] == "wired"
    assert not comfy.nodes["SynCamRigEditor"].execute(state=RIG).ui


def test_the_two_cameras_by_hand_are_an_edit(comfy):
    state = default_state(comfy)
    (wired,) = comfy.run("SynCamRigJSON", rig_json=json.dumps(RIG))
    by_hand = {key: value for key, value in state.items() if key != "metadata"}
    assert comfy.run("SynCamRigEditor", state=by_hand, rig=wired)[0].names == ("front", "right")


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"cameras": [{"azimuth": 5}]}, "SynCamRigEditor: in 'state', cameras[0] has no distance beside azimuth"),
        ("not JSON", "SynCamRigEditor: in 'state', "),
        ([1, 2], "SynCamRigEditor: in 'state', the rig JSON is a list of 2 items, but an object is needed"),
        (7, "SynCamRigEditor: in 'state', the rig JSON is 7, but an object is needed"),
        ("[" * 100_000, "SynCamRigEditor: in 'state', "),
        ({"cameras": [{"azimuth": 0, "distance": 1}], "metadata": "x"}, "metadata is the text 'x', but it must be"),
    ],
)
def test_a_bad_state_is_refused_in_one_sentence_when_queued_and_when_run(comfy, state, sentence):
    said = verdict(comfy, state)
    assert sentence in said
    assert "\n" not in said
    with pytest.raises(ValueError, match="SynCamRigEditor"):
        comfy.run("SynCamRigEditor", state=state)


def test_moving_cameras_come_out_with_all_their_frames(comfy):
    keyframes = [{"frame": 0, "azimuth": 0, "distance": 3}, {"frame": 20, "azimuth": 90, "distance": 3}]
    (rig,) = comfy.run("SynCamRigEditor", state={"frames": 41, "cameras": [{"keyframes": keyframes}]})
    assert rig.c2w.shape == (1, 41, 4, 4)
    assert rig.c2w[0, :, :3, 3].norm(dim=-1).sub(3).abs().max() < 1e-12
