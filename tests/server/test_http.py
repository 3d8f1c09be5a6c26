"""The pack as a headless user sees it: prompts over HTTP to a real server."""

import json
import re
import time
from pathlib import Path

import av
import pytest
import torch
from comfy_server import in_background
from prompts import DEMO, id_of, node_of, small, with_rig_file, with_rig_json
from safetensors.torch import load_file


def videos(server, outcome):
    (output,) = (out for out in outcome.outputs.values() if out.get("animated") == [True])
    files = [Path(server.folder / "output" / item["subfolder"] / item["filename"]) for item in output["images"]]
    return {re.search(r"_\d{5}_(.+)\.mp4", file.name)[1]: file for file in files}


def frames(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def latent(server, prompt, source="8"):
    """What a prompt's sampling node gives, bit for bit (a video codec need not be exact)."""
    prefix = f"latents/{time.monotonic_ns()}"
    save = {"class_type": "SaveLatent", "inputs": {"samples": [source, 0], "filename_prefix": prefix}}
    kept = {
        key: node for key, node in prompt.items() if node["class_type"] not in ("SynCamDecodeViews", "SynCamSaveViews")
    }
    outcome = server.run({**kept, "99": save})
    assert outcome.status == "success", outcome.message
    (file,) = (server.folder / "output" / "latents").glob(f"{prefix.split('/')[1]}*.latent")
    return load_file(file)["latent_tensor"]


def test_every_node_of_the_pack_is_offered_with_the_contracted_inputs_and_outputs(server):
    contract = {
        "SynCamRigOrbit": ("azimuths elevations distances", "rig"),
        "SynCamRigJSON": ("rig_json", "rig"),
        "SynCamLoadRig": ("file cameras format unit_m pictures", "rig"),
        "SynCamEncodeCameras": ("rig length", "cameras"),
        "SynCamLoadWeights": ("weights_name", "weights"),
        "SynCamApply": (
            "model weights cameras strength start_percent end_percent coupling group_size memory control",
            "model",
        ),
        "SynCamViewParallel": ("model devices split", "model"),
        "SynCamViewControl": ("strengths starts ends blocks", "control"),
        "SynCamViewPrompts": ("clip text suffixes cameras", "conditioning"),
        "SynCamGivenViews": ("latent views given vae", "latent"),
        "SynCamDualGuider": ("model positive negative latent text_scale video_scale", "guider"),
        "SynCamEmptyLatent": ("cameras width height length trajectories", "latent"),
        "SynCamSampler": (
            "model positive negative latent seed steps cfg sampler_name scheduler shift denoise noise noise_mix "
            "noise_order unsynchronized",
            "latent",
        ),
        "SynCamDecodeViews": ("latent vae devices", "views"),
        "SynCamViewGrid": ("views columns labels rig layout fps", "images video"),
        "SynCamSaveViews": ("views filename_prefix fps rig contact_sheet layout scores audio folder_per_take", "files"),
        "SynCamRenderViews": (
            "latent vae filename_prefix fps codec films contact_sheet tiled rig layout interpolation multiplier audio "
            "folder_per_take",
            "files videos grid",
        ),
        "SynCamPlayer": ("fps cuts views files rig", "cuts"),
        "SynCamLayout": ("kind gap background names angles timecode", "layout"),
        "SynCamBulletTime": (
            "views freeze_frame from_view to_view order frames_per_view hold between ease ping_pong then fps rig "
            "interp_model",
            "images video",
        ),
        "SynCamViewSweep": ("views from_view to_view order cross_fade ease ping_pong fps rig", "images video"),
        "SynCamStereo": ("views left right format cross_eyed fps rig", "images video"),
        "SynCamQuilt": ("views columns rows order fps rig", "images video suffix"),
        "SynCamEdit": ("views cuts fps timecode rig audio", "images video edit cuts"),
        "SynCamAutoCut": ("views method shot_length order rig", "cuts"),
        "SynCamSaveEdit": ("edit files formats", "paths"),
        "SynCamSavePage": ("rig caption video_files filename_prefix files fps width height", "path"),
        "SynCamSaveRerun": ("rig caption pictures filename_prefix files fps width height", "path"),
        "SynCamExportDataset": (
            "views rig caption dataset layout fps split scene name_in_use crf points hold_out masks points_of",
            "scene",
        ),
        "SynCamLoadDataset": (
            "dataset below scene cameras first_frame frames layout unit_m",
            "views rig caption fps name",
        ),
        "SynCamJoinViews": ("views", "views"),
        "SynCamPickViews": ("views cameras rig", "views rig"),
        "SynCamReplaceView": ("views view camera rig", "views"),
        "SynCamViewsToBatch": ("views", "images count"),
        "SynCamBatchToViews": ("images count", "views"),
        "SynCamSplitLatent": ("latent", "latents"),
        "SynCamJoinLatents": ("latents", "latent"),
    }
    info = server.get("/object_info")
    for node_id, (inputs, outputs) in contract.items():
        order = info[node_id]["input_order"]
        assert " ".join([*order.get("required", []), *order.get("optional", [])]) == inputs
        assert " ".join(info[node_id]["output_name"]) == outputs
        for name in inputs.split():
            spec = {**info[node_id]["input"]["required"], **info[node_id]["input"].get("optional", {})}[name]
            assert spec[1].get("tooltip"), f"{node_id}.{name} has no tooltip"
        assert info[node_id]["description"]
    assert info["SynCamEmptyLatent"]["input_order"]["required"] == ["cameras", "width", "height", "length"]
    assert info["SynCamSaveViews"]["input"]["optional"]["contact_sheet"][1]["default"] is True
    defaults = {
        ("SynCamRigOrbit", "azimuths"): "0, 30",
        ("SynCamRigOrbit", "elevations"): "0",
        ("SynCamRigOrbit", "distances"): "3.0",
        ("SynCamLoadRig", "cameras"): "",
        ("SynCamEncodeCameras", "length"): 81,
        ("SynCamEmptyLatent", "width"): 832,
        ("SynCamEmptyLatent", "height"): 480,
        ("SynCamEmptyLatent", "length"): 81,
        ("SynCamSampler", "steps"): 50,
        ("SynCamSampler", "cfg"): 5.0,
        ("SynCamSampler", "sampler_name"): "euler",
        ("SynCamSampler", "scheduler"): "simple",
        ("SynCamSampler", "shift"): 5.0,
        ("SynCamSampler", "denoise"): 1.0,
        ("SynCamSaveViews", "fps"): 15,
    }
    for (node_id, name), value in defaults.items():
        assert info[node_id]["input"]["required"][name][1]["default"] == value
    assert info["SynCamDecodeViews"]["output_is_list"] == [True]
    assert info["SynCamSaveViews"]["output_node"]


@pytest.mark.parametrize(
    ("maker", "socket"),
    [
        ("SynCamEncodeCameras", "cameras"),
        ("SynCamEncodeTrajectories", "cameras"),
        ("SynCamEncodeTrajectories", "trajectories"),
    ],
)
def test_the_empty_latent_has_a_video_per_camera_or_trajectory_on_either_socket(server, maker, socket):
    moves = {"moves": "9, 10, 7", "amount": 1, "distance_m": 4, "arc": "authors' chord", "length": 9}
    prompt = {
        "1": {"class_type": "SynCamRigReCam", "inputs": moves},
        "2": {"class_type": maker, "inputs": {"rig": ["1", 0], "length": 9}},
        "3": {"class_type": "SynCamEmptyLatent", "inputs": {socket: ["2", 0], "width": 64, "height": 48, "length": 9}},
        "4": {"class_type": "SaveLatent", "inputs": {"samples": ["3", 0], "filename_prefix": f"{maker}/{socket}"}},
    }
    outcome = server.run(prompt)
    assert outcome.status == "success", outcome.message
    (file,) = (server.folder / "output" / maker).glob(f"{socket}*.latent")
    assert load_file(file)["latent_tensor"].shape == (3, 16, 3, 6, 8)
    del prompt["3"]["inputs"][socket]
    outcome = server.run(prompt)
    assert outcome.status == "error"
    assert "connect 'cameras'" in outcome.message


def test_the_shipped_demo_runs_and_writes_a_video_per_camera_the_grid_the_sheet_and_the_rig_and_says_the_score(server):
    outcome = server.run(DEMO)
    assert outcome.status == "success", outcome.message
    found = videos(server, outcome)
    assert list(found) == ["grid", "cam01", "cam02", "cam03", "cam04"]
    assert {len(frames(path)) for path in found.values()} == {17}
    assert frames(found["cam01"])[0].shape == (256, 256, 3)
    (files,) = (out["files"] for out in outcome.outputs.values() if "files" in out)
    sidecar, sheet = (
        server.bytes("/view?filename={filename}&subfolder={subfolder}&type={type}".format(**file)) for file in files
    )
    cameras = json.loads(sidecar)["cameras"]
    assert [camera["name"] for camera in cameras] == ["cam01", "cam02", "cam03", "cam04"]
    assert sheet.startswith(b"\x89PNG")
    (text,) = outcome.outputs[id_of(DEMO, "PreviewAny")]["text"]
    assert text.startswith(("4 views, 17 frames of 64 x 64", "not measured: "))


def test_a_job_from_before_there_was_a_contact_sheet_still_runs(server):
    prompt = small(seed=77)
    del node_of(prompt, "SynCamSaveViews")["contact_sheet"]
    assert server.run(prompt).status == "success"


@pytest.mark.parametrize(("azimuths", "views"), [("0, 20", 2), ("-15, 0, 15, 30", 4)])
def test_views_differ_from_each_other_and_arrive_with_progress_and_previews(server, azimuths, views):
    outcome = server.run(small(azimuths), previews=True)
    assert outcome.status == "success", outcome.message
    found = videos(server, outcome)
    assert len(found) == views + 1
    pictures = [frames(path)[0] for name, path in found.items() if name != "grid"]
    assert all((pictures[0] != other).any() for other in pictures[1:])
    sampler = id_of(small(azimuths), "SynCamSampler")
    steps = [
        data["nodes"][sampler] for kind, data in outcome.events if kind == "progress_state" and sampler in data["nodes"]
    ]
    assert max(state["value"] for state in steps) == 2
    assert len(outcome.previews) == 2


def test_the_preview_shows_all_views_in_one_picture(server):
    import io
    import struct

    from PIL import Image

    (first, *_) = server.run(small("0, 20", seed=9), previews=True).previews
    kind, length = struct.unpack(">II", first[:8])
    assert kind == 4
    picture = Image.open(io.BytesIO(first[8 + length :]))
    assert picture.width / picture.height == pytest.approx(2 * 64 / 48, rel=0.02), "two 64 x 48 views side by side"


def test_the_same_seed_gives_the_same_views_and_another_seed_others(server):
    one, other = latent(server, small(seed=5)), latent(server, small(seed=6))
    assert not torch.equal(one, other)
    server.forget()
    assert torch.equal(latent(server, small(seed=5)), one), "computed again after everything was unloaded"


def test_stock_ksampler_and_samplercustomadvanced_give_what_our_sampler_gives(server):
    prompt = small()
    prompt |= {
        "22": {"class_type": "ModelSamplingSD3", "inputs": {"model": ["4", 0], "shift": 5.0}},
        "23": {"class_type": "KSampler", "inputs": {"model": ["22", 0], "latent_image": ["7", 0]}},
    }
    texts = prompt.pop("8")["inputs"]
    same = ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise", "positive", "negative")
    prompt["23"]["inputs"] |= {name: texts[name] for name in same}
    ours = latent(server, small())
    assert torch.equal(latent(server, prompt, source="23"), ours), "KSampler at shift 5 is the same sampling"

    custom = {key: node for key, node in prompt.items() if key != "23"}
    custom |= {
        "30": {"class_type": "RandomNoise", "inputs": {"noise_seed": 0}},
        "31": {"class_type": "CFGGuider", "inputs": {"model": ["22", 0], "cfg": texts["cfg"]}},
        "32": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
        "33": {"class_type": "BasicScheduler", "inputs": {"scheduler": "simple", "steps": 2, "denoise": 1.0}},
        "34": {"class_type": "SamplerCustomAdvanced", "inputs": {"latent_image": ["7", 0]}},
    }
    custom["31"]["inputs"] |= {name: texts[name] for name in ("positive", "negative")}
    custom["33"]["inputs"]["model"] = ["22", 0]
    links = {"noise": "30", "guider": "31", "sampler": "32", "sigmas": "33"}
    custom["34"]["inputs"] |= {name: [node, 0] for name, node in links.items()}
    assert torch.equal(latent(server, custom, source="34"), ours)


ORBIT_CAMERA = {"azimuth": 0, "elevation": 0, "distance": 3}
EYE = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def changed(class_type, **inputs):
    prompt = small()
    node_of(prompt, class_type).update(inputs)
    return prompt


def rig_with_nan():
    return json.dumps({"version": 1, "cameras": [ORBIT_CAMERA, {"c2w": [[float("nan"), 0, 0, 0], *EYE[1:]]}]})


def rig_of(count):
    return json.dumps({"version": 1, "cameras": [{**ORBIT_CAMERA, "azimuth": i} for i in range(count)]})


def foreign_latent():
    prompt = small()
    prompt[id_of(prompt, "SynCamEmptyLatent")] = {
        "class_type": "EmptyHunyuanLatentVideo",
        "inputs": {"width": 64, "height": 48, "length": 5, "batch_size": 3},
    }
    return prompt


@pytest.mark.parametrize(
    ("prompt", "node", "words"),
    [
        (foreign_latent(), "SynCamSampler", ["latent", "3", "2 views", "SynCamEmptyLatent"]),
        (changed("SynCamEncodeCameras", length=9), "SynCamEmptyLatent", ["length", "5", "9"]),
        (with_rig_json('{"cameras": [}'), "SynCamRigJSON", ["rig_json", "line 1", "column"]),
        (with_rig_json("not json"), "SynCamRigJSON", ["rig_json", "line 1"]),
        (with_rig_json(""), "SynCamRigJSON", ["rig_json"]),
        (with_rig_json(rig_with_nan()), "SynCamRigJSON", ["rig_json", "cameras[1]", "NaN"]),
        (with_rig_json(rig_of(0)), "SynCamRigJSON", ["rig_json", "camera"]),
        (with_rig_json(rig_of(100)), "SynCamRigJSON", ["rig_json", "100", "64"]),
        (
            changed("SynCamRigOrbit", azimuths=", ".join(map(str, range(100)))),
            "SynCamRigOrbit",
            ["azimuths", "100", "64"],
        ),
        (changed("SynCamRigOrbit", azimuths=""), "SynCamRigOrbit", ["azimuths"]),
        (changed("SynCamRigOrbit", azimuths="0, left"), "SynCamRigOrbit", ["azimuths", "left"]),
        (changed("SynCamRigOrbit", azimuths="0, nan"), "SynCamRigOrbit", ["azimuths", "nan"]),
        (changed("SynCamRigOrbit", distances="3, 4, 5"), "SynCamRigOrbit", ["distances", "3", "2"]),
        (changed("SynCamEncodeCameras", length=80), "SynCamEncodeCameras", ["length", "80", "77", "81"]),
        (changed("SynCamEmptyLatent", length=80), "SynCamEmptyLatent", ["length", "80", "77", "81"]),
        (changed("SynCamEmptyLatent", width=100), "SynCamEmptyLatent", ["width", "100", "96"]),
        (with_rig_file("missing.json"), "SynCamLoadRig", ["file", "missing.json"]),
        (with_rig_file("../../../../etc/passwd"), "SynCamLoadRig", ["file", "passwd"]),
        (with_rig_file("syncam_demo_cameras.json", "1, 42"), "SynCamLoadRig", ["cameras", "42", "cam01"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_input_is_answered_by_one_sentence_naming_node_input_value_and_remedy(server, prompt, node, words):
    outcome = server.run(prompt)
    assert outcome.status in ("refused", "error")
    assert outcome.node_type == node
    for word in [node, *words]:
        assert word.lower() in outcome.message.lower(), outcome.message
    assert "\n" not in outcome.message
    assert outcome.message.count(f"{node}: ") == 1, "said once"
    assert server.run(small()).status == "success", "the next job runs"


def test_unknown_weights_are_refused_when_queued_with_the_names_there_are(server):
    prompt = small()
    prompt["21"] = {"class_type": "SynCamLoadWeights", "inputs": {"weights_name": "no.safetensors"}}
    node_of(prompt, "SynCamApply")["weights"] = ["21", 0]
    outcome = server.run(prompt)
    assert (outcome.status, outcome.node_type) == ("refused", "SynCamLoadWeights")
    assert "no.safetensors" in outcome.message
    assert "tiny_views.safetensors" in outcome.message


def base_alone(node_id):
    """The unpatched base model as a job of its own; two samplers that agree, so that the second is not from a cache."""
    prompt = small(seed=3)
    inputs = node_of(prompt, "SynCamSampler")
    inputs["model"] = ["22", 0]
    inputs["shift"] = 0.0
    inputs["unsynchronized"] = True
    if node_id == "KSampler":
        inputs["latent_image"] = inputs.pop("latent")
        del inputs["shift"], inputs["unsynchronized"]
    prompt["8"]["class_type"] = node_id
    prompt["22"] = {"class_type": "ModelSamplingSD3", "inputs": {"model": ["1", 0], "shift": 5.0}}
    del prompt[id_of(prompt, "SynCamApply")]
    return prompt


def test_after_an_interrupt_the_next_job_runs_and_the_base_is_as_before(server):
    before = latent(server, base_alone("SynCamSampler"))
    long = small(steps=500, seed=11)
    sampler = id_of(long, "SynCamSampler")

    def interrupt_in_mid_sampling(kind, data):
        if kind == "progress_state" and data["nodes"].get(sampler, {}).get("value", 0) >= 3:
            in_background(server.post, "/interrupt", {})

    started = time.monotonic()
    outcome = server.run(long, on_event=interrupt_in_mid_sampling)
    assert outcome.status == "interrupted"
    assert time.monotonic() - started < 60
    assert not list((server.folder / "output").rglob("*.part*"))
    assert server.run(small(seed=12)).status == "success"
    assert torch.equal(latent(server, base_alone("KSampler")), before)


def test_twenty_jobs_in_a_row_do_not_grow_the_memory(server):
    used = []
    for seed in range(20):
        outcome = server.run(small(azimuths=f"0, {seed + 1}", seed=100 + seed))
        assert outcome.status == "success", outcome.message
        used.append(server.memory_mb())
    # The first jobs fill caches; from then on a leak of one latent or module per job would show. (The allocator may give
    # memory back in between, so no single job is the measure.)
    assert max(used[12:]) - max(used[:8]) < 10, used


def test_the_log_holds_no_warning_or_error_of_ours(server):
    """Refused and interrupted jobs, of other files' tests too, are logged by the host as such; nothing else may be."""
    log = re.sub(r"\x1b\[[0-9;]*m", "", server.log())
    startup = log.split("To see the GUI go to")[0]
    assert "ComfyUI-SynCam" in startup
    assert "Traceback" not in startup
    assert not [line for line in startup.splitlines() if "SynCam" in line and ("WARN" in line or "ERROR" in line)]
    warnings = [line for line in log.splitlines() if "[WARNING]" in line and "invalid prompt" not in line]
    assert not [line for line in warnings if "syncam" in line.lower()]
    assert not re.findall(r"(?:ComfyUI-SynCam|syncam_core)/\S*: \w*Warning", log)
