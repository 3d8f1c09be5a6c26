"""Whatever stands in a file, every format gives a rig or a ValueError with a sentence."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.errors import UserError
from syncam_core.formats import FORMATS, file_name, read_rig_file, write_rig_file

LONGEST_MESSAGE = 900

thorough = settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))

TEXTS = [
    b"nan",
    b"-1e999",
    b"1e308",
    b"9" * 400,
    b"{",
    b"[",
    b"]",
    b'"',
    b",",
    b"null",
    b"\0",
    b"\xff\xfe",
    b"\n",
    b"#",
]
WORDS = [
    b'"frame0"',
    b'"cameras"',
    b'"frames"',
    b'"c2w"',
    b'"format"',
    b'"transform_matrix"',
    b'"up"',
    b"PINHOLE",
    b"../",
]
BYTES = [b"\xff" * 8, b"\0" * 8, b"\x7f" * 8, b"\0" * 7 + b"\x80"]


@st.composite
def damages(draw: st.DrawFn) -> list[tuple[str, float, bytes]]:
    """What to do to a file: (how, where as a share of its length, with what)."""
    pieces = st.sampled_from(TEXTS + WORDS + BYTES) | st.binary(min_size=1, max_size=12)
    how = st.sampled_from(["insert", "replace", "delete", "cut", "repeat"])
    return draw(st.lists(st.tuples(how, st.floats(0, 1), pieces), min_size=1, max_size=5))


def damaged(content: bytes, steps: list[tuple[str, float, bytes]]) -> bytes:
    for how, share, piece in steps:
        at = int(share * len(content))
        before, after = content[:at], content[at:]
        content = {
            "insert": before + piece + after,
            "replace": before + piece + after[len(piece) :],
            "delete": before + after[len(piece) :],
            "cut": before,
            "repeat": before + after[:200] + after,
        }[how]
    return content


def judge(path, key: str) -> None:
    """Read the file as its format and as whatever it looks like: no other exception than a ValueError with a sentence."""
    for format in (key, "auto"):
        for cameras in ("", "1"):
            problem = None
            try:
                rig = read_rig_file(path, cameras, 1.0, format)
            except UserError as refused:  # any other exception fails the test
                problem = refused
            if problem is None:
                assert rig.c2w.isfinite().all()
            else:
                sentence = str(problem)
                assert type(problem) is UserError
                assert sentence.startswith(("file ", "folder "))
                assert sentence.isprintable()
                assert len(sentence) < LONGEST_MESSAGE


def samples(folder, key: str):
    """Files that the format has written: still and moving cameras, text and binary."""
    still = orbit_rig([0, 30, 60], [0, 10, 5], [3])
    moving = Rig(("a", "b c"), still.c2w.transpose(0, 1).repeat(2, 1, 1, 1))
    rigs = [still] + [moving] * (key != "first_release")
    for index, rig in enumerate(rigs):
        for options in [{}] + [{"binary": True}] * (key == "colmap"):
            path = folder / f"{index}{len(options)}" / file_name(rig, "rig", key)
            path.parent.mkdir(parents=True)
            write_rig_file(rig, path, key, **options)
            yield path


@pytest.mark.parametrize("key", list(FORMATS))
def test_damaged_files_are_read_or_refused(tmp_path, key):
    whole = [*samples(tmp_path / "whole", key)]

    @thorough
    @given(st.sampled_from(whole), st.integers(0, 9), damages())
    def check(path, which, steps):
        shutil.rmtree(tmp_path / "damaged", ignore_errors=True)
        target = tmp_path / "damaged"
        if path.is_dir():
            shutil.copytree(path, target)
            files = sorted(target.iterdir())
            target_file = files[which % len(files)]
        else:
            shutil.copy(path, target)
            target_file = target
        target_file.write_bytes(damaged(target_file.read_bytes(), steps))
        judge(target, key)
        if target.is_file():
            target.unlink()

    check()


@pytest.mark.parametrize("key", [key for key in FORMATS if key != "colmap"])
def test_any_bytes_are_read_or_refused(tmp_path, key):
    rows = st.lists(st.lists(st.floats().map(str) | st.integers().map(str), min_size=6, max_size=20).map(" ".join))

    @thorough
    @given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode) | rows.map("\n".join).map(str.encode))
    def check(content):
        (tmp_path / "any").write_bytes(content)
        judge(tmp_path / "any", key)

    check()


@pytest.mark.parametrize("kind", [".bin", ".txt"])
def test_any_bytes_in_a_model_are_read_or_refused(tmp_path, kind):
    @thorough
    @given(st.binary(max_size=300), st.binary(max_size=300), st.integers(0, 3))
    def check(cameras, images, count):
        begin = count.to_bytes(8, "little") if kind == ".bin" else b""
        (tmp_path / f"cameras{kind}").write_bytes(begin + cameras)
        (tmp_path / f"images{kind}").write_bytes(begin + images)
        judge(tmp_path, "colmap")

    check()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1", "cp037"])
@pytest.mark.parametrize("key", list(FORMATS))
def test_another_encoding_is_refused_or_harmless(tmp_path, key, encoding):
    for path in samples(tmp_path, key):
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            content = file.read_bytes().replace(b"a", "\u00e4".encode())
            file.write_bytes(content.decode("utf-8", errors="replace").encode(encoding, errors="replace"))
        judge(path, key)


DEEP = [
    b"[" * 200_000,
    b'{"cameras":' * 100_000,
    b'{"cameras": [' + b"[" * 100_000,
    b'{"frame0": ' * 50_000,
    b'{"frames": [{"transform_matrix": ' + b"[" * 100_000,
    b'{"cameras": [' + b'{"azimuth": 0, "distance": 1},' * 20_000 + b'{"azimuth": 0, "distance": 1}]}',
    b'{"frames": [' + b'{"transform_matrix": [[1]]},' * 20_000 + b"{}]}",
    b'{"frame0": {' + b",".join(b'"c%d": "[1 0 0 0] [0 1 0 0] [0 0 1 0] [0 0 0 1]"' % n for n in range(10_000)) + b"}}",
    b'{"cameras": [{"azimuth": ' + b"9" * 1_000_000 + b', "distance": 1}]}',
]


@pytest.mark.parametrize("content", DEEP, ids=range(len(DEEP)))
def test_deep_and_long_json_is_refused_in_seconds(tmp_path, content):
    path = tmp_path / "deep.json"
    path.write_bytes(content)
    for key in ("auto", *(key for key in FORMATS if FORMATS[key].SUFFIXES == (".json",))):
        with pytest.raises(UserError, match=r"^file 'deep.json': ") as refused:
            read_rig_file(path, unit_m=1.0, format=key)
        assert len(str(refused.value)) < LONGEST_MESSAGE
