"""The route that opens camera files for the editor, over HTTP to a real server, with good files and hostile ones."""

from __future__ import annotations

import http.client
import json
import random
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import rig_cases

from syncam_core.cameras import builders, rig_from_json, rig_to_json
from syncam_core.cameras.presets import preset_rig
from syncam_core.errors import UserError
from syncam_core.formats import file_name, read_rig_file, write_rig_file

PACK = Path(__file__).resolve().parents[2]
PATH = "/syncam/read_rig"
BOUNDARY = "syncam-test-boundary"
JSON = ("rig_json", "syncamvideo", "first_release", "blender", "opencv", "nerfstudio")
WITHOUT_UNIT = ("nerfstudio", "colmap", "realestate10k", "nuke_chan")


def body_of(files, fields=None) -> bytes:
    """A multipart body; `files` are (name as the client sends it, content)."""
    parts = [(f'name="{name}"', str(value).encode()) for name, value in (fields or {}).items()]
    parts += [(f'name="file"; filename="{name}"', content) for name, content in files]
    return (
        b"".join(
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
            for head, content in parts
        )
        + f"--{BOUNDARY}--\r\n".encode()
    )


def send(server, body: bytes | Iterator[bytes], headers=None, query: str = "", path: str = PATH) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **(headers or {})}
    try:
        connection.request("POST", path + query, body, kind)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def read(server, files, query: str = "", path: str = PATH, **fields) -> tuple[int, str]:
    return send(server, body_of(files, fields), query=query, path=path)


def refusal(answer: tuple[int, str], status: int) -> dict:
    got, text = answer
    assert got == status, text
    said = json.loads(text)
    assert set(said) == {"error", "asks"}
    assert "\n" not in said["error"]
    assert "Traceback" not in said["error"]
    assert tempfile.gettempdir() not in said["error"]
    assert "syncam_read_rig_" not in said["error"]
    return said


def files_of(path: Path) -> list[tuple[str, bytes]]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [(file.name, file.read_bytes()) for file in files]


def left_behind(server) -> set[Path]:
    return set(server.temporary.glob("syncam_read_rig_*"))


@pytest.mark.parametrize("format", [*JSON, "realestate10k", "nuke_chan", "colmap"])
def test_every_format_comes_back_as_the_rig_that_python_reads(server, tmp_path, format):
    rig = builders.arc_rig(3, -20, 40, 10, 4, rise_deg=5)
    path = tmp_path / file_name(rig, "shot", format)
    write_rig_file(rig, path, format)
    unit = {"unit_m": 0.5} if format in WITHOUT_UNIT else {}
    before = left_behind(server)
    status, text = read(server, files_of(path), **unit)
    assert status == 200, text
    expected = read_rig_file(path, unit_m=unit.get("unit_m"))
    got = rig_from_json(text)
    assert got.c2w.equal(expected.c2w)
    assert (got.names, got.colors, got.lenses) == (expected.names, expected.colors, expected.lenses)
    assert left_behind(server) == before


def test_binary_colmap_models_and_moving_cameras_are_read_too(server, tmp_path):
    moving = rig_from_json(
        json.dumps({"cameras": [{"keyframes": [{"frame": f, "azimuth": 3 * f, "distance": 3} for f in (0, 8)]}]})
    )
    assert moving.frames == 9
    for format, options in (("syncamvideo", {}), ("nuke_chan", {}), ("colmap", {"binary": True})):
        path = tmp_path / file_name(moving, format, format)
        write_rig_file(moving, path, format, **options)
        unit = {} if format == "syncamvideo" else {"unit_m": 1}
        status, text = read(server, files_of(path), **unit)
        assert status == 200, text
        expected = read_rig_file(path, unit_m=unit.get("unit_m"))
        assert rig_from_json(text).c2w.equal(expected.c2w), format
        assert expected.frames == 9


def test_only_the_cameras_asked_for_come_in_their_order(server, tmp_path):
    path = tmp_path / "cameras.json"
    write_rig_file(preset_rig("authors ten cameras"), path, "syncamvideo")
    status, text = read(server, files_of(path), cameras="3, 1")
    assert status == 200
    assert rig_from_json(text).names == ("cam03", "cam01")
    said = refusal(read(server, files_of(path), cameras="11"), 422)
    assert said["asks"] == ["cameras"]


