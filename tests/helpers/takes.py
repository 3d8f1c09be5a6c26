"""What several cameras filmed, made up for tests of data sets: smooth pictures that a codec keeps, random cameras."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from random_rigs import c2w_matrices

from syncam_core.cameras import Lens, Rig
from syncam_core.datasets import append_scene, write_take


@dataclass(frozen=True, eq=False)
class Footage:
    """Frames that are there, as a clip."""

    frames: np.ndarray  # (frames, height, width, 3) uint8

    @property
    def height(self) -> int:
        return self.frames.shape[1]

    @property
    def width(self) -> int:
        return self.frames.shape[2]

    @property
    def dtype(self) -> np.dtype:
        return self.frames.dtype

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.frames[index].copy()


def waves(views: int, frames: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """(views, frames, height, width, 3) uint8: colours that change slowly across the picture and over time."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 6, (views, 1, 1, 1, 3))
    t, y, x = np.ogrid[:frames, :height, :width]
    place = (0.2 * t + 1.5 * y / height + 2.0 * x / width)[None, ..., None]
    return np.round(127.5 + 110 * np.sin(place + phase)).astype(np.uint8)


def noise(views: int, frames: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (views, frames, height, width, 3), np.uint8)


def rig_for(views: int, frames: int = 1, seed: int = 0, names=None) -> Rig:
    rng = np.random.default_rng(seed)
    names = names or tuple(f"camera {number}" for number in range(views))
    lenses = tuple(Lens(float(rng.uniform(8, 200)), float(rng.uniform(5, 60))) for _ in range(views))
    return Rig(tuple(names), c2w_matrices(rng, views, frames), lenses=lenses)


def stored(folder: Path, layout: str, films: np.ndarray, rig: Rig, caption="a dog", fps=15, name="", **more) -> Path:
    clips = [Footage(film) for film in films]
    rig = fitting(rig, layout)
    return append_scene(
        folder, lambda stage: write_take(stage, layout, clips, rig, Fraction(fps), caption, **more), name
    )


def fitting(rig: Rig, layout: str) -> Rig:
    """The rig with one lens, where a layout has no place for more."""
    return Rig(rig.names, rig.c2w, rig.colors, rig.lenses[:1] * rig.views) if layout == "dnerf" else rig


@st.composite
def takes(draw: st.DrawFn) -> tuple[np.ndarray, Rig]:
    """A few small frames of up to four cameras that stand, move, or move on after the clip."""
    views, frames = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    seed = draw(st.integers(0, 2**32 - 1))
    height, width = draw(st.integers(2, 21)), draw(st.integers(2, 21))
    moving = draw(st.sampled_from([1, frames, frames + 3]))
    names = draw(st.permutations(["links", "Élan/1", "cam01", "CON", "cam01-2", "🎥 b"]))[:views]
    rig = rig_for(views, moving, seed, names)
    c2w = rig.c2w.clone()
    if views > 1 and draw(st.booleans()):
        c2w[1] = c2w[1, :1]  # it stands beside moving ones
    colors = tuple(f"#{number:06x}" for number in range(views))
    return noise(views, frames, height, width, seed), Rig(rig.names, c2w, colors, rig.lenses)
