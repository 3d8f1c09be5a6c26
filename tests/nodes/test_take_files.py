"""SynCam Save Page and SynCam Save Rerun inside the real host."""

from __future__ import annotations

import importlib.util
import json
import re

import pytest
from footage import files_in, named_rig, ramp
from host_runs import run_as_the_host_does

from syncam_core.cameras import Rig


@pytest.fixture
def files(comfy, outputs):
    return comfy.run(
        "SynCamSaveViews",
        views=[ramp(view) for view in range(2)],
        filename_prefix=["syncam/views"],
        fps=[12.0],
        contact_sheet=[False],
    )[0]


def data_of(path) -> dict:
    return json.loads(re.search(r'id="take">(.*?)</script>', path.read_text(encoding="utf-8"))[1])


def test_a_page_of_saved_views_is_one_file_that_the_node_links(comfy, files, outputs):
    (paths,), shown = run_as_the_host_does(
        comfy,
        "SynCamSavePage",
        {
            "rig": [named_rig("left, high", "b")],
            "files": [files],
            "caption": ["a cat"],
            "filename_prefix": ["send/take"],
        },
    )
    assert files_in(outputs / "send") == ["take_00001.html"]
    page = outputs / "send" / "take_00001.html"
    assert paths == [str(page)]
    told = data_of(page)
    assert [tuple(view[key] for key in ("name", "width", "height", "type")) for view in told["views"]] == [
        ("left, high", 128, 96, "video/mp4"),
        ("b", 128, 96, "video/mp4"),
    ]
    assert (told["fps"], told["frames"]) == ([12, 1], 6)
    assert shown["syncam_links"] == [
        {
            "filename": "take_00001.html",
            "subfolder": "send",
            "type": "output",
            "bytes": page.stat().st_size,
            "beside": "",
        }
    ]


def test_videos_beside_the_page_are_counted_with_it(comfy, files, outputs):
    inputs = {
        "rig": named_rig("a", "b"),
        "files": files,
        "video_files": "beside the page",
        "filename_prefix": "send/take",
    }
    (path,) = comfy.run("SynCamSavePage", **inputs)
    assert files_in(outputs / "send") == [
        "take_00001.html",
        "take_00001_videos/01_a.js",
        "take_00001_videos/02_b.js",
    ]
    assert path == str(outputs / "send" / "take_00001.html")


def test_a_rig_alone_has_the_size_and_the_rate_that_are_asked_for(comfy, outputs):
    moving = Rig(("a",), named_rig("a").c2w.expand(-1, 7, -1, -1))
    comfy.run("SynCamSavePage", rig=moving, fps=29.97, width=480, height=832)
    (view,) = data_of(outputs / "syncam" / "take_00001.html")["views"]
    assert (view["width"], view["height"], view["type"]) == (480, 832, "")
    assert data_of(outputs / "syncam" / "take_00001.html")["fps"] == [30000, 1001]


def test_an_interrupt_leaves_nothing(comfy, files, outputs):
    from comfy import model_management

    model_management.interrupt_current_processing()
    try:
        with pytest.raises(model_management.InterruptProcessingException):
            comfy.run("SynCamSavePage", rig=named_rig("a", "b"), files=files)
    finally:
        model_management.interrupt_current_processing(False)
    assert not [name for name in files_in(outputs) if "take" in name]


@pytest.mark.parametrize("node_id", ["SynCamSavePage", "SynCamSaveRerun"])
def test_a_prefix_that_leads_out_is_refused_before_the_run(comfy, node_id):
    assert "leads out of the output folder" in comfy.nodes[node_id].validate_inputs(filename_prefix="../take")
    assert comfy.nodes[node_id].validate_inputs() is True


def test_another_rig_is_refused_with_the_nodes_name(comfy, files):
    with pytest.raises(ValueError, match=r"^SynCamSavePage: 'rig' has 3 cameras but 'files' has 2 views; connect"):
        comfy.run("SynCamSavePage", rig=named_rig("a", "b", "c"), files=files)


@pytest.mark.skipif(importlib.util.find_spec("rerun") is not None, reason="rerun-sdk is installed here")
def test_without_its_library_a_recording_is_refused_in_one_sentence(comfy, files, outputs):
    with pytest.raises(ValueError, match=r"^SynCamSaveRerun: writing a Rerun recording .* pip install rerun-sdk[.]$"):
        comfy.run("SynCamSaveRerun", rig=named_rig("a", "b"), files=files)
    assert not [name for name in files_in(outputs) if "take" in name]


def test_a_recording_of_saved_views_is_linked(comfy, files, outputs):
    pytest.importorskip("rerun", reason="rerun-sdk is optional and 760 MB, so it is not among the tests' packages")
    _, shown = run_as_the_host_does(comfy, "SynCamSaveRerun", {"rig": [named_rig("a", "b")], "files": [files]})
    assert files_in(outputs / "syncam")[0] == "take_00001.rrd"
    assert shown["syncam_links"][0]["bytes"] == (outputs / "syncam" / "take_00001.rrd").stat().st_size > 1000
