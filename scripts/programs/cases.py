"""What is asked of each program, and what its answers are held against."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation, Slerp

from syncam_core.cameras import Lens, Rig, orbit_rig
from syncam_core.formats import FORMATS, file_name, read_rig_file, write_rig_file

from .environments import Environment

Task = dict[str, Any]
POINTS = [[0.3, -0.4, 0.2], [-0.2, 0.1, -0.3], [0.0, 0.0, 0.0]]  # in the rig's world, metres
FRAMES = 6
AT = (0, 1, 2.25, 2.5, 4.75, 5)
SIZES = {"landscape": (832, 480), "portrait": (480, 832)}
FPS = 16.0


def rig_of(views: int, moving: bool) -> Rig:
    """Cameras around the markers, each with a lens of its own; moving ones go around and up."""
    lenses = tuple(Lens(24.0 + 3 * view, 23.76 + 2 * view) for view in range(views))
    names = tuple(f"cam{view:02d}" for view in range(1, views + 1))
    steps = []
    for frame in range(FRAMES if moving else 1):
        azimuths = [45.0 * view + (7 - view) * frame for view in range(views)]
        elevations = [5.0 * view + 3 * frame for view in range(views)]
        steps.append(orbit_rig(azimuths, elevations, [3 + 0.2 * view + 0.1 * frame for view in range(views)]).c2w)
    return Rig(names, torch.cat(steps, 1), lenses=lenses)


def between(c2w: np.ndarray, frame: float) -> np.ndarray:
    """The pose (4, 4) at a moment of a camera (frames, 4, 4): turned, and moved in a straight line."""
    if len(c2w) == 1:
        return c2w[0]
    first = min(int(frame), len(c2w) - 2)
    pose, share = np.eye(4), frame - first
    pose[:3, :3] = Slerp([0, 1], Rotation.from_matrix(c2w[first : first + 2, :3, :3]))(share).as_matrix()
    pose[:3, 3] = (1 - share) * c2w[first, :3, 3] + share * c2w[first + 1, :3, 3]
    return pose


def intrinsics(lens: Lens, size: tuple[int, int]) -> np.ndarray:
    focal = lens.focal_mm / lens.sensor_width_mm * size[0]
    return np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]])


def predicted(rig: Rig, size: tuple[int, int], frames: tuple[float, ...]) -> np.ndarray:
    """Pixels (views, frames, points, 2) by the rig alone."""
    points = np.concatenate([POINTS, np.ones((len(POINTS), 1))], 1).T
    result = []
    for c2w, lens in zip(rig.c2w.numpy(), rig.lenses, strict=True):
        seen = [intrinsics(lens, size) @ (np.linalg.inv(between(c2w, frame)) @ points)[:3] for frame in frames]
        result.append([(image[:2] / image[2]).T for image in seen])
    return np.array(result)


@dataclass
class Result:
    """The worst marker of some comparisons that belong together."""

    program: str
    what: str
    worst_px: float = 0.0
    pixels: int = 0
    cases: int = 0

    def add(self, found: Any, expected: np.ndarray) -> None:
        difference = np.abs(np.array(found, float) - expected)
        self.worst_px = max(self.worst_px, float(difference.max()))
        self.pixels += difference.size // 2
        self.cases += 1

    def is_wrong(self, tolerance_px: float) -> bool:
        return not self.cases or not self.worst_px <= tolerance_px

    def line(self, tolerance_px: float) -> str:
        mark = "WRONG" if self.is_wrong(tolerance_px) else "ok"
        return f"{self.program:22} {self.what:62} {self.cases:4} {self.pixels:6}  {self.worst_px:9.2g} px  {mark}"


@dataclass
class Results:
    program: str
    rows: dict[str, Result] = field(default_factory=dict)

    def __getitem__(self, what: str) -> Result:
        return self.rows.setdefault(what, Result(self.program, what))


@dataclass
class Case:
    views: int
    moving: bool
    shape: str
    rig: Rig
    path: Path
    back: Path

    @property
    def size(self) -> tuple[int, int]:
        return SIZES[self.shape]

    @property
    def kind(self) -> str:
        return f"{'moving' if self.moving else 'still'}, {self.shape}"


class Library:
    """A format whose files one library reads, and where it can, writes."""

    script = "libraries.py"
    between = False  # whether the format says what is between frames
    unit_m: float | None = None
    views = range(1, 9)

    def __init__(self, folder: Path, addon: Path | None) -> None:
        self.folder, self.addon = folder, addon
        self.cases: list[Case] = []

    key = how = ""
    environment: Environment

    def written(self) -> Iterator[Case]:
        for views, moving, shape in itertools.product(self.views, (False, True), SIZES):
            rig, name = rig_of(views, moving), f"{views}_{'moving' if moving else 'still'}_{shape}"
            path = self.folder / name / file_name(rig, "rig", self.key)
            path.parent.mkdir(parents=True, exist_ok=True)
            size = {} if self.key in ("tum", "kitti", "blender") else {"image_size": SIZES[shape]}
            write_rig_file(rig, path, self.key, **size)
            yield Case(views, moving, shape, rig, path, self.folder / name / "back")

    def frames(self, case: Case) -> tuple[float, ...]:
        if not case.moving:
            return (0,)
        return AT if self.between else tuple(range(FRAMES))

    def task(self, case: Case) -> Task:
        return {
            "do": "see",
            "how": self.how or self.key,
            "file": str(case.path),
            "back": str(case.back),
            "size": case.size,
            "moving": case.moving,
            "frames": self.frames(case),
            "points": POINTS,
        }

    def tasks(self) -> list[Task]:
        self.cases = [*self.written()]
        return [self.task(case) for case in self.cases]

    def judged(self, version: str, answers: list[Task]) -> list[Result]:
        results = Results(f"{type(self).__name__} {version}")
        for case, answer in zip(self.cases, answers, strict=True):
            expected = predicted(case.rig, case.size, self.frames(case))
            results[f"our {FORMATS[self.key].NAME}, {case.kind}"].add(answer["pixels"], expected)
            for path in self.written_back(case):
                rig = read_rig_file(path, unit_m=self.unit_m, format=self.key)
                rig = self.with_lenses(rig, case.rig)
                results[f"its own {FORMATS[self.key].NAME}, {case.kind}"].add(
                    predicted(rig, case.size, self.frames(case)), expected
                )
        return [*results.rows.values()]

    def recorded(self, answers: list[Task]) -> Iterator[tuple[str, Path, Task]]:
        """Files that the program wrote, with what it saw in them, for tests/formats/recorded."""
        for case, answer in zip(self.cases, answers, strict=True):
            if case.views == 2 and case.shape == ("portrait" if case.moving else "landscape"):
                told = {key: value for key, value in self.task(case).items() if key in ("size", "points", "intrinsics")}
                for path in self.written_back(case):
                    about = {**told, "format": self.key, "pixels": answer["pixels"]}
                    kind = f"_{path.name}" if path.name != "back" else ""
                    yield f"{'moving' if case.moving else 'still'}{kind}", path, about

    def written_back(self, case: Case) -> list[Path]:
        return [case.back] if case.back.is_dir() else []

    def with_lenses(self, rig: Rig, truth: Rig) -> Rig:
        return rig


class OpenUSD(Library):
    key, between = "usd", True
    environment = Environment("usd", ("usd-core==26.11", "numpy"))


class Trimesh(Library):
    """Takes a picture's sides for a ratio of angles, and one camera of a file: exact for one with square pictures."""

    key, how = "gltf", "trimesh"
    views = range(1, 2)
    environment = Environment("trimesh", ("trimesh==5.2.0", "numpy", "scipy"))

    def written(self) -> Iterator[Case]:
        rig, path = rig_of(1, False), self.folder / "square.glb"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_rig_file(rig, path, self.key, image_size=(512, 512))
        yield _Square(1, False, "square", rig, path, self.folder / "none")


