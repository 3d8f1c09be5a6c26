"""A ComfyUI server as a child process, and one job on it over HTTP and a websocket."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import queue
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from dev_host import Comfy
from dev_install import isolated_environment
from dev_pack import ShownPack
from dev_terminal import WINDOWS, Problem, StatusLine, duration, last_lines, run_quietly

# Runs main.py and ends with us even if we are killed: our end of its stdin closes whatever happens to us.
LAUNCHER = """
import os, runpy, signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with it ignored
def end_with_parent():
    while os.read(0, 1): pass
    os._exit(1)
threading.Thread(target=end_with_parent, daemon=True).start()
sys.argv = sys.argv[1:]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""
PORT_TAKEN = re.compile(r"already in use|Errno 98\b|Errno 48\b|10048|only one usage of each socket", re.IGNORECASE)


@dataclass(frozen=True)
class Server:
    """A started ComfyUI server."""

    process: subprocess.Popen
    port: int
    log: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        if not WINDOWS:  # there it would allow what we want to find out; here it looks past closed connections
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def device_flags(comfy: Comfy) -> list[str]:
    """--cpu where PyTorch sees no accelerator; without it ComfyUI would not start."""
    look = "from torch import backends, cuda, xpu; print(any(d.is_available() for d in (cuda, backends.mps, xpu)))"
    return [] if run_quietly([str(comfy.python), "-c", look]).stdout.strip() == "True" else ["--cpu"]


def start_server(comfy: Comfy, port: int, flags: list[str], log: Path) -> Server:
    """Start ComfyUI in a process group of its own, so that it and its children can be ended together."""
    command = [str(comfy.python), "-c", LAUNCHER, str(comfy.folder / "main.py")]
    command += ["--listen", "127.0.0.1", "--port", str(port), "--disable-auto-launch", *flags]
    group = {"creationflags": 0x200} if WINDOWS else {"start_new_session": True}  # 0x200: CREATE_NEW_PROCESS_GROUP
    environment = isolated_environment() if comfy.ours else dict(os.environ)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=comfy.folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**environment, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
            **group,
        )
    return Server(process, port, log)


def stop_server(server: Server, patience_s: float = 10) -> None:
    """Ask the server to end, then make it end, with every process it started."""
    process = server.process
    try:
        if process.poll() is None:
            process.send_signal(signal.CTRL_BREAK_EVENT if WINDOWS else signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=patience_s)
    finally:
        if WINDOWS:
            if process.poll() is None:
                run_quietly(["taskkill", "/T", "/F", "/PID", str(process.pid)])
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
        process.stdin.close()


def server_death(server: Server) -> Problem:
    """Why a server that has ended has ended, as far as its log tells."""
    return Problem(f"ComfyUI ended with exit code {server.process.returncode}:\n{last_lines(server.log, 15)}")


def answers(port: int, argument: str = "") -> bool:
    """Whether a ComfyUI answers on `port`, one that was started with `argument`."""
    try:
        status, body = request(port, "GET", "/system_stats", timeout=5)
        return status == 200 and (not argument or argument in json.loads(body)["system"]["argv"])
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return False


def wait_until_ready(server: Server, argument: str, limit_s: float) -> None:
    """Wait for the server to answer; raises if it ends or takes longer than a slow disk could explain."""
    started = time.monotonic()
    status = StatusLine(plain_every_s=30)
    try:
        while server.process.poll() is None:
            if answers(server.port, argument):
                return
            elapsed = time.monotonic() - started
            if elapsed > limit_s:
                raise Problem(f"ComfyUI has not answered for {duration(limit_s)}.")
            status.update(f"  ComfyUI starts: {duration(elapsed)}")
            time.sleep(0.2)
    finally:
        status.clear()
    raise server_death(server)


@contextlib.contextmanager
def headless_server(comfy: Comfy, pack: ShownPack, run: Path, flags: list[str]) -> Iterator[Server]:
    """A server for one run, whose every file lies in the folder `run`; ended when the block is left, however."""
    for name in ("input", "output", "temp", "user"):
        (run / name).mkdir(parents=True)
        flags = [*flags, f"--{name}-directory", str(run / name)]
    flags += ["--database-url", "sqlite:///:memory:", "--disable-api-nodes"]
    flags += [*pack.flags, "--disable-all-custom-nodes", "--whitelist-custom-nodes", pack.name]
    for attempt in range(3):
        server = start_server(comfy, free_port(), flags, run / "server.log")
        try:
            try:
                wait_until_ready(server, argument=str(run / "output"), limit_s=300)
            except Problem:
                # Between our look and its start somebody else may have taken the port.
                if attempt < 2 and PORT_TAKEN.search(last_lines(server.log, 15)):
                    continue
                raise
            yield server
            return
        finally:
            stop_server(server)


