"""What the suite runs beside the pinned host: the newest frontend and the newest libraries, each kept in the cache.

Both are looked up in the package index once a week; in between, and where it cannot be reached, what the cache holds is
used. A layer that cannot be had is said to be left out, in one sentence: that is no failure of the code under test.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dev_host import Comfy
from dev_install import (
    PYTHON_MAX,
    ROOT,
    TORCH,
    Place,
    cache_folder,
    discard,
    drop_half_installed,
    is_done,
    isolated_environment,
    locked,
    make_venv,
    pip,
    requirements_key,
    write_atomically,
)
from dev_terminal import Problem, run_quietly, say

FRONTEND = "comfyui-frontend-package"
LOOK_AGAIN_S = 7 * 86400
NUMBERS = "SYNCAM_NUMBERS"  # names the file in which tests/conftest.py counts the results
# What the core computes with, in the newest versions; and what it only needs to be there.
LIBRARIES = ("numpy", "scipy", "pillow", "av")
ALSO_NEEDED = ("einops", "safetensors", "tqdm", "pyyaml", "psutil", "packaging", "huggingface_hub")
TORCH_NEEDS = ("filelock", "typing-extensions", "sympy", "networkx", "jinja2", "fsspec", "setuptools")
# Not the metrics: their networks come with libraries of the host (kornia, transformers, torchvision). Pictures of the help
# pages show them.
CORE_TESTS = (
    *(
        f"tests/{folder}"
        for folder in ("cameras", "formats", "datasets", "disk", "preview", "synthetic", "video", "view_sync")
    ),
    "--ignore=tests/preview/test_docs_pictures.py",
)
TOLD = ("torch", *LIBRARIES, FRONTEND)  # the packages whose versions a result is told with
VERSIONS = """
import json, platform, sys
from importlib import metadata
versions = {"Python": platform.python_version()}
for name in sys.argv[1:]:
    try: versions[name] = metadata.version(name)
    except metadata.PackageNotFoundError: pass
