"""Re-capture in a host model: the source behind the target in time, its cameras around self-attention.

Its self-attention weights go in as "set" patches beneath every LoRA, whether one was added before or comes after. The
source travels with every forward, positive and negative alike, so that no conditioning can lack it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import ClassVar

import torch
from comfy.model_base import WAN21, BaseModel
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrapperExecutor, WrappersMP
from torch import Tensor

from ...syncam_core.cameras.trajectories import TrajectoryEncoding
from ...syncam_core.errors import UserError
from ...syncam_core.recapture.module import ReCapture
from ...syncam_core.wan.geometry import Geometry
from ..shared.checks import counted_noun
from .add_ons import RECAPTURE_KEY, refuse_parts
from .latents import geometry_of_model
from .module_patch import ONCE, ModuleWrapper, module_of, wan_of
from .sampling_cache import Once
from .wan_block import Insert, Step

NODE = "SynCamReCamApply"
UNI3C = "WanUni3CCnetPatch"  # the host's class of such a patch


def apply_recapture(
    model: ModelPatcher,
    weights: ModelPatcher,
    trajectories: TrajectoryEncoding,
    source: Tensor,  # (1 or n, channels, latent frames, height, width), as the VAE made it
    memory: str = "auto",
) -> ModelPatcher:
    """A clone of ``model`` that films ``source`` again along each of ``trajectories``, one batch item each.

    Applying again replaces the earlier one. Raises ``UserError`` if the parts do not belong together, and for a model
    with view synchronization, whose blocks know another self-attention.
    """
    wrapper = ReCaptureWrapper(weights, trajectories, memory, source)
    wrapper.check_model(model)
    check_source(source, trajectories, geometry_of_model(model.model))
    earlier = module_of(model)
    patched = wrapper.put_into(model)
    put_beneath(patched, own_self_attention(weights), own_self_attention(earlier.weights) if earlier else {})
    patched.remove_wrappers_with_key(WrappersMP.PREPARE_SAMPLING, RECAPTURE_KEY)
    patched.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, RECAPTURE_KEY, with_the_source_counted)
    patched.remove_wrappers_with_key(WrappersMP.DIFFUSION_MODEL, RECAPTURE_KEY)
    patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, RECAPTURE_KEY, with_a_source_for_every_row)
    counted = patched.get_model_object("memory_required")
    patched.add_object_patch("memory_required", counted if isinstance(counted, FramesTwice) else FramesTwice(counted))
    return patched


def own_self_attention(weights: ModelPatcher) -> dict[str, Tensor]:
    """By the host's names for the weights of a MODEL."""
    return {f"diffusion_model.{key}": tensor for key, tensor in weights.model.self_attention.items()}


def put_beneath(model: ModelPatcher, tensors: dict[str, Tensor], earlier: dict[str, Tensor]) -> None:
    """Set weights before all patches that are there: "set" copies over whatever stands in front of it, a LoRA, too.

    ``earlier`` ones of our own are taken out; what another node has set stays, on top of ours.
    """
    present = model.model.state_dict()
    for key, wanted in tensors.items():
        if key not in present or present[key].shape != wanted.shape:
            what = f"keeps '{key}' packed" if key in present else f"has no '{key}'"
            raise UserError(
                f"{NODE}: 'model' {what}, where the weights of re-capture have {tuple(wanted.shape)} numbers of their own; "
                "load Wan2.1 T2V 1.3B with 'Load Diffusion Model'.",
                field="model",
            )
    for key, tensor in tensors.items():
        later = [entry for entry in model.patches.pop(key, []) if not sets(entry[1], earlier.get(key))]
        model.add_patches({key: ("set", (tensor,))}, 1.0)
        model.patches[key] = model.patches[key] + later


def sets(patch: object, tensor: Tensor | None) -> bool:
    """Whether a weight patch of the host sets a weight to this very tensor."""
    return tensor is not None and isinstance(patch, tuple) and patch[0] == "set" and patch[1][0] is tensor


