"""With Ray: one ComfyUI server for each GPU of a cluster, found, started and restarted by it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import UserError

START_S = 600.0
LOOK_S = 2.0


class ComfyServer:
    """One actor, one server on its machine; the server ends with it. A server that ends by itself is started again."""

    def __init__(self, comfy: str, arguments: Sequence[str], base: str):
        self.command = [sys.executable, "main.py", *arguments, "--listen", "0.0.0.0", "--disable-auto-launch"]
        self.comfy, self.port, self.base = comfy, 0, base
        self.process: subprocess.Popen[bytes] | None = None

    def url(self) -> str:
        """Start the server where none runs. The port stays, so that the address of a restarted one does."""
        if self.process is None or self.process.poll() is not None:
            self.port = self.port or _free_port()
            folder = Path(self.base) / f"server_{socket.gethostname()}_{self.port}"
            for name in ("input", "output", "temp", "user", "custom_nodes"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            command = [*self.command, "--port", str(self.port)]
            for name in ("output", "temp", "user"):  # servers of one machine must not write over each other
                command += [f"--{name}-directory", str(folder / name)]
            command += ["--database-url", "sqlite:///:memory:"]
            with (folder / "server.log").open("ab") as log:
                self.process = subprocess.Popen(command, cwd=self.comfy, stdout=log, stderr=log)
        return f"http://{_own_address()}:{self.port}"

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()


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
    base = str(Path.home() / ".cache" / "syncam" / "farm")
    actors = [kind.remote(str(comfy.resolve()), arguments, base) for _ in range(count)]
    watch = _Watch(ray, actors)
    try:
        yield watch.addresses()
    finally:
        watch.stop()


class _Watch:
    """Asks every actor again and again for its address, which starts a server that has ended."""

    def __init__(self, ray: Any, actors: Sequence[Any]):
        import threading

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
        self.ray.get([actor.stop.remote() for actor in self.actors], timeout=30)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])


def _own_address() -> str:
    """The address by which other machines of the cluster reach this one."""
    import ray

    return str(ray.util.get_node_ip_address())
