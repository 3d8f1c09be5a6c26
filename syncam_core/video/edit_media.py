"""What the writers of an edit's files know of its media: whether they are the right ones, and what they are called."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from ..disk.names import file_slugs
from ..errors import UserError
from .edit import Edit
from .sound import SoundFormat
from .view_files import NOT_CAMERAS, SavedViews

PROGRAMME = "programme"
SAME_RUN = "connect the views and the files of the same run"


def check_files(edit: Edit, files: SavedViews) -> None:
    """Raise UserError with a sentence where the files do not hold the views that the edit was made of."""
    if len(edit.names) != len(files.files):
        raise UserError(
            f"'edit' is of {len(edit.names)} views, but 'files' are of {len(files.files)}; {SAME_RUN}.", field="edit"
        )
    if edit.frames != files.frames:
        raise UserError(f"'edit' has {edit.frames} frames, but 'files' have {files.frames}; {SAME_RUN}.", field="edit")
    if edit.fps != files.fps:
        raise UserError(
            f"'edit' has {float(edit.fps):g} frames per second, but 'files' have {float(files.fps):g}; set the same "
            "'fps' in both nodes.",
            field="edit",
        )
    plain = plain_names(len(edit.names))
    if edit.names != files.names and plain not in (edit.names, files.names):
        raise UserError(
            f"'edit' is of the cameras {', '.join(edit.names[:8])}, but 'files' are of {', '.join(files.names[:8])}; "
            f"{SAME_RUN}.",
            field="edit",
        )


def plain_names(views: int) -> tuple[str, ...]:
    """What views are called where no rig names them."""
    return tuple(f"view {number + 1}" for number in range(views))


def file_stem(files: SavedViews) -> str:
    """What the names of a run's files have in common: "views_00001" of "views_00001_left.mp4" and so on."""
    slug = file_slugs(files.names, taken=NOT_CAMERAS)[0]
    return Path(files.files[0]).stem.removesuffix(f"_{slug}")


def names_of(edit: Edit, files: SavedViews) -> tuple[str, ...]:
    """The cameras' names: those of whichever had a rig."""
    return files.names if edit.names == plain_names(len(edit.names)) else edit.names


def sound_of(files: SavedViews) -> tuple[int, SoundFormat] | None:
    """The first view whose file has a sound, and what sound; it is heard from beginning to end, whoever is seen."""
    return next(((view, sound) for view, sound in enumerate(files.sounds) if sound is not None), None)


def canvas(files: SavedViews) -> tuple[int, int]:  # height and width in pixels
    """The size of the film: as high as the highest view and as wide as the widest."""
    sizes = [files.video_size(view) for view in range(len(files.files))]
    return max(height for height, _ in sizes), max(width for _, width in sizes)


def file_url(files: SavedViews, view: int) -> str:
    """The absolute URL of a view's file, "file:///films/my%20film_00001_left.mp4"."""
    return (files.folder / files.files[view]).as_uri()


def localhost_url(files: SavedViews, view: int) -> str:
    """The same with the host that programs of Final Cut Pro 7's days look for; a share on another machine keeps its own."""
    url = file_url(files, view)
    return url if urlsplit(url).netloc else url.replace("file://", "file://localhost", 1)
