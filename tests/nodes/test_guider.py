"""SynCamDualGuider: guidance by a given video and by the text, against the formula evaluated term by term."""

import pytest
import torch
from host_wan import TEXTS, TinyWan, conditioning, random, text, velocities

VIEWS, FRAMES, HEIGHT, WIDTH = 3, 2, 4, 6
SIGMA = 0.6


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyWan(comfy, "guider", seed=3)


@pytest.fixture(scope="module")
def model(tiny):
    return tiny.patched(random(VIEWS, FRAMES, 12))


@pytest.fixture(scope="module")
def clip():
    return {"samples": random(1, 16, FRAMES, HEIGHT, WIDTH, seed=5)}


@pytest.fixture(scope="module")
def latent(comfy, clip):
    empty = {"samples": torch.zeros(VIEWS, 16, FRAMES, HEIGHT, WIDTH)}
    return comfy.run("SynCamGivenViews", latent=empty, given={"video0": clip}, views="1")[0]


def dual(comfy, model, latent, text_scale=7.5, video_scale=1.8, texts=TEXTS):
    positive, negative = map(conditioning, texts)
    return comfy.run(
        "SynCamDualGuider",
        model=model,
        positive=positive,
        negative=negative,
        latent=latent,
        text_scale=text_scale,
        video_scale=video_scale,
    )[0]


def one_prediction(guider, x, sigma=SIGMA):
    """What the guider predicts at one sigma for the x that is given here, as a velocity."""
    import comfy.samplers

    seen = {}
    predict = guider.predict_noise

    def watch(_, timestep, model_options=None, seed=None):
        time = torch.full((len(x),), sigma)
        seen["v"] = (x - predict(x, time, model_options, seed)) / sigma
        return x

    guider.predict_noise = watch
    with torch.inference_mode():
        sampler = comfy.samplers.sampler_object("euler")
        guider.sample(torch.zeros_like(x), torch.zeros_like(x), sampler, torch.tensor([sigma, 0.0]), disable_pbar=True)
    return seen["v"]


def sample(comfy, guider, latent, steps=3, sampler="euler", seed=1):
    inputs = {
        "noise": comfy.run("RandomNoise", noise_seed=seed)[0],
        "sampler": comfy.run("KSamplerSelect", sampler_name=sampler)[0],
        "sigmas": comfy.run("BasicScheduler", model=guider.model_patcher, scheduler="simple", steps=steps, denoise=1.0)[
            0
        ],
    }
    return comfy.run("SamplerCustomAdvanced", guider=guider, latent_image=latent, **inputs)[0]["samples"]


@pytest.mark.parametrize(("s_t", "s_v"), [(7.5, 1.8), (1.0, 2.5), (0.0, 0.0), (3.0, 0.5)])
def test_it_is_equation_7_evaluated_term_by_term(comfy, model, latent, clip, s_t, s_v):
    from comfy.latent_formats import Wan21

    x = random(VIEWS, 16, FRAMES, HEIGHT, WIDTH, seed=4)
    shown = x.clone()
    shown[1] = Wan21().process_in(clip["samples"])[0]
    (both,), (video,), (none,) = (
        velocities(model, at, SIGMA, [words]) for at, words in ((shown, TEXTS[0]), (shown, TEXTS[1]), (x, TEXTS[1]))
    )
    expected = none + s_v * (video - none) + s_t * (both - video)
    got = one_prediction(dual(comfy, model, latent, s_t, s_v), x)
    generated = [0, 2]
    torch.testing.assert_close(got[generated], expected[generated], atol=2e-4, rtol=2e-4)
    assert (video - none)[generated].abs().max() > 1e-3, "the video is seen by the other views"


def test_the_host_is_told_of_both_predictions_without_the_text_that_they_are_the_negative_ones(comfy, model, latent):
    """What it makes of a conditioning by the name of its prompt it makes of these alike."""
    conds = dual(comfy, model, latent).original_conds
    told = {name: [entry.get("prompt_type") for entry in entries] for name, entries in conds.items()}
    assert told == {"positive": [None], "negative": ["negative"], "without_video": ["negative"]}


def test_a_given_view_goes_straight_to_what_is_given(comfy, model, latent, clip):
    from comfy.latent_formats import Wan21

    x = random(VIEWS, 16, FRAMES, HEIGHT, WIDTH, seed=4)
    got = one_prediction(dual(comfy, model, latent), x)
    torch.testing.assert_close(x[1] - SIGMA * got[1], Wan21().process_in(clip["samples"])[0], atol=1e-5, rtol=1e-5)


def test_a_video_scale_of_1_is_plain_cfg_with_the_video_shown_bit_for_bit(comfy, model, latent):
    from comfy.samplers import CFGGuider

    ours = dual(comfy, model, latent, text_scale=3.0, video_scale=1.0)
    plain = CFGGuider(model)
    plain.original_conds = {key: ours.original_conds[key] for key in ("positive", "negative")}
    plain.set_cfg(3.0)
    one, other = sample(comfy, ours, latent), sample(comfy, plain, latent)
    assert torch.equal(one[[0, 2]], other[[0, 2]])


