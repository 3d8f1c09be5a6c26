"""Takes: the files of one run of SynCam Save Views or SynCam Render Views, as what is measured.

A take is N clips of one moment, with the rig and the prompt that they were made with, where the files tell them. Of its
frames only those that somebody asks for are in memory: the others wait on the disk (`video/spool.py`).
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import av

from ..cameras.json_text import Json, parse_json
from ..cameras.rig import Rig
from ..cameras.rig_json import MAX_CHARACTERS, rig_from_json
from ..disk.bounded import file_text
from ..errors import UserError
from ..formats.files import files_in
from ..formats.video_tag import SUFFIXES, rig_text
from ..video.clip import BITS_8, Clip, MadeClip, in_depth
from ..video.read import open_video, video_frames
from ..video.spool import Spool

LONGEST_PROMPT_GRAPH = 4 * 2**20  # characters of a workflow in a video's tags
MOST_HOPS = 100
ON_THE_WAY = ("positive", "conditioning", "cond1", "guider", "text", "prompt", "value", "string")  # to a prompt's words


@dataclass(frozen=True, eq=False)
class Take:
    """N videos of one moment: clips all as long, and what is known of them."""

    name: str
    clips: tuple[Clip, ...]  # per view
    rig: Rig | None = None
    prompt: str = ""
    fps: float | None = None
    files: tuple[Path, ...] = ()  # of the views, where they are files
    sidecar: Path | None = None  # the rig JSON, beside which results may stand

    @property
    def views(self) -> int:
        return len(self.clips)

    @property
    def frames(self) -> int:
        return len(self.clips[0])

    def moments(self, every: int) -> list[int]:
        """Every so many frames, from the first."""
        return list(range(0, self.frames, max(1, every)))

    def said(self, prompt: str) -> Take:
        """The same, made from other words."""
        return replace(self, prompt=prompt)

    def select(self, views: Sequence[int]) -> Take:
        """Some of its views. Raises UserError for one that there is not."""
        if not views or max(views) >= self.views:
            raise UserError(f"the take '{self.name}' has {self.views} views, but another one is asked for.")
        files = tuple(self.files[view] for view in views) if self.files else ()
        rig = self.rig and self.rig.select(views)
        return replace(self, clips=tuple(self.clips[view] for view in views), rig=rig, files=files)

    def at_rate(self, fps: float) -> Take:
        """The frames that stand nearest to common times k / fps, so that takes of other rates can be compared.

        Raises UserError for a take that does not say its rate, or has a lower one, and for what is no rate.
        """
        if not (math.isfinite(fps) and fps > 0):
            raise UserError(f"{fps:g} is no rate; give frames per second, above 0.", field="fps")
        if self.fps is None or self.fps < fps - 1e-6:
            known = "does not say its frames per second" if self.fps is None else f"has {self.fps:g} frames per second"
            raise UserError(f"the take '{self.name}' {known}, so it has no frames at {fps:g} per second.")
        kept = [frame for k in range(self.frames) if (frame := round(k * self.fps / fps)) < self.frames]
        clips = tuple(frames_of(clip, kept) for clip in self.clips)
        return replace(self, clips=clips, rig=self.rig and rig_at(self.rig, kept), fps=fps)


def frames_of(clip: Clip, frames: Sequence[int]) -> Clip:
    """Some frames of a clip, in this order."""
    return MadeClip(len(frames), clip.height, clip.width, clip.dtype, lambda index: clip[frames[index]])


def rig_at(rig: Rig, frames: Sequence[int]) -> Rig:
    """The cameras as they stand at some frames; where a rig moves over fewer, they stay in the end."""
    return rig if rig.frames == 1 else replace(rig, c2w=rig.c2w[:, [min(frame, rig.frames - 1) for frame in frames]])


def read_takes(
    place: Path,
    tick: Callable[[], None] = lambda: None,  # called after each frame; its exceptions end the work
    spool_folder: Path | None = None,
) -> Iterator[Take]:
    """Every take of a folder, or the one of a rig JSON. The frames are gone with the take.

    Raises UserError for what cannot be read, naming it.
    """
    for rig_file, videos in take_files(place):
        yield _read(place, rig_file, videos, tick, spool_folder)


def take_files(place: Path) -> list[tuple[Path | None, list[Path]]]:
    """The rig JSON and the videos of every take of a folder; what no rig JSON names is a take of the videos of one number.

    Raises UserError for a folder without videos, a file that is no rig JSON, and videos that a rig JSON names in vain.
    """
    if place.suffix.casefold() in SUFFIXES and place.is_file():
        raise UserError(f"'{place}' is one video; give the folder with the videos of all views.")
    if place.is_file():
        return [(place, video_files(place)[1])]
    rigs = {file.name.removesuffix("_rig.json"): file for file in files_in_folder(place, ("_rig.json",))}
    known: list[tuple[Path | None, list[Path]]] = [(file, video_files(file)[1]) for file in rigs.values()]
    named = {video for _, videos in known for video in videos}
    takes: dict[str, list[Path]] = {}
    for film in files_in_folder(place, SUFFIXES):
        number = numbered(film)
        if film not in named and number not in rigs and not film.stem.endswith("_grid") and (number or not rigs):
            takes.setdefault(number, []).append(film)
    if not (known or takes):
        raise UserError(f"'{place}' holds no videos; give the folder that SynCam Save Views wrote into.")
    return [*known, *((None, videos) for videos in takes.values())]


def check_takes(place: Path) -> int:
    """How many takes a place holds. Raises UserError where one has not all of its videos, or one is no video at all."""
    takes = take_files(place)
    for _, videos in takes:
        for video in videos:
            try:
                with open_video(video) as container:
                    has_pictures = bool(container.streams.video)
            except (av.error.FFmpegError, OSError) as problem:
                raise UserError(f"'{video.name}' is no video that can be read ({reason(problem)}).") from problem
            if not has_pictures:
                raise UserError(f"'{video.name}' is a file without a video in it.")
    return len(takes)


def numbered(video: Path) -> str:
    """What stands before the camera in the name of a video of SynCam Save Views, like "take_00001"; empty for others."""
    found = re.match(r"(.*_\d{5})_.", video.stem)
    return found[1] if found else ""


def rig_files(place: Path) -> list[Path]:
    """The rig JSONs of a folder, or the one that is given. Raises UserError where there is none."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise UserError(f"'{place}' does not exist; give the folder with the videos and their rig JSON.")
    files = files_in(place, ("_rig.json",)) or files_in(place, (".json",))
    if not files:
        raise UserError(
            f"'{place}' holds no rig JSON; SynCam Save Views writes one beside its videos when a rig is connected."
        )
    return files


