"""The JSON Schema of the rig JSON says the same as its reader, wherever a schema can."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import rig_cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from syncam_core.cameras import Rig, orbit_rig, rig_from_json, rig_to_json
from syncam_core.cameras import rig as rig_module
from syncam_core.cameras.keyframes import EASES, INTERPOLATIONS
from syncam_core.cameras.rig_json import FORMAT, MAX_FRAMES, VERSION, rig_from_document
from syncam_core.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "syncam_core" / "cameras" / "rig.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def named(cases):
    return [pytest.param(case, id=case["name"][:60]) for case in cases]


def document_of(case) -> object:
    """The parsed document; a byte order mark is not part of JSON, and a number beyond every float is infinite."""
    return json.loads(rig_cases.text_of(case).removeprefix("\ufeff"))


def is_json(case) -> bool:
    try:
        document_of(case)
    except ValueError:
        return False
    return True


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("case", named(rig_cases.ACCEPTED))
def test_every_accepted_case_is_valid(case):
    VALIDATOR.validate(document_of(case))


@pytest.mark.parametrize("case", named(filter(is_json, rig_cases.REFUSED)))
def test_a_refused_case_is_invalid_where_a_schema_can_say_so(case):
    assert VALIDATOR.is_valid(document_of(case)) != case["schema"]


def test_most_refusals_of_the_shared_cases_are_those_of_a_schema():
    can = [case["schema"] for case in filter(is_json, rig_cases.REFUSED)]
    assert sum(can) > 0.8 * len(can)


def test_what_the_pack_writes_is_valid():
    moving = [{"frame": 0, "azimuth": 0, "distance": 3}, {"frame": 4, "azimuth": 90, "distance": 3}]
    rigs = [orbit_rig([0, 30]), rig_from_json(json.dumps({"cameras": [{"keyframes": moving}]}))]
    rigs.append(Rig(names=("雪", "b"), c2w=orbit_rig([0, 1]).c2w.expand(2, 7, 4, 4)))
    for rig in rigs:
        VALIDATOR.validate(json.loads(rig_to_json(rig, {"prompt": {"1": [None, 2**64, 0.5]}})))


def test_every_rig_of_the_help_page_is_valid():
    page = (ROOT / "web" / "docs" / "SynCamRigJSON.md").read_text(encoding="utf-8")
    rigs = [json.loads(block.split("```")[0]) for block in page.split("```json\n")[1:]]
    assert len(rigs) >= 3
    for rig in rigs:
        VALIDATOR.validate(rig)
        assert rig_from_document(rig).views == len(rig["cameras"])


def test_words_and_limits_of_the_schema_are_those_of_the_code():
    properties, kinds = SCHEMA["properties"], SCHEMA["$defs"]
    assert (properties["format"]["const"], properties["version"]["const"]) == (FORMAT, VERSION)
    assert properties["cameras"]["maxItems"] == rig_module.MAX_VIEWS
    assert properties["frames"]["maximum"] == MAX_FRAMES == kinds["frame"]["maximum"] + 1
    assert kinds["name"]["maxLength"] == rig_module.MAX_NAME_LENGTH
    assert tuple(kinds["ease"]["enum"]) == EASES
    assert tuple(kinds["camera"]["properties"]["interpolation"]["enum"]) == INTERPOLATIONS
    lens = rig_module.Lens()
    assert kinds["lens"]["properties"]["focal_mm"]["default"] == lens.focal_mm
    assert kinds["lens"]["properties"]["sensor_width_mm"]["default"] == lens.sensor_width_mm
    assert kinds["cosine"]["maximum"] >= math.sqrt(1 + rig_module.ROTATION_TOLERANCE)
    assert kinds["matrixRow"]["prefixItems"][3]["maximum"] == rig_module.MAX_COORDINATE_M


# What only the reader can see, as it says it. Any other refusal has to be one of the schema, too.
BEYOND_A_SCHEMA = (
    "is not a rotation",
    "is mirrored",
    "is scaled by",
    "has the last row",
    " stands at ",
    "as is cameras[",
    "the keyframe before it has",
    "frames but cameras[",
    "frames, but frames is",
    "so the last one has the number",
    "NaN",
)

numbers = st.floats(allow_nan=False) | st.integers() | st.sampled_from([0, 1, -90, 90, 1e6, 1e9, 10**400])
plain = st.none() | st.booleans() | st.text(max_size=3) | numbers
values = plain | st.lists(plain, max_size=4) | st.dictionaries(st.text(max_size=3), plain, max_size=2)
matrix = st.just([[1, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, -2]])
pose = {
    "azimuth": numbers | values,
    "elevation": st.floats(-95, 95) | values,
    "distance": st.floats(-1, 9) | values,
    "roll": numbers | values,
    "target": st.lists(numbers, min_size=2, max_size=4) | values,
    "c2w": matrix | st.lists(matrix, max_size=3) | st.lists(st.lists(numbers, max_size=5), max_size=5) | values,
}
keyframe = st.fixed_dictionaries({}, optional={"frame": numbers, "ease": st.sampled_from(EASES) | values, **pose})
good = st.fixed_dictionaries({"azimuth": st.floats(-9, 9), "distance": st.floats(1, 9)})
camera = st.fixed_dictionaries(
    {},
    optional={
        **pose,
        "name": st.text(max_size=70) | values,
        "color": st.from_regex("#[0-9a-fA-F]{5,7}") | values,
        "lens": st.dictionaries(st.sampled_from(["focal_mm", "sensor_width_mm", "focal"]), numbers) | values,
        "keyframes": st.lists(keyframe, max_size=3) | values,
        "interpolation": st.sampled_from(INTERPOLATIONS) | values,
        "frame": values,
    },
)


@patient
@given(
    st.lists(st.builds(dict.__or__, good | st.just({}), camera) | good, max_size=3) | values,
    st.fixed_dictionaries({}, optional=dict.fromkeys(("format", "version", "metadata", "frames", "camera"), values)),
)
def test_reader_and_schema_agree_on_anything(cameras, top):
    document = {"cameras": cameras, **top}
    try:
        rig_from_document(document)
    except UserError as problem:
        sentence = str(problem)
        assert not VALIDATOR.is_valid(document) or any(words in sentence for words in BEYOND_A_SCHEMA), sentence
    else:
        VALIDATOR.validate(document)
