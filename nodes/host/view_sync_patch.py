"""Putting view synchronization into a host model and running it inside Wan's blocks.

The module is a ModelPatcher of its own, attached to the model, so that the host loads, offloads, clones and counts it.
Whatever one forward needs travels in that forward's ``transformer_options``, and what is computed once for a sampling in
that sampling's; what is set on the blocks keeps no state, so clones, devices and interleaved runs cannot disturb each
other.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import comfy.model_management
import comfy.model_patcher
import torch
from comfy.model_base import BaseModel
from comfy.patcher_extension import WrapperExecutor, WrappersMP
from torch import Tensor

from ...syncam_core.cameras.encoding import CameraEncoding
from ...syncam_core.errors import UserError
from ...syncam_core.view_sync.coupling import COUPLINGS, Groups, groups_of
from ...syncam_core.view_sync.memory import tokens_at_once
from ...syncam_core.view_sync.module import ViewSync
from ...syncam_core.view_sync.settings import Settings
from ...syncam_core.wan.attention import Rope, grid_rope
from ...syncam_core.wan.geometry import KNOWN_SIZES, Geometry
from ..shared.errors import sentences_of
from .add_ons import VIEW_SYNC_KEY, refuse_parts, refuse_strangers, refuse_the_other, windows_over_time
from .latents import geometry_of_model
from .prompts import check_prompts
from .sampling_cache import Once
from .wan_block import STEP, BlockPatch, Insert, Step, is_block_patch, is_plain, replaced, unwrapped, view_attention

KEY = VIEW_SYNC_KEY
ONCE = "syncam_once"  # in the transformer_options of one sampling
GIVEN = "syncam_given"  # a conditioning's clean latents and where they count, (views, channels + 1, ...)
ROUNDING = 1e-6  # of a noise level in float32


def apply_view_sync(
    model: comfy.model_patcher.ModelPatcher,
    weights: comfy.model_patcher.ModelPatcher,
    cameras: CameraEncoding,
    settings: Settings,
) -> comfy.model_patcher.ModelPatcher:
    """A clone of ``model`` whose blocks synchronize the views of ``cameras`` while sampling is in the percent range.

    Applying again replaces the earlier one. Whoever replaced a block before keeps being asked first and gets the
    synchronized block as its original. Raises ``UserError`` if model, weights, cameras and settings do not belong
    together.
    """
    refuse_the_other(model, KEY)
    check_model(model, weights)
    with sentences_of("SynCamApply"):
        settings = settings.spread(cameras.views, len(weights.model.blocks))
    wrapper = ViewSyncWrapper(weights, cameras, settings)
    patched = model.clone()
    patched.set_additional_models(KEY, [weights])
    for kind in (WrappersMP.APPLY_MODEL, WrappersMP.OUTER_SAMPLE):
        patched.remove_wrappers_with_key(kind, KEY)
    patched.add_wrapper_with_key(WrappersMP.APPLY_MODEL, KEY, wrapper)
    patched.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, wrapper.around_sampling)
    present = block_replacements(patched.model_options["transformer_options"])
    for index in range(len(wan_of(patched.model).blocks)):
        previous = present.get(("double_block", index))
        if not is_block_patch(previous):
            patched.set_model_patch_replace(BlockPatch(index, previous), "dit", "double_block", index)
    return patched


def view_sync_of(model: comfy.model_patcher.ModelPatcher) -> ViewSyncWrapper | None:
    """The view synchronization that is set on a MODEL, if any."""
    return next(iter(model.get_wrappers(WrappersMP.APPLY_MODEL, KEY)), None)


@dataclass(frozen=True, eq=False)
class ViewSyncInsert(Insert):
    """The view-sync module between a block's self-attention and its text attention, for one forward."""

    module: ViewSync
    poses: Tensor  # (views, latent frames, 12)
    groups: Groups
    strength: float | Tensor  # or one number per row of the stream
    only_blocks: frozenset[int] | None  # None: all
    rope: Rope
    heads: int
    cameras: Groups | None  # names the cameras in the step's `once`; None: they are not kept
    frames: slice | None = None  # which of the poses' frames the stream has; None: all

    def acts_on(self, index: int) -> bool:
        return self.only_blocks is None or index in self.only_blocks

    def after_self_attention(self, index: int, x: Tensor, time: Tensor, step: Step, options: dict) -> None:
        block = self.module.blocks[index]
        see = functools.partial(block.see, self.poses, self.groups, x)
        name = ("cameras", index, self.cameras, x.device, x.dtype)
        seen = see() if self.cameras is None else step.once.get(name, see)
        attention = functools.partial(view_attention, options)
        seen = seen if self.frames is None else seen.at(self.frames)
        block.add_to(x, time, seen, step.grid, self.rope, self.heads, attention, self.strength, step.most_tokens)


