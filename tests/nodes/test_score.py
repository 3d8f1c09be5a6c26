"""SynCam Sync Score inside the real host."""

from __future__ import annotations

import json
import math

import pytest
import torch

from syncam_core.cameras import orbit_rig
from syncam_core.metrics import demo_reference_c2w, score_scene
from syncam_core.synthetic import Scene, frame_times, render

RIG = orbit_rig([0.0, 75.0, -130.0], [20.0, 12.0, 30.0], [5.0, 4.7, 5.3])
VIDEO = render(Scene.random(11), RIG, 64, 64, frame_times(5))


@pytest.fixture
def score(comfy, tmp_path):
    before = comfy.folders.get_temp_directory()
    comfy.folders.set_temp_directory(str(tmp_path))
    yield lambda views, rig: comfy.run("SynCamSyncScore", views=views, rig=[rig])
    comfy.folders.set_temp_directory(before)


def test_the_node_gives_the_numbers_of_the_core(score):
    text, pixels, document, picture = score(list(VIDEO), RIG)
    expected = score_scene(VIDEO, RIG, reference_c2w=demo_reference_c2w())
    assert pixels == expected.reprojection_px < 0.6
    assert text == expected.to_text()
    assert json.loads(document) == json.loads(json.dumps(expected.to_json()))
    assert picture.shape == (1, 3 * 324 - 4, 3 * 324 - 4, 3)
    assert picture.dtype == torch.float32


def test_alpha_is_dropped_and_half_precision_taken(score):
    views = [torch.cat([view, torch.ones(5, 64, 64, 1)], -1).half() for view in VIDEO]
    assert score(views, RIG)[1] == pytest.approx(score(list(VIDEO), RIG)[1], abs=0.05)


def test_the_rig_of_a_demo_model_may_begin_at_any_azimuth(score):
    turned = orbit_rig([40.0, 115.0, -90.0], [20.0, 12.0, 30.0], [5.0, 4.7, 5.3])
    numbers = json.loads(score(list(VIDEO), turned)[2])
    assert numbers["azimuth_deg"] <= 1
    assert numbers["requested_azimuths_deg"] == pytest.approx([0, 75, -130])


def test_the_description_says_what_it_is_not_for(comfy):
    node = comfy.nodes["SynCamSyncScore"]
    description = node.GET_SCHEMA().description
    assert "ONE strongly coloured subject on a pale background" in description
    assert "not meant for arbitrary footage" in description
    for part in (*node.GET_SCHEMA().inputs, *node.GET_SCHEMA().outputs):
        assert part.tooltip


def test_pictures_without_a_subject_are_a_finding_so_that_the_job_goes_on_and_saves_them(score):
    text, pixels, document, picture = score([torch.full_like(view, 0.5) for view in VIDEO], RIG)
    assert text.startswith("not measured: no frame shows a strongly coloured subject in two views (0 of 15 pictures")
    assert json.loads(document) == {"not_measured": text.removeprefix("not measured: ")}
    assert math.isnan(pixels)
    assert torch.isfinite(picture).all()


def with_nan():
    views = [view.clone() for view in VIDEO]
    views[1][2, 3, 4, 0] = math.nan
    return views


@pytest.mark.parametrize(
    ("views", "rig", "sentence"),
    [
        ([], RIG, "'views' is an empty list"),
        (list(VIDEO[:2]), RIG, "'rig' has 3 cameras but 'views' has 2 views"),
        (list(VIDEO[:1]), RIG.select([0]), "there is one view only"),
        ([VIDEO[0], VIDEO[1][:3], VIDEO[2]], RIG, "must all have the same number of frames"),
        ([VIDEO[0], VIDEO[1][:, :32], VIDEO[2]], RIG, "view 2 is 5 x 32 x 64 x 3; all views need"),
        (with_nan(), RIG, "view 2 holds pixels that are not numbers"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_a_sentence(score, views, rig, sentence):
    with pytest.raises(ValueError, match=rf"^SynCamSyncScore: .*{sentence}"):
        score(views, rig)
