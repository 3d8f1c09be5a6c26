"""What is trained: built from files or from nothing, and its loss."""

from dataclasses import replace

import plain_wan
import pytest
import torch
from safetensors.torch import save_file
from tiny_training import SIZES, TEXT_DIM, load_wan, random_wan, ring_scene, text_of, tiny_config

from syncam_core.datasets.footage import Kind
from syncam_core.errors import UserError
from syncam_core.training.batches import Batches
from syncam_core.training.config import Mix, ModelConfig, Objective
from syncam_core.training.export import export_full, export_view_sync
from syncam_core.training.trainee import Trainee, build_trainee, load_base, matrices_of


def batch_of(**changes):
    config = tiny_config("", mix=(Mix(Kind.MULTI_VIEW_VIDEO, 1.0, scenes=3),), **changes)
    return Batches(config, [ring_scene("one"), ring_scene("two")], text_of)[0]


@pytest.mark.parametrize("weighting", ["gaussian", "none"])
@pytest.mark.parametrize("is_alone", [False, True])
def test_the_loss_of_each_scene_is_that_of_the_equations(weighting, is_alone):
    state, base, view_sync = random_wan(heads=1, dim=64)
    batch = replace(batch_of(), view_sync=not is_alone)
    with torch.no_grad():
        got = Trainee(base, view_sync, Objective(weighting=weighting))(batch)
    for scene, loss in enumerate(got.tolist()):
        own, sigma = slice(2 * scene, 2 * scene + 2), batch.sigma[scene].double()
        x = (1 - sigma) * batch.latents[own] + sigma * batch.noise[own]
        words = batch.text[scene].expand(2, -1, -1)
        poses = None if is_alone else batch.poses[scene]
        said = plain_wan.forward(state, x.float(), 1000 * sigma.item(), words, poses, head_dim=64)
        expected = (said - (batch.noise[own] - batch.latents[own])).square().mean()
        if weighting == "gaussian":
            levels = torch.tensor([5 * k / (1000 + 4 * k) for k in range(1, 1001)], dtype=torch.float64)
            bells = (-2 * (levels - 0.5) ** 2).exp()
            expected *= ((-2 * (sigma - 0.5) ** 2).exp() - bells.min()) * 1000 / (bells - bells.min()).sum()
        assert loss == pytest.approx(expected.item(), rel=1e-4, abs=1e-6)


def test_the_beginning_is_decided_by_torchs_seed():
    config = ModelConfig(sizes=SIZES, beginning="from_scratch", train="all")
    torch.manual_seed(3)
    first = build_trainee(config, Objective()).state_dict()
    torch.manual_seed(3)
    again = build_trainee(config, Objective()).state_dict()
    torch.manual_seed(4)
    other = build_trainee(config, Objective()).state_dict()
    assert all(torch.equal(value, again[key]) for key, value in first.items())
    assert not all(torch.equal(value, other[key]) for key, value in first.items())


def test_from_scratch_the_module_acts_from_the_first_step():
    trainee = build_trainee(ModelConfig(sizes=SIZES, beginning="from_scratch", train="all"), Objective())
    torch.nn.init.normal_(trainee.base.head.head.weight)
    batch = batch_of()
    with torch.no_grad():
        assert not torch.allclose(trainee(batch), trainee(replace(batch, view_sync=False)))


def test_training_goes_on_from_weights_of_a_file(tmp_path):
    state, *_ = random_wan(heads=1, dim=128)
    before = Trainee(*load_wan(state, 1), Objective())
    full = export_full(before, tmp_path / "full.ckpt", torch.float32)
    small = export_view_sync(before, tmp_path / "views.safetensors", torch.float32, "a test")
    for file in (full, small):
        config = ModelConfig(base=str(full), view_sync=str(file))
        assert all(
            torch.equal(value, before.state_dict()[key])
            for key, value in build_trainee(config, Objective()).state_dict().items()
        )


