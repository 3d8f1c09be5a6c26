"""What SynCamApply does to a model, and what it leaves as it was."""

from pathlib import Path

import pytest
import torch
from host_wan import (
    FRAMES,
    HEIGHT,
    TEXTS,
    WIDTH,
    TinyWan,
    conditioning,
    empty,
    is_view_sync,
    noise,
    poses,
    sampled,
    velocities,
)
from safetensors.torch import save_file
from silent_wan import silenced

VIEWS = 2


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyWan(comfy, "apply", seed=3)


@pytest.fixture(scope="module")
def silent(tiny):
    return silenced(tiny)


@pytest.fixture
def x():
    return noise(VIEWS)


def run(model, x, sigma=0.6):
    return torch.stack(velocities(model, x, sigma, TEXTS))


def sample(comfy, model, steps=4, node_id="SynCamSampler", **more):
    return sampled(comfy, model, empty(VIEWS), node_id=node_id, steps=steps, **more)["samples"]


def test_synchronization_changes_the_result(tiny, x):
    assert not torch.allclose(run(tiny.base(), x), run(tiny.patched(poses()), x), atol=1e-3)


def test_a_zero_projector_gives_the_base_bit_for_bit(silent, x):
    assert torch.equal(run(silent.base(), x), run(silent.patched(poses()), x))


def test_strength_zero_gives_the_base_bit_for_bit(tiny, x):
    assert torch.equal(run(tiny.base(), x), run(tiny.patched(poses(), strength=0.0), x))


@pytest.mark.parametrize(("start", "end"), [(0.0, 0.2), (0.8, 1.0)])
def test_outside_the_percent_range_the_base_runs_bit_for_bit(tiny, x, start, end):
    """At shift 8, Wan's default, sigma 0.889 is half of the way."""
    patched = tiny.patched(poses(), start_percent=start, end_percent=end)
    assert torch.equal(run(tiny.base(), x, sigma=0.889), run(patched, x, sigma=0.889))
    inside = 0.99 if start == 0 else 0.1
    assert not torch.equal(run(tiny.base(), x, sigma=inside), run(patched, x, sigma=inside))


def test_the_percent_range_follows_a_shift_that_is_set_later(comfy, tiny, x):
    """The first 30 %: sigma 0.95 lies in it at shift 8 (0.949 ends it) and not at shift 1 (0.7 ends it: it does)."""
    patched = tiny.patched(poses(), end_percent=0.3)
    shifted = comfy.run("ModelSamplingSD3", model=patched, shift=1.0)[0]
    assert torch.equal(run(patched, x, sigma=0.8), run(tiny.base(), x, sigma=0.8))
    assert not torch.equal(run(shifted, x, sigma=0.8), run(tiny.base(), x, sigma=0.8))


def synchronized_at(comfy, model, sampler_name="euler", shift=5.0, sigmas=None, steps=4, **options):
    """Noise levels that the model is asked at, and whether views are synchronized there."""
    from comfy.patcher_extension import WrappersMP
    from comfy.samplers import ksampler

    seen = []

    def watch(executor, x, t, *args, **kwargs):
        seen.append((float(t[0]), "syncam_view_sync" in args[3]))
        return executor(x, t, *args, **kwargs)

    model = model.clone()
    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "watch", watch)
    if not options and sigmas is None:
        sample(comfy, model, steps=steps, sampler_name=sampler_name, shift=shift)
        return seen
    latent = {"samples": torch.zeros(VIEWS, 16, FRAMES, HEIGHT, WIDTH)}
    texts = {"positive": conditioning(TEXTS[0]), "negative": conditioning(TEXTS[1])}
    settings = {"add_noise": True, "noise_seed": 1, "cfg": 3.0, "sigmas": torch.tensor(sigmas)}
    comfy.run(
        "SamplerCustom", model=model, latent_image=latent, sampler=ksampler(sampler_name, options), **texts, **settings
    )
    return seen


