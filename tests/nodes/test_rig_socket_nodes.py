"""Cameras of other packs' sockets: ComfyUI's 3D cameras and CameraCtrl pose lists, in and out."""

from __future__ import annotations

import asyncio
import importlib
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from camera_cases import angle_of_view, orbit_in_the_rig, rigs
from host_abilities import need
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from syncam_core.cameras import Lens, Rig, orbit_rig
from syncam_core.formats.cameractrl_poses import cameractrl_from_rig, rig_from_cameractrl
from syncam_core.formats.load3d_camera import load3d_from_rig, rig_from_load3d

patient = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
PAGES = Path(__file__).parents[2] / "web" / "docs"
NODES = (
    "SynCamRigFromLoad3D",
    "SynCamRigToLoad3D",
    "SynCamRigFromCameraCtrl",
    "SynCamRigToCameraCtrl",
    "SynCamRigToWanCamera",
)
SIZE = {"width": 832, "height": 480}


@pytest.fixture
def nodes(comfy):
    module = importlib.import_module(f"{comfy.pack.__name__}.nodes.rigs.other_packs")
    return {node.GET_SCHEMA().node_id: node for node in module.NODES}


@pytest.fixture
def host(comfy, nodes, monkeypatch):
    """Run a node as the host does, with what comes through its sockets; gives its outputs as the host hands them on."""
    import execution
    from comfy_api.latest import _io

    def run(node_id: str, links: dict[str, list], **widgets):
        node = nodes[node_id]
        # as in a prompt: the sockets of an Autogrow input have names like "cameras.camera0"
        inputs = {**{name: ["1", 0] for name in links}, **widgets}
        _, _, v3_data = _io.get_finalized_class_inputs(node.INPUT_TYPES(), inputs)
        data = {**links, **{name: [value] for name, value in widgets.items()}}
        outputs, _, _, _ = asyncio.run(
            execution.get_output_data("prompt", "1", node, data, v3_data={"hidden_inputs": None, **v3_data})
        )
        return outputs[0]

    return run


# -- 3D cameras ------------------------------------------------------------------------------------------------------


def xyz(x, y, z) -> dict:
    return {"x": float(x), "y": float(y), "z": float(z)}


def three_js(info: dict, unit_m: float = 1.0) -> np.ndarray:
    """c2w in the rig's axes of a dict with a quaternion, column by column as three.js reads it (y up, looks along -z)."""
    quaternion = [info["quaternion"][axis] for axis in "xyzw"]
    right, up, back = Rotation.from_quat(quaternion).apply(np.eye(3))
    c2w = np.eye(4)
    for column, vector in enumerate((right, -up, -back)):
        c2w[:3, column] = vector * [1, -1, -1]
    c2w[:3, 3] = np.array([info["position"][axis] for axis in "xyz"]) * [1, -1, -1] * unit_m
    return c2w


@pytest.mark.parametrize(("yaw", "pitch", "distance", "roll"), [(0, 0, 4, 0), (35, 30, 4, 0), (-120, -40, 2, 25)])
def test_the_hosts_orbit_camera_is_the_rigs_azimuth_elevation_and_distance(comfy, nodes, yaw, pitch, distance, roll):
    mode = {"mode": "orbit", "yaw": yaw, "pitch": pitch, "distance": distance}
    need("Create Camera Info")
    (info,) = comfy.run("CreateCameraInfo", mode=mode, target_x=0, target_y=0, target_z=0, roll=roll, fov=35)
    rig = rig_from_load3d([info])
    # The host turns the camera, seen from behind, against the clock; the rig with it.
    np.testing.assert_allclose(rig.c2w[0, 0], orbit_in_the_rig(yaw, pitch, distance, -roll), atol=1e-5)
    np.testing.assert_allclose(rig.c2w[0, 0], three_js(info), atol=1e-6)


def test_the_hosts_look_at_camera_stands_where_it_says_and_looks_there(comfy):
    mode = {"mode": "look_at", "position_x": 1, "position_y": 2, "position_z": 3}
    need("Create Camera Info")
    (info,) = comfy.run("CreateCameraInfo", mode=mode, target_x=4, target_y=1, target_z=-2, roll=0, fov=35)
    c2w = rig_from_load3d([info], unit_m=0.5).c2w[0, 0].numpy()
    assert c2w[:3, 3] == pytest.approx([0.5, -1, -1.5])
    assert c2w[:3, 2] == pytest.approx(np.array([3, 1, 5]) / math.sqrt(35), abs=1e-6)


