"""What a configuration file may say, and the sentence for everything else."""

import dataclasses

import pytest
import yaml

from syncam_core.errors import UserError
from syncam_core.training.config import TrainConfig, read_config

SMALLEST = {
    "output": "run",
    "data": ["latents"],
    "text": "text",
    "steps": 10,
    "mix": [{"kind": "multi_view_video", "share": 1, "scenes": 2}],
}


def written(tmp_path, **changes):
    """A file with the smallest configuration and these changes; None leaves a name out."""
    given = {name: value for name, value in {**SMALLEST, **changes}.items() if value is not None}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(given), encoding="utf-8")
    return path


def test_the_smallest_file_has_the_authors_choices_for_the_rest(tmp_path):
    config = read_config(written(tmp_path))
    assert config.model.train == "view_sync"
    assert config.model.beginning == "authors"
    assert (config.objective.timesteps, config.objective.shift, config.objective.weighting) == (
        "uniform_1000",
        5.0,
        "gaussian",
    )
    o = config.optimizer
    assert (o.name, o.lr, o.betas, o.warmup_steps, o.decay_steps) == ("adamw", 1e-4, (0.9, 0.999), 0, 0)
    assert config.ema_decay == config.dropout.caption == config.dropout.camera == 0


def test_numbers_lists_and_groups_arrive_as_their_types(tmp_path):
    config = read_config(
        written(
            tmp_path,
            optimizer={"lr": "3e-4", "betas": [0.9, 0.95], "weight_decay": 0, "clip_norm": None},
            angles=[{"step": 0, "least_deg": 0, "most_deg": 60}],
            model={"sizes": {"dim": 64}},
        )
    )
    assert config.optimizer.lr == 3e-4
    assert config.optimizer.betas == (0.9, 0.95)
    assert isinstance(config.optimizer.weight_decay, float)
    assert config.optimizer.clip_norm is None
    assert config.angles[0].most_deg == 60.0
    assert config.data == ("latents",)
    assert (config.model.sizes.dim, config.model.sizes.num_layers) == (64, 6)


def test_a_home_folder_is_written_out(tmp_path):
    config = read_config(written(tmp_path, output="~/run", data=["~/a", "b"]))
    assert not config.output.startswith("~")
    assert config.output.endswith("/run")
    assert not config.data[0].startswith("~")
    assert config.data[1] == "b"


