"""Talking to the person at the keyboard, and running programs while they watch."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

WINDOWS = os.name == "nt"


class Problem(Exception):
    """Something the person at the keyboard can act on: one sentence, shown without a traceback."""


def say(text: str) -> None:
    """Progress and explanations go to stderr, so that stdout holds results only."""
    print(text, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """12.3 -> '12 s', 63 -> '1 min 03 s', 7500 -> '2 h 05 min'."""
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class StatusLine:
    """One line that is rewritten in place on a terminal; elsewhere a plain line now and then."""

    def __init__(self, plain_every_s: float) -> None:
        self.live = sys.stderr.isatty()
        self.plain_every_s = plain_every_s
        self.printed_at = time.monotonic()

    def update(self, text: str, important: bool = False) -> None:
        if self.live:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r" + text[:width].ljust(width))
            sys.stderr.flush()
        elif important or time.monotonic() - self.printed_at >= self.plain_every_s:
            self.printed_at = time.monotonic()
            say(text[:160])

    def clear(self) -> None:
        if self.live:
            self.update("")
            sys.stderr.write("\r")
            sys.stderr.flush()


def last_lines(log: Path, count: int) -> str:
    """The last lines of a log, from its last 20 kB."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        return "\n".join(file.read().decode("utf-8", "replace").strip().splitlines()[-count:])


def run_quietly(command: list[str], env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """Run a short command for its answer; one that cannot be started counts as failed."""
    try:
        return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=env, check=False)
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def run_logged(
    label: str,
    command: list[str],
    log: Path,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    keep_open: int | None = None,  # a descriptor that the command holds too
) -> int:
    """Run a command with its output appended to `log`, while a status line shows its last line and the time; its exit code.

    The output goes straight into the file: were it a pipe, killing us would break the command in the middle of a write.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    status = StatusLine(plain_every_s=30)
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            pass_fds=() if keep_open is None or WINDOWS else (keep_open,),
        )
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return child.wait(timeout=0.5)
                elapsed = duration(time.monotonic() - started)
                status.update(f"  {label}: {elapsed}  {last_lines(log, 1).strip()}")
        finally:
            status.clear()
            if child.poll() is None:
                child.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(timeout=10)