@pytest.mark.parametrize("format", WITHOUT_UNIT)
def test_a_unit_that_no_file_tells_is_asked_for_and_never_guessed(server, tmp_path, format):
    rig = builders.ring_rig(3)
    path = tmp_path / file_name(rig, "shot", format)
    write_rig_file(rig, path, format)
    files = files_of(path)
    if format == "nerfstudio":  # ours says its unit; those of others do not
        document = json.loads(files[0][1])
        del document["syncam"]
        files = [(files[0][0], json.dumps(document).encode())]
    said = refusal(read(server, files), 422)
    assert said["asks"] == ["unit_m"]
    assert "does not say its unit" in said["error"]
    status, text = read(server, files, unit_m="0.01")
    assert status == 200, text
    # written in metres and read as centimetres
    assert (rig_from_json(text).c2w[:, 0, :3, 3] * 100 - rig.c2w[:, 0, :3, 3]).abs().max() < 1e-5
    assert read(server, files, query="?status=200")[0] == 200  # the same words, for a console that stays clean
    assert json.loads(read(server, files, query="?status=200")[1]) == said


@pytest.mark.parametrize("unit", ["0", "-1", "nan", "inf", "1e9", "metres", "1,5"])
def test_a_unit_that_is_none_is_refused(server, unit):
    said = refusal(read(server, [("a.chan", b"1 0 0 3 0 0 0 40\n")], unit_m=unit), 400)
    assert "'unit_m'" in said["error"]


def test_too_many_cameras_are_a_question_which_ones(server):
    rows = "".join(f"{frame} 0 0 {frame} 0 0 0 40\n" for frame in range(1, 3))
    files = [(f"cam{number:02d}.chan", rows.encode()) for number in range(1, 70)]
    said = refusal(read(server, files, unit_m=1), 422)
    assert said["asks"] == ["cameras"]
    assert "at most 64" in said["error"]
    status, text = read(server, files, unit_m=1, cameras="cam69, cam02")
    assert status == 200, text
    assert rig_from_json(text).names == ("cam69", "cam02")


HOSTILE_NAMES = [
    "../../../../tmp/syncam_escaped.json",
    "../" * 20 + "tmp/syncam_escaped.json",
    "..\\\\..\\\\syncam_escaped.json",
    "/etc/passwd",
    "C:\\\\Windows\\\\win.ini",
    "..",
    ".",
    "",
    "...json",
    ".hidden.json",
    "a" * 5000 + ".json",
    "镜头" * 200 + ".json",
    "%2e%2e%2fsyncam_escaped.json",
    "rig.json\0.txt",
    "name\twith\x01signs<>:|?*.json",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=range(len(HOSTILE_NAMES)))
def test_a_name_is_never_a_path(server, name):
    rig = '{"cameras": [{"name": "a", "azimuth": 5, "distance": 2}]}'
    before = left_behind(server)
    status, text = read(server, [(name, rig.encode())])
    if status == 200:
        assert rig_from_json(text).names == ("a",)
    else:
        refusal((status, text), 400)
    assert left_behind(server) == before
    for folder in (Path("/tmp"), Path(tempfile.gettempdir()), server.temporary):
        assert not list(folder.glob("*syncam_escaped*"))
    assert not list(server.folder.rglob("*syncam_escaped*"))


def test_names_are_reduced_to_letters_digits_and_a_few_signs(comfy):
    routes = routes_of(comfy)
    assert routes.safe_name("../..\\cam 01 (left)+-_.chan") == "cam 01 (left)+-_.chan"
    assert routes.safe_name("镜头.json") == "镜头.json"
    assert routes.safe_name(None) == routes.safe_name("..") == routes.safe_name("a/") == "cameras"
    for name in HOSTILE_NAMES:
        clean = routes.safe_name(name)
        assert clean
        assert not set(clean) & set('/\\\0<>:|?*"\t')
        assert not clean.startswith(".")
        assert len(clean.encode()) <= 244


GARBAGE = {
    "nothing": b"",
    "bytes": bytes(range(256)) * 40,
    "zeros": bytes(100_000),
    "deep JSON": b"[" * 200_000,
    "endless number": b'{"frame0": ' + b"9" * 100_000 + b"}",
    "UTF-16": '{"cameras": []}'.encode("utf-16"),
    "half a JSON": b'{"format": "syncam-rig", "cameras": [{"azimuth": 1, "dist',
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(1000),
    "NaN": b'{"frames": [{"file_path": "a", "transform_matrix": [[NaN,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]}]}',
    "a truncated binary": struct.pack("<Q", 2**63),
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE)
@pytest.mark.parametrize("name", ["rig.json", "poses.txt", "camera.chan", "images.bin"])
def test_garbage_is_a_sentence(server, name, content):
    said = refusal(read(server, [(name, content)], unit_m=1), 422)
    assert name in said["error"]


