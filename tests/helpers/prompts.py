"""API-format prompts for the server tests, derived from the shipped demo."""

from __future__ import annotations

import copy
import json
from pathlib import Path

DEMO = json.loads(
    (Path(__file__).resolve().parents[2] / "example_workflows" / "api" / "demo.json").read_text(encoding="utf-8")
)


def node_of(prompt: dict, class_type: str) -> dict:
    """The inputs of the only node of this class."""
    (inputs,) = (node["inputs"] for node in prompt.values() if node["class_type"] == class_type)
    return inputs


def id_of(prompt: dict, class_type: str) -> str:
    (number,) = (number for number, node in prompt.items() if node["class_type"] == class_type)
    return number


def small(azimuths: str = "0, 20", steps: int = 2, length: int = 5, seed: int = 0) -> dict:
    """The demo with views of 64x48 pixels, few steps and no score: a second on one core."""
    prompt = copy.deepcopy(DEMO)
    for class_type in ("SynCamSyncScore", "PreviewAny"):
        del prompt[id_of(prompt, class_type)]
    (decoded, _) = node_of(prompt, "ImageScaleBy")["image"]
    del prompt[id_of(prompt, "ImageScaleBy")]
    node_of(prompt, "SynCamSaveViews").update(views=[decoded, 0])
    node_of(prompt, "SynCamRigOrbit").update(azimuths=azimuths, elevations="10", distances="3.0")
    node_of(prompt, "SynCamEncodeCameras").update(length=length)
    node_of(prompt, "SynCamEmptyLatent").update(width=64, height=48, length=length)
    node_of(prompt, "SynCamSampler").update(steps=steps, seed=seed)
    return prompt


def with_rig_json(text: str) -> dict:
    prompt = small()
    prompt[id_of(prompt, "SynCamRigOrbit")] = {
        "class_type": "SynCamRigJSON",
        "inputs": {"rig_json": text},
        "_meta": {"title": "rig"},
    }
    return prompt


def with_rig_file(file: str, cameras: str = "") -> dict:
    prompt = small()
    prompt[id_of(prompt, "SynCamRigOrbit")] = {
        "class_type": "SynCamLoadRig",
        "inputs": {"file": file, "cameras": cameras},
        "_meta": {"title": "rig"},
    }
    return prompt
