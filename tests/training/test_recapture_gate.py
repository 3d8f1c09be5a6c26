"""What the gate says of re-captures: zero for truth up to the subject's outline, the parallax for a source that is copied."""

from __future__ import annotations

import math

import torch

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.cameras.motion import Move, move_cameras
from syncam_core.synthetic import Scene, frame_times, render
from syncam_core.training.recapture_gate import (
    COPIED,
    ReCaptureGateConfig,
    ReCaptureScore,
    held_out_trajectory,
    recapture_report,
    recapture_rows,
    score_recapture,
)


def filmed(move: Move) -> tuple[Scene, Rig, torch.Tensor]:
    scene, source = Scene("ball", "red"), orbit_rig([0.0], [20.0], [5.0])
    camera = move_cameras(source, [move], 5)
    rig = Rig(names=("source", "camera"), c2w=torch.cat([source.c2w.expand(1, 5, 4, 4), camera.c2w]))
    return scene, camera, render(scene, rig, 64, 64, frame_times(5))


def test_truth_is_where_its_camera_should_see_it_and_a_copied_source_is_off_by_the_cameras_turn():
    scene, camera, film = filmed(Move("pan", 8.0, ease="none"))
    truth, copied = (score_recapture(video, film[1], scene, camera) for video in (film[1], film[0]))
    assert truth.located == copied.located == 1
    assert truth.reprojection_px < 0.5
    # A pan of a turns the picture about the camera: for what stands near its axis by f tan(a), f = 24 / 23.76 of the width;
    # the axis looks down by 20 degrees, which a turn about the vertical sees with their cosine. Half of it at the median.
    expected = 64 * 24 / 23.76 * math.tan(math.radians(4)) * math.cos(math.radians(20))
    assert abs(copied.reprojection_px - expected) < 0.6


def test_a_subject_that_is_lost_counts_as_far_away_as_the_picture_is_wide():
    scene, camera, film = filmed(Move("pan", 8.0, ease="none"))
    lost = score_recapture(film[1] * 0 + 0.5, film[1], scene, camera)
    assert (lost.reprojection_px, lost.located) == (64.0, 0.0)


def test_the_table_has_the_share_of_the_copied_source_with_its_interval():
    scores = {
        "the model": [ReCaptureScore(1.0, 1.0)] * 4,
        COPIED: [ReCaptureScore(error, 1.0) for error in (3.0, 4.0, 4.0, 5.0)],
    }
    rows = recapture_rows(scores)
    share = rows["the model"]["of_copied"]
    assert share.value == 0.25
    assert 0.2 <= share.low <= 0.25 <= share.high <= 1 / 3
    lines = recapture_report(rows).splitlines()
    assert "1.00 [1.00, 1.00]" in lines[1]
    assert lines[2].startswith(COPIED)


def test_held_out_trajectories_are_the_same_every_time_and_go_at_least_half_of_the_most():
    config = ReCaptureGateConfig(scenes=4)
    for number in range(4):
        scene, rig = held_out_trajectory(number, config)
        again, same = held_out_trajectory(number, config)
        assert scene == again
        assert torch.equal(rig.c2w, same.c2w)
        assert (rig.c2w[1, -1] - rig.c2w[1, 0]).abs().max() > 0.03
        still, other = held_out_trajectory(number, ReCaptureGateConfig(least_of_a_move=0.0))
        assert still == scene
        assert not torch.equal(other.c2w, rig.c2w)
