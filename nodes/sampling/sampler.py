"""The sampler for synchronized views: the host's sampling with SynCamMaster's settings and a preview of all views."""

from __future__ import annotations

from collections.abc import Sequence

import comfy.model_sampling
import comfy.sample
import comfy.samplers
import comfy.utils
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from torch import Tensor

from ...syncam_core.errors import UserError, check_number
from ...syncam_core.view_sync.noise import NOISES, noise_of_views, read_noise_order
from ...syncam_core.wan.geometry import WAN21, Geometry
from ..host.latents import EMPTY_LATENT_RATIOS, geometry_of_model, given_views
from ..host.live_preview import all_views_callback
from ..host.memory import memory_of_sampling
from ..host.module_patch import ModuleWrapper, module_of
from ..host.prompts import remarks_on_prompt
from ..host.resume import Job, going_on
from ..host.weights_kinds import refuse_bare_recapture
from ..shared.inputs import NULL_TEXT
from ..shared.node import SynCamNode

LARGEST_SCALE = 100.0  # of guidance, and of the shift
# What weights were trained on, by the width of their model: frames, width and height in pixels.
TRAINED_ON = {1536: (81, 832, 480), 128: (17, 64, 64)}  # the authors' weights, the demo model


class SynCamSampler(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamSampler",
            display_name="SynCam Sampler",
            category="SynCam",
            description=(
                "Samples all views together with the authors' settings (50 steps, CFG 5, shift 5, euler, simple) and "
                "shows a live preview of all views. The seed gives each view its own noise, as in the original. Views "
                "from SynCam Given Views come out as they went in. Queued again unchanged after an interruption, it goes "
                "on where it stopped."
            ),
            search_aliases=["syncammaster sampler", "multi view ksampler"],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="From SynCam Apply; without it the videos would not be synchronized. Or from SynCam ReCam Apply.",
                ),
                io.Conditioning.Input(
                    "positive", tooltip="One prompt for all views: what happens, not how it is filmed."
                ),
                io.Conditioning.Input("negative", tooltip="What should not be in any view."),
                io.Latent.Input(
                    "latent", tooltip="One batch item per view, from SynCam Empty Latent or SynCam Given Views."
                ),
                io.Int.Input(
                    "seed",
                    default=0,
                    min=0,
                    max=0xFFFFFFFFFFFFFFFF,
                    control_after_generate=True,
                    tooltip="The noise of view i does not change when views are added behind it.",
                ),
                io.Int.Input("steps", default=50, min=1, max=10000, tooltip="The authors use 50."),
                io.Float.Input(
                    "cfg",
                    default=5.0,
                    min=0.0,
                    max=LARGEST_SCALE,
                    step=0.1,
                    round=0.01,
                    tooltip="Guidance scale of the text. 1 skips the negative prompt and halves the time.",
                ),
                io.Combo.Input(
                    "sampler_name",
                    options=comfy.samplers.SAMPLER_NAMES,
                    default="euler",
                    tooltip="euler is the authors' solver.",
                ),
                io.Combo.Input(
                    "scheduler",
                    options=comfy.samplers.SCHEDULER_NAMES,
                    default="simple",
                    tooltip="simple gives the authors' timesteps.",
                ),
                io.Float.Input(
                    "shift",
                    default=5.0,
                    min=0.0,
                    max=LARGEST_SCALE,
                    step=0.01,
                    tooltip="Shift of the timesteps towards noise; 5 is the authors' value, 0 keeps the model's own.",
                ),
                io.Float.Input(
                    "denoise",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="Less than 1 starts from the given latent instead of pure noise.",
                ),
                # Optional, so that jobs from before they were there still run.
                io.Combo.Input(
                    "noise",
                    options=list(NOISES),
                    default="independent",
                    optional=True,
                    tooltip="independent: every view its own noise, as the weights were trained. shared: all the same. "
                    "mixed: some of both.",
                ),
                io.Float.Input(
                    "noise_mix",
                    default=0.5,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    tooltip="For mixed noise: how far any two views' noise is the same, from 0 (independent) to 1 "
                    "(shared).",
                ),
                io.String.Input(
                    "noise_order",
                    default="",
                    optional=True,
                    tooltip="Which draw of noise each view takes, like '2, 0, 1': a camera that moves to another place "
                    "in the rig keeps its noise. Empty: 0, 1, 2, ...",
                ),
                io.Boolean.Input(
                    "unsynchronized",
                    default=False,
                    optional=True,
                    tooltip="On purpose without SynCam Apply: every video of the latent is sampled by itself, for "
                    "comparison. Off, such a model is refused before anything is sampled.",
                ),
            ],
            outputs=[
                io.Latent.Output(display_name="latent", tooltip="One batch item per view, for SynCam Decode Views.")
            ],
            hidden=[io.Hidden.unique_id, io.Hidden.prompt],
            has_intermediate_output=True,  # what it says of the prompt is repeated when it answers from the cache
        )

    @classmethod
    def validate_inputs(cls, noise_order: str | None = None) -> bool | str:
        return True if noise_order in (None, NULL_TEXT) else cls.judged(read_noise_order, noise_order, None)

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        positive: list,
        negative: list,
        latent: dict,
        seed: int,
        steps: int,
        cfg: float,
        sampler_name: str,
        scheduler: str,
        shift: float = 5.0,
        denoise: float = 1.0,
        noise: str = "independent",
        noise_mix: float = 0.5,
        noise_order: str = "",
        unsynchronized: bool = False,
    ) -> io.NodeOutput:
        unique_id = getattr(cls.hidden, "unique_id", None)
        settings = (seed, steps, cfg, sampler_name, scheduler, shift, denoise, noise, noise_mix, noise_order)
        job = Job(unique_id, model, (positive, negative, latent), settings)
        check_number("cfg", cfg, LARGEST_SCALE)
        check_number("shift", shift, LARGEST_SCALE)
        model = shifted(model, shift) if shift > 0 else model
        samples = fitted(latent, model)
        module = module_of(model)
        if module is None:
            refuse_bare_recapture(model)
        if not unsynchronized:
            check_synchronized(model, len(samples))
        if module is not None:
            say_on_node(cls, what_to_expect(model, module, samples.shape, cfg))
        order = read_noise_order("" if noise_order == NULL_TEXT else noise_order, len(samples))
        own = comfy.sample.prepare_noise(samples, seed, order or latent.get("batch_index"))
        start = noise_of_views(own, seed, noise, noise_mix)
        schedule = (steps, model.load_device, sampler_name, scheduler, denoise, model.model_options)
        sigmas = comfy.samplers.KSampler(model, *schedule).sigmas
        mask = latent.get("noise_mask")
        with going_on(job, comfy.samplers.sampler_object(sampler_name), sampler_name) as (sampler, first_step):
            result = comfy.sample.sample_custom(
                *(model, start, cfg, sampler, sigmas, positive, negative, samples),
                noise_mask=mask if mask is None else mask.float(),  # the host cannot scale one of truth values
                callback=all_views_callback(model, steps, first_step, module and module.cameras, unique_id),
                disable_pbar=not comfy.utils.PROGRESS_BAR_ENABLED,
                seed=seed,
            )
        # The host's way through the model's own scale and back rounds; what is given comes out as it went in.
        for view in given_views(latent, samples.shape):
            result[view] = samples[view].to(result)
        kept = {key: value for key, value in latent.items() if key not in EMPTY_LATENT_RATIOS}
        remarks = remarks_on_prompt(getattr(cls.hidden, "prompt", None), unique_id)
        return io.NodeOutput({**kept, "samples": result}, ui={"remarks": remarks})


