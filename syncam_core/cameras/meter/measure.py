"""The one entry: a rig in, everything that the meter finds out. Every definition stands at the top of the package."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from ..rig import Rig
from .findings import Meter, PairMeter, ViewMeter
from .geometry import (
    angles,
    common_point,
    distance_differences,
    largest,
    lens_deg,
    moments_of,
    overlaps_of,
    to_target,
    wrapped,
)
from .hops import best_reference, bridges_of, paths_from_reference
from .trajectories import NOTE, are_trajectories, judged_trajectories
from .verdicts import angle_verdict, judged, notes_of

STILL = 1e-6  # smaller changes of a matrix are rounding


def measure(rig: Rig, as_views: bool = False) -> Meter:
    """Hold a rig against the training data of the released weights; see the package's text for every definition.

    Cameras that all begin at one pose and move are trajectories of a re-capture; `as_views` judges them as views.
    """
    c2w = np.asarray(rig.c2w, dtype=np.float64)
    moments = c2w[:, moments_of(c2w.shape[1])]
    centre, forward = moments[..., :3, 3], moments[..., :3, 2]
    azimuth, elevation, roll = angles(moments)  # (views, moments)
    kind, target = common_point(centre[:, 0], forward[:, 0])
    distance, aim_off = to_target(centre, forward, kind, target)
    pairs = _pairs(azimuth, elevation, distance, centre, forward, overlap=overlaps_of(moments, rig.lenses, distance))
    paths = paths_from_reference(len(c2w), pairs)
    views = [
        judged(
            ViewMeter(
                name=rig.names[view],
                azimuth_deg=float(azimuth[view, 0]),
                elevation_deg=float(elevation[view, 0]),
                roll_deg=float(largest(roll[view])),
                distance_m=None if distance is None else float(distance[view, 0]),
                aim_off_deg=None if aim_off is None else float(aim_off[view].max()),
                lens_deg=lens_deg(rig.lenses[view]),
                moves=bool((np.abs(c2w[view] - c2w[view, 0]) > STILL).any()),
                through=paths.get(view, ()),
            ),
            rig,
            pairs[view - 1] if view else None,
            kind,
        )
        for view in range(len(c2w))
    ]
    if not as_views and are_trajectories(c2w):
        return Meter(
            target=None if target is None else tuple(target.tolist()),
            target_kind=kind,
            views=tuple(judged_trajectories(views, moments, azimuth, elevation, rig.lenses)),
            pairs=tuple(pairs),
            best_reference=0,
            bridges=(),
            notes=(NOTE,),
            trajectories=True,
        )
    return Meter(
        target=None if target is None else tuple(target.tolist()),
        target_kind=kind,
        views=tuple(views),
        pairs=tuple(pairs),
        best_reference=best_reference(views, pairs),
        bridges=tuple(bridges_of(views, pairs, target)),
        notes=tuple(notes_of(views, kind, centre[:, 0])),
    )


def _pairs(
    azimuth: ndarray,  # (views, moments) degrees
    elevation: ndarray,
    distance: ndarray | None,  # (views, moments) metres
    centre: ndarray,  # (views, moments, 3)
    forward: ndarray,
    overlap: ndarray,  # (views, views)
) -> list[PairMeter]:
    first, second = np.triu_indices(len(azimuth), 1)
    differences = np.stack(
        [
            largest(wrapped(azimuth[second] - azimuth[first])),
            largest(elevation[second] - elevation[first]),
            largest(distance_differences(distance, centre, forward, first, second)),
            overlap[first, second],
        ],
        axis=-1,
    )
    return [
        PairMeter(i, j, azimuth_deg, elevation_deg, distance_m, shared, angle_verdict(azimuth_deg, elevation_deg))
        for i, j, (azimuth_deg, elevation_deg, distance_m, shared) in zip(
            first.tolist(), second.tolist(), differences.tolist(), strict=True
        )
    ]
