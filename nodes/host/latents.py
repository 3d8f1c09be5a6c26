"""The host's LATENT, with one batch item per view: its geometry, its samples, its mask, its decoding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import comfy.model_management
import comfy.utils
import torch
from comfy.model_base import BaseModel
from comfy.sd import VAE
from torch import Tensor

from ...syncam_core.errors import UserError
from ...syncam_core.wan.geometry import KNOWN, WAN21, Geometry, geometry_of_channels

# ---- the geometry, from whoever knows it


def geometry_of_model(base: BaseModel) -> Geometry:
    """Of a model with a Wan transformer. Hosts before 0.24 do not say how much smaller than a video a latent is."""
    told = base.latent_format
    return like_known(
        told.latent_channels,
        getattr(told, "spacial_downscale_ratio", WAN21.pixels),
        getattr(told, "temporal_downscale_ratio", WAN21.frames),
        getattr(base.diffusion_model, "patch_size", WAN21.patch),
    )


def geometry_of_vae(vae: VAE) -> Geometry | None:
    """Of a VAE for videos; None for one of single pictures."""
    if getattr(vae, "latent_dim", 2) != 3:
        return None
    return like_known(vae.latent_channels, vae.spacial_compression_encode(), vae.temporal_compression_decode())


def like_known(channels: int, pixels: int, frames: int, patch: tuple[int, int, int] = WAN21.patch) -> Geometry:
    known = geometry_of_channels(channels) or WAN21  # for its words
    return replace(known, channels=channels, pixels=pixels, frames=frames, patch=tuple(patch))


# ---- decoding


def view_latents(latent: object) -> Tensor:
    """The samples of a latent, one batch item per view."""
    samples = latent.get("samples") if isinstance(latent, dict) else None
    if not isinstance(samples, Tensor) or samples.is_nested:
        raise UserError(
            "'latent' does not hold one tensor of samples; connect the latent of SynCam Sampler.", field="latent"
        )
    if samples.ndim not in (4, 5) or 0 in samples.shape:
        shape = " x ".join(map(str, samples.shape))
        raise UserError(
            f"'latent' is {shape}, but views x channels x frames x height x width is needed; "
            "connect the latent of SynCam Sampler.",
            field="latent",
        )
    return samples


def remarks_on_samples(
    samples: Tensor,  # (views, channels, frames, height, width)
) -> list[str]:
    """A sentence for a latent that is still empty: a sampler that is bypassed hands on the one it is given."""
    if bool(samples.any()):
        return []
    return [
        "'latent' is empty, nothing has been sampled: the pictures are grey; take the bypass off the sampler, or connect one."
    ]


def decode_view(
    vae: VAE,
    sample: Tensor,  # (1, channels, frames, height, width), or (1, channels, height, width) for a single frame
    decode: Callable[[Tensor], Tensor] | None = None,  # None: the whole view at once
) -> Tensor:  # (frames, height, width, 3)
    if sample.ndim == 4 and getattr(vae, "latent_dim", 2) == 3:
        sample = sample.unsqueeze(2)
    try:
        images = (decode or vae.decode)(sample)
    except RuntimeError as error:
        expected = getattr(vae, "latent_channels", sample.shape[1])
        if sample.shape[1] == expected:
            raise
        raise UserError(
            f"'latent' has {sample.shape[1]} channels, but 'vae' decodes {expected}; load the VAE that belongs to the "
            f"model, for {WAN21.name} {WAN21.vae_file}.",
            field="latent",
        ) from error
    return images.flatten(0, 1) if images.ndim == 5 else images


EMPTY_LATENT_RATIOS = ("downscale_ratio_spacial", "downscale_ratio_temporal")


# ---- what a noise mask says about views


def mask_of(latent: dict, shape: torch.Size) -> Tensor:  # (views, 1, frames, height, width)
    """What is to be generated, 1, and what stays, 0, as the host's samplers read the latent's noise mask."""
    wanted = (shape[0], 1, *shape[2:])
    mask = latent.get("noise_mask")
    return torch.ones(wanted) if mask is None else comfy.utils.reshape_mask(mask.float(), wanted).amax(1, keepdim=True)


def given_views(latent: dict, shape: torch.Size) -> list[int]:
    """The views of which nothing is to be generated."""
    if latent.get("noise_mask") is None:
        return []
    return [view for view, mask in enumerate(mask_of(latent, shape)) if not mask.any()]


# ---- the given videos


def video_latents(latent: object) -> tuple[Tensor, Geometry]:  # (views, channels, frames, height, width)
    samples = view_latents(latent)
    geometry = geometry_of_channels(samples.shape[1])
    if samples.ndim != 5 or geometry is None:
        shape, channels = " x ".join(map(str, samples.shape)), " or ".join(str(known.channels) for known in KNOWN)
        raise UserError(
            f"'latent' is {shape}, but views x {channels} x frames x height x width is needed; make it with "
            "SynCamEmptyLatent.",
            field="latent",
        )
    return samples, geometry
