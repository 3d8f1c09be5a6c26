"""The views of one sampling over several devices: the same as one device, and every end is everybody's end.

Names of one CPU stand in for GPUs: only the host's list of devices is another.
"""

from __future__ import annotations

import gc
import logging
import sys
import threading
import time

import pytest
import torch
from add_ons import ROUNDING, WORKS, lora
from host_abilities import BETWEEN_BLOCKS, CLONES, has, need
from host_recam import TinyReCam
from host_wan import TEXTS, TinyWan, empty, poses, random, relative_error, sampled, text

FRAMES = 5
EQUAL = 2e-6


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyWan(comfy, "parallel", dim=128, ffn=96, seed=3)


@pytest.fixture
def devices(comfy, monkeypatch):
    """A function that gives the machine so many devices."""
    need(CLONES)
    from comfy import model_management

    def have(count: int) -> list[torch.device]:
        names = [torch.device("cpu"), *(torch.device("cpu", i) for i in range(count - 1))]
        monkeypatch.setattr(model_management, "get_all_torch_devices", lambda exclude_current=False: names)
        return names

    yield have
    model_management.unload_all_models()  # as long as the host knows all of them


def parted(comfy, model, devices=0, split="views"):
    return comfy.run("SynCamViewParallel", model=model, devices=devices, split=split)[0]


def sample(comfy, model, views=3, frames=FRAMES, latent=None, **settings):
    return sampled(comfy, model, latent or empty(views, frames), **settings)["samples"]


def where_parted(model) -> list:
    """What the transformers of all devices are given: (thread, rows), told by a patch that changes nothing."""
    seen = []

    def record(args):
        seen.append((threading.current_thread().name, args["x"].shape[0]))
        return args["x"]

    model.set_model_patch(record, "attn2_patch")
    return seen


@pytest.mark.parametrize(("count", "views", "share"), [(2, 4, 2), (2, 3, 2), (3, 4, 2), (3, 2, 1)])
def test_the_host_makes_room_for_the_largest_share_of_the_views(comfy, tiny, devices, monkeypatch, count, views, share):
    import comfy.sampler_helpers as helpers

    devices(count)
    asked, estimate = [], helpers.estimate_memory
    monkeypatch.setattr(
        helpers, "estimate_memory", lambda model, shape, *more: (asked.append(shape), estimate(model, shape, *more))[1]
    )
    sample(comfy, parted(comfy, tiny.patched(poses(views, FRAMES))), views, steps=1)
    assert {shape[0] for shape in asked} == {share}


