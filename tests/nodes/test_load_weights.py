"""SynCamLoadWeights, SynCamConvertWeights and the model folder, inside the host."""

import sys
from types import SimpleNamespace

import plain_wan
import pytest
import torch
from host_wan import is_view_sync
from safetensors.torch import save_file


@pytest.fixture(scope="module")
def folder(comfy):
    """models/syncam with the authors' kind of checkpoint in it."""
    from pathlib import Path

    folder = Path(comfy.folders.models_dir) / "syncam"
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(plain_wan.random_state(dim=32, depth=2, ffn=32, text_dim=16), folder / "step20000.ckpt")
    return folder


def test_folders_from_extra_model_paths_keep_counting(comfy, tmp_path):
    import asyncio

    registered = comfy.folders.folder_names_and_paths["syncam"]
    try:
        comfy.folders.folder_names_and_paths["syncam"] = ([str(tmp_path)], set())
        asyncio.run(comfy.pack.comfy_entrypoint())
        folders, extensions = comfy.folders.folder_names_and_paths["syncam"]
        assert folders == [str(tmp_path), str(comfy.folders.models_dir) + "/syncam"]
        assert {".ckpt", ".safetensors"} <= extensions
    finally:
        comfy.folders.folder_names_and_paths["syncam"] = registered


def test_the_converter_node_writes_a_small_file_that_loads_the_same(comfy, folder):
    (name,) = comfy.run("SynCamConvertWeights", weights_name="step20000.ckpt", file_name="s.safetensors", dtype="keep")
    assert name == "s.safetensors"
    (whole,) = comfy.run("SynCamLoadWeights", weights_name="step20000.ckpt")
    (small,) = comfy.run("SynCamLoadWeights", weights_name=name)
    assert all(torch.equal(small.model.state_dict()[k], v) for k, v in whole.model.state_dict().items())
    with pytest.raises(ValueError, match=r"SynCamConvertWeights: in 'file_name', 's\.safetensors' exists already"):
        comfy.run("SynCamConvertWeights", weights_name="step20000.ckpt", file_name=name, dtype="keep")
    assert sorted(path.name for path in folder.glob("s.safetensors*")) == ["s.safetensors"]


@pytest.mark.parametrize(
    "name", ["../a.safetensors", "/tmp/a.safetensors", "a/b.safetensors", "a.ckpt", "", "C:a.safetensors"]
)
def test_the_converter_node_writes_nowhere_else(comfy, folder, name):
    with pytest.raises(ValueError, match=r"SynCamConvertWeights: 'file_name' is .* give a plain name"):
        comfy.run("SynCamConvertWeights", weights_name="step20000.ckpt", file_name=name, dtype="keep")
    assert comfy.nodes["SynCamConvertWeights"].validate_inputs(file_name=name) is not True


def test_a_wrong_file_is_refused_with_node_input_file_and_remedy(comfy, folder):
    state = {
        k: v for k, v in plain_wan.random_state(dim=32, depth=2, ffn=32, text_dim=16).items() if not is_view_sync(k)
    }
    torch.save(state, folder / "plain.ckpt")
    said = "SynCamLoadWeights: in 'weights_name', 'plain.ckpt' is a Wan model without view-sync weights; load it with"
    with pytest.raises(ValueError, match=said):
        comfy.run("SynCamLoadWeights", weights_name="plain.ckpt")


@pytest.mark.parametrize("name", ["absent.ckpt", "../absent.ckpt", None])
def test_an_unknown_name_is_refused_with_the_names_there_are(comfy, folder, name):
    (folder / "0_first.ckpt").touch()
    said = rf"SynCamLoadWeights: 'weights_name' is '{name}', but models/syncam holds 0_first\.ckpt, .*; choose one of"
    with pytest.raises(ValueError, match=said):
        comfy.run("SynCamLoadWeights", weights_name=name)


def test_a_file_that_changes_on_disk_is_loaded_again(comfy, folder):
    node = comfy.nodes["SynCamLoadWeights"]
    path = folder / "changing.ckpt"
    path.write_bytes(b"one")
    before = node.fingerprint_inputs(weights_name="changing.ckpt")
    assert node.fingerprint_inputs(weights_name="changing.ckpt") == before
    path.write_bytes(b"other")
    assert node.fingerprint_inputs(weights_name="changing.ckpt") != before


@pytest.fixture
def kinds(comfy):
    return sys.modules[f"{comfy.pack.__name__}.nodes.host.weights_kinds"]


def test_the_reader_is_chosen_by_the_keys_of_the_file(comfy, folder, kinds, monkeypatch):
    state = {"poem.verse": torch.arange(3.0)}
    save_file(state, folder / "poem.safetensors")

    class Poem(torch.nn.Module):
        pass

    def load(path):
        import comfy.model_patcher

        return comfy.model_patcher.ModelPatcher(Poem(), torch.device("cpu"), torch.device("cpu"))

    poem = kinds.Kind("a poem", "SynCamRecite", Poem, lambda keys: any(k.startswith("poem.") for k in keys), load, None)
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, poem))
    (loaded,) = comfy.run("SynCamLoadWeights", weights_name="poem.safetensors")
    assert isinstance(loaded.model, Poem)
    (views,) = comfy.run("SynCamLoadWeights", weights_name="step20000.ckpt")
    kinds.check_kind(views, kinds.VIEW_SYNC)
    cameras = SimpleNamespace(views=2)
    said = "^SynCamApply: 'weights' are a poem, which go into SynCamRecite; here the view-sync weights of SynCamMaster"
    with pytest.raises(ValueError, match=said) as refused:
        comfy.run("SynCamApply", model=None, weights=loaded, cameras=cameras)
    assert refused.value.field == "weights"
