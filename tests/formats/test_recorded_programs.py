"""Files that real programs wrote, read here: markers are where the program itself saw them.

`python scripts/check_programs.py --record tests/formats/recorded` writes them; scenes and cameras are our own.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from syncam_core.cameras import Rig
from syncam_core.formats import format_of, nuke_chan, read_rig_file

FOLDER = Path(__file__).parent / "recorded"
FILES = {seen.relative_to(FOLDER).as_posix().removesuffix(".seen.json"): seen for seen in FOLDER.glob("*/*.seen.json")}
UNITS = {"colmap": 1.0}
WITHOUT_LENS = ("tum", "kitti")


def read(path: Path, about: dict) -> Rig:
    if format_of(path) == "nuke_chan":
        return nuke_chan.read(path, unit_m=1.0, image_size=about["size"])
    return read_rig_file(path, unit_m=UNITS.get(about["format"]))


def pixels(rig: Rig, focal_px: list[float], about: dict) -> np.ndarray:
    """(views, frames, points, 2)"""
    points = np.concatenate([about["points"], np.ones((len(about["points"]), 1))], 1).T
    seen = np.linalg.inv(rig.c2w.numpy()) @ points
    return (
        np.swapaxes(np.array(focal_px)[:, None, None, None] * seen[:, :, :2] / seen[:, :, 2:3], 2, 3)
        + np.array(about["size"]) / 2
    )


def test_files_of_all_programs_are_there():
    assert len({name.partition("/")[0].partition("_")[0] for name in FILES}) >= 4
    assert len(FILES) >= 21


@pytest.mark.parametrize("name", sorted(FILES))
def test_markers_are_where_the_program_saw_them(name):
    about = json.loads(FILES[name].read_text())
    path = FOLDER / name
    rig = read(path, about)
    if isinstance(about["pixels"], dict):
        assert {*rig.names} == {*about["pixels"]}
        expected = np.array([about["pixels"][camera] for camera in rig.names])
    else:
        expected = np.array(about["pixels"])
    assert rig.frames in (1, expected.shape[1])
    assert rig.frames == expected.shape[1] or (expected == expected[:, :1]).all()
    if about["format"] in WITHOUT_LENS:  # what the program was told
        focal = [matrix[0][0] for matrix in about["intrinsics"]]
    else:
        focal = [lens.focal_mm / lens.sensor_width_mm * about["size"][0] for lens in rig.lenses]
    assert np.abs(pixels(rig, focal, about) - expected).max() < 0.05
