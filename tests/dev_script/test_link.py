"""The link to this checkout in custom_nodes."""

import dev_install
import pytest
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
    dev_install.link_pack(link, pack)
    assert (link / "__init__.py").read_text() == "clone"
    assert [entry.name for entry in link.parent.iterdir()] == ["ComfyUI-SynCam"]


def test_linking_again_leaves_the_link_alone(tmp_path, link, capsys):
    pack = checkout(tmp_path / "clone")
    dev_install.link_pack(link, pack)
    before = link.lstat().st_ino
    dev_install.link_pack(link, pack)
    assert link.lstat().st_ino == before
    assert capsys.readouterr().err == ""


def test_a_link_of_another_checkout_is_turned_over_and_that_is_said(tmp_path, link, capsys):
    first, second = checkout(tmp_path / "first"), checkout(tmp_path / "second")
    dev_install.link_pack(link, first)
    dev_install.link_pack(link, second)
    assert (link / "__init__.py").read_text() == "second"
    assert (first / "__init__.py").read_text() == "first"
    assert str(first) in capsys.readouterr().err


def test_a_link_to_a_checkout_that_was_deleted_is_turned_over(tmp_path, link):
    dev_install.link_pack(link, tmp_path / "gone")
    pack = checkout(tmp_path / "clone")
    dev_install.link_pack(link, pack)
    assert (link / "__init__.py").read_text() == "clone"


def test_a_real_folder_in_the_links_place_is_never_removed(tmp_path, link):
    link.mkdir(parents=True)
    (link / "work.txt").write_text("mine")
    with pytest.raises(Problem, match="move it away"):
        dev_install.link_pack(link, checkout(tmp_path / "clone"))
    assert (link / "work.txt").read_text() == "mine"
