"""Putting a module that stands beside the blocks into a host model, and running it there, whichever module it is.

The module is a ModelPatcher of its own, attached to the model, so that the host loads, offloads, clones and counts it.
Whatever one forward needs travels in that forward's ``transformer_options``, and what is computed once for a sampling in
that sampling's; what is set on the blocks keeps no state, so clones, devices and interleaved runs cannot disturb each
other.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, cast

import comfy.model_management
import torch
from comfy.model_base import BaseModel
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrapperExecutor, WrappersMP
from torch import Tensor, nn

from ...syncam_core.cameras.encoding import CameraEncoding
from ...syncam_core.cameras.trajectories import TrajectoryEncoding
from ...syncam_core.errors import UserError
from ...syncam_core.view_sync.memory import tokens_at_once
from ...syncam_core.wan.geometry import KNOWN_SIZES, Geometry
from .add_ons import refuse_parts, refuse_strangers, windows_over_time
from .latents import geometry_of_model
from .prompts import check_prompts
from .sampling_cache import Once
from .wan_block import STEP, BlockPatch, Insert, Step, is_block_patch, is_plain, unwrapped

ONCE = "syncam_once"  # in the transformer_options of one sampling


class Wan(Protocol):
    """The host's transformer, as far as it is read here."""

    dim: int
    in_dim: int
    ffn_dim: int
    num_heads: int
    text_dim: int
    dtype: torch.dtype | None
    blocks: Sequence[nn.Module]

    def parameters(self) -> Iterator[nn.Parameter]: ...


