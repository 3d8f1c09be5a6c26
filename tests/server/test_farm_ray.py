"""The farm with servers that Ray starts, and starts again: whatever is killed, every job is done, and once."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from comfy_server import PACK
from farm_jobs import GRAPH, slow

from syncam_core.farm.ledger import Ledger

pytest.importorskip("ray", reason="Ray is optional and 285 MB, so it is not among the tests' packages: pip install ray")

COMFYUI = Path(os.environ.get("COMFYUI_PATH", ""))
MARK = "--disable-api-nodes"


def children(process: int) -> list[int]:
    """All processes below one, Linux."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, new = set(), {process}
    while new:
        found |= new
        new = {child for child, parent in parents.items() if parent in new} - found
    return sorted(found - {process})


def command_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


@pytest.mark.parametrize("struck", [f"main.py --cpu {MARK}", "ray::ComfyServer"], ids=["a server", "a server's actor"])
def test_ray_starts_again_what_was_killed_and_no_job_is_lost_or_done_twice(tmp_path, struck):
    with (tmp_path / "t.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, slow(1, 0)[0])
        table.writeheader()
        table.writerows(slow(12, 4000))
    (tmp_path / "w.json").write_text(json.dumps(GRAPH))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "syncam_core.farm", "run", str(tmp_path / "t.csv"), "--to", str(out)]
    command += ["--workflow", str(tmp_path / "w.json"), "--engine", "ray", "--gpus", "2", "--comfy", str(COMFYUI)]
    farm = subprocess.Popen([*command, f"--comfy-arguments=--cpu {MARK}"], cwd=PACK, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 240
    while not Ledger(out).entries():
        assert farm.poll() is None, farm.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    below = children(farm.pid)
    os.kill(next(one for one in below if struck in command_of(one)), signal.SIGKILL)
    _, said = farm.communicate(timeout=400)
    assert farm.returncode == 0, said
    assert "does not answer" in said
    lines = [json.loads(line) for line in (out / "farm.jsonl").read_text().splitlines()]
    assert Counter(line["name"] for line in lines) == Counter(f"slow{n}" for n in range(12))
    assert {line["status"] for line in lines} == {"done"}
    assert sorted(path.name for path in out.iterdir() if path.is_dir()) == sorted(f"slow{n}" for n in range(12))
    assert not [one for one in below if MARK in command_of(one)], "a server outlived the farm"
