"""Putting re-capture into a host model: the source behind the target in time, its cameras around self-attention.

The module is a ModelPatcher of its own, attached to the model. Its self-attention weights go in as "set" patches beneath
every LoRA, whether one was added before or comes after. The source travels with every forward, positive and negative
alike, so that no conditioning can lack it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import comfy.model_management
import comfy.model_patcher
import torch
from comfy.model_base import BaseModel
from comfy.patcher_extension import WrapperExecutor, WrappersMP
from torch import Tensor

from ...syncam_core.cameras.trajectories import TrajectoryEncoding
from ...syncam_core.errors import UserError
from ...syncam_core.recapture.module import ReCapture
from ...syncam_core.view_sync.memory import tokens_at_once
from ...syncam_core.wan.geometry import Geometry
from .add_ons import RECAPTURE_KEY, refuse_parts, refuse_strangers, refuse_the_other, windows_over_time
from .latents import geometry_of_model
from .prompts import check_prompts
from .sampling_cache import Once
from .view_sync_patch import ONCE, block_replacements, size_name, wan_of, with_easycache
from .wan_block import STEP, BlockPatch, Insert, Step, is_block_patch, is_plain

NODE = "SynCamReCamApply"


def apply_recapture(
    model: comfy.model_patcher.ModelPatcher,
    weights: comfy.model_patcher.ModelPatcher,
    trajectories: TrajectoryEncoding,
    source: Tensor,  # (1 or n, channels, latent frames, height, width), as the VAE made it
    memory: str = "auto",
) -> comfy.model_patcher.ModelPatcher:
    """A clone of ``model`` that films ``source`` again along each of ``trajectories``, one batch item each.

    Applying again replaces the earlier one. Raises ``UserError`` if the parts do not belong together, and for a model
    with view synchronization, whose blocks know another self-attention.
    """
    refuse_the_other(model, RECAPTURE_KEY)
    check_model(model, weights)
    geometry = geometry_of_model(model.model)
    check_source(source, trajectories, geometry)
    wrapper = ReCaptureWrapper(weights, trajectories, source, memory)
    patched = model.clone()
    put_beneath(patched, {f"diffusion_model.{k}": ("set", (v,)) for k, v in weights.model.self_attention.items()})
    patched.set_additional_models(RECAPTURE_KEY, [weights])
    for kind, call in (
        (WrappersMP.APPLY_MODEL, wrapper),
        (WrappersMP.OUTER_SAMPLE, wrapper.around_sampling),
        (WrappersMP.PREPARE_SAMPLING, with_the_source_counted),
    ):
        patched.remove_wrappers_with_key(kind, RECAPTURE_KEY)
        patched.add_wrapper_with_key(kind, RECAPTURE_KEY, call)
    counted = patched.get_model_object("memory_required")
    patched.add_object_patch("memory_required", counted if isinstance(counted, FramesTwice) else FramesTwice(counted))
    present = block_replacements(patched.model_options["transformer_options"])
    for index in range(len(wan_of(patched.model).blocks)):
        previous = present.get(("double_block", index))
        if not is_block_patch(previous):
            patched.set_model_patch_replace(BlockPatch(index, previous), "dit", "double_block", index)
    return patched


def recapture_of(model: comfy.model_patcher.ModelPatcher) -> ReCaptureWrapper | None:
    """The re-capture that is set on a MODEL, if any."""
    return next(iter(model.get_wrappers(WrappersMP.APPLY_MODEL, RECAPTURE_KEY)), None)


def put_beneath(model: comfy.model_patcher.ModelPatcher, patches: dict[str, tuple]) -> None:
    """Add weight patches before those that are there: "set" copies over whatever stands in front of it, a LoRA, too.

    Our own of an earlier time are taken out.
    """
    keys = model.model.state_dict().keys()
    missing = next((key for key in patches if key not in keys), None)
    if missing is not None:
        raise UserError(f"{NODE}: 'model' has no '{missing}'; load Wan2.1 T2V 1.3B with 'Load Diffusion Model'.")
    for key, patch in patches.items():
        later = [
            entry for entry in model.patches.pop(key, []) if not (isinstance(entry[1], tuple) and entry[1][0] == "set")
        ]
        model.add_patches({key: patch}, 1.0)
        model.patches[key] = model.patches[key] + later


# ---- memory: the host counts the target alone

_counted: ContextVar[bool] = ContextVar("syncam_source_counted", default=False)


@contextmanager
def source_counted() -> Iterator[None]:
    token = _counted.set(True)
    try:
        yield
    finally:
        _counted.reset(token)


def with_the_source_counted(executor: WrapperExecutor, model, noise_shape: Sequence[int], *args, **kwargs):
    """The host's PREPARE_SAMPLING wrapper: what is to be made free is for target and source, twice the frames."""
    with source_counted():
        return executor(model, [*noise_shape[:2], 2 * noise_shape[2], *noise_shape[3:]], *args, **kwargs)


