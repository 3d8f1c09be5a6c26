"""Null is "not connected": API clients and the official command line send it for an optional input without a wire."""

from __future__ import annotations

import importlib
import json

import pytest
import torch

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


def rig_nodes(comfy) -> list[type]:
    return [node for node in comfy.nodes.values() if ".nodes.rigs." in node.__module__]


def is_null(node: type, name: str) -> object:
    """What reaches a node for null: of a text the host makes "None", in a list node it stands in a list."""
    io_type = next(one.io_type for one in node.GET_SCHEMA().inputs if one.id == name)
    null = "None" if io_type == "STRING" else None
    return [null] if node.GET_SCHEMA().is_input_list else null


@pytest.mark.parametrize("node_id", BASES)
def test_null_for_an_optional_input_of_a_rig_node_is_the_same_as_leaving_it_out(comfy, node_id, in_input_folder):
    node, base = comfy.nodes[node_id], BASES[node_id]
    expected = comfy.run(node_id, **base)[0]
    assert type(expected).__name__ == "Rig"  # of the pack as the host imports it
    for one in node.GET_SCHEMA().inputs:
        if one.optional:
            for null in (None, is_null(node, one.id)):
                got = comfy.run(node_id, **base, **{one.id: null})[0]
                assert (got.names, torch.equal(got.c2w, expected.c2w)) == (expected.names, True), one.id


def test_no_rig_node_with_an_optional_input_is_left_out(comfy):
    with_optional = [
        node.GET_SCHEMA().node_id for node in rig_nodes(comfy) if any(one.optional for one in node.GET_SCHEMA().inputs)
    ]
    assert sorted(with_optional) == sorted(BASES)


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
