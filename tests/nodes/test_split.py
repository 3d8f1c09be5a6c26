"""Views and latents taken apart and put together, inside the real host."""

from __future__ import annotations

import asyncio

import pytest
import torch
from footage import named_rig
from hypothesis import given, settings
from hypothesis import strategies as st


def some_views(count=3, frames=4, height=6, width=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(frames, height, width, 3, generator=generator) for _ in range(count)]


def same(got, wanted) -> bool:
    return len(got) == len(wanted) and all(torch.equal(one, other) for one, other in zip(got, wanted, strict=True))


# ---- views


def test_a_batch_and_back_is_the_same_to_the_bit(comfy):
    views = some_views()
    images, count = comfy.run("SynCamViewsToBatch", views=views)
    assert (tuple(images.shape), count) == ((12, 6, 8, 3), 3)
    assert torch.equal(images[4:8], views[1])
    (again,) = comfy.run("SynCamBatchToViews", images=images, count=count)
    assert same(again, views)
    assert [view.data_ptr() for view in again] == [images[4 * index].data_ptr() for index in range(3)]  # no copies


def test_the_batch_is_ordered_as_the_core_decodes(comfy):
    """The core's VAE Decode of a latent of several videos gives what these nodes call a batch."""
    vae = comfy.run("SynCamDemoModel")[2]
    latent = {"samples": torch.randn(2, 16, 2, 4, 6, generator=torch.Generator().manual_seed(0))}
    (views,) = comfy.run("SynCamDecodeViews", latent=latent, vae=vae)
    (stock,) = comfy.run("VAEDecode", samples=latent, vae=vae)
    images, count = comfy.run("SynCamViewsToBatch", views=views)
    torch.testing.assert_close(images, stock, atol=1e-5, rtol=0)
    (again,) = comfy.run("SynCamBatchToViews", images=stock, count=count)
    for view, wanted in zip(again, views, strict=True):
        torch.testing.assert_close(view, wanted, atol=1e-5, rtol=0)


def test_one_view_is_a_batch_without_a_copy(comfy):
    (view,) = some_views(1)
    images, count = comfy.run("SynCamViewsToBatch", views=[view])
    assert (images.data_ptr(), count) == (view.data_ptr(), 1)


def test_views_of_different_sizes_make_no_batch(comfy):
    with pytest.raises(
        ValueError, match="SynCamViewsToBatch: 'views' must all have the same size, but the first is 4 x"
    ):
        comfy.run("SynCamViewsToBatch", views=[*some_views(2), *some_views(1, frames=5)])


def test_a_batch_that_cannot_be_shared_equally_is_refused(comfy):
    with pytest.raises(ValueError, match="SynCamBatchToViews: 'images' has 4 frames, which 3 views cannot share"):
        comfy.run("SynCamBatchToViews", images=some_views(1)[0], count=3)
    with pytest.raises(ValueError, match="cannot share"):
        comfy.run("SynCamBatchToViews", images=some_views(1)[0], count=8)


def test_sockets_and_lists_are_joined_in_order(comfy):
    views = some_views(12)
    sockets = {f"view{index}": [view] for index, view in reversed([*enumerate(views)])}  # view10 stands behind view9
    assert same(comfy.run("SynCamJoinViews", views=sockets)[0], views)
    lists = {"view0": views[:2], "view1": None, "view2": views[2:]}
    assert same(comfy.run("SynCamJoinViews", views=lists)[0], views)
    with pytest.raises(ValueError, match="SynCamJoinViews: 'views' is an empty list"):
        comfy.run("SynCamJoinViews", views={"view0": None})


def picked(comfy, views, cameras, rig=None):
    return comfy.run("SynCamPickViews", views=views, cameras=[cameras], **({"rig": [rig]} if rig else {}))


@pytest.mark.parametrize(
    ("cameras", "order"),
    [("2", [1]), ("3, 1", [2, 0]), ("right; left", [2, 0]), ("close up", [1]), ("", [0, 1, 2]), ("1 2 3", [0, 1, 2])],
)
def test_views_and_cameras_are_picked_together(comfy, cameras, order):
    views, rig = some_views(), named_rig("left", "close up", "right")
    got, got_rig = picked(comfy, views, cameras, rig)
    assert [view.data_ptr() for view in got] == [views[index].data_ptr() for index in order]
    assert got_rig.names == tuple(rig.names[index] for index in order)
    assert torch.equal(got_rig.c2w, rig.c2w[order])