print(json.dumps(versions))
"""


@dataclass
class Layer:
    """One run of pytest with its own versions; `result` is filled in by the run, or says why there was none."""

    title: str
    python: Path
    environment: dict[str, str]
    arguments: list[str]
    versions: str
    result: str = ""

    @property
    def command(self) -> list[str]:
        return [str(self.python), "-m", "pytest", *self.arguments]


def versions_of(python: Path, frontend: str = "") -> str:
    """'Python 3.13.0, torch 2.11.0, ...', with another frontend than the installed one if that is given."""
    answer = run_quietly([str(python), "-c", VERSIONS, *TOLD], isolated_environment())
    found: dict[str, str] = json.loads(answer.stdout) if answer.returncode == 0 else {}
    if frontend:
        found[FRONTEND] = frontend
    return ", ".join(f"{name.removeprefix('comfyui-').removesuffix('-package')} {found[name]}" for name in found)


def further_layers(
    comfy: Comfy, environment: dict[str, str], frontend: str, libraries: str, extra: list[str], look: bool
) -> list[Layer]:
    """The layers that are asked for; `frontend` and `libraries` are "pinned" where theirs is not.

    A newest one that cannot be had, or is not newer than what the host has, is left out with a sentence.
    """
    makers: list[Callable[[], Layer]] = []
    if frontend != "pinned":
        makers.append(lambda: frontend_layer(comfy, environment, frontend, extra, look))
    if libraries != "pinned":
        makers.append(lambda: libraries_layer(comfy, extra, look))
    layers = []
    for make in makers:
        try:
            layers.append(make())
        except Problem as problem:
            if frontend not in ("pinned", "newest"):
                raise
            say(f"Left out: {problem}")
    return layers


def frontend_layer(comfy: Comfy, environment: dict[str, str], wanted: str, extra: list[str], look: bool) -> Layer:
    """The browser tests with a newer frontend; raises Problem where there is none."""
    version, folder = find_frontend(comfy, wanted, look)
    environment = {**environment, "SYNCAM_FRONTEND": str(folder)}
    arguments = with_folders(extra, on_all_cores(), ("tests/browser",))
    return Layer(f"frontend {version}", comfy.python, environment, arguments, versions_of(comfy.python, version))


def with_folders(extra: list[str], usual: list[str], folders: tuple[str, ...]) -> list[str]:
    """What the person asks of pytest, in `folders` where that names no tests; without it the `usual` options."""
    named = any((ROOT / argument.partition("::")[0]).exists() for argument in extra if not argument.startswith("-"))
    return extra if named else [*(extra or usual), *folders]


def find_frontend(comfy: Comfy, wanted: str, look: bool) -> tuple[str, Path]:
    """The version and the folder (that with index.html) of a frontend: "newest", or a version."""
    with locked(cache_folder() / "frontends") as place:
        if wanted != "newest":
            return wanted, fetch_frontend(place, comfy.python, wanted)[1]
        known = place.folder / "newest"
        if is_fresh(known, look):
            version = known.read_text("utf-8")
            folder = place.folder / version
        else:
            try:
                version, folder = fetch_frontend(place, comfy.python)
                write_atomically(known, version)
            except Problem as problem:
                if not known.is_file():
                    raise
                version = known.read_text("utf-8")
                folder = place.folder / version
                say(f"{problem}\nSo the newest frontend of an earlier run, {version}, is used.")
    if f"frontend {version}" in versions_of(comfy.python).split(", "):
        raise Problem(f"the newest frontend, {version}, is the one that the host has already.")
    return version, folder


def is_fresh(marker: Path, look: bool) -> bool:
    """Whether the index need not be asked again."""
    return not look and marker.is_file() and time.time() - marker.stat().st_mtime < LOOK_AGAIN_S


def fetch_frontend(place: Place, python: Path, version: str = "") -> tuple[str, Path]:
    """Bring a frontend into the cache, the newest where no version is named; its version and its folder."""
    if version and (place.folder / version / "index.html").is_file():
        return version, place.folder / version
    arriving = place.temporary / "frontend"
    name = f"{FRONTEND}=={version}" if version else FRONTEND
    label = f"frontend {version}" if version else "the newest frontend"
    pip(place, python, "frontend", label, "install", "--no-deps", "--target", str(arriving), name)
    found = next(arriving.glob("comfyui_frontend_package-*.dist-info")).name.split("-")[1].removesuffix(".dist")
    folder = place.folder / found
    if not (folder / "index.html").is_file():
        discard(folder)
        os.replace(arriving / "comfyui_frontend_package" / "static", folder)
    return found, folder


def libraries_layer(comfy: Comfy, extra: list[str], look: bool) -> Layer:
    """The core's tests with the newest libraries; raises Problem where there is nothing newer."""
    if not comfy.ours:
        raise Problem("the newest libraries are tried beside the pinned ComfyUI, not beside one of your own.")
    base = newest_python()
    minor = run_quietly([base, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).stdout.strip()
    with locked(cache_folder() / "libraries" / f"python-{minor}") as place:
        python = install_libraries(place, comfy, base, look)
    told = versions_of(python)
    if told == ", ".join(part for part in versions_of(comfy.python).split(", ") if not part.startswith("frontend")):
        raise Problem("the newest libraries for this Python are those that the pinned host has already.")
    arguments = with_folders(extra, on_all_cores(), CORE_TESTS)
    return Layer("newest libraries", python, isolated_environment(), arguments, told)


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def on_all_cores(cores: int | None = None) -> list[str]:
    """The options with which pytest shares the tests between processes. More than six would only wait for the dearest."""
    cores = cores or usable_cores()
    return ["-n", str(min(cores, 6))] if cores > 1 else ["-n", "0"]


def newest_python() -> str:
    """The newest CPython that PyTorch has a build for: on PATH, or one of pyenv's that is not."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for minor in range(PYTHON_MAX[1], sys.version_info[1], -1):
        for command in (f"python3.{minor}", *map(str, sorted(pyenv.glob(f"3.{minor}.*/bin/python3.{minor}")))):
            asked = [command, "-c", "import sys; print(sys.implementation.name, sys.maxsize > 2**32)"]
            if run_quietly(asked).stdout.split() == ["cpython", "True"]:
                return command
    return sys.executable


def install_libraries(place: Place, comfy: Comfy, base: str, look: bool) -> Path:
    """An environment with the newest libraries and the torch of the pinned host; its Python."""
    python = make_venv(place, base)
    files = [ROOT / "requirements.txt", ROOT / "tests" / "requirements.txt"]
    lines = [line.split("#")[0].strip() for file in files for line in file.read_text("utf-8").splitlines()]
    key = requirements_key([str(comfy.folder), *TORCH, *LIBRARIES, *lines])
    marker = place.venv / "done" / "libraries"
    if is_done(marker, key):
        if not is_fresh(marker, look):
            # Without a network pip keeps what is there.
            pip(
                place, python, "libraries", "the newest libraries", "install", "--retries", "0", "--upgrade", *LIBRARIES
            )
            write_atomically(marker, key)
        return python
    drop_half_installed(place.venv)
    add_torch(place, comfy, python)
    # accelerate names torch, whose own requirements are the gigabytes that both environments share
    alone = [line for line in lines if line.startswith("accelerate")]
    wanted = [*LIBRARIES, *ALSO_NEEDED, *(line for line in lines if line and line not in alone)]
    pip(place, python, "libraries", "the newest libraries", "install", "--upgrade", *wanted)
    if alone:
        pip(place, python, "alone", alone[0], "install", "--no-deps", *alone)
    write_atomically(marker, key)
    return python


def add_torch(place: Place, comfy: Comfy, python: Path) -> None:
    """The host's torch itself where both Pythons are alike; else the same version, with the host's CUDA libraries."""
    theirs, ours = (site_packages(each) for each in (comfy.python, python))
    if theirs.parent.name == ours.parent.name:
        (ours / "host.pth").write_text(f"{theirs}\n", "utf-8")  # behind what is installed here
        return
    pip(place, python, "torch", "PyTorch", "install", "--no-deps", TORCH[0])
    pip(place, python, "torch-needs", "what PyTorch needs", "install", *TORCH_NEEDS)
    if (theirs / "nvidia").is_dir():
        (ours / "nvidia").unlink(missing_ok=True)
        (ours / "nvidia").symlink_to(theirs / "nvidia", target_is_directory=True)
    if run_quietly([str(python), "-c", "import torch"], isolated_environment()).returncode != 0:
        raise Problem("PyTorch cannot be used by both Pythons, so the newest libraries are not tried on this machine.")


def site_packages(python: Path) -> Path:
    asked = run_quietly([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    return Path(asked.stdout.strip())


def run_layers(layers: list[Layer], in_foreground: Callable[[list[str], dict[str, str]], int]) -> int:
    """Run one layer after another, each of which uses all cores, whatever the ones before found; the last failure's code."""
    codes = []
    with tempfile.TemporaryDirectory() as folder:
        for index, layer in enumerate(layers):
            numbers = Path(folder, f"{index}.json")
            say(f"Testing: {layer.title}")
            codes.append(in_foreground(layer.command, {**layer.environment, NUMBERS: str(numbers)}))
            layer.result = result_of(numbers, codes[-1])
    return next((code for code in reversed(codes) if code), 0)


def result_of(numbers: Path, code: int) -> str:
    """'1230 passed, 2 skipped', from what tests/conftest.py wrote there."""
    if not numbers.is_file():
        return f"ended before its end (exit code {code})"
    counted: dict[str, int] = json.loads(numbers.read_text("utf-8"))
    return ", ".join(f"{count} {what}" for what, count in counted.items()) or "no test"


def table(layers: list[Layer]) -> str:
    """Which versions were tested, and with what result."""
    width = max(len(layer.title) for layer in layers)
    return "\n".join(f"{layer.title:{width}}  {layer.result}\n{'':{width}}  {layer.versions}" for layer in layers)
