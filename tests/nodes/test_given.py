"""SynCamGivenViews: what is given stays, the rest is generated with it."""

import pytest
import torch
from host_wan import TinyWan, empty, random, sampled

from syncam_core.synthetic.render import render
from syncam_core.synthetic.scene import Scene, frame_times

FRAMES, HEIGHT, WIDTH = 2, 4, 6
SETTINGS = {"steps": 3, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple"}


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyWan(comfy, "given", seed=3)


@pytest.fixture(scope="module")
def demo(comfy):
    return dict(zip(("model", "clip", "vae", "weights", "recapture"), comfy.run("SynCamDemoModel"), strict=True))


def poses(views):
    """The same cameras again, however many follow."""
    return torch.stack([random(FRAMES, 12, seed=100 + view) for view in range(views)])


def clips(views, seed=5):
    return {"samples": random(views, 16, FRAMES, HEIGHT, WIDTH, seed=seed)}


def give(comfy, latent, views, *given, vae=None):
    sockets = {f"video{i}": video for i, video in enumerate(given)}
    return comfy.run("SynCamGivenViews", latent=latent, given=sockets, views=views, vae=vae)[0]


def sample(comfy, model, latent, seed=1, node_id="SynCamSampler", **more):
    return sampled(comfy, model, latent, node_id=node_id, seed=seed, **SETTINGS, **more)


def test_a_given_latent_stands_in_its_view_and_the_mask_says_what_is_to_be_generated(comfy):
    clip, latent = clips(1), empty(3)
    out = give(comfy, latent, "1", clip)
    assert torch.equal(out["samples"][1], clip["samples"][0])
    assert not out["samples"][[0, 2]].any()
    assert out["noise_mask"].shape == (3, 1, FRAMES, HEIGHT, WIDTH)
    assert out["noise_mask"].flatten(1).unique(dim=1).tolist() == [[1], [0], [1]]
    assert not latent["samples"].any()
    assert "noise_mask" not in latent


def test_given_videos_take_the_named_views_in_order_and_one_latent_may_hold_several(comfy):
    pair, single = clips(2), clips(1, seed=6)
    samples = give(comfy, empty(4), "3, 0-1", pair, single)["samples"]
    assert torch.equal(samples[[3, 0]], pair["samples"])
    assert torch.equal(samples[1], single["samples"][0])


def test_sockets_count_by_their_number_in_whatever_order_a_prompt_names_them(comfy):
    given = {f"video{i}": clips(1, seed=i) for i in (10, 2)}
    samples = comfy.run("SynCamGivenViews", latent=empty(3), given=given, views="0, 1")[0]["samples"]
    assert torch.equal(samples[0], given["video2"]["samples"][0])
    assert torch.equal(samples[1], given["video10"]["samples"][0])


def test_a_given_latent_is_not_rounded_to_a_latent_of_half_precision(comfy, tiny):
    clip, latent = clips(1), {"samples": empty(2)["samples"].half()}
    given = give(comfy, latent, "0", clip)
    assert torch.equal(given["samples"][0], clip["samples"][0])
    assert torch.equal(sample(comfy, tiny.patched(poses(2)), given)["samples"][0], clip["samples"][0])
    half = {"samples": clip["samples"].half()}
    given = give(comfy, empty(2), "0", half)
    assert torch.equal(sample(comfy, tiny.patched(poses(2)), given)["samples"][0], half["samples"][0].float())


def test_given_views_come_out_bit_for_bit_and_the_others_follow_them(comfy, tiny):
    model, clip = tiny.patched(poses(3)), clips(1)
    out = sample(comfy, model, give(comfy, empty(3), "0", clip))["samples"]
    other = sample(comfy, model, give(comfy, empty(3), "0", clips(1, seed=9)))["samples"]
    alone = sample(comfy, model, empty(3))["samples"]
    assert torch.equal(out[0], clip["samples"][0])
    for view in (1, 2):
        assert not torch.allclose(out[view], alone[view], atol=1e-3)
        assert not torch.allclose(out[view], other[view], atol=1e-3), "another given video, other views"


def test_the_model_sees_a_given_view_as_noisy_as_the_step_is(comfy, tiny):
    """x_t = (1 - sigma) z + sigma noise, with the noise that the seed gives the view."""
    from comfy.latent_formats import Wan21
    from comfy.patcher_extension import WrappersMP
    from comfy.sample import prepare_noise

    seen = []

    def watch(executor, x, t, *args, **kwargs):
        seen.append((float(t[0]), x[0].clone()))
        return executor(x, t, *args, **kwargs)

    model, clip = tiny.patched(poses(2)).clone(), clips(1)
    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "watch", watch)
    sample(comfy, model, give(comfy, empty(2), "0", clip), seed=4)
    noise = prepare_noise(empty(2)["samples"], 4)[0]
    z = Wan21().process_in(clip["samples"])[0]
    assert len(seen) >= SETTINGS["steps"]
    for sigma, x in seen:
        torch.testing.assert_close(x, (1 - sigma) * z + sigma * noise, atol=1e-5, rtol=1e-5)


