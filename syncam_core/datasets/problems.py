"""What must not be trained on, told before training: which footage, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..cameras.rig import camera_problem
from ..errors import UserError
from .footage import BrokenFootage, Footage, Kind, Scene

SHOWN_WHEN_REFUSED = 20


@dataclass(frozen=True)
class Problem:
    """One thing that is broken. Without footage it is the scene as a whole, which is dropped."""

    scene: str
    footage: str | None
    why: str  # a sentence

    def __str__(self) -> str:
        return f"{self.scene} / {self.footage}: {self.why}" if self.footage else f"{self.scene}: {self.why}"


@dataclass(frozen=True)
class Report:
    """The outcome of `check`."""

    scenes: int  # that were given
    good_scenes: int
    footage: int  # that was given
    good_footage: int
    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        return (
            f"{self.good_scenes} of {self.scenes} scenes and {self.good_footage} of {self.footage} pieces of footage "
            f"can be used; {len(self.problems)} problems."
        )

    def table(self) -> str:
        """The problems in three columns, and the sum."""
        if not self.problems:
            return str(self)
        rows = [("scene", "footage", "problem"), *((p.scene, p.footage or "(all)", p.why) for p in self.problems)]
        wide = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = [f"{scene:<{wide[0]}}  {name:<{wide[1]}}  {why}" for scene, name, why in rows]
        return "\n".join([*lines, "", str(self)])


class BrokenData(UserError):
    """Raised by 'refuse'; `problems` has all of them, the message the first twenty."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [f"  {problem}" for problem in self.problems[:SHOWN_WHEN_REFUSED]]
        if len(self.problems) > SHOWN_WHEN_REFUSED:
            lines.append(f"  and {len(self.problems) - SHOWN_WHEN_REFUSED} more")
        count = f"{len(self.problems)} problems" if len(self.problems) > 1 else "a problem"
        super().__init__("\n".join([f"the data has {count}; repair it, or skip what is broken.", *lines]))

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.problems,)


