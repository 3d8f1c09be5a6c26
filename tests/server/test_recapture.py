"""Re-capture over HTTP: the example workflows from the shipped clip to their files, on the toy weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import pytest
import torch
from safetensors.torch import load_file

EXAMPLES = Path(__file__).resolve().parents[2] / "example_workflows"


def prompt(server, name: str, steps: int = 2) -> dict:
    """An example with fewer steps, its files in a folder of its own."""
    shutil.copy(EXAMPLES / "input" / "syncam_demo_clip.mp4", server.folder / "input")
    nodes = json.loads((EXAMPLES / "api" / f"{name}.json").read_text(encoding="utf-8"))
    for node in nodes.values():
        if node["class_type"] == "SynCamSampler":
            node["inputs"]["steps"] = steps
        if "filename_prefix" in node["inputs"]:
            node["inputs"]["filename_prefix"] = f"{name}/film"
    return nodes


def films(server, name: str) -> dict[str, tuple[int, int, int, float]]:
    """Of every video file its frames, width, height and frame rate."""
    told = {}
    for path in sorted((server.folder / "output" / name).rglob("*.mp4")):
        with av.open(str(path)) as video:
            stream = video.streams.video[0]
            frames = sum(1 for _ in video.decode(stream))
            told[path.name] = (frames, stream.width, stream.height, float(stream.average_rate))
    return told


def test_one_move_saves_the_source_and_its_re_capture(server):
    outcome = server.run(prompt(server, "recapture_one"), seconds=600)
    assert outcome.status == "success", outcome.message
    made = films(server, "recapture_one")
    assert len([name for name in made if "grid" not in name]) >= 2
    assert all(film[0] == 17 and film[3] == 8 for film in made.values())


def test_four_moves_are_one_batch_in_the_player_and_one_grid(server):
    outcome = server.run(prompt(server, "recapture_many"), seconds=600)
    assert outcome.status == "success", outcome.message
    ((frames, width, height, fps),) = films(server, "recapture_many").values()
    assert (frames, fps) == (17, 8)
    assert width > height  # three columns, two rows
    (shown,) = (output["syncam_player"][0] for output in outcome.outputs.values() if "syncam_player" in output)
    assert len(shown["views"]) == 5


def test_all_that_follows_sampling_takes_re_captures_with_the_source_as_one_more_camera(server):
    """Live preview of all, files from the latent, a dataset whose first camera is the source's, and back from it."""
    nodes = prompt(server, "recapture_many")
    number = {node["class_type"]: key for key, node in nodes.items()}
    rig, latent, joined = (number[kind] for kind in ("SynCamRigReCam", "SynCamSampler", "SynCamJoinViews"))
    for kind in ("SynCamPlayer", "SynCamViewGrid", "SaveVideo"):
        del nodes[number[kind]]
    render = {"latent": [latent, 0], "vae": ["1", 2], "filename_prefix": "recapture_rendered/film", "fps": 8.0}
    render |= {"codec": "h264", "codec.bit_depth": "8", "codec.crf": 18.0, "films": "views and grid", "rig": [rig, 0]}
    place = {"azimuths": "0", "elevations": "0", "distances": "5"}  # where ReCam's moves begin
    dataset = {"dataset": "recapture_dataset", "layout": "nerfstudio", "fps": 8, "split": "", "scene": "one", "crf": 12}
    dataset |= {"caption": "a red ball", "name_in_use": "refuse", "views": [joined, 0], "rig": ["merged", 0]}
    back = {"dataset": ["set", 0], "below": "output", "scene": 1, "cameras": "", "first_frame": 0, "frames": 0}
    nodes |= {
        "render": {"class_type": "SynCamRenderViews", "inputs": {**render, "contact_sheet": True, "tiled": False}},
        "source": {"class_type": "SynCamRigOrbit", "inputs": place},
        "merged": {"class_type": "SynCamRigMerge", "inputs": {"rigs.rig0": ["source", 0], "rigs.rig1": [rig, 0]}},
        "set": {"class_type": "SynCamExportDataset", "inputs": dataset},
        "back": {"class_type": "SynCamLoadDataset", "inputs": {**back, "layout": "auto", "unit_m": 0}},
        "meter": {"class_type": "SynCamRigMeter", "inputs": {"rig": ["back", 1]}},
    }
    outcome = server.run(nodes, previews=True, seconds=600)
    assert outcome.status == "success", outcome.message
    assert outcome.previews
    assert len([name for name in films(server, "recapture_rendered") if "grid" not in name]) == 4
    assert outcome.outputs["meter"]["text"][0].startswith("5 cameras")


