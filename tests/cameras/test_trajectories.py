"""Trajectories of re-captures: the authors' ten moves from closed forms, true orbits, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from syncam_core.cameras import orbit_rig
from syncam_core.cameras.builders import orbit_c2w
from syncam_core.cameras.motion import Move, move_cameras
from syncam_core.cameras.rig import Rig
from syncam_core.cameras.trajectories import (
    CHORD,
    ORBIT,
    RECAM_MOVES,
    TrajectoryEncoding,
    encode_trajectories,
    moves_of,
    recam_rig,
)
from syncam_core.errors import UserError


def turned(yaw_deg: float = 0.0, pitch_deg: float = 0.0) -> np.ndarray:
    """Camera-to-camera rotation, x right, y down, z forward: yaw to the right, then pitch up."""
    y, p = math.radians(yaw_deg), math.radians(pitch_deg)
    yaw = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    pitch = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    return yaw @ pitch


def expected(number: int, way: float, amount: float, distance: float) -> tuple[np.ndarray, np.ndarray]:
    """Rotation and position of move ``number`` (from 1) after ``way`` of it, written down once more."""
    sign = 1 if number % 2 else -1
    if number <= 2:
        return turned(yaw_deg=sign * 20 * amount * way), np.zeros(3)
    if number <= 4:
        return turned(pitch_deg=sign * 10 * amount * way), np.zeros(3)
    if number <= 6:
        return np.eye(3), np.array([0, 0, sign * 2 * amount * way])
    if number <= 8:
        up = sign * 1 * amount * way
        return turned(pitch_deg=-math.degrees(math.atan2(up, distance))), np.array([0, -up, 0])
    angle = math.radians(30 * amount)
    end = np.array([-sign * distance * math.sin(angle), 0, distance * (1 - math.cos(angle))])
    place = way * end
    return turned(yaw_deg=math.degrees(math.atan2(-place[0], distance - place[2]))), place


@pytest.mark.parametrize("length", [5, 49, 81, 121])
@pytest.mark.parametrize(("amount", "distance"), [(1.0, 4.0), (0.5, 6.0), (-1.5, 3.0)])
@pytest.mark.parametrize("number", range(1, 11))
def test_the_authors_moves_are_where_the_closed_form_says_at_every_latent_frame(number, amount, distance, length):
    poses = encode_trajectories(recam_rig(str(number), amount, distance, CHORD, length), length).poses
    assert poses.shape == (1, (length - 1) // 4 + 1, 12)
    for k, pose in enumerate(poses[0].view(-1, 3, 4).double().numpy()):
        rotation, place = expected(number, 4 * k / (length - 0.5), amount, distance)
        np.testing.assert_allclose(pose[:, :3], rotation, atol=2e-6)
        np.testing.assert_allclose(pose[:, 3], place, atol=2e-6)


def test_the_last_latent_frame_has_the_numbers_of_the_authors_table():
    # translation right, down, forward in metres, and yaw or pitch, of the public example file (3 decimals)
    table = {
        "pan right": ((0, 0, 0), 19.88, 0),
        "tilt up": ((0, 0, 0), 0, 9.94),
        "zoom out": ((0, 0, -1.988), 0, 0),
        "translate up": ((0, -0.994, 0), 0, -13.95),
        "arc left": ((-1.988, 0, 0.533), 29.82, 0),
        "arc right": ((1.988, 0, 0.533), -29.82, 0),
    }
    for name, (place, yaw, pitch) in table.items():
        pose = encode_trajectories(recam_rig(name), 81).poses[0, -1].view(3, 4).double()
        assert pose[:, 3].tolist() == pytest.approx(place, abs=6e-4)
        assert math.degrees(math.atan2(pose[0, 2], pose[2, 2])) == pytest.approx(yaw, abs=6e-3)
        assert math.degrees(-math.asin(pose[1, 2])) == pytest.approx(pitch, abs=6e-3)


@pytest.mark.parametrize("length", [5, 17, 81, 121])
@pytest.mark.parametrize("amount", [0.1, 1.0, 5.0])
def test_a_true_orbit_keeps_its_distance_where_the_chord_comes_nearer(length, amount):
    centre = np.array([0, 0, 4.0])
    orbit = encode_trajectories(recam_rig("arc left, arc right", amount, 4.0, ORBIT, length), length).poses
    places = orbit.view(2, -1, 3, 4)[..., 3].double().numpy()
    np.testing.assert_allclose(np.linalg.norm(places - centre, axis=-1), 4.0, atol=1e-6)
    chord = encode_trajectories(recam_rig("arc left", 1.0, 4.0, CHORD, 81), 81).poses.view(-1, 3, 4)[:, :, 3]
    nearest = np.linalg.norm(chord.double().numpy() - centre, axis=-1).min()
    assert nearest == pytest.approx(4 * math.cos(math.radians(15)), abs=1e-3)  # 3.864 m: half of the chord


def test_several_moves_are_several_cameras_that_begin_at_one_place_and_are_named_after_their_moves():
    rig = recam_rig("9, 10; Arc_Left\n1-2")
    assert rig.names == ("arc left", "arc right", "arc left 2", "pan right", "pan left")
    first = rig.c2w[:, 0]
    assert torch.equal(first, first[:1].expand_as(first))
    assert torch.equal(rig.c2w[0], rig.c2w[2])


def test_a_trajectory_does_not_depend_on_where_in_the_world_it_starts():
    rig = recam_rig("7, 9")
    elsewhere = orbit_c2w(50.0, 20.0, 7.0, 10.0, (1.0, 2.0, 3.0)) @ torch.linalg.inv(rig.c2w[0, 0])
    moved = Rig(names=rig.names, c2w=elsewhere @ rig.c2w)
    assert torch.allclose(encode_trajectories(moved, 81).poses, encode_trajectories(rig, 81).poses, atol=1e-6)


def test_poses_are_in_metres_and_the_first_is_the_identity():
    rig = move_cameras(orbit_rig([0.0], [0.0], [5.0]), [Move("dolly", 3.0, ease="none")], 17)
    poses = encode_trajectories(rig, 17).poses.view(1, 5, 3, 4)
    assert torch.equal(poses[0, 0], torch.eye(4)[:3])
    assert poses[0, :, 2, 3].tolist() == pytest.approx([0, 0.75, 1.5, 2.25, 3.0])


def test_with_the_sources_camera_a_recapture_may_begin_elsewhere_and_stand_still():
    rig, source = orbit_rig([30.0, 0.0], [0.0], [4.0]), orbit_rig([0.0], [0.0], [4.0])
    with pytest.raises(UserError, match="camera 'cam02' of 'rig' stays where the source was filmed from"):
        encode_trajectories(rig, 9, source)
    encoding = encode_trajectories(orbit_rig([30.0], [0.0], [4.0]), 9, source)
    pose = encoding.poses.view(3, 3, 4)
    assert torch.equal(pose, pose[:1].expand_as(pose))
    assert pose[0, :, 3].tolist() == pytest.approx([2.0, 0.0, 4 - 4 * math.cos(math.radians(30))], abs=1e-6)


def test_of_a_source_rig_with_several_moving_cameras_the_first_at_its_first_frame_filmed_the_source():
    """A camera at 90 degrees, seen from the one at 0 whose place is 4 m before the target: 4 m to the right and ahead."""
    source = move_cameras(orbit_rig([0.0, 40.0], [0.0], [4.0]), [Move("dolly", 2.0)], 9)
    pose = encode_trajectories(orbit_rig([90.0], [0.0], [4.0]), 9, source).poses[0, 0].view(3, 4)
    assert torch.allclose(pose[:, 3], torch.tensor([4.0, 0.0, 4.0]), atol=1e-6)
    assert torch.allclose(pose[:, 2], torch.tensor([-1.0, 0.0, 0.0]), atol=1e-6), "it looks to the left"


def test_a_rig_that_does_not_move_is_refused_with_the_way_to_a_move():
    with pytest.raises(UserError, match=r"stays where the source was filmed from.*SynCam Move Cameras") as refused:
        encode_trajectories(orbit_rig([0.0, 30.0], [0.0], [4.0]), 81)
    assert refused.value.field == "rig"


def test_a_move_shorter_than_the_video_is_refused():
    with pytest.raises(UserError, match="move over 49 frames only; use a length of at most 49") as refused:
        encode_trajectories(recam_rig("1", length=49), 81)
    assert refused.value.field == "length"


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({"moves": "11"}, "moves", "asks for '11'; possible are 1 pan right, 2 pan left"),
        ({"moves": "0"}, "moves", "asks for '0'"),
        ({"moves": "3-11"}, "moves", "asks for '3-11'"),
        ({"moves": "9, swoop"}, "moves", "asks for 'swoop'"),
        ({"moves": " , "}, "moves", "'moves' is empty"),
        ({"moves": ", ".join(["1-10"] * 7)}, "moves", "names 70 moves"),
        ({"moves": "1", "amount": float("nan")}, "amount", "'amount' is nan"),
        ({"moves": "1", "amount": 0.0}, "amount", "'amount' is 0"),
        ({"moves": "9", "distance_m": 0.0}, "distance_m", "'distance_m' is 0"),
        ({"moves": "9", "arc": "spiral"}, "arc", "'arc' is 'spiral'; possible are authors' chord, true orbit"),
        ({"moves": "9", "length": 80}, "length", "'length' is 80"),
        ({"moves": "9", "length": 1}, "length", "at least 5 frames to move"),
    ],
)
def test_a_mistake_is_named_with_its_input_in_one_sentence(given, field, sentence):
    with pytest.raises(UserError) as refused:
        recam_rig(**given)
    assert sentence in str(refused.value)
    assert refused.value.field == field
    assert "\n" not in str(refused.value)


def test_numbers_and_names_of_a_list_are_those_of_the_table():
    assert moves_of("1-10") == list(range(10))
    assert moves_of(", ".join(move.name for move in RECAM_MOVES)) == list(range(10))


def test_poses_that_are_no_numbers_are_refused():
    with pytest.raises(UserError, match="every number must be finite"):
        TrajectoryEncoding(np.full((1, 3, 12), np.nan))
    with pytest.raises(UserError, match=r"\(views, latent frames, 12\) is needed"):
        TrajectoryEncoding(np.zeros((3, 4, 4)))