# ---- memory: the host counts the target alone

# Whether a shape that is estimated lacks the source: in a sampling of ours alone, since what replaces a function of the
# model stays there until another clone of it is loaded, and that one is estimated before.
_uncounted: ContextVar[bool] = ContextVar("syncam_source_uncounted", default=False)


@contextmanager
def source_uncounted(lacks: bool) -> Iterator[None]:
    token = _uncounted.set(lacks)
    try:
        yield
    finally:
        _uncounted.reset(token)


def with_the_source_counted(executor: WrapperExecutor, model, noise_shape: Sequence[int], *args, **kwargs):
    """The host's PREPARE_SAMPLING wrapper: what is to be made free is for target and source, twice the frames."""
    with source_uncounted(False):
        return executor(model, [*noise_shape[:2], 2 * noise_shape[2], *noise_shape[3:]], *args, **kwargs)


class FramesTwice:
    """Stands in for a model's ``memory_required``, by which the host decides how many conditionings to stack."""

    def __init__(self, original):
        self.original = original

    def __call__(self, input_shape: Sequence[int], *args, **kwargs) -> float:
        if _uncounted.get() and len(input_shape) == 5:
            input_shape = [*input_shape[:2], 2 * input_shape[2], *input_shape[3:]]
        return self.original(input_shape, *args, **kwargs)


def with_a_source_for_every_row(executor: WrapperExecutor, x: Tensor, t: Tensor, context: Tensor, *args, **kwargs):
    """The host's DIFFUSION_MODEL wrapper: who has parted the batch has parted it from its source."""
    source = kwargs.get("time_dim_concat", args[1] if len(args) > 1 else None)
    if source is not None:
        refuse_parts(torch.Size([x.shape[0], 0]), len(source), 0, NODE)
    return executor(x, t, context, *args, **kwargs)


# ---- one forward


@dataclass(frozen=True, eq=False)
class ReCaptureInsert(Insert):
    """Cameras before a block's self-attention and the projector behind it, for one forward."""

    module: ReCapture
    poses: Tensor  # (trajectories, latent frames, 12)
    kept: bool  # cameras of windows change from forward to forward and are not

    def attention_input(self, index: int, y: Tensor, rows: slice, step: Step) -> Tensor:
        see = functools.partial(self.module.blocks[index].camera, self.poses, y)
        camera = step.once.get(("recapture", index, y.device, y.dtype), see) if self.kept else see()
        which = [row % len(self.poses) for row in range(*rows.indices(step.rows))]
        y.unflatten(1, (step.grid[0], -1)).add_(camera[which].unsqueeze(2))
        return y

    def attention_output(self, index: int, y: Tensor, rows: slice, step: Step) -> Tensor:
        return self.module.blocks[index].projector(y)