def test_source_and_re_captures_are_cut_into_one_film(server):
    outcome = server.run(prompt(server, "recapture_edit"), seconds=600)
    assert outcome.status == "success", outcome.message
    assert list(films(server, "recapture_edit").values()) == [(17, 256, 256, 8)]


def sampled(server, nodes: dict, numbers: dict[str, str]) -> dict[str, torch.Tensor]:
    """What each numbered sampler makes in one workflow, read back from the host's own file of it. Nothing is cached."""
    server.forget()
    for name, number in numbers.items():
        save = {"samples": [number, 0], "filename_prefix": f"both/{name}"}
        nodes = {**nodes, f"save {name}": {"class_type": "SaveLatent", "inputs": save}}
    shutil.rmtree(server.folder / "output" / "both", ignore_errors=True)
    outcome = server.run(nodes, seconds=600)
    assert outcome.status == "success", outcome.message
    return {
        name: load_file(next((server.folder / "output" / "both").glob(f"{name}_*.latent")))["latent_tensor"]
        for name in numbers
    }


def test_views_and_re_captures_of_one_base_are_sampled_in_one_workflow_as_each_alone(server):
    """And a re-capture of what was re-captured, whose source is a latent that needs no VAE."""
    nodes = prompt(server, "recapture_one")
    nodes = {number: node for number, node in nodes.items() if int(number) <= 11}
    one, sampler = dict(nodes), nodes["11"]["inputs"]
    sizes = {key: nodes["10"]["inputs"][key] for key in ("width", "height", "length")}
    nodes |= {
        "ring": {"class_type": "SynCamRigOrbit", "inputs": {"azimuths": "0, 30", "elevations": "10", "distances": "5"}},
        "cameras": {"class_type": "SynCamEncodeCameras", "inputs": {"rig": ["ring", 0], "length": 17}},
        "views": {
            "class_type": "SynCamApply",
            "inputs": {"model": ["1", 0], "weights": ["1", 3], "cameras": ["cameras", 0]}
            | {"strength": 1.0, "start_percent": 0.0, "end_percent": 1.0, "coupling": "joint", "group_size": 2}
            | {"memory": "auto"},
        },
        "room": {"class_type": "SynCamEmptyLatent", "inputs": {**sizes, "cameras": ["cameras", 0]}},
        "synchronized": {
            "class_type": "SynCamSampler",
            "inputs": {**sampler, "model": ["views", 0], "latent": ["room", 0]},
        },
        "latent": {
            "class_type": "SynCamSourceVideo",
            "inputs": {**sizes, "videos.video0": ["11", 0], "start_frame": 0, "every": 1},
        },
        "again": {"class_type": "SynCamReCamApply", "inputs": {**nodes["7"]["inputs"], "source": ["latent", 0]}},
        "twice": {"class_type": "SynCamSampler", "inputs": {**sampler, "model": ["again", 0]}},
    }
    made = sampled(server, nodes, {"recapture": "11", "views": "synchronized", "twice": "twice"})
    alone = sampled(server, one, {"recapture": "11"})["recapture"]
    assert torch.equal(made["recapture"], alone)
    assert made["views"].shape == (2, *alone.shape[1:])
    assert made["twice"].shape == alone.shape
    assert not torch.equal(made["twice"], alone)
    assert all(torch.isfinite(latent).all() for latent in made.values())


@pytest.mark.parametrize(
    ("node", "changed", "sentence"),
    [
        ("SynCamReCamApply", {"weights": ["1", 3]}, "'weights' are the view-sync weights of SynCamMaster"),
        ("SynCamSourceVideo", {"length": 21}, "'videos.video0' has 17 frames"),
        ("SynCamRigReCam", {"moves": "11"}, "'moves' asks for '11'"),
        ("SynCamEncodeTrajectories", {"length": 13}, "'cameras' were encoded for 13 frames"),
    ],
)
def test_a_mistake_is_one_sentence_over_http_too(server, node, changed, sentence):
    nodes = prompt(server, "recapture_one")
    number = next(key for key, one in nodes.items() if one["class_type"] == node)
    nodes[number]["inputs"].update(changed)
    outcome = server.run(nodes)
    assert outcome.status != "success"
    assert sentence in str(outcome.message)
