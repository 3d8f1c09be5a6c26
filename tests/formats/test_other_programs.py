"""OpenUSD, glTF, Open3D's JSON, TUM and KITTI: where a marker is seen, read by their own libraries or by hand."""

from __future__ import annotations

import base64
import json
import math
import struct
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from random_rigs import same_cameras
from scipy.spatial.transform import Rotation, Slerp

from syncam_core.cameras import Lens, Rig, orbit_rig
from syncam_core.errors import UserError
from syncam_core.formats import format_of, read_rig_file, usd_layer, write_rig_file

MARKER = np.array([0.3, -0.4, 0.2])  # in the rig's world
FLIP = np.diag([1.0, -1, -1, 1])


def moving(frames: int = 6) -> Rig:
    """Two cameras that go around and up, with other lenses."""
    steps = [orbit_rig([9 * k, 100 - 14 * k], [4 * k, 10], [3 + 0.1 * k, 4]).c2w for k in range(frames)]
    return Rig(("left", "über right"), torch.cat(steps, 1), lenses=(Lens(), Lens(50.0, 36.0)))


def between(c2w: np.ndarray, frame: float) -> np.ndarray:
    """The pose (4, 4) at a moment of a moving camera (frames, 4, 4): turned, and moved in a straight line."""
    first = min(int(frame), len(c2w) - 2)
    result = np.eye(4)
    turn = Slerp([first, first + 1], Rotation.from_matrix(c2w[first : first + 2, :3, :3]))
    result[:3, :3] = turn(frame).as_matrix()
    share = frame - first
    result[:3, 3] = (1 - share) * c2w[first, :3, 3] + share * c2w[first + 1, :3, 3]
    return result


def pixel(c2w: np.ndarray, lens: Lens, width: int, height: int) -> np.ndarray:
    x, y, z = (np.linalg.inv(c2w) @ [*MARKER, 1])[:3]
    focal = lens.focal_mm / lens.sensor_width_mm * width
    return np.array([width / 2 + focal * x / z, height / 2 + focal * y / z])


# -- OpenUSD ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".usda", ".usdc", ".usd"])
@pytest.mark.parametrize("size", [(832, 480), (480, 832)])
@pytest.mark.parametrize("unit_m", [1.0, 0.01])
def test_usd_s_own_camera_sees_the_marker_at_and_between_samples(tmp_path, suffix, size, unit_m):
    from pxr import Gf, Usd, UsdGeom

    rig, path = moving(), tmp_path / f"rig{suffix}"
    write_rig_file(rig, path, "usd", unit_m=unit_m, image_size=size)
    stage = Usd.Stage.Open(str(path))
    prims = [prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Camera)]
    assert [prim.GetDisplayName() for prim in prims] == list(rig.names)
    marker = Gf.Vec3d(*(FLIP[:3, :3] @ MARKER / unit_m))
    for prim, c2w, lens in zip(prims, rig.c2w.numpy(), rig.lenses, strict=True):
        for frame in (0, 1, 2.5, 4.25, 5):
            frustum = UsdGeom.Camera(prim).GetCamera(stage.GetStartTimeCode() + frame).frustum
            seen = (frustum.ComputeViewMatrix() * frustum.ComputeProjectionMatrix()).Transform(marker)
            x, y = (seen[0] + 1) / 2 * size[0], (1 - seen[1]) / 2 * size[1]
            assert np.abs(np.array([x, y]) - pixel(between(c2w, frame), lens, *size)).max() < 0.05
    assert read_rig_file(path).lenses == rig.lenses


def stage_of(path: Path, up: str, unit_m: float):
    from pxr import Usd, UsdGeom

    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, up)
    UsdGeom.SetStageMetersPerUnit(stage, unit_m)
    return stage


def test_a_stage_in_centimetres_with_z_up_scaled_parents_and_matrices_is_read_in_metres(tmp_path):
    from pxr import Gf, UsdGeom

    stage = stage_of(tmp_path / "a.usda", "Z", 0.01)
    parent = UsdGeom.Xform.Define(stage, "/shot")
    parent.AddScaleOp().Set(Gf.Vec3f(2, 2, 2))
    camera = UsdGeom.Camera.Define(stage, "/shot/cam")
    # It stands 5 m in front (-y) and 1 m up, and looks along +y, with z up: OpenGL's axes turned by 90 degrees about x.
    rows = Gf.Matrix4d(1, 0, 0, 0, 0, 0, 1, 0, 0, -1, 0, 0, 0, -250, 50, 1)
    camera.AddTransformOp().Set(rows)
    camera.CreateFocalLengthAttr(35.0)
    camera.CreateHorizontalApertureAttr(36.0)
    stage.Save()
    rig = read_rig_file(tmp_path / "a.usda")
    expected = np.eye(4)
    expected[:3, 3] = [0, -1, -5]  # x right, y down, z away
    np.testing.assert_allclose(rig.c2w[0, 0], expected, atol=1e-12)
    assert rig.lenses[0] == Lens(35.0, 36.0)
    assert rig.names == ("cam",)


def test_a_usd_aperture_that_can_only_be_millimetres_is_taken_for_them(tmp_path):
    """Tenths of the unit of a stage in metres would make a sensor 3.6 m wide: the writer left the unit out."""
    from pxr import UsdGeom

    stage = stage_of(tmp_path / "a.usda", "Y", 1.0)
    camera = UsdGeom.Camera.Define(stage, "/cam")
    camera.CreateFocalLengthAttr(35.0)
    camera.CreateHorizontalApertureAttr(36.0)
    stage.Save()
    assert read_rig_file(tmp_path / "a.usda").lenses == (Lens(35.0, 36.0),)


