"""The nodes from rig to empty latent: what they give, and what they refuse when a job is queued."""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

DEMO = Path(__file__).parents[2] / "example_workflows" / "input" / "syncam_demo_cameras.json"


@pytest.fixture
def inputs(comfy, tmp_path):
    """An input folder with the demo file, one file in a folder below it, and one two folders below."""
    before, root = comfy.folders.get_input_directory(), tmp_path / "input"
    (root / "rigs" / "deep").mkdir(parents=True)
    (root / "syncam_demo_cameras.json").write_bytes(DEMO.read_bytes())
    for place in ("rigs/pair.json", "rigs/deep/pair.json", ".hidden.json", "notes.txt"):
        (root / place).write_text('{"cameras": [{"azimuth": 0, "distance": 3}, {"azimuth": 15, "distance": 3}]}')
    comfy.folders.set_input_directory(str(root))
    yield root
    comfy.folders.set_input_directory(before)


@pytest.fixture
def queue(comfy, monkeypatch):
    """Judge a prompt as the host does when a job is queued; gives the sentences of all errors."""
    import execution

    import nodes as host_nodes

    for node_id, node in comfy.nodes.items():
        monkeypatch.setitem(host_nodes.NODE_CLASS_MAPPINGS, node_id, node)

    def judge(prompt: dict) -> list[str]:
        nodes = {number: {"class_type": node_id, "inputs": values} for number, (node_id, values) in prompt.items()}
        _, error, _, node_errors = asyncio.run(execution.validate_prompt(uuid.uuid4().hex, nodes, None))
        details = [found["details"] for node in node_errors.values() for found in node["errors"]]
        return details or ([error["message"]] if error else [])

    return judge


def chain(rig: tuple[str, dict], length: object = 81, latent: dict | None = None) -> dict:
    """rig -> encode -> empty latent -> an output node"""
    return {
        "1": rig,
        "2": ("SynCamEncodeCameras", {"rig": ["1", 0], "length": length}),
        "3": ("SynCamEmptyLatent", {"cameras": ["2", 0], "width": 64, "height": 48, "length": 81, **(latent or {})}),
        "4": ("SaveLatent", {"samples": ["3", 0], "filename_prefix": "x"}),
    }


ORBIT = ("SynCamRigOrbit", {"azimuths": "0, 30", "elevations": "0", "distances": "3.0"})


def test_an_orbit_rig_goes_through_encoding_into_a_latent_of_one_item_per_view(comfy):
    (rig,) = comfy.run("SynCamRigOrbit", azimuths="0, 30, -15", elevations="5", distances="3 4 5")
    assert (rig.views, rig.frames, rig.names) == (3, 1, ("cam01", "cam02", "cam03"))
    cameras = comfy.run("SynCamEncodeCameras", rig=rig, length=81)[0]
    assert cameras.poses.shape == (3, 21, 12)
    (latent,) = comfy.run("SynCamEmptyLatent", cameras=cameras, width=832, height=480, length=81)
    assert latent["samples"].shape == (3, 16, 21, 60, 104)
    assert latent["samples"].dtype == torch.float32
    assert not latent["samples"].any()


def test_the_inputs_outputs_and_defaults_are_the_contract(comfy):
    def of(node_id):
        schema = comfy.nodes[node_id].GET_SCHEMA()
        return (
            [(one.id, one.io_type, getattr(one, "default", None)) for one in schema.inputs],
            [one.io_type for one in schema.outputs],
        )

    assert of("SynCamRigOrbit") == (
        [("azimuths", "STRING", "0, 30"), ("elevations", "STRING", "0"), ("distances", "STRING", "3.0")],
        ["SYNCAM_RIG"],
    )
    (rig_json,), outputs = of("SynCamRigJSON")
    assert (rig_json[:2], outputs) == (("rig_json", "STRING"), ["SYNCAM_RIG"])
    assert of("SynCamLoadRig") == (
        [
            ("file", "COMBO", None),
            ("cameras", "STRING", ""),
            ("format", "COMBO", "auto"),
            ("unit_m", "FLOAT", 0.0),
            ("pictures", "COMBO", "auto"),
        ],
        ["SYNCAM_RIG"],
    )
    assert of("SynCamEncodeCameras") == (
        [("rig", "SYNCAM_RIG", None), ("length", "INT", 81)],
        ["SYNCAM_CAMERAS"],
    )
    assert of("SynCamEmptyLatent") == (
        [
            ("cameras", "COMFY_MULTITYPED_V3", None),  # cameras or trajectories
            ("width", "INT", 832),
            ("height", "INT", 480),
            ("length", "INT", 81),
            ("trajectories", "SYNCAM_TRAJECTORIES", None),
        ],
        ["LATENT"],
    )
    for node_id in ("SynCamRigOrbit", "SynCamRigJSON", "SynCamLoadRig", "SynCamEncodeCameras", "SynCamEmptyLatent"):
        schema = comfy.nodes[node_id].GET_SCHEMA()
        assert schema.category == "SynCam"
        assert all(one.tooltip for one in [*schema.inputs, *schema.outputs])


