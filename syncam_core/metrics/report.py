"""What was measured of some takes: as JSON that tables are made of, and as text."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, TypedDict

import numpy as np

from ..cameras.json_text import Json
from ..errors import UserError
from .bench import Bench, NotMeasured
from .intervals import aligned, mean
from .suite import (
    METRICS,
    REFERENCE,
    SET_METRICS,
    TWO_VIEWS,
    UNPUBLISHED,
    WHY_NOT,
    Measured,
    distance,
    looked_at,
    measure,
)
from .takes import Take

FORMAT, VERSION = "syncam-metrics", 1
LARGEST_REPORT = 64 * 2**20  # characters

# Of one metric: a value with its unit, or "not_measured" and why. docs/metrics.md has the keys.
Told: TypeAlias = Mapping[str, Json]


class Settings(TypedDict):
    every: int
    matcher: str
    lens: str


class TakeReport(TypedDict):
    name: str
    views: int
    frames: int
    width: int
    height: int
    fps: float | None
    prompt: str
    metrics: dict[str, Told]


class ReadReport(TypedDict):
    """A report as a file has it: of the rest nobody knows whether it is there."""

    metrics: dict[str, Told]


class Report(ReadReport):
    """What `run` says: `metrics` are means over the takes."""

    format: str
    version: int
    settings: Settings
    takes: list[TakeReport]
    not_published: str


def run(
    takes: Iterable[Take],
    names: Sequence[str],  # of METRICS
    bench: Bench,
    reference: Callable[[], Iterable[Take]] | None = None,  # what set metrics compare with
    truth_of: Callable[[int], Take | None] | None = None,  # of the take at a place
    show: Callable[[str, str], None] = lambda take, metric: None,  # what is being measured
) -> Report:
    """Measure takes one after another. Raises UserError for no take at all; what cannot be measured says why."""
    single = [name for name in names if name not in SET_METRICS]
    sets = [name for name in names if name in SET_METRICS]
    given, features = bench.truth, _Features(bench, sets if reference is not None else ())
    told: list[TakeReport] = []
    for place, take in enumerate(takes):
        bench.truth = truth_of(place) if truth_of is not None else given
        measured: dict[str, Measured | str] = {}
        for name in single:
            show(take.name, METRICS[name].title)
            measured[name] = measure(name, take, bench)
        show(take.name, "features")
        features.add(take)
        told.append(_of_take(take, {name: _told(one, name) for name, one in measured.items()}))
    bench.truth = given
    if not told:
        raise UserError("there is no take; give a folder that SynCam Save Views wrote into.")
    theirs = _Features(bench, sets if reference is not None else ())
    for take in reference() if reference is not None and sets else ():
        show(take.name, "features of the reference set")
        theirs.add(take)
    summary = {name: _mean_of([take["metrics"][name] for take in told]) for name in single}
    for name in sets:
        summary[name] = _told(features.distance(name, theirs), name)
    return {
        "format": FORMAT,
        "version": VERSION,
        "settings": {"every": bench.every, "matcher": bench.matcher, "lens": bench.lens},
        "takes": told,
        "metrics": {name: summary[name] for name in names},
        "not_published": UNPUBLISHED,
    }


class _Features:
    """The features of all takes of a set, by metric, or why there are none."""

    def __init__(self, bench: Bench, names: Sequence[str]):
        self.bench, self.names = bench, names
        self.of: dict[str, list[np.ndarray]] = {name: [] for name in names}
        self.kinds: dict[str, set[str]] = {name: set() for name in names}
        self.why: dict[str, str] = {}

    def add(self, take: Take) -> None:
        for name in self.names:
            get = METRICS[name].features
            if name in self.why or get is None:
                continue
            try:
                if TWO_VIEWS in METRICS[name].needs and take.views < 2:
                    raise NotMeasured(WHY_NOT[TWO_VIEWS])
                self.of[name].append(get(self.bench, take))
                self.kinds[name].add(looked_at(name, take))
            except NotMeasured as problem:
                self.why[name] = f"of the take '{take.name}', " + str(problem).rstrip(".")
            except UserError as problem:
                self.why[name] = str(problem).rstrip(".")

    def distance(self, name: str, others: _Features) -> Measured | str:
        if not self.names:
            return WHY_NOT[REFERENCE]
        why = self.why.get(name) or others.why.get(name)
        found = why or distance(name, self.of[name], others.of[name])
        kinds = sorted(self.kinds[name] | others.kinds[name])
        if isinstance(found, str) or len(kinds) < 2:
            return found
        return replace(found, notes=(*found.notes, f"unlike takes, which do not compare: {', '.join(kinds)}"))


def _of_take(take: Take, metrics: dict[str, Told]) -> TakeReport:
    first = take.clips[0]
    return {
        "name": take.name,
        "views": take.views,
        "frames": take.frames,
        "width": first.width,
        "height": first.height,
        "fps": take.fps,
        "prompt": take.prompt,
        "metrics": metrics,
    }


def _told(measured: Measured | str, name: str) -> dict[str, Json]:
    if isinstance(measured, str):
        return {"not_measured": measured}
    if math.isnan(measured.value):
        return {"not_measured": "the result is no number"}
    metric = METRICS[name]
    items = {what: [_json(number) for number in numbers] for what, numbers in measured.items.items()}
    told = {"value": _json(measured.value), "unit": metric.unit, **items}
    return {**told, "notes": list(measured.notes)} if measured.notes else told


def _mean_of(told: Sequence[Told]) -> dict[str, Json]:
    """The mean over takes with its 95 % bootstrap interval; why there is none, where no take has a number."""
    values = [value_of(one) for one in told if "value" in one]
    if not values:
        return dict(told[0])
    if len(told) == 1:
        return dict(told[0])
    summary: dict[str, Json] = {"value": _json(math.inf), "takes": len(values)}
    if all(map(math.isfinite, values)):
        interval = mean(values)
        summary = {**summary, "value": interval.value, "low": interval.low, "high": interval.high}
    unit = next(one["unit"] for one in told if "value" in one)
    left_out = len(told) - len(values)
    notes = [f"{left_out} of {len(told)} takes are not measured"] if left_out else []
    return {**summary, "unit": unit, **({"notes": notes} if notes else {})}


def _json(value: float) -> float | str | None:
    return value if math.isfinite(value) else None if math.isnan(value) else "inf"


def value_of(told: Told) -> float:
    """The number of a metric in a report. Raises KeyError where there is none."""
    return float(told["value"])


# ---- for people


def to_text(report: Report) -> str:
    """A line per metric, the takes, and what must be said of the numbers."""
    rows = []
    for name, told in report["metrics"].items():
        metric = METRICS[name]
        rows.append([f"{metric.title} {metric.arrow}", *_cells(told, name)])
    takes = report["takes"]
    first = takes[0]
    head = (
        f"{len(takes)} take{'s' * (len(takes) > 1)}, {first['views']} views, {first['frames']} frames of "
        f"{first['width']} x {first['height']}, every {report['settings']['every']}"
    )
    return "\n".join([head, "", aligned(rows), "", report["not_published"]])


def _cells(told: Told, name: str) -> list[str]:
    metric = METRICS[name]
    if "value" not in told:
        return ["-", f"not measured: {told['not_measured']}"]
    value = metric.to_text(value_of(told))
    notes = "; ".join(told.get("notes", ()))
    if "low" in told:
        value += f" [{metric.to_text(told['low'])}, {metric.to_text(told['high'])}]"
    return [f"{value} {metric.unit}".rstrip(), notes]


def read_report(text: str, name: str) -> ReadReport:
    """A report's JSON. Raises UserError, calling it by its name, for anything else."""
    report: Json
    try:
        report = json.loads(text.removeprefix("\ufeff")) if len(text) <= LARGEST_REPORT else {}
    except (ValueError, RecursionError):
        report = {}
    metrics = report.get("metrics") if isinstance(report, dict) and report.get("format") == FORMAT else None
    if not isinstance(metrics, dict) or not all(isinstance(one, dict) for one in metrics.values()):
        raise UserError(f"'{name}' is no report of SynCam's metrics; give the JSON that they write.", field="reports")
    version = report.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise UserError(
            f"'{name}' is a report of version {str(version)[:20]}, but this pack reads version {VERSION}; update it.",
            field="reports",
        )
    checked: ReadReport = report
    return checked