@given(st.tuples(*[st.floats(-50, 50)] * 6))
@patient
def test_a_camera_without_a_quaternion_looks_at_its_target_with_a_level_horizon(numbers):
    position, target = np.array(numbers[:3]), np.array(numbers[3:])
    way = target - position
    if np.linalg.norm(way) < 1e-3 or np.linalg.norm(way[[0, 2]]) < 1e-3 * np.linalg.norm(way):
        return
    c2w = rig_from_load3d([{"position": xyz(*position), "target": xyz(*target), "zoom": 1, "cameraType": "perspective"}]).c2w[0, 0].numpy()  # fmt: skip
    flip = np.array([1, -1, -1])
    np.testing.assert_allclose(c2w[:3, 3], position * flip, atol=1e-12)
    np.testing.assert_allclose(c2w[:3, 2], way * flip / np.linalg.norm(way), atol=1e-9)
    assert c2w[1, 0] == pytest.approx(0, abs=1e-12)  # right is level
    assert c2w[1, 1] > 0  # down points down


@pytest.mark.parametrize(("height", "down"), [(3, 1), (-3, -1)])
def test_a_camera_straight_above_or_below_its_target_has_its_right_side_along_x(height, down):
    c2w = rig_from_load3d([{"position": xyz(0, height, 0), "target": xyz(0, 0, 0)}]).c2w[0, 0]
    assert c2w[:3, 0].tolist() == pytest.approx([1, 0, 0])
    assert c2w[:3, 2].tolist() == pytest.approx([0, down, 0])


@pytest.mark.parametrize(
    ("changed", "angle"),
    [
        ({"fov": 40.0, "aspect": 1.5}, 2 * math.atan(math.tan(math.radians(20)) * 1.5)),
        ({"fov": 40.0, "aspect": 1.5, "zoom": 2.0}, 2 * math.atan(math.tan(math.radians(20)) * 1.5 / 2)),
        ({"fov": 40.0}, 2 * math.atan(math.tan(math.radians(20)) * 832 / 480)),
        ({}, 2 * math.atan(23.76 / 48)),
    ],
)
def test_the_vertical_field_of_view_becomes_the_lens(changed, angle):
    rig = rig_from_load3d([{"position": xyz(0, 0, 3), "target": xyz(0, 0, 0), **changed}])
    assert angle_of_view(rig.lenses[0]) == pytest.approx(angle)


@given(rigs(), st.integers(0, 1), st.sampled_from([1.0, 0.01]))
@patient
def test_a_rig_comes_back_from_3d_cameras(rig, frame, unit_m):
    infos = load3d_from_rig(rig, frame, unit_m, aspect=1.7)
    back = rig_from_load3d(infos, unit_m, rig.names)
    moment = rig.c2w[:, min(frame, rig.frames - 1)]
    torch.testing.assert_close(back.c2w[:, 0], moment, atol=1e-9, rtol=1e-9)
    for info, c2w, ours, theirs in zip(infos, moment, rig.lenses, back.lenses, strict=True):
        np.testing.assert_allclose(three_js(info, unit_m), c2w, atol=1e-9, rtol=1e-9)
        # the target lies ahead: a viewer that turns the camera to it changes nothing
        way = np.array([(info["target"][a] - info["position"][a]) * s for a, s in zip("xyz", (1, -1, -1), strict=True)])
        assert np.linalg.norm(way) > 0
        np.testing.assert_allclose(way / np.linalg.norm(way), c2w[:3, 2], atol=1e-6)
        assert angle_of_view(theirs) == pytest.approx(angle_of_view(ours))


