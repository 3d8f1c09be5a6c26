"""The rig workflows over HTTP: everything but the sampling."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from host_abilities import need_nodes_of

API = Path(__file__).resolve().parents[2] / "example_workflows" / "api"


def without_sampling(prompt: dict) -> dict:
    """The nodes that make the rig, and those that look at it; a workflow without a look at it gets the meter."""
    kept: dict = {}

    def keep(number: str) -> None:
        kept[number] = prompt[number]
        for value in prompt[number]["inputs"].values():
            if isinstance(value, list):
                keep(value[0])

    for number, node in prompt.items():
        if node["class_type"] in ("SynCamRigPreview", "SynCamRigMeter", "SynCamSaveRig"):
            keep(number)
        elif node["class_type"] == "SynCamSaveViews":
            rig = node["inputs"]["rig"]
            keep(rig[0])
            kept["meter"] = {"class_type": "SynCamRigMeter", "inputs": {"rig": rig}}
    for node in kept.values():
        if node["class_type"] == "SynCamRigPreview":
            node["inputs"].update(width=320, height=192, thumbnail_width=32)
    return kept


@pytest.mark.parametrize("name", sorted(path.stem for path in API.glob("rig_*.json")))
def test_a_rig_workflow_runs_and_tells_what_the_weights_know_of_its_cameras(server, name):
    prompt = without_sampling(json.loads((API / f"{name}.json").read_text(encoding="utf-8")))
    need_nodes_of(prompt, server.get("/object_info"))
    outcome = server.run(prompt)
    assert outcome.status == "success", outcome.message
    (text,) = (words for output in outcome.outputs.values() for words in output.get("text", ()) if "training" in words)
    assert " cameras: " in text
    previews = [number for number, node in prompt.items() if node["class_type"] == "SynCamRigPreview"]
    assert all(len(outcome.outputs[number]["images"]) == 2 for number in previews)