def test_no_without_quotes_is_a_mixed_precision_though_yaml_reads_it_as_false(tmp_path):
    path = written(tmp_path)
    path.write_text(path.read_text() + "mixed_precision: no\n", encoding="utf-8")
    assert read_config(path).mixed_precision == "no"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"stepz": 5}, r"'stepz' is unknown; possible are output, data, .*validation\."),
        ({"optimizer": {"rate": 1}}, r"'optimizer\.rate' is unknown; possible are name, lr, "),
        (
            {"mix": [{"kind": "video", "share": 1, "scenes": 1, "view": 2}]},
            r"'mix\[0\]\.view' is unknown; possible are kind",
        ),
        ({"steps": None}, r"'steps' is missing\."),
        ({"mix": [{"kind": "video", "scenes": 1}]}, r"'mix\[0\]\.share' is missing\."),
        ({"steps": "many"}, r"'steps' is 'many', but int is needed\."),
        ({"steps": 10.5}, r"'steps' is 10\.5, but int is needed\."),
        ({"steps": True}, r"'steps' is True, but int is needed\."),
        ({"in_memory": 1}, r"'in_memory' is 1, but bool is needed\."),
        ({"output": 5}, r"'output' is 5, but str is needed\."),
        ({"data": "latents"}, r"'data' is 'latents', but a list is needed\."),
        ({"data": ["latents", 7]}, r"'data\[1\]' is 7, but str is needed\."),
        ({"optimizer": {"lr": "fast"}}, r"'optimizer\.lr' is 'fast', but float is needed\."),
        ({"optimizer": {"betas": [0.9]}}, r"'optimizer\.betas' has 1 items, but 2 are needed\."),
        ({"optimizer": 3}, r"'optimizer' is 3, but a group of names and values is needed\."),
        ({"mix": [3]}, r"'mix\[0\]' is 3, but a group of names and values is needed\."),
        (
            {"mix": [{"kind": "films", "share": 1, "scenes": 1}]},
            r"'mix\[0\]\.kind' is 'films'; possible are multi_view_video, multi_view_images, video\.",
        ),
        ({"reference": "last"}, r"'reference' is 'last'; possible are random, first\."),
        ({"optimizer": {"name": "sgd"}}, r"'optimizer\.name' is 'sgd'; possible are adamw, muon\."),
        ({"model": {"train": "some"}}, r"'model\.train' is 'some'; possible are view_sync, all, recapture\."),
        ({"steps": 0}, r"'steps' is 0, but 1 or more is needed\."),
        ({"log_every": 0}, r"'log_every' is 0, but 1 or more is needed\."),
        ({"validation": {"cache": "held", "every": 0}}, r"'validation\.every' is 0, but 1 or more is needed\."),
        ({"dropout": {"camera": 1.5}}, r"'dropout\.camera' is 1\.5, but 0 to 1 is needed\."),
        ({"optimizer": {"lr": float("nan")}}, r"'optimizer\.lr' is nan, but 0 or more is needed\."),
        ({"ema_decay": 999.0}, r"'ema_decay' is 999\.0, but 0 to 1 is needed\."),
        ({"mix": []}, r"'mix' draws nothing"),
        ({"mix": [{"kind": "video", "share": 0, "scenes": 1, "views": 1}]}, r"'mix' draws nothing"),
        ({"mix": [{"kind": "video", "share": 1, "scenes": 1}]}, r"'mix' asks for 2 views of single-view video; set"),
        ({"mix": [{"kind": "video", "share": 1, "scenes": 0, "views": 1}]}, r"'mix' has .*scenes.* 1 or more\."),
        (
            {"mix": [*SMALLEST["mix"], {"kind": "video", "share": 1, "scenes": 1, "views": 1, "view_sync": False}]},
            r"'mix' has batches without 'view_sync', but 'model\.train' trains nothing else\.",
        ),
        (
            {"angles": [{"step": 9, "least_deg": 0, "most_deg": 9}, {"step": 0, "least_deg": 0, "most_deg": 9}]},
            r"'angles' must be in the order of their steps\.",
        ),
        ({"angles": [{"step": 0, "least_deg": 60, "most_deg": 30}]}, r"'angles' go from 60\.0 to 30\.0 degrees"),
        (
            {"model": {"base_dtype": "bfloat16"}, "mixed_precision": "no"},
            r"'model\.base_dtype' is bfloat16, which needs 'mixed_precision' bf16, but that is no;",
        ),
        ({"optimizer": {"name": "muon"}, "mixed_precision": "fp16"}, r"'optimizer\.name' is muon, .* use bf16"),
    ],
)
def test_a_mistake_is_named_with_its_place_in_one_sentence(tmp_path, changes, sentence):
    with pytest.raises(UserError, match=sentence) as problem:
        read_config(written(tmp_path, **changes))
    assert "\n" not in str(problem.value)


def test_a_mix_must_draw_something_at_every_step(tmp_path):
    early = {"kind": "multi_view_video", "share": 1, "scenes": 2, "until": 5}
    with pytest.raises(UserError, match="'mix' draws nothing at step 5"):
        read_config(written(tmp_path, mix=[early]))
    late = {"kind": "multi_view_images", "share": 1, "scenes": 2, "since": 5}
    config = read_config(written(tmp_path, mix=[early, late]))
    assert [config.shares(step) for step in (0, 4, 5, 9)] == [[1, 0], [1, 0], [0, 1], [0, 1]]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"steps: [1", "is not YAML"),
        (b"\xff\xfe\x00", "is not YAML"),
        (b"- a\n- b\n", "holds list, but names and values are needed"),
        (b"", "holds NoneType, but names and values are needed"),
    ],
)
def test_a_file_that_holds_something_else_is_refused_in_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=sentence) as problem:
        read_config(path)
    assert "\n" not in str(problem.value)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"there is no file .*absent\.yaml"):
        read_config(tmp_path / "absent.yaml")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        read_config(tmp_path)


