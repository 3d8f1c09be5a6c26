"""Data sets of filmed tours with camera poses: pictures of scenes that stand still.

RealEstate10K and CameraCtrl: a text file of poses per clip, and a folder of its frames.

    <poses>/.../clip.txt                     a line with the video's address, then per frame: timestamp fx fy cx cy 0 0,
                                             and world-to-camera, 3 x 4, row by row, in OpenCV axes
    <frames>/.../clip/<timestamp>.png        or any names in the order of the rows

DL3DV and nerfstudio: a JSON file per scene beside its frames.

    <folder>/.../scene/transforms.json       {"frames": [{"file_path": "images/frame_00001.png",
                                             "transform_matrix": camera-to-world, 4 x 4, in OpenGL axes}, ...]}

Neither comes with captions. A scene's caption is the row of `metadata.csv` (file_name, text) that names the text file,
the frame folder or the scene's folder; else `caption.txt` among its frames; else what `caption` says.

The world's axes stay those of the file, since only poses relative to each other count. The unit of both data sets is
arbitrary; `metres_per_unit` scales it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from torch import Tensor

from ...cameras.json_text import Json
from ...disk.names import natural
from ...errors import UserError
from ...formats import nerfstudio, realestate10k
from ...formats.axes_and_units import FLIP_YZ, in_metres, refuse_no_pose
from ...formats.json_values import read_json
from ..files import (
    MAX_CAPTION_BYTES,
    broken,
    caption_table,
    data_folder,
    entries_of,
    entry_path,
    fingerprint,
    read_text,
    walk,
)
from ..footage import Footage, Kind, Scene
from ..pictures import PICTURE_SUFFIXES, PictureFile, check_size

MAX_POSE_BYTES = 16 * 2**20


@dataclass(frozen=True)
class _Frame:
    """A frame of a clip, in the clip's order: its pose and its picture, or what is wrong with it."""

    name: str
    c2w: Tensor | None  # (4, 4) float64, OpenCV axes, metres
    path: Path | None
    shown: str
    why: str | None


def read_realestate10k(
    poses: str | Path,
    frames: str | Path | None = None,  # None: beside the pose files
    *,
    size: tuple[int, int] = (480, 832),  # height, width: pictures are scaled to cover it, and cropped
    pictures: int = 8,  # of each scene, at most
    gap: int = 100,  # frames between two neighbours, at most, so that they overlap
    metres_per_unit: float = 1.0,
    caption: str = "",  # of scenes that have none
) -> list[Scene]:
    """A scene for every pose file below the folder, named after its path, of evenly spread pictures.

    Pictures whose names are timestamps belong to the rows of these; else there must be one picture per row. What is
    broken is in the list, too: `check` names and drops it. Raises UserError where a folder as a whole cannot be read.
    """
    root = data_folder(poses)
    picture_root = root if frames is None else data_folder(frames)
    _check_options(size, pictures, gap, metres_per_unit)
    captions = caption_table(root)
    files = [file for place in walk(root) for file in entries_of(place, (".txt",)) if file.name != "caption.txt"]
    if not files:
        raise UserError(f"{str(poses)!r} holds no pose files (.txt).")
    scenes = []
    for file in files:
        name = PurePosixPath(file.relative_to(root).with_suffix("").as_posix())
        folder = picture_root / name
        try:
            clip = _realestate_frames(file, folder, name, metres_per_unit)
        except UserError as problem:
            clip = [_Frame("poses", None, None, "", str(problem))]
        texts = [captions.get(key) for key in (name, PurePosixPath(f"{name}.txt"))]
        scenes.append(_scene(str(name), folder, clip, texts, caption, size, pictures, gap))
    return sorted(scenes, key=lambda scene: natural(scene.name))