def check(
    scenes: Iterable[Scene],
    on_broken: str = "skip",
    *,
    decode: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[list[Scene], Report]:
    """The scenes without what is broken, and a report that names it.

    Broken footage is dropped; so is a scene without a caption, or with fewer than two cameras left where several are
    needed. With `decode` every picture is read once; without it only what files, poses and containers say is judged.
    Missing and empty files, wrong numbers of frames, wrong frame rates, poses that are none or not as many as frames,
    damage, and names that stand twice are found.

    `on_broken` is "skip", or "refuse": then anything broken raises BrokenData, with all that was found.
    """
    check_on_broken(on_broken)
    given = list(scenes)
    good: list[Scene] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for done, scene in enumerate(given):
        progress(done, len(given))
        if scene.name in seen:
            problems.append(Problem(scene.name, None, "another scene has the same name."))
            continue
        seen.add(scene.name)
        kept, found = _check_scene(scene, decode)
        problems += found
        if kept is not None:
            good.append(kept)
    progress(len(given), len(given))
    if problems and on_broken == "refuse":
        raise BrokenData(problems)
    counts = [sum(len(scene.footage) for scene in some) for some in (given, good)]
    return good, Report(len(given), len(good), counts[0], counts[1], tuple(problems))


def check_on_broken(on_broken: str) -> None:
    if on_broken not in ("skip", "refuse"):
        raise UserError(f"'on_broken' is {on_broken!r}; it can be 'skip' or 'refuse'.", field="on_broken")


def _check_scene(scene: Scene, decode: bool) -> tuple[Scene | None, list[Problem]]:
    problems = []
    good: list[Footage] = []
    shapes: list[tuple[int, ...] | None] = []
    names = Counter(footage.name for footage in scene.footage)
    for footage in scene.footage:
        try:
            if names[footage.name] > 1:
                raise BrokenFootage(f"{names[footage.name]} cameras of the scene have this name.")
            shape = judge(footage, scene.kind)
            if decode:
                shape = tuple(pictures_of(footage, scene.kind).shape)
        except BrokenFootage as problem:
            problems.append(Problem(scene.name, footage.name, str(problem)))
            continue
        good.append(footage)
        shapes.append(shape)
    odd = odd_ones_out(shapes)
    problems += [Problem(scene.name, good[index].name, why) for index, why in odd.items()]
    good = [footage for index, footage in enumerate(good) if index not in odd]
    whole = scene_problem(scene, len(good))
    if whole:
        return None, [*problems, Problem(scene.name, None, whole)]
    return replace(scene, footage=tuple(good)), problems


def scene_problem(scene: Scene, cameras: int) -> str | None:
    """Why the scene cannot be used with this many good cameras, or None."""
    if not scene.caption.strip():
        return "it has no caption; a model that is prompted needs one."
    least = 1 if scene.kind == Kind.VIDEO else 2
    if cameras < least:
        return f"it has {cameras} good camera{'s' * (cameras != 1)}, but at least {least} are needed."
    return None


def judge(footage: Footage, kind: Kind) -> tuple[int, ...] | None:
    """The number of frames, as far as it is known without decoding. Raises BrokenFootage."""
    try:
        probe = getattr(footage.read, "probe", None)
        frames = probe() if probe else None
    except OSError as problem:
        raise BrokenFootage(f"it cannot be read ({problem.strerror or problem}).") from problem
    c2w = footage.c2w
    if c2w is None:
        if kind != Kind.VIDEO:
            raise BrokenFootage("its camera pose is unknown, which only single videos may be.")
    else:
        if c2w.ndim != 3 or c2w.shape[1:] != (4, 4) or not len(c2w) or c2w.dtype != torch.float64:
            raise BrokenFootage(f"its poses are {tuple(c2w.shape)} {c2w.dtype}; (frames, 4, 4) float64 are needed.")
        wrong = camera_problem(c2w)
        if wrong:
            raise BrokenFootage(f"its pose at frame {wrong[0]} {wrong[1]}")
    if frames is None:
        return None
    _judge_count(footage, kind, frames)
    return (frames,)


def pictures_of(footage: Footage, kind: Kind) -> Tensor:  # (frames, height, width, 3) uint8
    """What the footage shows. Raises BrokenFootage where that is not what was promised."""
    try:
        pictures = footage.read()
    except OSError as problem:
        raise BrokenFootage(f"it cannot be read ({problem.strerror or problem}).") from problem
    if pictures.is_floating_point() and not torch.isfinite(pictures).all():
        raise BrokenFootage("its pictures hold NaN or infinite numbers.")
    if pictures.dtype != torch.uint8 or pictures.ndim != 4 or pictures.shape[3] != 3 or not pictures.numel():
        raise BrokenFootage(
            f"its pictures are {tuple(pictures.shape)} {pictures.dtype}; (frames, height, width, 3) uint8 is needed."
        )
    _judge_count(footage, kind, len(pictures))
    return pictures


def _judge_count(footage: Footage, kind: Kind, frames: int) -> None:
    if kind == Kind.MULTI_VIEW_IMAGES and frames != 1:
        raise BrokenFootage(f"it has {frames} frames, but a single picture is expected.")
    if footage.c2w is not None and len(footage.c2w) not in (1, frames):
        raise BrokenFootage(f"it has {frames} frames, but poses for {len(footage.c2w)}.")


def _described(shape: tuple[int, ...]) -> str:
    size = f" of {shape[2]} x {shape[1]} pixels" if len(shape) > 1 else ""
    return f"{shape[0]} frame{'s' * (shape[0] != 1)}{size}"


def odd_ones_out(
    shapes: Sequence[tuple[int, ...] | None],  # of the scene's footage; None: unknown
    described: Callable[[tuple[int, ...]], str] = _described,
) -> dict[int, str]:
    """Places of the footage whose shape differs from that of most of its scene's, each with a sentence."""
    known = [shape for shape in shapes if shape is not None]
    if len(set(known)) < 2:
        return {}
    usual = Counter(known).most_common(1)[0][0]
    return {
        index: f"it has {described(shape)}, but most cameras of the scene have {described(usual)}."
        for index, shape in enumerate(shapes)
        if shape is not None and shape != usual
    }
