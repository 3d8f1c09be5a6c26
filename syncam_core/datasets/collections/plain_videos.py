"""Videos of one camera each, whose pose nobody knows: the general video of the joint training.

<folder>/**/any name.mp4
<folder>/**/any name.txt      its caption, or
<folder>/metadata.csv         file_name (relative to the folder), text
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from ...disk.names import natural
from ...errors import UserError
from ..files import (
    MAX_CAPTION_BYTES,
    broken,
    caption_table,
    data_folder,
    entries_of,
    fingerprint,
    read_text,
    walk,
)
from ..footage import Footage, Kind, Scene
from ..pictures import check_size
from ..video_file import VIDEO_SUFFIXES, VideoFile, check_clip

CAMERA = "video"  # the name of the one camera


def read_plain_videos(
    folder: str | Path,
    *,
    size: tuple[int, int] = (480, 832),  # height, width: videos are scaled to cover it, and cropped
    length: int | None = None,  # frames to take from the beginning; shorter videos are broken. None: all
    fps: float | None = None,  # that every video must have; None: any
) -> list[Scene]:
    """A scene for every video file below the folder and every row of its `metadata.csv`, named after the file's path.

    A row's text goes before a text file. What is broken is in the list, too: `check` names and drops it. Raises
    UserError where the folder as a whole cannot be read.
    """
    root = data_folder(folder)
    check_size(size)
    check_clip(length, fps)
    captions = caption_table(root)
    found = {
        PurePosixPath(file.relative_to(root).as_posix())
        for place in walk(root)
        for file in entries_of(place, VIDEO_SUFFIXES)
    }
    if not found and not captions:
        raise UserError(f"{str(folder)!r} holds no videos ({', '.join(VIDEO_SUFFIXES)}).")
    scenes = []
    for name in sorted({*found, *captions}, key=natural):
        read = VideoFile(root / name, str(name), size, length, fps, may_be_longer=True)
        footage = [Footage(CAMERA, None, read, fingerprint(read.path, (size, length)))]
        caption = captions.get(name)
        text = (root / name).with_suffix(".txt")
        if caption is None:
            try:
                caption = read_text(text, MAX_CAPTION_BYTES, str(name.with_suffix(".txt"))).strip()
            except UserError as problem:
                caption, footage = "", [broken(CAMERA, f"'{name}' has no caption: {problem}")]
        scenes.append(Scene(str(name), Kind.VIDEO, caption, tuple(footage)))
    return scenes
