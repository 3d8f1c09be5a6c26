"""The views of one sampling over several devices, on the host's own multi-GPU clones, with a thread for each.

Everything around the transformer (guiders, windows, caches, other wrappers) runs once, as with one device; the innermost
wrapper parts the batch, runs the transformer of each device on its rows, and joins the results. The inserts of our own
blocks are given to each device for its rows; view synchronization exchanges the stream around it.
"""

from __future__ import annotations

import inspect
import logging
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import comfy.model_management
import torch
from comfy.ldm.wan.model import WanModel
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import CallbacksMP, WrapperExecutor, WrappersMP
from torch import Tensor

from ...syncam_core.errors import UserError
from ...syncam_core.parallel.exchange import Exchange, Meeting, PeerLost
from ...syncam_core.parallel.plan import Part, Plan, planned
from ...syncam_core.parallel.team import TeamStream
from .add_ons import RECAPTURE_KEY, VIEW_SYNC_KEY
from .module_patch import ONCE, wan_of
from .recapture_patch import ReCaptureInsert
from .sampling_cache import Once
from .view_sync_patch import ViewSyncInsert
from .wan_block import STEP, Insert, Step, replaced

KEY = "syncam_view_parallel"
DEVICES = "syncam_devices"  # in the transformer_options of one sampling
NODE = "SynCamViewParallel"
NO_CLONES = "this ComfyUI has no multi-GPU clones of a model (0.24 has)"
OPTIONS = 5  # the place of transformer_options among the positional arguments of the host's Wan


def in_parallel(model: ModelPatcher, devices: int, split: str) -> ModelPatcher:
    """A clone of ``model`` whose batches are parted over ``devices`` devices of this machine (0: all).

    With one device it is the model as it was. Raises ``UserError`` where the host cannot make copies of the model.
    """
    if not isinstance(wan_of(model.model), WanModel):
        raise UserError(
            f"{NODE}: 'model' is {type(model.model).__name__}, but only Wan's transformers are parted over devices; "
            "load Wan2.1 T2V 1.3B with 'Load Diffusion Model'.",
            field="model",
        )
    found = usable_devices(model)
    count = len(found) if devices == 0 else min(devices, len(found))
    if count < 2:
        logging.warning("%s: %s; sampling goes on with one device.", NODE, why_one(devices, len(found)))
        return model
    if count < devices:
        logging.warning("%s: 'devices' is %d, but there are %d; all of them are used.", NODE, devices, count)
    patched = cloned(model, count)
    wrapper = ViewParallel(split)
    for kind, call in (
        (WrappersMP.OUTER_SAMPLE, wrapper.around_sampling),
        (WrappersMP.PREPARE_SAMPLING, wrapper.counting_a_share),
        (WrappersMP.CALC_COND_BATCH, wrapper.around_conditionings),
        (WrappersMP.DIFFUSION_MODEL, wrapper),
    ):
        patched.remove_wrappers_with_key(kind, KEY)
        patched.add_wrapper_with_key(kind, KEY, call)
    patched.remove_callbacks_with_key(CallbacksMP.ON_MATCH_MULTIGPU_CLONES, KEY)
    patched.add_callback_with_key(CallbacksMP.ON_MATCH_MULTIGPU_CLONES, KEY, bind_to_clone)
    return patched


def has_clones() -> bool:
    """Whether the host has multi-GPU clones (0.24 and newer)."""
    return hasattr(ModelPatcher, "match_multigpu_clones")


def usable_devices(model: ModelPatcher) -> list[torch.device]:
    """The devices of this machine that a model may be copied to, its own among them."""
    return comfy.model_management.get_all_torch_devices() if has_clones() else [model.load_device]


def why_one(devices: int, found: int) -> str:
    if not has_clones():
        return NO_CLONES
    return "'devices' is 1" if devices == 1 else f"this machine has {found} device for it"


def cloned(model: ModelPatcher, count: int) -> ModelPatcher:
    """A clone of ``model`` with the host's multi-GPU clones attached, ``count`` devices in all."""
    import comfy.multigpu

    try:
        return comfy.multigpu.create_multigpu_deepclones(model, count, reuse_loaded=True)
    except RuntimeError as problem:
        if "cached_patcher_init" not in str(problem):
            raise
        raise UserError(
            f"{NODE}: 'model' was made by a loader that cannot load it for another device; use 'Load Diffusion Model'.",
            field="model",
        ) from problem