def test_without_a_rig_views_have_numbers(comfy):
    views = some_views()
    assert same(picked(comfy, views, "3, 2")[0], [views[2], views[1]])
    for wrong in ("0", "4", "left", "-1"):
        with pytest.raises(ValueError, match="SynCamPickViews: 'cameras' asks for"):
            picked(comfy, views, wrong)
    with pytest.raises(ValueError, match="twice"):
        picked(comfy, views, "1, 1")
    with pytest.raises(ValueError, match="'rig' has 2 cameras but 'views' has 3 views"):
        picked(comfy, views, "1", named_rig("a", "b"))


def test_the_rig_of_picked_views_blocks_what_uses_it_where_none_is_connected(comfy):
    (_, nothing) = picked(comfy, some_views(), "1")
    assert nothing.message == "SynCamPickViews: its output 'rig' is used, but no rig is connected to it."


def test_one_view_is_replaced_and_the_others_stay(comfy):
    views, new = some_views(), some_views(1, seed=9)
    (got,) = comfy.run(
        "SynCamReplaceView", views=views, view=new, camera=["right"], rig=[named_rig("left", "mid", "right")]
    )
    assert [view.data_ptr() for view in got] == [view.data_ptr() for view in (views[0], views[1], new[0])]
    for camera, view in (("", new), ("1, 2", new), ("1", some_views(2))):
        with pytest.raises(ValueError, match=r"SynCamReplaceView: 'camera' is .* one view takes the place of one"):
            comfy.run("SynCamReplaceView", views=views, view=view, camera=[camera])


# ---- latents


def split(comfy, latent):
    return comfy.run("SynCamSplitLatent", latent=latent)[0]


def join(comfy, *lists):
    return comfy.run("SynCamJoinLatents", latents={f"latent{index}": list(one) for index, one in enumerate(lists)})[0]


def assert_same_latent(got, wanted):
    assert got.keys() == wanted.keys()
    for key, value in wanted.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(got[key], value), key
        else:
            assert got[key] == value, key


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"noise_mask": torch.rand(3, 1, 2, 4, 6)},
        {"noise_mask": torch.rand(1, 1, 2, 4, 6)},
        {"noise_mask": torch.rand(3, 1, 1, 4, 6)},
        {"noise_mask": torch.rand(2, 4, 6)},  # two frames, for all views alike
        {"noise_mask": torch.rand(2, 1, 4, 6)},
        {"batch_index": [3, 7, 7]},
        {"type": "video", "downscale_ratio_spacial": 8},
        {"per_view": torch.rand(3, 5), "shared": torch.rand(2, 5), "number": torch.tensor(4.0)},
    ],
)
def test_a_latent_and_back_is_the_same_to_the_bit(comfy, more):
    latent = {"samples": torch.randn(3, 16, 2, 4, 6), **more}
    parts = split(comfy, latent)
    assert [tuple(part["samples"].shape) for part in parts] == [(1, 16, 2, 4, 6)] * 3
    assert parts[1]["samples"].data_ptr() == latent["samples"][1].data_ptr()  # no copies
    assert_same_latent(join(comfy, parts), latent)
    assert_same_latent(join(comfy, parts[:1], parts[1:]), latent)


