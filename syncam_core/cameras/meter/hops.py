"""How views hang together by trained pairs: the best reference, ways to every view, cameras that close a gap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from .findings import Bridge, PairMeter, ViewMeter
from .geometry import wrapped
from .verdicts import AZIMUTH_LIMIT_DEG, ELEVATION_LIMIT_DEG, ROUNDING_DEG, angle_verdict, cost

_Seat: TypeAlias = tuple[float, float, float, str]  # azimuth, elevation, distance, name

BRIDGE_MARGIN_DEG = 0.5  # so that a suggestion stays inside when it is typed with one decimal


def best_reference(views: Sequence[ViewMeter], pairs: Sequence[PairMeter]) -> int:
    """The view with the fewest others outside, then at the edge, then one that stands still, then the most central."""

    def rank(view: int) -> tuple[float, ...]:
        own = [pair for pair in pairs if view in (pair.first, pair.second)]
        outside, edge = (sum(pair.verdict == verdict for pair in own) for verdict in ("outside", "edge"))
        total = sum(cost(pair.azimuth_deg, pair.elevation_deg) for pair in own)
        return outside, edge, views[view].moves, math.floor(total * 1e6 + 0.5), view

    return min(range(len(views)), key=rank)


def paths_from_reference(views: int, pairs: Sequence[PairMeter]) -> dict[int, tuple[int, ...]]:
    """For every view that trained hops connect with view 0: the views in between, on the way with the fewest hops."""
    neighbours: dict[int, list[int]] = {view: [] for view in range(views)}
    for pair in pairs:
        if pair.verdict == "inside":
            neighbours[pair.first].append(pair.second)
            neighbours[pair.second].append(pair.first)
    paths: dict[int, tuple[int, ...]] = {0: ()}
    queue = [0]
    for view in queue:
        for other in sorted(neighbours[view]):
            if other not in paths:
                paths[other] = (*paths[view], view) if view else ()
                queue.append(other)
    return paths


def bridges_of(views: Sequence[ViewMeter], pairs: Sequence[PairMeter], target: np.ndarray | None) -> list[Bridge]:
    """The cameras that connect all views with the reference in trained hops, by the shortest gaps first."""
    if target is None:
        return []
    seats = [
        (view.azimuth_deg, view.elevation_deg, view.distance_m, view.name)
        for view in views
        if view.distance_m is not None  # as all have it where there is a target
    ]
    group = list(range(len(views)))  # views that trained hops connect carry one number
    for pair in pairs:
        if pair.verdict == "inside":
            old, new = group[pair.second], group[pair.first]
            group = [new if number == old else number for number in group]
    taken = {view.name for view in views}
    bridges: list[Bridge] = []
    while True:
        connected = [i for i in range(len(seats)) if group[i] == group[0]]
        others = [i for i in range(len(seats)) if group[i] != group[0]]
        if not others:
            return bridges
        hops, _, i, j = min((*_gap(seats[i], seats[j]), i, j) for i in connected for j in others)
        (azimuth, elevation, distance, name), (to_azimuth, to_elevation, to_distance, to_name) = seats[i], seats[j]
        turn = float(wrapped(to_azimuth - azimuth))
        old = group[j]
        group = [group[0] if number == old else number for number in group]
        for hop in range(1, hops):
            share = hop / hops
            number = len(bridges) + 1
            while f"bridge {number}" in taken:
                number += 1
            taken.add(f"bridge {number}")
            bridge = Bridge(
                name=f"bridge {number}",
                azimuth_deg=float(wrapped(azimuth + turn * share)),
                elevation_deg=elevation + (to_elevation - elevation) * share,
                distance_m=distance + (to_distance - distance) * share,
                target=(target[0].item(), target[1].item(), target[2].item()),
                between=(name, to_name),
            )
            bridges.append(bridge)
            seats.append((bridge.azimuth_deg, bridge.elevation_deg, bridge.distance_m, bridge.name))
            group.append(group[0])


def _gap(first: _Seat, second: _Seat) -> tuple[int, int]:
    """How many hops lead over the gap between two seats, and its size for comparisons."""
    azimuth_deg, elevation_deg = abs(float(wrapped(second[0] - first[0]))), abs(second[1] - first[1])
    hops = max(
        _hops(azimuth_deg, AZIMUTH_LIMIT_DEG - BRIDGE_MARGIN_DEG),
        _hops(elevation_deg, ELEVATION_LIMIT_DEG - BRIDGE_MARGIN_DEG),
    )
    if angle_verdict(azimuth_deg, elevation_deg) == "inside":
        hops = 1
    return hops, math.floor(cost(azimuth_deg, elevation_deg) * 1e6 + 0.5)


def _hops(size: float, most: float) -> int:
    return max(1, math.ceil(size / most - ROUNDING_DEG))
