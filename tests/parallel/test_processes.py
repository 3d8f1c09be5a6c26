"""One job over two processes that talk through gloo: the same numbers as one process, and no hang when one is gone."""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from forked import Forked, Process
from safetensors.torch import load_file, save_file

PACK = Path(__file__).resolve().parents[2]
DEMO = PACK / "demo_model"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ranks(size: int) -> list[dict[str, str]]:
    """What torchrun tells each process, without an agent that would end the others by itself."""
    there = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    sizes = {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size)}
    return [{**there, **sizes, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(size)]


@pytest.fixture(scope="module")
def forked():
    with Forked("parallel_process") as python:
        yield python


def ended(started: list[Process], within: float = 120) -> list[tuple[int, str, str]]:
    try:
        return [(p.returncode, *out) for p in started for out in [p.communicate(timeout=within)]]
    finally:
        for process in started:
            process.kill()


def processes(forked: Forked, arguments: list[str], size: int = 2) -> list[Process]:
    return [forked.start("parallel_process:command", *arguments, environment=told) for told in ranks(size)]


def helper(forked: Forked, what: str) -> list[Process]:
    return [forked.start("parallel_process:program", what, environment=told) for told in ranks(2)]


def test_two_processes_give_what_one_gives_for_all_couplings_and_splits(forked):
    results = ended(helper(forked, "equal"))
    assert [code for code, _, _ in results] == [0, 0], results
    reports = [json.loads(out) for _, out, _ in results]
    assert max(error for report in reports for error, _ in report) <= 2e-6
    # (5 views, 3 frames), 2 blocks, 2 steps, 2 conditionings, 6 tokens of 96 numbers in float32; the modulation by time
    # travels once a step. The first process has 3 views and 2 frames, the second 2 and 1.
    stream, time = 2 * 2 * 2 * 6 * 96 * 4, 2 * 2 * 3 * 96 * 4
    assert reports[0][3][1] == stream * (3 * 1 + 2 * 2) + time * 3 * 1
    assert reports[1][3][1] == stream * (2 * 2 + 3 * 1) + time * 2 * 2
    assert reports[0][5][1] == 0, "positive here, negative there: nothing to exchange between blocks"


@pytest.mark.parametrize("how", ["killed", "silent"])
def test_a_process_that_is_gone_ends_the_others_in_one_sentence_within_ten_seconds(forked, how):
    started = helper(forked, how)
    try:
        if how == "silent":
            wait_until_stopped(started[1].pid)
        else:
            started[1].wait(timeout=120)
            assert started[1].returncode == -signal.SIGKILL
        begun = time.monotonic()
        _, error = started[0].communicate(timeout=30)
        assert time.monotonic() - begun < 10.5  # looked at once a second
        assert started[0].returncode == 3
        sentences = [line for line in error.splitlines() if "ends, too." in line]
        assert len(sentences) == 1, error
        assert "Traceback" not in error
    finally:
        for process in started:
            process.kill()


def test_a_process_without_memory_says_so_and_ends_the_others_within_ten_seconds(forked, rig, tmp_path):
    arguments = [one for one in demo(rig, tmp_path / "out") if not one.startswith(("--width", "--height", "--steps"))]
    arguments += ["--width=192", "--height=192", "--steps=500", "--split=views", "--text=demo", "--coupling=nearest"]
    started = processes(forked, arguments, size=3)
    try:
        while " 1/500" not in (said := (started[0].output / "2").read_text()):  # it samples
            assert started[0].poll() is None, said
            time.sleep(0.02)
        status = Path(f"/proc/{started[1].pid}/status").read_text()
        size = 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmSize")))
        resource.prlimit(started[1].pid, resource.RLIMIT_AS, (size - 2**20, size - 2**20))
        begun = time.monotonic()
        errors = [process.communicate(timeout=60)[1] for process in started]
        assert time.monotonic() - begun < 10
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [3, 2, 3], errors
    assert "process 1 has not enough memory for its views; start more processes" in errors[1]
    assert all(sum("syncam_core.parallel: " in line for line in error.splitlines()) == 1 for error in errors), errors
    assert not any("Traceback" in error for error in errors)


def wait_until_stopped(pid: int) -> None:
    deadline = time.monotonic() + 120
    while "T (stopped)" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def torchrun(*arguments: str, size: int = 2) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(size), "--master-port"]
    command += [str(free_port()), "-m", "syncam_core.parallel", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(PACK), "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, cwd=PACK, capture_output=True, text=True, timeout=200)


def demo(rig: Path, to: Path) -> list[str]:
    files = {"base": "base", "view-sync": "view_sync", "vae": "vae"}
    options = [f"--{name}={DEMO / f'syncam_demo_{file}.safetensors'}" for name, file in files.items()]
    size = ["--width=64", "--height=64", "--length=5", "--steps=2", "--cfg=3", "--fps=8", "--precision=fp32"]
    return [*options, *size, f"--rig={rig}", f"--to={to}"]


@pytest.fixture
def rig(tmp_path):
    from syncam_core.cameras import orbit_rig, rig_to_json

    file = tmp_path / "rig.json"
    file.write_text(rig_to_json(orbit_rig([0, 30, 60], [15], [5])))
    return file


def test_torchrun_writes_the_views_that_one_process_writes_from_text_and_from_its_numbers(rig, tmp_path):
    words = ["--text=demo", "--prompt=a red ball on a blue floor"]
    both = torchrun(*demo(rig, tmp_path / "two"), *words)
    assert both.returncode == 0, both.stderr
    from syncam_core.training.text import text_encoder

    numbers = tmp_path / "words.safetensors"
    encode = text_encoder("demo")
    save_file({"positive": encode("a red ball on a blue floor"), "negative": encode("")}, numbers)
    one = torchrun(*demo(rig, tmp_path / "one"), f"--conditioning={numbers}", size=1)
    assert one.returncode == 0, one.stderr
    latents = [load_file(tmp_path / name / "latents.safetensors")["samples"] for name in ("one", "two")]
    assert latents[0].shape == (3, 16, 2, 8, 8)
    assert ((latents[0] - latents[1]).norm() / latents[0].norm()).item() <= 2e-6
    files = sorted(file.name for file in (tmp_path / "two").iterdir())
    assert [name for name in files if name.endswith(".mp4")] == sorted(
        file.name for file in (tmp_path / "one").iterdir() if file.name.endswith(".mp4")
    )
    assert sum(name.endswith(".mp4") for name in files) == 4, files  # a video for each view and the grid
    assert "views_rig.json" in files


def test_too_many_processes_are_refused_in_one_sentence(forked, rig, tmp_path):
    arguments = [*demo(rig, tmp_path / "out"), "--text=demo", "--split=views"]
    results = ended(processes(forked, arguments, size=4))
    assert [code for code, _, _ in results] == [2] * 4
    sentence = "4 processes are too many for 3 views with 'split' views; start 3."
    assert all(sentence in error and "Traceback" not in error for _, _, error in results), results


def test_what_all_are_refused_for_each_says_though_the_first_one_refuses_at_once(forked):
    started = [forked.start("parallel_process:refused_while_others_join", environment=told) for told in ranks(3)]
    results = ended(started)
    assert [code for code, _, _ in results] == [2, 2, 2], results
    assert all(error.count("no such rig.") == 1 and "Traceback" not in error for _, _, error in results), results


def test_without_torchrun_it_says_how_it_is_started(capsys, monkeypatch, rig, tmp_path):
    from syncam_core.parallel.__main__ import main

    monkeypatch.delenv("RANK", raising=False)
    assert main([*demo(rig, tmp_path)]) == 2
    assert "torchrun --nproc-per-node 2 -m syncam_core.parallel" in capsys.readouterr().err


def test_numbers_of_texts_that_are_none_are_refused(forked, rig, tmp_path):
    broken = tmp_path / "broken.safetensors"
    save_file({"other": torch.zeros(1)}, broken)
    results = ended(processes(forked, [*demo(rig, tmp_path), f"--conditioning={broken}"]))
    assert [code for code, _, _ in results] == [2, 2]
    assert all("holds no conditioning" in error and "Traceback" not in error for _, _, error in results), results
