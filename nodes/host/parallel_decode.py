"""Views decoded on several devices at a time: a view for each, on the host's copies of the VAE."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import Any

import comfy.model_management
import torch
from comfy.sd import VAE
from torch import Tensor

from .latents import decode_view
from .parallel import NO_CLONES, has_clones, usable_devices

ASK_S = 0.2  # between two looks at whether the user has interrupted


def decode_views(
    vae: VAE,
    samples: Tensor,  # (views, channels, frames, height, width) or (views, channels, height, width)
    devices: int,  # at most so many; 0: all of this machine
    done: Callable[[], None] = lambda: None,  # after each view
) -> list[Tensor]:  # (frames, height, width, 3) each
    """The views in their order. With one device one after the other, on the VAE's own."""
    interrupted = comfy.model_management.throw_exception_if_processing_interrupted
    most = min(len(samples), devices or len(samples))
    decoders = vaes_on(vae, most) if most > 1 else [vae]
    views: list[Tensor] = []
    if len(decoders) == 1:
        for index in range(len(samples)):
            interrupted()
            views.append(decode_view(vae, samples[index : index + 1]))
            done()
        return views
    work = Decoding(decoders)
    with ThreadPoolExecutor(len(decoders)) as pool:
        futures = [pool.submit(work.of, samples[index : index + 1]) for index in range(len(samples))]
        try:
            for future in futures:
                while not wait([future], timeout=ASK_S).done:
                    interrupted()
                views.append(future.result())
                done()
        except BaseException:
            for future in futures:
                future.cancel()
            raise
    return views


def vaes_on(vae: VAE, most: int) -> list[VAE]:
    """The VAE and copies of it on other devices, ``most`` in all; it alone, with a word, where there can be none."""
    found = [device for device in usable_devices(vae.patcher) if device != vae.device][: most - 1]
    if not found or not has_clones() or vae.patcher.cached_patcher_init is None:
        why = "its loader cannot load it for another device" if found else "this machine has no other device for it"
        logging.warning("SynCamDecodeViews: %s; one device decodes all views.", why if has_clones() else NO_CLONES)
        return [vae]
    copies = [vae]
    for device in found:
        other = copy.copy(vae)  # a VAE has no clone of its own
        other.patcher = vae.patcher.deepclone_multigpu(new_load_device=device)
        other.first_stage_model, other.device = other.patcher.model, device
        copies.append(other)
    return copies


class Decoding:
    """Hands each view to a decoder that is free. The host's loading of models is not for several threads at a time."""

    def __init__(self, decoders: list[VAE]):
        self._free: SimpleQueue[VAE] = SimpleQueue()
        self._loading = threading.Lock()
        self._inference = torch.is_inference_mode_enabled()
        for decoder in decoders:
            self._free.put(decoder)

    def of(self, sample: Tensor) -> Tensor:
        decoder = self._free.get()
        try:
            with torch.inference_mode(self._inference), Turn(self._loading) as turn:
                one = copy.copy(decoder)
                one.first_stage_model = Loaded(decoder.first_stage_model, turn.end)
                return decode_view(one, sample)
        finally:
            self._free.put(decoder)


class Turn:
    """A lock that may be given back before its block ends."""

    def __init__(self, lock: threading.Lock):
        self._lock, self._has_ended = lock, False

    def __enter__(self) -> Turn:
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._lock.release()


class Loaded:
    """A decoder that says when it begins, which is when the host has loaded it."""

    def __init__(self, model: Any, begins: Callable[[], None]):
        self._model, self._begins = model, begins

    def decode(self, *arguments: Any, **named: Any) -> Tensor:
        self._begins()
        return self._model.decode(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)