def test_the_target_is_the_point_that_the_cameras_look_at():
    for info in load3d_from_rig(orbit_rig([0, 40, -70], [10, 30, 5], [3, 4, 5])):
        assert [info["target"][axis] for axis in "xyz"] == pytest.approx([0, 0, 0], abs=1e-9)


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (None, "camera 2 is missing, but an object is needed"),
        ([1], "camera 2 is a list of 1 items"),
        ({"target": xyz(0, 0, 0)}, "camera 2: position is missing"),
        ({"position": {"x": 1, "y": 2}, "target": xyz(0, 0, 0)}, r"camera 2: position\[2\] is missing"),
        ({"position": xyz(0, math.nan, 0), "target": xyz(0, 0, 1)}, r"position\[1\] is NaN"),
        ({"position": xyz(1, 2, 3), "target": xyz(1, 2, 3)}, "camera 2 stands at its own target"),
        ({"position": xyz(1, 2, 3)}, "camera 2: target is missing"),
        ({"position": xyz(1, 2, 3), "quaternion": {"x": 0, "y": 0, "z": 0, "w": 0}}, "quaternion has the length 0"),
        ({"position": xyz(1, 2, 3), "quaternion": {"x": 0}}, r"quaternion\[1\] is missing"),
        ({"position": xyz(0, 0, 1), "target": xyz(0, 0, 0), "cameraType": "orthographic"}, "camera 2 is orthographic"),
        ({"position": xyz(0, 0, 1), "target": xyz(0, 0, 0), "fov": 180}, "fov is 180"),
        ({"position": xyz(0, 0, 1), "target": xyz(0, 0, 0), "fov": 35, "zoom": 0}, "zoom is 0"),
        ({"position": xyz(1e300, 0, 1), "target": xyz(0, 0, 0)}, "cam02.*farther than|NaN or an infinite"),
    ],
    ids=range(13),
)
def test_a_3d_camera_that_cannot_be_used_is_named(host, info, said):
    good = {"position": xyz(0, 0, 3), "target": xyz(0, 0, 0), "zoom": 1, "cameraType": "perspective"}
    with pytest.raises(ValueError, match=f"^SynCamRigFromLoad3D: .*({said})") as refused:
        host("SynCamRigFromLoad3D", {"cameras.camera0": [good], "cameras.camera1": [info]}, unit_m=1.0)
    assert type(refused.value).__name__ == "UserError"


def test_sockets_and_lists_of_3d_cameras_become_views_in_their_order(host):
    infos = load3d_from_rig(orbit_rig([0, 10, 20, 30]))
    sockets = {"cameras.camera10": [infos[3]], "cameras.camera2": [infos[2]], "cameras.camera0": infos[:2]}
    (rig,) = host("SynCamRigFromLoad3D", sockets, unit_m=1.0)
    assert rig.names == ("cam01", "cam02", "cam03", "cam04")
    np.testing.assert_allclose(rig.c2w[:, 0], orbit_rig([0, 10, 20, 30]).c2w[:, 0], atol=1e-9)


def test_a_rig_becomes_a_list_of_3d_cameras(host, comfy):
    c2w = np.stack([[orbit_in_the_rig(az + 5 * frame, 0, 3) for frame in range(4)] for az in (0, 40)])
    rig = Rig(names=("a", "b"), c2w=c2w)
    infos = host("SynCamRigToLoad3D", {"rig": [rig]}, frame=3, unit_m=0.01, **SIZE)
    assert len(infos) == 2
    np.testing.assert_allclose(three_js(infos[1], 0.01), orbit_in_the_rig(55, 0, 3), atol=1e-9)
    assert infos[0]["fov"] == pytest.approx(31.9, abs=0.05)
    assert infos[0]["aspect"] == pytest.approx(832 / 480)
    of_the_pack = importlib.import_module(f"{comfy.pack.__name__}.syncam_core.cameras").Rig(rig.names, rig.c2w)
    with pytest.raises(
        ValueError, match=r"SynCamRigToLoad3D: 'frame' is 4, but the cameras .* move over frames 0 to 3"
    ):
        host("SynCamRigToLoad3D", {"rig": [of_the_pack]}, frame=4, unit_m=1.0, **SIZE)


