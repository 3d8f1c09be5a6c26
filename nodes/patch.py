"""Putting view synchronization into a host model: loading the module, and running it inside Wan's blocks.

The module is a ModelPatcher of its own, attached to the model, so that the host loads, offloads, clones and counts it.
Whatever one forward needs travels in that forward's ``transformer_options``; what is set on the blocks keeps no state,
so clones, devices and interleaved runs cannot disturb each other.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from comfy.ldm.modules.attention import optimized_attention
from comfy.ldm.wan.model import WanAttentionBlock, repeat_e
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ..syncam_core.view_sync.module import Rope, ViewSync, view_rope
from ..syncam_core.view_sync.weights import read_weights

KEY = "syncam_view_sync"
KNOWN_SIZES = {(1536, 30): "Wan2.1 1.3B", (5120, 40): "Wan2.1 14B"}


def load_view_sync(path: str, disable_dynamic: bool = False) -> comfy.model_patcher.ModelPatcher:
    """Read a weights file into a module that the host's model management owns.

    ``disable_dynamic`` is the host's own switch when it clones for another device. Raises ``WeightsError``.
    """
    weights = read_weights(path)
    dtype = torch.float32 if weights.dtype == torch.float64 else weights.dtype
    offload_device = comfy.model_management.unet_offload_device()
    module = ViewSync(weights.dim, weights.depth, offload_device, dtype, comfy.ops.manual_cast)
    comfy.model_management.archive_model_dtypes(module)
    # The host rebinds CoreModelPatcher at start-up, so it is looked up now.
    patcher_class = comfy.model_patcher.ModelPatcher if disable_dynamic else comfy.model_patcher.CoreModelPatcher
    patcher = patcher_class(module, comfy.model_management.get_torch_device(), offload_device)
    tensors = {key: tensor.to(dtype) for key, tensor in weights.tensors.items()}
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
) -> comfy.model_patcher.ModelPatcher:
    """A clone of ``model`` whose blocks synchronize the views of ``poses`` while sampling is in the percent range.

    Applying again replaces the earlier one. Whoever replaced a block before keeps being asked first and gets the
    synchronized block as its original. Raises ``ValueError`` if model and weights do not belong together.
    """
    check_model(model, weights)
    wrapper = ViewSyncWrapper(weights, poses, strength, start_percent, end_percent)
    patched = model.clone()
    patched.set_additional_models(KEY, [weights])
    for kind in (WrappersMP.APPLY_MODEL, WrappersMP.OUTER_SAMPLE):
        patched.remove_wrappers_with_key(kind, KEY)
    patched.add_wrapper_with_key(WrappersMP.APPLY_MODEL, KEY, wrapper)
    patched.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, KEY, functools.partial(check_before_loading, poses))
    present = block_replacements(patched.model_options["transformer_options"])
    for index in range(len(wan_of(patched.model).blocks)):
        previous = present.get(("double_block", index))
        if not isinstance(previous, BlockPatch):
            patched.set_model_patch_replace(BlockPatch(index, previous), "dit", "double_block", index)
    return patched


def view_sync_of(model: comfy.model_patcher.ModelPatcher) -> ViewSyncWrapper | None:
    """The view synchronization that is set on a MODEL, if any."""
    return next(iter(model.get_wrappers(WrappersMP.APPLY_MODEL, KEY)), None)


class Step(NamedTuple):
    """What the blocks need during one forward; lives in that forward's ``transformer_options``."""

    blocks: Any  # the transformer's own blocks
    module: ViewSync
    poses: Tensor  # (views, latent frames, 12)
    strength: float
    rope: Rope
    heads: int
    context_img_len: int | None  # image tokens at the front of the text, which the host does not tell block patches
    blocks_run: list[int]


