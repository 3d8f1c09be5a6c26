"""SynCam Metrics, SynCam Metrics Table and SynCam Rig to Wan Camera inside the real host."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import plain_networks as plain
import pytest
import torch

from syncam_core.cameras import Lens, Rig, orbit_rig
from syncam_core.metrics import shuffled_cameras
from syncam_core.metrics.suite import METRICS, SET_METRICS
from syncam_core.synthetic import Scene, frame_times, render

RIG = orbit_rig([0.0, 75.0, -130.0], [20.0, 12.0, 30.0], [5.0, 4.7, 5.3])
VIEWS = [*render(Scene.random(11), RIG, 64, 64, frame_times(5))]


@pytest.fixture
def no_network(monkeypatch):
    def refused(*_args, **_more):
        raise AssertionError("a test asked for the network")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.fixture
def temp(comfy, tmp_path):
    before = comfy.folders.get_temp_directory()
    comfy.folders.set_temp_directory(str(tmp_path))
    yield
    comfy.folders.set_temp_directory(before)


@pytest.fixture
def measured(comfy, temp, no_network):
    def run(views=VIEWS, **more):
        given = {"prompt": "", "metrics": "all", "matcher": "sift", "lens": "training data", "every": 2}
        text, document, picture = comfy.run(
            "SynCamMetrics",
            views=views,
            **{name: value if isinstance(value, list) else [value] for name, value in (given | more).items()},
        )
        return text, json.loads(document), picture

    return run


@pytest.fixture
def clip_file(comfy):
    """A small CLIP where users put theirs; the words are the host's own."""
    folder = Path(comfy.folders.get_folder_paths("syncam_metrics")[0])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "clip.safetensors"
    from safetensors.torch import save_file

    state = plain.random_state(plain.clip_shapes(64, 64, 2, 2, 32, 64, out=32))
    save_file(state, path)
    yield
    path.unlink()


def test_a_badge_for_each_metric_says_why_where_there_is_no_number(measured):
    text, report, picture = measured(rig=RIG)
    assert list(report["metrics"]) == list(METRICS)
    assert picture.shape == (1, 5 * 138 + 12, 3 * 312 + 12, 3)
    assert "value" in report["metrics"]["sync"]
    assert "models" in report["metrics"]["clip_v"]["not_measured"]
    assert "no prompt is known" in report["metrics"]["clip_t"]["not_measured"]
    for name in SET_METRICS:
        assert "reference set" in report["metrics"][name]["not_measured"]
    assert "not measured" in text


def test_shuffled_cameras_change_the_badges_and_nothing_else_does(measured):
    right, wrong = measured(rig=RIG), measured(rig=shuffled_cameras(RIG))
    assert right[1]["metrics"]["azimuth"]["value"] < 2
    assert wrong[1]["metrics"]["azimuth"]["value"] > 20
    assert right[1]["metrics"]["mat_pix"] == wrong[1]["metrics"]["mat_pix"]
    assert not torch.equal(right[2], wrong[2])
    assert torch.equal(right[2], measured(rig=RIG)[2])


def test_truth_gives_three_numbers_that_are_perfect_for_itself(measured):
    report = measured(truth=VIEWS, metrics="psnr, ssim, lpips")[1]["metrics"]
    assert report["psnr"]["value"] == "inf"
    assert report["ssim"]["value"] == pytest.approx(1)
    assert "alexnet-owt-7be5be79.pth (244 MB" in report["lpips"]["not_measured"]


def test_clip_is_read_from_the_model_folder_with_the_hosts_words(measured, clip_file):
    metrics = measured(prompt="a red ball walking on sand", metrics="clip_t,clip_f,clip_v")[1]["metrics"]
    assert metrics["clip_t"]["notes"] == ["6 of 6 words of the prompt"]
    assert all(-100 <= metrics[name]["value"] <= 100.001 for name in ("clip_t", "clip_f", "clip_v"))


def test_set_metrics_alone_are_refused_when_queued_and_when_run(comfy, measured):
    refusal = comfy.nodes["SynCamMetrics"].validate_inputs(metrics=["fid, FVD-V"])
    assert "FID, FVD-V, which compare a set of takes" in refusal
    assert comfy.nodes["SynCamMetrics"].validate_inputs(metrics=[None]) is True
    with pytest.raises(ValueError, match="SynCamMetrics: 'metrics' asks for FID"):
        measured(metrics="fid")


def test_a_metric_that_there_is_not_is_refused(comfy):
    assert "'vbench'" in comfy.nodes["SynCamMetrics"].validate_inputs(metrics=["vbench"])


def test_every_number_goes_beside_the_videos(comfy, measured, tmp_path):
    report = measured(rig=RIG, metrics="sync")[1]
    before = comfy.folders.get_output_directory()
    comfy.folders.set_output_directory(str(tmp_path))
    try:
        comfy.run(
            "SynCamSaveViews",
            views=VIEWS,
            filename_prefix=["t"],
            fps=[8.0],
            rig=[RIG],
            contact_sheet=[False],
            scores=[json.dumps(report)],
        )
    finally:
        comfy.folders.set_output_directory(before)
    (rig,) = tmp_path.glob("*_rig.json")
    assert json.loads(rig.read_text())["metadata"]["scores"] == [report]


# ---- table


