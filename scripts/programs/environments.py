"""An environment of its own for each program, made once in the cache folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Missing(Exception):
    """A program that cannot be had here, with the reason."""


@dataclass(frozen=True)
class Environment:
    name: str
    packages: tuple[str, ...]  # pinned
    newest_python: tuple[int, int] | None = None
    exact_python: tuple[int, int] | None = None


def environment(wanted: Environment, pythons: Sequence[str]) -> Path:
    """The interpreter of the environment, which is made where it is not there. Raises Missing."""
    cache = Path(os.environ.get("SYNCAM_CACHE") or Path.home() / ".cache" / "syncam") / "programs"
    folder = cache / wanted.name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    told = json.dumps(wanted.packages)
    done = folder / "installed.json"
    if done.is_file() and done.read_text() == told:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    print(f"{wanted.name}: installing {', '.join(wanted.packages)}", flush=True)
    subprocess.run([_python(wanted, pythons), "-m", "venv", folder], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run = subprocess.run([*pip, *wanted.packages], capture_output=True, text=True)
    if run.returncode:
        raise Missing(f"pip cannot install it: {run.stderr.strip().splitlines()[-1][:200]}")
    done.write_text(told)
    return python


def _python(wanted: Environment, pythons: Sequence[str]) -> str:
    if not (wanted.newest_python or wanted.exact_python):
        return sys.executable
    names = [f"python3.{minor}" for minor in range(13, 9, -1)]
    for candidate in [*pythons, sys.executable, *filter(None, map(shutil.which, names)), *_by_uv(wanted)]:
        found = subprocess.run(
            [candidate, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True
        )
        if found.returncode:
            continue
        version = tuple(map(int, found.stdout.split()))
        if version == wanted.exact_python or (wanted.newest_python and (3, 10) <= version <= wanted.newest_python):
            return candidate
    needed = wanted.exact_python or wanted.newest_python
    raise Missing(f"it needs Python {'.'.join(map(str, needed or ()))}; give one with --pythons")


def _by_uv(wanted: Environment) -> list[str]:
    uv, needed = shutil.which("uv"), wanted.exact_python or wanted.newest_python
    if uv is None or needed is None:
        return []
    found = subprocess.run([uv, "python", "find", ".".join(map(str, needed))], capture_output=True, text=True)
    return [found.stdout.strip()] if not found.returncode else []


def run_in(python: Path, script: Path, tasks: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """The program's version and its answers. Raises RuntimeError with the end of what it said where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "tasks.json", Path(folder) / "answers.json"
        asked.write_text(json.dumps(tasks))
        done = subprocess.run([python, script, asked, answered], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{script.name} failed:\n{(done.stdout + done.stderr)[-3000:]}")
        answers = json.loads(answered.read_text())
    return answers["version"], answers["answers"]
