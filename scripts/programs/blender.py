"""Blender's part of `scripts/check_programs.py`: it opens our files and says where it sees markers, and writes its own.

Runs where `bpy` is, without this pack: blender.py TASKS.json ANSWERS.json. Points are in the rig's world (x right, y
down, z away); Blender's has z up and its front at -y.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import bpy
import mathutils
from bpy_extras.object_utils import world_to_camera_view


def to_blender(point: list[float]) -> mathutils.Vector:
    x, y, z = point
    return mathutils.Vector((x, z, -y))


def empty_scene(size: list[int], fps: list[float], unit_m: float = 1.0) -> bpy.types.Scene:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.fps, scene.render.fps_base = int(fps[0]), fps[1]
    scene.unit_settings.scale_length = unit_m
    return scene


def cameras_of(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    return [one for one in scene.objects if one.type == "CAMERA"]


def pixel(scene: bpy.types.Scene, camera: bpy.types.Object, point: mathutils.Vector) -> list[float]:
    """By the camera's own projection; `world_to_camera_view` must agree, which knows nothing of a pixel's shape."""
    render = scene.render
    width, height = render.resolution_x, render.resolution_y
    graph = bpy.context.evaluated_depsgraph_get()
    seen_from = camera.evaluated_get(graph)
    projection = seen_from.calc_matrix_camera(
        graph, x=width, y=height, scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y
    )
    x, y, _, w = projection @ seen_from.matrix_world.normalized().inverted() @ point.to_4d()
    found = [(x / w + 1) / 2 * width, (1 - y / w) / 2 * height]
    across, up, _ = world_to_camera_view(scene, seen_from, point)
    other = [across * width, (1 - up) * height]
    if max(abs(one - two) for one, two in zip(found, other, strict=True)) > 0.01:
        raise SystemExit(f"Blender's two answers differ: {found}, {other}")
    return found


def pixels(scene: bpy.types.Scene, frames: list[float], points: list[list[float]]) -> dict:
    """[camera][frame][point] -> x, y; frames are those of the scene."""
    cameras = cameras_of(scene)
    found = {one.name: [] for one in cameras}
    for frame in frames:
        scene.frame_set(math.floor(frame), subframe=frame % 1)
        for one in cameras:
            found[one.name].append([pixel(scene, one, to_blender(point)) for point in points])
    return found


def see(task: dict) -> dict:
    """A file of ours in an empty scene."""
    scene = empty_scene(task["size"], task["fps"])
    path, first = Path(task["file"]), task["first_frame"]
    if task["how"] == "usd":
        bpy.ops.wm.usd_import(filepath=str(path))
    elif task["how"] == "gltf":
        bpy.ops.import_scene.gltf(filepath=str(path))
    elif task["how"] == "script":
        bpy.ops.wm.save_as_mainfile(filepath=str(path.with_suffix(".blend")))
        exec(compile(task["script"], "the import script", "exec"), {})  # noqa: S102
    else:
        sys.path.insert(0, task["addon"])
        from io_anim_nuke_chan.import_nuke_chan import read_chan

        width, height = task["size"]
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            camera = bpy.data.objects.new(file.stem, bpy.data.cameras.new(file.stem))
            scene.collection.objects.link(camera)
            bpy.context.view_layer.objects.active = camera
            read_chan(bpy.context, str(file), True, task["order"], 36.0, 36.0 * height / width)
    told = {
        "range": [scene.frame_start, scene.frame_end],
        "fps": scene.render.fps / scene.render.fps_base,
        "fits": [one.data.sensor_fit for one in cameras_of(scene)],
    }
    return {"pixels": pixels(scene, [first + frame for frame in task["frames"]], task["points"]), **told}


def make(task: dict) -> dict:
    """A scene of Blender's own, written by its exporters and by our script."""
    scene = empty_scene(task["size"], task["fps"], task.get("unit_m", 1.0))
    scene.frame_start, scene.frame_end = task["range"]
    scene.render.pixel_aspect_x = task.get("pixel_aspect_x", 1.0)
    holders = {}
    for about in task["cameras"]:
        data = bpy.data.cameras.new(about.get("data", "Camera"))
        data.sensor_width, data.sensor_height = about["sensor"]
        data.sensor_fit, data.lens = about["fit"], about["lens"]
        data.clip_start, data.clip_end = about.get("clip", (0.1, 1000))
        camera = bpy.data.objects.new(about["name"], data)
        scene.collection.objects.link(camera)
        if about.get("parent"):
            holders.setdefault(about["parent"], bpy.data.objects.new(about["parent"], None))
            camera.parent = holders[about["parent"]]
        for frame, place, degrees in about["keys"]:
            camera.location, camera.rotation_euler = place, [math.radians(angle) for angle in degrees]
            camera.keyframe_insert("location", frame=frame)
            camera.keyframe_insert("rotation_euler", frame=frame)
    for name, holder in holders.items():
        scene.collection.objects.link(holder)
        for frame, place, degrees, scale in task["parents"][name]:
            holder.location, holder.scale = place, (scale,) * 3
            holder.rotation_euler = [math.radians(angle) for angle in degrees]
            for what in ("location", "rotation_euler", "scale"):
                holder.keyframe_insert(what, frame=frame)
    folder = Path(task["folder"])
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "scene.blend"))
    for suffix in ("usda", "usdc"):
        bpy.ops.wm.usd_export(filepath=str(folder / f"scene.{suffix}"), export_animation=True, **task.get("usd", {}))
    for suffix, kind in (("glb", "GLB"), ("gltf", "GLTF_SEPARATE")):
        bpy.ops.export_scene.gltf(
            filepath=str(folder / f"scene.{suffix}"), export_cameras=True, export_format=kind, **task.get("gltf", {})
        )
    exec(compile(task["script"], "the export script", "exec"), {})  # noqa: S102
    if task.get("addon"):
        sys.path.insert(0, task["addon"])
        from io_anim_nuke_chan.export_nuke_chan import save_chan

        (folder / "chan").mkdir()
        for camera in cameras_of(scene):
            bpy.context.view_layer.objects.active = camera
            save_chan(bpy.context, str(folder / "chan" / f"{camera.name}.chan"), True, task["order"])
    first, last = task["range"]
    return {"pixels": pixels(scene, list(range(first, last + 1)), task["points"])}


def main() -> None:
    tasks = json.loads(Path(sys.argv[1]).read_text())
    answers = [{"see": see, "make": make}[task["do"]](task) for task in tasks]
    Path(sys.argv[2]).write_text(json.dumps({"version": bpy.app.version_string, "answers": answers}))


if __name__ == "__main__":
    main()
