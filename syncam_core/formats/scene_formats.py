"""Files of whole scenes, whose cameras are not read: known by their content or name, refused with the way to go."""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError

_WAY = (
    "open it in Blender and run the script of docs/camera-json-files.md, which writes its cameras as JSON, or write a "
    ".chan file per camera from Maya, Houdini or Nuke."
)
_SCENES = {  # what people call it: endings, first bytes
    "FBX": ((".fbx",), (b"Kaydara FBX Binary", b"; FBX ")),
    "Alembic": ((".abc",), (b"Ogawa",)),
    "USD": ((".usd", ".usda", ".usdc", ".usdz"), (b"PXR-USDC", b"#usda")),
    "glTF": ((".gltf", ".glb"), (b"glTF",)),
    "Collada": ((".dae",), ()),
    "Blender": ((".blend",), (b"BLENDER",)),
    "Maya": ((".ma", ".mb"), (b"//Maya ASCII",)),
    "Houdini": ((".hip", ".hiplc", ".hipnc"), ()),
    "Nuke script": ((".nk",), ()),
}


def refuse_scenes(path: Path, head: bytes) -> None:
    """Raises UserError for a file of a whole scene; `head` are its first bytes."""
    for name, (suffixes, beginnings) in _SCENES.items():
        if path.suffix.lower() in suffixes or head.startswith(beginnings):
            raise UserError(f"it is a scene ({name}), of which no cameras are read here; {_WAY}")
    if b'"asset"' in head and b'"bufferViews"' in head:
        raise UserError(f"it is a scene (glTF), of which no cameras are read here; {_WAY}")
