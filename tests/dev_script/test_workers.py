"""How the tests are shared between processes, seen on a small suite with pytest-xdist itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import workers

HELPERS = Path(workers.__file__).parent
CONFTEST = """
import workers

def pytest_configure(config):
    config.pluginmanager.register(workers.Workers())
    if workers.is_worker(config):
        workers.share_cores(config)
"""
TEST = """
import json, os, pathlib, time
import pytest

@pytest.mark.parametrize("number", range(3))
def test_it(number, request):
    said = [request.node.nodeid, os.getpid(), os.environ["OMP_NUM_THREADS"]]
    (pathlib.Path(os.environ["SAID"]) / f"{time.monotonic_ns()}.json").write_text(json.dumps(said))
"""
FILES = ("tests/a/test_first.py", "tests/a/test_second.py", "tests/server/test_one.py", "tests/server/test_two.py")


def run_of(tmp_path, *files):
    """What tests of a small suite say of themselves, two processes at work: [node id, process, threads], in order."""
    (tmp_path / "said").mkdir()
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(TEST)
    (tmp_path / "tests" / "conftest.py").write_text(CONFTEST)
    unwanted = ("PYTEST_", "OMP_", "MKL_", "OPENBLAS_NUM_")  # of the process that runs this test
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    environment |= {"PYTHONPATH": str(HELPERS), "SAID": str(tmp_path / "said")}
    command = [sys.executable, "-m", "pytest", "-n", "2", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert f"{3 * len(files)} passed" in done.stdout, done.stdout + done.stderr
    return [json.loads(file.read_text()) for file in sorted((tmp_path / "said").iterdir())]


def test_what_shares_a_server_runs_in_one_process_and_the_costliest_begins(tmp_path):
    said = run_of(tmp_path, *FILES)
    processes = {}
    for nodeid, process, _ in said:
        processes.setdefault(workers.unit_of(nodeid), set()).add(process)
    assert sorted(processes) == [*FILES[:2], "tests/server/"]
    assert [len(ids) for ids in processes.values()] == [1, 1, 1]
    assert len({process for _, process, _ in said}) == 2
    first = {process: nodeid for nodeid, process, _ in reversed(said)}
    assert "tests/server/test_one.py::test_it[0]" in first.values()
    assert {threads for *_, threads in said} == {str(max(1, len(os.sched_getaffinity(0)) // 2))}


def test_files_of_browser_tests_share_one_process_beside_others_and_are_shared_out_alone(tmp_path):
    browser = [f"tests/browser/test_{name}.py" for name in ("one", "two", "three", "four")]
    for folder, files, expected in (("all", [*browser, *FILES[:2]], 1), ("alone", browser, 2)):
        (tmp_path / folder).mkdir()
        said = run_of(tmp_path / folder, *files)
        assert len({process for nodeid, process, _ in said if nodeid.startswith("tests/browser/")}) == expected
        by_file = {}
        for nodeid, process, _ in said:
            by_file.setdefault(nodeid.partition("::")[0], set()).add(process)
        assert all(len(ids) == 1 for ids in by_file.values())


def test_a_file_that_starts_its_own_servers_is_a_unit_of_its_own():
    assert workers.unit_of("tests/server/test_two_checkouts.py::test_it") == "tests/server/test_two_checkouts.py"
    assert workers.unit_of("tests/server/test_http.py::test_it[a::b]") == "tests/server/"
    assert workers.unit_of("tests/cameras/test_rig.py::test_it") == "tests/cameras/test_rig.py"


def test_the_files_that_are_named_for_their_cost_are_there():
    root = HELPERS.parents[1]
    assert all((root / unit).exists() for unit in workers.COSTLIEST)
