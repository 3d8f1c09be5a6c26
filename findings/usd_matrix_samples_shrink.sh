#!/bin/bash
# usd-core 26.11 (PyPI), OpenUSD: between two time samples of a matrix, a camera that turns shrinks.
#
# Expected: half way between the samples of a turn of 90 degrees, a camera has turned by 45 degrees.
# Seen:     a matrix is mixed number by number: 45 degrees, and a scale of 0.71. With an orient op of the same two samples it
#           has turned and has no scale.
# So:       write cameras that move as translate + orient; take the scale away from matrices between samples.
#
# Needs network for the installation. PYTHON is a Python 3.10 or newer.
# Ends with 0 while the behaviour is as said, with 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m pip install --quiet --disable-pip-version-check --target "$folder" usd-core==26.11
cd "$folder"
PYTHONPATH=$folder "${PYTHON:-python3}" - <<'END'
from pxr import Gf, Usd, UsdGeom

stage = Usd.Stage.CreateInMemory()
matrix = UsdGeom.Camera.Define(stage, "/matrix").AddTransformOp()
orient = UsdGeom.Camera.Define(stage, "/orient").AddOrientOp(UsdGeom.XformOp.PrecisionDouble)
for code, degrees in ((0, 0), (1, 90)):
    turn = Gf.Rotation(Gf.Vec3d(0, 1, 0), degrees)
    matrix.Set(Gf.Matrix4d(turn, Gf.Vec3d(0)), code)
    orient.Set(Gf.Quatd(turn.GetQuat()), code)


def scale(path: str, code: float) -> float:
    world = UsdGeom.XformCache(Usd.TimeCode(code)).GetLocalToWorldTransform(stage.GetPrimAtPath(path))
    return round(world.GetRow3(0).GetLength(), 4)


found = {path: [scale(path, code) for code in (0, 0.5, 1)] for path in ("/matrix", "/orient")}
print("OpenUSD", ".".join(map(str, Usd.GetVersion())), "scale of the camera at 0, 0.5 and 1:", found)
raise SystemExit(0 if found == {"/matrix": [1, 0.7071, 1], "/orient": [1, 1, 1]} else 1)
END