@pytest.mark.parametrize("shift", [0.67, 1.57, 4.32, 5.0, 8.06])
def test_the_whole_sampling_is_synchronized_with_shifts_whose_first_noise_level_is_rounded_up(comfy, tiny, shift):
    """For 4.32 the host begins at 1.0000001."""
    seen = synchronized_at(comfy, tiny.patched(poses()), shift=shift)
    assert all(on for _, on in seen), seen


def test_samplers_that_add_noise_ask_above_the_first_level_and_are_synchronized_there(comfy, tiny):
    seen = synchronized_at(comfy, tiny.patched(poses()), sigmas=[1.0, 0.8, 0.4, 0.0], s_churn=2.0)
    assert max(sigma for sigma, _ in seen) > 1.2
    assert all(on for _, on in seen), seen


@pytest.mark.parametrize(
    ("start", "end", "on"), [(0.0, 0.0, [0]), (0.25, 0.5, [1, 2]), (0.75, 1.0, [3]), (0.6, 1.0, [3])]
)
@pytest.mark.parametrize("shift", [1.0, 3.3, 4.32, 5.0, 7.77])
def test_the_range_includes_the_steps_at_both_of_its_ends(comfy, tiny, shift, start, end, on):
    seen = synchronized_at(comfy, tiny.patched(poses(), start_percent=start, end_percent=end), shift=shift)
    levels = list(dict.fromkeys(sigma for sigma, _ in seen))
    assert sorted({levels.index(sigma) for sigma, is_on in seen if is_on}) == on


def test_the_model_that_was_patched_stays_the_plain_base(tiny, x):
    base = tiny.base()
    before = run(base, x)
    run(tiny.patched(poses(), base=base), x)
    assert torch.equal(run(base, x), before)


def test_two_differently_patched_clones_in_turn_do_not_disturb_each_other(tiny, x):
    base, weights = tiny.base(), tiny.weights()
    first = tiny.patched(poses(seed=1), base=base, weights=weights)
    second = tiny.patched(poses(seed=2), base=base, weights=weights, strength=0.5)
    alone = [run(model, x) for model in (first, second, first.clone())]
    for model, expected in [(second, alone[1]), (first, alone[0]), (second, alone[1]), (first.clone(), alone[2])]:
        assert torch.equal(run(model, x), expected)
    assert torch.equal(alone[0], alone[2])
    assert not torch.equal(alone[0], alone[1])


def test_applying_again_replaces_the_earlier_cameras(tiny, x):
    once = tiny.patched(poses(seed=2))
    twice = tiny.patched(poses(seed=2), base=tiny.patched(poses(seed=1)))
    assert torch.equal(run(once, x), run(twice, x))


def test_unload_and_reload_give_the_same(tiny, x):
    from comfy import model_management

    patched = tiny.patched(poses())
    before = run(patched, x)
    model_management.unload_all_models()
    assert torch.equal(run(patched, x), before)


def test_model_management_loads_counts_and_unloads_the_module_with_the_model(tiny, x):
    from comfy import model_management

    model_management.unload_all_models()
    weights = tiny.weights()
    run(tiny.patched(poses(), weights=weights), x)
    loaded = [entry.model for entry in model_management.current_loaded_models]
    assert any(patcher.model is weights.model for patcher in loaded)
    assert weights.model_size() == sum(p.numel() * p.element_size() for p in weights.model.parameters())
    assert weights.loaded_size() == weights.model_size()
    model_management.unload_all_models()
    assert weights.loaded_size() == 0


