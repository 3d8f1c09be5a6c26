"""The sound of a scene: where it was in the video that it comes from, it is in the videos that are made of it."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import opentimelineio as otio
import pytest
import torch
from mp4_bytes import show_only

from syncam_core.errors import UserError
from syncam_core.video.clip import ImageClip, in_order
from syncam_core.video.codecs import CODECS, Encoding
from syncam_core.video.edit import edit_of
from syncam_core.video.otio_export import otio_text
from syncam_core.video.sound import Sound, SoundFormat, sound_of_samples, sound_of_video
from syncam_core.video.view_files import ViewFiles
from syncam_core.video.write import VideoWriter

NTSC = Fraction(30000, 1001)
FRAMES, BEEPING = 40, 17


def beep(fps, rate=48000, channels=2, frame=BEEPING, frames=FRAMES):
    """Silence but for one frame, in which a tone begins and ends."""
    sound = np.zeros((channels, round(frames / fps * rate)), np.float32)
    begin, end = round(frame / fps * rate), round((frame + 1) / fps * rate)
    sound[:, begin:end] = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(end - begin) / rate)
    return Sound(sound, rate)


def write(path, fps, sound, codec="h264", frames=FRAMES):
    bits = min(CODECS[codec].pixels)
    with VideoWriter(path, fps, codec=codec, bits=bits, sound=sound) as video:
        for index in range(frames):
            video.write(np.full((64, 64, 3), 5 * index % 256, np.uint8 if bits == 8 else np.uint16))
    return path


def beeping(sound):
    """The frames' worth of time in which a tone is heard, in samples."""
    (loud,) = np.nonzero(np.abs(sound.samples[0]) > 0.1)
    return loud[0], loud[-1] + 1


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(("fps", "rate"), [(Fraction(15), 48000), (NTSC, 44100)])
def test_a_tone_is_heard_with_the_frame_that_it_was_written_with(tmp_path, codec, fps, rate):
    path = write(tmp_path / f"film{CODECS[codec].suffix}", fps, beep(fps, rate), codec)
    with av.open(str(path)) as film:
        assert sum(1 for _ in film.decode(video=0)) == FRAMES
    found = sound_of_video(path, 0, FRAMES / fps)
    assert found.format == SoundFormat(rate, 2)
    begin, end = beeping(found)
    assert abs(begin - round(BEEPING / fps * rate)) < 0.001 * rate
    assert abs(end - round((BEEPING + 1) / fps * rate)) < 0.001 * rate


def test_the_sound_of_a_trimmed_video_begins_with_its_first_frame(tmp_path):
    fps = Fraction(15)
    path = write(tmp_path / "film.mp4", fps, beep(fps))
    begin, _ = beeping(sound_of_video(path, 10 / 15, 20 / fps))
    assert abs(begin - round((BEEPING - 10) / fps * 48000)) < 48
    # Between two frames: the later one is the first that is shown.
    begin, _ = beeping(sound_of_video(path, 9.5 / 15, 20 / fps))
    assert abs(begin - round((BEEPING - 10) / fps * 48000)) < 48


def test_times_that_matroska_rounds_leave_no_clicks(tmp_path):
    """FLAC loses nothing but the rounding to 16 bits: whoever takes rounded times for gaps moves pieces by samples."""
    noise = np.random.default_rng(3).uniform(-0.9, 0.9, (2, 4 * 44100)).astype(np.float32)
    path = write(tmp_path / "film.mkv", Fraction(15), Sound(noise, 44100), "ffv1", frames=60)
    found = sound_of_video(path, 0, Fraction(4))
    assert found.samples.shape == noise.shape
    assert np.abs(found.samples - noise).max() <= 1 / 32768


def test_pictures_that_an_edit_list_leaves_out_do_not_shift_the_sound(tmp_path):
    path = show_only(write(tmp_path / "film.mp4", Fraction(15), beep(Fraction(15))), 6, 30, 15)
    begin, _ = beeping(sound_of_video(path, 0, Fraction(2)))
    assert begin / 48000 == pytest.approx(BEEPING / 15, abs=0.001)


@pytest.mark.parametrize(("given", "written"), [(22500, 48000), (192000, 48000), (44100, 44100)])
def test_a_rate_that_no_file_has_is_converted_and_stays_in_time(tmp_path, given, written):
    fps = Fraction(24)
    made = beep(fps, given)
    sound = sound_of_samples(made.samples, given)
    assert sound.rate == written
    path = write(tmp_path / "film.mp4", fps, sound)
    begin, end = beeping(sound_of_video(path, 0, FRAMES / fps))
    assert abs(begin / written - BEEPING / 24) < 0.002
    assert abs(end / written - (BEEPING + 1) / 24) < 0.002


