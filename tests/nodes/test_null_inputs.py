"""Null is "not connected": API clients and the official command line send it for an optional input without a wire."""

from __future__ import annotations

import importlib
import inspect
import json
import re

import numpy as np
import pytest
import torch
from footage import named_rig, ramp
from host_runs import listed_inputs, optional_inputs, run_as_the_host_does
from host_wan import TEXTS, TinyWan, conditioning, empty, noise
from host_wan import poses as random_poses

from syncam_core.cameras import Rig
from syncam_core.cameras.encoding import CameraEncoding

BASES = {
    "SynCamRigRing": {"count": 4, "elevation": 10, "distance": 3, "start_azimuth": 5},
    "SynCamRigArc": {
        "count": 3,
        "start_azimuth": -15,
        "end_azimuth": 15,
        "elevation": 0,
        "distance": 3,
        "rise": 0,
        "push_in": 0,
        "reference": "first",
    },
    "SynCamRigDome": {"count": 6, "spread": 15, "azimuth": 0, "elevation": 15, "distance": 3},
    "SynCamRigLine": {
        "count": 3,
        "spacing": 0.5,
        "direction": "horizontal",
        "aim": "target",
        "azimuth": 0,
        "elevation": 0,
        "distance": 3,
    },
    "SynCamRigGrid": {
        "columns": 2,
        "rows": 2,
        "column_spacing": 0.5,
        "row_spacing": 0.5,
        "aim": "parallel",
        "azimuth": 0,
        "elevation": 0,
        "distance": 3,
    },
    "SynCamRigStereo": {
        "interaxial": 0.065,
        "convergence": 3,
        "method": "toed-in",
        "azimuth": 0,
        "elevation": 0,
        "distance": 3,
    },
    "SynCamRigCloseWide": {"close": 1.5, "wide": 4, "azimuth": 0, "elevation": 0},
    "SynCamRigEditor": {"state": {"cameras": [{"azimuth": 7, "distance": 2}]}},
    "SynCamLoadRig": {"file": "cams.json", "cameras": ""},
}


@pytest.fixture
def in_input_folder(comfy, tmp_path):
    before = comfy.folders.get_input_directory()
    frames = {f"frame{n}": {"cam01": "[1 0 0 0] [0 1 0 0] [0 0 1 0] [-300 0 120 1] "} for n in range(2)}
    (tmp_path / "cams.json").write_text(json.dumps(frames))
    comfy.folders.set_input_directory(str(tmp_path))
    yield
    comfy.folders.set_input_directory(before)


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyWan(comfy, "null")


def views() -> list[torch.Tensor]:
    return [ramp(view) for view in range(2)]


def apply_inputs(comfy, tiny):
    return {"model": tiny.base(), "weights": tiny.weights(), "cameras": CameraEncoding(random_poses())}


def sampler_inputs(comfy, tiny):
    texts = dict(zip(("positive", "negative"), map(conditioning, TEXTS), strict=True))
    numbers = {"seed": 3, "steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple"}
    return {"model": tiny.patched(random_poses()), "latent": empty(), **texts, **numbers}


def render_inputs(comfy, tiny):
    return {
        "latent": {"samples": torch.zeros(2, 16, 2, 4, 6)},
        "vae": comfy.run("SynCamDemoModel")[2],
        "filename_prefix": "views",
        "fps": 15.0,
        "codec": {"codec": "h264", "bit_depth": "8", "crf": 20.0},
        "contact_sheet": False,
    }


def decode_inputs(comfy, tiny):
    return {"latent": {"samples": torch.zeros(2, 16, 2, 4, 6)}, "vae": comfy.run("SynCamDemoModel")[2]}


def save_edit_inputs(comfy, tiny):
    footage = {"views": views(), "fps": [15.0]}
    files = comfy.run("SynCamSaveViews", **footage, filename_prefix=["edited"])[0]
    return {"edit": comfy.run("SynCamEdit", **footage, cuts=["0 A; 2 B"], timecode=[False])[2], "files": files}


def trajectories_inputs(comfy, tiny):
    return {
        "rig": comfy.run("SynCamRigReCam", moves="9", amount=1, distance_m=3, arc="true orbit", length=5)[0],
        "length": 5,
    }


def rerun_inputs(comfy, tiny):
    pytest.importorskip("rerun", reason="needs rerun-sdk, an optional extra of 800 MB")
    return {"rig": named_rig("a", "b"), "caption": "", "pictures": "videos", "filename_prefix": "take"}


