"""SynCam Render Views over HTTP, and its example workflow."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import pytest

from syncam_core.formats import read_rig_file

API = Path(__file__).resolve().parents[2] / "example_workflows" / "api" / "render_views.json"


@pytest.fixture
def prompt():
    """The example without its sampling: an empty latent is rendered."""
    nodes = json.loads(API.read_text(encoding="utf-8"))
    (render,) = (number for number, node in nodes.items() if node["class_type"] == "SynCamRenderViews")
    (latent,) = (number for number, node in nodes.items() if node["class_type"] == "SynCamEmptyLatent")
    nodes[render]["inputs"]["latent"] = [latent, 0]
    nodes[latent]["inputs"]["length"] = 5
    kept = ("SynCamDemoModel", "SynCamRigOrbit", "SynCamEncodeCameras", "SynCamEmptyLatent", "SynCamRenderViews")
    nodes = {number: node for number, node in nodes.items() if node["class_type"] in kept}
    next(node for node in nodes.values() if node["class_type"] == "SynCamEncodeCameras")["inputs"]["length"] = 5
    return nodes, nodes[render]["inputs"]


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        ({"codec": "h264", "codec.bit_depth": "10", "codec.crf": 20.5}, ".mp4"),
        ({"codec": "prores_422_hq"}, ".mov"),
        ({"codec": "ffv1", "codec.bit_depth": "16"}, ".mkv"),
    ],
    ids=["mp4", "mov", "mkv"],
)
def test_a_prompt_renders_its_files(server, prompt, codec, suffix):
    nodes, inputs = prompt
    for name in [name for name in inputs if name.startswith("codec")]:
        del inputs[name]
    inputs.update(codec, filename_prefix=f"rendered/{suffix[1:]}")
    outcome = server.run(nodes)
    assert outcome.status == "success", outcome.message
    folder = server.folder / "output" / "rendered"
    for name in ("cam01", "cam02", "cam03", "cam04", "grid"):
        path = folder / f"{suffix[1:]}_00001_{name}{suffix}"
        with av.open(str(path)) as container:
            assert len(list(container.decode(video=0))) == 5
            assert container.streams.video[0].average_rate == Fraction(8)
            tags = {key.lower(): value for key, value in container.metadata.items()}
        assert json.loads(tags["prompt"]).keys() == nodes.keys()
        assert read_rig_file(path).names == ("cam01", "cam02", "cam03", "cam04")


def test_what_is_refused_when_queued_is_said_once(server, prompt):
    nodes, inputs = prompt
    inputs["filename_prefix"] = "../out_of_here"
    outcome = server.run(nodes)
    assert outcome.status == "refused"
    assert outcome.message.count("SynCamRenderViews: 'filename_prefix' is '../out_of_here'") == 1
    assert not list(server.folder.parent.rglob("out_of_here*"))


@pytest.mark.parametrize("wrong", [{"codec": "vp9"}, {"codec.crf": 70.0}, {"codec.bit_depth": "12"}])
def test_a_codec_that_there_is_not_is_refused(server, prompt, wrong):
    nodes, inputs = prompt
    inputs.update(wrong)
    outcome = server.run(nodes)
    assert outcome.status != "success"
    assert "codec" in outcome.message or "crf" in outcome.message or "bit_depth" in outcome.message