def test_a_finished_set_gains_a_camera_and_stays_bit_identical(comfy, tiny):
    finished = sample(comfy, tiny.patched(poses(3)), empty(3))
    out = sample(comfy, tiny.patched(poses(4)), give(comfy, empty(4), "0-2", finished))["samples"]
    assert torch.equal(out[:3], finished["samples"])
    assert out[3].std() > 0.1
    moved = poses(4)
    moved[3] = random(FRAMES, 12, seed=55)
    elsewhere = sample(comfy, tiny.patched(moved), give(comfy, empty(4), "0-2", finished))["samples"]
    assert not torch.allclose(out[3], elsewhere[3], atol=1e-3), "the new view is that of its camera"


@pytest.mark.parametrize("again", ["the set as latent", "the others as given"])
def test_one_view_is_made_anew_and_the_others_stay_bit_identical(comfy, tiny, again):
    model = tiny.patched(poses(3))
    finished = sample(comfy, model, empty(3), seed=1)
    if again == "the set as latent":
        latent = give(comfy, finished, "all but 1")
    else:
        latent = give(comfy, empty(3), "0, 2", {"samples": finished["samples"][[0, 2]]})
    out = sample(comfy, model, latent, seed=2)["samples"]
    assert torch.equal(out[[0, 2]], finished["samples"][[0, 2]])
    assert not torch.allclose(out[1], finished["samples"][1], atol=1e-3)


def test_a_noise_mask_that_the_latent_has_counts_for_the_other_views(comfy):
    first = give(comfy, empty(3), "0", clips(1))
    first["noise_mask"] = first["noise_mask"].clone()
    first["noise_mask"][2, :, 0] = 0.25
    out = give(comfy, first, "1", clips(1, seed=6))
    assert out["noise_mask"].flatten(1).amax(1).tolist() == [0, 0, 1]
    assert torch.equal(out["noise_mask"][2], first["noise_mask"][2])
    assert torch.equal(out["samples"][0], first["samples"][0])
    assert first["noise_mask"][1].all(), "the latent that came in is as it was"


def test_a_noise_mask_of_truth_values_is_one_of_numbers(comfy, tiny):
    latent = give(comfy, empty(3), "1", clips(1))
    truth = {**latent, "noise_mask": latent["noise_mask"] > 0}
    model = tiny.patched(poses(3))
    assert torch.equal(sample(comfy, model, truth)["samples"], sample(comfy, model, latent)["samples"])


