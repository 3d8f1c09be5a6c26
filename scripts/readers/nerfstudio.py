"""What nerfstudio itself reads of exported sets: frames, cameras, splits, times and points, with its defaults and without.

In an environment of its own, as nerfstudio pins much:

    python3 -m venv /tmp/nerfstudio && /tmp/nerfstudio/bin/pip install nerfstudio==1.1.5 av scipy einops
    /tmp/nerfstudio/bin/python scripts/readers/nerfstudio.py

Writes sets of 4 and 12 views, landscape and portrait, into a temporary folder, and ends with 1 where something comes back
otherwise than it went out.
"""

from __future__ import annotations

import sys
import tempfile
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from PIL import Image

PACK = Path(__file__).resolve().parents[2]
# This folder's modules are called as the programs; those are wanted.
sys.path[:] = [str(PACK), str(PACK / "tests" / "helpers")] + [
    one for one in sys.path if Path(one or ".").resolve() != PACK / "scripts" / "readers"
]

from nerfstudio.data.dataparsers.dnerf_dataparser import DNeRFDataParserConfig  # noqa: E402
from nerfstudio.data.dataparsers.nerfstudio_dataparser import NerfstudioDataParserConfig  # noqa: E402
from takes import fitting, noise, rig_for  # noqa: E402

from syncam_core.cameras import Rig  # noqa: E402
from syncam_core.datasets import Training, append_scene, write_take  # noqa: E402
from syncam_core.formats.axes_and_units import FLIP_YZ, Z_UP_TO_RIG  # noqa: E402
from syncam_core.video.clip import ImageClip  # noqa: E402

FRAMES, HELD_OUT = 3, (1, 3)
AS_IT_IS = {"orientation_method": "none", "center_method": "none", "auto_scale_poses": False}


def main() -> None:
    print("nerfstudio", version("nerfstudio"))
    worst = 0.0
    for views in (4, 12):
        for height, width in ((24, 40), (40, 24)):
            films = noise(views, FRAMES, height, width, 5)
            rig = rig_for(views, FRAMES, seed=5)
            for layout in ("nerfstudio", "nerfstudio_4d", "dnerf"):
                with tempfile.TemporaryDirectory() as folder:
                    away = max(compared(Path(folder), layout, films, fitting(rig, layout)))
                print(f"{views:2} views, {width} x {height}, {layout:14} all there; poses at most {away:.1e} away")
                worst = max(worst, away)
    raise SystemExit(0 if worst < 1e-5 else 1)  # nerfstudio computes in float32


def compared(folder: Path, layout: str, films: np.ndarray, rig: Rig) -> list[float]:
    clips = [ImageClip(torch.from_numpy(film).float() / 255) for film in films]
    training = Training("seeded", HELD_OUT)
    path = append_scene(folder, lambda stage: write_take(stage, layout, clips, rig, Fraction(15), training=training))
    moments = (
        [(path / f"frame_{at:05d}", [at]) for at in range(FRAMES)]
        if layout == "nerfstudio"
        else [(path, range(FRAMES))]
    )
    away = []
    for place, at in moments:
        for split in ("train", "val", "test"):
            views = [view for view in range(rig.views) if (view in HELD_OUT) == (split != "train")]
            wanted = [(view, frame) for view in views for frame in at]
            if layout == "dnerf":
                read = DNeRFDataParserConfig(data=place).setup().get_dataparser_outputs(split)
                away.append(same(read, films, rig, wanted))
                continue
            for settings in (AS_IT_IS, {}):
                config = NerfstudioDataParserConfig(data=place, load_3D_points=True, **settings)
                read = config.setup().get_dataparser_outputs(split)
                away.append(same(read, films, rig, wanted))
                assert len(read.metadata["points3D_xyz"]) == len(read.metadata["points3D_rgb"]) == 10_000
    return away


def same(read, films: np.ndarray, rig: Rig, wanted: list[tuple[int, int]]) -> float:
    """How far positions and axes are away once nerfstudio's own turn, shift and scale are undone."""
    height, width = films.shape[2:4]
    cameras = read.cameras
    assert len(cameras) == len(wanted)
    turned = torch.eye(4)
    turned[:3] = read.dataparser_transform[:3]
    away = 0.0
    for index, (view, at) in enumerate(wanted):
        assert (np.asarray(Image.open(read.image_filenames[index])) == films[view, at]).all()
        focal = rig.lenses[view].focal_mm / rig.lenses[view].sensor_width_mm * width
        assert abs(float(cameras.fx[index]) / focal - 1) < 1e-5
        assert (float(cameras.cx[index]), float(cameras.cy[index])) == (width / 2, height / 2)
        assert (int(cameras.width[index]), int(cameras.height[index])) == (width, height)
        if cameras.times is not None:
            assert float(cameras.times[index]) == at / (FRAMES - 1)
        pose = torch.eye(4)
        pose[:3] = cameras.camera_to_worlds[index]
        pose[:3, 3] /= read.dataparser_scale
        pose = torch.linalg.inv(turned.double()) @ pose.double()
        truth = Z_UP_TO_RIG.mT @ rig.c2w[view, at] @ FLIP_YZ
        away = max(away, float((pose - truth).abs().max() / max(1.0, float(truth[:3, 3].abs().max()))))
    return away


if __name__ == "__main__":
    main()
