"""`python -m syncam_core.metrics.sync` on files as SynCam Save Views writes them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mp4_bytes import turn

from syncam_core.cameras import orbit_rig, rig_to_json
from syncam_core.metrics import score_scene
from syncam_core.metrics.sync import main, read_take
from syncam_core.synthetic import Scene, frame_times, render
from syncam_core.video import write_video

RIG = orbit_rig([0.0, 75.0, -130.0], [20.0, 12.0, 30.0], [5.0, 4.7, 5.3])
VIDEO = render(Scene.random(11), RIG, 64, 64, frame_times(5))


def save(folder, video=VIDEO, rig=RIG, number=1, named=True):
    files = [f"views_{number:05}_{name}.mp4" for name in rig.names]
    for file, view in zip(files, video, strict=False):
        write_video(folder / file, [np.ascontiguousarray((f * 255).round().byte().numpy()) for f in view], 8)
    write_video(folder / f"views_{number:05}_grid.mp4", [np.zeros((64, 64, 3), np.uint8)], 8)
    about = {"views": [{"camera": n, "file": f} for n, f in zip(rig.names, files, strict=True)]} if named else None
    rig_file = folder / f"views_{number:05}_rig.json"
    rig_file.write_text(rig_to_json(rig, about), encoding="utf-8")
    return rig_file


def test_help_and_a_score_come_from_the_command_line_without_a_warning(tmp_path):
    save(tmp_path)
    root = Path(__file__).parents[2]
    for arguments, wanted in ((["--help"], "one strongly coloured"), ([str(tmp_path)], "reprojection error")):
        done = subprocess.run(
            [sys.executable, "-m", "syncam_core.metrics.sync", *arguments],
            capture_output=True,
            text=True,
            cwd=root,
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        )
        assert done.returncode == 0, done.stderr
        assert wanted in done.stdout
        assert done.stderr == ""


@pytest.mark.parametrize("named", [True, False])
def test_saved_views_score_nearly_as_before_they_were_saved(tmp_path, capsys, named):
    save(tmp_path, named=named)
    assert main([str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (got,) = document["scenes"].values()
    expected = score_scene(VIDEO, RIG)
    assert got["reprojection_px"] == pytest.approx(expected.reprojection_px, abs=0.25)
    assert got["located"] == 1
    assert got["azimuth_deg"] <= 2
    assert (got["views"], got["frames"], got["width"]) == (3, 5, 64)
    assert document["median"]["reprojection_px"]["value"] == got["reprojection_px"]


def test_views_are_read_in_the_order_of_the_cameras(tmp_path):
    rig = RIG.select([2, 0, 1])
    rig_file = save(tmp_path, VIDEO[[2, 0, 1]], rig)
    video, read = read_take(rig_file)
    assert read.names == rig.names
    assert torch.equal(read.c2w, rig.c2w)
    assert (video - VIDEO[[2, 0, 1]]).abs().mean() < 0.03


def test_a_view_that_was_filmed_upright_is_scored_upright(tmp_path):
    save(tmp_path)
    straight, _ = read_take(tmp_path / "views_00001_rig.json")
    for file in tmp_path.glob("*.mp4"):
        turn(file)
    turned, _ = read_take(tmp_path / "views_00001_rig.json")
    assert torch.equal(turned, torch.rot90(straight, -1, (2, 3)))


def test_several_clips_in_a_folder_give_a_row_each_and_their_median(tmp_path, capsys):
    save(tmp_path, number=1)
    save(tmp_path, number=2, video=VIDEO.flip(1))
    assert main([str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "views_00001_rig.json" in printed
    assert "views_00002_rig.json" in printed
    assert "[95 % interval]" in printed


def test_azimuths_can_be_measured_with_the_rig_where_it_stands(tmp_path, capsys):
    rig = orbit_rig([90.0, 165.0], [20.0], [5.0])
    save(tmp_path, render(Scene.random(11), rig, 64, 64, frame_times(3)), rig)
    errors = []
    for flags in ([], ["--rig-in-world"]):
        assert main([str(tmp_path), "--json", *flags]) == 0
        errors.append(json.loads(capsys.readouterr().out)["median"]["azimuth_deg"]["value"])
    assert errors[0] == pytest.approx(90, abs=3)
    assert errors[1] <= 2


def no_folder(folder):
    return folder / "missing"


def empty_folder(folder):
    return folder


def missing_video(folder):
    save(folder)
    (folder / f"views_00001_{RIG.names[1]}.mp4").unlink()
    return folder


def too_few_videos(folder):
    save(folder, named=False)
    (folder / f"views_00001_{RIG.names[1]}.mp4").unlink()
    return folder


def broken_video(folder):
    save(folder)
    (folder / f"views_00001_{RIG.names[1]}.mp4").write_bytes(b"no video at all" * 50)
    return folder


def shorter_video(folder):
    save(folder)
    write_video(folder / f"views_00001_{RIG.names[1]}.mp4", [np.zeros((64, 64, 3), np.uint8)], 8)
    return folder


def no_rig(folder):
    (folder / "a_rig.json").write_text('{"cameras": []}')
    return folder


def no_text(folder):
    (folder / "a_rig.json").write_bytes(b"\xff\xfe\x00\xd8")
    return folder


def outside(folder):
    about = {"views": [{"file": "../evil.mp4"}] * 3}
    (folder / "a_rig.json").write_text(rig_to_json(RIG, about), encoding="utf-8")
    return folder


def no_subject(folder):
    save(folder, torch.full_like(VIDEO, 0.5))
    return folder


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (no_folder, "does not exist"),
        (empty_folder, "holds no rig JSON"),
        (missing_video, f"names the video 'views_00001_{RIG.names[1]}.mp4', but it is not in the same folder"),
        (too_few_videos, "has 3 cameras and names no videos, but its folder has 2"),
        (broken_video, "cannot be read as a video"),
        (shorter_video, "has 5 frames of 64 x 64 but .* 1 frames of 64 x 64; all views must be alike"),
        (no_rig, "in 'a_rig.json', cameras is an empty list"),
        (no_text, "'a_rig.json' cannot be read"),
        (outside, "metadata.views names '../evil.mp4', which is no file of its folder"),
        (no_subject, "'views_00001_rig.json': no frame shows a strongly coloured subject"),
    ],
)
def test_files_that_cannot_be_scored_are_named_in_a_sentence(tmp_path, capsys, make, sentence):
    assert main([str(make(tmp_path))]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.strip().splitlines()) == 1
    assert re.search(sentence, printed.err)
