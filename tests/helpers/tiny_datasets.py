"""Data sets of the synthetic world on disk, a few frames of 32 x 32 each, poses written from closed forms."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from syncam_core.cameras import orbit_c2w, orbit_rig
from syncam_core.synthetic import Scene, frame_times, render
from syncam_core.video.write import write_video

FRAMES, FPS, SIZE = 9, 8, (32, 32)
ORBIT = ((0.0, 20.0, 5.0), (40.0, 10.0, 4.5), (-75.0, 30.0, 5.5))  # azimuth, elevation (degrees), distance (metres)
CAPTION = "a red ball walking on sand under a clear sky"


def film(angles=ORBIT, frames: int = FRAMES, size=SIZE) -> np.ndarray:  # (views, frames, height, width, 3) uint8
    rig = orbit_rig(*(list(numbers) for numbers in zip(*angles, strict=True)))
    pictures = render(Scene.from_prompt(CAPTION), rig, *size, frame_times(frames, FPS), supersample=1)
    return (pictures * 255 + 0.5).to(torch.uint8).numpy()


def unreal_text(azimuth_deg: float, elevation_deg: float, distance_m: float) -> str:
    """Forward, right, up and position in centimetres, in Unreal's axes (X forward, Y right, Z up), all digits."""
    sa, ca = math.sin(math.radians(azimuth_deg)), math.cos(math.radians(azimuth_deg))
    se, ce = math.sin(math.radians(elevation_deg)), math.cos(math.radians(elevation_deg))
    forward, right, up = (ca * ce, -sa * ce, -se), (sa, ca, 0.0), (ca * se, -sa * se, ce)
    position = tuple(-100 * distance_m * part for part in forward)
    rows = [(*forward, 0.0), (*right, 0.0), (*up, 0.0), (*position, 1.0)]
    return "".join("[" + " ".join(map(repr, row)) + "] " for row in rows)


def camera_document(frames: int = FRAMES, turning: str = "") -> dict:
    """The cameras of ORBIT; the one called `turning` moves by two degrees a frame."""
    names = [f"cam{number:02d}" for number in range(1, len(ORBIT) + 1)]
    return {
        f"frame{frame}": {
            name: unreal_text(azimuth + 2 * frame * (name == turning), elevation, distance)
            for name, (azimuth, elevation, distance) in zip(names, ORBIT, strict=True)
        }
        for frame in range(frames)
    }


def orbit_poses(view: int, frames: int = 1, degrees_a_frame: float = 0.0) -> torch.Tensor:  # (frames, 4, 4)
    azimuth, elevation, distance = ORBIT[view]
    return torch.stack([orbit_c2w(azimuth + degrees_a_frame * frame, elevation, distance) for frame in range(frames)])


def write_syncamvideo(root: Path, scenes=("scene1", "scene2"), turning: str = "") -> Path:
    for scene in scenes:
        (root / scene / "videos").mkdir(parents=True)
        (root / scene / "cameras").mkdir()
        for number, pictures in enumerate(film(), start=1):
            write_video(root / scene / "videos" / f"cam{number:02d}.mp4", pictures, FPS)
        (root / scene / "cameras" / "camera_extrinsics.json").write_text(json.dumps(camera_document(turning=turning)))
        (root / scene / "caption.txt").write_text(f"{CAPTION}\n")
    return root


def tour(frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (frames, height, width, 3) and c2w (frames, 4, 4) of a camera that walks about a scene at rest."""
    angles = [(8.0 * frame, 15.0 + frame, 5.0) for frame in range(frames)]
    return film(angles, frames=1)[:, 0], torch.stack([orbit_c2w(*angle) for angle in angles]).numpy()


def pose_row(timestamp: int, c2w: np.ndarray) -> str:
    w2c = np.linalg.inv(c2w)[:3]
    return " ".join([str(timestamp), "0.9", "1.6", "0.5", "0.5", "0", "0", *map(repr, w2c.ravel().tolist())])


def write_realestate10k(root: Path, frames: int = 6, clips=("clip1", "clip2"), named_by_timestamp: bool = True) -> Path:
    for clip in clips:
        (root / clip).mkdir(parents=True)
        pictures, poses = tour(frames)
        rows = ["https://example.invalid/watch?v=abc"]
        for index, (picture, c2w) in enumerate(zip(pictures, poses, strict=True)):
            stamp = 1000000 + 33333 * index
            name = str(stamp) if named_by_timestamp else f"frame{index}"
            Image.fromarray(picture).save(root / clip / f"{name}.png")
            rows.append(pose_row(stamp, c2w))
        (root / f"{clip}.txt").write_text("\n".join(rows) + "\n")
        (root / clip / "caption.txt").write_text(CAPTION)
    return root


def write_dl3dv(root: Path, frames: int = 6, scenes=("scene1", "scene2")) -> Path:
    for scene in scenes:
        (root / scene / "images").mkdir(parents=True)
        pictures, poses = tour(frames)
        entries = []
        for index, (picture, c2w) in enumerate(zip(pictures, poses, strict=True), start=1):
            Image.fromarray(picture).save(root / scene / "images" / f"frame_{index:05d}.png")
            right, down, forward, place = c2w.T[:, :3]
            opengl = [[*map(float, row)] for row in np.column_stack([right, -down, -forward, place])]
            entries.append(
                {"file_path": f"images/frame_{index:05d}.png", "transform_matrix": [*opengl, [0.0, 0.0, 0.0, 1.0]]}
            )
        (root / scene / "transforms.json").write_text(json.dumps({"w": 32, "h": 32, "frames": entries}))
        (root / scene / "caption.txt").write_text(CAPTION)
    return root


def write_plain_videos(root: Path, names=("a", "b")) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name in names:
        write_video(root / f"{name}.mp4", film(ORBIT[:1])[0], FPS)
        (root / f"{name}.txt").write_text(CAPTION)
    return root


def tiny_encode(pictures: torch.Tensor) -> torch.Tensor:
    """A stand-in for a VAE with its shapes: (frames, height, width, 3) uint8 -> (16, 1 + frames // 4, h / 8, w / 8)."""
    cells = pictures[::4].float().unfold(1, 8, 8).unfold(2, 8, 8).mean((-1, -2)).permute(3, 0, 1, 2) / 255
    return torch.cat([cells * (channel + 1) for channel in range(6)])[:16]
