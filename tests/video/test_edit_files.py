"""The edit in Final Cut Pro 7's XML, in FCPXML and in MLT's XML, read back by real readers and by a plain second one."""

from __future__ import annotations

import random
import shutil
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import edit_films as films
import numpy as np
import opentimelineio as otio
import pytest

from syncam_core.disk.names import file_slugs
from syncam_core.errors import UserError
from syncam_core.video.clip import MadeClip, in_order
from syncam_core.video.edit import edit_of, edited
from syncam_core.video.edit_files import CHOICES, edit_texts
from syncam_core.video.fcp7_export import fcp7_text
from syncam_core.video.fcpx_export import fcpx_rate, fcpx_text
from syncam_core.video.mlt_export import mlt_text
from syncam_core.video.sound import SoundFormat
from syncam_core.video.view_files import SavedViews

NAMES = ("front", 'left, <high> & "wide"', "カメラ 3")
FOLDER = Path("/films/Ordner mit Ümlaut, 50% & #1")
COLORS = ("#3399ff", "#ff8800", "#006655")
NTSC = Fraction(30000, 1001)
STEREO = SoundFormat(48000, 2)
WRITERS = {"fcp7 xml": fcp7_text, "fcpxml": fcpx_text, "mlt": mlt_text}


def saved(fps=Fraction(15), frames=81, names=NAMES, **changed):
    slugs = file_slugs(names)
    facts = {
        "folder": FOLDER,
        "subfolder": "syncam",
        "kind": "output",
        "fps": fps,
        "frames": frames,
        "names": tuple(names),
        "colors": COLORS[: len(names)],
        "files": tuple(f"mein film_00001_{slug}.mp4" for slug in slugs),
        "sizes": ((48, 64),) * len(names),
    }
    return SavedViews(**{**facts, **changed})


def edit(text, fps=Fraction(15), frames=81, names=NAMES):
    return edit_of(text, frames, fps, names)


def parsed(text):
    return ElementTree.fromstring(text)


# ---- all formats