def test_the_hosts_renderer_sees_the_scene_as_the_rig_does(comfy):
    """A point that the rig's camera sees right of and above the middle lies there for the splat renderer, too."""
    need("renderer of Gaussian splats")
    from comfy_extras import nodes_gaussian_splat

    rig = orbit_rig([25, -60], [20, -10], [3, 4])
    point = np.array([0.4, -0.3, 0.2])
    for info, c2w in zip(load3d_from_rig(rig), rig.c2w[:, 0].numpy(), strict=True):
        eye, _, right, up, forward = (v.numpy() for v in nodes_gaussian_splat._camera_basis(info, "cpu"))
        seen = np.linalg.inv(c2w) @ [*point, 1]
        offset = point - eye  # the renderer's own world has y down and z away, as the rig's has
        assert [offset @ right, offset @ up, offset @ forward] == pytest.approx(seen[:3].tolist(), abs=1e-5)


def test_the_host_accepts_a_prompt_that_goes_through_all_sockets(nodes, monkeypatch):
    need("Create Camera Info")
    import execution

    import nodes as host_nodes

    for node_id, node in nodes.items():
        monkeypatch.setitem(host_nodes.NODE_CLASS_MAPPINGS, node_id, node)
    camera = {"mode": "orbit", "mode.yaw": 20, "mode.pitch": 5, "mode.distance": 3, "roll": 0, "fov": 35, "zoom": 1}
    camera |= {"target_x": 0, "target_y": 0, "target_z": 0, "camera_type": "perspective"}
    prompt = {
        "1": ("CreateCameraInfo", camera),
        "2": ("CreateCameraInfo", camera),
        "3": ("SynCamRigFromLoad3D", {"cameras.camera0": ["1", 0], "cameras.camera1": ["2", 0], "unit_m": 1.0}),
        "4": ("SynCamRigToLoad3D", {"rig": ["3", 0], "frame": 0, "unit_m": 1.0, **SIZE}),
        "5": ("SynCamRigFromLoad3D", {"cameras.camera0": ["4", 0], "unit_m": 1.0}),
        "6": ("SynCamRigToCameraCtrl", {"rig": ["5", 0], "length": 81, "unit_m": 1.0, **SIZE}),
        "7": ("SynCamRigFromCameraCtrl", {"poses.poses0": ["6", 0], "rows": "frames", "unit_m": 1.0}),
        "8": ("PreviewAny", {"source": ["7", 0]}),
    }

    def judged() -> list[str]:
        listed = {number: {"class_type": node_id, "inputs": values} for number, (node_id, values) in prompt.items()}
        _, error, _, node_errors = asyncio.run(execution.validate_prompt("prompt", listed, None))
        found = [one["details"] for node in node_errors.values() for one in node["errors"]]
        return found or ([error["message"]] if error else [])

    assert judged() == []
    prompt["3"][1]["unit_m"] = 0.0
    assert any("unit_m" in sentence for sentence in judged())
    prompt["3"] = ("SynCamRigFromLoad3D", {"unit_m": 1.0})
    assert any("camera0" in sentence for sentence in judged())


# -- CameraCtrl pose lists -------------------------------------------------------------------------------------------


def row(c2w: np.ndarray, fx: float = 0.5) -> list[float]:
    return [0, fx, fx, 0.5, 0.5, 0, 0, *np.linalg.inv(c2w)[:3].flatten().tolist()]


def test_rows_are_world_to_camera_frames_of_one_camera(host):
    poses = [row(orbit_in_the_rig(5 * frame, 10, 3)) for frame in range(16)]
    (rig,) = host("SynCamRigFromCameraCtrl", {"poses.poses0": [poses]}, rows="frames", unit_m=2.0)
    assert (rig.views, rig.frames) == (1, 16)
    expected = orbit_in_the_rig(75, 10, 6)
    np.testing.assert_allclose(rig.c2w[0, 15], expected, atol=1e-12)
    assert angle_of_view(rig.lenses[0]) == pytest.approx(math.pi / 2)


def test_rows_can_be_still_cameras(host):
    poses = [row(orbit_in_the_rig(angle, 10, 3), fx) for angle, fx in ((0, 0.5), (20, 1.0))]
    (rig,) = host("SynCamRigFromCameraCtrl", {"poses.poses0": [poses]}, rows="cameras", unit_m=1.0)
    assert (rig.views, rig.frames) == (2, 1)
    np.testing.assert_allclose(rig.c2w[1, 0], orbit_in_the_rig(20, 10, 3), atol=1e-12)
    assert angle_of_view(rig.lenses[1]) == pytest.approx(2 * math.atan(0.5))