def files_in_folder(place: Path, suffixes: Sequence[str]) -> list[Path]:
    if not place.is_dir():
        raise UserError(f"'{place}' does not exist; give the folder with the videos and their rig JSON.")
    return files_in(place, suffixes)


def video_files(rig_file: Path) -> tuple[Rig, list[Path], float | None]:
    """The rig, the videos that its metadata names in the order of the cameras, and their frames per second.

    A rig JSON without that metadata stands for all videos beside it but grids, in the order of their names. Raises
    UserError.
    """
    try:
        text = file_text(rig_file, MAX_CHARACTERS)
    except UserError as problem:
        raise problem.told(f"'{rig_file.name}' cannot be read: {problem}") from problem
    try:
        rig = rig_from_json(text)
    except UserError as problem:
        raise problem.told(f"in '{rig_file.name}', {problem}") from problem
    document = parse_json(text, MAX_CHARACTERS)
    metadata = document.get("metadata") if isinstance(document, dict) else None
    facts: Mapping[str, Json] = metadata if isinstance(metadata, dict) else {}
    views, fps = facts.get("views"), facts.get("fps")
    if isinstance(views, list):
        files = list(_inside(rig_file, views))
    else:
        files = [file for file in files_in(rig_file.parent, SUFFIXES) if not file.stem.endswith("_grid")]
    if len(files) != len(rig.names):
        raise UserError(
            f"'{rig_file.name}' has {len(rig.names)} cameras and names no videos, but its folder has {len(files)} "
            "video files (grids left out); put the videos of one rig into a folder of their own."
        )
    return rig, files, float(fps) if isinstance(fps, (int, float)) and fps > 0 else None