# What every node with an optional input is run with; list nodes get each value in a list, and the views as one.
OTHERS = {
    "SynCamEmptyLatent": lambda *_: {
        "width": 64, "height": 64, "length": 5, "cameras": CameraEncoding(random_poses(2, 2))
    },
    "SynCamApply": apply_inputs,
    "SynCamGivenViews": lambda *_: {"latent": {"samples": noise()}, "views": "1"},
    "SynCamSampler": sampler_inputs,
    "SynCamEncodeTrajectories": trajectories_inputs,
    "SynCamSourceVideo": lambda *_: {
        "videos": {"video0": {"samples": noise(1)}}, "width": 48, "height": 32, "length": 5, "start_frame": 0, "every": 1
    },
    "SynCamViewGrid": lambda *_: {"views": views(), "columns": 2, "labels": True},
    "SynCamSaveViews": lambda *_: {"views": views(), "filename_prefix": "views", "fps": 15.0},
    "SynCamDecodeViews": decode_inputs,
    "SynCamRenderViews": render_inputs,
    "SynCamExportDataset": lambda *_: {"views": views(), "rig": named_rig("a", "b"), "fps": 15.0},
    "SynCamPlayer": lambda *_: {"views": views(), "fps": 15.0, "cuts": ""},
    "SynCamEdit": lambda *_: {"views": views(), "cuts": "0 A; 2 B", "fps": 15.0, "timecode": True},
    "SynCamSaveEdit": save_edit_inputs,
    "SynCamAutoCut": lambda *_: {"views": views(), "method": "every shot_length", "shot_length": 2, "order": ""},
    "SynCamBulletTime": lambda *_: {"views": views(), "freeze_frame": 2},
    "SynCamViewSweep": lambda *_: {"views": views()},
    "SynCamStereo": lambda *_: {"views": views()},
    "SynCamQuilt": lambda *_: {"views": views()},
    "SynCamPickViews": lambda *_: {"views": views(), "cameras": "2"},
    "SynCamCameraAccuracy": lambda *_: {
        "views": views(), "rig": named_rig(*"abcd"[: len(views())]), "matcher": "sift", "lens": "training data", "every": 8
    },
    "SynCamMetrics": lambda *_: {
        "views": views(), "prompt": "", "metrics": "clip_v, psnr", "matcher": "sift", "lens": "rig", "every": 8
    },
    "SynCamMetricsTable": lambda *_: {"reports": {"report0": '{"format": "syncam-metrics", "version": 1, "metrics": {}}'}, "layout": "table 3"},
    "SynCamReplaceView": lambda *_: {"views": views(), "view": [ramp(3)]},
    "SynCamSavePage": lambda *_: {
        "rig": named_rig("a", "b"), "caption": "", "video_files": "in the page", "filename_prefix": "take"
    },
    "SynCamSaveRerun": rerun_inputs,
}  # fmt: skip
KEPT = {"SynCamEmptyLatent": "cameras", "SynCamPlayer": "views"}  # one of several optional inputs is needed


def inputs_of(comfy, node_id: str, tiny) -> dict:
    said = OTHERS[node_id](comfy, tiny) if node_id in OTHERS else BASES[node_id]
    return listed_inputs(comfy.nodes[node_id], said)


