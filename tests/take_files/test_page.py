"""The page of a take as a file: what is in it, and what is refused."""

from __future__ import annotations

import base64
import json
import re
from fractions import Fraction
from html.parser import HTMLParser

import numpy as np
import pytest
from coded_clips import coded_take
from random_rigs import random_rig

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.errors import UserError
from syncam_core.take_files import page
from syncam_core.take_files.one_script import joined_modules
from syncam_core.take_files.take import LONGEST_CAPTION, ToldTake, subject_track, take_of_files
from syncam_core.video.preview_file import plays_in_browsers
from syncam_core.video.view_files import SavedViews

WORDS = page.words_of(page.WEB.parent / "locales")
HOSTILE = ("</script><script>alert(1)</script>", "<!-- {{script}}", "<img src=x onerror=alert(1)>", "a\"'&lt;\u202eb")


class Reader(HTMLParser):
    """What a parser of HTML makes of a page: each element's tag, attributes and text."""

    def __init__(self, text: str):
        super().__init__(convert_charrefs=True)
        self.elements: list[list] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append([tag, dict(attributes), ""])

    def handle_data(self, data):
        if self.elements:
            self.elements[-1][2] += data

    def all(self, tag: str) -> list:
        return [element for element in self.elements if element[0] == tag]


def rig_of(names, frames=1) -> Rig:
    rig = orbit_rig([20.0 * index for index in range(len(names))])
    return Rig(tuple(names), rig.c2w.expand(-1, frames, -1, -1))


def told(path) -> tuple[Reader, dict]:
    read = Reader(path.read_text(encoding="utf-8"))
    (data,) = (text for tag, attributes, text in read.all("script") if attributes.get("id") == "take")
    return read, json.loads(data)


def test_the_page_holds_the_rig_and_the_very_bytes_of_the_videos(tmp_path):
    take = coded_take(tmp_path, random_rig(views=3, frames=5), 5)
    read, data = told(page.write_page(take, tmp_path, "take", WORDS))
    assert (data["frames"], data["fps"]) == (5, [15, 1])
    for view, said in enumerate(data["views"]):
        assert (said["name"], said["color"]) == (take.rig.names[view], take.rig.colors[view])
        rows = np.array(said["c2w"]).reshape(-1, 3, 4)
        assert np.array_equal(np.broadcast_to(rows, (5, 3, 4)), take.rig.c2w[view, :, :3].numpy())
        lens = take.rig.lenses[view]
        assert said["k"] == pytest.approx([112 * lens.focal_mm / lens.sensor_width_mm] * 2 + [56, 32])
    videos = [text for tag, attributes, text in read.all("script") if "data-video" in attributes]
    assert [base64.b64decode(text) for text in videos] == [path.read_bytes() for path in take.videos]


def test_a_picture_of_odd_size_keeps_its_middle_though_its_video_has_grown(tmp_path):
    videos = tuple(tmp_path / f"{view}.mp4" for view in range(2))
    take = ToldTake(rig_of("ab"), Fraction(15), 1, ((47, 63), (48, 64)), videos)
    lens = take.rig.lenses[0]
    assert take.shown_sizes == [(48, 64), (48, 64)]
    assert take.intrinsics[:, 2:].tolist() == [[31.5, 23.5], [32, 24]]
    assert take.intrinsics[0, 0] == pytest.approx(63 * lens.focal_mm / lens.sensor_width_mm)


def test_names_and_captions_stay_text(tmp_path):
    take = ToldTake(rig_of(HOSTILE), Fraction(15), 1, ((48, 64),) * 4, caption=" ".join(HOSTILE))
    read, data = told(page.write_page(take, tmp_path, "take", WORDS, title=HOSTILE[0]))
    assert [view["name"] for view in data["views"]] == list(HOSTILE)
    assert [read.all(tag)[0][2].rstrip("\n") for tag in ("title", "h1", "p")] == [
        HOSTILE[0],
        HOSTILE[0],
        " ".join(HOSTILE),
    ]
    assert len(read.all("script")) == 3  # data, words, the script
    assert read.all("img") == []


