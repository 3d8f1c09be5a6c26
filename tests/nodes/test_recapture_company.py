"""Add-ons beside re-capture: what works with synchronized views works here, or is refused with a sentence.

"Works" as in test_company: before and after SynCamReCamApply is the same bit for bit, the add-on has its effect, and with
weights that are the base's (no camera, a projector that is the identity) every bit is as the host's own, which can be given
a source behind the latent by a conditioning.
"""

from __future__ import annotations

from pathlib import Path

import plain_wan
import pytest
import strangers
import torch
from add_ons import CACHE, COMPILED, ROUNDING, WITHOUT_EFFECT, WORKS, foreign_block, lora, node, set_behind
from host_abilities import CLONES, anchor_input, need
from host_wan import TEXTS, TinyWan, empty, is_view_sync, random, sampled, text, velocities, write_base

FRAMES, HEIGHT, WIDTH, COUNT = 3, 4, 4, 2
SIZES = {"dim": 128, "ffn": 96, "seed": 5}
POSES = random(COUNT, FRAMES, 12, seed=3)
SOURCE = random(1, 16, FRAMES, HEIGHT, WIDTH, seed=8)


class TinyReCapture(TinyWan):
    """The files of TinyWan and, of the same base, re-capture weights."""

    def __init__(self, comfy, name: str, **parts):
        super().__init__(comfy, name, **SIZES)
        state = {key: value for key, value in self.state.items() if not is_view_sync(key)} | parts
        self.weights_name = f"{name}_recapture.ckpt"
        torch.save(state, Path(comfy.folders.models_dir) / "syncam" / self.weights_name)

    def patched(self, base=None, poses=POSES, source=SOURCE, memory="auto"):
        from syncam_core.cameras.trajectories import TrajectoryEncoding

        inputs = {"trajectories": TrajectoryEncoding(poses), "source": {"samples": source}, "memory": memory}
        return self.comfy.run("SynCamReCamApply", model=base or self.base(), weights=self.weights(), **inputs)[0]


def parts(seed: int, quiet: bool = False) -> dict[str, torch.Tensor]:
    tensors = {}
    for block in range(2):
        key = f"blocks.{block}."
        tensors[f"{key}cam_encoder.weight"] = random(128, 12, seed=seed + block) / 4 * (not quiet)
        tensors[f"{key}cam_encoder.bias"] = torch.zeros(128)
        tensors[f"{key}projector.weight"] = torch.eye(128) if quiet else random(128, 128, seed=seed + 9 + block) / 11
        tensors[f"{key}projector.bias"] = torch.zeros(128)
        if not quiet:
            for at, name in enumerate("qkvo"):
                tensors[f"{key}self_attn.{name}.weight"] = random(128, 128, seed=seed + 20 + at + block) / 9
    return tensors


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyReCapture(comfy, "recapture_company", **parts(40))


@pytest.fixture(scope="module")
def silent(comfy):
    return TinyReCapture(comfy, "recapture_silent", **parts(0, quiet=True))


def sample(comfy, model, source=None, steps=3, cfg=3.0, node_id="KSampler", frames=FRAMES):
    extras = {} if source is None else {"time_dim_concat": source}
    texts = [[[embedding, dict(extras)]] for embedding in TEXTS]
    latent = empty(COUNT, frames, HEIGHT, WIDTH)
    return sampled(comfy, model, latent, texts, node_id, steps=steps, cfg=cfg, denoise=1.0)["samples"]


@pytest.fixture(scope="module")
def plain(comfy, tiny):
    return sample(comfy, tiny.patched())


@pytest.mark.parametrize("name", WORKS)
def test_it_works_before_and_after_with_its_own_effect(comfy, tiny, silent, plain, name):
    add_on = WORKS[name]
    after = sample(comfy, add_on(comfy, tiny.patched()))
    before = sample(comfy, tiny.patched(base=add_on(comfy, tiny.base())))
    assert torch.equal(before, after)
    assert name in WITHOUT_EFFECT or not torch.allclose(after, plain, atol=1e-6), "the add-on's effect"
    if name == "LoRA" or name == "EasyCache":  # below; in float32 the host's own reads what it has overwritten
        return
    alone = sample(comfy, add_on(comfy, tiny.base()), SOURCE)
    quiet = sample(comfy, add_on(comfy, silent.patched()))
    assert torch.allclose(quiet, alone, atol=1e-4) if name in ROUNDING else torch.equal(quiet, alone)


