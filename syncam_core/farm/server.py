"""One ComfyUI server as its HTTP API shows it: what it runs, what it has done, and the files of it."""

from __future__ import annotations

import http.client
import json
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ..errors import UserError
from .workflow import Graph

TIMEOUT_S, HELLO_S = 30.0, 5.0
CANCEL_S, CANCEL_AGAIN_S = 10.0, 0.1
MOST_ANSWER = 256 * 2**20  # bytes of JSON


class ServerGone(Exception):
    """The server does not answer, or not as a ComfyUI does; ``is_down`` where nothing listens there."""

    def __init__(self, sentence: str, is_down: bool = False):
        super().__init__(sentence)
        self.is_down = is_down


class FileGone(Exception):
    """The server knows the result but has its file no more."""


class Refused(Exception):
    """The server read the job and will never run it: its sentence."""


@dataclass(frozen=True)
class Output:
    """A file that a job wrote, as ``/view`` finds it."""

    filename: str
    subfolder: str
    type: str


@dataclass(frozen=True)
class Ended:
    """How a job ended: ``error`` is empty for success; ``texts`` are what nodes show, by node id."""

    error: str
    is_out_of_memory: bool
    outputs: tuple[Output, ...]
    texts: Mapping[str, str]


@dataclass(frozen=True)
class Server:
    """``url`` like http://127.0.0.1:8188. Every method raises ServerGone where it does not answer."""

    url: str

    @classmethod
    def at(cls, text: str) -> Server:
        """Raises UserError for what is no address. ``host:port`` is http."""
        url = text.strip().rstrip("/")
        url = url if "://" in url else f"http://{url}"
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UserError(f"the server '{text}' is no address; write it like http://127.0.0.1:8188.", field="servers")
        return cls(url)

    def check(self) -> None:
        with self._open("/system_stats", timeout_s=HELLO_S) as answer:
            answer.read()

    def known(self) -> set[str]:
        """Ids of jobs that wait or run here, or were done here with success."""
        history = self._json("/history")
        done = (
            {key for key, entry in history.items() if _ended(entry).error == ""} if isinstance(history, dict) else set()
        )
        return done | self.queued()

    def queued(self) -> set[str]:
        """Ids of jobs that wait or run here."""
        queue = self._json("/queue")
        if not isinstance(queue, dict):
            raise ServerGone(f"{self.url} does not answer as a ComfyUI server")
        items = [*queue.get("queue_running", []), *queue.get("queue_pending", [])]
        return {item[1] for item in items}

    def ended(self, job: str) -> Ended | None:
        """How a job ended, None for one that it does not know, or no longer: a server that restarts forgets."""
        history = self._json(f"/history/{job}")
        return _ended(history[job]) if isinstance(history, dict) and job in history else None

    def declared(self, node_class: str) -> Mapping[str, object] | None:
        """The inputs of a node as this server has it, None for a node that it lacks."""
        found = self._json(f"/object_info/{urllib.parse.quote(node_class, safe='')}")
        info = found.get(node_class) if isinstance(found, dict) else None
        if not isinstance(info, dict):
            return None
        inputs = info.get("input", {})
        return {**inputs.get("required", {}), **inputs.get("optional", {})}

    def queue(self, job: str, graph: Graph) -> None:
        """Raises Refused with the server's sentence for a job that it does not accept, whole or in part."""
        answer = self._json("/prompt", {"prompt": graph, "prompt_id": job, "client_id": "syncam-farm"})
        if not isinstance(answer, dict):
            raise ServerGone(f"{self.url} does not answer as a ComfyUI server")
        if answer.get("node_errors"):  # with status 200: the outputs without a fault are queued
            if "prompt_id" in answer:
                self.cancel([job])
            raise Refused(_sentence(answer, graph))
        if "prompt_id" not in answer:
            raise Refused(_sentence(answer, graph))

    def cancel(self, jobs: Iterable[str]) -> None:
        """Take jobs out of the queue, and interrupt the one that runs until it is gone; nothing where they are not there.

        The host loses an interrupt that comes after it took a job from the queue and before it began it, and a node may
        not look for one for a long time: it is repeated, and after ``CANCEL_S`` left to itself.
        """
        jobs, deadline = set(jobs), time.monotonic() + CANCEL_S
        self._json("/queue", {"delete": sorted(jobs)})  # all before the one that runs, lest the next one begin
        while (there := jobs & self.queued()) and time.monotonic() < deadline:
            for job in there:
                self._json("/interrupt", {"prompt_id": job})
            time.sleep(CANCEL_AGAIN_S)

    def fetch(self, output: Output, to: Path) -> None:
        query = urllib.parse.urlencode(vars(output))
        with self._open(f"/view?{query}") as answer, to.open("wb") as file:
            expected = answer.headers.get("Content-Length")
            shutil.copyfileobj(answer, file, 2**20)
            if expected is not None and file.tell() != int(expected):
                raise ServerGone(f"{self.url} broke off in '{output.filename}'")

    def _json(self, path: str, body: Mapping[str, object] | None = None) -> object:
        with self._open(path, body) as answer:
            content = answer.read(MOST_ANSWER + 1)
        if len(content) > MOST_ANSWER:
            raise ServerGone(f"{self.url} answered with more than {MOST_ANSWER // 2**20} MB")
        try:
            return json.loads(content) if content.strip() else None
        except ValueError as problem:
            raise ServerGone(f"{self.url} does not answer as a ComfyUI server") from problem

    @contextmanager
    def _open(
        self, path: str, body: Mapping[str, object] | None = None, timeout_s: float = TIMEOUT_S
    ) -> Iterator[http.client.HTTPResponse]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                yield answer
        except urllib.error.HTTPError as problem:
            if problem.code == 400 and path == "/prompt":
                with problem:
                    raise Refused(_sentence(_parsed(problem.read(MOST_ANSWER)), body)) from problem
            if problem.code == 404 and path.startswith("/view"):
                raise FileGone from problem
            raise ServerGone(f"{self.url} answered {problem.code} to {path.split('?')[0]}") from problem
        except (OSError, http.client.HTTPException) as problem:
            reason = getattr(problem, "reason", problem)
            is_down = isinstance(reason, (ConnectionError, http.client.RemoteDisconnected))
            raise ServerGone(f"{self.url} does not answer ({reason})", is_down) from problem


