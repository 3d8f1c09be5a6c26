"""Random edits, and what the files of editing programs say of them: which file's which frame is seen, frame by frame.

Each format is read by its own real reader where there is one (OpenTimelineIO's adapters), FCPXML and MLT by a plain
second reading of the XML. All of them end in the same list, which is compared with the edit's own.
"""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import av
import numpy as np
import opentimelineio as otio

from syncam_core.video.clip import Clip, MadeClip, in_order
from syncam_core.video.cut_list import Cut
from syncam_core.video.edit import Edit
from syncam_core.video.otio_export import edl_rate, reel_names
from syncam_core.video.view_files import SavedViews
from syncam_core.video.write import write_video

RATES = (Fraction(15), Fraction(16), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30))
Film = list[dict[tuple[str, int], Fraction]]  # of each frame: the share of a file's frame in the picture


def random_edit(rng: random.Random, fps: Fraction, names: tuple[str, ...], frames: int) -> Edit:
    """Cuts anywhere, cross-fades of any length that fits, also over whole shots and up to the last frame."""
    starts = [0, *sorted(rng.sample(range(1, frames), rng.randint(0, min(9, frames - 1))))]
    cuts: list[Cut] = []
    free = 0
    for start, end in zip(starts, [*starts[1:], frames], strict=True):
        most = min(2 * free + 1, 2 * (end - start)) if start else 0
        fade = rng.choice((0, 0, 1, most, rng.randint(0, most))) if start else 0
        cuts.append(Cut(start, rng.randrange(len(names)), min(fade, most)))
        free = end - start - cuts[-1].after
    return Edit(fps, frames, names, tuple(cuts))


def film_of_edit(edit: Edit, files: SavedViews) -> Film:
    """The edit's own list."""
    film: Film = []
    for frame in range(edit.frames):
        below, above, share = edit.views_at(frame)
        seen: Counter = Counter()
        seen[files.files[above], frame] += share
        seen[files.files[below], frame] += 1 - share
        film.append({key: value for key, value in seen.items() if value})
    return film


# ---- what a reader found


@dataclass(frozen=True)
class Shot:
    """A stretch of a file on a track; all times in seconds."""

    start: Fraction
    end: Fraction
    source: Fraction  # the file's time at `start`
    file: str
    fade: tuple[Fraction, Fraction] | None = None  # from when to when it comes in


def film_of_shots(shots: Iterable[Shot], fps: Fraction, frames: int) -> Film:
    """Each frame at its middle: that is where the edit takes the share of a cross-fade, too."""
    film: Film = []
    shots = sorted(shots, key=lambda shot: shot.start)
    for frame in range(frames):
        time, seen = (frame + Fraction(1, 2)) / fps, Counter()
        for shot in shots:
            begins, ends = shot.fade or (shot.start, shot.start)
            if time < begins:
                continue
            share = Fraction(1) if time >= ends else (time - begins) / (ends - begins)
            seen = Counter({key: value * (1 - share) for key, value in seen.items()})
            seen[shot.file, floor((shot.source + time - shot.start) * fps)] += share
        film.append({key: value for key, value in seen.items() if value})
    assert shots[-1].end == frames / fps, (shots[-1].end, frames / fps)
    return film


def exact(time: otio.opentime.RationalTime) -> Fraction:
    return Fraction(time.value).limit_denominator(1000) / Fraction(time.rate).limit_denominator(1001)


def shots_of_track(track: otio.schema.Track, file_of) -> Iterator[Shot]:
    at, fade = Fraction(0), None
    for child in track:
        if isinstance(child, otio.schema.Transition):
            fade = (at - exact(child.in_offset), at + exact(child.out_offset))
            continue
        span = child.source_range
        end = at + exact(span.duration)
        yield Shot(at, end, exact(span.start_time), file_of(child), fade)
        at, fade = end, None


def name_in(url: str) -> str:
    return Path(unquote(urlsplit(url).path)).name


def read_otio(path: Path) -> list[Shot]:
    programme = otio.adapters.read_from_file(str(path), "otio_json").video_tracks()[-1]
    return list(shots_of_track(programme, lambda clip: name_in(clip.media_reference.target_url)))


def read_edl(path: Path, edit: Edit, files: SavedViews) -> list[Shot]:
    """An EDL says neither its rate nor, of a dissolve's shot, its file: it says reels."""
    rate, times = edl_rate(edit.fps)
    reels = dict(zip(reel_names(files.names), files.files, strict=True))
    (track,) = otio.adapters.read_from_file(str(path), "cmx_3600", rate=rate).tracks
    real = Fraction(rate) / (edit.fps * times)  # a list that counts 24 for 24000/1001
    shots = shots_of_track(track, lambda clip: reels[clip.metadata["cmx_3600"]["reel"]])
    return [
        Shot(
            shot.start * real,
            shot.end * real,
            shot.source * real,
            shot.file,
            shot.fade and (shot.fade[0] * real, shot.fade[1] * real),
        )
        for shot in shots
    ]


def read_fcp7(path: Path) -> list[Shot]:
    found = otio.adapters.read_from_file(str(path), "fcp_xml")
    programme = found.video_tracks()[-1]
    return list(shots_of_track(programme, lambda clip: name_in(clip.media_reference.target_url)))


