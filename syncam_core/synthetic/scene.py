"""What the world shows: a scene in words and four free numbers, and where its subject is at any moment."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import UserError
from .subject import BODIES, body_of
from .texture import TEXTURES

# Chroma (largest minus smallest channel) tells the subject from all the rest: above 0.6 here, still about 0.2 on the
# darkened back in the shade and on the whitened face; at most 0.16 on any floor, landmark, hill or sky.
COLORS = {
    "red": (0.92, 0.08, 0.10),
    "green": (0.06, 0.70, 0.14),
    "blue": (0.08, 0.26, 0.95),
    "yellow": (0.98, 0.84, 0.04),
    "purple": (0.62, 0.12, 0.86),
}
SHAPES = tuple(BODIES)
MOTIONS = ("standing", "turning", "walking", "circling", "bouncing")
FLOORS = {
    "concrete": (0.56, 0.57, 0.59),
    "sand": (0.68, 0.62, 0.53),
    "grass": (0.45, 0.54, 0.42),
}
SKIES = {  # at the horizon, at the zenith
    "clear": ((0.84, 0.90, 0.96), (0.66, 0.74, 0.82)),
    "pink": ((0.95, 0.87, 0.80), (0.72, 0.66, 0.74)),
}
_GRAMMAR = ("a", "on", "under", "sky")

# A trained text encoder counts on the places: words are only ever added, at the end.
VOCABULARY = (*_GRAMMAR, *COLORS, *SHAPES, *MOTIONS, *FLOORS, *SKIES)

# What people write for it instead.
SYNONYMS = {
    "sphere": "ball",
    "box": "cube",
    "cylinder": "pillar",
    "column": "pillar",
    "still": "standing",
    "spinning": "turning",
    "rotating": "turning",
    "sliding": "walking",
    "jumping": "bouncing",
    "violet": "purple",
    "beach": "sand",
    "lawn": "grass",
    "sunset": "pink",
    "evening": "pink",
}

GROUND_Y_M = 0.7  # the floor lies below the origin, so that orbit cameras, which look at the origin, frame the subject

# Fixed in the world, like the landmarks: shadows tell the absolute azimuth, too. Azimuth -60, elevation 50 degrees.
SUN_DIRECTION = (
    math.sin(math.radians(-60)) * math.cos(math.radians(50)),
    -math.sin(math.radians(50)),
    -math.cos(math.radians(-60)) * math.cos(math.radians(50)),
)

# At 8 frames a second none moves the subject farther than 0.13 m (2 px of a 64 px frame) from frame to frame.
CIRCLE_RADIUS_M = 0.7
CIRCLE_PERIOD_S = 5.0
WALK_REACH_M = 0.7
WALK_PERIOD_S = 5.0
TURN_PERIOD_S = 5.0
BOUNCE_HEIGHT_M = 0.5
BOUNCE_PERIOD_S = 2.0

WORLDS = (1, 2)  # versions of the world; what was trained on one goes on seeing that one
DEMO_WORLD = 1  # that of the demo model that ships


@dataclass(frozen=True)
class Motions:
    """How far (metres) and how fast (seconds) the subject moves."""

    circle_radius: float
    circle_period: float
    walk_reach: float
    walk_period: float
    turn_period: float
    bounce_height: float
    bounce_period: float
    bounce_is_smooth: bool  # up and down like a wave, instead of thrown


# World 2: no jerk within the four frames of a latent frame, and turns of 15 degrees from frame to frame at most.
_MOTIONS_OF_WORLD = {
    1: Motions(
        CIRCLE_RADIUS_M,
        CIRCLE_PERIOD_S,
        WALK_REACH_M,
        WALK_PERIOD_S,
        TURN_PERIOD_S,
        BOUNCE_HEIGHT_M,
        BOUNCE_PERIOD_S,
        False,
    ),
    2: Motions(0.6, 6.0, 0.7, 6.0, 6.0, 0.5, 2.0, True),
}

PLACE_RADIUS_M = 0.6  # random scenes put the subject's place within this of the origin, unless told otherwise

_FIELDS = {
    "shape": SHAPES,
    "color": tuple(COLORS),
    "motion": MOTIONS,
    "floor": tuple(FLOORS),
    "sky": tuple(SKIES),
}


@dataclass(frozen=True)
class Scene:
    """One subject on a floor with landmarks, under a sky: five words, and four numbers that no word tells.

    `heading_deg` is where the subject's front points at phase 0, as the azimuth of the camera that it faces: 0 looks at
    a camera at azimuth 0 (front -z), 90 at one at azimuth 90 (front +x). `phase` in turns of the motion's period says
    where in the motion the clip begins. All motions are periodic and keep the subject within 0.7 m of its place at
    the origin: standing; turning in place; walking to and fro along its heading (back without turning round);
    circling about the origin, looking where it goes; bouncing up and down.

    `world` is the version of the world. 1 has plain subjects up to 1.4 m high. In 2 they are 1.5 times as large and
    painted (bands on their left, a stripe on their right), the landmarks have patterns, and motions are smoother.

    `texture` is the version of the surfaces' texture: 0 leaves them plain, 1 puts fine grain on all of them (see
    `texture.py`), which matchers of pictures need.

    Raises UserError for a word that its field does not know, and a number that is not finite.
    """

    shape: str = "ball"
    color: str = "red"
    motion: str = "standing"
    floor: str = "concrete"
    sky: str = "clear"
    heading_deg: float = 0.0
    phase: float = 0.0
    place_x_m: float = 0.0
    place_z_m: float = 0.0
    world: int = 1
    texture: int = 0

    def __post_init__(self) -> None:
        if self.world not in WORLDS:
            raise UserError(f"the scene has world {self.world!r}; possible are {', '.join(map(str, WORLDS))}.")
        if self.texture not in TEXTURES:
            raise UserError(f"the scene has texture {self.texture!r}; possible are {', '.join(map(str, TEXTURES))}.")
        for field, words in _FIELDS.items():
            if getattr(self, field) not in words:
                raise UserError(f"the scene has {field} {getattr(self, field)!r}; possible are {', '.join(words)}.")
        for field in ("heading_deg", "phase", "place_x_m", "place_z_m"):
            number = getattr(self, field)
            if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
                raise UserError(f"the scene has {field} {number!r}, but a finite number is needed.")

    @staticmethod
    def random(seed: int, place_radius_m: float = PLACE_RADIUS_M, world: int = 1) -> Scene:
        """A scene drawn uniformly, its place from a disc about the origin; the same for a seed on every machine and in
        every Python. All versions of the world draw the same words and numbers."""
        draw = random.Random(f"synthetic scene {int(seed)}").random  # text is hashed: neighbouring seeds are unrelated
        words = {field: words[int(draw() * len(words))] for field, words in _FIELDS.items()}
        heading_deg, phase = 360 * draw() - 180, draw()
        # uniform over the disc
        away, around = place_radius_m * math.sqrt(draw()), 2 * math.pi * draw()
        return Scene(
            shape=words["shape"],
            color=words["color"],
            motion=words["motion"],
            floor=words["floor"],
            sky=words["sky"],
            heading_deg=heading_deg,
            phase=phase,
            place_x_m=away * math.sin(around),
            place_z_m=-away * math.cos(around),
            world=world,
        )

    @staticmethod
    def from_prompt(text: str, base: Scene | None = None) -> Scene:
        """The scene that a sentence asks for; what it leaves open comes from `base`, the default scene without one.

        Of several words for one field the first counts, words outside of the vocabulary do not. `Scene.random(seed)`
        as base draws heading, phase and place (and the words left open) from a seed.
        """
        found, scene = vocabulary_words(text), base or Scene()

        def first_of(words: Collection[str], left_open: str) -> str:
            return next((word for word in found if word in words), left_open)

        return replace(
            scene,
            shape=first_of(SHAPES, scene.shape),
            color=first_of(COLORS, scene.color),
            motion=first_of(MOTIONS, scene.motion),
            floor=first_of(FLOORS, scene.floor),
            sky=first_of(SKIES, scene.sky),
        )

    def prompt(self) -> str:
        """The sentence that `from_prompt` reads back: "a red ball walking on sand under a clear sky"."""
        return f"a {self.color} {self.shape} {self.motion} on {self.floor} under a {self.sky} sky"

    def subject_centre(
        self,
        times: Tensor | Sequence[float],  # (frames,) seconds
    ) -> Tensor:  # (frames, 3) float64
        """The subject's centre in the world, metres: the middle of the body's outline (see Body.base)."""
        turns = self._turns(times)
        centre = torch.zeros(len(turns), 3, dtype=torch.float64)
        centre[:, 1] = GROUND_Y_M - body_of(self.shape, self.world).base
        heading = math.radians(self.heading_deg)
        moves = _MOTIONS_OF_WORLD[self.world]
        if self.motion == "walking":
            along = moves.walk_reach * torch.sin(2 * math.pi * turns)
            centre[:, 0], centre[:, 2] = along * math.sin(heading), -along * math.cos(heading)
        elif self.motion == "circling":
            # a quarter turn behind its heading, so that it moves where it looks
            around = heading + 2 * math.pi * turns - math.pi / 2
            radius = moves.circle_radius
            centre[:, 0], centre[:, 2] = radius * torch.sin(around), -radius * torch.cos(around)
        elif self.motion == "bouncing" and moves.bounce_is_smooth:
            centre[:, 1] -= moves.bounce_height * (1 - torch.cos(2 * math.pi * turns)) / 2
        elif self.motion == "bouncing":
            within = turns - torch.floor(turns)
            centre[:, 1] -= 4 * moves.bounce_height * within * (1 - within)
        centre[:, 0] += self.place_x_m
        centre[:, 2] += self.place_z_m
        return centre

    def subject_heading_deg(
        self,
        times: Tensor | Sequence[float],  # (frames,) seconds
    ) -> Tensor:  # (frames,) float64
        """Where the subject's front points, as the azimuth of the camera that it faces; not wrapped."""
        turns = self._turns(times)
        return self.heading_deg + 360 * turns * (self.motion in ("turning", "circling"))

    def subject_front(
        self,
        times: Tensor | Sequence[float],  # (frames,) seconds
    ) -> Tensor:  # (frames, 3) float64
        """Where the subject's front points, as a horizontal unit vector in the world."""
        heading = torch.deg2rad(self.subject_heading_deg(times))
        return torch.stack([torch.sin(heading), torch.zeros_like(heading), -torch.cos(heading)], dim=-1)

    def _turns(self, times: Tensor | Sequence[float]) -> Tensor:
        moves = _MOTIONS_OF_WORLD[self.world]
        periods = {
            "walking": moves.walk_period,
            "circling": moves.circle_period,
            "turning": moves.turn_period,
            "bouncing": moves.bounce_period,
        }
        seconds = torch.as_tensor(times, dtype=torch.float64, device="cpu")
        if seconds.ndim != 1 or not len(seconds) or not torch.isfinite(seconds).all():
            raise UserError(
                f"frame times need a list of finite seconds, at least one; got shape {list(seconds.shape)}."
            )
        return self.phase + seconds / periods.get(self.motion, math.inf)


def frame_times(length: int, fps: float = 8.0) -> Tensor:  # (length,) float64 seconds
    """The moments of the frames of a clip, the first at 0."""
    return torch.arange(length, dtype=torch.float64) / fps


def vocabulary_words(text: str) -> tuple[str, ...]:
    """The words of a text that the world understands, in their order, synonyms replaced, all others dropped."""
    spoken = (SYNONYMS.get(word, word) for word in re.findall("[a-z]+", text.lower()))
    return tuple(word for word in spoken if word in VOCABULARY)
