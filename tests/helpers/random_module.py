"""A view-sync block with random weights in float64, and inputs for it."""

import plain_wan
import torch

from syncam_core.view_sync.module import ViewSyncBlock

DIM, HEADS = 256, 2


def random_block(seed=0) -> tuple[ViewSyncBlock, dict[str, torch.Tensor]]:
    state = plain_wan.random_state(DIM, depth=1, seed=seed)
    block = ViewSyncBlock(DIM)
    block.load_state_dict({k.removeprefix("blocks.0."): v for k, v in state.items() if plain_is_view_sync(k)})
    return block.double(), state


def plain_is_view_sync(key):
    return any(part in key for part in ("cam_encoder", "projector", "mvs_attn", "modulation_mvs"))


def inputs(chunks, views, frames, height, width, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(chunks * views, frames * height * width, DIM, generator=generator, dtype=torch.float64)
    time = torch.randn(chunks * views, 1, 6, DIM, generator=generator, dtype=torch.float64)
    return x, time, torch.randn(views, frames, 12, generator=generator)
