"""A workflow in API format whose inputs are named ``Title.input``, as a table's columns name them."""

from __future__ import annotations

import copy
import json
import math
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..cameras.rig_json import rig_from_json, rig_to_json
from ..disk.bounded import file_text
from ..errors import UserError
from ..formats import read_rig_file

Value = str | int | float | bool
Graph = dict[str, dict[str, dict[str, object]]]  # node id -> {"class_type", "inputs", "_meta"}

SEEDS = ("seed", "noise_seed")
RIG_TEXTS = {"SynCamRigJSON": "rig_json", "SynCamRigEditor": "state"}  # nodes with an input that is a rig as text
JOBS = uuid.UUID("5f3a8d2e-6f0c-5c1b-9d55-21a4c7a6d0f1")  # the namespace of job ids


@dataclass(frozen=True)
class Place:
    """One input of one node."""

    node: str
    input: str


@dataclass(frozen=True)
class Workflow:
    """``graph`` is what a server's ``/prompt`` takes."""

    graph: Graph

    @classmethod
    def read(cls, path: Path) -> Workflow:
        """Raises UserError for what is no API-format workflow."""
        try:
            graph = json.loads(file_text(path, called=f"'{path}'", kind="workflow"))
        except json.JSONDecodeError as problem:
            raise UserError(f"'{path}' is not JSON (line {problem.lineno}).", field="workflow") from problem
        if isinstance(graph, dict) and isinstance(graph.get("nodes"), list):
            raise UserError(
                f"'{path}' is a workflow as the canvas saves it; export it with File > Export (API).", field="workflow"
            )
        if not (isinstance(graph, dict) and graph and all(_is_node(node) for node in graph.values())):
            raise UserError(
                f"'{path}' is no workflow in API format: node ids with 'class_type' and 'inputs' are needed.",
                field="workflow",
            )
        return cls(graph)

    def title(self, node: str) -> str:
        meta = self.graph[node].get("_meta")
        title = meta.get("title") if isinstance(meta, dict) else None
        return title if isinstance(title, str) and title else str(self.graph[node]["class_type"])

    def places(self, column: str) -> list[Place]:
        """What a column sets: ``Title.input`` or ``id.input`` one place, ``*.seed`` every seed, ``rig`` the rig's text.

        Raises UserError for a column that the workflow does not have, has twice, or that a wire feeds.
        """
        if column == "rig":
            return [self._rig_text()]
        if column == "*.seed":
            seeds = [p for p in self._open_places() if p.input in SEEDS]
            if not seeds:
                raise UserError("the column '*.seed' finds no 'seed' in the workflow; leave it out.", field=column)
            return seeds
        return [self._named(column)]

    def value(self, place: Place) -> Value:
        held = self.graph[place.node]["inputs"][place.input]
        return held if isinstance(held, (str, int, float, bool)) else ""

    def columns(self) -> list[str]:
        """Every column that a table may have, without ``*.seed`` and ``rig``."""
        return [f"{self.title(place.node)}.{place.input}" for place in self._open_places()]

    def prompt_column(self) -> str:
        """The column of the positive prompt: the text of the node that is wired to an input called ``positive``."""
        found = {link[0] for link in self._links("positive")}
        texts = [p for p in self._open_places() if p.node in found and isinstance(self.value(p), str)]
        if len(texts) != 1:
            raise UserError(
                f"the workflow has {len(texts)} texts wired to 'positive'; name the prompt's column with "
                "--prompt-column, like 'Prompt.text'.",
                field="prompt_column",
            )
        return f"{self.title(texts[0].node)}.{texts[0].input}"

    def with_values(self, values: Mapping[str, Value]) -> Graph:
        """The graph of one job. Raises UserError as ``places`` does."""
        graph = copy.deepcopy(self.graph)
        for column, value in values.items():
            for place in self.places(column):
                graph[place.node]["inputs"][place.input] = value
        return graph

    # -- finding --

    def _open_places(self) -> Iterator[Place]:
        for node, content in self.graph.items():
            for name, value in content["inputs"].items():
                if isinstance(value, (str, int, float, bool)):
                    yield Place(node, name)

    def _links(self, name: str) -> Iterator[tuple[str, int]]:
        for content in self.graph.values():
            link = content["inputs"].get(name)
            if isinstance(link, list) and len(link) == 2:
                yield str(link[0]), int(link[1])

    def _named(self, column: str) -> Place:
        splits = [(column[:dot], column[dot + 1 :]) for dot, sign in enumerate(column) if sign == "."]
        # An input's own name may hold dots ("views.view0"), and so may a title: the longest title that fits.
        for title, name in reversed(splits):
            nodes = [n for n in self.graph if self.title(n) == title] or [n for n in self.graph if n == title]
            holding = [n for n in nodes if name in self.graph[n]["inputs"]]
            if len(holding) > 1:
                ids = ", ".join(f"'{n}.{name}'" for n in holding)
                raise UserError(
                    f"the column '{column}' fits {len(holding)} nodes; write {ids}, or give them different titles.",
                    field=column,
                )
            if holding and isinstance(self.graph[holding[0]]["inputs"][name], (list, dict)):
                raise UserError(
                    f"the column '{column}' is fed by a wire in the workflow; name the input where the wire begins.",
                    field=column,
                )
            if holding:
                return Place(holding[0], name)
        raise UserError(
            f"the workflow has no input '{column}'; possible are name, rig, *.seed, {', '.join(self.columns())}.",
            field=column,
        )

    def _rig_text(self) -> Place:
        texts = [Place(n, RIG_TEXTS.get(str(c["class_type"]), "")) for n, c in self.graph.items()]
        fitting = [place for place in texts if place.input in self.graph[place.node]["inputs"]]
        if len(fitting) != 1:
            raise UserError(
                f"the column 'rig' needs one SynCam Rig JSON or SynCam Rig Editor in the workflow, here are "
                f"{len(fitting)}; without one, give the cameras by columns like 'Cameras around.azimuths'.",
                field="rig",
            )
        return fitting[0]


