"""Unpacking of the source distribution that holds the pinned ComfyUI."""

import io
import tarfile

import dev_install
import pytest
from dev_terminal import Problem

GOOD = {
    "pkg-1.0/PKG-INFO": b"Name: pkg",
    "pkg-1.0/vendor/ComfyUI/main.py": b"print('hello')",
    "pkg-1.0/vendor/ComfyUI/comfy/ops.py": b"",
}


def archive_of(path, files, *extra):
    """A .tar.gz of plain files and then of ready-made members (TarInfo, content)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for member, content in extra:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def special(name, kind, target=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member, b""


def test_only_the_vendored_comfyui_is_unpacked(tmp_path):
    target = tmp_path / "ComfyUI"
    names = dev_install.unpack_comfyui(archive_of(tmp_path / "a.tar.gz", GOOD), target)
    assert names == ["main.py", "comfy/ops.py"]
    assert (target / "main.py").read_bytes() == b"print('hello')"
    assert sorted(path.name for path in target.rglob("*")) == ["comfy", "main.py", "ops.py"]


@pytest.mark.parametrize(
    "evil",
    [
        special("pkg-1.0/vendor/ComfyUI/link", tarfile.SYMTYPE, "/etc"),
        special("pkg-1.0/vendor/ComfyUI/hard", tarfile.LNKTYPE, "pkg-1.0/PKG-INFO"),
        special("pkg-1.0/vendor/ComfyUI/pipe", tarfile.FIFOTYPE),
        special("pkg-1.0/vendor/ComfyUI/disk", tarfile.BLKTYPE),
        (tarfile.TarInfo("pkg-1.0/vendor/ComfyUI/../../../../escaped"), b"x"),
        (tarfile.TarInfo("/escaped"), b"x"),
        (tarfile.TarInfo("pkg-1.0/vendor/ComfyUI/..\\..\\escaped"), b"x"),
        (tarfile.TarInfo("C:/escaped"), b"x"),
    ],
    ids=lambda member: member[0].name,
)
def test_an_archive_with_anything_but_plain_files_below_itself_is_refused(tmp_path, evil):
    archive = archive_of(tmp_path / "a.tar.gz", GOOD, evil)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(Problem, match="not unpacked"):
        dev_install.unpack_comfyui(archive, tmp_path / "deep" / "ComfyUI")
    written = [path for path in set(tmp_path.rglob("*")) - before if not path.is_dir()]
    assert all(tmp_path / "deep" / "ComfyUI" in path.parents for path in written)
    assert not (tmp_path.parent / "escaped").exists()


def test_a_symlink_cannot_redirect_a_later_entry(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    link = special("pkg-1.0/vendor/ComfyUI/comfy", tarfile.SYMTYPE, str(outside))
    through = (tarfile.TarInfo("pkg-1.0/vendor/ComfyUI/comfy/x.py"), b"x")
    with pytest.raises(Problem):
        dev_install.unpack_comfyui(archive_of(tmp_path / "a.tar.gz", {}, link, through), tmp_path / "ComfyUI")
    assert list(outside.iterdir()) == []


def test_an_archive_that_unpacks_to_more_than_a_comfyui_can_be_is_refused_before_it_fills_the_disk(tmp_path):
    bomb = tarfile.TarInfo("pkg-1.0/vendor/ComfyUI/zeros")
    bomb.size = dev_install.UNPACK_MAX_BYTES + 1
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.fileobj.write(bomb.tobuf())  # the header alone: the size is judged before the data is read
    with pytest.raises(Problem, match="more than a ComfyUI can be"):
        dev_install.unpack_comfyui(archive, tmp_path / "ComfyUI")
    assert not (tmp_path / "ComfyUI" / "zeros").exists()


def test_an_archive_with_too_many_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(dev_install, "UNPACK_MAX_FILES", 2)
    with pytest.raises(Problem, match="more than a ComfyUI can be"):
        dev_install.unpack_comfyui(archive_of(tmp_path / "a.tar.gz", GOOD), tmp_path / "ComfyUI")


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.9])
def test_a_cut_off_archive_is_called_damaged(tmp_path, keep):
    archive = archive_of(tmp_path / "a.tar.gz", GOOD)
    data = archive.read_bytes()
    archive.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    with pytest.raises(Problem, match="damaged"):
        dev_install.unpack_comfyui(archive, tmp_path / "ComfyUI")
