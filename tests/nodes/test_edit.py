"""The edit nodes inside the real host."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from pathlib import Path

import av
import opentimelineio as otio
import pytest
import torch
from footage import named_rig


def counting(view, frames=12, height=32, width=48):
    """Frames that say their view and their time in their colour."""
    images = torch.zeros(frames, height, width, 3)
    images[..., 0] = (10 + view) / 255
    images[..., 1] = (100 + torch.arange(frames).view(-1, 1, 1)) / 255
    return images


def edit(comfy, views, cuts, fps=15.0, timecode=False, **rig):
    return comfy.run("SynCamEdit", views=views, cuts=[cuts], fps=[fps], timecode=[timecode], **rig)


def auto_cut(comfy, views, method, shot_length=4, order="", **rig):
    inputs = {"method": [method], "shot_length": [shot_length], "order": [order], **rig}
    return comfy.run("SynCamAutoCut", views=views, **inputs)[0]


def run_as_the_host_does(comfy, node, inputs):
    """Outputs and UI entry; inputs are lists of values, as the host hands them out."""
    import execution

    hidden = {"PROMPT": None, "EXTRA_PNGINFO": None}
    with torch.inference_mode():
        results, shown, _, _ = asyncio.run(
            execution.get_output_data("job", "7", comfy.nodes[node], inputs, v3_data={"hidden_inputs": hidden})
        )
    return [result[0] for result in results], shown


def save_views(comfy, views, fps=15.0, rig=None, prefix="syncam/views"):
    inputs = {"views": views, "filename_prefix": [prefix], "fps": [fps], "contact_sheet": [False]}
    (files,), _ = run_as_the_host_does(comfy, "SynCamSaveViews", {**inputs, **({"rig": [rig]} if rig else {})})
    return files


def save_edit(comfy, edit, files, **chosen):
    return run_as_the_host_does(comfy, "SynCamSaveEdit", {"edit": [edit], "files": [files], **chosen})


# ---- SynCamEdit


def test_the_film_shows_the_frames_of_the_list_as_images_and_as_a_video(comfy):
    views = [counting(view) for view in range(3)]
    images, video, made, text = edit(comfy, views, "0 A; 4 C; 0.6s B", fps=15.0)
    expected = torch.cat([views[0][:4], views[2][4:9], views[1][9:]])
    torch.testing.assert_close(images, expected)
    assert text == made.text == "0 A; 4 C; 9 B"
    components = video.get_components()
    assert components.frame_rate == 15
    torch.testing.assert_close(components.images, expected)


def test_a_list_of_videos_is_cut_like_a_list_of_images(comfy):
    from comfy_api.latest import InputImpl, Types

    views = [counting(view) for view in range(2)]
    videos = [
        InputImpl.VideoFromComponents(Types.VideoComponents(images=view, frame_rate=Fraction(15))) for view in views
    ]
    images = edit(comfy, videos, "0 A; 5 B")[0]
    torch.testing.assert_close(images, torch.cat([views[0][:5], views[1][5:]]), atol=0.6 / 255, rtol=0)
    assert auto_cut(comfy, videos, "every n frames", 6) == "0 A; 6 B"


def test_cameras_are_called_by_the_names_of_the_rig(comfy):
    views, rig = [counting(view) for view in range(2)], named_rig("left", "B, wide")
    images = edit(comfy, views, '0 left; 5 "B, wide"', rig=[rig])[0]
    torch.testing.assert_close(images, torch.cat([views[0][:5], views[1][5:]]))
    with pytest.raises(
        ValueError, match=r"^SynCamEdit: the entry '0 left' asks for 'left', but the cameras are A = 'view 1'"
    ):
        edit(comfy, views, "0 left")


def test_the_edit_keeps_the_exact_rate(comfy):
    _, video, made, text = edit(comfy, [counting(0), counting(1)], "0 A; 00:00:00:11 B", fps=23.976)
    assert made.fps == video.get_frame_rate() == Fraction(24000, 1001)
    assert text == "0 A; 11 B"


def test_the_timecode_is_written_on_demand(comfy):
    views = [counting(0, height=96, width=128)]
    plain, burnt = (edit(comfy, views, "", timecode=on)[0] for on in (False, True))
    torch.testing.assert_close(plain, views[0])
    assert len({frame.numpy().tobytes() for frame in burnt[:, 70:]}) == 12
    torch.testing.assert_close(burnt[:, :70], views[0][:, :70])


@pytest.mark.parametrize(
    ("cuts", "sentence"),
    [
        ("0 A; 00:00:00;09 B", "is drop-frame timecode"),
        ("0 A; B", "the entry 'B' begins with no time"),
        ("0 A; 4", "the entry '4' names no camera"),
        ("0 A;" * 300_000, "at most 1000000 are possible"),
    ],
)
def test_what_is_no_cut_list_is_refused_before_the_job_is_queued(comfy, cuts, sentence):
    verdict = comfy.nodes["SynCamEdit"].validate_inputs(cuts=[cuts])
    assert verdict.startswith("SynCamEdit: ")
    assert sentence in verdict
    with pytest.raises(ValueError, match=sentence):
        edit(comfy, [counting(0), counting(1)], cuts)


def test_the_video_of_views_of_odd_size_can_be_saved_by_the_host(comfy, tmp_path):
    images, video, *_ = edit(comfy, [counting(view, height=33, width=47) for view in range(2)], "0 A; 5 B")
    assert images.shape == (12, 33, 47, 3)
    shown = video.get_components().images
    assert shown.shape == (12, 34, 48, 3)
    assert torch.equal(shown[:, :33, :47], images)
    assert torch.equal(shown[:, 33, :47], images[:, 32])
    assert torch.equal(shown[:, :33, 47], images[:, :, 46])
    video.save_to(str(tmp_path / "film.mp4"))
    with av.open(str(tmp_path / "film.mp4")) as film:
        assert [(frame.width, frame.height) for frame in film.decode(video=0)] == [(48, 34)] * 12


def test_a_linked_list_is_judged_when_it_is_there(comfy):
    assert comfy.nodes["SynCamEdit"].validate_inputs(cuts=(None,)) is True


@pytest.mark.parametrize(
    ("views", "cuts", "sentence"),
    [
        ([], "", "'views' is an empty list"),
        ([counting(0), counting(1, frames=9)], "", "must all have the same number of frames"),
        ([counting(0)], "0 A; 12 A", "the entry '12 A' begins at frame 12, but the views have 12 frames; use 0 to 11"),
        ([counting(0)], "0 A; 4 B", "the entry '4 B' asks for 'B'"),
        ([counting(0)] * 2, "0 A; 4 B ~20", "the cross-fade of '4 B ~20' begins 10 frames before its cut"),
    ],
)
def test_lists_that_do_not_fit_the_views_are_refused_with_the_nodes_name(comfy, views, cuts, sentence):
    with pytest.raises(ValueError, match=f"^SynCamEdit: .*{sentence}"):
        edit(comfy, views, cuts)


# ---- SynCamAutoCut


def test_the_automatic_list_is_one_that_the_edit_node_reads(comfy):
    views = [counting(view) for view in range(3)]
    text = auto_cut(comfy, views, "every n frames", 5, "C, A")
    assert text == "0 C; 5 A; 10 C"
    assert edit(comfy, views, text)[3] == text
    assert auto_cut(comfy, views, "round robin") == "0 A; 4 B; 8 C"


def test_the_automatic_list_follows_motion(comfy):
    early, late = torch.zeros(12, 36, 64, 3), torch.zeros(12, 36, 64, 3)
    for frame in range(12):
        early[frame, :, 5 * min(frame, 5) :][:, :5] = 1
        late[frame, :, 5 * max(frame, 5) :][:, :5] = 1
    assert auto_cut(comfy, [early, late], "most motion", 3) == "0 A; 6 B"
    assert auto_cut(comfy, [late, early], "most motion", 3) == "0 B; 6 A"
    assert auto_cut(comfy, [early, late], "most motion", 3, "B") == "0 B"
    assert auto_cut(comfy, [early, late], "most motion", 7) == "0 A", "too short for two shots of 7"


def test_an_order_of_unknown_cameras_is_refused(comfy):
    with pytest.raises(ValueError, match=r"^SynCamAutoCut: 'order' asks for 'D'"):
        auto_cut(comfy, [counting(0)] * 3, "every n frames", order="A, D")


# ---- SynCamSaveEdit


def test_the_edit_is_saved_beside_its_view_files_and_refers_to_them(comfy, outputs):
    views, rig = [counting(view) for view in range(3)], named_rig("left", "middle", "right")
    made = edit(comfy, views, "0 left; 4 right ~3; 9 middle", rig=[rig])[2]
    (paths,), shown = save_edit(comfy, made, save_views(comfy, views, rig=rig))

    names = ["views_00001_edit.otio", "views_00001_edit.edl"]
    assert paths.split("\n") == [str(outputs / "syncam" / name) for name in names]
    place = {"subfolder": "syncam", "type": "output"}
    assert shown["files"] == [{"filename": name, **place} for name in names]
    assert list(shown["saved"]) == ["syncam/views_00001_edit.otio\nsyncam/views_00001_edit.edl"]

    timeline = otio.adapters.read_from_file(paths.split("\n")[0])
    assert [track.name for track in timeline.tracks] == ["left", "middle", "right", "programme"]
    for track in timeline.tracks:
        for clip in track.find_clips():
            file = outputs / "syncam" / clip.media_reference.target_url
            assert file.name == f"views_00001_{clip.name}.mp4"
            assert file.is_file()
    assert [clip.name for clip in timeline.tracks[-1].find_clips()] == ["left", "right", "middle"]

    events = otio.adapters.read_from_file(paths.split("\n")[1], rate=30).tracks[0]
    assert [clip.metadata["cmx_3600"]["reel"] for clip in events.find_clips()] == ["LEFT", "RIGHT", "MIDDLE"]


def test_all_formats_stand_beside_each_other_under_one_name(comfy, outputs):
    views = [counting(view) for view in range(2)]
    made, files = edit(comfy, views, "0 A; 4 B ~3")[2], save_views(comfy, views)
    (paths,), _ = save_edit(comfy, made, files, formats=["all"])
    names = [Path(path).name for path in paths.split("\n")]
    assert names == [f"views_00001_edit{suffix}" for suffix in (".otio", ".edl", ".xml", ".fcpxml", ".mlt")]
    for adapter, suffix in (("fcp_xml", ".xml"), ("fcpx_xml", ".fcpxml")):
        assert otio.adapters.read_from_file(str(outputs / "syncam" / f"views_00001_edit{suffix}"), adapter)
    (paths,), _ = save_edit(comfy, made, files, formats=["mlt"])
    assert [Path(path).name for path in paths.split("\n")] == ["views_00001_edit_00002.mlt"]


def test_a_job_from_before_there_was_a_choice_saves_what_it_saved(comfy, outputs):
    views = [counting(view) for view in range(2)]
    (paths,), _ = save_edit(comfy, edit(comfy, views, "0 A; 4 B")[2], save_views(comfy, views))
    assert [Path(path).suffix for path in paths.split("\n")] == [".otio", ".edl"]


def test_the_next_edits_of_the_same_files_are_numbered_and_nothing_is_replaced(comfy, outputs):
    views = [counting(0), counting(1)]
    files = save_views(comfy, views)
    saved = [save_edit(comfy, edit(comfy, views, cuts)[2], files)[0][0] for cuts in ("0 A", "0 B", "0 A; 6 B")]
    assert [Path(paths.split("\n")[0]).name for paths in saved] == [
        "views_00001_edit.otio",
        "views_00001_edit_00002.otio",
        "views_00001_edit_00003.otio",
    ]
    for paths, cuts in zip(saved, ("0 A", "0 B", "0 A; 6 B"), strict=True):
        timeline = otio.adapters.read_from_file(paths.split("\n")[0])
        assert timeline.metadata["syncam"]["cuts"] == cuts


def test_an_edit_whose_name_is_there_in_other_letters_gets_a_number(comfy, outputs):
    views = [counting(0), counting(1)]
    files = save_views(comfy, views)
    (outputs / "syncam" / "VIEWS_00001_EDIT.otio").write_text("somebody's")
    (paths,), _ = save_edit(comfy, edit(comfy, views, "0 A")[2], files)
    assert Path(paths.split("\n")[0]).name == "views_00001_edit_00002.otio"


def test_a_rate_that_an_edl_cannot_say_leaves_the_otio_file_and_a_sentence(comfy, outputs):
    views = [counting(0), counting(1)]
    (paths,), shown = save_edit(comfy, edit(comfy, views, "0 A; 6 B", fps=18)[2], save_views(comfy, views, fps=18))
    assert paths == str(outputs / "syncam" / "views_00001_edit.otio")
    assert "no .edl: an EDL cannot say 18 frames per second" in shown["saved"][0]
    assert not list(outputs.rglob("*.edl"))


@pytest.mark.parametrize(
    ("views", "fps", "sentence"),
    [
        (3, 15.0, "'edit' is of 2 views, but 'files' are of 3; connect the views and the files of the same run"),
        (2, 24.0, "'edit' has 15 frames per second, but 'files' have 24; set the same 'fps' in both nodes"),
    ],
)
def test_files_of_another_run_are_refused_and_nothing_is_written(comfy, outputs, views, fps, sentence):
    made = edit(comfy, [counting(0), counting(1)], "0 A; 6 B")[2]
    files = save_views(comfy, [counting(view) for view in range(views)], fps=fps)
    before = sorted(outputs.rglob("*"))
    with pytest.raises(ValueError, match=f"^SynCamSaveEdit: {sentence}"):
        save_edit(comfy, made, files)
    assert sorted(outputs.rglob("*")) == before


def test_view_files_that_were_deleted_are_named(comfy, outputs):
    views = [counting(0), counting(1)]
    files = save_views(comfy, views)
    (outputs / "syncam" / files.files[1]).unlink()
    with pytest.raises(ValueError, match=r"^SynCamSaveEdit: 'files' names views_00001_view-2\.mp4, which is not in"):
        save_edit(comfy, edit(comfy, views, "0 A")[2], files)
    assert not list(outputs.rglob("*.otio"))


def test_a_disk_that_refuses_leaves_nothing_half_written(comfy, outputs, monkeypatch):
    views = [counting(0), counting(1)]
    files, made = save_views(comfy, views), edit(comfy, views, "0 A; 6 B")[2]
    before = sorted(outputs.rglob("*"))
    write = Path.write_text

    def full(path, text, *args, **kwargs):
        if path.suffix == ".edl":
            raise OSError(28, "No space left on device")
        return write(path, text, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ValueError, match=r"^SynCamSaveEdit: .*No space left on device\); nothing was saved"):
        save_edit(comfy, made, files)
    assert sorted(outputs.rglob("*")) == before