def bind_to_clone(model: ModelPatcher, clone: ModelPatcher) -> None:
    """The host's callback for each clone: methods that were set on a part of the model go to the clone's own part."""
    names = {id(module): name for name, module in model.model.named_modules()}
    for key, value in clone.object_patches.items():
        owner = getattr(value, "__self__", None) if inspect.ismethod(value) else None
        if id(owner) in names:
            own = clone.model.get_submodule(names[id(owner)])
            clone.object_patches[key] = types.MethodType(value.__func__, own)


# ---- one sampling


@dataclass(eq=False)
class Devices:
    """The clones of one sampling, the model itself first, and what they keep while it lasts."""

    models: list[ModelPatcher] = field(default_factory=list)
    pool: Any = None  # the host's MultiGPUThreadPool, which has a thread for each
    keeps: list[Once] = field(default_factory=list)
    strengths: dict[Any, float] = field(default_factory=dict)  # of weight hooks, as the clones have them
    warned: list[str] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)  # bytes, by each to the others

    def found(self, model_options: dict, once: Once) -> None:
        """Called at every step; the host says who the clones are once they are loaded."""
        if not self.models:
            self.models = list(model_options["multigpu_clones"].values())
            self.pool = model_options["multigpu_thread_pool"]
            self.sent = [0] * len(self.models)
            self.keeps = [once, *(Once(once.seed, once.keeps_text) for _ in self.models[1:])]

    def warn_once(self, why: str) -> None:
        if why not in self.warned:
            self.warned.append(why)
            logging.warning("%s: %s; sampling goes on with one device.", NODE, why)

    def follow_hooks(self) -> None:
        """Give the clones the weight hooks that the model has now."""
        hooks = self.models[0].current_hooks
        changed = [hook for hook in (hooks.hooks if hooks else ()) if self.strengths.get(hook) != hook.strength]
        self.strengths.update((hook, hook.strength) for hook in changed)
        for clone in self.models[1:]:
            clone._handle_changed_hook_keyframes(changed)
            clone.apply_hooks(hooks)