@settings(deadline=None)
@given(
    count=st.integers(1, 5),
    mask=st.sampled_from([None, (1, 1, 2, 3, 3), (2, 1, 2, 3, 3), (5, 1, 1, 3, 3), (2, 3, 3), (1, 2, 3, 3), (1, 3, 3)]),
    is_video=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_the_host_masks_every_part_as_it_masked_the_whole(comfy, count, mask, is_video, seed):
    from comfy.sampler_helpers import prepare_mask

    generator = torch.Generator().manual_seed(seed)
    shape = (count, 4, 2, 3, 3) if is_video else (count, 4, 3, 3)
    if mask is not None and not is_video:
        mask = (mask[0], *mask[-2:])
    latent = {"samples": torch.randn(shape, generator=generator)}
    if mask is not None:
        latent["noise_mask"] = torch.rand(mask, generator=generator)
    parts = split(comfy, latent)
    assert torch.equal(torch.cat([part["samples"] for part in parts]), latent["samples"])
    joined = join(comfy, parts)
    assert torch.equal(joined["samples"], latent["samples"])
    if mask is not None:
        whole = prepare_mask(latent["noise_mask"], shape, "cpu")
        apart = [prepare_mask(part["noise_mask"], (1, *shape[1:]), "cpu") for part in parts]
        assert torch.equal(torch.cat(apart), whole)
        assert torch.equal(prepare_mask(joined["noise_mask"], shape, "cpu"), whole)


def test_a_part_draws_the_noise_that_it_draws_among_the_others(comfy):
    from comfy.sample import prepare_noise

    latent = {"samples": torch.zeros(3, 16, 2, 4, 6)}
    whole = prepare_noise(latent["samples"], 5)
    for index, part in enumerate(split(comfy, latent)):
        assert torch.equal(prepare_noise(part["samples"], 5, part["batch_index"]), whole[index : index + 1])


def test_parts_are_those_of_the_core_s_own_node(comfy):
    latent = {"samples": torch.randn(3, 16, 2, 4, 6), "noise_mask": torch.rand(3, 1, 2, 4, 6)}
    for index, part in enumerate(split(comfy, latent)):
        (core,) = comfy.run("LatentFromBatch", samples=latent, batch_index=index, length=1)
        assert_same_latent(part, core)


def test_latents_without_a_mask_beside_those_with_one_are_denoised_everywhere(comfy):
    plain, masked = {"samples": torch.randn(2, 4, 3, 5, 5)}, {"samples": torch.randn(1, 4, 3, 5, 5)}
    for mask in (torch.rand(1, 1, 3, 5, 5), torch.rand(3, 5, 5)):
        joined = join(comfy, [plain], [{**masked, "noise_mask": mask}])
        assert torch.equal(joined["noise_mask"], torch.cat([torch.ones(2, 1, 3, 5, 5), mask.reshape(1, 1, 3, 5, 5)]))


def test_latents_are_reordered_with_their_places(comfy):
    latent = {"samples": torch.randn(3, 4, 2, 5, 5)}
    parts = split(comfy, latent)
    joined = join(comfy, [parts[2], parts[0]])
    assert torch.equal(joined["samples"], latent["samples"][[2, 0]])
    assert joined["batch_index"] == [2, 0]


@pytest.mark.parametrize("places", [[4], [], [4, 5, 6], None])
def test_places_that_are_not_one_for_each_view_are_counted_anew(comfy, places):
    parts = split(comfy, {"samples": torch.zeros(2, 4, 2, 5, 5), "batch_index": places})
    assert [part["batch_index"] for part in parts] == [[0], [1]]


def test_latents_of_different_sizes_and_what_is_none_are_refused(comfy):
    first, second = {"samples": torch.zeros(1, 16, 2, 4, 6)}, {"samples": torch.zeros(1, 16, 3, 4, 6)}
    with pytest.raises(
        ValueError, match="SynCamJoinLatents: 'latents' must all have the same size, but the first is 16 x 2"
    ):
        join(comfy, [first], [second])
    with pytest.raises(ValueError, match="SynCamJoinLatents: 'latents' is empty"):
        join(comfy, [])
    with pytest.raises(ValueError, match="SynCamSplitLatent: 'latent'"):
        split(comfy, {"samples": torch.zeros(3, 4)})
    masks = [torch.rand(1, 1, 2, 4, 6), torch.rand(1, 1, 2, 8, 6)]
    with pytest.raises(ValueError, match="'noise_mask of latents' must all have the same size"):
        join(comfy, [{**first, "noise_mask": mask} for mask in masks])


# ---- as the host calls them


def through_host(comfy, node_id, **inputs):
    import execution

    with torch.inference_mode():
        outputs, *_ = asyncio.run(execution.get_output_data("job", "7", comfy.nodes[node_id], inputs))
    return outputs


def test_a_core_node_works_on_one_view_of_the_list(comfy):
    views = some_views()
    (chosen, _) = through_host(comfy, "SynCamPickViews", views=views, cameras=["2"])
    (inverted,) = comfy.run("ImageInvert", image=chosen[0])
    (back,) = through_host(comfy, "SynCamReplaceView", views=views, view=[inverted], camera=["2"])
    assert same(back, [views[0], 1 - views[1], views[2]])
