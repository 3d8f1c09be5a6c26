"""A film that nodes of the host have cut, cropped, turned or joined is seen by every node of the pack as the user sees it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from footage import named_rig, ramp
from host_abilities import need
from host_runs import listed_inputs, run_as_the_host_does
from mp4_bytes import show_only, turn

from syncam_core.video import write_video

FPS, SHOWN = 15, 6  # frames that are left of every film


class Outside:
    """A VIDEO of a newer host that is a file in part: cropped since 0.35, joined of several since 0.36."""

    def __init__(self, whole, box=None, videos=()):
        self.whole, self.box = whole, box
        if videos:
            self.videos = videos

    def get_components(self):
        from comfy_api.latest import Types

        x, y, width, height = self.box
        images = self.whole.get_components().images[:, y : y + height, x : x + width]
        return Types.VideoComponents(images=images, frame_rate=Fraction(FPS))

    def get_frame_rate(self):
        return Fraction(FPS)


def film(path: Path, view: int, frames: int = SHOWN) -> Path:
    pictures = [(image.numpy() * 255 + 0.5).astype(np.uint8) for image in ramp(view, frames=frames)]
    write_video(path, pictures, FPS, codec="h264", crf=4)
    return path


def from_file(path: Path, **trim):
    from comfy_api.latest import InputImpl

    return InputImpl.VideoFromFile(str(path), **trim)


def cropped_file(path: Path, begin_s: float = 0, length_s: float = 0):
    """As hosts since 0.35 have it: a film from file whose dimensions are those of the crop."""
    from comfy_api.latest import InputImpl

    class Cropped(InputImpl.VideoFromFile):
        def get_dimensions(self):
            return 60, 40

        def get_components(self):
            components = super().get_components()
            components.images = components.images[:, 30:70, 20:80]
            return components

        def as_trimmed(self, start_time=0, duration=0, strict_duration=True):
            return cropped_file(path, begin_s + start_time, duration or length_s)

    return Cropped(str(path), start_time=begin_s, duration=length_s)


def turned_file(path: Path):
    need("turning of films that lie on their side")
    return from_file(turn(path))


KINDS = {
    "a file": lambda path, view: from_file(film(path, view)),
    "trimmed": lambda path, view: from_file(film(path, view, 20), start_time=0.4, duration=SHOWN / FPS),
    "cropped": lambda path, view: cropped_file(film(path, view)),
    "trimmed and cropped": lambda path, view: cropped_file(film(path, view, 20), 2 / FPS, SHOWN / FPS),
    "cropped, no file": lambda path, view: Outside(from_file(film(path, view)), (20, 30, 60, 40)),
    "turned": lambda path, view: turned_file(film(path, view)),
    "an edit list": lambda path, view: from_file(show_only(film(path, view, 20), 6, SHOWN, FPS)),
    "joined": lambda path, view: Outside(
        None,
        videos=[
            from_file(film(path, view, 20), duration=2 / FPS),
            from_file(film(path.with_name(f"other{view}.mp4"), view), start_time=2 / FPS),
        ],
    ),
}
EXPECTED = {"joined": lambda video: torch.cat([part.get_components().images for part in video.videos])}


def images_of(kind: str, video) -> torch.Tensor:
    """What a user sees of it: the frames that the host itself gives."""
    return EXPECTED.get(kind, lambda one: one.get_components().images)(video)


# What every node that takes a VIDEO is run with beside its views, and what it shows of them.


def first_output(outputs, shown, folder):
    return outputs[0][0]


def files_written(outputs, shown, folder):
    return np.stack([decoded(file) for file in sorted(folder.rglob("*_cam0?.mp4"))])


def previews(outputs, shown, folder):
    views = shown["syncam_player"][0]["views"]
    return np.stack([decoded(folder / "temp" / view["file"]["filename"]) for view in views])


def stored_views(outputs, shown, folder):
    files = sorted(folder.rglob("images/*.png"))
    assert len(files) == 2 * SHOWN
    from PIL import Image

    return np.stack([np.asarray(Image.open(file)) / 255 for file in files])


def decoded(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]) / 255


RIG = {"rig": named_rig("cam01", "cam02")}
NODES = {
    "SynCamViewGrid": ({"columns": 2, "labels": False}, first_output),
    "SynCamEdit": ({"cuts": "0 A; 2 B"}, first_output),
    "SynCamAutoCut": ({"method": "most motion", "shot_length": 2}, first_output),
    "SynCamBulletTime": ({"freeze_frame": 2}, first_output),
    "SynCamViewSweep": ({}, first_output),
    "SynCamStereo": ({}, first_output),
    "SynCamQuilt": ({}, first_output),
    "SynCamSaveViews": ({"filename_prefix": "views", "contact_sheet": False, **RIG}, files_written),
    "SynCamPlayer": ({}, previews),
    "SynCamExportDataset": ({"layout": "nerfstudio", "caption": "a dog", **RIG}, stored_views),
}


def takes_videos(node) -> bool:
    return any("VIDEO" in str(kind).split(",") for some in node.INPUT_TYPES().values() for kind, *_ in some.values())


def test_every_node_that_takes_a_video_is_here(comfy):
    measured = {
        "SynCamMetrics"
    }  # gives numbers, no pictures; it reads clips as the others do (tests/nodes/test_metrics_nodes.py)
    assert {node.GET_SCHEMA().node_id for node in comfy.nodes.values() if takes_videos(node)} == {*NODES} | measured


@pytest.fixture
def folders(comfy, tmp_path):
    before = comfy.folders.get_output_directory(), comfy.folders.get_temp_directory()
    yield
    comfy.folders.set_output_directory(before[0])
    comfy.folders.set_temp_directory(before[1])


def made(comfy, node_id: str, views: list, folder: Path) -> np.ndarray | str:
    folder.mkdir()
    comfy.folders.set_output_directory(str(folder))
    comfy.folders.set_temp_directory(str(folder / "temp"))
    given, look = NODES[node_id]
    inputs = listed_inputs(comfy.nodes[node_id], {**given, "views": views})
    return look(*run_as_the_host_does(comfy, node_id, inputs), folder)


@pytest.mark.parametrize("kind", KINDS)
def test_every_node_sees_the_film_as_the_host_shows_it(comfy, folders, tmp_path, kind):
    videos = [KINDS[kind](tmp_path / f"{view}.mp4", view) for view in range(2)]
    images = [images_of(kind, video) for video in videos]
    assert [len(one) for one in images] == [SHOWN, SHOWN]
    for node_id in NODES:
        wanted = made(comfy, node_id, images, tmp_path / f"{node_id} images")
        got = made(comfy, node_id, videos, tmp_path / f"{node_id} videos")
        if isinstance(wanted, str):
            assert got == wanted, node_id
        else:
            assert got.shape == wanted.shape, node_id
            assert np.abs(np.asarray(got) - np.asarray(wanted)).mean() < 0.01, node_id
