"""Which views attend to which: the paper's one attention over all views, and groups that cost less.

A coupling is a pure function from (views, step, rig) to groups. The released weights have seen pairs, whose first view
is the reference with the identity as its pose; in every group here the first member plays that part, and poses are
taken relative to it. With two views each coupling is the one pair, and so the trained module itself.

Source: SynCamMaster (arXiv 2412.07760) attends jointly; the groups are this project's own. A new coupling is one more
entry of `COUPLINGS`: inputs, tooltips, refusals and the estimate of the memory are made from it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import check_choice


class Group(NamedTuple):
    """Views that attend to each other, in the order of their position code, and those of them whose result counts."""

    members: tuple[int, ...]  # views; the first is the group's reference
    asked: tuple[int, ...]  # positions in `members`


Groups = tuple[Group, ...]  # a view that is asked in several groups gets the mean of their results


def joint(views: int) -> Groups:
    """All views in one attention: the paper's form."""
    return (whole(range(views)),)


def anchor(views: int) -> Groups:
    """Every view in a pair with the reference view, which gets the mean over the pairs."""
    return tuple(whole((0, view)) for view in range(1, views)) or joint(views)


def nearest(distances: list[list[float]], neighbours: int) -> Groups:
    """Every view asks itself and its nearest views; at the same distance the lower index is nearer.

    ``distances`` is square. Cost grows with the number of views and not with its square.
    """
    views = range(len(distances))
    asked: dict[tuple[int, ...], list[int]] = {}
    for view in views:
        others = sorted((other for other in views if other != view), key=lambda other: (distances[view][other], other))
        members = tuple(sorted([view, *others[:neighbours]]))
        asked.setdefault(members, []).append(members.index(view))
    return tuple(Group(members, tuple(positions)) for members, positions in asked.items())


def routed(views: int, step: int, seed: int, size: int) -> Groups:
    """Groups of ``size`` views (some larger where it does not divide) that change with every step.

    Pairs go round as in a tournament: of an even number of views each meets every other once in views - 1 steps.
    Larger groups are drawn anew. The same seed and step give the same groups everywhere.
    """
    order = list(range(views))
    if size == 2:
        random.Random(seed).shuffle(order)
        rotated = 1 + step % max(1, views - 1)
        circle = [order[0], *order[rotated:], *order[1:rotated]]
        order = [view for pair in zip(circle, reversed(circle), strict=True) for view in pair][:views]
    else:
        random.Random(f"{seed} {step}").shuffle(order)
    count = max(1, views // size)
    return tuple(whole(sorted(order[views * i // count : views * (i + 1) // count])) for i in range(count))


def whole(members: Collection[int]) -> Group:
    return Group(tuple(members), tuple(range(len(members))))


def view_distances(poses: Tensor) -> list[list[float]]:
    """How far apart cameras are: the distance of their centres in units of 2 m plus the angle between them in radians,
    averaged over the frames and rounded to 1e-4, so that cameras placed evenly are equally far.

    ``poses`` is (views, frames, 12): rows of camera-to-world matrices.
    """
    matrices = poses.double().unflatten(2, (3, 4))
    rotation, centre = matrices[..., :3], matrices[..., 3]
    apart = (centre[:, None] - centre[None]).norm(dim=-1)
    # The trace of A^T B is the sum over all products of their entries.
    cosine = ((rotation[:, None] * rotation[None]).sum(dim=(-2, -1)) - 1) / 2
    angle = torch.acos(cosine.clamp(-1, 1))
    return (((apart + angle).mean(dim=2) * 1e4).round() / 1e4).tolist()


def poses_in_group(poses: Tensor, members: tuple[int, ...]) -> Tensor:
    """(members, frames, 12): the members' poses relative to the first of them at frame 0, which is the identity then.

    ``poses`` is (views, frames, 12), relative to view 0 at frame 0, which a group that begins with it keeps as it is.
    """
    chosen = poses[list(members)]
    if members[0] == 0:
        return chosen
    rows = chosen.double().unflatten(2, (3, 4))
    bottom = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=rows.dtype).expand(*rows.shape[:2], 1, 4)
    matrices = torch.cat([rows, bottom], dim=2)
    relative = torch.linalg.solve(matrices[0, 0], matrices)[..., :3, :].flatten(2)
    relative[0, (chosen[0] == chosen[0, 0]).all(dim=1)] = torch.eye(3, 4, dtype=relative.dtype).flatten()
    return relative.to(poses.dtype)


class Moment(NamedTuple):
    """What a coupling may go by: the rig, and when in which sampling."""

    poses: Tensor  # (views, frames, 12), of the whole rig, as the module reads them
    size: int  # of a group, where the coupling is `sized`
    step: int
    seed: int

    @property
    def views(self) -> int:
        return len(self.poses)


@dataclass(frozen=True)
class Coupling:
    words: str  # what the views look at
    groups: Callable[[Moment], Groups]  # of more than two views
    sized: bool = False  # asks for a size of its groups
    changes: bool = False  # with every step, so that nothing about its groups is worth keeping


COUPLINGS = {
    "joint": Coupling("all at once, as in the paper", lambda at: joint(at.views)),
    "anchor": Coupling(
        "each with the reference view, in the pairs that the released weights were trained on",
        lambda at: anchor(at.views),
    ),
    "nearest": Coupling(
        "each with its nearest cameras", lambda at: nearest(view_distances(at.poses), at.size - 1), sized=True
    ),
    "routed": Coupling(
        "groups that change at every step",
        lambda at: routed(at.views, at.step, at.seed, at.size),
        sized=True,
        changes=True,
    ),
}


def groups_of(coupling: str, poses: Tensor, size: int = 2, step: int = 0, seed: int = 0) -> Groups:
    """The groups of one sampling step.

    ``poses`` (views, frames, 12) are those of the rig, as the module reads them. ``size`` is the number of views in a
    group where the coupling asks for one; ``step`` and ``seed`` count where its groups change. Raises UserError for
    another coupling.
    """
    check_choice("coupling", coupling, COUPLINGS)
    views = len(poses)
    return joint(views) if views <= 2 else COUPLINGS[coupling].groups(Moment(poses, size, step, seed))