def test_the_stock_ksampler_gives_the_same_to_1e_5(comfy, tiny):
    model, clip = tiny.patched(poses(3)), clips(1)
    latent = give(comfy, empty(3), "1", clip)
    shifted = comfy.run("ModelSamplingSD3", model=model, shift=5.0)[0]
    stock = sample(comfy, shifted, latent, node_id="KSampler", denoise=1.0)["samples"]
    ours = sample(comfy, model, latent)["samples"]
    torch.testing.assert_close(stock[1], clip["samples"][0], atol=1e-5, rtol=1e-5)
    assert torch.equal(stock[[0, 2]], ours[[0, 2]])


# ---- videos of images, with the demo model's autoencoder


def film(frames=5, height=48, width=64, seed=0):
    """A smooth moving gradient."""
    coarse = random(frames, 3, 3, 4, seed=seed)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear").movedim(1, -1).sigmoid()


def demo_latent(views, frames=2):
    return {"samples": torch.zeros(views, 16, frames, 6, 8)}


def test_images_are_encoded_one_video_at_a_time(comfy, demo):
    videos = [film(seed=1), film(seed=2)]
    out = give(comfy, demo_latent(3), "2, 0", *videos, vae=demo["vae"])
    with torch.inference_mode():
        for view, video in zip((2, 0), videos, strict=True):
            assert torch.equal(out["samples"][view], demo["vae"].encode(video)[0])


def test_a_given_clip_comes_out_of_the_demo_model_as_the_autoencoder_holds_it(comfy, demo):
    rig = comfy.run("SynCamRigOrbit", azimuths="0, 30", elevations="20", distances="5")[0]
    scene = Scene.from_prompt("a red ball walking on sand under a clear sky")
    video = render(scene, rig, 64, 64, frame_times(5))[0]
    cameras = comfy.run("SynCamEncodeCameras", rig=rig, length=5)[0]
    model = comfy.run("SynCamApply", model=demo["model"], weights=demo["weights"], cameras=cameras)[0]
    latent = comfy.run("SynCamEmptyLatent", cameras=cameras, width=64, height=64, length=5)[0]
    texts = {
        name: comfy.run("CLIPTextEncode", clip=demo["clip"], text=words)[0]
        for name, words in (("positive", scene.prompt()), ("negative", ""))
    }
    given = give(comfy, latent, "0", video, vae=demo["vae"])
    out = comfy.run("SynCamSampler", model=model, latent=given, seed=0, **texts, **SETTINGS)[0]
    views = comfy.run("SynCamDecodeViews", latent=out, vae=demo["vae"])[0]
    with torch.inference_mode():
        there_and_back = demo["vae"].decode(demo["vae"].encode(video))[0]
    assert torch.equal(views[0], there_and_back)
    assert (views[0] - video).abs().mean() < 0.05
    assert views[1].std() > 0.01


def test_other_sizes_are_scaled_and_cropped_at_the_centre_as_core_does_it(comfy, demo):
    wide = film(height=60, width=120)
    out = give(comfy, demo_latent(2), "0", wide, vae=demo["vae"])
    from comfy.utils import common_upscale

    with torch.inference_mode():
        expected = common_upscale(wide.movedim(-1, 1), 64, 48, "bilinear", "center").movedim(1, -1)
        assert torch.equal(out["samples"][0], demo["vae"].encode(expected)[0])
        middle = demo["vae"].encode(
            common_upscale(wide[:, :, 20:100].movedim(-1, 1), 64, 48, "bilinear", "disabled").movedim(1, -1)
        )
    assert torch.equal(out["samples"][0], middle[0]), "60 x 80 pixels from the middle have the shape of 48 x 64"


def test_longer_videos_and_latents_are_cut_and_alpha_is_dropped(comfy, demo):
    video = film(frames=9)
    cut = give(comfy, demo_latent(2), "0", video[:5], vae=demo["vae"])["samples"]
    assert torch.equal(give(comfy, demo_latent(2), "0", video, vae=demo["vae"])["samples"], cut)
    with_alpha = torch.cat([video, torch.ones_like(video[..., :1])], dim=-1)
    assert torch.equal(give(comfy, demo_latent(2), "0", with_alpha, vae=demo["vae"])["samples"], cut)
    with torch.inference_mode():
        long = {"samples": demo["vae"].encode(video)}
    assert long["samples"].shape[2] == 3
    torch.testing.assert_close(give(comfy, demo_latent(2), "0", long)["samples"], cut, atol=1e-4, rtol=1e-4)


