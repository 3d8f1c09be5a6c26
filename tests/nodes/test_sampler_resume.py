"""An interrupted SynCamSampler goes on where it stopped, and ends where it would have ended."""

import gc
import sys
from contextlib import suppress

import pytest
import strangers
import torch
from host_wan import TinyWan, conditioning, text

VIEWS, FRAMES, HEIGHT, WIDTH = 2, 2, 4, 6
STEPS = 5
STEPWISE = ("euler", "euler_cfg_pp", "heun", "dpm_2", "exp_heun_2_x0", "ddim")


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyWan(comfy, "resume", seed=3)


@pytest.fixture
def kept(comfy):
    unfinished = sys.modules[comfy.pack.__name__ + ".nodes.host.resume"].UNFINISHED
    unfinished.forget()
    yield unfinished
    unfinished.forget()


class Run:
    """The same sampling again and again: the same objects, with a model that can be stopped at any of its forwards."""

    def __init__(self, comfy, tiny, sampler_name="euler", given=False):
        from comfy.patcher_extension import WrappersMP

        self.comfy, self.forwards, self.stop_at, self.error = comfy, 0, None, None
        poses = torch.randn(VIEWS, FRAMES, 12, generator=torch.Generator().manual_seed(1))
        self.model = tiny.patched(poses).clone()
        self.model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "stop", self.forward)
        self.latent = {"samples": torch.zeros(VIEWS, 16, FRAMES, HEIGHT, WIDTH)}
        if given:
            clip = {"samples": torch.randn(1, 16, FRAMES, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(2))}
            self.latent = comfy.run("SynCamGivenViews", latent=self.latent, given={"video0": clip}, views="0")[0]
        self.texts = {"positive": conditioning(text(5, seed=1)), "negative": conditioning(text(5, seed=2))}
        self.settings = {"seed": 1, "steps": STEPS, "cfg": 3.0, "sampler_name": sampler_name, "scheduler": "simple"}

    def forward(self, executor, *args, **kwargs):
        from comfy import model_management

        self.forwards += 1
        if self.forwards == self.stop_at:
            if self.error is not None:
                raise self.error
            model_management.interrupt_current_processing()
        return executor(*args, **kwargs)

    def __call__(self, **changes):
        self.forwards = 0
        inputs = {"model": self.model, "latent": self.latent, **self.texts, **self.settings, **changes}
        return self.comfy.run("SynCamSampler", **inputs)[0]["samples"]

    def stopped(self, forward, error=None):
        from comfy.model_management import InterruptProcessingException

        self.stop_at, self.error = forward, error
        with pytest.raises((InterruptProcessingException, RuntimeError)):
            self()
        self.stop_at = None

    def stock(self):
        """The whole sampling by the host's own node."""
        self.forwards = 0
        shifted = self.comfy.run("ModelSamplingSD3", model=self.model, shift=5.0)[0]
        settings = {**self.texts, **self.settings, "denoise": 1.0}
        return self.comfy.run("KSampler", model=shifted, latent_image=self.latent, **settings)[0]["samples"]


