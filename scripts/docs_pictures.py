"""Makes the pictures of the documentation: one for each help page, the drawing of the conventions, and the thumbnails
of the rig workflows. All come from the code that users run: rigs from the builders, drawings from the preview, films
from the toy world's renderer. No model is needed.

python scripts/docs_pictures.py            all of them
python scripts/docs_pictures.py Ring Arc   those with one of these words in their names
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from syncam_core.cameras import Rig, builders, encode_cameras, orbit_c2w, orbit_rig, rig_from_json, transforms  # noqa: E402  # noqa: E402
from syncam_core.cameras.meter import measure, to_text  # noqa: E402
from syncam_core.cameras.motion import Move, move_cameras  # noqa: E402
from syncam_core.cameras.presets import preset_rig  # noqa: E402
from syncam_core.formats import read_rig_file, write_rig_file  # noqa: E402
from syncam_core.formats.cameractrl_poses import cameractrl_from_rig, rig_from_cameractrl  # noqa: E402
from syncam_core.formats.load3d_camera import load3d_from_rig, rig_from_load3d  # noqa: E402
from syncam_core.metrics.picture import score_picture  # noqa: E402
from syncam_core.preview import thumbnails  # noqa: E402
from syncam_core.preview.canvas import RGB, Canvas, standing_out, text_width  # noqa: E402
from syncam_core.preview.projector import Projector  # noqa: E402
from syncam_core.preview.rig_picture import (  # noqa: E402
    BACKGROUND,
    GRID,
    MUTED,
    PANEL,
    TEXT,
    TRAINED,
    Look,
    Rings,
    _from_above,
    _perspective,
    draw_arrow_head,
    draw_figure,
    draw_floor,
    draw_frustum,
)
from syncam_core.preview.stage import Stage, orbit_point  # noqa: E402
from syncam_core.synthetic import Scene, frame_times, render  # noqa: E402
from syncam_core.video.clip import ImageClip  # noqa: E402
from syncam_core.video.labels import draw_plate, label_plates  # noqa: E402
from syncam_core.video.layout import plan_grid  # noqa: E402
from syncam_core.video.layout_film import compose_frame  # noqa: E402
from syncam_core.video.sheet import sheet_of_clips  # noqa: E402

X_RED: RGB = (240, 110, 110)
Y_GREEN: RGB = (120, 205, 120)
Z_BLUE: RGB = (110, 165, 250)
AZIMUTH: RGB = (255, 176, 60)
ELEVATION: RGB = (205, 150, 255)

EXAMPLE_DEG = (38.0, 28.0)  # azimuth, elevation of the camera that the drawing explains
EXAMPLE_M = 3.4


WIDE = 564  # of a help page's picture: the host's help panel shows it at half of this, so texts are large
SMALL, NORMAL, LARGE = 18, 21, 26  # heights of text in such a picture, pixels
GAP = 8
FPS = 8.0


def main(wanted: Sequence[str] = ()) -> None:
    for name, draw in PICTURES.items():
        if wanted and not any(word.lower() in name.lower() for word in wanted):
            continue
        path, image = ROOT / name, Image.fromarray(draw())
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".jpg":
            image.save(path, quality=84)
        elif name in FULL_COLOR:
            image.save(path, optimize=True)
        else:  # drawings have few colours
            image.quantize(192, dither=Image.Dither.NONE).save(path, optimize=True)
        print(f"{path.stat().st_size / 1000:6.0f} kB  {name}")


# ---- conventions


def conventions(width: int, height: int) -> np.ndarray:
    canvas = Canvas(width, height, BACKGROUND)
    split = round(width * 0.6)
    canvas.place(world_panel(split - 15, height - 20), 10, 10)
    canvas.place(camera_panel(width - split - 15, height - 20), split + 5, 10)
    return canvas.finish()


def world_panel(width: int, height: int) -> Canvas:
    """Azimuth, elevation and distance of a camera about its target, in the axes of the world."""
    canvas = Canvas(width, height, PANEL)
    rig = Rig(["camera"], orbit_c2w(*EXAMPLE_DEG, EXAMPLE_M)[None, None], colors=("#3399ff",))
    meter = measure(rig)
    stage, look = Stage.of(rig, meter), Look.of(rig, meter, 1280, 720)
    azimuth, elevation = EXAMPLE_DEG
    centre = stage.centres[0]
    ahead = orbit_point(0, 0, 3.3)
    must_see = np.concatenate([[centre, ahead, [1.5, 0, 0], [0, 1.5, 0], [0, 0, 2.3], [-1.2, -0.7, 0]]])
    view = Projector.raised(-24, 24, 4.0).fitted(must_see, 60, 84, width - 130, height - 84)
    draw_floor(canvas, view, stage, Rings(1.0, 3.6), look, labelled=False)

    for tip, color, words, anchor in (
        (np.array([1.5, 0.0, 0.0]), X_RED, "x  right", "lm"),
        (np.array([0.0, 1.5, 0.0]), Y_GREEN, "y  down", "mt"),
        (np.array([0.0, 0.0, 2.3]), Z_BLUE, "z  away", "mb"),
    ):
        arrow(canvas, view, np.zeros(3), tip, color)
        shift = {"lm": (12, 0), "mt": (0, 12), "mb": (0, -12)}[anchor]
        canvas.text(beside(view.pixels(tip), *shift), words, 17, color, anchor)
    draw_figure(canvas, view, stage)

    # azimuth: level, from the direction of the front
    level = orbit_point(azimuth, 0, EXAMPLE_M * np.cos(np.radians(elevation)))
    canvas.dashes(view.pixels(np.zeros(3)), view.pixels(ahead), MUTED, 1.6, 0.9, 6)
    canvas.dashes(view.pixels(np.zeros(3)), view.pixels(level), AZIMUTH, 1.6, 0.9, 6)
    canvas.dashes(view.pixels(level), view.pixels(centre), MUTED, 1.2, 0.8, 5)
    turn = np.linspace(0, azimuth, 40)
    wedge(canvas, view, orbit_point(turn, 0, 1.7), AZIMUTH)
    canvas.text(beside(view.pixels(orbit_point(azimuth * 0.5, 0, 1.95)), 0, 10), "azimuth +", 17, AZIMUTH, "mt")
    canvas.text(beside(view.pixels(ahead), 0, 8), "azimuth 0: in front of the target", 15, MUTED, "mt")
    # elevation: upwards from there
    rise = np.linspace(0, elevation, 30)
    wedge(canvas, view, orbit_point(azimuth, rise, 2.3), ELEVATION)
    canvas.text(
        beside(view.pixels(orbit_point(azimuth, elevation * 0.5, 2.4)), 8, 4), "elevation +", 17, ELEVATION, "lm"
    )

    canvas.line([view.pixels(np.zeros(3)), view.pixels(centre)], TEXT, 2, 0.9)
    canvas.text(beside(view.pixels(centre * 0.52), -10, -16), "distance", 17, TEXT, "rm")
    draw_frustum(canvas, view, stage, 0, 0.75, look, frame=0, strength=1.0)
    canvas.disc(view.pixels(centre), 6, look.colors[0])
    canvas.text(beside(view.pixels(centre), 14, -2), "camera", 17, look.inks[0], "lm")
    canvas.disc(view.pixels(np.zeros(3)), 5, TEXT)
    canvas.text(beside(view.pixels(np.zeros(3)), -44, -6), "target", 17, TEXT, "rm")

    canvas.text((16, 24), "world: right-handed, in metres", 19, TEXT, "lm")
    words = "C = target + distance (sin az cos el,  -sin el,  -cos az cos el)"
    canvas.text((16, height - 24), words, 16, MUTED, "lm")
    return canvas


def camera_panel(width: int, height: int) -> Canvas:
    """The axes of a camera (OpenCV), its picture, and where they stand in the matrix."""
    canvas = Canvas(width, height, PANEL)
    rig = Rig(["camera"], orbit_c2w(0, 0, 3.0)[None, None], colors=("#3399ff",))
    meter = measure(rig)
    stage, look = Stage.of(rig, meter), Look.of(rig, meter, 1280, 720)
    depth, eye = 1.5, stage.centres[0]
    corners = stage.picture_corners(0, depth)
    tips = dict(zip("xyz", eye + np.diag([0.72, 0.6, 2.35]), strict=True))
    view = Projector.raised(-38, 24, 4.0).fitted(np.stack([eye, *corners, *tips.values()]), 74, 96, width - 96, 350)
    draw_frustum(canvas, view, stage, 0, depth, look, frame=0, strength=0.8)
    for (name, tip), color in zip(tips.items(), (X_RED, Y_GREEN, Z_BLUE), strict=True):
        arrow(canvas, view, eye, tip, color)
        words, shift, anchor = {
            "x": ("x  right", (10, 4), "lm"),
            "y": ("y  down", (0, 10), "mt"),
            "z": ("z  forward", (-6, -12), "mb"),
        }[name]
        canvas.text(beside(view.pixels(tip), *shift), words, 17, color, anchor)
    canvas.disc(view.pixels(eye), 6, look.colors[0])
    canvas.text(beside(view.pixels(eye), -12, -2), "C", 19, look.inks[0], "rm")
    canvas.text(beside(view.pixels(corners[2]), -8, -16), "picture", 15, look.inks[0], "rb")

    canvas.text((16, 24), "camera: axes of OpenCV", 19, TEXT, "lm")
    draw_matrix(canvas, width / 2 + 20, height - 162)
    canvas.text((16, height - 46), "columns: the camera's axes and its centre,", 16, MUTED, "lm")
    canvas.text((16, height - 24), "in world coordinates; any point: p_world = c2w p_camera", 16, MUTED, "lm")
    return canvas


def draw_matrix(canvas: Canvas, middle: float, centre_y: float) -> None:
    step_x, step_y = 62, 34
    left, top = middle - 1.5 * step_x, centre_y - 1.5 * step_y
    columns = (("x", X_RED), ("y", Y_GREEN), ("z", Z_BLUE), ("C", TEXT))
    for column, (name, color) in enumerate(columns):
        for row in range(3):
            at = (left + column * step_x, top + row * step_y)
            canvas.text(at, f"{name}{'123'[row]}", 20, color, "mm")
        last = "1" if name == "C" else "0"
        canvas.text((left + column * step_x, top + 3 * step_y), last, 20, MUTED, "mm")
    for side, edge in ((1, left - 34), (-1, left + 3 * step_x + 34)):
        bracket = [(edge + 9 * side, top - 22), (edge, top - 22), (edge, top + 3 * step_y + 22)]
        canvas.line([*bracket, (edge + 9 * side, top + 3 * step_y + 22)], TEXT, 2)
    canvas.text((left - 48, centre_y), "c2w =", 20, TEXT, "rm")


def beside(point: np.ndarray, right: float, down: float) -> tuple[float, float]:
    return float(point[0]) + right, float(point[1]) + down


def arrow(canvas: Canvas, view: Projector, start: np.ndarray, tip: np.ndarray, color: RGB) -> None:
    pixels = view.pixels(np.linspace(start, tip, 12))
    canvas.line(pixels, color, 3, 0.95)
    draw_arrow_head(canvas, pixels, color, 9)


def wedge(canvas: Canvas, view: Projector, arc: np.ndarray, color: RGB) -> None:
    pixels = view.pixels(arc)
    canvas.polygon([view.pixels(np.zeros(3)), *pixels], color, 0.14)
    canvas.line(pixels, color, 3, 0.95)
    draw_arrow_head(canvas, pixels, color, 8)


# ---- rigs of help pages and workflows


def bullet_time() -> Rig:
    return builders.arc_rig(19, -45, 45, 8, 3.0, reference="middle")


def edited() -> Rig:
    """The cameras of the workflow rig_editor."""
    rig = orbit_rig([0, 65, 150, -80], [20, 12, 32, 15], [5, 4.7, 5.4, 5])
    return Rig(("front", "right", "behind", "left"), rig.c2w)


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
    "JSON": lambda: rig_from_json(workflow_text("rig_json")),
}

# name of the workflow: title, words below it, the cameras that it makes
WORKFLOWS: dict[str, tuple[str, str, Callable[[], Rig]]] = {
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
    "rig_ring": ("A ring of cameras", "four views, all the way round", lambda: builders.ring_rig(4, 20, 5)),
    "rig_sockets": ("Cameras of other packs", "3D viewers and CameraCtrl poses", three_3d_cameras),
    "rig_stereo": ("A stereo pair", "and a third camera, merged", stereo_and_side),
}  # fmt: skip


def rig_picture(rig: Rig, heights: tuple[int, int] = (372, 372), text_px: float = NORMAL) -> np.ndarray:
    """The two views of SynCam Rig Preview one above the other, with texts and numbers for a narrow panel."""
    meter = measure(rig)
    stage = Stage.of(rig, meter)
    look = Look.of(rig, meter, 1280, 720)
    look = replace(look, text_px=text_px, disc=look.disc * 1.3, stroke=2.0, gap=GAP)
    panels = [
        draw(stage, look, WIDE, height)
        for draw, height in zip((_perspective, _from_above), heights, strict=True)
        if height
    ]
    return stacked(panel.finish() for panel in panels)


def stacked(pictures: Iterable[np.ndarray]) -> np.ndarray:
    """One below the other, with a gap between them."""
    pictures = list(pictures)
    gap = np.full((GAP, pictures[0].shape[1], 3), BACKGROUND, np.uint8)
    return np.concatenate([part for picture in pictures for part in (picture, gap)][:-1])


def thumbnail(title: str, words: str, make: Callable[[], Rig]) -> np.ndarray:
    """A card of the template browser."""
    rig = make()
    meter = measure(rig)
    canvas = Canvas(640, 400, PANEL)
    look = replace(Look.of(rig, meter, 1280, 720), text_px=8.0, stroke=2.0)  # numbers, but no words
    canvas.place(_perspective(Stage.of(rig, meter), look, 640, 320), 0, 80)
    canvas.text((24, 42), title, 28, TEXT, "lm")
    canvas.text((24, 74), words, 17, MUTED, "lm")
    return canvas.finish()


# ---- rigs and what is beside them


def words_picture(lines: Sequence[str], height: int = 0) -> np.ndarray:
    """Lines of text, the ones that are indented in grey; long ones go on in the next line, tabs make columns."""
    rows = []
    for line in lines:
        indent, color = (18, MUTED) if line.startswith(" ") else (0, TEXT)
        parts = [line.strip()] if "\t" in line else wrapped(line, WIDE - 32 - indent)
        rows += [(16 + indent, color, part) for part in parts] or [(0, TEXT, "")]
    step = 27
    canvas = Canvas(WIDE, height or 20 + step * len(rows), PANEL)
    for number, (left, color, part) in enumerate(rows):
        y, (first, *others) = 24 + step * number, part.split("\t")
        if not others:
            canvas.text((left, y), first, SMALL, color, "lm", halo=False)
        for column, cell in enumerate((first, *others) if others else ()):
            canvas.text((left + 70 + 84 * column, y), cell, SMALL, color, "rm", halo=False)
    return canvas.finish()


def wrapped(line: str, widest: float) -> list[str]:
    parts: list[str] = []
    for word in line.split():
        if parts and text_width(f"{parts[-1]} {word}", SMALL) <= widest:
            parts[-1] += f" {word}"
        else:
            parts.append(word)
    return parts


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


def shortened(numbers: Iterable, digits: int = 2) -> str:
    """Numbers in columns."""
    return "\t".join(f"{round(float(number), digits) + 0.0:.{digits}f}" for number in numbers)


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


def encode_example() -> np.ndarray:
    rig = orbit_rig([0, 30], [0, 10], [3])
    poses = encode_cameras(rig, 81).poses[:, 0]  # (views, 12)
    lines = []
    for view, pose in enumerate(poses):
        lines.append(f"What the model reads of view {view}" + (", the reference:" if view == 0 else ":"))
        lines += ["  " + shortened(pose[start : start + 4]) for start in (0, 4, 8)]
    lines.append("Three columns of rotation, and the position in units of 2 m")
    return stacked([rig_picture(rig, (0, 400)), words_picture(lines)])


# ---- diagrams of the model


def latent_example() -> np.ndarray:
    """One batch item per view, each a stack of latent frames."""
    canvas = Canvas(WIDE, 430, PANEL)
    rig = orbit_rig([0, 30, 60], [0], [3])
    for view, color in enumerate(rig.colors):
        box_row(canvas, 22, 64 + 112 * view, 21, color, f"view {view}")
    canvas.text((16, 26), "3 cameras, 832 x 480, 81 frames:", NORMAL, TEXT, "lm", halo=False)
    words = "3 views,  16 channels,  21 latent frames,  60 x 104"
    canvas.text((WIDE / 2, 406), words, NORMAL, TEXT, "mm", halo=False)
    return canvas.finish()


def box_row(canvas: Canvas, left: float, top: float, count: int, color: str, words: str) -> None:
    """Latent frames one behind the other."""
    inks = standing_out(color, PANEL)
    for frame in reversed(range(count)):
        x = left + 88 + 17 * frame
        corners = [(x, top + 18), (x + 62, top), (x + 62, top + 66), (x, top + 84)]
        canvas.polygon(corners, PANEL)
        canvas.polygon(corners, inks, 0.30)
        canvas.line([*corners, corners[0]], inks, 1.6)
    canvas.text((left, top + 42), words, NORMAL, TEXT, "lm", halo=False)


def apply_example() -> np.ndarray:
    """Self-attention goes along a row, the synchronization along a column."""
    canvas = Canvas(WIDE, 446, PANEL)
    colors = orbit_rig([0, 30, 60], [0], [3]).colors
    left, top, step_x, step_y, size = 110, 150, 86, 84, 54
    for view, color in enumerate(colors):
        inks = standing_out(color, PANEL)
        y = top + step_y * view
        canvas.text((16, y + size / 2), f"view {view}", NORMAL, TEXT, "lm", halo=False)
        for frame in range(5):
            x = left + step_x * frame
            canvas.polygon([(x, y), (x + size, y), (x + size, y + size), (x, y + size)], inks, 0.8)
    outline(canvas, left - 12, top - 12, left + 4 * step_x + size + 12, top + size + 12, MUTED)
    outline(
        canvas, left + 2 * step_x - 20, top - 22, left + 2 * step_x + size + 20, top + 2 * step_y + size + 22, TRAINED
    )
    canvas.text((16, 30), "in each block of the transformer", NORMAL, TEXT, "lm", halo=False)
    canvas.text((16, 66), "self-attention: one view, all its latent frames", SMALL, MUTED, "lm", halo=False)
    canvas.text((16, 96), "synchronization: all views, one latent frame", SMALL, TRAINED, "lm", halo=False)
    canvas.text((WIDE / 2 + 27, 422), "latent frames", SMALL, MUTED, "mm", halo=False)
    return canvas.finish()


def outline(canvas: Canvas, left: float, top: float, right: float, bottom: float, color: RGB) -> None:
    canvas.line([(left, top), (right, top), (right, bottom), (left, bottom), (left, top - 1)], color, 3.5)


def weights_example() -> np.ndarray:
    """What a weights file holds: one synchronization module for each block."""
    canvas = Canvas(WIDE, 430, PANEL)
    parts = ("self-attention", "synchronization", "cross-attention", "feed-forward")
    for column, name in enumerate(("block 1", "block 2", "block 30")):
        x = 24 + (0, 160, 356)[column]
        canvas.text((x + 74, 36), name, SMALL, TEXT, "mm", halo=False)
        for row, part in enumerate(parts):
            y, ours = 62 + 72 * row, part == "synchronization"
            canvas.rectangle(x, y, x + 150, y + 58, TRAINED if ours else GRID, 8)
            canvas.text((x + 75, y + 29), part, SMALL - 1, (12, 14, 17) if ours else TEXT, "mm", halo=False)
    canvas.text((24 + 333, 200), "...", LARGE, TEXT, "mm", halo=False)
    canvas.text((24, 376), "green: these weights, 15 tensors in each of 30 blocks", SMALL, TRAINED, "lm", halo=False)
    canvas.text((24, 406), "grey: the base model, loaded by Load Diffusion Model", SMALL, MUTED, "lm", halo=False)
    return canvas.finish()


def convert_example() -> np.ndarray:
    """The sizes of the two files, to scale."""
    canvas = Canvas(WIDE, 270, PANEL)
    whole_gb, ours_gb = 3.5, 0.71  # step20000.ckpt in bf16, and what SynCam Convert Weights writes of it in bf16
    scale = (WIDE - 48) / whole_gb
    canvas.text((24, 30), f"step20000.ckpt in bf16: {whole_gb} GB", NORMAL, TEXT, "lm", halo=False)
    canvas.rectangle(24, 52, WIDE - 24, 106, GRID, 8)
    canvas.rectangle(24, 52, 24 + scale * ours_gb, 106, TRAINED, 8)
    canvas.text((24, 150), f"the .safetensors file: {ours_gb} GB", NORMAL, TEXT, "lm", halo=False)
    canvas.rectangle(24, 172, 24 + scale * ours_gb, 226, TRAINED, 8)
    canvas.text(
        (24, 250), "green: the synchronization, grey: the whole transformer again", SMALL - 1, MUTED, "lm", halo=False
    )
    return canvas.finish()


# ---- films of the toy world


def film(prompt: str, rig: Rig, height: int, width: int, frames: Sequence[int]) -> torch.Tensor:
    """(views, frames, height, width, 3) in 0..1: the truth, as the demo model's training saw it."""
    return render(Scene.from_prompt(prompt), rig, height, width, frame_times(17, FPS)[list(frames)])