@dataclass(frozen=True, eq=False)
class ViewSyncWrapper:
    """The host's APPLY_MODEL wrapper: decides once per forward whether and with what the blocks synchronize."""

    weights: comfy.model_patcher.ModelPatcher
    cameras: CameraEncoding
    settings: Settings  # whose control has one number per view

    def around_sampling(self, executor: WrapperExecutor, noise: Tensor, *args, **kwargs) -> Tensor:
        """The host's OUTER_SAMPLE wrapper: refuse what cannot work before any model is loaded, and lay out where this
        sampling keeps what it computes once."""
        guider = executor.class_obj
        base, views = guider.model_patcher.model, self.cameras.views
        shape = (kwargs.get("latent_shapes") or [noise.shape])[0]
        check_latent(shape, self.cameras.poses, geometry_of_model(base))
        check_prompts(guider.conds, views)
        refuse_strangers(base, guider.model_options, views, is_block_patch)
        if "context_handler" in guider.model_options:
            # The host takes these options back when the sampling ends.
            guider.model_options["context_handler"] = windows_over_time(guider.model_options["context_handler"])
        seed = kwargs.get("seed", args[6] if len(args) > 6 else None)
        # The host has cloned these options for this sampling alone.
        # Hooks (a LoRA on one conditioning, or for a time) change the weights that read the text, in mid-sampling.
        hooked = any(entry.get("hooks") is not None for entries in guider.conds.values() for entry in entries)
        once = Once(seed=seed or 0, keeps_text=not hooked)
        guider.model_options.setdefault("transformer_options", {})[ONCE] = once
        return executor(noise, *args, **kwargs)

    def __call__(
        self,
        executor: WrapperExecutor,
        x: Tensor,
        t: Tensor,
        c_concat: Tensor | None = None,
        c_crossattn: Tensor | None = None,
        control: dict | None = None,
        transformer_options: dict | None = None,
        **kwargs,
    ) -> Tensor:
        options = dict(transformer_options or {})
        base = executor.class_obj
        given = kwargs.pop(GIVEN, None)
        if given is not None:
            given = given.to(x)
            x = torch.where(given[:, -1:] > 0.5, given[:, :-1], x)
        if "easycache" in options:
            executor = functools.partial(with_easycache, executor, base.model_sampling)
        strength = self.strength_at(base.model_sampling, float(t.flatten()[0]))
        refuse_strangers(base, None, self.cameras.views)
        if not any(strength) and not replaced(wan_of(base).blocks):
            return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        step = options[STEP] = self.prepare(base, x, t, strength, options, kwargs.get("clip_fea"))
        output = executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        if not step.blocks_run and not any(is_block_patch(patch) for patch in block_replacements(options).values()):
            raise UserError(
                "SynCamApply: another node has replaced the model's blocks after it, so the views would not be "
                "synchronized; move SynCamApply behind that node, next to the sampler."
            )
        return output

    def strength_at(self, model_sampling: torch.nn.Module, sigma: float) -> list[float]:
        """The strength of every view, 0 outside its percent range."""

        def covers(start: float, end: float) -> bool:
            # Asked at run time, so that a shift set after this patch counts. The model's noise levels are rounded, up to
            # just above 1 for some shifts, and samplers that add noise ask above the first of them.
            first, last = (float(model_sampling.percent_to_sigma(percent)) for percent in (start, end))
            return last * (1 - ROUNDING) <= sigma and (start <= 0 or sigma <= first * (1 + ROUNDING))

        settings, views = self.settings, self.cameras.views
        if settings.strength == 0 or not covers(settings.start_percent, settings.end_percent):
            return [0.0] * views
        if settings.control is None:
            return [settings.strength] * views
        own = zip(settings.control.strengths, settings.control.starts, settings.control.ends, strict=True)
        return [settings.strength * factor if covers(start, end) else 0.0 for factor, start, end in own]

    def prepare(
        self, base: BaseModel, x: Tensor, t: Tensor, strength: list[float], options: dict, clip_fea: Tensor | None
    ) -> Step:
        """What the blocks need for a forward of ``x`` (chunks * views, channels, frames, height, width).

        Raises ``UserError`` where another node has taken views or frames away.
        """
        window = options.get("context_window")
        poses = self.cameras.poses if window is None else window.get_tensor(self.cameras.poses, dim=1)
        # The host stacks whole conditionings, in any order: (chunk view), so views never change chunk.
        chunks, geometry = len(options.get("cond_or_uncond", [0])), geometry_of_model(base)
        refuse_parts(torch.Size([x.shape[0], 0]), len(poses) * chunks, 0)  # the latent was checked before the sampling
        check_latent((len(poses), *x.shape[1:]), poses, geometry)
        once: Once = options.get(ONCE) or Once()
        grid = geometry.grid(x.shape)
        insert = self.insert(base, x, t, poses, grid, strength * chunks, options, once) if any(strength) else None
        return Step(
            blocks=wan_of(base).blocks,
            inserts=() if insert is None else (insert,),
            views=len(poses),
            rows=x.shape[0],
            grid=grid,
            context_img_len=None if clip_fea is None else clip_fea.shape[-2],
            most_tokens=self.most_tokens(wan_of(base), x, once),
            once=once,
            blocks_run=[],
        )

    def insert(
        self,
        base: BaseModel,
        x: Tensor,
        t: Tensor,
        poses: Tensor,
        grid: tuple[int, int, int],
        strength: list[float],  # of each row
        options: dict,
        once: Once,
    ) -> ViewSyncInsert:
        settings, wan = self.settings, wan_of(base)
        step = step_number(options, float(t.flatten()[0]))
        groups = groups_of(settings.coupling, self.cameras.poses, settings.group_size, step, once.seed)
        largest, sizes = max(len(group.members) for group in groups), grid[1:]
        # With several GPUs each device has its own clone of the attached module.
        attached = base.current_patcher.get_additional_models_with_key(KEY) if base.current_patcher else []
        only = None if settings.control is None else settings.control.blocks
        # Those of groups or windows that change from forward to forward would only fill the memory.
        changes = COUPLINGS[settings.coupling].changes or options.get("context_window") is not None
        return ViewSyncInsert(
            module=(attached or [self.weights])[0].model,
            poses=poses,
            groups=groups,
            strength=strength[0] if len(set(strength)) == 1 else torch.tensor(strength, device=x.device),
            only_blocks=frozenset(only) if only else None,
            rope=once.get(
                ("rope", largest, *sizes, x.device),
                lambda: grid_rope(largest, *sizes, wan.dim // wan.num_heads, x.device),
            ),
            heads=wan.num_heads,
            cameras=None if changes else groups,
        )

    def most_tokens(self, wan: torch.nn.Module, x: Tensor, once: Once) -> int:
        """Rows of the stream to work on at once; decided at the beginning of a sampling and kept."""

        def fitting() -> int:
            memory = self.settings.memory
            free = comfy.model_management.get_free_memory(x.device) if memory == "auto" else 0
            return tokens_at_once(memory, wan.dim, (wan.dtype or x.dtype).itemsize, free)

        return once.get(("most_tokens", x.device), fitting)


def with_easycache(executor, model_sampling, x: Tensor, t: Tensor, *args, **kwargs) -> Tensor:
    """The host's EasyCache adds to the latent that the model is given, which is x itself where the model computes in
    float32; x is then what the model predicts, and not what it was asked about."""
    asked = x.clone()
    output = executor(x, t, *args, **kwargs)
    if torch.equal(x, asked):
        return output
    predicted = x.clone()
    x.copy_(asked)
    return model_sampling.calculate_denoised(t, predicted.float(), x)


def step_number(options: dict, sigma: float) -> int:
    """Which step of the schedule a forward belongs to; samplers may also ask between the steps."""
    sigmas = options.get("sample_sigmas")
    return 0 if sigmas is None else int((sigmas.cpu() - sigma).abs().argmin())


def check_model(model: comfy.model_patcher.ModelPatcher, weights: comfy.model_patcher.ModelPatcher) -> None:
    wan = wan_of(model.model)
    blocks = list(getattr(wan, "blocks", []))
    if blocks:
        refuse_strangers(model.model, None, 1)
    # A subclass with a forward of its own (audio, pose, ...) does more than this patch would repeat.
    if not blocks or not all(map(is_plain, blocks)):
        raise UserError(
            f"SynCamApply: 'model' is {type(model.model).__name__}, but view synchronization goes into Wan2.1 "
            "text-to-video models; load Wan2.1 T2V 1.3B with 'Load Diffusion Model'.",
            field="model",
        )
    have, need = (wan.dim, len(blocks)), (weights.model.dim, len(weights.model.blocks))
    if have != need:
        raise UserError(
            f"SynCamApply: 'weights' are for a model of {size_name(need)}, but 'model' has {size_name(have)}; "
            "load the model that the weights were trained for.",
            field="weights",
        )


def size_name(size: tuple[int, int]) -> str:
    known = KNOWN_SIZES.get(size)
    return f"width {size[0]} with {size[1]} blocks" + (f" ({known})" if known else "")


def check_latent(shape: Sequence[int], poses: Tensor, geometry: Geometry, node: str = "SynCamApply") -> None:
    """Raise ``UserError`` unless a latent (views, channels, frames, height, width) fits the cameras."""
    views, frames = poses.shape[:2]
    if len(shape) != 5 or shape[0] != views:
        raise UserError(
            f"{node}: 'latent' is a batch of {shape[0]} videos, but 'cameras' of SynCamApply has {views} "
            "views; make it with SynCamEmptyLatent from the same cameras.",
            field="latent",
        )
    if shape[2] != frames:
        raise UserError(
            f"{node}: 'latent' has {shape[2]} latent frames (length {geometry.length(shape[2])}), but 'cameras' of "
            f"SynCamApply has {frames} (length {geometry.length(frames)}); set the same 'length' in SynCamEncodeCameras and the latent.",
            field="latent",
        )


def block_replacements(options: dict) -> dict:
    return options.get("patches_replace", {}).get("dit", {})


def wan_of(base_model: BaseModel) -> torch.nn.Module:
    return unwrapped(base_model.diffusion_model)
