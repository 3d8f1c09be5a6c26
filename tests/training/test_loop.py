"""Training as a whole: interrupted, shared by processes, with broken data; what changes and what does not."""

import itertools
import json
import math
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_training import lone_video, ring_scene, text_of, tiny_config
from training_runs import KILLS, long_run, scenes, shared_runs

from syncam_core.datasets.footage import Kind
from syncam_core.errors import UserError
from syncam_core.training.batches import Batches
from syncam_core.training.config import Dropout, Mix, Objective, OptimizerConfig
from syncam_core.training.export import export_base
from syncam_core.training.loop import NonFiniteLoss, learning_pace, train, trained_parameters
from syncam_core.training.trainee import Trainee, build_trainee

HELPERS = Path(__file__).resolve().parents[1] / "helpers"


pytestmark = pytest.mark.usefixtures("fresh_accelerate")


def curve(output):
    """(step, loss) of each line of the log."""
    lines = [json.loads(line) for line in (output / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [(line["step"], line["loss"]) for line in lines if "loss" in line]


def checkpoint(output, step):
    return output / f"checkpoint-{step:08d}"


def weights(output, step, file="model"):
    return load_file(checkpoint(output, step) / f"{file}.safetensors")


def start_of(config):
    """The parameters before the first step."""
    torch.manual_seed(config.seed)
    return build_trainee(config.model, config.objective)


def all_equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(value, other[key]) for key, value in one.items())


def distance(one, other):
    """Between two sets of weights, as two points in one space."""
    assert one.keys() == other.keys()
    return math.sqrt(sum((one[key] - other[key]).double().square().sum().item() for key in one))


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The runs in processes of their own, and the life and death of the one that was killed."""
    folder = tmp_path_factory.mktemp("runs")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(HELPERS), str(HELPERS.parents[1])])
    done = subprocess.run(
        [sys.executable, str(HELPERS / "training_runs.py"), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, json.loads(done.stdout.splitlines()[-1])


def test_a_run_that_is_killed_ten_times_at_random_moments_ends_with_the_same_weights_to_the_last_bit(runs):
    folder, lives = runs
    last = long_run(folder).steps
    assert len(lives) == KILLS == 10
    assert len({life["ended"] for life in lives}) >= 6, "it got on between the kills"
    assert 0 < lives[-1]["ended"] < last, "and none of them came too late"
    for file in ("model", "ema"):
        assert all_equal(weights(folder / "killed", last, file), weights(folder / "uninterrupted", last, file))


def test_a_run_that_is_killed_ten_times_has_the_same_loss_curve_without_gaps_and_repetitions(runs):
    folder, _ = runs
    straight = curve(folder / "uninterrupted")
    assert [step for step, _ in straight] == list(range(long_run(folder).steps))
    assert all(math.isfinite(loss) for _, loss in straight)
    assert curve(folder / "killed") == straight


@pytest.mark.parametrize("name", ["plain", "accumulated", "with_base_alone"])
def test_two_processes_give_the_result_of_one(runs, tmp_path, name):
    folder, _ = runs
    config = replace(shared_runs(folder / "together")[name], output=str(tmp_path), accumulate=1)
    train(config, scenes(), text_of)
    two = folder / "together" / name
    for (step, loss), (other_step, other_loss) in zip(curve(tmp_path), curve(two), strict=True):
        assert step == other_step
        assert other_loss == pytest.approx(loss, rel=1e-4)
    start = start_of(config).state_dict()
    for file in ("model", "ema"):
        alone, together = weights(tmp_path, config.steps, file), weights(two, config.steps, file)
        assert alone.keys() == together.keys()
        assert distance(together, alone) <= 1e-4 * distance(alone, {key: start[key] for key in alone})


def test_parts_of_a_batch_add_up_to_the_batch(tmp_path):
    mix = (Mix(Kind.MULTI_VIEW_VIDEO, 1.0, scenes=4),)
    whole = tiny_config(tmp_path / "whole", mix=mix, steps=4)
    parts = tiny_config(tmp_path / "parts", mix=mix, steps=4, accumulate=4)
    for config in (whole, parts):
        train(config, scenes(), text_of)
    for (_, loss), (_, other) in zip(curve(tmp_path / "whole"), curve(tmp_path / "parts"), strict=True):
        assert other == pytest.approx(loss, rel=1e-5)
    one, other = weights(tmp_path / "whole", 4), weights(tmp_path / "parts", 4)
    assert distance(other, one) <= 1e-4 * distance(one, start_of(whole).state_dict())


def random_base(tmp_path, change=lambda base: torch.nn.init.normal_(base.head.head.weight, std=0.1)):
    """A base that predicts something, as a file, for a model that begins with it."""
    config = tiny_config("")
    base = start_of(config).base
    change(base)
    trainee = Trainee(base, start_of(config).view_sync, config.objective)
    path = export_base(trainee, tmp_path / "base.safetensors", torch.float32)
    return replace(config.model, base=str(path), train="view_sync", beginning="authors")


def test_only_the_new_parameters_change_and_step_0_has_the_loss_of_the_base(tmp_path):
    config = tiny_config(tmp_path / "run", model=random_base(tmp_path), steps=5)
    before = start_of(config)
    batch = Batches(config, scenes(), text_of)[0]
    with torch.no_grad():
        of_base = before(replace(batch, view_sync=False))
        assert torch.equal(before(batch), of_base)
    train(config, scenes(), text_of)
    assert curve(tmp_path / "run")[0] == (0, of_base.mean().item())
    after = weights(tmp_path / "run", 5)
    changed = {key for key, value in before.state_dict().items() if not torch.equal(value, after[key])}
    assert {key for key in changed if not key.startswith("view_sync.")} == set()
    assert {"view_sync.blocks.0.projector.weight", "view_sync.blocks.0.mvs_attn.v.weight"} <= changed
    assert len(changed) == len(before.view_sync.state_dict())


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_everything_changes_when_the_base_is_trained_too(tmp_path, optimizer):
    model = replace(random_base(tmp_path), train="all", beginning="from_scratch")
    config = tiny_config(tmp_path / "run", model=model, optimizer=OptimizerConfig(optimizer, 1e-3), steps=2)
    before = start_of(config).state_dict()
    train(config, scenes(), text_of)
    after = weights(tmp_path / "run", 2)
    assert [key for key, value in before.items() if torch.equal(value, after[key])] == []


def test_batches_of_the_base_alone_leave_the_module_as_it_is(tmp_path):
    model = replace(random_base(tmp_path), train="all")
    mix = (Mix(Kind.VIDEO, 1.0, scenes=2, views=1, view_sync=False),)
    config = tiny_config(tmp_path / "run", model=model, mix=mix, steps=2)
    before = start_of(config).state_dict()
    train(config, scenes(), text_of)
    changed = {key for key, value in weights(tmp_path / "run", 2).items() if not torch.equal(value, before[key])}
    assert changed == {key for key in before if key.startswith("base.")}


CLIP = 0.019  # between the lengths of the gradients of three steps


def test_adamw_steps_are_those_of_the_published_algorithm_with_clipping(tmp_path):
    optimizer = OptimizerConfig(lr=0.01, weight_decay=0.1, betas=(0.8, 0.9), clip_norm=CLIP, warmup_steps=1)
    model = replace(random_base(tmp_path), beginning="from_scratch")
    config = tiny_config(tmp_path / "run", model=model, optimizer=optimizer, steps=3, checkpoint_every=1)
    config = replace(config, objective=Objective(weighting="none"), keep_checkpoints=9)
    train(config, scenes(), text_of)
    trainee = start_of(config)
    names = [name for name, p in trainee.named_parameters() if p.requires_grad]
    m, v = ({name: torch.zeros_like(trainee.get_parameter(name)) for name in names} for _ in range(2))
    lengths = []
    for step in range(3):
        trainee.zero_grad()
        trainee(Batches(config, scenes(), text_of)[step]).mean().backward()
        gradients = {name: trainee.get_parameter(name).grad for name in names}
        length = math.sqrt(sum(g.double().square().sum().item() for g in gradients.values()))
        lengths.append(length)
        lr = 0.01 * (0.5 if step == 0 else 1)
        with torch.no_grad():
            for name in names:
                p, g = trainee.get_parameter(name), gradients[name] * min(1, CLIP / length)
                m[name] = 0.8 * m[name] + 0.2 * g
                v[name] = 0.9 * v[name] + 0.1 * g * g
                p -= lr * 0.1 * p
                p -= lr * (m[name] / (1 - 0.8 ** (step + 1))) / ((v[name] / (1 - 0.9 ** (step + 1))).sqrt() + 1e-8)
        saved = weights(tmp_path / "run", step + 1)
        for name in names:
            torch.testing.assert_close(saved[name], trainee.get_parameter(name).detach(), atol=2e-5, rtol=1e-3)
    assert min(lengths) < CLIP < max(lengths), f"some are clipped and some are not: {lengths}"


def test_averages_are_those_of_the_parameters_after_each_step(tmp_path):
    config = tiny_config(tmp_path, steps=12, ema_decay=0.5, checkpoint_every=1, keep_checkpoints=12)
    train(config, scenes(), text_of)
    averages = {key: value.double() for key, value in start_of(config).state_dict().items()}
    for step in range(12):
        decay = min(0.5, (step + 1) / (step + 10))  # young averages follow faster
        now = weights(tmp_path, step + 1)
        averages = {key: decay * value + (1 - decay) * now[key].double() for key, value in averages.items()}
    saved = weights(tmp_path, 12, "ema")
    assert saved.keys() == averages.keys()
    for key, value in averages.items():
        torch.testing.assert_close(saved[key].double(), value, atol=1e-6, rtol=1e-5)


def test_a_finished_run_gives_its_averaged_model(tmp_path):
    config = tiny_config(tmp_path, ema_decay=0.9)
    train(config, scenes(), text_of)
    trainee, step = trained_parameters(config, checkpoint(tmp_path, 6))
    assert step == 6
    assert all_equal(trainee.state_dict(), weights(tmp_path, 6, "ema"))
    assert not all_equal(trainee.state_dict(), weights(tmp_path, 6))


def test_a_finished_run_that_is_started_again_does_nothing(tmp_path):
    config = tiny_config(tmp_path)
    train(config, scenes(), text_of)
    files = {path: path.read_bytes() for path in (tmp_path / "log.jsonl", *checkpoint(tmp_path, 6).iterdir())}
    train(config, scenes(), text_of)
    assert {path: path.read_bytes() for path in files} == files


def test_a_run_may_be_made_longer(tmp_path):
    short = tiny_config(tmp_path / "grown", steps=3, ema_decay=0.9)
    train(short, scenes(), text_of)
    for folder in ("grown", "straight"):
        train(replace(short, output=str(tmp_path / folder), steps=6), scenes(), text_of)
    for file in ("model", "ema"):
        assert all_equal(weights(tmp_path / "grown", 6, file), weights(tmp_path / "straight", 6, file))
    assert curve(tmp_path / "grown") == curve(tmp_path / "straight")


def interrupted_after(steps, scenes_in_a_batch=2):
    """Captions that end after so many steps of this life."""
    asked = itertools.count()

    def text(caption):
        if next(asked) >= steps * scenes_in_a_batch:
            raise InterruptedError
        return text_of(caption)

    return text


def test_the_log_has_every_step_once_whatever_its_rhythm_and_that_of_the_checkpoints(tmp_path):
    config = tiny_config(tmp_path / "straight", steps=11, log_every=4, checkpoint_every=3)
    train(config, scenes(), text_of)
    straight = curve(tmp_path / "straight")
    assert [step for step, _ in straight] == list(range(11))
    again = replace(config, output=str(tmp_path / "again"))
    for steps in (2, 3, 4):  # to the steps 2, 3 (behind a checkpoint, before the log) and 3 + 4
        with pytest.raises(InterruptedError):
            train(again, scenes(), interrupted_after(steps))
    names = {path.name for path in (tmp_path / "again").glob("checkpoint-*")}
    assert names == {"checkpoint-00000003", "checkpoint-00000006"}
    train(again, scenes(), text_of)
    assert curve(tmp_path / "again") == straight
    assert all_equal(weights(tmp_path / "again", 11), weights(tmp_path / "straight", 11))


def test_a_checkpoint_that_was_being_written_is_not_used_and_goes_away(tmp_path):
    config = tiny_config(tmp_path / "run", checkpoint_every=2)
    train(config, scenes(), text_of)
    straight = weights(tmp_path / "run", 6)
    shutil.rmtree(checkpoint(tmp_path / "run", 6))
    half = tmp_path / "run" / "unfinished-00000006"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half of it")
    (half / "something.bin").touch()
    (tmp_path / "run" / "log.jsonl").open("a").write('{"step": 6, "lo')
    train(config, scenes(), text_of)
    assert not half.exists()
    assert not (checkpoint(tmp_path / "run", 6) / "something.bin").exists()
    assert all_equal(weights(tmp_path / "run", 6), straight)
    assert [step for step, _ in curve(tmp_path / "run")] == list(range(6))


def test_what_a_checkpoint_holds_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    """A loss of power between the two would leave a checkpoint of the right name with nothing in it."""
    flushed, named, rename = set(), [], os.replace

    def noted(source, target):
        if Path(source).name.startswith("unfinished"):
            named.append({file for file in Path(source).rglob("*") if file.is_file()} - flushed)
        rename(source, target)

    monkeypatch.setattr("syncam_core.training.loop.flush", lambda file: flushed.add(Path(file)))
    monkeypatch.setattr(os, "replace", noted)
    train(tiny_config(tmp_path / "run", steps=2, checkpoint_every=1), scenes(), text_of)
    assert named == [set(), set()]
    assert {"progress.json", "model.safetensors"} <= {file.name for file in flushed}


def test_compiled_blocks_learn_the_same(tmp_path):
    plain = tiny_config(
        tmp_path / "plain",
        steps=8,
        mix=(
            Mix(Kind.MULTI_VIEW_VIDEO, 0.5, scenes=2, views=2),
            Mix(Kind.MULTI_VIEW_IMAGES, 0.3, scenes=2, views=3),
            Mix(Kind.VIDEO, 0.2, scenes=2, views=1, view_sync=False),
        ),
        dropout=Dropout(view_attention=0.3),
    )
    traced = replace(plain, output=str(tmp_path / "traced"), compile="eager")
    for config in (plain, traced):
        train(config, scenes(), text_of)
    lines = (tmp_path / "traced" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["views"] for line in lines} == {1, 2, 3}, "every kind of batch was drawn"
    start = start_of(plain).state_dict()
    one, other = weights(tmp_path / "plain", 8, "model"), weights(tmp_path / "traced", 8, "model")
    assert distance(other, one) <= 1e-5 * distance(one, {key: start[key] for key in one})


def test_the_last_checkpoints_are_kept_and_nothing_of_other_people_is_removed(tmp_path):
    mine = tmp_path / "checkpoint-best"
    mine.mkdir()
    (mine / "notes.txt").write_text("keep")
    train(tiny_config(tmp_path, steps=9, checkpoint_every=2, keep_checkpoints=3), scenes(), text_of)
    names = sorted(path.name for path in tmp_path.glob("checkpoint-*"))
    assert names == ["checkpoint-00000006", "checkpoint-00000008", "checkpoint-00000009", "checkpoint-best"]
    assert (mine / "notes.txt").read_text() == "keep"


def test_another_configuration_in_the_same_folder_is_refused(tmp_path):
    config = tiny_config(tmp_path)
    train(config, scenes(), text_of)
    before = (tmp_path / "log.jsonl").read_bytes()
    for other in (replace(config, seed=5), replace(config, objective=Objective(shift=3.0))):
        with pytest.raises(UserError, match=r"'output' is .*, which holds a run with another configuration; choose"):
            train(other, scenes(), text_of)
    assert (tmp_path / "log.jsonl").read_bytes() == before


def broken(scene, value):
    """The scene, the last number of its latents replaced."""
    stored = scene.stored.clone()
    stored[-1, -1, -1, -1, -1] = value
    return replace(scene, stored=stored)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_loss_that_is_no_number_stops_the_run_and_names_the_scene(tmp_path, value, accumulate):
    sound = [ring_scene(f"sound{i}") for i in range(4)]
    config = tiny_config(tmp_path, steps=200, checkpoint_every=1, keep_checkpoints=200, accumulate=accumulate)
    data = [*sound, broken(ring_scene("bad apple", views=2), value)]
    first = next(step for step in range(200) if "bad apple" in Batches(config, data, text_of)[step].names)
    assert first > 0
    with pytest.raises(NonFiniteLoss, match=f"the loss of bad apple at step {first}: not a finite number") as problem:
        train(config, data, text_of)
    assert "sound" not in str(problem.value)
    assert max(int(path.name[-8:]) for path in tmp_path.glob("checkpoint-*")) == first
    assert all(value.isfinite().all() for value in weights(tmp_path, first).values())
    assert not list(tmp_path.glob("unfinished-*"))
    with pytest.raises(NonFiniteLoss, match=f"bad apple at step {first}"):
        train(config, data, text_of)  # and again, until something is changed
    assert max(int(path.name[-8:]) for path in tmp_path.glob("checkpoint-*")) == first


@pytest.mark.parametrize("clip_norm", [1.0, None])
def test_gradients_that_are_no_numbers_stop_the_run_before_they_do_harm(tmp_path, clip_norm):
    def on_the_edge(base):
        """The last layer would multiply by 1e25, but all that it gets is zero times the tokens."""
        torch.nn.init.constant_(base.head.head.weight, 1e25)
        base.head.modulation.data.copy_(torch.tensor([[0.0], [-1.0]]).expand(2, 32))
        torch.nn.init.zeros_(base.time_embedding[2].weight)
        torch.nn.init.zeros_(base.time_embedding[2].bias)

    model = replace(random_base(tmp_path, on_the_edge), train="all", beginning="from_scratch")
    optimizer = OptimizerConfig(lr=1e-3, clip_norm=clip_norm)
    mix = (Mix(Kind.MULTI_VIEW_VIDEO, 1.0, scenes=6),)
    config = tiny_config(tmp_path / "run", model=model, optimizer=optimizer, mix=mix)
    with pytest.raises(NonFiniteLoss, match="the gradients of one, two at step 0: not a finite number"):
        train(config, [ring_scene("one"), ring_scene("two")], text_of)
    assert not list((tmp_path / "run").glob("checkpoint-*"))


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (OptimizerConfig(), {0: 1, 50: 1, 99: 1}),
        (OptimizerConfig(warmup_steps=4), {0: 0.2, 1: 0.4, 3: 0.8, 4: 1, 99: 1}),
        (OptimizerConfig(decay_steps=20), {0: 1, 79: 1, 80: 1, 85: 0.75, 90: 0.5, 99: 0.05}),
        (OptimizerConfig(decay_steps=100, final=0.2), {0: 1, 50: 0.6, 99: 0.208}),
        (OptimizerConfig(warmup_steps=9, decay_steps=100), {0: 0.1, 4: 0.5 * 0.96, 9: 0.91, 60: 0.4}),
    ],
)
def test_the_learning_rate_rises_stays_and_falls_in_straight_lines(optimizer, expected):
    assert {step: learning_pace(optimizer, step, 100) for step in expected} == pytest.approx(expected)


def test_rates_follow_the_pace(tmp_path):
    """AdamW's first step is the rate for every number, whatever its gradient."""
    optimizer = OptimizerConfig(lr=0.01, weight_decay=0.0, warmup_steps=3, clip_norm=None)
    model = replace(random_base(tmp_path), beginning="from_scratch")
    config = tiny_config(tmp_path / "run", model=model, optimizer=optimizer, steps=1)
    key = "view_sync.blocks.0.projector.weight"
    start = start_of(config).state_dict()[key]
    train(config, scenes(), text_of)
    moved = (weights(tmp_path / "run", 1)[key] - start).abs()
    assert moved.median().item() == pytest.approx(0.01 / 4, rel=0.02)


def test_batches_that_do_not_fit_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match="no scene of the data can give that"):
        train(tiny_config(tmp_path / "run"), [lone_video("video")], text_of)
    assert not (tmp_path / "run").exists()
