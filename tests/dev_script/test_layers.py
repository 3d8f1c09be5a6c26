"""The newest frontend and the newest libraries: fetched with real pip from tiny packages, kept, and run one after the other."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import dev_install
import dev_layers
import pytest
from dev_host import Comfy
from dev_layers import Layer
from dev_terminal import Problem
from tiny_packages import make_wheel

ROOT = Path(__file__).resolve().parents[2]
PINNED = Comfy(Path("ComfyUI"), Path(sys.executable), "0.30.0", ours=True)
WEEK_S = 7 * 86400


@pytest.fixture
def index(monkeypatch, tmp_path):
    """All that pip knows: a folder, empty at first."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


def add_frontend(index, version):
    files = {"comfyui_frontend_package/static/index.html": f"frontend {version}"}
    make_wheel(index, "comfyui_frontend_package", version, files)


def newest(look=False):
    version, folder = dev_layers.find_frontend(PINNED, "newest", look)
    assert (folder / "index.html").read_text() == f"frontend {version}"
    return version


def grow_old(marker):
    os.utime(marker, (time.time() - WEEK_S - 60,) * 2)


def test_the_newest_frontend_is_kept_and_looked_for_again_after_a_week_or_when_asked(index, capsys):
    add_frontend(index, "1.8.9")
    add_frontend(index, "1.10.2")
    assert newest() == "1.10.2"
    add_frontend(index, "1.11.0")
    capsys.readouterr()
    assert newest() == "1.10.2"
    assert capsys.readouterr().err == ""  # nothing was asked
    grow_old(dev_install.cache_folder() / "frontends" / "newest")
    assert newest() == "1.11.0"
    add_frontend(index, "1.12.0")
    assert newest(look=True) == "1.12.0"


def test_without_an_index_the_kept_frontend_is_used_and_that_is_said(index, capsys):
    add_frontend(index, "1.10.2")
    newest()
    next(index.iterdir()).unlink()
    assert newest(look=True) == "1.10.2"
    assert "the newest frontend of an earlier run, 1.10.2, is used" in capsys.readouterr().err


def test_a_named_frontend_needs_the_index_once(index):
    add_frontend(index, "1.8.9")
    add_frontend(index, "1.10.2")
    assert dev_layers.find_frontend(PINNED, "1.8.9", True)[0] == "1.8.9"
    for wheel in index.iterdir():
        wheel.unlink()
    assert dev_layers.find_frontend(PINNED, "1.8.9", True)[0] == "1.8.9"
    with pytest.raises(Problem, match=r"has no comfyui-frontend-package==1\.9\.0"):
        dev_layers.further_layers(PINNED, {}, "1.9.0", "pinned", [], look=True)


def test_what_cannot_be_had_or_is_not_newer_is_left_out_with_one_sentence(index, monkeypatch, capsys):
    assert dev_layers.further_layers(PINNED, {}, "newest", "pinned", [], look=False) == []
    assert "Left out: The package index has no comfyui-frontend-package" in capsys.readouterr().err
    add_frontend(index, "1.10.2")
    monkeypatch.setattr(dev_layers, "versions_of", lambda python, frontend="": "torch 2.11.0, frontend 1.10.2")
    assert dev_layers.further_layers(PINNED, {}, "newest", "pinned", [], look=False) == []
    assert "1.10.2, is the one that the host has already" in capsys.readouterr().err


def test_the_layer_of_a_frontend_runs_the_browser_tests_with_it(index):
    add_frontend(index, "1.10.2")
    (layer,) = dev_layers.further_layers(PINNED, {"A": "b"}, "newest", "pinned", [], look=False)
    assert layer.command == [sys.executable, "-m", "pytest", *dev_layers.on_all_cores(), "tests/browser"]
    assert (Path(layer.environment["SYNCAM_FRONTEND"]) / "index.html").read_text() == "frontend 1.10.2"
    assert layer.environment["A"] == "b"
    assert layer.versions.endswith("frontend 1.10.2")
    (layer,) = dev_layers.further_layers(PINNED, {}, "newest", "pinned", ["-k", "editor"], look=False)
    assert layer.arguments == ["-k", "editor", "tests/browser"]
    (layer,) = dev_layers.further_layers(PINNED, {}, "newest", "pinned", ["tests/server", "-x"], look=False)
    assert layer.arguments == ["tests/server", "-x"]


@pytest.fixture
def checkout(monkeypatch, tmp_path, index):
    """A checkout whose core needs one library, of which the index has three versions."""
    folder = tmp_path / "checkout"
    (folder / "tests").mkdir(parents=True)
    (folder / "requirements.txt").write_text("tinypack\n")
    (folder / "tests" / "requirements.txt").write_text("tinytest==1.0  # for the tests\n")
    for name, version in (("tinylib", "1.9"), ("tinylib", "1.10"), ("tinypack", "1.0"), ("tinytest", "1.0")):
        make_wheel(index, name, version)
    monkeypatch.setattr(dev_layers, "ROOT", folder)
    monkeypatch.setattr(dev_layers, "LIBRARIES", ("tinylib",))
    monkeypatch.setattr(dev_layers, "ALSO_NEEDED", ())
    return folder


def libraries(look=False):
    """The versions that the environment of the newest libraries has, and where it has its torch from."""
    with dev_install.locked(dev_install.cache_folder() / "libraries") as place:
        python = dev_layers.install_libraries(place, PINNED, sys.executable, look)
    ask = "import tinylib, tinytest, importlib.util as u; print(tinylib.__version__, u.find_spec('torch').origin)"
    return subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.split()


