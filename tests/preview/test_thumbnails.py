"""What each camera sees of the figure, against plain pinhole geometry."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from syncam_core.cameras import Lens, Rig, orbit_c2w, orbit_rig
from syncam_core.errors import UserError
from syncam_core.preview import figure, thumbnail_sheet, thumbnails

SIZE = 1.4 / 1.9  # of the figure, which is told 1.9 m from a sole to the hand that waves


def shirt(picture: torch.Tensor) -> np.ndarray:  # (height, width) bool
    """Where the figure's shirt is: nothing else in the picture is this red."""
    return (picture[..., 0] - picture[..., 1] > 0.22).numpy()


def warm(picture: torch.Tensor) -> np.ndarray:  # (height, width) bool
    """Its shirt, scarf and skin; the world around is bluish or grey."""
    return (picture[..., 0] - picture[..., 2] > 0.12).numpy()


def head(picture: torch.Tensor, distance: float) -> torch.Tensor:
    """The middle of the picture, where the head is for a camera at elevation 0."""
    height, width = picture.shape[:2]
    metre = width * 24 / 23.76 / distance
    top, bottom = (round(height / 2 + y * SIZE * metre) for y in (-0.86, -0.68))
    left, right = (round(width / 2 + x * SIZE * metre) for x in (-0.2, 0.2))
    return picture[top:bottom, left:right]


def camera(c2w: torch.Tensor, lens: Lens | None = None) -> Rig:
    return Rig(["a"], c2w[None, None], lenses=(lens or Lens(),))


def plain(rig: Rig, **options) -> torch.Tensor:
    return thumbnails(rig, labels=False, **options)


def test_there_is_one_picture_per_camera_in_the_rigs_order():
    rig = orbit_rig([0, 20, -20], [0, 10, 20], [4, 5, 6])
    pictures = plain(rig)
    assert pictures.shape == (3, 184, 320, 3)
    assert pictures.dtype == torch.float32
    assert 0 <= pictures.min() <= pictures.max() <= 1
    swapped = plain(rig.select([2, 0, 1]))
    assert torch.equal(swapped, pictures[[2, 0, 1]])
    assert np.asarray([shirt(picture).sum() for picture in pictures]).argsort().tolist() == [2, 1, 0]


def test_the_figure_stands_on_the_floor_in_the_middle_as_a_pinhole_camera_sees_it():
    picture = plain(orbit_rig([0], [0], [6]), width=416, height=240)[0]
    metre = 416 * 24 / 23.76 / 6
    rows, columns = np.nonzero(shirt(picture))
    assert np.median(columns) == pytest.approx(208, abs=3)
    rows, columns = np.nonzero(warm(picture))
    assert rows.min() == pytest.approx(120 - (0.92 + 0.065) * SIZE * metre, abs=1)  # the hand that waves
    assert columns.max() == pytest.approx(208 + (0.57 + 0.065) * SIZE * metre, abs=1)
    assert columns.min() == pytest.approx(208 - (0.36 + 0.065) * SIZE * metre, abs=1)  # the other one
    shoes = np.nonzero((picture.amax(-1) < 0.17).numpy())[0]
    assert shoes.max() == pytest.approx(120 + 0.7 * metre, abs=2)


def test_each_camera_sees_through_its_own_lens():
    size = {"width": 960, "height": 552}
    wide, normal, long = (
        plain(camera(orbit_c2w(180, 0, 12), Lens(focal, 23.76)), **size)[0] for focal in (12.0, 24.0, 48.0)
    )
    areas = [shirt(picture).sum() for picture in (wide, normal, long)]
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
    seen = [bool(shirt(picture).any()) for picture in plain(Rig(rig.names, turned))]
    assert seen == [True, True, True, False]


def test_the_figure_faces_azimuth_0_and_waves_with_its_left_arm():
    front, back, beside = plain(orbit_rig([0, 180, 90], [0], [4]))
    skin = [int(warm(head(picture, 4)).sum()) for picture in (front, back)]
    assert skin[0] > 60
    assert skin[1] == 0  # hair
    for picture, side in ((front, 1), (back, -1)):
        rows, columns = np.nonzero(warm(picture))
        assert np.sign(columns[rows == rows.min()].mean() - 160) == side
    # from its left hand, where azimuth 0 is on the left
    face, hair = (
        np.nonzero(part)[1].mean() for part in (warm(head(beside, 4)), (head(beside, 4).amax(-1) < 0.3).numpy())
    )
    assert face < hair - 3


def test_it_is_the_figure_that_the_editor_shows(javascript):
    said = javascript.evaluate("""async () => {
        const { COLORS, LIMBS, SCARF, SOLE_Y } = await import("/figure.mjs");
        return [COLORS, LIMBS, SCARF, SOLE_Y];
    }""")
    here = [[limb.color, limb.radius, list(limb.start), list(limb.end)] for limb in figure.LIMBS]
    assert said == [figure.COLORS, here, list(figure.SCARF), figure.SOLE_Y]


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
