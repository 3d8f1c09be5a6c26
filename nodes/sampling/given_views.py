"""Views that are given: they stay as they are while the other views are generated with them."""

from __future__ import annotations

from typing import TypeGuard

import comfy.model_management
import comfy.utils
import torch
from comfy.sd import VAE
from comfy_api.latest import io
from torch import Tensor

from ...syncam_core.cameras.rig import MAX_VIEWS
from ...syncam_core.cameras.spoken import choose_views
from ...syncam_core.disk.names import natural
from ...syncam_core.errors import UserError
from ...syncam_core.wan.geometry import Geometry
from ..host.latents import EMPTY_LATENT_RATIOS, geometry_of_vae, mask_of, video_latents
from ..shared.checks import counted_noun
from ..shared.node import SynCamNode

Video = Tensor | dict  # frames of one video, or a LATENT of one or several


class SynCamGivenViews(SynCamNode):
    @classmethod
    def define_schema(cls):
        videos = io.Autogrow.TemplatePrefix(
            io.MultiType.Input(
                "video",
                types=[io.Image, io.Latent],
                tooltip="The frames of one video, or a latent of one or several views.",
            ),
            prefix="video",
            min=0,
            max=MAX_VIEWS,
        )
        return io.Schema(
            node_id="SynCamGivenViews",
            display_name="SynCam Given Views",
            category="SynCam",
            description=(
                "Puts videos that exist into the latent, as views that stay: your own clip becomes a view, a finished "
                "set gains a camera, or one view is made anew beside the others. The weights need no training for it."
            ),
            search_aliases=["reference video", "video to multi view", "add a view", "re-roll view", "inpaint views"],
            inputs=[
                io.Latent.Input(
                    "latent",
                    tooltip="One batch item per view: from SynCam Empty Latent, or a finished set whose views stay or "
                    "are made anew.",
                ),
                io.Autogrow.Input(
                    "given",
                    template=videos,
                    optional=True,
                    tooltip="The given videos, in the order of 'views'. With none, the views named by 'views' stay as "
                    "the latent has them.",
                ),
                io.String.Input(
                    "views",
                    default="0",
                    tooltip="Which views are given, in the order of the videos: '0', '0, 2', '0-3' or 'all but 2'. "
                    "The first view has number 0.",
                ),
                io.Vae.Input("vae", optional=True, tooltip="The video VAE of the model; needed for given images only."),
            ],
            outputs=[
                io.Latent.Output(
                    display_name="latent",
                    tooltip="For SynCam Sampler, any KSampler, or SynCam Dual Guider. Its noise mask says which views "
                    "stay.",
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, views: str | None = None, given: dict | None = None) -> bool | str:
        # The host hands over what grows with the sockets whether it is asked for or not.
        return cls.judged(choose_views, views, None, "views") if isinstance(views, str) else True

    @classmethod
    def execute(
        cls, latent: dict, given: dict[str, Video | None] | None = None, views: str = "0", vae: VAE | None = None
    ) -> io.NodeOutput:
        samples, geometry = video_latents(latent)
        chosen = choose_views(views, len(samples), "views")
        mask = mask_of(latent, samples.shape).clone()
        mask[chosen] = 0
        if not mask.any():
            raise UserError(
                f"'views' leaves none of the {counted_noun(len(samples), 'view')} to be generated; leave out the "
                "view that is to be made, or set 'cameras' of SynCamEmptyLatent to a rig with one camera more.",
                field="views",
            )
        samples = with_given(samples, geometry, chosen, given or {}, vae)
        kept = {key: value for key, value in latent.items() if key not in EMPTY_LATENT_RATIOS}
        return io.NodeOutput({**kept, "samples": samples, "noise_mask": mask})


def with_given(
    samples: Tensor, geometry: Geometry, chosen: list[int], given: dict[str, Video | None], vae: VAE | None
) -> Tensor:
    """The latent with the given videos in the chosen views; without any, it must hold them already."""
    sources = [(socket, video) for socket in sorted(given, key=natural) if (video := given[socket]) is not None]
    if not sources:
        empty = [view for view in chosen if not samples[view].any()]
        if empty:
            raise UserError(
                f"'given' is not connected, and view {empty[0]} of 'latent' is empty; connect the video that view "
                f"{empty[0]} is, or a finished set as 'latent'.",
                field="given",
            )
        return samples
    videos = [number_of_videos(socket, source) for socket, source in sources]
    if sum(videos) != len(chosen):
        raise UserError(
            f"'given' holds {counted_noun(sum(videos), 'video')}, but 'views' names {counted_noun(len(chosen), 'view')} "
            f"({', '.join(map(str, chosen))}); name one view for each video, in their order.",
            field="given",
        )
    filled, places = samples.clone(), iter(chosen)
    for socket, source in sources:
        comfy.model_management.throw_exception_if_processing_interrupted()
        if isinstance(source, dict):
            clean = cut_latents(socket, source, samples, geometry)
        else:
            clean = encoded(socket, source, samples, geometry, vae)
        if not torch.isfinite(clean).all():
            raise UserError(
                f"'given.{socket}' holds numbers that are not finite (NaN); give another video.",
                field=f"given.{socket}",
            )
        filled = filled.to(torch.promote_types(filled.dtype, clean.dtype))  # what is given is not rounded
        for view in clean:
            filled[next(places)] = view
    return filled


def is_latent(source: Video) -> TypeGuard[dict]:
    return isinstance(source, dict)


def number_of_videos(socket: str, source: Video) -> int:
    if is_latent(source):
        samples = source.get("samples")
        if isinstance(samples, Tensor) and not samples.is_nested and samples.ndim == 5 and 0 not in samples.shape:
            return len(samples)
        raise UserError(
            f"'given.{socket}' is a latent without videos; connect one of SynCam Sampler or VAE Encode.",
            field=f"given.{socket}",
        )
    if isinstance(source, Tensor) and source.ndim == 4 and source.shape[3] in (3, 4) and 0 not in source.shape:
        return 1
    raise UserError(
        f"'given.{socket}' is no video; connect the frames of one (frames x height x width x 3), or a latent.",
        field=f"given.{socket}",
    )


def cut_latents(
    socket: str, source: dict, like: Tensor, geometry: Geometry
) -> Tensor:  # (videos, channels, frames, height, width)
    """The given latents, as long as the latent they go into: Wan's autoencoder is causal, so their first frames stand.

    Raises UserError where they are shorter or of another size; a latent is not scaled, because that blurs it.
    """
    samples = source["samples"]
    if samples.shape[1] != like.shape[1] or samples.shape[3:] != like.shape[3:]:
        raise UserError(
            f"'given.{socket}' is a latent of {pixels(samples, geometry)} with {samples.shape[1]} channels, but 'latent' "
            f"has {pixels(like, geometry)} with {like.shape[1]}; make both with the same size, or give the decoded video.",
            field=f"given.{socket}",
        )
    check_length(socket, geometry.length(samples.shape[2]), geometry.length(like.shape[2]), geometry)
    return samples[:, :, : like.shape[2]]


def encoded(
    socket: str, video: Tensor, like: Tensor, geometry: Geometry, vae: VAE | None
) -> Tensor:  # (1, channels, frames, height, width)
    """One video's frames, scaled and cropped at the centre to the size of the latent and cut to its length.

    Videos are encoded one by one, as they are decoded: batched, the host would take the frames of all for one clip.
    """
    if vae is None:
        raise UserError(
            f"'given.{socket}' is a video of images, which need 'vae'; connect {geometry.vae_file}.",
            field=f"given.{socket}",
        )
    told = geometry_of_vae(vae)
    if told is None or (told.channels, told.pixels, told.frames) != (
        geometry.channels,
        geometry.pixels,
        geometry.frames,
    ):
        raise UserError(
            f"'vae' is not the video VAE of {geometry.name}; load {geometry.vae_file}.",
            field="vae",
        )
    length, width, height = geometry.video_size(like.shape)
    check_length(socket, len(video), length, geometry)
    frames = video[:length, ..., :3]
    if frames.shape[1:3] != (height, width):
        frames = comfy.utils.common_upscale(frames.movedim(-1, 1), width, height, "bilinear", "center").movedim(1, -1)
    clean = vae.encode(frames)
    if clean.shape != (1, *like.shape[1:]):
        raise UserError(
            f"'vae' makes {' x '.join(map(str, clean.shape[1:]))} of a video of {width} x {height} and {length} frames, "
            f"but {geometry.name}'s is needed; load {geometry.vae_file}.",
            field="vae",
        )
    return clean


def check_length(socket: str, given: int, wanted: int, geometry: Geometry) -> None:
    if given < wanted:
        raise UserError(
            f"'given.{socket}' has {counted_noun(given, 'frame')}, but 'latent' has {wanted}; give a longer video, or "
            f"set 'length' of SynCamEncodeCameras and SynCamEmptyLatent "
            f"to {geometry.length_below(given)}.",
            field=f"given.{socket}",
        )


def pixels(samples: Tensor, geometry: Geometry) -> str:
    _, width, height = geometry.video_size(samples.shape)
    return f"{width} x {height}"


NODES = (SynCamGivenViews,)
