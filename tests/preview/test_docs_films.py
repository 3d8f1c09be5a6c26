"""The moving pictures of the documentation can be made again, move, are small, and stand on the pages of their nodes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from docs_scripts import docs_script, template
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
HELP = ROOT / "web" / "docs"


@pytest.fixture(scope="module")
def script():
    return docs_script("films")


def frames_of(path: Path) -> np.ndarray:
    with Image.open(path) as film:
        frames = []
        for frame in range(film.n_frames):
            film.seek(frame)
            frames.append(np.asarray(film.convert("RGB")).astype(int))
    return np.stack(frames)


def repeats_for_ever(path: Path) -> bool:
    """The edit list says that it repeats, the movie that it never ends: 64 bits of ones where its length would be."""
    content = path.read_bytes()
    edits = content.index(b"elst") + 4
    movie = content.index(b"mvhd") + 4
    return content[edits + 3] == 1 and content[movie + 24 : movie + 32] == b"\xff" * 8


def is_of_limited_range(path: Path) -> bool:
    """No description of colours has the bit of the full range, which Chromium overlooks in films."""
    descriptions = path.read_bytes().split(b"colrnclx")[1:]
    return len(descriptions) > 0 and not any(colours[6] & 0x80 for colours in descriptions)


def test_the_script_writes_the_film_that_it_is_asked_for(script, tmp_path):
    script.main(["ViewSweep"], tmp_path, tmp_path, speed=10)
    assert [path.name for path in tmp_path.iterdir()] == ["SynCamViewSweep.avif"]
    made, shipped = frames_of(tmp_path / "SynCamViewSweep.avif"), frames_of(script.PICTURES / "SynCamViewSweep.avif")
    assert made.shape == shipped.shape
    assert np.abs(made - shipped).mean() < 2
    assert np.abs(np.diff(made, axis=0)).mean((1, 2, 3)).min() > 0, "every frame differs from the one before it"


def test_footage_is_the_same_moment_from_all_sides(script):
    shot = script.footage(3, 2, 24)
    assert [(len(clip), clip.height, clip.width) for clip in shot.clips] == [(2, 24, 36)] * 3
    assert len(shot.names) == len(shot.colors) == 3
    assert script.footage(3, 2, 24) is shot
    pictures = [clip[0].astype(int) for clip in shot.clips]
    assert np.abs(pictures[0] - pictures[1]).mean() > 3


def test_a_film_that_does_not_fit_is_refused_and_one_that_nearly_does_is_made_coarser(script, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (8, 300, 400, 3)).astype(np.uint8)
    with pytest.raises(ValueError, match="shorter or smaller"):
        script.write_film(tmp_path / "a.avif", noise, speed=10)
    script.write_film(tmp_path / "b.avif", noise[:3], speed=10)
    assert (tmp_path / "b.avif").stat().st_size <= 100_000


def test_every_film_is_small_moves_and_is_on_the_page_of_its_node(script):
    for name in script.FILMS:
        path = script.PICTURES / f"{name}.avif"
        assert path.stat().st_size <= 100_000, name
        with Image.open(path) as film:
            assert film.n_frames > 5, name
        assert repeats_for_ever(path), name
        assert is_of_limited_range(path), name
        assert f"](pictures/{name}.avif)" in (HELP / f"{name}.md").read_text(encoding="utf-8")


def test_every_card_has_its_workflow(script):
    for name in script.CARDS:
        with Image.open(template(name).with_suffix(".jpg")) as card:
            assert card.size == (640, 400)
        assert template(name).parent == script.WORKFLOWS
        assert (script.WORKFLOWS / "api" / f"{name}.json").is_file()
