"""Makes the moving pictures of the documentation: what the nodes for footage do with eight cameras around the toy
world. The films come from the code that users run; no model is needed.

python scripts/docs/films.py                 all of them
python scripts/docs/films.py Layout Stereo   those with one of these words in their names
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from drawing import template  # noqa: E402

from syncam_core.cameras import PALETTE, Rig  # noqa: E402
from syncam_core.cameras.builders import arc_rig, orbit_rig, ring_rig, stereo_rig  # noqa: E402
from syncam_core.cameras.motion import Move, move_cameras  # noqa: E402
from syncam_core.cameras.trajectories import RECAM_MOVES  # noqa: E402
from syncam_core.datasets import Training, append_scene, open_scene, write_take  # noqa: E402
from syncam_core.errors import UserError  # noqa: E402
from syncam_core.preview.canvas import Canvas  # noqa: E402
from syncam_core.preview.look import MUTED, PANEL, TEXT  # noqa: E402
from syncam_core.synthetic import Scene, frame_times, project, render  # noqa: E402
from syncam_core.video.auto_cut import cuts_by_motion, motion_of  # noqa: E402
from syncam_core.video.bullet_time import bullet_time, filmed, view_sweep  # noqa: E402
from syncam_core.video.clip import (  # noqa: E402
    Clip,
    ImageClip,
    MadeClip,
    in_order,
    resized,
)
from syncam_core.video.edit import Edit, edit_of, edited  # noqa: E402
from syncam_core.video.labels import draw_plate, label_plate  # noqa: E402
from syncam_core.video.layout import Layout, fitted  # noqa: E402
from syncam_core.video.layout_film import laid_out  # noqa: E402
from syncam_core.video.quilt import quilt  # noqa: E402
from syncam_core.video.stereo import stereo  # noqa: E402

PICTURES, WORKFLOWS = ROOT / "web" / "docs" / "pictures", ROOT / "example_workflows"
FPS = Fraction(15)
WORLD_FPS = 8.0  # the toy world is filmed slower than it is shown, so that two seconds hold most of a round
PROMPT = "a red cone circling on sand under a clear sky"
LARGEST_FILE = 100_000  # bytes
QUALITIES = (50, 40, 30, 20)  # the first one that keeps the file small enough


@dataclass(frozen=True, eq=False)
class Footage:
    """One moment of the toy world, filmed from all around."""

    rig: Rig
    clips: tuple[Clip, ...]  # 8 bit

    @property
    def names(self) -> tuple[str, ...]:
        return self.rig.names

    @property
    def colors(self) -> tuple[str, ...]:
        return self.rig.colors


@lru_cache
def footage(
    views: int = 8,
    frames: int = 33,
    size: int = 160,  # pixels: the height; the width is 3/2 of it
    prompt: str = PROMPT,
    elevation_deg: float = 20.0,
) -> Footage:
    """A ring of cameras around the toy world, and what they see; the same footage is made once."""
    rig = ring_rig(views, elevation_deg, 4.5)
    return Footage(rig, tuple(ImageClip(view) for view in filmed_world(rig, frames, size, size * 3 // 2, prompt)))


@lru_cache
def arc(views: int, frames: int, size: int = 180, degrees: float = 90.0) -> Footage:
    """Cameras close together, for what goes from one to the next."""
    rig = arc_rig(views, -degrees / 2, degrees / 2, 15.0, 4.5)
    return Footage(rig, tuple(ImageClip(view) for view in filmed_world(rig, frames, size, size * 3 // 2)))


def filmed_world(rig: Rig, frames: int, height: int, width: int, prompt: str = PROMPT) -> torch.Tensor:
    """(views, frames, height, width, 3) in 0..1"""
    return render(Scene.from_prompt(prompt), rig, height, width, frame_times(frames, WORLD_FPS))


def write_film(path: Path, frames: Iterable[np.ndarray], fps: Fraction = FPS, speed: int = 6) -> None:
    """An endless animated AVIF of 8-bit frames, as good as fits into the size of a help page's picture.

    At equal PSNR these films take a quarter of what they take as WebP, so that all pictures fit into the archive of
    the node pack. `speed` is the encoder's, 0 to 10: 6 takes seconds, 10 a moment for a file twice as large.
    """
    pictures = [Image.fromarray(frame) for frame in frames]
    for quality in QUALITIES:
        pictures[0].save(
            path,
            save_all=True,
            append_images=pictures[1:],
            duration=round(1000 / fps),
            quality=quality,
            speed=speed,
            range="limited",  # Chromium takes the films of the other range for this one, and shows too much contrast
        )
        if path.stat().st_size <= LARGEST_FILE:
            return
    raise UserError(f"{path.name} has {path.stat().st_size} bytes; make it shorter or smaller.")


# ---- one function for each film


def grid() -> Clip:
    shot = footage(8, 33, 96)
    return laid_out(shot.clips, Layout(columns=4), shot.names, shot.colors, FPS)


def layouts() -> Clip:
    """Every kind of layout, one after the other, while time runs."""
    shot = footage(5, 30, 120)
    look = {"gap": 4, "background": "#18181b"}
    films = [
        laid_out(shot.clips[:views], Layout(kind=kind, **values, **look), shot.names[:views], shot.colors[:views], FPS)
        for kind, views, values in (
            ("grid", 4, {}),
            ("grid", 5, {"rows": 2, "columns": 3}),
            ("hero + strip", 5, {"main": "1"}),
            ("hero + strip", 4, {"main": "2", "strip": "bottom"}),
            ("side by side", 2, {}),
            ("stacked", 2, {}),
            ("picture in picture", 2, {"main": "1", "inset": "2", "share": 0.35}),
        )
    ]
    return one_after_another(films, 8, 250, 480)


def live_preview() -> Clip:
    """How the preview of a sampling looks: coarse and blurred at first, clearer with every step, always moving."""
    shot, steps, at_once = footage(4, 20, 120), 12, 4

    def latent(clip: Clip, step: int, frame: int) -> np.ndarray:
        small = Image.fromarray(clip[frame]).resize((clip.width // 4, clip.height // 4), Image.Resampling.BOX)
        blurred = small.filter(ImageFilter.GaussianBlur(5 * (1 - (step + 1) / steps) ** 1.5))
        return np.asarray(blurred.resize((clip.width, clip.height), Image.Resampling.BILINEAR)).copy()

    def seen(clip: Clip) -> Clip:
        frames = steps * at_once
        return MadeClip(
            frames, clip.height, clip.width, clip.dtype, lambda t: latent(clip, t // at_once, 2 * t % len(clip))
        )

    film = laid_out([seen(clip) for clip in shot.clips], Layout(), shot.names, shot.colors, FPS)

    def with_step(t: int) -> np.ndarray:
        picture = Image.fromarray(film[t])
        place = (film.width - 8, film.height - 6)
        ImageDraw.Draw(picture).text(place, f"{t // at_once + 1} / {steps}", fill=(255, 255, 255), anchor="rs")
        return np.asarray(picture)

    return MadeClip(len(film), film.height, film.width, film.dtype, with_step)


def bullet() -> Clip:
    shot = arc(19, 24)
    looks = bullet_time(24, 11, range(19), 2, hold=2, cuts=True, ease="in_out")
    return filmed(shot.clips, looks)


def sweep() -> Clip:
    shot = arc(10, 40)
    return filmed(shot.clips, view_sweep(40, range(10), fade=0.5, ease="in_out"))


def two_eyes() -> Clip:
    """Above: side by side; below: the same as an anaglyph."""
    rig = stereo_rig(0.25, 4.5, "toed-in", elevation_deg=15)
    world = filmed_world(rig, 30, 180, 270, "a yellow cube turning on grass under a clear sky")
    left, right = map(ImageClip, world)
    films = stereo(left, right, "side by side"), stereo(left, right, "anaglyph (Dubois)")
    return laid_out(films, Layout(names=False, rows=2, gap=4), ("", ""), PALETTE[:2], FPS)


def light_field() -> Clip:
    shot = arc(12, 20, 90, 40)
    return quilt(shot.clips, 4, 3)


def multicam(shot: Footage, edit: Edit, film: Clip) -> Clip:
    """As on the desk of a multi-camera edit: all views, the film beside them, below them the tracks and the time."""
    grid = laid_out(shot.clips, Layout(columns=2), shot.names, shot.colors, FPS)
    height, width = grid.height, grid.width
    tracks = 14 * (len(shot.names) + 1) + 6

    def frame(t: int) -> np.ndarray:
        picture = np.zeros((height + tracks, 2 * width, 3), np.uint8)
        picture[:height, :width] = grid[t]
        picture[:height, width:] = resized(film[t], height, width)
        canvas = Image.fromarray(picture)
        draw = ImageDraw.Draw(canvas)
        below, above, _ = edit.views_at(t)
        for view in {below, above}:
            row, column = divmod(view, 2)
            left, top = column * width // 2, row * height // 2
            box = (left, top, left + width // 2 - 1, top + height // 2 - 1)
            draw.rectangle(box, outline=shot.colors[view], width=3)

        def x(at: float) -> float:
            return 4 + (2 * width - 8) * at / edit.frames

        for view, color in enumerate(shot.colors):
            top = height + 4 + 14 * (view + 1)
            dark = tuple(int(color[i : i + 2], 16) // 3 for i in (1, 3, 5))
            draw.rectangle((x(0), top, x(edit.frames) - 1, top + 10), fill=dark)
        for cut, end in edit.shots:
            for top in (height + 4, height + 4 + 14 * (cut.view + 1)):
                draw.rectangle((x(cut.start), top, x(end) - 2, top + 10), fill=shot.colors[cut.view])
            if cut.fade:
                first, last = x(cut.start - cut.before), x(cut.start + cut.after)
                draw.line((first, height + 14, last, height + 4), fill="white", width=2)
        draw.line((x(t + 0.5), height, x(t + 0.5), height + tracks), fill="white", width=2)
        return np.asarray(canvas)

    return MadeClip(edit.frames, height + tracks, 2 * width, film.dtype, frame)


def edit_film() -> Clip:
    """The tracks at the bottom: the film, and the four cameras, bright where they are on screen."""
    shot = footage(4, 33, 100)
    edit = edit_of("0 A; 9 B; 18 C ~6; 26 D", 33, FPS, shot.names)
    return multicam(shot, edit, edited(shot.clips, edit, burn_in_timecode=True))


def auto_cut_film() -> Clip:
    shot = footage(4, 33, 100)
    motion = np.array([list(motion_of(clip)) for clip in shot.clips])
    edit = Edit(FPS, 33, shot.names, cuts_by_motion(motion, 5, range(4)))
    return multicam(shot, edit, edited(shot.clips, edit))


def frozen_moment() -> Clip:
    """Eight of the cameras that a bullet time goes through."""
    shot = arc(19, 24)
    some = slice(0, 19, 2)
    return laid_out(shot.clips[some][:8], Layout(rows=2, columns=4, gap=4), shot.names[some][:8], shot.colors[:8], FPS)


def one_after_another(films: Sequence[Clip], frames: int, height: int, width: int) -> Clip:
    """Each film for as many frames, as large as fits into a picture of one size."""

    def frame(index: int) -> np.ndarray:
        film = films[index // frames]
        tall, wide = fitted((film.height, film.width), (height, width))
        picture = np.full((height, width, 3), 24, np.uint8)
        top, left = (height - tall) // 2, (width - wide) // 2
        picture[top : top + tall, left : left + wide] = resized(film[index % len(film)], tall, wide)
        return picture

    return MadeClip(len(films) * frames, height, width, films[0].dtype, frame)


# ---- lists of views, and datasets

AROUND = "#{:02x}{:02x}{:02x}".format(*PANEL)


def from_to(before: Clip, after: Clip) -> Clip:
    """Two films with an arrow between them."""
    height, width, gap = 210, 236, 48

    def frame(t: int) -> np.ndarray:
        canvas = Image.new("RGB", (2 * width + gap, height), PANEL)
        for film, left in ((before, 0), (after, width + gap)):
            tall, wide = fitted((film.height, film.width), (height, width))
            picture = Image.fromarray(resized(film[t % len(film)], tall, wide))
            canvas.paste(picture, (left + (width - wide) // 2, (height - tall) // 2))
        x, y = width + gap // 2, height // 2
        draw = ImageDraw.Draw(canvas)
        draw.line((x - 14, y, x + 10, y), fill="white", width=3)
        draw.polygon((x + 16, y, x + 5, y - 7, x + 5, y + 7), fill="white")
        return np.asarray(canvas)

    return MadeClip(len(before), height, 2 * width + gap, np.dtype(np.uint8), frame)


def part_of(shot: Footage, *views: int, columns: int = 2) -> Clip:
    """Some of the views with their names."""
    parts = ([things[view] for view in views] for things in (shot.clips, shot.names, shot.colors))
    clips, names, colors = parts
    return laid_out(clips, Layout(columns=columns, gap=4, background=AROUND), names, colors, FPS)


def join_views_film() -> Clip:
    shot = footage(4, 33, 100)
    return from_to(part_of(shot, 0, 1, 2, 3, columns=1), part_of(shot, 0, 1, 2, 3))


def pick_views_film() -> Clip:
    shot = footage(4, 33, 100)
    return from_to(part_of(shot, 0, 1, 2, 3), part_of(shot, 2, 0, columns=1))


def replace_view_film() -> Clip:
    shot = footage(4, 33, 100)
    second = shot.clips[1]

    def blurred(t: int) -> np.ndarray:
        return np.array(Image.fromarray(second[t]).filter(ImageFilter.GaussianBlur(4)))

    new = MadeClip(len(second), second.height, second.width, second.dtype, blurred)
    clips = (shot.clips[0], new, *shot.clips[2:])
    return from_to(part_of(shot, 0, 1, 2, 3), part_of(Footage(shot.rig, clips), 0, 1, 2, 3))


def batch_film() -> Clip:
    """Every third frame of four views as one long batch: first all of the first view, then all of the next."""
    shot = footage(4, 33, 100)
    moments = range(0, 33, 3)

    def frame(t: int) -> np.ndarray:
        return shot.clips[t // len(moments)][moments[t % len(moments)]]

    first = shot.clips[0]
    return MadeClip(4 * len(moments), first.height, first.width, first.dtype, frame)


def views_of_batch_film() -> Clip:
    """The four views, as long as their batch."""
    views = part_of(footage(4, 33, 100), 0, 1, 2, 3)
    return MadeClip(44, views.height, views.width, views.dtype, lambda t: views[3 * t % 33])


def latent_film(columns: int) -> Clip:
    """Views as coarse as their latents are: pictures of 8 x 8 pixels a number."""
    shot = footage(4, 33, 100)

    def coarse(clip: Clip) -> Clip:
        def frame(t: int) -> np.ndarray:
            small = Image.fromarray(clip[t // 4 * 4]).reduce(8)
            return np.array(small.resize((clip.width, clip.height), Image.Resampling.NEAREST))

        return MadeClip(len(clip), clip.height, clip.width, clip.dtype, frame)

    clips = [coarse(clip) for clip in shot.clips]
    look = Layout(columns=columns, gap=0 if columns == 1 else 12, names=columns > 1, background=AROUND)
    return laid_out(clips, look, shot.names, shot.colors, FPS)


def dataset_film(loading: bool) -> Clip:
    """The files of a scene beside its views. When it is loaded, the views are those that came out of the files."""
    shot = footage(4, 33, 100)
    names = ("left", "front", "right", "back")
    rig = Rig(names, shot.rig.c2w, shot.rig.colors)
    with tempfile.TemporaryDirectory() as folder:
        scene = append_scene(Path(folder), lambda stage: write_take(stage, "nerfstudio", shot.clips, rig, FPS))
        stored = open_scene(scene)
        came_back = [torch.from_numpy(np.stack([*stored.pictures(view)])) for view in range(4)]
        files = sorted(path.relative_to(scene).as_posix() for path in scene.rglob("*") if path.is_file())
    clips = tuple(ImageClip(film.float() / 255) for film in came_back) if loading else shot.clips
    views = laid_out(clips, Layout(columns=2, gap=4, background=AROUND), names, rig.colors, FPS)
    by_frame = [[file for file in files if file.startswith(f"frame_{t:05d}/")] for t in range(33)]

    def listed(t: int) -> np.ndarray:
        canvas = Canvas(380, 300, PANEL)
        lines = [line for frame in by_frame[max(0, t - 1) : t + 1] for line in frame]
        for row, line in enumerate(["train/scene00001/", *lines]):
            canvas.text((16 + 14 * (row > 0), 24 + 25 * row), line, 15, TEXT if row == 0 else MUTED, "lm")
        return canvas.finish()

    tree = MadeClip(33, 300, 380, np.dtype(np.uint8), listed)
    return from_to(tree, views) if loading else from_to(views, tree)


def seed_sheet() -> Clip:
    """Four scenes, each from four sides, as a sheet of seeds shows them."""
    scenes = (
        "a red ball standing on sand",
        "a blue cone turning on grass",
        "a green cube walking",
        "a yellow pillar bouncing",
    )
    clips = [clip for scene in scenes for clip in footage(4, 2, 70, scene).clips]
    return laid_out(clips, Layout(columns=4, gap=4, names=False, background=AROUND), [""] * 16, ["#ffffff"] * 16, FPS)


def rendering() -> Clip:
    """One view after the other becomes a file, then all of them are there together."""
    shot = footage(4, 44, 150)
    clips = [written_from(clip, 8 * (number + 1)) for number, clip in enumerate(shot.clips)]
    return laid_out(clips, None, shot.names, shot.colors, FPS)


def written_from(clip: Clip, frame: int) -> Clip:
    """A clip that fades in within the eight frames before `frame`, as if it was written then."""

    def made(index: int) -> np.ndarray:
        share = min(1.0, max(0.0, (index - frame + 8) / 8))
        return (clip[index] * share + 24 * (1 - share)).astype(clip.dtype)

    return MadeClip(len(clip), clip.height, clip.width, clip.dtype, made)


@lru_cache
def recaptures(moves: str, frames: int = 33, size: int = 160) -> Footage:
    """What a source's camera sees, and what cameras see that begin there and move."""
    source = orbit_rig([0.0], [20.0], [4.5])
    total = {move.name: (move.kind, move.total) for move in RECAM_MOVES}
    ways = [source.c2w.expand(1, frames, 4, 4)]
    for name in moves.split(", "):
        ways.append(move_cameras(source, [Move(*total[name])], frames).c2w)
    rig = Rig(names=("source", *moves.split(", ")), c2w=torch.cat(ways))
    return Footage(rig, tuple(ImageClip(view) for view in filmed_world(rig, frames, size, size * 3 // 2)))


def recaptured(moves: str, columns: int) -> Clip:
    return part_of(recaptures(moves), *range(1 + len(moves.split(", "))), columns=columns)


# node id: what makes its film
FILMS: dict[str, Callable[[], Clip]] = {
    "SynCamSampler": live_preview,
    "SynCamViewGrid": grid,
    "SynCamLayout": layouts,
    "SynCamBulletTime": bullet,
    "SynCamViewSweep": sweep,
    "SynCamStereo": two_eyes,
    "SynCamQuilt": light_field,
    "SynCamRenderViews": rendering,
    "SynCamEdit": edit_film,
    "SynCamAutoCut": auto_cut_film,
    "SynCamJoinViews": join_views_film,
    "SynCamPickViews": pick_views_film,
    "SynCamReplaceView": replace_view_film,
    "SynCamViewsToBatch": lambda: from_to(views_of_batch_film(), batch_film()),
    "SynCamBatchToViews": lambda: from_to(batch_film(), views_of_batch_film()),
    "SynCamSplitLatent": lambda: from_to(latent_film(1), latent_film(2)),
    "SynCamJoinLatents": lambda: from_to(latent_film(2), latent_film(1)),
    "SynCamExportDataset": lambda: dataset_film(loading=False),
    "SynCamLoadDataset": lambda: dataset_film(loading=True),
}


def found_points() -> Clip:
    """The points that COLMAP has found in the pictures of five cameras, where the middle one sees them."""
    height, width, shown = 288, 512, 2
    rig = orbit_rig([-30, -15, 0, 15, 30], [25, 15, 25, 15, 25], [4])
    scene = replace(Scene.from_prompt("a red cube turning on grass under a clear sky", Scene.random(3)), texture=1)
    clips = [ImageClip(view) for view in render(scene, rig, height, width, [0.0])]
    with tempfile.TemporaryDirectory() as folder:
        training = Training("triangulated")
        path = append_scene(Path(folder), lambda stage: write_take(stage, "colmap", clips, rig, FPS, training=training))
        lines = (path / "frame_00000/sparse/0/points3D.txt").read_text().splitlines()[1:]
    canvas = Canvas(width, height, PANEL)
    for words in map(str.split, lines):
        if len(words) > 8:  # it was found in pictures; others stand behind
            point = torch.tensor([float(word) for word in words[1:4]], dtype=torch.float64)
            pixel, _ = project(point, rig.c2w[shown, 0], rig.lenses[shown], height, width)
            canvas.disc((float(pixel[0]), float(pixel[1])), 2.5, tuple(map(int, words[4:7])))
    points = canvas.finish()
    return MadeClip(1, height, width, np.dtype(np.uint8), lambda t: points)


# example workflow: title, a few words, and the frame of a film that is on its card in the template browser
CARDS: dict[str, tuple[str, str, Callable[[], Clip], int]] = {
    "layouts": ("Layouts", "hero and strip, picture in picture, labels and timecode", layouts, 20),
    "bullet_time": ("Time across views", "bullet time and a sweep through eight cameras", frozen_moment, 11),
    "stereo": ("Two eyes", "side by side, anaglyph, light-field quilt", two_eyes, 6),
    "render_views": ("Render views", "from the latent to files, one view at a time", rendering, 28),
    "seeds": ("Seed scouting", "a few steps for each seed, one is chosen and sampled in full", seed_sheet, 0),
    "recapture_one": (
        "Re-capture: one move",
        "your clip, filmed again by a camera that moves",
        lambda: recaptured("arc right", 2),
        32,
    ),
    "recapture_many": (
        "Re-capture: four moves at once",
        "one source, four trajectories, one batch",
        lambda: recaptured("pan right, zoom in, translate up, arc left", 3),
        32,
    ),
    "recapture_edit": (
        "Re-capture: source and moves, cut",
        "from one camera, a multi-camera shoot",
        lambda: recaptured("arc right, arc left, zoom in", 2),
        32,
    ),
    "dataset_points": (
        "Dataset with points",
        "pictures, exact cameras, and points for Gaussian splatting",
        found_points,
        0,
    ),
    "multicam_edit": ("Multi-camera edit", "a cut list over four cameras, saved for editing programs", edit_film, 18),
}


def said_to_be_rendered(frame: np.ndarray) -> np.ndarray:
    """The frame with the word in its lower right corner: these are the toy world's pictures, not a model's."""
    picture = frame.copy()
    plate = label_plate("rendered", "#ffffff", 240, 400)
    height, width = plate.keep.shape[:2]
    draw_plate(
        picture, plate, picture.shape[0] - height - 2 * plate.margin, picture.shape[1] - width - 2 * plate.margin
    )
    return picture


def card(title: str, words: str, make: Callable[[], Clip], frame: int) -> np.ndarray:
    canvas = Canvas(640, 400, PANEL)
    canvas.text((24, 42), title, 28, TEXT, "lm")
    canvas.text((24, 74), words, 17, MUTED, "lm")
    picture, film = canvas.finish().copy(), make()
    height, width = fitted((film.height, film.width), (280, 600))
    picture[98 : 98 + height, (640 - width) // 2 :][:, :width] = resized(film[frame], height, width)
    return said_to_be_rendered(picture)


def main(wanted: Sequence[str] = (), folder: Path = PICTURES, workflows: Path = WORKFLOWS, speed: int = 6) -> None:
    def asked_for(name: str) -> bool:
        return not wanted or any(word.lower() in name.lower() for word in wanted)

    for name, make in FILMS.items():
        if asked_for(name):
            path = folder / f"{name}.avif"
            write_film(path, map(said_to_be_rendered, in_order(make())), speed=speed)
            print(f"{path.stat().st_size / 1000:6.0f} kB  {path.name}")
    for name, about in CARDS.items():
        if asked_for(name):
            path = workflows / template(name).with_suffix(".jpg").name
            Image.fromarray(card(*about)).save(path, quality=40, progressive=True, optimize=True)
            print(f"{path.stat().st_size / 1000:6.0f} kB  {path.name}")


if __name__ == "__main__":
    main(sys.argv[1:])
