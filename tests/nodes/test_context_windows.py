"""Context windows of the host over time, for a batch of views: all views are cut at the same frames, and so are cameras."""

from __future__ import annotations

import pytest
import torch
from host_abilities import ANCHOR, anchor_input, has
from host_wan import TEXTS, TinyWan, conditioning, random, sampled, velocities
from silent_wan import silenced

FRAMES, HEIGHT, WIDTH = 7, 4, 4
MANUAL = {"context_stride": 1, "closed_loop": False, "freenoise": False}


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyWan(comfy, "windows", dim=128, ffn=96, seed=6)


@pytest.fixture(scope="module")
def silent(tiny):
    return silenced(tiny)


def moving(views: int):
    """Cameras that are elsewhere in every latent frame."""
    return torch.randn(views, FRAMES, 12, generator=torch.Generator().manual_seed(views))


def noise(views: int, frames=FRAMES):
    return random(views, 16, frames, HEIGHT, WIDTH, seed=4)


def windowed(comfy, model, length=3, overlap=1, schedule="standard_static", fuse="flat", anchor=None, **more):
    settings = {"context_schedule": schedule, "fuse_method": fuse, **MANUAL, **more}
    inputs = {"context_length": length, "context_overlap": overlap, "dim": 2, **anchor_input(anchor)}
    return comfy.run("ContextWindowsManual", model=model, **inputs, **settings)[0]


def by_hand(windows: list[list[int]], anchor: bool, run):
    """The mean over windows of ``run(frames)``; an anchor is the frame before a window, run with it and left out."""
    total, counts = 0, torch.zeros(FRAMES)
    for window in windows:
        before = [window[0] - 1] if anchor and window[0] > 0 else []
        part = run(before + window)[..., len(before) :, :, :]
        placed = torch.zeros(*part.shape[:-3], FRAMES, HEIGHT, WIDTH)
        placed[..., window, :, :] = part
        total, counts = total + placed, counts + torch.tensor([float(f in window) for f in range(FRAMES)])
    return total / counts[:, None, None]


WINDOWS = {(3, 1): [[0, 1, 2], [2, 3, 4], [4, 5, 6]], (4, 1): [[0, 1, 2, 3], [3, 4, 5, 6]]}


@pytest.mark.parametrize("anchor", [True, False], ids=["with the frame before", "windows alone"])
@pytest.mark.parametrize(("length", "overlap"), WINDOWS)
@pytest.mark.parametrize("views", [2, 4])
def test_windows_are_the_model_on_parts_of_the_videos_and_of_the_moving_cameras(
    comfy, tiny, views, length, overlap, anchor
):
    """Both conditionings in one batch; every part is run without windows, with the cameras of its frames."""
    poses, x, base, weights = moving(views), noise(views), tiny.base(), tiny.weights()
    model = windowed(comfy, tiny.patched(poses, base=base, weights=weights), length, overlap, anchor=anchor)
    got = torch.stack(velocities(model, x, 0.6, TEXTS))

    def run(frames, cameras=None):
        part = tiny.patched(poses[:, cameras or frames], base=base, weights=weights)
        return torch.stack(velocities(part, x[:, :, frames], 0.6, TEXTS))

    assert torch.allclose(got, by_hand(WINDOWS[length, overlap], anchor, run), atol=1e-5)
    first = by_hand(WINDOWS[length, overlap], anchor, lambda frames: run(frames, list(range(len(frames)))))
    assert not torch.allclose(got, first, atol=1e-2), "the cameras of the first window everywhere"


def sample(comfy, model, latent, steps=3, cfg=3.0, seed=1):
    settings = {"seed": seed, "steps": steps, "cfg": cfg, "denoise": 1.0}
    return sampled(comfy, model, latent, node_id="KSampler", **settings)["samples"]


def empty(views: int, frames=FRAMES, **more):
    return {"samples": torch.zeros(views, 16, frames, HEIGHT, WIDTH), **more}


@pytest.mark.parametrize("freenoise", [False, True], ids=["plain noise", "FreeNoise"])
@pytest.mark.parametrize(
    ("schedule", "fuse"),
    [
        ("standard_static", "overlap-linear"),
        ("standard_uniform", "relative"),
        ("looped_uniform", "flat"),
        ("batched", "pyramid"),
    ],
)
def test_every_schedule_and_fusing_gives_each_view_what_the_host_gives_one_video(
    comfy, silent, schedule, fuse, freenoise
):
    """With a projector of zeros the views are videos side by side, and the host's own windows do one at a time."""

    def cut(model):
        return windowed(
            comfy,
            model,
            3,
            2,
            schedule,
            fuse,
            anchor=False if schedule == "looped_uniform" else None,
            freenoise=freenoise,
        )

    together = sample(comfy, cut(silent.patched(moving(2))), empty(2))
    alone = [sample(comfy, cut(silent.base()), empty(1, batch_index=[view])) for view in (0, 1)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-4)


