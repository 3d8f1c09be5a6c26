"""Two checkouts on one machine, each with a server from ``dev.py serve`` on the same ComfyUI at the same time."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from comfy_server import free_port

PACK = Path(__file__).resolve().parents[2]
WEB_FILE = "web/lib/meter.mjs"
URL = "/extensions/ComfyUI-SynCam/lib/meter.mjs"


@contextlib.contextmanager
def served(checkout: Path, cache: Path, base: Path):
    """The address of a server of `checkout`; all its own folders are below `base`, as other checkouts' are."""
    port = free_port()
    command = [sys.executable, str(checkout / "scripts" / "dev.py"), "serve", "--port", str(port)]
    command += ["--base-directory", str(base), "--database-url", "sqlite:///:memory:", "--disable-api-nodes"]
    environment = {**os.environ, "COMFYUI_PYTHON": sys.executable, "SYNCAM_CACHE": str(cache)}
    log = checkout.parent / f"{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process, f"http://127.0.0.1:{port}", log
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def wait_for(process, url: str, log: Path) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        with contextlib.suppress(OSError):
            get(url + "/system_stats")
            return
        time.sleep(0.2)
    pytest.fail(f"no answer: {log.read_text(errors='replace')[-2000:]}")


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


def test_two_checkouts_run_at_once_and_each_serves_its_own_files(tmp_path):
    base, cache = tmp_path / "base", tmp_path / "cache"
    for name in ("custom_nodes", "models", "input", "output", "user"):
        (base / name).mkdir(parents=True)
    checkouts = []
    for name in ("first", "second"):
        checkouts.append(tmp_path / name)
        checkouts[-1].mkdir()
        shutil.copy(PACK / "__init__.py", checkouts[-1])
        for folder in ("nodes", "syncam_core", "scripts", "web"):
            shutil.copytree(PACK / folder, checkouts[-1] / folder, ignore=shutil.ignore_patterns("__pycache__"))
        with (checkouts[-1] / WEB_FILE).open("a", encoding="utf-8") as file:
            file.write(f"// of the {name} checkout\n")

    def shown(url: str, name: str) -> bool:
        lines = get(url + URL).decode().splitlines()
        return lines[-1] == f"// of the {name} checkout" and "SynCamSampler" in json.loads(get(url + "/object_info"))

    with served(checkouts[0], cache, base) as first, served(checkouts[1], cache, base) as second:
        for server in (first, second):
            wait_for(*server)
        previews = [Path(argument_of(url, "--temp-directory")) for _, url, _ in (first, second)]
        assert previews[0] != previews[1]  # a server empties this folder when it starts
        assert shown(first[1], "first")
        assert shown(second[1], "second")
        # a third command of the second checkout, while the first still serves
        where = [sys.executable, str(checkouts[1] / "scripts" / "dev.py"), "where"]
        subprocess.run(
            where, env={**os.environ, "COMFYUI_PYTHON": sys.executable, "SYNCAM_CACHE": str(cache)}, check=True
        )
        assert shown(first[1], "first")
    assert os.listdir(base / "custom_nodes") == []


def argument_of(url: str, name: str) -> str:
    """What the server at `url` was started with."""
    arguments = json.loads(get(url + "/system_stats"))["system"]["argv"]
    return arguments[arguments.index(name) + 1]