def test_the_default_rig_json_is_a_rig_of_two_cameras(comfy):
    default = comfy.nodes["SynCamRigJSON"].GET_SCHEMA().inputs[0].default
    (rig,) = comfy.run("SynCamRigJSON", rig_json=default)
    assert rig.names == ("front", "right")


def test_the_demo_file_gives_the_authors_pair_and_the_same_cameras_as_its_angles(comfy, inputs):
    (rig,) = comfy.run("SynCamLoadRig", file="syncam_demo_cameras.json", cameras="1, 3")
    (orbit,) = comfy.run("SynCamRigOrbit", azimuths="30, 0", elevations="0", distances="3")
    assert rig.names == ("cam01", "cam03")
    from_file = comfy.run("SynCamEncodeCameras", rig=rig, length=81)[0]
    from_angles = comfy.run("SynCamEncodeCameras", rig=orbit, length=81)[0]
    torch.testing.assert_close(from_file.poses, from_angles.poses, atol=1e-5, rtol=0)


def test_files_of_the_input_folder_and_one_folder_below_are_offered(comfy, inputs):
    def offered():
        return comfy.nodes["SynCamLoadRig"].INPUT_TYPES()["required"]["file"][1]["options"]

    assert offered() == ["rigs/pair.json", "syncam_demo_cameras.json"]
    (inputs / "new.JSON").write_text("{}")
    assert offered() == ["new.JSON", "rigs/pair.json", "syncam_demo_cameras.json"]


def test_any_file_inside_the_input_folder_is_accepted(comfy, inputs):
    for file in ("rigs/deep/pair.json", "rigs/pair.json [input]", "rigs/../rigs/pair.json", "notes.txt"):
        assert comfy.nodes["SynCamLoadRig"].validate_inputs(file=file) is True
        assert comfy.run("SynCamLoadRig", file=file, cameras="")[0].views == 2


def test_the_sidecar_of_an_earlier_run_can_be_loaded_from_the_output_folder(comfy, tmp_path):
    before = comfy.folders.get_output_directory()
    comfy.folders.set_output_directory(str(tmp_path))
    try:
        (tmp_path / "earlier.json").write_text('{"cameras": [{"azimuth": 5, "distance": 3}]}')
        assert comfy.run("SynCamLoadRig", file="earlier.json [output]", cameras="")[0].views == 1
    finally:
        comfy.folders.set_output_directory(before)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("../secret.json", "leads out of the input folder"),
        ("rigs/../../secret.json", "leads out of the input folder"),
        ("/etc/passwd", "leads out of the input folder"),
        ("../secret.json [output]", "leads out of the input folder"),
        ("a\0b.json", "leads out of the input folder"),
        ("absent.json", "no such file.*choose one of: rigs/pair.json, syncam_demo_cameras.json"),
        ("rigs", "no such file"),
        ("x" * 5000, "no such file"),
        ("", "names no file"),
        (7, "names no file"),
    ],
)
def test_a_file_outside_the_input_folder_or_absent_is_refused_at_queue_time_and_at_run_time(comfy, inputs, file, said):
    (inputs.parent / "secret.json").write_text("{}")
    sentence = comfy.nodes["SynCamLoadRig"].validate_inputs(file=file)
    assert sentence.startswith("SynCamLoadRig: 'file' ")
    assert len(sentence) < 500
    with pytest.raises(ValueError, match=said) as refused:
        comfy.run("SynCamLoadRig", file=file, cameras="")
    assert str(refused.value) == sentence