def read_dl3dv(
    folder: str | Path,
    *,
    size: tuple[int, int] = (480, 832),  # height, width: pictures are scaled to cover it, and cropped
    pictures: int = 8,  # of each scene, at most
    gap: int = 100,  # frames between two neighbours, at most, so that they overlap
    metres_per_unit: float = 1.0,
    images: str = "",  # the folder that stands in for that of file_path: DL3DV's smaller pictures lie in "images_4"
    caption: str = "",  # of scenes that have none
) -> list[Scene]:
    """A scene for every `transforms.json` below the folder, named after its path, of evenly spread pictures.

    Frames count in the natural order of their file names. What is broken is in the list, too: `check` names and drops
    it. Raises UserError where the folder as a whole cannot be read.
    """
    root = data_folder(folder)
    _check_options(size, pictures, gap, metres_per_unit)
    if images:
        entry_path(images)
    captions = caption_table(root)
    scenes = []
    for place in walk(root):
        if not (place / nerfstudio.FILE).is_file():
            continue
        name = PurePosixPath(place.relative_to(root).as_posix() if place != root else root.name)
        try:
            clip = _nerfstudio_frames(place, name, images, metres_per_unit)
        except UserError as problem:
            clip = [_Frame("poses", None, None, "", str(problem))]
        texts = [captions.get(key) for key in (name, name / nerfstudio.FILE)]
        scenes.append(_scene(str(name), place, clip, texts, caption, size, pictures, gap))
    if not scenes:
        raise UserError(f"{str(folder)!r} holds no scenes; they look like scene/transforms.json.")
    return sorted(scenes, key=lambda scene: natural(scene.name))


def _check_options(size: tuple[int, int], pictures: int, gap: int, metres_per_unit: float) -> None:
    check_size(size)
    if not 2 <= pictures <= 64:
        raise UserError(f"'pictures' is {pictures}, but 2 to 64 of a scene are possible.", field="pictures")
    if gap < 1:
        raise UserError(f"'gap' is {gap}, but at least 1 frame lies between neighbours.", field="gap")
    if not 0 < metres_per_unit < math.inf:
        raise UserError(
            f"'metres_per_unit' is {metres_per_unit}, but a length above 0 is needed.", field="metres_per_unit"
        )


def _realestate_frames(file: Path, folder: Path, name: PurePosixPath, metres_per_unit: float) -> list[_Frame]:
    shown = f"{name}.txt"
    rows = [*realestate10k.rows_of_text(read_text(file, MAX_POSE_BYTES, shown))]
    if not rows:
        raise UserError(f"'{shown}' holds no poses.")
    found = entries_of(folder, PICTURE_SUFFIXES) if folder.is_dir() else []
    if not found:
        raise UserError(f"'{shown}' has no pictures in '{name}'.")
    stamps = [words[0] for _, words in rows]
    by_stamp = {path.stem: path for path in found}
    if not by_stamp.keys() & {*stamps}:
        if len(found) != len(rows):
            raise UserError(f"'{shown}' has {len(rows)} poses, but there are {len(found)} pictures in '{name}'.")
        by_stamp = dict(zip(stamps, found, strict=True))
    stamp, times = Counter(stamps).most_common(1)[0]
    if times > 1:
        raise UserError(f"'{shown}' has the timestamp {stamp[:40]} {times} times.")
    frames = []
    for stamp, (_, words) in zip(stamps, rows, strict=True):
        path = by_stamp.pop(stamp, None)
        picture = f"{name}/{path.name if path else stamp[:40] + '.png'}"
        try:
            c2w, why = in_metres(realestate10k.pose_of_row(words)[1], metres_per_unit), None
        except UserError as problem:
            c2w, why = None, f"'{shown}', the row of '{picture}', {problem}"
        if path is None:
            why = f"'{picture}' is missing, but '{shown}' has its pose."
        frames.append(_Frame(stamp[:40], c2w, path, picture, why))
    for stamp, path in by_stamp.items():
        picture = f"{name}/{path.name}"
        frames.append(_Frame(stamp, None, path, picture, f"'{picture}' has no pose in '{shown}'."))
    return frames


