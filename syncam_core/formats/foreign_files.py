"""Files whose cameras are not read: known by their content or name, refused with the way to go."""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError
from .files import first_rows

_WAY = (
    "open it in Blender and run the script of docs/camera-json-files.md, which writes its cameras as JSON, or write "
    "OpenUSD (.usda), glTF (.glb) or a .chan file per camera from the program it comes from."
)
_SCENES = {  # what people call it: endings, first bytes
    "FBX": ((".fbx",), (b"Kaydara FBX Binary", b"; FBX ")),
    "Alembic": ((".abc",), (b"Ogawa",)),
    "USD": ((".usdz",), ()),  # the archive of a stage; the stage itself is read
    "Collada": ((".dae",), ()),
    "Blender": ((".blend",), (b"BLENDER",)),
    "Maya": ((".ma", ".mb"), (b"//Maya ASCII",)),
    "Houdini": ((".hip", ".hiplc", ".hipnc"), ()),
    "Nuke script": ((".nk",), ()),
}
_EXPORT = "export a COLMAP model, which Metashape and RealityScan can write, or a transforms.json."
_OTHERS = {  # what it is: endings, first bytes, the way to go
    "an archive": (
        (".zip", ".7z", ".rar", ".tar", ".tgz", ".gz"),
        (b"PK\3\4", b"7z\xbc\xaf", b"Rar!", b"\x1f\x8b"),
        "unpack it, and give the file or folder of cameras that is in it.",
    ),
    "XML": ((".xml",), (b"<?xml", b"\xef\xbb\xbf<?xml"), _EXPORT),
    "a table of photos": ((".csv",), (b"#name,x,y", b"#cameras"), _EXPORT),
    "a bundle": ((".out", ".nvm"), (b"# Bundle file", b"NVM_V3"), _EXPORT),
    "a NumPy array": ((".npy", ".npz"), (b"\x93NUMPY",), _EXPORT),
}


def refuse_foreign_files(path: Path, head: bytes) -> None:
    """Raises UserError for a file that other programs keep cameras in; `head` are its first bytes."""
    for name, (suffixes, beginnings) in _SCENES.items():
        if path.suffix.lower() in suffixes or head.startswith(beginnings):
            raise UserError(f"it is a scene ({name}), of which no cameras are read here; {_WAY}")
    for kind, (suffixes, beginnings, way) in _OTHERS.items():
        if path.suffix.lower() in suffixes or head.startswith(beginnings):
            raise UserError(f"it is {kind}, of which no cameras are read here; {way}")


def refuse_foreign_text(head: bytes) -> None:
    """Raises UserError for a text that is in none of our formats, but known; `head` are its first bytes."""
    if [len(words) for words in first_rows(head, 5)] == [3, 4, 4, 4, 4]:
        raise UserError(
            "it is a trajectory (.log) of Open3D or the Redwood data sets, which has no lens and is not read here; write "
            "it from Open3D as .json, which keeps the lens."
        )