def test_several_lists_are_several_cameras(host):
    lists = [[row(orbit_in_the_rig(az + frame, 0, 3)) for frame in range(4)] for az in (0, 30, 60)]
    sockets = {"poses.poses1": [lists[2]], "poses.poses0": lists[:2]}
    (rig,) = host("SynCamRigFromCameraCtrl", sockets, rows="frames", unit_m=1.0)
    assert (rig.views, rig.frames) == (3, 4)
    np.testing.assert_allclose(rig.c2w[2, 1], orbit_in_the_rig(61, 0, 3), atol=1e-12)


def plain_reader(poses: list[list[float]]) -> np.ndarray:
    """How CameraCtrl's readers take a list: relative to its first row, camera to world."""
    w2c = [np.vstack([np.array(pose[7:]).reshape(3, 4), [0, 0, 0, 1]]) for pose in poses]
    return np.stack([w2c[0] @ np.linalg.inv(one) for one in w2c])


@given(rigs(), st.sampled_from([1.0, 0.02]))
@patient
def test_a_rig_comes_back_from_pose_lists(rig, unit_m):
    length = rig.frames if rig.frames > 1 else 3
    lists = cameractrl_from_rig(rig, length, unit_m, (832, 480))
    back = rig_from_cameractrl(lists, "frames", unit_m)
    assert back.frames == rig.frames
    torch.testing.assert_close(back.c2w, rig.c2w, atol=1e-9, rtol=1e-9)
    for poses, c2w, ours, theirs in zip(lists, rig.c2w.expand(-1, length, 4, 4).numpy(), rig.lenses, back.lenses, strict=True):  # fmt: skip
        assert [len(pose) for pose in poses] == [19] * length
        relative = np.linalg.inv(c2w[0]) @ c2w
        relative[:, :3, 3] /= unit_m
        np.testing.assert_allclose(plain_reader(poses), relative, atol=1e-7, rtol=1e-9)
        assert angle_of_view(theirs) == pytest.approx(angle_of_view(ours))


def test_a_rig_becomes_one_pose_list_per_camera(host):
    rig = Rig(names=("a", "b"), c2w=orbit_rig([0, 30]).c2w, lenses=(Lens(24, 24), Lens(12, 24)))
    lists = host("SynCamRigToCameraCtrl", {"rig": [rig]}, length=5, unit_m=1.0, **SIZE)
    assert [len(poses) for poses in lists] == [5, 5]
    frame, fx, fy, *rest = lists[1][4]
    assert (frame, fx, fy) == (4, 0.5, pytest.approx(0.5 * 832 / 480))
    assert rest[:4] == [0.5, 0.5, 832, 480]
    assert lists[0][0][7:] == pytest.approx([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3], abs=1e-12)


def test_a_length_that_moving_cameras_do_not_have_is_refused(host):
    rig = Rig(names=("a",), c2w=np.stack([[orbit_in_the_rig(n, 0, 3) for n in range(4)]]))
    with pytest.raises(ValueError, match=r"^SynCamRigToCameraCtrl: length is 81, but .* move over 4 frames"):
        host("SynCamRigToCameraCtrl", {"rig": [rig]}, length=81, unit_m=1.0, **SIZE)
    assert len(host("SynCamRigToCameraCtrl", {"rig": [rig]}, length=4, unit_m=1.0, **SIZE)[0]) == 4


GOOD = row(np.eye(4))


