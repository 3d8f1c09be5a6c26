"""What the gate says about pictures: shares over views and scenes, and edge energies, by hand."""

from __future__ import annotations

import pytest
import torch

from syncam_core.cameras import orbit_rig
from syncam_core.metrics.recognition import ATTRIBUTES, AttributeClassifier
from syncam_core.synthetic import Scene, frame_times, render
from syncam_core.training.gate import picture_measures, pictures_to_text
from syncam_core.training.held_out import SIZE, held_out_scene


class AlwaysSays(AttributeClassifier):
    """A red ball that stands, whatever is seen."""

    def forward(self, clips):
        return {
            name: torch.eye(len(words))[
                words.index({"shape": "ball", "color": "red", "motion": "standing"}[name])
            ].expand(len(clips), -1)
            for name, words in ATTRIBUTES.items()
        }


def test_shares_are_means_over_scenes_and_edges_are_compared_with_the_truths():
    scenes = [
        Scene("ball", "red"),
        Scene("ball", "blue", "walking"),
        Scene("cube", "red"),
        Scene("ball", "red", "turning"),
    ]
    rig = orbit_rig([0.0, 90.0], [20.0], [5.0])
    truth = [render(scene, rig, 24, 24, frame_times(5)) for scene in scenes]
    takes = {"rendered truth": truth, "half": [video / 2 for video in truth], "grey": [video * 0 for video in truth]}
    measures = picture_measures(takes, scenes, AlwaysSays())
    shares = {name: measures["half"][name].value for name in (*ATTRIBUTES, "all")}
    assert shares == {"shape": 0.75, "color": 0.75, "motion": 0.5, "all": 0.25}
    half = measures["half"]["edge_energy"]
    assert (half.value, half.low, half.high) == pytest.approx((0.25, 0.25, 0.25))
    assert measures["rendered truth"]["edge_energy"].value == 1
    assert measures["grey"]["edge_energy"].value == 0
    lines = pictures_to_text(measures).splitlines()
    assert lines[0].split("  ")[0] == ""
    assert "motion named right" in lines[0]
    assert lines[2].startswith("half")
    assert "0.50 [" in lines[2]


def test_without_a_classifier_only_edges_are_measured():
    scene, rig = held_out_scene(0, 2, world=2)
    video = render(scene, rig, 24, 24, [0.0])
    measures = picture_measures({"rendered truth": [video]}, [scene])
    assert measures.keys() == {"rendered truth"}
    assert measures["rendered truth"].keys() == {"edge_energy"}
    assert "named" not in pictures_to_text(measures)


def test_both_worlds_are_judged_by_the_same_scenes_and_cameras_at_a_size_of_whole_tokens():
    for number in range(5):
        (one, rig), (two, same) = (held_out_scene(number, 4, 3, 0.8, world) for world in (1, 2))
        assert one.prompt() == two.prompt()
        assert (one.world, two.world) == (1, 2)
        assert torch.equal(rig.c2w, same.c2w)
    assert SIZE % 16 == 0
