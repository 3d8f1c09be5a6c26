"""Bullet time, sweeps, stereo and quilts inside the real host."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.cameras.builders import arc_rig
from syncam_core.video.stereo import STEREO


def numbered(count=3, frames=4, height=32, width=48):
    """Views whose pixels tell which view (red) and which frame (green) they are, in steps of 0.1."""
    views = [torch.full((frames, height, width, 3), 0.8) for _ in range(count)]
    for view, images in enumerate(views):
        images[..., 0] = 0.1 * view
        images[..., 1] = 0.1 * torch.arange(frames)[:, None, None]
    return views


def read(images):
    return [(round(float(image[0, 0, 0]) * 10, 3), round(float(image[0, 0, 1]) * 10, 3)) for image in images]


def run(comfy, node, views, rig=None, **inputs):
    defaults = {
        entry.id: entry.default
        for entry in comfy.nodes[node].GET_SCHEMA().inputs
        if getattr(entry, "default", None) is not None
    }
    given = {name: [value] for name, value in {**defaults, **inputs}.items()}
    if rig is not None:
        given["rig"] = [rig]
    return comfy.run(node, views=views, **given)


def as_video(images, fps=15):
    from comfy_api.latest import InputImpl, Types

    return InputImpl.VideoFromComponents(Types.VideoComponents(images=images, frame_rate=Fraction(fps)))


# ---- SynCamBulletTime


def test_time_freezes_while_the_cameras_go_by_and_runs_on_in_the_last(comfy):
    images, video = run(comfy, "SynCamBulletTime", numbered(), freeze_frame=1, frames_per_view=2, hold=1, fps=24.0)
    expected = [(0, 0), (0, 1), (0, 1), (1, 1), (1, 1), (2, 1), (2, 1), (2, 1), (2, 2), (2, 3)]
    assert read(images) == expected
    parts = video.get_components()
    assert parts.frame_rate == 24
    assert read(parts.images) == expected


def test_views_may_be_videos(comfy):
    films = [
        run(comfy, "SynCamBulletTime", views, freeze_frame=2)
        for views in (numbered(), [as_video(v) for v in numbered()])
    ]
    torch.testing.assert_close(films[0][0], films[1][0])


def test_cross_fades_go_through_the_mix_of_two_neighbours_there_and_back(comfy):
    images, _ = run(
        comfy, "SynCamBulletTime", numbered(), freeze_frame=0, between="cross-fade", ping_pong=True, then="end"
    )
    assert [view for view, _ in read(images)] == [0, 0.5, 1, 1.5, 2, 1.5, 1, 0.5, 0]


def test_names_of_the_rig_choose_the_way_and_azimuths_its_order(comfy):
    rig = Rig(("front", "left", "right"), orbit_rig([0, -30, 30]).c2w)
    images, _ = run(comfy, "SynCamBulletTime", numbered(), rig, freeze_frame=0, order="azimuth", then="end")
    assert [view for view, _ in read(images)] == [1, 0, 0, 2, 2]
    images, _ = run(
        comfy, "SynCamBulletTime", numbered(), rig, freeze_frame=0, from_view="right", to_view="front", then="end"
    )
    assert [view for view, _ in read(images)] == [2, 1, 1, 0, 0]


@pytest.fixture
def interpolation_model(comfy):
    """A RIFE network of the host with few channels and random weights, patched as its loader does it."""
    import comfy.model_management
    import comfy.model_patcher
    from comfy_extras.frame_interpolation_models.ifnet import IFNet

    torch.manual_seed(0)
    network = IFNet(head_ch=4, channels=(8, 8, 8, 8, 8)).float()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter.requires_grad_(False), std=0.15)
    device = comfy.model_management.get_torch_device()
    return comfy.model_patcher.CoreModelPatcher(network.eval(), load_device=device, offload_device=device)


def test_between_cameras_stands_what_the_core_makes_of_the_frozen_moment_of_all_views(comfy, interpolation_model):
    generator = torch.Generator().manual_seed(0)
    views = [torch.rand(2, 70, 90, 3, generator=generator) for _ in range(3)]
    images, _ = run(
        comfy,
        "SynCamBulletTime",
        views,
        freeze_frame=1,
        frames_per_view=4,
        between="interpolation model",
        then="end",
        interp_model=interpolation_model,
    )
    stack = torch.stack([view[1] for view in views])
    (expected,) = comfy.run("FrameInterpolate", interp_model=interpolation_model, images=stack, multiplier=4)
    assert images.shape == (1 + 9, 70, 90, 3)
    torch.testing.assert_close(images[1:], expected, atol=1e-5, rtol=0)
    mixes = torch.stack([torch.lerp(stack[0], stack[1], share) for share in (0.25, 0.5, 0.75)])
    assert (images[2:5] - mixes).abs().mean() > 0.01, "no plain cross-fade"


def test_a_way_by_azimuth_does_not_tear_cameras_behind_the_scene_apart(comfy):
    rig = Rig(("a", "b", "c", "d"), orbit_rig([-170, 150, 170, -150]).c2w)
    images, _ = run(comfy, "SynCamBulletTime", numbered(4), rig, freeze_frame=0, order="azimuth", then="end")
    assert [view for view, _ in read(images)] == [1, 2, 2, 0, 0, 3, 3]
    images, _, _ = run(comfy, "SynCamQuilt", numbered(4), rig, columns=4, rows=1, order="azimuth")
    assert [view for place in range(4) for view, _ in read(images[:1, :, 48 * place :])] == [1, 2, 0, 3]


def test_a_film_that_does_not_fit_into_memory_is_refused_before_it_is_made(comfy, monkeypatch):
    import comfy.model_management as management

    asked = {"freeze_frame": 0, "frames_per_view": 4, "then": "end"}
    monkeypatch.setattr(management, "get_free_memory", lambda device: 12 * 9 * 32 * 48 - 1)
    with pytest.raises(ValueError, match=r"^SynCamBulletTime: the film needs 0.0 GB as images \(9 frames of 48 x 32\)"):
        run(comfy, "SynCamBulletTime", numbered(3), **asked)
    assert len(run(comfy, "SynCamBulletTime", numbered(2), **asked)[0]) == 5


def test_all_views_in_one_batch_are_told_how_to_become_a_list(comfy):
    batch = [torch.cat(numbered(3))]
    with pytest.raises(ValueError, match=r"'rig' has 3 cameras but 'views' has 1 view; .* SynCam Batch to Views"):
        run(comfy, "SynCamQuilt", batch, orbit_rig([0, 10, 20]))
    with pytest.raises(ValueError, match=r"'right' asks for '2', but the only view .* SynCam Batch to Views"):
        run(comfy, "SynCamStereo", batch)


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"freeze_frame": 4}, "'freeze_frame' is 4, but the views have 4 frames"),
        ({"from_view": "x"}, "'from_view' asks for 'x'"),
        ({"order": "azimuth"}, "'order' is 'azimuth', but 'rig' is not connected"),
        ({"between": "interpolation model"}, "'interp_model' is not connected"),
        ({"fps": 0.0}, "'fps' is 0"),
    ],
)
def test_bullet_times_that_cannot_be_are_refused_in_a_sentence(comfy, inputs, sentence):
    with pytest.raises(ValueError, match=rf"^SynCamBulletTime: .*{sentence}"):
        run(comfy, "SynCamBulletTime", numbered(), **inputs)


@pytest.mark.parametrize("node", ["SynCamBulletTime", "SynCamViewSweep", "SynCamQuilt"])
def test_views_of_two_sizes_are_refused(comfy, node):
    with pytest.raises(ValueError, match=rf"^{node}: 'views' must all have the same size, but 'view 1' is 48 x 32"):
        run(comfy, node, [*numbered(2), *numbered(1, width=64)])


@pytest.mark.parametrize("node", ["SynCamBulletTime", "SynCamViewSweep", "SynCamStereo", "SynCamQuilt"])
def test_no_views_and_a_rig_of_others_are_refused(comfy, node):
    with pytest.raises(ValueError, match=rf"^{node}: 'views' is an empty list"):
        run(comfy, node, [])
    with pytest.raises(ValueError, match=rf"^{node}: 'rig' has 2 cameras but 'views' has 3 views"):
        run(comfy, node, numbered(), orbit_rig([0, 10]))


# ---- SynCamViewSweep


def test_the_view_changes_while_time_runs(comfy):
    images, video = run(comfy, "SynCamViewSweep", numbered(3, frames=6), from_view="3", to_view="1")
    assert read(images) == [(2, 0), (2, 1), (1, 2), (1, 3), (0, 4), (0, 5)]
    assert video.get_components().frame_rate == 15


def test_a_sweep_cross_fades_by_the_share_that_is_asked_for(comfy):
    images, _ = run(comfy, "SynCamViewSweep", numbered(2, frames=8), cross_fade=1.0)
    assert [view for view, _ in read(images)] == [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1]


# ---- SynCamStereo


@pytest.mark.parametrize(
    ("kind", "size"),
    dict(zip(STEREO, [(32, 96), (32, 48), (64, 48), (32, 48), (32, 48), (32, 48)], strict=True)).items(),
)
def test_every_stereo_format_has_its_size(comfy, kind, size):
    images, video = run(comfy, "SynCamStereo", numbered(), format=kind)
    assert images.shape == (4, *size, 3)
    torch.testing.assert_close(video.get_components().images, images)


def test_left_and_right_are_named_and_crossed_eyes_exchange_them(comfy):
    images, _ = run(comfy, "SynCamStereo", numbered(), left="3", right="B")
    assert read(images[:, :, 0:1]) == [(2, frame) for frame in range(4)]
    assert read(images[:, :, 48:]) == [(1, frame) for frame in range(4)]
    crossed, _ = run(comfy, "SynCamStereo", numbered(), left="3", right="B", cross_eyed=True)
    torch.testing.assert_close(crossed, images.roll(48, 2))


def test_with_a_rig_the_left_camera_must_be_the_left_one(comfy):
    rig = Rig(("west", "east"), orbit_rig([-2, 2]).c2w)
    run(comfy, "SynCamStereo", numbered(2), rig, left="west", right="east")
    with pytest.raises(ValueError, match=r"^SynCamStereo: 'left' is 'east', which stands on the right of 'west'"):
        run(comfy, "SynCamStereo", numbered(2), rig, left="east", right="west")


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [({"left": "2"}, "both 'view 2'"), ({"right": "4"}, "'right' asks for '4'"), ({"left": ""}, "'left' asks for ''")],
)
def test_pairs_that_are_none_are_refused(comfy, inputs, sentence):
    with pytest.raises(ValueError, match=rf"^SynCamStereo: .*{sentence}"):
        run(comfy, "SynCamStereo", numbered(), **inputs)


def test_other_views_may_have_other_sizes_but_not_the_two(comfy):
    views = [*numbered(2), *numbered(1, width=64)]
    assert run(comfy, "SynCamStereo", views)[0].shape == (4, 32, 96, 3)
    with pytest.raises(ValueError, match="same size"):
        run(comfy, "SynCamStereo", views, right="3")


# ---- SynCamQuilt


def test_a_quilt_goes_from_the_bottom_left_and_says_how_its_file_must_end(comfy):
    images, video, suffix = run(comfy, "SynCamQuilt", numbered(6), columns=3)
    assert images.shape == (4, 64, 144, 3)
    tiles = images[0].reshape(2, 32, 3, 48, 3)[:, 0, :, 0, 0] * 10
    np.testing.assert_allclose(tiles, [[3, 4, 5], [0, 1, 2]], atol=1e-5)
    assert suffix == "_qs3x2a1.5"
    assert len(video.get_components().images) == 4
    assert run(comfy, "SynCamQuilt", numbered(6))[2] == "_qs3x2a1.5"
    assert run(comfy, "SynCamQuilt", numbered(6), rows=3)[2] == "_qs2x3a1.5"


def test_a_quilt_by_azimuth_puts_the_leftmost_camera_first(comfy):
    rig = orbit_rig([10, -10, 0])
    images, _, _ = run(comfy, "SynCamQuilt", numbered(3), rig, columns=3, rows=1, order="azimuth")
    assert [view for view, _ in read([images[0][:, 48 * place :] for place in range(3)])] == [1, 2, 0]
    run(comfy, "SynCamQuilt", numbered(3), arc_rig(3, -20, 20, 0, 3))
    with pytest.raises(ValueError, match=r"^SynCamQuilt: a quilt goes from the leftmost camera"):
        run(comfy, "SynCamQuilt", numbered(3), arc_rig(3, 20, -20, 0, 3))


@pytest.mark.parametrize(("columns", "rows"), [(2, 2), (4, 0), (0, 5), (3, 2)])
def test_a_quilt_without_a_place_for_each_view_is_refused(comfy, columns, rows):
    with pytest.raises(ValueError, match=r"^SynCamQuilt: .*but there are 3 views; .*: 3 x 1, 1 x 3"):
        run(comfy, "SynCamQuilt", numbered(3), columns=columns, rows=rows)
