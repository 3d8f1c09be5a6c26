"""What the COLMAP parser of gsplat's examples reads of exported sets: frames, cameras, splits and points.

The parser is no part of the package: give the folder `examples` of a checkout of gsplat (github.com/nerfstudio-project/gsplat).

    python3 -m venv /tmp/gsplat && /tmp/gsplat/bin/pip install "pycolmap>=4" opencv-python-headless imageio tqdm torch av scipy einops pillow piexif typing-extensions
    /tmp/gsplat/bin/python scripts/readers/gsplat.py CHECKOUT/examples

Writes sets of 4 and 12 views, landscape and portrait, into a temporary folder, and ends with 1 where something comes back
otherwise than it went out.
"""

from __future__ import annotations

import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from PIL import Image

PACK = Path(__file__).resolve().parents[2]
sys.path[:] = [str(PACK), str(PACK / "tests" / "helpers"), sys.argv[1]] + [
    one for one in sys.path if Path(one or ".").resolve() != PACK / "scripts" / "readers"
]

from datasets.colmap import Parser  # noqa: E402
from takes import noise, rig_for  # noqa: E402

from syncam_core.cameras import Rig  # noqa: E402
from syncam_core.datasets import Training, append_scene, write_take  # noqa: E402
from syncam_core.video.clip import ImageClip  # noqa: E402

FRAMES = 3


def main() -> None:
    worst = 0.0
    for views in (4, 12):
        for height, width in ((24, 40), (40, 24)):
            films, rig = noise(views, FRAMES, height, width, 5), rig_for(views, FRAMES, seed=5)
            for layout in ("colmap", "colmap_4d"):
                with tempfile.TemporaryDirectory() as folder:
                    away = max(compared(Path(folder), layout, films, rig))
                print(f"{views:2} views, {width} x {height}, {layout:10} all there; poses at most {away:.1e} away")
                worst = max(worst, away)
    raise SystemExit(0 if worst < 1e-9 else 1)


def compared(folder: Path, layout: str, films: np.ndarray, rig: Rig) -> list[float]:
    clips = [ImageClip(torch.from_numpy(film).float() / 255) for film in films]
    training = Training("seeded", (1,))
    path = append_scene(folder, lambda stage: write_take(stage, layout, clips, rig, Fraction(15), training=training))
    moments = (
        [(path / f"frame_{at:05d}", [at]) for at in range(FRAMES)] if layout == "colmap" else [(path, range(FRAMES))]
    )
    return [same(Parser(str(place), factor=1, normalize=False), films, rig, list(at)) for place, at in moments]


def same(read: Parser, films: np.ndarray, rig: Rig, moments: list[int]) -> float:
    height, width = films.shape[2:4]
    wanted = [(view, at) for view in range(rig.views) for at in moments]
    assert len(read.image_paths) == len(wanted)
    assert read.points.shape == read.points_rgb.shape == (10_000, 3)
    away = 0.0
    for index, (view, at) in enumerate(wanted):
        assert (np.asarray(Image.open(read.image_paths[index])) == films[view, at]).all()
        focal = rig.lenses[view].focal_mm / rig.lenses[view].sensor_width_mm * width
        camera = read.camera_ids[index]
        np.testing.assert_allclose(read.Ks_dict[camera], [[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
        assert tuple(read.imsize_dict[camera]) == (width, height)
        assert not len(read.params_dict[camera])
        truth = rig.c2w[view, at].numpy()
        away = max(away, np.abs(read.camtoworlds[index] - truth).max() / max(1.0, np.abs(truth[:3, 3]).max()))
    return away


if __name__ == "__main__":
    main()
