"""The rig JSON in JavaScript: the accepted cases as in Python, in Node.js, without a browser.

Whether a text is a rig at all is judged by the pack's route; see tests/server/test_rig_routes.py."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
import rig_cases

from syncam_core.cameras import PALETTE, orbit_c2w, rig_from_json, rig_to_json
from syncam_core.cameras import rig as rig_module
from syncam_core.cameras import rig_json as rig_json_module
from syncam_core.cameras.keyframes import EASES, INTERPOLATIONS
from syncam_core.cameras.rig_json import tracks

# For every text what the library makes of it, as text: the transport between Node.js and test would lose half characters.
READ = """async (texts) => {
    const { bake, frameCount, parseRig, writeRig } = await import("/rig.mjs");
    const outcome = (text) => {
        try {
            const doc = parseRig(text);
            const { views, frames, c2w } = bake(doc);
            return { doc, count: frameCount(doc), views, frames, c2w: [...c2w], written: writeRig(doc) };
        } catch (problem) {
            return { problem: problem.message };
        }
    };
    return JSON.stringify(JSON.parse(texts).map(outcome));
}"""


def read_all(javascript, texts: list[str]) -> list[dict]:
    return json.loads(javascript.evaluate(READ, json.dumps(texts)))


def in_library(javascript, script: str, argument=None):
    """Run a function body with the library as `rig` and one JSON value as `given`."""
    source = f"async (text) => {{ const rig = await import('/rig.mjs'); const given = JSON.parse(text); {script} }}"
    return javascript.evaluate(source, json.dumps(argument))


def matrices(outcome: dict) -> np.ndarray:
    return np.array(outcome["c2w"]).reshape(outcome["views"], outcome["frames"], 4, 4)


def same_rig(one, other) -> bool:
    same = (one.names, one.colors, one.lenses) == (other.names, other.colors, other.lenses)
    return same and np.array_equal(one.c2w.numpy(), other.c2w.numpy())


# -- the cases that Python and JavaScript share ------------------------------------------------------------------------


def test_accepted_cases_have_the_cameras_that_were_derived_for_them_and_python_agrees(javascript):
    outcomes = read_all(javascript, [rig_cases.text_of(case) for case in rig_cases.ACCEPTED])
    for case, outcome in zip(rig_cases.ACCEPTED, outcomes, strict=True):
        assert "problem" not in outcome, (case["name"], outcome)
        cameras = outcome["doc"]["cameras"]
        attributes = [[camera[key] for camera in cameras] for key in ("name", "color", "lens")]
        rig_cases.check(case, *attributes, matrices(outcome))
        rig = rig_from_json(rig_cases.text_of(case))
        assert outcome["count"] == outcome["frames"] == rig.frames
        rig_cases.agree(matrices(outcome), rig.c2w.numpy(), case["name"])


def test_a_document_that_was_written_is_the_same_document_here_and_the_same_rig_in_python(javascript):
    outcomes = read_all(javascript, [rig_cases.text_of(case) for case in rig_cases.ACCEPTED])
    again = read_all(javascript, [outcome["written"] for outcome in outcomes])
    for case, outcome, back in zip(rig_cases.ACCEPTED, outcomes, again, strict=True):
        assert back["doc"] == outcome["doc"], case["name"]
        assert back["written"] == outcome["written"]
        assert same_rig(rig_from_json(outcome["written"]), rig_from_json(rig_cases.text_of(case))), case["name"]


def test_what_python_writes_is_read_as_the_same_rig_and_written_as_the_same_rig(javascript):
    rigs = [rig_from_json(rig_cases.text_of(case)) for case in rig_cases.ACCEPTED]
    outcomes = read_all(javascript, [rig_to_json(rig) for rig in rigs])
    for rig, outcome in zip(rigs, outcomes, strict=True):
        assert np.array_equal(matrices(outcome), rig.c2w.numpy())
        assert same_rig(rig_from_json(outcome["written"]), rig)


def test_metadata_is_carried_as_it_was_even_where_a_number_cannot_hold_it(javascript):
    metadata = {
        "seed": 2**64 - 1,
        "negative": -(2**60) - 1,
        "list": [1.5, None, True, {"__proto__": {"a": 1}, "10": "\ud800 雪", "9": 1e22, "": -0.0}],
    }
    text = json.dumps({"cameras": [{"azimuth": 0, "distance": 3}], "metadata": metadata})
    (outcome,) = read_all(javascript, [text])
    assert json.loads(outcome["written"])["metadata"] == metadata
    changed = in_library(
        javascript, "const doc = rig.parseRig(given); doc.metadata.list = [2]; return rig.writeRig(doc)", text
    )
    # once changed it is written from JavaScript's own numbers
    back = json.loads(changed)["metadata"]
    assert (float(back["seed"]), float(back["negative"]), back["list"]) == (2.0**64, -(2.0**60), [2])


# -- random documents --------------------------------------------------------------------------------------------------


def random_document(random: random.Random) -> dict:
    length = random.choice([1, 2, 5, 30])
    document = {"cameras": [random_camera(random, length) for _ in range(random.randint(1, 4))]}
    if random.random() < 0.3:
        document["frames"] = length
    return document


def random_camera(random: random.Random, length: int) -> dict:
    form = random.choice(["angles", "matrix", "list", "keyframes", "keyframes", "matrix keyframes"])
    if form == "angles":
        return random_orbit(random)
    if form == "matrix":
        return {"c2w": random_matrix(random)}
    if form == "list":
        return {"c2w": [random_matrix(random) for _ in range(length)]}
    at = sorted(random.sample(range(length), random.randint(1, min(5, length))))
    pose = random_orbit if form == "keyframes" else lambda random: {"c2w": random_matrix(random)}
    keyframes = [{"frame": frame, "ease": random.choice(EASES), **pose(random)} for frame in at]
    return {"interpolation": random.choice(INTERPOLATIONS), "keyframes": keyframes}


def random_orbit(random: random.Random) -> dict:
    orbit = {"azimuth": random.choice([0, 90, random.uniform(-720, 720)]), "distance": random.uniform(0.1, 9)}
    for key, values in (("elevation", (-90, 90, 0, random.uniform(-90, 90))), ("roll", (random.uniform(-200, 200),))):
        if random.random() < 0.6:
            orbit[key] = random.choice(values)
    if random.random() < 0.4:
        orbit["target"] = [random.choice([0, 1, random.uniform(-5, 5)]) for _ in range(3)]
    return orbit


def random_matrix(random: random.Random) -> list[list[float]]:
    angles = (random.choice([0, 90, 180, random.uniform(-180, 180)]), random.choice([0, 90, random.uniform(-90, 90)]))
    digits = random.choice([4, 6, 17])  # as files have them
    rows = orbit_c2w(*angles, random.uniform(0.1, 9), random.choice([0, 180, random.uniform(-180, 180)])).tolist()
    return [[round(number, digits) for number in row] for row in rows[: random.choice([3, 4])]]


def test_three_hundred_random_documents_are_the_same_in_both_languages(javascript):
    numbers = random.Random(2412)
    texts = [json.dumps(random_document(numbers)) for _ in range(300)]
    accepted = 0
    for text, outcome in zip(texts, read_all(javascript, texts), strict=True):
        try:
            rig = rig_from_json(text)
        except ValueError:
            continue  # for the route to say
        accepted += 1
        rig_cases.agree(matrices(outcome), rig.c2w.numpy(), text)
        assert same_rig(rig_from_json(outcome["written"]), rig), text
    assert accepted > 150


# -- hostile texts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "'x'.repeat(200_000_000)",
        "'['.repeat(1_000_000)",
        "'{\"cameras\":'.repeat(100_000)",
        "'[' + ' '.repeat(17_000_000) + ']'",
        "'{\"cameras\": [' + '{\"frame\":0},'.repeat(400_000) + '0]}'",
        "'{\"cameras\": [{\"azimuth\": 0, \"distance\": 1' + '0'.repeat(9_000_000) + '}]}'",
        "'{\"' + '\\\\u0041'.repeat(2_000_000) + '\": 1}'",
        "'{\"cameras\": ' + '\\n'.repeat(9_000_000) + '!'",
        '\'{"frames": 1e9, "cameras": [{"azimuth": 0, "distance": 1}]}\'',
        '\'{"cameras": [{"keyframes": [{"frame": 0, "c2w": [[1]]}]}]}\'',
        '\'{"cameras": [{"azimuth": 0, "distance": 1, "target": [\' + \'0,\'.repeat(100_000) + \'0]}]}\'',
        "42",
        "null",
    ],
    ids=range(13),
)
def test_hostile_texts_are_no_picture_of_a_rig_and_take_bounded_time(javascript, text):
    refused, seconds = javascript.evaluate(f"""async () => {{
        const {{ parseRig }} = await import("/rig.mjs");
        const text = {text};
        const start = performance.now();
        try {{
            parseRig(text);
            return [false, 0];
        }} catch (problem) {{
            return [problem instanceof Error, (performance.now() - start) / 1e3];
        }}
    }}""")
    assert refused
    assert seconds < 10


# -- the functions of the library ----------------------------------------------------------------------------------------


def test_limits_and_words_are_those_of_python(javascript):
    names = [
        "FORMAT",
        "VERSION",
        "MAX_VIEWS",
        "MAX_FRAMES",
        "MAX_POSES",
        "MAX_NAME_LENGTH",
        "PALETTE",
        "EASES",
        "INTERPOLATIONS",
    ]
    values = in_library(javascript, "return given.map((name) => rig[name])", names)
    expected = [rig_json_module.FORMAT, rig_json_module.VERSION, rig_module.MAX_VIEWS]
    expected += [tracks.MAX_FRAMES, tracks.MAX_POSES, rig_module.MAX_NAME_LENGTH]
    assert values == [*expected, list(PALETTE), list(EASES), list(INTERPOLATIONS)]


def test_orbits_are_those_of_python_and_are_found_again(javascript):
    numbers = random.Random(7)
    orbits = [
        [numbers.uniform(-179, 179), numbers.uniform(-89, 89), numbers.uniform(0.1, 50), numbers.uniform(-179, 179)]
        for _ in range(50)
    ]
    targets = [[numbers.uniform(-9, 9) for _ in range(3)] for _ in orbits]
    orbits += [[30, 90, 3, 0], [-120, -90, 3, 0], [180, 0, 3, 0], [0, 0, 1e-3, 0]]
    targets += [[0, 0, 0]] * 4
    script = """return given.map(([orbit, target]) => {
        const c2w = rig.orbitC2w(...orbit, target);
        const found = rig.orbitOf(c2w, target);
        return [[...c2w], [found.azimuth, found.elevation, found.distance, found.roll]];
    });"""
    for (c2w, found), orbit, target in zip(
        in_library(javascript, script, list(zip(orbits, targets, strict=True))), orbits, targets, strict=True
    ):
        rig_cases.agree(np.array(c2w).reshape(4, 4), orbit_c2w(*orbit, target).numpy(), str(orbit))
        assert np.abs(np.array(found) - orbit).max() < 1e-6, orbit


def test_straight_above_the_target_a_roll_counts_as_azimuth(javascript):
    found = in_library(javascript, "return rig.orbitOf(rig.orbitC2w(30, 90, 3, 20), [0, 0, 0])")
    back = in_library(
        javascript, "return [...rig.orbitC2w(given.azimuth, given.elevation, given.distance, given.roll)]", found
    )
    assert (found["elevation"], found["roll"]) == (90, 0)
    rig_cases.agree(np.array(back).reshape(4, 4), orbit_c2w(30, 90, 3, 20).numpy(), "above")


def test_a_camera_that_looks_past_the_target_has_no_orbit(javascript):
    script = "return given.map((target) => rig.orbitOf(rig.orbitC2w(0, 0, 3), target) !== null)"
    past, away = 3 * np.tan(np.radians([0.009, 0.011])), [0, 0, -6]  # the camera stands at z = -3
    assert in_library(javascript, script, [[past[0], 0, 0], [past[1], 0, 0], away, [0, 0, -3]]) == [
        True,
        False,
        False,
        False,
    ]


def test_the_angles_of_a_moving_camera_are_those_that_are_baked(javascript):
    keyframes = [
        {"frame": 2, "azimuth": 0, "distance": 4, "ease": "in", "target": [0, 1, 0]},
        {"frame": 9, "azimuth": 40, "elevation": 20, "distance": 3, "roll": 5},
        {"frame": 14, "azimuth": -30, "elevation": 20, "distance": 5},
    ]
    text = json.dumps({"cameras": [{"keyframes": keyframes}, {"c2w": orbit_c2w(0, 0, 3).tolist()}]})
    script = """
        const doc = rig.parseRig(given);
        const baked = rig.bake(doc).c2w;
        const found = [];
        for (let frame = 0; frame < 15; frame++) {
            const { azimuth, elevation, distance, roll, target } = rig.orbitAt(doc.cameras[0], frame);
            const c2w = rig.orbitC2w(azimuth, elevation, distance, roll, target);
            found.push(c2w.every((number, index) => number === baked[16 * frame + index]));
        }
        return [found.every(Boolean), rig.orbitAt(doc.cameras[1], 0)];"""
    assert in_library(javascript, script, text) == [True, None]


def test_a_document_made_by_hand_may_leave_defaults_out(javascript):
    text = in_library(
        javascript,
        "return rig.writeRig({ frames: null, cameras: [{ keyframes: [{ frame: 0, azimuth: 10, distance: 2 }] }] })",
    )
    assert np.array_equal(rig_from_json(text).c2w[0, 0].numpy(), orbit_c2w(10, 0, 2).numpy())


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ("doc.cameras[1].keyframes[0].distance = NaN", "cameras[1].distance is NaN"),
        ("doc.cameras[0].keyframes[1].target[2] = Infinity", "cameras[0].keyframes[1].target[2] is Infinity"),
        ("doc.cameras[2].keyframes[0].c2w[5] = undefined", "cameras[2].c2w row 1 is undefined"),
        ("doc.cameras[1].lens.focal_mm = '24'", "cameras[1].lens.focal_mm is 24"),
        ("doc.frames = NaN", "frames is NaN"),
        ("doc.metadata = { a: [NaN] }", "metadata.a[0] is NaN"),
        ("doc.metadata = { a: () => 1 }", "metadata holds something that JSON cannot hold"),
        ("doc.metadata = [1]", "metadata is a list"),
        ("doc.metadata = {}; doc.metadata.a = doc.metadata", "metadata is nested"),
    ],
)
def test_a_document_that_cannot_be_written_is_refused_by_its_place(javascript, change, place):
    keyframes = [{"frame": frame, "azimuth": 0, "distance": 3} for frame in (0, 4)]
    cameras = [{"keyframes": keyframes}, {"azimuth": 0, "distance": 3}, {"c2w": orbit_c2w(0, 0, 3).tolist()}]
    script = f"const doc = rig.parseRig(given); {change}; try {{ return rig.writeRig(doc) }} catch (e) {{ return e.message }}"
    assert in_library(javascript, script, json.dumps({"cameras": cameras})).startswith(place)


def test_sixty_four_moving_cameras_are_read_and_baked_at_once(javascript):
    keyframes = [{"frame": 0, "azimuth": 0, "distance": 3}, {"frame": 40, "azimuth": 9, "distance": 3}]
    keyframes.append({"frame": 1_999, "azimuth": 90, "distance": 4})
    text = json.dumps({"cameras": [{"keyframes": keyframes}] * 64})
    script = """
        const start = performance.now();
        const { c2w } = rig.bake(rig.parseRig(given));
        return [c2w.length, performance.now() - start];"""
    length, milliseconds = in_library(javascript, script, text)
    assert length == 64 * 2_000 * 16
    assert milliseconds < 5_000  # 200 on an idle core