def safe_name(output: Output) -> str:
    """The file's own name without folders, whatever the server says."""
    name = PurePosixPath(output.filename.replace("\\", "/")).name
    return name if name not in ("", ".", "..") else "file"


# -- what the server's JSON says -------------------------------------------------------------------------------------


def _ended(entry: object) -> Ended:
    entry = entry if isinstance(entry, dict) else {}
    status = entry.get("status")
    status = status if isinstance(status, dict) else {}
    error, is_out_of_memory = "", False
    for kind, data in status.get("messages", []):
        if kind == "execution_error":
            words = str(data.get("exception_message", "")).strip()
            error = f"{data.get('node_type', 'a node')}: {words or data.get('exception_type', 'failed')}"
            is_out_of_memory = "OutOfMemory" in str(data.get("exception_type", ""))
        elif kind == "execution_interrupted":
            error = "it was interrupted on the server"
    if not error and status.get("status_str") == "error":
        error = "the server says error and not why"
    outputs: list[Output] = []
    texts: dict[str, str] = {}
    for node, shown in entry.get("outputs", {}).items():
        for items in shown.values() if isinstance(shown, dict) else ():
            for item in items if isinstance(items, list) else ():
                if isinstance(item, dict) and isinstance(item.get("filename"), str):
                    kind = str(item.get("type", "output"))
                    outputs.append(Output(item["filename"], str(item.get("subfolder", "")), kind))
                elif isinstance(item, str):
                    texts[node] = f"{texts[node]}\n{item}" if node in texts else item
    return Ended(error, is_out_of_memory, tuple(dict.fromkeys(outputs)), texts)


def _parsed(content: bytes) -> object:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _sentence(answer: object, body: object) -> str:
    """The host's refusal in one line: whose input, and why."""
    answer = answer if isinstance(answer, dict) else {}
    said = []
    for node, found in (answer.get("node_errors") or {}).items():
        reasons = [f"{e.get('message', '')} ({e.get('details', '')})" for e in found.get("errors", [])]
        said.append(f"{found.get('class_type', node)}: {'; '.join(reasons)}")
    error = answer.get("error")
    general = error.get("message", "") if isinstance(error, dict) else str(error or "")
    return " | ".join(said) or general or "the server refused the job and did not say why"
