#!/bin/bash
# pycolmap 4.2.1 (PyPI), COLMAP models in text form: poses that somebody writes into images.txt are not used.
#
# Expected: images.txt is where the poses of a model stand ("IMAGE_ID, QW, ..., TX, TY, TZ, CAMERA_ID, NAME"), as every
#           script that moves, scales or aligns a model takes it.
# Seen:     since rigs and frames came (COLMAP 3.12), a model that is written has rigs.txt and frames.txt, too. While they
#           lie there, the numbers in images.txt count for nothing, without a word; take them away, and they count again.
# So:       scripts for images.txt must remove rigs.txt and frames.txt, or change the poses of the frames instead.
#
# Needs network for the installation. PYTHON is a Python 3.10 or newer.
# Ends with 0 while the behaviour is as said, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --target "$folder" pycolmap==4.2.1 numpy
cd "$folder"
PYTHONPATH=$folder "${PYTHON:-python3}" - <<'EOF'
import re
from pathlib import Path

import numpy as np
import pycolmap

folder = Path("model")
folder.mkdir()
model = pycolmap.Reconstruction()
camera = pycolmap.Camera(model="PINHOLE", width=640, height=480, params=[500, 500, 320, 240], camera_id=1)
model.add_camera_with_trivial_rig(camera)
image = pycolmap.Image(name="a.png", camera_id=1, image_id=1)
model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pycolmap.Rotation3d(), np.array([0.0, 0.0, 3.0])))
model.write_text(folder)


def position() -> list[float]:
    (read,) = pycolmap.Reconstruction(folder).images.values()
    return read.cam_from_world().translation.tolist()


images = folder / "images.txt"
moved = re.sub(r"^(1 1 0 0 0) 0 0 3 ", r"\1 7 0 3 ", images.read_text(), flags=re.MULTILINE)
assert moved != images.read_text()
images.write_text(moved)
beside = sorted(file.name for file in folder.iterdir())
with_them = position()
for name in ("rigs.txt", "frames.txt"):
    (folder / name).unlink()
print("pycolmap", pycolmap.__version__, "wrote", *beside)
print("images.txt says 7 0 3; read beside rigs.txt and frames.txt:", with_them, "without them:", position())
raise SystemExit(0 if (with_them, position()) == ([0, 0, 3], [7, 0, 3]) else 1)
EOF
