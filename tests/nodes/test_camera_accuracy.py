"""SynCam Camera Accuracy and SynCam Render World inside the real host."""

from __future__ import annotations

import json
import math
import socket
from dataclasses import replace

import pytest
import torch
from textured_planes import filmed

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.metrics.camera_accuracy import camera_accuracy
from syncam_core.metrics.matching import matcher_of
from syncam_core.synthetic import Scene, frame_times, render
from syncam_core.video.clip import FLOAT, ImageClip

RIG = orbit_rig([0.0, 12.0, 24.0], [12.0], [4.0])
VIEWS = [torch.cat([view, view]) for view in filmed(RIG.c2w[:, 0].numpy(), 24 / 23.76 * 320, 192, 320)]


@pytest.fixture
def measure(comfy, tmp_path, monkeypatch):
    def refused(*_args, **_more):
        raise AssertionError("a test asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    before = comfy.folders.get_temp_directory()
    comfy.folders.set_temp_directory(str(tmp_path))

    def run(views=VIEWS, rig=RIG, matcher="sift", lens="training data", every=1, **more):
        return comfy.run(
            "SynCamCameraAccuracy", views=views, rig=[rig], matcher=[matcher], lens=[lens], every=[every], **more
        )

    yield run
    comfy.folders.set_temp_directory(before)


def test_the_node_gives_the_numbers_of_the_core_and_draws_them(measure):
    text, rot, trans, document, picture = measure()
    expected = camera_accuracy([ImageClip(view, FLOAT) for view in VIEWS], RIG, matcher_of("sift"), every=1)
    assert (text, rot, trans) == (expected.to_text(), expected.rot_err_deg, expected.trans_err)
    assert rot < 0.4
    assert trans < 0.02
    assert json.loads(document) == json.loads(json.dumps(expected.to_json()))
    assert picture.shape == (1, 860, 1280, 3)
    assert 0.1 < picture.mean() < 0.5


def test_shuffled_cameras_are_found_out(measure):
    assert measure(rig=replace(RIG, c2w=RIG.c2w[[0, 2, 1]]), every=2)[1] > 10 * measure(every=2)[1]


def test_what_cannot_be_measured_is_a_finding_and_the_job_goes_on(measure):
    text, rot, trans, document, picture = measure([torch.full_like(view, 0.5) for view in VIEWS], every=8)
    assert "not measured: 0 of 0 matches agree" in text
    assert math.isnan(rot)
    assert math.isnan(trans)
    assert json.loads(document)["rot_err_deg"] is None
    assert picture.shape == (1, 860, 1280, 3)


def test_depth_anything_gives_a_second_opinion_or_says_that_it_has_no_cameras(measure):
    seen = {"extrinsics": torch.linalg.inv(RIG.c2w[:, 0])[None].float()}
    text, _, _, document, _ = measure(every=2, da3_geometry=[seen])
    assert "Depth Anything 3: RotErr 0.000 degrees" in text
    assert len(json.loads(document)["depth_anything_3"]) == 2
    blind = {"extrinsics": torch.eye(4).expand(1, 3, 4, 4)}
    assert "identity matrices: this model has no camera head" in measure(every=2, da3_geometry=[blind])[0]


def test_a_matcher_whose_file_is_missing_is_refused_before_any_work(measure):
    with pytest.raises(ValueError, match=r"SynCamCameraAccuracy: the matcher 'aliked' needs aliked-n16\.pth"):
        measure(matcher="aliked")


def test_null_is_not_connected(measure):
    assert measure(every=2, da3_geometry=[None])[0] == measure(every=2)[0]


def test_every_input_and_output_has_its_words(comfy):
    for name in ("SynCamCameraAccuracy", "SynCamRenderWorld"):
        schema = comfy.nodes[name].GET_SCHEMA()
        assert all(part.tooltip for part in (*schema.inputs, *schema.outputs))


# ---- SynCam Render World


def film(comfy, rig, **more):
    inputs = {"prompt": "", "seed": 4, "width": 64, "height": 48, "length": 3, "fps": 15.0, "texture": True, **more}
    return comfy.run("SynCamRenderWorld", rig=rig, **inputs)[0]


def test_the_world_is_that_of_the_core_view_by_view(comfy):
    views = film(comfy, RIG)
    truth = render(replace(Scene.random(4), texture=1), RIG, 48, 64, frame_times(3, 15.0))
    assert torch.equal(torch.stack(views), truth)
    plain = film(comfy, RIG, texture=False, prompt="a red ball standing on sand under a pink sky")
    words = Scene.from_prompt("a red ball standing on sand under a pink sky", Scene.random(4))
    assert torch.equal(torch.stack(plain), render(words, RIG, 48, 64, frame_times(3, 15.0)))


def test_moving_cameras_move_and_too_few_of_their_frames_are_refused(comfy):
    moving = Rig(("a",), torch.cat([RIG.c2w[:1], RIG.c2w[1:2], RIG.c2w[2:]], 1))
    truth = render(replace(Scene.random(4), texture=1), moving, 48, 64, frame_times(3, 15.0))
    assert torch.equal(torch.stack(film(comfy, moving)), truth)
    with pytest.raises(ValueError, match="'length' is 4, but the cameras of 'rig' move over 3 frames"):
        film(comfy, moving, length=4)


# ---- beside the videos


def test_scores_are_kept_in_the_rig_beside_the_videos(comfy, tmp_path):
    before = comfy.folders.get_output_directory()
    comfy.folders.set_output_directory(str(tmp_path))
    try:
        views = [torch.rand(2, 64, 64, 3) for _ in range(3)]
        given = {"views": views, "filename_prefix": ["take"], "fps": [8.0], "contact_sheet": [False]}
        scores = ['{"rot_err_deg": 0.1, "trans_err": null}', '{"reprojection_px": 0.3}']
        comfy.run("SynCamSaveViews", **given, rig=[RIG], scores=scores)
        (rig,) = tmp_path.glob("*_rig.json")
        kept = json.loads(rig.read_text(encoding="utf-8"))["metadata"]
        assert kept["scores"] == [json.loads(text) for text in scores]
        with pytest.raises(ValueError, match="'scores' are kept in the rig's file; connect 'rig'"):
            comfy.run("SynCamSaveViews", **given, scores=scores)
        with pytest.raises(ValueError, match="in 'scores', the text is not JSON"):
            comfy.run("SynCamSaveViews", **given, rig=[RIG], scores=["RotErr 3"])
    finally:
        comfy.folders.set_output_directory(before)
