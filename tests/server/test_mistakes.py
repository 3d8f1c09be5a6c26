"""docs/mistakes.md is what a real ComfyUI answers: each of its mistakes is made again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from comfy_server import Server
from docs_scripts import docs_script

MADE = docs_script("mistakes")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A server of its own: some sentences list what is in its folders."""
    server = Server(Path(os.environ["COMFYUI_PATH"]), tmp_path_factory.mktemp("mistakes"))
    yield server
    server.stop()


def test_each_mistake_is_answered_as_the_page_says(fresh):
    page = MADE.PAGE.read_text(encoding="utf-8")
    assert page.startswith(MADE.HEAD)
    rows = page.removeprefix(MADE.HEAD).splitlines()
    assert len(rows) == len(MADE.MISTAKES) >= 40
    for mistake, row in zip(MADE.MISTAKES, rows, strict=True):
        assert MADE.row(fresh, mistake) == row
