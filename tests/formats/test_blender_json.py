"""The Blender JSON: axes, units, the script that exports it, and what is refused."""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from camera_cases import angle_of_view, orbit_in_the_rig, orbit_with_z_up, rigs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncam_core.cameras import Lens, orbit_rig
from syncam_core.errors import UserError
from syncam_core.formats import blender_json, read_rig_file

patient = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
EYE = np.eye(4).tolist()
PAGE = Path(__file__).parents[2] / "docs" / "camera-json-files.md"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cameras.json"


def document(*cameras: dict, **changes) -> dict:
    return {"format": "blender-cameras", "version": 1, "unit_scale": 1.0, "cameras": list(cameras), **changes}


def read(path, content, **options):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return blender_json.read(path, **options)


@given(rigs())
@patient
def test_what_is_written_comes_back(path, rig):
    blender_json.write(rig, path, unit_m=0.01)
    back = blender_json.read(path)
    assert back.names == rig.names
    assert back.lenses == rig.lenses
    assert back.frames == rig.frames
    torch.testing.assert_close(back.c2w, rig.c2w, atol=1e-9, rtol=1e-12)


@given(st.floats(-180, 180), st.floats(-85, 85), st.floats(0.1, 100), st.floats(-180, 180))
@patient
def test_blenders_axes_become_the_rigs(path, azimuth, elevation, distance, roll):
    matrix = orbit_with_z_up(azimuth, elevation, distance, roll)
    rig = read(path, document({"name": "Camera", "matrix_world": matrix.tolist()}, unit_scale=0.25))
    expected = orbit_in_the_rig(azimuth, elevation, distance, roll)
    expected[:3, 3] *= 0.25
    np.testing.assert_allclose(rig.c2w[0, 0], expected, atol=1e-9 * max(1, distance))


def test_a_written_file_has_blenders_axes(path):
    blender_json.write(orbit_rig([0, 90], [0, 30], [3, 2]), path)
    front, right = (np.array(camera["matrix_world"]) for camera in json.loads(path.read_text())["cameras"])
    # In front of the scene, on -y; it looks along +y (its own -z) and its y axis points up.
    np.testing.assert_allclose(front, [[1, 0, 0, 0], [0, 0, -1, -3], [0, 1, 0, 0], [0, 0, 0, 1]], atol=1e-15)
    np.testing.assert_allclose(right, orbit_with_z_up(90, 30, 2), atol=1e-12)


def test_a_list_of_matrices_is_a_moving_camera(path):
    frames = [orbit_with_z_up(angle, 0, 3).tolist() for angle in (0, 10, 20)]
    rig = read(path, document({"name": "moves", "matrix_world": frames}, {"name": "stands", "matrix_world": EYE}))
    assert (rig.frames, rig.is_static) == (3, False)
    np.testing.assert_allclose(rig.c2w[0, 2], orbit_in_the_rig(20, 0, 3), atol=1e-12)


def test_the_lens_is_read(path):
    (lens,) = read(path, document({"matrix_world": EYE, "lens_mm": 50, "sensor_width_mm": 36})).lenses
    assert (lens.focal_mm, lens.sensor_width_mm) == (50, 36)
    assert angle_of_view(lens) == pytest.approx(math.radians(39.6), abs=1e-3)


def test_the_unit_is_read_or_asked_for(path):
    matrix = [[1, 0, 0, 2], [0, 1, 0, 0], [0, 0, 1, 0]]
    assert read(path, document({"matrix_world": matrix}, unit_scale=0.01)).c2w[0, 0, 0, 3] == 0.02
    content = document({"matrix_world": matrix})
    del content["unit_scale"]
    with pytest.raises(UserError, match=r"does not say its unit; give 'unit_m'"):
        read(path, content)
    assert read(path, content, unit_m=0.5).c2w[0, 0, 0, 3] == 1


def test_the_registry_tells_it_from_its_content(path):
    path.write_text(json.dumps(document({"name": "Camera", "matrix_world": EYE})))
    assert read_rig_file(path).names == ("Camera",)


