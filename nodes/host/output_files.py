"""Files in the host's output folder: where they go, what they are called, and what the host is told of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths
from comfy.cli_args import args
from comfy_api.latest import io, ui

from ...syncam_core.disk.names import LONGEST_NAME, names_in
from ...syncam_core.disk.staged import put, staged_files, staged_folder
from ...syncam_core.errors import UserError
from ...syncam_core.video.view_files import SavedViews

CLAIMS = 1000


def normal_prefix(prefix: str) -> str:
    """The prefix with "/" between folders, whichever system the workflow was made on.

    Raises UserError where it names no file, something outside the output folder, or what no file system takes.
    """
    given = f"'filename_prefix' is {prefix[:60]!r}"
    path = os.path.normpath(prefix.strip().replace("\\", "/")).replace("\\", "/")
    parts = path.split("/")
    if path in ("", "."):
        raise UserError(f"{given}, which names no file; use a name like 'syncam/views'.")
    if parts[0] in ("", "..") or parts[0][1:2] == ":":
        raise UserError(f"{given}, which leads out of the output folder; use a name inside it, like 'syncam/views'.")
    if any(ord(character) < 32 for character in path):
        raise UserError(f"{given}, which holds a control character; use letters, digits and signs.")
    longest = max(len(os.fsencode(part)) for part in parts)
    if longest > LONGEST_NAME:
        raise UserError(f"{given}, with a name of {longest} bytes; at most {LONGEST_NAME} are possible.")
    return path


# ---- saving


def ticking(progress: comfy.utils.ProgressBar) -> Callable[[], None]:
    """To be called after each step: it moves the progress bar, and lets the interrupt button work."""

    def tick() -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        progress.update(1)

    return tick


def output_place(prefix: str, height: int, width: int) -> tuple[str, str, str]:
    """The folder, its path below the output folder, and "<name>_<number>" with a number that no file there has."""
    with disk_sentences(prefix):
        folder, name, number, subfolder, _ = folder_paths.get_save_image_path(
            prefix, folder_paths.get_output_directory(), width, height
        )
        present = [file.casefold() for file in names_in(folder)]
    # The host derives the number from names that it takes apart itself; where that fails it would count from 1 again.
    while any(file.startswith(f"{name}_{number:05}".casefold()) for file in present):
        number += 1
    return folder, subfolder, f"{name}_{number:05}"


@contextmanager
def own_place(prefix: str, height: int, width: int, own_folder: bool = False) -> Iterator[tuple[Path, Path, str, str]]:
    """A stage for files that appear together, their folder, its path below the output folder, and their stem.

    The stem belongs to this run from the start: another process that saves under the same prefix at the same time gets
    the next number, instead of finding the names taken after hours of work. With `own_folder` the files stand in a
    folder that is called like the stem.
    """
    folder, subfolder, stem = output_place(prefix, height, width)
    name, _, number = stem.rpartition("_")
    with disk_sentences(folder), ExitStack() as claimed:
        for claim in range(CLAIMS):
            stem = f"{name}_{int(number) + claim:05}"
            try:
                stage = claimed.enter_context((staged_folder if own_folder else staged_files)(folder, stem))
                break
            except FileExistsError:
                continue
        else:
            raise FileExistsError(f"{CLAIMS} runs hold the names '{name}_...'")
        place, below = Path(folder).absolute(), subfolder.replace("\\", "/")
        if own_folder:
            place, below = place / stem, f"{below}/{stem}".lstrip("/")
        yield stage, place, below, stem
        if own_folder and not put(stage, place):
            raise FileExistsError(f"'{place}' exists already")


@contextmanager
def disk_sentences(place: str) -> Iterator[None]:
    """Say in a sentence what the file system refuses: no space left, no permission, a name that is in use."""
    try:
        yield
    except OSError as error:
        raise UserError(f"'{place}' cannot be written to ({error.strerror or error}); nothing was saved.") from error


def workflow_tags(hidden: io.HiddenHolder | None) -> dict[str, str]:
    """The tags by which a file dragged into ComfyUI brings its workflow back, as the host's Save Video writes them."""
    if args.disable_metadata or hidden is None:
        return {}
    values = dict(hidden.extra_pnginfo or {})
    if hidden.prompt is not None:
        values["prompt"] = hidden.prompt
    return {key: json.dumps(value) for key, value in values.items()}


def saved(file: str, subfolder: str) -> ui.SavedResult:
    return ui.SavedResult(file, subfolder, io.FolderType.output)


def temp_folder() -> Path:
    folder = Path(folder_paths.get_temp_directory())
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def view_files_shown(files: SavedViews, preview: Path | None = None) -> dict[str, object]:
    """What a node shows of its files: the first video at once, the others behind dots.

    A picture among them would make the frontend show them all as pictures; under another key it stands beside them in
    the list of generated files, as the rig does, and videos that no browser plays where there is a preview.
    """
    films, others = files.films, [file for file in (files.rig, files.sheet) if file]
    videos = [saved(file, files.subfolder) for file in films]
    if preview is not None:
        videos, others = [ui.SavedResult(preview.name, "", io.FolderType.temp)], [*films, *others]
    shown = ui.PreviewVideo(videos).as_dict()
    if others:
        shown["files"] = [saved(file, files.subfolder) for file in others]
    return shown
