"""The pictures of the documentation can be made again, are small, and stand on a help page for every node."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from docs_scripts import docs_script
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
HELP = ROOT / "web" / "docs"
SHOWN = re.compile(r"!\[([^\]]+)\]\(([\w./]+)\)")


@pytest.fixture(scope="module")
def script():
    return docs_script("pictures")


def coarse(image: Image.Image) -> np.ndarray:
    """Blocks of 4 x 4 pixels: fonts, palettes and JPEG differ a little from machine to machine."""
    return np.asarray(image.convert("RGB").reduce(4)).astype(int)


def test_the_script_draws_what_is_shipped(script):
    for name, draw in script.PICTURES.items():
        picture, shipped = Image.open(BytesIO(script.drawn(name, draw))), Image.open(ROOT / name)
        assert shipped.size == picture.size, name
        assert np.abs(coarse(shipped) - coarse(picture)).mean() < 1.5, name


@pytest.mark.parametrize(
    "page", [*sorted(HELP.glob("*.md")), ROOT / "docs" / "conventions.md"], ids=lambda page: page.stem
)
def test_every_page_shows_a_picture_with_words_for_those_who_cannot_see_it(page):
    pictures = SHOWN.findall(page.read_text(encoding="utf-8"))
    assert pictures
    for words, name in pictures:
        assert len(words) >= 20
        with Image.open(page.parent / name) as image:
            image.verify()


def test_no_picture_is_left_over_and_together_they_stay_below_two_megabytes(script):
    films = {f"{name}.avif" for name in (*docs_script("films").FILMS, "SynCamPlayer")}  # they have a test of their own
    files = [path for path in HELP.rglob("*") if path.suffix in (".avif", ".png", ".jpg") and path.name not in films]
    shown = {page.parent / name for page in HELP.glob("*.md") for _, name in SHOWN.findall(page.read_text("utf-8"))}
    assert set(files) == {path for path in shown if path.name not in films}
    drawn = {ROOT / name for name in script.PICTURES}
    assert {path.name for path in set(files) - drawn} == {"SynCamRigEditor.avif", "SynCamSavePage.avif"}  # photographs
    assert max(path.stat().st_size for path in files) < 150_000
    assert sum(path.stat().st_size for path in files) < 2_000_000
