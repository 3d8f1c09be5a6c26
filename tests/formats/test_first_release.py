"""The rigs of SynCamMaster's first release: 36 cameras by name, no frames."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from camera_cases import angle_of_view, orbit_in_the_rig, rigs
from hypothesis import HealthCheck, given, settings

from syncam_core.cameras import Rig
from syncam_core.errors import UserError
from syncam_core.formats import first_release, read_rig_file, write_rig_file

patient = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
IDENTITY = "[1 0 0 0] [0 1 0 0] [0 0 1 0] [0 0 0 1]"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "Hemi36.json"


def read(path, content, **options):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return first_release.read(path, **options)


def hemisphere(distance_m: int, elevation: int) -> dict[str, str]:
    """A rig as the authors' files have it: the n-th camera stands at the angle 10 n about Unreal's z axis."""
    names = [f"{row}_{number:02d}_18mm" for row in "CAB" for number in range(1, 13)]
    e = math.radians(elevation)
    texts = []
    for index in range(1, 37):
        a = math.radians(10 * index)
        out = np.array([math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e)])
        right = np.array([math.sin(a), -math.cos(a), 0])
        up = np.array([-math.sin(e) * math.cos(a), -math.sin(e) * math.sin(a), math.cos(e)])
        rows = [[*-out, 0], [*right, 0], [*up, 0], [*(100 * distance_m * out), 1]]
        texts.append(" ".join(f"[{' '.join(map(repr, map(float, row)))}]" for row in rows))
    return dict(zip(names, texts, strict=True))


def test_a_rig_of_36_cameras_is_an_orbit(path):
    rig = read(path, hemisphere(4, 15))
    assert (rig.views, rig.frames) == (36, 1)
    assert (rig.names[0], rig.names[12], rig.names[-1]) == ("C_01_18mm", "A_01_18mm", "B_12_18mm")
    for index, c2w in enumerate(rig.c2w[:, 0], start=1):
        # Unreal's x axis points away from azimuth 0, and its y axis to the right
        np.testing.assert_allclose(c2w, orbit_in_the_rig(180 - 10 * index, 15, 4), atol=1e-12)


def test_a_real_line_of_a_file_is_read(path):
    text = (
        "[-0.9512512425641977 -0.16773125949652057 -0.25881904510252074 0] "
        "[0.17364817766693028 -0.984807753012208 0.0 0] "
        "[-0.25488700224417876 -0.04494345552754776 0.9659258262890683 0] "
        "[380.50049702567907 67.09250379860825 103.5276180410083 1]"
    )
    np.testing.assert_allclose(read(path, {"C_01_18mm": text}).c2w[0, 0], orbit_in_the_rig(170, 15, 4), atol=1e-12)


@pytest.mark.parametrize(
    ("files", "cameras", "rotation_deg", "distance_change"),
    [
        ([(4, 15)], "C_03_18mm, C_01_18mm", 20, 0),
        ([(5, 0), (5, 15)], "C_01_18mm", 15, 0),
        ([(4, 15), (5, 15)], "1", 0, 1),
    ],
    ids=["az", "el", "dis"],
)
def test_the_presets_of_the_first_release(path, files, cameras, rotation_deg, distance_change):
    poses = [read(path, hemisphere(*file), cameras=cameras).c2w[:, 0] for file in files]
    first, second = torch.cat(poses).numpy()
    relative = np.linalg.inv(first) @ second
    angle = math.degrees(math.acos((np.trace(relative[:3, :3]) - 1) / 2))
    assert angle == pytest.approx(rotation_deg, abs=0.01)
    distances = np.linalg.norm([first[:3, 3], second[:3, 3]], axis=1)
    assert distances[1] - distances[0] == pytest.approx(distance_change)
    if distance_change:
        assert relative[:3, 3].tolist() == pytest.approx([0, 0, -1], abs=1e-12)  # the second stands behind the first


def test_a_name_tells_the_lens(path):
    rig = read(path, {"C_01_18mm": IDENTITY, "C_01_35mm": IDENTITY, "plain": IDENTITY, "zoom_0mm": IDENTITY})
    assert [lens.focal_mm for lens in rig.lenses] == [18, 35, 24, 24]
    assert angle_of_view(rig.lenses[0]) == pytest.approx(2 * math.atan(360 / 545.45), abs=1e-5)


@given(rigs(moving=False))
@patient
def test_what_is_written_comes_back(path, rig):
    write_rig_file(rig, path, "first_release")
    back = read_rig_file(path)
    assert back.names == rig.names
    torch.testing.assert_close(back.c2w, rig.c2w, atol=1e-9, rtol=1e-12)


def test_moving_cameras_and_other_units_are_refused(path):
    c2w = np.tile(np.eye(4), (1, 2, 1, 1))
    c2w[0, 1, 0, 3] = 1
    moving, still = Rig(names=("a",), c2w=c2w), Rig(names=("a",), c2w=c2w[:, :1])
    with pytest.raises(UserError, match="the cameras move over 2 frames, but files of the first release"):
        first_release.write(moving, path)
    with pytest.raises(UserError, match="unit_m is 1, but files of this format are in centimetres"):
        first_release.write(still, path, unit_m=1.0)
    assert not path.exists()
    assert read(path, {"a": IDENTITY.replace("[0 0 0 1]", "[2 0 0 1]")}, unit_m=1.0).c2w[0, 0, 2, 3] == 2


def test_the_registry_tells_it_from_its_content(path):
    path.write_text(json.dumps(hemisphere(6, 40)))
    assert read_rig_file(path, "C_02_18mm, 1").names == ("C_02_18mm", "C_01_18mm")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_rig_file(path).views == 36


@pytest.mark.parametrize("point", [(4, 1, 9), (0, 0, 0)])
def test_world_to_camera_matrices_are_explained(path, point):
    inverse = {}
    for azimuth in (0, 20, 40, 60):
        c2w = orbit_in_the_rig(azimuth, 10, 3)
        c2w[:3, 3] += point
        right, down, forward, centre = c2w[:3].T[:, [2, 0, 1]] * [1, 1, -1]  # Unreal's world axes
        rows = np.column_stack([[forward, right, -down, 100 * centre], [0, 0, 0, 1]])
        inverse[f"C_{azimuth:02d}_18mm"] = " ".join(f"[{' '.join(map(str, row))}]" for row in np.linalg.inv(rows))
    with pytest.raises(UserError, match=r"world-to-camera.*invert each"):
        read(path, inverse)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ([], "does not hold cameras like"),
        ({}, "does not hold cameras like"),
        ({"C_01_18mm": IDENTITY, "fps": 15}, "does not hold cameras like"),
        ({"C_01_18mm": "x"}, "C_01_18mm: 'x' is not four rows"),
        ({"C_01_18mm": "[" * 100_000}, "not four rows"),
        ({"C_01_18mm": IDENTITY.replace("[1", "[nan")}, "C_01_18mm: row 0 holds NaN"),
        ({"C_01_18mm": IDENTITY.replace("[0 1", "[0 -1")}, "camera 'C_01_18mm': the matrix is mirrored"),
        ({"C_01_18mm": IDENTITY.replace("1 0", "2 0").replace("0 1 0", "0 2 0")}, "scaled|not a rotation"),
        ({"": IDENTITY}, "empty name"),
        ({f"c{n}": IDENTITY for n in range(65)}, "65 cameras, but at most 64"),
    ],
    ids=range(11),
)
def test_what_cannot_be_read_is_refused_in_one_sentence(path, content, said):
    with pytest.raises(UserError, match=said) as refused:
        read(path, content)
    assert type(refused.value) is UserError
    assert len(str(refused.value)) < 400
