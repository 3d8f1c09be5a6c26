"""JSON camera files that were made to hurt: a rig or one sentence, in bounded time."""

from __future__ import annotations

import copy
import json
import math
import time

import numpy as np
import pytest
from camera_cases import orbit_with_z_up
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.errors import UserError
from syncam_core.formats import FORMATS, blender_json, first_release, nerfstudio, opencv_json, syncamvideo

MODULES = (syncamvideo, first_release, nerfstudio, opencv_json, blender_json)
KEYS = {module: key for key, module in FORMATS.items()}
patient = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

ROWS = st.text("[]01.-e ,naif", max_size=30)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**309, -(10**309), math.nan, math.inf, 1e308, 1e-320, -0.0, 0])
    | st.floats()
    | ROWS,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.sampled_from(["x", "frame0", ""]), children),
    max_leaves=12,
)


def of(module, tmp_path) -> dict:
    path = tmp_path / "good.json"
    c2w = np.stack([[orbit_with_z_up(az + n, 5, 3) for n in range(2)] for az in (0, 30, 60)])
    rig = orbit_rig([0, 30, 60]) if module is first_release else Rig(names=("a", "b", "c"), c2w=c2w)
    module.write(rig, path)
    return json.loads(path.read_text())


def places(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from places(child, (*path, key))


def changed(document, path, value):
    if not path:
        return value
    document = copy.deepcopy(document)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    if value is KeyError:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return document


@pytest.mark.parametrize("module", MODULES, ids=KEYS.get)
@given(data=st.data())
@patient
def test_a_file_that_is_changed_somewhere_gives_a_rig_or_a_sentence(tmp_path, module, data):
    document = of(module, tmp_path)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(list(places(document))))
        value = data.draw(VALUES | st.just(KeyError)) if place else data.draw(VALUES)
        document = changed(document, place, value)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(document))
    problem = None
    try:
        module.read(path, unit_m=data.draw(st.sampled_from([None, 1.0, 1e-300, 1e300])))
    except UserError as refused:  # any other exception fails the test
        problem = refused
    assert problem is None or (type(problem) is UserError and 0 < len(str(problem)) < 500)
    assert "\n" not in str(problem)


@pytest.mark.parametrize("module", MODULES, ids=KEYS.get)
@pytest.mark.parametrize("unit", [0.0, -1.0, math.nan, math.inf, True, "1"])
def test_a_unit_that_is_no_length_is_refused(tmp_path, module, unit):
    path = tmp_path / "good.json"
    module.write(orbit_rig([0, 30]), path)
    with pytest.raises(UserError, match="unit_m"):
        module.read(path, unit_m=unit)
    with pytest.raises(UserError, match="unit_m"):
        module.write(orbit_rig([0, 30]), path, unit_m=unit)


@pytest.mark.parametrize("module", MODULES, ids=KEYS.get)
def test_large_files_of_nothing_are_refused_quickly(tmp_path, module):
    path = tmp_path / "large.json"
    for content in (
        '{"frames": [' + ",".join(["{}"] * 1_000_000) + "]}",
        '{"cameras": [' + ",".join(["{}"] * 1_000_000) + '], "unit_m": 1, "unit_scale": 1}',
        '{"frame0": {"a": "' + "[" * 4_000_000 + '"}}',
        '{"a": "' + "[0 " * 1_000_000 + '"}',
        '{"frames": [{"file_path": "' + "cam0" * 1_000_000 + '", "transform_matrix": [[1]]}]}',
    ):
        path.write_text(content)
        begun = time.process_time()
        with pytest.raises(UserError):
            module.read(path, unit_m=0.01)
        assert time.process_time() - begun < 10  # mostly parsing: the content is refused at its first entries


@pytest.mark.parametrize("module", MODULES, ids=KEYS.get)
def test_what_is_written_is_told_apart_from_all_other_formats(tmp_path, module):
    path = tmp_path / "cameras.json"
    module.write(orbit_rig([0, 30, 60], [10], [3]), path)
    head = path.read_bytes()[: 64 * 2**10]
    assert [other.NAME for other in FORMATS.values() if other.looks_like(path, head)] == [module.NAME]
