"""Add-ons that people use with Wan: each works together with SynCamApply, or is refused with a sentence.

"Works" means four things, in every order of the nodes: before and after SynCamApply is the same; with a projector of
zeros every bit is as without SynCamApply; the add-on still has its effect; and so has the synchronization. The real
add-on runs where the host brings it. For those of other packs ``strangers.py`` uses the same hook in the same way.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import strangers
import torch
from add_ons import COMPILED, ROPE, ROUNDING, WITHOUT_EFFECT, WORKS, foreign_block
from host_abilities import CLONES, need
from host_wan import TEXTS, TinyWan, empty, is_view_sync, poses, random, sampled, text, velocities, write_base
from safetensors.torch import save_file
from silent_wan import silenced

FRAMES, HEIGHT, WIDTH = 2, 4, 4
SIZES = {"dim": 128, "ffn": 96, "seed": 5}


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyWan(comfy, "company", **SIZES)


@pytest.fixture(scope="module")
def silent(tiny):
    return silenced(tiny)


def noise(views=2, frames=FRAMES, seed=4):
    return random(views, 16, frames, HEIGHT, WIDTH, seed=seed)


def sample(comfy, model, views=2, frames=FRAMES, steps=3, cfg=3.0, extras=None, node_id="KSampler"):
    texts = [[[embedding, dict(extras or {})]] for embedding in TEXTS]
    latent = empty(views, frames, HEIGHT, WIDTH)
    return sampled(comfy, model, latent, texts, node_id, steps=steps, cfg=cfg, denoise=1.0)["samples"]


def answering_for_itself(model):
    """The base as EasyCache would have it. On a step that it skips, the host lets it write what the model predicts into
    the very latent that was asked about (in float32, where no copy lies between), and then takes the one for the other.
    """
    from comfy.patcher_extension import WrappersMP

    def wrapper(executor, x, t, *args, **kwargs):
        asked = x.clone()
        output = executor(x, t, *args, **kwargs)
        if torch.equal(x, asked):
            return output
        velocity = x.clone()
        x.copy_(asked)
        return asked - t.view(-1, 1, 1, 1, 1) * velocity

    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "answering for itself", wrapper)
    return model


@pytest.fixture(scope="module")
def plain(comfy, tiny):
    return sample(comfy, tiny.patched(poses()))


@pytest.mark.parametrize("name", WORKS)
def test_it_works_before_and_after_with_its_own_effect_and_the_views_synchronized(comfy, tiny, silent, plain, name):
    add_on = WORKS[name]
    after = sample(comfy, add_on(comfy, tiny.patched(poses())))
    before = sample(comfy, tiny.patched(poses(), base=add_on(comfy, tiny.base())))
    assert torch.equal(before, after)
    alone = sample(comfy, add_on(comfy, answering_for_itself(tiny.base()) if name == "EasyCache" else tiny.base()))
    quiet = sample(comfy, add_on(comfy, silent.patched(poses())))
    assert torch.allclose(quiet, alone, atol=1e-4) if name in ROUNDING else torch.equal(quiet, alone)
    assert not torch.allclose(after, alone, atol=1e-2), "synchronized"
    assert name in WITHOUT_EFFECT or not torch.allclose(after, plain, atol=1e-6), "the add-on's effect"


@pytest.mark.parametrize("name", WITHOUT_EFFECT)
def test_what_changes_nothing_on_wan_changes_nothing_with_views(comfy, tiny, plain, name):
    assert torch.allclose(sample(comfy, WITHOUT_EFFECT[name](comfy, tiny.patched(poses()))), plain, atol=1e-5)


@pytest.mark.parametrize("name", ["EasyCache", "LazyCache"])
def test_a_cache_decides_once_for_all_views_and_saves_whole_steps(comfy, tiny, name):
    calls = []

    def counted(args):
        calls.append(args["x"].shape[0])
        return args["x"]

    def count(model, steps):
        calls.clear()
        model = model.clone()
        model.set_model_patch(counted, "attn2_patch")
        sample(comfy, model, steps=steps)
        assert set(calls) == {4}, "two conditionings of two views, always together"
        return len(calls) // 2  # blocks

    assert count(tiny.patched(poses()), 6) == 6
    assert 2 <= count(WORKS[name](comfy, tiny.patched(poses())), 6) < 6


def test_attention_overrides_get_the_attention_between_views_too(comfy, tiny):
    seen = []
    sample(comfy, strangers.attention_override(tiny.patched(poses()), seen), steps=1, cfg=1.0)
    per_frame = 2 * (HEIGHT // 2) * (WIDTH // 2)
    assert (FRAMES, per_frame, 128) in seen, "per latent frame, the tokens of both views"


@pytest.mark.parametrize("name", ["RIFLEx", "ScaleROPE"])
def test_a_stretched_time_axis_leaves_the_view_axis_alone(comfy, tiny, name):
    """With one latent frame at time 0 there is nothing to stretch but the views, which must not be."""
    still = tiny.patched(poses(frames=1))
    options = {**ROPE, "shift_t": 0.0}
    stretched = comfy.run("ScaleROPE", model=still, **options)[0] if name == "ScaleROPE" else WORKS[name](comfy, still)
    assert torch.equal(sample(comfy, stretched, frames=1), sample(comfy, still, frames=1))


def on_each_view_alone(comfy, model, x, cfg):
    """The host's batch of one view, for every view: [positive, negative] or positive only."""
    rows = [torch.stack(velocities(model, x[i : i + 1], 0.6, TEXTS if cfg else TEXTS[:1])) for i in range(len(x))]
    return torch.cat(rows, dim=1)


