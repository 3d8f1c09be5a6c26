"""Nodes that film a video again along other camera trajectories."""

from __future__ import annotations

import comfy.model_management
import comfy.utils
import torch
from comfy.model_patcher import ModelPatcher
from comfy.sd import VAE
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ...syncam_core.cameras import Rig
from ...syncam_core.cameras.rig import MAX_VIEWS
from ...syncam_core.cameras.trajectories import TrajectoryEncoding, encode_trajectories
from ...syncam_core.disk.names import natural
from ...syncam_core.errors import UserError
from ...syncam_core.view_sync.memory import MEMORY_CHOICES
from ...syncam_core.view_sync.settings import check_choice
from ...syncam_core.wan.geometry import WAN21
from ..host.latents import decode_view, geometry_of_vae, view_latents
from ..host.recapture_patch import apply_recapture
from ..host.weights_kinds import RECAPTURE, check_kind
from ..shared.checks import counted_noun
from ..shared.inputs import members_input, memory_input
from ..shared.node import SynCamNode, told_as_required
from ..shared.socket_types import RigType, TrajectoriesType, WeightsType
from ..shared.video_size import LONGEST_VIDEO, check_length, check_size, length_input, side_inputs

CATEGORY = "SynCam/ReCapture"
MOST_EVERY = 1000