def test_a_lora_on_every_layer_is_as_on_the_host(comfy, tiny, silent):
    """Weights that are set, and a LoRA on top, are summed in another order than the base's own and a LoRA."""
    alone = sample(comfy, lora(comfy, tiny.base()), SOURCE)
    assert torch.allclose(sample(comfy, lora(comfy, silent.patched())), alone, atol=1e-4)


@pytest.mark.parametrize("name", WITHOUT_EFFECT)
def test_what_changes_nothing_on_wan_changes_nothing_here(comfy, tiny, plain, name):
    assert torch.allclose(sample(comfy, WITHOUT_EFFECT[name](comfy, tiny.patched())), plain, atol=1e-5)


@pytest.mark.parametrize("name", ["EasyCache", "LazyCache"])
def test_a_cache_decides_once_for_all_trajectories_and_saves_whole_steps(comfy, tiny, name):
    calls = []

    def count(model):
        calls.clear()
        model = model.clone()
        model.set_model_patch(lambda args: calls.append(args["x"].shape[:2]) or args["x"], "attn2_patch")
        sample(comfy, model, steps=6)
        assert set(calls) == {(2 * COUNT, 2 * FRAMES * 4)}, "both conditionings, every trajectory, target and source"
        return len(calls) // 2

    assert count(tiny.patched()) == 6
    assert 2 <= count(node(name, **CACHE)(comfy, tiny.patched())) < 6


def windowed(comfy, model, length=2, overlap=1, anchor=False, dim=2):
    settings = {"context_schedule": "standard_static", "fuse_method": "flat", "context_stride": 1, "closed_loop": False}
    more = {"context_length": length, "context_overlap": overlap, "dim": dim, **anchor_input(anchor)}
    return comfy.run("ContextWindowsManual", model=model, freenoise=False, **settings, **more)[0]


@pytest.mark.parametrize("anchor", [False, True], ids=["windows alone", "with the frame before"])
def test_windows_cut_target_source_and_poses_at_the_same_frames(comfy, tiny, anchor):
    frames = 5
    poses, source = random(COUNT, frames, 12, seed=6), random(COUNT, 16, frames, HEIGHT, WIDTH, seed=7)
    x = random(COUNT, 16, frames, HEIGHT, WIDTH, seed=4)
    base = tiny.base()
    got = torch.stack(velocities(windowed(comfy, tiny.patched(base, poses, source), 3, 1, anchor), x, 0.6, TEXTS))
    total, counts = 0, torch.zeros(frames)
    for window in ([0, 1, 2], [2, 3, 4]):
        seen = [window[0] - 1, *window] if anchor and window[0] else window
        part = tiny.patched(base, poses[:, seen], source[:, :, seen])
        made = torch.stack(velocities(part, x[:, :, seen], 0.6, TEXTS))[:, :, :, len(seen) - len(window) :]
        placed = torch.zeros(2, *x.shape)
        placed[:, :, :, window] = made
        total, counts = total + placed, counts + torch.tensor([float(f in window) for f in range(frames)])
    assert torch.allclose(got, total / counts[:, None, None], atol=1e-5)


def test_windows_sample_to_the_end_in_our_sampler(comfy, tiny):
    frames = 5
    poses, source = random(COUNT, frames, 12, seed=6), random(1, 16, frames, HEIGHT, WIDTH, seed=7)
    model = windowed(comfy, tiny.patched(None, poses, source), 3, 1)
    made = sample(comfy, model, node_id="SynCamSampler", frames=frames)
    assert made.shape == (COUNT, 16, frames, HEIGHT, WIDTH)
    assert torch.isfinite(made).all()


@pytest.mark.parametrize("first", [True, False], ids=["compiled before", "compiled after"])
@pytest.mark.parametrize("name", COMPILED)
def test_torch_compile_gives_the_same(comfy, tiny, name, first):
    from comfy_api.torch_helpers import set_torch_compile_wrapper

    def compiled(model):
        model = model.clone(disable_dynamic=True)
        set_torch_compile_wrapper(model, backend="eager", keys=COMPILED[name])
        return model

    x = random(COUNT, 16, FRAMES, HEIGHT, WIDTH, seed=4)
    model = tiny.patched(compiled(tiny.base())) if first else compiled(tiny.patched())
    expected = torch.stack(velocities(tiny.patched(), x, 0.6, TEXTS))
    for _ in range(2):
        assert torch.allclose(torch.stack(velocities(model, x, 0.6, TEXTS)), expected, atol=1e-5)


