"""What the Comfy registry hands out: `comfy node pack` takes the files in git that `.comfyignore` does not name."""

from __future__ import annotations

import subprocess
import zlib
from pathlib import Path

import pathspec
import pytest

ROOT = Path(__file__).resolve().parents[2]
LARGEST_ARCHIVE = 10_000_000  # bytes


@pytest.fixture(scope="module")
def packed() -> set[str]:
    """The archive's files; the patterns are read by the library that comfy-cli reads them with."""
    ignored = pathspec.GitIgnoreSpec.from_lines((ROOT / ".comfyignore").read_text(encoding="utf-8").splitlines())
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=True, capture_output=True, text=True)
    return {name for name in listed.stdout.split("\0") if name and not ignored.match_file(name)}


def below(*folders: str) -> set[str]:
    """Every file of these folders as it is on the disk, whatever git and .comfyignore say of it; no links to others."""
    files = (
        path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file() and not path.is_symlink()
    )
    return {path.relative_to(ROOT).as_posix() for path in files if path.suffix not in (".pyc", ".pyo")}


def test_the_archive_holds_all_that_a_running_pack_needs(packed):
    needed = below("nodes", "syncam_core", "web", "locales", "example_workflows", "subgraphs", "training_configs")
    needed |= {path.relative_to(ROOT).as_posix() for path in (ROOT / "demo_model").glob("*.safetensors")}
    needed |= {"__init__.py", "pyproject.toml", "requirements.txt", "LICENSE", "README.md", "demo_model/README.md"}
    assert len([name for name in needed if name.endswith(".safetensors")]) == 6
    assert needed - packed == set()


def test_the_archive_holds_nothing_of_the_development(packed):
    assert {name.split("/")[0] for name in packed if "/" in name} == {
        *(
            "nodes",
            "syncam_core",
            "web",
            "locales",
            "example_workflows",
            "subgraphs",
            "demo_model",
            "docs",
            "training_configs",
        )
    }
    assert {name for name in packed if "/" not in name} == {
        *("__init__.py", "pyproject.toml", "requirements.txt", "requirements-training.txt"),
        *("README.md", "CHANGELOG.md", "LICENSE", "SECURITY.md", "CITATION.cff"),
    }
    assert {Path(name).suffix for name in packed if name.startswith("docs/")} == {".md"}
    assert {name for name in packed if name.startswith("demo_model/")} - {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "demo_model").glob("*.safetensors")
    } == {"demo_model/README.md", "demo_model/syncam_demo_view_sync.json"}


def test_the_archive_has_no_links_which_zip_writes_as_whole_files(packed):
    assert [name for name in packed if (ROOT / name).is_symlink()] == []


def test_the_archive_has_at_most_ten_megabytes(packed):
    sizes = {name: len(zlib.compress((ROOT / name).read_bytes())) for name in packed}
    largest = sorted(sizes, key=sizes.get, reverse=True)[:10]
    names = sum(2 * len(name) + 100 for name in packed)  # a zip says every file's name twice
    assert sum(sizes.values()) + names <= LARGEST_ARCHIVE, [(name, sizes[name]) for name in largest]


def test_no_file_of_the_archive_has_a_name_that_some_file_system_refuses(packed):
    assert len({name.casefold() for name in packed}) == len(packed)
    assert [name for name in packed if not name.isascii() or set(name) & set('<>:"|?*\\')] == []
    assert max(map(len, packed)) < 120


def test_every_python_file_can_be_read_by_a_windows_console(packed):
    """Tools that open files in the system's code page stop at a sign that cp1252 does not have."""
    for name in packed:
        if name.endswith(".py"):
            (ROOT / name).read_text(encoding="utf-8").encode("cp1252")
