"""The edit in the files of editing programs, read back by the OpenTimelineIO library."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncam_core.disk.names import file_slugs
from syncam_core.errors import UserError
from syncam_core.video.cut_list import Cut
from syncam_core.video.edit import Edit, edit_of
from syncam_core.video.otio_export import edl_rate, edl_text, file_stem, otio_text, reel_names
from syncam_core.video.view_files import SavedViews

NAMES = ("front", "left, high", "Élan 3")
COLORS = ("#3399ff", "#ff8800", "#006655")
NTSC_FILM = Fraction(24000, 1001)


def saved(names=NAMES, fps=Fraction(15), frames=81, stem="views_00001", **changed):
    slugs = file_slugs(names, taken=("grid", "rig", "sheet"))
    facts = {
        "folder": Path("/films"),
        "subfolder": "syncam",
        "kind": "output",
        "fps": fps,
        "frames": frames,
        "names": tuple(names),
        "colors": (COLORS * 30)[: len(names)],
        "files": tuple(f"{stem}_{slug}.mp4" for slug in slugs),
        "sizes": ((48, 64),) * len(names),
    }
    return SavedViews(**{**facts, **changed})


def edit(text, fps=Fraction(15), frames=81, names=NAMES):
    return edit_of(text, frames, fps, names)


def timeline(text, fps=Fraction(15), **changed):
    return otio.adapters.read_from_string(otio_text(edit(text, fps), saved(fps=fps, **changed)), "otio_json")


def frames_of(time):
    assert time.value == int(time.value)
    return int(time.value)


def span(time_range):
    return frames_of(time_range.start_time), frames_of(time_range.duration)


# ---- .otio


@pytest.mark.parametrize("fps", [Fraction(15), NTSC_FILM, Fraction(18), Fraction(120)])
def test_the_programme_has_a_clip_for_each_shot_with_its_range_and_its_file(fps):
    programme = timeline("0 A; 24 B; 48 C", fps).tracks[-1]
    assert programme.name == "programme"
    assert programme.kind == "Video"
    found = [(c.name, span(c.source_range), c.media_reference.target_url) for c in programme]
    assert found == [
        ("front", (0, 24), "views_00001_front.mp4"),
        ("left, high", (24, 24), "views_00001_left-high.mp4"),
        ("Élan 3", (48, 33), "views_00001_Elan-3.mp4"),
    ]
    for clip in programme:
        assert span(clip.media_reference.available_range) == (0, 81)
        assert clip.source_range.duration.rate == pytest.approx(float(fps), rel=1e-12)
    assert span(programme.range_of_child_at_index(2)) == (48, 33)
    assert frames_of(programme.duration()) == 81


def test_each_camera_has_a_track_with_its_whole_video_below_the_programme():
    found = timeline("0 A; 24 B")
    assert [track.name for track in found.tracks] == [*NAMES, "programme"]
    for view, track in enumerate(found.tracks[:-1]):
        (clip,) = track
        assert span(clip.source_range) == span(clip.media_reference.available_range) == (0, 81)
        assert clip.media_reference.target_url == saved().files[view]
        assert dict(clip.metadata["syncam"]) == {"camera": NAMES[view], "view": view, "color": COLORS[view]}
        assert dict(track.metadata["syncam"]) == dict(clip.metadata["syncam"])
        assert clip.color.to_hex() == f"{COLORS[view]}ff"
    assert found.video_tracks() == list(found.tracks)
    assert span(found.tracks.available_range()) == (0, 81)


def test_the_timeline_keeps_the_cut_list():
    found = timeline("0 front; 1.6s B ~5", NTSC_FILM)
    about = found.metadata["syncam"]
    assert edit(about["cuts"], Fraction(about["fps"])) == edit("0 A; 38 B ~5", NTSC_FILM)
    assert list(about["cameras"]) == list(NAMES)
    assert found.name == "views_00001 edit"
    assert frames_of(found.global_start_time) == 0


def test_a_cross_fade_is_a_dissolve_around_its_cut_with_media_on_both_sides():
    programme = timeline("0 A; 24 B ~5; 48 A").tracks[-1]
    assert [type(child).__name__ for child in programme] == ["Clip", "Transition", "Clip", "Clip"]
    fade = programme[1]
    assert fade.transition_type == "SMPTE_Dissolve"
    assert (frames_of(fade.in_offset), frames_of(fade.out_offset)) == (2, 3)
    assert span(programme[0].source_range) == (0, 24)
    assert span(programme[2].source_range) == (24, 24)
    before, after = programme.handles_of_child(programme[2])
    assert frames_of(before) == 2
    assert after is None
    assert span(programme.range_of_child(programme[2])) == (24, 24)


def test_a_file_name_becomes_a_url():
    found = timeline("", stem="my film 50%_00001")
    url = found.tracks[0][0].media_reference.target_url
    assert url == "my%20film%2050%25_00001_front.mp4"
    assert otio.url_utils.filepath_from_url(url) == "my film 50%_00001_front.mp4"


def test_the_files_of_a_run_are_called_alike():
    assert file_stem(saved()) == "views_00001"
    assert file_stem(saved(names=("cam_00007",), stem="a_b_00012")) == "a_b_00012"
    assert file_stem(saved(names=("grid", "x"))) == "views_00001"
    assert file_stem(saved(files=("one.mp4", "two.mp4", "three.mp4"))) == "one"


# ---- .edl


def read_edl(text, rate):
    (track,) = otio.adapters.read_from_string(text, "cmx_3600", rate=rate).tracks
    return list(track)


def test_an_edl_of_cuts_is_this_text():
    text = edl_text(edit("0 A; 24 B; 48 A", Fraction(24)), saved(fps=Fraction(24)))
    assert text.splitlines() == [
        "TITLE: views_00001",
        "FCM: NON-DROP FRAME",
        "",
        "001  FRONT    V     C        00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00",
        "* SYNCAM: 24 FRAMES PER SECOND, TIMECODE COUNTS 24",
        "* FROM CLIP NAME:  views_00001_front.mp4",
        "* FROM CLIP: views_00001_front.mp4",
        "002  LEFTHIGH V     C        00:00:01:00 00:00:02:00 00:00:01:00 00:00:02:00",
        "* FROM CLIP NAME:  views_00001_left-high.mp4",
        "* FROM CLIP: views_00001_left-high.mp4",
        "003  FRONT    V     C        00:00:02:00 00:00:03:09 00:00:02:00 00:00:03:09",
        "* FROM CLIP NAME:  views_00001_front.mp4",
        "* FROM CLIP: views_00001_front.mp4",
    ]


@pytest.mark.parametrize(
    ("fps", "rate", "times"),
    [
        (24, 24, 1),
        (25, 25, 1),
        (NTSC_FILM, 24, 1),
        (Fraction(30000, 1001), 30, 1),
        (Fraction(60000, 1001), 60, 1),
        (15, 30, 2),
        (16, 48, 3),
        (12, 24, 2),
        (8, 24, 3),
        (10, 30, 3),
        (Fraction(25, 2), 25, 2),
        (1, 24, 24),
    ],
)
def test_an_edl_read_back_has_the_shots_reels_and_names(fps, rate, times):
    fps = Fraction(fps)
    assert edl_rate(fps) == (rate, times)
    text = edl_text(edit("0 A; 24 B; 48 C", fps), saved(fps=fps))
    found = [(span(c.source_range), c.metadata["cmx_3600"]["reel"], c.name) for c in read_edl(text, rate)]
    assert found == [
        ((0, 24 * times), "FRONT", "views_00001_front.mp4"),
        ((24 * times, 24 * times), "LEFTHIGH", "views_00001_left-high.mp4"),
        ((48 * times, 33 * times), "ELAN3", "views_00001_Elan-3.mp4"),
    ]
    assert [c.media_reference.target_url for c in read_edl(text, rate)] == list(saved().files)


def test_a_cross_fade_in_an_edl_begins_where_its_event_begins():
    text = edl_text(edit("0 A; 24 B ~5; 48 A ~2; 60 C", Fraction(24)), saved(fps=Fraction(24)))
    first, fade, second, back, third, last = read_edl(text, 24)
    assert (span(first.source_range), first.metadata["cmx_3600"]["reel"]) == ((0, 22), "FRONT")
    assert (frames_of(fade.in_offset), frames_of(fade.out_offset)) == (0, 5)
    assert (span(second.source_range), second.metadata["cmx_3600"]["reel"]) == ((22, 25), "LEFTHIGH")
    assert (frames_of(back.in_offset), frames_of(back.out_offset)) == (0, 2)
    assert (span(third.source_range), third.metadata["cmx_3600"]["reel"]) == ((47, 13), "FRONT")
    assert (span(last.source_range), last.metadata["cmx_3600"]["reel"]) == ((60, 21), "ELAN3")
    assert [second.name, third.name] == ["views_00001_left-high.mp4", "views_00001_front.mp4"]


@st.composite
def edits(draw):
    frames, made, free = draw(st.integers(1, 120)), [], 0
    starts = [0, *sorted(draw(st.sets(st.integers(1, frames - 1), max_size=8)))] if frames > 1 else [0]
    for start, end in zip(starts, [*starts[1:], frames], strict=True):
        fade = draw(st.integers(0, min(2 * free, 2 * (end - start)))) if start else 0
        made.append(Cut(start, draw(st.integers(0, 2)), fade))
        free = end - start - made[-1].after
    fps = draw(st.sampled_from([Fraction(15), Fraction(24), Fraction(30000, 1001), Fraction(16)]))
    return Edit(fps, frames, NAMES, tuple(made))


def film_of(children, frames, times, views):
    """The shares of the views in each frame, as the children of a track say them."""
    seen, at = [[0.0] * 3 for _ in range(frames)], 0
    for index, child in enumerate(children):
        if isinstance(child, otio.schema.Transition):
            continue
        start, length = span(child.source_range)
        assert start == at
        fade = children[index - 1] if index and isinstance(children[index - 1], otio.schema.Transition) else None
        before, after = (frames_of(fade.in_offset), frames_of(fade.out_offset)) if fade else (0, 0)
        for t in range((at - before) // times, frames):
            share = min(1.0, ((t * times - at + before) + times / 2) / (before + after)) if before + after else 1.0
            seen[t] = [(1 - share) * old for old in seen[t]]
            seen[t][views(child)] += share
        at += length
    assert at == frames * times
    return seen


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(edits())
def test_any_edit_makes_the_same_film_from_the_otio_file_and_from_the_edl(edit):
    files = saved(fps=edit.fps, frames=edit.frames)
    expected = [[0.0] * 3 for _ in range(edit.frames)]
    for t in range(edit.frames):
        below, above, share = edit.views_at(t)
        expected[t][below] += 1 - float(share)
        expected[t][above] += float(share)

    programme = otio.adapters.read_from_string(otio_text(edit, files), "otio_json").tracks[-1]
    urls = {url: view for view, url in enumerate(files.files)}
    found = film_of(list(programme), edit.frames, 1, lambda clip: urls[clip.media_reference.target_url])
    assert found == [pytest.approx(row) for row in expected]

    rate, times = edl_rate(edit.fps)
    reels = {reel: view for view, reel in enumerate(reel_names(NAMES))}
    events = read_edl(edl_text(edit, files), rate)
    found = film_of(events, edit.frames, times, lambda clip: reels[clip.metadata["cmx_3600"]["reel"]])
    assert found == [pytest.approx(row) for row in expected]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(max_size=12), min_size=1, max_size=64))
def test_reels_are_unique_and_plain_whatever_the_cameras_are_called(names):
    reels = reel_names(names)
    assert len(set(reels)) == len(names)
    for reel in reels:
        assert reel.isascii()
        assert reel.isalnum()
        assert reel == reel.upper()
        assert 1 <= len(reel) <= 8
        assert reel not in ("AX", "BL", "BLACK", "BARS")


def test_reels_of_cameras_that_begin_alike_are_numbered():
    assert reel_names(["camera left", "camera right", "camera rear"]) == ["CAMERALE", "CAMERARI", "CAMERARE"]
    assert reel_names(["bl", "ax", "カ", "long camera one", "long camera ones"]) == [
        "BL2",
        "AX2",
        "VIEW3",
        "LONGCAME",
        "LONGCAM2",
    ]


def test_a_file_name_with_line_ends_stays_on_one_line():
    files = saved(files=("a\u2028002  X V C_front.mp4", "b\x85.mp4", "c.mp4"), fps=Fraction(24))
    events = read_edl(edl_text(edit("0 A; 24 B", Fraction(24)), files), 24)
    assert [event.name for event in events] == ["a-002  X V C_front.mp4", "b-.mp4"]


# ---- what cannot be said


@pytest.mark.parametrize("fps", [18, 120, 240, Fraction(7, 3), Fraction(1, 100), Fraction(23)])
def test_a_rate_without_timecode_is_refused_for_an_edl_and_fine_for_otio(fps):
    fps = Fraction(fps)
    with pytest.raises(UserError, match=r"an EDL cannot say .* frames per second: its timecode counts 24, 25, 30"):
        edl_text(edit("0 A; 24 B", fps), saved(fps=fps))
    assert len(timeline("0 A; 24 B", fps).tracks[-1]) == 2


def test_more_events_and_longer_dissolves_than_an_edl_numbers_are_refused():
    many = Edit(Fraction(24), 1000, NAMES, tuple(Cut(t, t % 3) for t in range(1000)))
    with pytest.raises(UserError, match="at most 999 events, but the edit has 1000 shots"):
        edl_text(many, saved(fps=Fraction(24), frames=1000))
    slow = Edit(Fraction(15), 1200, NAMES, (Cut(0, 0), Cut(600, 1, 500)))
    with pytest.raises(UserError, match="at most 999 frames, but the edit has one of 1000 at 30 frames per second"):
        edl_text(slow, saved(frames=1200))


@pytest.mark.parametrize("write", [otio_text, edl_text])
@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (saved(names=("a", "b")), "'edit' is of 3 views, but 'files' are of 2; connect the views and the files"),
        (saved(frames=80), "'edit' has 81 frames, but 'files' have 80; connect"),
        (saved(fps=NTSC_FILM), "'edit' has 15 frames per second, but 'files' have 23.976; set the same 'fps'"),
        (
            saved(names=("front", "back", "left")),
            "'edit' is of the cameras front, left, high, Élan 3, but 'files' are of",
        ),
        (saved(names=NAMES[::-1]), "'edit' is of the cameras"),
    ],
)
def test_files_of_another_run_are_refused(write, files, sentence):
    with pytest.raises(UserError, match=sentence):
        write(edit("0 A; 24 B"), files)


def test_an_edit_without_a_rig_takes_the_names_of_the_files():
    plain = edit("0 A; 24 B", names=("view 1", "view 2", "view 3"))
    found = otio.adapters.read_from_string(otio_text(plain, saved()), "otio_json")
    assert [track.name for track in found.tracks] == [*NAMES, "programme"]
    text = otio_text(edit("0 A; 24 B"), saved(names=("view 1", "view 2", "view 3")))
    found = otio.adapters.read_from_string(text, "otio_json")
    assert [track.name for track in found.tracks] == [*NAMES, "programme"]


def test_without_the_library_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(UserError, match=r"OpenTimelineIO is not installed.*pip install opentimelineio"):
        otio_text(edit("0 A"), saved())
    monkeypatch.undo()
    monkeypatch.setattr(otio.adapters, "available_adapter_names", lambda: ["otio_json"])
    with pytest.raises(UserError, match=r"lacks its adapter for EDL files.*pip install otio-cmx3600-adapter"):
        edl_text(edit("0 A"), saved())