def test_half_of_the_weights_offloaded_gives_the_same_and_unloading_gives_the_base_back(comfy, tiny, plain):
    from comfy import model_management
    from comfy.patcher_extension import WrappersMP

    shares = []

    def unload_half(executor, *args, **kwargs):
        if shares:
            return executor(*args, **kwargs)
        base = executor.class_obj.current_patcher
        for patcher in (base, *base.get_additional_models_with_key("syncam_recapture")):
            patcher.partially_unload(torch.device("cpu"), patcher.loaded_size() // 2)
            shares.append(patcher.loaded_size() / patcher.model_size())
        return executor(*args, **kwargs)

    base = tiny.base()
    before = sample(comfy, base)
    starved = tiny.patched(base)
    starved.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "starve", unload_half)
    assert torch.equal(sample(comfy, starved), plain)
    assert 0 < shares[0] < 0.6, "the base's"
    assert shares[1] < 0.6, "the module's"
    model_management.unload_all_models()
    assert torch.equal(sample(comfy, base), before)


def test_multi_gpu_cfg_split_runs_each_conditioning_with_the_module_of_its_own_device(comfy, tiny, plain, monkeypatch):
    """Two names of one CPU stand in for two GPUs."""
    need(CLONES)
    from comfy import model_management

    devices = [torch.device("cpu"), torch.device("cpu:0")]
    monkeypatch.setattr(model_management, "get_all_torch_devices", lambda exclude_current=False: devices)
    used = set()

    def record(args):
        options = args["transformer_options"]
        used.add((id(options["syncam_view_sync"].inserts[0].module), tuple(options["cond_or_uncond"])))
        return args["x"]

    model_management.unload_all_models()  # of earlier tests, which the host looks for another clone in
    patched = tiny.patched()
    patched.set_model_patch(record, "attn2_patch")
    split = comfy.run("MultiGPU_WorkUnits", model=patched, max_gpus=2)[0]
    assert torch.allclose(sample(comfy, split), plain, atol=1e-4)
    assert len({module for module, _ in used}) == 2
    assert {stacked for _, stacked in used} == {(0,), (1,)}
    model_management.unload_all_models()


def test_packed_weights_in_a_shape_of_their_own_are_refused(comfy, tiny):
    packed = tiny.base()
    strangers.pack_linears(packed)
    with pytest.raises(ValueError, match=r"^SynCamReCamApply: 'model' keeps '.*self_attn.*' packed"):
        tiny.patched(packed)


def test_a_block_replacement_before_runs_around_ours_and_one_after_is_refused(comfy, tiny, silent):
    around = foreign_block(comfy, tiny.base())
    assert torch.equal(sample(comfy, silent.patched(around)), sample(comfy, around, SOURCE))
    with pytest.raises(ValueError, match=r"SynCamReCamApply: another node has replaced block 1 of the model after it"):
        sample(comfy, set_behind(tiny.patched(), 1))


