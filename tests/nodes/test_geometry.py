"""A model with another geometry than Wan2.1's: everything about it is read from the model."""

import sys

import pytest
import torch
from host_wan import TinyWan, conditioning, text

TEXTS = {"positive": conditioning(text(5, seed=1)), "negative": conditioning(text(5, seed=2))}
SETTINGS = {"steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple"}


@pytest.fixture(scope="module")
def large_pixels(comfy):
    """Files in the layout of Wan2.2 5B: 48 channels, 16 x 16 pixels in one of a latent."""
    return TinyWan(comfy, "large_pixels", seed=5, channels=48)


@pytest.fixture
def latents(comfy):
    return sys.modules[f"{comfy.pack.__name__}.nodes.host.latents"]


def test_the_geometry_is_read_from_the_model(latents, large_pixels, comfy):
    geometry = latents.geometry_of_model(large_pixels.base().model)
    assert (geometry.channels, geometry.pixels, geometry.frames, geometry.patch) == (48, 16, 4, (1, 2, 2))
    other = latents.geometry_of_model(TinyWan(comfy, "small_pixels").base().model)
    assert (other.channels, other.pixels, other.frames, other.patch) == (16, 8, 4, (1, 2, 2))


def test_the_geometry_is_read_from_the_vae(latents, comfy):
    geometry = latents.geometry_of_vae(comfy.run("SynCamDemoModel")[2])
    assert (geometry.channels, geometry.pixels, geometry.frames) == (16, 8, 4)


def test_views_of_such_a_model_are_sampled_and_synchronized(comfy, large_pixels):
    (rig,) = comfy.run("SynCamRigOrbit", azimuths="0, 30", elevations="0", distances="3")
    cameras = comfy.run("SynCamEncodeCameras", rig=rig, length=5)[0]
    (latent,) = comfy.run("SynCamEmptyLatent", cameras=cameras, width=96, height=64, length=5)
    model = comfy.run("SynCamApply", model=large_pixels.base(), weights=large_pixels.weights(), cameras=cameras)[0]
    plain = {"model": large_pixels.base(), "unsynchronized": True}
    alone = comfy.run("SynCamSampler", **plain, latent=latent, seed=1, **TEXTS, **SETTINGS)[0]
    together = comfy.run("SynCamSampler", model=model, latent=latent, seed=1, **TEXTS, **SETTINGS)[0]
    assert together["samples"].shape == alone["samples"].shape == (2, 48, 2, 4, 6)
    assert not torch.allclose(together["samples"], alone["samples"], atol=1e-3)


def test_the_sentences_count_its_pixels(comfy, large_pixels):
    model = large_pixels.patched(torch.zeros(2, 3, 12))
    short = {"samples": torch.zeros(2, 48, 2, 4, 6)}
    with pytest.raises(ValueError, match=r"2 latent frames \(length 5\).* has 3 \(length 9\)"):
        comfy.run("SynCamSampler", model=model, latent=short, seed=1, **TEXTS, **SETTINGS)
    memory, patch = (sys.modules[f"{comfy.pack.__name__}.nodes.host.{name}"] for name in ("memory", "view_sync_patch"))
    told = memory.memory_of_sampling(model, patch.view_sync_of(model), (2, 48, 3, 4, 6), 3.0)
    assert told.startswith("2 views of 9 frames at 96 x 64 need about ")
