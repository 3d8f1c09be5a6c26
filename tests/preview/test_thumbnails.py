"""What each camera sees of the figure, against plain pinhole geometry."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from syncam_core.cameras import Lens, Rig, orbit_c2w, orbit_rig
from syncam_core.errors import UserError
from syncam_core.preview import thumbnail_sheet, thumbnails


def blue(picture: torch.Tensor) -> np.ndarray:  # (height, width) bool
    """Where the figure's body is: nothing else in the picture is this blue."""
    red, green, blue = picture.unbind(-1)
    return ((blue - red > 0.25) & (blue - green > 0.15)).numpy()


def camera(c2w: torch.Tensor, lens: Lens | None = None) -> Rig:
    return Rig(["a"], c2w[None, None], lenses=(lens or Lens(),))


def plain(rig: Rig, **options) -> torch.Tensor:
    return thumbnails(rig, labels=False, **options)


def test_there_is_one_picture_per_camera_in_the_rigs_order():
    rig = orbit_rig([0, 90, 180], [0, 10, 20], [4, 5, 6])
    pictures = plain(rig)
    assert pictures.shape == (3, 184, 320, 3)
    assert pictures.dtype == torch.float32
    assert 0 <= pictures.min() <= pictures.max() <= 1
    swapped = plain(rig.select([2, 0, 1]))
    assert torch.equal(swapped, pictures[[2, 0, 1]])
    assert np.asarray([blue(picture).sum() for picture in pictures]).argsort().tolist() == [2, 1, 0]


def test_the_figure_stands_in_the_middle_and_is_as_high_as_a_pinhole_camera_sees_it():
    rows, columns = np.nonzero(blue(plain(orbit_rig([150], [0], [6]), width=416, height=240)[0]))
    focal = 416 * 24 / 23.76
    assert columns.mean() == pytest.approx(208, abs=6)
    # a pillar of 1.4 m on the floor, 0.7 m below the target; its nearest rim is 0.4 m nearer
    assert rows.max() == pytest.approx(120 + focal * 0.7 / 5.6, abs=2)
    assert np.ptp(rows) == pytest.approx(focal * 1.4 / 5.6, abs=3)


def test_each_camera_sees_through_its_own_lens():
    wide, normal, long = (plain(camera(orbit_c2w(180, 0, 12), Lens(focal, 23.76)))[0] for focal in (12.0, 24.0, 48.0))
    areas = [blue(picture).sum() for picture in (wide, normal, long)]
    assert areas[1] / areas[0] == pytest.approx(4, rel=0.15)
    assert areas[2] / areas[1] == pytest.approx(4, rel=0.10)


def test_a_figure_of_twice_the_size_looks_as_from_half_the_distance():
    large = plain(orbit_rig([30, -20], [15, 5], [6, 8]), figure_scale=2.0)
    near = plain(orbit_rig([30, -20], [15, 5], [3, 4]))
    assert torch.equal(large, near)


def test_the_figure_stands_where_the_cameras_look_wherever_that_is():
    rig = orbit_rig([0, 35], [10, 20], [4, 5])
    c2w = rig.c2w.clone()
    c2w[..., :3, 3] += torch.tensor([132.2, -5.7, 11.0])
    away = plain(Rig(rig.names, c2w))
    assert (away - plain(rig)).abs().mean() < 1e-3


def test_a_camera_that_looks_elsewhere_does_not_see_the_figure():
    rig = orbit_rig([0, 20, -20, 10])
    turned = rig.c2w.clone()
    angle = math.radians(100)
    yaw = torch.eye(4, dtype=torch.float64)
    yaw[0, 0] = yaw[2, 2] = math.cos(angle)
    yaw[0, 2], yaw[2, 0] = math.sin(angle), -math.sin(angle)
    turned[3, 0] = turned[3, 0] @ yaw
    seen = [bool(blue(picture).any()) for picture in plain(Rig(rig.names, turned))]
    assert seen == [True, True, True, False]


def test_the_figure_faces_azimuth_0_and_its_right_hand_side_is_seen_from_minus_90():
    front, back = plain(orbit_rig([0, 180], [0], [4]))
    orange = [(picture[..., 0] - picture[..., 2] > 0.5).sum().item() for picture in (front, back)]
    assert orange[0] > 50  # the beak
    assert orange[1] == 0
    beside = plain(orbit_rig([90], [0], [4]))[0]
    columns = np.nonzero((beside[..., 0] - beside[..., 2] > 0.5).numpy())[1]
    assert columns.mean() < 160  # from its left hand, where azimuth 0 is on the left


def test_moving_cameras_are_seen_at_the_frame_that_is_asked_for():
    path = torch.stack([orbit_c2w(3.0 * frame, 5, 4) for frame in range(9)])
    rig = Rig(["a", "b"], torch.stack([path, orbit_c2w(-20, 5, 4).expand(9, 4, 4)]))
    at_5 = plain(rig, frame=5)
    # both look at the origin at all frames: a still rig of these two cameras sees the same
    assert (at_5 - plain(orbit_rig([15, -20], [5], [4]))).abs().mean() < 1e-3
    with pytest.raises(UserError, match="'frame' is 9, but the cameras of the rig move over frames 0 to 8"):
        thumbnails(rig, frame=9)
    assert torch.equal(plain(orbit_rig([0]), frame=500), plain(orbit_rig([0])))
    with pytest.raises(UserError, match="'width' of the thumbnails is 8"):
        thumbnails(rig, width=8)


def test_labels_carry_number_name_and_colour_and_the_sheet_holds_all_pictures():
    rig = orbit_rig([0, 20, 40, 60, 80])
    labelled = thumbnails(rig)
    difference = (labelled - plain(rig)).abs().amax(-1) > 0.02
    assert difference[:, :92, :160].flatten(1).any(1).all()  # in the top left quarter of each
    assert not difference[:, 92:].any()
    sheet = thumbnail_sheet(labelled)
    assert sheet.shape == (2 * 184, 3 * 320, 3)
    expected = (labelled[4] * 255).round().to(torch.uint8).numpy()
    assert np.array_equal(sheet[184:, 320:640], expected)
