"""Datasets, split and join over HTTP: what only the real executor shows."""

from __future__ import annotations

import time

import pytest


def picture(color: int, node: str = "EmptyImage") -> dict:
    return {"class_type": node, "inputs": {"width": 32, "height": 16, "batch_size": 3, "color": color}}


def job(**export) -> dict:
    """Two made-up views, exported, loaded again and shown."""
    return {
        "1": picture(255),
        "2": picture(65280),
        "3": {"class_type": "SynCamJoinViews", "inputs": {"views.view0": ["1", 0], "views.view1": ["2", 0]}},
        "4": {
            "class_type": "SynCamRigOrbit",
            "inputs": {"azimuths": "0, 40", "elevations": "10", "distances": "4"},
        },
        "5": {
            "class_type": "SynCamExportDataset",
            "inputs": {
                "views": ["3", 0],
                "rig": ["4", 0],
                "caption": "two colours",
                "dataset": f"sets/{time.monotonic_ns()}",
                "layout": "nerfstudio",
                "fps": 24.0,
                "split": "",
                "scene": "",
                "name_in_use": "refuse",
                "crf": 12,
                **export,
            },
        },
        "6": {
            "class_type": "SynCamLoadDataset",
            "inputs": {
                "dataset": ["5", 0],
                "below": "output",
                "scene": 1,
                "cameras": "",
                "first_frame": 0,
                "frames": 0,
                "layout": "auto",
                "unit_m": 0.0,
            },
        },
        "7": {"class_type": "PreviewImage", "inputs": {"images": ["6", 0]}},
        "8": {"class_type": "PreviewAny", "inputs": {"source": ["6", 2]}},
        "9": {"class_type": "PreviewAny", "inputs": {"source": ["6", 3]}},
    }


def executed(outcome) -> set[str]:
    """The nodes that were run, or looked at."""
    return {data["node"] for kind, data in outcome.events if kind == "executing"}


@pytest.mark.parametrize("layout", ["syncamvideo", "nerfstudio", "colmap"])
def test_views_go_into_a_dataset_and_come_back(server, layout):
    outcome = server.run(job(layout=layout))
    assert outcome.status == "success", outcome.message
    assert len(outcome.outputs["7"]["images"]) == 6
    assert [outcome.outputs[number]["text"][0] for number in ("8", "9")] == ["two colours", "24.0"]
    assert outcome.outputs["5"]["text"][0].endswith(f"scene00001\n{layout}: 2 cameras, 3 frames")


def test_what_is_there_already_is_not_made_again(server):
    """A queue that was cut off: the views of a scene that is there are not even asked for."""
    dataset = f"sets/{time.monotonic_ns()}"
    first = job(dataset=dataset, scene="dog", name_in_use="keep it")
    assert server.run(first).status == "success"
    again = job(dataset=dataset, scene="dog", name_in_use="keep it")
    again["2"]["inputs"]["color"] = 12345
    outcome = server.run(again)
    assert outcome.status == "success", outcome.message
    assert "5" in executed(outcome)
    assert not {"2", "3"} & executed(outcome)
    assert outcome.outputs["5"]["text"] == [f"{dataset}/dog\nwas there and was kept"]


def test_a_name_in_use_is_refused_before_the_sampling(server):
    dataset = f"sets/{time.monotonic_ns()}"
    assert server.run(job(dataset=dataset, scene="dog")).status == "success"
    again = job(dataset=dataset, scene="dog", caption="another")
    again["2"]["inputs"]["color"] = 54321
    outcome = server.run(again)
    assert outcome.status == "error"
    assert outcome.message.startswith(
        f"SynCamExportDataset: 'scene' is 'dog', but '{dataset}' has a scene of this name"
    )
    assert not {"2", "3"} & executed(outcome)


def test_a_dataset_that_leads_out_is_refused_once_when_it_is_queued(server):
    outcome = server.run(job(dataset="../elsewhere"))
    assert outcome.status == "refused"
    assert outcome.message.count("SynCamExportDataset: 'dataset' is '../elsewhere', which leads out") == 1


def test_core_nodes_run_once_for_each_view_and_on_a_single_one(server):
    prompt = {
        **{number: node for number, node in job().items() if number in "123"},
        "5": {"class_type": "SynCamPickViews", "inputs": {"views": ["3", 0], "cameras": "2"}},
        "6": {"class_type": "ImageInvert", "inputs": {"image": ["5", 0]}},
        "7": {
            "class_type": "SynCamReplaceView",
            "inputs": {"views": ["3", 0], "view": ["6", 0], "camera": "2"},
        },
        "8": {"class_type": "SynCamViewsToBatch", "inputs": {"views": ["7", 0]}},
        "9": {"class_type": "SynCamBatchToViews", "inputs": {"images": ["8", 0], "count": ["8", 1]}},
        "10": {"class_type": "PreviewImage", "inputs": {"images": ["9", 0]}},
        "11": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 3}},
        "12": {"class_type": "SynCamSplitLatent", "inputs": {"latent": ["11", 0]}},
        "13": {
            "class_type": "LatentUpscaleBy",
            "inputs": {"samples": ["12", 0], "upscale_method": "area", "scale_by": 2},
        },
        "14": {"class_type": "SynCamJoinLatents", "inputs": {"latents.latent0": ["13", 0]}},
        "15": {"class_type": "SaveLatent", "inputs": {"samples": ["14", 0], "filename_prefix": "latents/joined"}},
    }
    outcome = server.run(prompt)
    assert outcome.status == "success", outcome.message
    assert len(outcome.outputs["10"]["images"]) == 6
    from safetensors.torch import load_file

    (file,) = (server.folder / "output" / "latents").glob("joined_*.latent")
    assert tuple(load_file(file)["latent_tensor"].shape) == (3, 4, 16, 16)


def test_the_rig_of_picked_views_says_that_none_is_connected(server):
    prompt = {
        **{number: node for number, node in job().items() if number in "123"},
        "5": {"class_type": "SynCamPickViews", "inputs": {"views": ["3", 0], "cameras": "2"}},
        "6": {"class_type": "SynCamRigMeter", "inputs": {"rig": ["5", 1]}},
    }
    outcome = server.run(prompt)
    assert "SynCamPickViews: its output 'rig' is used, but no rig is connected to it." in outcome.message
