"""Nodes for the finished views: decode them, show them side by side, save them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import comfy.model_management
import comfy.utils
import folder_paths
from comfy.cli_args import args
from comfy_api.latest import io, ui
from torch import Tensor

from ..syncam_core.cameras import rig_to_json
from ..syncam_core.formats.video_tag import RIG_TAG
from ..syncam_core.video import (
    FASTEST_FPS,
    MAX_COLUMNS,
    SLOWEST_FPS,
    check_video_size,
    file_slugs,
    frame_rate,
    grid_shape,
    staged_files,
    write_sheet,
    write_video,
)
from ..syncam_core.video.clip import BITS_8, in_order
from ..syncam_core.video.frames import even
from ..syncam_core.video.layouts import Layout, angle_captions, laid_out
from ..syncam_core.video.saved import SavedViews
from ..syncam_core.video.sheet import sheet_of_clips
from .checks import names_and_colors
from .footage import clips_of, film_out, film_outputs, footage_input
from .sentences import sentences_of, verdict
from .sockets import FilesType, LayoutType, RigType

if TYPE_CHECKING:
    import numpy as np

# A file name may have 255 bytes on common file systems; number, camera and extension are put behind the prefix.
LONGEST_PREFIX_PART = 180


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


# ---- inputs that two nodes share


def views_input() -> io.Image.Input:
    return io.Image.Input(
        "views", tooltip="The list from SynCam Decode Views: one batch of frames per view, all of the same length."
    )


def rig_input() -> io.Input:
    return RigType.Input(
        "rig",
        optional=True,
        tooltip="Gives the views their cameras' names and colours; it must have a camera per view.",
    )


def layout_input(purpose: str = "Arranges the views otherwise: connect SynCam Layout.") -> io.Input:
    return LayoutType.Input("layout", optional=True, tooltip=purpose)


def fps_input() -> io.Float.Input:
    """Optional, so that jobs from before there was a video still run."""
    return io.Float.Input(
        "fps",
        default=15.0,
        min=SLOWEST_FPS,
        max=FASTEST_FPS,
        step=0.01,
        optional=True,
        tooltip="Frames per second of the video output and of timecode. The SynCam weights were trained on videos of 15.",
    )


def captions(rig: list | None, layout: Layout | None) -> list[str] | None:
    """The cameras' angles in words, where the layout shows them and a rig knows them."""
    return angle_captions(rig[0]) if rig and layout is not None and layout.angles else None


# ---- judging what was given


def refusal(node_id: str, check: Callable, given: list | tuple, kind: type) -> bool | str:
    """What `validate_inputs` of a list node returns for one input; a linked input is (None,) and is judged later."""
    with_id = sentences_of(node_id)(check)
    return verdict(with_id, given[0]) if isinstance(given[0], kind) else True


def check_columns(columns: int) -> None:
    grid_shape(views=1, columns=columns)


def normal_prefix(prefix: str) -> str:
    """The prefix with "/" between folders, whichever system the workflow was made on.

    Raises ValueError where it names no file, something outside the output folder, or what no file system takes.
    """
    given = f"'filename_prefix' is {prefix[:60]!r}"
    path = os.path.normpath(prefix.strip().replace("\\", "/")).replace("\\", "/")
    parts = path.split("/")
    if path in ("", "."):
        raise ValueError(f"{given}, which names no file; use a name like 'syncam/views'.")
    if parts[0] in ("", "..") or parts[0][1:2] == ":":
        raise ValueError(f"{given}, which leads out of the output folder; use a name inside it, like 'syncam/views'.")
    if any(ord(character) < 32 for character in path):
        raise ValueError(f"{given}, which holds a control character; use letters, digits and signs.")
    longest = max(len(os.fsencode(part)) for part in parts)
    if longest > LONGEST_PREFIX_PART:
        raise ValueError(f"{given}, with a name of {longest} bytes; at most {LONGEST_PREFIX_PART} are possible.")
    return path


# ---- decoding


def view_latents(latent: Any) -> Tensor:
    """The samples of a latent, one batch item per view."""
    samples = latent.get("samples") if isinstance(latent, dict) else None
    if not isinstance(samples, Tensor) or samples.is_nested:
        raise ValueError("'latent' does not hold one tensor of samples; connect the latent of SynCam Sampler.")
    if samples.ndim not in (4, 5) or 0 in samples.shape:
        shape = " x ".join(map(str, samples.shape))
        raise ValueError(
            f"'latent' is {shape}, but views x channels x frames x height x width is needed; "
            "connect the latent of SynCam Sampler."
        )
    return samples


def decode_view(
    vae: Any,
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
        raise ValueError(
            f"'latent' has {sample.shape[1]} channels, but 'vae' decodes {expected}; load the VAE that belongs to the "
            "model, for Wan2.1 wan_2.1_vae.safetensors."
        ) from error
    return images.flatten(0, 1) if images.ndim == 5 else images


# ---- saving


def counted(frames: Iterable[np.ndarray], progress: comfy.utils.ProgressBar) -> Iterator[np.ndarray]:
    """The same frames; each one moves the progress bar, and the interrupt button works between any two."""
    for frame in frames:
        comfy.model_management.throw_exception_if_processing_interrupted()
        yield frame
        progress.update(1)


def output_place(prefix: str, height: int, width: int) -> tuple[str, str, str]:
    """The folder, its path below the output folder, and "<name>_<number>" with a number that no file there has."""
    with disk_sentences(prefix):
        folder, name, number, subfolder, _ = folder_paths.get_save_image_path(
            prefix, folder_paths.get_output_directory(), width, height
        )
        present = [file.casefold() for file in os.listdir(folder)]
    # The host derives the number from names that it takes apart itself; where that fails it would count from 1 again.
    while any(file.startswith(f"{name}_{number:05}".casefold()) for file in present):
        number += 1
    return folder, subfolder, f"{name}_{number:05}"


@contextmanager
def disk_sentences(place: str) -> Iterator[None]:
    """Say in a sentence what the file system refuses: no space left, no permission, a name that is in use."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"'{place}' cannot be written to ({error.strerror or error}); nothing was saved.") from error


def workflow_tags(hidden: Any) -> dict[str, str]:
    """The tags by which a file dragged into ComfyUI brings its workflow back, as the host's Save Video writes them."""
    if args.disable_metadata or hidden is None:
        return {}
    values = dict(hidden.extra_pnginfo or {})
    if hidden.prompt is not None:
        values["prompt"] = hidden.prompt
    return {key: json.dumps(value) for key, value in values.items()}


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


def saved(file: str, subfolder: str) -> ui.SavedResult:
    return ui.SavedResult(file, subfolder, io.FolderType.output)


NODES = (SynCamDecodeViews, SynCamViewGrid, SynCamSaveViews)
