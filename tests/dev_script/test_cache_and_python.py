"""Where the cache is, which releases are pinned, which Python is taken, what is said when one is missing."""

import re
import sys
from pathlib import Path

import dev
import dev_install
import pytest
from dev_terminal import Problem


def test_the_cache_can_be_moved_by_a_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("SYNCAM_CACHE", str(tmp_path / "elsewhere"))
    assert dev_install.cache_folder() == tmp_path / "elsewhere"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SYNCAM_CACHE", "relative")
    assert dev_install.cache_folder() == tmp_path / "relative"


@pytest.mark.parametrize(
    ("system", "environment", "expected"),
    [
        ("linux", {}, "home/.cache/syncam"),
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/syncam"),
        ("darwin", {}, "home/Library/Caches/syncam"),
        ("darwin", {"XDG_CACHE_HOME": "/xdg"}, "home/Library/Caches/syncam"),
    ],
)
def test_the_cache_is_where_the_system_keeps_caches(monkeypatch, tmp_path, system, environment, expected):
    monkeypatch.delenv("SYNCAM_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "platform", system)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert dev_install.cache_folder() == tmp_path / expected


def test_on_windows_the_cache_is_in_local_app_data(monkeypatch):
    monkeypatch.delenv("SYNCAM_CACHE")
    monkeypatch.setattr(dev_install, "WINDOWS", True)
    monkeypatch.setenv("LOCALAPPDATA", "/users/me/local")
    assert dev_install.cache_folder() == Path("/users/me/local/syncam")


def test_a_cache_that_cannot_be_written_is_named_in_one_sentence(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(Problem, match=r"cannot be written.*SYNCAM_CACHE"), dev_install.locked(blocked / "0.30.0"):
        pass


def test_every_pinned_release_has_its_own_complete_hash():
    hashes = [release.sha256 for release in dev_install.HOSTS.values()]
    assert len(set(hashes)) == len(hashes)
    assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in hashes)
    assert dev_install.DEFAULT_HOST in dev_install.HOSTS


@pytest.mark.parametrize("arguments", [["--host", "0.27.0", "where"], ["where", "--host", "0.27.0"]])
def test_the_host_can_be_named_before_or_after_the_command(arguments):
    assert dev.parse(arguments)[0].host == "0.27.0"


def test_an_unknown_host_is_answered_with_the_list(capsys):
    with pytest.raises(SystemExit):
        dev.parse(["where", "--host", "0.1.0"])
    message = capsys.readouterr().err
    assert all(version in message for version in dev_install.HOSTS)


@pytest.mark.parametrize(
    "extra", [["-k", "rig"], ["-x", "tests/cameras/test_rig.py"], ["--lf", "-q"], ["-k", "not rig", "--co"]]
)
def test_what_follows_test_goes_to_pytest_as_it_stands(extra):
    assert dev.parse(["test", *extra])[1] == extra


def test_an_argument_that_nothing_takes_is_refused(capsys):
    with pytest.raises(SystemExit):
        dev.parse(["demo", "--fast"])
    assert "--fast" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "implementation", "bits", "expected"),
    [
        ((3, 10, 0), "cpython", 64, True),
        ((3, 14, 2), "cpython", 64, True),
        ((3, 9, 18), "cpython", 64, False),
        ((3, 15, 0), "cpython", 64, False),
        ((3, 12, 1), "cpython", 32, False),
        ((3, 10, 14), "pypy", 64, False),
    ],
)
def test_a_python_is_taken_where_torch_has_a_build_for_it(version, implementation, bits, expected):
    assert dev_install.suitable(version, implementation, bits) is expected


def test_a_python_that_does_not_suit_is_replaced_by_one_on_path(monkeypatch, tmp_path):
    python = tmp_path / "python3.12"
    python.write_text('#!/bin/sh\necho \'["/somewhere/python3.12", [3, 12], "cpython", 64]\'\n')
    python.chmod(0o755)
    broken = tmp_path / "python3.13"
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "version_info", (3, 9, 0))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert dev_install.find_python() == "/somewhere/python3.12"


def test_without_any_suitable_python_one_sentence_says_which_are(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "version_info", (3, 9, 0))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Problem, match=r"3\.10 to 3\.14"):
        dev_install.find_python()


def test_too_little_space_is_said_before_anything_is_made(monkeypatch):
    monkeypatch.setattr(dev_install, "SPACE_NEEDED", 1 << 50)
    with pytest.raises(Problem, match=r"takes 1048576 GiB, but .* SYNCAM_CACHE"):
        dev_install.set_up("0.30.0", with_tests=False)
    assert not list(dev_install.cache_folder().glob("*/venv"))
