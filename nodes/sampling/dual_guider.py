"""Guidance in two directions, the text and a given video: the paper's novel-view extension."""

from __future__ import annotations

import math

import comfy.conds
import comfy.samplers
import node_helpers
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from torch import Tensor

from ...syncam_core.errors import UserError, check_number
from ..host.latents import mask_of, video_latents
from ..host.view_sync_patch import GIVEN, view_sync_of
from ..shared.node import SynCamNode

LARGEST_SCALE = 100.0


class SynCamDualGuider(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamDualGuider",
            display_name="SynCam Dual Guider",
            category="SynCam",
            description=(
                "The paper's way to follow given videos: the model sees them without noise, and the result is guided "
                "by the video and by the text, each with its own scale. For weights that were trained with such "
                "videos. The released weights were not; with them use SynCam Given Views and SynCam Sampler alone."
            ),
            search_aliases=["video guidance", "dual cfg", "novel view synthesis", "instruct pix2pix"],
            inputs=[
                io.Model.Input("model", tooltip="From SynCam Apply, which puts the given videos before the model."),
                io.Conditioning.Input("positive", tooltip="One prompt for all views."),
                io.Conditioning.Input("negative", tooltip="What guidance leads away from; in the paper an empty text."),
                io.Latent.Input(
                    "latent", tooltip="From SynCam Given Views: which views are given. Connect it to the sampler too."
                ),
                io.Float.Input(
                    "text_scale",
                    default=7.5,
                    min=0.0,
                    max=LARGEST_SCALE,
                    step=0.1,
                    round=0.01,
                    tooltip="How strongly the text guides; the paper recommends 7.5.",
                ),
                io.Float.Input(
                    "video_scale",
                    default=1.8,
                    min=0.0,
                    max=LARGEST_SCALE,
                    step=0.1,
                    round=0.01,
                    tooltip="How strongly the given videos guide; the paper recommends 1.8. 1 is plain CFG and saves "
                    "one of three evaluations.",
                ),
            ],
            outputs=[io.Guider.Output(display_name="guider", tooltip="For SamplerCustomAdvanced.")],
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        positive: list,
        negative: list,
        latent: dict,
        text_scale: float = 7.5,
        video_scale: float = 1.8,
    ) -> io.NodeOutput:
        check_number("text_scale", text_scale, LARGEST_SCALE)
        check_number("video_scale", video_scale, LARGEST_SCALE)
        synchronization = view_sync_of(model)
        if synchronization is None:
            raise UserError(
                "'model' does not come from SynCam Apply, which shows it the given videos; use that.", field="model"
            )
        samples, geometry = video_latents(latent)
        given = mask_of(latent, samples.shape) == 0
        if not given.any():
            raise UserError("'latent' has no given view; put SynCam Given Views before it.", field="latent")
        synchronization.check_latent(samples.shape, geometry, "SynCamDualGuider")
        guider = DualGuider(model, samples, given)
        guider.set_conds(positive, negative)
        guider.set_scales(text_scale, video_scale)
        return io.NodeOutput(guider)


class DualGuider(comfy.samplers.CFGGuider):
    """v = v(0,0) + s_V [v(V,0) - v(0,0)] + s_T [v(V,T) - v(V,0)], V and T the video and the text, 0 without.

    Source: SynCamMaster, section 3.5 (Eq. 7). The host combines denoised latents x - sigma v; the factors sum to one,
    so the formula is the same for them. Without the video a given view carries its noised latent.
    """

    def __init__(self, model: ModelPatcher, samples: Tensor, given: Tensor):
        super().__init__(model)
        self.samples = samples  # (views, channels, frames, height, width), as the nodes hand it on
        self.given = given  # (views, 1, frames, height, width), true where it stays
        self.clean = model.model.process_latent_in(samples)  # in the model's own scale

    def set_conds(self, positive: list, negative: list) -> None:
        mask = self.given.to(self.clean)
        shown = torch.cat([self.clean * mask, mask], dim=1)
        negative = node_helpers.conditioning_set_values(negative, {"prompt_type": "negative"})
        # Both kinds carry the tensor, in one shape, or the host would not put them into one batch.
        self.inner_set_conds(
            {
                "positive": carrying(shown, positive),
                "negative": carrying(shown, negative),
                "without_video": carrying(torch.zeros_like(shown), negative),
            }
        )

    def set_scales(self, text: float, video: float) -> None:
        self.cfg, self.video_scale = text, video

    def predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: dict | None = None, seed: int | None = None
    ) -> Tensor:
        options = model_options or {}
        text, no_text, no_video = (self.conds[name] for name in ("positive", "negative", "without_video"))
        if math.isclose(self.video_scale, 1.0):
            denoised = comfy.samplers.sampling_function(
                self.inner_model, x, timestep, no_text, text, self.cfg, model_options=options, seed=seed
            )
        else:
            with_text, without_text, without_video = self.evaluate([text, no_text, no_video], x, timestep, options)
            denoised = comfy.samplers.cfg_function(
                self.inner_model,
                with_text,
                without_text,
                self.cfg,
                x,
                timestep,
                model_options=options,
                cond=text,
                uncond=no_text,
            )
            denoised = denoised + (self.video_scale - 1) * (without_text - without_video)
        return torch.where(self.given.to(x.device), self.clean.to(x), denoised)

    def evaluate(self, conds: list, x: Tensor, timestep: Tensor, options: dict) -> list[Tensor]:
        """The three predictions, in one batch where the memory allows; who patches CFG sees the pair that it knows."""
        pair, evaluate_pair = conds[:2], options.get("sampler_calc_cond_batch_function")
        if evaluate_pair is None:
            *outputs, without_video = comfy.samplers.calc_cond_batch(self.inner_model, conds, x, timestep, options)
        else:
            about = {"conds": pair, "input": x, "sigma": timestep, "model": self.inner_model, "model_options": options}
            outputs = evaluate_pair(about)
            (without_video,) = comfy.samplers.calc_cond_batch(self.inner_model, conds[2:], x, timestep, options)
        for patch in options.get("sampler_pre_cfg_function", []):
            about = {"conds": pair, "conds_out": outputs, "cond_scale": self.cfg, "timestep": timestep, "input": x}
            about |= {"sigma": timestep, "model": self.inner_model, "model_options": options}
            outputs = patch(about)
        return [*outputs[:2], without_video]

    def sample(self, noise: Tensor, latent_image: Tensor, *args, **kwargs) -> Tensor:
        if latent_image.shape != self.samples.shape:
            raise UserError(
                f"SynCamDualGuider: 'latent' is {in_words(self.samples)}, but the sampler's latent is "
                f"{in_words(latent_image)}; connect the same latent to both.",
                field="latent",
            )
        given, samples = self.given.to(latent_image.device), self.samples.to(latent_image)
        output = super().sample(noise, torch.where(given, samples, latent_image), *args, **kwargs)
        # The way through the model's own scale and back rounds; what is given comes out as it went in.
        return torch.where(given.to(output.device), samples.to(output), output)


def carrying(shown: Tensor, conditioning: list) -> list:
    """The conditioning with the given videos for SynCam Apply; what it carries already stays."""
    cond = comfy.conds.CONDRegular(shown)
    return [
        [embedding, {**options, "model_conds": {**options.get("model_conds", {}), GIVEN: cond}}]
        for embedding, options in conditioning
    ]


def in_words(samples: Tensor) -> str:
    return " x ".join(map(str, samples.shape))


NODES = (SynCamDualGuider,)