@pytest.mark.parametrize("seconds", [0.2, 9.0])
def test_a_sound_of_another_length_is_cut_or_followed_by_silence(tmp_path, seconds):
    fps = Fraction(15)
    tone = 0.5 * np.sin(np.arange(round(48000 * seconds)) / 10, dtype=np.float32)
    path = write(tmp_path / "film.mp4", fps, Sound(tone[None], 48000))
    with av.open(str(path)) as film:
        assert film.streams.audio[0].channels == 1
        assert film.duration / av.time_base == pytest.approx(FRAMES / 15, abs=0.03)
    found = sound_of_video(path, 0, FRAMES / fps)
    begin, end = beeping(found)
    assert begin < 200
    assert end / 48000 == pytest.approx(min(seconds, FRAMES / 15), abs=0.01)


def test_a_video_without_a_sound_has_none(tmp_path):
    path = write(tmp_path / "film.mp4", Fraction(15), None)
    with av.open(str(path)) as film:
        assert not film.streams.audio
    assert sound_of_video(path, 0, Fraction(1)) is None


@pytest.mark.parametrize(
    ("samples", "rate", "sentence"),
    [
        (np.zeros((3, 10), np.float32), 48000, "has the shape"),
        (np.zeros(10, np.float32), 48000, "has the shape"),
        (np.full((1, 10), np.nan, np.float32), 48000, "not finite"),
        (np.zeros((1, 10), np.float32), 0, "has 0 samples per second"),
    ],
)
def test_what_is_no_sound_is_refused(samples, rate, sentence):
    with pytest.raises(UserError, match=sentence):
        sound_of_samples(samples, rate)


def test_each_view_keeps_its_own_sound_and_the_grid_has_the_first(tmp_path):
    fps = Fraction(15)
    sounds = [None, beep(fps, frame=5), beep(fps, frame=30)]
    clips = [ImageClip(grey(view)) for view in range(3)]
    run = ViewFiles(("a", "b", "c"), ("#ff0000", "#00ff00", "#0000ff"), fps, Encoding(), has_sheet=False, sounds=sounds)
    files = run.planned(clips, tmp_path, "", "take_00001")
    run.write(tmp_path, files, [(clip, in_order(clip)) for clip in clips], lambda: None)
    assert files.sounds == (None, SoundFormat(48000, 2), SoundFormat(48000, 2))
    heard = [sound_of_video(tmp_path / file, 0, FRAMES / fps) for file in (*files.files, files.grid)]
    assert heard[0] is None
    assert [beeping(sound)[0] * 15 // 48000 for sound in heard[1:]] == [5, 30, 5]

    timeline = otio_text(edit_of("0 A; 20 C", FRAMES, fps, ("a", "b", "c")), files)
    (track,) = otio.adapters.read_from_string(timeline, "otio_json").audio_tracks()
    (clip,) = track
    assert clip.media_reference.target_url == files.files[1]
    assert (clip.source_range.start_time.value, clip.source_range.duration.value) == (0, FRAMES)


def grey(view):
    return torch.full((FRAMES, 64, 64, 3), 0.2 * view)


def other_peoples(path, layout="stereo", late_s=0.0, rate=48000):
    """A video of 40 frames at 15 by FFmpeg alone: a tone in its 18th frame, on all channels, in a stream that begins late."""
    channels = av.AudioLayout(layout).nb_channels
    samples = beep(Fraction(15), rate, channels).samples[:, round(late_s * rate) :]
    with av.open(str(path), "w") as film:
        pictures, sound = film.add_stream("mpeg4", rate=15), film.add_stream("aac", rate=rate)
        pictures.width = pictures.height = 64
        sound.layout = layout
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 5 * index, np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 15)
            film.mux(pictures.encode(frame))
        film.mux(pictures.encode(None))
        for begin in range(0, samples.shape[1], 1024):
            piece = np.ascontiguousarray(samples[:, begin : begin + 1024])
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, round(late_s * rate) + begin, Fraction(1, rate)
            film.mux(sound.encode(frame))
        film.mux(sound.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("late_s", [0.0, 0.5])
@pytest.mark.parametrize("layout", ["mono", "5.1"])
def test_sounds_of_other_peoples_videos_are_where_they_were(tmp_path, suffix, late_s, layout):
    path = other_peoples(tmp_path / f"film{suffix}", layout, late_s)
    found = sound_of_video(path, 0, FRAMES / Fraction(15))
    assert found.format.channels == (1 if layout == "mono" else 2)
    begin, end = beeping(found)
    assert begin / 48000 == pytest.approx(BEEPING / 15, abs=0.003)
    assert end / 48000 == pytest.approx((BEEPING + 1) / 15, abs=0.003)
    assert np.abs(found.samples[:, : round(1.1 * 48000)]).max() < 0.01


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_damaged_video_has_a_sound_or_a_sentence(tmp_path, kept):
    path = other_peoples(tmp_path / "film.mkv")
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(1)
    for place in rng.integers(1000, len(data), 60):
        data[place] = rng.integers(256)
    path.write_bytes(data[: round(kept * len(data))])
    try:
        found = sound_of_video(path, 0, FRAMES / Fraction(15))
    except UserError as problem:
        found = str(problem)
    if isinstance(found, str):
        assert "FFmpeg cannot read" in found
    elif found is not None:
        assert found.samples.shape == (2, round(FRAMES / 15 * 48000))
