"""The rig editor's node without its widget: what the API gives it is what comes out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

LOCALES = Path(__file__).resolve().parents[2] / "locales"
LANGUAGES = ("en", "zh", "ja", "ko")

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


GROWN = ("codec_", "kind_")  # inputs that a choice brings, which no schema lists


def node_words(language: str) -> dict:
    words = json.loads((LOCALES / language / "nodeDefs.json").read_text(encoding="utf-8"))
    for said in words.values():
        said["inputs"] = {key: item for key, item in said.get("inputs", {}).items() if not key.startswith(GROWN)}
    return words


def words_of(node) -> dict:
    """What the schema of a node says, as the host's locales hold it."""
    schema = node.GET_SCHEMA()

    def said(item) -> dict:
        return {"name": item.display_name or item.id} | ({"tooltip": item.tooltip} if item.tooltip else {})

    return {
        "display_name": schema.display_name,
        "description": schema.description,
        "inputs": {given.id: said(given) for given in schema.inputs},
        "outputs": {str(place): said(output) for place, output in enumerate(schema.outputs)},
    }


def places_of(words, path: str = "") -> set[str]:
    if not isinstance(words, dict):
        assert isinstance(words, str), path
        assert words.strip(), path
        return {path}
    return {place for key, value in words.items() for place in places_of(value, f"{path}/{key}")}


@pytest.fixture
def english(comfy) -> dict:
    """The words of all nodes in English, which the host takes from their schemas."""
    return {name: words_of(node) for name, node in comfy.nodes.items()}


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_every_language_names_every_input_and_output_of_every_node_and_nothing_else(language, english):
    words = node_words(language)
    assert places_of(words) == places_of(english)
    for node, said in words.items():
        assert said["display_name"] != english[node]["display_name"]
        assert said["description"] != english[node]["description"]
        for kind in ("inputs", "outputs"):
            for key, item in said[kind].items():
                assert item.get("tooltip") != english[node][kind][key].get("tooltip", ""), f"{node}.{key}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_thing_has_one_name_in_a_language(language, english):
    """Inputs of the same name are called the same in all nodes, save where they are another thing."""
    words = english if language == "en" else node_words(language)
    others = {("SynCamRigMove", "move"), ("SynCamRigFromCameraCtrl", "rows")}
    others |= {("SynCamBatchToViews", "count"), ("SynCamScoutSeeds", "count")}  # of views and of seeds, not of cameras
    names: dict[str, set[str]] = {}
    for node, said in words.items():
        for key, item in said["inputs"].items():
            if (node, key) not in others:
                names.setdefault(english[node]["inputs"][key]["name"], set()).add(item["name"])
    assert {name: called for name, called in names.items() if len(called) > 1} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_file_of_words_is_a_language_with_the_same_sections(language):
    words, english = (
        json.loads((LOCALES / name / "main.json").read_text(encoding="utf-8")) for name in (language, "en")
    )
    assert places_of(words) == places_of(english)
    files = ["main.json"] if language == "en" else ["main.json", "nodeDefs.json"]
    assert sorted(path.name for path in (LOCALES / language).iterdir()) == files