def test_a_half_memory_load_gives_the_same(tiny, x):
    """Half of base and module go back to the offload device just before the forward, as on a small GPU."""
    from comfy.patcher_extension import WrappersMP

    patched = tiny.patched(poses())
    before = run(patched, x)
    loaded = []

    def unload_half(executor, *args, **kwargs):
        base = executor.class_obj.current_patcher
        for patcher in (base, *base.get_additional_models_with_key("syncam_view_sync")):
            patcher.partially_unload(torch.device("cpu"), patcher.loaded_size() // 2)
        result = executor(*args, **kwargs)
        for patcher in (base, *base.get_additional_models_with_key("syncam_view_sync")):
            loaded.append(patcher.loaded_size() / patcher.model_size())
        return result

    starved = patched.clone()
    starved.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "starve", unload_half)
    assert torch.equal(run(starved, x), before)
    assert len(loaded) >= 2
    assert all(0 < share < 0.6 for share in loaded), loaded


def test_half_of_the_module_moves_to_the_device_and_the_rest_stays(tiny):
    """'meta' stands in for a GPU: what a partial load moves can be seen, though not computed with."""
    from comfy.model_patcher import ModelPatcher

    module = tiny.weights().model
    patcher = ModelPatcher(module, torch.device("meta"), torch.device("cpu"))
    sizes = [p.numel() * p.element_size() for p in module.parameters()]
    patcher.load(torch.device("meta"), lowvram_model_memory=sum(sizes) // 2)
    moved = [p.device.type for p in module.parameters()].count("meta")
    assert 0 < moved < len(sizes)
    raw = [p.device.type for name, p in module.named_parameters() if name.endswith("modulation_mvs")]
    assert set(raw) == {"cpu"}, "raw parameters stay, and are cast at use"


def lora_of(tiny, seed=9):
    generator = torch.Generator().manual_seed(seed)
    return {
        "diffusion_model.blocks.0.self_attn.q.lora_A.weight": torch.randn(4, 256, generator=generator) / 16,
        "diffusion_model.blocks.0.self_attn.q.lora_B.weight": torch.randn(256, 4, generator=generator) / 2,
    }


def test_a_lora_before_or_after_gives_the_same_and_leaves_no_trace(tiny, x):
    from comfy.sd import load_lora_for_models

    base = tiny.base()
    plain = run(base, x)
    patched = tiny.patched(poses(), base=base)
    without = run(patched, x)
    after, _ = load_lora_for_models(patched, None, lora_of(tiny), 1.0, 0)
    before = tiny.patched(poses(), base=load_lora_for_models(base, None, lora_of(tiny), 1.0, 0)[0])
    with_lora = run(after, x)
    assert torch.equal(with_lora, run(before, x))
    assert not torch.allclose(with_lora, without, atol=1e-3)
    assert torch.equal(run(patched, x), without)
    assert torch.equal(run(base, x), plain)


def test_a_block_replacement_set_before_is_asked_first_and_reaches_the_synchronized_block(tiny, x):
    seen = []

    def foreign(args, extra):
        seen.append(args["transformer_options"]["block_index"])
        out = extra["original_block"](args)
        return {"img": out["img"].roll(1, dims=-1)}

    base = tiny.base()
    base.set_model_patch_replace(foreign, "dit", "double_block", 1)
    patched = tiny.patched(poses(), base=base)
    both = run(patched, x)
    assert seen == [1]
    assert not torch.allclose(both, run(base, x), atol=1e-3)
    assert not torch.allclose(both, run(tiny.patched(poses()), x), atol=1e-3)


def test_a_node_that_overwrites_all_blocks_afterwards_is_named_as_the_problem(tiny, x):
    patched = tiny.patched(poses()).clone()
    for index in range(2):
        patched.set_model_patch_replace(lambda args, extra: extra["original_block"](args), "dit", "double_block", index)
    with pytest.raises(ValueError, match="SynCamApply: another node has replaced"):
        run(patched, x)


def test_an_interrupted_run_leaves_the_base_as_it_was(comfy, tiny, x):
    from comfy import model_management as mm

    base = tiny.base()
    plain = run(base, x)
    patched = tiny.patched(poses(), base=base)
    whole = sample(comfy, patched)

    def interrupt(args):
        mm.interrupt_current_processing()
        return args["x"]

    stopped = patched.clone()
    stopped.set_model_patch(interrupt, "attn2_patch")
    with pytest.raises(mm.InterruptProcessingException):
        sample(comfy, stopped)
    assert torch.equal(run(base, x), plain)
    assert torch.equal(sample(comfy, patched), whole)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_module_weights_of_half_precision_work_on_any_base(comfy, tiny, x, dtype):
    name = f"apply_{dtype}.safetensors".replace("torch.", "")
    state = {key: value.to(dtype) for key, value in tiny.state.items() if is_view_sync(key)}
    save_file(state, Path(comfy.folders.models_dir) / "syncam" / name)
    (half,) = comfy.run("SynCamLoadWeights", weights_name=name)
    assert next(half.model.parameters()).dtype == dtype
    full, rounded = run(tiny.patched(poses()), x), run(tiny.patched(poses(), weights=half), x)
    assert 1e-6 < (full - rounded).norm() / full.norm() < 2e-2


def test_weights_of_another_model_size_are_refused(comfy, tiny):
    wide = TinyWan(comfy, "wide", dim=384)
    deep = TinyWan(comfy, "deep", depth=3)
    for other, says in ((wide, "width 384 with 2 blocks"), (deep, "width 256 with 3 blocks")):
        with pytest.raises(ValueError, match=rf"SynCamApply: 'weights' are for a model of {says}, but 'model' has"):
            tiny.patched(poses(), weights=other.weights())


def test_a_model_that_is_not_wan_is_refused(tiny):
    base = tiny.base().clone()
    base.model = type("Other", (), {"diffusion_model": torch.nn.Linear(1, 1)})()
    with pytest.raises(ValueError, match=r"'model' is Other, but view synchronization goes into Wan2.1"):
        tiny.patched(poses(), base=base)


@pytest.mark.parametrize("node_id", ["SynCamSampler", "KSampler"])
@pytest.mark.parametrize(
    ("views", "frames", "says"),
    [
        (3, FRAMES, "'latent' is a batch of 2 videos, but 'cameras' of SynCamApply has 3 views"),
        (1, FRAMES, "'latent' is a batch of 2 videos, but 'cameras' of SynCamApply has 1 view;"),
        (2, 4, r"'latent' has 2 latent frames \(length 5\), but 'cameras' of SynCamApply has 4 \(length 13\)"),
    ],
)
def test_a_latent_that_does_not_fit_the_cameras_is_refused_before_any_model_is_loaded(
    comfy, tiny, node_id, views, frames, says
):
    from comfy import model_management

    model_management.unload_all_models()
    latent = {"samples": torch.zeros(VIEWS, 16, FRAMES, HEIGHT, WIDTH)}
    names = {"SynCamSampler": "latent", "KSampler": "latent_image"}
    settings = {"seed": 1, "steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple", "denoise": 1.0}
    texts = {"positive": conditioning(TEXTS[0]), "negative": conditioning(TEXTS[1])}
    model = tiny.patched(poses(views, frames))
    with pytest.raises(ValueError, match=says):
        comfy.run(node_id, model=model, **{names[node_id]: latent}, **texts, **settings)
    assert not model_management.current_loaded_models


@pytest.mark.parametrize("value", [-0.1, 2.5, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["strength", "start_percent", "end_percent"])
def test_linked_numbers_out_of_range_are_refused(tiny, name, value):
    with pytest.raises(ValueError, match=f"SynCamApply: '{name}' is {value}; give a number from 0 to"):
        tiny.patched(poses(), **{name: value})


def test_start_after_end_is_refused(tiny):
    with pytest.raises(ValueError, match=r"'start_percent' is 0.8, after 'end_percent' 0.2"):
        tiny.patched(poses(), start_percent=0.8, end_percent=0.2)