@dataclass(frozen=True, eq=False)
class ReCaptureWrapper(ModuleWrapper):
    """Hands the source to every forward, and the blocks their cameras."""

    source: Tensor  # (1 or n, channels, latent frames, height, width)

    key: ClassVar[str] = RECAPTURE_KEY
    node: ClassVar[str] = NODE
    socket: ClassVar[str] = "trajectories"
    deed: ClassVar[str] = "re-capture"
    failure: ClassVar[str] = "the source would not be filmed again"

    def check_model(self, model: ModelPatcher) -> None:
        super().check_model(model)
        base = model.model
        if type(base).extra_conds is not WAN21.extra_conds or wan_of(base).in_dim != base.latent_format.latent_channels:
            raise UserError(
                f"{NODE}: 'model' is {type(base).__name__} with a condition of its own for each frame, but the source's frames "
                "have none; load Wan2.1 T2V 1.3B with 'Load Diffusion Model'.",
                field="model",
            )

    def check_latent(self, shape: Sequence[int], geometry: Geometry, node: str = "") -> None:
        node = node or self.node
        count, frames = self.cameras.poses.shape[:2]
        if len(shape) != 5 or shape[0] != count:
            raise UserError(
                f"{node}: 'latent' is a batch of {counted_noun(shape[0], 'video')}, but 'trajectories' of {self.node} "
                f"{'is' if count == 1 else 'are'} {count}; make it with SynCamEmptyLatent from the same trajectories.",
                field="latent",
            )
        if shape[2] != frames:
            raise UserError(
                f"{node}: 'latent' has {counted_noun(shape[2], 'latent frame')} (length {geometry.length(shape[2])}), but 'trajectories' of "
                f"{self.node} have {frames} (length {geometry.length(frames)}); set the same 'length' in both.",
                field="latent",
            )
        if tuple(shape[3:]) != tuple(self.source.shape[3:]):
            _, *have = geometry.video_size(shape)
            _, *need = geometry.video_size(self.source.shape)
            raise UserError(
                f"{node}: 'latent' is {have[0]} x {have[1]} pixels, but the source is {need[0]} x {need[1]}; set the same "
                "'width' and 'height' in SynCamSourceVideo and the latent.",
                field="latent",
            )

    def around_sampling(self, executor: WrapperExecutor, noise: Tensor, *args, **kwargs) -> Tensor:
        with source_uncounted(True):
            return super().around_sampling(executor, noise, *args, **kwargs)

    def step(self, base: BaseModel, x: Tensor, t: Tensor, options: dict, named: dict) -> Step:
        if named.get("time_dim_concat") is not None:
            raise UserError(
                f"{NODE}: a conditioning appends frames of its own to the latent (references of S2V, Phantom and the "
                "like); remove that node, the source goes in through 'source'."
            )
        added = options.get("patches", {}).get("double_block", [])
        if any(type(patch).__name__ == UNI3C for patch in added):
            raise UserError(
                f"{NODE}: Uni3C's render is of the target's frames, but the model works on those of the source, too; remove "
                "WanUni3CControlnetApply."
            )
        if x.shape[3:] != self.source.shape[3:]:
            raise UserError(
                f"{NODE}: a conditioning with an area of its own hands the model a part of the picture, but not of the source; "
                "remove Conditioning (Set Area), or give it a mask instead."
            )
        once = options.get(ONCE) or Once()
        poses = self.in_window(self.cameras.poses, 1, options)
        # In the model's own scale, on the device and in the dtype of x; once for a sampling.
        scaled = once.get(("recapture source", x.device, x.dtype), lambda: base.process_latent_in(self.source).to(x))
        source = self.in_window(scaled, 2, options)
        chunks = self.chunks(x, len(poses), options)
        named["time_dim_concat"] = source.expand(len(poses), *source.shape[1:]).repeat(chunks, 1, 1, 1, 1)
        frames, height, width = geometry_of_model(base).grid(x.shape)
        insert = ReCaptureInsert(self.module_for(base), poses, options.get("context_window") is None)
        return self.step_of(base, x, len(poses), (2 * frames, height, width), (insert,), once, named)


def check_source(source: Tensor, trajectories: TrajectoryEncoding, geometry: Geometry) -> None:
    count, frames = trajectories.poses.shape[:2]
    if source.ndim != 5 or source.shape[1] != geometry.channels or len(source) not in (1, count):
        shape = " x ".join(map(str, source.shape))
        raise UserError(
            f"{NODE}: 'source' is {shape}, but one video for all or one for each of the {count} trajectories is needed "
            f"(1 or {count} x {geometry.channels} x frames x height x width); connect SynCamSourceVideo.",
            field="source",
        )
    if source.shape[2] != frames:
        raise UserError(
            f"{NODE}: 'source' has {counted_noun(geometry.length(source.shape[2]), 'frame')}, but 'trajectories' have "
            f"{geometry.length(frames)}; set the same 'length' in SynCamSourceVideo and SynCamEncodeTrajectories.",
            field="source",
        )
    if not torch.isfinite(source).all():
        raise UserError(
            f"{NODE}: 'source' holds numbers that are not finite (NaN); give another video.", field="source"
        )