def request(port: int, method: str, path: str, body: object = None, timeout: float = 60) -> tuple[int, bytes]:
    """One HTTP request to the server on this machine, past any configured proxy; status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        payload = None if body is None else json.dumps(body)
        connection.request(method, path, payload, {"Content-Type": "application/json"} if payload else {})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
FRAME_MAX_BYTES = 256 << 20


def websocket_connect(port: int, path: str) -> tuple[socket.socket, BinaryIO]:
    """Open a websocket (RFC 6455): the socket to write to and the stream to read from."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    try:
        key = base64.b64encode(os.urandom(16)).decode()
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        stream = connection.makefile("rb")
        status = stream.readline(65536).decode("latin-1")
        headers = http.client.parse_headers(stream)
        magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        expected = base64.b64encode(hashlib.sha1((key + magic).encode()).digest()).decode()
        if status.split(" ")[1:2] != ["101"] or headers.get("Sec-WebSocket-Accept") != expected:
            raise Problem(f"127.0.0.1:{port}{path} did not open a websocket, it answered {status.strip()!r}.")
        connection.settimeout(None)
    except BaseException:
        connection.close()
        raise
    return connection, stream


def websocket_send(connection: socket.socket, opcode: int, payload: bytes) -> None:
    """Send one whole frame, masked as a client must."""
    size = len(payload)
    if size < 126:
        header = struct.pack(">BB", 0x80 | opcode, 0x80 | size)
    elif size < 1 << 16:
        header = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, size)
    else:
        header = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, size)
    mask = os.urandom(4)
    connection.sendall(header + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload)))


