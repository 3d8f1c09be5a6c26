"""The drawing of the conventions: a camera about its target, and its own axes."""

from __future__ import annotations

import numpy as np
from drawing import AZIMUTH, ELEVATION, arrow, beside, wedge

from syncam_core.cameras import Rig, orbit_c2w
from syncam_core.cameras.meter import measure
from syncam_core.preview.canvas import RGB, Canvas
from syncam_core.preview.frusta import draw_frustum
from syncam_core.preview.ground import Rings, draw_figure, draw_floor
from syncam_core.preview.look import BACKGROUND, MUTED, PANEL, TEXT, Look
from syncam_core.preview.projector import Projector
from syncam_core.preview.stage import Stage, orbit_point

EXAMPLE_DEG = (38.0, 28.0)  # azimuth, elevation of the camera that the drawing explains
EXAMPLE_M = 3.4
X_RED: RGB = (240, 110, 110)
Y_GREEN: RGB = (120, 205, 120)
Z_BLUE: RGB = (110, 165, 250)


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
