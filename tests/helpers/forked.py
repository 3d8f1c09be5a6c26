"""Processes of their own that begin at once: forked from a Python that has imported what takes seconds to import.

``python forked.py MODULE ...`` is that Python. It imports the modules, runs nothing of them, and forks a process for each
line of JSON on its standard input.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

PACK, HELPERS = Path(__file__).resolve().parents[2], Path(__file__).resolve().parent
POLL_S = 0.005


class Forked:
    """``start("module:function", *arguments)`` begins a process; a context manager that ends them all."""

    def __init__(self, *modules: str):
        paths = os.pathsep.join([str(PACK), str(HELPERS)])
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": paths}
        self.outputs = tempfile.TemporaryDirectory()
        command = [sys.executable, __file__, *modules]
        self.python = subprocess.Popen(command, env=environment, cwd=PACK, text=True, stdin=-1, stdout=-1)

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        self.python.communicate(timeout=60)
        self.outputs.cleanup()

    def ask(self, kind: str, **told: Any) -> Any:
        self.python.stdin.write(json.dumps({"kind": kind, **told}) + "\n")
        self.python.stdin.flush()
        return json.loads(self.python.stdout.readline())

    def start(self, call: str, *arguments: str, environment: dict[str, str] | None = None) -> Process:
        """A process of the function of a module; its exit code is what the function gives, as of a program."""
        output = tempfile.mkdtemp(dir=self.outputs.name)
        told = {"call": call, "arguments": arguments, "environment": environment or {}, "output": output}
        return Process(self, self.ask("start", **told), Path(output))


class Process:
    """What tests ask of a process, named as `subprocess.Popen` names it."""

    def __init__(self, forked: Forked, pid: int, output: Path):
        self.forked, self.pid, self.output = forked, pid, output
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self.forked.ask("poll", pid=self.pid)
        return self.returncode

    def wait(self, timeout: float = 300) -> int:
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(POLL_S)
        return self.returncode

    def communicate(self, timeout: float = 300) -> tuple[str, str]:
        self.wait(timeout)
        return (self.output / "1").read_text(), (self.output / "2").read_text()

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def run(call: str, arguments: list[str], environment: dict[str, str], output: str) -> NoReturn:
    """In the forked process: the function, then the end, without what the parent wanted to do."""
    code: Any = 1
    try:
        os.environ.update(environment)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for stream in (1, 2):
            os.dup2(os.open(f"{output}/{stream}", os.O_WRONLY | os.O_CREAT), stream)
        module, _, function = call.partition(":")
        code = getattr(importlib.import_module(module), function)(*arguments) or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    for module in sys.argv[1:]:
        importlib.import_module(module)
    running = set()
    for line in sys.stdin:
        told = json.loads(line)
        if told.pop("kind") == "start":
            answer = os.fork()
            if answer == 0:
                run(**told)
            running.add(answer)
        else:
            done, status = os.waitpid(told["pid"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if done else None
            running -= {done}
        print(json.dumps(answer), flush=True)
    for pid in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