@pytest.mark.parametrize("given", [False, True], ids=["all generated", "view 0 given"])
@pytest.mark.parametrize("sampler_name", STEPWISE)
def test_it_ends_bit_for_bit_where_an_uninterrupted_run_ends(comfy, tiny, kept, sampler_name, given):
    run = Run(comfy, tiny, sampler_name, given)
    whole, forwards = run.stock(), run.forwards
    per_step = -(-forwards // STEPS)
    generated = [1] if given else [0, 1]
    for stop in (2, 4, forwards):
        run.stopped(stop)
        again = run()
        assert torch.equal(again[generated], whole[generated]), stop
        if given:
            assert torch.equal(again[0], run.latent["samples"][0])
        assert kept.job is None, "finished: nothing is kept"
        finished = (stop - 1) // per_step
        assert run.forwards == forwards - finished * per_step


def test_it_goes_on_after_each_of_several_interruptions(comfy, tiny, kept):
    run = Run(comfy, tiny)
    whole, per_step = run.stock(), run.forwards // STEPS
    run.stopped(per_step + 1)
    run.stopped(1)  # before it has done a step of its own
    run.stopped(2 * per_step + 1)
    assert kept.step == 3
    assert torch.equal(run(), whole)
    assert run.forwards == 2 * per_step


def test_it_goes_on_after_running_out_of_memory(comfy, tiny, kept):
    run = Run(comfy, tiny)
    whole = run.stock()
    run.stopped(4, torch.OutOfMemoryError("no memory left"))
    assert kept.x.device.type == "cpu"
    assert torch.equal(run(), whole)


@pytest.mark.parametrize(
    "changes",
    [{"seed": 2}, {"cfg": 4.0}, {"steps": 6}, {"shift": 3.0}, {"noise": "shared"}, {"denoise": 0.9}],
    ids=str,
)
def test_another_setting_starts_anew_and_forgets(comfy, tiny, kept, changes):
    run = Run(comfy, tiny)
    fresh = run(**changes)
    forwards = run.forwards
    run.stopped(4)
    assert kept.step == 3
    assert torch.equal(run(**changes), fresh)
    assert run.forwards == forwards
    assert kept.job is None


def test_another_model_latent_or_text_starts_anew_even_if_it_is_an_equal_one(comfy, tiny, kept):
    run = Run(comfy, tiny)
    whole, forwards = run(), run.forwards
    copies = {"model": run.model.clone(), "latent": dict(run.latent), "positive": list(run.texts["positive"])}
    for name, copy in copies.items():
        run.stopped(4)
        assert torch.equal(run(**{name: copy}), whole)
        assert run.forwards == forwards, name


def test_a_sampler_that_looks_back_starts_anew(comfy, tiny, kept):
    run = Run(comfy, tiny, "dpmpp_2m")
    whole, forwards = run.stock(), run.forwards
    run.stopped(4)
    assert kept.job is None
    assert torch.equal(run(), whole)
    assert run.forwards == forwards


def test_a_model_with_easycache_starts_anew(comfy, tiny, kept):
    run = Run(comfy, tiny)
    run.model = comfy.run(
        "EasyCache", model=run.model, reuse_threshold=0.2, start_percent=0.15, end_percent=0.95, verbose=False
    )[0]
    run.stopped(3)
    assert kept.job is None


def test_a_model_with_teacache_starts_anew(comfy, tiny, kept):
    """What it remembers of earlier steps is its own, behind a wrapper around the model function."""
    run = Run(comfy, tiny)
    run.model = strangers.old_forward_with_cache(run.model, keep=2)
    run.stopped(3)
    assert kept.job is None


def test_what_is_kept_goes_with_the_model(comfy, tiny, kept):
    from comfy import model_management

    run = Run(comfy, tiny)
    run.stop_at = 4
    with suppress(model_management.InterruptProcessingException):
        run()
    assert kept.x is not None
    model_management.unload_all_models()
    del run
    gc.collect()
    assert kept.job is None
    assert kept.x is None


def test_the_progress_bar_begins_at_the_step_it_goes_on_with(comfy, tiny, kept):
    from comfy import utils

    run, seen = Run(comfy, tiny), []
    whole = run()
    per_step = run.forwards // STEPS
    run.stopped(3 * per_step + 1)
    before = utils.PROGRESS_BAR_HOOK
    utils.set_progress_bar_global_hook(lambda value, total, preview, node_id=None: seen.append((value, total)))
    try:
        assert torch.equal(run(), whole)
    finally:
        utils.set_progress_bar_global_hook(before)
    assert seen[0] == (3, STEPS)
    assert seen[-1] == (STEPS, STEPS)
    assert [value for value, _ in seen] == sorted(value for value, _ in seen)


def test_the_list_of_samplers_that_go_on_is_the_one_tested_here(comfy):
    assert sys.modules[comfy.pack.__name__ + ".nodes.host.resume"].STEPWISE == STEPWISE
