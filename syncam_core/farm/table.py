"""The list of jobs: a table whose columns are inputs of the workflow, read from CSV, or made as a grid."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..disk.bounded import file_text
from ..disk.names import checked_name, file_slugs
from ..errors import UserError
from .server import Server
from .workflow import Graph, Value, Workflow, declared_kinds, job_id, parsed, rig_text

MOST_JOBS = 100_000
MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Job:
    """``row`` is as the table has it; ``graph`` what a server runs."""

    id: str
    name: str
    row: dict[str, str]
    graph: Graph = field(repr=False)


@dataclass(frozen=True)
class BadRow:
    name: str
    row: dict[str, str]
    sentence: str


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header. Raises UserError where it has none, names a column twice, or is uneven."""
    text = file_text(path, MOST_BYTES, f"'{path}'", "table of jobs")
    lines = list(csv.reader(io.StringIO(text, newline="")))
    if not lines or not any(cell.strip() for cell in lines[0]):
        raise UserError(f"'{path}' is empty; its first line names the columns, like: name,Prompt.text,*.seed")
    header = [cell.strip() for cell in lines[0]]
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"'{path}' has {twice or 'a column without a name'} twice; keep one of them.", field=twice)
    rows = []
    for number, line in enumerate(lines[1:], 2):
        if not any(cell.strip() for cell in line):
            continue
        if len(line) != len(header):
            raise UserError(
                f"'{path}', line {number}: {len(line)} cells under {len(header)} columns; a text with commas needs "
                "quotation marks around it."
            )
        rows.append(dict(zip(header, line, strict=True)))
    if not rows:
        raise UserError(f"'{path}' names columns but has no row beneath them; add one line for each job.")
    if len(rows) > MOST_JOBS:
        raise UserError(f"'{path}' has {len(rows)} rows; at most {MOST_JOBS} are possible.")
    return rows


def jobs_of(workflow: Workflow, rows: Sequence[dict[str, str]], beside: Path) -> list[Job | BadRow]:
    """One job per row, or the sentence about what is wrong with it. Paths of rigs count from the folder ``beside``.

    Raises UserError for what is wrong with the table as a whole: a column that the workflow does not have.
    """
    for column in rows[0]:
        if column != "name":
            workflow.places(column)
    names = _names(rows)
    rigs: dict[str, str | UserError] = {}
    return [_job(workflow, row, name, beside, rigs) for row, name in zip(rows, names, strict=True)]


def _names(rows: Sequence[dict[str, str]]) -> list[str]:
    """Each row's folder name: what the column ``name`` says, else its number and the beginning of its first text."""
    digits = len(str(len(rows)))
    given = [row.get("name", "").strip() for row in rows]
    firsts = [next((v for k, v in row.items() if k.endswith(".text")), "") for row in rows]
    slugs = [_slug(text) for text in firsts]
    made = [f"{number:0{digits}}" + (f"_{slug}" if slug else "") for number, slug in enumerate(slugs, 1)]
    names = [one or other for one, other in zip(given, made, strict=True)]
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise UserError(
                f"two rows have the name '{name}'; each job needs one of its own, for its folder.", field="name"
            )
        seen.add(name.casefold())
    return names


def _slug(text: str) -> str:
    return file_slugs([text])[0][:28].strip("-") if text.strip() else ""


def _job(
    workflow: Workflow, row: dict[str, str], name: str, beside: Path, rigs: dict[str, str | UserError]
) -> Job | BadRow:
    try:
        checked_name(name, "the column 'name'")
        values = {c: _value(workflow, c, text, beside, rigs) for c, text in row.items() if c != "name" and text != ""}
        graph = workflow.with_values(values)
    except UserError as problem:
        return BadRow(name, row, str(problem))
    return Job(job_id(name, graph), name, row, graph)


def _value(workflow: Workflow, column: str, text: str, beside: Path, rigs: dict[str, str | UserError]) -> Value:
    if column != "rig":
        return parsed(text, workflow.value(workflow.places(column)[0]), column)
    if text not in rigs:
        try:
            rigs[text] = rig_text(beside / text)
        except UserError as problem:
            rigs[text] = problem
    found = rigs[text]
    if isinstance(found, UserError):
        raise found
    return found


def check_kinds(workflow: Workflow, jobs: Sequence[Job | BadRow], server: Server) -> list[Job | BadRow]:
    """Broken numbers for inputs that the server declares as whole ones become bad rows: the host would cut them off."""
    columns = [column for column in jobs[0].row if column not in ("name", "rig")] if jobs else []
    classes = {str(workflow.graph[place.node]["class_type"]) for c in columns for place in workflow.places(c)}
    declared = {name: server.declared(name) for name in classes}
    whole = [column for column in columns if "INT" in declared_kinds(workflow, column, declared)]

    def checked(job: Job | BadRow) -> Job | BadRow:
        bad = next((c for c in whole if job.row[c].strip() and not re.fullmatch(r"\s*[+-]?\d+\s*", job.row[c])), None)
        if bad is None or isinstance(job, BadRow):
            return job
        return BadRow(job.name, job.row, f"'{bad}' is {job.row[bad][:60]!r}; a whole number is needed.")

    return [checked(job) for job in jobs]


# -- a grid ----------------------------------------------------------------------------------------------------------


def seeds_of(text: str) -> list[int]:
    """``"0-3, 7"`` is 0, 1, 2, 3, 7."""
    seeds: list[int] = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        match = re.fullmatch(r"(\d{1,20})(?:-(\d{1,20}))?", part)
        if not match or int(match[2] or match[1]) - int(match[1]) not in range(MOST_JOBS):
            raise UserError(f"'--seeds' has {part[:40]!r}; write numbers and ranges, like 0-3, 7.", field="seeds")
        seeds += range(int(match[1]), int(match[2] or match[1]) + 1)
    return seeds


def grid_csv(prompt_column: str, prompts: Iterable[str], rigs: Sequence[str], seeds: Sequence[int]) -> str:
    """The table of every prompt with every rig and every seed; a list that is empty has no column."""
    lists = {prompt_column: [p for p in prompts if p.strip()], "rig": list(rigs), "*.seed": [str(s) for s in seeds]}
    columns = {name: values for name, values in lists.items() if values}
    if not columns:
        raise UserError("a grid needs --prompts, --rigs or --seeds.")
    if (count := _product(len(values) for values in columns.values())) > MOST_JOBS:
        raise UserError(f"the grid has {count} jobs; at most {MOST_JOBS} are possible.")
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    table.writerows(itertools.product(*columns.values()))
    return text.getvalue()


def _product(counts: Iterable[int]) -> int:
    result = 1
    for count in counts:
        result *= count
    return result
