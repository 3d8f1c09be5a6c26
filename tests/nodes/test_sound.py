"""The sound of a scene through the nodes: from the video that came in to the views, the film and the timeline."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import numpy as np
import opentimelineio as otio
import pytest
import torch

from syncam_core.video.sound import sound_of_video

FPS, FRAMES, BEEPING, RATE = Fraction(15), 24, 9, 48000


def frames(view):
    return torch.full((FRAMES, 64, 64, 3), 0.1 + 0.2 * view)


def beep(frame=BEEPING, channels=1, rate=RATE):
    """An AUDIO: a tone while the given frame is shown."""
    wave = torch.zeros(1, channels, round(FRAMES / FPS * rate))
    begin, end = round(frame / FPS * rate), round((frame + 1) / FPS * rate)
    wave[..., begin:end] = 0.5 * torch.sin(2 * torch.pi * 1000 * torch.arange(end - begin) / rate)
    return {"waveform": wave, "sample_rate": rate}


def frame_of(samples, rate=RATE):
    """During which frame a tone begins."""
    (loud,) = np.nonzero(np.abs(np.asarray(samples)) > 0.1)
    return round(loud[0] / rate * FPS, 1)


def heard_in(path):
    sound = sound_of_video(path, 0, FRAMES / FPS)
    return sound and frame_of(sound.samples[0], sound.rate)


def video_of(view, frame, fps=FPS):
    from comfy_api.latest import InputImpl, Types

    audio = None if frame is None else beep(frame)
    return InputImpl.VideoFromComponents(Types.VideoComponents(images=frames(view), audio=audio, frame_rate=fps))


def filed(video, path):
    from comfy_api.latest import InputImpl

    video.save_to(str(path))
    return InputImpl.VideoFromFile(str(path))


def run(comfy, node, **inputs):
    import execution

    hidden = {"PROMPT": None, "EXTRA_PNGINFO": None}
    with torch.inference_mode():
        results, shown, _, _ = asyncio.run(
            execution.get_output_data("job", "7", comfy.nodes[node], inputs, v3_data={"hidden_inputs": hidden})
        )
    return [result[0] for result in results], shown


def save(comfy, views, **more):
    (files,), shown = run(comfy, "SynCamSaveViews", views=views, filename_prefix=["x/views"], fps=[15.0], **more)
    return files, list(shown.get("remarks", ()))


def test_a_connected_sound_is_in_every_video_in_time_with_the_frames(comfy, outputs):
    files, remarks = save(comfy, [frames(0), frames(1)], audio=[beep()])
    assert [heard_in(files.folder / name) for name in files.films] == [BEEPING] * 3
    assert remarks == []
    with av.open(str(files.folder / files.grid)) as film:
        assert sum(1 for _ in film.decode(video=0)) == FRAMES


def test_videos_bring_their_own_sound_from_memory_and_from_files(comfy, outputs, tmp_path):
    views = [video_of(0, None), filed(video_of(1, 4), tmp_path / "a.mp4"), video_of(2, 20)]
    files, remarks = save(comfy, views)
    assert [heard_in(files.folder / name) for name in files.files] == [None, 4, 20]
    assert heard_in(files.folder / files.grid) == 4
    assert remarks == []


def test_a_sound_that_would_not_be_in_time_is_left_out_and_said(comfy, outputs, tmp_path):
    fast = filed(video_of(0, 4, Fraction(24)), tmp_path / "fast.mp4")
    files, remarks = save(comfy, [fast, video_of(1, 20)])
    assert [heard_in(files.folder / name) for name in files.files] == [None, 20]
    assert remarks == ["No sound of 'view 1': its video has 24 frames per second, and 'fps' is 15."]


def test_the_film_and_the_timelines_carry_the_sound(comfy, outputs):
    views = [video_of(0, None), video_of(1, 4)]
    (images, video, made, _), _ = run(
        comfy, "SynCamEdit", views=views, cuts=["0 A; 8 B; 16 A"], fps=[15.0], timecode=[False]
    )
    audio = video.get_components().audio
    assert audio["waveform"].shape == (1, 1, FRAMES * RATE // 15)
    assert frame_of(audio["waveform"][0, 0]) == 4
    assert len(images) == FRAMES

    files, _ = save(comfy, views)
    (paths,), shown = run(comfy, "SynCamSaveEdit", edit=[made], files=[files], formats=["all"])
    assert "the .edl has the pictures alone" in shown["saved"][0]
    for path, adapter in zip(paths.split("\n")[::2], ("otio_json", "fcp_xml"), strict=False):
        ((clip,),) = otio.adapters.read_from_file(path, adapter).audio_tracks()
        assert clip.media_reference.target_url.endswith("views_00001_view-2.mp4")
        assert clip.source_range.duration.value == FRAMES


def test_the_saved_film_is_heard_in_time(comfy, outputs, tmp_path):
    (_, video, *_), _ = run(
        comfy,
        "SynCamEdit",
        views=[frames(0), frames(1)],
        cuts=["0 A; 8 B"],
        fps=[15.0],
        timecode=[False],
        audio=[beep(channels=2, rate=44100)],
    )
    video.save_to(str(tmp_path / "film.mp4"))
    assert heard_in(tmp_path / "film.mp4") == BEEPING


def test_views_that_are_rendered_from_latents_carry_a_connected_sound(comfy, outputs):
    length = 5
    files, *_ = comfy.run(
        "SynCamRenderViews",
        latent={"samples": torch.zeros(2, 16, 2, 8, 8)},
        vae=comfy.run("SynCamDemoModel")[2],
        filename_prefix="x/render",
        fps=15.0,
        codec={"codec": "ffv1", "bit_depth": "8"},
        contact_sheet=False,
        audio=beep(2),
    )
    for name in files.films:
        sound = sound_of_video(files.folder / name, 0, length / FPS)
        assert frame_of(sound.samples[0], sound.rate) == 2
        assert len(sound.samples[0]) == RATE * length // 15


@pytest.mark.parametrize(
    ("audio", "sentence"),
    [
        ({"waveform": torch.zeros(2, 1, 10), "sample_rate": RATE}, "'audio' is not one sound"),
        ({"waveform": torch.zeros(1, 6, 10), "sample_rate": RATE}, "'audio' has the shape"),
        (
            {"waveform": torch.full((1, 1, 10), torch.nan), "sample_rate": RATE},
            "'audio' has samples that are not finite",
        ),
    ],
)
def test_what_is_no_sound_is_refused_before_anything_is_written(comfy, outputs, audio, sentence):
    with pytest.raises(ValueError, match=f"^SynCamSaveViews: {sentence}"):
        save(comfy, [frames(0)], audio=[audio])
    assert not list(outputs.rglob("*.mp4"))
