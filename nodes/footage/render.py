"""Views from latents straight to files, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import comfy.model_management
import comfy.utils
import numpy as np
from comfy.cli_args import args
from comfy.sd import VAE
from comfy_api.latest import Input, InputImpl, io
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

import nodes as host_nodes

from ...syncam_core.cameras import Rig
from ...syncam_core.errors import UserError
from ...syncam_core.video import frame_rate
from ...syncam_core.video.clip import Clip, ImageClip, MadeClip, in_order
from ...syncam_core.video.codecs import CODECS, Codec, Encoding, check_choice, encodes, frame_dtype
from ...syncam_core.video.layout import Layout
from ...syncam_core.video.spool import Spool, frame_bytes
from ...syncam_core.video.view_files import SavedViews, ViewFiles
from ..host.latents import decode_view, remarks_on_samples, view_latents
from ..host.output_files import normal_prefix, own_place, temp_folder, ticking, view_files_shown, workflow_tags
from ..host.sound import given_sound
from ..shared.checks import counted_noun, names_and_colors
from ..shared.inputs import audio_input, folder_input, fps_input, layout_input, prefix_input, rig_input
from ..shared.node import SynCamNode
from ..shared.socket_types import FilesType, InterpolationType

NODE_ID = "SynCamRenderViews"
BOTH, ONLY_VIEWS, ONLY_GRID = FILMS = ("views and grid", "views", "grid")
LEAST_MULTIPLIER, LARGEST_MULTIPLIER = 2, 16  # of the host's Run Frame Interpolation Model
MADE_AT_ONCE = 64  # frames that the interpolation gives in one go: those of a whole view are several views of memory
TILES = {"tile_size": 512, "overlap": 64, "temporal_size": 64, "temporal_overlap": 8}  # VAE Decode (Tiled)'s own
OTHER_WAY = "use SynCam Decode Views and SynCam Save Views with this VAE"


class SynCamRenderViews(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id=NODE_ID,
            display_name="SynCam Render Views",
            category="SynCam/Footage",
            description=(
                "Turns the latent of N views into files, one view at a time: decodes a view, encodes its video while "
                "it goes, and forgets it, then writes the grid, the contact sheet and the rig. Memory is a few times "
                "that of one view, however many there are. Workflow and rig are kept in every file."
            ),
            search_aliases=[
                "streaming decode",
                "vae decode to video",
                "save multi view video",
                "export h265 av1 prores ffv1",
                "low memory decode",
                "frame interpolation",
            ],
            is_output_node=True,
            inputs=[
                io.Latent.Input(
                    "latent", tooltip="One batch item per view, as SynCam Sampler or any KSampler gives it."
                ),
                io.Vae.Input("vae", tooltip="The video VAE of the model; for Wan2.1: wan_2.1_vae.safetensors."),
                prefix_input("syncam/render"),
                fps_input(
                    tooltip=(
                        "Frames per second that the views were made for. 15 is the rate of the videos that the SynCam "
                        "weights were trained on; another number plays the same frames faster or slower. With an "
                        "interpolation model the files have a multiple of it and play as long."
                    )
                ),
                codec_input(),
                io.Combo.Input(
                    "films",
                    options=list(FILMS),
                    default=BOTH,
                    tooltip="Which videos to write: one per view, all views in one picture, or both.",
                ),
                io.Boolean.Input(
                    "contact_sheet",
                    default=True,
                    tooltip="Also save one picture with a row per view and six moments of the clip.",
                ),
                io.Boolean.Input(
                    "tiled",
                    default=False,
                    tooltip=(
                        "Decode each view in tiles of 512 pixels and 64 frames, as VAE Decode (Tiled) does: slower, "
                        "for views that the decoder has no memory for at once. Without it ComfyUI still turns to tiles "
                        "when memory runs out."
                    ),
                ),
                rig_input(),
                layout_input("Arranges the grid video otherwise: connect SynCam Layout."),
                InterpolationType.Input(
                    "interpolation",
                    optional=True,
                    tooltip="Load Frame Interpolation Model (RIFE or FILM): makes frames in between, view by view.",
                ),
                io.Int.Input(
                    "multiplier",
                    default=LEAST_MULTIPLIER,
                    min=LEAST_MULTIPLIER,
                    max=LARGEST_MULTIPLIER,
                    optional=True,
                    tooltip=(
                        "With an interpolation model: how many times as many frames per second. The frames of the "
                        "model stay where they are in time."
                    ),
                ),
                audio_input("Every video carries it."),
                folder_input(),
            ],
            outputs=[
                FilesType.Output(
                    display_name="files",
                    tooltip="Which files were written, for SynCam Player and SynCam Save Edit.",
                ),
                io.Video.Output(
                    display_name="videos",
                    is_output_list=True,
                    tooltip="A list: the video file of each view, in the order of the cameras.",
                ),
                io.Video.Output(display_name="grid", tooltip="The video file with all views."),
            ],
        )

    @classmethod
    def validate_inputs(cls, filename_prefix: str | None = None, *, codec: object = None) -> bool | str:
        # The host hands over what depends on another input as well; named behind the star it is not judged here.
        return True if filename_prefix is None else cls.judged(normal_prefix, filename_prefix)

    @classmethod
    def execute(
        cls,
        latent: Input.Latent,
        vae: VAE,
        filename_prefix: str,
        fps: float,
        codec: dict[str, object] | None = None,
        films: str = BOTH,
        contact_sheet: bool = True,
        tiled: bool = False,
        rig: Rig | None = None,
        layout: Layout | None = None,
        interpolation: object = None,
        multiplier: int = LEAST_MULTIPLIER,
        audio: Mapping[str, object] | None = None,
        folder_per_take: bool = False,
    ) -> io.NodeOutput:
        samples, encoding = view_latents(latent), encoding_of(codec)
        if films not in FILMS:
            raise UserError(f"'films' is {films!r}; possible are {', '.join(FILMS)}.", field="films")
        times = multiplier if interpolation is not None else 1
        run = ViewFiles(
            *names_of(samples, rig),
            frame_rate(frame_rate(fps) * times),
            encoding,
            rig,
            layout,
            has_views=films != ONLY_GRID,
            has_grid=films != ONLY_VIEWS,
            has_sheet=contact_sheet,
            tags=workflow_tags(cls.hidden),
            tells_rig=not args.disable_metadata,
            sounds=[given_sound(audio)] * len(samples) if audio else (),
        )
        render = Render(vae, samples, frame_dtype(encoding.bits), tiled, interpolation, times)
        files, preview = written(run, render, normal_prefix(filename_prefix), folder_per_take)
        videos = [InputImpl.VideoFromFile(str(files.folder / file)) for file in files.files]
        grid = InputImpl.VideoFromFile(str(files.folder / files.grid)) if files.grid else not_written("grid")
        return io.NodeOutput(
            files if videos else not_written("files"),
            videos or [not_written("videos")],
            grid,
            ui={**view_files_shown(files, preview), "remarks": remarks_on_samples(samples)},
        )


def written(run: ViewFiles, render: Render, prefix: str, own_folder: bool) -> tuple[SavedViews, Path | None]:
    """Write everything; it appears together. Gives the files, and a preview where browsers play none of them.

    Raises UserError with a sentence, where it can before anything is decoded.
    """
    blank, views = render.blank, len(render.samples)
    blanks = [blank] * views
    run.check(blanks)
    grid, preview = run.grid_of(blanks), None
    needed = views * len(blank) * frame_bytes(blank.height, blank.width, blank.dtype)
    with (
        Spool(temp_folder(), needed) as spool,
        own_place(prefix, blank.height, blank.width, own_folder) as (stage, *place),
    ):
        files = run.planned(blanks, *place)
        if not run.encoding.in_browsers and encodes("h264", 8, grid.height, grid.width, run.fps):
            preview = own_preview(Path(files.films[0]).stem)
        progress = comfy.utils.ProgressBar(len(blank) * (views + bool(files.grid or preview)))
        run.write(stage, files, render.takes(spool), ticking(progress), preview)
    return files, preview


def names_of(samples: Tensor, rig: Rig | None) -> tuple[list[str], list[str]]:
    """Names and colours of the views. Raises UserError for a rig with another number of cameras."""
    views = len(samples)
    if rig is not None and rig.views != views:
        raise UserError(
            f"'rig' has {counted_noun(rig.views, 'camera')} but 'latent' has {counted_noun(views, 'view')}; connect the "
            "rig that the latent was made with.",
            field="rig",
        )
    return names_and_colors([rig] if rig is not None else None, views)


def codec_input() -> io.Input:
    return io.DynamicCombo.Input(
        "codec",
        options=[
            io.DynamicCombo.Option(key, [*depth_inputs(codec), *crf_inputs(codec)]) for key, codec in CODECS.items()
        ],
        tooltip=(
            "h264 plays everywhere. h265 and av1 are smaller. prores_422_hq (.mov) is for editing programs. ffv1 "
            "(.mkv) loses nothing. Browsers do not play the last two, so the node shows a preview of its own then."
        ),
    )


def depth_inputs(codec: Codec) -> list:
    """A lossy format is 8 bit unless somebody asks for more; of one that has no choice nothing is asked."""
    if len(codec.pixels) == 1:
        return []
    return [
        io.Combo.Input(
            "bit_depth",
            options=[str(bits) for bits in codec.pixels],
            default=str(min(codec.pixels)),
            tooltip="Bits per channel. More than 8 keep soft gradients free of bands; the frames are converted from the "
            "decoder's floats directly.",
        )
    ]


def crf_inputs(codec: Codec) -> list:
    if codec.crf is None:
        return []
    return [
        io.Float.Input(
            "crf",
            default=float(codec.crf),
            min=0.0,
            max=float(codec.worst_crf),
            step=0.5,
            tooltip=f"Constant quality: 0 is the best and largest, {codec.worst_crf} the worst; {codec.crf} looks like "
            "the original.",
        )
    ]


def encoding_of(choice: dict | None) -> Encoding:
    """Raises UserError for what there is not."""
    if choice is None:  # what the host makes of a key that it does not know
        raise UserError(f"'codec' is missing or unknown; possible are {', '.join(CODECS)}.", field="codec")
    codec, depth = choice.get("codec"), str(choice.get("bit_depth", ""))
    if codec in CODECS and not depth:
        depth = str(min(CODECS[codec].pixels))
    bits = int(depth) if depth.isdecimal() else 0
    check_choice(codec, bits, choice.get("crf"))
    return Encoding(codec, bits, choice.get("crf"))


@dataclass(frozen=True)
class Render:
    """One run: the views as the VAE and the frame interpolation make them, one at a time."""

    vae: VAE
    samples: Tensor  # (views, channels, latent frames, height, width), or without latent frames
    dtype: np.dtype  # of the frames
    tiled: bool
    interpolation: object
    multiplier: int

    @cached_property
    def blank(self) -> Clip:
        """A clip like each view's: what the VAE says that it will decode, interpolated.

        Raises UserError for a VAE that does not say it.
        """
        try:
            scale = self.vae.spacial_compression_decode()
            height, width = (int(side * scale) for side in self.samples.shape[-2:])
            is_video = self.samples.ndim == 5 and self.vae.latent_dim == 3
            frames = int(self.vae.upscale_ratio[0](self.samples.shape[2])) if is_video else 1
        except (AttributeError, TypeError) as problem:
            raise UserError(f"'vae' does not say how large its videos are; {OTHER_WAY}.", field="vae") from problem
        black = partial(np.zeros, (height, width, 3), self.dtype)
        return MadeClip((frames - 1) * self.multiplier + 1, height, width, self.dtype, lambda _: black())

    def takes(self, spool: Spool) -> Iterator[tuple[Clip, Iterator[np.ndarray]]]:
        """The frames of each view, and the clip that keeps them on the disk. A view's tensors are gone after it."""
        for view in range(len(self.samples)):
            comfy.model_management.throw_exception_if_processing_interrupted()
            clip = spool.new_clip(self.blank.height, self.blank.width, self.dtype)
            yield clip, clip.keeping(self.frames_of(self.decoded(view)))

    def decoded(self, view: int) -> Tensor:  # (frames, height, width, 3)
        sample = self.samples[view : view + 1]
        images = decode_view(self.vae, sample, self.decode_tiled if self.tiled else None)
        expected = self.blank
        frames = (len(images) - 1) * self.multiplier + 1
        if (frames, *images.shape[1:3]) != (len(expected), expected.height, expected.width):
            raise UserError(
                f"'vae' made {len(images)} frames of {images.shape[2]} x {images.shape[1]} pixels of a latent for "
                f"{(len(expected) - 1) // self.multiplier + 1} of {expected.width} x {expected.height}; {OTHER_WAY}.",
                field="vae",
            )
        return images

    def decode_tiled(self, sample: Tensor) -> Tensor:
        return host_nodes.VAEDecodeTiled().decode(self.vae, {"samples": sample}, **TILES)[0]

    def frames_of(self, images: Tensor) -> Iterator[np.ndarray]:
        """The frames of a view in the depth of its file, with those between them where a model makes some."""
        if self.multiplier == 1 or len(images) < 2:
            yield from in_order(ImageClip(images, self.dtype))
            return
        from comfy_extras.nodes_frame_interpolation import FrameInterpolate

        last, pairs = len(images) - 1, max(1, MADE_AT_ONCE // self.multiplier)
        for first in range(0, last, pairs):
            # Pairs of neighbours are interpolated on their own, so groups that share a frame give what all would.
            group = images[first : first + pairs + 1, ..., :3]
            made = FrameInterpolate.execute(self.interpolation, group, self.multiplier).result[0]
            yield from in_order(ImageClip(made if first + pairs >= last else made[:-1], self.dtype))


def own_preview(stem: str) -> Path:
    """A name in the temp folder that nothing has."""
    folder, number = temp_folder(), 1
    while (path := folder / f"{stem}_preview_{number:05}.mp4").exists():
        number += 1
    return path


def not_written(what: str) -> ExecutionBlocker:
    return ExecutionBlocker(
        f"{NODE_ID}: the output '{what}' is connected, but 'films' leaves its files out; set 'films' to {BOTH!r}."
    )


NODES = (SynCamRenderViews,)
