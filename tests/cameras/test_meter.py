"""The meter against cases with known answers, against plain second computations, and against symmetries."""

from __future__ import annotations

import json
import math

import meter_cases
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from syncam_core.cameras import Lens, Rig, encode_cameras, orbit_c2w, orbit_rig, rig_from_json
from syncam_core.cameras.meter import measure, to_document, to_json, to_text, warn

EXAMPLES_AZ = [30, 15, 0, -15, -30, 0, 0, 0, 0, 0]
EXAMPLES_EL = [0, 0, 0, 0, 0, 10, 20, 30, 0, 0]


def trained_pairs(rig: Rig) -> list[tuple[int, int]]:
    """The authors' pair list: every ordered pair of views that is inside."""
    inside = [(pair.first, pair.second) for pair in measure(rig).pairs if pair.verdict == "inside"]
    return sorted([*inside, *((second, first) for first, second in inside)])


def rig_of(name: str) -> Rig:
    return rig_from_json(json.dumps(meter_cases.load(name)["rig"]))


@pytest.mark.parametrize("name", meter_cases.NAMES)
def test_every_hand_made_case_has_the_known_answer(name):
    case = meter_cases.load(name)
    meter = measure(rig_from_json(json.dumps(case["rig"])))
    meter_cases.check(case, json.loads(to_json(meter)))
    assert to_text(meter)


def test_the_authors_rule_takes_38_of_90_ordered_pairs_of_their_file_and_one_of_their_three_presets():
    rig = rig_of("authors_ten_cameras")
    # a plain second computation of the rule: yaw and pitch of the viewing direction, strictly below 30 and 15
    forward = rig.c2w.numpy()[:, 0, :3, 2]
    yaw = np.degrees(np.arctan2(forward[:, 0], forward[:, 2]))
    pitch = np.degrees(np.arcsin(-forward[:, 1]))
    by_hand = [
        (i, j)
        for i in range(10)
        for j in range(10)
        if i != j and abs(yaw[i] - yaw[j]) < 30 and abs(pitch[i] - pitch[j]) < 15
    ]
    assert len(by_hand) == 38
    assert trained_pairs(rig) == by_hand
    assert (0, 2) not in by_hand  # az, exactly 30
    assert (2, 6) not in by_hand  # el, 20
    assert (8, 9) in by_hand  # dis


def test_on_paper_the_pair_at_exactly_30_degrees_fails_whatever_float64_makes_of_it():
    # cam02 and cam04 stand at 15 and -15 degrees: without the file's rounding the rule refuses them as well
    assert len(trained_pairs(orbit_rig(EXAMPLES_AZ, EXAMPLES_EL))) == 36
    for start in range(-180, 180, 7):
        rig = orbit_rig([start, start + 30, start], [0, 0, 15])
        assert [pair.verdict for pair in measure(rig).pairs[:2]] == ["edge", "edge"]
        assert trained_pairs(rig) == []


angles = st.floats(-179, 179)
heights = st.floats(-80, 80)
lengths = st.floats(0.5, 20)
targets = st.tuples(*[st.floats(-50, 50)] * 3)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(angles, heights, lengths), min_size=2, max_size=6), targets)
def test_cameras_placed_by_angles_are_measured_with_these_angles(cameras, target):
    c2w = torch.stack([orbit_c2w(*camera, target=target) for camera in cameras])
    meter = measure(Rig([f"c{i}" for i in range(len(cameras))], c2w[:, None]))
    for view, (azimuth, elevation, _) in zip(meter.views, cameras, strict=True):
        assert abs(view.azimuth_deg - azimuth) < 1e-6
        assert abs(view.elevation_deg - elevation) < 1e-6
    for pair in meter.pairs:
        difference = (cameras[pair.second][0] - cameras[pair.first][0] + 180) % 360 - 180
        assert abs(abs(pair.azimuth_deg) - abs(difference)) < 1e-6
        assert abs(pair.elevation_deg - (cameras[pair.second][1] - cameras[pair.first][1])) < 1e-6
        assert 0 <= pair.overlap <= 1
    if meter.target_kind == "common":
        # the better the axes cross, the better the point is known
        crossing = max(
            np.linalg.norm(np.cross(c2w[i, :3, 2], c2w[j, :3, 2])) for i in range(len(c2w)) for j in range(i)
        )
        if crossing > 0.01:
            np.testing.assert_allclose(meter.target, target, atol=1e-6)
            np.testing.assert_allclose([view.distance_m for view in meter.views], [c[2] for c in cameras], atol=1e-6)


