"""View synchronization in a host model: which views look at each other, how strongly, in which forward and block."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from comfy.model_base import BaseModel
from comfy.model_patcher import ModelPatcher
from comfy.model_sampling import ModelSamplingDiscreteFlow
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...syncam_core.cameras.encoding import CameraEncoding
from ...syncam_core.errors import UserError
from ...syncam_core.view_sync.coupling import COUPLINGS, Groups, groups_of
from ...syncam_core.view_sync.module import ViewSync
from ...syncam_core.view_sync.settings import Settings
from ...syncam_core.wan.attention import Rope, grid_rope
from ...syncam_core.wan.geometry import Geometry
from ..shared.checks import counted_noun
from .add_ons import VIEW_SYNC_KEY
from .latents import geometry_of_model
from .module_patch import ONCE, ModuleWrapper, wan_of
from .sampling_cache import Once
from .wan_block import Insert, Step, replaced, view_attention

GIVEN = "syncam_given"  # a conditioning's clean latents and where they count, (views, channels + 1, ...)
ROUNDING = 1e-6  # of a noise level in float32


def apply_view_sync(
    model: ModelPatcher, weights: ModelPatcher, cameras: CameraEncoding, settings: Settings
) -> ModelPatcher:
    """A clone of ``model`` whose blocks synchronize the views of ``cameras`` while sampling is in the percent range.

    Applying again replaces the earlier one. Raises ``UserError`` if model, weights, cameras and settings do not belong
    together.
    """
    ViewSyncWrapper(weights, cameras, settings.memory, settings).check_model(model)
    settings = settings.spread(cameras.views, len(weights.model.blocks))
    return ViewSyncWrapper(weights, cameras, settings.memory, settings).put_into(model)


def view_sync_of(model: ModelPatcher) -> ViewSyncWrapper | None:
    """The view synchronization that is set on a MODEL, if any."""
    return next(iter(model.get_wrappers(WrappersMP.APPLY_MODEL, VIEW_SYNC_KEY)), None)


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
class ViewSyncWrapper(ModuleWrapper):
    settings: Settings  # whose control has one number per view

    key: ClassVar[str] = VIEW_SYNC_KEY
    node: ClassVar[str] = "SynCamApply"
    deed: ClassVar[str] = "view synchronization"
    failure: ClassVar[str] = "the views would not be synchronized"

    def check_latent(self, shape: Sequence[int], geometry: Geometry, node: str = "") -> None:
        check_latent(shape, self.cameras.poses, geometry, node or self.node)

    def seen(self, x: Tensor, named: dict) -> Tensor:
        given = named.pop(GIVEN, None)
        if given is None:
            return x
        given = given.to(x)
        return torch.where(given[:, -1:] > 0.5, given[:, :-1], x)

    def step(self, base: BaseModel, x: Tensor, t: Tensor, options: dict, named: dict) -> Step | None:
        sigma = float(t.flatten()[0])
        strength = self.strength_at(base.model_sampling, sigma)
        if not any(strength) and not replaced(wan_of(base).blocks):
            return None
        geometry, once = geometry_of_model(base), options.get(ONCE) or Once()
        poses = self.in_window(self.cameras.poses, 1, options)
        chunks = self.chunks(x, len(poses), options)  # the latent was checked before the sampling
        check_latent((len(poses), *x.shape[1:]), poses, geometry, self.node)
        grid = geometry.grid(x.shape)
        insert = self.insert(base, x, sigma, poses, grid, strength * chunks, options, once) if any(strength) else None
        return self.step_of(base, x, len(poses), grid, (insert,) if insert else (), once, named)

    def strength_at(self, model_sampling: ModelSamplingDiscreteFlow, sigma: float) -> list[float]:
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

    def insert(
        self,
        base: BaseModel,
        x: Tensor,
        sigma: float,
        poses: Tensor,
        grid: tuple[int, int, int],
        strength: list[float],  # of each row
        options: dict,
        once: Once,
    ) -> ViewSyncInsert:
        settings, wan = self.settings, wan_of(base)
        step = step_number(options, sigma)
        groups = groups_of(settings.coupling, self.cameras.poses, settings.group_size, step, once.seed)
        largest, sizes = max(len(group.members) for group in groups), grid[1:]
        only = None if settings.control is None else settings.control.blocks
        # Those of groups or windows that change from forward to forward would only fill the memory.
        changes = COUPLINGS[settings.coupling].changes or options.get("context_window") is not None
        return ViewSyncInsert(
            module=self.module_for(base),
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


def step_number(options: dict, sigma: float) -> int:
    """Which step of the schedule a forward belongs to; samplers may also ask between the steps."""
    sigmas = options.get("sample_sigmas")
    return 0 if sigmas is None else int((sigmas.cpu() - sigma).abs().argmin())


def check_latent(shape: Sequence[int], poses: Tensor, geometry: Geometry, node: str) -> None:
    """Raise ``UserError`` unless a latent (views, channels, frames, height, width) fits the cameras."""
    views, frames = poses.shape[:2]
    if len(shape) != 5 or shape[0] != views:
        raise UserError(
            f"{node}: 'latent' is a batch of {counted_noun(shape[0], 'video')}, but 'cameras' of SynCamApply has "
            f"{counted_noun(views, 'view')}; make it with SynCamEmptyLatent from the same cameras.",
            field="latent",
        )
    if shape[2] != frames:
        raise UserError(
            f"{node}: 'latent' has {counted_noun(shape[2], 'latent frame')} (length {geometry.length(shape[2])}), but 'cameras' of "
            f"SynCamApply has {frames} (length {geometry.length(frames)}); set the same 'length' in SynCamEncodeCameras and the latent.",
            field="latent",
        )
