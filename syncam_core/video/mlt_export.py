"""The edit as MLT XML, which Shotcut and `melt` open, and Kdenlive takes as a clip: their frames are the film's."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from xml.etree.ElementTree import Element

from ..errors import UserError
from .cut_list import Cut
from .edit import Edit
from .edit_media import PROGRAMME, canvas, check_files, file_stem, names_of, sound_of
from .view_files import SavedViews
from .xml_text import UNSAYABLE, document, element


def mlt_text(edit: Edit, files: SavedViews) -> str:
    """The project as the text of an .mlt file that stands in the folder of the view files.

    From below: a hidden track for each camera with its whole video, the track "programme" with the shots, and, where a
    view's file has one, a track with the sound. A cross-fade is two pieces of views, one over the other with a growing
    opacity: MLT's own dissolve begins with nothing of the view that comes, half a step earlier than the film. Files are
    named relative to the .mlt.

    Raises UserError with a sentence for files that are not the edit's, and for a file name that MLT cannot open.
    """
    check_files(edit, files)
    for file in files.files:
        if ":" in file or UNSAYABLE.search(file):
            raise UserError(
                f"MLT cannot open {file!r}: it takes what stands before a ':' for a kind of source, and XML has no control "
                "characters; save the views by another filename_prefix."
            )
    return document(_Writer(edit, files).project())


class _Writer:
    def __init__(self, edit: Edit, files: SavedViews) -> None:
        self.edit, self.files = edit, files
        self.names = names_of(edit, files)
        self.sound = sound_of(files)
        self.height, self.width = canvas(files)

    def project(self) -> Element:
        whole, views = range_of(0, self.edit.frames), range(len(self.names))
        producers = [self.producer(view_id(view), view, audio_index=-1) for view in views]
        playlists = [playlist(f"angle{view + 1}", self.names[view], [entry(view_id(view), whole)]) for view in views]
        fades, shots = self.programme()
        playlists.append(playlist(PROGRAMME, PROGRAMME, shots))
        tracks = [element("track", producer=f"angle{view + 1}", hide="both") for view in views]
        tracks.append(element("track", producer=PROGRAMME, hide="audio"))
        if self.sound:
            producers.append(self.producer("sound", self.sound[0], video_index=-1))
            playlists.append(playlist("soundtrack", "sound", [entry("sound", whole)]))
            tracks.append(element("track", producer="soundtrack", hide="video"))
        film = element("tractor", *tracks, id_="film", **whole)
        parts = [self.profile(), *producers, *fades, *playlists, film]
        return element("mlt", *parts, title=f"{file_stem(self.files)} edit", producer="film", LC_NUMERIC="C")

    def profile(self) -> Element:
        shared = gcd(self.width, self.height)
        return element(
            "profile",
            description=f"{self.width} x {self.height}, {float(self.edit.fps):g} frames per second",
            width=self.width,
            height=self.height,
            progressive=1,
            sample_aspect_num=1,
            sample_aspect_den=1,
            display_aspect_num=self.width // shared,
            display_aspect_den=self.height // shared,
            frame_rate_num=self.edit.fps.numerator,
            frame_rate_den=self.edit.fps.denominator,
            colorspace=709,
        )

    def producer(self, number: str, view: int, **more: int) -> Element:
        said: dict[str, str | int] = {
            "resource": self.files.files[view],
            "mlt_service": "avformat",
            "length": self.edit.frames,
            **more,
        }
        return element("producer", *properties(**said), id_=number, **range_of(0, self.edit.frames))

    def programme(self) -> tuple[list[Element], list[Element]]:
        """The tractors of the cross-fades, and the entries of the track: pieces of views, and those between them."""
        fades: list[Element] = []
        shots: list[Element] = []
        for place, (cut, end) in enumerate(self.edit.shots):
            if cut.fade:
                fades.append(self.fade(f"fade{len(fades) + 1}", self.edit.cuts[place - 1].view, cut))
                shots.append(entry(f"fade{len(fades)}", range_of(0, cut.fade)))
            following = self.edit.cuts[place + 1].before if place + 1 < len(self.edit.cuts) else 0
            start, end = cut.start + cut.after, end - following
            if start < end:
                shots.append(entry(view_id(cut.view), range_of(start, end)))
        return fades, shots

    def fade(self, number: str, below: int, cut: Cut) -> Element:
        frames = range_of(cut.start - cut.before, cut.start + cut.after)
        first, last = (f"0 0 100% 100% {opacity(step, cut.fade)}%" for step in (0, cut.fade - 1))
        geometry = f"0={first};{cut.fade - 1}={last}" if cut.fade > 1 else f"0={first}"
        mix: dict[str, str | int] = {
            "mlt_service": "composite",
            "a_track": 0,
            "b_track": 1,
            "progressive": 1,
            "geometry": geometry,
        }
        lasting = range_of(0, cut.fade)
        return element(
            "tractor",
            element("track", producer=view_id(below), **frames),
            element("track", producer=view_id(cut.view), **frames),
            element("transition", *properties(**mix), **lasting),
            id_=number,
            **lasting,
        )


def opacity(step: int, fade: int) -> str:
    """In percent, as `Edit.views_at` says it."""
    return f"{float(100 * Fraction(2 * step + 1, 2 * fade)):.6g}"


def playlist(number: str, name: str, entries: list[Element]) -> Element:
    return element("playlist", *properties(**{"shotcut:name": name}), *entries, id_=number)


def entry(producer: str, frames: dict[str, int]) -> Element:
    return element("entry", producer=producer, **frames)


def properties(**said: str | int) -> list[Element]:
    return [element("property", value, name=key) for key, value in said.items()]


def range_of(start: int, end: int) -> dict[str, int]:
    """MLT counts the last frame in."""
    return {"in_": start, "out": end - 1}


def view_id(view: int) -> str:
    return f"view{view + 1}"
