"""A cache of latents that is built in a process of its own, and may kill itself at a moment that is asked for."""

from __future__ import annotations

import os
import signal

from tiny_datasets import tiny_encode

from syncam_core.datasets.collections.procedural import procedural_scenes
from syncam_core.training.latent_cache import LatentCache

SCENES = 12


def build(folder: str, moment: str = "") -> None:
    """Latents are blown up to 2 MB, so that a kill can meet a file half written. `moment` is where it kills itself."""
    fsync, replace, replaced = os.fsync, os.replace, []

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def killing_fsync(handle):
        if moment == "half written" and len(replaced) == 4:
            os.ftruncate(handle, 1000)
            die()
        fsync(handle)

    def killing_replace(source, target):
        if moment == "before the name" and len(replaced) == 4:
            die()
        replace(source, target)
        replaced.append(target)
        if moment == "after the name" and len(replaced) == 4:
            die()

    os.fsync, os.replace = killing_fsync, killing_replace

    def encode(pictures):
        return tiny_encode(pictures).repeat(1, 1, 30, 30)

    LatentCache(folder).build(procedural_scenes(5, SCENES, 3, 9, (32, 32)), encode, "tiny")