def test_a_link_out_of_the_input_folder_is_not_followed(comfy, inputs, tmp_path):
    (tmp_path / "outside.json").write_text('{"cameras": [{"azimuth": 0, "distance": 3}]}')
    os.symlink(tmp_path / "outside.json", inputs / "link.json")
    with pytest.raises(ValueError, match="leads out of the input folder"):
        comfy.run("SynCamLoadRig", file="link.json", cameras="")


def test_a_changed_file_is_read_again(comfy, inputs):
    node = comfy.nodes["SynCamLoadRig"]
    before = node.fingerprint_inputs(file="rigs/pair.json", cameras="")
    assert before == node.fingerprint_inputs(file="rigs/pair.json", cameras="1")
    (inputs / "rigs" / "pair.json").write_text('{"cameras": [{"azimuth": 1, "distance": 3}]}')
    assert before != node.fingerprint_inputs(file="rigs/pair.json", cameras="")


def test_the_content_of_a_file_is_judged_with_its_name(comfy, inputs):
    (inputs / "bad.json").write_text('{"cameras": [{"azimuth": 0, "distance": -1}]}')
    with pytest.raises(ValueError, match=r"^SynCamLoadRig: file 'bad.json': cameras\[0\].distance is -1"):
        comfy.run("SynCamLoadRig", file="bad.json", cameras="")
    with pytest.raises(ValueError, match=r"^SynCamLoadRig: .*'cameras' asks for '11', but the cameras are cam01"):
        comfy.run("SynCamLoadRig", file="syncam_demo_cameras.json", cameras="1, 11")


# -- at queue time, by the host --------------------------------------------------------------------------------------


def test_a_correct_chain_is_accepted(queue, inputs):
    assert queue(chain(ORBIT)) == []
    assert queue(chain(("SynCamRigJSON", {"rig_json": '{"cameras": [{"azimuth": 0, "distance": 3}]}'}))) == []
    assert queue(chain(("SynCamLoadRig", {"file": "rigs/deep/pair.json", "cameras": ""}))) == []


@pytest.mark.parametrize(
    ("rig", "said"),
    [
        (("SynCamRigOrbit", {**ORBIT[1], "azimuths": "0, left"}), "SynCamRigOrbit: 'azimuths' holds 'left'"),
        (("SynCamRigOrbit", {**ORBIT[1], "azimuths": ""}), "SynCamRigOrbit: 'azimuths' is empty"),
        (("SynCamRigOrbit", {**ORBIT[1], "azimuths": "0 " * 100}), "SynCamRigOrbit: 'azimuths' lists 100 cameras"),
        (("SynCamRigJSON", {"rig_json": ""}), "SynCamRigJSON: in 'rig_json', the text is empty"),
        (
            ("SynCamRigJSON", {"rig_json": "C:\\rigs\\a b.json"}),
            "a b.json', but the text of a rig is needed; paste what is in the file, or use SynCam Load Rig",
        ),
        (("SynCamRigJSON", {"rig_json": "{'a': 1}"}), "SynCamRigJSON: in 'rig_json', the text is not JSON"),
        (("SynCamRigJSON", {"rig_json": '{"cameras": []}'}), "cameras is an empty list"),
        (
            ("SynCamRigJSON", {"rig_json": '{"cameras": [{"azimuth": NaN, "distance": 1}]}'}),
            "cameras[0].azimuth is NaN",
        ),
        (("SynCamRigJSON", {"rig_json": "[" * 100_000}), "nested too deeply"),
        (("SynCamLoadRig", {"file": "../secret.json", "cameras": ""}), "SynCamLoadRig: 'file' is '../secret.json'"),
        (("SynCamLoadRig", {"file": "absent.json", "cameras": ""}), "SynCamLoadRig: 'file' is 'absent.json'"),
    ],
)
def test_a_rig_that_cannot_be_is_refused_when_the_job_is_queued(queue, inputs, rig, said):
    sentences = queue(chain(rig))
    assert len(sentences) == 1
    assert said in sentences[0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"elevations": "0 nan"}, "SynCamRigOrbit: 'elevations' holds 'nan'"),
        ({"elevations": "91"}, "SynCamRigOrbit: 'elevations' of camera 1 is 91"),
        ({"distances": "3, 0"}, "SynCamRigOrbit: 'distances' of camera 2 is 0"),
        ({"distances": "1 2 3"}, "'azimuths' lists 2 numbers but 'distances' 3"),
    ],
)
def test_elevations_and_distances_are_judged_when_the_node_runs(comfy, queue, changed, said):
    """Were they named in `validate_inputs`, the host would pin every sentence on all three inputs."""
    assert queue(chain((ORBIT[0], {**ORBIT[1], **changed}))) == []
    with pytest.raises(ValueError, match=re.escape(said)):
        comfy.run(ORBIT[0], **{**ORBIT[1], **changed})


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (80, "SynCamEncodeCameras: 'length' is 80, but Wan makes 4n+1 frames; use 77 or 81."),
        ("83", "'length' is 83, but Wan makes 4n+1 frames; use 81 or 85."),
        (0, "'length' is 0"),
        (-3, "'length' is -3"),
        (1_000_001, "'length' is 1000001, but at most 16381 frames"),
        ("many", "length, many"),
    ],
)
def test_a_length_that_wan_cannot_make_is_refused_when_the_job_is_queued(queue, length, said):
    sentences = queue(chain(ORBIT, length=length))
    assert len(sentences) == 1
    assert said in sentences[0]