def test_a_usd_camera_that_moves_with_its_parent_moves_over_the_stage_s_time_codes(tmp_path):
    from pxr import Gf, UsdGeom

    stage = stage_of(tmp_path / "a.usda", "Y", 1.0)
    stage.SetStartTimeCode(11)
    stage.SetEndTimeCode(15)
    move = UsdGeom.Xform.Define(stage, "/dolly").AddTranslateOp()
    for code, x in ((11, 0.0), (15, 2.0)):
        move.Set(Gf.Vec3d(x, 0, 0), code)
    UsdGeom.Camera.Define(stage, "/dolly/Camera")
    UsdGeom.Camera.Define(stage, "/still/Camera")
    stage.Save()
    rig = read_rig_file(tmp_path / "a.usda")
    assert rig.names == ("dolly", "still")
    np.testing.assert_allclose(rig.c2w[0, :, 0, 3], [0, 0.5, 1, 1.5, 2], atol=1e-12)
    assert not rig.c2w[1, :, 0, 3].any()


@pytest.mark.parametrize(
    ("codes", "fps", "frames"),
    [(600, 24, 5), (24, 24, 101), (600, None, 101), (24, 60, 101), (50, 24, 101)],
)
def test_a_stage_that_counts_finer_than_its_frames_is_read_at_its_frames(tmp_path, codes, fps, frames):
    from pxr import Gf, Usd, UsdGeom

    stage = Usd.Stage.CreateNew(str(tmp_path / "a.usda"))
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetTimeCodesPerSecond(codes)
    if fps is not None:
        stage.SetFramesPerSecond(fps)
    move = UsdGeom.Camera.Define(stage, "/eye").AddTranslateOp()
    for code in (0, 25, 50, 75, 100):
        move.Set(Gf.Vec3d(code, 0, 0), code)
    stage.GetRootLayer().Save()
    rig = read_rig_file(tmp_path / "a.usda")
    np.testing.assert_allclose(rig.c2w[0, :, 0, 3], np.linspace(0, 100, frames), atol=1e-9)


def test_one_sample_of_a_camera_that_stands_still_makes_no_frames(tmp_path):
    from pxr import Gf, UsdGeom

    stage = stage_of(tmp_path / "a.usda", "Y", 1.0)
    for name, codes in (("moving", (101, 103)), ("still", (1,))):
        move = UsdGeom.Camera.Define(stage, f"/{name}").AddTranslateOp()
        for code in codes:
            move.Set(Gf.Vec3d(code, 0, 0), code)
    stage.Save()
    rig = read_rig_file(tmp_path / "a.usda")
    np.testing.assert_allclose(rig.c2w[:, :, 0, 3], [[101, 102, 103], [1, 1, 1]], atol=1e-12)
    np.testing.assert_allclose(read_rig_file(tmp_path / "a.usda", "still").c2w[0, :, 0, 3], [1])


def test_a_stage_that_refers_to_other_files_is_refused(tmp_path):
    (tmp_path / "a.usda").write_text("#usda 1.0\n(\n    subLayers = [@./other.usda@]\n)\n")
    with pytest.raises(UserError, match=r"refers to other files .*other.usda.* flatten it first"):
        read_rig_file(tmp_path / "a.usda")


@pytest.mark.parametrize(
    "content", [b"#usda 1.0\ndef Camera {", b"PXR-USDC" + b"\1" * 100, b"PXR-USDC" + bytes(100), b"#usda 1.0\n"]
)
def test_stages_that_are_broken_or_empty_are_refused_in_a_sentence(tmp_path, content):
    (tmp_path / "a.usd").write_bytes(content)
    with pytest.raises(UserError, match=r"^file 'a.usd': (OpenUSD cannot read it|it holds no cameras)") as refused:
        read_rig_file(tmp_path / "a.usd")
    assert "stage.usd" not in str(refused.value)  # the copy that is read is nobody's file


@pytest.mark.parametrize(
    ("whole", "damaged", "sentence"),
    [
        ('["xformOp:translate"', '["xformOp:translanante"', r"OpenUSD cannot read it \(.*translanante"),
        ("def Camera", "def Xform_ Camera", r"OpenUSD cannot read it"),
        (
            "float focalLength = 0.24",
            "nan focalLength = 0.24",
            r"(OpenUSD cannot read it|camera 'cam01': focalLength is no number)",
        ),
    ],
)
def test_a_stage_with_damage_that_shows_only_when_its_cameras_are_asked_is_refused_in_a_sentence(
    tmp_path, whole, damaged, sentence
):
    path = tmp_path / "a.usda"
    write_rig_file(orbit_rig([0, 30], [0, 10], [3]), path, "usd")
    text = path.read_text(encoding="utf-8")
    assert whole in text
    path.write_text(text.replace(whole, damaged, 1), encoding="utf-8")
    with pytest.raises(UserError, match=rf"^file 'a.usda': {sentence}"):
        read_rig_file(path)


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        (16, r"OpenUSD cannot read it \(Sdf crate file corrupt"),  # where the table of contents stands
        (88, r"OpenUSD cannot read it \(Corrupt asset: "),  # how many prims stand at the root
        (112, r"OpenUSD cannot read it \(Invalid child identifier"),
    ],
)
def test_a_damaged_binary_stage_is_refused_in_openusds_own_words(tmp_path, place, sentence):
    path = tmp_path / "a.usdc"
    write_rig_file(orbit_rig([0, 30], [0, 10], [3]), path, "usd")
    same_cameras(read_rig_file(path), orbit_rig([0, 30], [0, 10], [3]))
    content = bytearray(path.read_bytes())
    content[place : place + 4] = b"\xff" * 4
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^file 'a.usdc': {sentence}"):
        read_rig_file(path)


