"""Camera files: one module per format; which one a file is, is told from its content and never from its name.

A new format is a module here and a line in `_MODULES`. Every module has

    NAME                              what people call the format
    SUFFIXES                          of its files, (".chan",); none: it is a folder
    UNIT                              "metres", "centimetres", "in the file", or "asked for": the file does not say it
    WORDS                             what such a file holds, half a sentence for the refusal of files that are none
    FILE_READ, CAMERA_AXES, WORLD_AXES, FILE_WRITTEN, AXES_WRITTEN, LOST
                                      its row in the tables of the help pages (`python scripts/docs/tables.py`)
    looks_like(path, head) -> bool    from the first 64 kB, or of a folder (`head` is empty then)
    read(path, cameras, unit_m)       -> Rig; `cameras` as for `choose_cameras`, `unit_m` in metres or None
    write(rig, path, unit_m)

and some have FILE_PER_CAMERA (several cameras are a folder of files), HAS_PICTURES (`read` takes `pictures`, a key of
`shots.PICTURES`) or is_part(path) (a file that makes sense only with the rest of its folder). Errors are UserErrors that
name the place within the file; the name of the file is put before them here.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from ..cameras.json_text import Json, parse_json
from ..cameras.rig import Rig
from ..disk.bounded import MAX_BYTES, file_text, head_of
from ..errors import UserError
from . import video_tag
from .files import printable
from .foreign_files import refuse_foreign_document, refuse_foreign_files, refuse_foreign_text, refuse_lone_part
from .shots import PICTURES

__all__ = [
    "ANY_TEXT",
    "FORMATS",
    "PICTURES",
    "camera_suffixes",
    "file_name",
    "format_of",
    "read_rig_file",
    "write_rig_file",
]


# In the order in which a file is tried: formats that say their names come before those that are told by their keys.
_MODULES = {
    "rig_json": "rig_json",
    "syncamvideo": "syncamvideo",
    "first_release": "first_release",
    "blender": "blender_json",
    "opencv": "opencv_json",
    "nerfstudio": "nerfstudio",
    "colmap": "colmap",
    "realestate10k": "realestate10k",
    "usd": "usd",
    "gltf": "gltf",
    "open3d": "open3d_json",
    "tum": "tum",
    "kitti": "kitti",
    "nuke_chan": "nuke_chan",
}


ANY_TEXT = ".txt"  # an ending that says nothing about what a file holds


class _Formats(Mapping[str, ModuleType]):
    """The modules by their keys, each imported when it is first asked for."""

    def __getitem__(self, key: str) -> ModuleType:
        return importlib.import_module(f".{_MODULES[key]}", __name__)

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


FORMATS = _Formats()


def read_rig_file(
    path: str | os.PathLike[str],
    cameras: str = "",
    unit_m: float | None = None,
    format: str = "auto",
    pictures: str = "auto",
) -> Rig:
    """The cameras of a file, or of a folder in those formats that are folders.

    `cameras` says which ones and in which order, as for `choose_cameras` ("1, 3"; the first becomes view 0); an
    empty text means all. `unit_m` is the metres of one unit of the file, None the format's own unit. `format` is a
    key of FORMATS, or "auto"; a video that carries a rig is read with "auto". `pictures`, a key of `shots.PICTURES`,
    overrules what is told from the names of pictures (COLMAP, transforms.json); other formats say it themselves.

    Raises UserError with a sentence that names the file and the place in it; for a format without a unit of its own
    (RealEstate10K, COLMAP, nerfstudio, Nuke) also where `unit_m` is None.
    """
    path = Path(path)
    try:
        if format != "auto":
            _checked_format(format)
        if pictures not in PICTURES:
            raise UserError(
                f"'pictures' is {str(pictures)[:40]!r}; possible are {', '.join(PICTURES)}.", field="pictures"
            )
        _check_path(path)
        return _read(path, cameras, unit_m, format, pictures)
    except OSError as problem:  # while it is read: a disk that fails, a share that went away
        raise UserError(f"file {path.name[:100]!r}: it cannot be read ({problem.strerror}).") from problem
    except UserError as problem:
        kind = "folder" if _is_folder(path) else "file"
        raise problem.told(f"{kind} {path.name[:100]!r}: {printable(str(problem))}") from problem


def format_of(path: str | os.PathLike[str]) -> str | None:
    """The key of the format that a file's first bytes, or a folder's files, look like; None where it is none of them."""
    path = Path(path)
    is_folder = _is_folder(path)
    head = b"" if is_folder else head_of(path)
    if not is_folder and not head:
        return None
    return next((key for key in FORMATS if FORMATS[key].looks_like(path, head)), None)


def write_rig_file(
    rig: Rig,
    path: str | os.PathLike[str],
    format: str,
    unit_m: float | None = None,
    **options: object,
) -> None:
    """Write a rig in the format with the key `format`; where it needs several files, `path` becomes a folder of them.

    `unit_m` is the metres of one unit of the file; None is the format's own unit, or metres where it has none.
    `options` are those of the format's `write`.

    Raises UserError with a sentence where the format cannot hold the rig, or the file cannot be written.
    """
    unit = {} if unit_m is None else {"unit_m": unit_m}
    FORMATS[_checked_format(format)].write(rig, Path(path), **unit, **options)


def file_name(rig: Rig, stem: str, format: str) -> str:
    """What to call the file of a rig: the stem with the format's suffix, without one where it is a folder."""
    module = FORMATS[_checked_format(format)]
    is_folder = not module.SUFFIXES or (getattr(module, "FILE_PER_CAMERA", False) and rig.views > 1)
    return stem if is_folder else stem + module.SUFFIXES[0]


