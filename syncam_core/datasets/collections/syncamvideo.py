"""The SynCamVideo data set: scenes filmed by standing or moving cameras at once.

    <folder>/.../scene1/videos/cam01.mp4, cam02.mp4, ...
    <folder>/.../scene1/cameras/camera_extrinsics.json
    <folder>/.../scene1/caption.txt                      or caption.json: "a text" or {"caption": "a text"}
    <folder>/metadata.csv                                file_name (relative to the folder), text

Scenes may lie up to four folders deep, and are named after their path. The data set comes without captions. Where
`metadata.csv` lists clips of a scene, the first camera's text counts for the whole scene, as one moment has one
caption; otherwise `caption.txt` or `caption.json` in the scene's folder counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from torch import Tensor

from ...cameras.json_text import Json, parse_json
from ...disk.names import natural
from ...errors import UserError
from ...formats.syncamvideo import rig_from_syncamvideo
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
from ..pictures import check_size
from ..video_file import VIDEO_SUFFIXES, VideoFile, check_clip

CAMERA_FILE = "cameras/camera_extrinsics.json"
MAX_CAMERA_BYTES = 64 * 2**20


def read_syncamvideo(
    folder: str | Path,
    *,
    size: tuple[int, int] = (480, 832),  # height, width: videos are scaled to cover it, and cropped
    length: int | None = None,  # frames that every clip must have; None: any, but the same within a scene
    fps: float | None = None,  # that every clip must have; None: any
) -> list[Scene]:
    """The scenes of a folder in this layout, in natural order of their names; cameras are those of file or folder.

    Poses are in metres and OpenCV axes. A camera file needs as many frames as the clips, or one. What is broken is
    in the list, too: `check` names and drops it. Raises UserError where the folder as a whole cannot be read.
    """
    root = data_folder(folder)
    check_size(size)
    check_clip(length, fps)
    captions: dict[str, dict[str, str]] = {}  # scene -> camera -> text
    scenes = []
    for entry, text in caption_table(root).items():
        if len(entry.parts) >= 2 and entry.parts[-2] == "videos":
            captions.setdefault(_scene_name(root, PurePosixPath(*entry.parts[:-2])), {})[entry.name] = text
        else:
            why = f"'metadata.csv' lists '{entry}', which is not of the form scene/videos/camera.mp4."
            scenes.append(Scene(str(entry), Kind.MULTI_VIEW_VIDEO, text, (broken(entry.name, why),)))
    folders = [path for path in walk(root) if (path / "videos").is_dir() or (path / CAMERA_FILE).is_file()]
    found = {_scene_name(root, path.relative_to(root)): path for path in folders}
    for name in captions:
        found.setdefault(name, root if name == root.name else root / name)
    if not found and not scenes:
        raise UserError(f"{str(folder)!r} holds no scenes; they look like scene1/videos/cam01.mp4.")
    for name, path in found.items():
        texts = captions.get(name, {})
        footage = scene_cameras(path, name, texts, size=size, length=length, fps=fps)
        if not footage:
            footage.append(broken("videos", f"'{name}/videos' holds no videos."))
        caption, problem = scene_caption(path, name, texts)
        if problem:
            footage.append(broken("caption", problem))
        scenes.append(Scene(name, Kind.MULTI_VIEW_VIDEO, caption, tuple(footage)))
    return sorted(scenes, key=lambda scene: natural(scene.name))


def _scene_name(root: Path, relative: PurePosixPath | Path) -> str:
    return relative.as_posix() if relative.parts else root.name


def scene_cameras(
    path: Path,
    name: str = "",  # what messages call the scene
    captions: Mapping[str, str] = MappingProxyType({}),  # file name -> text, of the data set's table
    *,
    size: tuple[int, int] = (480, 832),
    length: int | None = None,
    fps: float | None = None,
) -> list[Footage]:
    """The cameras of one scene, as `read_syncamvideo` reads them; none where the folder has neither videos nor poses."""
    name = name or path.name
    videos = path / "videos"
    there = [file.name for file in entries_of(videos, VIDEO_SUFFIXES)] if videos.is_dir() else []
    if not there and not captions and not (path / CAMERA_FILE).is_file():
        return []
    document, why_not = _cameras(path, name)
    files: dict[str, list[str]] = {}  # camera -> file names
    for file in sorted({*there, *captions}):
        files.setdefault(PurePosixPath(file).stem, []).append(file)
    for camera in _camera_names(document):
        files.setdefault(camera, [f"{camera}.mp4"])
    footage = []
    for camera in sorted(files, key=natural):
        file = files[camera][0]
        shown = f"{name}/videos/{file}"
        c2w, why, frames = (None, why_not, 1) if why_not else _pose(document, camera, f"{name}/{CAMERA_FILE}")
        if why is None and len(files[camera]) > 1:
            why = f"'{name}/videos' holds {len(files[camera])} files of one camera: {', '.join(files[camera])[:80]}."
        if why is None and captions.get(file) == "":
            why = f"'{shown}' has an empty caption in 'metadata.csv'."
        if why is not None:
            footage.append(broken(camera, why))
            continue
        assert c2w is not None  # a camera has its poses, or a reason why not
        read = VideoFile(videos / file, shown, size, length, fps, poses=frames)
        mark = fingerprint(read.path, (size, length, frames, c2w.numpy().tobytes()))
        footage.append(Footage(name=camera, c2w=c2w, read=read, fingerprint=mark))
    return footage


def scene_caption(
    path: Path, name: str = "", captions: Mapping[str, str] = MappingProxyType({})
) -> tuple[str, str | None]:
    """The caption of a scene, empty where there is none, and what is wrong with its file."""
    texts = [captions[file] for file in sorted(captions, key=lambda file: natural(PurePosixPath(file).stem))]
    caption = next(filter(None, texts), "")
    return (caption, None) if caption else _caption_file(path, name or path.name)


def _cameras(path: Path, name: str) -> tuple[dict[str, Json], str | None]:
    """The parsed camera file, or why there is none."""
    try:
        text = read_text(path / CAMERA_FILE, MAX_CAMERA_BYTES, f"{name}/{CAMERA_FILE}")
    except UserError as problem:
        return {}, str(problem)
    try:
        document = parse_json(text, MAX_CAMERA_BYTES)
        if not isinstance(document, dict) or not isinstance(document.get("frame0"), dict):
            raise UserError('it must look like {"frame0": {"cam01": "[...] [...] [...] [...]", ...}, ...}.')
        return document, None
    except UserError as problem:
        return {}, f"'{name}/{CAMERA_FILE}': {problem}"


def _camera_names(document: dict[str, Json]) -> list[str]:
    """All cameras of all frames: one that is missing in some frame is to be named as well."""
    names: dict[str, None] = {}
    for cameras in document.values():
        if isinstance(cameras, dict):
            names.update(dict.fromkeys(cameras))
    return list(names)


def _pose(document: dict[str, Json], camera: str, shown: str) -> tuple[Tensor | None, str | None, int]:
    """One camera's poses, or what is wrong with them, and how many frames the file has for it."""
    if camera not in document["frame0"]:
        return None, f"'{shown}' has no camera {camera[:60]!r} in its first frame.", 0
    try:
        rig = rig_from_syncamvideo(document, [camera])
        if len(entry_path(camera).parts) != 1:
            raise UserError(f"the camera name {camera[:60]!r} cannot be a file name; use names like cam01.")
    except UserError as problem:
        return None, f"'{shown}': {problem}", 0
    return rig.c2w[0], None, len(document)


def _caption_file(path: Path, name: str) -> tuple[str, str | None]:
    """The text of `caption.txt` or `caption.json`, empty where there is none, and what is wrong with the file."""
    for file in ("caption.txt", "caption.json"):
        if not (path / file).is_file():
            continue
        try:
            content: Json = read_text(path / file, MAX_CAPTION_BYTES, f"{name}/{file}")
            if file.endswith(".json"):
                content = parse_json(content, MAX_CAPTION_BYTES)
                content = content.get("caption") if isinstance(content, dict) else content
        except UserError as problem:
            return "", str(problem)
        return (content.strip(), None) if isinstance(content, str) else ("", f"'{name}/{file}' holds no text.")
    return "", None
