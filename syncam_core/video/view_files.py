"""The files of one run: a video per view, all views in one picture, the contact sheet, the rig.

Which files there are and what they are called is said in one place, and they are written in one place, from clips that
are at hand as from views that are made one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..cameras.rig import Rig
from ..cameras.rig_json import rig_to_json
from ..disk.names import file_slugs
from ..formats.video_tag import RIG_TAG
from .clip import BITS_8, Clip, in_depth, in_order
from .codecs import H264, Encoding, check_encoder
from .frames import even
from .layout import Layout
from .layout_film import angle_captions, laid_out
from .sheet import sheet_of_clips, write_sheet
from .sound import Sound, SoundFormat
from .write import VideoWriter, check_video_size

NOT_CAMERAS = ("grid", "rig", "sheet")  # what else stands behind the number in the names of a run's files


@dataclass(frozen=True)
class SavedViews:
    """The files of one run, all in one folder, with as many frames each and frame i at i / fps seconds."""

    folder: Path  # absolute
    subfolder: str  # the same below the host's output or temp folder, with "/"
    kind: str  # "output" or "temp", as the host's /view route calls the two
    fps: Fraction
    frames: int
    names: tuple[str, ...]  # of the cameras
    colors: tuple[str, ...]  # "#rrggbb"
    files: tuple[str, ...]  # file name of each view
    sizes: tuple[tuple[int, int], ...]  # (height, width) of each view's pictures
    grid: str | None = None
    sheet: str | None = None
    rig: str | None = None
    sounds: tuple[SoundFormat | None, ...] = ()  # of each view's file; empty: none has one

    def video_size(self, view: int) -> tuple[int, int]:
        """Height and width of a view's video: its pictures' with even sides."""
        height, width = self.sizes[view]
        return even(height), even(width)

    @property
    def films(self) -> list[str]:
        """The videos: that of all views first."""
        return [file for file in (self.grid, *self.files) if file]


@dataclass(frozen=True)
class ViewFiles:
    """What is to be written of N views, and how."""

    names: Sequence[str]  # of the cameras
    colors: Sequence[str]  # "#rrggbb"
    fps: Fraction
    encoding: Encoding = H264
    rig: Rig | None = None
    layout: Layout | None = None  # of all views in one picture; None: the automatic grid
    has_views: bool = True
    has_grid: bool = True
    has_sheet: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)  # of the videos and the sheet
    tells_rig: bool = True  # in the tags of the same
    sounds: Sequence[Sound | None] = ()  # of each view; the grid has the first one. Empty: none has one
    scores: Sequence[Mapping[str, object]] = ()  # what metrics said of the views: JSON objects, kept beside the rig

    def grid_of(self, clips: Sequence[Clip]) -> Clip:
        """All views in one picture. Raises UserError where the layout does not suit them."""
        return laid_out(clips, self.layout, self.names, self.colors, self.fps, captions(self.rig, self.layout))

    def check(self, clips: Sequence[Clip]) -> None:
        """Raise UserError for what the format cannot hold, or this machine cannot write: before any work.

        No frame of the clips is looked at.
        """
        grid, codec = self.grid_of(clips), self.encoding.codec
        for film in [*clips] * self.has_views + [grid] * self.has_grid:
            check_video_size(film.height, film.width, codec)
            check_encoder(codec, self.encoding.bits, film.height, film.width, self.fps)

    def planned(self, clips: Sequence[Clip], folder: Path, subfolder: str, stem: str) -> SavedViews:
        """The names of the files: "<stem>_<camera>.mp4", "<stem>_grid.mp4" and so on."""
        suffix = self.encoding.suffix
        slugs = file_slugs(self.names, taken=NOT_CAMERAS) if self.has_views else []
        return SavedViews(
            folder=folder,
            subfolder=subfolder,
            kind="output",
            fps=self.fps,
            frames=len(clips[0]),
            names=tuple(self.names),
            colors=tuple(self.colors),
            files=tuple(f"{stem}_{slug}{suffix}" for slug in slugs),
            sizes=tuple((clip.height, clip.width) for clip in clips),
            grid=f"{stem}_grid{suffix}" if self.has_grid else None,
            sheet=f"{stem}_sheet.png" if self.has_sheet else None,
            rig=f"{stem}_rig.json" if self.rig is not None else None,
            sounds=tuple(sound.format if sound else None for sound in self.sounds) if self.has_views else (),
        )

    def write(
        self,
        stage: Path,
        files: SavedViews,
        takes: Iterable[tuple[Clip, Iterable[np.ndarray]]],  # per view: its frames, and the clip that has them then
        tick: Callable[[], None],  # called after each frame; its exceptions end the work
        preview: Path | None = None,  # of the grid, for browsers
    ) -> None:
        """Write what is planned into a folder. The next view is asked for when the one before it is written."""
        facts = {**facts_of(files), **({"scores": list(self.scores)} if self.scores else {})}
        rig_text = rig_to_json(self.rig, metadata=facts) if self.rig is not None else ""
        tags = {**self.tags, RIG_TAG: rig_text} if rig_text and self.tells_rig else dict(self.tags)
        clips = []
        for view, (clip, frames) in enumerate(takes):
            sound = self.sounds[view] if self.sounds else None
            self._write_film([stage / files.files[view]] if files.files else [], frames, tags, tick, sound)
            clips.append(clip)
        if files.grid or preview:
            places = [stage / files.grid] if files.grid else []
            self._write_film(places, in_order(self.grid_of(clips)), tags, tick, first_of(self.sounds), preview)
        if files.sheet:
            write_sheet(stage / files.sheet, sheet_of_clips(clips, self.names, self.colors, self.fps), tags)
        if files.rig:
            (stage / files.rig).write_text(rig_text, encoding="utf-8")

    def _write_film(
        self,
        places: list[Path],  # one, or none
        frames: Iterable[np.ndarray],
        tags: dict[str, str],
        tick: Callable[[], None],
        sound: Sound | None,
        preview: Path | None = None,
    ) -> None:
        writers = [VideoWriter(path, self.fps, tags, **vars(self.encoding), sound=sound) for path in places]
        with ExitStack() as opened:
            videos = [opened.enter_context(writer) for writer in writers]
            small = [opened.enter_context(VideoWriter(preview, self.fps, sound=sound))] if preview else []
            for frame in frames:
                for video in videos:
                    video.write(frame)
                for video in small:
                    video.write(in_depth(frame, BITS_8))
                tick()


def first_of(sounds: Iterable[Sound | None]) -> Sound | None:
    """The sound that is heard where there is one for all views: that of the first view that has one."""
    return next((sound for sound in sounds if sound is not None), None)


def captions(rig: Rig | None, layout: Layout | None) -> list[str] | None:
    """The cameras' angles in words, where the layout shows them and a rig knows them."""
    return angle_captions(rig) if rig is not None and layout is not None and layout.angles else None


def facts_of(files: SavedViews) -> dict[str, object]:
    """What the saved rig says about the files beside it; sizes are the videos', in pixels."""
    sizes = [files.video_size(view) for view in range(len(files.sizes))]
    facts = {
        "fps": float(files.fps),
        "frames": files.frames,
        "width": max(width for _, width in sizes),
        "height": max(height for height, _ in sizes),
        "views": [
            {"camera": name, "file": file, "width": width, "height": height}
            for name, file, (height, width) in zip(
                files.names, files.files or [""] * len(files.names), sizes, strict=True
            )
        ],
        "grid": files.grid or "",
    }
    return {**facts, "sheet": files.sheet} if files.sheet else facts