@pytest.mark.parametrize(
    ("latent", "said"),
    [
        ({"length": 82}, "SynCamEmptyLatent: 'length' is 82, but Wan makes 4n+1 frames; use 81 or 85."),
        ({"width": 836}, "SynCamEmptyLatent: 'width' is 836, but it must be a multiple of 8; use 832 or 840."),
        ({"height": 479}, "SynCamEmptyLatent: 'height' is 479, but it must be a multiple of 8; use 472 or 480."),
        ({"height": 8}, "SynCamEmptyLatent: 'height' is 8, but it must lie between 16 and 16384 pixels."),
        ({"width": 10**9}, "SynCamEmptyLatent: 'width' is 1000000000, but it must lie between"),
    ],
)
def test_a_latent_that_cannot_be_is_refused_when_it_runs_and_a_length_when_it_is_queued(comfy, queue, latent, said):
    if "length" in latent:
        (sentence,) = queue(chain(ORBIT, latent=latent))
        assert said in sentence
    cameras = SimpleNamespace(views=2, latent_frames=21)
    with pytest.raises(ValueError, match=r"^SynCamEmptyLatent: ") as refused:
        comfy.run("SynCamEmptyLatent", cameras=cameras, **{"width": 64, "height": 48, "length": 81, **latent})
    assert said in str(refused.value)


def test_linked_values_are_judged_when_the_node_runs(comfy, queue):
    prompt = chain(ORBIT, length=["9", 0])
    prompt["9"] = ("PrimitiveInt", {"value": 80})
    assert queue(prompt) == []
    (rig,) = comfy.run(ORBIT[0], **ORBIT[1])
    with pytest.raises(ValueError, match=r"^SynCamEncodeCameras: 'length' is 80, .*77 or 81"):
        comfy.run("SynCamEncodeCameras", rig=rig, length=80)


def test_a_length_other_than_that_of_the_cameras_is_refused_with_both(comfy):
    (rig,) = comfy.run(ORBIT[0], **ORBIT[1])
    cameras = comfy.run("SynCamEncodeCameras", rig=rig, length=41)[0]
    with pytest.raises(
        ValueError, match=r"^SynCamEmptyLatent: 'length' is 81 .*for 41 frames.*set 'length' here to 41"
    ):
        comfy.run("SynCamEmptyLatent", cameras=cameras, width=64, height=64, length=81)


def test_a_moving_rig_that_is_too_short_is_refused_with_both_numbers(comfy):
    rows = [[[1, 0, 0, 0.1 * frame], [0, 1, 0, 0], [0, 0, 1, 0]] for frame in range(41)]
    (rig,) = comfy.run("SynCamRigJSON", rig_json=json.dumps({"cameras": [{"c2w": rows}]}))
    assert comfy.run("SynCamEncodeCameras", rig=rig, length=41)[0].latent_frames == 11
    with pytest.raises(ValueError, match=r"^SynCamEncodeCameras: 'length' is 81, .*41 frames"):
        comfy.run("SynCamEncodeCameras", rig=rig, length=81)


def test_an_encoding_made_from_a_tensor_elsewhere_is_taken(comfy):
    from syncam_core.cameras import CameraEncoding

    cameras = CameraEncoding(torch.full((5, 3, 12), math.pi))
    (latent,) = comfy.run("SynCamEmptyLatent", cameras=cameras, width=16, height=24, length=9)
    assert latent["samples"].shape == (5, 16, 3, 3, 2)
