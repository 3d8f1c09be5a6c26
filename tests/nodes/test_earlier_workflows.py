"""Prompts that were recorded before the pack was rearranged are taken as they are."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from host_abilities import need_nodes_of

PACK = Path(__file__).resolve().parents[2]
RECORDED = json.loads((PACK / "tests" / "shared_cases" / "workflows_of_0.1.0.json").read_text(encoding="utf-8"))


@pytest.fixture
def everything_named(comfy):
    """Each model file that a workflow offers as an empty one, and the example inputs."""
    workflows = RECORDED["ui"].values()
    models = [m for w in workflows for node in w["nodes"] for m in node.get("properties", {}).get("models", [])]
    made = {Path(comfy.folders.models_dir) / model["directory"] / model["name"] for model in models}
    inputs = Path(comfy.folders.get_input_directory())
    made |= {inputs / path.name for path in (PACK / "example_workflows" / "input").iterdir()}
    made = {path for path in made if not path.exists()}
    for path in made:
        path.parent.mkdir(parents=True, exist_ok=True)
        example = PACK / "example_workflows" / "input" / path.name
        shutil.copy(example, path) if example.is_file() else path.touch()
    yield
    for path in made:
        path.unlink()


@pytest.mark.parametrize("name", RECORDED["api"])
def test_a_prompt_of_before_is_accepted(comfy, everything_named, name):
    import execution

    import nodes

    prompt = RECORDED["api"][name]
    need_nodes_of(prompt)
    known = dict(nodes.NODE_CLASS_MAPPINGS)
    nodes.NODE_CLASS_MAPPINGS.update(comfy.nodes)
    try:
        valid, problem, outputs, errors = asyncio.run(execution.validate_prompt(name, prompt, None))
    finally:
        nodes.NODE_CLASS_MAPPINGS.clear()
        nodes.NODE_CLASS_MAPPINGS.update(known)
    assert valid, (problem, errors)
    assert not errors
    assert outputs