def test_a_frozen_base_takes_the_dtype_that_is_asked_for_and_a_trained_one_stays_float32(tmp_path):
    state, *_ = random_wan(heads=1, dim=128)
    file = export_full(Trainee(*load_wan(state, 1), Objective()), tmp_path / "full.ckpt", torch.bfloat16)
    for train, base_dtype, expected in (("view_sync", "bfloat16", torch.bfloat16), ("all", "bfloat16", torch.float32)):
        trainee = build_trainee(ModelConfig(base=str(file), base_dtype=base_dtype, train=train), Objective())
        assert {p.dtype for p in trainee.base.parameters()} == {expected}
        assert {p.dtype for p in trainee.view_sync.parameters()} == {torch.float32}
        assert all(p.requires_grad == (train == "all") for p in trainee.base.parameters())
        assert all(p.requires_grad for p in trainee.view_sync.parameters())


def test_weights_of_another_size_are_refused(tmp_path):
    state, *_ = random_wan(heads=1, dim=128)
    file = export_full(Trainee(*load_wan(state, 1), Objective()), tmp_path / "full.ckpt", torch.float32)
    said = "'model.view_sync' is for width 128 with 2 blocks, but the base has width 32 with 1; use the weights that"
    with pytest.raises(UserError, match=said):
        build_trainee(ModelConfig(sizes=SIZES, view_sync=str(file)), Objective())


def damaged(state, what):
    return {
        "one tensor is missing": {k: v for k, v in state.items() if k != "head.head.bias"},
        "another model": {"conv.weight": torch.zeros(3)},
        "no heads of 128": state,
        "image to video": {**state, "patch_embedding.weight": torch.zeros(64, 36, 1, 2, 2)},
        "a number instead of a tensor": {**state, "head.modulation": torch.tensor(1.0)},
    }[what]


@pytest.mark.parametrize(
    "what",
    [
        "one tensor is missing",
        "another model",
        "no heads of 128",
        "image to video",
        "a number instead of a tensor",
    ],
)
def test_a_file_that_is_no_text_to_video_model_is_refused_in_one_sentence(tmp_path, what):
    state = plain_wan.random_state(dim=64, depth=1, ffn=32, text_dim=TEXT_DIM, view_sync=False)
    path = tmp_path / "base.safetensors"
    save_file(damaged(state, what), path)
    with pytest.raises(UserError, match=r"base\.safetensors' is no Wan2\.1 text-to-video model") as problem:
        load_base(str(path))
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize("metadata", ["{", '{"transformer": {"num_heads": "four"}}', '{"transformer": 3}', "[]"])
def test_strange_metadata_is_refused_in_one_sentence(tmp_path, metadata):
    state = plain_wan.random_state(dim=64, depth=1, ffn=32, text_dim=TEXT_DIM, view_sync=False)
    save_file(state, tmp_path / "base.safetensors", {"config": metadata})
    with pytest.raises(UserError, match=r"is no Wan2\.1 text-to-video model"):
        load_base(str(tmp_path / "base.safetensors"))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"absent\.safetensors' cannot be read: No such file"):
        load_base(str(tmp_path / "absent.safetensors"))


def test_muon_gets_the_matrices_of_the_blocks_and_nothing_else():
    trainee = build_trainee(ModelConfig(sizes=SIZES, train="all"), Objective())
    attentions = ["base.blocks.0.self_attn", "base.blocks.0.cross_attn", "view_sync.blocks.0.mvs_attn"]
    expected = {f"{attention}.{part}.weight" for attention in attentions for part in "qkvo"}
    expected |= {f"base.blocks.0.ffn.{i}.weight" for i in (0, 2)} | {"view_sync.blocks.0.projector.weight"}
    assert set(matrices_of(trainee)) == expected
    frozen = build_trainee(ModelConfig(sizes=SIZES), Objective())
    assert all(name.startswith("view_sync.") for name in matrices_of(frozen))