def _is_node(node: object) -> bool:
    return isinstance(node, dict) and isinstance(node.get("class_type"), str) and isinstance(node.get("inputs"), dict)


def declared_kinds(workflow: Workflow, column: str, declared: Mapping[str, Mapping[str, object] | None]) -> set[str]:
    """What servers call the inputs of a column, like INT; ``declared`` holds a server's inputs by node class."""
    found: set[str] = set()
    for place in workflow.places(column):
        inputs = declared.get(str(workflow.graph[place.node]["class_type"])) or {}
        said = inputs.get(place.input)
        if isinstance(said, (list, tuple)) and said and isinstance(said[0], str):
            found.add(said[0])
    return found


# -- values ----------------------------------------------------------------------------------------------------------


def parsed(text: str, like: Value, column: str) -> Value:
    """A cell's text as the kind of value that the workflow holds there.

    A number stays a whole one where it is written so: the canvas drops ".0", so a workflow's 3 may be a float input.
    Raises UserError for text that does not fit.
    """
    if isinstance(like, bool):
        if text.strip().lower() in ("true", "yes", "1", "false", "no", "0"):
            return text.strip().lower() in ("true", "yes", "1")
        raise UserError(f"'{column}' is {text[:60]!r}; write true or false.", field=column)
    if isinstance(like, str):
        return text
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError as problem:
        raise UserError(f"'{column}' is {text[:60]!r}; a number is needed, like {like}.", field=column) from problem
    if not math.isfinite(number):
        raise UserError(f"'{column}' is {text[:60]!r}; a finite number is needed.", field=column)
    return number


def rig_text(path: Path) -> str:
    """The rig of any camera file as the text that SynCam Rig JSON takes; a rig JSON file as it is."""
    try:
        if path.suffix.lower() == ".json":
            text = file_text(path)
            try:
                rig_from_json(text)
                return text
            except UserError:
                pass  # another program's JSON, or a mistake that the next line says
        return rig_to_json(read_rig_file(path))
    except UserError as problem:
        raise problem.told(f"the rig '{path}': {problem}", field="rig") from problem


def job_id(name: str, graph: Graph) -> str:
    """The same for the same job, wherever and whenever: a farm that begins anew finds what it has queued before."""
    shape = {node: {"class_type": c["class_type"], "inputs": c["inputs"]} for node, c in graph.items()}
    return str(uuid.uuid5(JOBS, json.dumps([name, shape], sort_keys=True)))
