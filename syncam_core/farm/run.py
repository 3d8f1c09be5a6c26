"""The farm itself: one list of jobs, one thread for each server that takes from it.

A server has at most two jobs of ours, one that runs and one that waits, so that it never stands still while results are
fetched. A job's id is derived from what it is, and each server is asked for the ids it knows before anything is
queued: a farm that was killed finds its jobs again. What a server loses by a restart goes back to the list.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..disk.names import free_stem, is_taken
from ..disk.staged import put, staged_folder
from ..errors import UserError
from .ledger import STOP, Entry, Ledger
from .server import CANCEL_S, Ended, FileGone, Refused, Server, ServerGone, safe_name
from .table import Job

POLL_S = 0.25
RETURN_S = 2.0  # between two looks at a server that does not answer
PATIENCE_S = 600.0  # without any server
TIME_TO_CANCEL_S = CANCEL_S + 5
MOST_SILENCES = 3  # a server that computes may miss a question or two; one whose port is closed is gone at once


@dataclass
class Running:
    job: Job
    since: float


@dataclass
class Farm:
    """``run`` returns when every job has ended. ``told`` hears every entry as it is written, and words between."""

    folder: Path
    servers: Sequence[Server]
    jobs: Sequence[Job]
    retries: int = 2  # for jobs that a server lost
    patience_s: float = PATIENCE_S
    told: Callable[[Entry | str], None] = lambda _: None
    waiting: deque[Job] = field(default_factory=deque)
    lost: dict[str, int] = field(default_factory=dict)  # how often, by job id
    avoid: dict[str, set[str]] = field(default_factory=dict)  # servers without the memory for a job, by job id

    def __post_init__(self) -> None:
        self.lock, self.stopping, self.failure = threading.RLock(), threading.Event(), ""
        self.ledger = Ledger(self.folder)
        self.by_id = {job.id: job for job in self.jobs}
        self.alive = {server.url: False for server in self.servers}
        self.open = threading.Barrier(len(self.servers))
        self.where: dict[str, str] = {}  # a server's url by job id, for jobs on their way

    def run(self) -> bool:
        """Whether every job is done. KeyboardInterrupt cancels what was queued and passes on."""
        done = self.ledger.done()
        self.waiting = deque(job for job in self.by_id.values() if job.id not in done)
        if not self.waiting:
            return True
        self.left = len(self.waiting)
        self.last_alive = time.monotonic()
        threads = [threading.Thread(target=self._serve, args=(server,), daemon=True) for server in self.servers]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                self._look_after()
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            self.stopping.set()
            self.open.abort()
            for thread in threads:
                thread.join(TIME_TO_CANCEL_S)
            raise
        if self.failure:
            raise UserError(self.failure)
        ended = {entry.id: entry.status for entry in self.ledger.entries()}
        return all(ended.get(job) == "done" for job in self.by_id)

    def _look_after(self) -> None:
        with self.lock:
            if any(self.alive.values()):
                self.last_alive = time.monotonic()
        if (self.folder / STOP).exists():
            self.stopping.set()
            self.failure = "it was cancelled; the same command goes on where it stopped."
        if time.monotonic() - self.last_alive > self.patience_s:
            self.stopping.set()
            self.failure = (
                f"none of {', '.join(self.alive)} answered for {self.patience_s:.0f} s, with {self.left} jobs left; "
                "the same command goes on when they do."
            )

    # -- one server --

    def _serve(self, server: Server) -> None:
        mine: dict[str, Running] = {}
        is_first, silences = True, 0
        while self.left and not self.stopping.is_set():
            try:
                if not self.alive[server.url]:
                    self._greet(server, mine, is_first)
                if is_first:
                    is_first = self._wait_for_the_others()
                self._fill(server, mine)
                self._collect(server, mine)
                silences = 0
            except ServerGone as problem:
                silences += 1
                if problem.is_down or silences >= MOST_SILENCES or not self.alive[server.url]:
                    self._lose(server, mine, problem)
                if is_first:
                    is_first = self._wait_for_the_others()
                self.stopping.wait(RETURN_S)
            except Exception as fault:  # ours: nothing may end a thread in silence
                self.failure = f"a fault of the farm at {server.url}: {type(fault).__name__}: {fault}"
                self.stopping.set()
                self.open.abort()
                raise
            self.stopping.wait(POLL_S)
        self._cancel_all(server, mine)

    def _wait_for_the_others(self) -> bool:
        """Nobody takes a job before every server said what it has of them, or that it does not answer."""
        with suppress(threading.BrokenBarrierError):
            self.open.wait()
        return False

    def _greet(self, server: Server, mine: dict[str, Running], is_first: bool) -> None:
        """Learn what a server has of our jobs when it answers for the first time, or again."""
        server.check()
        known = server.known()
        with self.lock:
            for job in [job for job in self.waiting if job.id in known]:
                self.waiting.remove(job)
                self._mine(server, mine, job)
            strangers = [i for i in known if i in self.by_id and self.where.get(i) != server.url]
        if strangers:  # taken from here while it did not answer
            server.cancel(strangers)
        self.alive[server.url] = True
        if not is_first:
            self.told(f"{server.url} answers")

    def _mine(self, server: Server, mine: dict[str, Running], job: Job) -> None:
        mine[job.id] = Running(job, time.monotonic())
        self.where[job.id] = server.url

    def _take(self, server: Server, mine: dict[str, Running]) -> Job | None:
        with self.lock:
            if len(mine) >= 2 or (mine and len(self.waiting) < sum(self.alive.values())):
                return None  # what is left goes to whoever stands still first
            for job in self.waiting:
                if server.url not in self._untried(job) and self._untried(job):
                    continue  # somebody with more memory comes for it
                self.waiting.remove(job)
                self._mine(server, mine, job)
                return job
        return None

    def _untried(self, job: Job) -> list[str]:
        """Servers that answer and were not too small for the job."""
        return [url for url, alive in self.alive.items() if alive and url not in self.avoid.get(job.id, ())]

    def _fill(self, server: Server, mine: dict[str, Running]) -> None:
        while (job := self._take(server, mine)) and not self.stopping.is_set():
            try:
                server.queue(job.id, job.graph)
            except Refused as problem:
                self._end(mine, job, "refused", server, error=str(problem))

    def _collect(self, server: Server, mine: dict[str, Running]) -> None:
        if not mine:
            return
        queued = server.queued()
        for running in [one for one in mine.values() if one.job.id not in queued]:
            ended = server.ended(running.job.id)
            if ended is None:
                self._give_back(server, mine, running.job, "forgot it")
            elif ended.is_out_of_memory and self._elsewhere(server, running.job):
                self._give_back(server, mine, running.job, "has not enough memory for it", counts=False)
            elif ended.error:
                self._end(mine, running.job, "failed", server, error=ended.error)
            else:
                self._keep(server, mine, running, ended)

    def _elsewhere(self, server: Server, job: Job) -> bool:
        """Whether one other server is left to try; more memory may be there."""
        with self.lock:
            tried = self.avoid.setdefault(job.id, set())
            tried.add(server.url)
            return len(tried) == 1 and bool(self._untried(job))

    def _keep(self, server: Server, mine: dict[str, Running], running: Running, ended: Ended) -> None:
        job = running.job
        kept = [one for one in ended.outputs if one.type == "output"] or list(ended.outputs)
        with staged_folder(self.folder) as stage:
            files: list[str] = []
            for output in kept:
                name = safe_name(output)
                if (stage / name).exists():
                    name = free_stem(stage, Path(name).stem) + Path(name).suffix
                try:
                    server.fetch(output, stage / name)
                except FileGone:
                    error = (
                        f"its result '{name}' is no longer on {server.url}, which answers from its cache; restart it"
                    )
                    return self._end(mine, job, "failed", server, error=error)
                files.append(name)
            with self.lock:
                folder, number = job.name, 1
                while is_taken(self.folder, folder):
                    number += 1
                    folder = f"{job.name}_{number}"
                put(stage, self.folder / folder)
        texts = {f"{_title(job, node)}": text for node, text in ended.texts.items()}
        seconds = time.monotonic() - running.since
        self._end(mine, job, "done", server, folder=folder, files=files, texts=texts, seconds=round(seconds, 2))

    # -- jobs that end, and jobs that come back --

    def _end(self, mine: dict[str, Running], job: Job, status: str, server: Server, **more: object) -> None:
        entry = Entry(job.id, job.name, status, job.row, server=server.url, **more)  # type: ignore[arg-type]
        with self.lock:
            self.ledger.add(entry)
            mine.pop(job.id, None)
            self.where.pop(job.id, None)
            self.left -= 1
        self.told(entry)

    def _give_back(self, server: Server, mine: dict[str, Running], job: Job, why: str, counts: bool = True) -> None:
        with self.lock:
            mine.pop(job.id)
            self.where.pop(job.id, None)
            self.lost[job.id] = self.lost.get(job.id, 0) + counts
            gives_up = self.lost[job.id] > self.retries
            if not gives_up:
                self.waiting.appendleft(job)
        self.told(f"{job.name}: {server.url} {why}; " + ("given up" if gives_up else "it is queued again"))
        if gives_up:
            error = f"lost {self.lost[job.id]} times, last because {server.url} {why}"
            self._end(mine, job, "failed", server, error=error)

    def _lose(self, server: Server, mine: dict[str, Running], problem: ServerGone) -> None:
        if self.alive[server.url]:
            self.told(str(problem))
        self.alive[server.url] = False
        for running in list(mine.values()):
            self._give_back(server, mine, running.job, "does not answer")

    def _cancel_all(self, server: Server, mine: dict[str, Running]) -> None:
        if mine:
            with suppress(ServerGone):
                server.cancel(mine)


def _title(job: Job, node: str) -> str:
    content = job.graph.get(node, {})
    return str(content.get("_meta", {}).get("title") or content.get("class_type", node))