@pytest.mark.parametrize(
    ("instead", "longest_s", "sentence"),
    [
        ("import os; os.abort()", 60, "OpenUSD breaks off over it, so it is damaged"),
        ("import sys; sys.exit(1)", 60, "OpenUSD breaks off over it, so it is damaged"),
        ("", 60, "OpenUSD breaks off over it, so it is damaged"),  # ends well and has written nothing
        ("import time; time.sleep(60)", 1, "OpenUSD reads it for more than 1 s"),
    ],
)
def test_a_process_that_openusd_ends_or_holds_up_is_a_sentence(tmp_path, monkeypatch, instead, longest_s, sentence):
    write_rig_file(orbit_rig([0, 30], [0, 10], [3]), tmp_path / "a.usdc", "usd")
    (tmp_path / "instead.py").write_text(instead)
    monkeypatch.setattr(usd_layer, "_CRATE_AS_TEXT", tmp_path / "instead.py")
    monkeypatch.setattr(usd_layer, "LONGEST_S", longest_s)
    with pytest.raises(UserError, match=f"^file 'a.usdc': {sentence}"):
        read_rig_file(tmp_path / "a.usdc")


def test_a_binary_stage_full_of_meshes_is_read_for_its_cameras_as_exactly_as_a_text_one(tmp_path):
    from pxr import Sdf, UsdGeom, Vt

    rig = orbit_rig([0, 30], [0, 10], [3])
    write_rig_file(rig, tmp_path / "a.usda", "usd")
    layer = Sdf.Layer.FindOrOpen(str(tmp_path / "a.usda"))
    mesh = Sdf.PrimSpec(layer, "Mesh", Sdf.SpecifierDef, "Mesh")
    points = Sdf.AttributeSpec(mesh, str(UsdGeom.Tokens.points), Sdf.ValueTypeNames.Point3fArray)
    points.default = Vt.Vec3fArray(200_000, [(0.1, 0.2, 0.3)])
    variants = Sdf.VariantSetSpec(mesh, "size")
    large = Sdf.VariantSpec(variants, "large").primSpec
    Sdf.AttributeSpec(large, "extent", Sdf.ValueTypeNames.Float3Array).default = Vt.Vec3fArray(2)
    layer.Export(str(tmp_path / "b.usdc"))
    text, binary = read_rig_file(tmp_path / "a.usda"), read_rig_file(tmp_path / "b.usdc")
    assert torch.equal(text.c2w, binary.c2w)
    assert (text.names, text.lenses) == (binary.names, binary.lenses)


# -- glTF ------------------------------------------------------------------------------------------------------------


def glb(path: Path) -> tuple[dict, bytes]:
    """The document and the numbers of a .glb file, by the format's own text (glTF 2.0, 4.4)."""
    data = path.read_bytes()
    length = struct.unpack("<I", data[12:16])[0]
    document = json.loads(data[20 : 20 + length])
    return document, data[28 + length :]


@pytest.mark.parametrize("size", [(832, 480), (480, 832)])
def test_a_gltf_camera_sees_the_marker_at_its_keys_and_between_them(tmp_path, size):
    rig, path = moving(), tmp_path / "rig.glb"
    write_rig_file(rig, path, "gltf", image_size=size, fps=10.0)
    document, blob = glb(path)

    def numbers(index: int) -> np.ndarray:
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[accessor["type"]]
        return np.frombuffer(blob, "<f4", accessor["count"] * width, view.get("byteOffset", 0)).reshape(-1, width)

    animation = document["animations"][0]
    for node, c2w, lens in zip(document["nodes"], rig.c2w.numpy(), rig.lenses, strict=True):
        index = document["nodes"].index(node)
        found = {
            channel["target"]["path"]: animation["samplers"][channel["sampler"]]
            for channel in animation["channels"]
            if channel["target"]["node"] == index
        }
        times = numbers(found["rotation"]["input"])[:, 0]
        perspective = document["cameras"][node["camera"]]["perspective"]
        for frame in (0, 1, 2.5, 4.25, 5):
            pose = np.eye(4)
            pose[:3, :3] = Slerp(times, Rotation.from_quat(numbers(found["rotation"]["output"])))(
                min(frame / 10, times[-1])
            ).as_matrix()
            places = numbers(found["translation"]["output"])
            pose[:3, 3] = [np.interp(frame / 10, times, places[:, axis]) for axis in range(3)]
            x, y, z = (np.linalg.inv(pose) @ FLIP @ [*MARKER, 1])[:3]
            half = math.tan(perspective["yfov"] / 2)
            seen = [
                size[0] / 2 * (1 + x / -z / (half * perspective["aspectRatio"])),
                size[1] / 2 * (1 - y / -z / half),
            ]
            assert np.abs(seen - pixel(between(c2w, frame), lens, *size)).max() < 0.05
    back = read_rig_file(path)
    assert back.names == rig.names
    for one, other in zip(back.lenses, rig.lenses, strict=True):
        assert one.focal_mm / one.sensor_width_mm == pytest.approx(other.focal_mm / other.sensor_width_mm, rel=1e-12)


