"""Everything that a training run is, read from a YAML file; unknown names and wrong types are refused."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, overload

from ..cameras.json_text import Json
from ..datasets.footage import Kind
from ..errors import UserError

Config = TypeVar("Config")


@dataclass(frozen=True)
class ModelSizes:
    """Of a base that is trained from nothing; of a file the sizes are read."""

    dim: int = 192
    ffn_dim: int = 768
    num_heads: int = 6
    num_layers: int = 6
    text_dim: int = 64


@dataclass(frozen=True)
class ModelConfig:
    base: str | None = None  # a Wan2.1 T2V file; without one a new model of `sizes` begins
    base_dtype: str = "float32"  # of a base that is not trained: bfloat16 halves its memory
    sizes: ModelSizes = ModelSizes()
    view_sync: str | None = None  # weights to go on from; without them the authors' beginning
    recapture: str | None = None  # the same for `train: recapture`
    beginning: str = "authors"  # or "from_scratch": small random projector and encoder, for a base that trains, too
    train: str = "view_sync"  # or "all": the base, too; or "recapture": the module of ReCamMaster and self-attention
    gradient_checkpointing: bool = False


@dataclass(frozen=True)
class Mix:
    """One of the kinds of batches, drawn with a probability of `share` over the sum of all."""

    kind: Kind
    share: float
    scenes: int  # in a batch, over all processes
    views: int = 2
    latent_frames: int | None = None  # the first ones of each clip; all by default, 1 for images
    view_sync: bool = True  # False runs the base alone
    own_kind_only: bool = False  # True: no first frames and single cameras of multi-view video for images and video
    since: int = 0  # step from which it is drawn
    until: int | None = None  # step before which it is


@dataclass(frozen=True)
class Angles:
    """From `step` on, views differ from the reference by this many degrees (between viewing directions)."""

    step: int
    least_deg: float
    most_deg: float


@dataclass(frozen=True)
class Dropout:
    caption: float = 0.0  # per scene: the empty prompt
    camera: float = 0.0  # per scene: every pose is the identity
    view_attention: float = 0.0  # per batch: every view attends to itself alone
    source: float = 0.0  # re-capture, per scene: noise instead of the source; text to video (the paper: 0.2)
    source_but_first: float = 0.0  # noise instead of all but its first latent frame; image to video (the paper: 0.2)


@dataclass(frozen=True)
class Objective:
    timesteps: str = "uniform_1000"
    shift: float = 5.0
    weighting: str = "gaussian"  # or "none"
    stratified: bool = False  # the scenes of a batch share the unit interval evenly
    source_noise: tuple[float, float] = (
        0.0,
        0.0,
    )  # least and most noise level of re-capture's source (paper: 0.2, 0.5)


@dataclass(frozen=True)
class OptimizerConfig:
    name: str = "adamw"
    lr: float = 1e-4
    muon_lr: float = 0.015
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    warmup_steps: int = 0
    decay_steps: int = 0  # the last steps, in which the rate falls linearly
    final: float = 0.0  # to this share of it
    clip_norm: float | None = 1.0


@dataclass(frozen=True)
class Validation:
    cache: str
    every: int = 500
    scenes: int = 24
    views: int = 4
    latent_frames: int | None = None


@dataclass(frozen=True)
class TrainConfig:
    output: str
    data: tuple[str, ...]  # folders of latent caches
    text: str  # folder of the text cache
    steps: int
    mix: tuple[Mix, ...]
    seed: int = 0
    model: ModelConfig = ModelConfig()
    reference: str = "random"  # which view is view 0: "random", or "first" of each scene
    angles: tuple[Angles, ...] = ()
    dropout: Dropout = Dropout()
    objective: Objective = Objective()
    optimizer: OptimizerConfig = OptimizerConfig()
    ema_decay: float = 0.0  # 0 is none
    accumulate: int = 1  # parts that a batch is computed in
    mixed_precision: str = "bf16"
    checkpoint_every: int = 500
    keep_checkpoints: int = 2
    log_every: int = 10
    workers: int = 1
    in_memory: bool = False
    compile: str = "no"  # torch.compile of the blocks: a back end, "inductor" where there is a C++ compiler
    save_dtype: str = "float16"
    validation: Validation | None = None

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            given = self._at(name)
            if isinstance(given, (int, float)) and not least <= given <= most:
                limits = f"{least:g} or more" if most >= sys.float_info.max else f"{least:g} to {most:g}"
                raise UserError(f"'{name}' is {given}, but {limits} is needed.", field=name)
        for name, possible in _CHOICES.items():
            if self._at(name) not in possible:
                raise UserError(f"'{name}' is {self._at(name)!r}; possible are {', '.join(possible)}.", field=name)
        for step in sorted({0, *(m.since for m in self.mix), *(m.until for m in self.mix if m.until)}):
            if step < self.steps and sum(self.shares(step)) <= 0:
                raise UserError(
                    f"'mix' draws nothing at step {step}; give at least one kind a share above 0.", field="mix"
                )
        for mix in self.mix:
            if not 0 <= mix.share < math.inf or mix.scenes < 1 or mix.views < 1 or (mix.latent_frames or 1) < 1:
                raise UserError(
                    f"'mix' has {mix}, but shares are 0 or more, scenes, views and frames 1 or more.", field="mix"
                )
            if mix.kind is Kind.VIDEO and mix.views != 1:
                raise UserError(
                    f"'mix' asks for {mix.views} views of single-view video; set 'views' to 1.", field="mix"
                )
            if self.model.train == "recapture" and (mix.kind is Kind.VIDEO or mix.views < 2):
                raise UserError(
                    f"'mix' asks for {mix.views} views of {mix.kind}, but re-capture learns from scenes of several cameras: "
                    "view 0 is the source, the others are its targets.",
                    field="mix",
                )
            if not mix.view_sync and self.model.train != "all":
                raise UserError(
                    "'mix' has batches without 'view_sync', but 'model.train' trains nothing else.", field="mix"
                )
        least, most = self.objective.source_noise
        if not 0 <= least <= most <= 1 or self.dropout.source + self.dropout.source_but_first > 1:
            raise UserError(
                "'objective.source_noise' needs a least and a most noise level in 0..1, and 'dropout.source' and "
                "'dropout.source_but_first' at most 1 together."
            )
        if [a.step for a in self.angles] != sorted(a.step for a in self.angles):
            raise UserError("'angles' must be in the order of their steps.", field="angles")
        for a in self.angles:
            if not 0 <= a.least_deg <= a.most_deg:
                raise UserError(
                    f"'angles' go from {a.least_deg} to {a.most_deg} degrees; the first is the smaller.", field="angles"
                )
        fitting = {"bfloat16": "bf16", "float16": "fp16"}.get(self.model.base_dtype, self.mixed_precision)
        if self.model.train != "all" and self.mixed_precision != fitting:
            raise UserError(
                f"'model.base_dtype' is {self.model.base_dtype}, which needs 'mixed_precision' {fitting}, but that is "
                f"{self.mixed_precision}; make them agree, or the base float32."
            )
        if self.optimizer.name == "muon" and self.mixed_precision == "fp16":
            raise UserError("'optimizer.name' is muon, which knows no scaled gradients; use bf16 instead of fp16.")

    def _at(self, name: str) -> object:
        """The value of a dotted name; None where its group is not given."""
        given: object = self
        for part in name.split("."):
            given = getattr(given, part, None)
        return given

    def shares(self, step: int) -> list[float]:
        """Of each entry of `mix` at a step."""
        return [m.share if m.since <= step and (m.until is None or step < m.until) else 0.0 for m in self.mix]

    def fingerprint(self) -> str:
        """Of all that decides the weights of the next step; where they go, how often and for how long is free."""
        free = {"output", "steps", "checkpoint_every", "keep_checkpoints", "log_every", "workers", "in_memory"}
        free |= {"validation", "save_dtype", "compile"}
        decides = {k: v for k, v in dataclasses.asdict(self).items() if k not in free}
        del decides["model"]["gradient_checkpointing"]
        _leave_out_unused(decides)
        return hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _leave_out_unused(decides: dict[str, object]) -> None:
    """Of what came later, defaults do not count: runs of before keep their fingerprint."""
    later = {
        ("model", "recapture"): None,
        ("dropout", "source"): 0.0,
        ("dropout", "source_but_first"): 0.0,
        ("objective", "source_noise"): (0.0, 0.0),
    }
    for (group, name), default in later.items():
        values = decides[group]
        if isinstance(values, dict) and values[name] == default:
            del values[name]


_RANGES = {
    **dict.fromkeys(("steps", "accumulate", "checkpoint_every", "keep_checkpoints", "log_every"), (1, math.inf)),
    **dict.fromkeys(("validation.every", "validation.scenes", "validation.views"), (1, math.inf)),
    "validation.latent_frames": (1, math.inf),
    "objective.shift": (0.01, sys.float_info.max),
    **dict.fromkeys(("dropout.caption", "dropout.camera", "dropout.view_attention"), (0, 1)),
    **dict.fromkeys(("dropout.source", "dropout.source_but_first"), (0, 1)),
    **dict.fromkeys(("ema_decay", "optimizer.final"), (0, 1)),
    **dict.fromkeys(("optimizer.lr", "optimizer.muon_lr", "optimizer.weight_decay"), (0, sys.float_info.max)),
    **dict.fromkeys(("optimizer.warmup_steps", "optimizer.decay_steps", "workers"), (0, math.inf)),
    "optimizer.clip_norm": (0, math.inf),
}

_CHOICES = {
    "model.base_dtype": ("float32", "bfloat16", "float16"),
    "model.beginning": ("authors", "from_scratch"),
    "model.train": ("view_sync", "all", "recapture"),
    "reference": ("random", "first"),
    "objective.timesteps": ("uniform_1000", "uniform", "logit_normal"),
    "objective.weighting": ("gaussian", "none"),
    "optimizer.name": ("adamw", "muon"),
    "mixed_precision": ("no", "bf16", "fp16"),
    "compile": ("no", "inductor", "aot_eager", "eager"),
    "save_dtype": ("float32", "bfloat16", "float16"),
}


@overload
def read_config(path: Path | str, overrides: Mapping[str, str] | None = None) -> TrainConfig: ...


@overload
def read_config(path: Path | str, overrides: Mapping[str, str] | None = None, *, kind: type[Config]) -> Config: ...


@overload
def read_config(path: Path | str, overrides: Mapping[str, str] | None, kind: type[Config]) -> Config: ...


def read_config(
    path: Path | str, overrides: Mapping[str, str] | None = None, kind: type[object] = TrainConfig
) -> object:
    """A configuration file; `overrides` like {"optimizer.lr": "3e-4"} are read as YAML values.

    Folders are taken as they are given, `~` is the home. Raises UserError in one sentence.
    """
    import yaml

    try:
        given = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"there is no file {path}.") from None
    except OSError as problem:
        raise UserError(f"{path} cannot be read: {problem.strerror}.", place=str(path)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise UserError(f"{path} is not YAML: {' '.join(str(problem).split())}", place=str(path)) from problem
    if not isinstance(given, dict):
        raise UserError(f"{path} holds {type(given).__name__}, but names and values are needed.", place=str(path))
    for name, text in (overrides or {}).items():
        *groups, last = name.split(".")
        into = given
        for group in groups:
            into = into.setdefault(group, {})
            if not isinstance(into, dict):
                raise UserError(f"{name} cannot be set: '{group}' is no group.")
        try:
            into[last] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise UserError(f"{name} cannot be set: {text!r} is not a YAML value.") from None
    return _build(kind, given, "")


def _build(kind: object, given: Json, where: str) -> object:
    """`given`, a YAML value, as the annotated type `kind`."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        if given is None and type(None) in arguments:
            return None
        return _build(next(a for a in arguments if a is not type(None)), given, where)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if not isinstance(given, Mapping):
            raise UserError(f"'{where}' is {given!r}, but a group of names and values is needed.")
        hints = typing.get_type_hints(kind)
        possible = [f.name for f in dataclasses.fields(kind)]
        for name in given:
            if name not in possible:
                raise UserError(f"'{_join(where, name)}' is unknown; possible are {', '.join(possible)}.")
        for f in dataclasses.fields(kind):
            if f.name not in given and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
                raise UserError(f"'{_join(where, f.name)}' is missing.")
        return kind(**{name: _build(hints[name], value, _join(where, name)) for name, value in given.items()})
    if origin is tuple:
        if not isinstance(given, (list, tuple)):
            raise UserError(f"'{where}' is {given!r}, but a list is needed.")
        if arguments[-1] is Ellipsis:
            return tuple(_build(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(given))
        if len(given) != len(arguments):
            raise UserError(f"'{where}' has {len(given)} items, but {len(arguments)} are needed.")
        return tuple(_build(a, item, f"{where}[{i}]") for i, (a, item) in enumerate(zip(arguments, given, strict=True)))
    if kind is Kind:
        if given not in list(Kind):
            raise UserError(f"'{where}' is {given!r}; possible are {', '.join(Kind)}.")
        return Kind(given)
    if kind is float and isinstance(given, str):  # YAML reads 1e-4 as text
        try:
            return float(given)
        except ValueError:
            pass
    if kind is float and isinstance(given, int) and not isinstance(given, bool):
        return float(given)
    if kind is str and given is False:  # YAML reads no as false, and "no" is a mixed precision
        return "no"
    if not isinstance(kind, type):
        raise TypeError(f"'{where}' is of the type {kind}, which no YAML value is read as.")
    if not isinstance(given, kind) or (isinstance(given, bool) and kind is not bool):
        raise UserError(f"'{where}' is {given!r}, but {kind.__name__} is needed.")
    if isinstance(given, str) and given.startswith("~"):
        return str(Path(given).expanduser())
    return given


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else str(name)
