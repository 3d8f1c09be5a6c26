"""What people are told about formats is what the formats say of themselves: a new one is a module and a line."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from docs_scripts import docs_script

from syncam_core import formats
from syncam_core.formats import FORMATS, camera_suffixes
from syncam_core.formats.words import ASKED_FOR, keys, reading_table, titles, writing_table

HELP = Path(__file__).resolve().parents[2] / "web" / "docs"
SAID = ("NAME", "UNIT", "WORDS", "FILE_READ", "CAMERA_AXES", "WORLD_AXES", "FILE_WRITTEN", "AXES_WRITTEN", "LOST")


@pytest.mark.parametrize("key", FORMATS)
def test_every_format_says_everything(key):
    for name in SAID:
        assert getattr(FORMATS[key], name).strip(), name
    assert FORMATS[key].UNIT in ("metres", "centimetres", "in the file", ASKED_FOR)


@pytest.mark.parametrize(("page", "table"), [("SynCamLoadRig", reading_table), ("SynCamSaveRig", writing_table)])
def test_the_help_pages_show_the_tables_that_the_formats_make(page, table):
    text = (HELP / f"{page}.md").read_text(encoding="utf-8")
    assert f"\n\n{table()}\n\n" in text
    assert table().count("\n") == len(FORMATS) + 1


def test_the_help_page_names_the_endings_of_all_camera_files():
    text = (HELP / "SynCamLoadRig.md").read_text(encoding="utf-8")
    assert f"A camera file ({', '.join(f'`{suffix}`' for suffix in camera_suffixes())})" in text


@pytest.fixture
def toy_format(monkeypatch):
    module = ModuleType("syncam_core.formats.toy")
    for name in SAID:
        setattr(module, name, f"toy {name}")
    module.NAME, module.UNIT, module.SUFFIXES = "Toy cameras (.toy)", ASKED_FOR, (".toy",)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(formats._MODULES, "toy", "toy")
    camera_suffixes.cache_clear()
    yield
    camera_suffixes.cache_clear()


def test_a_new_format_is_in_every_sentence_and_table(toy_format):
    assert titles().endswith("Nuke and Toy cameras")
    assert titles(UNIT=ASKED_FOR).endswith("Nuke and Toy cameras")
    assert keys(UNIT=ASKED_FOR).endswith("nuke_chan and toy")
    assert ".toy" in camera_suffixes()
    for table in (reading_table(), writing_table()):
        assert "\n| `toy` | toy FILE_" in table


def test_the_tables_are_written_into_the_pages_by_the_script(toy_format):
    script = docs_script("tables")
    page = (HELP / "SynCamLoadRig.md").read_text(encoding="utf-8")
    written = script.page_with_table(page, reading_table())
    assert reading_table() in written
    assert written.replace(reading_table().split("\n")[-1] + "\n", "") == page
