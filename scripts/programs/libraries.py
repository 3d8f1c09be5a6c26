"""The libraries' part of `scripts/check_programs.py`: each opens our files and says where it sees markers.

Runs where the library is, without this pack: libraries.py TASKS.json ANSWERS.json. Every function answers with
[camera][frame][point] -> x, y in pixels, and writes the same cameras into `task["back"]` where the library can.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import numpy as np

FLIP = np.diag([1.0, -1.0, -1.0, 1.0])  # between y down, z forward and y up, z back


def project(c2w: np.ndarray, intrinsics: np.ndarray, points: list) -> list:
    """Pixels of points (n, 3) through a camera with x right, y down, z forward."""
    seen = np.linalg.inv(c2w) @ np.concatenate([np.array(points), np.ones((len(points), 1))], 1).T
    image = intrinsics @ seen[:3]
    return (image[:2] / image[2]).T.tolist()


def files(task: dict) -> list[Path]:
    path = Path(task["file"])
    return sorted(path.iterdir()) if path.is_dir() else [path]


def back_file(task: dict, file: Path) -> str:
    folder = Path(task["back"])
    folder.mkdir(exist_ok=True)
    return str(folder / file.name)


def usd(task: dict) -> list:
    from pxr import Gf, Usd, UsdGeom

    stage = Usd.Stage.Open(task["file"])
    width, height = task["size"]
    found = []
    for prim in (prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Camera)):
        frames = []
        for frame in task["frames"]:
            frustum = UsdGeom.Camera(prim).GetCamera(stage.GetStartTimeCode() + frame).frustum
            matrix = frustum.ComputeViewMatrix() * frustum.ComputeProjectionMatrix()
            seen = [matrix.Transform(Gf.Vec3d(x, -y, -z)) for x, y, z in task["points"]]
            frames.append([[(x + 1) / 2 * width, (1 - y) / 2 * height] for x, y, _ in seen])
        found.append(frames)
    return found


def trimesh(task: dict) -> list:
    import trimesh

    scene = trimesh.load(task["file"])
    camera = scene.camera
    camera.resolution = task["size"]
    return [[project(FLIP @ scene.camera_transform @ FLIP, camera.K, task["points"])]]


def open3d(task: dict) -> list:
    import open3d

    found = []
    for file in files(task):
        if task["moving"]:
            trajectory = open3d.io.read_pinhole_camera_trajectory(str(file))
            cameras = trajectory.parameters
            open3d.io.write_pinhole_camera_trajectory(back_file(task, file), trajectory)
        else:
            cameras = [open3d.io.read_pinhole_camera_parameters(str(file))]
            open3d.io.write_pinhole_camera_parameters(back_file(task, file), cameras[0])
        # The middle of Open3D's first pixel is 0, that of a picture's corner is -0.5.
        found.append(
            [
                (
                    np.array(
                        project(
                            np.linalg.inv(cameras[frame].extrinsic),
                            cameras[frame].intrinsic.intrinsic_matrix,
                            task["points"],
                        )
                    )
                    + 0.5
                ).tolist()
                for frame in task["frames"]
            ]
        )
    return found


def evo(task: dict) -> list:
    from evo.tools import file_interface

    found = []
    for file, intrinsics in zip(files(task), task["intrinsics"], strict=True):
        if task["how"] == "tum":
            path = file_interface.read_tum_trajectory_file(str(file))
            file_interface.write_tum_trajectory_file(back_file(task, file), path)
        else:
            path = file_interface.read_kitti_poses_file(str(file))
            file_interface.write_kitti_poses_file(back_file(task, file), path)
        found.append([project(path.poses_se3[frame], np.array(intrinsics), task["points"]) for frame in task["frames"]])
    return found


def pycolmap(task: dict) -> list:
    import pycolmap

    model = pycolmap.Reconstruction(task["file"])
    for suffix in ("text", "binary"):
        folder = Path(task["back"]) / suffix
        folder.mkdir(parents=True, exist_ok=True)
        getattr(model, f"write_{suffix}")(folder)
    images = {image.name: image for image in model.images.values()}
    return [
        [
            [
                images[frames[min(frame, len(frames) - 1)]].project_point(np.array(one)).tolist()
                for one in task["points"]
            ]
            for frame in task["frames"]
        ]
        for frames in task["images"]
    ]


PACKAGES = {"usd": "usd-core", "tum": "evo", "kitti": "evo", "colmap": "pycolmap"}
READERS = {
    "usd": usd,
    "trimesh": trimesh,
    "open3d": open3d,
    "tum": evo,
    "kitti": evo,
    "colmap": pycolmap,
}


def main() -> None:
    tasks = json.loads(Path(sys.argv[1]).read_text())
    answers = [{"pixels": READERS[task["how"]](task)} for task in tasks]
    package = PACKAGES.get(tasks[0]["how"], tasks[0]["how"])
    Path(sys.argv[2]).write_text(json.dumps({"version": metadata.version(package), "answers": answers}))


if __name__ == "__main__":
    main()