def around(*names: str) -> Rig:
    """Up to four cameras where the demo model knows them."""
    rig = orbit_rig([0, 90, 180, -90][: len(names)], [20], [5])
    return Rig(names, rig.c2w)


RED_BALL = "a red ball walking on sand under a clear sky"


def as_bytes(picture: torch.Tensor) -> np.ndarray:
    return (picture.clamp(0, 1) * 255).round().byte().numpy()


def grains(views: int, rows: int, columns: int, size: int) -> torch.Tensor:  # (views, height, width, 3)
    """Noise as large as a latent's pixels, grey: JPEG would blur its colours."""
    noise = torch.randn((views, rows, columns, 1), generator=torch.Generator().manual_seed(0)) * 0.15 + 0.5
    return noise.repeat_interleave(size, 1).repeat_interleave(size, 2).expand(-1, -1, -1, 3).clone()


def demo_example() -> np.ndarray:
    """The world that the demo model was trained on: each row one prompt seen by three cameras."""
    prompts = (RED_BALL, "a green cone turning on grass under a pink sky", "a yellow cube circling on concrete under a clear sky")  # fmt: skip
    parts = []
    for prompt in prompts:
        views = film(prompt, around("a", "b", "c"), 184, 188, [0])[:, 0]
        parts += [words_picture([prompt], 46), np.concatenate(list(as_bytes(views)), 1)]
    return stacked(parts)


