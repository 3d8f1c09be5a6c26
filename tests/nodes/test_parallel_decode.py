"""Views decoded on several devices: the same films, a view at a time on each, and one end for all.

Names of one CPU stand in for GPUs, as in test_view_parallel.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from pathlib import Path

import pytest
import torch
from host_abilities import CLONES, has, need
from host_wan import random

VAE = Path(__file__).parents[2] / "demo_model" / "syncam_demo_vae.safetensors"


@pytest.fixture(scope="module")
def vae(comfy):
    folder = Path(comfy.folders.models_dir) / "vae"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(VAE, folder / VAE.name)
    yield comfy.run("VAELoader", vae_name=VAE.name)[0]
    (folder / VAE.name).unlink()


@pytest.fixture
def three_devices(comfy, monkeypatch):
    need(CLONES)
    from comfy import model_management

    names = [torch.device("cpu"), torch.device("cpu", 0), torch.device("cpu", 1)]
    monkeypatch.setattr(model_management, "get_all_torch_devices", lambda exclude_current=False: names)
    yield
    model_management.unload_all_models()  # as long as the host knows all of them


def decoded(comfy, vae, views: int = 5, **inputs):
    latent = {"samples": random(views, 16, 2, 4, 4, seed=1)}
    return comfy.run("SynCamDecodeViews", latent=latent, vae=vae, **inputs)[0]


def at_work(act=lambda: None):
    """Which threads run convolutions, and what is to happen in each of them before."""
    seen = set()

    def before(module, _):
        if isinstance(module, torch.nn.Conv3d) and threading.current_thread().name not in seen:
            seen.add(threading.current_thread().name)
            act()

    return seen, torch.nn.modules.module.register_module_forward_pre_hook(before)


@pytest.mark.parametrize(("devices", "used"), [(0, 3), (2, 2), (1, 1)])
def test_films_are_the_same_and_in_order(comfy, vae, three_devices, devices, used):
    alone = decoded(comfy, vae)
    busy = threading.Barrier(used)  # nobody goes on before all of them work
    seen, hook = at_work(lambda: busy.wait(timeout=60))
    with hook:
        together = decoded(comfy, vae, devices=devices)
    assert len(seen) == used
    assert len(together) == 5
    for one, other in zip(together, alone, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_no_more_copies_than_views(comfy, vae, three_devices):
    seen, hook = at_work()
    with hook:
        assert len(decoded(comfy, vae, views=1, devices=0)) == 1
    assert seen == {"MainThread"}


def test_a_decoder_that_fails_ends_all_and_the_next_job_is_clean(comfy, vae, three_devices):
    def fail():
        if threading.current_thread().name.endswith("_1"):
            raise ZeroDivisionError("by hand")

    _, hook = at_work(fail)
    threads, started = threading.active_count(), time.monotonic()
    with hook, pytest.raises(ZeroDivisionError, match="by hand"):
        decoded(comfy, vae, views=12, devices=0)
    assert time.monotonic() - started < 30
    assert threading.active_count() == threads
    assert len(decoded(comfy, vae, devices=0)) == 5


def test_an_interrupt_ends_all(comfy, vae, three_devices):
    from comfy import model_management

    _, hook = at_work(model_management.interrupt_current_processing)
    with hook, pytest.raises(model_management.InterruptProcessingException):
        decoded(comfy, vae, views=12, devices=0)
    assert len(decoded(comfy, vae, devices=0)) == 5


def test_one_device_or_a_loader_of_its_own_decodes_alone_with_a_word(comfy, vae, three_devices, monkeypatch, caplog):
    with caplog.at_level(logging.WARNING):
        monkeypatch.setattr(vae.patcher, "cached_patcher_init", None)
        assert len(decoded(comfy, vae, devices=0)) == 5
    assert (
        "SynCamDecodeViews: its loader cannot load it for another device; one device decodes all views." in caplog.text
    )


def test_this_machine_as_it_is_decodes_alone_with_a_word(comfy, vae, caplog):
    with caplog.at_level(logging.WARNING):
        assert len(decoded(comfy, vae, devices=0)) == 5
    why = (
        "this machine has no other device for it" if has(CLONES) else "this ComfyUI has no multi-GPU clones of a model"
    )
    assert f"SynCamDecodeViews: {why}" in caplog.text