def test_the_common_point_is_the_least_squares_crossing_of_the_axes():
    rng = np.random.default_rng(3)
    c2w = np.stack([orbit_c2w(az, el, d).numpy() for az, el, d in [(0, 5, 3), (40, 20, 4), (-35, 10, 5), (80, 0, 3.5)]])
    c2w[:, :3, :3] = Rotation.from_rotvec(rng.normal(size=(4, 3)) * 0.02).as_matrix() @ c2w[:, :3, :3]
    meter = measure(Rig("abcd", c2w[:, None]))

    def distances(point):
        to_point = point - c2w[:, :3, 3]
        return np.linalg.norm(np.cross(to_point, c2w[:, :3, 2]), axis=1)

    expected = least_squares(distances, [0.1, 0.1, 0.1], xtol=1e-14, ftol=1e-14, gtol=1e-14).x
    np.testing.assert_allclose(meter.target, expected, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.floats(-180, 180), targets, st.randoms(use_true_random=False))
def test_turning_about_the_vertical_moving_and_reordering_change_no_pair(turn, shift, random):
    rig = orbit_rig([0, 20, -25, 50], [5, 12, 0, 20], [3, 4, 5, 3.5])
    before = measure(rig)
    moved = torch.eye(4, dtype=torch.float64)
    moved[:3, :3] = torch.from_numpy(Rotation.from_euler("y", turn, degrees=True).as_matrix())
    moved[:3, 3] = torch.tensor(shift)
    order = list(range(4))
    random.shuffle(order)
    after = measure(Rig(rig.names, moved @ rig.c2w, lenses=rig.lenses).select(order))
    for first in range(4):
        for second in range(4):
            if first == second:
                continue
            old, new = before.pair(order[first], order[second]), after.pair(first, second)
            for what in ("azimuth_deg", "elevation_deg", "distance_m"):
                assert getattr(old, what) == pytest.approx(getattr(new, what), abs=1e-6)
            assert old.verdict == new.verdict
            assert old.overlap == pytest.approx(new.overlap, abs=0.02)  # of 480 points a few lie on a border
    assert order[after.best_reference] == before.best_reference


def test_overlap_is_the_share_of_points_that_a_plain_pinhole_camera_sees():
    rig = Rig(
        "ab",
        torch.stack([orbit_c2w(-30, 10, 3), orbit_c2w(35, 25, 4)])[:, None],
        lenses=(Lens(), Lens(50, 36)),
    )
    (pair,) = measure(rig).pairs
    shares = []
    for one, other in ((0, 1), (1, 0)):
        here, there = rig.c2w[one, 0].numpy(), np.linalg.inv(rig.c2w[other, 0].numpy())
        tangent = [lens.sensor_width_mm / 2 / lens.focal_mm for lens in (rig.lenses[one], rig.lenses[other])]
        seen = 0
        for column in range(10):
            for row in range(6):
                for depth in (0.625, 0.875, 1.125, 1.375):
                    z = depth * (3, 4)[one]
                    x, y = (column - 4.5) / 5 * tangent[0] * z, (row - 2.5) / 3 * tangent[0] * z * 480 / 832
                    px, py, pz, _ = there @ here @ [x, y, z, 1]
                    seen += pz > 0 and abs(px / pz) < tangent[1] and abs(py / pz) < tangent[1] * 480 / 832
        shares.append(seen / 240)
    assert pair.overlap == pytest.approx(sum(shares) / 2, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(angles, heights, lengths), min_size=1, max_size=6))
def test_with_the_bridges_added_every_view_is_reached_in_trained_hops(cameras):
    rig = orbit_rig(*[list(numbers) for numbers in zip(*cameras, strict=True)])
    meter = measure(rig)
    if meter.target_kind == "none":
        assert meter.bridges == ()
        return
    document = json.loads(to_json(meter))
    added = [bridge["camera"] for bridge in document["bridges"]]
    seats = [(view.azimuth_deg, view.elevation_deg) for view in meter.views]
    seats += [(camera["azimuth"], camera["elevation"]) for camera in added]
    reached = {0}
    while True:
        more = {
            j
            for i in reached
            for j in range(len(seats))
            if abs((seats[j][0] - seats[i][0] + 180) % 360 - 180) < 30 and abs(seats[j][1] - seats[i][1]) < 15
        }
        if more <= reached:
            break
        reached |= more
    assert len(reached) == len(seats)
    if added:  # and they can be pasted into a rig JSON as they are
        bridges = rig_from_json(json.dumps({"cameras": added}))
        assert bridges.names == tuple(camera["name"] for camera in added)
        assert not set(bridges.names) & set(rig.names)


def test_the_text_names_every_camera_and_stays_short_for_many():
    few = to_text(measure(orbit_rig([0, 20, 90])))
    assert "cam01: INSIDE" in few
    assert "cam03: OUTSIDE. 90° to the right of 'cam01'" in few
    assert "Best reference: 'cam02' instead of 'cam01'." in few
    assert "Bridge camera between 'cam02' and 'cam03': azimuth 43.3°, elevation 0°, 3.00 m." in few
    many = to_text(measure(orbit_rig([i * 6 for i in range(40)])))
    assert many.count("\n") < 120
    assert "765 more are in the JSON" in many
    document = to_document(measure(orbit_rig([i * 6 for i in range(40)])))
    assert len(document["pairs"]) == 780