def decode_example() -> np.ndarray:
    """A latent becomes a list of films."""
    canvas = Canvas(WIDE, 150, PANEL)
    for view, color in enumerate(orbit_rig([0, 90], [20], [5]).colors):
        box_row(canvas, 8 + 282 * view, 44, 5, color, f"item {view}")
    canvas.text((16, 22), "latent", NORMAL, TEXT, "lm", halo=False)
    strips = [
        np.concatenate(list(as_bytes(view)), 1) for view in film(RED_BALL, around("a", "b"), 141, 141, (0, 4, 8, 12))
    ]
    return stacked(
        [canvas.finish(), words_picture(["views: a list, one batch of frames for each camera"], 46), *strips]
    )


def sampler_example() -> np.ndarray:
    """Rows: views; columns: moments of the sampling. A drawing of the principle: truth and noise mixed as Wan does."""
    truth = film(RED_BALL, around("a", "b", "c"), 141, 141, [8])[:, 0]
    noise = grains(3, 47, 47, 3)
    columns = []
    for step in (0, 40, 47, 50):
        rest = 1 - step / 50
        sigma = 5 * rest / (1 + 4 * rest)  # shift 5
        columns.append(np.concatenate(list(as_bytes((1 - sigma) * truth + sigma * noise))))
    head = Canvas(WIDE, 46, PANEL)
    for column, step in enumerate((0, 40, 47, 50)):
        head.text((141 * column + 70, 23), f"step {step}", NORMAL, TEXT, "mm", halo=False)
    return stacked([head.finish(), np.concatenate(columns, 1)])