# ---- mistakes


def nan_latent():
    latent = clips(1)
    latent["samples"][0, 0, 0, 0, 0] = float("nan")
    return latent


@pytest.mark.parametrize(
    ("latent", "views", "given", "words"),
    [
        (empty(2), "2", [clips(1)], ["'views'", "view 2", "0 to 1"]),
        (empty(2), "0, 0", [clips(2)], ["'views'", "view 0 twice"]),
        (empty(2), "left", [clips(1)], ["'views'", "left", "0-3"]),
        (empty(2), "", [clips(1)], ["'views'", "no view"]),
        (empty(2), "all but", [clips(1)], ["'views'"]),
        (empty(4), "3-1", [clips(1)], ["'views'", "1-3"]),
        (empty(3), "0", [clips(2)], ["2 videos", "1 view (0)"]),
        (empty(3), "0, 1", [clips(1)], ["1 video,", "2 views (0, 1)"]),
        (empty(2), "0, 1", [clips(2)], ["none of the 2 views"]),
        (empty(2), "all", [clips(2)], ["none of the 2 views"]),
        (empty(2), "0", [], ["'given' is not connected", "view 0", "empty"]),
        (empty(2, frames=3), "0", [clips(1)], ["given.video0", "5 frames", "9", "to 5"]),
        (empty(2), "0", [{"samples": random(1, 16, FRAMES, 8, 8)}], ["given.video0", "64 x 64", "48 x 32"]),
        (empty(2), "0", [{"samples": random(1, 4, FRAMES, HEIGHT, WIDTH)}], ["given.video0", "4 channels"]),
        (empty(2), "0", [{"samples": random(1, 16, HEIGHT, WIDTH)}], ["given.video0", "without videos"]),
        (empty(2), "0", [nan_latent()], ["given.video0", "NaN"]),
        (empty(2), "0", [film()], ["given.video0", "'vae'", "wan_2.1_vae"]),
        (empty(2), "0", [film()[0]], ["given.video0", "no video"]),
        ({"samples": torch.zeros(2, 16, HEIGHT, WIDTH)}, "0", [clips(1)], ["'latent'", "SynCamEmptyLatent"]),
        ({"samples": torch.zeros(2, 4, 2, HEIGHT, WIDTH)}, "0", [clips(1)], ["'latent'", "SynCamEmptyLatent"]),
    ],
)
def test_a_mistake_is_answered_by_one_sentence(comfy, latent, views, given, words):
    with pytest.raises(ValueError, match=r"^SynCamGivenViews: ") as problem:
        give(comfy, latent, views, *given)
    for word in words:
        assert word in str(problem.value)
    assert "\n" not in str(problem.value)


def test_short_videos_and_foreign_autoencoders_are_refused(comfy, demo):
    with pytest.raises(ValueError, match=r"'given.video0' has 4 frames, but 'latent' has 5; .* to 1\."):
        give(comfy, demo_latent(2), "0", film(frames=4), vae=demo["vae"])

    class ImageVAE:
        latent_dim, latent_channels = 2, 4

    with pytest.raises(ValueError, match=r"'vae' is not the video VAE of Wan2\.1"):
        give(comfy, demo_latent(2), "0", film(), vae=ImageVAE())


def test_what_can_be_judged_from_the_text_is_refused_when_queued(comfy):
    node = comfy.nodes["SynCamGivenViews"]
    assert node.validate_inputs(views="0-2, 7") is True
    assert node.validate_inputs(views="all but 63") is True
    assert node.validate_inputs(views=None) is True, "a link"
    assert node.validate_inputs(views="0, left").startswith("SynCamGivenViews: 'views' holds 'left'")