@pytest.mark.parametrize("cfg", [1.0, 5.0])
@pytest.mark.parametrize("coupling", ["joint", "anchor", "nearest", "routed"])
@pytest.mark.parametrize(("count", "views"), [(2, 2), (2, 3), (3, 4), (3, 5)])
def test_several_devices_give_what_one_gives(comfy, tiny, devices, count, views, coupling, cfg):
    model = tiny.patched(poses(views, FRAMES), coupling=coupling)
    alone = sample(comfy, model, views, cfg=cfg)
    devices(count)
    together = parted(comfy, model)
    seen = where_parted(together)
    assert relative_error(sample(comfy, together, views, cfg=cfg), alone.double()) <= EQUAL
    assert len({thread for thread, _ in seen}) == count
    assert {rows for _, rows in seen} == {n * (1 if cfg == 1 else 2) for n in {-(-views // count), views // count}}


def at_once(comfy, monkeypatch, most_tokens: int):
    """So many tokens are worked on at once from now on; gives the module of the blocks."""
    host = f"{comfy.pack.__name__}.nodes.host"
    monkeypatch.setattr(sys.modules[f"{host}.module_patch"], "tokens_at_once", lambda *_: most_tokens)
    return sys.modules[f"{host}.wan_block"]


@pytest.mark.parametrize("most_tokens", [1, 20, 100], ids=lambda n: f"{n} tokens at once")
@pytest.mark.parametrize("cfg", [1.0, 5.0])
@pytest.mark.parametrize(("count", "views", "coupling"), [(2, 3, "joint"), (3, 5, "nearest"), (2, 4, "routed")])
def test_in_pieces_and_rounds_they_still_do(
    comfy, tiny, devices, monkeypatch, count, views, coupling, cfg, most_tokens
):
    """A row has 30 tokens, and a frame of all views 18 to 60: some queries at a time, and 1 to 3 rounds of frames."""
    model = tiny.patched(poses(views, FRAMES), coupling=coupling)
    alone = sample(comfy, model, views, cfg=cfg)
    devices(count)
    block, queries = at_once(comfy, monkeypatch, most_tokens), []
    by_queries = block.attended_by_queries
    monkeypatch.setattr(block, "attended_by_queries", lambda *given: queries.append(given[3]) or by_queries(*given))
    assert relative_error(sample(comfy, parted(comfy, model), views, cfg=cfg), alone.double()) <= EQUAL
    assert bool(queries) == (most_tokens * (views // count) // views < 30)
    assert max(queries, default=1) <= max(1, most_tokens * -(-views // count) // views)


@pytest.mark.parametrize("where", ["after each block", "before each block"])
def test_who_keeps_the_stream_between_blocks_finds_it_as_it_was(comfy, tiny, devices, monkeypatch, where):
    if where == "after each block":
        need(BETWEEN_BLOCKS)
    at_once(comfy, monkeypatch, 20)
    devices(2)
    base, kept = tiny.base(), []

    def keep(args, extra=None):
        kept.append((args["img"], args["img"].clone()))
        return {"img": args["img"]} if extra is None else extra["original_block"](args)

    if where == "after each block":
        base.set_model_patch(keep, "double_block")
    else:
        for index in range(len(base.model.diffusion_model.blocks)):
            base.set_model_patch_replace(keep, "dit", "double_block", index)
    model = parted(comfy, tiny.patched(poses(4, FRAMES), base=base))
    sample(comfy, model, 4)
    assert len(kept) > 4
    assert all(torch.equal(now, before) for now, before in kept)


@pytest.mark.parametrize(("views", "count", "rows"), [(3, 2, {3}), (3, 6, {1}), (2, 3, {2}), (1, 2, {1})])
def test_conditionings_are_parted_where_that_leaves_each_device_less(comfy, tiny, devices, views, count, rows):
    model = tiny.patched(poses(views, FRAMES))
    alone = sample(comfy, model, views)
    devices(count)
    together = parted(comfy, model, split="auto")
    seen = where_parted(together)
    assert relative_error(sample(comfy, together, views), alone.double()) <= EQUAL
    assert {n for _, n in seen} == rows


@pytest.mark.parametrize("order", ["add-on last", "SynCamViewParallel last"])
@pytest.mark.parametrize("add_on", WORKS)
def test_add_ons_do_on_every_device_what_they_do_on_one(comfy, tiny, devices, add_on, order):
    from comfy import model_management

    def sample_of(model):
        return sample(comfy, model, node_id="KSampler", steps=4, denoise=1.0)

    model = tiny.patched(poses(3, FRAMES))
    plain, alone = sample_of(model), sample_of(WORKS[add_on](comfy, model))
    model_management.unload_all_models()  # or an add-on that wraps a part of the model would wrap itself
    devices(2)
    if order == "add-on last":
        together = WORKS[add_on](comfy, parted(comfy, model))
    else:
        together = parted(comfy, WORKS[add_on](comfy, model))
    # The stand-in of SageAttention rounds queries to 8 bits, so a last bit may become one of those.
    assert relative_error(sample_of(together), alone.double()) <= (2e-4 if add_on == "SageAttention" else EQUAL)
    if add_on not in ROUNDING:
        assert relative_error(plain, alone.double()) > 4e-4, "the add-on's effect"


def test_it_may_stand_before_synchronization_and_a_lora_too(comfy, tiny, devices):
    base, weights = tiny.base(), tiny.weights()
    alone = sample(comfy, lora(comfy, tiny.patched(poses(3, FRAMES), base=base, weights=weights)))
    devices(2)
    together = lora(comfy, tiny.patched(poses(3, FRAMES), base=parted(comfy, base), weights=weights))
    assert relative_error(sample(comfy, together), alone.double()) <= EQUAL


@pytest.mark.parametrize(("views", "frames"), [(3, 7), (4, 1), (2, 2)])
def test_odd_lengths_and_even_a_single_frame(comfy, tiny, devices, views, frames):
    model = tiny.patched(poses(views, frames))
    alone = sample(comfy, model, views, frames)
    devices(2)
    assert relative_error(sample(comfy, parted(comfy, model), views, frames), alone.double()) <= EQUAL


@pytest.mark.parametrize("coupling", ["joint", "nearest"])
def test_context_windows_with_moving_cameras(comfy, tiny, devices, coupling):
    windows = {"context_length": 3, "context_overlap": 1, "dim": 2, "context_schedule": "standard_static"}
    settings = {"fuse_method": "flat", "context_stride": 1, "closed_loop": False, "freenoise": False}
    synchronized = tiny.patched(poses(3, 7), coupling=coupling)
    model = comfy.run("ContextWindowsManual", model=synchronized, causal_window_fix=True, **windows, **settings)[0]
    alone = sample(comfy, model, frames=7)
    devices(2)
    assert relative_error(sample(comfy, parted(comfy, model), frames=7), alone.double()) <= EQUAL


def test_given_views_prompts_of_views_and_strengths_of_views_go_to_the_device_of_their_view(comfy, tiny, devices):
    (control,) = comfy.run("SynCamViewControl", strengths="1, 0.5, 0, 1", starts="0, 0.2, 0, 0", ends="1", blocks="0")
    model = tiny.patched(poses(4, FRAMES), control=control)
    given = {"samples": random(1, 16, FRAMES, 4, 6, seed=8)}
    latent = comfy.run("SynCamGivenViews", latent=empty(4, FRAMES), given={"video0": given}, views="2", vae=None)[0]
    texts = [[[torch.cat([text(5, seed=10 + view) for view in range(4)]), {}]], TEXTS[1]]
    alone = sample(comfy, model, latent=latent, texts=texts)
    devices(3)
    together = sample(comfy, parted(comfy, model), latent=latent, texts=texts)
    assert relative_error(together, alone.double()) <= EQUAL
    assert torch.equal(together[2], given["samples"][0])


def test_recaptures_of_one_source_are_parted_by_trajectory(comfy, devices):
    tiny = TinyReCam(comfy, "parallel_recam")
    model = tiny.patched(poses(3, FRAMES), random(1, 16, FRAMES, 4, 6, seed=2))
    alone = sample(comfy, model)
    devices(2)
    together = parted(comfy, model)
    seen = where_parted(together)
    assert relative_error(sample(comfy, together), alone.double()) <= EQUAL
    assert {rows for _, rows in seen} == {2, 4}


def test_videos_that_are_not_synchronized_are_parted_too(comfy, tiny, devices):
    alone = sample(comfy, tiny.base(), node_id="KSampler", denoise=1.0)
    devices(2)
    together = sample(comfy, parted(comfy, tiny.base()), node_id="KSampler", denoise=1.0)
    assert relative_error(together, alone.double()) <= EQUAL


@pytest.mark.parametrize("until", [1.0, 0.5])
def test_a_lora_hooked_to_a_conditioning_for_a_time_is_hooked_on_every_device(comfy, tiny, devices, until):
    from comfy.hooks import HookKeyframe, HookKeyframeGroup, create_hook_lora

    low = {
        f"diffusion_model.blocks.0.cross_attn.v.lora_{part}.weight": random(*shape, seed=9)
        for part, shape in (("A", (4, 128)), ("B", (128, 4)))
    }
    hooks = create_hook_lora(low, 0.5, 0.0)
    frames = HookKeyframeGroup()
    frames.add(HookKeyframe(1.0))
    if until < 1:
        frames.add(HookKeyframe(0.0, start_percent=until))
    hooks.set_keyframes_on_hooks(frames)
    positive = comfy.run(
        "ConditioningSetProperties", cond_NEW=[[TEXTS[0], {}]], strength=1.0, set_cond_area="default", hooks=hooks
    )
    model = tiny.patched(poses(3, FRAMES))
    alone = sample(comfy, model, texts=[positive[0], TEXTS[1]], steps=4)
    devices(2)
    together = sample(comfy, parted(comfy, model), texts=[positive[0], TEXTS[1]], steps=4)
    assert relative_error(together, alone.double()) <= EQUAL
    assert relative_error(sample(comfy, model, steps=4), alone.double()) > 1e-3, "the hook's effect"


# ---- falling back


@pytest.mark.parametrize(("have", "devices_", "why"), [(1, 0, "1 device"), (3, 1, "'devices' is 1")])
def test_with_one_device_the_model_is_as_it_was_and_a_word_says_so(comfy, tiny, devices, caplog, have, devices_, why):
    devices(have)
    model = tiny.patched(poses(3, FRAMES))
    with caplog.at_level(logging.WARNING):
        assert parted(comfy, model, devices_) is model
    assert f"SynCamViewParallel: {why}" in caplog.text.replace("this machine has ", "")
    assert "goes on with one device" in caplog.text


def test_on_this_machine_as_it_is_the_model_is_as_it_was_and_a_word_says_why(comfy, tiny, caplog):
    model = tiny.patched(poses(3, FRAMES))
    with caplog.at_level(logging.WARNING):
        assert parted(comfy, model) is model
    why = "this machine has 1 device for it" if has(CLONES) else "this ComfyUI has no multi-GPU clones of a model"
    assert f"SynCamViewParallel: {why}" in caplog.text


def test_fewer_devices_than_there_are_may_be_asked_for_and_more_than_there_are(comfy, tiny, devices, caplog):
    devices(3)
    model = tiny.patched(poses(5, FRAMES))
    for asked, used in ((2, 2), (5, 3)):
        together = parted(comfy, model, asked)
        seen = where_parted(together)
        sample(comfy, together, 5, steps=1)
        assert len({thread for thread, _ in seen}) == used
    assert "'devices' is 5, but there are 3" in caplog.text


def test_a_model_that_is_no_wan_is_refused(comfy, tiny, devices):
    devices(2)
    model = tiny.base().clone()
    model.model = type("OtherModel", (torch.nn.Module,), {})()
    model.model.diffusion_model = torch.nn.Linear(2, 2)
    with pytest.raises(ValueError, match="SynCamViewParallel: 'model' is OtherModel, but only Wan's transformers"):
        parted(comfy, model)


# ---- ends


def at_block(model, act, thread_is_main: bool, after: int = 3) -> None:
    """Let ``act`` happen on one device only, in a block in mid-sampling."""
    count = []

    def strike(args):
        if (threading.current_thread() is threading.main_thread()) == thread_is_main:
            count.append(1)
            if len(count) == after:
                act()
        return args["x"]

    model.set_model_patch(strike, "attn2_patch")


def memory_is_full():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def something_breaks():
    raise ZeroDivisionError("by hand")


def the_user_interrupts():
    from comfy import model_management

    model_management.interrupt_current_processing()


@pytest.mark.parametrize("main", [True, False], ids=["on the first device", "on the second"])
@pytest.mark.parametrize(
    ("act", "kind", "sentence"),
    [
        (something_breaks, ZeroDivisionError, "^by hand$"),
        (memory_is_full, torch.OutOfMemoryError, r"^SynCamViewParallel: cpu(:0)? has not enough memory for views? \d"),
        (the_user_interrupts, None, None),
    ],
)
def test_what_ends_one_device_ends_all_within_seconds_and_the_next_job_is_clean(
    comfy, tiny, devices, act, kind, sentence, main
):
    from comfy.model_management import InterruptProcessingException

    model = tiny.patched(poses(3, FRAMES))
    alone = sample(comfy, model)
    devices(2)
    together = parted(comfy, model)
    broken = together.clone()
    at_block(broken, act, main)
    threads, started = threading.active_count(), time.monotonic()
    with pytest.raises(kind or InterruptProcessingException, match=sentence):
        sample(comfy, broken)
    assert time.monotonic() - started < 10
    assert threading.active_count() == threads, "no thread waits for a device that is gone"
    assert relative_error(sample(comfy, together), alone.double()) <= EQUAL


def test_devices_that_would_skip_different_blocks_end_with_a_sentence_and_do_not_wait(comfy, tiny, devices):
    model = tiny.patched(poses(3, FRAMES))
    devices(2)

    def skipped(args, extra):
        if threading.current_thread() is threading.main_thread():
            return {"img": args["img"]}
        return extra["original_block"](args)

    together = parted(comfy, model)
    patch = together.model_options["transformer_options"]["patches_replace"]["dit"][("double_block", 1)]
    together.set_model_patch_replace(type(patch)(1, skipped), "dit", "double_block", 1)
    with pytest.raises(ValueError, match="makes the devices skip different blocks"):
        sample(comfy, together)


def test_nothing_of_a_sampling_stays(comfy, tiny, devices):
    devices(2)
    together = parted(comfy, tiny.patched(poses(3, FRAMES)))
    sample(comfy, together)

    def tensors() -> int:
        gc.collect()
        return sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects())

    before = tensors()
    for _ in range(3):
        sample(comfy, together)
    assert tensors() <= before + 8