def _nerfstudio_frames(place: Path, name: PurePosixPath, images: str, metres_per_unit: float) -> list[_Frame]:
    shown = f"{name}/{nerfstudio.FILE}"
    try:
        entries = nerfstudio.frames_of(read_json(place / nerfstudio.FILE))
    except UserError as problem:
        raise problem.told(f"'{shown}': {problem}") from problem
    frames: dict[PurePosixPath, _Frame] = {}
    for index, entry in enumerate(entries):
        try:
            file = _file_of(entry, images)
        except UserError as problem:
            file = PurePosixPath(f"frame {index}")
            frames[file] = _Frame(str(file), None, None, "", f"'{shown}', frame {index}: {problem}")
            continue
        if file in frames:
            raise UserError(f"'{shown}' lists '{file}' twice.")
        try:
            opengl = nerfstudio.pose_of(entry, index)
            refuse_no_pose(opengl)
            c2w, why = in_metres(opengl @ FLIP_YZ, metres_per_unit), None
        except UserError as problem:
            c2w, why = None, f"'{shown}': the pose of '{file}': {problem}"
        frames[file] = _Frame(str(file), c2w, place / file, f"{name}/{file}", why)
    there = {
        PurePosixPath(path.relative_to(place).as_posix()): path
        for folder in {frame.path.parent for frame in frames.values() if frame.path}
        if folder.is_dir()
        for path in entries_of(folder, PICTURE_SUFFIXES)
    }
    for file, frame in frames.items():
        if frame.path and file not in there:
            why = f"'{frame.shown}' is missing, but '{shown}' has its pose."
            frames[file] = _Frame(frame.name, None, None, frame.shown, why)
    for file in there.keys() - frames.keys():  # somebody lost a part of the JSON file
        why = f"'{name}/{file}' has no pose in '{shown}'."
        frames[file] = _Frame(str(file), None, there[file], f"{name}/{file}", why)
    return [frames[file] for file in sorted(frames, key=natural)]


def _file_of(entry: dict[str, Json], images: str) -> PurePosixPath:
    if not isinstance(entry.get("file_path"), str):
        raise UserError("it has no 'file_path'.")
    file = entry_path(entry["file_path"])
    return entry_path(images) / file.name if images else file


def _scene(
    name: str,
    folder: Path,  # of the pictures
    clip: list[_Frame],
    texts: list[str | None],  # what the table of captions has for this scene
    default: str,
    size: tuple[int, int],
    pictures: int,
    gap: int,
) -> Scene:
    footage = []
    good = [position for position, frame in enumerate(clip) if frame.why is None]
    for position in spread(good, pictures, gap):
        frame = clip[position]
        assert frame.path is not None
        assert frame.c2w is not None
        mark = fingerprint(frame.path, (size, frame.c2w.numpy().tobytes()))
        footage.append(Footage(frame.name, frame.c2w[None], PictureFile(frame.path, frame.shown, size), mark))
    footage += [broken(frame.name, frame.why) for frame in clip if frame.why is not None]
    caption = next((text for text in texts if text is not None), None)
    if caption is None:
        caption = default
        if (folder / "caption.txt").is_file():
            try:
                caption = read_text(folder / "caption.txt", MAX_CAPTION_BYTES, f"{name}/caption.txt").strip()
            except UserError as problem:
                caption = ""
                footage.append(broken("caption", str(problem)))
    return Scene(name, Kind.MULTI_VIEW_IMAGES, caption, tuple(footage))


def spread(
    positions: Sequence[int],  # rising
    count: int,
    gap: int,
) -> list[int]:
    """At most `count` of the positions, as evenly as they allow, no two neighbours farther apart than `gap`.

    Where a hole is wider than `gap`, the longer side of it counts; of a side that is longer than `count` pictures can
    span, the middle.
    """
    runs: list[list[int]] = []
    for position in positions:
        if runs and position - runs[-1][-1] <= gap:
            runs[-1].append(position)
        else:
            runs.append([position])
    if not runs:
        return []
    run = max(runs, key=lambda run: run[-1] - run[0])
    room = max(0, run[-1] - run[0] - gap * (count - 1))
    chosen = [next(position for position in run if position >= run[0] + room // 2)]
    end = min(run[-1], chosen[0] + gap * (count - 1))
    for left in range(count - 1, 0, -1):
        target = chosen[-1] + min(gap, (end - chosen[-1]) / left)
        later = [position for position in run if chosen[-1] < position <= chosen[-1] + gap]
        if not later:
            break
        chosen.append(min(later, key=lambda position: abs(position - target)))
    return chosen
