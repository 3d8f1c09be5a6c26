#!/bin/bash
# bpy 5.0.1 (PyPI), Blender: what moves and is exported to USD with "Merge Parent Xform" becomes an empty Xform.
#
# Expected: the option leaves out the prim around a camera or a mesh, an Xform named after the object; what is left is a
#           Camera or Mesh prim with both the transform and the data. For objects that stand still it is so.
# Seen:     with "Animation", the prim of an object that has keys still holds focalLength and all, but its type is Xform.
#           No reader of USD finds a camera in it, Blender's own import neither. The exporter says nothing.
# So:       leave the option off where something moves, or take an Xform that has "projection" for a Camera.
#
# Needs network for the installation (400 MB). PYTHON is a Python 3.11, which this release of bpy is for.
# Ends with 0 while the behaviour is as said, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m pip install --quiet --disable-pip-version-check --target "$folder" bpy==5.0.1 "numpy<2"
cd "$folder"
PYTHONPATH=$folder "${PYTHON:-python3.11}" - <<'END'
import re
from pathlib import Path

import bpy


def exported(keyed: bool, merged: bool) -> tuple[dict[str, str], int]:
    """The types of the prims of a camera and a mesh, and how many cameras Blender finds in its own file."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    for name, data in (("hero", bpy.data.cameras.new("lens")), ("thing", bpy.data.meshes.new("shape"))):
        one = bpy.data.objects.new(name, data)
        bpy.context.scene.collection.objects.link(one)
        for frame in (1, 5) if keyed else ():
            one.location.x = frame
            one.keyframe_insert("location", frame=frame)
    file = Path("scene.usda").resolve()
    bpy.ops.wm.usd_export(filepath=str(file), export_animation=True, merge_parent_xform=merged)
    types = {name: kind for kind, name in re.findall(r'def (\w+) "(hero|lens|thing|shape)"', file.read_text())}
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.wm.usd_import(filepath=str(file))
    return types, sum(one.type == "CAMERA" for one in bpy.context.scene.objects)


still, moving, apart = exported(False, True), exported(True, True), exported(True, False)
print("Blender", bpy.app.version_string, "prims, and cameras that it imports again")
print("merged, still: ", *still)
print("merged, moving:", *moving)
print("apart, moving: ", *apart)
as_said = (
    still == ({"hero": "Camera", "thing": "Mesh"}, 1)
    and moving == ({"hero": "Xform", "thing": "Xform"}, 0)
    and apart == ({"hero": "Xform", "lens": "Camera", "thing": "Xform", "shape": "Mesh"}, 1)
)
raise SystemExit(0 if as_said else 1)
END
