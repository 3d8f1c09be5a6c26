"""Files whose cameras are not read: known by their content or name, refused with the way to go."""

from __future__ import annotations

from pathlib import Path

from ..cameras.json_text import Json
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
    "a database": (
        (".db",),
        (b"SQLite format 3",),
        "COLMAP's holds features and no cameras yet: run its mapper, and give the folder of the model that it makes.",
    ),
    "a picture": (
        (".png", ".jpg", ".jpeg", ".webp", ".exr", ".tif", ".tiff"),
        (b"\x89PNG", b"\xff\xd8\xff", b"II*\0", b"MM\0*"),
        "find the cameras of all pictures of the scene with COLMAP, Metashape or RealityScan, and give the model's folder.",
    ),
    "geometry": (
        (".ply", ".obj", ".stl", ".splat", ".spz"),
        (b"ply\n", b"ply\r\n"),
        "give the cameras that belong to it: a COLMAP model, a transforms.json or a glTF (.glb) with its cameras.",
    ),
    "a calibration": (
        (".yml", ".yaml"),
        (b"%YAML",),
        "write its K, R and t as JSON, as docs/camera-json-files.md shows.",
    ),
    "an fSpy project": (
        (".fspy",),
        (b"fspy",),
        "import it into Blender and run the script of docs/camera-json-files.md, which writes its cameras as JSON.",
    ),
}
_PARTS = {  # of a COLMAP model: what one of its files lacks, all alone
    "images": "the poses of a COLMAP model without their lenses; put its cameras file into the same folder, and give that",
    "cameras": "the lenses of a COLMAP model without their poses; put its images file into the same folder, and give that",
    "points3D": "the points of a COLMAP model; put its cameras and images files into the same folder, and give that",
}


def refuse_foreign_files(path: Path, head: bytes) -> None:
    """Raises UserError for a file that other programs keep cameras in; `head` are its first bytes."""
    for name, (suffixes, beginnings) in _SCENES.items():
        if path.suffix.lower() in suffixes or head.startswith(beginnings):
            raise UserError(f"it is a scene ({name}), of which no cameras are read here; {_WAY}")
    for kind, (suffixes, beginnings, way) in _OTHERS.items():
        if path.suffix.lower() in suffixes or head.startswith(beginnings):
            raise UserError(f"it is {kind}, of which no cameras are read here; {way}")


def refuse_lone_part(path: Path, head: bytes) -> None:
    """Raises UserError for one file of a COLMAP model that the others do not stand beside."""
    lacks = _PARTS.get(path.stem)
    if lacks and (path.suffix == ".bin" or (path.suffix == ".txt" and head.lstrip().startswith(b"#"))):
        raise UserError(f"it is {lacks} folder's name.")


def refuse_foreign_document(document: Json) -> None:
    """Raises UserError for JSON that is no camera file, but known."""
    if not isinstance(document, dict):
        return
    nodes = [*document.values()] or [None]
    in_api_format = all(isinstance(node, dict) and "class_type" in node for node in nodes)
    if in_api_format or ("nodes" in document and "links" in document):
        raise UserError("it is a workflow of ComfyUI, no camera file; drop it onto the canvas to open it.")
    if document.get("frames") == []:
        raise UserError("its list 'frames' is empty: there are no cameras in it; export it again.")


def refuse_foreign_text(head: bytes) -> None:
    """Raises UserError for a text that is in none of our formats, but known; `head` are its first bytes."""
    if [len(words) for words in first_rows(head, 5)] == [3, 4, 4, 4, 4]:
        raise UserError(
            "it is a trajectory (.log) of Open3D or the Redwood data sets, which has no lens and is not read here; write "
            "it from Open3D as .json, which keeps the lens."
        )
