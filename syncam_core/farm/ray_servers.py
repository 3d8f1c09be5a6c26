"""With Ray: one ComfyUI server for each GPU of a cluster, found, started and restarted by it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import UserError

START_S = 600.0
LOOK_S = 2.0
END_S = 10.0


class ComfyServer:
    """One actor, one server on its machine, which ends with it. A server that ends by itself is started again, and so is
    one whose actor was killed: Ray starts the actor again, and ``folder`` tells it the port that the farm knows."""

    def __init__(self, comfy: str, arguments: Sequence[str], folder: str, threads: str | None):
        self.command = [sys.executable, "main.py", *arguments, "--listen", _own_address(), "--disable-auto-launch"]
        self.comfy, self.folder = comfy, Path(folder)
        # Ray says 1 to its workers for an actor that asks for less than a core.
        self.environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
        self.environment |= {} if threads is None else {"OMP_NUM_THREADS": threads}
        self.process: subprocess.Popen[bytes] | None = None

    def url(self) -> str:
        """Start the server where none runs. The port stays, so that the address of a restarted one does."""
        if self.process is None or self.process.poll() is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.port = self._port_before() or _free_port()
            command = [*self.command, "--port", str(self.port), "--database-url", "sqlite:///:memory:"]
            for name in ("output", "temp", "user"):  # servers of one machine must not write over each other
                (self.folder / name).mkdir(exist_ok=True)
                command += [f"--{name}-directory", str(self.folder / name)]
            with (self.folder / "server.log").open("ab") as log:
                self.process = subprocess.Popen(command, cwd=self.comfy, env=self.environment, stdout=log, stderr=log)
            (self.folder / "process").write_text(f"{self.process.pid} {self.port}")
        return f"http://{_own_address()}:{self.port}"

    def _port_before(self) -> int:
        """The port of the last server, 0 for the first; one that outlived its actor is ended."""
        try:
            process, port = map(int, (self.folder / "process").read_text().split())
        except (FileNotFoundError, ValueError):
            return 0
        deadline = time.monotonic() + END_S
        while _listens(port) and time.monotonic() < deadline:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM if time.monotonic() < deadline - END_S / 2 else signal.SIGKILL)
            time.sleep(0.2)
        return port

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(END_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)  # the farm has its files
        with suppress(OSError):  # the last one of this machine
            self.folder.parent.rmdir()


@contextmanager
def started_servers(gpus: int, comfy: Path | None, arguments: Sequence[str]) -> Iterator[list[str]]:
    """The addresses of as many servers as there are GPUs, or ``gpus``; they end with the block.

    On a machine without GPUs (``--cpu`` among the arguments) ``gpus`` servers share its cores.
    Raises UserError where Ray is missing, or ComfyUI is.
    """
    try:
        import ray
    except ImportError as problem:
        raise UserError(
            "'--engine ray' needs Ray, which is not installed: pip install ray. Servers that run already need no Ray: "
            "name them with --servers.",
            field="engine",
        ) from problem
    if comfy is None or not (comfy / "main.py").is_file():
        raise UserError(f"'--comfy' is '{comfy}'; name the folder with ComfyUI's main.py.", field="comfy")
    paths = os.pathsep.join([str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")])
    ray.init(ignore_reinit_error=True, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": paths}})
    try:
        yield from _run_servers(ray, gpus, comfy, list(arguments))
    finally:
        ray.shutdown()


def _run_servers(ray: Any, gpus: int, comfy: Path, arguments: list[str]) -> Iterator[list[str]]:
    on_cpu = "--cpu" in arguments
    count = gpus or (1 if on_cpu else int(ray.cluster_resources().get("GPU", 0)))
    if not count:
        raise UserError("Ray sees no GPU; start it on machines that have some, or give '--comfy-arguments=--cpu'.")
    needs = {"num_cpus": 0.1} if on_cpu else {"num_gpus": 1}
    kind = ray.remote(max_restarts=-1, max_task_retries=-1, **needs)(ComfyServer)
    base = Path.home() / ".cache" / "syncam" / "farm" / uuid.uuid4().hex[:12]
    shared = str(comfy.resolve()), arguments
    actors = [kind.remote(*shared, str(base / str(i)), os.environ.get("OMP_NUM_THREADS")) for i in range(count)]
    watch = _Watch(ray, actors)
    try:
        yield watch.addresses()
    finally:
        watch.stop()


class _Watch:
    """Asks every actor again and again for its address, which starts a server that has ended."""

    def __init__(self, ray: Any, actors: Sequence[Any]):
        self.ray, self.actors, self.over = ray, actors, threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def addresses(self) -> list[str]:
        urls = self.ray.get([actor.url.remote() for actor in self.actors], timeout=START_S)
        self.thread.start()
        return list(urls)

    def _look(self) -> None:
        while not self.over.wait(LOOK_S):
            try:
                self.ray.get([actor.url.remote() for actor in self.actors], timeout=START_S)
            except self.ray.exceptions.RayError:
                time.sleep(LOOK_S)

    def stop(self) -> None:
        self.over.set()
        if self.thread.is_alive():
            self.thread.join(2 * LOOK_S)
        self.ray.get([actor.stop.remote() for actor in self.actors], timeout=3 * END_S)


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex((_own_address(), port)) == 0


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])


def _own_address() -> str:
    """The address by which other machines of the cluster reach this one."""
    import ray

    return str(ray.util.get_node_ip_address())
