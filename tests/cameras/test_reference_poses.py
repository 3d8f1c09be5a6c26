"""The encoding against the released inference pipeline, re-derived here in plain numpy from its description.

Nothing of the product is used for the expected numbers: the pipeline reads Unreal rows, swaps columns, divides by 200,
and takes relative poses per frame. The product reads the same file through `read_rig_file` and `encode_cameras`.
"""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from syncam_core.cameras import encode_cameras, orbit_rig
from syncam_core.formats import read_rig_file

# azimuth, elevation (degrees) and distance (cm) of the ten example cameras; cam06..08 keep 300 cm of ground distance
EXAMPLE_CAMERAS = [
    (30, 0, 300.0),
    (15, 0, 300.0),
    (0, 0, 300.0),
    (-15, 0, 300.0),
    (-30, 0, 300.0),
    (0, 10, 300 / math.cos(math.radians(10))),
    (0, 20, 300 / math.cos(math.radians(20))),
    (0, 30, 300 / math.cos(math.radians(30))),
    (0, 0, 400.0),
    (0, 0, 500.0),
]
POINT_CM = np.array([13220.0, 1100.0, -570.0])

PRESETS = {  # (view 0, view 1), rotation of view 1, translation of view 1 in units of 2 m
    "az": ((1, 3), ("yaw", 30.0), (-0.750, 0.0, 0.2009)),
    "el": ((3, 7), ("pitch", -20.0), (0.0, -0.546, 0.0)),
    "dis": ((9, 10), ("yaw", 0.0), (0.0, 0.0, -0.5)),
}


def unreal_rows(azimuth_deg: float, elevation_deg: float, distance_cm: float, point_cm: np.ndarray) -> np.ndarray:
    """Forward, right, up and position of an Unreal camera (X forward, Y right, Z up) that looks at a point."""
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    to_camera = np.array(
        [-math.cos(elevation) * math.cos(azimuth), math.cos(elevation) * math.sin(azimuth), math.sin(elevation)]
    )
    forward = -to_camera
    # In a left-handed world the cross product follows the left hand: up x forward gives right.
    right = np.cross([0.0, 0.0, 1.0], forward)
    right /= np.linalg.norm(right)
    up = np.cross(forward, right)
    rows = np.zeros((4, 4))
    rows[:, :3] = [forward, right, up, point_cm + distance_cm * to_camera]
    rows[3, 3] = 1
    return rows


def camera_text(rows: np.ndarray) -> str:
    """Four bracketed rows of six significant digits and a trailing blank, as the data set writes them."""
    return "".join("[" + " ".join(f"{number:.6g}" for number in row) + "] " for row in rows)


def example_document(frames: int = 81) -> dict:
    cameras = {
        f"cam{number:02d}": camera_text(unreal_rows(*camera, POINT_CM))
        for number, camera in enumerate(EXAMPLE_CAMERAS, start=1)
    }
    return {f"frame{frame}": cameras for frame in range(frames)}


def reference_poses(document: dict, names: list[str]) -> np.ndarray:
    """(views, 21, 12) float64: the released pipeline, step by step."""
    views = []
    for name in names:
        matrices = []
        for frame in range(0, 81, 4):
            rows = [row.strip(" []").split() for row in document[f"frame{frame}"][name].strip().split("] [")]
            columns = np.array(rows, dtype=np.float64).T  # forward, right, up, position
            c2w = columns[:, [1, 2, 0, 3]]
            c2w[:3, 1] *= -1
            c2w[:3, 3] /= 200
            matrices.append(c2w)
        views.append(matrices)
    relative = [[np.eye(4)] * 21]
    relative += [
        [np.linalg.inv(zero) @ other for zero, other in zip(views[0], view, strict=True)] for view in views[1:]
    ]
    return np.array(relative)[:, :, :3, :].reshape(len(names), 21, 12)


@pytest.fixture(scope="module")
def example_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("cameras") / "camera_extrinsics.json"
    path.write_text(json.dumps(example_document()))
    return path


@pytest.mark.parametrize("zero", range(1, 11))
def test_every_pair_of_example_cameras_gives_the_numbers_of_the_released_pipeline(example_file, zero):
    order = [zero] + [number for number in range(1, 11) if number != zero]
    expected = reference_poses(example_document(), [f"cam{number:02d}" for number in order])
    poses = encode_cameras(read_rig_file(example_file, ", ".join(map(str, order))), 81).poses
    assert np.abs(poses.double().numpy() - expected).max() <= 1e-6
    # Identical in float32, except for the rounding dust that both leave where the true number is 0.
    same = poses.numpy() == expected.astype(np.float32)
    assert np.abs(poses.numpy()[~same]).max(initial=0) < 1e-13


@pytest.mark.parametrize("preset", PRESETS)
def test_the_presets_have_the_published_relative_poses(example_file, preset):
    (zero, one), (axis, degrees), translation = PRESETS[preset]
    poses = encode_cameras(read_rig_file(example_file, f"{zero}, {one}"), 81).poses
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    # OpenCV axes: turning right carries z towards +x; pitching down carries z towards +y, which is a negative
    # rotation about x
    rotation = {
        "yaw": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "pitch": [[1, 0, 0], [0, c, -s], [0, s, c]],
    }[axis]
    pose = poses[1].reshape(21, 3, 4).double()
    assert (pose[:, :, :3] - torch.tensor(rotation, dtype=torch.float64)).abs().max() < 1e-5
    assert (pose[:, :, 3] - torch.tensor(translation, dtype=torch.float64)).abs().max() < 1e-3
    assert torch.equal(poses[0], torch.tensor([1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]).expand(21, 12))


def test_the_example_cameras_follow_from_azimuth_elevation_and_distance(example_file):
    orbit = orbit_rig(
        [camera[0] for camera in EXAMPLE_CAMERAS],
        [camera[1] for camera in EXAMPLE_CAMERAS],
        [camera[2] / 100 for camera in EXAMPLE_CAMERAS],
    )
    from_file = encode_cameras(read_rig_file(example_file), 81).poses
    # the file has six digits: 0.1 cm at 13220 cm is 5e-4 units
    torch.testing.assert_close(encode_cameras(orbit, 81).poses, from_file, atol=5e-4, rtol=0)


def test_a_moving_file_agrees_with_the_released_pipeline_where_view_0_stands_still(tmp_path):
    document = example_document()
    for frame in range(81):
        cameras = dict(document[f"frame{frame}"])
        cameras["cam03"] = camera_text(unreal_rows(0.3 * frame, 0.1 * frame, 300 + frame, POINT_CM))
        document[f"frame{frame}"] = cameras
    path = tmp_path / "moving.json"
    path.write_text(json.dumps(document))
    expected = reference_poses(document, ["cam01", "cam03"])
    rig = read_rig_file(path, "1, 3")
    assert rig.frames == 81
    assert np.abs(encode_cameras(rig, 81).poses.double().numpy() - expected).max() <= 1e-6