def test_random_edits_make_the_same_film_from_every_format_as_its_reader_reads_it(tmp_path):
    rng = random.Random(19)
    for number in range(48):
        fps, frames = films.RATES[number % 6], (2, 17, 61, 113)[number // 6 % 4]
        files = saved(fps, frames)
        made = films.random_edit(rng, fps, NAMES, frames)
        texts, _ = edit_texts(made, files)
        for suffix, text in texts.items():
            (tmp_path / f"edit{suffix}").write_text(text, encoding="utf-8")
        expected = films.film_of_edit(made, files)
        read = {
            "otio": films.read_otio(tmp_path / "edit.otio"),
            "edl": films.read_edl(tmp_path / "edit.edl", made, files),
            "fcp7": films.read_fcp7(tmp_path / "edit.xml"),
            "multicam": films.read_fcpxml(tmp_path / "edit.fcpxml", 0),
            "flat": films.read_fcpxml(tmp_path / "edit.fcpxml", 1),
            "mlt": films.read_mlt(tmp_path / "edit.mlt"),
        }
        for name, shots in read.items():
            assert films.film_of_shots(shots, fps, frames) == expected, (name, made.text, fps)


@pytest.mark.skipif(shutil.which("melt") is None, reason="MLT's melt is not installed")
@pytest.mark.parametrize("fps", films.RATES)
def test_what_mlt_renders_is_the_film(tmp_path, fps):
    folder = tmp_path / FOLDER.name
    folder.mkdir()
    files = films.telling_files(folder, fps, 40, NAMES, "mein film 100%_00001")
    made = edit("0 A; 6 C ~7; 14 B ~1; 20 A; 30 B ~20", fps, 40)
    (folder / "edit.mlt").write_text(mlt_text(made, files), encoding="utf-8")
    found = films.rendered(folder / "edit.mlt", tmp_path / "rendered.mkv")
    sources = [films.pictures_of(folder / file) for file in files.files]
    clips = [MadeClip(len(s), *s.shape[1:3], s.dtype, s.__getitem__) for s in sources]
    film = np.stack(list(in_order(edited(clips, made))))
    assert found.shape == film.shape
    assert np.abs(found.astype(int) - film).max() <= 3


@pytest.mark.parametrize("write", WRITERS.values())
def test_files_of_another_run_are_refused(write):
    with pytest.raises(UserError, match="'edit' has 81 frames, but 'files' have 80; connect the views and the files"):
        write(edit("0 A; 24 B"), saved(frames=80))


@pytest.mark.parametrize("write", WRITERS.values())
def test_names_that_xml_cannot_say_are_written_with_the_replacement_character(write):
    names = ("front", "a\x00b\ud800", "\uffff")
    text = write(edit("0 A; 24 B", names=names), saved(names=names))
    parsed(text.encode())
    assert "a\ufffdb\ufffd" in text


@pytest.mark.parametrize(("choice", "suffixes"), [(choice, len(names)) for choice, names in CHOICES.items()])
def test_each_choice_of_formats_gives_its_files(choice, suffixes):
    texts, sentences = edit_texts(edit("0 A; 24 B"), saved(), choice)
    assert (len(texts), sentences) == (suffixes, [])


def test_what_a_format_cannot_say_is_told_and_the_other_files_are_there():
    fps = Fraction(37, 2)
    texts, sentences = edit_texts(edit("0 A; 24 B", fps), saved(fps))
    assert list(texts) == [".otio", ".mlt"]
    assert [sentence.split(":")[0] for sentence in sentences] == ["no .edl", "no .xml", "no .fcpxml"]
    with pytest.raises(UserError, match=r"^Final Cut Pro 7's XML cannot say 18\.5 frames per second"):
        edit_texts(edit("0 A; 24 B", fps), saved(fps), "fcp7 xml")
    with pytest.raises(UserError, match="'formats' is 'aaf'; possible are all, otio and edl, otio"):
        edit_texts(edit("0 A"), saved(), "aaf")


def test_sixteen_frames_per_second_are_said_not_to_be_for_final_cut_pro():
    fps = Fraction(16)
    assert fcpx_rate(fps) == 48
    _, sentences = edit_texts(edit("0 A; 24 B", fps), saved(fps))
    assert len(sentences) == 1
    assert "projects of 48 frames per second" in sentences[0]


# ---- Final Cut Pro 7


@pytest.mark.parametrize(
    ("fps", "timebase", "ntsc"), [(15, 15, "FALSE"), (8, 8, "FALSE"), (24, 24, "FALSE"), (NTSC, 30, "TRUE")]
)
def test_the_rate_stands_in_whole_frames_with_a_word_for_ntsc(fps, timebase, ntsc):
    root = parsed(fcp7_text(edit("0 A; 24 B", Fraction(fps)), saved(Fraction(fps))))
    rates = {(rate.findtext("timebase"), rate.findtext("ntsc")) for rate in root.iter("rate")}
    assert rates == {(str(timebase), ntsc)}


def test_the_sequence_has_a_track_for_each_camera_below_the_programme_and_absolute_urls():
    root = parsed(fcp7_text(edit("0 A; 24 B ~5"), saved()))
    sequence = root.find("project/children/sequence")
    tracks = sequence.findall("media/video/track")
    assert [track.findtext("name") for track in tracks] == [*NAMES, "programme"]
    urls = [file.findtext("pathurl") for file in sequence.iter("file") if len(file)]
    quoted = "file://localhost/films/Ordner%20mit%20%C3%9Cmlaut%2C%2050%25%20%26%20%231/mein%20film_00001_"
    assert urls == [f"{quoted}{slug}.mp4" for slug in file_slugs(NAMES)]
    fade = tracks[-1].find("transitionitem")
    assert [fade.findtext(key) for key in ("start", "end", "alignment")] == ["22", "27", "center"]
    left, right = tracks[-1].findall("clipitem")
    assert [left.findtext(key) for key in ("start", "end", "in", "out")] == ["0", "-1", "0", "27"]
    assert [right.findtext(key) for key in ("start", "end", "in", "out")] == ["-1", "81", "22", "81"]


def test_the_multiclip_has_an_angle_for_each_camera():
    root = parsed(fcp7_text(edit("0 A; 24 B"), saved()))
    multiclip = root.find("project/children/clip/media/video/track/clipitem/multiclip")
    angles = multiclip.findall("angle")
    assert [angle.findtext("clip/name") for angle in angles] == list(NAMES)
    assert [angle.findtext("activevideoangle") for angle in angles] == ["TRUE", "FALSE", "FALSE"]
    files = {file.get("id") for file in root.find("project/children/sequence").iter("file") if len(file)}
    assert [angle.find(".//file").get("id") for angle in angles] == sorted(files)
    alone = fcp7_text(edit("0 A", names=("front",)), saved(names=("front",)))
    assert "multiclip" not in alone


def test_a_sound_runs_through_the_sequence_a_track_for_each_channel():
    files = saved(sounds=(None, STEREO, None))
    text = fcp7_text(edit("0 A; 24 B; 48 C"), files)
    tracks = parsed(text).findall("project/children/sequence/media/audio/track")
    found = [
        [item.findtext(key) for key in ("start", "end", "in", "out", "sourcetrack/mediatype", "sourcetrack/trackindex")]
        for track in tracks
        for item in track.findall("clipitem")
    ]
    assert found == [["0", "81", "0", "81", "audio", "1"], ["0", "81", "0", "81", "audio", "2"]]
    assert {item.find("file").get("id") for track in tracks for item in track.findall("clipitem")} == {"file-2"}
    (audio,) = otio.adapters.read_from_string(text, "fcp_xml").audio_tracks()
    (clip,) = audio
    assert films.name_in(clip.media_reference.target_url) == files.files[1]


# ---- FCPXML


@pytest.mark.parametrize(
    ("fps", "project", "file"),
    [
        (Fraction(15), "1/30s", "1/15s"),
        (Fraction(24), "1/24s", "1/24s"),
        (NTSC, "1001/30000s", "1001/30000s"),
        (Fraction(15000, 1001), "1001/30000s", "1001/15000s"),
        (Fraction(25, 2), "1/25s", "2/25s"),
    ],
)
def test_projects_have_a_rate_of_film_and_files_their_own(fps, project, file):
    root = parsed(fcpx_text(edit("0 A; 24 B", fps), saved(fps)))
    durations = [format_.get("frameDuration") for format_ in root.iter("format")]
    assert durations == [project, file, file, file]
    assert {sequence.get("format") for sequence in root.iter("sequence")} == {"projects"}


def test_the_film_is_cut_from_one_multicam_clip_of_all_cameras():
    root = parsed(fcpx_text(edit("0 A; 24 B ~5; 48 C"), saved()))
    angles = root.findall("resources/media/multicam/mc-angle")
    assert [angle.get("name") for angle in angles] == list(NAMES)
    event = root.find("library/event")
    assert [child.tag for child in event] == ["mc-clip", "project", "project"]
    spine = event.find("project/sequence/spine")
    assert [item.tag for item in spine] == ["mc-clip", "transition", "mc-clip", "mc-clip"]
    assert [item.get("offset") for item in spine] == ["0s", "22/15s", "8/5s", "16/5s"]
    seen = [clip.find("mc-source").get("angleID") for clip in spine.findall("mc-clip")]
    assert seen == [angle.get("angleID") for angle in angles]


def test_everything_that_is_referred_to_is_there_once():
    root = parsed(fcpx_text(edit("0 A; 24 B ~5; 48 C"), saved(sounds=(STEREO, None, None))))
    numbers = [item.get("id") for item in root.find("resources")]
    assert len(set(numbers)) == len(numbers)
    named = {item.get(key) for item in root.iter() for key in ("ref", "format") if item.get(key)}
    assert named == set(numbers)


def test_the_sound_of_one_angle_is_heard_with_the_pictures_of_all():
    root = parsed(fcpx_text(edit("0 A; 24 B; 48 C"), saved(sounds=(None, STEREO, None))))
    multicam, flat = root.findall("library/event/project/sequence/spine")
    sources = [[(s.get("angleID"), s.get("srcEnable")) for s in clip] for clip in multicam]
    assert sources == [
        [("angle1", "video"), ("angle2", "audio")],
        [("angle2", "all")],
        [("angle3", "video"), ("angle2", "audio")],
    ]
    (sound,) = flat.findall("asset-clip/asset-clip")
    assert [sound.get(key) for key in ("ref", "lane", "srcEnable", "offset", "duration")] == [
        "asset2",
        "-1",
        "audio",
        "0s",
        "27/5s",
    ]
    assert {clip.get("srcEnable") for clip in flat.findall("asset-clip")} == {"video"}
    asset = root.find("resources/asset[@id='asset2']")
    assert [asset.get(key) for key in ("hasAudio", "audioChannels", "audioRate")] == ["1", "2", "48000"]


def test_a_rate_without_a_project_is_refused():
    for fps in (Fraction(18), Fraction(120), Fraction(7, 3)):
        with pytest.raises(UserError, match=r"FCPXML cannot say .* frames per second"):
            fcpx_text(edit("0 A; 24 B", fps), saved(fps))


# ---- MLT


@pytest.mark.parametrize("fps", [Fraction(15), NTSC, Fraction(18), Fraction(7, 3)])
def test_any_rate_is_a_fraction_in_the_profile(fps):
    profile = parsed(mlt_text(edit("0 A; 24 B", fps), saved(fps))).find("profile")
    assert Fraction(int(profile.get("frame_rate_num")), int(profile.get("frame_rate_den"))) == fps
    assert (profile.get("width"), profile.get("height")) == ("64", "48")


def test_files_stand_beside_the_mlt_and_the_sound_has_a_track_of_its_own():
    files = saved(sounds=(None, None, STEREO))
    root = parsed(mlt_text(edit("0 A; 24 B"), files))
    resources = [p.find("property[@name='resource']").text for p in root.findall("producer")]
    assert resources == [*files.files, files.files[2]]
    tracks = [(track.get("producer"), track.get("hide")) for track in root.findall("tractor[@id='film']/track")]
    assert tracks == [
        ("angle1", "both"),
        ("angle2", "both"),
        ("angle3", "both"),
        ("programme", "audio"),
        ("soundtrack", "video"),
    ]


@pytest.mark.parametrize("file", ["a:b.mp4", "half \ud800.mp4"])
def test_a_file_name_that_mlt_cannot_open_is_refused(file):
    with pytest.raises(UserError, match="MLT cannot open"):
        mlt_text(edit("0 A"), saved(files=("x.mp4", "y.mp4", file)))