def test_the_newest_libraries_stand_before_the_hosts_and_share_its_torch(checkout, index, capsys):
    version, torch = libraries()
    assert version == "1.10"
    assert Path(torch).parents[1] == dev_layers.site_packages(Path(sys.executable))
    make_wheel(index, "tinylib", "1.11")
    capsys.readouterr()
    assert libraries()[0] == "1.10"
    assert capsys.readouterr().err == ""
    assert libraries(look=True)[0] == "1.11"
    for wheel in index.iterdir():
        wheel.unlink()
    assert libraries(look=True)[0] == "1.11"


def test_another_python_gets_the_hosts_torch_in_its_own_build_and_the_hosts_cuda_libraries(
    checkout, index, monkeypatch, tmp_path
):
    host = tmp_path / "host" / "lib" / "python3.1" / "site-packages"
    (host / "nvidia").mkdir(parents=True)
    make_wheel(index, "torch", "2.11.0")
    make_wheel(index, "torch", "99.0")
    own = dev_layers.site_packages
    monkeypatch.setattr(dev_layers, "site_packages", lambda python: host if python == PINNED.python else own(python))
    monkeypatch.setattr(dev_layers, "TORCH_NEEDS", ("tinypack",))
    version, torch = libraries()
    assert version == "1.10"
    folder = Path(torch).parents[1]
    assert folder != own(Path(sys.executable))
    assert (folder / "torch-2.11.0.dist-info").is_dir()
    assert os.path.samefile(folder / "nvidia", host / "nvidia")


def test_the_newest_python_that_torch_has_a_build_for_is_taken_also_one_of_pyenv(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "version_info", (3, 11, 7, "final", 0))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()

    def put(file, answer):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{answer}\n")
        file.chmod(0o755)
        return str(file)

    assert dev_layers.newest_python() == sys.executable
    twelve = put(tmp_path / "pyenv" / "versions" / "3.12.1" / "bin" / "python3.12", "echo cpython True")
    assert dev_layers.newest_python() == twelve
    put(tmp_path / "bin" / "python3.13", "exit 127")  # as pyenv's own do for a version that is not chosen
    put(tmp_path / "bin" / "python3.14", "echo pypy True")
    put(tmp_path / "bin" / "python3.15", "echo cpython True")
    assert dev_layers.newest_python() == twelve
    put(tmp_path / "bin" / "python3.13", "echo cpython True")
    assert dev_layers.newest_python() == "python3.13"


def stand_in(tmp_path, name, script):
    """A layer whose Python does what a shell script says."""
    file = tmp_path / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return Layer(name, file, dict(os.environ), ["tests"], f"{name} 1.0")


def numbers(**counts):
    return f"echo '{json.dumps(counts)}' > $SYNCAM_NUMBERS"


def in_foreground(command, environment):
    return subprocess.call(command, env=environment)


def test_layers_run_one_after_another_and_every_result_is_in_the_table(tmp_path, capfd):
    ended, running = tmp_path / "ended", tmp_path / "running"
    alone = f"mkdir {running} || exit 9; sleep 0.1; rmdir {running}"
    layers = [
        stand_in(tmp_path, "first", f"{alone}; {numbers(passed=3, skipped=1)}; echo first >> {ended}"),
        stand_in(
            tmp_path, "second", f"{alone}; echo said; {numbers(failed=2, passed=1)}; echo second >> {ended}; exit 1"
        ),
        stand_in(tmp_path, "third", f"{alone}; echo third >> {ended}; exit 3"),
    ]
    assert dev_layers.run_layers(layers, in_foreground) == 3
    assert ended.read_text().split() == ["first", "second", "third"]
    told = capfd.readouterr()
    assert "said" in told.out
    assert [line for line in told.err.splitlines() if line.startswith("Testing")] == [
        "Testing: first",
        "Testing: second",
        "Testing: third",
    ]
    assert dev_layers.table(layers).splitlines() == [
        "first   3 passed, 1 skipped",
        "        first 1.0",
        "second  2 failed, 1 passed",
        "        second 1.0",
        "third   ended before its end (exit code 3)",
        "        third 1.0",
    ]


def test_an_earlier_layers_failure_is_that_of_the_run(tmp_path):
    layers = [stand_in(tmp_path, "first", "exit 5"), stand_in(tmp_path, "second", numbers(passed=1))]
    assert dev_layers.run_layers(layers, in_foreground) == 5


def test_who_stops_a_layer_stops_them_all(tmp_path):
    layers = [stand_in(tmp_path, "first", ""), stand_in(tmp_path, "second", f"touch {tmp_path}/begun")]

    def stopped(command, environment):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dev_layers.run_layers(layers, stopped)
    assert not (tmp_path / "begun").exists()


@pytest.mark.parametrize(("cores", "options"), [(1, ["-n", "0"]), (2, ["-n", "2"]), (64, ["-n", "6"])])
def test_a_layer_uses_all_cores_up_to_six(cores, options):
    assert dev_layers.on_all_cores(cores) == options


def test_pytest_leaves_its_numbers_for_the_table(tmp_path):
    file = tmp_path / "numbers.json"
    environment = {**os.environ, "SYNCAM_NUMBERS": str(file)}
    chosen = "tests/repository/test_archive.py::test_no_file_of_the_archive_has_a_name_that_some_file_system_refuses"
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", chosen]
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    assert json.loads(file.read_text()) == {"passed": 1}