@dataclass(frozen=True, eq=False)
class ViewParallel:
    """The host's DIFFUSION_MODEL wrapper, with what it needs around it."""

    split: str

    def around_sampling(self, executor: WrapperExecutor, *args: Any, **kwargs: Any) -> Tensor:
        """The host's OUTER_SAMPLE wrapper: whoever wraps the transformer, too, does it around ours, once for all views."""
        options = executor.class_obj.model_options.setdefault("transformer_options", {})
        wrappers = options.get("wrappers", {}).get(WrappersMP.DIFFUSION_MODEL, {})
        if KEY in wrappers:
            wrappers[KEY] = wrappers.pop(KEY)
        options[DEVICES] = Devices()
        return executor(*args, **kwargs)

    def counting_a_share(self, executor: WrapperExecutor, model: ModelPatcher, noise_shape, *args: Any, **kwargs: Any):
        """The host's PREPARE_SAMPLING wrapper: what is to be made free on a device is for its share of the views."""
        devices = 1 + len(model.get_additional_models_with_key("multigpu"))
        return executor(model, [-(-noise_shape[0] // devices), *noise_shape[1:]], *args, **kwargs)

    def around_conditionings(
        self, executor: WrapperExecutor, model: Any, conds: Any, x: Tensor, timestep: Tensor, model_options: dict
    ) -> list[Tensor]:
        """The host's CALC_COND_BATCH wrapper: the host would part the conditionings over the clones by itself."""
        options = model_options.get("transformer_options", {})
        devices: Devices | None = options.get(DEVICES)
        if devices is None or "multigpu_clones" not in model_options:
            return executor(model, conds, x, timestep, model_options)
        devices.found(model_options, options.get(ONCE) or Once())
        alone = {key: value for key, value in model_options.items() if key != "multigpu_clones"}
        for clone in devices.models[1:]:
            clone.prepare_state(timestep, alone)
        return executor(model, conds, x, timestep, alone)

    @torch.compiler.disable
    def __call__(self, executor: WrapperExecutor, *args: Any, **kwargs: Any) -> Tensor:
        options = args[OPTIONS]
        devices, conds = options.get(DEVICES), len(options.get("cond_or_uncond", [0]))
        x = args[0]
        if devices is None or not devices.models or x.shape[0] % conds:
            return executor(*args, **kwargs)
        if own_forward(devices.models[0]):
            devices.warn_once("another node has given the transformer a forward of its own (TeaCache, MagCache)")
            return executor(*args, **kwargs)
        # A replaced attention may take a batch for [positive, negative].
        split = "views" if self.split == "auto" and replaced(wan_of(devices.models[0].model).blocks) else self.split
        plan = planned(conds, x.shape[0] // conds, len(devices.models), split)
        if plan.devices == 1:
            return executor(*args, **kwargs)
        devices.follow_hooks()
        return Forward(plan, devices, executor.original, list(args), kwargs).result()


def own_forward(model: ModelPatcher) -> bool:
    """Whether somebody has set a forward on the model's own transformer, for one call, which the clones do not have."""
    wan = wan_of(model.model)
    for name in ("forward", "_forward", "forward_orig"):
        # The host leaves the bound original in the instance when it takes a replacement back.
        own, stock = (getattr(one, "__code__", None) for one in (vars(wan).get(name), getattr(type(wan), name)))
        if name in vars(wan) and own is not stock and f"diffusion_model.{name}" not in model.object_patches:
            return True
    return False


# ---- one forward


@dataclass(frozen=True, eq=False)
class Forward:
    plan: Plan
    devices: Devices
    original: Callable[..., Tensor]  # the method of the model's own transformer
    args: list  # x, timestep, context, clip_fea, time_dim_concat, transformer_options
    kwargs: dict

    def result(self) -> Tensor:
        interrupted = comfy.model_management.throw_exception_if_processing_interrupted
        meetings = [Meeting(len(self.plan.views), interrupted) for _ in self.plan.conds]
        pool, others = self.devices.pool, range(1, self.plan.devices)
        grad, inference = torch.is_grad_enabled(), torch.is_inference_mode_enabled()

        def work(device: int) -> tuple[Tensor | None, Exception | None]:
            try:
                with torch.inference_mode(inference), torch.set_grad_enabled(grad and not inference):
                    return self.on(device, meetings), None
            except Exception as problem:
                for meeting in meetings:
                    meeting.leave()
                return None, problem
            finally:
                meetings[self.plan.place(device)[0]].leave()

        for device in others:
            pool.submit(self.devices.models[device].load_device, work, device)
        done = [work(0)]
        for device in others:
            result, problem = pool.get_result(self.devices.models[device].load_device)
            done.append(result if problem is None else (None, problem))
        self.raise_first([problem for _, problem in done])
        return self.plan.joined([result for result, _ in done if result is not None])

    def raise_first(self, problems: Sequence[Exception | None]) -> None:
        told = [(i, problem) for i, problem in enumerate(problems) if problem is not None]
        told.sort(key=lambda numbered: isinstance(numbered[1], PeerLost))  # who was only waiting knows nothing
        if not told:
            return
        device, problem = told[0]
        if comfy.model_management.is_oom(problem):
            where, part = self.devices.models[device].load_device, self.plan.parts[device]
            raise comfy.model_management.OOM_EXCEPTION(
                f"{NODE}: {where} has not enough memory for {words(part)}; set 'memory' of SynCamApply to low, use more "
                "devices, or a smaller size or length."
            ) from problem
        if isinstance(problem, PeerLost):
            raise UserError(
                f"{NODE}: another node makes the devices skip different blocks, so they wait for each other; remove it, "
                f"or {NODE}."
            )
        raise problem

    def on(self, device: int, meetings: Sequence[Meeting]) -> Tensor:
        """What one device makes of its rows."""
        model = self.devices.models[device]
        team, rank = self.plan.place(device)
        exchange = meetings[team].member(rank)
        options = self.options_of(device, exchange)
        here = model.load_device if device else self.args[0].device
        args = [options if i == OPTIONS else self.cut(value, device, here) for i, value in enumerate(self.args)]
        kwargs = {key: self.cut(value, device, here) for key, value in self.kwargs.items()}
        forward = self.original if device == 0 else getattr(wan_of(model.model), self.original.__name__)
        result = forward(*args, **kwargs)
        self.devices.sent[device] += exchange.bytes_sent
        return result

    def cut(self, value: Any, device: int, to: torch.device) -> Any:
        """What concerns a device's rows, there; what is not one for each row goes as it is."""
        if isinstance(value, Tensor):
            rows = value.ndim > 0 and value.shape[0] == self.args[0].shape[0]
            return (self.plan.cut(value, device) if rows else value).to(to)
        if isinstance(value, list | tuple) and type(value) in (list, tuple):
            return type(value)(self.cut(item, device, to) for item in value)
        if isinstance(value, dict):
            return {key: self.cut(item, device, to) for key, item in value.items()}
        return value

    def options_of(self, device: int, exchange: Exchange) -> dict:
        options, part = dict(self.args[OPTIONS]), self.plan.parts[device]
        for key in ("cond_or_uncond", "uuids"):
            if key in options:
                options[key] = [options[key][i] for i in part.conds]
        for key in ("sigmas", "sample_sigmas"):
            if isinstance(options.get(key), Tensor):
                options[key] = options[key].to(
                    self.devices.models[device].load_device if device else options[key].device
                )
        options["multigpu_thread_device"] = self.devices.models[device].load_device
        if STEP in options:
            options[STEP] = self.step_of(options[STEP], device, exchange)
        return options

    def step_of(self, step: Step, device: int, exchange: Exchange) -> Step:
        model, part = self.devices.models[device], self.plan.parts[device]
        own = step._replace(
            blocks=wan_of(model.model).blocks,
            views=len(part.views),
            rows=part.rows,
            once=self.devices.keeps[device],
            blocks_run=step.blocks_run if device == 0 else [],
            most_tokens=max(1, step.most_tokens * part.rows // self.args[0].shape[0]),
            is_part=type(wan_of(model.model)) is WanModel,
        )
        inserts = (self.insert_of(insert, own, device, exchange, step.most_tokens) for insert in step.inserts)
        return own._replace(inserts=tuple(inserts))

    def insert_of(self, insert: Insert, own: Step, device: int, exchange: Exchange, most_tokens: int) -> Insert:
        model, here = self.devices.models[device], self.devices.models[device].load_device
        views = self.plan.parts[device].views
        if isinstance(insert, ReCaptureInsert):
            return replace(insert, module=attached(model, RECAPTURE_KEY), poses=insert.poses[views.start : views.stop])
        if not isinstance(insert, ViewSyncInsert):
            raise UserError(f"{NODE}: {type(insert).__name__} cannot be parted over devices; remove {NODE}.")
        at_once = most_tokens // exchange.size  # the same for all, as they meet in every round
        stream = TeamStream(exchange, self.plan, device, own.grid, at_once)
        strength = insert.strength
        if isinstance(strength, Tensor):
            strength = self.plan.cut_for_team(strength, device).to(here)
        whole = replace(
            insert,
            module=attached(model, VIEW_SYNC_KEY),
            strength=strength,
            rope=type(insert.rope)(*(rows.to(here) for rows in insert.rope)),
        )
        if exchange.size == 1:
            return whole
        rows = stream.conds * self.plan.views[-1].stop
        return TeamInsert(whole, stream, own._replace(views=self.plan.views[-1].stop, rows=rows, most_tokens=at_once))


def attached(model: ModelPatcher, key: str) -> Any:
    return model.get_additional_models_with_key(key)[0].model


def words(part: Part) -> str:
    first, last = part.views.start, part.views.stop - 1
    return f"view {first}" if first == last else f"views {first} to {last}"


@dataclass(frozen=True, eq=False)
class TeamInsert(Insert):
    """View synchronization of views that are on several devices: all of them here, at this device's frames."""

    inner: ViewSyncInsert
    stream: TeamStream
    step: Step  # of all views

    def acts_on(self, index: int) -> bool:
        return self.inner.acts_on(index)

    def after_self_attention(self, index: int, x: Tensor, time: Tensor, step: Step, options: dict) -> None:
        for now in self.stream.rounds(x, time):
            inner, step = replace(self.inner, frames=now.frames), self.step._replace(grid=now.grid)
            inner.after_self_attention(index, now.x, now.time, step, options)
