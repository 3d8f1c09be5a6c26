"""What a farm has done, one JSON line for each job that ended, in the folder of its results."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import filelock

from ..disk.staged import staged_file
from ..errors import UserError

LEDGER, PLAN, LOCK, STOP = "farm.jsonl", "farm.json", ".farm.lock", ".farm.cancel"


@dataclass(frozen=True)
class Entry:
    """``status`` is done, failed, refused or cancelled; ``files`` are below ``folder``, which is below the results' folder."""

    id: str
    name: str
    status: str
    row: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    files: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)  # what nodes showed, by title
    server: str = ""
    seconds: float = 0.0
    error: str = ""
    at: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%S%z"))


@dataclass(frozen=True)
class Plan:
    """What ``status``, ``cancel`` and ``promote`` need to know of a run; ``jobs`` are names by id.

    Paths of rigs in rows count from the folder ``beside``.
    """

    workflow: dict[str, object]
    servers: list[str]
    jobs: dict[str, str]
    beside: str


class Ledger:
    """Lines are appended and flushed, so a killed farm loses at most the line that it was writing."""

    def __init__(self, folder: Path):
        self.folder, self.path = folder, folder / LEDGER

    def entries(self) -> list[Entry]:
        """The last entry of every job, in the order of the first ones."""
        found: dict[str, Entry] = {}
        with suppress(FileNotFoundError):
            for line in self.path.read_text("utf-8", "replace").splitlines():
                with suppress(ValueError, TypeError):  # the last line of a farm that was killed
                    entry = Entry(**json.loads(line))
                    found[entry.id] = entry
        return list(found.values())

    def done(self) -> set[str]:
        """Ids of the jobs whose files are all here."""
        return {e.id for e in self.entries() if e.status == "done" and self.has_files(e)}

    def has_files(self, entry: Entry) -> bool:
        return all((self.folder / entry.folder / file).is_file() for file in entry.files)

    def add(self, entry: Entry) -> None:
        with self.path.open("ab") as file:
            if file.tell() and not self._ends_with_a_line():
                file.write(b"\n")
            file.write(json.dumps(asdict(entry), ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _ends_with_a_line(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


def write_plan(folder: Path, plan: Plan) -> None:
    with staged_file(folder / PLAN) as hidden:
        hidden.write_text(json.dumps(asdict(plan), ensure_ascii=False), "utf-8")


def read_plan(folder: Path) -> Plan:
    try:
        content: Mapping[str, object] = json.loads((folder / PLAN).read_text("utf-8"))
        return Plan(**content)  # type: ignore[arg-type]
    except (OSError, ValueError, TypeError) as problem:
        raise UserError(f"'{folder}' holds no farm's results ({PLAN} is missing or not readable).") from problem


@contextmanager
def only_farm(folder: Path) -> Iterator[None]:
    """Raises UserError while another farm works in the folder."""
    lock = filelock.FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout as problem:
        raise UserError(
            f"another farm works in '{folder}'; wait for it, end it with 'farm cancel', or use another --to.",
            field="to",
        ) from problem
    try:
        yield
    finally:
        lock.release()