class SynCamEncodeTrajectories(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamEncodeTrajectories",
            display_name="SynCam Encode Trajectories",
            category=CATEGORY,
            description=(
                "Turns the moving cameras of a rig into what the re-capture weights read: each camera's poses relative to "
                "its own first frame, in metres. Several cameras are several re-captures of one source."
            ),
            search_aliases=["recammaster", "camera trajectory", "camera embedding"],
            inputs=[
                RigType.Input(
                    "rig", tooltip="Cameras that move: SynCam ReCam Trajectories, SynCam Move Cameras, a file."
                ),
                length_input(
                    "Frames of the video, 4n+1; the same as in SynCam Source Video. The released weights know 81.",
                    least=5,
                ),
                RigType.Input(
                    "source_rig",
                    optional=True,
                    tooltip="Experimental: its first camera at frame 0 is where the source was filmed from, so that a "
                    "re-capture may begin elsewhere.",
                ),
            ],
            outputs=[
                TrajectoriesType.Output(
                    display_name="trajectories", tooltip="Goes into SynCam ReCam Apply and SynCam Empty Latent."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, length: int | None = None) -> bool | str:
        return cls.judged(check_length, length) if isinstance(length, int) else True

    @classmethod
    def execute(cls, rig: Rig, length: int, source_rig: Rig | None = None) -> io.NodeOutput:
        check_length(length)
        return io.NodeOutput(encode_trajectories(rig, length, source_rig))


class SynCamSourceVideo(SynCamNode):
    @classmethod
    def define_schema(cls):
        video = io.MultiType.Input(
            "video",
            types=[io.Image, io.Latent],
            tooltip="The frames of one video, or a latent of one or several.",
        )
        return io.Schema(
            node_id="SynCamSourceVideo",
            display_name="SynCam Source Video",
            category=CATEGORY,
            description=(
                "The video that is to be filmed again: cut to its length, scaled and cropped to the size of the model, and "
                "encoded. One for all trajectories, or one for each."
            ),
            search_aliases=["recammaster", "video to video", "source video"],
            inputs=[
                members_input("videos", video, MAX_VIEWS, "One video for all trajectories, or one for each."),
                io.Vae.Input("vae", optional=True, tooltip="The video VAE of the model; needed for images."),
                *side_inputs(),
                length_input(
                    "Frames, 4n+1; the same as in SynCam Encode Trajectories. Longer videos are cut.", least=5
                ),
                io.Int.Input(
                    "start_frame", default=0, min=0, max=LONGEST_VIDEO, tooltip="The first frame that is used."
                ),
                io.Int.Input(
                    "every",
                    default=1,
                    min=1,
                    max=MOST_EVERY,
                    tooltip="2 takes every second frame: from 60 frames per second to 30.",
                ),
            ],
            outputs=[
                io.Latent.Output(display_name="source", tooltip="Goes into SynCam ReCam Apply."),
                io.Image.Output(
                    display_name="frames",
                    tooltip="What the model sees, one video after the other; as view 0 of an edit, for one.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, length: int | None = None, videos: object = None) -> bool | str:
        # The host hands over what grows with the sockets whether it is asked for or not.
        return cls.judged(check_length, length) if isinstance(length, int) else True

    @classmethod
    def execute(
        cls,
        videos: dict[str, Tensor | dict | None],
        width: int,
        height: int,
        length: int,
        start_frame: int = 0,
        every: int = 1,
        vae: VAE | None = None,
    ) -> io.NodeOutput:
        check_size(width, height, length)
        given = videos or {}
        sockets = [(name, video) for name in sorted(given, key=natural) if (video := given[name]) is not None]
        if not sockets:
            raise UserError("'videos' is not connected; connect the frames of a video.", field="videos")
        latents, frames = [], []
        progress = comfy.utils.ProgressBar(len(sockets))
        for socket, video in sockets:
            comfy.model_management.throw_exception_if_processing_interrupted()
            if isinstance(video, dict):
                samples = given_latent(socket, video, width, height, length, start_frame, every)
                frames += [] if vae is None else [decode_view(vae, sample[None]) for sample in samples]
            else:
                shown = chosen_frames(socket, video, width, height, length, start_frame, every)
                samples = encoded(vae, shown, socket)
                frames.append(shown)
            latents.append(samples)
            progress.update(1)
        seen = (
            torch.cat(frames)
            if frames
            else ExecutionBlocker(
                "SynCamSourceVideo: 'frames' of a latent need its 'vae'; connect the video VAE of the model."
            )
        )
        return io.NodeOutput({"samples": torch.cat(latents)}, seen)

    @classmethod
    def GET_NODE_INFO_V1(cls) -> dict:
        """What clients are told: `vae` is required and the second, as it is for all but a latent alone."""
        return told_as_required(cls, super().GET_NODE_INFO_V1(), "vae")


class SynCamReCamApply(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamReCamApply",
            display_name="SynCam ReCam Apply",
            category=CATEGORY,
            description=(
                "Makes a Wan2.1 text-to-video model film the source again along each trajectory: every video of the latent "
                "batch is one re-capture of the same action. Works with the stock samplers as well; LoRAs and shift may "
                "stand before or after it. The prompt describes what happens in the source."
            ),
            search_aliases=["recammaster", "re-capture", "camera control video to video"],
            inputs=[
                io.Model.Input("model", tooltip="Wan2.1 T2V 1.3B, with any LoRA; not from SynCam Apply."),
                WeightsType.Input("weights", tooltip="ReCamMaster's, from SynCam Load Weights."),
                TrajectoriesType.Input("trajectories", tooltip="From SynCam Encode Trajectories."),
                io.Latent.Input("source", tooltip="From SynCam Source Video."),
                memory_input(),
            ],
            outputs=[
                io.Model.Output(display_name="model", tooltip="Sample a latent with one batch item per trajectory.")
            ],
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        weights: ModelPatcher,
        trajectories: TrajectoryEncoding,
        source: dict,
        memory: str = "auto",
    ) -> io.NodeOutput:
        check_kind(weights, RECAPTURE)
        check_choice("memory", memory, MEMORY_CHOICES)
        return io.NodeOutput(apply_recapture(model, weights, trajectories, source_samples(source), memory))


def source_samples(source: dict) -> Tensor:
    samples = source.get("samples") if isinstance(source, dict) else None
    if not isinstance(samples, Tensor) or samples.is_nested:
        raise UserError("'source' does not hold one tensor of samples; connect SynCamSourceVideo.", field="source")
    return samples


def given_latent(
    socket: str, latent: dict, width: int, height: int, length: int, start_frame: int, every: int
) -> Tensor:
    """The videos of a latent, cut to the length: Wan's autoencoder is causal, so their first frames stand."""
    field = f"videos.{socket}"
    if (start_frame, every) != (0, 1):
        raise UserError(
            f"'videos.{socket}' is a latent, which can only be used from its first frame on, one after the other, but "
            f"'start_frame' is {start_frame} and 'every' {every}; set them to 0 and 1, or connect the decoded video.",
            field="every" if start_frame == 0 else "start_frame",
        )
    samples = view_latents(latent)
    wanted = WAN21.latent_shape(len(samples), length, height, width)
    if samples.ndim != 5 or samples.shape[1] != wanted[1] or tuple(samples.shape[3:]) != wanted[3:]:
        shape = " x ".join(map(str, samples.shape))
        raise UserError(
            f"'videos.{socket}' is a latent of {shape}, but {width} x {height} needs "
            f"{' x '.join(map(str, wanted))}; set 'width' and 'height' to the latent's, or connect the decoded video.",
            field=field,
        )
    if samples.shape[2] < wanted[2]:
        have = WAN21.length(samples.shape[2])
        raise UserError(
            f"'videos.{socket}' has {counted_noun(have, 'frame')}, but 'length' is {length}; give a longer video, or set 'length' here and "
            f"in SynCamEncodeTrajectories to {have}.",
            field=field,
        )
    samples = samples[:, :, : wanted[2]]
    if not torch.isfinite(samples).all():
        raise UserError(f"'videos.{socket}' holds numbers that are not finite (NaN); give another video.", field=field)
    return samples


def is_video(frames: object) -> bool:
    if not isinstance(frames, Tensor) or not frames.is_floating_point():
        return False
    return frames.ndim == 4 and frames.shape[3] in (3, 4) and 0 not in frames.shape


def chosen_frames(
    socket: str, video: Tensor, width: int, height: int, length: int, start_frame: int, every: int
) -> Tensor:  # (length, height, width, 3)
    """Every so many frames from the first one on, scaled and cropped at the centre to the size."""
    field = f"videos.{socket}"
    if not is_video(video):
        raise UserError(
            f"'videos.{socket}' is no video; connect the frames of one (frames x height x width x 3), or a latent.",
            field=field,
        )
    if start_frame < 0 or every < 1:
        raise UserError(
            f"'start_frame' is {start_frame} and 'every' {every}; use 0 or more, and 1 or more.", field="start_frame"
        )
    chosen = video[start_frame::every][:length, ..., :3]
    if len(chosen) < length:
        fits = WAN21.length_below(len(chosen))
        remedy = (
            f"or set 'length' here and in SynCamEncodeTrajectories to {fits}"
            if fits >= 5
            else "as at least 5 are needed"
        )
        raise UserError(
            f"'videos.{socket}' has {counted_noun(len(video), 'frame')}, of which {len(chosen)} are left from frame "
            f"{start_frame} on with 'every' {every}, but 'length' is {length}; give a longer video, {remedy}.",
            field=field,
        )
    if not torch.isfinite(chosen).all():
        raise UserError(f"'videos.{socket}' holds pixels that are not finite (NaN); give another video.", field=field)
    if chosen.shape[1:3] != (height, width):
        chosen = comfy.utils.common_upscale(chosen.movedim(-1, 1), width, height, "bilinear", "center").movedim(1, -1)
    return chosen


def encoded(vae: VAE | None, frames: Tensor, socket: str) -> Tensor:  # (1, channels, latent frames, height, width)
    if vae is None:
        raise UserError(
            f"'videos.{socket}' is a video of images, which need 'vae'; connect {WAN21.vae_file}.", field="vae"
        )
    length, height, width = frames.shape[:3]
    told, wanted = geometry_of_vae(vae), WAN21.latent_shape(1, length, height, width)
    clean = vae.encode(frames) if told is not None and told.channels == WAN21.channels else None
    if clean is None or tuple(clean.shape) != wanted:
        raise UserError(f"'vae' is not the video VAE of {WAN21.name}; load {WAN21.vae_file}.", field="vae")
    return clean


NODES = (SynCamEncodeTrajectories, SynCamSourceVideo, SynCamReCamApply)