class FramesTwice:
    """Stands in for a model's ``memory_required``, by which the host decides how many conditionings to stack."""

    def __init__(self, original):
        self.original = original

    def __call__(self, input_shape: Sequence[int], *args, **kwargs) -> float:
        if not _counted.get() and len(input_shape) == 5:
            input_shape = [*input_shape[:2], 2 * input_shape[2], *input_shape[3:]]
        return self.original(input_shape, *args, **kwargs)


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
class ReCaptureWrapper:
    """The host's APPLY_MODEL wrapper: hands the source to every forward, and the blocks their cameras."""

    weights: comfy.model_patcher.ModelPatcher
    trajectories: TrajectoryEncoding
    source: Tensor  # (1 or n, channels, latent frames, height, width)
    memory: str = "auto"

    def around_sampling(self, executor: WrapperExecutor, noise: Tensor, *args, **kwargs) -> Tensor:
        """The host's OUTER_SAMPLE wrapper: refuse what cannot work before any model is loaded."""
        guider = executor.class_obj
        base, count = guider.model_patcher.model, self.trajectories.views
        check_latent((kwargs.get("latent_shapes") or [noise.shape])[0], self, geometry_of_model(base))
        check_prompts(guider.conds, count, NODE, "trajectories")
        refuse_strangers(base, guider.model_options, count, is_block_patch, NODE)
        if "context_handler" in guider.model_options:
            # The host takes these options back when the sampling ends.
            guider.model_options["context_handler"] = windows_over_time(guider.model_options["context_handler"], NODE)
        # Hooks (a LoRA on one conditioning, or for a time) change the weights that read the text, in mid-sampling.
        hooked = any(entry.get("hooks") is not None for entries in guider.conds.values() for entry in entries)
        guider.model_options.setdefault("transformer_options", {})[ONCE] = Once(keeps_text=not hooked)
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
        if kwargs.get("time_dim_concat") is not None:
            raise UserError(
                f"{NODE}: a conditioning appends frames of its own to the latent (references of S2V, Phantom and the "
                "like); remove that node, the source goes in through 'source'."
            )
        if "easycache" in options:
            executor = functools.partial(with_easycache, executor, base.model_sampling)
        refuse_strangers(base, None, self.trajectories.views, node=NODE)
        window = options.get("context_window")
        poses, source = self.trajectories.poses, self.clean_source(base, x, options)
        if window is not None:
            poses = window.get_tensor(poses, dim=1)
            source = window.get_tensor(source, dim=2)
        chunks = len(options.get("cond_or_uncond", [0]))
        refuse_parts(torch.Size([x.shape[0], 0]), len(poses) * chunks, 0, NODE)
        kwargs["time_dim_concat"] = source.expand(len(poses), *source.shape[1:]).repeat(chunks, 1, 1, 1, 1)
        step = options[STEP] = self.prepare(base, x, poses, kwargs.get("clip_fea"), options)
        output = executor(x, t, c_concat, c_crossattn, control, options, **kwargs)
        if not step.blocks_run:
            raise UserError(
                f"{NODE}: another node has replaced the model's blocks after it, so the source would not be filmed "
                f"again; move {NODE} behind that node, next to the sampler."
            )
        return output

    def clean_source(self, base: BaseModel, x: Tensor, options: dict) -> Tensor:
        """The source in the model's own scale, on the device and in the dtype of ``x``; once for a sampling."""

        def make() -> Tensor:
            return base.process_latent_in(self.source).to(x)

        once = options.get(ONCE)
        return make() if once is None else once.get(("recapture source", x.device, x.dtype), make)

    def prepare(self, base: BaseModel, x: Tensor, poses: Tensor, clip_fea: Tensor | None, options: dict) -> Step:
        """What the blocks need for a forward of ``x`` (chunks * trajectories, channels, frames, height, width)."""
        geometry, wan = geometry_of_model(base), wan_of(base)
        frames, height, width = geometry.grid(x.shape)
        once: Once = options.get(ONCE) or Once()
        # With several GPUs each device has its own clone of the attached module.
        attached = base.current_patcher.get_additional_models_with_key(RECAPTURE_KEY) if base.current_patcher else []
        module = (attached or [self.weights])[0].model

        def fitting() -> int:
            free = comfy.model_management.get_free_memory(x.device) if self.memory == "auto" else 0
            return tokens_at_once(self.memory, wan.dim, (wan.dtype or x.dtype).itemsize, free)

        return Step(
            blocks=wan.blocks,
            inserts=(ReCaptureInsert(module, poses, options.get("context_window") is None),),
            views=len(poses),
            rows=x.shape[0],
            grid=(2 * frames, height, width),
            context_img_len=None if clip_fea is None else clip_fea.shape[-2],
            most_tokens=once.get(("most_tokens", x.device), fitting),
            once=once,
            blocks_run=[],
            node=NODE,
        )


