"""Which ComfyUI is used: the person's own, as it stands, or the pinned one."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from dev_install import (
    DEFAULT_HOST,
    ROOT,
    cache_folder,
    comfyui_version,
    discard,
    is_done,
    isolated_environment,
    locked,
    pip,
    requirements_key,
    set_up,
    venv_python,
    write_atomically,
)
from dev_terminal import Problem, run_quietly, say


@dataclass(frozen=True)
class Comfy:
    """A ComfyUI that is ready to start."""

    folder: Path
    python: Path
    version: str
    ours: bool = False  # stands in our cache folder


def find_comfy(version: str | None, with_tests: bool = False) -> Comfy:
    """The ComfyUI to use. An explicitly asked-for version is always one of ours."""
    folder = None if version else someones_comfyui()
    if folder:
        comfy = adopt(folder)
        say(f"Using ComfyUI {comfy.version} in {comfy.folder} with {comfy.python}.")
        return comfy
    version = version or DEFAULT_HOST
    return Comfy(*set_up(version, with_tests), version, ours=True)


def someones_comfyui() -> Path | None:
    """The ComfyUI of the person, if there is one to be used instead of ours."""
    named = os.environ.get("COMFYUI_PATH")
    if named:
        folder = Path(named).expanduser().absolute()
        if not is_comfyui(folder):
            raise Problem(
                f"COMFYUI_PATH is {folder}, which holds no ComfyUI (main.py and comfy/); correct or unset it."
            )
        return folder
    # Both spellings of this file's place: a checkout may be linked into custom_nodes, or stand there itself.
    for checkout in (Path(os.path.abspath(__file__)).parent.parent, ROOT):
        folder = checkout.parent.parent
        if checkout.parent.name == "custom_nodes" and is_comfyui(folder) and cache_folder() not in folder.parents:
            return folder
    return None


def is_comfyui(folder: Path) -> bool:
    return (folder / "main.py").is_file() and (folder / "comfy").is_dir()


def adopt(folder: Path) -> Comfy:
    """Use somebody's ComfyUI as it stands: nothing is installed there, nothing is written there."""
    python = python_of(folder)
    if run_quietly([str(python), "-c", "import torch"]).returncode != 0:
        raise Problem(f"{python} cannot import torch, so it does not run {folder}; name its Python in COMFYUI_PYTHON.")
    return Comfy(folder, python, comfyui_version(folder))


def python_of(folder: Path) -> Path:
    """The Python that runs somebody's ComfyUI."""
    named = os.environ.get("COMFYUI_PYTHON")
    if named:
        found = shutil.which(os.path.expanduser(named))
        if not found:
            raise Problem(f"COMFYUI_PYTHON is {named}, which is not a program that can be run; correct or unset it.")
        return Path(found).absolute()
    environments = [folder / ".venv", folder / "venv", folder.parent / "venv"]
    candidates = [*map(venv_python, environments), folder.parent / "python_embeded" / "python.exe"]
    return next((python for python in candidates if python.is_file()), Path(sys.executable))


def environment_for_tests(comfy: Comfy) -> dict[str, str]:
    """The environment in which `comfy.python` finds the test tools.

    Where that Python is somebody's, the tools go into a folder of ours that only the tests see; without what it has
    already, of which a second one, a torch above all, would stand before the person's.
    """
    if comfy.ours:
        return isolated_environment()
    file = ROOT / "tests" / "requirements.txt"
    described = run_quietly([str(comfy.python), "-c", "import sys; print(sys.version, sys.executable)"]).stdout
    key = requirements_key([described, file.read_text("utf-8")])
    with locked(cache_folder() / "test-tools" / key[:12]) as place:
        tools, marker = place.folder / "packages", place.folder / "done"
        if not is_done(marker, key):
            discard(tools)
            report = place.temporary / "report.json"
            plan = ["install", "--dry-run", "--report", str(report), "-r", str(file)]
            pip(place, comfy.python, "plan", "the list of the test tools", *plan)
            packages = [item["metadata"] for item in json.loads(report.read_text("utf-8"))["install"]]
            wanted = [f"{package['name']}=={package['version']}" for package in packages]
            if wanted:
                pip(
                    place,
                    comfy.python,
                    "tests",
                    "the test tools",
                    "install",
                    "--no-deps",
                    "--target",
                    str(tools),
                    *wanted,
                )
            write_atomically(marker, key)
    paths = [str(tools), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