def given_example() -> np.ndarray:
    """View 0 is given, the others come out of noise."""
    rig = around("given", "right", "behind")
    truth = film(RED_BALL, rig, 180, 276, [8])[:, 0]
    before = grains(3, 45, 69, 4)
    before[0] = truth[0]
    head = Canvas(WIDE, 46, PANEL)
    for left, words in ((0, "before"), (288, "after")):
        head.text((left + 138, 23), words, NORMAL, TEXT, "mm", halo=False)
    plates = label_plates(rig.names, rig.colors, [(180, 276)] * 3)
    columns = [as_bytes(before), as_bytes(truth)]
    for pictures in columns:
        for picture, plate in zip(pictures, plates, strict=True):
            draw_plate(picture, plate, 0, 0)
    gap = np.full((540, WIDE - 552, 3), BACKGROUND, np.uint8)
    return stacked(
        [head.finish(), np.concatenate([np.concatenate(list(columns[0])), gap, np.concatenate(list(columns[1]))], 1)]
    )


def prompts_example() -> np.ndarray:
    """What SynCam View Prompts makes of a text and one line for each camera."""
    text, suffixes = "a potter shapes a vase", ("", "close-up of the hands", "the window behind her")
    given = ["text:", f"  {text}", "suffixes:", *(f"  {suffix}" for suffix in suffixes)]
    prompts = [f"view {view}: {text} {suffix}".rstrip() for view, suffix in enumerate(suffixes)]
    return stacked([words_picture(given), words_picture(prompts)])