def together(model, x, cfg, sigma=0.6):
    return torch.stack(velocities(model, x, sigma, TEXTS if cfg else TEXTS[:1]))


PER_VIEW = {
    "NAG of KJNodes": lambda model: strangers.negative_in_text_attention(model, text(4, seed=3)),
    "Enhance-A-Video": lambda model: strangers.enhanced_video(model, FRAMES),
}


@pytest.mark.parametrize("cfg", [True, False], ids=["cfg 3", "cfg 1"])
@pytest.mark.parametrize("views", [2, 3])
@pytest.mark.parametrize("name", PER_VIEW)
def test_attention_that_reads_a_batch_as_positive_and_negative_treats_every_view_as_it_treats_one(
    comfy, tiny, silent, name, views, cfg
):
    x, add_on = noise(views), PER_VIEW[name]
    alone = on_each_view_alone(comfy, add_on(tiny.base()), x, cfg)
    for model in (add_on(silent.patched(poses(views))), silent.patched(poses(views), base=add_on(tiny.base()))):
        assert torch.allclose(together(model, x, cfg), alone, atol=1e-5)
    assert not torch.allclose(alone, together(tiny.base(), x, cfg), atol=1e-4), "it has an effect"


@pytest.mark.parametrize("name", PER_VIEW)
def test_so_it_does_where_synchronization_is_off(comfy, tiny, name):
    """At shift 8 sigma 0.6 lies behind the first 20 %."""
    x, add_on = noise(), PER_VIEW[name]
    alone = on_each_view_alone(comfy, add_on(tiny.base()), x, True)
    for off in ({"end_percent": 0.2}, {"strength": 0.0}):
        assert torch.allclose(together(add_on(tiny.patched(poses(), **off)), x, True), alone, atol=1e-5)


@pytest.mark.parametrize("name", PER_VIEW)
def test_its_views_are_synchronized_too_and_a_clone_without_it_is_as_before(comfy, tiny, name):
    x, patched = noise(), tiny.patched(poses())
    before = together(patched, x, True)
    with_it = together(PER_VIEW[name](patched), x, True)
    assert not torch.allclose(with_it, on_each_view_alone(comfy, PER_VIEW[name](tiny.base()), x, True), atol=1e-2)
    assert not torch.allclose(with_it, before, atol=1e-4)
    assert torch.equal(together(patched, x, True), before)


def test_nag_in_batch_mode_steers_every_view_at_cfg_1(comfy, tiny, silent):
    def add_on(model):
        return strangers.negative_in_text_attention(model, text(4, seed=3), mode="batch")

    x = noise(3)
    alone = on_each_view_alone(comfy, add_on(tiny.base()), x, False)
    assert torch.allclose(together(add_on(silent.patched(poses(3))), x, False), alone, atol=1e-5)


