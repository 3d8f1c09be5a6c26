"""The classifier's input, its counting, and its file; what it learns is in tests/training/test_classifier.py."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from syncam_core.metrics.recognition import (
    ATTRIBUTES,
    MOMENTS,
    SIDE,
    AttributeClassifier,
    load_classifier,
    name_attributes,
    prepare,
    save_classifier,
    share_named_right,
)
from syncam_core.synthetic import Scene


class ReadsPixel(AttributeClassifier):
    """Names what the first pixel of the first moment says: red the shape, green the colour, blue the motion."""

    def forward(self, clips):
        told = ((clips[:, :3, 0, 0] + 1) * 5).round().long()  # tenths
        return {
            name: torch.nn.functional.one_hot(told[:, i], 10).float()[:, : len(words)]
            for i, (name, words) in enumerate(ATTRIBUTES.items())
        }


def saying(*words):
    """A clip of one view, whose pixels say these words."""
    places = [names.index(word) for names, word in zip(ATTRIBUTES.values(), words, strict=True)]
    return (torch.tensor(places) / 10).expand(9, SIDE, SIDE, 3)


def test_the_moments_are_spread_over_the_clip_from_its_first_to_its_last_frame():
    video = (torch.arange(17.0) / 16)[None, :, None, None, None].expand(2, 17, 8, 8, 3)
    seen = prepare(video)
    assert seen.shape == (2, 3 * MOMENTS, SIDE, SIDE)
    assert seen[0, ::3, 0, 0].tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert prepare(video[:, :1]).shape == seen.shape


@pytest.mark.parametrize("size", [(48, 48), (96, 96), (64, 64), (30, 50)])
def test_pictures_of_any_size_keep_their_means_and_their_layout(size):
    video = torch.zeros(1, 5, *size, 3)
    video[:, :, : size[0] // 2, :, 0] = 1.0
    seen = (prepare(video) + 1) / 2
    assert seen.shape[-2:] == (SIDE, SIDE)
    assert seen.mean().item() == pytest.approx(1 / 6, abs=0.01)
    assert seen[0, 0, 3, 20] == 1
    assert seen[0, 0, -4, 20] == 0
    assert seen[0, 1].max() == 0


def test_every_view_counts_once_for_each_attribute_and_once_for_all():
    scene = Scene("cube", "blue", "turning")
    video = torch.stack(
        [
            saying("cube", "blue", "turning"),
            saying("ball", "blue", "turning"),
            saying("cube", "blue", "walking"),
            saying("cone", "red", "turning"),
        ]
    )
    named = name_attributes(ReadsPixel(), video)
    assert named[2] == {"shape": "cube", "color": "blue", "motion": "walking"}
    assert share_named_right(ReadsPixel(), video, scene) == {"shape": 0.5, "color": 0.75, "motion": 0.75, "all": 0.25}


def test_a_file_gives_back_the_classifier_and_what_it_was_trained_on(tmp_path):
    torch.manual_seed(0)
    classifier = AttributeClassifier().eval()
    save_classifier(classifier, tmp_path / "some" / "c.safetensors", {"world": 2, "seed": 7})
    loaded, about = load_classifier(tmp_path / "some" / "c.safetensors")
    assert (about["world"], about["seed"]) == (2, 7)
    clips = torch.rand(3, 3 * MOMENTS, SIDE, SIDE)
    for name, scores in loaded(clips).items():
        assert torch.equal(scores, classifier(clips)[name])
        assert scores.shape == (3, len(ATTRIBUTES[name]))


def test_other_files_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match=r"no attribute classifier .*No such file"):
        load_classifier(tmp_path / "nothing.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="make one with the command classifier"):
        load_classifier(tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(ValueError, match="no attribute classifier"):
        load_classifier(tmp_path / "text.safetensors")
