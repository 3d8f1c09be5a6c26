"""The shipped workflows about rigs: their files belong together, and their cards show the cameras that they make."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from docs_scripts import docs_script
from host_abilities import need_nodes_of

PACK = Path(__file__).resolve().parents[2]
WORKFLOWS = PACK / "example_workflows"
RIG_WORKFLOWS = sorted(path.stem for path in (WORKFLOWS / "api").glob("rig_*.json"))


def prompt_of(name: str) -> dict:
    return json.loads((WORKFLOWS / "api" / f"{name}.json").read_text(encoding="utf-8"))


def shown_rig(prompt: dict) -> str:
    """The number of the node whose rig is looked at, or saved with the videos."""
    (source,) = {
        node["inputs"]["rig"][0]
        for node in prompt.values()
        if node["class_type"] in ("SynCamRigMeter", "SynCamSaveViews")
    }
    return source


def evaluated(comfy, prompt: dict, number: str) -> tuple:
    """What a node gives, run in this process after those before it."""
    node = prompt[number]
    inputs, grown = {}, {}
    for name, value in node["inputs"].items():
        value = evaluated(comfy, prompt, value[0])[value[1]] if isinstance(value, list) else value
        group, dot, key = name.partition(".")
        if dot:
            grown.setdefault(group, {})[key] = value
        else:
            inputs[name] = value
    for group, members in grown.items():
        inputs[group] = members if group not in inputs else {group: inputs[group], **members}
    schema = comfy.nodes[node["class_type"]].GET_SCHEMA() if node["class_type"] in comfy.nodes else None
    if schema is not None and schema.is_input_list:
        inputs = {
            name: {key: as_list(item) for key, item in value.items()} if name in grown else [value]
            for name, value in inputs.items()
        }
    return comfy.run(node["class_type"], **inputs)


def as_list(item) -> list:
    return item if isinstance(item, list) else [item]


@pytest.fixture(scope="module")
def cards():
    return docs_script("pictures").WORKFLOWS


@pytest.mark.parametrize("name", RIG_WORKFLOWS)
def test_the_card_of_a_rig_workflow_shows_the_cameras_that_it_makes(name, cards, comfy):
    for file in (WORKFLOWS / "input").iterdir():
        shutil.copy(file, comfy.folders.get_input_directory())
    prompt = prompt_of(name)
    need_nodes_of(prompt)
    (rig, *_) = evaluated(comfy, prompt, shown_rig(prompt))
    drawn = cards[name][2]()
    assert rig.c2w.shape == drawn.c2w.shape
    assert (rig.c2w - drawn.c2w).abs().max() < 1e-5


def test_every_node_that_makes_or_changes_a_rig_is_in_an_example(comfy):
    used = {node["class_type"] for path in (WORKFLOWS / "api").glob("*.json") for node in prompt_of(path.stem).values()}
    of_rigs = {name for name in comfy.nodes if name.startswith(("SynCamRig", "SynCamLoadRig", "SynCamSaveRig"))}
    assert of_rigs - used == {"SynCamRigToLoad3D"}  # it feeds the core's splat renderer, which needs a splat


def test_every_workflow_has_its_prompt_and_its_card():
    titles = {path.stem for path in WORKFLOWS.glob("[0-9]*.json")}
    assert {path.stem for path in WORKFLOWS.glob("*.jpg")} == titles
    names = {json.loads(path.read_text(encoding="utf-8"))["extra"]["api"] for path in WORKFLOWS.glob("[0-9]*.json")}
    assert len(names) == len(titles)
    assert {path.stem for path in (WORKFLOWS / "api").glob("*.json")} == names | {"demo"}


def test_every_prompt_gives_each_input_that_clients_are_told_is_required(comfy):
    """As `comfy workflow validate` judges it: what the host itself would ask for may be less."""
    told = {name: node.GET_NODE_INFO_V1()["input"].get("required", {}) for name, node in comfy.nodes.items()}
    for path in (WORKFLOWS / "api").glob("*.json"):
        for number, node in prompt_of(path.stem).items():
            given = {name.partition(".")[0] for name in node["inputs"]}
            missing = set(told.get(node["class_type"], ())) - given
            assert not missing, (path.name, number, node["class_type"])


def test_notes_name_things_in_italics():
    """Code within a line is blue on blue in Nodes 2.0: the host's style."""
    for path in WORKFLOWS.glob("[0-9]*.json"):
        workflow = json.loads(path.read_text(encoding="utf-8"))
        graphs = [workflow, *(workflow.get("definitions") or {}).get("subgraphs", [])]
        notes = [node for graph in graphs for node in graph["nodes"] if node["type"] in ("MarkdownNote", "Note")]
        assert notes, path.name
        assert not [note["widgets_values"][0] for note in notes if "`" in note["widgets_values"][0]], path.name


def test_a_name_that_a_template_had_before_its_title_opens_it():
    former = {path.stem: path for path in WORKFLOWS.glob("[!0-9]*.json")}
    assert len(former) == 28
    for name, path in former.items():
        assert path.resolve().parent == WORKFLOWS
        assert json.loads(path.read_text(encoding="utf-8"))["extra"]["api"] == name


def test_a_video_that_an_api_file_saves_names_its_codec_for_hosts_before_and_after_0_34():
    saved = [
        node["inputs"]
        for path in (WORKFLOWS / "api").glob("*.json")
        for node in prompt_of(path.stem).values()
        if node["class_type"] == "SaveVideo"
    ]
    assert len(saved) >= 9
    assert {(inputs["format"], inputs["codec"], inputs["format.codec"]) for inputs in saved} == {("auto",) * 3}
