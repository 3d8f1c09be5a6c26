"""The pictures of the documentation can be made again, and are small enough for a help page."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ("docs/conventions.png", "web/docs/SynCamRigPreview.jpg", "web/docs/SynCamRigMeter.png")


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("docs_pictures", ROOT / "scripts" / "docs_pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_draws_what_is_shipped(script):
    drawn = (script.conventions(1280, 660), script.preview_example(), script.meter_example())
    for name, picture in zip(PICTURES, drawn, strict=True):
        shipped = np.asarray(Image.open(ROOT / name).convert("RGB"))
        assert shipped.shape == picture.shape, name
        # fonts and JPEG differ a little from machine to machine
        assert np.abs(shipped.astype(int) - picture).mean() < 3, name


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_below_150_kb_and_the_pages_show_them(name):
    path = ROOT / name
    assert path.stat().st_size < 150_000
    page = path.with_suffix(".md").read_text(encoding="utf-8")
    assert re.search(rf"!\[[^\]]{{20,}}\]\({path.name}\)", page)  # with words for those who cannot see it
