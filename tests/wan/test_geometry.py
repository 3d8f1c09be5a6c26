import pytest

from syncam_core.errors import UserError
from syncam_core.wan.geometry import WAN21, Geometry, geometry_of_channels

WAN22_5B = Geometry(channels=48, pixels=16)


def test_81_frames_of_832_x_480_are_the_latent_and_the_tokens_of_the_paper():
    shape = WAN21.latent_shape(2, 81, 480, 832)
    assert shape == (2, 16, 21, 60, 104)
    assert WAN21.grid(shape) == (21, 30, 52)
    assert WAN21.video_size(shape) == (81, 832, 480)
    assert WAN21.patch_numbers == 64


def test_another_geometry_has_other_latents_of_the_same_video():
    shape = WAN22_5B.latent_shape(1, 121, 704, 1280)
    assert shape == (1, 48, 31, 44, 80)
    assert WAN22_5B.grid(shape) == (31, 22, 40)
    assert WAN22_5B.token_pixels == 32


@pytest.mark.parametrize("geometry", [WAN21, WAN22_5B, Geometry(frames=8), Geometry(frames=1)])
def test_length_and_latent_frames_undo_each_other(geometry):
    for latent_frames in range(1, 40):
        assert geometry.latent_frames(geometry.length(latent_frames)) == latent_frames


@pytest.mark.parametrize(("length", "nearest"), [(80, "77 or 81"), (2, "1 or 5"), (0, "1 or more"), (-7, "1 or more")])
def test_other_lengths_are_refused_with_the_two_nearest(length, nearest):
    with pytest.raises(UserError, match=f"'length' is {length}, but Wan makes 4n\\+1 frames; use {nearest}") as refused:
        WAN21.latent_frames(length)
    assert refused.value.field == "length"
    with pytest.raises(UserError, match=r"8n\+1 frames; use 73 or 81"):
        Geometry(frames=8).latent_frames(80)


def test_sizes_that_do_not_divide_into_patches_are_padded():
    assert WAN21.grid((1, 16, 3, 5, 7)) == (3, 3, 4)


def test_a_latent_is_recognised_by_its_channels():
    assert geometry_of_channels(16) is WAN21
    assert geometry_of_channels(4) is None
