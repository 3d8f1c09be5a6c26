"""RotErr and TransErr on pictures whose cameras are known, without weights and without network."""

from __future__ import annotations

import hashlib
import json
import math
import socket
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from textured_planes import filmed

from syncam_core.cameras import Lens, Rig, orbit_rig
from syncam_core.errors import UserError
from syncam_core.metrics.camera_accuracy import (
    CameraAccuracy,
    _held,
    camera_accuracy,
    depth_anything_accuracy,
    found_c2w,
    moments_of,
)
from syncam_core.metrics.matching import matcher_of
from syncam_core.metrics.relative_pose import RelativePose
from syncam_core.synthetic import Scene, render
from syncam_core.video.clip import FLOAT, ImageClip, MadeClip

HEIGHT, WIDTH = 240, 416
FOCAL = 24 / 23.76 * WIDTH


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refused(*_args, **_more):
        raise AssertionError("a test asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.fixture(scope="module")
def sift():
    """A matcher that looks at each picture once: many questions are asked about the same ones."""
    seen, plain = {}, matcher_of("sift")

    def detect(planes: torch.Tensor):
        key = hashlib.sha256(planes.contiguous().numpy().tobytes()).digest()
        if key not in seen:
            seen[key] = plain.detect(planes)
        return seen[key]

    return replace(plain, detect=detect)


def around(*azimuths: float, elevation: float = 12.0, distance: float = 4.0) -> Rig:
    return orbit_rig(list(azimuths), [elevation], [distance])


def on_planes(rig: Rig, height: int = HEIGHT, width: int = WIDTH, focal=FOCAL, seed: int = 0) -> list[ImageClip]:
    return [ImageClip(view, FLOAT) for view in filmed(rig.c2w[:, 0].numpy(), focal, height, width, seed)]


@pytest.fixture(scope="module")
def planes():
    rig = around(0, 15, 30, 45)
    return rig, on_planes(rig)


def test_pictures_on_planes_are_measured_to_a_fraction_of_a_degree(planes, sift):
    rig, views = planes
    accuracy = camera_accuracy(views, rig, sift)
    assert accuracy.measured == 3
    assert accuracy.rot_err_deg < 0.3
    assert accuracy.trans_err < 0.01


def test_shuffled_cameras_have_errors_ten_times_as_large_and_more(planes, sift):
    rig, views = planes
    right = camera_accuracy(views, rig, sift)
    wrong = camera_accuracy(views, replace(rig, c2w=rig.c2w[[0, 3, 1, 2]]), sift)
    assert wrong.rot_err_deg > 10 * right.rot_err_deg
    assert wrong.trans_err > 10 * right.trans_err
    assert wrong.rot_err_deg == pytest.approx((30 + 15 + 15) / 3, abs=1)


def test_a_wrong_lens_makes_errors_that_the_right_one_does_not(planes, sift):
    rig, views = planes
    long = replace(rig, lenses=(Lens(35, 23.76),) * 4)
    right, wrong = (camera_accuracy(views, long, sift, lens=lens) for lens in ("training data", "rig"))
    assert right.rot_err_deg < 0.3
    assert wrong.rot_err_deg > 10 * right.rot_err_deg


def test_each_camera_may_have_a_lens_of_its_own(sift):
    rig = replace(around(0, 20), lenses=(Lens(24, 23.76), Lens(35, 36)))
    views = on_planes(rig, focal=[FOCAL, 35 / 36 * WIDTH])
    accuracy = camera_accuracy(views, rig, sift, lens="rig")
    assert accuracy.rot_err_deg < 0.3
    assert accuracy.trans_err < 0.01


@pytest.mark.parametrize("count", [2, 8])
def test_any_number_of_views_upright_pictures_too(count, sift):
    rig = around(*np.linspace(0, 30, count).tolist())
    focal = 24 / 23.76 * 200
    accuracy = camera_accuracy(on_planes(rig, 320, 200, focal, seed=3), rig, sift)
    assert [pair.view for pair in accuracy.pairs] == list(range(1, count))
    assert accuracy.rot_err_deg < 0.4
    assert accuracy.trans_err < 0.02


def test_moving_and_rolled_cameras_are_held_against_the_pose_of_their_frame(sift):
    still, turned = around(0, 10), around(0, 25)
    rolled = turned.c2w.clone()
    rolled[1, 0, :3, :3] = rolled[1, 0, :3, :3] @ torch.from_numpy(
        Rotation.from_euler("z", 20, degrees=True).as_matrix()
    )
    rig = Rig(("a", "b"), torch.cat([still.c2w, rolled], 1))
    takes = [filmed(rig.c2w[:, frame].numpy(), FOCAL, HEIGHT, WIDTH) for frame in (0, 1)]
    views = [ImageClip(torch.cat([take[view] for take in takes]), FLOAT) for view in (0, 1)]
    accuracy = camera_accuracy(views, rig, sift, every=1)
    assert [(pair.frame, pair.rot_err_deg < 0.4) for pair in accuracy.pairs] == [(0, True), (1, True)]


def test_the_synthetic_worlds_texture_is_enough_for_the_matcher(sift):
    rig = around(0, 15, 30, elevation=30)
    scene = replace(Scene.random(3), texture=1)
    views = [ImageClip(view, FLOAT) for view in render(scene, rig, 288, 512, [0.5], supersample=1)]
    accuracy = camera_accuracy(views, rig, sift)
    assert accuracy.rot_err_deg < 0.3
    assert accuracy.trans_err < 0.01


@pytest.mark.parametrize("seed", [3, 5, 13])
def test_every_pair_up_to_45_degrees_is_measured_in_the_textured_world(seed, sift):
    rig = around(0, 15, 30, 45, elevation=20)
    scene = replace(Scene.random(seed), texture=1)
    views = [ImageClip(view, FLOAT) for view in render(scene, rig, 288, 512, [0.5], supersample=1)]
    for pair in camera_accuracy(views, rig, sift).pairs:
        assert pair.rot_err_deg < 0.3, pair
        assert pair.trans_err < 0.01, pair


def test_pictures_that_show_nothing_in_common_are_not_measured(sift):
    rig = around(0, 20)
    views = [on_planes(rig, seed=1)[0], on_planes(rig, seed=2)[1]]
    accuracy = camera_accuracy(views, rig, sift)
    (pair,) = accuracy.pairs
    assert (accuracy.measured, pair.rotation) == (0, None)
    assert math.isnan(accuracy.rot_err_deg)
    assert pair.to_text() == f"not measured: {pair.inliers} of {pair.matches} matches"
    assert json.loads(json.dumps(accuracy.to_json(), allow_nan=False))["rot_err_deg"] is None


def test_of_the_views_one_moment_is_read_at_a_time_and_only_those_that_are_measured(sift):
    rig, read = around(0, 10), []

    def clip(view: int) -> MadeClip:
        def make(frame: int) -> np.ndarray:
            read.append((frame, view))
            return np.full((64, 64, 3), 0.5, np.float32)

        return MadeClip(20, 64, 64, FLOAT, make)

    camera_accuracy([clip(0), clip(1)], rig, sift, every=8)
    assert read == [(0, 0), (0, 1), (8, 0), (8, 1), (16, 0), (16, 1)]


def test_found_cameras_stand_where_the_asked_ones_do(planes, sift):
    rig, views = planes
    found = found_c2w(rig, camera_accuracy(views, rig, sift).pairs, 0)
    assert (found - rig.c2w[:, 0]).abs().max() < 0.05


def test_cameras_at_one_place_have_a_rotation_but_no_direction(sift):
    turn = torch.eye(4, dtype=torch.float64)
    turn[:3, :3] = torch.from_numpy(Rotation.from_euler("y", 8, degrees=True).as_matrix())
    first = around(0).c2w[0, 0]
    rig = Rig(("a", "b"), torch.stack([first, first @ turn])[:, None])
    accuracy = camera_accuracy(on_planes(rig), rig, sift)
    assert accuracy.rot_err_deg < 0.5
    assert math.isnan(accuracy.trans_err)
    assert "cameras stand at one place" in accuracy.to_text()


# ---- Depth Anything 3


def geometry(rig: Rig) -> dict:
    return {"extrinsics": torch.linalg.inv(rig.c2w[:, 0])[None, :, :3].float(), "mode": "multiview"}


def test_the_second_opinion_takes_world_to_camera_matrices_in_any_world_and_scale():
    rig = around(0, 30, -60)
    elsewhere = torch.linalg.inv(around(77).c2w[0, 0]) @ rig.c2w
    elsewhere[..., :3, 3] *= 3
    pairs, missing = depth_anything_accuracy([geometry(Rig(rig.names, elsewhere))], rig, [0, 8])
    assert missing == ""
    assert [(pair.view, pair.frame) for pair in pairs] == [(1, 0), (2, 0)]
    assert max(pair.rot_err_deg for pair in pairs) < 1e-3
    assert max(pair.trans_err for pair in pairs) < 1e-5


def test_identity_matrices_are_no_cameras():
    rig = around(0, 30)
    eyes = {"extrinsics": torch.eye(4)[None, None].expand(1, 2, 4, 4)}
    assert "no camera head" in depth_anything_accuracy([eyes], rig, [0])[1]
    assert "multiview" in depth_anything_accuracy([{"mode": "mono"}], rig, [0])[1]


def test_other_numbers_of_views_and_moments_are_refused():
    rig = around(0, 30)
    with pytest.raises(UserError, match="3 views, but the rig has 2 cameras"):
        depth_anything_accuracy([geometry(around(0, 10, 20))], rig, [0])
    with pytest.raises(UserError, match="2 items, but 3 moments"):
        depth_anything_accuracy([geometry(rig)] * 2, rig, [0, 8, 16])


# ---- what cannot be measured


def test_mistakes_are_told_in_a_sentence(sift):
    grey = [MadeClip(5, 64, 64, FLOAT, lambda frame: np.zeros((64, 64, 3), np.float32))] * 2
    for views, rig, more, said in (
        (grey[:1], around(0), {}, "one view only"),
        (grey, around(0, 1, 2), {}, "2 views but the rig has 3 cameras"),
        (grey, around(0, 1), {"every": 0}, "'every' is 0"),
        (grey, around(0, 1), {"lens": "long"}, "possible are training data, rig"),
        (grey, Rig(("a", "b"), around(0, 1).c2w.expand(2, 3, 4, 4)), {}, "move over 3 only"),
    ):
        with pytest.raises(UserError, match=said):
            camera_accuracy(views, rig, sift, **more)
    assert list(moments_of(17, 8)) == [0, 8, 16]


def test_every_report_says_what_the_paper_does_not():
    exact, _ = depth_anything_accuracy([geometry(around(0, 12))], around(0, 10), [0])
    accuracy = CameraAccuracy(("a", "b"), 1, 8, "sift", "the rig's", exact)
    for told in (accuracy.to_text().splitlines()[-1], accuracy.to_json()["not_published"]):
        assert "published neither code" in told
        assert "unit of RotErr" in told


def test_what_two_poses_explain_alike_is_not_measured():
    pose = RelativePose(torch.eye(3).double(), torch.tensor([1.0, 0, 0]).double(), torch.ones(90, dtype=torch.bool))
    rig = around(0, 10)
    (clear, twofold) = (_held(rig, 1, 0, 100, replace(pose, is_ambiguous=two)) for two in (False, True))
    assert (clear.is_measured, twofold.is_measured) == (True, False)
    assert math.isnan(twofold.rot_err_deg)
    assert twofold.to_text() == "not measured: 90 of 100 matches agree, but with two poses alike: they lie on one plane"
    report = CameraAccuracy(rig.names, 1, 8, "sift", "any", (twofold,))
    assert twofold.to_text() in report.to_text().splitlines()
    assert report.to_json()["pairs"][0]["rot_err_deg"] is None


def test_a_pose_of_few_among_many_matches_is_chance():
    pose = RelativePose(torch.eye(3).double(), torch.tensor([1.0, 0, 0]).double(), torch.ones(40, dtype=torch.bool))
    many, few = (_held(around(0, 10), 1, 0, matches, pose) for matches in (801, 800))
    assert (many.is_measured, few.is_measured) == (False, True)
    assert many.to_text() == "not measured: 40 of 801 matches"


def test_means_are_over_what_was_measured():
    rig = around(0, 10)
    exact, _ = depth_anything_accuracy([geometry(around(0, 12))], rig, [0])
    unmeasured = replace(exact[0], rot_err_deg=math.nan, trans_err=math.nan, rotation=None, frame=8)
    accuracy = CameraAccuracy(rig.names, 9, 8, "sift", "any", (*exact, unmeasured))
    # on one orbit: the turn about the vertical between two cameras whose azimuths are 2 degrees off
    assert accuracy.rot_err_deg == pytest.approx(2, abs=1e-3)
    assert accuracy.to_json()["rot_err_rad"] == pytest.approx(math.radians(accuracy.rot_err_deg))
    assert accuracy.measured == 1
