"""The link to this checkout in a custom_nodes folder, and which folder that is."""

import json
import os
from pathlib import Path

import dev
import dev_install
import dev_pack
import pytest
from dev_host import Comfy
from dev_terminal import Problem


@pytest.fixture
def link(tmp_path):
    return tmp_path / "ComfyUI" / "custom_nodes" / "ComfyUI-SynCam"


def checkout(path):
    path.mkdir()
    (path / "__init__.py").write_text(path.name)
    return path


def test_the_pack_is_seen_in_custom_nodes_after_linking(tmp_path, link):
    pack = checkout(tmp_path / "clone")
    dev_pack.link_pack(link, pack)
    assert (link / "__init__.py").read_text() == "clone"
    assert [entry.name for entry in link.parent.iterdir()] == ["ComfyUI-SynCam"]


def test_linking_again_leaves_the_link_alone(tmp_path, link, capsys):
    pack = checkout(tmp_path / "clone")
    dev_pack.link_pack(link, pack)
    before = link.lstat().st_ino
    dev_pack.link_pack(link, pack)
    assert link.lstat().st_ino == before
    assert capsys.readouterr().err == ""


def test_a_link_of_another_checkout_is_turned_over_and_that_is_said(tmp_path, link, capsys):
    first, second = checkout(tmp_path / "first"), checkout(tmp_path / "second")
    dev_pack.link_pack(link, first)
    dev_pack.link_pack(link, second)
    assert (link / "__init__.py").read_text() == "second"
    assert (first / "__init__.py").read_text() == "first"
    assert str(first) in capsys.readouterr().err


def test_a_link_to_a_checkout_that_was_deleted_is_turned_over(tmp_path, link):
    dev_pack.link_pack(link, tmp_path / "gone")
    pack = checkout(tmp_path / "clone")
    dev_pack.link_pack(link, pack)
    assert (link / "__init__.py").read_text() == "clone"


def test_a_real_folder_in_the_links_place_is_never_removed(tmp_path, link):
    link.mkdir(parents=True)
    (link / "work.txt").write_text("mine")
    with pytest.raises(Problem, match="move it away"):
        dev_pack.link_pack(link, checkout(tmp_path / "clone"))
    assert (link / "work.txt").read_text() == "mine"


# -- which folder it is


@pytest.fixture
def comfyui(tmp_path):
    """The pinned ComfyUI, which all checkouts of a machine share."""
    (tmp_path / "ComfyUI" / "custom_nodes").mkdir(parents=True)
    return Comfy(tmp_path / "ComfyUI", Path("python"), "0.30.0", ours=True)


def seen_by(pack):
    """The packs in the search path that a server is started with."""
    option, config = pack.flags
    assert option == "--extra-model-paths-config"
    folder = Path(json.loads(Path(config).read_text("utf-8").split("custom_nodes: ")[1]))
    return {entry.name: entry.resolve() for entry in folder.iterdir()}


def shown(comfyui, root, monkeypatch):
    monkeypatch.setattr(dev_pack, "ROOT", root)
    return dev_pack.show_pack(comfyui)


def test_every_checkout_has_a_search_path_of_its_own_which_the_others_leave_alone(comfyui, tmp_path, monkeypatch):
    first, second = checkout(tmp_path / "first"), checkout(tmp_path / "second")
    packs = [shown(comfyui, root, monkeypatch) for root in (first, second, first)]
    assert packs[0] == packs[2] != packs[1]
    assert [seen_by(pack) for pack in packs[:2]] == [{"ComfyUI-SynCam": first}, {"ComfyUI-SynCam": second}]
    assert os.listdir(comfyui.folder / "custom_nodes") == []


def test_the_link_that_all_checkouts_shared_once_is_removed_and_what_it_led_to_stays(comfyui, tmp_path, monkeypatch):
    first, second = checkout(tmp_path / "first"), checkout(tmp_path / "second")
    for target in (first, second, tmp_path / "gone"):
        dev_pack.link_pack(comfyui.folder / "custom_nodes" / "ComfyUI-SynCam", target)
        assert seen_by(shown(comfyui, first, monkeypatch)) == {"ComfyUI-SynCam": first}
        assert os.listdir(comfyui.folder / "custom_nodes") == []
    assert (first / "__init__.py").read_text() == "first"
    assert (second / "__init__.py").read_text() == "second"


def test_a_pack_of_the_same_name_that_would_be_loaded_beside_this_checkout_is_named_and_left(
    comfyui, tmp_path, monkeypatch
):
    other = comfyui.folder / "custom_nodes" / "ComfyUI-SynCam"
    checkout(other)
    with pytest.raises(Problem, match="move it away"):
        shown(comfyui, checkout(tmp_path / "mine"), monkeypatch)
    assert (other / "__init__.py").exists()
    assert shown(comfyui, other, monkeypatch) == dev_pack.ShownPack("ComfyUI-SynCam")  # unless it is this checkout


def test_where_only_looks(comfyui, monkeypatch, capsys):
    """Whatever it has to install, it shows no checkout to anyone."""
    monkeypatch.setattr("dev_host.set_up", lambda version, with_tests: (comfyui.folder, comfyui.python))
    assert dev.main(["where"]) == 0
    assert json.loads(capsys.readouterr().out)["comfyui"] == str(comfyui.folder)
    assert os.listdir(comfyui.folder / "custom_nodes") == []
    assert not dev_install.cache_folder().exists()
