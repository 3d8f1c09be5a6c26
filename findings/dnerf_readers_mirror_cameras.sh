#!/bin/bash
# 4DGaussians (github.com/hustvl/4DGaussians, 843d5ac) and Deformable 3D Gaussians (github.com/ingra14m/Deformable-3D-Gaussians,
# ac42372), their reader of D-NeRF's transforms_train.json: a camera beside the world's axis is read mirrored.
#
# Expected: a point that a camera of the file sees 0.2 to the right of its axis is seen there.
# Seen:     the translation of world to camera is taken as -t, where y and z change their signs with the axes, and x must
#           not. It is 0 in D-NeRF's own scenes, whose cameras look straight at the origin, so nobody sees it there. Of a
#           camera that pans, or of two that stand beside each other, every point is moved by twice the offset.
#           Deformable 3D Gaussians also exchanges the angles across and down.
# So:       correct the reader before you train on cameras that look elsewhere:
#           sed -i 's/T = -matrix\[:3, 3\]/T = matrix[:3, 3] * np.array([1, -1, -1])/' scene/dataset_readers.py
#
# Needs network for the sources and the installation. PYTHON is a Python 3.10 or newer. SOURCES is where the repositories are.
# Ends with 0 while the behaviour is as said, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --target "$folder/site" numpy "pillow<11"
for source in hustvl/4DGaussians@843d5ac ingra14m/Deformable-3D-Gaussians@ac42372; do
    git clone --quiet --no-checkout --filter=blob:none "${SOURCES:-https://github.com}/${source%@*}" "$folder/source"
    git -C "$folder/source" show "${source#*@}:scene/dataset_readers.py" > "$folder/reader.py"
    rm -rf "$folder/source"
    echo "$source"
    PYTHONPATH="$folder/site" "${PYTHON:-python3}" - "$folder" <<'EOF'
import ast
import json
import math
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from PIL import Image

folder = Path(sys.argv[1])
# Their function alone: the modules around it ask for CUDA.
functions = [
    node
    for node in ast.parse((folder / "reader.py").read_text()).body
    if isinstance(node, ast.FunctionDef) and node.name == "readCamerasFromTransforms"
]
known = {
    **{"np": np, "json": json, "os": os, "Path": Path, "Image": Image, "CameraInfo": SimpleNamespace},
    "focal2fov": lambda focal, pixels: 2 * math.atan(pixels / (2 * focal)),
    "fov2focal": lambda angle, pixels: pixels / (2 * math.tan(angle / 2)),
    "PILtoTorch": lambda picture, size: np.zeros((3, *size)),
}
exec(compile(ast.Module(functions, []), "reader", "exec"), known)

turn = math.radians(30)  # about the world's axis z, away from the origin
c2w = np.array([[math.cos(turn), 0, -math.sin(turn), 3], [math.sin(turn), 0, math.cos(turn), 4], [0, 1, 0, 1], [0, 0, 0, 1]])
c2w[:3, 2] = np.cross(c2w[:3, 0], c2w[:3, 1])  # OpenGL's axes: x right, y up, z back
Image.new("RGB", (80, 40)).save(folder / "one.png")
frame = {"file_path": "one", "time": 0.0, "transform_matrix": c2w.tolist()}
(folder / "transforms_train.json").write_text(json.dumps({"camera_angle_x": 1.0, "frames": [frame]}))
(camera,) = known["readCamerasFromTransforms"](str(folder), "transforms_train.json", False, **(
    {"mapper": {0.0: 0.0}} if "mapper" in functions[0].args.args[-1].arg else {}
))
point = c2w @ [0.2, 0.1, -1, 1]  # right, up, ahead of the camera
x, y, z = np.transpose(camera.R) @ point[:3] + camera.T  # OpenCV's axes: right, down, ahead
print(f"a point 0.20 to the right is read {x / z:.2f} to the right; 0.10 up is {-y / z:.2f} up; ahead {z:.2f}")
print(f"1.000 radians across are read as {camera.FovX:.3f}")
raise SystemExit(0 if abs(x / z - 0.2) > 1 and abs(-y / z - 0.1) < 1e-6 and abs(z - 1) < 1e-6 else 1)
EOF
done
