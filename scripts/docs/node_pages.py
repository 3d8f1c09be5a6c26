"""The pictures of the nodes that sample and show views."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from drawing import (
    AZIMUTH,
    FPS,
    LARGE,
    NORMAL,
    RED_BALL,
    SMALL,
    WIDE,
    around,
    as_bytes,
    beside,
    film,
    rig_picture,
    shortened,
    stacked,
    words_picture,
)
from PIL import Image

from syncam_core.cameras import Rig, encode_cameras, encode_trajectories, orbit_rig, recam_rig
from syncam_core.metrics import shuffled_cameras
from syncam_core.metrics.badges import badge_picture, table_picture
from syncam_core.metrics.bench import Bench
from syncam_core.metrics.camera_accuracy import camera_accuracy
from syncam_core.metrics.matching import matcher_of
from syncam_core.metrics.picture import score_picture
from syncam_core.metrics.report import run
from syncam_core.metrics.tables import table_of
from syncam_core.metrics.takes import Take
from syncam_core.preview.accuracy_picture import ShownMatches, draw_accuracy
from syncam_core.preview.canvas import RGB, Canvas, standing_out
from syncam_core.preview.frusta import draw_arrow_head
from syncam_core.preview.look import BACKGROUND, GRID, MUTED, PANEL, TEXT, TRAINED
from syncam_core.synthetic import Scene, render
from syncam_core.video.clip import Clip, ImageClip
from syncam_core.video.labels import draw_plate, label_plate, label_plates
from syncam_core.video.layout import plan_grid
from syncam_core.video.layout_film import compose_frame
from syncam_core.video.sheet import sheet_of_clips


def encode_example() -> np.ndarray:
    rig = orbit_rig([0, 30], [0, 10], [3])
    poses = encode_cameras(rig, 81).poses[:, 0]  # (views, 12)
    lines = []
    for view, pose in enumerate(poses):
        lines.append(f"What the model reads of view {view}" + (", the reference:" if view == 0 else ":"))
        lines += ["  " + shortened(pose[start : start + 4]) for start in (0, 4, 8)]
    lines.append("Three columns of rotation, and the position in units of 2 m")
    return stacked([rig_picture(rig, (0, 400)), words_picture(lines)])


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


def trajectories_example() -> np.ndarray:
    rig = recam_rig("9", length=81)
    poses = encode_trajectories(rig, 81).poses[0]  # (latent frames, 12)
    lines = []
    for frame in (0, 20):
        lines.append(
            f"What the model reads of latent frame {frame}" + (", where the source was filmed:" if not frame else ":")
        )
        lines += ["  " + shortened(poses[frame, start : start + 4]) for start in (0, 4, 8)]
    lines.append("Three columns of rotation, and the position in metres")
    return stacked([rig_picture(recam_rig("9, 10"), (0, 400)), words_picture(lines)])


def source_example() -> np.ndarray:
    """A film becomes one latent."""
    strip = np.concatenate(list(as_bytes(film(RED_BALL, around("a"), 141, 141, (0, 4, 8, 12))[0])), 1)
    canvas = Canvas(WIDE, 132, PANEL)
    box_row(canvas, 22, 24, 21, orbit_rig([0, 30], [0], [3]).colors[1], "source")
    return stacked([words_picture(["your clip, cut, scaled and cropped:"], 46), strip, canvas.finish()])


def recapture_example() -> np.ndarray:
    """What a re-capture reads: the target's noisy frames, and behind them the source's clean ones."""
    canvas = Canvas(WIDE, 330, PANEL)
    target, source = orbit_rig([0, 30], [0], [3]).colors
    left, top, step, size = 22, 96, 53, 44
    for frame in range(10):
        inks = standing_out(target if frame < 5 else source, PANEL)
        x = left + step * frame
        canvas.polygon([(x, top), (x + size, top), (x + size, top + size), (x, top + size)], inks, 0.8)
        canvas.text((x + size / 2, top + size + 34), f"c{frame % 5}", SMALL, TRAINED, "mm", halo=False)
    canvas.text((left, 36), "the film to be made", NORMAL, TEXT, "lm", halo=False)
    canvas.text((left, 68), "noisy, f latent frames", SMALL, MUTED, "lm", halo=False)
    canvas.text((left + 5 * step, 36), "the source", NORMAL, TEXT, "lm", halo=False)
    canvas.text((left + 5 * step, 68), "clean in every step, f more", SMALL, MUTED, "lm", halo=False)
    outline(canvas, left - 10, top - 10, left + 9 * step + size + 10, top + size + 10, MUTED)
    words = (
        "self-attention: all frames of both, with weights of its own",
        "c0, c1, ...: the trajectory's camera, on both halves",
    )
    for line, (text, color) in enumerate(zip(words, (MUTED, TRAINED), strict=True)):
        canvas.text((left, 236 + 34 * line), text, SMALL, color, "lm", halo=False)
    canvas.text((left, 304), "only the first half comes out", SMALL, TEXT, "lm", halo=False)
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


def scout_example() -> np.ndarray:
    """A row for each seed, one moment of four views; rendered, as a sheet of seeds looks."""
    rows = []
    for seed, prompt in enumerate(
        ("a red ball on sand", "a red cone turning on grass", "a red cube walking on concrete")
    ):
        views = film(prompt, around("a", "b", "c", "d"), 104, 141, [8])[:, 0]
        row = np.concatenate(list(as_bytes(views)), 1)
        draw_plate(row, label_plate(f"seed {seed}", "#ffffff", *row.shape[:2]), 0, 0)
        rows.append(row)
    plate = label_plate("rendered", "#ffffff", 104, 564)
    draw_plate(
        rows[-1], plate, 104 - plate.keep.shape[0] - 2 * plate.margin, 564 - plate.keep.shape[1] - 2 * plate.margin
    )
    return np.concatenate(rows)


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


def parallel_example() -> np.ndarray:
    """Two GPUs of two views each: views by themselves, frames while views look at each other, and views again."""
    canvas = Canvas(WIDE, 420, PANEL)
    colors, frames, side, gap = orbit_rig([0, 30, 60, 90], [0], [3]).colors, 4, 24, 7
    step = side + gap
    grids = ((26, "self-attention"), (222, "between views"), (418, "text, feed-forward"))
    for column, (left, words) in enumerate(grids):
        canvas.text((left + 2 * step - gap / 2, 64), words, SMALL, TEXT, "mm", halo=False)
        for view, frame in np.ndindex(4, frames):
            second = frame > 1 if column == 1 else view > 1
            x, y = left + step * frame + (8 if column == 1 and second else 0), 96 + step * view
            y += 54 if column != 1 and second else 27 if column == 1 else 0
            inks = standing_out(colors[view], PANEL)
            canvas.polygon([(x, y), (x + side, y), (x + side, y + side), (x, y + side)], inks, 0.85)
        if column != 1:
            for first, name in ((0, "GPU 0"), (2, "GPU 1")):
                top = 96 + step * first + 27 * first
                outline(canvas, left - 8, top - 8, left + 4 * step - gap + 8, top + 2 * step - gap + 8, MUTED)
                canvas.text((left + 2 * step - gap / 2, top + 2 * step + 14), name, SMALL, MUTED, "mm", halo=False)
        else:
            for half in (0, 1):
                x = left + (2 * step + 8) * half
                outline(canvas, x - 6, 115, x + 2 * step - gap + 6, 123 + 4 * step + 4, MUTED)
                canvas.text((x + step - gap / 2, 116 + 4 * step + 32), f"GPU {half}", SMALL, MUTED, "mm", halo=False)
        if column:
            y = 96 + 2 * step + 24
            canvas.line(np.array([(left - 66, y), (left - 22, y)]), AZIMUTH, 3, 0.95)
            draw_arrow_head(canvas, np.array([(left - 66, y), (left - 22, y)]), AZIMUTH, 9)
    canvas.text((22, 28), "rows are views, columns are moments:", NORMAL, TEXT, "lm", halo=False)
    canvas.text((22, 352), "each GPU has its own views, all moments;", SMALL, MUTED, "lm", halo=False)
    canvas.text((22, 382), "only between views it has all views, its own moments", SMALL, AZIMUTH, "lm", halo=False)
    return canvas.finish()


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


@lru_cache
def textured() -> tuple[Rig, list[Clip]]:
    """Three views of the textured world, two moments."""
    rig = Rig(("front", "right", "side"), orbit_rig([0, 18, 36], [24], [4]).c2w)
    scene = replace(Scene.from_prompt("a red cube turning on grass under a clear sky", Scene.random(3)), texture=1)
    return rig, [ImageClip(view) for view in render(scene, rig, 256, 448, [0.0, 0.4])]


def accuracy_example() -> np.ndarray:
    rig, views = textured()
    shown = ShownMatches()
    accuracy = camera_accuracy(views, rig, matcher_of("sift"), every=1, on_matches=shown.keep)
    return draw_accuracy(accuracy, views, rig, shown)


def world_example() -> np.ndarray:
    views = np.concatenate([view[0] for view in textured()[1]], 1)
    return np.asarray(Image.fromarray(views).reduce(2))  # grain costs bytes


def metrics_example() -> np.ndarray:
    """A film of the toy world with grain, its truth beside it, and no network's file."""
    rig = around("front", "right", "back")
    truth = film(RED_BALL, rig, 96, 96, (0, 4, 8, 12))
    grainy = (truth + 0.4 * (grains(3, 96, 96, 1)[:, None] - 0.5)).clamp(0, 1)
    takes = [Take("take", tuple(ImageClip(view) for view in views), rig, RED_BALL, FPS) for views in (grainy, truth)]
    names = ["clip_v", "mat_pix", "psnr", "ssim", "sync", "azimuth"]
    return as_bytes(badge_picture(run(takes[:1], names, Bench(every=1, matcher="sift", truth=takes[1]))))


def table_example() -> np.ndarray:
    rig, views = textured()
    rows = []
    for name, cameras in (("true cameras", rig), ("cameras in another order", shuffled_cameras(rig))):
        take = Take(name, tuple(views), cameras)
        rows.append((name, run([take], ["rot_err", "trans_err"], Bench(every=1, matcher="sift"))))
    return (table_picture(table_of("table4", rows, with_paper=True)) * 255).astype(np.uint8)


def score_example() -> np.ndarray:
    rig = around("front", "right", "back")
    return as_bytes(score_picture(film(RED_BALL, rig, 184, 184, (0, 16)), rig, moments=2))
