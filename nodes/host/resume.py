"""Going on where an interrupted sampling stopped, when the very same one is started again.

What one sampling leaves behind is kept in memory: the number of its last finished step and the latent after it. It is
dropped when the sampling is finished, when its node starts another one, and with the model that it ran on.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import comfy.utils
from comfy.model_patcher import ModelPatcher
from comfy.samplers import KSAMPLER
from torch import Tensor

# Samplers whose step needs x and two sigmas, and nothing else: no earlier step, no random number, not the first sigma.
# Called step by step they do what they do in one call, bit for bit.
STEPWISE = ("euler", "euler_cfg_pp", "heun", "dpm_2", "exp_heun_2_x0", "ddim")


@dataclass(frozen=True, eq=False)
class Job:
    """What a sampling is made of: the same objects, not equal ones, and the same settings make it the same."""

    node_id: str | None
    model: ModelPatcher | None  # None where it is held weakly
    inputs: tuple
    settings: tuple


class Unfinished:
    """The sampling that was interrupted last. One is kept, so that forgotten ones do not fill the memory."""

    job: Job | None
    model: weakref.ref[ModelPatcher] | None
    x: Tensor | None

    def __init__(self) -> None:
        self.forget()

    def forget(self, _: object = None) -> None:
        self.job, self.model, self.step, self.x = None, None, 0, None

    def keep(self, job: Job, step: int, x: Tensor) -> None:
        # A model is large, and held weakly: when the host lets go of it, all this goes too.
        self.model = weakref.ref(job.model, self.forget)
        self.job = Job(job.node_id, None, job.inputs, job.settings)
        self.step, self.x = step, x.cpu()

    def take(self, job: Job) -> tuple[int, Tensor | None]:
        """The finished steps of this job and the latent after them; (0, None) if it is another one."""
        if self.job is None or self.job.node_id != job.node_id:
            return 0, None
        same = (
            self.model is not None
            and self.model() is job.model
            and self.job.settings == job.settings
            and len(self.job.inputs) == len(job.inputs)
            and all(a is b for a, b in zip(self.job.inputs, job.inputs, strict=True))
        )
        found = (self.step, self.x) if same else (0, None)
        self.forget()
        return found


UNFINISHED = Unfinished()  # nodes keep no state, so it lives here


class Stepwise:
    """A sampler function of the host, called once per step: it knows its last finished step and can begin behind it."""

    def __init__(self, function: Callable, step: int = 0, x: Tensor | None = None):
        self.function, self.step, self.x = function, step, x
        self.__name__ = getattr(function, "__name__", "unknown")  # the host logs it

    def __call__(self, model, x, sigmas, extra_args=None, callback=None, disable=None, **options):
        if self.x is not None:
            x = self.x.to(x)
        steps = len(sigmas) - 1
        for step in comfy.utils.model_trange(self.step, steps, initial=self.step, total=steps, disable=disable):
            x = self.function(
                model,
                x,
                sigmas[step : step + 2],
                extra_args=dict(extra_args or {}),  # some samplers write into it
                callback=callback and partial(numbered, callback, step),
                disable=True,
                **options,
            )
            self.step, self.x = step + 1, x
        return x


def numbered(callback: Callable, step: int, state: dict) -> None:
    callback({**state, "i": step})


@contextmanager
def going_on(job: Job, sampler: KSAMPLER, sampler_name: str) -> Iterator[tuple[KSAMPLER, int]]:
    """The sampler that does this job from where it stopped, and the step it begins with.

    If the block ends by an exception (the interrupt button, no memory left), the last finished step is kept.
    """
    step, x = UNFINISHED.take(job)
    if sampler_name not in STEPWISE or remembers(job.model):
        yield sampler, 0
        return
    stepwise = Stepwise(sampler.sampler_function, step, x)
    try:
        yield KSAMPLER(stepwise, sampler.extra_options, sampler.inpaint_options), step
    except BaseException:  # the host's interrupt is one; it goes on its way
        if stepwise.step > 0 and stepwise.x is not None:
            UNFINISHED.keep(job, stepwise.step, stepwise.x)
        raise


def remembers(model: ModelPatcher) -> bool:
    """Whether a step depends on earlier ones in the model itself: EasyCache and LazyCache reuse what they saw, and so
    may who stands around the model function, as TeaCache does."""
    options = model.model_options
    return "easycache" in options.get("transformer_options", {}) or "model_function_wrapper" in options
