"""The rig JSON: written by hand, written by the pack, and written wrong."""

from __future__ import annotations

import json
import math
import re
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncam_core.cameras import PALETTE, Lens, Rig, orbit_c2w, rig_from_json, rig_to_json
from syncam_core.errors import UserError

ORBIT = {"azimuth": 0, "distance": 3}
ROWS = [[1, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, -2]]
LAST_ROW = [0, 0, 0, 1]

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(*cameras, **top) -> Rig:
    return rig_from_json(json.dumps({"cameras": list(cameras), **top}))


def changed(row: int, column: int, value) -> list[list]:
    rows = [list(numbers) for numbers in ROWS]
    rows[row][column] = value
    return rows


def test_a_camera_is_written_by_hand_as_azimuth_elevation_and_distance():
    rig = read(
        {"name": "front", "azimuth": 0, "distance": 3.0},
        {"azimuth": 30, "elevation": 10, "distance": 4, "roll": -5, "target": [0, -1, 2]},
        format="syncam-rig",
        version=1,
    )
    assert rig.names == ("front", "cam02")
    assert rig.colors == PALETTE[:2]
    assert rig.lenses == (Lens(24.0, 23.76),) * 2
    assert torch.equal(rig.c2w[0, 0], orbit_c2w(0, 0, 3))
    assert torch.equal(rig.c2w[1, 0], orbit_c2w(30, 10, 4, -5, (0, -1, 2)))


@pytest.mark.parametrize("matrix", [ROWS, [*ROWS, LAST_ROW], [*ROWS, [0, 0, 1e-9, 0.9999999]], [ROWS]])
def test_a_camera_is_written_as_a_matrix_of_three_or_four_rows(matrix):
    rig = read({"c2w": matrix, "color": "#ABCDEF", "lens": {"focal_mm": 35, "sensor_width_mm": 36}})
    assert torch.equal(rig.c2w[0, 0], torch.tensor([*ROWS, LAST_ROW], dtype=torch.float64))
    assert rig.colors == ("#abcdef",)
    assert rig.lenses == (Lens(35.0, 36.0),)


def test_moving_and_still_cameras_stand_side_by_side():
    moving = [changed(0, 3, 0.1 * frame) for frame in range(5)]
    rig = read({"c2w": moving}, ORBIT, {"c2w": [ROWS]})
    assert rig.frames == 5
    assert rig.c2w[0, :, 0, 3].tolist() == [0.1 * frame for frame in range(5)]
    assert torch.equal(rig.c2w[1], orbit_c2w(0, 0, 3).expand(5, 4, 4))


def test_every_example_of_the_help_page_is_a_rig():
    page = (Path(__file__).parents[2] / "web" / "docs" / "SynCamRigJSON.md").read_text(encoding="utf-8")
    full = rig_from_json(re.search(r"```json\n(.*?)```", page, re.DOTALL)[1])
    assert full.names == ("front", "right", "from a matrix")
    assert full.lenses == (Lens(),) * 3
    short = rig_from_json(re.search(r"`({.*})`", page)[1])
    assert torch.equal(short.c2w[0, 0, :3], torch.tensor(json.loads(re.search(r"`(\[\[.*\]\])`", page)[1])).double())


def test_names_left_out_do_not_collide_with_given_ones():
    assert read({"name": "cam02", **ORBIT}, ORBIT, ORBIT).names == ("cam02", "cam03", "cam04")