def control_example() -> np.ndarray:
    """How strongly each view follows the others over the sampling: the thickness of its bar."""
    strengths, ends = (0.0, 0.5, 1.0), (1.0, 1.0, 0.6)
    canvas = Canvas(WIDE, 196, PANEL)
    left, right = 110, WIDE - 24
    for view, color in enumerate(orbit_rig([0, 30, 60], [0], [3]).colors):
        inks, y = standing_out(color, PANEL), 40 + 48 * view
        canvas.text((16, y), f"view {view}", NORMAL, inks, "lm", halo=False)
        canvas.line([(left, y), (right, y)], GRID, 2)
        end = left + (right - left) * ends[view]
        canvas.rectangle(left, y - 11 * strengths[view], end, y + 11 * strengths[view], inks)
    for x, words, anchor in ((left, "first step", "lm"), (right, "last step", "rm")):
        canvas.text((x, 172), words, SMALL, MUTED, anchor, halo=False)
    lines = [
        f"{name}: {', '.join(f'{number:g}' for number in numbers)}"
        for name, numbers in (("strengths", strengths), ("ends", ends))
    ]
    return stacked([words_picture(lines), canvas.finish()])


def guider_example() -> np.ndarray:
    """The three predictions as points, and the two steps, lengthened by the scales that the paper recommends."""
    canvas = Canvas(WIDE, 400, PANEL)
    nothing, video, text = np.array([60.0, 320.0]), np.array([160.0, 280.0]), np.array([164.0, 260.0])
    led_by_video = nothing + 1.8 * (video - nothing)
    led_by_both = led_by_video + 7.5 * (text - video)
    for start, end, color in ((nothing, led_by_video, AZIMUTH), (led_by_video, led_by_both, TRAINED)):
        pixels = np.linspace(start, end, 20)
        canvas.line(pixels, color, 4)
        draw_arrow_head(canvas, pixels, color, 11)
    canvas.dashes(video, text, TRAINED, 3, 0.9, 5)
    for point, words, anchor, away in (
        (nothing, "v(0, 0): neither", "lt", (-30, 18)),
        (video, "v(V, 0): with the video", "lt", (18, 10)),
        (text, "v(V, T): with both", "rm", (-16, -8)),
    ):
        canvas.disc(point, 8, TEXT)
        canvas.text(beside(point, *away), words, SMALL, TEXT, anchor)
    canvas.text(beside(led_by_video, 20, 6), "video_scale  s_V", NORMAL, AZIMUTH, "lm")
    canvas.text(beside((led_by_video + led_by_both) / 2, 24, 0), "text_scale  s_T", NORMAL, TRAINED, "lm")
    canvas.text(beside(led_by_both, 22, 0), "guided", NORMAL, TEXT, "lm")
    return canvas.finish()