def test_overrides_are_yaml_values_for_dotted_names(tmp_path):
    path = written(tmp_path, optimizer={"lr": 0.1, "weight_decay": 0.5})
    config = read_config(
        path, {"optimizer.lr": "3e-4", "steps": "7", "data": "[a, b]", "model.sizes.dim": "64", "in_memory": "true"}
    )
    assert (config.optimizer.lr, config.optimizer.weight_decay) == (3e-4, 0.5)
    assert (config.steps, config.data, config.model.sizes.dim, config.in_memory) == (7, ("a", "b"), 64, True)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("optimizer.speed", "1", r"'optimizer\.speed' is unknown"),
        ("steps.more", "1", r"steps\.more cannot be set: 'steps' is no group\."),
        ("steps", "[1", r"steps cannot be set: '\[1' is not a YAML value\."),
        ("steps", "ten", r"'steps' is 'ten', but int is needed\."),
    ],
)
def test_an_override_that_cannot_be_is_refused_in_one_sentence(tmp_path, name, value, sentence):
    with pytest.raises(UserError, match=sentence):
        read_config(written(tmp_path), {name: value})


FREE = {
    "output": "elsewhere",
    "steps": 20,
    "checkpoint_every": 7,
    "keep_checkpoints": 7,
    "log_every": 7,
    "workers": 3,
    "in_memory": True,
    "compile": "eager",
    "save_dtype": "float32",
    "validation": {"cache": "held"},
    "model.gradient_checkpointing": True,
}
DECIDES = {
    "data": ["latents", "more"],
    "text": "other",
    "seed": 1,
    "reference": "first",
    "ema_decay": 0.9,
    "accumulate": 2,
    "mixed_precision": "no",
    "angles": [{"step": 0, "least_deg": 0, "most_deg": 60}],
    "model.base": "file.safetensors",
    "model.base_dtype": "bfloat16",
    "model.view_sync": "file.safetensors",
    "model.recapture": "file.safetensors",
    "model.beginning": "from_scratch",
    "model.train": "all",
    **{f"model.sizes.{name}": 12 for name in ("dim", "ffn_dim", "num_heads", "num_layers", "text_dim")},
    "dropout.caption": 0.1,
    "dropout.camera": 0.1,
    "dropout.view_attention": 0.1,
    "dropout.source": 0.1,
    "dropout.source_but_first": 0.1,
    "objective.source_noise": [0.2, 0.5],
    "objective.timesteps": "uniform",
    "objective.shift": 3.0,
    "objective.weighting": "none",
    "objective.stratified": True,
    "optimizer.name": "muon",
    "optimizer.lr": 1e-3,
    "optimizer.muon_lr": 1e-3,
    "optimizer.weight_decay": 0.1,
    "optimizer.betas": [0.9, 0.9],
    "optimizer.warmup_steps": 5,
    "optimizer.decay_steps": 5,
    "optimizer.final": 0.5,
    "optimizer.clip_norm": 2.0,
}
MIXES = {
    "kind": "multi_view_images",
    "share": 0.5,
    "scenes": 4,
    "views": 3,
    "latent_frames": 2,
    "own_kind_only": True,
    "since": 1,
    "until": 5,
}


def names_of(kind, prefix=""):
    """Dotted names of all that can be set, without what is inside of lists and optional groups."""
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(field.default):
            yield from names_of(type(field.default), f"{prefix}{field.name}.")
        else:
            yield prefix + field.name


def test_the_lists_below_are_complete():
    assert set(names_of(TrainConfig)) == {*FREE, *DECIDES, "mix"}
    mix = TrainConfig.__dataclass_fields__["mix"].type
    assert mix == "tuple[Mix, ...]"


@pytest.mark.parametrize("name", FREE)
def test_what_does_not_change_the_weights_may_change_on_the_way(tmp_path, name):
    path = written(tmp_path)
    assert read_config(path).fingerprint() == read_config(path, {name: yaml.safe_dump(FREE[name])}).fingerprint()


@pytest.mark.parametrize("name", DECIDES)
def test_what_changes_the_weights_makes_another_run(tmp_path, name):
    path = written(tmp_path)
    changed = read_config(path, {name: yaml.safe_dump(DECIDES[name])})
    assert read_config(path).fingerprint() != changed.fingerprint()


def test_every_number_of_the_mix_makes_another_run(tmp_path):
    from syncam_core.training.config import Mix

    always = {"kind": "multi_view_video", "share": 1, "scenes": 2}
    seen = {read_config(written(tmp_path, mix=[always, always])).fingerprint()}
    assert {field.name for field in dataclasses.fields(Mix)} == {*MIXES, "view_sync"}
    for name, value in MIXES.items():
        seen.add(read_config(written(tmp_path, mix=[always, {**always, name: value}])).fingerprint())
    assert len(seen) == 1 + len(MIXES)