@dataclass(frozen=True, eq=False)
class ModuleWrapper(ABC):
    """The host's APPLY_MODEL wrapper of one module: decides once per forward with what the blocks run.

    Another module derives from this: its words, whether a latent fits, and its step of a forward.
    """

    weights: ModelPatcher
    cameras: CameraEncoding | TrajectoryEncoding
    memory: str

    key: ClassVar[str]  # of what is attached to the model
    node: ClassVar[str]  # that puts it in
    socket: ClassVar[str] = "cameras"  # of the node, for its cameras
    deed: ClassVar[str]  # what goes into the model
    failure: ClassVar[str]  # what would happen without it

    @abstractmethod
    def check_latent(self, shape: Sequence[int], geometry: Geometry, node: str = "") -> None:
        """Raise ``UserError``, which begins with ``node`` or else the module's own, unless a latent (views, channels,
        frames, height, width) fits."""

    @abstractmethod
    def step(self, base: BaseModel, x: Tensor, t: Tensor, options: dict, named: dict) -> Step | None:
        """What the blocks need for a forward of ``x`` (chunks * views, channels, frames, height, width) at ``t``; None
        where the host's own run. ``named`` are the forward's other arguments, which may be changed.

        Raises ``UserError`` where another node has taken views or frames away."""

    def put_into(self, model: ModelPatcher) -> ModelPatcher:
        """A clone with this module, in place of an earlier one of its kind. Whoever replaced a block before keeps being
        asked first and gets our block as its original. Raises ``UserError`` if the parts do not belong together."""
        patched = model.clone()
        patched.set_additional_models(self.key, [self.weights])
        for kind, call in ((WrappersMP.APPLY_MODEL, self), (WrappersMP.OUTER_SAMPLE, self.around_sampling)):
            patched.remove_wrappers_with_key(kind, self.key)
            patched.add_wrapper_with_key(kind, self.key, call)
        present = block_replacements(patched.model_options["transformer_options"])
        for index in range(len(wan_of(patched.model).blocks)):
            previous = present.get(("double_block", index))
            if not is_block_patch(previous):
                patched.set_model_patch_replace(BlockPatch(index, previous), "dit", "double_block", index)
        return patched

    def around_sampling(self, executor: WrapperExecutor, noise: Tensor, *args, **kwargs) -> Tensor:
        """The host's OUTER_SAMPLE wrapper: refuse what cannot work before any model is loaded, and lay out where this
        sampling keeps what it computes once."""
        guider, views, node = executor.class_obj, self.cameras.views, self.node
        base, options = (
            guider.model_patcher.model,
            guider.model_options,
        )  # which the host cloned for this sampling alone
        self.check_latent((kwargs.get("latent_shapes") or [noise.shape])[0], geometry_of_model(base))
        check_prompts(guider.conds, views, node, self.socket)
        refuse_strangers(base, options, views, is_block_patch, node)
        if "context_handler" in options:
            options["context_handler"] = windows_over_time(options["context_handler"], node)
        seed = kwargs.get("seed", args[6] if len(args) > 6 else None)
        # Hooks (a LoRA on one conditioning, or for a time) change the weights that read the text, in mid-sampling.
        hooked = any(entry.get("hooks") is not None for entries in guider.conds.values() for entry in entries)
        options.setdefault("transformer_options", {})[ONCE] = Once(seed=seed or 0, keeps_text=not hooked)
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
        options, base = dict(transformer_options or {}), executor.class_obj
        x = self.seen(x, kwargs)
        refuse_strangers(base, None, self.cameras.views, node=self.node)
        step = self.step(base, x, t, options, kwargs)
        if "easycache" in options:
            executor = functools.partial(with_easycache, executor, base.model_sampling)
        if step is None:
            return executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        options[STEP] = step
        output = executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        if not step.blocks_run and not any(is_block_patch(patch) for patch in block_replacements(options).values()):
            raise UserError(
                f"{self.node}: another node has replaced the model's blocks after it, so {self.failure}; move "
                f"{self.node} behind that node, next to the sampler."
            )
        return output

    def seen(self, x: Tensor, named: dict) -> Tensor:
        """The latent as the model is to see it; arguments that only this wrapper knows are taken out of ``named``."""
        return x

    def in_window(self, values: Tensor, dim: int, options: dict) -> Tensor:
        """The frames that a forward is about: those of its context window, or all."""
        window = options.get("context_window")
        return values if window is None else window.get_tensor(values, dim=dim)

    def chunks(self, x: Tensor, views: int, options: dict) -> int:
        """Conditionings in a forward: the host stacks them whole, in any order, (chunk view), so views stay together."""
        chunks = len(options.get("cond_or_uncond", [0]))
        refuse_parts(torch.Size([x.shape[0], 0]), views * chunks, 0, self.node)
        return chunks

    def step_of(
        self,
        base: BaseModel,
        x: Tensor,
        views: int,
        grid: tuple[int, int, int],
        inserts: tuple[Insert, ...],
        once: Once,
        named: dict,
    ) -> Step:
        wan, clip_fea = wan_of(base), named.get("clip_fea")

        def fitting() -> int:
            free = comfy.model_management.get_free_memory(x.device) if self.memory == "auto" else 0
            return tokens_at_once(self.memory, wan.dim, (wan.dtype or x.dtype).itemsize, free)

        return Step(
            blocks=wan.blocks,
            inserts=inserts,
            views=views,
            rows=x.shape[0],
            grid=grid,
            context_img_len=None if clip_fea is None else clip_fea.shape[-2],
            # Decided at the beginning of a sampling and kept.
            most_tokens=once.get(("most_tokens", x.device), fitting),
            once=once,
            blocks_run=[],
            node=self.node,
        )

    def module_for(self, base: BaseModel) -> nn.Module:
        """With several GPUs each device has its own clone of the attached module."""
        attached = base.current_patcher.get_additional_models_with_key(self.key) if base.current_patcher else []
        return (attached or [self.weights])[0].model

    def check_model(self, model: ModelPatcher) -> None:
        """Raise ``UserError`` unless the module's weights belong to this model."""
        other = module_of(model)
        if other is not None and other.key != self.key:  # its weights have never seen these
            raise UserError(
                f"{self.node}: 'model' comes from {other.node}, and one model cannot do both; connect the model from "
                f"before {other.node}, both may use it in one workflow.",
                field="model",
            )
        wan = wan_of(model.model)
        blocks = list(getattr(wan, "blocks", []))
        if blocks:
            refuse_strangers(model.model, None, 1, node=self.node)
        # A subclass with a forward of its own (audio, pose, ...) does more than our block would repeat.
        if not blocks or not all(map(is_plain, blocks)):
            raise UserError(
                f"{self.node}: 'model' is {type(model.model).__name__}, but {self.deed} goes into Wan2.1 text-to-video "
                "models; load Wan2.1 T2V 1.3B with 'Load Diffusion Model'.",
                field="model",
            )
        have, need = (wan.dim, len(blocks)), (self.weights.model.dim, len(self.weights.model.blocks))
        if have != need:
            raise UserError(
                f"{self.node}: 'weights' are for a model of {size_name(need)}, but 'model' has {size_name(have)}; "
                "load the model that the weights were trained for.",
                field="weights",
            )


def module_of(model: ModelPatcher) -> ModuleWrapper | None:
    """The module that is set on a MODEL, if any; one model has one at the most."""
    wrappers = model.get_all_wrappers(WrappersMP.APPLY_MODEL)
    return next((wrapper for wrapper in wrappers if isinstance(wrapper, ModuleWrapper)), None)


def with_easycache(executor: Callable[..., Tensor], model_sampling, x: Tensor, t: Tensor, *args, **kwargs) -> Tensor:
    """The host's EasyCache adds to the latent that the model is given, which is x itself where the model computes in
    float32; x is then what the model predicts, and not what it was asked about."""
    asked = x.clone()
    output = executor(x, t, *args, **kwargs)
    if torch.equal(x, asked):
        return output
    predicted = x.clone()
    x.copy_(asked)
    return model_sampling.calculate_denoised(t, predicted.float(), x)


def size_name(size: tuple[int, int]) -> str:
    known = KNOWN_SIZES.get(size)
    return f"width {size[0]} with {size[1]} blocks" + (f" ({known})" if known else "")


def block_replacements(options: dict) -> dict:
    return options.get("patches_replace", {}).get("dit", {})


def wan_of(base_model: BaseModel) -> Wan:
    return cast(Wan, unwrapped(base_model.diffusion_model))