def counted(model):
    """A clone whose forwards are counted: how many conditionings each of them held."""
    from comfy.patcher_extension import WrappersMP

    chunks, clone = [], model.clone()

    def count(executor, x, *args, **kwargs):
        chunks.append(len(x) // VIEWS)
        return executor(x, *args, **kwargs)

    clone.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "count", count)
    return clone, chunks


@pytest.mark.parametrize(("s_t", "s_v", "chunks"), [(7.5, 1.8, [3]), (7.5, 1.0, [2]), (1.0, 1.0, [1]), (1.0, 1.8, [3])])
def test_the_evaluations_that_are_needed_run_in_one_forward(comfy, model, latent, s_t, s_v, chunks):
    clone, seen = counted(model)
    one_prediction(dual(comfy, clone, latent, s_t, s_v), random(VIEWS, 16, FRAMES, HEIGHT, WIDTH))
    assert seen == chunks


def test_texts_of_other_lengths_run_in_two_forwards_and_give_the_same(comfy, model, latent):
    clone, seen = counted(model)
    x = random(VIEWS, 16, FRAMES, HEIGHT, WIDTH, seed=4)
    texts = [text(7, seed=1), TEXTS[1]]
    one_prediction(dual(comfy, clone, latent, texts=texts), x)
    assert sorted(seen) == [1, 2]


def test_given_views_come_out_bit_for_bit_and_the_others_are_generated(comfy, model, latent, clip):
    out = sample(comfy, dual(comfy, model, latent), latent)
    assert torch.equal(out[1], clip["samples"][0])
    other = sample(comfy, dual(comfy, model, latent, video_scale=3.0), latent)
    assert torch.isfinite(out).all()
    assert not torch.allclose(out[[0, 2]], other[[0, 2]], atol=1e-3)


def test_the_sampler_may_also_have_the_empty_latent(comfy, model, latent, clip):
    """The guider knows what is given; the noise mask of the sampler's latent adds nothing."""
    guider = dual(comfy, model, latent)
    bare = {"samples": torch.zeros(VIEWS, 16, FRAMES, HEIGHT, WIDTH)}
    one, other = sample(comfy, guider, latent), sample(comfy, guider, bare)
    assert torch.equal(other[1], clip["samples"][0])
    torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)


def test_patches_of_cfg_see_the_pair_with_and_without_text(comfy, model, latent):
    from comfy.samplers import calc_cond_batch

    x, seen = random(VIEWS, 16, FRAMES, HEIGHT, WIDTH, seed=4), []

    def batch(args):
        seen.append(len(args["conds"]))
        return calc_cond_batch(args["model"], args["conds"], args["input"], args["sigma"], args["model_options"])

    def before(args):
        seen.append(len(args["conds_out"]))
        return args["conds_out"]

    def after(args):
        seen.append(args["cond_scale"])
        return args["denoised"]

    plain = one_prediction(dual(comfy, model, latent), x)
    patched = model.clone()
    patched.model_options["sampler_calc_cond_batch_function"] = batch
    patched.model_options["sampler_pre_cfg_function"] = [before]
    patched.set_model_sampler_post_cfg_function(after)
    got = one_prediction(dual(comfy, patched, latent), x)
    assert seen == [2, 2, 7.5]
    torch.testing.assert_close(got, plain, atol=1e-4, rtol=1e-4)
    rescaled = comfy.run("RescaleCFG", model=model, multiplier=0.7)[0]
    assert not torch.allclose(one_prediction(dual(comfy, rescaled, latent), x), plain, atol=1e-3)


def test_what_a_conditioning_carries_already_stays(comfy, model, latent):
    from comfy.conds import CONDRegular

    other = CONDRegular(torch.zeros(VIEWS, 1))
    words = [[TEXTS[0], {"model_conds": {"other": other}, "start_percent": 0.0}]]
    guider = comfy.run("SynCamDualGuider", model=model, positive=words, negative=words, latent=latent)[0]
    for conds in guider.original_conds.values():
        assert conds[0]["model_conds"]["other"] is other
        assert conds[0]["start_percent"] == 0.0
        assert conds[0]["model_conds"]["syncam_given"].cond.shape == (VIEWS, 17, FRAMES, HEIGHT, WIDTH)
    assert "syncam_given" not in words[0][1]["model_conds"]


def test_mistakes_are_answered_by_one_sentence(comfy, tiny, model, latent):
    bare = {"samples": torch.zeros(VIEWS, 16, FRAMES, HEIGHT, WIDTH)}
    cases = [
        ({"model": tiny.base()}, "'model' does not come from SynCam Apply"),
        ({"latent": bare}, "'latent' has no given view"),
        ({"text_scale": float("nan")}, "'text_scale' is nan"),
        ({"video_scale": -1.0}, "'video_scale' is -1.0"),
        ({"model": tiny.patched(random(2, FRAMES, 12))}, "batch of 3 videos"),
    ]
    for change, words in cases:
        with pytest.raises(ValueError, match="^SynCamDualGuider: .*" + words) as problem:
            dual(comfy, **{"model": model, "latent": latent, **change})
        assert "\n" not in str(problem.value)
    other = {"samples": torch.zeros(VIEWS, 16, FRAMES + 1, HEIGHT, WIDTH)}
    with pytest.raises(ValueError, match="SynCamDualGuider: 'latent' is 3 x 16 x 2"):
        sample(comfy, dual(comfy, model, latent), other)
