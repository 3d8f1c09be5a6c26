"""The pictures of the rig nodes, and the cards of the rig workflows."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from drawing import ROOT, WIDE, rig_picture, shortened, stacked, words_picture

from syncam_core.cameras import Rig, builders, orbit_rig, recam_rig, rig_from_json, transforms
from syncam_core.cameras.meter import measure, to_text
from syncam_core.cameras.motion import Move, move_cameras
from syncam_core.cameras.plucker import wan_camera_embedding
from syncam_core.cameras.presets import preset_rig
from syncam_core.formats import read_rig_file, write_rig_file
from syncam_core.formats.cameractrl_poses import cameractrl_from_rig, rig_from_cameractrl
from syncam_core.formats.load3d_camera import load3d_from_rig, rig_from_load3d
from syncam_core.preview import thumbnails
from syncam_core.preview.canvas import Canvas
from syncam_core.preview.look import MUTED, PANEL, TEXT, Look
from syncam_core.preview.rig_picture import draw_perspective
from syncam_core.preview.stage import Stage


def bullet_time() -> Rig:
    return builders.arc_rig(19, -45, 45, 8, 3.0, reference="middle")


def edited() -> Rig:
    """The cameras of the workflow rig_editor."""
    rig = orbit_rig([0, 65, 150, -80], [20, 12, 32, 15], [5, 4.7, 5.4, 5])
    return Rig(("front", "right", "behind", "left"), rig.c2w)


def film_cameras() -> Rig:
    """The cameras of the workflow film."""
    return orbit_rig([0, 25, -25, 0], [5, 5, 5, 18], [3.5, 3.5, 3.5, 4])


def mixed() -> Rig:
    """What the workflow rig_merge builds."""
    top = builders.camera_rig(0, 60, 3.5, name="top")
    front = builders.arc_rig(3, -20, 20, 5, 3.5, reference="middle")
    merged = transforms.merge_rigs([front, builders.close_wide_rig(1.5, 4.5, 10, 12), top])
    aside = transforms.translate_rig(merged, (1, 0, 0), [5])
    return transforms.reorder_rig(transforms.retarget_rig(aside, (0, 0, 0), [5]), "wide, close")


def orbit_and_push_in() -> Rig:
    moves = [Move("orbit", 90, "in_out"), Move("push_in", 0.5, "in_out", start_frame=8)]
    return move_cameras(builders.ring_rig(2, 20, 5), moves, 17, [1])


def stereo_and_side() -> Rig:
    pair = builders.stereo_rig(0.3, 5, "toed-in", 0, 20, 5)
    return transforms.merge_rigs([pair, builders.camera_rig(90, 20, 5, name="side")])


def row_moved_and_aimed() -> Rig:
    row = transforms.translate_rig(builders.line_rig(5, 0.6, aim="parallel", distance_m=3.0), (0.8, -0.8, 0))
    return transforms.retarget_rig(row, (0, 0, 0))


def three_3d_cameras() -> Rig:
    """Three of Create Camera Info, in orbit mode: yaw, pitch, distance."""
    return rig_from_load3d([orbit_camera(0, 10, 3), orbit_camera(25, 10, 3), orbit_camera(-20, 20, 3.5)])


def orbit_camera(yaw_deg: float, pitch_deg: float, distance: float) -> dict:
    """A camera_info in the viewer's world: y up, z towards the viewer."""
    yaw, pitch = np.radians([yaw_deg, pitch_deg])
    x, y, z = np.cos(pitch) * np.sin(yaw), np.sin(pitch), np.cos(pitch) * np.cos(yaw)
    place = dict(zip("xyz", (distance * np.array([x, y, z])).tolist(), strict=True))
    return {"position": place, "target": {"x": 0, "y": 0, "z": 0}, "fov": 32, "zoom": 1, "cameraType": "perspective"}


