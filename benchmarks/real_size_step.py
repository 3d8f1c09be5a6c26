"""One training step of view-sync at the sizes of Wan2.1 T2V 1.3B, with random weights and a tiny picture.

    python benchmarks/real_size_step.py [--layers 30]

Prints time and memory of the step, and how many bytes one block keeps per token for its backward pass: the numbers
behind the estimates in docs/training.md. Needs about 12 GB of memory on the CPU.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import torch
from accelerate import Accelerator

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from syncam_core.cameras import orbit_rig
from syncam_core.cameras.encoding import encode_poses
from syncam_core.datasets.footage import Kind
from syncam_core.training.batches import Batch
from syncam_core.training.config import Mix, Objective, OptimizerConfig, TrainConfig
from syncam_core.training.loop import one_step
from syncam_core.training.optimizers import build_optimizers
from syncam_core.training.trainee import Trainee, initialize_view_sync
from syncam_core.view_sync.module import ViewSync
from syncam_core.wan import layers
from syncam_core.wan.attention import grid_rope, scaled_dot_product
from syncam_core.wan.transformer import Views, Wan, WanConfig


def random_model(config: WanConfig) -> Trainee:
    """The base in bfloat16 from the beginning, as float32 would take 5.7 GB for a moment; the module in float32."""
    with torch.device("meta"):
        base, view_sync = Wan(config), ViewSync(config.dim, config.num_layers, operations=layers)
    base, view_sync = base.to(torch.bfloat16).to_empty(device="cpu"), view_sync.to_empty(device="cpu")
    noise = 0.02 * torch.randn(2**20 + 7, generator=torch.Generator().manual_seed(0)).bfloat16()
    with torch.no_grad():
        for name, parameter in base.named_parameters():
            flat = parameter.view(-1)
            for some in flat.split(len(noise)):  # repeated: drawing 1.4 billion numbers would take minutes
                some.copy_(noise[: len(some)])
            if "norm" in name and name.endswith("weight"):
                flat += 1
    initialize_view_sync(view_sync, base)  # sets every tensor
    base.requires_grad_(False)
    base.gradient_checkpointing = True
    return Trainee(base, view_sync, Objective())


def batch(views: int, frames: int, size: int, text_dim: int) -> Batch:
    generator = torch.Generator().manual_seed(1)
    shape = (views, 16, frames, size, size)
    poses = encode_poses(orbit_rig([20.0 * i for i in range(views)], [10.0], [3.0]).c2w).float()
    return Batch(
        torch.randn(shape, generator=generator),
        torch.randn(shape, generator=generator),
        torch.tensor([0.7]),
        poses.expand(-1, frames, -1)[None],
        torch.randn(1, 512, text_dim, generator=generator),
        ("random",),
        True,
        False,
    )


def kept_bytes_per_token(trainee: Trainee, size: int = 16, frames: int = 2, views: int = 2) -> float:
    """Of one block with its module, as a GPU would run it: fused attention, bfloat16 by autocast."""
    config = trainee.base.config
    height = width = size // 2
    tokens = frames * height * width
    x = torch.randn(views, tokens, config.dim, dtype=torch.bfloat16, requires_grad=True)
    time_modulation = torch.randn(views, 1, 6, config.dim, dtype=torch.bfloat16)
    words = torch.randn(views, 512, config.dim, dtype=torch.bfloat16)
    head_dim = config.dim // config.num_heads
    ropes = [grid_rope(n, height, width, head_dim) for n in (frames, views)]
    poses = torch.randn(1, views, frames, 12)
    beside = Views(trainee.view_sync.blocks, poses, (frames, height, width), ropes[1], scaled_dot_product)
    weights = {p.untyped_storage().data_ptr() for p in trainee.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights and tensor.numel() >= views * tokens:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    alive: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), torch.autocast("cpu", torch.bfloat16):
        y = trainee.base.blocks[0](x, time_modulation, words, ropes[0], config.num_heads, scaled_dot_product, beside, 0)
    module_weights = sum(p.numel() for p in trainee.view_sync.blocks[0].parameters() if p.ndim == 2) * 2
    del y
    return (sum(kept.values()) - module_weights) / (views * tokens)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=30)
    parser.add_argument("--views", type=int, default=2)
    options = parser.parse_args()
    started = time.monotonic()
    sizes = WanConfig(num_layers=options.layers)
    trainee = random_model(sizes)
    base, view_sync = trainee.base, trainee.view_sync
    counts = [sum(p.numel() for p in part.parameters()) for part in (base, view_sync)]
    print(f"base {counts[0]:,} parameters in bfloat16, module {counts[1]:,} in float32", flush=True)
    print(f"built in {time.monotonic() - started:.1f} s, peak {peak_gb():.1f} GB", flush=True)
    config = TrainConfig(
        output="",
        data=(),
        text="",
        steps=1,
        mix=(Mix(Kind.MULTI_VIEW_VIDEO, 1.0, 1, options.views),),
        optimizer=OptimizerConfig(clip_norm=None),
    )
    accelerator = Accelerator(mixed_precision="bf16", cpu=True)
    optimizers = build_optimizers({n: p for n, p in trainee.named_parameters() if p.requires_grad})
    model, *optimizers = accelerator.prepare(trainee, *optimizers)
    before = [p.detach().clone() for p in (base.blocks[0].self_attn.q.weight, view_sync.blocks[0].projector.weight)]
    for step in range(2):
        started = time.monotonic()
        loss = one_step(accelerator, model, optimizers, batch(options.views, 2, 8, sizes.text_dim), config, step)
        print(f"step {step}: loss {loss:.4f}, {time.monotonic() - started:.1f} s, peak {peak_gb():.1f} GB", flush=True)
    now = (base.blocks[0].self_attn.q.weight, view_sync.blocks[0].projector.weight)
    changed = [not torch.equal(a, b) for a, b in zip(before, now, strict=True)]
    print(f"changed: base {changed[0]}, module {changed[1]}")
    print(f"a block keeps {kept_bytes_per_token(trainee):,.0f} bytes per token for its backward pass")


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
