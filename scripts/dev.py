#!/usr/bin/env python3
"""Run, try and test ComfyUI-SynCam in a real ComfyUI, starting from nothing but Python.

    python3 scripts/dev.py demo     run the shipped workflow headless, results land in output/
    python3 scripts/dev.py test     lint, types and the whole test suite (extra arguments go to pytest: test -k rig)
    python3 scripts/dev.py check    lint and types only
    python3 scripts/dev.py serve    the web UI at http://127.0.0.1:8188 (extra arguments go to ComfyUI)
    python3 scripts/dev.py where    the ComfyUI in use, its Python and its version, as JSON

Which ComfyUI: the one that COMFYUI_PATH names; else the one in whose custom_nodes folder this checkout stands; else a
pinned release, set up once in a per-user cache folder. Into the first two nothing is installed and nothing is written.

The whole suite is run with that ComfyUI; then, with a pinned one and without --pinned, the browser tests once more with
the newest frontend, and the tests that need no ComfyUI with the newest libraries. What the package index has is looked up
once a week; without a network, what the cache holds is used. A table at the end says which versions were tested.
"""

# Only the standard library, here and in the dev_*.py files: dev_host.py finds the ComfyUI, dev_install.py sets the
# pinned one up, dev_layers.py what is newer than it, dev_pack.py shows it this checkout, dev_server.py starts it and runs
# a job on it, dev_terminal.py talks to the person.

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from dev_host import Comfy, environment_for_tests, find_comfy
from dev_install import DEFAULT_HOST, HOSTS, PACK, PYTHON_MIN, ROOT, cache_folder, find_python
from dev_layers import Layer, further_layers, on_all_cores, run_layers, table, usable_cores, versions_of
from dev_pack import show_pack
from dev_server import (
    answers,
    device_flags,
    fetch,
    free_port,
    headless_server,
    output_texts,
    port_is_free,
    result_files,
    run_workflow,
    server_death,
    start_server,
    stop_server,
)
from dev_terminal import WINDOWS, Problem, duration, run_logged, run_quietly, say

DEMO_WORKFLOW = ROOT / "example_workflows" / "api" / "demo.json"
DEMO_INPUTS = ROOT / "example_workflows" / "input"
DEMO_NOTE = (
    "Note: the demo runs on a toy model of a toy world, trained with this pack; see demo_model/README.md. "
    "Real Wan2.1 files are needed for real pictures."
)
DEMO_GUIDE = (
    "The sheet shows all views at six moments, the grid plays them together; each camera has a file of its own."
)


LINT = [["ruff", "check", "."], ["ruff", "format", "--check", "."]]
TYPES = ["mypy"]
# What says itself how many processes there are, or needs pytest's own terminal.
ONE_PROCESS = ("--numprocesses", "--dist", "--pdb", "--trace", "-s", "--capture", "--co", "--collect-only")


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which end us like Ctrl-C but reach no other process by themselves."""


def demo(options: argparse.Namespace, extra: list[str]) -> int:
    """Run a workflow in a server of its own and bring the results into output/."""
    started = time.monotonic()
    workflow = read_workflow(Path(options.workflow) if options.workflow else DEMO_WORKFLOW)
    comfy = find_comfy(options.host)
    if not options.workflow:
        say(DEMO_NOTE)
    run = new_run_folder()
    try:
        say(f"Starting ComfyUI {comfy.version} ...")
        with headless_server(comfy, show_pack(comfy), run, device_flags(comfy)) as server:
            if DEMO_INPUTS.is_dir():
                shutil.copytree(DEMO_INPUTS, run / "input", dirs_exist_ok=True)
            queued = time.monotonic()
            outputs = run_workflow(server, workflow)
            say(f"The job took {duration(time.monotonic() - queued)}.")
            results = [fetch(server, file, ROOT / "output") for file in result_files(outputs)]
    except Problem as problem:
        raise Problem(f"{problem}\nThe server's log: {run / 'server.log'}") from None
    shutil.rmtree(run, ignore_errors=True)
    if not results:
        raise Problem("The workflow ran but names no result files.")
    for text in output_texts(outputs):
        say(text)
    say("Results:")
    for path in results:
        print(path, flush=True)
    if not options.workflow:
        say(DEMO_GUIDE)
    say(f"Done in {duration(time.monotonic() - started)}.")
    return 0


def read_workflow(file: Path) -> dict:
    try:
        workflow = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise Problem(f"The workflow {file} cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise Problem(f"The workflow {file} is not JSON ({error}).") from None
    nodes = workflow.values() if isinstance(workflow, dict) else [None]
    if not all(isinstance(node, dict) and "class_type" in node for node in nodes):
        raise Problem(f"The workflow {file} is not in API format; in ComfyUI use Export (API).")
    return workflow


def new_run_folder() -> Path:
    """A folder for one server's files; those of failed runs are kept a week for their logs."""
    runs = cache_folder() / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    for old in runs.iterdir():
        if time.time() - old.stat().st_mtime > 7 * 86400:
            shutil.rmtree(old, ignore_errors=True)
    folder = runs / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    folder.mkdir()
    return folder