def test_a_broken_model_and_unrelated_files_are_a_sentence(server):
    refusal(read(server, [("cameras.bin", b"\1"), ("images.bin", b"\2" * 50)], unit_m=1), 422)
    refusal(read(server, [("a.json", b"{}"), ("b.json", b"{}")]), 422)
    said = refusal(read(server, [("a.json", b'{"shots": 1}')]), 422)["error"]
    assert said.endswith("Give a camera file, or choose its 'format' in SynCam Load Rig.")
    refusal(read(server, [("a.json", b"{}"), ("A.JSON", b"{}")]), 400)  # one file on some disks
    refusal(read(server, [(f"{index}.chan", b"1") for index in range(150)]), 413)


def test_what_is_no_upload_is_refused_before_it_is_read(server):
    rig = b'{"cameras": [{"azimuth": 5, "distance": 2}]}'
    refusal(send(server, rig, {"Content-Type": "application/json"}), 415)
    refusal(send(server, body_of([("a.json", rig)]), {"Content-Encoding": "gzip"}), 415)
    refusal(send(server, b"no parts at all"), 400)
    refusal(send(server, body_of([("a.json", rig)])[:-30]), 400)
    refusal(send(server, body_of([])), 400)
    refusal(send(server, body_of([], {"cameras": "1"})), 400)
    refusal(read(server, [("a.json", rig)], cameras="1," * 20_000), 413)
    nested = (
        f"--{BOUNDARY}\r\nContent-Type: multipart/mixed; boundary=inner\r\n\r\n--inner\r\n\r\nx\r\n--inner--\r\n"
        f"--{BOUNDARY}--\r\n"
    )
    refusal(send(server, nested.encode()), 400)


def test_too_much_is_refused_by_its_length_alone(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("POST", PATH)
    connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
    connection.putheader("Content-Length", str(200 * 2**20))
    connection.endheaders()
    answer = connection.getresponse()  # of the body nothing was sent
    said = refusal((answer.status, answer.read().decode()), 413)
    assert "at most 64 MB" in said["error"]
    connection.close()
    refusal(send(server, iter([body_of([("a.json", b"{}")])])), 411)  # in chunks, without a length
    said = refusal(read(server, [("big.json", b" " * (17 * 2**20))]), 422)
    assert "larger than 16 MB" in said["error"]


def test_the_server_answers_others_while_a_large_file_is_read(server):
    frames = {f"frame{index}": {"cam01": "[1 0 0 0] [0 1 0 0] [0 0 1 0] [300 0 0 1] "} for index in range(1900)}
    large = body_of([("camera_extrinsics.json", json.dumps(frames).encode())])
    answers = []
    reading = threading.Thread(target=lambda: answers.append(send(server, large)))
    reading.start()
    others = 0
    while reading.is_alive():
        assert "system" in server.get("/system_stats")
        others += 1
    reading.join()
    assert others > 0
    assert answers[0][0] in (200, 422)


def test_an_upload_that_stops_half_way_leaves_nothing_and_holds_nobody_up(server):
    before = left_behind(server)
    body = body_of([("a.json", b" " * 2**20)])
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("POST", PATH)
    connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    connection.send(body[: 2**19])
    rig = b'{"cameras": [{"azimuth": 5, "distance": 2}]}'
    assert read(server, [("b.json", rig)])[0] == 200
    connection.close()
    for _ in range(100):
        if left_behind(server) == before:
            break
        time.sleep(0.1)
    assert left_behind(server) == before


def test_the_route_is_there_under_api_and_takes_posts_only(server):
    rig = b'{"cameras": [{"azimuth": 5, "distance": 2}]}'
    assert read(server, [("a.json", rig)], path="/api" + PATH)[0] == 200
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", PATH)
    assert connection.getresponse().status in (404, 405)
    connection.close()


def routes_of(comfy):
    return sys.modules[f"{comfy.pack.__name__}.nodes.rigs.editor_route"]


def test_without_a_server_the_pack_is_imported_all_the_same(comfy):
    assert getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None) is None
    routes_of(comfy).add_routes_to_host()
    assert "SynCamRigEditor" in comfy.nodes


def test_the_reader_is_told_the_fields_that_its_sentences_ask_for(comfy, tmp_path):
    asked = routes_of(comfy).asked_for
    path = tmp_path / "a.chan"
    path.write_text("1 0 0 3 0 0 0 40\n")
    with pytest.raises(UserError, match="does not say its unit") as unit:
        read_rig_file(path)
    assert asked(unit.value) == ["unit_m"]
    for cameras in ("nobody", "3-1", "all but"):
        with pytest.raises(UserError) as chosen:
            read_rig_file(path, cameras, 1.0)
        assert asked(chosen.value) == ["cameras"]
    with pytest.raises(UserError) as keyless:
        rig_from_json("{}")
    assert asked(keyless.value) == []


