"""A ComfyUI of the person's own is used as it stands and left as it was."""

import json
import os
import sys
from pathlib import Path

import dev
import dev_host
import dev_install
import dev_pack
import pytest
from dev_host import Comfy
from dev_terminal import Problem
from tiny_packages import make_wheel


@pytest.fixture
def comfyui(tmp_path):
    folder = tmp_path / "my ComfyUI"
    (folder / "comfy").mkdir(parents=True)
    (folder / "custom_nodes").mkdir()
    (folder / "main.py").write_text("")
    (folder / "comfyui_version.py").write_text('__version__ = "0.29.1"\n')
    return folder


def files_of(folder):
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_the_comfyui_named_by_comfyui_path_is_used_and_nothing_is_written_there(comfyui, monkeypatch, capsys):
    monkeypatch.setenv("COMFYUI_PATH", str(comfyui))
    monkeypatch.setenv("COMFYUI_PYTHON", sys.executable)
    before = files_of(comfyui)
    assert dev.main(["where"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"comfyui": str(comfyui), "python": sys.executable, "version": "0.29.1"}
    assert files_of(comfyui) == before
    assert not dev_install.cache_folder().exists()


def shown(comfyui):
    return dev_pack.show_pack(Comfy(comfyui, Path(sys.executable), "0.29.1"))


def test_a_pack_that_is_not_in_its_custom_nodes_is_shown_to_it_by_a_search_path(comfyui):
    before = files_of(comfyui)
    pack = shown(comfyui)
    option, config = pack.flags
    assert option == "--extra-model-paths-config"
    key, value = Path(config).read_text("utf-8").split("custom_nodes: ")
    assert key == "syncam:\n  "
    folder = json.loads(value)
    assert os.listdir(folder) == [pack.name]
    assert os.path.samefile(os.path.join(folder, pack.name), dev_install.ROOT)
    assert files_of(comfyui) == before


def test_a_pack_that_is_in_its_custom_nodes_needs_no_search_path_whatever_its_folder_is_called(comfyui):
    (comfyui / "custom_nodes" / "my-syncam").symlink_to(dev_install.ROOT, target_is_directory=True)
    assert shown(comfyui) == dev_pack.ShownPack("my-syncam", ())


def test_a_checkout_inside_custom_nodes_finds_the_comfyui_around_it(comfyui, monkeypatch):
    inside = comfyui / "custom_nodes" / "ComfyUI-SynCam"
    monkeypatch.setattr(dev_host, "ROOT", inside)
    assert dev_host.someones_comfyui() == comfyui


def test_a_checkout_elsewhere_finds_none(tmp_path, monkeypatch):
    monkeypatch.setattr(dev_host, "ROOT", tmp_path / "custom_nodes" / "ComfyUI-SynCam")
    assert dev_host.someones_comfyui() is None


def test_comfyui_path_that_names_something_else_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    with pytest.raises(Problem, match=r"COMFYUI_PATH is .*holds no ComfyUI"):
        dev_host.someones_comfyui()


@pytest.mark.parametrize("place", [".venv", "venv", "../venv"])
def test_its_python_is_that_of_its_own_environment(comfyui, place):
    python = dev_install.venv_python(comfyui / place)
    python.parent.mkdir(parents=True)
    python.write_text("")
    assert os.path.samefile(dev_host.python_of(comfyui), python)


def test_the_portable_build_brings_its_python(comfyui):
    python = comfyui.parent / "python_embeded" / "python.exe"
    python.parent.mkdir()
    python.write_text("")
    assert dev_host.python_of(comfyui) == python


def test_a_python_without_torch_is_refused_in_one_sentence(comfyui, tmp_path, monkeypatch):
    python = tmp_path / "python-without-torch"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    monkeypatch.setenv("COMFYUI_PYTHON", str(python))
    with pytest.raises(Problem, match=r"cannot import torch.*COMFYUI_PYTHON"):
        dev_host.adopt(comfyui)


def test_a_python_that_does_not_exist_is_refused_in_one_sentence(comfyui, monkeypatch):
    monkeypatch.setenv("COMFYUI_PYTHON", "/no/such/python")
    with pytest.raises(Problem, match=r"COMFYUI_PYTHON is /no/such/python"):
        dev_host.adopt(comfyui)


def test_the_test_tools_bring_nothing_that_its_python_has_already(comfyui, monkeypatch, tmp_path):
    index, checkout = tmp_path / "index", tmp_path / "checkout"
    index.mkdir()
    (checkout / "tests").mkdir(parents=True)
    (checkout / "tests" / "requirements.txt").write_text("tinytest\n")
    make_wheel(index, "tinytest", "1.0", needs=("tinyneed", "pytest>1"))
    make_wheel(index, "tinyneed", "1.0")
    make_wheel(index, "pytest", "99.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr(dev_host, "ROOT", checkout)
    environment = dev_host.environment_for_tests(Comfy(comfyui, Path(sys.executable), "0.29.1"))
    tools = Path(environment["PYTHONPATH"].split(os.pathsep)[0])
    assert {path.name for path in tools.iterdir() if path.suffix != ".dist-info"} == {"tinytest", "tinyneed"}