# ---- judging what was given


def check_model(model: comfy.model_patcher.ModelPatcher, weights: comfy.model_patcher.ModelPatcher) -> None:
    wan = wan_of(model.model)
    blocks = list(getattr(wan, "blocks", []))
    if blocks:
        refuse_strangers(model.model, None, 1, node=NODE)
    if not blocks or not all(map(is_plain, blocks)):
        raise UserError(
            f"{NODE}: 'model' is {type(model.model).__name__}, but re-capture goes into Wan2.1 text-to-video models; "
            "load Wan2.1 T2V 1.3B with 'Load Diffusion Model'.",
            field="model",
        )
    have, need = (wan.dim, len(blocks)), (weights.model.dim, len(weights.model.blocks))
    if have != need:
        raise UserError(
            f"{NODE}: 'weights' are for a model of {size_name(need)}, but 'model' has {size_name(have)}; load the model "
            "that the weights were trained for.",
            field="weights",
        )


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
            f"{NODE}: 'source' has {geometry.length(source.shape[2])} frames, but 'trajectories' have "
            f"{geometry.length(frames)}; set the same 'length' in SynCamSourceVideo and SynCamEncodeTrajectories.",
            field="source",
        )
    if not torch.isfinite(source).all():
        raise UserError(
            f"{NODE}: 'source' holds numbers that are not finite (NaN); give another video.", field="source"
        )


def check_latent(shape: Sequence[int], recapture: ReCaptureWrapper, geometry: Geometry, node: str = NODE) -> None:
    """Raise ``UserError`` unless a latent (trajectories, channels, frames, height, width) fits source and trajectories."""
    count, frames = recapture.trajectories.poses.shape[:2]
    if len(shape) != 5 or shape[0] != count:
        raise UserError(
            f"{node}: 'latent' is a batch of {shape[0]} videos, but 'trajectories' of {NODE} are {count}; make it with "
            "SynCamEmptyLatent from the same trajectories.",
            field="latent",
        )
    if shape[2] != frames:
        raise UserError(
            f"{node}: 'latent' has {shape[2]} latent frames (length {geometry.length(shape[2])}), but 'trajectories' of "
            f"{NODE} have {frames} (length {geometry.length(frames)}); set the same 'length' in both.",
            field="latent",
        )
    if tuple(shape[3:]) != tuple(recapture.source.shape[3:]):
        _, *have = geometry.video_size(shape)
        _, *need = geometry.video_size(recapture.source.shape)
        raise UserError(
            f"{node}: 'latent' is {have[0]} x {have[1]} pixels, but the source is {need[0]} x {need[1]}; set the same "
            "'width' and 'height' in SynCamSourceVideo and the latent.",
            field="latent",
        )
