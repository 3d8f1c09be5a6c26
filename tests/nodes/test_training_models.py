"""The models that training computes with, against the host's own; its files, through the host's loaders."""

from pathlib import Path

import pytest
import torch
from host_wan import TinyWan, relative_error, text, velocities
from safetensors.torch import load_file, save_file
from tiny_training import load_wan, random_wan

from syncam_core.training.config import ModelConfig, Objective
from syncam_core.training.export import export_base, export_full, export_view_sync
from syncam_core.training.trainee import Trainee, build_trainee, load_base
from syncam_core.view_sync.module import fold_output
from syncam_core.view_sync.weights import read_weights
from syncam_core.wan.vae import WanVAE, denormalize_latents, normalize_latents


@pytest.fixture(scope="module")
def vaes(comfy, tmp_path_factory):
    """A random autoencoder as a file, in the host through its loader, and here."""
    import comfy.sd
    import comfy.utils

    torch.manual_seed(0)
    ours = WanVAE(dim=4).eval().requires_grad_(False)
    for name, parameter in ours.named_parameters():
        if name.endswith("gamma"):
            parameter.uniform_(0.5, 1.5)
    path = tmp_path_factory.mktemp("vae") / "vae.safetensors"
    save_file(ours.state_dict(), path)
    host = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(path)))
    host.first_stage_model.float()
    return ours, host


def test_the_autoencoders_have_the_same_tensors(vaes):
    ours, host = vaes
    theirs = host.first_stage_model.state_dict()
    assert theirs.keys() == ours.state_dict().keys()
    assert all(torch.equal(theirs[key].cpu(), value) for key, value in ours.state_dict().items())
    WanVAE.of({key: value.cpu() for key, value in theirs.items()})


@pytest.mark.parametrize(("frames", "height", "width"), [(1, 16, 40), (5, 24, 16), (9, 16, 16), (17, 8, 16)])
def test_encoding_and_decoding_equal_the_hosts(vaes, frames, height, width):
    ours, host = vaes
    generator = torch.Generator().manual_seed(frames)
    video = torch.rand(1, 3, frames, height, width, generator=generator) * 2 - 1
    with torch.no_grad():
        latents = host.first_stage_model.encode(video).double()
        pictures = host.first_stage_model.decode(latents.float()).double()
        for piecewise in (False, True):
            assert relative_error(ours.encode(video, piecewise)[0], latents) <= 1e-5
            assert relative_error(ours.decode(latents.float(), piecewise), pictures) <= 1e-5


def test_latents_are_normalised_as_the_host_does_it(comfy):
    import comfy.latent_formats

    latents = torch.randn(2, 16, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 3
    host = comfy.latent_formats.Wan21()
    torch.testing.assert_close(normalize_latents(latents), host.process_in(latents), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(denormalize_latents(latents), host.process_out(latents), atol=1e-6, rtol=1e-6)


def trainee_of(state, heads):
    base, view_sync = load_wan(state, heads)
    return Trainee(base, view_sync, Objective())


@pytest.fixture(scope="module")
def tiny(comfy):
    """A random model of 4 heads of width 24 (the host would guess none), trained here, exported, loaded there."""
    state, *_ = random_wan(heads=4, dim=96)
    trainee = trainee_of(state, 4)
    models = Path(comfy.folders.models_dir)
    export_base(trainee, models / "diffusion_models" / "trained_base.safetensors", torch.float32)
    export_view_sync(trainee, models / "syncam" / "trained_views.safetensors", torch.float32, "a test")
    loaded = TinyWan.__new__(TinyWan)
    loaded.comfy, loaded.state = comfy, state
    loaded.base_name, loaded.weights_name = "trained_base.safetensors", "trained_views.safetensors"
    return trainee, loaded


@pytest.mark.parametrize(("views", "frames", "height", "width", "sigma"), [(1, 3, 4, 6, 0.9), (3, 2, 6, 4, 0.4)])
def test_what_was_trained_is_what_the_host_runs(tiny, views, frames, height, width, sigma):
    trainee, loaded = tiny
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(views, 16, frames, height, width, generator=generator)
    poses = torch.randn(views, frames, 12, generator=generator)
    words = text(6, dim=12)
    (alone,) = velocities(loaded.base(), x, sigma, [words])
    (together,) = velocities(loaded.patched(poses), x, sigma, [words])
    time, context = torch.full((views,), 1000 * sigma), words.expand(views, -1, -1)
    with torch.no_grad():
        assert relative_error(alone, trainee.base(x, time, context).double()) <= 3e-5
        ours = trainee.base(x, time, context, trainee.view_sync, poses[None])
    assert relative_error(together, ours.double()) <= 3e-5
    assert relative_error(together, alone.double()) > 1e-2


def test_an_exported_base_is_read_back_with_its_heads(tiny, tmp_path):
    trainee, _ = tiny
    read = load_base(str(export_base(trainee, tmp_path / "base.safetensors", torch.float32)))
    assert read.config == trainee.base.config
    assert all(torch.equal(value, read.state_dict()[key]) for key, value in trainee.base.state_dict().items())


def test_the_small_file_says_where_it_comes_from_and_holds_the_module_alone(tiny, tmp_path):
    trainee, _ = tiny
    path = export_view_sync(trainee, tmp_path / "views.safetensors", torch.float16, "run of today", "mine")
    weights = read_weights(path)
    assert (weights.dim, weights.depth) == (96, 2)
    assert (weights.metadata["source"], weights.metadata["license_note"]) == ("run of today", "mine")
    for key, value in trainee.view_sync.state_dict().items():
        assert weights.tensors[key].dtype == torch.float16
        torch.testing.assert_close(weights.tensors[key].float(), value, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_a_full_checkpoint_in_the_authors_layout_loads_back_on_every_way(comfy, tmp_path, suffix):
    state, *_ = random_wan(heads=1, dim=128)  # heads of 128 channels, as in all real files
    trainee = trainee_of(state, 1)
    path = export_full(trainee, Path(comfy.folders.models_dir) / "syncam" / f"full{suffix}", torch.float32)
    written = torch.load(path, weights_only=True) if suffix == ".ckpt" else load_file(path)
    assert written.keys() == state.keys()
    assert all(torch.equal(written[key], value) for key, value in state.items())
    assert len(written) == 15 + 2 * (27 + 15), "15 of the whole, per block 27 of the base and 15 new: 825 + 450 for 30"

    (weights,) = comfy.run("SynCamLoadWeights", weights_name=path.name)
    folded = fold_output(trainee.view_sync.state_dict())
    assert weights.model.state_dict().keys() == folded.keys()
    assert all(torch.equal(weights.model.state_dict()[key], value) for key, value in folded.items())
    again = build_trainee(ModelConfig(base=str(path), view_sync=str(path)), Objective())
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in trainee.state_dict().items())
    assert {name for name, p in again.named_parameters() if p.requires_grad} == {
        f"view_sync.{key}" for key in trainee.view_sync.state_dict()
    }