@pytest.mark.parametrize(
    ("poses", "said"),
    [
        ([], "the pose list is empty"),
        (None, "the pose list is empty or no list"),
        ("text", "the pose list is empty or no list"),
        ([GOOD, GOOD[:-1]], "the pose list, row 1 has 18 numbers, but 19 are needed"),
        ([[*GOOD, 0, 0, 0, 1]], "row 0 has 23 numbers; rows with a 4x4 matrix"),
        ([GOOD, "abc"], "row 1 has 0 numbers"),
        ([[*GOOD[:18], math.nan]], "row 0, number 18 is NaN"),
        ([[*GOOD[:18], "1"]], "row 0, number 18 is the text '1'"),
        ([[*GOOD[:18], None]], "row 0, number 18 is missing"),
        ([[0, 0, *GOOD[2:]]], "focal length 0"),
        ([row(np.diag([2.0, 2, 2, 1]))], "is scaled by"),
        ([row(np.diag([1.0, 1, -1, 1]))], "mirrored"),
        ([[*GOOD[:7], *[0.0] * 12]], "not a rotation"),
    ],
    ids=range(13),
)
def test_a_pose_list_that_cannot_be_used_is_explained(host, poses, said):
    with pytest.raises(ValueError, match=f"^SynCamRigFromCameraCtrl: .*{said}") as refused:
        host("SynCamRigFromCameraCtrl", {"poses.poses0": [poses]}, rows="frames", unit_m=1.0)
    assert len(str(refused.value)) < 450


def test_lists_of_different_lengths_are_refused(host):
    lists = [[row(orbit_in_the_rig(n, 0, 3)) for n in range(count)] for count in (3, 4)]
    with pytest.raises(ValueError, match=r"camera 'cam01' has 3 frames but camera 'cam02' 4"):
        host("SynCamRigFromCameraCtrl", {"poses.poses0": lists}, rows="frames", unit_m=1.0)


@pytest.mark.parametrize("point", [(4, 2, 9), (0, 0, 0)])
def test_camera_to_world_lists_are_explained(host, point):
    c2w = [orbit_in_the_rig(az, 10, 3) for az in (0, 30, 60)]
    for pose in c2w:
        pose[:3, 3] += point
    lists = [[[0, 0.5, 0.5, 0.5, 0.5, 0, 0, *pose[:3].flatten()]] for pose in c2w]
    with pytest.raises(ValueError, match="look like camera-to-world ones"):
        host("SynCamRigFromCameraCtrl", {"poses.poses0": lists}, rows="frames", unit_m=1.0)


def test_more_cameras_than_a_rig_has_are_refused(host):
    with pytest.raises(ValueError, match="65 cameras, but at most 64"):
        host("SynCamRigFromCameraCtrl", {"poses.poses0": [[GOOD] * 65]}, rows="cameras", unit_m=1.0)


def test_arrays_and_tensors_are_pose_lists_too():
    table = np.array([GOOD, GOOD])
    assert rig_from_cameractrl([table]).views == 1
    assert rig_from_cameractrl([torch.from_numpy(table)]).views == 1
    assert rig_from_cameractrl([[np.float32(1) * np.array(GOOD, dtype=np.float32)]]).views == 1


# -- schemas ---------------------------------------------------------------------------------------------------------


def test_the_inputs_outputs_and_defaults_are_the_contract(nodes):
    def of(node_id):
        schema = nodes[node_id].GET_SCHEMA()
        inputs = [(one.id, one.io_type, getattr(one, "default", None)) for one in schema.inputs]
        return inputs, [(one.io_type, bool(one.is_output_list)) for one in schema.outputs]

    assert tuple(nodes) == NODES
    autogrow, size = "COMFY_AUTOGROW_V3", [("width", "INT", 832), ("height", "INT", 480)]
    unit = ("unit_m", "FLOAT", 1.0)
    rig_in, rig_out = ("rig", "SYNCAM_RIG", None), [("SYNCAM_RIG", False)]
    assert of(NODES[0]) == ([("cameras", autogrow, None), unit], rig_out)
    assert of(NODES[1]) == ([rig_in, ("frame", "INT", 0), unit, *size], [("LOAD3D_CAMERA", True)])
    assert of(NODES[2]) == ([("poses", autogrow, None), ("rows", "COMBO", "frames"), unit], rig_out)
    assert of(NODES[3]) == ([rig_in, ("length", "INT", 81), unit, *size], [("CAMERACTRL_POSES", True)])


@pytest.mark.parametrize("node_id", NODES)
def test_every_input_has_a_tooltip_and_every_node_a_page_that_names_its_inputs(nodes, node_id):
    schema = nodes[node_id].GET_SCHEMA()
    assert schema.category == "SynCam/Rig"
    page = (PAGES / f"{node_id}.md").read_text()
    for one in schema.inputs:
        assert one.tooltip
        assert f"`{one.id}`" in page
    assert all(one.tooltip for one in schema.outputs)
