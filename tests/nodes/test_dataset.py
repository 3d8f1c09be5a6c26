"""Export and load nodes for datasets inside the real host."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from takes import fitting, noise, rig_for, stored

from syncam_core.cameras import Rig
from syncam_core.datasets import LAYOUTS
from syncam_core.datasets.collections.syncamvideo import read_syncamvideo
from syncam_core.datasets.problems import check


@pytest.fixture
def folders(comfy, tmp_path):
    """Output and input folders of their own for each test."""
    before = comfy.folders.get_output_directory(), comfy.folders.get_input_directory()
    for name in ("output", "input"):
        (tmp_path / name).mkdir()
    comfy.folders.set_output_directory(str(tmp_path / "output"))
    comfy.folders.set_input_directory(str(tmp_path / "input"))
    yield tmp_path
    comfy.folders.set_output_directory(before[0])
    comfy.folders.set_input_directory(before[1])


@pytest.fixture
def export(comfy, folders):
    """Run SynCam Export Dataset as the host does, lists and hidden inputs included; returns what it gives."""
    import execution

    def run(views, rig, masks=(), **widgets):
        widgets = {
            "caption": "a dog",
            "dataset": "set",
            "layout": "nerfstudio",
            "fps": 15.0,
            "split": "",
            "scene": "",
            "name_in_use": "refuse",
            "crf": 12,
            "points": "none",
            "hold_out": "",
            "points_of": "first frame",
            **widgets,
        }
        inputs = {"views": views, "rig": [rig], **{key: [value] for key, value in widgets.items()}}
        if masks:
            inputs["masks"] = masks
        hidden = {"PROMPT": {"1": {}}, "EXTRA_PNGINFO": {"workflow": {"nodes": []}}}
        with torch.inference_mode():
            result, _, _, _ = asyncio.run(
                execution.get_output_data(
                    "job", "7", comfy.nodes["SynCamExportDataset"], inputs, v3_data={"hidden_inputs": hidden}
                )
            )
        return result[0][0]

    return run


def images(films: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(film).float() / 255 for film in films]


def as_bytes(views) -> np.ndarray:
    return np.stack([(view * 255).round().to(torch.uint8).numpy() for view in views])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_was_exported_is_loaded_again(comfy, export, layout):
    films, rig = noise(3, 5, 16, 24), fitting(rig_for(3, 5, names=("left", "middle", "right")), layout)
    place = export(images(films), rig, layout=layout, split="train", fps=24.0)
    assert place == "set/train/scene00001"
    views, got, caption, fps, name = comfy.run("SynCamLoadDataset", dataset="set", layout=layout)
    assert (caption, fps, name) == ("a dog", 24.0, place)
    assert (got.names, got.colors, got.frames) == (rig.names, rig.colors, 5)
    assert (got.c2w - rig.c2w).abs().max() < 1e-9
    assert [view.dtype for view in views] == [torch.float32] * 3
    assert [tuple(view.shape) for view in views] == [(5, 16, 24, 3)] * 3
    if layout != "syncamvideo":
        assert (as_bytes(views) == films).all()
        again = export(views, got, layout=layout, dataset="copy")
        assert (as_bytes(comfy.run("SynCamLoadDataset", dataset=again)[0]) == films).all()


def test_scenes_are_counted_through_the_dataset_and_a_scene_can_be_named(comfy, export):
    for number in range(3):
        export(images(noise(1, 1, 4, 4, seed=number)), rig_for(1), caption=f"number {number}")
    assert [comfy.run("SynCamLoadDataset", dataset="set", scene=scene)[2] for scene in (1, 2, 3)] == [
        "number 0",
        "number 1",
        "number 2",
    ]
    assert comfy.run("SynCamLoadDataset", dataset="set/scene00002")[2] == "number 1"
    with pytest.raises(ValueError, match="SynCamLoadDataset: 'scene' is 4, but the dataset has 3 scenes; use 1 to 3"):
        comfy.run("SynCamLoadDataset", dataset="set", scene=4)


def test_a_part_of_the_frames_and_cameras_is_loaded_with_its_poses(comfy, export):
    films, rig = noise(3, 6, 8, 8), rig_for(3, 6, names=("left", "middle", "right"))
    export(images(films), rig)
    views, got, *_ = comfy.run("SynCamLoadDataset", dataset="set", cameras="right, 1", first_frame=2, frames=3)
    assert (as_bytes(views) == films[[2, 0], 2:5]).all()
    assert got.names == ("right", "left")
    assert (got.c2w - rig.c2w[[2, 0], 2:5]).abs().max() < 1e-9
    for first, count in ((6, 0), (4, 3), (0, 7)):
        with pytest.raises(ValueError, match="has 6 frames, counted from 0; ask for fewer"):
            comfy.run("SynCamLoadDataset", dataset="set", first_frame=first, frames=count)


def test_videos_are_taken_too_and_the_training_reads_them(comfy, export, folders):
    from comfy_api.latest import InputImpl, Types

    films, rig = noise(2, 5, 16, 16), rig_for(2)
    views = [InputImpl.VideoFromComponents(Types.VideoComponents(images=view, frame_rate=15)) for view in images(films)]
    export(views, rig, layout="syncamvideo")
    scenes, report = check(read_syncamvideo(folders / "output" / "set", size=(16, 16), length=5, fps=15))
    assert not report.problems
    assert [(scene.name, scene.caption) for scene in scenes] == [("scene00001", "a dog")]


def test_a_name_in_use_is_refused_or_kept_before_the_views_are_made(comfy, export):
    node = comfy.nodes["SynCamExportDataset"]
    films, rig = noise(1, 1, 4, 4), rig_for(1)
    place = {"dataset": ["set"], "split": [""], "scene": ["dog"], "rig": [rig]}
    assert node.check_lazy_status(**place, views=(None,), name_in_use=["refuse"]) == ["views"]
    export(images(films), rig, scene="dog", caption="first")
    with pytest.raises(ValueError, match="SynCamExportDataset: 'scene' is 'dog', but 'set' has a scene of this name"):
        node.check_lazy_status(**place, views=(None,), name_in_use=["refuse"])
    assert node.check_lazy_status(**place, views=(None,), name_in_use=["keep it"]) == []
    with pytest.raises(ValueError, match="'scene' is 'DOG', but 'set' has a scene of this name"):
        export(images(films), rig, scene="DOG", caption="second")
    assert export([None], rig, scene="dog", caption="second", name_in_use="keep it") == "set/dog"
    assert comfy.run("SynCamLoadDataset", dataset="set")[2] == "first"


@pytest.mark.parametrize(
    ("widgets", "why"),
    [
        ({"dataset": "../x"}, "'dataset' is '../x', which leads out of its folder"),
        ({"dataset": "/tmp/x"}, "leads out of its folder"),
        ({"dataset": "con"}, "device on Windows"),
        ({"dataset": ""}, "names no folder"),
        ({"split": "a/b"}, "'split' is 'a/b', but it is one folder"),
        ({"scene": "../../x"}, "'scene' is '../../x', which leads out"),
        ({"scene": ".hidden"}, "hidden folder"),
        ({"caption": "x" * 70_000}, "'caption' has 70000 bytes"),
        ({"fps": 1000.0}, "'fps' is 1000"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_and_writes_nothing(export, folders, widgets, why):
    with pytest.raises(ValueError, match=f"^SynCamExportDataset: .*{why}"):
        export(images(noise(2, 2, 4, 4)), rig_for(2), **widgets)
    assert not [*(folders / "output").rglob("*")]
    assert sorted(os.listdir(folders)) == ["input", "output"]


def test_the_dataset_is_judged_when_the_job_is_queued(comfy):
    node = comfy.nodes["SynCamExportDataset"]
    assert node.validate_inputs(dataset=["a/b"]) is True
    assert node.validate_inputs(dataset=[None]) is True
    assert node.validate_inputs(dataset=["../b"]).startswith(
        "SynCamExportDataset: 'dataset' is '../b', which leads out"
    )


def test_views_that_do_not_belong_together_are_refused(export):
    with pytest.raises(ValueError, match="SynCamExportDataset: 'rig' has 3 cameras but 'views' has 2 views"):
        export(images(noise(2, 2, 4, 4)), rig_for(3))
    mixed = [*images(noise(1, 2, 4, 4)), *images(noise(1, 2, 4, 6))]
    with pytest.raises(ValueError, match="cameras of a dataset need one size"):
        export(mixed, rig_for(2))
    with pytest.raises(ValueError, match="same number of frames"):
        export([*images(noise(1, 2, 4, 4)), *images(noise(1, 3, 4, 4))], rig_for(2))


@pytest.mark.parametrize("layout", ["syncamvideo", "nerfstudio", "colmap"])
def test_a_full_disk_is_said_in_a_sentence_and_loses_nothing(export, folders, monkeypatch, layout):
    films, rig = images(noise(2, 3, 8, 8)), rig_for(2)
    export(films, rig, layout=layout)

    def full(self, *arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ValueError, match=r"SynCamExportDataset: .*cannot be written.*No space left on device"):
        export(films, rig, layout=layout)
    assert os.listdir(folders / "output" / "set") == ["scene00001"]


def test_an_interrupt_ends_the_export_between_two_pictures(comfy, export, folders, monkeypatch):
    import comfy.model_management as management

    class Interrupted(BaseException):
        pass

    asked = []

    def interrupted():
        asked.append(None)
        if len(asked) == 4:
            raise Interrupted

    monkeypatch.setattr(management, "throw_exception_if_processing_interrupted", interrupted)
    with pytest.raises(Interrupted):
        export(images(noise(2, 3, 8, 8)), rig_for(2))
    assert os.listdir(folders / "output" / "set") == []


# ---- loading


@pytest.mark.parametrize(
    ("dataset", "why"),
    [
        ("../output", "leads out of the input folder"),
        ("/etc", "leads out of the input folder"),
        ("", "names no folder"),
        (".", "leads out of the input folder"),
        ("a\0b", "leads out of the input folder"),
        ("nowhere", "there is no such folder in the input folder"),
        ("empty", "this folder holds no scenes"),
        ("link", "leads out of the input folder"),
    ],
)
def test_only_folders_below_the_hosts_are_read(comfy, folders, dataset, why):
    stored(folders / "elsewhere", "nerfstudio", noise(1, 1, 4, 4), rig_for(1))
    (folders / "input" / "empty").mkdir()
    (folders / "input" / "link").symlink_to(folders / "elsewhere")
    with pytest.raises(ValueError, match=f"^SynCamLoadDataset: 'dataset' is .*{why}"):
        comfy.run("SynCamLoadDataset", dataset=dataset, below="input")


def test_a_dataset_in_the_input_folder_is_read(comfy, folders):
    films = noise(2, 2, 6, 8)
    stored(folders / "input" / "theirs", "colmap", films, rig_for(2))
    views, *_, name = comfy.run("SynCamLoadDataset", dataset="theirs\\", below="input")
    assert (as_bytes(views) == films).all()
    assert name == "theirs/scene00001"


def test_the_sentence_about_a_damaged_scene_begins_with_the_node(comfy, export, folders):
    export(images(noise(2, 2, 6, 8)), rig_for(2))
    (folders / "output/set/scene00001/frame_00001/images/cam02.png").unlink()
    with pytest.raises(ValueError, match=r"^SynCamLoadDataset: scene 'scene00001': .*cam02.png' is missing"):
        comfy.run("SynCamLoadDataset", dataset="set")


def test_a_change_of_any_file_is_noticed(comfy, export, folders):
    node = comfy.nodes["SynCamLoadDataset"]
    export(images(noise(2, 2, 6, 8)), rig_for(2))
    state = node.fingerprint_inputs(dataset="set", below="output", scene=1, cameras="")
    assert state == node.fingerprint_inputs(dataset="set", below="output", scene=1, cameras="")
    os.utime(folders / "output/set/scene00001/frame_00001/images/cam02.png", (1, 1))
    assert state != node.fingerprint_inputs(dataset="set", below="output", scene=1, cameras="")


def test_what_does_not_fit_into_memory_is_refused_before_it_is_read(comfy, export, monkeypatch):
    import comfy.model_management as management

    export(images(noise(2, 2, 6, 8)), rig_for(2))
    monkeypatch.setattr(management, "get_free_memory", lambda device: 12 * 2 * 2 * 6 * 8 - 1)
    with pytest.raises(
        ValueError, match=r"needs 0.0 GB as images \(2 cameras, 2 frames of 8 x 6\), but 0.0 GB are free"
    ):
        comfy.run("SynCamLoadDataset", dataset="set")
    assert len(comfy.run("SynCamLoadDataset", dataset="set", frames=1)[0]) == 2


def test_the_workflow_travels_with_the_videos_only_where_metadata_is_wanted(comfy, export, folders, monkeypatch):
    import av
    from comfy.cli_args import args

    rig = rig_for(2)
    assert isinstance(rig, Rig)
    for number, disabled in ((1, False), (2, True)):
        monkeypatch.setattr(args, "disable_metadata", disabled)
        export(images(noise(2, 2, 8, 8)), rig, layout="syncamvideo")
        with av.open(str(folders / f"output/set/scene0000{number}/videos/cam01.mp4")) as video:
            assert ("workflow" in video.metadata) is not disabled


def test_points_held_out_cameras_and_masks_reach_the_files(comfy, export, folders):
    films, rig = noise(3, 2, 16, 24), rig_for(3, names=("left", "middle", "right"))
    masks = [torch.ones(1, 16, 24), torch.ones(2, 16, 24), torch.ones(16, 24)]
    place = export(images(films), rig, layout="colmap_4d", points="seeded", hold_out="middle", masks=masks)
    model = folders / "output" / place / "sparse" / "0"
    assert (model / "test.txt").read_text() == "cam02_00000.png\ncam02_00001.png\n"
    assert len((model / "points3D.txt").read_text().splitlines()) == 1 + 10_000
    assert len(list((folders / "output" / place / "masks").iterdir())) == 6
    place = export(images(films), rig, layout="colmap_4d", points="seeded", points_of="every frame")
    assert len((folders / "output" / place / "sparse/0/points3D.txt").read_text().splitlines()) == 1 + 20_000
    with pytest.raises(ValueError, match="'hold_out' asks for 'above', but the cameras are left, middle, right"):
        export(images(films), rig, hold_out="above")


def test_triangulation_without_its_library_is_refused_before_the_work(comfy, export, folders, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(ValueError, match="'points' is triangulated, which needs a library that is not installed: pip"):
        export(images(noise(2, 1, 8, 8)), rig_for(2), points="triangulated")
    assert not list((folders / "output").rglob("scene*"))