@dataclass(frozen=True, eq=False)
class ViewSyncWrapper:
    """The host's APPLY_MODEL wrapper: decides once per forward whether and with what the blocks synchronize."""

    weights: comfy.model_patcher.ModelPatcher
    poses: Tensor
    strength: float
    start_percent: float
    end_percent: float

    def __call__(
        self, executor, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **kwargs
    ):
        options = dict(transformer_options or {})
        base = executor.class_obj
        if self.strength == 0 or not self.covers(base.model_sampling, float(t.flatten()[0])):
            return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        # The host stacks whole conditionings, in any order: (chunk view), so views never change chunk.
        check_latent(x.shape, self.poses, chunks=len(options.get("cond_or_uncond", [0])))
        options[KEY] = step = self.prepare(base, x, kwargs.get("clip_fea"))
        output = executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        if not step.blocks_run and not any(isinstance(p, BlockPatch) for p in block_replacements(options).values()):
            raise ValueError(
                "SynCamApply: another node has replaced the model's blocks after it, so the views would not be "
                "synchronized; move SynCamApply behind that node, next to the sampler."
            )
        return output

    def covers(self, model_sampling, sigma: float) -> bool:
        # Asked at run time, so that a shift set after this patch counts.
        first, last = (model_sampling.percent_to_sigma(p) for p in (self.start_percent, self.end_percent))
        return float(last) <= sigma <= float(first)

    def prepare(self, base, x: Tensor, clip_fea: Tensor | None) -> Step:
        wan = wan_of(base)
        # The host pads latents that do not divide into patches.
        height, width = (math.ceil(size / patch) for size, patch in zip(x.shape[-2:], wan.patch_size[1:], strict=True))
        # With several GPUs each device has its own clone of the attached module.
        attached = base.current_patcher.get_additional_models_with_key(KEY) if base.current_patcher else []
        return Step(
            blocks=wan.blocks,
            module=(attached or [self.weights])[0].model,
            poses=self.poses.to(x.device),
            strength=self.strength,
            rope=view_rope(self.poses.shape[0], height, width, wan.dim // wan.num_heads, x.device),
            heads=wan.num_heads,
            context_img_len=None if clip_fea is None else clip_fea.shape[-2],
            blocks_run=[],
        )


@dataclass(frozen=True)
class BlockPatch:
    """Stands in for block ``index`` of the transformer; ``previous`` is whoever stood there before."""

    index: int
    previous: Callable | None = None

    def __call__(self, args: dict, extra: dict) -> dict:
        original = functools.partial(self.run, extra["original_block"])
        if self.previous is None:
            return original(args)
        return self.previous(args, {**extra, "original_block": original})

    def run(self, original_block: Callable, args: dict) -> dict:
        step = args["transformer_options"].get(KEY)
        if step is None:
            return original_block(args)
        step.blocks_run.append(self.index)
        return {"img": synchronized_block(self.index, args, step)}


def synchronized_block(index: int, args: dict, step: Step) -> Tensor:
    """Wan's attention block with the views synchronized between its self-attention and its cross-attention.

    Only the block's own submodules are called, so that whatever is patched into them counts. Source: the host's
    ``WanAttentionBlock.forward``; with a zero projector the result equals it bit for bit, which a test holds.
    """
    block, x, time, options = unwrapped(step.blocks[index]), args["img"], args["vec"], args["transformer_options"]
    grid = check_grid(x, step.poses, options["grid_sizes"])
    if time.ndim < 4:
        time = time.unsqueeze(1)
    weight = comfy.model_management.cast_to(block.modulation, dtype=x.dtype, device=x.device)
    shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = (
        repeat_e(row, x) for row in (weight.unsqueeze(0) + time).unbind(2)
    )

    x = x.contiguous()
    y = block.self_attn(torch.addcmul(shift, block.norm1(x), 1 + scale), args["pe"], transformer_options=options)
    x = torch.addcmul(x, y, gate)
    del y

    attention = functools.partial(host_attention, options)
    delta = step.module.blocks[index](x, time, step.poses, grid, step.rope, step.heads, attention)
    x = torch.add(x, delta, alpha=step.strength)
    del delta

    x = x + block.cross_attn(
        block.norm3(x), args["txt"], context_img_len=step.context_img_len, transformer_options=options
    )
    for patch in options.get("patches", {}).get("attn2_patch", []):
        x = patch({"x": x, "transformer_options": options})
    y = block.ffn(torch.addcmul(ffn_shift, block.norm2(x), 1 + ffn_scale))
    return torch.addcmul(x, y, ffn_gate)


def host_attention(options: dict, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    return optimized_attention(q, k, v, heads=heads, transformer_options=options)


def check_model(model: comfy.model_patcher.ModelPatcher, weights: comfy.model_patcher.ModelPatcher) -> None:
    wan = wan_of(model.model)
    blocks = [unwrapped(block) for block in getattr(wan, "blocks", [])]
    # A subclass with a forward of its own (audio, pose, ...) does more than this patch would repeat.
    if not blocks or any(type(block).forward is not WanAttentionBlock.forward for block in blocks):
        raise ValueError(
            f"SynCamApply: 'model' is {type(model.model).__name__}, but view synchronization goes into Wan2.1 "
            "text-to-video models; load Wan2.1 T2V 1.3B with 'Load Diffusion Model'."
        )
    have, need = (wan.dim, len(blocks)), (weights.model.dim, len(weights.model.blocks))
    if have != need:
        raise ValueError(
            f"SynCamApply: 'weights' are for a model of {size_name(need)}, but 'model' has {size_name(have)}; "
            "load the model that the weights were trained for."
        )


def size_name(size: tuple[int, int]) -> str:
    known = KNOWN_SIZES.get(size)
    return f"width {size[0]} with {size[1]} blocks" + (f" ({known})" if known else "")


def check_latent(shape: torch.Size, poses: Tensor, chunks: int = 1, node: str = "SynCamApply") -> None:
    """Raise ``ValueError`` unless a latent (chunks * views, channels, frames, height, width) fits the cameras."""
    views, frames = poses.shape[:2]
    if len(shape) != 5 or shape[0] != views * chunks:
        raise ValueError(
            f"{node}: 'latent' is a batch of {shape[0] // chunks} videos, but 'cameras' of SynCamApply has {views} "
            "views; make it with SynCamEmptyLatent from the same cameras."
        )
    if shape[2] != frames:
        raise ValueError(
            f"{node}: 'latent' has {shape[2]} latent frames (length {4 * shape[2] - 3}), but 'cameras' of SynCamApply "
            f"has {frames} (length {4 * frames - 3}); set the same 'length' in SynCamEncodeCameras and the latent."
        )


def check_before_loading(poses: Tensor, executor, noise: Tensor, *args, **kwargs):
    """The host's OUTER_SAMPLE wrapper: refuse what cannot work before any model is loaded."""
    check_latent((kwargs.get("latent_shapes") or [noise.shape])[0], poses)
    if "context_handler" in executor.class_obj.model_options:
        raise ValueError(
            "SynCamApply: context windows do not work with synchronized views; remove the context windows node and "
            "sample the whole length."
        )
    return executor(noise, *args, **kwargs)


def check_grid(x: Tensor, poses: Tensor, grid_sizes) -> tuple[int, int, int]:
    grid = tuple(int(size) for size in grid_sizes)
    if math.prod(grid) != x.shape[1] or grid[0] != poses.shape[1]:
        raise ValueError(
            f"SynCamApply: the model works on {x.shape[1]} tokens in a {grid} grid, but 'cameras' describes "
            f"{poses.shape[1]} latent frames; remove reference or time conditioning that adds frames to the latent."
        )
    return grid


def block_replacements(options: dict) -> dict:
    return options.get("patches_replace", {}).get("dit", {})


def unwrapped(module):
    """The module inside a ``torch.compile`` wrapper, or the module itself."""
    return getattr(module, "_orig_mod", module)


def wan_of(base_model):
    return unwrapped(base_model.diffusion_model)