def seen(value):
    """What of an output can be held against another run's; files of two runs have other numbers in their names."""
    if isinstance(value, torch.Tensor):
        return tuple(value.shape), value.double().numpy().round(6).tobytes()
    if isinstance(value, Rig) or type(value).__name__ == "Rig":
        return value.names, seen(value.c2w)
    if isinstance(value, dict):
        return {key: seen(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [seen(item) for item in value]
    if isinstance(value, str):
        return re.sub("(_edit)?(_|scene)[0-9]{5}", r"\1", value)
    if hasattr(value, "get_components"):
        return seen(value.get_components().images)
    if hasattr(value, "model_options"):
        return sorted(map(str, value.model_options["transformer_options"]))
    return value if isinstance(value, (int, float, np.ndarray)) else type(value).__name__


def null_of(node: type, name: str) -> object:
    """What reaches a node for null: of a text the host makes "None"."""
    return "None" if next(one.io_type for one in node.GET_SCHEMA().inputs if one.id == name) == "STRING" else None


@pytest.mark.parametrize("node_id", [*BASES, *OTHERS])
def test_null_for_an_optional_input_is_the_same_as_leaving_it_out(comfy, node_id, in_input_folder, outputs, tiny):
    node, inputs = comfy.nodes[node_id], inputs_of(comfy, node_id, tiny)
    names = [name for name in optional_inputs(node) if name != KEPT.get(node_id)]

    def run(**more):
        return seen(run_as_the_host_does(comfy, node_id, {**inputs, **more})[0])

    expected = run()
    assert run(**{name: [None] for name in names}) == expected
    for name in names if node_id in BASES else ():
        assert run(**{name: [null_of(node, name)]}) == expected, name
    assert run(**{name: [null_of(node, name)] for name in names}) == expected


def test_every_node_is_run_with_null_that_has_an_optional_input(comfy):
    assert {node.GET_SCHEMA().node_id for node in comfy.nodes.values() if optional_inputs(node)} == {*BASES, *OTHERS}


def test_no_node_asks_for_an_optional_input_that_has_no_default(comfy):
    for node in comfy.nodes.values():
        parameters = inspect.signature(node.execute).parameters
        missing = [name for name in optional_inputs(node) if parameters[name].default is inspect.Parameter.empty]
        assert not missing, (node, missing)


def test_null_is_judged_before_the_run_as_if_the_input_were_left_out(comfy):
    """What `validate_inputs` says of null, and of the text that the host makes of it."""
    for node in comfy.nodes.values():
        for name in {*optional_inputs(node)} & {*inspect.signature(node.validate_inputs).parameters}:
            for null in (None, null_of(node, name)):
                value = [null] if node.GET_SCHEMA().is_input_list else null
                assert node.validate_inputs(**{name: value}) is True, (node, name)


@pytest.mark.parametrize("node_id", ["SynCamRigMerge", "SynCamRigFromLoad3D", "SynCamRigFromCameraCtrl"])
def test_null_in_a_growing_input_is_an_empty_socket(comfy, node_id):
    (one,) = comfy.run("SynCamRigCamera", azimuth=30, elevation=0, distance=3, roll=0, target="0, 0, 0", name="a")
    if node_id == "SynCamRigMerge":
        (got,) = comfy.run(node_id, rigs={"rig10": None, "rig2": one, "rig0": None})
    elif node_id == "SynCamRigFromLoad3D":
        (cameras,) = comfy.run("SynCamRigToLoad3D", rig=one, frame=0, unit_m=1.0, width=832, height=480)
        (got,) = comfy.run(node_id, cameras={"camera0": None, "camera1": cameras, "camera2": None}, unit_m=[1.0])
    else:
        (lists,) = comfy.run("SynCamRigToCameraCtrl", rig=one, length=5, unit_m=1.0, width=832, height=480)
        (got,) = comfy.run(node_id, poses={"poses0": None, "poses1": lists}, rows=["frames"], unit_m=[1.0])
    assert got.views == 1
    torch.testing.assert_close(got.c2w[:, 0], one.c2w[:, 0], atol=1e-9, rtol=0)


def test_every_node_is_called_like_its_id(comfy):
    assert [node.__name__ for node in comfy.nodes.values()] == list(comfy.nodes)


@pytest.fixture
def echo(comfy):
    """A list node that says what reaches it."""
    from comfy_api.latest import io

    shared = importlib.import_module(f"{comfy.pack.__name__}.nodes.shared.node")
    errors = importlib.import_module(f"{comfy.pack.__name__}.syncam_core.errors")

    class SynCamEcho(shared.SynCamNode):
        @classmethod
        def define_schema(cls):
            return io.Schema(
                node_id="SynCamEcho",
                is_input_list=True,
                inputs=[io.AnyType.Input("views"), io.AnyType.Input("rig", optional=True), io.Int.Input("count")],
                outputs=[io.AnyType.Output()],
            )

        @classmethod
        def execute(cls, views, rig=None, count=(3,)) -> io.NodeOutput:
            if views == ["wrong"]:
                raise errors.UserError("'views' is wrong.", field="views")
            return io.NodeOutput((views, rig, count))

    return SynCamEcho


def test_in_a_list_node_a_list_of_null_is_not_connected_and_what_has_no_default_keeps_its_null(echo):
    assert echo.execute(views=[None], rig=[None], count=[None]).result == (([None], None, (3,)),)
    assert echo.execute(views=[1], rig=[None, 2], count=[0]).result == (([1], [None, 2], [0]),)


def test_it_holds_for_the_locked_copy_that_the_host_runs(echo):
    from comfy_api.internal import make_locked_method_func

    copy = echo.PREPARE_CLASS_CLONE(None)
    called = make_locked_method_func(echo, "EXECUTE_NORMALIZED", copy)
    assert called(views=[1], rig=[None], count=[4]).result == (([1], None, [4]),)


def test_what_a_node_refuses_begins_with_its_id_once(echo):
    with pytest.raises(ValueError, match=r"^SynCamEcho: 'views' is wrong\.$") as refused:
        echo.execute(views=["wrong"])
    assert refused.value.field == "views"