def websocket_messages(connection: socket.socket, stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The messages that arrive, as (TEXT or BINARY, payload), until the other side closes; answers pings."""
    kind, parts = TEXT, []
    while True:
        try:
            first, second = read_exactly(stream, 2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack(">H", read_exactly(stream, 2))
            elif size == 127:
                (size,) = struct.unpack(">Q", read_exactly(stream, 8))
            if size > FRAME_MAX_BYTES:
                return
            mask = read_exactly(stream, 4) if second & 0x80 else b""
            payload = read_exactly(stream, size)
        except (EOFError, OSError, ValueError):
            return
        if mask:
            payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        final, opcode = bool(first & 0x80), first & 0x0F
        if opcode in (CLOSE, PING):  # control frames may come between the fragments of a message
            with contextlib.suppress(OSError):
                websocket_send(connection, CLOSE if opcode == CLOSE else PONG, payload)
            if opcode == CLOSE:
                return
        elif opcode != PONG:
            if opcode in (TEXT, BINARY):
                kind, parts = opcode, []
            parts.append(payload)
            if final:
                yield kind, b"".join(parts)
                parts = []


def read_exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def node_title(workflow: dict, node: str) -> str:
    described = workflow.get(node, {})
    return described.get("_meta", {}).get("title") or described.get("class_type") or f"node {node}"


def refusal(answer: dict) -> str:
    """The sentences in ComfyUI's refusal of a workflow (HTTP 400, or 200 with dropped outputs)."""
    sentences = []
    for node, described in (answer.get("node_errors") or {}).items():
        for error in described.get("errors", []):
            text = ": ".join(part for part in (error.get("message"), error.get("details")) if part)
            sentences.append(f"{described.get('class_type')} (node {node}): {text}")
    error = answer.get("error")
    if error and not sentences:
        parts = (error.get("message"), error.get("details")) if isinstance(error, dict) else (str(error),)
        sentences.append(": ".join(part for part in parts if part))
    return "ComfyUI refused the workflow:\n  " + "\n  ".join(sentences)


def failure(event: dict) -> str:
    """The sentence in an execution_error event."""
    message = str(event.get("exception_message", "")).strip() or event.get("exception_type")
    return f"{event.get('node_type')} (node {event.get('node_id')}) failed: {message}"


@dataclass
class Progress:
    """How far a job is, from the server's events."""

    nodes: int
    title: str = "waiting"
    started: set[str] = field(default_factory=set)
    step: int = 0
    steps: int = 0
    first_step: int = 0
    first_step_at: float = 0.0

    def enter(self, node: str, title: str) -> None:
        self.started.add(node)  # a set, because a node that waited for another one is announced twice
        self.title, self.step, self.steps = title, 0, 0

    def advance(self, step: int, steps: int, now: float) -> None:
        if not self.steps or steps != self.steps or step < self.step:
            self.first_step, self.first_step_at = step, now
        self.step, self.steps = step, steps

    def line(self, now: float) -> str:
        """'[3/9] SynCam Sampler: step 7/20, 2.31 it/s, 6 s left'; the first step only sets the clock going."""
        text = f"[{len(self.started)}/{self.nodes}] {self.title}"
        if self.steps > 1:
            text += f": step {self.step}/{self.steps}"
            elapsed, done = now - self.first_step_at, self.step - self.first_step
            if done > 0 and elapsed > 0:
                rate = done / elapsed
                text += f", {rate:.2f} it/s"
                if self.step < self.steps:
                    text += f", {duration((self.steps - self.step) / rate)} left"
        return text


def run_workflow(server: Server, workflow: dict) -> dict:
    """Queue a workflow in API format, show its progress, return the outputs of its history entry."""
    client = uuid.uuid4().hex
    connection, stream = websocket_connect(server.port, f"/ws?clientId={client}")
    inbox: queue.Queue[dict | None] = queue.Queue()

    def listen() -> None:
        for kind, payload in websocket_messages(connection, stream):
            if kind == TEXT:  # binary messages are preview pictures
                inbox.put(json.loads(payload))
        inbox.put(None)

    try:
        features = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
        websocket_send(connection, TEXT, json.dumps(features).encode())  # must be the first message
        threading.Thread(target=listen, daemon=True).start()
        status, body = request(server.port, "POST", "/prompt", {"prompt": workflow, "client_id": client})
        answer = json.loads(body)
        if status != 200 or answer.get("node_errors"):
            raise Problem(refusal(answer))
        follow(server, inbox, workflow, answer["prompt_id"])
    finally:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
    return history(server, answer["prompt_id"])


def follow(server: Server, inbox: queue.Queue[dict | None], workflow: dict, job: str) -> None:
    """Show the events of a job until it has succeeded; raises if it fails or the server goes away."""
    status = StatusLine(plain_every_s=5)
    progress = Progress(nodes=len(workflow))
    try:
        while True:
            try:
                event = inbox.get(timeout=0.5)
            except queue.Empty:
                status.update(progress.line(time.monotonic()))
                continue
            if event is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.process.wait(timeout=5)
                    raise server_death(server)
                raise Problem("ComfyUI closed the connection in the middle of the job.")
            kind, data = event.get("type"), event.get("data") or {}
            if data.get("prompt_id") != job:
                continue
            if kind == "executing" and data.get("node"):
                node = data.get("display_node") or data["node"]
                progress.enter(node, node_title(workflow, node))
                status.update(progress.line(time.monotonic()), important=True)
            elif kind == "progress":
                progress.advance(int(data["value"]), int(data["max"]), time.monotonic())
                status.update(progress.line(time.monotonic()), important=progress.step == progress.steps > 1)
            elif kind == "execution_error":
                raise Problem(failure(data))
            elif kind == "execution_interrupted":
                raise Problem("The job was interrupted from elsewhere.")
            elif kind == "execution_success":
                return
    finally:
        status.clear()


def history(server: Server, job: str) -> dict:
    """The outputs of a finished job; the entry appears a moment after the success event."""
    for _ in range(100):
        entries = json.loads(request(server.port, "GET", f"/history/{job}")[1])
        if job in entries:
            return entries[job]["outputs"]
        time.sleep(0.1)
    raise Problem("ComfyUI has no history entry for the job it finished.")


def output_files(outputs: dict) -> list[dict[str, str]]:
    """Every file named anywhere in a job's outputs (images, gifs, video, ...), each once, in order."""
    found = []
    for node in outputs.values():
        for items in node.values():
            for item in items if isinstance(items, list) else []:
                if isinstance(item, dict) and isinstance(item.get("filename"), str) and item.get("type"):
                    file = {key: str(item.get(key) or "") for key in ("filename", "subfolder", "type")}
                    if file not in found:
                        found.append(file)
    return found


def result_files(outputs: dict) -> list[dict[str, str]]:
    """The files that a job has saved; where it has saved none, its previews."""
    files = output_files(outputs)
    return [file for file in files if file["type"] == "output"] or files


def output_texts(outputs: dict) -> list[str]:
    """What a job's nodes show as text."""
    return [text for node in outputs.values() for text in node.get("text") or [] if isinstance(text, str)]


def fetch(server: Server, file: dict[str, str], folder: Path) -> Path:
    """Bring one result into `folder`, under its own name or a numbered one if that is taken."""
    status, body = request(server.port, "GET", "/view?" + urllib.parse.urlencode(file))
    if status != 200:
        raise Problem(f"ComfyUI did not hand out its result {file['filename']} (HTTP {status}).")
    folder.mkdir(parents=True, exist_ok=True)
    name = PurePosixPath(file["filename"].replace("\\", "/")).name
    stem, dot, suffix = name.rpartition(".")
    for number in range(1, 1_000_000):
        taken = name if number == 1 else f"{stem}_{number}.{suffix}" if dot else f"{name}_{number}"
        with contextlib.suppress(FileExistsError), (folder / taken).open("xb") as out:
            out.write(body)
            return folder / taken
    raise Problem(f"{folder} is full of files named like {name}; move some away.")
