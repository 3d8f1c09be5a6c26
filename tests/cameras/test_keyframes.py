"""Moving cameras: keyframes in the rig JSON, and the frames between them."""

from __future__ import annotations

import json
import math
import time
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import rig_cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from syncam_core.cameras import encode_cameras, orbit_c2w, rig_from_json, rig_to_json
from syncam_core.cameras.keyframes import EASES, bake_keyframes, eased, orbit_matrices
from syncam_core.errors import UserError

patient = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def named(cases):
    return [pytest.param(case, id=case["name"][:60]) for case in cases]


def lens_keys(rig) -> list[dict[str, float]]:
    return [{"focal_mm": lens.focal_mm, "sensor_width_mm": lens.sensor_width_mm} for lens in rig.lenses]


# -- the cases that Python and JavaScript share ------------------------------------------------------------------------


@pytest.mark.parametrize("case", named(rig_cases.ACCEPTED))
def test_an_accepted_case_has_the_cameras_that_were_derived_for_it(case):
    rig = rig_from_json(rig_cases.text_of(case))
    rig_cases.check(case, list(rig.names), list(rig.colors), lens_keys(rig), rig.c2w.numpy())


@pytest.mark.parametrize("case", named(rig_cases.ACCEPTED))
def test_an_accepted_case_is_the_same_rig_once_written_and_read(case):
    rig = rig_from_json(rig_cases.text_of(case))
    back = rig_from_json(rig_to_json(rig))
    assert np.array_equal(back.c2w.numpy(), rig.c2w.numpy())
    assert (back.names, back.colors, back.lenses) == (rig.names, rig.colors, rig.lenses)


@pytest.mark.parametrize("case", named(rig_cases.REFUSED))
def test_a_refused_case_is_refused_with_one_sentence_that_names_the_place(case):
    with pytest.raises(UserError, match=r".") as refused:
        rig_from_json(rig_cases.text_of(case))
    sentence = str(refused.value)
    assert type(refused.value) is UserError
    assert case["place"] in sentence
    assert len(sentence) < 400
    assert sentence.endswith((".", "?", "}"))
    assert "\n" not in sentence


# -- the numbers between keyframes, by a second implementation -----------------------------------------------------------


def exact_pchip(at: list[int], values: list[float], when: Fraction) -> float:
    """Monotone cubic interpolation in exact rational numbers, by its textbook definition and the Hermite basis."""
    x, y = list(map(Fraction, at)), list(map(Fraction, values))
    h = [b - a for a, b in pairwise(x)]
    m = [(b - a) / step for (a, b), step in zip(pairwise(y), h, strict=True)]
    if len(x) == 2:
        d = [m[0], m[0]]
    else:
        d = [exact_end(h[0], h[1], m[0], m[1])]
        for k in range(1, len(m)):
            w1, w2 = 2 * h[k] + h[k - 1], h[k] + 2 * h[k - 1]
            d.append(Fraction(0) if m[k - 1] * m[k] <= 0 else (w1 + w2) / (w1 / m[k - 1] + w2 / m[k]))
        d.append(exact_end(h[-1], h[-2], m[-1], m[-2]))
    k = max(i for i in range(len(h)) if x[i] <= when)
    u = (when - x[k]) / h[k]
    return float(
        y[k] * (1 + 2 * u) * (1 - u) ** 2
        + h[k] * d[k] * u * (1 - u) ** 2
        + y[k + 1] * u**2 * (3 - 2 * u)
        + h[k] * d[k + 1] * u**2 * (u - 1)
    )


