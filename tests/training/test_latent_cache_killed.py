"""A cache builder that is killed at any moment and started again ends with the bytes of one that was not."""

from __future__ import annotations

import random
import time

import pytest
from cache_builder import SCENES
from forked import Forked

from syncam_core.datasets.collections.procedural import procedural_scenes
from syncam_core.training.latent_cache import LatentCache, open_cache


@pytest.fixture(scope="module")
def start():
    """Starts a builder of the cache in a folder, in a process of its own."""
    with Forked("cache_builder") as forked:
        yield lambda folder, *moment: forked.start("cache_builder:build", str(folder), *moment)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def finished(folder):
    return sum(1 for path in folder.glob("*.safetensors")) if folder.is_dir() else 0


@pytest.fixture(scope="module")
def unhurt(tmp_path_factory, start):
    folder = tmp_path_factory.mktemp("unhurt")
    assert start(folder).wait() == 0
    assert len(open_cache(folder)) == SCENES
    return files(folder)


def test_killing_the_builder_at_random_moments_leaves_whole_files_and_the_same_end(tmp_path, start, unhurt):
    folder, draw, killed = tmp_path / "cache", random.Random(8), 0
    for enough in (0, 1, 3, 6, 9):
        builder = start(folder)
        while builder.poll() is None and finished(folder) <= enough:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.06))
        builder.kill()
        killed += builder.wait() != 0
        there = {name: content for name, content in files(folder).items() if name.endswith(".safetensors")}
        assert all(unhurt[name] == content for name, content in there.items())
    assert killed >= 3
    assert start(folder).wait() == 0
    assert files(folder) == unhurt


@pytest.mark.parametrize(("moment", "there"), [("half written", 4), ("before the name", 4), ("after the name", 4)])
def test_killing_the_builder_at_the_worst_moments_costs_no_more_than_that_scene(tmp_path, start, unhurt, moment, there):
    folder = tmp_path / "cache"
    assert start(folder, moment).wait() != 0
    names = [path.name for path in folder.glob("*.safetensors")]
    assert len(names) == len(open_cache(folder)) == there
    assert len(list(folder.glob(".*.tmp"))) == (moment != "after the name")
    assert all(unhurt[name] == (folder / name).read_bytes() for name in names)
    kept = {name: (folder / name).stat().st_mtime_ns for name in names}
    assert start(folder).wait() == 0
    assert files(folder) == unhurt
    assert {name: (folder / name).stat().st_mtime_ns for name in names} == kept


def test_two_builders_of_the_same_folder_do_not_hurt_each_other(tmp_path, start, unhurt):
    builders = [start(tmp_path / "cache") for _ in range(2)]
    assert [builder.wait() for builder in builders] == [0, 0]
    assert files(tmp_path / "cache") == unhurt


def test_file_names_do_not_depend_on_the_process():
    names = {LatentCache("cache").path(scene.name).name for scene in procedural_scenes(5, 3, 2, 5)}
    assert len(names) == 3
    assert all(name.startswith("seed5-00000") for name in names)