def _inside(rig_file: Path, views: list[Json]) -> Iterator[Path]:
    for view in views:
        name = view.get("file") if isinstance(view, dict) else None
        if not isinstance(name, str) or Path(name).name != name:
            raise UserError(f"in '{rig_file.name}', metadata.views names {name!r}, which is no file of its folder.")
        if not (rig_file.parent / name).is_file():
            raise UserError(f"'{rig_file.name}' names the video '{name}', but it is not in the same folder.")
        yield rig_file.parent / name


def _read(
    place: Path, rig_file: Path | None, videos: list[Path], tick: Callable[[], None], spool_folder: Path | None
) -> Take:
    rig, fps = None, None
    if rig_file is not None:
        rig, videos, fps = video_files(rig_file)
    spool = Spool(spool_folder or tempfile.gettempdir())
    clips = tuple(_clip(spool, video, tick) for video in videos)
    for video, clip in zip(videos, clips, strict=True):
        if len(clip) != len(clips[0]):
            raise UserError(
                f"'{videos[0].name}' has {len(clips[0])} frames but '{video.name}' {len(clip)}; all views must be alike."
            )
    number = numbered(videos[0])
    folder = place if place.is_dir() else place.parent
    called = folder.resolve().name  # of "." too
    name = f"{called}/{number}" if number else called
    told, own_fps = _told(videos[0])
    if rig is None and told.get("rig"):
        with suppress(UserError):
            found = rig_from_json(told["rig"])
            rig = found if found.views == len(videos) else None
    return Take(name, clips, rig, prompt_of(told.get("prompt", "")), fps or own_fps, tuple(videos), rig_file)


def _clip(spool: Spool, video: Path, tick: Callable[[], None]) -> Clip:
    clip = None
    try:
        for frame in video_frames(video):
            if clip is None:
                clip = spool.new_clip(frame.shape[0], frame.shape[1], BITS_8)
            clip.append(in_depth(frame, BITS_8))
            tick()
    except UserError as problem:
        raise problem.told(f"'{video.name}' {problem}.") from problem
    except OSError as problem:
        raise UserError(f"'{video.name}' cannot be read ({reason(problem)}).") from problem
    if clip is None:
        raise UserError(f"'{video.name}' has no frames.")
    return clip


def _told(video: Path) -> tuple[dict[str, str], float | None]:
    """What a video's tags say of its prompt graph and rig, and its frames per second."""
    told: dict[str, str] = {}
    fps = None
    with suppress(av.error.FFmpegError, OSError, UserError), open_video(video) as container:
        graph = container.metadata.get("prompt") or container.metadata.get("PROMPT")
        told["prompt"] = graph or ""
        rate = container.streams.video[0].average_rate
        fps = float(rate) if rate else None
    with suppress(UserError):
        told["rig"] = rig_text(video) or ""
    return told, fps


def prompt_of(graph: str) -> str:
    """The positive prompt's words in a workflow as ComfyUI keeps it in files; empty where there are none.

    From a sampler's "positive" (or a guider's) the links are followed back to the first text.
    """
    try:
        nodes = json.loads(graph) if len(graph) <= LONGEST_PROMPT_GRAPH else None
    except ValueError:
        return ""
    if not isinstance(nodes, dict):
        return ""
    inputs = {str(key): node["inputs"] for key, node in nodes.items() if _is_node(node)}
    for begin in ("positive", "cond1", "conditioning"):
        for of in inputs.values():
            if begin in of:
                words = _words(of[begin], inputs, MOST_HOPS)
                if words:
                    return words
    return ""


def _is_node(node: object) -> bool:
    return isinstance(node, dict) and isinstance(node.get("inputs"), dict)


def _words(value: object, inputs: Mapping[str, Mapping[str, Json]], hops: int) -> str:
    if isinstance(value, str):
        return value.strip()
    if not (isinstance(value, list) and len(value) == 2 and hops):
        return ""
    given = inputs.get(str(value[0]), {})
    for name in ON_THE_WAY:
        words = _words(given.get(name), inputs, hops - 1)
        if words:
            return words
    return ""


def reason(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or type(problem).__name__