def test_a_byte_order_mark_and_metadata_do_no_harm():
    rig = rig_from_json('\ufeff{"cameras": [{"azimuth": 1, "distance": 2}], "metadata": {"any": [1, {"thing": null}]}}')
    assert rig.views == 1


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ('{"cameras": [}', "not JSON.*line 1, column 14"),
        ('{\n  "cameras": [],\n}', "not JSON.*line"),
        ('{"cameras": [] ', "comma or a closing bracket"),
        ('{"cameras": [1,\n ]}', r"a comma too many at line 1, column 15, near ','"),
        ('{"cameras": [], }', r"a comma too many at line 1, column 15, near ', }'"),
        ('{ // mine\n"cameras": []}', "JSON has no comments, but one begins at line 1, column 3"),
        ("{'cameras': []}", "keys and texts stand in double quotes at line 1, column 2"),
        ('{"cameras": None}', "JSON writes null for None at line 1, column 13"),
        ('{"cameras": []} x', "after the end.*column 17"),
        ('{"cameras": ["a', "closing double quote"),
        ('{"cameras": [], "cameras": []}', "'cameras' stands twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"cameras":' * 100_000, "nested too deeply"),
        ("[]", "an empty list, but an object"),
        ("[1, 2]", "a list of 2 items, but an object"),
        ("3", "is 3, but an object"),
        ("null", "is null, but an object"),
        ("{}", "no 'cameras'"),
        ('{"cameras": {}}', "cameras is an empty object, but a list"),
        ('{"cameras": null}', "cameras is null"),
        ('{"cameras": []}', "at least one camera"),
        ('{"cameras": [3]}', r"cameras\[0\] is 3, but an object"),
        ('{"cameras": [{"azimuth": 0, "distance": NaN}]}', r"cameras\[0\].distance is NaN"),
        ('{"cameras": [{"azimuth": -Infinity, "distance": 3}]}', r"cameras\[0\].azimuth is an infinite"),
        ('{"cameras": [{"azimuth": 1e400, "distance": 3}]}', "far too large"),
        ('{"cameras": [{"azimuth": 1' + "0" * 350 + ', "distance": 3}]}', "far too large"),
        ('{"cameras": [{"azimuth": -1' + "0" * 5000 + ', "distance": 3}]}', "far too large"),
        ('{"cameras": [{"azimuth": 1' + "0" * 309 + ', "distance": 3}]}', "far too large"),
        ('{"version": 1' + "0" * 309 + ', "cameras": []}', "version is"),
        ("[" + " " * 17_000_000 + "]", "17000002 characters"),
    ],
    ids=range(32),
)
def test_text_that_is_no_rig_is_refused_with_a_sentence(text, said):
    with pytest.raises(UserError, match=said) as refused:
        rig_from_json(text)
    assert type(refused.value) is UserError
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("top", "said"),
    [
        ({"format": "other"}, "format is the text 'other'.*syncam-rig"),
        ({"format": None}, "format is null"),
        ({"version": 2}, "version is 2, but this release.*update the node pack"),
        ({"version": 0}, "version is 0"),
        ({"version": True}, "version is true"),
        ({"version": "1"}, "version is the text '1'"),
        ({"version": 1.5}, "version is 1.5"),
        ({"camera": []}, "unknown key 'camera'; did you mean 'cameras'"),
        ({"xyzzy": 1}, "unknown key 'xyzzy'; possible are format, version, cameras, metadata"),
        ({"metadata": [1]}, "metadata is a list of 1 items"),
    ],
)
def test_a_wrong_header_is_refused(top, said):
    with pytest.raises(UserError, match=said):
        read(ORBIT, **top)


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        ({}, r"cameras\[1\] has no pose"),
        ({"name": "x"}, r"cameras\[1\] has no pose"),
        ({"azimuth": 0}, r"cameras\[1\] has no distance beside azimuth"),
        ({"distance": 3}, r"cameras\[1\] has no azimuth beside distance"),
        ({"c2w": ROWS, "azimuth": 0}, "both c2w and azimuth"),
        ({**ORBIT, "azimut": 0}, r"cameras\[1\] has the unknown key 'azimut'; did you mean 'azimuth'"),
        ({**ORBIT, "Elevation": 0}, "did you mean 'elevation'"),
        ({**ORBIT, "colour": "#000000"}, "did you mean 'color'"),
        ({**ORBIT, "distance": 0}, r"cameras\[1\].distance is 0, .*above 0"),
        ({**ORBIT, "distance": -2}, r"cameras\[1\].distance is -2"),
        ({**ORBIT, "distance": 1e300}, r"cameras\[1\] stands at .*metres"),
        ({**ORBIT, "elevation": 90.5}, r"cameras\[1\].elevation is 90.5"),
        ({**ORBIT, "elevation": "10"}, r"cameras\[1\].elevation is the text '10', .*without quotes"),
        ({**ORBIT, "azimuth": True}, r"cameras\[1\].azimuth is true, but a number"),
        ({**ORBIT, "azimuth": None}, r"cameras\[1\].azimuth is null"),
        ({**ORBIT, "azimuth": [0]}, r"cameras\[1\].azimuth is a list of 1 items"),
        ({**ORBIT, "target": [0, 0]}, r"cameras\[1\].target is a list of 2 items.*three numbers"),
        ({**ORBIT, "target": 0}, r"cameras\[1\].target is 0"),
        ({**ORBIT, "target": [0, "up", 0]}, r"cameras\[1\].target\[1\] is the text 'up'"),
        ({**ORBIT, "name": ""}, r"cameras\[1\] has an empty name"),
        ({**ORBIT, "name": 7}, r"cameras\[1\] has a name that is not text"),
        ({**ORBIT, "name": "first"}, r"cameras\[1\].name is 'first', as is cameras\[0\].name"),
        ({**ORBIT, "name": "a\u0000b"}, r"cameras\[1\] has the name .*control character"),
        ({**ORBIT, "name": "x" * 100}, r"cameras\[1\] has a name of 100 characters"),
        ({**ORBIT, "color": "red"}, r"cameras\[1\].color is the text 'red'.*#ff8800"),
        ({**ORBIT, "color": 0}, r"cameras\[1\].color is 0"),
        ({**ORBIT, "lens": 24}, r"cameras\[1\].lens is 24, but an object"),
        ({**ORBIT, "lens": {"focal": 24}}, "did you mean 'focal_mm'"),
        ({**ORBIT, "lens": {"focal_mm": -1}}, r"cameras\[1\].lens: .*focal_mm -1"),
        ({**ORBIT, "lens": {"focal_mm": "24"}}, r"cameras\[1\].lens.focal_mm is the text"),
        ({"c2w": changed(2, 1, math.nan)}, r"cameras\[1\].c2w row 2 holds NaN"),
        ({"c2w": changed(0, 3, math.inf)}, r"cameras\[1\].c2w row 0 holds an infinite"),
        ({"c2w": changed(1, 1, "1")}, r"cameras\[1\].c2w row 1 holds the text '1'"),
        ({"c2w": changed(1, 1, False)}, r"cameras\[1\].c2w row 1 holds false"),
        ({"c2w": changed(0, 0, -1)}, r"cameras\[1\].c2w is mirrored"),
        ({"c2w": changed(0, 0, 3)}, r"cameras\[1\].c2w is not a rotation"),
        ({"c2w": [*ROWS, [0, 0, 0, 2]]}, r"cameras\[1\].c2w has the last row 0 0 0 2"),
        ({"c2w": ROWS[:2]}, r"cameras\[1\].c2w is a list of 2 items, but 3 or 4 rows"),
        ({"c2w": [row[:3] for row in ROWS]}, r"cameras\[1\].c2w row 0 is a list of 3 items"),
        ({"c2w": []}, r"cameras\[1\].c2w is an empty list"),
        ({"c2w": [[]]}, "c2w is a list of 1 items"),
        ({"c2w": "identity"}, r"cameras\[1\].c2w is the text 'identity'"),
        ({"c2w": [ROWS, changed(1, 0, math.nan)]}, r"cameras\[1\].c2w\[1\] row 1 holds NaN"),
        ({"c2w": [ROWS, changed(1, 1, -1)]}, r"cameras\[1\].c2w\[1\] is mirrored"),
        ({"c2w": [ROWS, 3]}, r"cameras\[1\].c2w\[1\] is 3"),
        ({"c2w": [[ROWS]]}, r"cameras\[1\].c2w"),
    ],
)
def test_a_wrong_camera_is_refused_by_its_place(camera, said):
    with pytest.raises(UserError, match=said) as refused:
        read({"name": "first", **ORBIT}, camera)
    assert type(refused.value) is UserError


