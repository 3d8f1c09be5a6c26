"""The widths of Wan2.1 T2V 1.3B, one layer of thirty: what trains, what stays, and what the files are called."""

from __future__ import annotations

import pytest
import torch
from accelerate import Accelerator
from tiny_training import tiny_config

from syncam_core.cameras import orbit_rig
from syncam_core.cameras.encoding import encode_poses
from syncam_core.disk.checkpoint import open_state_dict
from syncam_core.training.batches import Batch
from syncam_core.training.config import ModelConfig, ModelSizes, Objective, OptimizerConfig
from syncam_core.training.export import export_full, export_view_sync
from syncam_core.training.loop import one_step
from syncam_core.training.optimizers import build_optimizers
from syncam_core.training.trainee import build_trainee

D = 1536
NEW = {
    "cam_encoder.weight": (D, 12),
    "cam_encoder.bias": (D,),
    "projector.weight": (D, D),
    "projector.bias": (D,),
    "modulation_mvs": (1, 3, D),
    **{f"mvs_attn.{name}.weight": (D, D) for name in "qkvo"},
    **{f"mvs_attn.{name}.bias": (D,) for name in "qkvo"},
    "mvs_attn.norm_q.weight": (D,),
    "mvs_attn.norm_k.weight": (D,),
}
MODEL = ModelConfig(
    sizes=ModelSizes(dim=D, ffn_dim=8960, num_heads=12, num_layers=1, text_dim=4096),
    base_dtype="bfloat16",
    gradient_checkpointing=True,
)


def small_batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    latents, noise = (torch.randn(2, 16, 2, 4, 4, generator=generator) for _ in range(2))
    poses = encode_poses(orbit_rig([0.0, 20.0], [10.0], [3.0]).c2w).float().expand(-1, 2, -1)[None]
    text = torch.randn(1, 8, 4096, generator=generator)
    return Batch(latents, noise, torch.tensor([0.7]), poses, text, ("scene",), True, False)


@pytest.fixture(scope="module")
def stepped():
    """The model after one step, and its tensors before."""
    torch.manual_seed(0)
    trainee = build_trainee(MODEL, Objective())
    with torch.no_grad():  # as begun, the last layer is zero, and nothing before it would learn
        trainee.base.head.head.weight.normal_(0, 0.02)
    before = {name: tensor.clone() for name, tensor in trainee.state_dict().items()}
    accelerator = Accelerator(mixed_precision="bf16", cpu=True)
    trainable = {name: p for name, p in trainee.named_parameters() if p.requires_grad}
    model, *optimizers = accelerator.prepare(trainee, *build_optimizers(trainable))
    config = tiny_config("", optimizer=OptimizerConfig(clip_norm=None))
    losses = [one_step(accelerator, model, optimizers, small_batch(), config, step) for step in range(2)]
    gradients = {name for name, p in trainee.named_parameters() if p.grad is not None}
    return trainee, before, gradients, losses


def test_a_block_has_the_published_number_of_new_parameters(stepped):
    assert sum(p.numel() for p in stepped[0].view_sync.parameters()) == 11_831_808


def test_only_the_new_parameters_get_gradients_and_change(stepped):
    trainee, before, gradients, losses = stepped
    assert gradients == {f"view_sync.blocks.0.{name}" for name in NEW} - {"view_sync.blocks.0."}
    for name, tensor in trainee.state_dict().items():
        assert torch.equal(tensor, before[name]) == name.startswith("base."), name
    assert losses[1] < losses[0]


def test_the_files_have_the_published_names_and_shapes(stepped, tmp_path):
    trainee = stepped[0]
    small = export_view_sync(trainee, tmp_path / "views.safetensors", torch.bfloat16, "test")
    state, _ = open_state_dict(small)
    assert {name: tuple(state[name].shape) for name in state} == {f"blocks.0.{k}": v for k, v in NEW.items()}
    assert {state[name].dtype for name in state} == {torch.bfloat16}
    full, _ = open_state_dict(export_full(trainee, tmp_path / "full.ckpt", torch.bfloat16))
    assert len(full) == 825 - 29 * 27 + 15
    assert full["blocks.0.ffn.0.weight"].shape == (8960, D)
    assert full["text_embedding.0.weight"].shape == (D, 4096)
