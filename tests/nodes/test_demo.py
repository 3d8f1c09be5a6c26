"""The demo model: its files are what the stock loaders take, and its words are those of the toy world."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from syncam_core.synthetic.scene import SYNONYMS, VOCABULARY
from syncam_core.synthetic.text import END, FIRST_WORD, TEXT_DIM, encode_prompt

PACK = Path(__file__).parents[2]
PROMPT = "a red ball walking on sand under a clear sky"
FOLDERS = {
    "base": "diffusion_models",
    "view_sync": "syncam",
    "vae": "vae",
    "text_encoder": "text_encoders",
}


def shipped(part):
    return PACK / "demo_model" / f"syncam_demo_{part}.safetensors"


@pytest.fixture(scope="module")
def demo(comfy):
    return comfy.run("SynCamDemoModel")


@pytest.fixture(scope="module")
def installed(comfy):
    """The four files in the host's models folder, as if they had been downloaded: their names."""
    copies = {part: Path(comfy.folders.models_dir) / kind / shipped(part).name for part, kind in FOLDERS.items()}
    for part, copy in copies.items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(shipped(part), copy)
    yield {part: copy.name for part, copy in copies.items()}
    for copy in copies.values():
        copy.unlink()


def test_the_four_files_are_small_and_hold_finite_numbers_only():
    assert sum(shipped(part).stat().st_size for part in FOLDERS) <= 25e6
    for part in FOLDERS:
        with safe_open(shipped(part), "pt") as file:
            assert all(torch.isfinite(file.get_tensor(key)).all() for key in file.keys()), part  # noqa: SIM118


def test_the_stock_loader_reads_the_base_as_the_wan_that_the_node_gives(comfy, demo, installed):
    stock = comfy.run("UNETLoader", unet_name=installed["base"], weight_dtype="default")[0]
    assert type(stock.model).__name__ == "WAN21"
    wan, ours = stock.model.diffusion_model, demo[0].model.diffusion_model
    assert (wan.dim, wan.num_heads, len(wan.blocks)) == (128, 4, 6)
    assert wan.text_embedding[0].in_features == TEXT_DIM
    theirs = ours.state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in wan.state_dict().items())


def test_the_stock_loader_reads_the_vae_and_decodes_what_the_nodes_vae_decodes(comfy, demo, installed):
    (stock,) = comfy.run("VAELoader", vae_name=installed["vae"])
    latent = {"samples": torch.randn(1, 16, 5, 8, 8, generator=torch.Generator().manual_seed(0))}
    (pictures,) = comfy.run("VAEDecode", samples=latent, vae=stock)
    assert pictures.shape == (17, 64, 64, 3)
    assert torch.equal(pictures, comfy.run("VAEDecode", samples=latent, vae=demo[2])[0])


def test_the_weights_node_reads_the_view_sync_file_and_it_fits_the_base(comfy, demo, installed):
    (loaded,) = comfy.run("SynCamLoadWeights", weights_name=installed["view_sync"])
    ours = demo[3].model.state_dict()
    assert all(torch.equal(value, ours[key]) for key, value in loaded.model.state_dict().items())
    (rig,) = comfy.run("SynCamRigOrbit", azimuths="0, 90, 180, -90", elevations="20", distances="5")
    cameras = comfy.run("SynCamEncodeCameras", rig=rig, length=17)[0]
    (patched,) = comfy.run("SynCamApply", model=demo[0], weights=loaded, cameras=cameras)
    assert patched is not demo[0]


@pytest.mark.parametrize(
    "prompt",
    [
        PROMPT,
        "",
        "a violet box, spinning",
        "words that it has never heard of",
        "ball " * 40,
        "A (red:1.2) ball",
    ],
)
def test_the_text_encoder_gives_the_fixed_vectors_of_the_worlds_words(comfy, demo, prompt):
    ((embedding, _),) = comfy.run("CLIPTextEncode", clip=demo[1], text=prompt)[0]
    plain = prompt.replace("(", "").replace(":1.2)", "")
    expected = encode_prompt(plain)
    if ":" in prompt:  # the host's emphasis, as with any text encoder: towards or away from the empty prompt
        place = 1
        empty = encode_prompt("")[place]
        expected[place] = empty + 1.2 * (expected[place] - empty)
    assert embedding.shape == (1, *expected.shape)
    torch.testing.assert_close(embedding[0].float(), expected, atol=5e-3, rtol=2e-3)


def test_the_vectors_in_the_file_are_those_that_it_was_trained_with():
    with safe_open(shipped("text_encoder"), "pt") as file:
        table = file.get_tensor("shared.weight")
    assert table.shape == (FIRST_WORD + len(VOCABULARY), TEXT_DIM)
    words = encode_prompt(PROMPT)
    ids = [FIRST_WORD + VOCABULARY.index(word) for word in PROMPT.split()] + [END]
    torch.testing.assert_close(table[ids].float(), words[: len(ids)], atol=2e-3, rtol=1e-3)


def test_missing_files_are_named_in_one_sentence_with_the_remedy(comfy, monkeypatch, tmp_path):
    import sys

    node = comfy.nodes["SynCamDemoModel"]
    files = sys.modules[node.__module__].FILES
    monkeypatch.setitem(files, "vae", tmp_path / "syncam_demo_vae.safetensors")
    monkeypatch.setitem(files, "base", tmp_path / "syncam_demo_base.safetensors")
    with pytest.raises(ValueError, match=r"^SynCamDemoModel: .* install the node pack again\.$") as caught:
        comfy.run("SynCamDemoModel")
    sentence = str(caught.value)
    assert "syncam_demo_vae.safetensors" in sentence
    assert "syncam_demo_base.safetensors" in sentence
    assert "text_encoder" not in sentence
    assert "\n" not in sentence


def test_the_node_says_what_it_is_and_the_help_page_lists_every_word():
    page = (PACK / "web" / "docs" / "SynCamDemoModel.md").read_text(encoding="utf-8")
    assert f"{len(VOCABULARY)} words" in page
    for word in (*VOCABULARY, *SYNONYMS):
        assert word in page, word


def test_the_description_says_that_it_is_a_toy(comfy):
    description = comfy.nodes["SynCamDemoModel"].GET_SCHEMA().description
    assert "toy model of a toy world" in description
    assert f"{len(VOCABULARY)} words at 64 x 64, 17 frames" in description
    assert "azimuth 0, elevation 20, 5 m" in description


@pytest.mark.parametrize("name", ["demo", "syncam_demo"])
def test_the_demo_workflows_ask_for_what_the_model_was_trained_on(name):
    prompt = json.loads((PACK / "example_workflows" / "api" / f"{name}.json").read_text(encoding="utf-8"))
    inputs = {node["class_type"]: node["inputs"] for node in prompt.values()}
    assert inputs["SynCamRigOrbit"] == {"azimuths": "0, 90, 180, -90", "elevations": "20", "distances": "5"}
    assert inputs["SynCamEmptyLatent"] | {"cameras": 0} == {"cameras": 0, "width": 64, "height": 64, "length": 17}
    assert [node["inputs"]["text"] for node in prompt.values() if node["class_type"] == "CLIPTextEncode"] == [
        PROMPT,
        "",
    ]
    sampling = {key: inputs["SynCamSampler"][key] for key in ("steps", "cfg", "sampler_name", "scheduler", "shift")}
    assert sampling == {"steps": 20, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "shift": 5.0}
    assert inputs["SynCamSaveViews"]["fps"] == 8.0
