"""Seeds tried quickly: a few steps each, small, in one sheet; the one that is chosen is sampled as it promised to be."""

from __future__ import annotations

import comfy.model_management
import comfy.sample
import comfy.samplers
import comfy.utils
import torch
from comfy.model_patcher import ModelPatcher
from comfy.sd import VAE
from comfy_api.latest import io, ui
from torch import Tensor

from ...syncam_core.errors import UserError, check_number
from ...syncam_core.video.labels import draw_plate, label_plate
from ...syncam_core.view_sync.noise import shrunk
from ..host.latents import decode_view
from ..host.module_patch import module_of
from ..host.recapture_patch import ReCaptureWrapper
from ..host.resume import Job, Unfinished
from ..host.weights_kinds import refuse_bare_recapture
from ..shared.node import SynCamNode
from .sampler import LARGEST_SCALE, check_synchronized, fitted, shifted

MOST_SEEDS = 16
LAST_SEED = 0xFFFFFFFFFFFFFFFF
SCOUTED = Unfinished()  # the sheet of the last scouting: choosing another seed samples nothing


class SynCamScoutSeeds(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamScoutSeeds",
            display_name="SynCam Scout Seeds",
            category="SynCam",
            description=(
                "Tries several seeds in a few steps and at a small size, and shows them in one contact sheet. Click one: "
                "its seed goes to SynCam Sampler, which starts from the same noise in full size."
            ),
            search_aliases=["seed search", "seed explorer", "contact sheet of seeds", "storyboard", "preview seeds"],
            is_output_node=True,
            inputs=[
                io.Model.Input("model", tooltip="From SynCam Apply, as for SynCam Sampler."),
                io.Conditioning.Input("positive", tooltip="The same prompt as for SynCam Sampler."),
                io.Conditioning.Input("negative", tooltip="The same as for SynCam Sampler."),
                io.Latent.Input(
                    "latent", tooltip="The latent in full size, as for SynCam Sampler; it must be an empty one."
                ),
                io.Vae.Input("vae", tooltip="Decodes the middle moment of each view."),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=LAST_SEED,
                    control_after_generate=True,
                    tooltip="The first seed; the others follow it by one.",
                ),
                io.Int.Input("count", default=4, min=1, max=MOST_SEEDS, tooltip="How many seeds to try."),
                io.Int.Input(
                    "steps", default=8, min=1, max=100, tooltip="Steps for each seed: enough to see the scene."
                ),
                io.Float.Input(
                    "cfg",
                    default=5.0,
                    min=0.0,
                    max=LARGEST_SCALE,
                    step=0.1,
                    round=0.01,
                    tooltip="Guidance scale of the text, as in SynCam Sampler. 1 halves the time.",
                ),
                io.Float.Input(
                    "shift",
                    default=5.0,
                    min=0.0,
                    max=LARGEST_SCALE,
                    step=0.01,
                    tooltip="Shift of the timesteps, as in SynCam Sampler; 0 keeps the model's own.",
                ),
                io.Combo.Input(
                    "smaller",
                    options=["1", "2", "4"],
                    default="2",
                    tooltip="How many times smaller each side is. The noise is the coarse part of the full one, so that the "
                    "large video begins like the small one. 1 is the full size.",
                ),
                io.Int.Input(
                    "chosen",
                    default=1,
                    min=1,
                    max=MOST_SEEDS,
                    tooltip="Which row of the sheet is promoted, counted from 1; a click on the sheet sets it.",
                ),
            ],
            outputs=[
                io.Int.Output(display_name="seed", tooltip="The chosen seed, for SynCam Sampler."),
                io.Image.Output(
                    display_name="sheet", tooltip="A row for each seed, with the middle moment of each view."
                ),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        positive: list,
        negative: list,
        latent: dict,
        vae: VAE,
        seed: int,
        count: int,
        steps: int,
        cfg: float,
        shift: float = 5.0,
        smaller: str = "2",
        chosen: int = 1,
    ) -> io.NodeOutput:
        check_number("cfg", cfg, LARGEST_SCALE)
        check_number("shift", shift, LARGEST_SCALE)
        if chosen > count:
            raise UserError(f"'chosen' is {chosen}, but {count} seeds are tried; choose 1 to {count}.", field="chosen")
        if latent.get("noise_mask") is not None:
            raise UserError(
                "'latent' holds given views; scout seeds with the latent of SynCam Empty Latent.", field="latent"
            )
        module = module_of(model)
        if module is None:
            refuse_bare_recapture(model)
        check_synchronized(model, len(latent["samples"]))
        if isinstance(module, ReCaptureWrapper) and smaller != "1":
            raise UserError(
                f"'smaller' is {smaller}, but re-captures are as large as their source; set it to 1, or try the seeds on a "
                "smaller SynCamSourceVideo.",
                field="smaller",
            )
        seeds = [(seed + number) % (LAST_SEED + 1) for number in range(count)]
        job = Job(
            getattr(cls.hidden, "unique_id", None),
            model,
            (positive, negative, latent, vae),
            (*seeds, steps, cfg, shift, smaller),
        )
        _, sheet = SCOUTED.take(job)
        if sheet is None:
            scouting = Scouting(
                shifted(model, shift) if shift > 0 else model, latent, positive, negative, steps, cfg, int(smaller)
            )
            progress = comfy.utils.ProgressBar(count * steps)
            sheet = torch.stack([row_of(vae, scouting.latent_of(each, progress), f"seed {each}") for each in seeds])
        SCOUTED.keep(job, count, sheet)
        shown = ui.PreviewImage(sheet, cls=cls).as_dict()
        # web/js/scout.js makes buttons of the rows.
        shown = {"syncam_seeds": [{"seeds": [str(each) for each in seeds], "rows": shown["images"]}]}
        return io.NodeOutput(seeds[chosen - 1], sheet.flatten(0, 1)[None], ui=shown)


class Scouting:
    """Small samplings of one latent."""

    def __init__(
        self, model: ModelPatcher, latent: dict, positive: list, negative: list, steps: int, cfg: float, smaller: int
    ):
        self.model, self.texts, self.cfg, self.smaller = model, (positive, negative), cfg, smaller
        self.full = fitted(latent, model)
        schedule = (steps, model.load_device, "euler", "simple", 1.0, model.model_options)
        self.sigmas = comfy.samplers.KSampler(model, *schedule).sigmas

    def latent_of(self, seed: int, progress: comfy.utils.ProgressBar) -> Tensor:
        noise = shrunk(comfy.sample.prepare_noise(self.full, seed), self.smaller)
        return comfy.sample.sample_custom(
            *(self.model, noise, self.cfg, comfy.samplers.sampler_object("euler"), self.sigmas, *self.texts),
            torch.zeros_like(noise),
            callback=lambda *_: progress.update(1),
            disable_pbar=True,
            seed=seed,
        )


def row_of(vae: VAE, latent: Tensor, name: str) -> Tensor:  # (height, views * width, 3)
    """The middle moment of each view beside one another, with a name in the corner."""
    middle = latent.shape[2] // 2
    pictures = []
    for view in range(len(latent)):
        comfy.model_management.throw_exception_if_processing_interrupted()
        pictures.append(decode_view(vae, latent[view : view + 1, :, middle : middle + 1])[0].cpu().float())
    row = torch.cat(pictures, 1).contiguous()
    plate = label_plate(name, "#ffffff", row.shape[0], row.shape[1])
    if plate is not None:
        draw_plate(row.numpy(), plate, 0, 0)
    return row


NODES = (SynCamScoutSeeds,)
