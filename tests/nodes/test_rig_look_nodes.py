"""The nodes that show and judge a rig, in the host."""

from __future__ import annotations

import importlib
import json

import pytest
import torch

DRAWING = {"width": 640, "height": 360, "thumbnail_width": 160, "frame": 0, "figure_scale": 1.0}


@pytest.fixture
def look(comfy):
    """The node classes by id."""
    module = importlib.import_module(f"{comfy.pack.__name__}.nodes.rigs.preview")
    return {node.GET_SCHEMA().node_id: node for node in module.NODES}


def run(node, **inputs):
    with torch.inference_mode():
        return node.EXECUTE_NORMALIZED(**inputs)


def orbit(comfy, azimuths: str, elevations: str = "0"):
    return comfy.run("SynCamRigOrbit", azimuths=azimuths, elevations=elevations, distances="4")[0]


def test_the_preview_gives_the_drawing_and_a_thumbnail_per_camera_and_shows_two_pictures(comfy, look, tmp_path):
    before = comfy.folders.get_temp_directory()
    comfy.folders.set_temp_directory(str(tmp_path))
    try:
        output = run(look["SynCamRigPreview"], rig=orbit(comfy, "0, 20, 40"), **DRAWING)
        drawing, thumbnails = output.result
        assert drawing.shape == (1, 360, 640, 3)
        assert thumbnails.shape == (3, 96, 160, 3)
        for images in (drawing, thumbnails):
            assert images.dtype == torch.float32
            assert 0 <= images.min() < images.max() <= 1
        shown = output.ui["images"]
        assert len(shown) == 2
        assert all((tmp_path / one["filename"]).is_file() for one in shown)
        assert [one["type"] for one in shown] == ["temp", "temp"]
    finally:
        comfy.folders.set_temp_directory(before)


def test_the_meter_says_inside_only_where_every_camera_is_and_puts_the_best_reference_first(comfy, look):
    rig = orbit(comfy, "-28, 0, 28")
    output = run(look["SynCamRigMeter"], rig=rig)
    text, document, inside, best_first = output.result
    assert inside is False
    assert text.startswith("3 cameras: 2 inside the training range, 0 at its edge, 1 outside.")
    assert output.ui.as_dict() == {"text": (text,)}
    found = json.loads(document)
    assert [view["verdict"] for view in found["views"]] == ["inside", "inside", "outside"]
    assert found["best_reference"] == 1
    assert best_first.names == ("cam02", "cam01", "cam03")
    assert torch.equal(best_first.c2w, rig.c2w[[1, 0, 2]])
    assert best_first.colors == (rig.colors[1], rig.colors[0], rig.colors[2])
    *_, inside, again = run(look["SynCamRigMeter"], rig=best_first).result
    assert inside is True
    assert again.names == best_first.names


def test_a_frame_that_the_cameras_do_not_reach_is_refused_with_the_nodes_name(comfy, look):
    moving = orbit(comfy, "0, 10")
    moving = type(moving)(moving.names, moving.c2w.repeat(1, 5, 1, 1))
    with pytest.raises(ValueError, match=r"^SynCamRigPreview: 'frame' is 5, but .* frames 0 to 4"):
        run(look["SynCamRigPreview"], rig=moving, **{**DRAWING, "frame": 5})


def test_the_inputs_outputs_and_defaults_are_the_contract(look):
    def of(node_id):
        schema = look[node_id].GET_SCHEMA()
        return (
            [(one.id, one.io_type, getattr(one, "default", None)) for one in schema.inputs],
            [(one.display_name, one.io_type) for one in schema.outputs],
        )

    assert of("SynCamRigPreview") == (
        [
            ("rig", "SYNCAM_RIG", None),
            ("width", "INT", 1280),
            ("height", "INT", 720),
            ("thumbnail_width", "INT", 320),
            ("frame", "INT", 0),
            ("figure_scale", "FLOAT", 1.0),
        ],
        [("drawing", "IMAGE"), ("thumbnails", "IMAGE")],
    )
    assert of("SynCamRigMeter") == (
        [("rig", "SYNCAM_RIG", None)],
        [("text", "STRING"), ("json", "STRING"), ("inside", "BOOLEAN"), ("rig", "SYNCAM_RIG")],
    )
    for node in look.values():
        schema = node.GET_SCHEMA()
        assert schema.category == "SynCam/Rig"
        assert all(one.tooltip for one in [*schema.inputs, *schema.outputs])