def gltf_file(path: Path, interpolation: str, values: list[list[float]], times: list[float], what: str) -> Path:
    """A camera in a node that is twice as large and 1 m to the right, whose own node is animated."""
    kind = "VEC4" if what == "rotation" else "VEC3"
    data = np.array(times, "<f4").tobytes() + np.array(values, "<f4").tobytes()
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [
            {"name": "cart", "translation": [1, 0, 0], "scale": [2, 2, 2], "children": [1]},
            {"name": "eye", "camera": 0, "translation": [0, 0, 3]},
        ],
        "cameras": [{"type": "perspective", "perspective": {"yfov": 0.6, "znear": 0.1, "aspectRatio": 1.5}}],
        "animations": [
            {
                "channels": [{"sampler": 0, "target": {"node": 1, "path": what}}],
                "samplers": [{"input": 0, "output": 1, "interpolation": interpolation}],
            }
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(times), "type": "SCALAR", "min": [0], "max": [9]},
            {"bufferView": 1, "componentType": 5126, "count": len(values), "type": kind},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": 4 * len(times)},
            {"buffer": 0, "byteOffset": 4 * len(times), "byteLength": len(data) - 4 * len(times)},
        ],
        "buffers": [
            {"byteLength": len(data), "uri": f"data:application/octet-stream;base64,{base64.b64encode(data).decode()}"}
        ],
    }
    path.write_text(json.dumps(document))
    return path


def test_gltf_nodes_carry_their_cameras_and_steps_hold(tmp_path):
    path = gltf_file(tmp_path / "a.gltf", "STEP", [[0, 0, 3], [0, 1, 3], [0, 2, 3]], [0, 1, 3], "translation")
    rig = read_rig_file(path)
    assert rig.names == ("eye",)
    np.testing.assert_allclose(rig.c2w[0, :, 0, 3], [1] * 4, atol=1e-6)
    np.testing.assert_allclose(rig.c2w[0, :, 1, 3], [0, -2, -2, -4], atol=1e-6)  # twice as far, and y is down
    np.testing.assert_allclose(rig.c2w[0, :, 2, 3], [-6] * 4, atol=1e-6)
    np.testing.assert_allclose(rig.c2w[0, :, :3, :3], np.eye(3)[None].repeat(4, 0), atol=1e-6)
    half = math.tan(0.3) * 1.5
    assert rig.lenses[0].sensor_width_mm / rig.lenses[0].focal_mm / 2 == pytest.approx(half, rel=1e-9)


@pytest.mark.parametrize("fps", [23.976, 24, 25, 29.97, 30, 60])
def test_gltf_steps_at_every_frame_are_each_at_their_frame_whatever_float32_makes_of_their_times(tmp_path, fps):
    frames = 200
    times, values = [frame / fps for frame in range(frames)], [[0, frame, 0] for frame in range(frames)]
    rig = read_rig_file(gltf_file(tmp_path / "a.gltf", "STEP", values, times, "translation"))
    np.testing.assert_allclose(rig.c2w[0, :, 1, 3], -2.0 * np.arange(frames), atol=1e-6)


def test_gltf_splines_are_hermite_s(tmp_path):
    """A straight run with its own slope as tangents stays one, one without tangents eases: 3 s^2 - 2 s^3."""
    slope = [[0, 1, 0], [0, 0, 0], [0, 1, 0], [0, 1, 0], [0, 4, 0], [0, 1, 0]]
    times = [0, 4]
    eased = [[0, 0, 0] if row != 4 else [0, 4, 0] for row in range(6)]
    for values, expected in ((slope, 1.0), (eased, 4 * (3 * 0.25**2 - 2 * 0.25**3))):
        document = json.loads(gltf_file(tmp_path / "a.gltf", "CUBICSPLINE", values, times, "translation").read_text())
        # A second camera gives the steps: keys at every second.
        document["nodes"].append({"name": "clock", "camera": 0, "translation": [0, 0, 1]})
        document["scenes"][0]["nodes"].append(2)
        data = np.arange(5, dtype="<f4").tobytes() + np.zeros(15, "<f4").tobytes()
        uri = f"data:;base64,{base64.b64encode(data).decode()}"
        document["buffers"].append({"byteLength": len(data), "uri": uri})
        document["bufferViews"] += [
            {"buffer": 1, "byteLength": 20},
            {"buffer": 1, "byteOffset": 20, "byteLength": 60},
        ]
        document["accessors"] += [
            {"bufferView": 2, "componentType": 5126, "count": 5, "type": "SCALAR", "min": [0], "max": [4]},
            {"bufferView": 3, "componentType": 5126, "count": 5, "type": "VEC3"},
        ]
        document["animations"][0]["samplers"].append({"input": 2, "output": 3})
        document["animations"][0]["channels"].append({"sampler": 1, "target": {"node": 2, "path": "translation"}})
        (tmp_path / "a.gltf").write_text(json.dumps(document))
        rig = read_rig_file(tmp_path / "a.gltf")
        assert rig.frames == 5
        assert rig.c2w[0, 1, 1, 3].item() == pytest.approx(-2 * expected, abs=1e-6)


