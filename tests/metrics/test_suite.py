"""The metrics of a take: identity cases, second implementations, what each needs, and what it says without it."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import plain_networks as plain
import pytest
import torch
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter1d
from takes import Footage, rig_for, waves

from syncam_core.cameras import orbit_rig
from syncam_core.errors import UserError
from syncam_core.metrics import demo_reference_c2w, score_scene, shuffled_cameras
from syncam_core.metrics.bench import Bench, azimuth_order
from syncam_core.metrics.networks import i3d
from syncam_core.metrics.networks.files import Networks
from syncam_core.metrics.pictures import psnr, ssim
from syncam_core.metrics.report import read_report, run, to_text
from syncam_core.metrics.suite import METRICS, SET_METRICS, chosen, measure
from syncam_core.metrics.tables import table_of
from syncam_core.metrics.takes import Take
from syncam_core.synthetic import Scene, frame_times, render


def take_of(frames: np.ndarray, rig=None, prompt="", fps=None) -> Take:
    return Take("a take", tuple(Footage(view) for view in frames), rig, prompt, fps)


def value(name: str, take: Take, bench: Bench) -> float:
    measured = measure(name, take, bench)
    assert not isinstance(measured, str), measured
    return measured.value


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Every network in its real layout with random numbers; CLIP small."""
    folder = tmp_path_factory.mktemp("syncam_metrics")
    plain.save_tiny_clip(folder)
    for name in ("inception", "i3d", "alexnet"):
        torch.save(plain.random_state(getattr(plain, f"{name}_shapes")()), folder / f"{name}.pth")
    return folder


@pytest.fixture(scope="module")
def networks(models):
    return Networks([models])


WAVES = waves(3, 10, 48, 64)


# ---- pictures