def read_fcpxml(path: Path, project: int) -> list[Shot]:
    """The first project is cut from the multicam clip, the second one from the files."""
    root = ElementTree.parse(path).getroot()
    urls = {asset.get("id"): asset.get("src") for asset in root.iter("asset")}
    angles = {angle.get("angleID"): angle.find("asset-clip") for angle in root.iter("mc-angle")}
    shots, fade = [], None
    for item in root.findall("library/event/project")[project].find("sequence/spine"):
        if item.tag == "transition":
            begins = seconds(item, "offset")
            fade = (begins, begins + seconds(item, "duration"))
            continue
        start, source, clip = seconds(item, "offset"), seconds(item, "start"), item
        if item.tag == "mc-clip":
            (seen,) = (part for part in item.findall("mc-source") if part.get("srcEnable") in ("all", "video"))
            clip = angles[seen.get("angleID")]
            source += seconds(clip, "start") - seconds(clip, "offset")
        end = start + seconds(item, "duration")
        shots.append(Shot(start, end, source, name_in(urls[clip.get("ref")]), fade))
        fade = None
    return shots


def seconds(item: ElementTree.Element, key: str) -> Fraction:
    return Fraction(item.get(key).removesuffix("s"))


def read_fcpxml_by_adapter(path: Path) -> list[tuple[str, Fraction, Fraction]]:
    """File, start and length in seconds of each clip of the second project; the adapter passes transitions over."""
    project = otio.adapters.read_from_file(str(path), "fcpx_xml")[1]
    clips = [clip for clip in project.tracks[-1] if isinstance(clip, otio.schema.Clip)]
    return [
        (name_in(c.media_reference.target_url), exact(c.source_range.start_time), exact(c.source_range.duration))
        for c in clips
    ]


# ---- films of which every frame can be told


def telling_clip(view: int, frames: int, height: int = 48, width: int = 64) -> Clip:
    """Grey fields, light for 1 and dark for 0: the view's number in the upper half, the frame's in the lower one."""

    def frame(index: int) -> np.ndarray:
        picture = np.empty((height, width, 3), np.uint8)
        for row, number in ((0, view), (1, index)):
            for bit in range(8):
                lit = 220 if number >> bit & 1 else 30
                picture[row * height // 2 : (row + 1) * height // 2, bit * width // 8 : (bit + 1) * width // 8] = lit
        return picture

    return MadeClip(frames, height, width, np.dtype(np.uint8), frame)


def telling_files(folder: Path, fps: Fraction, frames: int, names: tuple[str, ...], stem: str) -> SavedViews:
    """A file of each view, as the pack writes it, in a folder with a name that needs care."""
    made = tuple(f"{stem}_{view}.mp4" for view in range(len(names)))
    for view, file in enumerate(made):
        write_video(folder / file, in_order(telling_clip(view + 1, frames)), fps, crf=4)
    colors = ("#3399ff", "#ff8800", "#006655", "#aa0077")[: len(names)]
    return SavedViews(folder, "", "output", fps, frames, names, colors, made, ((48, 64),) * len(names))


def pictures_of(path: Path) -> np.ndarray:  # (frames, height, width, 3) uint8
    with av.open(str(path)) as film:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)])


def rendered(path: Path, out: Path) -> np.ndarray:  # (frames, height, width, 3) uint8
    """What MLT's `melt` makes of a file: every frame, none left out for speed.

    In the file's folder: on its command line, melt takes "%" and "?" in a path for those of a URL. On a busy machine melt
    7.12 stands still now and then, in another run not; of films of two frames it may write none.
    """
    told = ["melt", path.name, "-consumer", f"avformat:{out}", "vcodec=ffv1", "pix_fmt=yuv444p", "an=1", "real_time=-1"]
    for patience_s in (30, 60, 240):
        try:
            subprocess.run(
                told, cwd=path.parent, check=True, capture_output=True, timeout=patience_s, stdin=subprocess.DEVNULL
            )
            break
        except subprocess.TimeoutExpired:
            out.unlink(missing_ok=True)
    return pictures_of(out)


def read_mlt(path: Path) -> list[Shot]:
    """The track "programme": pieces of views, and of two views laid over each other, as melt plays them."""
    root = ElementTree.parse(path).getroot()
    profile = root.find("profile")
    fps = Fraction(int(profile.get("frame_rate_num")), int(profile.get("frame_rate_den")))
    files = {p.get("id"): p.find("property[@name='resource']").text for p in root.findall("producer")}
    fades = {tractor.get("id"): tractor for tractor in root.findall("tractor")}
    shots, at = [], 0
    for entry in root.find("playlist[@id='programme']").findall("entry"):
        first, end = int(entry.get("in")), int(entry.get("out")) + 1
        layers = fades[entry.get("producer")].findall("track") if entry.get("producer") in fades else [entry]
        begins, ends = at / fps, (at + end - first) / fps
        for layer, track in enumerate(layers):
            source = int(track.get("in")) / fps
            shots.append(Shot(begins, ends, source, files[track.get("producer")], (begins, ends) if layer else None))
            assert int(track.get("out")) - int(track.get("in")) == end - first - 1
        at += end - first
    return shots
