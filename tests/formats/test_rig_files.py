"""Telling camera files apart by their content, and refusing what is none."""

from __future__ import annotations

import json
import os

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncam_core import formats
from syncam_core.cameras import orbit_rig, rig_to_json
from syncam_core.errors import UserError
from syncam_core.formats import read_rig_file


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cameras.json"


def test_a_rig_json_file_is_read_and_its_cameras_can_be_chosen(path):
    rig = orbit_rig([0, 30, 60], [5], [3])
    path.write_text(rig_to_json(rig, {"any": "thing"}), encoding="utf-8")
    assert torch.equal(read_rig_file(path).c2w, rig.c2w)
    picked = read_rig_file(str(path), "3, cam01")
    assert picked.names == ("cam03", "cam01")
    assert picked.colors == (rig.colors[2], rig.colors[0])


def test_the_name_of_a_file_says_nothing(tmp_path):
    path = tmp_path / "frame0.txt"
    path.write_text('{"cameras": [{"azimuth": 0, "distance": 2}]}')
    assert read_rig_file(path).views == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"not json", "not JSON.*line 1, column 1"),
        (b"[1, 2]", "holds a list; a rig JSON has 'cameras'; a SynCamVideo camera file has"),
        (b"3", "holds a single value"),
        (b"{}", "holds an empty object"),
        (b'{"C_01_18mm": "", "C_02_18mm": "", "a": 1, "b": 2, "c": 3}', "'C_01_18mm', 'C_02_18mm', 'a', 'b', ..."),
        (b'{"w": 1, "frames": [1]}', "holds the keys 'w', 'frames'; a rig JSON.*transforms.json has 'frames' with a"),
        (b'{"frame0": 3}', "'frame0' holds no cameras"),
        (b'{"cameras": []}', "at least one camera"),
        (b'{"cameras": [{"azimuth": NaN, "distance": 1}]}', r"cameras\[0\].azimuth is NaN"),
        (b'{"format": "x", "frame0": {}}', "format is the text 'x'"),
        ('{"cameras": []}'.encode("utf-16"), "not UTF-8"),
        (b'{"cameras": "\xff"}', "not UTF-8 text .byte 13"),
        (b"[" * 1_000_000, "nested too deeply"),
        (b"\x00" * 1000, "not UTF-8 text .byte 0 is 0"),
    ],
    ids=range(15),
)
def test_what_is_no_camera_file_is_refused_by_name(path, content, said):
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"file 'cameras.json': .*{said}") as refused:
        read_rig_file(path)
    assert type(refused.value) is UserError
    assert len(str(refused.value)) < 400


def test_a_file_that_is_not_there_and_a_folder_are_refused(path, tmp_path):
    with pytest.raises(UserError, match=r"file 'cameras.json': there is no such file"):
        read_rig_file(path)
    with pytest.raises(UserError, match="there is no such file"):
        read_rig_file(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32"])
def test_another_encoding_is_named_for_what_it_is(path, encoding):
    path.write_bytes('{"cameras": []}'.encode(encoding))
    with pytest.raises(UserError, match=r"it is not UTF-8 text .*; save it as UTF-8"):
        read_rig_file(path)


def test_a_file_that_fails_while_it_is_read_is_a_sentence(path):
    path.symlink_to("/proc/self/mem")  # opens, and then gives nothing but an input/output error
    with pytest.raises(UserError, match=r"it cannot be read \(Input/output error\)"):
        read_rig_file(path)


def test_a_device_is_not_read():
    with pytest.raises(UserError, match="no such file"):
        read_rig_file(os.devnull)


def test_a_file_larger_than_16_mb_is_refused_unread(path):
    with path.open("wb") as file:
        file.truncate(200 * 2**20)
    with pytest.raises(UserError, match="larger than 16 MB"):
        read_rig_file(path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary()
    | st.dictionaries(
        st.sampled_from(["frame0", "frame1", "frame01", "cameras", "format", "x"]),
        st.dictionaries(
            st.sampled_from(["cam01", "cam02", ""]), st.text("[]01. -e", max_size=60) | st.none() | st.floats()
        )
        | st.text()
        | st.lists(st.floats(), max_size=3),
        max_size=4,
    ).map(lambda document: json.dumps(document).encode())
)
def test_any_content_gives_a_rig_or_a_sentence(path, content):
    path.write_bytes(content)
    problem = None
    try:
        read_rig_file(path)
    except UserError as refused:  # any other exception fails the test
        problem = refused
    assert problem is None or (type(problem) is UserError and str(problem).startswith("file 'cameras.json': "))


def test_the_reading_limit_counts_bytes(path, monkeypatch):
    monkeypatch.setattr(formats, "MAX_BYTES", 60)
    path.write_text('{"cameras": [{"azimuth": 0, "distance": 2}]}')
    assert read_rig_file(path).views == 1
    path.write_text('{"cameras": [{"azimuth": 0, "distance": 2}]}' + " " * 60)
    with pytest.raises(UserError, match="larger than"):
        read_rig_file(path)