def workflow_text(name: str) -> str:
    """The rig JSON in a shipped workflow."""
    prompt = json.loads((ROOT / "example_workflows" / "api" / f"{name}.json").read_text(encoding="utf-8"))
    (inputs,) = (node["inputs"] for node in prompt.values() if node["class_type"] == "SynCamRigJSON")
    return inputs["rig_json"]


def shipped_file(cameras: str = "middle, left, right, high") -> Rig:
    return read_rig_file(ROOT / "example_workflows" / "input" / "syncam_transforms.json", cameras, unit_m=0.01)


HELP_RIGS: dict[str, Callable[[], Rig]] = {
    "Orbit": lambda: orbit_rig([0, 30, 60], [10], [3, 3, 4]),
    "Camera": lambda: builders.camera_rig(30, 15, 3, 10, name="hero"),
    "Ring": lambda: builders.ring_rig(8, 10, 3),
    "Arc": bullet_time,
    "Dome": lambda: builders.dome_rig(24),
    "Line": lambda: builders.line_rig(5, 0.6, elevation_deg=5),
    "Grid": lambda: builders.grid_rig(4, 3, 0.4, 0.4, elevation_deg=10, distance_m=3.5),
    "Stereo": lambda: builders.stereo_rig(0.3, 3, "toed-in", elevation_deg=5),
    "CloseWide": lambda: builders.close_wide_rig(1.5, 4, elevation_deg=10),
    "Preset": lambda: preset_rig("authors ten cameras"),
    "Merge": lambda: transforms.merge_rigs(
        [builders.ring_rig(4, 10, 3), builders.close_wide_rig(1.3, 4.5, azimuth_deg=45, elevation_deg=10)]
    ),
    "Reorder": lambda: builders.arc_rig(5, -40, 40, 5, reference="middle"),
    "Transform": row_moved_and_aimed,
    "Move": lambda: move_cameras(
        orbit_rig([0, 40], [10], [3]), [Move("orbit", 60), Move("push_in", 0.6)], length=81, cameras=[1]
    ),
    "ReCam": lambda: recam_rig("9, 10, 7"),
    "JSON": lambda: rig_from_json(workflow_text("rig_json")),
}
# name of the workflow: title, words below it, the cameras that it makes
WORKFLOWS: dict[str, tuple[str, str, Callable[[], Rig]]] = {
    "baseline_svd_xt": (
        "Baseline: SVD-XT",
        "Table 1, each view from its own first frame",
        lambda: orbit_rig([30, 0], [0], [3]),
    ),
    "baseline_wan_camera": (
        "Baseline: Wan camera control",
        "Table 1, each view along its own path",
        lambda: orbit_rig([30, 0], [0], [3]),
    ),
    "baseline_wan_i2v": (
        "Baseline: Wan image to video",
        "Table 1, each view from its own first frame",
        lambda: orbit_rig([30, 0], [0], [3]),
    ),
    "camera_accuracy": (
        "Camera accuracy",
        "where do the pictures say that cameras stood?",
        lambda: orbit_rig([0, 15, 30, 45], [25], [4]),
    ),
    "film": ("From cameras to a film", "drag, sample, cut live, save: with Wan2.1", film_cameras),
    "rig_arc": ("A bullet-time arc", "19 cameras over 90°, one moment", bullet_time),
    "rig_close_wide": (
        "Close-up and wide",
        "two cameras on one line",
        lambda: builders.close_wide_rig(1.5, 4, elevation_deg=10),
    ),
    "rig_dome": ("Cameras on a dome", "a cap of 14° around elevation 21°", lambda: builders.dome_rig(4, 14, 0, 21, 5)),
    "rig_editor": ("The rig editor", "cameras dragged and typed in 3D", edited),
    "rig_file": ("Cameras from a file", "nerfstudio in, Blender out", shipped_file),
    "rig_grid": ("A wall of cameras", "4 x 3, aimed at the subject", HELP_RIGS["Grid"]),
    "rig_json": ("A rig written as text", "JSON with keyframes", HELP_RIGS["JSON"]),
    "rig_line": ("A row of cameras", "five, half a metre apart", lambda: builders.line_rig(5, 0.5, "horizontal", "target", 0, 5, 3.5)),
    "rig_merge": ("Rigs of rigs", "merge, transform, reorder", mixed),
    "rig_moving": ("Cameras that move", "an orbit, then a push-in", orbit_and_push_in),
    "rig_preset": ("Presets", "the ten cameras of the authors' example", HELP_RIGS["Preset"]),
    "rig_recam": ("Moves of ReCamMaster", "two arcs and a crane", HELP_RIGS["ReCam"]),
    "rig_ring": ("A ring of cameras", "four views, all the way round", lambda: builders.ring_rig(4, 20, 5)),
    "rig_sockets": ("Cameras of other packs", "3D viewers and CameraCtrl poses", three_3d_cameras),
    "rig_stereo": ("A stereo pair", "and a third camera, merged", stereo_and_side),
    "text_to_2_views_4_steps": ("4 steps, CFG 1", "two views with a step-distilled LoRA", lambda: orbit_rig([30, 0], [0], [3])),
    "text_to_2_views_azimuth": ("30° of azimuth", "two views, one prompt", lambda: orbit_rig([30, 0], [0], [3])),
    "text_to_2_views_distance": ("4 m and 5 m", "two views, one prompt", lambda: orbit_rig([0], [0], [4, 5])),
    "text_to_2_views_elevation": ("20° of elevation", "two views, one prompt", lambda: orbit_rig([0], [0, 20], [3, 3.19253])),
}  # fmt: skip