def test_moving_cameras_of_different_lengths_are_refused():
    with pytest.raises(UserError, match=r"cameras\[2\].c2w lists 3 frames but cameras\[0\].c2w 5"):
        read({"c2w": [ROWS] * 5}, ORBIT, {"c2w": [ROWS] * 3})


def test_sixty_four_cameras_are_read_and_a_hundred_are_refused():
    assert read(*[ORBIT] * 64).views == 64
    with pytest.raises(UserError, match=r"100 cameras.*at most 64"):
        read(*[ORBIT] * 100)


def test_a_large_object_with_a_repeated_key_is_refused_in_no_time():
    text = "{" + ",".join(f'"k{number}":0' for number in range(200_000)) + ',"k199999":0}'
    start = time.perf_counter()
    with pytest.raises(UserError, match="'k199999' stands twice"):
        rig_from_json(text)
    assert time.perf_counter() - start < 5


# -- there and back --------------------------------------------------------------------------------------------------


@st.composite
def rotations(draw):
    """Rotation matrices from unit quaternions."""
    quaternion = draw(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: sum(x * x for x in q) > 0.01))
    w, x, y, z = torch.tensor(quaternion, dtype=torch.float64) / math.sqrt(sum(x * x for x in quaternion))
    return torch.tensor(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ],
        dtype=torch.float64,
    )


