"""What `dev.py test` and `dev.py check` run, and when the tests are shared between processes."""

import re
import signal
from pathlib import Path

import dev
import pytest
from dev_host import Comfy
from dev_layers import Layer

LINT = [["ruff", "check", "."], ["ruff", "format", "--check", "."]]


@pytest.fixture
def ran(monkeypatch):
    """The modules that a command runs with the chosen Python; those named in `ran.failing` fail.

    `ran.asked` are the frontend and the libraries of further runs, which are `ran.further`.
    """

    class Ran(list):
        failing = {}  # noqa: RUF012
        further = ()
        asked = ()

    commands = Ran()

    def run(command, environment):
        assert command[:2] == ["python", "-m"]
        commands.append(command[2:])
        return commands.failing.get(command[2], 0)

    monkeypatch.setattr(dev, "find_comfy", lambda host, with_tests: Comfy(Path("ComfyUI"), Path("python"), "", True))
    monkeypatch.setattr(dev, "browser_for_tests", lambda playwright, environment: "")
    monkeypatch.setattr(dev, "usable_cores", lambda: 2)

    def further_layers(comfy, environment, frontend, libraries, extra, look):
        commands.asked = (frontend, libraries, look)
        return list(commands.further)

    monkeypatch.setattr(dev, "run_in_foreground", run)
    monkeypatch.setattr(dev, "further_layers", further_layers)
    return commands


def test_the_whole_suite_is_linted_type_checked_and_shared_between_the_cores(ran):
    assert dev.main(["test"]) == 0
    assert ran == [*LINT, ["mypy"], ["pytest", "-n", "2"]]


LAYER = Layer("frontend 9", Path("python"), {}, ["tests/browser"], "frontend 9")


def test_the_whole_suite_is_followed_by_what_is_newest_and_a_table(ran, capsys):
    ran.further = [LAYER]
    assert dev.main(["test"]) == 0
    assert ran.asked == ("newest", "newest", False)
    assert ran[-2:] == [["pytest", "-n", "2"], ["pytest", "tests/browser"]]
    told = capsys.readouterr().err
    assert re.search(r"ComfyUI .*\nfrontend 9 ", told, re.DOTALL)


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["-k", "rig"], ("pinned", "pinned", False)),
        (["--pinned"], ("pinned", "pinned", False)),
        (["--host", "0.24.0"], ("pinned", "pinned", False)),
        (["--frontend", "pinned"], ("pinned", "newest", False)),
        (["--libraries", "pinned"], ("newest", "pinned", False)),
        (["--frontend", "newest"], ("newest", "pinned", True)),
        (["--frontend", "1.53.6", "-k", "editor"], ("1.53.6", "pinned", True)),
        (["--libraries", "newest"], ("pinned", "newest", True)),
    ],
)
def test_what_is_newest_is_tried_with_the_whole_suite_or_where_it_is_asked_for(ran, arguments, asked):
    assert dev.main(["test", *arguments]) == 0
    assert ran.asked == asked
    assert any(command[0] == "pytest" for command in ran) != asked[2]  # asked for alone


def test_a_failure_with_what_is_newest_is_a_failure(ran):
    ran.further, ran.failing = [LAYER], {"pytest": 1}
    assert dev.main(["test", "--frontend", "newest"]) == 1


def test_a_part_of_the_suite_is_not_type_checked(ran):
    assert dev.main(["test", "tests/cameras", "-k", "x"]) == 0
    assert ran == [*LINT, ["pytest", "-n", "2", "tests/cameras", "-k", "x"]]


def test_check_runs_no_test(ran):
    assert dev.main(["check"]) == 0
    assert ran == [*LINT, ["mypy"]]


def test_everything_is_run_and_one_failure_is_enough(ran):
    ran.failing = {"mypy": 1}
    assert dev.main(["test"]) == 1
    assert ran[-1][0] == "pytest"
    ran.failing = {"ruff": 1, "pytest": 5}
    assert dev.main(["test", "-x"]) == 5


@pytest.mark.parametrize(
    ("extra", "cores", "options"),
    [
        ([], 2, ["-n", "2"]),
        ([], 1, []),
        ([], 64, ["-n", "6"]),
        (["-x", "--lf"], 4, ["-n", "4"]),
        (["tests/cameras/test_rig.py"], 2, []),
        (["tests/cameras/test_rig.py::test_a", "tests/cameras/test_rig.py::test_b"], 2, []),
        (["tests/cameras/test_rig.py", "tests/cameras/test_meter.py"], 2, ["-n", "2"]),
        (["tests/cameras/test_rig.py", "tests/formats"], 2, ["-n", "2"]),
        (["-n", "0"], 2, []),
        (["-n4"], 2, []),
        (["--numprocesses=3"], 2, []),
        (["tests/nodes", "--pdb"], 2, []),
        (["-s"], 2, []),
        (["--collect-only", "-q"], 2, []),
    ],
)
def test_processes_are_used_where_there_is_something_to_share_and_nobody_says_otherwise(extra, cores, options):
    assert dev.side_by_side(extra, cores) == options


def test_ctrl_c_ends_it_also_where_a_shell_has_started_it_in_the_background(ran):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        dev.main(["check"])
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