def thumbnail(title: str, words: str, make: Callable[[], Rig]) -> np.ndarray:
    """A card of the template browser."""
    rig = make()
    meter = measure(rig)
    canvas = Canvas(640, 400, PANEL)
    look = replace(Look.of(rig, meter, 1280, 720), text_px=8.0, stroke=2.0)  # numbers, but no words
    canvas.place(draw_perspective(Stage.of(rig, meter), look, 640, 320), 0, 80)
    canvas.text((24, 42), title, 28, TEXT, "lm")
    canvas.text((24, 74), words, 17, MUTED, "lm")
    return canvas.finish()


# ---- rigs and what is beside them


def preview_example() -> np.ndarray:
    rig = orbit_rig([0, 24, -24, 70], [4, 12, 0, 22], [3.2, 3.6, 4.2, 4.8])
    rig = Rig(("front", "right", "left", "side"), rig.c2w)
    seen = (thumbnails(rig, WIDE // 2, 162) * 255).round().byte().numpy()
    return stacked([rig_picture(rig), np.concatenate([np.concatenate(list(row), 1) for row in (seen[:2], seen[2:])])])


def meter_example() -> np.ndarray:
    rig = Rig(("front", "right", "side", "high"), orbit_rig([0, 26, 75, 0], [5, 10, 5, 25], [3.5, 3.5, 4, 4]).c2w)
    lines = to_text(measure(rig)).split("\n")
    judged = lines[: lines.index("", 2)]  # the pairs and the bridges come after it
    return stacked([rig_picture(rig, (340, 0)), words_picture(judged)])


def file_example() -> np.ndarray:
    return stacked(
        [
            words_picture(["transforms.json, cameras 'middle, left, right, high', 0.01 metres per unit:"]),
            rig_picture(shipped_file()),
        ]
    )


def save_example() -> np.ndarray:
    """One camera of a rig as three formats write it, numbers shortened."""
    rig = orbit_rig([0, 30], [10], [3])
    rig = Rig(("front", "right"), rig.c2w)
    with tempfile.TemporaryDirectory() as folder:
        blender, estate, chan = (Path(folder) / name for name in ("camera.json", "camera.txt", "camera.chan"))
        for path, name in ((blender, "blender"), (estate, "realestate10k"), (chan, "nuke_chan")):
            write_rig_file(rig.select([1]), path, name)
        matrix = json.loads(blender.read_text())["cameras"][0]["matrix_world"]
        estate_row = estate.read_text().splitlines()[1].split()[7:]
        chan_row = chan.read_text().split()
    lines = ["Camera 2 as three of the formats write it:", "blender, camera to world, z up"]
    lines += ["  " + shortened(row) for row in matrix[:3]]
    lines += ["realestate10k, world to camera, y down"]
    lines += ["  " + shortened(estate_row[start : start + 4]) for start in (0, 4, 8)]
    lines += ["nuke_chan: position, rotation, vertical field of view"]
    lines += ["  " + shortened(chan_row[1:4]), "  " + shortened(chan_row[4:])]
    return stacked([rig_picture(rig, (330, 0)), words_picture(lines)])


def from_load3d_example() -> np.ndarray:
    lines = ["Create Camera Info, orbit: yaw, pitch, distance", "  0, 10, 3", "  25, 10, 3", "  -20, 20, 3.5"]
    return stacked([words_picture(lines), rig_picture(three_3d_cameras())])


def to_load3d_example() -> np.ndarray:
    rig = orbit_rig([0, 30], [10], [3])
    lines = ["camera_info of camera 2, y up:"]
    info = load3d_from_rig(rig)[1]
    for key in ("position", "target", "quaternion"):
        lines += [f"  {key}", "  " + shortened(info[key].values())]
    lines += [f"  fov   {info['fov']:.1f}"]
    return stacked([rig_picture(rig, (360, 0)), words_picture(lines)])


def pose_list_lines(row: Sequence[float]) -> list[str]:
    names = ("frame", "fx", "fy", "cx", "cy", "width", "height")
    numbers = ",  ".join(f"{name} {round(number, 2):g}" for name, number in zip(names, row, strict=False))
    return [f"  {numbers}", *(f"  {shortened(row[start : start + 4])}" for start in (7, 11, 15))]


def from_cameractrl_example() -> np.ndarray:
    """Two pose lists: one still, one that trucks to the right."""
    made = move_cameras(orbit_rig([0, 25], [5], [3]), [Move("truck", 1.2, "none")], 17, [1])
    lists = cameractrl_from_rig(made, 17)
    lines = ["Row 17 of the second list, world to camera:", *pose_list_lines(lists[1][16])]
    return stacked([words_picture(lines), rig_picture(rig_from_cameractrl(lists))])


def to_cameractrl_example() -> np.ndarray:
    rig = orbit_rig([0, 30], [10], [3])
    lines = ["A row of camera 2, world to camera:", *pose_list_lines(cameractrl_from_rig(rig)[1][0])]
    return stacked([rig_picture(rig, (360, 0)), words_picture(lines)])


def to_wan_camera_example() -> np.ndarray:
    """A camera on an arc, and the horizontal direction and the vertical moment of its rays over time."""
    path = orbit_rig([10.0 * step for step in range(9)], [10], [3]).c2w[:, 0]
    rig = Rig(("arc",), path[None])
    rays = wan_camera_embedding(rig, 0, 152, 88, 9)[0]
    words = words_picture(["its rays over time: direction x, moment y"], 46)
    wide = np.full((2 * 88 + 6, words.shape[1], 3), PANEL, np.uint8)
    for row, channel in enumerate((12, 7)):  # four frames of each of six coordinates, the moments first
        frames = rays[channel]
        spread = (frames.max() - frames.min()).clamp_min(1e-6)
        strip = np.concatenate(list(((frames - frames.min()) / spread * 255).byte().numpy()), 1)
        wide[row * 94 : row * 94 + 88, : strip.shape[1]] = strip[..., None]
    return stacked([rig_picture(rig, (360, 0)), words, wide])
