"""SynCam Layout, and the layouts in the grid and save nodes, inside the real host."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from footage import named_rig

from syncam_core.video.clip import ImageClip, in_order
from syncam_core.video.layout import Layout
from syncam_core.video.layout_film import angle_captions, laid_out


def views_of(count=3, frames=4, height=96, width=128):
    return [torch.full((frames, height, width, 3), 0.2 + 0.2 * view) for view in range(count)]


def layout(comfy, kind, gap=0, background="#000000", names=True, angles=False, timecode=False, **of_kind):
    inputs = {"gap": gap, "background": background, "names": names, "angles": angles, "timecode": timecode}
    return comfy.run("SynCamLayout", kind={"kind": kind, **of_kind}, **inputs)[0]


def grid(comfy, views, columns=0, labels=False, **inputs):
    return comfy.run("SynCamViewGrid", views=views, columns=[columns], labels=[labels], **inputs)


def fields(chosen):
    return {name: getattr(chosen, name) for name in Layout.__dataclass_fields__}


@pytest.mark.parametrize(
    ("kind", "of_kind", "expected"),
    [
        ("auto grid", {}, Layout()),
        ("rows x columns", {"rows": 2, "columns": 3}, Layout(rows=2, columns=3)),
        ("hero + strip", {"main": "b", "strip": "bottom"}, Layout(kind="hero + strip", main="b", strip="bottom")),
        ("side by side", {}, Layout(kind="side by side")),
        ("stacked", {}, Layout(kind="stacked")),
        (
            "picture in picture",
            {"main": "1", "inset": "3", "corner": "top left", "share": 0.25},
            Layout(kind="picture in picture", inset="3", corner="top left", share=0.25),
        ),
    ],
)
def test_every_kind_of_the_node_is_a_layout(comfy, kind, of_kind, expected):
    assert fields(layout(comfy, kind, **of_kind)) == fields(expected)


def test_the_node_s_own_defaults_are_the_grid_without_a_layout(comfy):
    schema = comfy.nodes["SynCamLayout"].GET_SCHEMA()
    defaults = {entry.id: entry.default for entry in schema.inputs if entry.id != "kind"}
    assert fields(layout(comfy, schema.inputs[0].options[0].key, **defaults)) == fields(Layout())
    for option in schema.inputs[0].options:
        of_kind = {entry.id: entry.default for entry in option.inputs}
        chosen = layout(comfy, option.key, **of_kind, **defaults)
        views = views_of(2)
        assert grid(comfy, views, layout=[chosen])[0].shape[0] == 4


@pytest.mark.parametrize("background", ["", "black", "#fff", "#00000g", "0x000000"])
def test_a_background_that_is_no_colour_is_refused_when_it_is_queued_and_when_it_runs(comfy, background):
    assert "'background' is" in comfy.nodes["SynCamLayout"].validate_inputs(background)
    with pytest.raises(ValueError, match=r"^SynCamLayout: 'background' is"):
        layout(comfy, "auto grid", background=background)


def test_a_linked_background_is_judged_when_it_runs(comfy):
    assert comfy.nodes["SynCamLayout"].validate_inputs(None) is True


def test_the_grid_node_shows_the_layout_and_a_video_of_the_same_frames(comfy):
    views, rig = views_of(4), named_rig("a", "b", "c", "d", apart_deg=20.0)
    chosen = layout(comfy, "hero + strip", main="c", strip="right", gap=4, angles=True, timecode=True)
    images, video = grid(comfy, views, layout=[chosen], rig=[rig], fps=[24.0], columns=1, labels=True)
    clips = [ImageClip(view, np.dtype(np.float32)) for view in views]
    wanted = Layout(kind="hero + strip", main="c", gap=4, angles=True, timecode=True)
    expected = laid_out(clips, wanted, rig.names, rig.colors, Fraction(24), angle_captions(rig))
    np.testing.assert_array_equal(images.numpy(), np.stack(list(in_order(expected))))
    parts = video.get_components()
    assert parts.frame_rate == 24
    torch.testing.assert_close(parts.images, images)


def test_without_a_layout_columns_and_labels_hold_and_the_video_has_15_frames_a_second(comfy):
    images, video = grid(comfy, views_of(3), columns=1)
    assert images.shape == (4, 288, 128, 3)
    assert video.get_components().frame_rate == 15


@pytest.mark.parametrize(
    ("of_kind", "sentence"),
    [
        ({"kind": "hero + strip", "main": "9", "strip": "right"}, "'main' asks for '9'"),
        ({"kind": "rows x columns", "rows": 1, "columns": 2}, "1 x 2 places, but there are 3 views"),
        ({"kind": "auto grid", "angles": True}, "no rig"),
    ],
)
def test_a_layout_that_does_not_suit_the_views_is_refused_by_the_node_that_shows_them(comfy, of_kind, sentence):
    chosen = layout(comfy, **of_kind)
    with pytest.raises(ValueError, match=rf"^SynCamViewGrid: .*{sentence}"):
        grid(comfy, views_of(3), layout=[chosen])


def save(comfy, **inputs):
    """Run SynCam Save Views as the host does; returns its outputs and its UI entry."""
    import execution

    given = {"filename_prefix": ["take/views"], "fps": [15.0], "contact_sheet": [True], **inputs}
    with torch.inference_mode():
        results, shown, _, _ = asyncio.run(
            execution.get_output_data("job", "7", comfy.nodes["SynCamSaveViews"], given, v3_data={"hidden_inputs": {}})
        )
    return results, shown


def frames_of(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        tags = {"src_colorspace": 1, "src_color_range": 1}
        return np.stack([frame.to_ndarray(format="rgb24", **tags) for frame in container.decode(stream)]).astype(int)


def test_saved_views_tell_their_files_and_the_grid_file_has_the_layout(comfy, outputs):
    views, rig = views_of(3, height=97, width=128), named_rig("a", "b", "c", apart_deg=20.0)
    chosen = layout(comfy, "picture in picture", main="2", inset="1", corner="top right", share=0.5, names=False)
    (files,), _ = save(comfy, views=views, rig=[rig], layout=[chosen])
    (saved,) = files
    assert saved.folder == outputs / "take"
    assert (saved.subfolder, saved.kind, saved.fps, saved.frames) == ("take", "output", 15, 4)
    assert (saved.names, saved.colors) == (("a", "b", "c"), rig.colors)
    assert saved.sizes == ((97, 128),) * 3
    assert saved.files == tuple(f"views_00001_{name}.mp4" for name in "abc")
    assert (saved.grid, saved.sheet, saved.rig) == tuple(
        f"views_00001_{part}" for part in ("grid.mp4", "sheet.png", "rig.json")
    )
    names = {*saved.files, saved.grid, saved.sheet, saved.rig}
    assert {file.name for file in saved.folder.iterdir()} == names
    picture = frames_of(saved.folder / saved.grid)
    assert picture.shape == (4, 98, 128, 3)
    assert np.abs(picture[:, 60:] - 0.4 * 255).max() <= 4, "the main view"
    assert np.abs(picture[:, 8:44, 70:118] - 0.2 * 255).max() <= 4, "the inset"


def test_saved_files_go_back_in_as_videos_in_a_list(comfy, outputs):
    from comfy_api.latest import InputImpl

    views = views_of(2)
    ((saved,),), _ = save(comfy, views=views)
    videos = [InputImpl.VideoFromFile(str(saved.folder / file)) for file in saved.files]
    images, _ = grid(comfy, videos, columns=2)
    assert images.shape == (4, 96, 256, 3)
    for place, view in enumerate(views):
        assert (images[:, :, 128 * place : 128 * place + 128] - view).abs().max() < 0.02
    ((again,),), _ = save(comfy, views=videos)
    assert again.files == ("views_00002_view-1.mp4", "views_00002_view-2.mp4")
    assert np.abs(frames_of(again.folder / again.files[1]) - 0.4 * 255).max() <= 4


def test_without_sheet_and_rig_their_names_are_none(comfy, outputs):
    ((saved,),), _ = save(comfy, views=views_of(1), contact_sheet=[False])
    assert (saved.sheet, saved.rig) == (None, None)
    assert saved.grid == "views_00001_grid.mp4"


def test_takes_in_folders_of_their_own_are_counted_with_those_beside_one_another(comfy, outputs):
    rig = named_rig("a", "b", apart_deg=20.0)
    takes = [save(comfy, views=views_of(2), rig=[rig], folder_per_take=[own])[0][0][0] for own in (True, False, True)]
    for number, (take, place) in enumerate(
        zip(takes, ("take/views_00001", "take", "take/views_00003"), strict=True), 1
    ):
        assert (take.folder, take.subfolder) == (outputs / place, place)
        assert take.files == tuple(f"views_{number:05}_{name}.mp4" for name in "ab")
        assert all((take.folder / file).is_file() for file in (*take.films, take.sheet, take.rig))
    names = {"a.mp4", "b.mp4", "grid.mp4", "rig.json", "sheet.png"}
    assert {file.name for file in takes[2].folder.iterdir()} == {f"views_00003_{name}" for name in names}
    beside = {f"views_00002_{name}" for name in names}
    assert {file.name for file in (outputs / "take").iterdir()} == {"views_00001", "views_00003", *beside}


def test_an_edit_of_a_take_in_a_folder_of_its_own_is_saved_there(comfy, outputs):
    views = views_of(2)
    ((files,),), shown = save(comfy, views=views, filename_prefix=["views"], folder_per_take=[True])
    assert {video["subfolder"] for video in shown["images"]} == {"views_00001"}
    edit = comfy.run("SynCamEdit", views=views, cuts=["0 A; 2 B"], fps=[15.0], timecode=[False])[2]
    (paths,) = comfy.run("SynCamSaveEdit", edit=edit, files=files, formats="otio")
    assert paths == str(outputs / "views_00001" / "views_00001_edit.otio")


def test_a_refused_layout_writes_nothing(comfy, outputs):
    chosen = layout(comfy, "hero + strip", main="z", strip="right")
    with pytest.raises(ValueError, match=r"^SynCamSaveViews: 'main' asks for 'z'"):
        save(comfy, views=views_of(2), layout=[chosen])
    assert not list(outputs.iterdir())
