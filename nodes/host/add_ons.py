"""The company that synchronized views keep: add-ons that would part them are refused, context windows are helped."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable

import comfy.context_windows
import torch
from comfy.ldm.wan.model import WanModel

from ...syncam_core.errors import UserError

TIME = 2  # of a latent (views, channels, frames, height, width)
VIEW_SYNC_KEY, RECAPTURE_KEY = "syncam_view_sync", "syncam_recapture"  # of what our nodes attach to a model


def refuse_strangers(
    base_model,
    model_options: dict | None,
    views: int,
    is_ours: Callable[[object], bool] | None = None,
    node: str = "SynCamApply",
) -> None:
    """Raise ``UserError`` if somebody has changed the model so that its views would not be synchronized.

    ``model_options`` are those of the sampling, whose block replacements ``is_ours`` recognizes; None where a guidance
    pass may rightly replace blocks. What shows only in the stream itself is found by :func:`refuse_parts`.
    """
    wan = getattr(base_model.diffusion_model, "_orig_mod", base_model.diffusion_model)  # inside torch.compile
    if not isinstance(wan, WanModel) and not type(wan).__module__.startswith("comfy."):
        raise UserError(
            f"{node}: another node has turned the model into {type(wan).__name__}, which does not let "
            f"{node} in; remove that node (ReWanPatcher of RES4LYF, for one) or switch its 'enable' off and run it "
            "once more."
        )
    if views > 1 and getattr(wan, "_true_parallel_active", False):
        raise UserError(
            f"{node}: ParallelAnything sends the views to different devices, where they cannot see each other; "
            "remove it, or use SynCamViewParallel or MultiGPU CFG Split."
        )
    if model_options is None or is_ours is None:
        return
    options = model_options.get("transformer_options", {})
    if "context_handler" in model_options and getattr(options.get("easycache"), "name", "") == "EasyCache":
        raise UserError(
            f"{node}: EasyCache takes one context window for another; use LazyCache in its place, which works with "
            "windows, or remove one of the two."
        )
    present = options.get("patches_replace", {}).get("dit", {})
    foreign = [i for i in range(len(wan.blocks)) if not is_ours(present.get(("double_block", i)))]
    if foreign:
        raise UserError(
            f"{node}: another node has replaced {numbered('block', foreign)} of the model after it, so the views "
            f"would not be synchronized there; move {node} behind that node, next to the sampler."
        )


def refuse_parts(shape: torch.Size, rows: int, tokens: int, node: str = "SynCamApply") -> None:
    """Raise ``UserError`` if a stream (batch, tokens, dim) is a part of the one of all views that was asked for."""
    if shape[0] != rows:
        raise UserError(
            f"{node}: another node hands the model {shape[0]} of {rows} videos at a time, so the views cannot see "
            "each other; remove the node that splits the batch (ParallelAnything, Skip Layer Guidance of KJNodes, ...)."
        )
    if shape[1] < tokens:
        raise UserError(
            f"{node}: another node hands the model {shape[1]} of {tokens} tokens at a time, as sequence parallelism "
            "does (USP of raylight); switch that off."
        )


def numbered(noun: str, numbers: list[int], most: int = 8) -> str:
    names = ", ".join(map(str, numbers[:most])) + (", ..." if len(numbers) > most else "")
    return f"{noun}{'s' if len(numbers) > 1 else ''} {names}"


def windows_over_time(handler, node: str = "SynCamApply") -> comfy.context_windows.ContextHandlerABC:
    """A context handler that cuts ``handler``'s windows for a batch of views, all of them at the same frames.

    The host's own windows take the timesteps, one per view, for frames and crash. The copy is for one sampling. Raises
    ``UserError`` for windows over anything but time.
    """
    if not isinstance(handler, comfy.context_windows.IndexListContextHandler):
        raise UserError(
            f"{node}: {type(handler).__name__} makes context windows in a way of its own; use Context Windows "
            "(Manual) with 'dim' 2, or Wan Context Windows."
        )
    if handler.dim != TIME:
        over = {0: "would part the views", 1: "would part the channels"}.get(handler.dim, "would part the picture")
        raise UserError(
            f"{node}: 'dim' of Context Windows (Manual) is {handler.dim}, which {over}; set it to {TIME}, which is "
            "time, or use Wan Context Windows.",
            field="dim",
        )
    helped = copy.copy(handler)
    helped.get_context_windows = functools.partial(time_windows, helped)
    return helped


def time_windows(handler, model, x_in, model_options) -> list[TimeWindow]:
    windows = type(handler).get_context_windows(handler, model, x_in, model_options)
    return [TimeWindow.like(window) for window in windows]


class TimeWindow(comfy.context_windows.IndexListContextWindow):
    """A window that leaves the batch alone."""

    @classmethod
    def like(cls, window: comfy.context_windows.IndexListContextWindow) -> TimeWindow:
        """With all that a window of this host knows, which are other things on each."""
        like = cls.__new__(cls)
        like.__dict__.update(window.__dict__)
        return like

    def get_tensor(self, full: torch.Tensor, device=None, dim=None, retain_index_list=()) -> torch.Tensor:
        if dim == 0:  # the batch: one timestep per view
            return full.to(device)
        return super().get_tensor(full, device, dim, list(retain_index_list))
