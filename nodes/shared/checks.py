"""What every node for footage asks of the views and the rig that it is given."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ...syncam_core.cameras import PALETTE
from ...syncam_core.errors import UserError


def check_views(views: Sequence[object]) -> None:
    if not views:
        raise UserError("'views' is an empty list; connect the views of SynCam Decode Views.", field="views")
    for index, view in enumerate(views):
        which = f"'views' holds at place {index + 1}"
        if not isinstance(view, Tensor):
            raise UserError(f"{which} a {type(view).__name__}; connect the views of SynCam Decode Views.")
        shape = " x ".join(map(str, view.shape))
        if view.ndim != 4 or view.shape[3] not in (3, 4):
            remedy = "convert the mask to an image first" if view.ndim == 3 else "connect a list of image batches"
            raise UserError(f"{which} a tensor of {shape}, but frames x height x width x 3 is needed; {remedy}.")
        if 0 in view.shape:
            raise UserError(f"{which} a video without pixels ({shape}); every view needs at least one frame.")


def names_and_colors(rig: list | None, views: int) -> tuple[list[str], list[str]]:
    if not rig:
        return [f"view {i + 1}" for i in range(views)], [PALETTE[i % len(PALETTE)] for i in range(views)]
    names, colors = list(rig[0].names), list(rig[0].colors)
    if len(names) != views:
        remedy = "connect the rig that the views were made with, and the list that SynCam Decode Views gives"
        if views == 1:
            remedy = (
                "use SynCam Decode Views, or SynCam Batch to Views behind a node that gives the frames of all views in "
                "one batch, as the core's VAE Decode does"
            )
        raise UserError(
            f"'rig' has {counted_noun(len(names), 'camera')} but 'views' has {counted_noun(views, 'view')}; {remedy}.",
            field="rig",
        )
    return names, colors


def counted_noun(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def common_frame_count(views: list[Tensor], names: list[str]) -> int:
    counts = [len(view) for view in views]
    if len(set(counts)) > 1:
        listed = ", ".join(f"'{name}' has {count}" for name, count in zip(names, counts, strict=True))
        raise UserError(
            f"'views' must all have the same number of frames, but {listed}; cut the longer ones.", field="views"
        )
    return counts[0]