def serve(options: argparse.Namespace, extra: list[str]) -> int:
    """The server with its web UI, with ComfyUI's own folders, until Ctrl-C.

    Servers of several checkouts may run on the same ComfyUI: what each would take from the other is its own.
    """
    if not port_is_free(options.port):
        raise Problem(
            f"Port {options.port} is in use or not allowed; choose another, for example --port {free_port()}."
        )
    comfy = find_comfy(options.host)
    run = new_run_folder()
    log = run / "server.log"
    flags = [*show_pack(comfy).flags, "--temp-directory", str(run)]  # a starting server empties its temp folder
    if comfy.ours:
        flags += ["--database-url", "sqlite:///:memory:"]  # the file is locked by the first
    server = start_server(comfy, options.port, [*flags, *device_flags(comfy), *extra], log)
    try:
        with log.open("rb") as output:
            ready = False
            while server.process.poll() is None:
                sys.stderr.write(output.read().decode("utf-8", "replace"))
                sys.stderr.flush()
                if not ready and answers(options.port):
                    ready = True
                    print(f"\nComfyUI with {PACK}: http://127.0.0.1:{options.port}  (Ctrl-C stops it)", flush=True)
                time.sleep(0.3)
        raise server_death(server)
    finally:
        stop_server(server)


def where(options: argparse.Namespace, extra: list[str]) -> int:
    """Print the ComfyUI in use as one JSON object."""
    comfy = find_comfy(options.host)
    print(json.dumps({"comfyui": str(comfy.folder), "python": str(comfy.python), "version": comfy.version}))
    return 0


def test(options: argparse.Namespace, extra: list[str]) -> int:
    """Lint, types and the whole test suite in the chosen ComfyUI's Python; with arguments only what they ask for.

    The whole suite is followed by what depends on the newest frontend and the newest libraries, with these.
    """
    comfy = find_comfy(options.host, with_tests=True)
    environment = environment_for_tests(comfy)
    environment.update(COMFYUI_PATH=str(comfy.folder), COMFYUI_PYTHON=str(comfy.python))
    environment["SYNCAM_CHROMIUM"] = browser_for_tests([str(comfy.python), "-m", "playwright"], environment)
    asked = [word for word in (options.frontend, options.libraries) if word not in ("", "pinned")]
    unasked = "newest" if comfy.ours and not (options.pinned or extra or asked or options.host) else "pinned"
    newest = (options.frontend or unasked, options.libraries or unasked)
    further = further_layers(comfy, environment, *newest, extra, look=bool(asked))
    if asked:
        code, layers = run_layers(further, run_in_foreground), further
    else:
        arguments = [*side_by_side(extra), *extra]
        pinned = Layer(f"ComfyUI {comfy.version}", comfy.python, environment, arguments, versions_of(comfy.python))
        codes = [run_all(comfy, [*LINT, *([] if extra else [TYPES])], environment)]
        layers = [pinned, *further]
        codes.append(run_layers(layers, run_in_foreground))
        code = next((code for code in reversed(codes) if code), 0)
    if layers and (asked or len(layers) > 1):
        say(table(layers))
    return code


def check(options: argparse.Namespace, extra: list[str]) -> int:
    """Lint and types, which need no test to be run."""
    comfy = find_comfy(options.host, with_tests=True)
    return run_all(comfy, [*LINT, TYPES], environment_for_tests(comfy))


def run_all(comfy: Comfy, commands: list[list[str]], environment: dict[str, str]) -> int:
    """Run modules of the chosen Python one after another, whatever the ones before found; the last failure's code."""
    codes = [run_in_foreground([str(comfy.python), "-m", *command], environment) for command in commands]
    return next((code for code in reversed(codes) if code), 0)


def side_by_side(extra: list[str], cores: int | None = None) -> list[str]:
    """The options with which pytest uses the cores; none where its arguments decide that, or leave little to share.

    One file is one process's work.
    """
    cores = cores or usable_cores()
    names = [argument.partition("=")[0] for argument in extra]
    if any(name in ONE_PROCESS or name.startswith("-n") for name in names):
        return []
    paths = [argument.partition("::")[0] for argument in extra if not argument.startswith("-")]
    files = {path for path in paths if path.endswith(".py")}
    if cores < 2 or (len(files) == 1 and not any(os.path.isdir(ROOT / path) for path in paths)):
        return []
    return on_all_cores(cores)


def run_in_foreground(command: list[str], environment: dict[str, str]) -> int:
    """Run a command in the project root on our own terminal; it is ended with us."""
    child = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        return child.wait()
    except KeyboardInterrupt as stop:
        if isinstance(stop, Terminated) and not WINDOWS:
            child.send_signal(signal.SIGINT)  # Ctrl-C has reached it already
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=20)
        raise
    finally:
        child.kill()


def browser_for_tests(playwright: list[str], environment: dict[str, str]) -> str:
    """A browser that starts and can be driven, installed where the system lets us; else "", and why is said."""
    browser, driver = find_chromium(), run_quietly([*playwright, "--version"], environment).returncode == 0
    if not (browser and driver):
        install_browser()
        browser, driver = find_chromium(), run_quietly([*playwright, "--version"], environment).returncode == 0
    if not browser:
        say("No Chromium found and none could be installed: the browser tests will be skipped.")
    elif not driver:
        say("Playwright does not start (Debian, Ubuntu: install libatomic1): the browser tests will be skipped.")
    return browser if browser and driver else ""