@st.composite
def rigs(draw):
    views, frames = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    c2w = torch.eye(4, dtype=torch.float64).repeat(views, frames, 1, 1)
    for view in range(views):
        moves = draw(st.booleans())
        for frame in range(frames):
            if moves or frame == 0:
                c2w[view, frame, :3, :3] = draw(rotations())
                c2w[view, frame, :3, 3] = torch.tensor(draw(st.tuples(*[st.floats(-1e9, 1e9)] * 3)))
            else:
                c2w[view, frame] = c2w[view, 0]
    name = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=64)
    color = st.integers(0, 0xFFFFFF).map("#{:06x}".format)
    lens = st.builds(Lens, *[st.floats(1e-3, 1e5)] * 2)
    return Rig(
        names=tuple(draw(st.lists(name.filter(str.strip), min_size=views, max_size=views, unique=True))),
        c2w=c2w,
        colors=tuple(draw(st.lists(color, min_size=views, max_size=views))),
        lenses=tuple(draw(st.lists(lens, min_size=views, max_size=views))),
    )


@patient
@given(rigs())
def test_reading_what_was_written_gives_the_identical_rig(rig):
    back = rig_from_json(rig_to_json(rig))
    assert torch.equal(back.c2w, rig.c2w)
    assert (back.names, back.colors, back.lenses) == (rig.names, rig.colors, rig.lenses)


def test_a_rig_of_equal_frames_keeps_their_number():
    c2w = orbit_c2w(0, 0, 3).expand(2, 7, 4, 4)
    assert rig_from_json(rig_to_json(Rig(names=("a", "b"), c2w=c2w))).frames == 7


def test_metadata_travels_with_the_rig():
    metadata = {"prompt": {"3": ["1", 0]}, "seed": 2**53, "text": "雪\ud800"}
    text = rig_to_json(read(ORBIT), metadata)
    assert json.loads(text)["metadata"] == metadata
    assert rig_from_json(text).views == 1
    text.encode("utf-8")


@pytest.mark.parametrize("metadata", [[1], "text", {"a": math.nan}, {"a": object()}, {"a": {1, 2}}])
def test_metadata_that_json_cannot_hold_is_refused(metadata):
    with pytest.raises(UserError, match="metadata"):
        rig_to_json(read(ORBIT), metadata)


def outcome(text: str) -> tuple[Rig | None, ValueError | None]:
    try:
        return rig_from_json(text), None
    except UserError as problem:  # any other exception fails the test
        return None, problem


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=8,
)
keys = st.sampled_from(["name", "color", "lens", "c2w", "azimuth", "elevation", "distance", "roll", "target"])
near_cameras = st.dictionaries(keys, json_values, max_size=5)


@patient
@given(st.text() | json_values.map(json.dumps))
def test_any_text_gives_a_rig_or_a_sentence(text):
    rig, problem = outcome(text)
    assert rig is not None or type(problem) is UserError


@patient
@given(
    st.lists(near_cameras, max_size=3), st.dictionaries(st.sampled_from(["format", "version", "metadata"]), json_values)
)
def test_anything_like_a_rig_gives_a_rig_or_a_sentence(cameras, top):
    rig, problem = outcome(json.dumps({"cameras": cameras, **top}))
    assert type(problem) is UserError if rig is None else rig.views == len(cameras)
