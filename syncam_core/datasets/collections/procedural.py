"""Scenes of the synthetic world, filmed when they are asked for."""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ...cameras.builders import orbit_rig
from ...cameras.motion import Move, move_cameras
from ...cameras.rig import MAX_VIEWS, Rig
from ...errors import UserError
from ...synthetic import COLORS, FLOORS, MOTIONS, PLACE_RADIUS_M, SHAPES, SKIES, frame_times, render
from ...synthetic import Scene as World
from ..footage import Footage, Kind, Scene
from ..pictures import check_size
from ..video_file import check_clip


@dataclass(frozen=True)
class CameraRanges:
    """Where cameras stand. All look at the origin; the first is the reference and always stands in the same place.

    With `trajectories` the first is drawn like the others and stays; they begin where it stands, and each makes one or
    two moves of its own: pairs to learn re-capture from.
    """

    reference: tuple[float, float, float] = (0.0, 20.0, 5.0)  # azimuth and elevation in degrees, distance in metres
    azimuth_deg: tuple[float, float] = (-180.0, 180.0)  # of the others, drawn uniformly
    elevation_deg: tuple[float, float] = (8.0, 35.0)
    distance_m: tuple[float, float] = (4.5, 5.5)
    trajectories: bool = False
    least_of_a_move: float = 0.0  # of trajectories: a share of MOST_OF_A_MOVE


# How far a camera goes at most, in the unit of each move: the subject stays in the picture of most.
MOST_OF_A_MOVE = {"pan": 20.0, "tilt": 10.0, "dolly": 1.6, "truck": 1.2, "crane": 1.0, "orbit": 35.0}


def procedural_scenes(
    seed: int,
    count: int,
    views: int,
    length: int,  # frames
    size: tuple[int, int] = (64, 64),  # height, width
    *,
    fps: float = 8.0,
    cameras: CameraRanges = CameraRanges(),
    supersample: int = 2,
    place_radius_m: float = PLACE_RADIUS_M,  # how far from the origin, at which all cameras look, the subject may be
    world: int = 1,  # version
    motions: Collection[str] = MOTIONS,  # scenes of others are passed over
) -> list[Scene]:
    """The first `count` scenes of the endless data set with this seed, each with its own cameras.

    A scene depends on the seed and its number only, on every machine, and not on how many there are. Its caption is
    the world's prompt. A length of 1 makes multi-view images. Pictures are rendered by `read`, one view at a time.
    """
    check_size(size)
    check_clip(length, fps)
    if count < 0:
        raise UserError(f"'count' is {count}, but there are 0 scenes or more.", field="count")
    if not 2 <= views <= MAX_VIEWS:
        raise UserError(f"'views' is {views}, but a scene of several cameras has 2 to {MAX_VIEWS}.", field="views")
    if not motions or not set(motions) <= set(MOTIONS):
        raise UserError(
            f"'motions' is {', '.join(motions) or 'empty'}; possible are some or all of {', '.join(MOTIONS)}.",
            field="motions",
        )
    kind = Kind.MULTI_VIEW_VIDEO if length > 1 else Kind.MULTI_VIEW_IMAGES
    drawn = ((n, procedural_world(seed, n, views, cameras, place_radius_m, world, length)) for n in itertools.count())
    scenes = []
    for number, (scene, rig) in itertools.islice((one for one in drawn if one[1][0].motion in motions), count):
        footage = []
        for view, name in enumerate(rig.names):
            read = _Film(scene, rig.select([view]), length, fps, size, supersample)
            mark = hashlib.sha256(f"{_look_of_the_world(world)} {scene} {length} {fps} {size} {supersample}".encode())
            mark.update(rig.c2w[view].numpy().tobytes())
            footage.append(Footage(name=name, c2w=rig.c2w[view], read=read, fingerprint=mark.hexdigest()))
        scenes.append(Scene(f"seed{seed}-{number:06d}", kind, scene.prompt(), tuple(footage)))
    return scenes


def procedural_world(
    seed: int,
    number: int,  # of the scene
    views: int,
    cameras: CameraRanges = CameraRanges(),
    place_radius_m: float = PLACE_RADIUS_M,
    version: int = 1,  # of the world
    length: int = 1,  # frames, of cameras that move
) -> tuple[World, Rig]:
    """What a scene of `procedural_scenes` shows, and its cameras; more views leave the first ones as they are."""
    draw = random.Random(f"procedural data {int(seed)} {int(number)}")  # text is hashed: neighbours are unrelated
    world = World.random(draw.getrandbits(62), place_radius_m, version)
    ranges = (cameras.azimuth_deg, cameras.elevation_deg, cameras.distance_m)
    if cameras.trajectories:
        source = orbit_rig(*([low + (high - low) * draw.random()] for low, high in ranges))
        return world, _filmed_along_trajectories(source, views, length, draw, cameras.least_of_a_move)
    angles: list[tuple[float, ...]] = [cameras.reference]
    for _ in range(views - 1):
        angles.append(tuple(low + (high - low) * draw.random() for low, high in ranges))
    return world, orbit_rig(*(list(numbers) for numbers in zip(*angles, strict=True)))


def _filmed_along_trajectories(source: Rig, views: int, length: int, draw: random.Random, least: float) -> Rig:
    """The source's camera, which stays, and others that move away from it over `length` frames."""
    ways = [source.c2w.expand(1, length, 4, 4)]
    for _ in range(views - 1):
        kinds = draw.sample(sorted(MOST_OF_A_MOVE), draw.choice((1, 2)))
        moves = []
        for kind in kinds:
            share = draw.uniform(-1, 1)
            share = math.copysign(least + (1 - least) * abs(share), share)
            moves.append(Move(kind, MOST_OF_A_MOVE[kind] * share, ease=draw.choice(("none", "in_out"))))
        ways.append(move_cameras(source, moves, length).c2w)
    return Rig(names=("source", *(f"trajectory {i}" for i in range(1, views))), c2w=torch.cat(ways))


@dataclass(frozen=True)
class _Film:
    """The `read` of one view."""

    world: World
    rig: Rig  # of this camera
    length: int
    fps: float
    size: tuple[int, int]
    supersample: int

    def probe(self) -> int:
        return self.length

    def __call__(self) -> Tensor:  # (frames, height, width, 3) uint8
        times = frame_times(self.length, self.fps)
        rgb = render(self.world, self.rig, *self.size, times, supersample=self.supersample)[0]
        return (rgb * 255).round().clamp(0, 255).to(torch.uint8)


@lru_cache
def _look_of_the_world(version: int) -> str:
    """A hash of small pictures that hold everything there is, so that a change of the world makes caches stale."""
    digest = hashlib.sha256()
    rig = orbit_rig([0.0, 130.0], [20.0, 30.0], [5.0])
    words = [list(names) for names in (SHAPES, COLORS, MOTIONS, FLOORS, SKIES)]
    for turn in range(max(map(len, words))):
        shape, color, motion, floor, sky = (names[turn % len(names)] for names in words)
        world = World(
            shape, color, motion, floor, sky, heading_deg=40.0 * turn, phase=0.15 * turn, place_x_m=0.2, world=version
        )
        pictures = render(world, rig, 16, 16, [0.0, 0.4], supersample=1)
        digest.update((pictures * 255).round().to(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