# -- texts of rig JSON: pasted into the editor, or loaded with a workflow --------------------------------------------------


def judged(server, text: str, **fields) -> tuple[int, str]:
    return read(server, [], text=text, **fields)


def test_refused_cases_are_refused_with_the_place_and_the_sentence_of_the_reader(server):
    for case in rig_cases.REFUSED:
        text = rig_cases.text_of(case)
        try:
            text.encode()
        except UnicodeEncodeError:
            continue  # half a character cannot travel
        if not text:
            continue  # nothing is no part of a request
        answer = refusal(judged(server, text), 422)
        assert case["place"] in answer["error"], case["name"]
        with pytest.raises(ValueError, match=r".") as refused:
            rig_from_json(text)
        assert answer["error"] == str(refused.value), case["name"]
        assert answer["asks"] == [], case["name"]


def test_accepted_cases_come_back_as_they_were_with_their_angles_and_keyframes(server):
    before = left_behind(server)
    for case in rig_cases.ACCEPTED:
        text = rig_cases.text_of(case)
        assert judged(server, text) == (200, text), case["name"]
        status, answer = read(server, [("cameras.json", text.encode())])
        assert (status, answer) == (200, text.removeprefix("\ufeff")), case["name"]
    assert left_behind(server) == before


def test_a_file_that_is_a_rig_json_is_baked_only_where_something_of_it_is_chosen(server):
    keyframes = [{"frame": 0, "azimuth": 0, "distance": 3}, {"frame": 8, "azimuth": 40, "distance": 2}]
    text = json.dumps({"cameras": [{"name": "a", "keyframes": keyframes}, {"name": "b", "azimuth": 5, "distance": 2}]})
    status, chosen = read(server, [("shot.json", text.encode())], cameras="b")
    assert status == 200
    assert rig_from_json(chosen).names == ("b",)
    status, scaled = read(server, [("shot.json", text.encode())], unit_m=0.5)
    assert status == 200
    assert rig_from_json(scaled).c2w[:, :, :3, 3].equal(0.5 * rig_from_json(text).c2w[:, :, :3, 3])
    rig = builders.arc_rig(3, -20, 40, 10, 4)
    assert rig_from_json(judged(server, rig_to_json(rig))[1]).c2w.equal(rig.c2w)


def test_random_documents_are_judged_as_the_reader_judges_them(server):
    numbers = random.Random(2412)
    said = set()
    for _ in range(100):
        camera = {
            "azimuth": numbers.uniform(-400, 400),
            "elevation": numbers.choice([0, 90, numbers.uniform(-120, 120)]),
            "distance": numbers.choice([3, 0, -1, numbers.uniform(0.1, 9)]),
        }
        if numbers.random() < 0.2:
            del camera[numbers.choice(list(camera))]
        text = json.dumps({"cameras": [camera]})
        status, answer = judged(server, text)
        said.add(status)
        try:
            rig_from_json(text)
        except ValueError as problem:
            assert (status, json.loads(answer)["error"]) == (422, str(problem)), text  # noqa: PT017
        else:
            assert (status, answer) == (200, text)
    assert said == {200, 422}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (lambda: "x" * 20_000_000, "the text has 20000000 characters, but at most 16777216 are read."),
        (lambda: "[" * 1_000_000, "nested too deeply"),
        (lambda: '{"cameras":' * 100_000, "nested too deeply"),
        (lambda: "[" + " " * 17_000_000 + "]", "the text has 17000002 characters"),
        (lambda: '{"cameras": [' + '{"frame":0},' * 400_000 + "0]}", "cameras lists 400001 cameras"),
        (lambda: "{" + "".join(f'"k{i}":0,' for i in range(200_000)) + '"k199999":0}', "stands twice"),
        (lambda: '{"cameras": [{"azimuth": 0, "distance": 1' + "0" * 9_000_000 + "}]}", "far too large"),
        (lambda: '{"' + "\\u0041" * 2_000_000 + '": 1}', "unknown key 'AAA"),
        (lambda: '{"cameras": ' + "\n" * 9_000_000 + "!", "line 9000001, column 1"),
    ],
    ids=range(9),
)
def test_hostile_texts_are_refused_in_bounded_time(server, text, sentence):
    start = time.monotonic()
    answer = refusal(judged(server, text()), 422)
    assert sentence in answer["error"]
    assert len(answer["error"]) < 400
    assert time.monotonic() - start < 60
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", "/system_stats")
    assert connection.getresponse().status == 200
    connection.close()


def test_a_text_beyond_what_is_read_at_all_is_refused_by_its_size(server):
    answer = refusal(judged(server, "x" * (65 * 2**20)), 413)
    assert "at most 64 MB" in answer["error"]
