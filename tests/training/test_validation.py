"""The loss on held-out scenes: fixed, of the averages, and without a trace in the training."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from tiny_training import ring_scene, text_of, tiny_config

from syncam_core.cameras import orbit_rig
from syncam_core.datasets.footage import Footage, Kind, Scene
from syncam_core.errors import UserError
from syncam_core.training.config import Mix, Validation
from syncam_core.training.latent_cache import LatentCache, open_cache
from syncam_core.training.loop import train
from syncam_core.training.optimizers import Ema
from syncam_core.training.trainee import build_trainee
from syncam_core.training.validation import held_out_batches, validate

pytestmark = pytest.mark.usefixtures("fresh_accelerate")


def latents_of(pictures):
    """Noise instead of an encoder, another for each video."""
    generator = torch.Generator().manual_seed(int(pictures.long().sum()))
    return torch.randn(16, 2, 4, 4, generator=generator)


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    """A cache of 3 scenes of 4 views."""

    def film(number):
        return lambda: torch.full((5, 32, 32, 3), number, dtype=torch.uint8)

    poses = orbit_rig([0, 90, 180, 270], [20], [5]).c2w
    scenes = [
        Scene(
            f"held{scene}",
            Kind.MULTI_VIEW_VIDEO,
            f"caption {scene}",
            tuple(Footage(f"cam{i}", poses[i], film(1 + 4 * scene + i), f"{scene} {i}") for i in range(4)),
        )
        for scene in range(3)
    ]
    folder = tmp_path_factory.mktemp("held_out")
    report = LatentCache(folder).build(scenes, latents_of, "test", dtype=torch.float32)
    assert len(report.encoded) == 3, report.problems
    return folder


def measured(config, trainee, ema=None):
    return validate(config, trainee, ema, held_out_batches(config, text_of))


def configured(output, held_out, **changes):
    settings = {"every": 2, "scenes": 16, "views": 3, **changes}
    return tiny_config(output, validation=Validation(str(held_out), **settings), ema_decay=0.9)


def built(config, head_std=0.1, seed=0):
    torch.manual_seed(seed)
    trainee = build_trainee(config.model, config.objective)
    torch.nn.init.normal_(trainee.base.head.head.weight, std=head_std)
    return trainee


def test_a_model_that_predicts_nothing_has_the_mean_square_of_the_velocity_in_every_mode(held_out):
    config = configured("", held_out, scenes=400)
    report = measured(config, built(config, head_std=0.0))
    square = torch.stack([scene.latents() for scene in open_cache(held_out)]).square().mean().item()
    assert set(report) == {"validation/full", "validation/masked", "validation/off"}
    for loss in report.values():
        assert loss == pytest.approx(square + 1, rel=0.03), "of latents and noise that know nothing of each other"


def test_the_modes_differ_by_the_module_and_by_the_sharing(held_out):
    config = configured("", held_out)
    full, masked, off = measured(config, built(config)).values()
    assert len({round(loss, 6) for loss in (full, masked, off)}) == 3
    authors = replace(config, model=replace(config.model, beginning="authors"))
    full, masked, off = measured(authors, built(authors)).values()
    assert full == masked == off


def test_a_validation_is_the_same_every_time_and_at_every_seed_of_the_training(held_out):
    config = configured("", held_out)
    trainee = built(config)
    first = measured(config, trainee)
    torch.manual_seed(5)
    assert measured(replace(config, seed=9, steps=99), trainee) == first
    weighted = replace(config.objective, weighting="none")
    assert measured(replace(config, objective=weighted), trainee) == first


def test_the_averages_are_measured_and_the_parameters_put_back(held_out):
    config = configured("", held_out)
    trainee, other = built(config), built(config, seed=1)
    before = {key: value.clone() for key, value in trainee.state_dict().items()}
    trainee.train()
    ema = Ema(dict(other.named_parameters()), 0.9)
    assert measured(config, trainee, ema) == measured(config, other)
    assert all(torch.equal(value, before[key]) for key, value in trainee.state_dict().items())
    assert trainee.training
    assert trainee.objective == config.objective


def test_training_is_the_same_with_and_without_validation_and_logs_it(tmp_path, held_out):
    scenes = [ring_scene("ring")]
    config = configured(tmp_path / "with", held_out)
    train(config, scenes, text_of)
    without = replace(config, output=str(tmp_path / "without"), validation=None)
    train(without, scenes, text_of)
    one, other = (load_file(tmp_path / name / "checkpoint-00000006/model.safetensors") for name in ("with", "without"))
    assert all(torch.equal(value, other[key]) for key, value in one.items())
    lines = [json.loads(line) for line in (tmp_path / "with/log.jsonl").read_text().splitlines()]
    with_modes = [line for line in lines if "validation/full" in line]
    assert [line["step"] for line in with_modes] == [1, 3, 5], "after the second, fourth and sixth step"
    assert [line["loss"] for line in lines if "loss" in line] == [
        json.loads(line)["loss"] for line in (tmp_path / "without/log.jsonl").read_text().splitlines()
    ]


def test_more_views_than_the_held_out_scenes_have_are_refused_before_the_first_step(tmp_path, held_out):
    config = configured(tmp_path, held_out, views=5)
    with pytest.raises(UserError, match="'mix' asks for 5 views of multi_view_video, but no scene"):
        train(config, [ring_scene("ring")], text_of)
    assert not (tmp_path / "log.jsonl").exists()


def test_the_mix_of_the_training_does_not_matter(held_out):
    config = configured("", held_out)
    trainee = built(config)
    images = (Mix(Kind.MULTI_VIEW_IMAGES, 1.0, scenes=5, views=4),)
    assert measured(replace(config, mix=images, accumulate=5), trainee) == measured(config, trainee)


def test_a_held_out_cache_that_is_not_there_is_refused_before_the_first_step(tmp_path):
    config = configured(tmp_path / "run", tmp_path / "absent")
    with pytest.raises(UserError, match="absent' holds no cached scenes; build the cache first"):
        train(config, [ring_scene("ring")], text_of)
    assert not (tmp_path / "run").exists()