def plain_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. (2004), eq. 13, with an 11 x 11 Gaussian of 1.5, only where the window is within the picture."""
    a, b = a / 255.0, b / 255.0

    def blur(x):
        return gaussian_filter1d(gaussian_filter1d(x, 1.5, axis=0, radius=5), 1.5, axis=1, radius=5)[5:-5, 5:-5]

    ma, mb = blur(a), blur(b)
    va, vb, cov = blur(a * a) - ma * ma, blur(b * b) - mb * mb, blur(a * b) - ma * mb
    return float((((2 * ma * mb + 1e-4) * (2 * cov + 9e-4)) / ((ma * ma + mb * mb + 1e-4) * (va + vb + 9e-4))).mean())


def test_psnr_and_ssim_are_their_formulas():
    a, b = (
        WAVES[0, 0],
        np.clip(WAVES[0, 0].astype(int) + np.random.default_rng(0).integers(-9, 10, (48, 64, 3)), 0, 255),
    )
    b = b.astype(np.uint8)
    mean_square = np.square(a.astype(float) - b).mean()
    assert psnr(a, b) == pytest.approx(10 * math.log10(255**2 / mean_square), rel=1e-6)
    assert ssim(a, b) == pytest.approx(plain_ssim(a, b), abs=1e-5)


def test_a_take_against_itself_is_perfect(networks):
    take = take_of(WAVES)
    bench = Bench(networks, every=3, truth=take)
    assert value("psnr", take, bench) == math.inf
    assert value("ssim", take, bench) == pytest.approx(1, abs=1e-7)
    assert value("lpips", take, bench) == 0


def test_noise_is_worse_in_all_three_and_each_view_has_its_number(networks):
    drawn = np.random.default_rng(0).integers(-40, 41, WAVES.shape)
    drawn[0] //= 8
    noisy = take_of(np.clip(WAVES.astype(int) + drawn, 0, 255).astype(np.uint8))
    bench = Bench(networks, every=3, truth=take_of(WAVES))
    found = {name: measure(name, noisy, bench) for name in ("psnr", "ssim", "lpips")}
    for name, better in (("psnr", 1), ("ssim", 1), ("lpips", -1)):
        views = found[name].items["views"]
        assert len(views) == 3
        assert better * views[0] > better * max(views[1:], key=lambda v, b=better: b * v)
        assert found[name].value == pytest.approx(np.mean(views))


@pytest.mark.parametrize(("frames", "words"), [(WAVES[:2], "2 views"), (WAVES[:, :, :40], "64 x 40")])
def test_a_truth_of_another_shape_is_refused(networks, frames, words):
    assert words in measure("psnr", take_of(WAVES), Bench(networks, truth=take_of(frames)))


# ---- CLIP


def test_equal_pictures_do_not_hide_how_far_the_others_are_from_their_truth(networks):
    noisy = np.clip(WAVES.astype(int) + np.random.default_rng(0).normal(0, 20, WAVES.shape), 0, 255).astype(np.uint8)
    given = noisy.copy()
    given[0, 0] = WAVES[0, 0]  # as an image-to-video model is given its first frame
    bench = Bench(networks, every=1, truth=take_of(WAVES))
    measured = measure("psnr", take_of(given), bench)
    rest = [psnr(a, b) for a, b in zip(noisy.reshape(-1, 48, 64, 3), WAVES.reshape(-1, 48, 64, 3), strict=True)][1:]
    assert measured.value == pytest.approx(np.mean(rest))
    assert measured.notes[-1] == "1 of 30 pictures are their truth and left out of the mean"


def test_a_truth_of_other_times_is_refused_and_a_shorter_one_said(networks):
    bench = Bench(networks, every=2, truth=take_of(WAVES, fps=16.0))
    assert "16 frames per second, but the take 8" in measure("psnr", take_of(WAVES, fps=8.0), bench)
    bench = Bench(networks, every=2, truth=take_of(WAVES[:, :5]))
    notes = measure("psnr", take_of(WAVES), bench).notes
    assert notes == ("3 moments", "of the first 5 frames: the take has 10, the truth 5")


@pytest.mark.parametrize("side", [8, 16, 30])
def test_pictures_that_are_too_small_for_a_metric_are_told_so(networks, side):
    small = take_of(waves(2, 2, side, 64), orbit_rig([0.0, 40.0], [10.0], [4.0]))
    bench = Bench(networks, matcher="sift", truth=small)
    for name in ("lpips", "psnr", "ssim", "rot_err"):
        told = measure(name, small, bench)
        if name == "lpips" or (name == "ssim" and side < 11):
            assert f"64 x {side} pixels, but" in told


def test_clip_metrics_are_means_of_cosines(networks):
    take = take_of(WAVES, prompt="a red ball walking")
    bench = Bench(networks, every=4)
    vectors = bench.clip_vectors(take)
    frames = bench.pairs(take)
    assert frames == [0, 1, 4, 5, 8, 9]
    by_frame = {frame: vectors[:, index] for index, frame in enumerate(frames)}
    adjacent = [np.dot(by_frame[m][v], by_frame[m + 1][v]) for m in (0, 4, 8) for v in range(3)]
    across = [np.dot(by_frame[m][i], by_frame[m][j]) for m in (0, 4, 8) for i, j in itertools.combinations(range(3), 2)]
    assert value("clip_f", take, bench) == pytest.approx(100 * np.mean(adjacent), abs=1e-3)
    assert value("clip_v", take, bench) == pytest.approx(100 * np.mean(across), abs=1e-3)


def test_one_view_shown_twice_has_the_clip_v_of_100_and_a_still_film_the_clip_f_of_100(networks):
    twice = take_of(np.stack([WAVES[0], WAVES[0]]))
    still = take_of(np.repeat(WAVES[:, :1], 5, axis=1))
    assert value("clip_v", twice, Bench(networks)) == pytest.approx(100, abs=1e-4)
    assert value("clip_f", still, Bench(networks)) == pytest.approx(100, abs=1e-4)


def test_clip_t_follows_the_prompt_and_says_how_many_words_counted(networks):
    bench = Bench(networks)
    short, long = (measure("clip_t", take_of(WAVES, prompt=p), bench) for p in ("a red ball", "blue cube " * 60))
    assert short.value != pytest.approx(long.value, abs=1e-3)
    assert short.notes == ("3 of 3 words of the prompt",)
    assert long.notes == ("75 of 120 words of the prompt",)


# ---- sets


def test_a_set_has_no_distance_from_itself_and_one_from_another(networks):
    def of(seed):
        return [take_of(waves(3, 16, 40, 56, seed + number), fps=8) for number in range(3)]

    bench = Bench(networks, every=6)
    same = run(of(0), SET_METRICS, bench, lambda: of(0))["metrics"]
    other = run(of(0), SET_METRICS, bench, lambda: of(50))["metrics"]
    for name in SET_METRICS:
        assert same[name]["value"] <= 1e-5 * other[name]["value"]
        assert "items against" in other[name]["notes"][0]
        assert "too large" in other[name]["notes"][1]  # fewer items than features
    assert other["fid"]["notes"][0].startswith("27 items")  # 3 takes x 3 views x 3 moments
    assert other["fvd"]["notes"][0].startswith("9 items")  # a clip of 16 frames of each view
    assert other["fvd_v"]["notes"][0].startswith("9 items")  # 3 takes x 3 moments


def test_the_clips_of_fvd_v_repeat_the_views_in_the_order_of_their_azimuths():
    rig = orbit_rig([40.0, -20.0, 10.0], [10.0], [4.0])
    take = take_of(WAVES, rig)
    assert azimuth_order(take) == [1, 2, 0]
    (first, *_) = Bench(every=5).clips_over_views(take)
    assert len(first) == 16
    shown = [next(v for v in range(3) if np.array_equal(picture, WAVES[v, 0])) for picture in first]
    assert shown == [1] * 6 + [2] * 5 + [0] * 5


def test_takes_of_one_view_or_of_other_kinds_are_not_compared_in_silence(networks):
    one, two = take_of(waves(1, 10, 48, 64)), take_of(WAVES)
    for ours, theirs in ((two, one), (one, two), (two, two)):
        bench = Bench(networks, every=4)
        told = run([two, ours], ["fvd_v"], bench, lambda theirs=theirs: [two, theirs])["metrics"]["fvd_v"]
        assert ("not_measured" in told) == (one in (ours, theirs))
        assert told.get("not_measured", "") in ("", "of the take 'a take', there is one view only")
    told = run([two], ["fvd"], bench, lambda: [take_of(waves(3, 16, 48, 64))])["metrics"]["fvd"]
    assert told["notes"][-1] == "unlike takes, which do not compare: clips of 10 frames, clips of 16 frames"


def test_videos_below_nine_frames_have_no_fvd_but_the_other_numbers(networks):
    report = run([take_of(WAVES[:, :8])], ["fvd", "clip_f"], Bench(networks), lambda: [take_of(WAVES)])
    assert report["metrics"]["fvd"]["not_measured"] == (
        "of the take 'a take', the videos have 8 frames, but I3D needs 9"
    )
    assert "value" in report["metrics"]["clip_f"]


def test_the_clips_of_fvd_follow_each_other():
    take = take_of(waves(1, 40, 8, 8))
    clips = [*Bench().clips_over_time(take)]
    assert [len(clip) for clip in clips] == [16, 16]
    assert np.array_equal(clips[1][0], take.clips[0][16])


# ---- cameras, in the demo world


def test_shuffled_cameras_turn_the_badges_of_a_true_film_from_good_to_bad():
    from syncam_core.metrics.badges import AMBER, GREEN, color_of

    rig = orbit_rig([0.0, 75.0, -130.0, 160.0], [20.0, 12.0, 30.0, 15.0], [5.0, 4.7, 5.3, 5.0])
    film = (render(Scene.random(11), rig, 64, 64, frame_times(5)) * 255).round().byte().numpy()
    names = ["sync", "azimuth"]
    right = run([take_of(film, rig)], names, Bench(every=2))["metrics"]
    wrong = run([take_of(film, shuffled_cameras(rig))], names, Bench(every=2))["metrics"]
    own = score_scene(torch.from_numpy(film[:, ::2]).float() / 255, rig, reference_c2w=demo_reference_c2w())
    assert right["sync"]["value"] == pytest.approx(100 * own.reprojection_share)
    assert right["azimuth"]["value"] == own.azimuth_pair_deg
    assert wrong["azimuth"]["value"] > 10 * max(1.0, right["azimuth"]["value"])
    assert wrong["sync"]["value"] > right["sync"]["value"]
    assert (color_of("azimuth", right["azimuth"]), color_of("azimuth", wrong["azimuth"])) == (GREEN, AMBER)


# ---- what is missing


def test_what_a_metric_needs_is_said_in_a_sentence(tmp_path):
    one = take_of(WAVES[:1])
    report = run([one], list(METRICS), Bench(Networks([tmp_path])))
    reasons = {name: told["not_measured"] for name, told in report["metrics"].items()}
    assert "no prompt is known" in reasons["clip_t"]
    assert reasons["clip_v"] == reasons["mat_pix"] == "there is one view only"
    assert "no rig is known" in reasons["rot_err"]
    assert "no truth is given" in reasons["psnr"]
    for name in ("fid", "fvd"):
        assert "--reference FOLDER" in reasons[name]
    assert "model.safetensors (605 MB" in reasons["clip_f"]
    text = to_text(report)
    for name, metric in METRICS.items():
        assert metric.title in text
        assert reasons[name] in text
    assert "published no code" in text


def test_missing_networks_are_named_for_set_metrics_too(tmp_path):
    report = run([take_of(WAVES)], ["fid", "fvd", "fvd_v"], Bench(Networks([tmp_path])), lambda: [take_of(WAVES)])
    told = {name: one["not_measured"] for name, one in report["metrics"].items()}
    assert "weights-inception-2015-12-05-6726825d.pth (96 MB" in told["fid"]
    assert "i3d_pretrained_400.pt (51 MB" in told["fvd"]
    assert str(tmp_path) in told["fvd_v"]


def test_gim_dkm_says_why_it_is_not_there_and_that_matchers_do_not_compare():
    sentence = measure("mat_pix", take_of(WAVES), Bench(matcher="gim-dkm"))
    assert "kornia" in sentence
    assert "one matcher only" in sentence


def test_matched_pixels_are_more_between_equal_pictures_than_between_strangers():
    shape = (1, 1, 120, 160)
    texture = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    other = np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    assert texture.shape[:2] == shape[2:]
    same = measure("mat_pix", take_of(np.stack([texture[None], texture[None]])), Bench(matcher="sift"))
    different = measure("mat_pix", take_of(np.stack([texture[None], other[None]])), Bench(matcher="sift"))
    assert same.value > 0.1
    assert different.value < 0.1 * same.value
    assert "confidence > 0.2" in same.notes[0]


@pytest.mark.parametrize("text", ["", "all", " ALL "])
def test_all_metrics_are_meant_by_nothing_and_by_all(text):
    assert chosen(text) == list(METRICS)


def test_metrics_are_chosen_by_name_or_title_and_others_refused():
    assert chosen("CLIP-V; psnr, clip-v") == ["clip_v", "psnr"]
    with pytest.raises(UserError, match="'vbench'"):
        chosen("psnr, vbench")


# ---- reports


def test_a_report_of_several_takes_has_means_with_intervals(networks):
    takes = [take_of(waves(2, 4, 40, 48, seed)) for seed in range(4)]
    report = run(takes, ["clip_v"], Bench(networks, every=1))
    each = [take["metrics"]["clip_v"]["value"] for take in report["takes"]]
    told = report["metrics"]["clip_v"]
    assert told["value"] == pytest.approx(np.mean(each))
    assert min(each) <= told["low"] <= told["value"] <= told["high"] <= max(each)
    assert told["takes"] == 4


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}', '{"format": "syncam-metrics", "metrics": 3}'])
def test_what_is_no_report_is_refused(text):
    with pytest.raises(UserError, match=r"'x\.json' is no report"):
        read_report(text, "x.json")


def test_an_interrupt_between_two_steps_ends_the_work(networks):
    class Interrupted(Exception):
        pass

    def stop(share):
        if share > 0.3:
            raise Interrupted

    with pytest.raises(Interrupted):
        run([take_of(WAVES)], ["clip_v"], Bench(networks, progress=stop))


def test_only_frames_that_are_looked_at_are_made(networks):
    made = []

    class Watched(Footage):
        def __getitem__(self, index):
            made.append(index)
            return super().__getitem__(index)

    clips = tuple(Watched(view) for view in WAVES)
    measure("clip_v", Take("watched", clips), Bench(networks, every=5))
    assert sorted(set(made)) == [0, 1, 5, 6]
    assert len(made) == 4 * len(clips)


def test_other_rates_are_brought_to_common_times():
    take = take_of(waves(1, 24, 8, 8), fps=24.0)
    slow = take.at_rate(6)
    assert slow.frames == 6
    assert np.array_equal(slow.clips[0][2], take.clips[0][8])
    nearest = take.at_rate(10)  # at 0, 2.4, 4.8, 7.2, ... of its frames
    assert [np.array_equal(nearest.clips[0][k], take.clips[0][at]) for k, at in enumerate((0, 2, 5, 7, 10))] == [
        True
    ] * 5
    moving = replace(take, rig=rig_for(1, 24)).at_rate(6)
    assert torch.equal(moving.rig.c2w[:, 3], rig_for(1, 24).c2w[:, 12])
    with pytest.raises(UserError, match="24 frames per second"):
        take.at_rate(30)


def test_i3d_and_inception_of_the_real_layout_are_what_the_bench_runs(networks):
    take = take_of(waves(1, 16, 40, 56))
    state = plain.random_state(plain.i3d_shapes())
    frames = torch.stack([torch.from_numpy(take.clips[0][at]) for at in range(16)]).permute(0, 3, 1, 2).float()
    shown = torch.nn.functional.interpolate(frames, (224, 224), mode="bilinear", align_corners=False)
    with torch.no_grad():
        expected = plain.plain_i3d(state, (shown / 127.5 - 1).transpose(0, 1)).numpy()
    got = Bench(networks).clip_logits(take)
    assert got.shape == (1, i3d.CLASSES)
    np.testing.assert_allclose(got[0], expected, rtol=1e-3, atol=1e-4)
    assert load_file(networks.folders[0] / "clip.safetensors")["logit_scale"].shape == ()


def test_the_best_of_our_rows_is_the_lowest_or_the_highest_as_the_metric_has_it():
    def report(lpips, psnr):
        return {"metrics": {"lpips": {"value": lpips}, "psnr": {"value": psnr}}}

    table = table_of("table3", [("a", report(0.2, 18.0)), ("b", report(0.3, 21.0))], with_paper=True)
    rows = [method for method, _ in table.rows]
    columns = table.layout.columns
    assert table.best() == {(rows.index("a"), columns.index("lpips")), (rows.index("b"), columns.index("psnr"))}