def find_chromium() -> str | None:
    """A Chromium-based browser that is installed and starts."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
    candidates = [os.environ.get("SYNCAM_CHROMIUM"), *map(shutil.which, names)]
    if sys.platform == "darwin":
        candidates += [f"/Applications/{name}.app/Contents/MacOS/{name}" for name in ("Chromium", "Google Chrome")]
    if WINDOWS:
        roots = [os.environ.get(name, "") for name in ("ProgramFiles", "ProgramFiles(x86)", "LOCALAPPDATA")]
        tails = (r"Google\Chrome\Application\chrome.exe", r"Microsoft\Edge\Application\msedge.exe")
        candidates += [os.path.join(root, tail) for root in roots for tail in tails]
    installed = [candidate for candidate in candidates if candidate and os.path.isfile(candidate)]
    # Asking for the version tells a browser from a stub; on Windows it would open a window.
    return next((path for path in installed if WINDOWS or run_quietly([path, "--version"]).returncode == 0), None)


def install_browser() -> None:
    """Debian's Chromium and what Playwright's driver needs, where we are root (a container, a test machine)."""
    if WINDOWS or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    log = cache_folder() / "logs" / "chromium.log"
    log.unlink(missing_ok=True)
    say("Getting Chromium for the browser tests ...")
    install = ["apt-get", "install", "-y", "--no-install-recommends", "chromium", "libatomic1"]
    for command in (["apt-get", "update"], install):
        run_logged("Chromium", command, log, {**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def port_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; ports are 1 to 65535")
    return int(text)


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument(
        "--host",
        choices=list(HOSTS),
        metavar="VERSION",
        help=f"use this pinned ComfyUI: {', '.join(HOSTS)} (default: {DEFAULT_HOST}, or your own ComfyUI, see below)",
    )
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="dev.py",
        description=__doc__,
        formatter_class=plain,
        parents=[common],
        allow_abbrev=False,
        epilog="environment:\n"
        "  COMFYUI_PATH     use this ComfyUI; nothing is installed or written there\n"
        "  COMFYUI_PYTHON   the Python of that ComfyUI (default: its .venv or venv, python_embeded, this Python)\n"
        f"  SYNCAM_CACHE     where the pinned ComfyUI lives (now: {cache_folder()})\n"
        "  SYNCAM_CHROMIUM  the browser for the browser tests\n",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="{demo,test,check,serve,where}")

    def add(name: str, run, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, parents=[common], allow_abbrev=False)
        command.set_defaults(run=run)
        return command

    add("demo", demo, "run the shipped workflow headless; the results land in output/").add_argument(
        "--workflow", metavar="FILE", help="run this workflow (API format) instead of the shipped one"
    )
    suite = add("test", test, "lint, types and the whole test suite; further arguments go to pytest")
    suite.add_argument(
        "--frontend",
        default="",
        metavar="VERSION",
        help="only the browser tests (or those that further arguments name), with this frontend, or with the `newest`; "
        "`pinned`: leave out the run with the newest",
    )
    suite.add_argument(
        "--libraries",
        default="",
        choices=["newest", "pinned"],
        help="only the tests that need no ComfyUI (or those that further arguments name), with the newest PyAV, numpy, "
        "scipy and pillow; `pinned`: leave out the run with them",
    )
    suite.add_argument(
        "--pinned",
        action="store_true",
        help="only the pinned ComfyUI: without the runs with the newest frontend and the newest libraries",
    )
    add("check", check, "lint and types only")
    add("serve", serve, "the web UI until Ctrl-C; further arguments go to ComfyUI").add_argument(
        "--port", type=port_number, default=8188, help="default: 8188"
    )
    add("where", where, "print the ComfyUI folder, its Python and its version as JSON")
    options, extra = parser.parse_known_args(arguments)
    if extra and options.command in ("demo", "check", "where"):
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    options.host = getattr(options, "host", None)
    return options, [argument for argument in extra if argument != "--"]


def end(signum: int, frame: object) -> None:
    raise Terminated


def main(arguments: list[str]) -> int:
    if sys.version_info < PYTHON_MIN:
        command = [find_python(), os.path.abspath(__file__), *arguments]
        if WINDOWS:
            return subprocess.call(command)
        os.execv(command[0], command)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) != signal.SIG_IGN:
            signal.signal(getattr(signal, name), end)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with it ignored
    options, extra = parse(arguments)
    return options.run(options, extra)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Problem as problem:
        sys.exit(f"dev.py: {problem}")
    except KeyboardInterrupt:
        say("\ndev.py: stopped.")
        sys.exit(130)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            sys.exit(f"dev.py: the disk is full ({error.filename or cache_folder()}); free some space and run again.")
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            sys.exit(
                f"dev.py: {error.filename} cannot be written ({error.strerror}); SYNCAM_CACHE can name another cache."
            )
        raise
