"""What is asked of Blender: our files in four ways, and scenes as people have them, written by its own exporters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from syncam_core.cameras import Rig
from syncam_core.formats import nuke_chan, read_rig_file

from .cases import AT, POINTS, Case, Library, Result, Results, Task, predicted
from .environments import Environment

DOCS = Path(__file__).resolve().parents[2] / "docs" / "camera-json-files.md"


class Blender:
    """Blender opens our USD, glTF, script and .chan, and writes scenes of its own."""

    script = "blender.py"
    environment = Environment("blender", ("bpy==5.0.1",), exact_python=(3, 11))
    ways = ("usd", "gltf", "script", "chan")

    def __init__(self, folder: Path, addon: Path | None) -> None:
        self.folder, self.addon = folder, addon
        self.seen: list[tuple[str, Case]] = []
        self.made: list[tuple[str, Task]] = []

    def tasks(self) -> list[Task]:
        tasks = []
        importer, exporter = blender_scripts()
        for way in self.ways if self.addon else self.ways[:-1]:
            key = {"usd": "usd", "gltf": "gltf", "script": "blender", "chan": "nuke_chan"}[way]
            library = type(f"Blender_{way}", (Library,), {"key": key, "between": True})(self.folder / way, None)
            for case in library.written():
                if way == "script":
                    case.path = case.path.rename(case.path.with_name("cameras.json"))
                self.seen.append((way, case))
                fps = [16, 1.0] if way != "usd" else [24, 1.0]
                tasks.append(
                    {
                        **library.task(case),
                        "how": way,
                        "fps": fps,
                        "first_frame": 0 if way == "gltf" else 1,
                        "script": importer,
                        "addon": str(self.addon),
                        "order": "ZXY",
                    }
                )
        for name, scene in blender_scenes().items():
            folder = self.folder / "made" / name.replace(" ", "_")
            folder.mkdir(parents=True)
            task = {"do": "make", "folder": str(folder), "points": POINTS, "script": exporter, **scene}
            task.update({"addon": str(self.addon), "order": "ZXY"} if self.addon and task.get("chan") else {})
            self.made.append((name, task))
            tasks.append(task)
        return tasks

    def judged(self, version: str, answers: list[Task]) -> list[Result]:
        results = Results(f"Blender {version}")
        for (way, case), answer in zip(self.seen, answers, strict=False):
            frames = AT if case.moving else (0,)
            expected = predicted(case.rig, case.size, frames)
            found = np.array([answer["pixels"][name] for name in sorted(answer["pixels"])])
            whole = [index for index, frame in enumerate(frames) if frame == int(frame)]
            results[f"our {way}, {case.kind}, at frames"].add(found[:, whole], expected[:, whole])
            if case.moving and way != "chan":  # its add-on sets keys that ease
                rest = [index for index in range(len(frames)) if index not in whole]
                results[f"our {way}, {case.kind}, between frames"].add(found[:, rest], expected[:, rest])
        for (name, task), answer in zip(self.made, answers[len(self.seen) :], strict=True):
            self._read_back(results, name, task, answer["pixels"])
        return [*results.rows.values()]

    def recorded(self, answers: list[Task]) -> Iterator[tuple[str, Path, Task]]:
        for (name, task), answer in zip(self.made, answers[len(self.seen) :], strict=True):
            for suffix in RECORDED.get(name, ()):
                about = {"size": task["size"], "points": POINTS, "format": "auto", "pixels": answer["pixels"]}
                path = Path(task["folder"]) / ("chan" if suffix == "chan" else f"scene.{suffix}")
                if path.exists():
                    yield f"{name.replace(',', '').replace(' ', '_').lstrip('.')}.{suffix}", path, about

    def _read_back(self, results: Results, name: str, task: Task, pixels: dict[str, Any]) -> None:
        folder, size = Path(task["folder"]), tuple(task["size"])
        frames = task["range"][1] - task["range"][0] + 1
        paths = [*(folder / f"scene.{suffix}" for suffix in ("usda", "usdc", "glb", "gltf")), folder / "cameras.json"]
        for path in [*paths, folder / "chan"]:
            if path.exists():
                row = results[f"its own {path.suffix or path.name}: {name}"]
                unit_m, format = (None, "auto") if path.suffix else (task.get("unit_m", 1.0), "nuke_chan")
                if not path.suffix:
                    rig = nuke_chan.read(path, unit_m=unit_m, image_size=size)
                else:
                    rig = read_rig_file(path, unit_m=unit_m, format=format)
                if {*rig.names} != {*pixels}:
                    print(f"{row.what}: cameras are called {rig.names}, not {tuple(pixels)}")
                    row.worst_px = float("nan")
                    continue
                if rig.frames not in (1, frames):
                    print(f"{row.what}: {rig.frames} frames, not {frames}")
                    row.worst_px = float("nan")
                    continue
                if path.suffix == ".json":  # the other exporters write units of the scene as if they were metres
                    rig = in_scene_units(rig, task.get("unit_m", 1.0))
                found = predicted(rig, size, tuple(range(frames)) if rig.frames > 1 else (0,) * frames)
                row.add(found, np.array([pixels[camera] for camera in rig.names]))


def in_scene_units(rig: Rig, unit_m: float) -> Rig:
    c2w = rig.c2w.clone()
    c2w[..., :3, 3] /= unit_m
    return Rig(rig.names, c2w, lenses=rig.lenses)


def blender_scripts() -> tuple[str, str]:
    """The help page's two scripts: from our file into Blender, and from Blender to our file."""
    found = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)
    importer = next(script for script in found if "json.load(" in script)
    return importer, next(script for script in found if "json.dump(" in script)