def test_the_policy_lets_only_what_the_page_holds_run(tmp_path):
    take = ToldTake(rig_of("ab"), Fraction(15), 1, ((48, 64),) * 2)
    pages = [page.write_page(take, tmp_path, f"take{number}", WORDS) for number in range(2)]
    nonces = []
    for path in pages:
        read = Reader(path.read_text(encoding="utf-8"))
        (policy,) = (a["content"] for _, a, _ in read.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
        nonces += re.findall(r"script-src 'nonce-([^']+)';", policy)
        assert policy.startswith("default-src 'none';")
        assert "unsafe" not in policy
        assert not re.search(r"\beval\(|new Function\(", path.read_text(encoding="utf-8"))
        assert [a.get("nonce") for _, a, _ in read.all("script") if a.get("type", "") == "module"] == nonces[-1:]
    assert len(set(nonces)) == 2


def test_the_licence_of_three_js_is_in_the_page(tmp_path):
    take = ToldTake(rig_of("ab"), Fraction(15), 1, ((48, 64),) * 2)
    text = page.write_page(take, tmp_path, "take", WORDS).read_text(encoding="utf-8")
    assert "Copyright 2010-2026 Three.js Authors\n   * SPDX-License-Identifier: MIT" in text
    assert "Permission is hereby granted, free of charge" in text


def test_videos_beside_the_page_are_scripts_that_it_names(tmp_path):
    take = coded_take(tmp_path, rig_of(["left, high", "b"]), 3)
    read, _ = told(page.write_page(take, tmp_path, "my take", WORDS, place=page.BESIDE))
    sources = [attributes["src"] for _, attributes, _ in read.all("script") if "src" in attributes]
    assert sources == ["my%20take_videos/01_left-high.js", "my%20take_videos/02_b.js"]
    for view, name in enumerate(("01_left-high.js", "02_b.js")):
        text = (tmp_path / "my take_videos" / name).read_text("ascii")
        assert base64.b64decode(text.split('"')[1]) == take.videos[view].read_bytes()


def test_what_browsers_do_not_play_is_copied_for_them(tmp_path):
    take = coded_take(tmp_path, rig_of("ab"), 3, codec="ffv1")
    ticks = []
    read, data = told(page.write_page(take, tmp_path, "take", WORDS, tick=lambda: ticks.append(1)))
    assert {view["type"] for view in data["views"]} == {"video/mp4"}
    texts = [text for tag, attributes, text in read.all("script") if "data-video" in attributes]
    for text in texts:
        copy = tmp_path / "copy.mp4"
        copy.write_bytes(base64.b64decode(text))
        assert plays_in_browsers(copy)
    assert len(ticks) >= page.steps_of_page(take) == 2 * 3
    assert not list(tmp_path.glob("*.js.mp4"))


def test_an_interrupt_ends_the_writing(tmp_path):
    class Interrupt(BaseException):
        pass

    def tick():
        raise Interrupt

    take = coded_take(tmp_path, rig_of("ab"), 3)
    with pytest.raises(Interrupt):
        page.write_page(take, tmp_path, "take", WORDS, tick=tick)


def test_videos_that_are_too_large_are_refused_with_the_other_way(tmp_path, monkeypatch):
    take = coded_take(tmp_path, rig_of("ab"), 3)
    sizes = [path.stat().st_size for path in take.videos]
    monkeypatch.setattr(page, "MOST_BYTES", max(sizes))
    with pytest.raises(UserError, match=r"the videos have .* MB .* beside the page in 'video_files'") as refused:
        page.write_page(take, tmp_path, "take", WORDS)
    assert refused.value.field == "video_files"
    page.write_page(take, tmp_path, "take", WORDS, place=page.BESIDE)
    monkeypatch.setattr(page, "MOST_BYTES", min(sizes) - 1)
    with pytest.raises(UserError, match=r"one of the videos has .* save the views smaller"):
        page.write_page(take, tmp_path, "other", WORDS, place=page.BESIDE)
    assert not (tmp_path / "other.html").exists()


def test_what_does_not_belong_together_is_refused(tmp_path):
    take = coded_take(tmp_path, rig_of("ab"), 3)
    names = tuple(path.name for path in take.videos)
    files = SavedViews(tmp_path, "", "output", Fraction(15), 3, ("a", "b"), ("#000000",) * 2, names, ((64, 112),) * 2)
    assert take_of_files(rig_of("ab"), files).videos == take.videos
    with pytest.raises(UserError, match="'rig' has 3 cameras but 'files' has 2 views"):
        take_of_files(rig_of("abc"), files)
    with pytest.raises(UserError, match="move over 2 frames but the views have 3"):
        take_of_files(rig_of("ab", frames=2), files)
    assert take_of_files(rig_of("ab", frames=9), files).rig.frames == 3
    take.videos[1].unlink()
    with pytest.raises(UserError, match=r"'coded_1.mp4' is no longer in the folder"):
        take_of_files(rig_of("ab"), files)
    with pytest.raises(UserError, match="'caption' has"):
        ToldTake(rig_of("ab"), Fraction(15), 1, ((48, 64),) * 2, caption="a" * (LONGEST_CAPTION + 1))
    with pytest.raises(UserError, match="at most 128000 poses"):
        ToldTake(rig_of("ab"), Fraction(15), 64_001, ((48, 64),) * 2)


def test_cameras_that_follow_something_look_at_its_track():
    rig = orbit_rig([-30, 0, 40])
    c2w = rig.c2w.expand(-1, 4, -1, -1).clone()
    for frame in range(4):
        c2w[:, frame, 0, 3] += 0.5 * frame  # all of them go to the right together
    track = subject_track(Rig(rig.names, c2w))
    assert track == pytest.approx(np.array([[0.5 * frame, 0, 0] for frame in range(4)]), abs=1e-9)


def test_modules_become_one_script(tmp_path):
    (tmp_path / "a.mjs").write_text(
        'import { twice as double } from "./b.mjs";\nimport * as all from "./c.mjs";\n'
        "globalThis.found = double(all.Three);\n"
    )
    (tmp_path / "b.mjs").write_text("export function twice(x) {\n  return 2 * x;\n}\n")
    (tmp_path / "c.mjs").write_text("var q=3;export{q as Three};\n/* licence */\n")
    text = joined_modules(tmp_path / "a.mjs")
    assert "import" not in text
    assert "export" not in text
    assert text.index("function twice") < text.index("globalThis.found")
    assert "licence" in text
    (tmp_path / "b.mjs").write_text('import { found } from "./a.mjs";\nexport const twice = found;\n')
    with pytest.raises(ValueError, match=r"a.mjs imports itself"):
        joined_modules(tmp_path / "a.mjs")
