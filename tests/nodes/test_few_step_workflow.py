"""The shipped recipe with a step-distilled LoRA: the host takes it, and its settings do what its note says."""

import asyncio
import json
from pathlib import Path

import pytest
import torch
from docs_scripts import template
from host_wan import TinyWan, conditioning, text
from safetensors.torch import save_file

WORKFLOWS = Path(__file__).parents[2] / "example_workflows"
PROMPT = json.loads((WORKFLOWS / "api" / "text_to_2_views_4_steps.json").read_text(encoding="utf-8"))
FILES = {"UNETLoader": "unet_name", "CLIPLoader": "clip_name", "VAELoader": "vae_name"}
FILES |= {"SynCamLoadWeights": "weights_name", "LoraLoaderModelOnly": "lora_name"}
FRAMES, HEIGHT, WIDTH = 2, 4, 6


def inputs_of(class_type):
    (inputs,) = (node["inputs"] for node in PROMPT.values() if node["class_type"] == class_type)
    return inputs


@pytest.fixture
def downloads(comfy):
    """Empty files under the names that the workflow says to download, in the folders that it says."""
    workflow = json.loads(template("text_to_2_views_4_steps").read_text(encoding="utf-8"))
    models = [model for node in workflow["nodes"] for model in node["properties"].get("models", [])]
    paths = [Path(comfy.folders.models_dir) / model["directory"] / model["name"] for model in models]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    yield {path.name for path in paths}
    for path in paths:
        path.unlink()


def test_the_host_takes_it_once_the_files_are_where_the_workflow_says(comfy, downloads):
    import execution

    import nodes

    assert {inputs_of(class_type)[name] for class_type, name in FILES.items()} == downloads
    known = dict(nodes.NODE_CLASS_MAPPINGS)
    nodes.NODE_CLASS_MAPPINGS.update(comfy.nodes)
    try:
        valid, problem, outputs, errors = asyncio.run(execution.validate_prompt("4 steps", PROMPT, None))
    finally:
        nodes.NODE_CLASS_MAPPINGS.clear()
        nodes.NODE_CLASS_MAPPINGS.update(known)
    assert valid, (problem, errors)
    assert outputs == [number for number, node in PROMPT.items() if node["class_type"] == "SynCamSaveViews"]


def test_it_differs_from_the_50_step_workflow_in_the_lora_and_the_sampling_only():
    plain = json.loads((WORKFLOWS / "api" / "text_to_2_views_azimuth.json").read_text(encoding="utf-8"))
    lora = [number for number, node in PROMPT.items() if node["class_type"] == "LoraLoaderModelOnly"]
    assert set(PROMPT) - set(plain) == set(lora)
    assert [PROMPT[number]["inputs"]["strength_model"] for number in lora] == [1.0]
    changed = {
        (node["class_type"], name)
        for number, node in plain.items()
        for name, value in node["inputs"].items()
        if PROMPT[number]["inputs"][name] != value
    }
    sampling = {("SynCamSampler", name) for name in ("steps", "cfg", "sampler_name")}
    assert changed == sampling | {
        ("SynCamApply", "model"),
        ("CLIPTextEncode", "text"),
        ("SynCamSaveViews", "filename_prefix"),
    }


def test_it_asks_the_model_four_times_at_the_noise_levels_of_the_distillation_and_never_for_the_negative(comfy):
    """1000, 750, 500, 250, shifted by 5, are the steps that Self-Forcing was distilled for."""
    tiny, views = TinyWan(comfy, "few_steps", seed=8), 2
    generator = torch.Generator().manual_seed(3)
    lora = {
        "diffusion_model.blocks.0.self_attn.q.lora_A.weight": torch.randn(4, 256, generator=generator) / 16,
        "diffusion_model.blocks.0.self_attn.q.lora_B.weight": torch.randn(256, 4, generator=generator) / 2,
    }
    folder = Path(comfy.folders.models_dir) / "loras"
    folder.mkdir(exist_ok=True)
    save_file(lora, folder / "few_steps.safetensors")
    strength = inputs_of("LoraLoaderModelOnly")["strength_model"]
    (base,) = comfy.run(
        "LoraLoaderModelOnly", model=tiny.base(), lora_name="few_steps.safetensors", strength_model=strength
    )
    poses = torch.randn(views, FRAMES, 12, generator=generator)
    seen = []

    def watch(apply_model, args):
        seen.append((round(float(args["timestep"][0]), 4), tuple(args["input"].shape), args["cond_or_uncond"]))
        return apply_model(args["input"], args["timestep"], **args["c"])

    def sampled(model):
        model = model.clone()
        model.set_model_unet_function_wrapper(watch)
        texts = {"positive": conditioning(text(6, seed=1)), "negative": conditioning(text(6, seed=2))}
        latent = {"samples": torch.zeros(views, 16, FRAMES, HEIGHT, WIDTH)}
        sampler = inputs_of("SynCamSampler")
        settings = {name: value for name, value in sampler.items() if name not in ("model", "latent", *texts)}
        return comfy.run("SynCamSampler", model=model, latent=latent, **texts, **settings)[0]["samples"]

    result = sampled(tiny.patched(poses, base=base))
    assert [sigma for sigma, _, _ in seen] == pytest.approx([1.0, 0.9375, 0.8333, 0.625], abs=1e-4)
    assert {(shape, tuple(conds)) for _, shape, conds in seen} == {((views, 16, FRAMES, HEIGHT, WIDTH), (0,))}
    assert torch.isfinite(result).all()
    assert not torch.allclose(result, sampled(tiny.patched(poses)), atol=1e-3), "the LoRA counts"
