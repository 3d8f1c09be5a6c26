"""Scenes of a dataset, judged before their pictures are read: six layouts, written here or by another program."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import filterfalse, islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..cameras.rig import Lens, Rig
from ..disk.names import natural
from ..errors import UserError
from ..formats import colmap, nerfstudio
from ..formats.axes_and_units import rig_of
from ..formats.files import chosen_of, is_leftover, printable
from ..video.cut_list import frames_in_words
from . import dnerf
from .collections.syncamvideo import CAMERA_FILE, scene_cameras, scene_caption
from .files import DEEPEST, MAX_CAPTION_BYTES, entry_path, read_text
from .footage import BrokenFootage, Kind
from .media import Film, Still, Strip, Video
from .pictures import PICTURE_SUFFIXES
from .problems import judge, odd_ones_out
from .scene_file import FILE, LAYOUTS, SceneFacts, read_facts
from .video_file import FPS_TOLERANCE, MOST_FRAMES, VideoFile
from .write import CAPTION

FRAME = re.compile("frame_([0-9]{1,9})")
MOST_ENTRIES = 500_000  # files of a scene: 64 cameras, 4096 frames, and their camera files
SHOWN_PROBLEMS = 8
SAME_LENS = 1e-6
# How the camera files of one moment, or of all, are read.
_READERS = {
    "nerfstudio": nerfstudio.read_with_pictures,
    "colmap": colmap.read_with_pictures,
    "nerfstudio_4d": nerfstudio.read_with_pictures,
    "colmap_4d": colmap.read_with_pictures,
    "dnerf": dnerf.read_with_pictures,
}
_TOLD_BY = {"nerfstudio": nerfstudio.looks_like, "colmap": colmap.looks_like, "dnerf": dnerf.looks_like}


@dataclass(frozen=True, eq=False)
class StoredScene:
    """A scene whose cameras and files are in order; pictures are read when they are asked for."""

    name: str
    layout: str
    caption: str
    fps: Fraction | None  # None: no file says it
    frames: int
    height: int
    width: int
    rig: Rig
    films: tuple[Film, ...]  # of the views

    def pictures(self, view: int, first: int = 0, count: int | None = None) -> Iterator[np.ndarray]:
        """`count` pictures of a view from the frame `first` on, (height, width, 3) uint8; None: all that follow.

        Raises UserError, naming the file, where it does not hold what it promises.
        """
        stop = self.frames if count is None else first + count
        name, number, shape = self.rig.names[view], first, None
        try:
            # To the very end where that is wanted: only there a video shows whether it is whole.
            for picture in islice(self.films[view].pictures(), first, None if stop == self.frames else stop):
                shape = shape or picture.shape
                if picture.shape != shape:
                    raise BrokenFootage(f"camera {name!r} has pictures of another size from frame {number} on.")
                if number == stop:
                    raise BrokenFootage(f"camera {name!r} has more than {stop} pictures; copy it again.")
                yield picture[: self.height, : self.width]
                number += 1
            if number != stop:
                raise BrokenFootage(f"camera {name!r} has {number} pictures, but {stop} are expected; copy it again.")
        except UserError as problem:
            raise problem.told(f"scene {self.name!r}: {printable(str(problem))}") from problem
        except OSError as problem:  # a disk that fails, a share that went away
            raise UserError(f"scene {self.name!r} cannot be read ({problem.strerror or problem}).") from problem


def scenes_in(folder: Path, depth: int = DEEPEST) -> list[Path]:
    """The scenes of a dataset, in natural order: the folder itself, or those up to four folders below."""
    if _is_scene(folder):
        return [folder]
    if depth == 0:
        return []
    with os.scandir(folder) as entries:
        below = [Path(entry.path) for entry in entries if entry.is_dir() and not is_leftover(entry.name)]
    return [
        scene for path in sorted(below, key=lambda path: natural(path.name)) for scene in scenes_in(path, depth - 1)
    ]


def open_scene(
    path: Path,
    cameras: str = "",
    layout: str = "auto",
    unit_m: float | None = None,
) -> StoredScene:
    """Look a scene over: everything but the decoding of its pictures.

    `cameras` says which ones and in which order, as for `choose_cameras`; an empty text means all. `unit_m` is the
    metres of one unit, for nerfstudio and COLMAP scenes of other programs, which do not say it.

    Raises UserError with a sentence for each thing that is wrong.
    """
    try:
        if layout not in ("auto", *LAYOUTS):
            raise UserError(f"'layout' is {layout[:40]!r}; possible are auto, {', '.join(LAYOUTS)}.", field="layout")
        _refuse_links(path)
        facts = read_facts(path)
        found = facts.layout if facts else _layout_of(path)
        if not found:
            raise UserError(
                "it holds no videos/, frame_00000/, transforms.json, transforms_train.json or COLMAP model; give a scene's "
                "folder."
            )
        if layout not in ("auto", found):
            raise UserError(
                f"'layout' is {layout}, but the scene is of the layout {found}; choose that, or auto.", field="layout"
            )
        # Chosen before anything is judged: what is wrong with other cameras is in nobody's way.
        chosen = chosen_of(cameras, facts.names) if facts else []
        wanted = [facts.stems[index] for index in chosen] if facts and cameras.strip() else cameras.strip()
        if found == "syncamvideo":
            parts = _read_videos(path, wanted)
        else:
            parts = _read_moments(path, found, wanted, unit_m or (1.0 if facts else None))  # our facts are in metres
        return _scene(path.name, found, facts, chosen, parts)
    except OSError as problem:
        raise UserError(f"scene {path.name!r} cannot be read ({problem.strerror or problem}).") from problem
    except UserError as problem:
        raise problem.told(f"scene {path.name[:100]!r}: {_printable_lines(str(problem))}") from problem


@dataclass(frozen=True)
class _Parts:
    """What the files of a scene say of the cameras that are wanted."""

    stems: Sequence[str]
    poses: Sequence[Tensor]  # per camera (1 or frames, 4, 4)
    lenses: Sequence[Lens]  # empty: the layout has none
    films: Sequence[Film]
    frames: int
    fps: Fraction | None
    caption: str
    hint: str


def _scene(name: str, layout: str, facts: SceneFacts | None, chosen: Sequence[int], parts: _Parts) -> StoredScene:
    names, order = list(parts.stems), list(range(len(parts.stems)))
    if facts:
        _agree(facts, chosen, parts)
        names, order = [facts.names[index] for index in chosen], [parts.stems.index(facts.stems[at]) for at in chosen]
    films = [parts.films[at] for at in order]
    height, width = _common_size(films, names, facts, layout)
    lenses = [parts.lenses[at] for at in order] if parts.lenses else []
    if facts:
        known = [facts.lenses[index] for index in chosen]
        lenses = [_lens(*pair) for pair in zip(lenses, known, strict=True)] if lenses else known
    rig = rig_of(names, [parts.poses[at] for at in order], lenses, parts.hint)
    if facts:
        rig = Rig(rig.names, rig.c2w, tuple(facts.colors[index] for index in chosen), rig.lenses)
    fps = facts.fps if facts else parts.fps
    return StoredScene(name, layout, parts.caption, fps, parts.frames, height, width, rig, tuple(films))


def _agree(facts: SceneFacts, chosen: Sequence[int], parts: _Parts) -> None:
    problems = [
        f"'{FILE}' has the camera {facts.names[index]!r} ({facts.stems[index]}), but there are no poses and pictures of it."
        for index in chosen
        if facts.stems[index] not in parts.stems
    ]
    problems += [f"there is a camera {stem!r} that '{FILE}' does not have." for stem in {*parts.stems} - {*facts.stems}]
    if facts.frames != parts.frames:
        problems.append(f"it has {frames_in_words(parts.frames)}, but '{FILE}' says {facts.frames}; copy it again.")
    if parts.fps and abs(float(parts.fps / facts.fps) - 1) > FPS_TOLERANCE:
        problems.append(f"its videos run at {float(parts.fps):.6g} fps, but '{FILE}' says {float(facts.fps):.6g}.")
    _refuse(problems)


def _common_size(films: Sequence[Film], names: Sequence[str], facts: SceneFacts | None, layout: str) -> tuple[int, int]:
    """Height and width of all pictures."""
    wanted = (facts.height, facts.width) if facts else None
    stored = wanted
    if wanted and layout == "syncamvideo":
        height, width = wanted
        stored = height + height % 2, width + width % 2  # a video grows to even sides
    problems, first = [], ""
    for name, film in zip(names, films, strict=True):
        try:
            shape = film.shape()
        except BrokenFootage as problem:
            problems.append(str(problem))
            continue
        stored, first = stored or shape, first or f"{name!r} has"
        if shape != stored:
            said = f"'{FILE}' says" if facts else first
            problems.append(
                f"camera {name!r} has pictures of {shape[1]} x {shape[0]} pixels, but {said} {stored[1]} x {stored[0]}."
            )
    _refuse(problems)
    assert stored is not None  # of the first film
    return wanted or stored


def _lens(of_file: Lens, of_facts: Lens) -> Lens:
    """The lens in millimetres as it was, unless somebody has changed the focal length in the camera file since."""
    share, before = (lens.focal_mm / lens.sensor_width_mm for lens in (of_file, of_facts))
    return of_facts if abs(share - before) <= SAME_LENS * before else of_file


# -- a video per camera ----------------------------------------------------------------------------------------------


def _read_videos(path: Path, wanted: str | Sequence[str]) -> _Parts:
    there = {footage.name: footage for footage in scene_cameras(path)}
    if not there:
        raise UserError(f"it has no videos/ with videos in it, and no {CAMERA_FILE}; copy it again.")
    if not isinstance(wanted, str):
        wanted = [name for name in wanted if name in there]  # the others are named with what the facts call them
    names = [*there]
    chosen = [there[names[index]] for index in chosen_of(wanted, names)]
    caption, why = scene_caption(path)
    if why:
        raise UserError(why)
    problems: dict[str, None] = {}  # in order, each once
    stems, poses, films, counts = [], [], [], []
    for footage in chosen:
        try:
            count = judge(footage, Kind.MULTI_VIEW_VIDEO)
        except BrokenFootage as problem:
            problems[_said_of(footage.name, str(problem))] = None
            continue
        film = footage.read
        assert isinstance(film, VideoFile)
        assert footage.c2w is not None
        assert count is not None
        stems.append(footage.name)
        poses.append(footage.c2w)
        films.append(Video(film.path, film.shown, poses=film.poses))
        counts.append(count)
    odd = odd_ones_out(counts)
    problems.update(dict.fromkeys(_said_of(stems[index], why) for index, why in odd.items()))
    rates = [film.rate() for film in films]
    problems.update(
        dict.fromkeys(
            f"'{film.shown}' runs at {_fps(rate)}, but '{films[0].shown}' at {_fps(rates[0])}."
            for film, rate in zip(films, rates, strict=True)
            if rate != rates[0]
        )
    )
    _refuse(list(problems))
    hint = f"See '{CAMERA_FILE}'."
    frames, rate = (counts[0][0], rates[0]) if films else (0, None)
    return _Parts(stems, poses, (), films, frames, rate, caption, hint)


def _said_of(name: str, why: str) -> str:
    return why if name in why else f"camera {name!r}: {why}"


def _fps(rate: Fraction | None) -> str:
    return f"{float(rate):.6g} fps" if rate else "no fps"


# -- a folder per frame ----------------------------------------------------------------------------------------------


def _read_moments(path: Path, layout: str, wanted: str | Sequence[str], unit_m: float | None) -> _Parts:
    moments = _moments(path)
    problems: list[str] = []
    rigs: list[Rig] = []
    stills: list[list[Still]] = []
    for moment in moments:
        try:
            rig, names = _READERS[layout](moment, wanted, unit_m)
            if moment == path:
                return _read_all_at_once(path, layout, rig, names)
            if rig.frames > 1 or any(len(of_camera) > 1 for of_camera in names):
                raise UserError(
                    f"its pictures are of {len(max(names, key=len))} moments; a scene has a folder for each moment, "
                    "frame_00000 and so on."
                )
            order = _same_cameras(rig.names, rigs[0].names) if rigs else list(range(rig.views))
            files = [_file_of(moment, rig.names[at], names[at][0], layout) for at in order]
            rigs.append(rig.select(order))
            stills.append([Still(file, f"{path.name}/{file.relative_to(path).as_posix()}") for file in files])
            if wanted:
                wanted = list(rigs[0].names)  # numbers may mean other cameras in other frames
        except UserError as problem:
            problems.append(f"'{moment.name}': {problem}")
    _refuse(problems)
    c2w = torch.cat([rig.c2w for rig in rigs], dim=1)
    strips = [Strip(camera) for camera in zip(*stills, strict=True)]
    return _Parts(rigs[0].names, list(c2w), rigs[0].lenses, strips, len(moments), None, _caption_of(path), "")


def _read_all_at_once(path: Path, layout: str, rig: Rig, names: Sequence[Sequence[str]]) -> _Parts:
    """A folder whose camera file tells of all moments."""
    frames = len(max(names, key=len))
    if frames > MOST_FRAMES:
        raise UserError(f"it has {frames} frames, but at most {MOST_FRAMES} are possible; split it.")
    short = next((name for name, of_camera in zip(rig.names, names, strict=True) if len(of_camera) < frames), None)
    if short is not None:
        raise UserError(
            f"camera {short[:60]!r} has fewer pictures than the {frames} of another; every camera needs one of every moment."
        )
    files = [
        [_file_of(path, name, of_one, layout) for of_one in of_camera]
        for name, of_camera in zip(rig.names, names, strict=True)
    ]
    strips = [
        Strip(tuple(Still(file, f"{path.name}/{file.relative_to(path).as_posix()}") for file in of_camera))
        for of_camera in files
    ]
    return _Parts(rig.names, list(rig.c2w), rig.lenses, strips, frames, None, _caption_of(path), "")


def _caption_of(path: Path) -> str:
    return read_text(path / CAPTION, MAX_CAPTION_BYTES, CAPTION).strip() if (path / CAPTION).exists() else ""


def _moments(path: Path) -> list[Path]:
    """The folders of the frames, or the folder itself where it is a single moment. Raises UserError for a gap."""
    found: dict[int, Path] = {}
    for entry in _folders_in(path):
        if match := FRAME.fullmatch(entry.name):
            if int(match[1]) in found:
                raise UserError(f"'{found[int(match[1])].name}' and '{entry.name}' are the same frame; leave one out.")
            found[int(match[1])] = entry
    if len(found) > MOST_FRAMES:
        raise UserError(f"it has {len(found)} frames, but at most {MOST_FRAMES} are possible; split it.")
    missing = next((number for number in range(len(found)) if number not in found), None)
    if missing is not None:
        raise UserError(
            f"'frame_{missing:05d}' is missing, but there is '{found[max(found)].name}'; frames must run from 0 without "
            "gaps."
        )
    return [found[number] for number in sorted(found)] or [path]


def _file_of(moment: Path, camera: str, named: str, layout: str) -> Path:
    """The picture of a camera: COLMAP's names are those below images/, transforms.json's below its own folder."""
    try:
        entry = entry_path(named)
    except UserError as problem:
        raise problem.told(f"the picture of camera {camera[:60]!r}: {problem}") from problem
    file = moment / "images" / entry if layout.startswith("colmap") else moment / entry
    for suffix in ("", *PICTURE_SUFFIXES):  # some programs leave it out
        if os.path.isfile(f"{file}{suffix}"):
            return file.with_name(file.name + suffix)
    return file  # refused as missing when it is opened


def _same_cameras(names: Sequence[str], first: Sequence[str]) -> list[int]:
    """Where the first frame's cameras are among a later one's. Raises UserError where they are others."""
    missing = next((name for name in first if name not in names), None)
    extra = next((name for name in names if name not in first), None)
    if missing is not None:
        raise UserError(f"it has no camera {missing[:60]!r}, which the first frame has.")
    if extra is not None:
        raise UserError(f"it has a camera {extra[:60]!r}, which the first frame does not have.")
    return [names.index(name) for name in first]


# -- folders ---------------------------------------------------------------------------------------------------------


def _is_scene(path: Path) -> bool:
    return (path / FILE).is_file() or bool(_layout_of(path))


def _layout_of(path: Path) -> str:
    """Told from what is in the folder; empty where it is no scene."""
    if (path / "videos").is_dir() or (path / CAMERA_FILE).is_file():
        return "syncamvideo"
    first = next((entry for entry in _folders_in(path) if FRAME.fullmatch(entry.name)), path)
    return next((key for key, looks_like in _TOLD_BY.items() if looks_like(first, b"")), "")


def _folders_in(path: Path) -> list[Path]:
    with os.scandir(path) as entries:
        found = [entry for entry in islice(entries, MOST_ENTRIES) if entry.is_dir() and not is_leftover(entry.name)]
    return sorted(Path(entry.path) for entry in found)


def _refuse_links(path: Path) -> None:
    """A dataset of somebody else must not show files from elsewhere on the machine."""
    home = os.path.realpath(path)
    count = 0
    for at, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not is_leftover(name)]
        for name in (*folders, *filterfalse(is_leftover, files)):
            count += 1
            here = os.path.join(at, name)
            if os.path.islink(here) and os.path.commonpath([home, os.path.realpath(here)]) != home:
                raise UserError(
                    f"'{os.path.relpath(here, path)}' is a link that leads out of the scene; copy the file."
                )
        if count > MOST_ENTRIES:
            raise UserError(f"it holds more than {MOST_ENTRIES} files; split it.")


def _refuse(problems: Sequence[str]) -> None:
    """Raise UserError for all that was found: a sentence, or several on lines of their own."""
    if len(problems) == 1:
        raise UserError(problems[0])
    if problems:
        more = [f"and {len(problems) - SHOWN_PROBLEMS} more"] if len(problems) > SHOWN_PROBLEMS else []
        lines = "".join(f"\n  {line}" for line in [*problems[:SHOWN_PROBLEMS], *more])
        raise UserError(f"it has {len(problems)} problems.{lines}")


def _printable_lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))