def test_where_two_gltf_animations_move_one_thing_the_first_one_does(tmp_path):
    path = gltf_file(tmp_path / "a.gltf", "LINEAR", [[0, 0, 3], [0, 1, 3]], [0, 1], "translation")
    document = json.loads(path.read_text())
    document["buffers"].append({"byteLength": 24, "uri": floats(9, 9, 9, 9, 9, 9)})
    document["bufferViews"].append({"buffer": 1, "byteLength": 24})
    document["accessors"].append({"bufferView": 2, "componentType": 5126, "count": 2, "type": "VEC3"})
    first = document["animations"][0]
    document["animations"].append({**first, "samplers": [{**first["samplers"][0], "output": 2}]})
    path.write_text(json.dumps(document))
    np.testing.assert_allclose(read_rig_file(path).c2w[0, :, 1, 3], [0, -2], atol=1e-6)


@pytest.mark.parametrize("uri", ["../secret.bin", "/etc/hostname", "file:///etc/hostname", "http://example.org/a.bin"])
def test_gltf_numbers_outside_of_its_folder_are_not_read(tmp_path, uri):
    path = gltf_file(tmp_path / "a.gltf", "LINEAR", [[0, 0, 3], [0, 1, 3]], [0, 1], "translation")
    document = json.loads(path.read_text())
    document["buffers"][0]["uri"] = uri
    path.write_text(json.dumps(document))
    with pytest.raises(UserError, match="only files beside it are read"):
        read_rig_file(path)


def test_gltf_numbers_in_a_file_beside_it_are_read(tmp_path):
    path = gltf_file(tmp_path / "a.gltf", "LINEAR", [[0, 0, 3], [0, 1, 3]], [0, 1], "translation")
    document = json.loads(path.read_text())
    data = base64.b64decode(document["buffers"][0]["uri"].partition(",")[2])
    document["buffers"][0]["uri"] = "a.bin"
    (tmp_path / "a.bin").write_bytes(data)
    path.write_text(json.dumps(document))
    np.testing.assert_allclose(read_rig_file(path).c2w[0, :, 1, 3], [0, -2], atol=1e-6)
    (tmp_path / "a.bin").write_bytes(data[:-4])
    with pytest.raises(UserError, match="reaches beyond its buffer"):
        read_rig_file(path)


def broken(document: dict, change) -> dict:
    change(document)
    return document


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d["nodes"][1].update(children=[0]), "stand in one another in a circle"),
        (lambda d: d["cameras"][0].update(type="orthographic"), "only cameras with perspective"),
        (lambda d: d["nodes"][1].pop("camera"), "holds no cameras"),
        (lambda d: d["accessors"][1].update(count=10**9), "at most 200000 are possible"),
        (lambda d: d["accessors"][1].update(bufferView=7), "damaged"),
        (lambda d: d["cameras"][0]["perspective"].update(yfov=4), "angle of view 4"),
        (lambda d: d["buffers"][0].update(uri="data:;base64,%%%"), "not base64"),
        (lambda d: d.update(nodes=7), "cannot be read as glTF"),
    ],
)
def test_scenes_that_are_broken_are_refused_in_a_sentence(tmp_path, change, sentence):
    path = gltf_file(tmp_path / "a.gltf", "LINEAR", [[0, 0, 3], [0, 1, 3]], [0, 1], "translation")
    path.write_text(json.dumps(broken(json.loads(path.read_text()), change)))
    with pytest.raises(UserError, match=f"^file 'a.gltf': .*{sentence}"):
        read_rig_file(path)


# -- Open3D, TUM, KITTI ----------------------------------------------------------------------------------------------


def open3d_camera(c2w: np.ndarray, focal: float = 840.4) -> dict:
    return {
        "class_name": "PinholeCameraParameters",
        "extrinsic": np.linalg.inv(c2w).T.reshape(-1).tolist(),  # column by column
        "intrinsic": {"width": 832, "height": 480, "intrinsic_matrix": [focal, 0, 0, 0, focal, 0, 415.5, 239.5, 1]},
        "version_major": 1,
        "version_minor": 0,
    }


def test_an_open3d_trajectory_is_a_camera_that_moves_unless_it_is_said_to_be_stills(tmp_path):
    c2w = moving().c2w[0].numpy()
    document = {"class_name": "PinholeCameraTrajectory", "parameters": [open3d_camera(pose) for pose in c2w]}
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert format_of(tmp_path / "a.json") == "open3d"
    rig = read_rig_file(tmp_path / "a.json")
    assert (rig.views, rig.frames) == (1, 6)
    np.testing.assert_allclose(rig.c2w[0], c2w, atol=1e-12)
    assert rig.lenses[0].focal_mm == pytest.approx(840.4 / 832 * 23.76)
    stills = read_rig_file(tmp_path / "a.json", "2, 1", pictures="stills")
    assert (stills.views, stills.frames) == (2, 1)
    np.testing.assert_allclose(stills.c2w[:, 0], c2w[[1, 0]], atol=1e-12)


def test_one_open3d_camera_is_one_still_camera_and_rows_for_columns_are_refused(tmp_path):
    camera = open3d_camera(moving().c2w[1, 2].numpy())
    (tmp_path / "a.json").write_text(json.dumps(camera))
    assert read_rig_file(tmp_path / "a.json").frames == 1
    camera["extrinsic"] = np.array(camera["extrinsic"]).reshape(4, 4).T.reshape(-1).tolist()
    (tmp_path / "a.json").write_text(json.dumps(camera))
    with pytest.raises(UserError, match=r"extrinsic has no row 0 0 0 1 at its end; .*column by column"):
        read_rig_file(tmp_path / "a.json")