@pytest.mark.parametrize("point", [(7, 3, 1), (0, 0, 0)])
def test_inverted_matrices_are_explained(path, point):
    cameras = []
    for azimuth, elevation in ((0, 5), (30, 10), (60, 20), (-50, 30)):
        matrix = orbit_with_z_up(azimuth, elevation, 3)
        matrix[:3, 3] += point
        cameras.append({"matrix_world": np.linalg.inv(matrix).tolist()})
    with pytest.raises(UserError, match=r"world-to-camera.*without inverting"):
        read(path, document(*cameras))
    with pytest.raises(UserError, match=r"world-to-camera.*without inverting"):
        read(path, document(*cameras), cameras="1, 3")


def test_a_level_panorama_is_not_taken_for_inverse_matrices(path):
    cameras = []
    for azimuth in (0, 60, 120, 180):
        matrix = orbit_with_z_up(azimuth, 0, 3)
        matrix[:3, 3] = [0, 0, 1.6]
        cameras.append({"matrix_world": matrix.tolist()})
    assert read(path, document(*cameras)).views == 4


@pytest.mark.parametrize("suffix", ["_mm", ""])
def test_a_lens_by_blenders_own_names_is_read(path, suffix):
    camera = {"matrix_world": EYE, f"lens{suffix}": 50, f"sensor_width{suffix}": 36}
    assert read(path, document(camera)).lenses == (Lens(50, 36),)


@pytest.mark.parametrize(
    ("fit", "size", "across_mm"),
    [
        ("HORIZONTAL", (480, 832), 36.0),
        ("AUTO", (832, 480), 36.0),
        ("AUTO", (480, 832), 36.0 * 480 / 832),
        ("AUTO", None, 36.0),
        ("VERTICAL", (832, 480), 24.0 * 832 / 480),
        ("VERTICAL", (480, 832), 24.0 * 480 / 832),
    ],
)
@pytest.mark.parametrize("of_file", [False, True])
def test_a_lens_whose_sensor_fits_the_height_is_turned_into_that_of_the_width(path, fit, size, across_mm, of_file):
    """As `BlenderCamera` below has it of Blender 5.0.1."""
    shape = dict(zip(("resolution_x", "resolution_y"), size or (), strict=False))
    camera = {"matrix_world": EYE, "lens": 50, "sensor_width": 36, "sensor_height": 24, "sensor_fit": fit}
    camera, about = (camera, shape) if of_file else ({**camera, **shape}, {})
    (lens,) = read(path, document(camera, **about)).lenses
    assert lens.sensor_width_mm / lens.focal_mm == pytest.approx(across_mm / 50, rel=1e-12)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("[" * 100_000, "nested too deeply"),
        ({"a": 1}, "an object of 1 keys without 'cameras'"),
        (document(), "cameras is an empty list"),
        (document({}), r"cameras\[0\] has no matrix_world"),
        (document({"matrix_world": {}}), r"cameras\[0\].matrix_world is an empty object"),
        (document({"matrix_world": [EYE, 3]}), r"cameras\[0\].matrix_world\[1\] is 3"),
        (document({"matrix_world": np.diag([2.0, 2, 2, 1]).tolist()}), r"scaled by 2.*apply its scale in Blender"),
        (document({"matrix_world": np.diag([-1.0, 1, 1, 1]).tolist()}), "mirrored"),
        (json.dumps(document({"matrix_world": EYE})).replace("1.0, 0.0", "NaN, 0.0", 1), r"row 0\[0\] is NaN"),
        (document({"matrix_world": EYE, "lens_mm": 50}), "lens_mm but no sensor_width_mm"),
        (
            document({"matrix_world": EYE, "lens": 50, "sensor_width": 36, "sensor_fit": "VERTICAL"}),
            "sensor_fit is VERTICAL, so its angle across needs sensor_height, resolution_x and resolution_y",
        ),
        (document({"matrix_world": EYE, "lens": 50, "sensor_width": 36, "sensor_fit": 1}), "possible are AUTO"),
        (document({"matrix_world": EYE, "lens_mm": 0, "sensor_width_mm": 36}), "focal_mm 0.0"),
        (document({"matrix_world": EYE}, unit_scale="m"), "unit_scale is the text 'm'"),
        (document({"matrix_world": [EYE] * 2}, {"matrix_world": [EYE] * 3}), "2 frames but .* 3"),
    ],
    ids=range(16),
)
def test_what_cannot_be_read_is_refused_in_one_sentence(path, content, said):
    with pytest.raises(UserError, match=said) as refused:
        read(path, content)
    assert type(refused.value) is UserError
    assert len(str(refused.value)) < 400