REFUSED = {
    "frames of another conditioning": (
        lambda comfy, tiny: sample(comfy, tiny.patched(), SOURCE),
        r"SynCamReCamApply: a conditioning appends frames of its own",
    ),
    "an area of the picture": (
        lambda comfy, tiny: sampled(
            *(comfy, tiny.patched(), empty(COUNT, FRAMES, HEIGHT, WIDTH)),
            [[[TEXTS[0], {"area": (2, 2, 0, 0), "strength": 1.0}]], TEXTS[1]],
            "KSampler",
            denoise=1.0,
        ),
        r"SynCamReCamApply: a conditioning with an area of its own hands the model a part of the picture",
    ),
    "windows over the trajectories": (
        lambda comfy, tiny: sample(comfy, windowed(comfy, tiny.patched(), dim=0)),
        r"SynCamReCamApply: 'dim' of Context Windows \(Manual\) is 0",
    ),
    "EasyCache with windows": (
        lambda comfy, tiny: sample(comfy, node("EasyCache", **CACHE)(comfy, windowed(comfy, tiny.patched()))),
        r"SynCamReCamApply: EasyCache takes one context window for another",
    ),
    "one video at a time": (
        lambda comfy, tiny: sample(comfy, strangers.one_video_at_a_time(tiny.patched())),
        r"SynCamReCamApply: another node hands the model 1 of 4 videos",
    ),
    "Skip Layer Guidance of KJNodes": (
        lambda comfy, tiny: sample(comfy, strangers.skipped_blocks(tiny.patched(), (0, 1))),
        r"SynCamReCamApply: another node has replaced blocks 0, 1",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_break_a_re_capture_is_refused_in_one_sentence(comfy, tiny, name):
    use, sentence = REFUSED[name]
    with pytest.raises(ValueError, match=sentence):
        use(comfy, tiny)


def test_tokens_shared_out_among_devices_are_refused(comfy, tiny):
    patched = tiny.patched()
    with strangers.sharded_tokens(patched), pytest.raises(ValueError, match=r"SynCamReCamApply: .* tokens at a time"):
        sample(comfy, patched)


def test_models_with_a_condition_for_each_frame_are_refused(comfy, tiny):
    """VACE: another class of the host, whose control has as many frames as the target."""
    beside = plain_wan.random_state(**{**SIZES, "seed": 6}, depth=1, view_sync=False)
    state = {key: value for key, value in tiny.state.items() if not is_view_sync(key)}
    state |= {f"vace_{key}": value for key, value in beside.items() if key.startswith("blocks.")}
    for name in ("before_proj", "after_proj"):
        state |= {f"vace_blocks.0.{name}.weight": torch.eye(128), f"vace_blocks.0.{name}.bias": torch.zeros(128)}
    state["vace_patch_embedding.weight"] = random(128, 96, 1, 2, 2)
    state["vace_patch_embedding.bias"] = torch.zeros(128)
    models = Path(comfy.folders.models_dir) / "diffusion_models"
    name = write_base(state, models / "recapture_vace.safetensors").name
    (base,) = comfy.run("UNETLoader", unet_name=name, weight_dtype="default")
    with pytest.raises(ValueError, match=r"^SynCamReCamApply: 'model' is WAN21_Vace with a condition of its own"):
        tiny.patched(base)


def test_a_render_of_the_targets_frames_is_refused(comfy, tiny):
    class WanUni3CCnetPatch:
        """By the host's name; its own needs weights that are 5120 wide."""

        def __call__(self, args):
            return args

    model = tiny.patched()
    model.set_model_double_block_patch(WanUni3CCnetPatch())
    with pytest.raises(ValueError, match=r"^SynCamReCamApply: Uni3C's render is of the target's frames"):
        sample(comfy, model)


def test_a_rewan_patched_model_is_refused(comfy, tiny):
    base = tiny.base()
    patched = tiny.patched(base)
    with strangers.swapped_classes(base):
        for use in (lambda: sample(comfy, patched), lambda: tiny.patched(base)):
            with pytest.raises(
                ValueError, match="SynCamReCamApply: another node has turned the model into ReWrittenWan"
            ):
                use()


def test_a_batch_shared_out_among_devices_is_refused(comfy, tiny):
    patched = tiny.patched()
    with (
        strangers.split_batch(patched, (2, 2), False),
        pytest.raises(ValueError, match=r"SynCamReCamApply: .*of 4 videos"),
    ):
        sample(comfy, patched)


def test_nag_reads_a_batch_as_positive_and_negative_and_treats_every_trajectory_as_it_treats_one(comfy, tiny):
    x = random(COUNT, 16, FRAMES, HEIGHT, WIDTH, seed=4)

    def add_on(model):
        return strangers.negative_in_text_attention(model, text(4, seed=3))

    together = torch.stack(velocities(add_on(tiny.patched()), x, 0.6, TEXTS))
    alone = [
        torch.stack(velocities(add_on(tiny.patched(poses=POSES[i : i + 1])), x[i : i + 1], 0.6, TEXTS))
        for i in range(COUNT)
    ]
    assert torch.allclose(together, torch.cat(alone, dim=1), atol=1e-5)
    assert not torch.allclose(together, torch.stack(velocities(tiny.patched(), x, 0.6, TEXTS)), atol=1e-4)
