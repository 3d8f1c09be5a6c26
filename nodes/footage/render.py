"""Views from latents straight to files, one at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import comfy.model_management
import comfy.utils
import folder_paths
import numpy as np
from comfy.cli_args import args
from comfy_api.latest import InputImpl, io, ui
from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

import nodes as host_nodes

from ...syncam_core.cameras import rig_to_json
from ...syncam_core.disk.names import file_slugs
from ...syncam_core.disk.staged import staged_files
from ...syncam_core.errors import UserError
from ...syncam_core.formats.video_tag import RIG_TAG
from ...syncam_core.video import (
    FASTEST_FPS,
    SLOWEST_FPS,
    VideoWriter,
    check_video_size,
    frame_rate,
    write_sheet,
)
from ...syncam_core.video.clip import BITS_8, Clip, ImageClip, MadeClip, in_depth, in_order
from ...syncam_core.video.codecs import CODECS, Codec, check_choice, check_encoder, encodes, frame_dtype
from ...syncam_core.video.layouts import Layout, laid_out
from ...syncam_core.video.saved import SavedViews
from ...syncam_core.video.sheet import sheet_of_clips
from ...syncam_core.video.spool import Spool, frame_bytes
from ..host.latents import decode_view, view_latents
from ..host.output_files import counted, disk_sentences, normal_prefix, output_place, saved, workflow_tags
from ..shared.checks import counted_noun, names_and_colors
from ..shared.errors import sentences_of, verdict
from ..shared.inputs import layout_input, rig_input
from ..shared.socket_types import FilesType
from .views import captions, video_facts

NODE_ID = "SynCamRenderViews"
BOTH, ONLY_VIEWS, ONLY_GRID = FILMS = ("views and grid", "views", "grid")
LEAST_MULTIPLIER, LARGEST_MULTIPLIER = 2, 16  # of the host's Run Frame Interpolation Model
MADE_AT_ONCE = 64  # frames that the interpolation gives in one go: those of a whole view are several views of memory
TILES = {"tile_size": 512, "overlap": 64, "temporal_size": 64, "temporal_overlap": 8}  # VAE Decode (Tiled)'s own
CLAIMS = 1000
OTHER_WAY = "use SynCam Decode Views and SynCam Save Views with this VAE"

InterpolationType = io.Custom("INTERP_MODEL")


class SynCamRenderViews(io.ComfyNode):
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
                io.String.Input(
                    "filename_prefix",
                    default="syncam/render",
                    tooltip=(
                        "Folder and beginning of the names, inside the output folder: <prefix>_<number>_<camera>.mp4, "
                        "..._grid.mp4, ..._sheet.png and ..._rig.json. May hold %date:yyyy-MM-dd%, %width% and the "
                        "like."
                    ),
                ),
                io.Float.Input(
                    "fps",
                    default=15.0,
                    min=SLOWEST_FPS,
                    max=FASTEST_FPS,
                    step=0.01,
                    tooltip=(
                        "Frames per second that the views were made for. 15 is the rate of the videos that the SynCam "
                        "weights were trained on; another number plays the same frames faster or slower. With an "
                        "interpolation model the files have a multiple of it and play as long."
                    ),
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
    def validate_inputs(cls, filename_prefix=None, *, codec=None):
        # The host hands over what depends on another input as well; named behind the star it is not judged here.
        return True if filename_prefix is None else verdict(sentences_of(NODE_ID)(normal_prefix), filename_prefix)

    @classmethod
    def execute(
        cls,
        latent,
        vae,
        filename_prefix,
        fps,
        codec=None,
        films=BOTH,
        contact_sheet=True,
        tiled=False,
        rig=None,
        layout=None,
        interpolation=None,
        multiplier=LEAST_MULTIPLIER,
    ) -> io.NodeOutput:
        with sentences_of(NODE_ID):
            render = Render(
                vae=vae,
                samples=view_latents(latent),
                rate=frame_rate(fps),
                format=format_of_choice(codec),
                films=films,
                sheet=contact_sheet,
                tiled=tiled,
                rig=rig,
                layout=layout,
                interpolation=interpolation,
                multiplier=multiplier if interpolation is not None else 1,
                tags=workflow_tags(cls.hidden),
            )
            files, preview = render.to_files(normal_prefix(filename_prefix))
        videos = [InputImpl.VideoFromFile(str(files.folder / file)) for file in files.files]
        grid = InputImpl.VideoFromFile(str(files.folder / files.grid)) if files.grid else not_written("grid")
        return io.NodeOutput(
            files if videos else not_written("files"),
            videos or [not_written("videos")],
            grid,
            ui=shown(files, preview),
        )


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


@dataclass(frozen=True)
class Format:
    """What `VideoWriter` takes."""

    codec: str
    bits: int
    crf: float | None

    @property
    def suffix(self) -> str:
        return CODECS[self.codec].suffix

    @property
    def in_browsers(self) -> bool:
        return CODECS[self.codec].in_browsers


def format_of_choice(choice: dict | None) -> Format:
    """Raises UserError for what there is not."""
    if choice is None:  # what the host makes of a key that it does not know
        raise UserError(f"'codec' is missing or unknown; possible are {', '.join(CODECS)}.", field="codec")
    codec, depth = choice.get("codec"), str(choice.get("bit_depth", ""))
    if codec in CODECS and not depth:
        depth = str(min(CODECS[codec].pixels))
    bits = int(depth) if depth.isdecimal() else 0
    check_choice(codec, bits, choice.get("crf"))
    return Format(codec, bits, choice.get("crf"))


@dataclass(frozen=True)
class Render:
    """One run: what is rendered, and how."""

    vae: Any
    samples: Tensor  # (views, channels, latent frames, height, width), or without latent frames
    rate: Fraction
    format: Format
    films: str
    sheet: bool
    tiled: bool
    rig: Any
    layout: Layout | None
    interpolation: Any
    multiplier: int
    tags: dict[str, str]

    def to_files(self, prefix: str) -> tuple[SavedViews, Path | None]:
        """Write everything; it appears together. Gives the files, and a preview where browsers play none of them.

        Raises UserError with a sentence, where it can before anything is decoded.
        """
        names, colors = self.names_and_colors()
        rate = frame_rate(self.rate * self.multiplier)
        blank = self.blank_clip()
        self.check(blank, names, colors, rate)

        views = len(self.samples)
        needed = views * len(blank) * frame_bytes(blank.height, blank.width, blank.dtype)
        progress = comfy.utils.ProgressBar(len(blank) * (views * (self.films != ONLY_GRID) + self.has_grid_film))
        with (
            Spool(temp_folder(), needed) as spool,
            own_place(prefix, blank.height, blank.width) as (stage, folder, subfolder, stem),
        ):
            files = self.planned(folder, subfolder, stem, blank, names, colors, rate)
            tags = {**self.tags, **self.rig_tag(files)}
            clips = [self.rendered(view, spool, files, stage, progress, tags) for view in range(views)]
            preview = self.write_grid(clips, files, stage, progress, tags)
            if files.sheet:
                self.write_sheet(clips, files, stage, tags)
            if files.rig:
                (stage / files.rig).write_text(self.rig_text(files), encoding="utf-8")
        return files, preview

    # ---- before anything is decoded

    def names_and_colors(self) -> tuple[list[str], list[str]]:
        views = len(self.samples)
        if self.rig is not None and len(self.rig.names) != views:
            raise UserError(
                f"'rig' has {counted_noun(len(self.rig.names), 'camera')} but 'latent' has "
                f"{counted_noun(views, 'view')}; connect the rig that the latent was made with.",
                field="rig",
            )
        return names_and_colors([self.rig] if self.rig is not None else None, views)

    def blank_clip(self) -> Clip:
        """A clip like each view's: what the VAE says that it will decode, interpolated."""
        try:
            scale = self.vae.spacial_compression_decode()
            height, width = (int(side * scale) for side in self.samples.shape[-2:])
            is_video = self.samples.ndim == 5 and self.vae.latent_dim == 3
            frames = int(self.vae.upscale_ratio[0](self.samples.shape[2])) if is_video else 1
        except (AttributeError, TypeError) as problem:
            raise UserError(f"'vae' does not say how large its videos are; {OTHER_WAY}.", field="vae") from problem
        dtype = frame_dtype(self.format.bits)
        return MadeClip(
            (frames - 1) * self.multiplier + 1, height, width, dtype, lambda _: np.zeros((height, width, 3), dtype)
        )

    def check(self, blank: Clip, names: list[str], colors: list[str], rate: Fraction) -> None:
        if self.films not in FILMS:
            raise UserError(f"'films' is {self.films!r}; possible are {', '.join(FILMS)}.", field="films")
        grid = self.grid([blank] * len(names), names, colors, rate)
        films = [blank] * (self.films != ONLY_GRID) + [grid] * (self.films != ONLY_VIEWS)
        for film in films:
            check_video_size(film.height, film.width, self.format.codec)
            check_encoder(self.format.codec, self.format.bits, film.height, film.width, rate)

    @property
    def needs_preview(self) -> bool:
        return not self.format.in_browsers

    @property
    def has_grid_film(self) -> bool:
        return self.films != ONLY_VIEWS or self.needs_preview

    def planned(
        self,
        folder: Path,
        subfolder: str,
        stem: str,
        blank: Clip,
        names: list[str],
        colors: list[str],
        rate: Fraction,
    ) -> SavedViews:
        suffix = self.format.suffix
        slugs = file_slugs(names, taken=("grid", "rig", "sheet")) if self.films != ONLY_GRID else []
        return SavedViews(
            folder=folder,
            subfolder=subfolder,
            kind="output",
            fps=rate,
            frames=len(blank),
            names=tuple(names),
            colors=tuple(colors),
            files=tuple(f"{stem}_{slug}{suffix}" for slug in slugs),
            sizes=((blank.height, blank.width),) * len(names),
            grid=f"{stem}_grid{suffix}" if self.films != ONLY_VIEWS else None,
            sheet=f"{stem}_sheet.png" if self.sheet else None,
            rig=f"{stem}_rig.json" if self.rig is not None else None,
        )

    # ---- the files

    def rendered(
        self,
        view: int,
        spool: Any,
        files: SavedViews,
        stage: Path,
        progress: comfy.utils.ProgressBar,
        tags: dict[str, str],
    ) -> Clip:
        """Decode one view, write its file, and keep its frames on the disk. Its tensors are gone afterwards."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        images = self.decoded(view)
        height, width = images.shape[1:3]
        dtype = self.blank_clip().dtype
        clip = spool.new_clip(height, width, dtype)
        if self.films == ONLY_GRID:
            for frame in self.frames_of(images, dtype):
                comfy.model_management.throw_exception_if_processing_interrupted()
                clip.append(frame)
            return clip
        with VideoWriter(stage / files.files[view], files.fps, tags, **vars(self.format)) as video:
            for frame in counted(self.frames_of(images, dtype), progress):
                clip.append(frame)
                video.write(frame)
        return clip

    def decoded(self, view: int) -> Tensor:  # (frames, height, width, 3)
        sample = self.samples[view : view + 1]
        images = decode_view(self.vae, sample, self.decode_tiled if self.tiled else None)
        expected = self.blank_clip()
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

    def frames_of(self, images: Tensor, dtype: np.dtype) -> Iterator[np.ndarray]:
        """The frames of a view in the depth of its file, with those between them where a model makes some."""
        if self.multiplier == 1 or len(images) < 2:
            yield from in_order(ImageClip(images, dtype))
            return
        from comfy_extras.nodes_frame_interpolation import FrameInterpolate

        last, pairs = len(images) - 1, max(1, MADE_AT_ONCE // self.multiplier)
        for first in range(0, last, pairs):
            # Pairs of neighbours are interpolated on their own, so groups that share a frame give what all would.
            group = images[first : first + pairs + 1, ..., :3]
            made = FrameInterpolate.execute(self.interpolation, group, self.multiplier).result[0]
            yield from in_order(ImageClip(made if first + pairs >= last else made[:-1], dtype))

    def write_grid(
        self,
        clips: list[Clip],
        files: SavedViews,
        stage: Path,
        progress: comfy.utils.ProgressBar,
        tags: dict[str, str],
    ) -> Path | None:
        """Write the grid, and an mp4 of it into the temp folder where browsers cannot play the file."""
        if not self.has_grid_film:
            return None
        grid = self.grid(clips, list(files.names), list(files.colors), files.fps)
        previewed = self.needs_preview and encodes("h264", 8, grid.height, grid.width, files.fps)
        preview = own_preview(Path(files.grid or files.files[0]).stem) if previewed else None
        with ExitStack() as opened:
            video = files.grid and VideoWriter(stage / files.grid, files.fps, tags, **vars(self.format))
            small = preview and VideoWriter(preview, files.fps)
            for writer in filter(None, (video, small)):
                opened.enter_context(writer)
            for frame in counted(in_order(grid), progress):
                if video:
                    video.write(frame)
                if small:
                    small.write(in_depth(frame, BITS_8))
        return preview

    def grid(self, clips: list[Clip], names: list[str], colors: list[str], rate: Fraction) -> Clip:
        rig = [self.rig] if self.rig is not None else None
        return laid_out(clips, self.layout, names, colors, rate, captions(rig, self.layout))

    def write_sheet(self, clips: list[Clip], files: SavedViews, stage: Path, tags: dict[str, str]) -> None:
        picture = sheet_of_clips(clips, files.names, files.colors, files.fps)
        write_sheet(stage / files.sheet, picture, tags)

    def rig_text(self, files: SavedViews) -> str:
        facts = video_facts(
            list(files.sizes),
            list(files.names),
            list(files.files) or [""] * len(files.names),
            files.grid or "",
            files.sheet or "",
            files.frames,
            files.fps,
        )
        return rig_to_json(self.rig, metadata=facts)

    def rig_tag(self, files: SavedViews) -> dict[str, str]:
        """The rig for the files themselves, where the host is to write anything about the run into files."""
        return {} if self.rig is None or args.disable_metadata else {RIG_TAG: self.rig_text(files)}


# ---- places


def temp_folder() -> str:
    folder = folder_paths.get_temp_directory()
    os.makedirs(folder, exist_ok=True)
    return folder


def own_preview(stem: str) -> Path:
    """A name in the temp folder that nothing has."""
    folder, number = Path(temp_folder()), 1
    while (path := folder / f"{stem}_preview_{number:05}.mp4").exists():
        number += 1
    return path


@contextmanager
def own_place(prefix: str, height: int, width: int) -> Iterator[tuple[Path, Path, str, str]]:
    """A stage for files that appear together, their folder, its path below the output folder, and their stem.

    The stem belongs to this run from the start: another process that renders under the same prefix at the same time
    gets the next number, instead of finding the names taken after hours of work.
    """
    folder, subfolder, stem = output_place(prefix, height, width)
    name, _, number = stem.rpartition("_")
    with disk_sentences(folder), ExitStack() as claimed:
        for claim in range(CLAIMS):
            stem = f"{name}_{int(number) + claim:05}"
            try:
                stage = claimed.enter_context(staged_files(folder, stem))
                break
            except FileExistsError:
                continue
        else:
            raise FileExistsError(f"{CLAIMS} runs hold the names '{name}_...'")
        yield stage, Path(folder).absolute(), subfolder.replace("\\", "/"), stem


# ---- what the node shows


def not_written(what: str) -> ExecutionBlocker:
    return ExecutionBlocker(
        f"{NODE_ID}: the output '{what}' is connected, but 'films' leaves its files out; set 'films' to {BOTH!r}."
    )


def shown(files: SavedViews, preview: Path | None) -> dict:
    """The first video is shown at once, the others behind dots; what is no video that plays stands in the list."""
    videos = [file for file in (files.grid, *files.files) if file]
    others = [file for file in (files.rig, files.sheet) if file]
    if preview is not None:
        shown = ui.PreviewVideo([ui.SavedResult(preview.name, "", io.FolderType.temp)]).as_dict()
        others = [*videos, *others]
    else:
        shown = ui.PreviewVideo([saved(file, files.subfolder) for file in videos]).as_dict()
    if others:
        shown["files"] = [saved(file, files.subfolder) for file in others]
    return shown


NODES = (SynCamRenderViews,)
