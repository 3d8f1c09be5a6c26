"""The baselines of Table 1 as shipped: graph and job agree, and the two of Wan run on tiny files in the real formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from docs_scripts import template
from host_wan import write_base
from plain_wan import random_state

from syncam_core.metrics.takes import read_takes

EXAMPLES = Path(__file__).resolve().parents[2] / "example_workflows"
NAMES = ("baseline_svd_xt", "baseline_wan_camera", "baseline_wan_i2v")
DIM, DEPTH, TEXT_DIM = 256, 2, 64  # the demo's words are 64 numbers wide, which the files' metadata says


def prompt_of(name: str) -> dict:
    return json.loads((EXAMPLES / "api" / f"{name}.json").read_text(encoding="utf-8"))


def fun_state(in_dim: int, has_camera: bool) -> dict[str, torch.Tensor]:
    """Wan2.1 Fun: the transformer with a picture's channels and its CLIP tokens, and the camera's adapter."""
    state = random_state(DIM, DEPTH, text_dim=TEXT_DIM, view_sync=False)
    drawn = torch.Generator().manual_seed(1)

    def matrix(*shape):
        return torch.randn(shape, generator=drawn) / max(1, torch.Size(shape[1:]).numel()) ** 0.5

    state["patch_embedding.weight"] = matrix(DIM, in_dim, 1, 2, 2)
    for block in range(DEPTH):
        attention = f"blocks.{block}.cross_attn"
        for name in ("k_img", "v_img"):
            state |= {f"{attention}.{name}.weight": matrix(DIM, DIM), f"{attention}.{name}.bias": matrix(DIM)}
        state[f"{attention}.norm_k_img.weight"] = torch.ones(DIM)
    for place, shape in ((0, (1280,)), (1, (1280, 1280)), (3, (DIM, 1280)), (4, (DIM,))):
        state |= {f"img_emb.proj.{place}.weight": matrix(*shape), f"img_emb.proj.{place}.bias": matrix(shape[0])}
    if has_camera:
        state |= {"control_adapter.conv.weight": matrix(DIM, 24 * 64, 2, 2), "control_adapter.conv.bias": matrix(DIM)}
        for name in ("conv1", "conv2"):
            at = f"control_adapter.residual_blocks.0.{name}"
            state |= {f"{at}.weight": matrix(DIM, DIM, 3, 3), f"{at}.bias": matrix(DIM)}
    return state


def small(name: str, moving: bool = False) -> dict:
    """The workflow with the demo model in the place of SynCamMaster's files, two steps, and pictures of 64 x 64."""
    prompt = prompt_of(name)
    demo = {"class_type": "SynCamDemoModel", "inputs": {}, "_meta": {"title": "demo"}}
    places = {"1": 0, "2": 1, "3": 2, "4": 3}  # the loaders of model, text, VAE and weights
    for node in prompt.values():
        for key, value in node["inputs"].items():
            if isinstance(value, list) and value[0] in places:
                node["inputs"][key] = ["50", places[value[0]]]
    prompt = {number: node for number, node in prompt.items() if number not in places} | {"50": demo}
    prompt["5"]["inputs"].update(azimuths="0, 40", elevations="20", distances="5")
    prompt["6"]["inputs"]["length"] = 5
    prompt["10"]["inputs"].update(width=64, height=64, length=5)
    prompt["11"]["inputs"].update(steps=2)
    # CLIP's vision tower of Wan has one size, 2.5 GB; the host takes the model without its tokens as well
    for number in ("23", "24"):
        del prompt[number]
    size = {"width": 64, "height": 64, "length": 5}
    prompt["26"]["inputs"].pop("clip_vision_output")
    if "25" in prompt:
        prompt["25"]["inputs"].update(size)
    else:
        prompt["26"]["inputs"].update(size)
    prompt["27"]["inputs"].update(steps=2)
    if moving:
        move = {"rig": ["5", 0], "move": "dolly", "amount": 2.0, "ease": "none", "length": 5, "cameras": ""}
        move |= {"start_frame": 0, "end_frame": -1, "together": False, "target": "0, 0, 0"}
        prompt["51"] = {"class_type": "SynCamRigMove", "inputs": move, "_meta": {"title": "moving"}}
        prompt["25"]["inputs"]["rig"] = ["51", 0]
    return prompt


@pytest.fixture(scope="module")
def fun_files(server):
    folder = server.folder / "models" / "diffusion_models"
    names = {name: prompt_of(name)["21"]["inputs"]["unet_name"] for name in NAMES[1:]}
    for name, (in_dim, has_camera) in zip(NAMES[1:], ((32, True), (36, False)), strict=True):
        write_base(fun_state(in_dim, has_camera), folder / names[name], TEXT_DIM)
    yield
    for name in names.values():
        (folder / name).unlink()


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_baseline_films_each_view_from_its_first_frame_and_both_rows_are_takes(server, fun_files, name):
    outcome = server.run(small(name))
    assert outcome.status == "success", outcome.message
    for row in ("syncam_master", name):
        take = list(read_takes(server.folder / "output" / row))[-1]
        assert (take.views, take.frames) == (2, 5)
        assert take.rig is not None
        assert take.prompt.startswith("A potter in a sunlit workshop")


def test_the_path_of_a_moving_camera_changes_what_the_camera_baseline_films(server, fun_files):
    films = []
    for moving in (False, True):
        prompt = small("baseline_wan_camera", moving)
        if moving:
            for number in ("13", "40"):
                prompt[number]["inputs"]["rig"] = ["5", 0]
        outcome = server.run(prompt)
        assert outcome.status == "success", outcome.message
        films.append([*read_takes(server.folder / "output" / "baseline_wan_camera")][-1])
    still, moved = (torch.from_numpy(film.clips[0][4]).float() for film in films)
    assert (still - moved).abs().mean() > 1


@pytest.mark.parametrize("name", NAMES)
def test_workflow_and_job_are_the_same_graph_and_name_their_files(name):
    workflow = json.loads(template(name).read_text(encoding="utf-8"))
    prompt = prompt_of(name)
    nodes = {str(node["id"]): node for node in workflow["nodes"] if node["type"] != "MarkdownNote"}
    assert {number: node["type"] for number, node in nodes.items()} == {n: p["class_type"] for n, p in prompt.items()}
    sources = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    for number, node in nodes.items():
        linked = {one["name"]: sources[one["link"]] for one in node["inputs"] if one.get("link") is not None}
        assert linked == {key: value for key, value in prompt[number]["inputs"].items() if isinstance(value, list)}
    files = {model["name"] for node in workflow["nodes"] for model in node["properties"].get("models", [])}
    asked = {v for n in prompt.values() for v in n["inputs"].values() if isinstance(v, str)}
    assert files == {value for value in asked if value.endswith((".safetensors", ".ckpt"))}
    (note,) = (node["widgets_values"][0] for node in workflow["nodes"] if node["type"] == "MarkdownNote")
    assert all(file in note for file in files)
    assert template(name).with_suffix(".jpg").is_file()
