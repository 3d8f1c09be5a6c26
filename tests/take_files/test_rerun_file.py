"""A recording is read back by Rerun's own reader: what it stores projects a marker to the rig's pixel."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from coded_clips import coded_frame, coded_take, view_and_frame
from PIL import Image
from random_rigs import random_rig

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.errors import UserError
from syncam_core.synthetic.projection import project
from syncam_core.take_files import rerun_file
from syncam_core.take_files.take import ToldTake, subject_track

rerun = pytest.importorskip(
    "rerun", reason="rerun-sdk is optional and 760 MB, so it is not among the tests' packages: pip install rerun-sdk"
)
RDF = [3, 2, 5]  # rerun's numbers for right, down, forward


def stored(path) -> dict[str, dict[str, list]]:
    """By entity: each column of the recording, static ones as one row."""
    from rerun.chunk import RrdReader

    found: dict[str, dict[str, list]] = {}
    for chunk in RrdReader(path).stream().to_chunks():
        batch = chunk.to_record_batch()
        for name in batch.schema.names[1:]:
            key = name if not name.startswith(("frame", "time")) else f"{name} of {batch.schema.names[-1]}"
            column = batch.column(name)
            values = (column.cast("int64") if "duration" in str(column.type) else column).to_pylist()
            found.setdefault(chunk.entity_path, {}).setdefault(key, []).extend(values)
    return found


def at_frame(column: list, frame: int):
    return np.array((column[frame] if len(column) > 1 else column[0])[0])


@pytest.mark.parametrize(("height", "width"), [(480, 832), (832, 480)], ids=["landscape", "portrait"])
def test_a_marker_projects_through_what_rerun_stores_to_the_rigs_pixel(tmp_path, height, width):
    rig = random_rig(views=4, frames=5, seed=height)  # the last one stands still
    rerun_file.write_rerun(ToldTake(rig, Fraction(15), 5, ((height, width),) * 4), tmp_path / "take.rrd")
    found = stored(tmp_path / "take.rrd")
    assert at_frame(found["/world"]["ViewCoordinates:xyz"], 0).tolist() == RDF
    rng, worst = np.random.default_rng(1), 0.0
    for view, name in enumerate(rig.names):
        camera = found["/world/cameras/" + name.replace(" ", "\\ ")]
        k = at_frame(camera["Pinhole:image_from_camera"], 0).reshape(3, 3).T  # Rerun stores columns
        assert at_frame(camera["Pinhole:camera_xyz"], 0).tolist() == RDF
        assert at_frame(camera["Pinhole:resolution"], 0).tolist() == [width, height]
        assert len(camera["Transform3D:translation"]) == (1 if view == 3 else 5)
        for frame in range(5):
            inside = np.array([*rng.uniform(-0.4, 0.4, 2), 1.0]) * rng.uniform(1, 30)
            point = rig.c2w[view, frame, :3, :3].numpy() @ inside + rig.c2w[view, frame, :3, 3].numpy()
            turn = at_frame(camera["Transform3D:mat3x3"], frame).reshape(3, 3).T
            seen = k @ np.linalg.inv(turn) @ (point - at_frame(camera["Transform3D:translation"], frame))
            wanted, _ = project(torch.from_numpy(point), rig.c2w[view, frame], rig.lenses[view], height, width)
            worst = max(worst, np.abs(seen[:2] / seen[2] - wanted.numpy()).max())
    assert worst <= 0.05


@pytest.mark.parametrize("fps", [Fraction(12), Fraction(24000, 1001)])
def test_videos_are_kept_byte_for_byte_and_each_frame_has_its_moment(tmp_path, fps):
    rig = random_rig(views=2, frames=9)
    take = coded_take(tmp_path, rig, 9, fps=fps, caption="a cat")
    ticks = []
    rerun_file.write_rerun(take, tmp_path / "take.rrd", tick=lambda: ticks.append(1))
    assert len(ticks) == rerun_file.steps_of_rerun(take, "videos")
    found = stored(tmp_path / "take.rrd")
    assert found["/caption"]["TextDocument:text"] == [["a cat"]]
    for view, name in enumerate(rig.names):
        camera = found["/world/cameras/" + name.replace(" ", "\\ ")]
        assert bytes(camera["AssetVideo:blob"][0][0]) == take.videos[view].read_bytes()
        moments = np.array([row[0] for row in camera["VideoFrameReference:timestamp"]])
        assert moments == pytest.approx(np.arange(9) * 1e9 / float(fps), abs=1e3)
        assert camera["frame of VideoFrameReference:timestamp"] == list(range(9))
        nanoseconds = camera["time of VideoFrameReference:timestamp"]
        assert nanoseconds == pytest.approx(np.arange(9) * 1e9 / float(fps), abs=1)
    assert not [column for columns in found.values() for column in columns if column.startswith("log_")]


@pytest.mark.parametrize(("pictures", "options"), [("jpeg", {}), ("videos", {"codec": "ffv1"})])
def test_where_videos_are_not_played_each_frame_is_a_picture(tmp_path, pictures, options):
    from io import BytesIO

    take = coded_take(tmp_path, orbit_rig([0, 30]), 5, **options)
    rerun_file.write_rerun(take, tmp_path / "take.rrd", pictures=pictures)
    found = stored(tmp_path / "take.rrd")
    for view, name in enumerate(take.rig.names):
        blobs = found[f"/world/cameras/{name}"]["EncodedImage:blob"]
        frames = [np.array(Image.open(BytesIO(bytes(row[0])))) for row in blobs]
        assert [view_and_frame(frame) for frame in frames] == [(view, frame) for frame in range(5)]
        assert np.abs(frames[3].astype(int) - coded_frame(view, 3, 64, 112)).mean() < 4


def test_names_of_any_kind_stay_one_part_of_the_path(tmp_path):
    names = ("a/b", "../c", "left, high")
    rig = Rig(names, orbit_rig([0, 20, 40]).c2w)
    rerun_file.write_rerun(ToldTake(rig, Fraction(15), 1, ((48, 64),) * 3), tmp_path / "take.rrd")
    cameras = [path for path in stored(tmp_path / "take.rrd") if path.startswith("/world/cameras/")]
    assert sorted(cameras) == sorted(f"/world/cameras/{rerun.escape_entity_path_part(name)}" for name in names)


def test_the_subjects_track_is_a_point_for_each_frame(tmp_path):
    ring = orbit_rig([-30, 0, 40])
    c2w = ring.c2w.expand(-1, 4, -1, -1).clone()
    c2w[:, :, 0, 3] += torch.arange(4) * 0.5
    rig = Rig(ring.names, c2w)
    rerun_file.write_rerun(ToldTake(rig, Fraction(15), 4, ((48, 64),) * 3), tmp_path / "take.rrd")
    points = np.array(stored(tmp_path / "take.rrd")["/world/subject"]["Points3D:positions"])[:, 0]
    assert points == pytest.approx(subject_track(rig), abs=1e-6)


@pytest.mark.parametrize("version", ["0.27.3", "unknown"])
def test_a_library_that_is_too_old_is_told_with_the_way_to_a_newer_one(tmp_path, monkeypatch, version):
    monkeypatch.setattr(rerun, "__version__", version)
    why = f"needs rerun-sdk 0.28 or newer, but {version} is installed: pip install -U rerun-sdk"
    with pytest.raises(UserError, match=why):
        rerun_file.check_rerun(coded_take(tmp_path, orbit_rig([0, 30]), 3), "videos")


def test_what_cannot_be_written_is_refused(tmp_path, monkeypatch):
    take = coded_take(tmp_path, orbit_rig([0, 30]), 3)
    with pytest.raises(UserError, match="'pictures' is 'png'; possible are videos, jpeg"):
        rerun_file.check_rerun(take, "png")
    short = ToldTake(take.rig, take.fps, 4, take.sizes, take.videos)
    for pictures in rerun_file.PICTURES:
        with pytest.raises(UserError, match=r"'coded_0.mp4' has 3 frames, but the take has 4"):
            rerun_file.write_rerun(short, tmp_path / f"{pictures}.rrd", pictures=pictures)
    monkeypatch.setattr(rerun_file, "MOST_BYTES", 100)
    with pytest.raises(UserError, match=r"a recording holds videos of at most .* set 'pictures' to jpeg"):
        rerun_file.check_rerun(take, "videos")
    rerun_file.check_rerun(take, "jpeg")