def check_synchronized(model: ModelPatcher, videos: int) -> None:
    """Raise UserError for several videos that a model would sample without knowing of each other."""
    if videos > 1 and module_of(model) is None:
        raise UserError(
            f"'model' does not come from SynCam Apply, so that the {videos} videos of 'latent' would show {videos} "
            "unrelated scenes; connect SynCam Apply between the model and the sampler (or take its bypass off), or switch "
            "'unsynchronized' on where that is the purpose.",
            field="model",
        )


class ShiftedFlow(comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.CONST):
    """The noise levels of a flow, as the host's ModelSamplingSD3 makes them."""


def shifted(model: ModelPatcher, shift: float) -> ModelPatcher:
    """A clone of the model whose timesteps are shifted towards noise."""
    patched, before = model.clone(), model.get_model_object("model_sampling")
    sampling = ShiftedFlow(model.model.model_config)
    sampling.set_parameters(shift=shift)
    if hasattr(before, "noise_scale"):  # older hosts have none
        sampling.set_noise_scale(before.noise_scale)
    patched.add_object_patch("model_sampling", sampling)
    return patched


def fitted(latent: dict, model: ModelPatcher) -> Tensor:
    """The samples of a LATENT; an empty one in the shape that the model has for videos of its size."""
    # Empty latents say their scale in these keys; hosts before 0.24 know neither the keys nor the arguments.
    ratios = {key: latent[key] for key in EMPTY_LATENT_RATIOS if key in latent}
    return comfy.sample.fix_empty_latent_channels(model, latent["samples"], **ratios)


def what_to_expect(model: ModelPatcher, module: ModuleWrapper, shape: Sequence[int], cfg: float) -> str:
    """Whether the weights know the size of a latent (views, channels, frames, height, width), and the memory it takes.

    Raises UserError for a latent that does not fit the cameras."""
    geometry = geometry_of_model(model.model)
    module.check_latent(shape, geometry, "SynCamSampler")
    size = untrained(shape, module.weights.model.dim, geometry)
    return ". ".join(filter(None, (size, memory_of_sampling(model, module, shape, cfg))))


def untrained(shape: Sequence[int], dim: int, geometry: Geometry = WAN21) -> str:
    """What a latent (views, channels, frames, height, width) has that the weights do not know, in one line, or ""."""
    given = geometry.video_size(shape)
    trained = TRAINED_ON.get(dim, given)
    if given == trained:
        return ""
    return "{} frames of {} x {}; the weights know {} of {} x {}, views may agree less here".format(*given, *trained)


def say_on_node(node: type[io.ComfyNode], text: str) -> None:
    """Show a text on the node while it runs, as the host's own nodes show their progress; needs a server."""
    from server import PromptServer

    server, unique_id = getattr(PromptServer, "instance", None), getattr(node.hidden, "unique_id", None)
    if text and server is not None and unique_id is not None:
        server.send_progress_text(text, unique_id)


NODES = (SynCamSampler,)