def test_trajectories_are_read_as_their_benchmarks_define_them(tmp_path):
    turn = Rotation.from_euler("y", 30, degrees=True)
    x, y, z, w = turn.as_quat()
    (tmp_path / "tum.txt").write_text(
        f"# timestamp tx ty tz qx qy qz qw\n1.5 0 0 -3 0 0 0 1\n1.6 1 2 3 {x} {y} {z} {w}\n"
    )
    rows = np.concatenate([turn.as_matrix(), [[1], [2], [3]]], 1)
    first = "1 0 0 0 0 1 0 0 0 0 1 -3"
    (tmp_path / "kitti.txt").write_text(f"{first}\n{' '.join(map(str, rows.reshape(-1)))}\n")
    for name in ("tum", "kitti"):
        assert format_of(tmp_path / f"{name}.txt") == name
        c2w = read_rig_file(tmp_path / f"{name}.txt").c2w[0].numpy()
        np.testing.assert_allclose(c2w[0, :3, 3], [0, 0, -3])
        np.testing.assert_allclose(c2w[1, :3, :3], turn.as_matrix(), atol=1e-12)
        np.testing.assert_allclose(c2w[1, :3, 3], [1, 2, 3])


@pytest.mark.parametrize(("between", "end"), [(",", "\n"), (", ", "\r\n"), ("\t", "\r"), ("  ", " \n\n")])
def test_tum_rows_are_read_with_the_signs_between_that_its_benchmark_s_tools_take(tmp_path, between, end):
    rows = [["1305031102.175304", "0.5", "0", "-3", "0", "0", "0", "1"], ["1305031102.2", "1", "2", "3", *"0100"]]
    text = end.join(["\ufeff# ground truth, file: 'a.bag'", *map(between.join, rows), ""])
    (tmp_path / "a.txt").write_bytes(text.encode())
    assert format_of(tmp_path / "a.txt") == "tum"
    np.testing.assert_array_equal(read_rig_file(tmp_path / "a.txt").c2w[0, :, :3, 3], [[0.5, 0, -3], [1, 2, 3]])


def test_twelve_numbers_that_are_no_pose_are_no_kitti_trajectory(tmp_path):
    (tmp_path / "a.txt").write_text("1 2 3 4 5 6 7 8 9 10 11 12\n" * 3)
    assert format_of(tmp_path / "a.txt") is None


def test_a_tum_trajectory_has_the_times_of_its_frame_rate(tmp_path):
    write_rig_file(moving().select([0]), tmp_path / "a.txt", "tum", fps=12.5)
    rows = [line.split() for line in (tmp_path / "a.txt").read_text().splitlines() if not line.startswith("#")]
    assert [float(row[0]) for row in rows] == [0, 0.08, 0.16, 0.24, 0.32, 0.4]


@pytest.mark.parametrize("count", [1, 2])
def test_the_first_pose_that_open3d_writes_behind_its_comment_is_read(tmp_path, count):
    rows = "\n".join(f"{frame} {frame + 1}.000000 0.0 -0.0 0.0 0.0 0.0 1.0" for frame in range(count))
    text = f"# TUM trajectory, format: <t> <x> <y> <z> <qx> <qy> <qz> <qw>{rows}\n"  # as Open3D 0.20.0 does
    (tmp_path / "a.txt").write_text(text)
    assert format_of(tmp_path / "a.txt") == "tum"
    np.testing.assert_allclose(read_rig_file(tmp_path / "a.txt").c2w[0, :, 0, 3], [1, 2][:count])


@pytest.mark.parametrize(
    ("text", "format", "sentence"),
    [
        ("0 0 0 0 0 0 0 2\n", "tum", "row 1 has a quaternion of length 2"),
        ("0 0 0 0 0 0 0\n", "tum", "line 1 has 7 words, but 8 numbers"),
        ("0 0 0 0 0 0 0 nan\n", "tum", "line 1 holds NaN"),
        ("# empty\n", "kitti", "holds no frames"),
        ("1 0 0 0 0 1 0 0 0 0 1\n", "kitti", "line 1 has 11 words, but 12 numbers"),
        ("2 0 0 0 0 1 0 0 0 0 1 0\n", "kitti", "the matrix"),
    ],
)
def test_trajectories_that_are_none_are_refused_by_their_line(tmp_path, text, format, sentence):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(UserError, match=sentence):
        read_rig_file(tmp_path / "a.txt", format=format)


@pytest.mark.parametrize(("key", "module", "package"), [("usd", "pxr", "usd-core"), ("gltf", "pygltflib", "pygltflib")])
def test_a_library_that_is_missing_is_one_sentence(tmp_path, monkeypatch, key, module, package):
    rig, path = orbit_rig([0, 30], [0], [3]), tmp_path / "rig"
    write_rig_file(rig, path, key)
    monkeypatch.setitem(sys.modules, module, None)
    for act in (lambda: read_rig_file(path), lambda: write_rig_file(rig, path, key)):
        with pytest.raises(UserError, match=f"pip install {package}"):
            act()


# -- files that were made to hurt -------------------------------------------------------------------------------------