def blender_scenes() -> dict[str, Task]:
    """Scenes as people have them; positions and angles are Blender's own, metres and degrees."""
    moving = [(1, (0, -4, 1), (80, 0, 5)), (6, (2, -3, 1.4), (75, 4, 40))]
    still = [(1, (-1.5, -3.5, 0.3), (88, 0, -20))]
    left = {"name": "left", "data": "Lens", "sensor": (36, 24), "fit": "AUTO", "lens": 50, "keys": moving}
    right = {"name": "right", "data": "Camera", "sensor": (30, 20), "fit": "HORIZONTAL", "lens": 40, "keys": still}
    tall = {**right, "name": "tall", "data": "Camera.001", "fit": "VERTICAL", "lens": 28}
    basic = {"size": (832, 480), "fps": [24, 1.0], "range": [1, 6], "cameras": [left, right, tall]}
    dolly = {"keys": [(1, (0, -1.5, 0), (88, 0, 0))], "parent": "dolly"}
    parents = {"dolly": [(1, (0, -1, 0.2), (0, 0, 0), 2.0), (6, (1, -1.2, 0.2), (0, 0, 30), 2.0)]}
    return {
        "landscape": basic,
        "portrait": {**basic, "size": (480, 832)},
        "square pictures": {**basic, "size": (512, 512)},
        "units of 1 cm": {**basic, "unit_m": 0.01},
        "USD in centimetres, y up": {
            **basic,
            "usd": {
                "convert_scene_units": "CENTIMETERS",
                "convert_orientation": True,
                "export_global_forward_selection": "NEGATIVE_Z",
                "export_global_up_selection": "Y",
            },
        },
        "USD with merged parents": {**basic, "usd": {"merge_parent_xform": True}},
        "USD with quaternions": {**basic, "usd": {"xform_op_mode": "TOS"}},
        "USD with matrices": {**basic, "usd": {"xform_op_mode": "MAT"}},
        "30/1.001 fps": {**basic, "fps": [30, 1.001]},
        "16 fps, frames 11 to 16": {
            **basic,
            "fps": [16, 1.0],
            "range": [11, 16],
            "cameras": [{**left, "keys": [(11, *moving[0][1:]), (16, *moving[1][1:])]}, right],
        },
        "in a scaled, moving parent": {**basic, "cameras": [{**left, **dolly}, right], "parents": parents},
        "as .chan needs it": {
            **basic,
            "cameras": [
                {**one, "fit": "HORIZONTAL", "sensor": (36, 36 * 480 / 832)} for one in (left, {**right, "lens": 24})
            ],
            "chan": True,
        },
        "one still camera": {**basic, "cameras": [right]},
        "clipping from 1 mm to 50 km": {**basic, "cameras": [{**left, "clip": (0.001, 50000)}, right]},
        "eight cameras": {
            **basic,
            "cameras": [
                {**left, "name": f"eye {n}", "data": f"Lens {n}", "lens": 30 + n, "keys": [(1, (0.3 * n - 1, -4, 1), (80, 0, n)), (6, (1, -3 - 0.1 * n, 1), (75, 3, 10))]}
                for n in range(8)
            ],
        },
    }  # fmt: skip


RECORDED = {  # scenes of Blender whose files are kept for the tests
    "landscape": ("usda", "glb"),
    "portrait": ("usdc", "glb"),
    "16 fps, frames 11 to 16": ("usda", "glb"),
    "in a scaled, moving parent": ("usda", "glb"),
    "USD with merged parents": ("usda",),
    "USD in centimetres, y up": ("usda",),
    "as .chan needs it": ("chan",),
}