# -- the script of the help page, run against what it uses of Blender --------------------------------------------------


class Matrix(list):
    def normalized(self):
        axes = np.array(self)[:3, :3]
        unscaled = np.array(self)
        unscaled[:3, :3] = axes / np.linalg.norm(axes, axis=0)
        return Matrix(unscaled.tolist())


class BlenderCamera(SimpleNamespace):
    """A camera with a 50 mm lens and Blender's own projection, as Blender 5.0.1 gives it for each sensor fit."""

    def calc_matrix_camera(self, depsgraph, x, y, scale_x, scale_y):
        assert depsgraph == "graph"
        across, up = x * scale_x, y * scale_y
        fit = self.data.sensor_fit
        is_upright = fit == "VERTICAL" or (fit == "AUTO" and up > across)
        sensor = self.data.sensor_height if fit == "VERTICAL" else self.data.sensor_width
        width = sensor * across / up if is_upright else sensor
        return [[2 * self.data.lens / width, 0, 0, 0]]


@pytest.mark.parametrize(
    ("size", "angles_deg"),  # what Blender 5.0.1 shows across: sensor fit auto, vertical, horizontal
    [((832, 480), (39.60, 45.17, 39.60)), ((480, 832), (23.47, 15.77, 39.60))],
    ids=["landscape", "portrait"],
)
def test_the_script_of_the_help_page_exports_a_file_that_is_read(path, monkeypatch, size, angles_deg):
    """A Blender scene of a moving and a scaled camera, by the attributes that the script reads."""
    script = next(code for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S) if "json.dump" in code)
    moving, scaled, wide = (
        BlenderCamera(
            name=name,
            type="CAMERA",
            data=SimpleNamespace(lens=50.0, sensor_fit=fit, sensor_width=36.0, sensor_height=24.0),
            matrix_world=None,
        )
        for name, fit in (("Dolly", "AUTO"), ("Scaled", "VERTICAL"), ("Wide", "HORIZONTAL"))
    )
    light = SimpleNamespace(name="Light", type="LIGHT", data=None, matrix_world=None)

    def frame_set(frame):
        moving.matrix_world = Matrix(orbit_with_z_up(5 * frame, 10, 3).tolist())
        scaled.matrix_world = Matrix((orbit_with_z_up(0, 0, 3) @ np.diag([2, 2, 2, 1])).tolist())
        wide.matrix_world = scaled.matrix_world

    scene = SimpleNamespace(
        objects=[moving, light, scaled, wide],
        frame_start=1,
        frame_end=4,
        frame_set=frame_set,
        unit_settings=SimpleNamespace(scale_length=0.1),
        render=SimpleNamespace(resolution_x=size[0], resolution_y=size[1], pixel_aspect_x=1.0, pixel_aspect_y=1.0),
    )
    bpy = SimpleNamespace(
        context=SimpleNamespace(scene=scene, evaluated_depsgraph_get=lambda: "graph"),
        path=SimpleNamespace(abspath=lambda name: str(path.parent / name[2:])),
    )
    monkeypatch.setitem(sys.modules, "bpy", bpy)
    exec(compile(script, "script", "exec"), {})  # noqa: S102
    rig = read_rig_file(path)
    assert rig.names == ("Dolly", "Scaled", "Wide")
    assert rig.frames == 4
    expected = orbit_in_the_rig(20, 10, 0.3)
    np.testing.assert_allclose(rig.c2w[0, 3], expected, atol=1e-12)
    np.testing.assert_allclose(rig.c2w[1, 0], orbit_in_the_rig(0, 0, 0.3), atol=1e-12)
    for lens, angle_deg in zip(rig.lenses, angles_deg, strict=True):
        assert np.degrees(2 * np.arctan(lens.sensor_width_mm / 2 / lens.focal_mm)) == pytest.approx(
            angle_deg, abs=0.005
        )