@pytest.mark.parametrize("views", [2, 4])
@pytest.mark.parametrize("sampler", ["KSampler", "SynCamSampler"])
def test_wan_context_windows_sample_longer_videos_of_several_views(comfy, tiny, views, sampler):
    patched = tiny.patched(moving(views))
    settings = {"context_schedule": "standard_uniform", "fuse_method": "pyramid", **MANUAL, "freenoise": True}
    (model,) = comfy.run("WanContextWindowsManual", model=patched, context_length=13, context_overlap=4, **settings)
    if sampler == "KSampler":
        got, whole = (sample(comfy, m, empty(views)) for m in (model, patched))
    else:
        texts = {"positive": conditioning(TEXTS[0]), "negative": conditioning(TEXTS[1])}
        settings = {"seed": 1, "steps": 3, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple"}
        got, whole = (
            comfy.run("SynCamSampler", model=m, latent=empty(views), **texts, **settings)[0]["samples"]
            for m in (model, patched)
        )
    assert torch.isfinite(got).all()
    assert not torch.allclose(got, whole, atol=1e-3)


def test_windows_may_stand_before_syncam_apply_and_stay_the_models_own(comfy, tiny):
    before = tiny.patched(moving(2), base=windowed(comfy, tiny.base()))
    after = windowed(comfy, tiny.patched(moving(2)))
    assert torch.equal(sample(comfy, before, empty(2)), sample(comfy, after, empty(2)))
    handler = after.model_options["context_handler"]
    assert type(handler).__module__ == "comfy.context_windows"
    assert handler._step == 0, "the sampling had a copy"


def test_a_video_no_longer_than_a_window_is_sampled_whole(comfy, tiny):
    patched = tiny.patched(moving(2))
    assert torch.equal(sample(comfy, windowed(comfy, patched, FRAMES), empty(2)), sample(comfy, patched, empty(2)))


def test_a_given_view_stays_and_leads_the_other_through_all_windows(comfy, tiny):
    """The noise mask holds for the whole video, outside of the windows."""
    model = windowed(comfy, tiny.patched(moving(2)))
    mask = torch.ones(2, 1, FRAMES, HEIGHT, WIDTH)
    mask[0] = 0
    results = []
    for seed in (1, 2):
        given = torch.randn(16, FRAMES, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))
        samples = torch.stack([given, torch.zeros_like(given)])
        results.append(sample(comfy, model, {"samples": samples, "noise_mask": mask}))
        assert torch.allclose(results[-1][0], given, atol=1e-5)
    change = (results[0] - results[1])[1].abs().amax(dim=(0, 2, 3))
    assert (change > 1e-3).all(), "the other view, in every frame"


def test_given_videos_before_the_model_are_cut_with_the_frames(comfy, tiny):
    """What SynCamDualGuider puts into a conditioning: here every frame of a view or none, at random."""
    from comfy import sample as host
    from comfy.conds import CONDRegular

    poses, base, weights = moving(2), tiny.base(), tiny.weights()
    generator = torch.Generator().manual_seed(7)
    shown = (torch.rand(2, 1, FRAMES, 1, 1, generator=generator) > 0.5).float().expand(-1, -1, -1, HEIGHT, WIDTH)
    given = torch.cat([torch.randn(2, 16, FRAMES, HEIGHT, WIDTH, generator=generator), shown], dim=1)

    def first_step(model, frames):
        """The result of one step without guidance: the noise less the velocity at sigma 1."""
        positive = [[TEXTS[0], {"model_conds": {"syncam_given": CONDRegular(given[:, :, frames])}}]]
        x = noise(2)[:, :, frames]
        zeros = torch.zeros_like(x)
        with torch.inference_mode():
            return host.sample(model, x, 1, 1.0, "euler", "simple", positive, positive, zeros, seed=0).clone()

    def run(frames):
        return first_step(tiny.patched(poses[:, frames], base=base, weights=weights), frames)

    got = first_step(windowed(comfy, tiny.patched(poses, base=base, weights=weights)), list(range(FRAMES)))
    assert torch.allclose(got, by_hand(WINDOWS[3, 1], has(ANCHOR), run), atol=1e-4)
    given[:, -1] = 0
    assert not torch.allclose(got, by_hand(WINDOWS[3, 1], has(ANCHOR), run), atol=1e-2), "no frame shown"


def test_context_handlers_of_another_kind_are_refused(comfy, tiny):
    class Loops:
        dim = 2

    model = tiny.patched(moving(2))
    model.model_options["context_handler"] = Loops()
    with pytest.raises(ValueError, match=r"SynCamApply: Loops makes context windows in a way of its own; use Context"):
        sample(comfy, model, empty(2))


CACHE = {"start_percent": 0.0, "end_percent": 1.0, "verbose": False}


def test_easycache_takes_one_window_for_another_and_is_refused(comfy, tiny):
    patched = windowed(comfy, tiny.patched(moving(2)))
    (model,) = comfy.run("EasyCache", model=patched, reuse_threshold=0.2, **CACHE)
    with pytest.raises(ValueError, match="SynCamApply: EasyCache takes one context window for another; use"):
        sample(comfy, model, empty(2))


@pytest.mark.parametrize("coupling", ["joint", "nearest"])
def test_lazycache_with_windows_and_a_given_view_skips_whole_steps(comfy, tiny, coupling):
    patched = windowed(comfy, tiny.patched(moving(3), coupling=coupling))
    clip = {"samples": noise(1)}
    (latent,) = comfy.run("SynCamGivenViews", latent=empty(3), given={"video0": clip}, views="1")
    whole = sample(comfy, patched, latent, steps=6)
    for threshold, skips in ((1e-6, False), (3.0, True)):
        (model,) = comfy.run("LazyCache", model=patched, reuse_threshold=threshold, **CACHE)
        got = sample(comfy, model, latent, steps=6)
        assert torch.isfinite(got).all()
        assert torch.equal(got, whole) is not skips
        assert torch.allclose(got[1], clip["samples"][0], atol=1e-5)
