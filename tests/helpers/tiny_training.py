"""Small models and scenes in memory for the tests of the training."""

from __future__ import annotations

from dataclasses import dataclass

import plain_wan
import torch
from torch import Tensor

from syncam_core.cameras import orbit_rig
from syncam_core.datasets.footage import Kind
from syncam_core.training.config import Mix, ModelConfig, ModelSizes, OptimizerConfig, TrainConfig
from syncam_core.view_sync.module import ViewSync
from syncam_core.view_sync.weights import MODULE_KEY
from syncam_core.wan import layers
from syncam_core.wan.transformer import Wan, WanConfig

TEXT_DIM = 12
SIZES = ModelSizes(dim=32, ffn_dim=64, num_heads=2, num_layers=1, text_dim=TEXT_DIM)


@dataclass(frozen=True, eq=False)
class MemoryScene:
    """The attributes of a cached scene, its latents in memory."""

    name: str
    kind: Kind
    caption: str
    names: tuple[str, ...]
    c2w: Tensor | None
    stored: Tensor  # (views, 16, frames, height, width)

    def latents(self, views: list[int], latent_frames: int | None = None) -> Tensor:
        return self.stored[views][:, :, :latent_frames]


def ring_scene(name: str, views: int = 4, frames: int = 2, kind: Kind = Kind.MULTI_VIEW_VIDEO, size=(4, 4)):
    """Cameras evenly on a circle; the latents are noise of their own."""
    generator = torch.Generator().manual_seed(sum(name.encode()))
    c2w = orbit_rig([360 * i / views for i in range(views)], [20], [5]).c2w
    stored = torch.randn(views, 16, frames, *size, generator=generator)
    return MemoryScene(name, kind, f"caption of {name}", tuple(f"cam{i:02d}" for i in range(views)), c2w, stored)


def lone_video(name: str, frames: int = 2, size=(4, 4)):
    generator = torch.Generator().manual_seed(sum(name.encode()))
    stored = torch.randn(1, 16, frames, *size, generator=generator)
    return MemoryScene(name, Kind.VIDEO, f"caption of {name}", ("video",), None, stored)


def text_of(caption: str) -> Tensor:  # (4, 12)
    generator = torch.Generator().manual_seed(sum(caption.encode()))
    return torch.randn(4, TEXT_DIM, generator=generator)


def load_wan(state: dict[str, Tensor], heads: int) -> tuple[Wan, ViewSync]:
    """The product's modules with the tensors of the plain implementation."""
    dim = state["head.modulation"].shape[-1]
    depth = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("blocks."))
    config = WanConfig(
        dim=dim,
        ffn_dim=state["blocks.0.ffn.0.weight"].shape[0],
        num_heads=heads,
        num_layers=depth,
        text_dim=state["text_embedding.0.weight"].shape[1],
    )
    base, view_sync = Wan(config), ViewSync(dim, depth, operations=layers)
    base.load_state_dict({k: v for k, v in state.items() if not MODULE_KEY.match(k)})
    view_sync.load_state_dict({k: v for k, v in state.items() if MODULE_KEY.match(k)})
    return base, view_sync


def random_wan(heads: int = 3, dim: int = 96, depth: int = 2, seed: int = 0):
    """State dict, base and view-sync module of a random model."""
    state = plain_wan.random_state(dim=dim, depth=depth, ffn=128, text_dim=TEXT_DIM, seed=seed)
    return state, *load_wan(state, heads)


def relative_error(got: Tensor, truth: Tensor) -> float:
    return ((got.double() - truth.double()).norm() / truth.double().norm()).item()


def tiny_config(output, **changes):
    """A run of seconds on the CPU: one block of width 32 in float32, everything trained from nothing."""
    settings = {
        "output": str(output),
        "data": (),
        "text": "",
        "steps": 6,
        "mix": (Mix(Kind.MULTI_VIEW_VIDEO, 1.0, scenes=2, views=2),),
        "model": ModelConfig(sizes=SIZES, beginning="from_scratch", train="all"),
        "optimizer": OptimizerConfig(lr=1e-3),
        "mixed_precision": "no",
        "log_every": 1,
        "checkpoint_every": 1000,
        "workers": 0,
    }
    return TrainConfig(**{**settings, **changes})