def test_a_table_has_the_papers_rows_ours_and_the_reasons(comfy, temp, measured):
    documents = [json.dumps(measured(rig=rig, metrics="rot_err,sync")[1]) for rig in (RIG, shuffled_cameras(RIG))]
    text, picture = comfy.run(
        "SynCamMetricsTable",
        reports={"report0": documents[0], "report1": documents[1]},
        layout="table 4",
        names="right\nshuffled",
    )
    assert "| SynCamMaster (paper) | 0.12 | 0.58 |" in text
    assert "| right | - | - |" in text
    assert "- right: TransErr; shuffled: TransErr: it was not asked for." in text
    assert "matches agree" in text
    assert picture.ndim == 4
    assert 0.05 < picture.mean() < 0.5


def test_what_is_no_report_and_too_many_names_are_refused(comfy):
    with pytest.raises(ValueError, match="SynCamMetricsTable: 'report 1' is no report"):
        comfy.run("SynCamMetricsTable", reports={"report0": "{}"}, layout="table 1")
    with pytest.raises(ValueError, match="'names' has 2 lines, but there are 1 reports"):
        comfy.run("SynCamMetricsTable", reports={"report0": "{}"}, layout="table 1", names="a\nb")


def test_every_input_and_output_has_its_words(comfy):
    for name in ("SynCamMetrics", "SynCamMetricsTable", "SynCamRigToWanCamera"):
        schema = comfy.nodes[name].GET_SCHEMA()
        assert all(part.tooltip for part in (*schema.inputs, *schema.outputs))
        assert schema.search_aliases


# ---- Wan's camera


def core_embedding(comfy, c2w, lens: Lens, width: int, height: int):
    """The core's own functions on our poses: its rays from world-to-camera rows, its packing of the frames."""
    from comfy_extras.nodes_camera_trajectory import Camera, ray_condition

    cameras = [Camera([0, 0, 0, 0, 0, 0, 0, *pose.flatten().tolist()]) for pose in c2w]
    first = cameras[0].w2c_mat
    relative = torch.stack([torch.from_numpy(first @ camera.c2w_mat) for camera in cameras]).float()[None]
    focal = lens.focal_mm / lens.sensor_width_mm * width
    intrinsics = torch.tensor([[focal, focal, width / 2, height / 2]]).expand(len(c2w), -1)[None]
    rays = ray_condition(intrinsics, relative, height, width, "cpu")[0].permute(0, 3, 1, 2)
    video = rays.permute(1, 0, 2, 3)[None]
    video = torch.cat([video[:, :, :1].repeat_interleave(4, dim=2), video[:, :, 1:]], dim=2).transpose(1, 2)
    b, f, c, h, w = video.shape
    video = video.contiguous().view(b, f // 4, 4, c, h, w).transpose(2, 3)
    return video.contiguous().view(b, f // 4, c * 4, h, w).transpose(1, 2)


def test_the_embedding_is_the_cores_packing_of_our_path(comfy):
    still = orbit_rig([0.0, 40.0], [10.0], [3.0])
    turning = orbit_rig([5.0 * step for step in range(9)], [10.0], [3.0]).c2w[:, 0]
    rig = Rig(("still", "turning"), torch.stack([still.c2w[0].expand(9, 4, 4), turning]), lenses=(Lens(), Lens(35.0)))
    views, width, height, length = comfy.run("SynCamRigToWanCamera", rig=rig, view=0, width=48, height=32, length=9)
    assert (width, height, length) == (48, 32, 9)
    assert [tuple(view.shape) for view in views] == [(1, 24, 3, 32, 48)] * 2
    for view, lens, path in zip(views, rig.lenses, rig.c2w, strict=True):
        torch.testing.assert_close(view, core_embedding(comfy, path, lens, 48, 32), atol=1e-5, rtol=0)
    (second,) = comfy.run("SynCamRigToWanCamera", rig=rig, view=2, width=48, height=32, length=9)[0]
    assert torch.equal(second, views[1])


def test_a_still_camera_has_the_cores_static_path_where_the_lenses_agree(comfy):
    # At 16:9 the core's fx = fy = 0.5 are half of the width and of the height; a square picture has one focal length.
    rig = Rig(("a",), orbit_rig([30.0], [10.0], [3.0]).c2w, lenses=(Lens(16 / 18, 1.0),))
    (ours,) = comfy.run("SynCamRigToWanCamera", rig=rig, view=0, width=64, height=64, length=5)[0]
    # its focal lengths at 64 x 64 are 0.5 x 64 x 1280 / 720 = 56.9 across and 32 down, ours 56.9 both
    core = comfy.run("WanCameraEmbedding", camera_pose="Static", width=64, height=64, length=5)[0]
    slope_ours, slope_core = (x[0, 12, 0] / x[0, 20, 0] for x in (ours, core))
    assert ours.shape == core.shape
    torch.testing.assert_close(slope_ours, slope_core, atol=1e-5, rtol=0)
    assert ours[:, :12].abs().max() < 1e-6


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"view": 3}, "'view' is 3, but the rig has views 1 to 2"),
        ({"length": 6}, "6"),
        ({"length": 13}, "'length' is 13, but the cameras of 'rig' move over 9 frames"),
    ],
)
def test_a_view_and_a_length_that_there_are_not_are_refused(comfy, given, words):
    rig = Rig(("a", "b"), orbit_rig([0.0, 40.0], [10.0], [3.0]).c2w.expand(2, 9, 4, 4))
    with pytest.raises(ValueError, match="SynCamRigToWanCamera") as refused:
        comfy.run("SynCamRigToWanCamera", **({"rig": rig, "view": 0, "width": 48, "height": 32, "length": 9} | given))
    assert words in str(refused.value)
