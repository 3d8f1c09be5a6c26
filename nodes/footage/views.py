"""Nodes for the finished views: decode them, show them side by side, save them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import comfy.model_management
import comfy.utils
from comfy.cli_args import args
from comfy_api.latest import io, ui

from ...syncam_core.cameras import rig_to_json
from ...syncam_core.disk.names import file_slugs
from ...syncam_core.disk.staged import staged_files
from ...syncam_core.formats.video_tag import RIG_TAG
from ...syncam_core.video import (
    FASTEST_FPS,
    MAX_COLUMNS,
    SLOWEST_FPS,
    check_video_size,
    frame_rate,
    grid_shape,
    write_sheet,
    write_video,
)
from ...syncam_core.video.clip import BITS_8, in_order
from ...syncam_core.video.frames import even
from ...syncam_core.video.layouts import Layout, angle_captions, laid_out
from ...syncam_core.video.saved import SavedViews
from ...syncam_core.video.sheet import sheet_of_clips
from ..host.latents import decode_view, view_latents
from ..host.output_files import counted, disk_sentences, normal_prefix, output_place, saved, workflow_tags
from ..host.video import clips_of, film_out
from ..shared.checks import names_and_colors
from ..shared.errors import refusal, sentences_of
from ..shared.inputs import film_outputs, footage_input, fps_input, layout_input, rig_input
from ..shared.socket_types import FilesType


class SynCamDecodeViews(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamDecodeViews",
            display_name="SynCam Decode Views",
            category="SynCam",
            description=(
                "Decodes the latent of N views into a list of N videos (batches of frames), one view at a time, so "
                "that the decoder needs the memory of one view. Nodes behind it run once for each view."
            ),
            search_aliases=["syncammaster decode", "multi view vae decode"],
            inputs=[
                io.Latent.Input(
                    "latent", tooltip="One batch item per view, as SynCam Sampler or any KSampler gives it."
                ),
                io.Vae.Input("vae", tooltip="The video VAE of the model; for Wan2.1: wan_2.1_vae.safetensors."),
            ],
            outputs=[
                io.Image.Output(
                    display_name="views",
                    is_output_list=True,
                    tooltip="A list: one batch of frames per view, in the order of the cameras.",
                )
            ],
        )

    @classmethod
    def execute(cls, latent, vae) -> io.NodeOutput:
        with sentences_of("SynCamDecodeViews"):
            samples = view_latents(latent)
            views = []
            progress = comfy.utils.ProgressBar(len(samples))
            for index in range(len(samples)):
                comfy.model_management.throw_exception_if_processing_interrupted()
                views.append(decode_view(vae, samples[index : index + 1]))
                progress.update(1)
        return io.NodeOutput(views)


class SynCamViewGrid(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamViewGrid",
            display_name="SynCam View Grid",
            category="SynCam",
            description="Puts all views into one picture per frame, with the camera names in the cameras' colours.",
            search_aliases=[
                "syncammaster grid",
                "multi view grid",
                "view combiner",
                "side by side",
                "picture in picture",
            ],
            is_input_list=True,
            inputs=[
                footage_input(),
                io.Int.Input(
                    "columns",
                    default=0,
                    min=0,
                    max=MAX_COLUMNS,
                    tooltip=(
                        "Views per row; 0 chooses the arrangement that shows each view largest on a 16:9 screen. A "
                        "connected layout decides instead."
                    ),
                ),
                io.Boolean.Input(
                    "labels",
                    default=True,
                    tooltip=(
                        "Name each view in its top left corner: with a rig by its camera, else 'view 1', 'view 2'. A "
                        "connected layout decides instead."
                    ),
                ),
                rig_input(),
                layout_input(),
                fps_input(),
            ],
            outputs=film_outputs(),
        )

    @classmethod
    def validate_inputs(cls, columns):
        return refusal("SynCamViewGrid", check_columns, columns, int)

    @classmethod
    def execute(cls, views, columns, labels, rig=None, layout=None, fps=(15.0,)) -> io.NodeOutput:
        with sentences_of("SynCamViewGrid"):
            check_columns(columns[0])
            rate, own = frame_rate(fps[0]), Layout(columns=columns[0], names=labels[0])
            names, colors = names_and_colors(rig, len(views))
            clips = clips_of(views, names)
            chosen = layout[0] if layout else own
            return io.NodeOutput(*film_out(laid_out(clips, chosen, names, colors, rate, captions(rig, chosen)), rate))


class SynCamSaveViews(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamSaveViews",
            display_name="SynCam Save Views",
            category="SynCam",
            description=(
                "Saves one mp4 per view, a labelled grid of all views as another mp4, a contact sheet as a picture, "
                "and, with a rig connected, the rig as JSON that SynCam Load Rig reads again. The workflow is kept in "
                "every mp4 and in the sheet: drag one into ComfyUI to get it back."
            ),
            search_aliases=["syncammaster save", "save multi view video", "export views", "contact sheet"],
            is_input_list=True,
            is_output_node=True,
            inputs=[
                footage_input(),
                io.String.Input(
                    "filename_prefix",
                    default="syncam/views",
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
                    tooltip="Frames per second. The SynCam weights were trained on videos of 15.",
                ),
                rig_input(),
                # Optional, so that jobs from before there was a sheet still run.
                io.Boolean.Input(
                    "contact_sheet",
                    default=True,
                    optional=True,
                    tooltip=(
                        "Also save one picture with a row per view and six moments of the clip, to judge at a glance "
                        "whether the views show the same thing."
                    ),
                ),
                layout_input("Arranges the grid video otherwise: connect SynCam Layout."),
            ],
            outputs=[
                FilesType.Output(
                    display_name="files",
                    tooltip="Which files were written, for SynCam Player and SynCam Save Edit.",
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, filename_prefix):
        return refusal("SynCamSaveViews", normal_prefix, filename_prefix, str)

    @classmethod
    def execute(cls, views, filename_prefix, fps, rig=None, contact_sheet=(True,), layout=None) -> io.NodeOutput:
        with sentences_of("SynCamSaveViews"):
            prefix, rate = normal_prefix(filename_prefix[0]), frame_rate(fps[0])
            names, colors = names_and_colors(rig, len(views))
            clips = clips_of(views, names, BITS_8)
            chosen = layout[0] if layout else None
            grid = laid_out(clips, chosen, names, colors, rate, captions(rig, chosen))
            for film in (*clips, grid):
                check_video_size(film.height, film.width)

            sizes, frame_count = [(clip.height, clip.width) for clip in clips], len(grid)
            folder, subfolder, stem = output_place(prefix, *sizes[0])
            view_files = [f"{stem}_{slug}.mp4" for slug in file_slugs(names, taken=("grid", "rig", "sheet"))]
            grid_file, rig_file = f"{stem}_grid.mp4", f"{stem}_rig.json"
            sheet_file = f"{stem}_sheet.png" if contact_sheet[0] else ""
            tags = workflow_tags(cls.hidden)
            rig_text = ""
            if rig:
                about = video_facts(sizes, names, view_files, grid_file, sheet_file, frame_count, rate)
                rig_text = rig_to_json(rig[0], metadata=about)
            video_tags = tags if not rig or args.disable_metadata else {**tags, RIG_TAG: rig_text}
            films = [*clips, grid]
            progress = comfy.utils.ProgressBar(frame_count * len(films))
            with disk_sentences(folder), staged_files(folder) as stage:
                for file, film in zip([*view_files, grid_file], films, strict=True):
                    write_video(stage / file, counted(in_order(film), progress), rate, video_tags)
                if sheet_file:
                    write_sheet(stage / sheet_file, sheet_of_clips(clips, names, colors, rate), tags)
                if rig:
                    (stage / rig_file).write_text(rig_text, encoding="utf-8")

        # The node shows the first video at once, the others behind dots. A picture among them would make the frontend
        # show them all as pictures; under another key it stands beside them in the list of generated files.
        shown = ui.PreviewVideo([saved(file, subfolder) for file in (grid_file, *view_files)]).as_dict()
        others = [rig_file] * bool(rig) + [sheet_file] * bool(sheet_file)
        if others:
            shown["files"] = [saved(file, subfolder) for file in others]
        files = SavedViews(
            folder=Path(folder).absolute(),
            subfolder=subfolder.replace("\\", "/"),
            kind="output",
            fps=rate,
            frames=frame_count,
            names=tuple(names),
            colors=tuple(colors),
            files=tuple(view_files),
            sizes=tuple(sizes),
            grid=grid_file,
            sheet=sheet_file or None,
            rig=rig_file if rig else None,
        )
        return io.NodeOutput(files, ui=shown)


def captions(rig: list | None, layout: Layout | None) -> list[str] | None:
    """The cameras' angles in words, where the layout shows them and a rig knows them."""
    return angle_captions(rig[0]) if rig and layout is not None and layout.angles else None


def check_columns(columns: int) -> None:
    grid_shape(views=1, columns=columns)


def video_facts(
    sizes: list[tuple[int, int]],  # (height, width) of each view's frames
    names: list[str],
    view_files: list[str],
    grid_file: str,
    sheet_file: str,
    frames: int,
    fps: Fraction,
) -> dict:
    """What the saved rig says about the files beside it; sizes are the videos', in pixels."""
    sizes = [(even(height), even(width)) for height, width in sizes]
    facts = {
        "fps": float(fps),
        "frames": frames,
        "width": max(width for _, width in sizes),
        "height": max(height for height, _ in sizes),
        "views": [
            {"camera": name, "file": file, "width": width, "height": height}
            for name, file, (height, width) in zip(names, view_files, sizes, strict=True)
        ],
        "grid": grid_file,
    }
    return {**facts, "sheet": sheet_file} if sheet_file else facts


NODES = (
    SynCamDecodeViews,
    SynCamViewGrid,
    SynCamSaveViews,
)