def grid_example() -> np.ndarray:
    rig = around("front", "right", "back", "left")
    views = as_bytes(film(RED_BALL, rig, 200, 282, [8])[:, 0])
    sizes = [view.shape[:2] for view in views]
    return compose_frame(views, plan_grid(sizes), label_plates(rig.names, rig.colors, sizes))


def save_views_example() -> np.ndarray:
    """The contact sheet, with fewer moments."""
    rig = around("front", "right", "back", "left")
    clips = [ImageClip(view) for view in film(RED_BALL, rig, 136, 136, (0, 5, 11, 16))]
    return sheet_of_clips(clips, rig.names, rig.colors, FPS / 5.33, moments=4)


def score_example() -> np.ndarray:
    rig = around("front", "right", "back")
    return as_bytes(score_picture(film(RED_BALL, rig, 184, 184, (0, 16)), rig, moments=2))


HELP = "web/docs/pictures/SynCam"
PICTURES: dict[str, Callable[[], np.ndarray]] = {
    "docs/conventions.png": partial(conventions, 1280, 660),
    **{f"{HELP}Rig{name}.png": lambda make=make: rig_picture(make()) for name, make in HELP_RIGS.items()},
    f"{HELP}RigPreview.jpg": preview_example,
    f"{HELP}RigMeter.png": meter_example,
    f"{HELP}LoadRig.png": file_example,
    f"{HELP}SaveRig.png": save_example,
    f"{HELP}RigFromLoad3D.png": from_load3d_example,
    f"{HELP}RigToLoad3D.png": to_load3d_example,
    f"{HELP}RigFromCameraCtrl.png": from_cameractrl_example,
    f"{HELP}RigToCameraCtrl.png": to_cameractrl_example,
    f"{HELP}EncodeCameras.png": encode_example,
    f"{HELP}EmptyLatent.png": latent_example,
    f"{HELP}Apply.png": apply_example,
    f"{HELP}LoadWeights.png": weights_example,
    f"{HELP}ConvertWeights.png": convert_example,
    f"{HELP}DemoModel.jpg": demo_example,
    f"{HELP}DecodeViews.jpg": decode_example,
    f"{HELP}Sampler.jpg": sampler_example,
    f"{HELP}GivenViews.jpg": given_example,
    f"{HELP}DualGuider.png": guider_example,
    f"{HELP}ViewPrompts.png": prompts_example,
    f"{HELP}ViewControl.png": control_example,
    f"{HELP}ViewGrid.jpg": grid_example,
    f"{HELP}SaveViews.jpg": save_views_example,
    f"{HELP}SyncScore.jpg": score_example,
    **{f"example_workflows/{name}.jpg": partial(thumbnail, *card) for name, card in WORKFLOWS.items()},
}
FULL_COLOR = ("docs/conventions.png",)


if __name__ == "__main__":
    main(sys.argv[1:])