def exact_end(h0: Fraction, h1: Fraction, m0: Fraction, m1: Fraction) -> Fraction:
    slope = ((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)
    if slope * m0 <= 0:
        return Fraction(0)
    return 3 * m0 if m0 * m1 < 0 and abs(slope) > 3 * abs(m0) else slope


def exact_time(at: list[int], eases: list[str], frame: int) -> Fraction:
    if not at[0] < frame < at[-1]:
        return Fraction(min(max(frame, at[0]), at[-1]))
    k = max(i for i in range(len(at)) if at[i] <= frame)
    u = Fraction(frame - at[k], at[k + 1] - at[k])
    share = {"none": u, "in": u * u, "out": 1 - (1 - u) ** 2, "in_out": 3 * u**2 - 2 * u**3, "hold": Fraction(0)}
    return at[k] + share[eases[k]] * (at[k + 1] - at[k])


tracks = st.integers(2, 5).flatmap(
    lambda count: st.tuples(
        st.lists(st.integers(0, 40), min_size=count, max_size=count, unique=True).map(sorted),
        st.lists(st.sampled_from(EASES), min_size=count, max_size=count),
        st.lists(st.integers(-20, 20), min_size=count, max_size=count),
        st.lists(st.floats(-5, 5), min_size=3 * count, max_size=3 * count),
    )
)


@patient
@given(tracks)
def test_smooth_numbers_are_the_monotone_cubic_at_the_eased_time(track):
    at, eases, values, _ = track
    orbits = np.zeros((len(at), 7))
    orbits[:, 2] = 1.0
    orbits[:, 4] = values  # with azimuth 0 the x coordinate of the target is the x coordinate of the camera
    c2w = bake_keyframes(at, orbits, 45, "smooth", eases)
    expected = [exact_pchip(at, values, exact_time(at, eases, frame)) for frame in range(45)]
    assert np.abs(c2w[:, 0, 3] - expected).max() < 1e-12
    assert c2w[:, 0, 3].min() >= min(values)
    assert c2w[:, 0, 3].max() <= max(values)


@patient
@given(tracks, st.integers(0, 2**32 - 1))
def test_rotations_are_those_of_slerp_at_the_eased_time(track, seed):
    at, eases, _, numbers = track
    rotations = Rotation.from_quat(np.random.default_rng(seed).normal(size=(len(at), 4)))
    c2w = np.tile(np.eye(4), (len(at), 1, 1))
    c2w[:, :3, :3] = rotations.as_matrix()
    c2w[:, :3, 3] = np.reshape(numbers, (-1, 3))
    baked = bake_keyframes(at, c2w, 45, "linear", eases)
    times = [float(exact_time(at, eases, frame)) for frame in range(45)]
    assert np.abs(baked[:, :3, :3] - Slerp(at, rotations)(times).as_matrix()).max() < 1e-9
    for axis in range(3):
        assert np.abs(baked[:, axis, 3] - np.interp(times, at, c2w[:, axis, 3])).max() < 1e-12
    assert np.array_equal(baked[at], c2w)


@patient
@given(*[st.floats(-720, 720)] * 3, st.floats(0.01, 100), st.lists(st.floats(-9, 9), min_size=3, max_size=3))
def test_many_orbits_are_those_that_orbit_c2w_makes(azimuth, roll, elevation, distance, target):
    orbit = np.array([[azimuth, elevation / 8, distance, roll, *target]])
    expected = orbit_c2w(azimuth, elevation / 8, distance, roll, target).numpy()
    assert np.abs(orbit_matrices(orbit)[0] - expected).max() < 1e-12


def test_an_orbit_keeps_the_distance_and_looks_at_the_target_in_every_frame():
    keyframes = [{"frame": 0, "azimuth": 0, "distance": 4, "ease": "in_out", "target": [1, -1, 2]}]
    keyframes += [{"frame": 80, "azimuth": 350, "elevation": 30, "distance": 4, "target": [1, -1, 2]}]
    c2w = rig_from_json(json.dumps({"cameras": [{"keyframes": keyframes}]})).c2w[0].numpy()
    away = np.array([1, -1, 2]) - c2w[:, :3, 3]
    assert np.abs(np.linalg.norm(away, axis=1) - 4).max() < 1e-12
    assert np.abs(away / 4 - c2w[:, :3, 2]).max() < 1e-12
    azimuths = np.unwrap(np.arctan2(-away[:, 0], away[:, 2]))
    assert np.abs(np.degrees(azimuths[-1]) - 350) < 1e-9  # the long way, as the numbers say


def test_eases_are_the_curves_of_the_help_page():
    u = np.array([0, 0.25, 0.5, 1])
    assert eased(u, "none").tolist() == [0, 0.25, 0.5, 1]
    assert eased(u, "in").tolist() == [0, 0.0625, 0.25, 1]
    assert eased(u, "out").tolist() == [0, 0.4375, 0.75, 1]
    assert eased(u, "in_out").tolist() == [0, 0.15625, 0.5, 1]
    assert eased(u, "hold").tolist() == [0, 0, 0, 0]


def test_a_rig_with_keyframes_can_be_encoded_for_a_video_of_its_length():
    keyframes = [{"frame": 0, "azimuth": 0, "distance": 2}, {"frame": 80, "azimuth": 90, "distance": 2}]
    rig = rig_from_json(json.dumps({"cameras": [{"azimuth": 0, "distance": 2}, {"keyframes": keyframes}]}))
    poses = encode_cameras(rig, 81).poses
    assert poses.shape == (2, 21, 12)
    half = math.sqrt(0.5)  # at frame 40 it looks from 45 degrees; lengths in units of 2 m
    expected = [half, 0, -half, half, 0, 1, 0, 0, half, 0, half, 1 - half]
    assert np.abs(poses[1, 10].numpy() - expected).max() < 1e-6


# -- limits ----------------------------------------------------------------------------------------------------------


def refusal(text: str) -> tuple[str, float]:
    start = time.process_time()
    with pytest.raises(UserError, match=r".") as refused:
        rig_from_json(text)
    return str(refused.value), time.process_time() - start


def test_ten_thousand_frames_are_baked_and_one_more_is_refused():
    ends = [{"frame": 0, "azimuth": 0, "distance": 3}, {"frame": 9_999, "azimuth": 90, "distance": 3}]
    assert rig_from_json(json.dumps({"cameras": [{"keyframes": ends}]})).frames == 10_000
    ends[1]["frame"] = 10_000
    sentence, _ = refusal(json.dumps({"cameras": [{"keyframes": ends}]}))
    assert "frame is 10000, but a rig of 1 camera has at most 10000 frames" in sentence


def test_sixty_four_cameras_have_at_most_two_thousand_frames():
    ends = [{"frame": 0, "azimuth": 0, "distance": 3}, {"frame": 1_999, "azimuth": 90, "distance": 3}]
    start = time.process_time()
    assert rig_from_json(json.dumps({"cameras": [{"keyframes": ends}] * 64})).frames == 2000
    assert time.process_time() - start < 10
    sentence, seconds = refusal(json.dumps({"frames": 9_000, "cameras": [{"keyframes": ends}] * 64}))
    assert "frames is 9000, but a rig of 64 cameras has at most 2000 frames" in sentence
    assert seconds < 1


def test_a_list_of_more_matrices_than_frames_are_possible_is_refused_before_it_is_read():
    matrix = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    sentence, seconds = refusal(json.dumps({"cameras": [{"c2w": [matrix] * 10_001}]}))
    assert "cameras[0].c2w lists 10001 matrices, but a rig of 1 camera has at most 10000 frames" in sentence
    assert seconds < 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x" * 200_000_000, "200000000 characters"),
        ('{"cameras": [' + '{"keyframes":[' * 100_000, "nested too deeply"),
        ('{"cameras": [{"keyframes": [' + ",".join(['{"frame": 0}'] * 400_000) + "]}]}", "at most 10000 frames"),
        ('{"cameras": [{"keyframes": ' + "[" * 500 + "]" * 500 + "}]}", r"keyframes[0] is a list of 1 items"),
        ('{"cameras": [], "frames": 1' + "0" * 5_000_000 + "}", "cameras is an empty list"),
        ('{"cameras": [{"azimuth": 0, "distance": 3}], "frames": 1' + "0" * 5_000_000 + "}", "frames is inf"),
    ],
    ids=["200 MB", "deep", "many keyframes", "deep keyframes", "many digits and no cameras", "many digits"],
)
def test_hostile_documents_are_refused_in_bounded_time(text, said):
    sentence, seconds = refusal(text)
    assert said in sentence
    assert len(sentence) < 400
    assert seconds < 10


