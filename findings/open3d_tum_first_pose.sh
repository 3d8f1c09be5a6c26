#!/bin/bash
# Open3D 0.20.0 (PyPI): a trajectory that it writes in the TUM format has one pose less than it was given.
#
# Expected: write_pinhole_camera_trajectory("a.txt", ...) of 3 cameras gives a file of 3 poses behind a comment, as the
#           TUM RGB-D benchmark has them.
# Seen:     there is no line break behind the comment, so that the first pose stands in it. Every reader passes it over:
#           evo, numpy.loadtxt, and Open3D itself, which reads 2 of its own 3. Nothing is said.
# So:       write Open3D's JSON, which also keeps the lens, or put a line break behind "<qw>".
#
# Needs network for the installation (500 MB). PYTHON is a Python 3.10 to 3.12, which this release of Open3D is for.
# Ends with 0 while the behaviour is as said, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.12}" -m venv "$folder/environment"
"$folder/environment/bin/python" -m pip install --quiet --disable-pip-version-check open3d==0.20.0
cd "$folder"
"$folder/environment/bin/python" - <<'END'
from pathlib import Path

import numpy as np
import open3d

trajectory, cameras = open3d.camera.PinholeCameraTrajectory(), []
for x in (1.0, 2.0, 3.0):
    camera = open3d.camera.PinholeCameraParameters()
    camera.intrinsic = open3d.camera.PinholeCameraIntrinsic(640, 480, 500, 500, 319.5, 239.5)
    pose = np.eye(4)
    pose[0, 3] = x
    camera.extrinsic = pose
    cameras.append(camera)
trajectory.parameters = cameras
open3d.io.write_pinhole_camera_trajectory("a.txt", trajectory)
print("Open3D", open3d.__version__, "wrote 3 poses:")
print(Path("a.txt").read_text())
rows = len(np.loadtxt("a.txt"))
own = len(open3d.io.read_pinhole_camera_trajectory("a.txt").parameters)
print("rows that numpy reads:", rows, "cameras that Open3D reads:", own)
raise SystemExit(0 if (rows, own) == (2, 2) else 1)
END
