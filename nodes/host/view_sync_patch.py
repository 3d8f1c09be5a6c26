"""Putting view synchronization into a host model: loading the module, and running it inside Wan's blocks.

The module is a ModelPatcher of its own, attached to the model, so that the host loads, offloads, clones and counts it.
Whatever one forward needs travels in that forward's ``transformer_options``, and what is computed once for a sampling in
that sampling's; what is set on the blocks keeps no state, so clones, devices and interleaved runs cannot disturb each
other.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from comfy.ldm.wan.model import WanAttentionBlock
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...syncam_core.errors import UserError
from ...syncam_core.view_sync.coupling import groups_of
from ...syncam_core.view_sync.memory import tokens_at_once
from ...syncam_core.view_sync.module import ViewSync, fold_output, view_rope
from ...syncam_core.view_sync.weights import read_weights
from ...syncam_core.wan.geometry import KNOWN_SIZES, Geometry
from ..shared.errors import sentences_of
from .add_ons import refuse_parts, refuse_strangers, windows_over_time
from .latents import geometry_of_model
from .prompts import check_prompts
from .sampling_cache import Once
from .wan_block import Step, replaced, synchronized_block, unwrapped

KEY = "syncam_view_sync"
ONCE = "syncam_once"  # in the transformer_options of one sampling
GIVEN = "syncam_given"  # a conditioning's clean latents, see SynCamDualGuider
MEMORY_CHOICES = ("auto", "whole", "low")
ROUNDING = 1e-6  # of a noise level in float32


def load_view_sync(path: str, disable_dynamic: bool = False) -> comfy.model_patcher.ModelPatcher:
    """Read a weights file into a module that the host's model management owns.

    ``disable_dynamic`` is the host's own switch when it clones for another device. Raises ``WeightsError``.
    """
    weights = read_weights(path)
    dtype = torch.float32 if weights.dtype == torch.float64 else weights.dtype
    offload_device = comfy.model_management.unet_offload_device()
    folded = dtype.itemsize > 1  # a product of matrices kept in 8 bits would not be those matrices
    module = ViewSync(weights.dim, weights.depth, offload_device, dtype, comfy.ops.manual_cast, folded)
    comfy.model_management.archive_model_dtypes(module)
    # The host rebinds CoreModelPatcher at start-up, so it is looked up now.
    patcher_class = comfy.model_patcher.ModelPatcher if disable_dynamic else comfy.model_patcher.CoreModelPatcher
    patcher = patcher_class(module, comfy.model_management.get_torch_device(), offload_device)
    tensors = fold_output(weights.tensors) if folded else weights.tensors
    tensors = {key: tensor.to(dtype) for key, tensor in tensors.items()}
    module.load_state_dict(tensors, strict=True, assign=patcher.is_dynamic())
    module.eval().requires_grad_(False)
    patcher.cached_patcher_init = (load_view_sync, (path,))
    return patcher


def apply_view_sync(
    model: comfy.model_patcher.ModelPatcher,
    weights: comfy.model_patcher.ModelPatcher,
    poses: Tensor,  # (views, latent frames, 12), float32 on the CPU
    strength: float = 1.0,
    start_percent: float = 0.0,
    end_percent: float = 1.0,
    coupling: str = "joint",
    group_size: int = 2,
    memory: str = "auto",
    control=None,  # syncam_core.view_sync.control.ViewControl
    names: Sequence[str] = (),
    colors: Sequence[str] = (),
) -> comfy.model_patcher.ModelPatcher:
    """A clone of ``model`` whose blocks synchronize the views of ``poses`` while sampling is in the percent range.

    ``coupling`` and ``group_size`` are those of :func:`groups_of`. ``memory`` says in which pieces the blocks work:
    "whole" in one, "low" in the smallest, "auto" in pieces that cost no time, smaller ones where memory is short.
    ``control`` has a strength and range of its own for each view, and says which blocks synchronize. ``names`` and
    ``colors`` are the cameras', for the live preview.

    Applying again replaces the earlier one. Whoever replaced a block before keeps being asked first and gets the
    synchronized block as its original. Raises ``UserError`` if model and weights do not belong together.
    """
    check_model(model, weights)
    if control is not None:
        with sentences_of("SynCamApply"):
            control = control.spread(poses.shape[0], len(weights.model.blocks))
        control = None if control.changes_nothing else control
    wrapper = ViewSyncWrapper(
        *(weights, poses, strength, start_percent, end_percent, coupling, group_size, memory, control),
        *(tuple(names), tuple(colors)),
    )
    patched = model.clone()
    patched.set_additional_models(KEY, [weights])
    for kind in (WrappersMP.APPLY_MODEL, WrappersMP.OUTER_SAMPLE):
        patched.remove_wrappers_with_key(kind, KEY)
    patched.add_wrapper_with_key(WrappersMP.APPLY_MODEL, KEY, wrapper)
    patched.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, wrapper.around_sampling)
    present = block_replacements(patched.model_options["transformer_options"])
    for index in range(len(wan_of(patched.model).blocks)):
        previous = present.get(("double_block", index))
        if not isinstance(previous, BlockPatch):
            patched.set_model_patch_replace(BlockPatch(index, previous), "dit", "double_block", index)
    return patched


def view_sync_of(model: comfy.model_patcher.ModelPatcher) -> ViewSyncWrapper | None:
    """The view synchronization that is set on a MODEL, if any."""
    return next(iter(model.get_wrappers(WrappersMP.APPLY_MODEL, KEY)), None)


@dataclass(frozen=True, eq=False)
class ViewSyncWrapper:
    """The host's APPLY_MODEL wrapper: decides once per forward whether and with what the blocks synchronize."""

    weights: comfy.model_patcher.ModelPatcher
    poses: Tensor
    strength: float
    start_percent: float
    end_percent: float
    coupling: str = "joint"
    group_size: int = 2
    memory: str = "auto"
    control: Any = None  # with one number per view
    names: tuple[str, ...] = ()
    colors: tuple[str, ...] = ()

    def around_sampling(self, executor, noise: Tensor, *args, **kwargs):
        """The host's OUTER_SAMPLE wrapper: refuse what cannot work before any model is loaded, and lay out where this
        sampling keeps what it computes once."""
        guider = executor.class_obj
        shape = (kwargs.get("latent_shapes") or [noise.shape])[0]
        check_latent(shape, self.poses, geometry_of_model(guider.model_patcher.model))
        check_prompts(guider.conds, len(self.poses))
        refuse_strangers(guider.model_patcher.model, guider.model_options, len(self.poses), is_block_patch)
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
        self, executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **kwargs
    ):
        options = dict(transformer_options or {})
        base = executor.class_obj
        given = kwargs.pop(GIVEN, None)
        if given is not None:
            given = given.to(x)
            x = torch.where(given[:, -1:] > 0.5, given[:, :-1], x)
        if "easycache" in options:
            executor = functools.partial(with_easycache, executor, base.model_sampling)
        strength = self.strength_at(base.model_sampling, float(t.flatten()[0]))
        refuse_strangers(base, None, len(self.poses))
        active = any(strength)
        if not active and not replaced(wan_of(base).blocks):
            return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        # The host stacks whole conditionings, in any order: (chunk view), so views never change chunk.
        poses = self.poses_of(options)
        chunks = len(options.get("cond_or_uncond", [0]))
        refuse_parts(torch.Size([x.shape[0], 0]), len(poses) * chunks, 0)  # the latent was checked before the sampling
        check_latent((len(poses), *x.shape[1:]), poses, geometry_of_model(base))
        step = self.prepare(base, x, t, poses, chunks, strength, options, kwargs.get("clip_fea"))
        step = options[KEY] = step._replace(attends_only=not active)
        output = executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        if not step.blocks_run and not any(isinstance(p, BlockPatch) for p in block_replacements(options).values()):
            raise UserError(
                "SynCamApply: another node has replaced the model's blocks after it, so the views would not be "
                "synchronized; move SynCamApply behind that node, next to the sampler."
            )
        return output

    def strength_at(self, model_sampling, sigma: float) -> list[float]:
        """The strength of every view, 0 outside its percent range."""

        def covers(start: float, end: float) -> bool:
            # Asked at run time, so that a shift set after this patch counts. The model's noise levels are rounded, up to
            # just above 1 for some shifts, and samplers that add noise ask above the first of them.
            first, last = (float(model_sampling.percent_to_sigma(percent)) for percent in (start, end))
            return last * (1 - ROUNDING) <= sigma and (start <= 0 or sigma <= first * (1 + ROUNDING))

        views = self.poses.shape[0]
        if self.strength == 0 or not covers(self.start_percent, self.end_percent):
            return [0.0] * views
        if self.control is None:
            return [self.strength] * views
        own = zip(self.control.strengths, self.control.starts, self.control.ends, strict=True)
        return [self.strength * factor if covers(start, end) else 0.0 for factor, start, end in own]

    def poses_of(self, options: dict) -> Tensor:
        """The cameras of the frames that this forward sees."""
        window = options.get("context_window")
        return self.poses if window is None else window.get_tensor(self.poses, dim=1)

    def prepare(
        self,
        base,
        x: Tensor,
        t: Tensor,
        poses: Tensor,
        chunks: int,
        strength: list[float],
        options: dict,
        clip_fea: Tensor | None,
    ) -> Step:
        wan = wan_of(base)
        once: Once = options.get(ONCE) or Once()
        # The host pads latents that do not divide into patches.
        height, width = (math.ceil(size / patch) for size, patch in zip(x.shape[-2:], wan.patch_size[1:], strict=True))
        step = step_number(options, float(t.flatten()[0]))
        groups = groups_of(self.coupling, self.poses, self.group_size, step, once.seed)
        largest = max(len(group.members) for group in groups)
        # With several GPUs each device has its own clone of the attached module.
        attached = base.current_patcher.get_additional_models_with_key(KEY) if base.current_patcher else []
        window = options.get("context_window")
        return Step(
            blocks=wan.blocks,
            module=(attached or [self.weights])[0].model,
            poses=poses,
            groups=groups,
            strength=strength[0] if len(set(strength)) == 1 else torch.tensor(strength * chunks, device=x.device),
            only_blocks=None if self.control is None else self.control.blocks and frozenset(self.control.blocks),
            rope=once.get(
                ("rope", largest, height, width, x.device),
                lambda: view_rope(largest, height, width, wan.dim // wan.num_heads, x.device),
            ),
            heads=wan.num_heads,
            context_img_len=None if clip_fea is None else clip_fea.shape[-2],
            most_tokens=self.most_tokens(wan, x, once),
            once=once,
            # Those of groups or windows that change from forward to forward would only fill the memory.
            cameras=None if self.coupling == "routed" or window is not None else groups,
            blocks_run=[],
            rows=x.shape[0],
            grid=(math.ceil(x.shape[2] / wan.patch_size[0]), height, width),
        )

    def most_tokens(self, wan, x: Tensor, once: Once) -> int:
        """Rows of the stream to work on at once; decided at the beginning of a sampling and kept."""

        def fitting() -> int:
            free = comfy.model_management.get_free_memory(x.device) if self.memory == "auto" else 0
            return tokens_at_once(self.memory, wan.dim, (wan.dtype or x.dtype).itemsize, free)

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


@dataclass(frozen=True)
class BlockPatch:
    """Stands in for block ``index`` of the transformer; ``previous`` is whoever stood there before."""

    index: int
    previous: Callable | None = None

    def __call__(self, args: dict, extra: dict) -> dict:
        # Older add-ons with a forward of their own hand the options over beside the block.
        options = args.get("transformer_options") or extra.get("transformer_options") or {}
        original = functools.partial(self.run, extra["original_block"], options)
        if self.previous is None:
            return original(args)
        return self.previous(args, {**extra, "original_block": original})

    def run(self, original_block: Callable, options: dict, args: dict) -> dict:
        options = args.get("transformer_options") or options
        step = options.get(KEY)
        if step is None:
            return original_block(args)
        step.blocks_run.append(self.index)
        x = args["img"]
        refuse_parts(x.shape, step.rows, math.prod(step.grid))
        if step.only_blocks is not None and self.index not in step.only_blocks and not replaced(step.blocks):
            return original_block(args)
        check_grid(x, step.grid)
        return {"img": synchronized_block(self.index, args, step, step.grid, options)}


def check_model(model: comfy.model_patcher.ModelPatcher, weights: comfy.model_patcher.ModelPatcher) -> None:
    wan = wan_of(model.model)
    blocks = [unwrapped(block) for block in getattr(wan, "blocks", [])]
    if blocks:
        refuse_strangers(model.model, None, 1)
    # A subclass with a forward of its own (audio, pose, ...) does more than this patch would repeat.
    if not blocks or any(type(block).forward is not WanAttentionBlock.forward for block in blocks):
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
            f"{node}: 'latent' has {shape[2]} latent frames (length {geometry.length(shape[2])}), but 'cameras' of SynCamApply "
            f"has {frames} (length {geometry.length(frames)}); set the same 'length' in SynCamEncodeCameras and the latent.",
            field="latent",
        )


def check_grid(x: Tensor, grid: tuple[int, int, int]) -> None:
    if math.prod(grid) != x.shape[1]:
        raise UserError(
            f"SynCamApply: the model works on {x.shape[1]} tokens, but 'cameras' describes {grid[0]} latent frames of "
            f"{grid[1] * grid[2]}; remove reference or time conditioning that adds frames to the latent."
        )


def is_block_patch(replacement) -> bool:
    return isinstance(replacement, BlockPatch)


def block_replacements(options: dict) -> dict:
    return options.get("patches_replace", {}).get("dit", {})


def wan_of(base_model):
    return unwrapped(base_model.diffusion_model)
