"""What the player's node writes and says: files that any browser plays frame by frame, and where they are."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from syncam_core.video import write_video
from syncam_core.video.view_files import SavedViews

NAMES = ("left", "right")


def views(count: int = 2, frames: int = 5, height: int = 48, width: int = 64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    coarse = torch.rand(count, frames, height // 16, width // 16, 3, generator=generator)
    return list(coarse.repeat_interleave(16, 2).repeat_interleave(16, 3))


@pytest.fixture
def play(comfy, tmp_path, monkeypatch):
    """A function that runs the node with lists, as the host does, and returns its output and what it says."""
    monkeypatch.setattr(comfy.folders, "get_temp_directory", lambda: str(tmp_path / "temp"))

    def run(fps=8.0, cuts="", **inputs):
        result = comfy.nodes["SynCamPlayer"].EXECUTE_NORMALIZED(fps=[fps], cuts=[cuts], **inputs)
        return result.result[0], result.ui["syncam_player"][0]

    return run


def path_of(tmp_path: Path, place: dict) -> Path:
    assert (place["type"], place["subfolder"]) == ("temp", "")
    return tmp_path / "temp" / place["filename"]


def test_the_temporary_files_hold_the_frames_in_h264_with_key_frames_only_at_equal_times(comfy, play, tmp_path):
    given = views()
    (rig,) = comfy.run("SynCamRigOrbit", azimuths="0, 30", elevations="10", distances="3")
    cuts, said = play(views=given, rig=[rig], cuts="0 A; 3 B", fps=23.976)
    assert cuts == "0 A; 3 B"
    assert (said["frames"], said["fps"], said["problem"]) == (5, [24000, 1001], "")
    assert [view["name"] for view in said["views"]] == list(rig.names)
    assert [view["color"] for view in said["views"]] == list(rig.colors)
    assert "30" in said["views"][1]["angles"]
    for view, images in zip(said["views"], given, strict=True):
        assert (view["height"], view["width"]) == (48, 64)
        assert view["download"] == view["file"]
        with av.open(str(path_of(tmp_path, view["file"]))) as container:
            stream = container.streams.video[0]
            assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
            packets = [packet for packet in container.demux(stream) if packet.size]
            assert [packet.is_keyframe for packet in packets] == [True] * 5
        with av.open(str(path_of(tmp_path, view["file"]))) as container:
            decoded = list(container.decode(video=0))
        assert [frame.pts * frame.time_base for frame in decoded] == [Fraction(i * 1001, 24000) for i in range(5)]
        for frame, image in zip(decoded, images, strict=True):
            blocks = frame.to_ndarray(format="rgb24")[8::16, 8::16].astype(int)
            assert np.abs(blocks - (image[8::16, 8::16] * 255).round().int().numpy()).mean() < 4


def test_the_same_views_are_written_once_and_others_get_files_of_their_own(play, tmp_path):
    _, first = play(views=views())
    times = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "temp").iterdir()}
    _, again = play(views=views(), cuts="0 B")
    assert again["views"] == first["views"]
    assert {file.name: file.stat().st_mtime_ns for file in (tmp_path / "temp").iterdir()} == times
    changed = views()
    changed[1][4, 0, 0, 0] = 0.9 if changed[1][4, 0, 0, 0] < 0.5 else 0.1  # one number of one pixel
    _, other = play(views=changed)
    assert other["views"][0]["file"] == first["views"][0]["file"]
    assert other["views"][1]["file"] != first["views"][1]["file"]
    _, slower = play(views=views(), fps=4.0)
    assert slower["views"][0]["file"] != first["views"][0]["file"]


def test_an_unchanged_player_runs_again_once_files_that_it_shows_are_gone(comfy, play, tmp_path):
    fingerprint = comfy.nodes["SynCamPlayer"].fingerprint_inputs
    _, said = play(views=views())
    before = fingerprint(fps=[8.0], cuts=[""])
    assert fingerprint(fps=[8.0], cuts=[""]) == before
    path_of(tmp_path, said["views"][0]["file"]).unlink()
    after = fingerprint(fps=[8.0], cuts=[""])
    assert after != before
    _, again = play(views=views())
    assert again["views"] == said["views"]
    assert path_of(tmp_path, said["views"][0]["file"]).is_file()
    assert fingerprint(fps=[8.0], cuts=[""]) == after  # and then the host's cache answers as before


def saved_views(folder: Path, suffix: str = ".mp4") -> SavedViews:
    files = [f"film_{name}{suffix}" for name in NAMES]
    for file, images in zip(files, views(), strict=True):
        frames = [(image * 255).byte().numpy() for image in images]
        if suffix == ".mp4":
            write_video(folder / file, frames, 12)
            continue
        with av.open(str(folder / file), "w") as container:
            stream = container.add_stream("ffv1", rate=12)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "bgr0"
            for index, frame in enumerate(frames):
                picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="bgr0")
                picture.pts, picture.time_base = index, Fraction(1, 12)
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
    colors = ("#3399ff", "#ff8000")
    return SavedViews(folder, "films", "output", Fraction(12), 5, NAMES, colors, tuple(files), ((48, 64), (48, 64)))


def test_saved_files_are_played_as_they_are_with_their_own_names_and_speed(play, tmp_path):
    saved = saved_views(tmp_path)
    _, said = play(files=[saved], fps=99.0)
    assert (said["fps"], said["frames"]) == ([12, 1], 5)
    for view, name, file in zip(said["views"], NAMES, saved.files, strict=True):
        assert view["name"] == name
        assert view["file"] == view["download"] == {"filename": file, "subfolder": "films", "type": "output"}
    assert not (tmp_path / "temp").exists()


def test_saved_files_that_no_browser_plays_get_a_copy_and_are_downloaded_themselves(play, tmp_path):
    saved = saved_views(tmp_path, ".mkv")
    _, said = play(files=[saved])
    for view, file, images in zip(said["views"], saved.files, views(), strict=True):
        assert view["download"] == {"filename": file, "subfolder": "films", "type": "output"}
        with av.open(str(path_of(tmp_path, view["file"]))) as container:
            assert container.streams.video[0].codec_context.name == "h264"
            decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert len(decoded) == 5
        for frame, image in zip(decoded, images, strict=True):
            blocks = frame[8::16, 8::16].astype(int)
            assert np.abs(blocks - (image[8::16, 8::16] * 255).int().numpy()).mean() < 5


def test_a_file_that_was_written_anew_gets_a_new_copy(play, tmp_path):
    saved = saved_views(tmp_path, ".mkv")

    def copies():
        _, said = play(files=[saved])
        return [view["file"]["filename"] for view in said["views"]]

    first = copies()
    assert copies() == first
    path = tmp_path / saved.files[0]
    before, content = path.stat(), path.read_bytes()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))  # of the same size, a moment later
    later = copies()
    assert later[0] != first[0]
    assert later[1] == first[1]
    path.write_bytes(content + bytes(9))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # of the same time, another size
    assert copies()[0] not in (first[0], later[0])


def test_the_same_file_at_another_rate_gets_another_copy(play, tmp_path):
    saved = saved_views(tmp_path, ".mkv")
    files = []
    for fps in (saved.fps, Fraction(24)):
        _, said = play(files=[replace(saved, fps=fps)])
        files.append(path_of(tmp_path, said["views"][0]["file"]))
        with av.open(str(files[-1])) as container:
            assert container.streams.video[0].average_rate == fps
    assert files[0] != files[1]


def test_what_cannot_be_played_is_said_in_a_sentence(play, tmp_path, comfy):
    with pytest.raises(ValueError, match="SynCamPlayer: there is nothing to play; connect"):
        play()
    saved = saved_views(tmp_path)
    (tmp_path / saved.files[1]).unlink()
    with pytest.raises(ValueError, match=r"SynCamPlayer: 'film_right\.mp4' is no longer in the folder"):
        play(files=[saved])
    with pytest.raises(ValueError, match="SynCamPlayer: 'files' holds 2 runs"):
        play(files=[saved, saved])
    (tmp_path / saved.files[1]).write_bytes(b"no video at all")
    with pytest.raises(ValueError, match=r"SynCamPlayer: 'film_right\.mp4' is no video file"):
        play(files=[saved])
    (rig,) = comfy.run("SynCamRigOrbit", azimuths="0, 10, 20", elevations="0", distances="3")
    with pytest.raises(ValueError, match="SynCamPlayer: 'rig' has 3 cameras but 'views' has 2 views"):
        play(views=views(), rig=[rig])


def test_a_cut_list_for_other_views_keeps_nobody_from_looking_and_nonsense_is_refused_when_it_is_queued(play, comfy):
    cuts, said = play(views=views(), cuts="0 A; 400 B")
    assert cuts == "0 A; 400 B"
    assert "'400 B' begins at frame 400, but the views have 5 frames" in said["problem"]
    node = comfy.nodes["SynCamPlayer"]
    assert node.validate_inputs(cuts=["0 A; 2 B"]) is True
    assert node.validate_inputs(cuts=[None]) is True
    assert str(node.validate_inputs(cuts=["A at once"])).startswith("SynCamPlayer: the entry 'A at once'")


def test_an_interrupt_leaves_no_half_written_file(play, tmp_path, comfy, monkeypatch):
    import comfy.model_management as management

    asked = []

    def interrupt():
        asked.append(1)
        if len(asked) == 4:
            raise management.InterruptProcessingException

    monkeypatch.setattr(management, "throw_exception_if_processing_interrupted", interrupt)
    with pytest.raises(management.InterruptProcessingException):
        play(views=views())
    assert list((tmp_path / "temp").iterdir()) == []


def test_the_node_belongs_to_the_pack_and_takes_images_and_videos(comfy):
    schema = comfy.nodes["SynCamPlayer"].GET_SCHEMA()
    assert [entry.id for entry in schema.inputs] == ["views", "files", "fps", "cuts", "rig"]
    assert schema.inputs[0].get_io_type() == "IMAGE,VIDEO"
    assert all(entry.tooltip for entry in schema.inputs)
    assert schema.is_output_node
