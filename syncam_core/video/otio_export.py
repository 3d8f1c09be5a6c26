"""The edit for editing programs: an OpenTimelineIO timeline and a CMX 3600 edit decision list over the view files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..disk.names import file_slugs
from ..errors import UserError
from .edit import Edit
from .edit_media import PROGRAMME, check_files, file_stem, names_of, sound_of
from .timecode import TIMECODE_RATES, timecode_rate
from .view_files import SavedViews

if TYPE_CHECKING:
    from opentimelineio.schema import Clip, Track

MOST_EVENTS = LONGEST_DISSOLVE = 999  # CMX 3600 has three digits for both
REEL_LENGTH = 8
RESERVED_REELS = ("AX", "BL", "BLACK", "BARS")
DISSOLVE = re.compile(r"\d+ .* D \d{3} ")
FILE_COMMENT = re.compile(r"\* (FROM|TO) CLIP: ")


# ---- OpenTimelineIO


def otio_text(edit: Edit, files: SavedViews) -> str:
    """The timeline as the JSON of an .otio file that stands in the folder of the view files.

    From below: one track for each camera with its whole video, then the track "programme" with one clip for each shot
    and a transition (SMPTE dissolve) for each cross-fade, which lies around the cut as the edit says; where a view's file
    has a sound, an audio track with it from beginning to end. Every clip refers to
    its view file by a relative URL with the range that is there, and brings the camera's name and colour; the timeline's
    metadata hold the cut list.

    Raises UserError with a sentence where the files are not those of the edit, or OpenTimelineIO is not installed.
    """
    check_files(edit, files)
    otio = _opentimelineio()
    rate = float(edit.fps)
    names = names_of(edit, files)

    def clip(view: int, start: int, end: int) -> Clip:
        return _clip(
            otio,
            names[view],
            quote(files.files[view]),
            edit.frames,
            (start, end),
            rate,
            {"syncam": {"camera": names[view], "view": view, "color": files.colors[view]}},
        )

    timeline = otio.schema.Timeline(
        name=f"{file_stem(files)} edit",
        global_start_time=otio.opentime.RationalTime(0, rate),
        metadata={
            "syncam": {
                "cuts": edit.text,
                "fps": str(edit.fps),
                "frames": edit.frames,
                "cameras": list(names),
                "colors": list(files.colors),
            }
        },
    )
    for view, name in enumerate(names):
        track = otio.schema.Track(name=name, kind=otio.schema.TrackKind.Video)
        track.metadata["syncam"] = {"camera": name, "view": view, "color": files.colors[view]}
        track.append(clip(view, 0, edit.frames))
        timeline.tracks.append(track)
    timeline.tracks.append(_programme(otio, edit, rate, clip))
    sound = sound_of(files)
    if sound:
        track = otio.schema.Track(name="sound", kind=otio.schema.TrackKind.Audio)
        track.append(clip(sound[0], 0, edit.frames))
        timeline.tracks.append(track)
    return timeline.to_json_string(indent=4)


def _programme(
    otio: ModuleType,
    edit: Edit,
    rate: float,
    clip: Callable[[int, int, int], Clip],  # (view, start, end)
    times: int = 1,  # how many frames of the track each frame of the edit lasts
) -> Track:
    """A track with the shots and the cross-fades between them."""
    track = otio.schema.Track(name=PROGRAMME, kind=otio.schema.TrackKind.Video)
    for cut, end in edit.shots:
        if cut.fade:
            track.append(
                otio.schema.Transition(
                    transition_type=otio.schema.TransitionTypes.SMPTE_Dissolve,
                    in_offset=otio.opentime.RationalTime(cut.before * times, rate),
                    out_offset=otio.opentime.RationalTime(cut.after * times, rate),
                )
            )
        track.append(clip(cut.view, cut.start, end))
    return track


def _clip(
    otio: ModuleType,
    name: str,
    url: str,
    frames: int,  # of the file
    shown: tuple[int, int],  # the first one shown, and the end (exclusive)
    rate: float,
    metadata: Mapping[str, Mapping[str, object]],
) -> Clip:
    time, span = otio.opentime.RationalTime, otio.opentime.TimeRange
    media = otio.schema.ExternalReference(target_url=url, available_range=span(time(0, rate), time(frames, rate)))
    source = span(time(shown[0], rate), time(shown[1] - shown[0], rate))
    clip = otio.schema.Clip(name=name, media_reference=media, source_range=source, metadata=metadata)
    color = metadata.get("syncam", {}).get("color")
    if isinstance(color, str) and color and hasattr(clip, "color"):  # since version 0.18
        clip.color = otio.core.Color(*(int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)), 1.0, color)
    return clip


# ---- CMX 3600


def edl_text(edit: Edit, files: SavedViews) -> str:
    """The programme as a CMX 3600 edit decision list, for programs that do not read .otio.

    One event for each shot, non-drop timecode from 00:00:00:00 on, a reel of at most eight letters and digits for each
    camera, the view file as the clip's name. A cross-fade becomes a dissolve, which in such a list begins where the event
    begins. The timecode counts `edl_rate` frames per second; where that is a multiple of the edit's rate, every frame of
    the edit counts for several, and the comment at the first event says so.

    Raises UserError with a sentence for a rate that has no timecode, more than 999 events, files that are not those
    of the edit, and a missing library.
    """
    check_files(edit, files)
    rate, times = edl_rate(edit.fps)
    if len(edit.cuts) > MOST_EVENTS:
        raise UserError(
            f"an EDL holds at most {MOST_EVENTS} events, but the edit has {len(edit.cuts)} shots; use the .otio file, or "
            "fewer cuts."
        )
    longest = max(cut.fade for cut in edit.cuts) * times
    if longest > LONGEST_DISSOLVE:
        raise UserError(
            f"an EDL holds dissolves of at most {LONGEST_DISSOLVE} frames, but the edit has one of {longest} at {rate} "
            "frames per second; use the .otio file, or a shorter cross-fade."
        )
    otio = _opentimelineio(adapter="cmx_3600")
    reels = reel_names(files.names)
    # An event is one line.
    shown = ["".join(c if c.isprintable() else "-" for c in file) for file in files.files]
    note = f"SYNCAM: {float(edit.fps):g} FRAMES PER SECOND, TIMECODE COUNTS {rate}"

    def clip(view: int, start: int, end: int) -> Clip:
        source, about = (start * times, end * times), {"cmx_3600": {"reel": reels[view]}}
        return _clip(otio, shown[view], shown[view], edit.frames * times, source, rate, about)

    timeline = otio.schema.Timeline(name=file_slugs([file_stem(files)])[0])
    timeline.tracks.append(_programme(otio, edit, rate, clip, times))
    text = otio.adapters.write_to_string(timeline, "cmx_3600", rate=rate, reelname_len=REEL_LENGTH)
    return _corrected(text, note)


def edl_rate(fps: Fraction) -> tuple[int, int]:
    """How many frames per second the timecode of an EDL counts, and for how many of them each frame of the edit counts.

    Raises UserError where there is none (see `timecode_rate`).
    """
    found = timecode_rate(fps)
    if found is not None:
        return found
    rates = ", ".join(map(str, TIMECODE_RATES))
    raise UserError(
        f"an EDL cannot say {float(fps):g} frames per second: its timecode counts {rates}, and that is no multiple of "
        "it; use the .otio file, or another 'fps'."
    )


def reel_names(cameras: Sequence[str]) -> list[str]:
    """A reel for each camera: at most eight capital letters and digits, no two alike, none with a meaning of its own."""
    reels: list[str] = []
    for number, slug in enumerate(file_slugs(cameras), start=1):
        base = re.sub("[^A-Z0-9]", "", slug.upper())[:REEL_LENGTH] or f"CAM{number}"
        reel, n = base, 1
        while reel in reels or reel in RESERVED_REELS:
            n += 1
            reel = base[: REEL_LENGTH - len(str(n))] + str(n)
        reels.append(reel)
    return reels


def _corrected(text: str, note: str) -> str:
    """What the adapter wrote, with the kind of timecode in its head, a note at the first event, and without the file
    comments of dissolves.

    The adapter reads the first of those, the file of the outgoing shot, as the file of the incoming one. Names and reels,
    which it reads rightly, remain.
    """
    lines, dissolve = [], False
    for line in text.splitlines():
        if line[:1].isdigit():
            dissolve = DISSOLVE.match(line) is not None
        if not (dissolve and FILE_COMMENT.match(line)):
            lines.append(line)
        if line.startswith("TITLE:"):
            lines.append("FCM: NON-DROP FRAME")
        if line.startswith("001 "):
            lines.append(f"* {note}")
    return "\n".join(lines) + "\n"


def _opentimelineio(adapter: str = "") -> ModuleType:
    try:
        import opentimelineio
    except ImportError as problem:
        raise UserError(
            "the library OpenTimelineIO is not installed; install the pack's requirements: pip install opentimelineio "
            "otio-cmx3600-adapter"
        ) from problem
    if adapter and adapter not in opentimelineio.adapters.available_adapter_names():
        raise UserError(
            "OpenTimelineIO lacks its adapter for EDL files; install the pack's requirements: pip install "
            "otio-cmx3600-adapter"
        )
    return opentimelineio