def test_a_block_replacement_set_before_is_asked_first_and_gets_the_synchronized_block(comfy, tiny, silent):
    base = foreign_block(comfy, tiny.base())
    x = noise()
    assert torch.equal(together(silent.patched(poses(), base=base), x, True), together(base, x, True))
    assert not torch.allclose(together(tiny.patched(poses(), base=base), x, True), together(base, x, True), atol=1e-2)


@pytest.mark.parametrize("first", [True, False], ids=["compiled before", "compiled after"])
@pytest.mark.parametrize("name", COMPILED)
def test_torch_compile_gives_the_same(tiny, name, first):
    """As TorchCompileModel does it; the eager backend traces and guards like the others and needs no compiler."""
    from comfy_api.torch_helpers import set_torch_compile_wrapper

    def compiled(model):
        model = model.clone(disable_dynamic=True)
        set_torch_compile_wrapper(model, backend="eager", keys=COMPILED[name])
        return model

    x = noise()
    if first:
        model = tiny.patched(poses(), base=compiled(tiny.base()))
    else:
        model = compiled(tiny.patched(poses()))
    expected = together(tiny.patched(poses()), x, True)
    for _ in range(2):  # traced, then from its cache
        assert torch.allclose(together(model, x, True), expected, atol=1e-5)