STAGE = '#usda 1.0\n{about}\ndef Camera "c"{metadata}\n{{\n{content}\n}}\n'
MOVES = (
    "double3 xformOp:translate.timeSamples = {0: (0, 0, 0), 1: (1, 0, 0)}\n"
    'uniform token[] xformOpOrder = ["xformOp:translate"]'
)
CLIPS = """ (
    clips = {
        dictionary default = {
            asset[] assetPaths = [@./other.usda@]
            string primPath = "/c"
            double2[] active = [(0, 0)]
            double2[] times = [(0, 0), (5, 5)]
        }
    }
)"""
DOUBLING = "".join(
    f'def Xform "l{n}"\n{{\n' + "".join(f'def "{x}" (references = </l{n + 1}>)\n{{\n}}\n' for x in "ab") + "}\n"
    for n in range(40)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (STAGE.format(about="(\nendTimeCode = 1e12\nstartTimeCode = 0\n)", metadata="", content=MOVES), "0 to 1e[+]12"),
        (STAGE.format(about="(\nendTimeCode = nan\nstartTimeCode = 0\n)", metadata="", content=MOVES), "0 to nan"),
        (STAGE.format(about="(\nendTimeCode = inf\nstartTimeCode = 0\n)", metadata="", content=MOVES), "0 to inf"),
        (STAGE.format(about="", metadata="", content=MOVES.replace("1:", "1e300:")), "0 to 1e[+]300"),
        (STAGE.format(about="", metadata=CLIPS, content=""), "value clips, which are in other files"),
        (STAGE.format(about="", metadata=" (references = @/etc/hostname@)", content=""), "refers to other files"),
        (STAGE.format(about="", metadata=" (payload = @../a.usda@</a>)", content=""), "refers to other files"),
        ("#usda 1.0\n" + DOUBLING + 'def Camera "l40"\n{\n}\n', "references to itself make more than 100000 prims"),
        ('#usda 1.0\ndef Camera "c"\n{\n  bla\n}\n', r"\(line 4:\d+: Expected"),
        (STAGE.format(about="", metadata="", content="float focalLength = nan"), "focal length is NaN"),
        (STAGE.format(about="", metadata="", content='string focalLength = "a"'), "focalLength is no number"),
        (STAGE.format(about="(\nmetersPerUnit = nan\n)", metadata="", content=""), "metersPerUnit is NaN"),
        ("#usda 1.0\n" + "".join(f'def Camera "c{n}"\n{{\n}}\n' for n in range(1000)), "1000 cameras, but at most 64"),
    ],
    ids=range(13),
)
def test_stages_that_were_made_to_hurt_are_refused_in_a_sentence(tmp_path, text, sentence):
    (tmp_path / "other.usda").write_text('#usda 1.0\ndef Camera "c"\n{\n}\n')
    (tmp_path / "a.usda").write_text(text)
    begun = time.process_time()
    with pytest.raises(UserError, match=rf"^file 'a.usda': .*{sentence}") as refused:
        read_rig_file(tmp_path / "a.usda")
    assert time.process_time() - begun < 5
    assert len(str(refused.value)) < 400
    assert str(tmp_path) not in str(refused.value)


def test_a_stage_that_refers_to_itself_is_read_with_its_instances(tmp_path):
    (tmp_path / "a.usda").write_text(
        '#usda 1.0\nclass "crane"\n{\n    def Camera "eye"\n    {\n    }\n}\n'
        'def "left" (\n    instanceable = true\n    references = </crane>\n)\n{\n}\n'
        'def "right" (\n    references = </crane>\n)\n{\n}\n'
    )
    assert read_rig_file(tmp_path / "a.usda").names == ("left", "right")