def test_the_warning_is_empty_inside_and_one_sentence_elsewhere_from_a_rig_and_from_poses_alike():
    assert warn(orbit_rig([0, 29])) == ""
    assert warn(encode_cameras(orbit_rig([0, 29], [20, 10]), 81)) == ""
    assert warn(orbit_rig([0, 30, 60, 20])) == (
        "1 of 4 cameras is outside of what the released weights were trained on (1 more is at its edge); "
        "'cam03': 60° to the right of 'cam01' (trained: less than 30°)."
    )
    rig = orbit_rig([10, 50, 20], [40, 5, 12], [3, 4, 5])
    assert warn(encode_cameras(rig, 81)) == warn(rig).replace("cam0", "view ")
    tilted = orbit_rig([10, 10], [40, 5], [3, 4])  # differing in height only leaves the horizon open
    assert warn(encode_cameras(tilted, 5)) == warn(tilted).replace("cam0", "view ")
    assert warn(encode_cameras(rig, 81).poses) == warn(encode_cameras(rig, 81))
    assert "the camera" in warn(Rig(["a"], orbit_c2w(0, 0, 3)[None, None], lenses=(Lens(85),))).lower()


def test_far_off_worlds_and_coinciding_cameras_are_measured_without_complaint():
    far = torch.eye(4, dtype=torch.float64)
    far[:3, 3] = torch.tensor([1e8, -1e8, 1e8])
    rig = Rig("ab", far @ orbit_rig([0, 20]).c2w)
    (pair,) = measure(rig).pairs
    assert pair.azimuth_deg == pytest.approx(20)
    assert pair.distance_m == pytest.approx(0, abs=1e-3)
    same = Rig("abc", torch.eye(4, dtype=torch.float64).expand(3, 1, 4, 4))
    assert [pair.overlap for pair in measure(same).pairs] == [1, 1, 1]
    assert measure(same).verdict == "inside"
    for frames in (2, 3, 10, 82):
        moving = Rig("ab", orbit_rig([0, 20]).c2w.expand(2, frames, 4, 4))
        assert measure(moving) == measure(orbit_rig_named("ab"))


def orbit_rig_named(names: str) -> Rig:
    return Rig(names, orbit_rig([0, 20]).c2w)


def test_no_number_of_the_json_is_a_negative_zero_or_not_finite():
    for name in meter_cases.NAMES:
        text = to_json(measure(rig_of(name)))
        assert "-0.0," not in text
        assert "-0.0}" not in text
        for number in _numbers(json.loads(text)):
            assert math.isfinite(number)


def _numbers(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _numbers(one)
    elif isinstance(value, (int, float)):
        yield value


@pytest.mark.parametrize("distances", [[3, 3, 3, 3, 3], [3, 4, 5, 3.5, 6]])
def test_a_ring_around_the_origin_read_as_world_to_camera_is_no_rig_that_looks_at_a_point(distances):
    ring = orbit_rig([0, 72, 144, 216, 288], [0, 5, 10, 5, 0], distances)
    right, inverted = measure(ring), measure(Rig(ring.names, torch.linalg.inv(ring.c2w)))
    assert (right.target_kind, inverted.target_kind) == ("common", "none")
    # where the distances agree, the inverses stand on one spot, and rounding must not decide where they look
    assert any("world-to-camera" in note for note in inverted.notes) == (len(set(distances)) == 1)
    assert not any("world-to-camera" in note for note in right.notes)


def test_poses_that_are_no_cameras_are_said_to_be_that():
    poses = encode_cameras(orbit_rig([0, 20]), 5).poses.clone()
    poses[1, 1] = 0
    assert warn(poses).startswith("View 2, latent frame 1, is not a rotation:")
    poses[1, 1] = poses[0, 0] * torch.tensor([-1.0, 1, 1, 1] * 3)
    assert warn(poses).startswith("View 2, latent frame 1, is mirrored")


def test_of_cameras_that_move_the_moment_with_the_smallest_overlap_counts():
    c2w = torch.eye(4, dtype=torch.float64).repeat(2, 3, 1, 1)
    c2w[1, 1, :3, :3] = torch.diag(torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64))  # looks back once
    rig = Rig(("still", "turns"), c2w)
    assert measure(rig).pair(0, 1).overlap == 0
    assert measure(rig.at_frame(0)).pair(0, 1).overlap == 1


def test_poses_are_judged_in_metres():
    """A centimetre decides whether two cameras stand on one line; poses are written in units of 2 m."""
    for aside, where in ((0.009, ""), (0.012, "at the edge"), (0.018, "at the edge")):
        c2w = torch.eye(4, dtype=torch.float64).repeat(2, 1, 1, 1)
        c2w[1, 0, 0, 3] = aside
        rig = Rig(("a", "b"), c2w)
        assert (where in warn(rig)) is True
        assert bool(warn(encode_cameras(rig, 5))) is bool(warn(rig))