class _Square(Case):
    @property
    def size(self) -> tuple[int, int]:
        return (512, 512)


class Open3D(Library):
    key = "open3d"
    environment = Environment("open3d", ("open3d==0.20.0",), newest_python=(3, 12))


class Evo(Library):
    key = "tum"
    environment = Environment("evo", ("evo==1.38.1",))

    def task(self, case: Case) -> Task:
        return {**super().task(case), "intrinsics": [intrinsics(lens, case.size).tolist() for lens in case.rig.lenses]}

    def with_lenses(self, rig: Rig, truth: Rig) -> Rig:
        return Rig(rig.names, rig.c2w, lenses=truth.lenses)


class EvoKITTI(Evo):
    key = "kitti"


class COLMAP(Library):
    key, unit_m = "colmap", 1.0
    environment = Environment("colmap", ("pycolmap==4.2.1", "numpy"))

    def task(self, case: Case) -> Task:
        frames = case.rig.frames
        return {
            **super().task(case),
            "images": [[f"{name}/{frame:06d}.png" for frame in range(1, frames + 1)] for name in case.rig.names],
        }

    def written_back(self, case: Case) -> list[Path]:
        return [case.back / "text", case.back / "binary"]


LIBRARIES = {
    "usd": OpenUSD,
    "trimesh": Trimesh,
    "open3d": Open3D,
    "evo": Evo,
    "evo_kitti": EvoKITTI,
    "colmap": COLMAP,
}