def test_archives_and_scenes_of_other_programs_are_refused_with_the_way_to_go(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.usdz", "w") as archive:
        archive.writestr("a.usda", "#usda 1.0\n")
    (tmp_path / "b.usd").write_bytes((tmp_path / "a.usdz").read_bytes())
    (tmp_path / "c.fbx").write_bytes(b"Kaydara FBX Binary  \0\x1a\0" + bytes(100))
    (tmp_path / "d").write_bytes(b"Ogawa\xff" + bytes(100))
    for name, kind, way in (
        ("a.usdz", r"a scene \(USD\)", "OpenUSD"),
        ("b.usd", "an archive", "unpack it"),
        ("c.fbx", r"a scene \(FBX\)", "Blender"),
        ("d", r"a scene \(Alembic\)", "Blender"),
    ):
        for format in ("auto", "usd", "gltf"):
            with pytest.raises(UserError, match=rf"it is {kind}.*{way}"):
                read_rig_file(tmp_path / name, format=format)


def test_a_log_of_open3d_is_refused_with_the_way_to_a_file_that_keeps_the_lens(tmp_path):
    pose = "1 0 0 0\n0 1 0 0\n0 0 1 -3\n0 0 0 1\n"
    (tmp_path / "a.log").write_text(f"0 0 1\n{pose}1 1 2\n{pose}")  # as Open3D 0.20 writes two cameras
    with pytest.raises(
        UserError, match=r"'a.log': it is a trajectory \(.log\) of Open3D .* write it from Open3D as .json"
    ):
        read_rig_file(tmp_path / "a.log")
    (tmp_path / "b.log").write_text("0 0 0 -3 0 0 0 1\n")  # whatever a trajectory is called, it is read
    assert read_rig_file(tmp_path / "b.log").views == 1


NAN, INF = math.nan, math.inf


def floats(*values: float) -> str:
    return f"data:;base64,{base64.b64encode(struct.pack(f'<{len(values)}f', *values)).decode()}"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d["buffers"][0].update(uri=floats(0, INF, 0, 0, 3, 0, 1, 3)), "times and values do not fit"),
        (lambda d: d["buffers"][0].update(uri=floats(0, NAN, 0, 0, 3, 0, 1, 3)), "times and values do not fit"),
        (lambda d: d["buffers"][0].update(uri=floats(0, 1, NAN, 0, 3, 0, 1, 3)), "holds NaN"),
        (lambda d: d["nodes"][1].update(scale=[0, 0, 0]), "holds NaN"),
        (lambda d: d["nodes"][1].update(rotation=[0, 0, 0, 0]), "damaged"),
        (lambda d: d["nodes"][1].update(camera=10**9), "damaged"),
        (lambda d: d.update(nodes=[None]), "damaged"),
        (lambda d: d.update(animations=5), "cannot be read as glTF"),
        (lambda d: d.update(nodes=[{"camera": 0}] * 1000), "1000 cameras, but at most 64"),
        (lambda d: d.update(nodes=[{"camera": 0}] * 100_000), "at most 30000 are read"),
        (lambda d: d.update(animations=d["animations"] * 100_000), "at most 30000 are read"),
        (lambda d: d["animations"][0].update(channels=[None] * 100_000), "at most 30000 are read"),
        (
            lambda d: d.update(nodes=[{"children": [n + 1]} for n in range(5000)] + [{"camera": 0}]),
            "more than 1000 deep",
        ),
        (lambda d: d["buffers"][0].update(uri="%2e%2e%2fa.bin"), "only files beside it"),
        (lambda d: d["buffers"][0].update(uri=".."), "only files beside it"),
        (lambda d: d["buffers"][0].update(uri="link.bin"), "only files beside it"),
    ],
    ids=range(16),
)
def test_scenes_that_were_made_to_hurt_are_refused_in_a_sentence(tmp_path, change, sentence):
    (tmp_path / "scene").mkdir()
    (tmp_path / "a.bin").write_bytes(struct.pack("<8f", 0, 1, 0, 0, 3, 0, 1, 3))
    (tmp_path / "scene" / "link.bin").symlink_to(tmp_path / "a.bin")
    path = gltf_file(tmp_path / "scene" / "a.gltf", "LINEAR", [[0, 0, 3], [0, 1, 3]], [0, 1], "translation")
    path.write_text(json.dumps(broken(json.loads(path.read_text()), change)))
    begun = time.process_time()
    with pytest.raises(UserError, match=rf"^file 'a.gltf': .*{sentence}") as refused:
        read_rig_file(path)
    assert time.process_time() - begun < 5
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            b"glTF" + struct.pack("<II", 2, 2**32 - 1) + struct.pack("<I4s", 2**32 - 1, b"JSON") + b"{}",
            "ends too early",
        ),
        (b"glTF" + struct.pack("<II", 2, 800_012) + struct.pack("<I4s", 0, b"XXXX") * 100_000, "is not the document"),
        (b"glTF" + struct.pack("<II", 2, 12), "is not the document"),
        (b"glTF" + struct.pack("<II", 2, 24) + struct.pack("<I4s", 4, b"JSON") + b"[[[[", "text"),
        (b"glTF" + struct.pack("<II", 2, 24) + struct.pack("<I4s", 4, b"JSON") + b"\xff\xff\xff\xff", "not UTF-8"),
        (b"glTF" + struct.pack("<II", 2, 24) + struct.pack("<I4s", 4, b"JSON") + b"[1] ", "no object"),
    ],
    ids=range(6),
)
def test_glb_files_whose_parts_are_none_are_refused_in_a_sentence(tmp_path, content, sentence):
    (tmp_path / "a.glb").write_bytes(content)
    with pytest.raises(UserError, match=rf"^file 'a.glb': .*{sentence}"):
        read_rig_file(tmp_path / "a.glb")


def test_gltf_numbers_in_a_file_with_a_blank_in_its_name_are_read(tmp_path):
    path = gltf_file(tmp_path / "a.gltf", "LINEAR", [[0, 0, 3], [0, 1, 3]], [0, 1], "translation")
    document = json.loads(path.read_text())
    (tmp_path / "my shot.bin").write_bytes(base64.b64decode(document["buffers"][0]["uri"].partition(",")[2]))
    document["buffers"][0]["uri"] = "my%20shot.bin"
    path.write_text(json.dumps(document))
    assert read_rig_file(path).frames == 2


@pytest.mark.parametrize("format", ["tum", "kitti", "open3d"])
def test_trajectories_of_far_too_many_frames_are_refused(tmp_path, format):
    row = {"tum": "0 0 0 0 0 0 0 1\n", "kitti": "1 0 0 0 0 1 0 0 0 0 1 0\n"}.get(format)
    if row is None:
        camera = {"class_name": "PinholeCameraTrajectory", "parameters": [{}] * 200_000}
        (tmp_path / "a.json").write_text(json.dumps(camera))
    else:
        (tmp_path / "a.txt").write_text(row * 30_000)
    begun = time.process_time()
    with pytest.raises(UserError, match=r"frames; cut it|parameters"):
        read_rig_file(next(tmp_path.iterdir()), format=format)
    assert time.process_time() - begun < 5