def test_metadata_may_be_a_hundred_levels_deep():
    document = {"cameras": [{"azimuth": 0, "distance": 3}], "metadata": {"a": 1}}
    for _ in range(99):
        document["metadata"] = {"a": document["metadata"]}
    assert rig_from_json(json.dumps(document)).views == 1
    document["metadata"] = {"a": document["metadata"]}
    assert "metadata is nested more than 100 levels" in refusal(json.dumps(document))[0]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
near_keyframes = st.fixed_dictionaries(
    {"frame": st.integers(0, 30) | json_values},
    optional={
        "azimuth": st.floats(-400, 400) | json_values,
        "distance": st.floats(0.1, 9) | json_values,
        "ease": st.sampled_from(EASES) | json_values,
        "c2w": st.just([[1, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, -2]]) | json_values,
        "target": json_values,
    },
)


@patient
@given(st.lists(near_keyframes, max_size=4), st.integers(1, 40) | json_values)
def test_anything_like_keyframes_gives_a_rig_or_a_sentence(keyframes, frames):
    try:
        rig = rig_from_json(json.dumps({"frames": frames, "cameras": [{"keyframes": keyframes}]}))
    except ValueError:  # any other exception fails the test
        return
    assert rig.frames == (1 if len(keyframes) == 1 else frames)