def test_a_compiled_model_synchronizes_in_the_named_blocks_and_attends_to_all_videos_at_once(comfy, tiny):
    """Inside the compiler a method looks unlike its class's, which must not be taken for an add-on's attention."""
    from comfy_api.torch_helpers import set_torch_compile_wrapper

    x, batches = noise(), []
    (control,) = comfy.run("SynCamViewControl", strengths="1, 0.5", starts="0", ends="1", blocks="1")
    patched = tiny.patched(poses(), control=control)
    expected = together(patched, x, True)

    def attention(original, q, *args, **kwargs):
        batches.append(q.shape[0])
        return original(q, *args, **kwargs)

    model = patched.clone(disable_dynamic=True)
    model.model_options["transformer_options"]["optimized_attention_override"] = attention
    set_torch_compile_wrapper(model, backend="eager")
    assert torch.allclose(together(model, x, True), expected, atol=1e-5)
    assert min(batches) == 2 * len(x), "videos of both conditionings"


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1] * 2], ids=["two texts", "one text twice"])
@pytest.mark.parametrize("until", [1.0, 0.5], ids=["all along", "in the first half"])
def test_a_lora_hooked_to_one_conditioning_counts_there_and_then_only(comfy, tiny, silent, texts, until):
    """The weights that read the text change in mid-sampling, so nothing of the text may be kept."""
    generator = torch.Generator().manual_seed(9)
    low = {
        f"diffusion_model.blocks.{block}.cross_attn.{layer}.lora_{part}.weight": torch.randn(shape, generator=generator)
        for block in range(2)
        for layer in "kv"
        for part, shape in (("A", (4, 128)), ("B", (128, 4)))
    }
    folder = Path(comfy.folders.models_dir) / "loras"
    folder.mkdir(exist_ok=True)
    save_file(low, folder / "hooked.safetensors")
    (hooks,) = comfy.run("CreateHookLora", lora_name="hooked.safetensors", strength_model=0.5, strength_clip=0.0)
    if until < 1:
        (frames,) = comfy.run("CreateHookKeyframe", strength_mult=1.0, start_percent=0.0)
        (frames,) = comfy.run("CreateHookKeyframe", strength_mult=0.0, start_percent=until, prev_hook_kf=frames)
        (hooks,) = comfy.run("SetHookKeyframes", hooks=hooks, hook_kf=frames)
    positive, negative = ([[embedding, {}]] for embedding in texts)
    settings = {"cond_NEW": positive, "strength": 1.0, "set_cond_area": "default"}
    (hooked,) = comfy.run("ConditioningSetProperties", hooks=hooks, **settings)

    def sampled(model, positive):
        latent = {"samples": torch.zeros(2, 16, FRAMES, HEIGHT, WIDTH)}
        inputs = {"seed": 1, "steps": 4, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
        conditionings = {"positive": positive, "negative": negative, "latent_image": latent}
        return comfy.run("KSampler", model=model, **conditionings, **inputs)[0]["samples"]

    alone = sampled(tiny.base(), hooked)
    assert torch.allclose(sampled(silent.patched(poses()), hooked), alone, atol=1e-4)
    assert not torch.allclose(alone, sampled(tiny.base(), positive), atol=1e-2), "the LoRA's effect"


def test_multi_gpu_cfg_split_runs_each_conditioning_with_the_module_of_its_own_device(comfy, tiny, monkeypatch):
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

    patched = tiny.patched(poses())
    expected = sample(comfy, patched)
    patched.set_model_patch(record, "attn2_patch")
    split = comfy.run("MultiGPU_WorkUnits", model=patched, max_gpus=2)[0]
    assert torch.allclose(sample(comfy, split), expected, atol=1e-4)
    assert len({module for module, _ in used}) == 2
    assert {stacked for _, stacked in used} == {(0,), (1,)}
    model_management.unload_all_models()  # as long as the host knows both devices


def test_half_of_the_weights_offloaded_gives_the_same(comfy, tiny, plain):
    from comfy.patcher_extension import WrappersMP

    shares = []

    def unload_half(executor, *args, **kwargs):
        base = executor.class_obj.current_patcher
        for patcher in (base, *base.get_additional_models_with_key("syncam_view_sync")):
            patcher.partially_unload(torch.device("cpu"), patcher.loaded_size() // 2)
            shares.append(patcher.loaded_size() / patcher.model_size())
        return executor(*args, **kwargs)

    starved = tiny.patched(poses())
    starved.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "starve", unload_half)
    assert torch.equal(sample(comfy, starved), plain)
    assert shares
    assert all(0 < share < 0.6 for share in shares), shares


def test_packed_weights_as_gguf_has_them_are_never_read_by_the_patch(comfy, tiny):
    packed, rounded = tiny.base(), tiny.base()
    strangers.pack_linears(packed)
    strangers.unpack_linears(rounded)
    results = [sample(comfy, tiny.patched(poses(), base=base)) for base in (packed, rounded)]
    assert torch.allclose(*results, atol=1e-4)
    assert not torch.allclose(results[0], sample(comfy, packed), atol=1e-2)


@pytest.fixture(scope="module")
def vace(comfy, tiny):
    """The base with one VACE block: what the host loads as another model class, with a forward of its own."""
    import plain_wan

    generator = torch.Generator().manual_seed(8)
    state = {key: value for key, value in tiny.state.items() if not is_view_sync(key)}
    beside = plain_wan.random_state(**{**SIZES, "seed": 6}, depth=1, view_sync=False)
    state |= {f"vace_{key}": value for key, value in beside.items() if key.startswith("blocks.")}
    for name in ("before_proj", "after_proj"):
        state[f"vace_blocks.0.{name}.weight"] = torch.randn(128, 128, generator=generator) / 12
        state[f"vace_blocks.0.{name}.bias"] = torch.zeros(128)
    state["vace_patch_embedding.weight"] = torch.randn(128, 96, 1, 2, 2, generator=generator) / 20
    state["vace_patch_embedding.bias"] = torch.zeros(128)
    models = Path(comfy.folders.models_dir) / "diffusion_models"
    name = write_base(state, models / "company_vace.safetensors").name
    return lambda: comfy.run("UNETLoader", unet_name=name, weight_dtype="default")[0]


def test_vace_conditions_every_view(comfy, tiny, silent, vace):
    generator = torch.Generator().manual_seed(2)
    control = {
        "vace_frames": [torch.randn(1, 32, FRAMES, HEIGHT, WIDTH, generator=generator)],
        "vace_mask": [torch.ones(1, 64, FRAMES, HEIGHT, WIDTH)],
        "vace_strength": [1.0],
    }
    assert type(vace().model).__name__ == "WAN21_Vace"
    alone = sample(comfy, vace(), extras=control)
    assert torch.equal(sample(comfy, silent.patched(poses(), base=vace()), extras=control), alone)
    together = sample(comfy, tiny.patched(poses(), base=vace()), extras=control)
    assert not torch.allclose(together, alone, atol=1e-2)
    other = {**control, "vace_frames": [-control["vace_frames"][0]]}
    assert not torch.allclose(sample(comfy, tiny.patched(poses(), base=vace()), extras=other), together, atol=1e-3)


def test_fun_camera_conditions_every_view(comfy, tiny, silent):
    """Another model class of the host, with a forward that tells blocks nothing about the token grid."""
    generator = torch.Generator().manual_seed(8)
    state = {key: value for key, value in tiny.state.items() if not is_view_sync(key)}
    state["patch_embedding.weight"] = torch.randn(128, 36, 1, 2, 2, generator=generator) / 12
    shapes = {"conv": (128, 24 * 64, 2, 2), "residual_blocks.0.conv1": (128, 128, 3, 3)}
    shapes["residual_blocks.0.conv2"] = shapes["residual_blocks.0.conv1"]
    for name, shape in shapes.items():
        state[f"control_adapter.{name}.weight"] = torch.randn(shape, generator=generator) / 80
        state[f"control_adapter.{name}.bias"] = torch.zeros(128)
    models = Path(comfy.folders.models_dir) / "diffusion_models"
    name = write_base(state, models / "company_camera.safetensors").name
    (base,) = comfy.run("UNETLoader", unet_name=name, weight_dtype="default")
    assert type(base.model).__name__ == "WAN21_Camera"
    rays = torch.randn(1, 24, FRAMES, 8 * HEIGHT, 8 * WIDTH, generator=generator)
    control = {"camera_conditions": rays}
    alone = sample(comfy, base, extras=control)
    assert torch.equal(sample(comfy, silent.patched(poses(), base=base), extras=control), alone)
    together = sample(comfy, tiny.patched(poses(), base=base), extras=control)
    assert not torch.allclose(together, alone, atol=1e-2)
    other = sample(comfy, tiny.patched(poses(), base=base), extras={"camera_conditions": -rays})
    assert not torch.allclose(other, together, atol=1e-3)


class PictureVAE:
    """Compresses as Wan's autoencoder does; its latents are what the pictures show, sixteen times."""

    def temporal_compression_decode(self):
        return 4

    def spacial_compression_encode(self):
        return 8

    def encode(self, frames):
        return frames[::4, ::8, ::8, :1].movedim(-1, 0)[None].repeat(1, 16, 1, 1, 1)


def test_the_hosts_uni3c_controls_every_view(comfy, tiny, silent):
    """Its real weights are 5120 wide, for the 14B model; this one is as wide as the tiny model."""
    need("Uni3C")
    from comfy import model_patcher, ops
    from comfy.ldm.wan.uni3c import WanUni3CControlnet

    torch.manual_seed(3)
    cpu = torch.device("cpu")
    sizes = {"conv_out_dim": 128, "dim": 128, "ffn_dim": 64, "num_heads": 1, "num_layers": 2, "mid_channels": 64}
    control = WanUni3CControlnet(
        **sizes, time_embed_dim=128, out_proj_dim=128, device=cpu, dtype=torch.float32, operations=ops.manual_cast
    )
    for parameter in control.parameters():
        torch.nn.init.normal_(parameter.data, std=0.1)
    patch = model_patcher.CoreModelPatcher(control.requires_grad_(False), cpu, cpu)
    render = torch.rand(4 * FRAMES - 3, 8 * HEIGHT, 8 * WIDTH, 3)

    def add_on(model):
        inputs = {
            "vae": PictureVAE(),
            "render_video": render,
            "strength": 1.0,
            "start_percent": 0.0,
            "end_percent": 1.0,
        }
        return comfy.run("WanUni3CControlnetApply", model=model, model_patch=patch, **inputs)[0]

    alone = sample(comfy, add_on(tiny.base()))
    assert torch.equal(sample(comfy, add_on(silent.patched(poses()))), alone)
    after = sample(comfy, add_on(tiny.patched(poses())))
    assert torch.equal(sample(comfy, tiny.patched(poses(), base=add_on(tiny.base()))), after)
    assert not torch.allclose(after, alone, atol=1e-2)
    assert not torch.allclose(after, sample(comfy, tiny.patched(poses())), atol=1e-3)


def test_a_rewan_patched_model_is_refused_before_and_after(comfy, tiny):
    base = tiny.base()
    patched = tiny.patched(poses(), base=base)
    with strangers.swapped_classes(base):
        for use in (lambda: sample(comfy, patched), lambda: tiny.patched(poses(), base=base)):
            with pytest.raises(ValueError, match="SynCamApply: another node has turned the model into ReWrittenWan"):
                use()
    sample(comfy, patched, steps=1)


@pytest.mark.parametrize("sizes", [(2, 2), (3, 1)])
@pytest.mark.parametrize(("marked", "says"), [(True, "ParallelAnything sends the views"), (False, "of 4 videos at a")])
def test_a_batch_shared_out_among_devices_is_refused(comfy, tiny, sizes, marked, says):
    patched = tiny.patched(poses())
    with strangers.split_batch(patched, sizes, marked), pytest.raises(ValueError, match=f"SynCamApply: .*{says}"):
        sample(comfy, patched)
    sample(comfy, patched, steps=1)


def test_videos_run_one_after_another_are_refused(comfy, tiny):
    with pytest.raises(ValueError, match="SynCamApply: another node hands the model 1 of 4 videos at a time"):
        sample(comfy, strangers.one_video_at_a_time(tiny.patched(poses())))


def test_tokens_shared_out_among_devices_are_refused(comfy, tiny):
    patched = tiny.patched(poses())
    says = "SynCamApply: another node hands the model 4 of 8 tokens at a time"
    with strangers.sharded_tokens(patched), pytest.raises(ValueError, match=says):
        sample(comfy, patched)


@pytest.mark.parametrize("blocks", [(1,), (0, 1)])
def test_blocks_written_over_by_skip_layer_guidance_of_kjnodes_are_refused(comfy, tiny, blocks):
    from comfy import model_management

    model_management.unload_all_models()
    names = "block 1" if blocks == (1,) else "blocks 0, 1"
    with pytest.raises(ValueError, match=f"SynCamApply: another node has replaced {names} of the model after it"):
        sample(comfy, strangers.skipped_blocks(tiny.patched(poses()), blocks))
    assert not model_management.current_loaded_models


@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_it_takes_two_views_for_two_conditionings_so_it_is_refused_before_syncam_apply_too(comfy, tiny, cfg):
    patched = tiny.patched(poses(), base=strangers.skipped_blocks(tiny.base()))
    if cfg == 1.0:
        with pytest.raises(ValueError, match="SynCamApply: another node hands the model 1 of 2 videos at a time"):
            sample(comfy, patched, cfg=cfg)
    else:  # four rows: it skips the block for all views alike, which is what its user asked for
        assert torch.isfinite(sample(comfy, patched, cfg=cfg)).all()


def test_a_wan_model_with_blocks_of_another_kind_is_refused(comfy, tiny):
    from comfy.ldm.wan.model import WanAttentionBlockAudio

    base = tiny.base()
    kinds = [type(block) for block in base.model.diffusion_model.blocks]
    for block in base.model.diffusion_model.blocks:
        block.__class__ = WanAttentionBlockAudio
    with pytest.raises(ValueError, match=r"'model' is WAN21, but view synchronization goes into Wan2.1"):
        tiny.patched(poses(), base=base)
    for block, kind in zip(base.model.diffusion_model.blocks, kinds, strict=True):
        block.__class__ = kind


def test_conditioning_that_adds_frames_to_the_stream_is_refused(comfy, tiny):
    """S2V, Animate and phantom references append latent frames that no camera belongs to."""
    more = {"time_dim_concat": torch.randn(1, 16, 1, HEIGHT, WIDTH)}
    with pytest.raises(ValueError, match="SynCamApply: the model works on 12 tokens, but 'cameras' describes 2 latent"):
        sample(comfy, tiny.patched(poses()), extras=more)


def test_context_windows_over_the_views_are_refused(comfy, tiny):
    """Over the batch is the host's default, also where its windows are longer than the batch and it would not use them."""
    settings = {"context_schedule": "standard_static", "context_stride": 1, "closed_loop": False, "freenoise": False}
    for length, dim, says in ((1, 0, "would part the views"), (16, 0, "would part the views"), (2, 3, "the picture")):
        windows = {"context_length": length, "context_overlap": 0, "fuse_method": "pyramid", "dim": dim}
        (model,) = comfy.run("ContextWindowsManual", model=tiny.patched(poses()), **windows, **settings)
        with pytest.raises(ValueError, match=rf"'dim' of Context Windows \(Manual\) is {dim}, which .*{says}; set it"):
            sample(comfy, model)