def _checked_format(key: str) -> str:
    if key not in FORMATS:
        raise UserError(f"'format' is {str(key)[:40]!r}; possible are {', '.join(FORMATS)}.", field="format")
    return key


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a null byte, a name that is too long
        return False


def _check_path(path: Path) -> None:
    if _is_folder(path):
        return
    try:
        if not path.is_file():  # also keeps pipes and devices, which never end, from being read
            raise UserError("there is no such file.")
    except (OSError, ValueError) as problem:
        raise UserError("there is no such file.") from problem
    refuse_foreign_files(path, head_of(path))


def _read(path: Path, cameras: str, unit_m: float | None, format: str, pictures: str) -> Rig:
    if format == "auto" and not path.is_dir() and video_tag.looks_like(path, head_of(path)):
        return video_tag.read(path, cameras, unit_m)
    key = format_of(path) if format == "auto" else format
    if key is not None:
        module = FORMATS[key]
        choice = {"pictures": pictures} if getattr(module, "HAS_PICTURES", False) else {}
        return module.read(path, cameras=cameras, unit_m=unit_m, **choice)
    if path.is_dir():
        raise UserError(
            f"there is no such file in it as cameras have: {_words_of('')}. A folder of pose files has files of one format "
            f"({', '.join(_suffixes(FILE_PER_CAMERA=True))}); give the folder that holds them."
        )
    whole = next((key for key, module in FORMATS.items() if getattr(module, "is_part", lambda path: False)(path)), None)
    if whole is not None:
        kind = FORMATS[whole].NAME.split()[0]
        raise UserError(
            f"it is a part of a {kind} model; give the folder that holds it, or choose the 'format' {whole}."
        )
    refuse_lone_part(path, head_of(path))
    named = [module for module in FORMATS.values() if path.suffix.lower() in module.SUFFIXES]
    is_json = head_of(path).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")
    if len(named) == 1 and path.suffix.lower() != ANY_TEXT and not is_json:
        named[0].read(path, unit_m=unit_m or 1.0)  # says what is wrong with it, by its line
        raise UserError(f"it does not look like {named[0].NAME}: {named[0].WORDS}; choose its 'format'.")
    refuse_foreign_text(head_of(path))
    return _read_json(path, cameras, unit_m)


def _read_json(path: Path, cameras: str, unit_m: float | None) -> Rig:
    """JSON that no format has claimed by its first bytes: judged as a whole."""
    from .rig_json import rig_of_document
    from .syncamvideo import is_syncamvideo, rig_from_syncamvideo

    text = file_text(path, MAX_BYTES)
    try:
        document = parse_json(text, MAX_BYTES)
    except UserError as problem:
        if text.lstrip()[:1] in ("", "{", "["):
            raise
        texts = [suffix for suffix in _suffixes(FILE_PER_CAMERA=True) if suffix != ".json"]
        others = "; ".join(map(_words_of, texts))
        raise problem.told(f"{problem} Nor is it a text with cameras: {others}.") from problem
    if is_syncamvideo(document):
        return rig_from_syncamvideo(document, cameras, unit_m)
    if isinstance(document, dict) and ("cameras" in document or "format" in document):
        return rig_of_document(document, cameras, unit_m)
    refuse_foreign_document(document)
    raise UserError(
        f"it holds {_described(document)}; {_words_of('.json')}. Give a camera file, or choose its 'format'."
    )


def _words_of(suffix: str) -> str:
    """What files with a suffix hold, or folders where there is none."""
    return "; ".join(
        module.WORDS for module in FORMATS.values() if (suffix in module.SUFFIXES if suffix else not module.SUFFIXES)
    )


def _suffixes(**having: Json) -> list[str]:
    modules = [
        one for one in FORMATS.values() if all(getattr(one, key, None) == value for key, value in having.items())
    ]
    return list(dict.fromkeys(suffix for module in modules for suffix in module.SUFFIXES))


@cache
def camera_suffixes() -> tuple[str, ...]:
    """The endings of all camera files."""
    return tuple(_suffixes())


def _described(document: Json) -> str:
    if not isinstance(document, dict):
        return "a list" if isinstance(document, list) else "a single value"
    keys = [repr(key[:40]) for key in list(document)[:4]]
    return f"the keys {', '.join(keys)}" + (", ..." if len(document) > 4 else "") if keys else "an empty object"
