"""Views one by one: lists, batches and latents taken apart and put together, so that any node can work on one view."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from comfy_api.latest import Input, io
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ...syncam_core.cameras.rig import MAX_VIEWS, Rig
from ...syncam_core.cameras.spoken import choose_cameras
from ...syncam_core.errors import UserError
from ..host.latents import view_latents
from ..shared.checks import check_views, counted_noun, names_and_colors
from ..shared.inputs import items_in_order, members_input, rig_input, views_input
from ..shared.node import SynCamNode
from ..shared.socket_types import RigType

CATEGORY = "SynCam/Footage"
CALLED_BY_NAME = "The cameras of the views: lets them be called by their names."
LIST_HINT = "A list: one batch of frames per view. Nodes that take no lists run once for each."


class SynCamJoinViews(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamJoinViews",
            display_name="SynCam Join Views",
            category=CATEGORY,
            description="Makes a list of views from videos, which may come from anywhere, or from several lists.",
            search_aliases=["image list", "make list", "merge views", "combine views"],
            is_input_list=True,
            inputs=[
                members_input(
                    "views",
                    io.Image.Input("view", tooltip="The frames of one view, or a list of views."),
                    MAX_VIEWS,
                    "The views, in order; a new socket appears with each.",
                )
            ],
            outputs=[views_output()],
        )

    @classmethod
    def execute(cls, views: dict[str, list[Tensor] | None]) -> io.NodeOutput:
        joined = items_in_order(views)
        check_views(joined)
        return io.NodeOutput(joined)


class SynCamPickViews(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamPickViews",
            display_name="SynCam Pick Views",
            category=CATEGORY,
            description="Chooses views and their order, and the same cameras of the rig. The others are left out.",
            search_aliases=["select views", "reorder views", "drop view", "one view", "image from list"],
            is_input_list=True,
            inputs=[
                views_input(),
                io.String.Input(
                    "cameras",
                    default="1",
                    tooltip="Views in the new order, by number from 1 or, with a rig, by name: '3, 1' or 'cam03, left'. "
                    "Empty means all.",
                ),
                rig_input(CALLED_BY_NAME),
            ],
            outputs=[
                views_output(),
                RigType.Output(
                    display_name="rig", tooltip="The cameras of these views; nothing where no rig is connected."
                ),
            ],
        )

    @classmethod
    def execute(cls, views: list[Tensor], cameras: list[str], rig: list[Rig] | None = None) -> io.NodeOutput:
        check_views(views)
        names, _ = names_and_colors(rig, len(views))
        chosen = choose_cameras(cameras[0], names)
        nothing = ExecutionBlocker("SynCamPickViews: its output 'rig' is used, but no rig is connected to it.")
        return io.NodeOutput([views[index] for index in chosen], rig[0].select(chosen) if rig else nothing)


class SynCamReplaceView(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamReplaceView",
            display_name="SynCam Replace View",
            category=CATEGORY,
            description="Puts one view back into the list, after other nodes have worked on it.",
            search_aliases=["set view", "insert view", "exchange view"],
            is_input_list=True,
            inputs=[
                views_input(),
                io.Image.Input("view", tooltip="The new frames of the view."),
                io.String.Input(
                    "camera",
                    default="1",
                    tooltip="The view that it takes the place of: a number from 1 or, with a rig, a name.",
                ),
                rig_input(CALLED_BY_NAME),
            ],
            outputs=[views_output()],
        )

    @classmethod
    def execute(
        cls, views: list[Tensor], view: list[Tensor], camera: list[str], rig: list[Rig] | None = None
    ) -> io.NodeOutput:
        check_views(views)
        names, _ = names_and_colors(rig, len(views))
        chosen = choose_cameras(camera[0], names)
        if not camera[0].strip() or len(chosen) != 1 or len(view) != 1:
            raise UserError(
                f"'camera' is {camera[0][:40]!r} and 'view' holds {counted_noun(len(view), 'video')}, but one view takes "
                "the place of one; name one camera, and connect one video.",
                field="camera",
            )
        check_views(view)
        return io.NodeOutput([view[0] if index == chosen[0] else old for index, old in enumerate(views)])


class SynCamViewsToBatch(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamViewsToBatch",
            display_name="SynCam Views to Batch",
            category=CATEGORY,
            description=(
                "One batch with the frames of all views, those of the first view first, as the core's VAE Decode gives "
                "them."
            ),
            search_aliases=["list to batch", "stack views", "flatten views"],
            is_input_list=True,
            inputs=[views_input()],
            outputs=[
                io.Image.Output(display_name="images", tooltip="All frames of view 1, then all of view 2, and so on."),
                io.Int.Output(display_name="count", tooltip="How many views: for SynCam Batch to Views."),
            ],
        )

    @classmethod
    def execute(cls, views: list[Tensor]) -> io.NodeOutput:
        check_views(views)
        refuse_mixed("views", [tuple(view.shape) for view in views], "frames x height x width x channels")
        return io.NodeOutput(together(views), len(views))


class SynCamBatchToViews(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamBatchToViews",
            display_name="SynCam Batch to Views",
            category=CATEGORY,
            description="A list of views from one batch with the frames of all, those of the first view first.",
            search_aliases=["batch to list", "split batch", "unflatten views"],
            inputs=[
                io.Image.Input("images", tooltip="All frames of view 1, then all of view 2, and so on."),
                io.Int.Input("count", default=2, min=1, max=MAX_VIEWS, tooltip="How many views the batch holds."),
            ],
            outputs=[views_output()],
        )

    @classmethod
    def execute(cls, images: Tensor, count: int) -> io.NodeOutput:
        check_views([images])
        if len(images) % count:
            raise UserError(
                f"'images' has {counted_noun(len(images), 'frame')}, which {count} views cannot share equally; set "
                "'count' to the number of views.",
                field="images",
            )
        return io.NodeOutput(list(images.split(len(images) // count)))


class SynCamSplitLatent(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamSplitLatent",
            display_name="SynCam Split Latent",
            category=CATEGORY,
            description=(
                "Takes a latent of several views apart: a list of latents of one view each, with their noise masks and "
                "their places in the batch, so that each draws the noise it would have drawn among the others."
            ),
            search_aliases=["latent to list", "unbatch latent", "one view latent"],
            inputs=[io.Latent.Input("latent", tooltip="One batch item per view, as SynCam Sampler gives it.")],
            outputs=[
                io.Latent.Output(
                    display_name="latents",
                    is_output_list=True,
                    tooltip="A list: one latent per view. Nodes that take no lists run once for each.",
                )
            ],
        )

    @classmethod
    def execute(cls, latent: Input.Latent) -> io.NodeOutput:
        view_latents(latent)
        return io.NodeOutput(split_latent(latent))


class SynCamJoinLatents(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamJoinLatents",
            display_name="SynCam Join Latents",
            category=CATEGORY,
            description="One latent with all views, from a list of latents, or from several. Their sizes must be the same.",
            search_aliases=["list to latent", "batch latents", "merge latents"],
            is_input_list=True,
            inputs=[
                members_input(
                    "latents",
                    io.Latent.Input("latent", tooltip="A latent of one view or of several, or a list of latents."),
                    MAX_VIEWS,
                    "The latents, in order; a new socket appears with each.",
                )
            ],
            outputs=[io.Latent.Output(display_name="latent", tooltip="One batch item per view.")],
        )

    @classmethod
    def execute(cls, latents: dict[str, list[Input.Latent] | None]) -> io.NodeOutput:
        return io.NodeOutput(join_latents(items_in_order(latents)))


# ---- inputs and outputs that several nodes share


def views_output() -> io.Output:
    return io.Image.Output(display_name="views", is_output_list=True, tooltip=LIST_HINT)


def refuse_mixed(what: str, shapes: Sequence[tuple[int, ...]], axes: str) -> None:
    other = next((index for index, shape in enumerate(shapes) if shape != shapes[0]), None)
    if other is not None:
        said = [" x ".join(map(str, shape)) for shape in (shapes[0], shapes[other])]
        raise UserError(
            f"'{what}' must all have the same size, but the first is {said[0]} and number {other + 1} is {said[1]} ({axes})."
        )


def together(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat([part.to(parts[0]) for part in parts])


# ---- latents

_OWN = ("samples", "noise_mask", "batch_index")


def split_latent(latent: Input.Latent) -> list[Input.Latent]:
    """One latent per batch item, without copies.

    What has one entry for each item is taken apart, everything else is in every part. `batch_index` tells the host which
    noise an item draws.
    """
    samples, mask = latent["samples"], latent.get("noise_mask")
    count, places = len(samples), _places([latent], [samples])
    parts = []
    for index in range(count):
        part = {key: _of_item(value, index, count) for key, value in latent.items() if key not in _OWN}
        part["samples"] = samples[index : index + 1]
        if mask is not None:
            part["noise_mask"] = _mask_of_item(mask, index, samples)
        part["batch_index"] = [places[index]]
        parts.append(part)
    return parts


def _mask_of_item(mask: Tensor, index: int, samples: Tensor) -> Tensor:
    """As the host reads masks: of a video's latent, one with fewer than five axes is (frames, ...) for all items alike;
    one with fewer entries than items counts again from its first one.
    """
    if mask.ndim < samples.ndim == 5:
        return mask
    at = index % len(mask)
    return mask[at : at + 1]


def _of_item(value: object, index: int, count: int) -> object:
    if isinstance(value, Tensor) and value.ndim > 0 and len(value) == count:
        return value[index : index + 1]
    return value


def join_latents(latents: Sequence[Input.Latent]) -> Input.Latent:
    """One latent with the items of all, in order: the inverse of `split_latent`.

    Items without a noise mask beside items with one are denoised everywhere. Places in the batch are kept, unless they
    are 0, 1, 2, ... in order, which the host takes them for anyway. Raises UserError where sizes differ.
    """
    if not latents:
        raise UserError("'latents' is empty; connect at least one latent.", field="latents")
    samples = [view_latents(latent) for latent in latents]
    refuse_mixed("latents", [tuple(one.shape[1:]) for one in samples], "channels x frames x height x width")
    joined = {key: value for latent in reversed(latents) for key, value in latent.items() if key not in _OWN}
    for key, value in joined.items():
        values = [latent.get(key) for latent in latents]
        if all(isinstance(one, Tensor) and one.ndim for one in values) and [*map(len, values)] == [*map(len, samples)]:
            refuse_mixed(f"{key} of latents", [tuple(one.shape[1:]) for one in values], "without the first axis")
            joined[key] = together(values)
        elif isinstance(value, Tensor):
            joined[key] = value
    joined["samples"] = together(samples)
    if any(latent.get("noise_mask") is not None for latent in latents):
        joined["noise_mask"] = _joined_mask(latents, samples)
    places = _places(latents, samples)
    if places != list(range(len(joined["samples"]))):
        joined["batch_index"] = places
    return joined


def _joined_mask(latents: Sequence[Input.Latent], samples: Sequence[Tensor]) -> Tensor:
    masks = [latent.get("noise_mask") for latent in latents]
    first = next(mask for mask in masks if mask is not None)
    if all(mask is not None and (mask.data_ptr(), mask.shape) == (first.data_ptr(), first.shape) for mask in masks):
        return first  # one mask for all, as it was before they were taken apart
    per_item = []
    for mask, items in zip(masks, samples, strict=True):
        if mask is None:
            mask = torch.ones_like(first if first.ndim < items.ndim == 5 else first[:1])
        if items.ndim == 5 and mask.ndim < 5:
            mask = mask.reshape(1, 1, -1, *mask.shape[-2:])
        per_item += [mask[index % len(mask)][None] for index in range(len(items))]
    refuse_mixed("noise_mask of latents", [tuple(mask.shape[1:]) for mask in per_item], "without the first axis")
    return together(per_item)


def _places(latents: Sequence[Input.Latent], samples: Sequence[Tensor]) -> list[int]:
    """The places in the batch: the latents' own, or, where none has any, those in the joined one."""
    if not any("batch_index" in latent for latent in latents):
        return list(range(sum(map(len, samples))))
    places: list[int] = []
    for latent, items in zip(latents, samples, strict=True):
        own = latent.get("batch_index")
        places += own if own is not None and len(own) == len(items) else range(len(items))
    return places


NODES = (
    SynCamJoinViews,
    SynCamPickViews,
    SynCamReplaceView,
    SynCamViewsToBatch,
    SynCamBatchToViews,
    SynCamSplitLatent,
    SynCamJoinLatents,
)
