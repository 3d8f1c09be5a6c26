"""Many views over HTTP: eight of them interrupted and gone on with, and a clip that is one of the views."""

import io
import json
import struct
from pathlib import Path

import av
import numpy as np
import torch
from comfy_server import in_background
from PIL import Image
from prompts import id_of, node_of, small
from safetensors.torch import load_file

STEPS = 8
EXAMPLES = Path(__file__).resolve().parents[2] / "example_workflows"
AZIMUTHS = ", ".join(str(-70 + 20 * i) for i in range(8))


def to_latent(prompt: dict, name: str, source: str) -> dict:
    """The same sampling with its latent saved in place of videos."""
    drawn = ("SynCamDecodeViews", "SynCamSaveViews")
    kept = {key: node for key, node in prompt.items() if node["class_type"] not in drawn}
    save = {"samples": [source, 0], "filename_prefix": f"many_views/{name}"}
    return {**kept, "99": {"class_type": "SaveLatent", "inputs": save, "_meta": {"title": "save"}}}


def saved(server, name: str) -> torch.Tensor:
    (file,) = (server.folder / "output" / "many_views").glob(f"{name}_*.latent")
    return load_file(file)["latent_tensor"]


def steps_shown(outcome, sampler: str) -> list[int]:
    states = [data["nodes"].get(sampler) for kind, data in outcome.events if kind == "progress_state"]
    return [state["value"] for state in states if state and state["max"] == STEPS]


def test_eight_views_interrupted_in_mid_sampling_go_on_there_and_end_as_if_nothing_had_been(server):
    prompt = small(AZIMUTHS, steps=STEPS, seed=41)
    sampler = id_of(prompt, "SynCamSampler")
    job, pressed = to_latent(prompt, "resumed", sampler), []

    def interrupt_after_the_third_step(kind, data):
        state = data["nodes"].get(sampler, {}) if kind == "progress_state" else {}
        if state.get("max") == STEPS and state["value"] >= 3 and not pressed:
            pressed.append(in_background(server.post, "/interrupt", {}))

    first = server.run(job, on_event=interrupt_after_the_third_step, previews=True)
    assert first.status == "interrupted"
    done = max(steps_shown(first, sampler))
    assert 3 <= done < STEPS
    assert len(first.previews) >= 3
    _, length = struct.unpack(">II", first.previews[-1][:8])
    picture = Image.open(io.BytesIO(first.previews[-1][8 + length :]))
    assert picture.width * picture.height >= 8 * 8 * 6, "a latent pixel or more for each of the eight views"

    second = server.run(job, previews=True)
    assert second.status == "success", second.message
    shown = steps_shown(second, sampler)
    assert min(shown) >= done - 1, "it does not begin at the beginning"
    assert max(shown) == STEPS
    assert len(second.previews) <= STEPS - min(shown) + 1

    whole = to_latent(prompt, "whole", "23")
    inputs = node_of(prompt, "SynCamSampler")
    same = ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise", "positive", "negative")
    shift = {"model": inputs["model"], "shift": inputs["shift"]}
    stock = {"model": ["22", 0], "latent_image": inputs["latent"], **{name: inputs[name] for name in same}}
    whole["22"] = {"class_type": "ModelSamplingSD3", "inputs": shift, "_meta": {"title": "shift"}}
    whole["23"] = {"class_type": "KSampler", "inputs": stock, "_meta": {"title": "stock"}}
    assert server.run(whole).status == "success"
    assert saved(server, "resumed").shape == (8, 16, 2, 6, 8)
    assert torch.equal(saved(server, "resumed"), saved(server, "whole"))


def first_frame(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)


def test_the_shipped_workflow_with_a_given_clip_runs_and_its_first_view_is_the_clip(server):
    prompt = json.loads((EXAMPLES / "api" / "given_view.json").read_text(encoding="utf-8"))
    for class_type in ("SynCamEncodeCameras", "SynCamEmptyLatent"):
        node_of(prompt, class_type).update(length=5)
    node_of(prompt, "SynCamSampler").update(steps=2)
    outcome = server.run(prompt)
    assert outcome.status == "success", outcome.message
    (output,) = (out for out in outcome.outputs.values() if out.get("animated") == [True])
    files = [server.folder / "output" / item["subfolder"] / item["filename"] for item in output["images"]]
    clip = first_frame(EXAMPLES / "input" / "syncam_demo_clip.mp4")
    differences = [abs(first_frame(file) - clip).mean() for file in files if "grid" not in file.name]
    assert len(differences) == 4
    assert differences[0] < 10, "of 255"
    assert min(differences[1:]) > 2 * differences[0]


def test_views_that_cannot_be_meant_are_refused_when_queued_and_said_once(server):
    prompt = json.loads((EXAMPLES / "api" / "given_view.json").read_text(encoding="utf-8"))
    node_of(prompt, "SynCamGivenViews").update(views="first")
    outcome = server.run(prompt)
    assert (outcome.status, outcome.node_type) == ("refused", "SynCamGivenViews")
    assert outcome.message.count("SynCamGivenViews: 'views' holds 'first'") == 1
