"""The meter in JavaScript: the same cases as in Python, in Node.js, without a browser."""

from __future__ import annotations

import json

import meter_cases
import pytest

from syncam_core.cameras import orbit_rig, rig_from_json
from syncam_core.cameras.meter import measure, to_document

MEASURE = """async ([baked, lenses, names]) => {
    const { measure } = await import("/meter.mjs");
    return measure({ ...baked, c2w: Float64Array.from(baked.c2w) }, lenses, names);
}"""


def in_javascript(javascript, rig, names=True):
    baked = {"views": rig.views, "frames": rig.frames, "c2w": rig.c2w.flatten().tolist()}
    lenses = [{"focal_mm": lens.focal_mm, "sensor_width_mm": lens.sensor_width_mm} for lens in rig.lenses]
    return javascript.evaluate(MEASURE, [baked, lenses, list(rig.names) if names else None])


@pytest.mark.parametrize("name", meter_cases.NAMES)
def test_every_hand_made_case_has_the_known_answer_and_python_says_exactly_the_same(javascript, name):
    case = meter_cases.load(name)
    rig = rig_from_json(json.dumps(case["rig"]))
    answer = in_javascript(javascript, rig)
    meter_cases.check(case, answer)
    python = json.loads(json.dumps(to_document(measure(rig))))
    assert set(answer) == set(python)
    # both ways, so that neither has a key more
    meter_cases.match(answer, python, 1e-7, name)
    meter_cases.match(python, answer, 1e-7, name)


def test_cameras_without_names_are_called_by_their_number(javascript):
    answer = in_javascript(javascript, orbit_rig([0, 60]), names=False)
    assert answer["views"][1]["reason"] == "60° to the right of 'view 1' (trained: less than 30°)."


def test_forty_cameras_are_measured_within_a_few_screen_frames(javascript):
    rig = orbit_rig([i * 9 for i in range(40)], [i % 5 * 6 for i in range(40)])
    milliseconds = javascript.evaluate(
        """async ([c2w, lens]) => {
            const { measure } = await import("/meter.mjs");
            const baked = { views: 40, frames: 1, c2w: Float64Array.from(c2w) };
            const lenses = Array(40).fill(lens);
            measure(baked, lenses);
            const times = [];
            for (let i = 0; i < 5; i++) {
                const start = performance.now();
                measure(baked, lenses);
                times.push(performance.now() - start);
            }
            return Math.min(...times);
        }""",
        [rig.c2w.flatten().tolist(), {"focal_mm": 24, "sensor_width_mm": 23.76}],
    )
    print(f"40 cameras: {milliseconds:.1f} ms")
    assert milliseconds < 5_000  # 15 on an idle core
