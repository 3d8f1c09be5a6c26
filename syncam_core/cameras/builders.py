"""Rigs made by rule."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import UserError
from .orbit import look_at_c2w, orbit_c2w
from .rig import MAX_VIEWS, Rig, default_names

DIRECTIONS = ("horizontal", "vertical", "depth")  # of a row of cameras
AIMS = ("target", "parallel")
STEREO_METHODS = ("parallel", "toed-in")
REFERENCES = ("first", "middle")

_GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))


def orbit_rig(
    azimuths_deg: Sequence[float],
    elevations_deg: Sequence[float] = (0.0,),
    distances_m: Sequence[float] = (3.0,),
) -> Rig:
    """Static cameras around the origin, named cam01, cam02, ...; a list of one number counts for every camera.

    Lists, arrays and tensors are accepted. Raises UserError for lists whose lengths neither agree nor are 1, and for
    numbers that `orbit_c2w` refuses.
    """
    given = {"azimuths": azimuths_deg, "elevations": elevations_deg, "distances": distances_m}
    lists = {name: [float(number) for number in numbers] for name, numbers in given.items()}
    for name, numbers in lists.items():
        if not numbers:
            raise UserError(f"'{name}' is empty; give one number, or one for each camera.", field=name)
        if len(numbers) > MAX_VIEWS:
            raise UserError(f"'{name}' lists {len(numbers)} cameras, but at most {MAX_VIEWS} are possible.", field=name)
    views = max(map(len, lists.values()))
    longest = next(name for name, numbers in lists.items() if len(numbers) == views)
    for name, numbers in lists.items():
        if len(numbers) not in (1, views):
            raise UserError(
                f"'{name}' lists {len(numbers)} numbers but '{longest}' {views}; give '{name}' 1 number for all "
                f"cameras, or {views}.",
                field=name,
            )
    poses = []
    for view in range(views):
        azimuth, elevation, distance = (numbers[view if len(numbers) > 1 else 0] for numbers in lists.values())
        try:
            poses.append(orbit_c2w(azimuth, elevation, distance))
        except UserError as problem:
            of_one = problem.field or ""
            is_wrong = str(problem).removeprefix(of_one)
            raise problem.told(f"'{of_one}s' of camera {view + 1}{is_wrong}", field=f"{of_one}s") from problem
    return Rig(names=default_names(views), c2w=torch.stack(poses)[:, None])


def camera_rig(
    azimuth_deg: float = 0.0,
    elevation_deg: float = 0.0,
    distance_m: float = 3.0,
    roll_deg: float = 0.0,
    target: Sequence[float] = (0.0, 0.0, 0.0),
    name: str = "cam01",
) -> Rig:
    """One still camera, as `orbit_c2w` places it. Raises UserError for what that or `Rig` refuses."""
    return _still([orbit_c2w(azimuth_deg, elevation_deg, distance_m, roll_deg, target)], (name,))


def ring_rig(
    count: int,
    elevation_deg: float = 0.0,
    distance_m: float = 3.0,
    start_azimuth_deg: float = 0.0,
    target: Sequence[float] = (0.0, 0.0, 0.0),
) -> Rig:
    """Cameras all the way round the target, 360 / count degrees apart, from `start_azimuth_deg` to the right.

    Raises UserError for a count outside 1..MAX_VIEWS, and for numbers that `orbit_c2w` refuses.
    """
    _check_count(count)
    azimuths = [start_azimuth_deg + 360 * view / count for view in range(count)]
    return _still([orbit_c2w(azimuth, elevation_deg, distance_m, 0, target) for azimuth in azimuths])


def arc_rig(
    count: int,
    start_azimuth_deg: float,
    end_azimuth_deg: float,
    elevation_deg: float = 0.0,
    distance_m: float = 3.0,
    rise_deg: float = 0.0,
    push_in_m: float = 0.0,
    reference: str = "first",  # of REFERENCES
    target: Sequence[float] = (0.0, 0.0, 0.0),
) -> Rig:
    """Cameras on an arc around the target, evenly from one azimuth to the other, both ends included.

    On the way from the first camera to the last one the elevation grows by `rise_deg` and the distance shrinks by
    `push_in_m`. The names cam01, cam02, ... follow the arc; with the reference "middle" the camera in the middle
    (of an even number the earlier one of the two) is view 0 and the others follow in the order of the arc.

    Raises UserError for a count outside 1..MAX_VIEWS, an arc whose ends are one place, and for a rise or push-in
    that leads to an elevation or a distance that `orbit_c2w` refuses.
    """
    _check_count(count)
    _check_choice("reference", reference, REFERENCES)
    turns = (end_azimuth_deg - start_azimuth_deg) / 360
    if count > 1 and turns % 1 == 0 and rise_deg == 0 and push_in_m == 0:
        raise UserError(
            f"the arc ends where it starts, from azimuth {start_azimuth_deg:g} to {end_azimuth_deg:g}: its first and "
            "last camera would stand at one place; use other azimuths, or a ring for the full circle."
        )
    poses = []
    for view in range(count):
        part = view / (count - 1) if count > 1 else 0.0
        try:
            poses.append(
                orbit_c2w(
                    start_azimuth_deg + part * (end_azimuth_deg - start_azimuth_deg),
                    elevation_deg + part * rise_deg,
                    distance_m - part * push_in_m,
                    0.0,
                    target,
                )
            )
        except UserError as problem:
            raise problem.told(f"camera {view + 1} of the arc: {problem}") from problem
    rig = _still(poses)
    if reference == "first":
        return rig
    middle = (count - 1) // 2
    return rig.select([middle, *(view for view in range(count) if view != middle)])


def bullet_time_rig(
    count: int = 24,
    sweep_deg: float = 120.0,
    azimuth_deg: float = 0.0,
    elevation_deg: float = 10.0,
    distance_m: float = 3.0,
    rise_deg: float = 0.0,
    push_in_m: float = 0.0,
    target: Sequence[float] = (0.0, 0.0, 0.0),
) -> Rig:
    """A dense arc of `sweep_deg` degrees centred on an azimuth, for a frozen moment that a cut sweeps through.

    The camera in the middle is view 0, so that no camera is farther than half the sweep from its reference; sorted
    by name the cameras follow the arc. A single camera stands in the middle. Raises UserError as `arc_rig` does.
    """
    half = sweep_deg / 2 if count > 1 else 0.0
    start, end = azimuth_deg - half, azimuth_deg + half
    return arc_rig(count, start, end, elevation_deg, distance_m, rise_deg, push_in_m, "middle", target)


def dome_rig(
    count: int,
    spread_deg: float = 90.0,
    azimuth_deg: float = 0.0,
    elevation_deg: float = 90.0,
    distance_m: float = 3.0,
    target: Sequence[float] = (0.0, 0.0, 0.0),
) -> Rig:
    """Cameras spread evenly over a cap of the sphere around the target.

    The cap is centred on a direction and reaches `spread_deg` from it to all sides: 90 around elevation 90 is the
    upper half, 180 is the whole sphere. A Fibonacci lattice gives every camera the same share of the surface: seen
    from the centre of the cap, camera i stands at an angle whose cosine is `1 - (i + 1/2) (1 - cos spread) / count`,
    and turns on by the golden angle (Gonzalez, Mathematical Geosciences 42, 2010). Camera 0, the reference, is the
    one nearest to the centre; a single camera stands at the centre.

    Raises UserError for a count outside 1..MAX_VIEWS, a spread outside 0..180, and what `orbit_c2w` refuses.
    """
    _check_count(count)
    if not 0 < spread_deg <= 180:
        raise UserError(
            f"'spread' is {spread_deg:g}, but it must lie above 0 and up to 180 degrees (the whole sphere).",
            field="spread",
        )
    centre = orbit_c2w(azimuth_deg, elevation_deg, distance_m)
    outward = -centre[:3, 2]  # from the target to the cameras
    poses = []
    for view in range(count):
        share = (view + 0.5) / count if count > 1 else 0.0
        cosine = 1 - share * (1 - math.cos(math.radians(spread_deg)))
        sine = math.sqrt(max(0.0, 1 - cosine**2))
        turn = view * _GOLDEN_ANGLE
        sideways = math.cos(turn) * centre[:3, 0] - math.sin(turn) * centre[:3, 1]  # begins to the right, turns up
        offset = distance_m * (cosine * outward + sine * sideways)
        place = [coordinate + delta for coordinate, delta in zip(target, offset.tolist(), strict=True)]
        poses.append(look_at_c2w(place, target, azimuth_deg=azimuth_deg))
    return _still(poses)


def line_rig(
    count: int,
    spacing_m: float = 0.5,
    direction: str = "horizontal",  # of DIRECTIONS
    aim: str = "target",  # of AIMS
    azimuth_deg: float = 0.0,
    elevation_deg: float = 0.0,
    distance_m: float = 3.0,
    target: Sequence[float] = (0.0, 0.0, 0.0),
) -> Rig:
    """Cameras in a straight row whose middle stands at the given angles and distance.

    "horizontal" runs from left to right, "vertical" from top to bottom, "depth" from near to far, all in the axes of
    a camera in the middle. With the aim "target" every camera looks at the target, with "parallel" all look where the
    one in the middle does.

    Raises UserError for a count outside 1..MAX_VIEWS, a spacing that is not above 0, and a row that reaches the
    target.
    """
    _check_count(count)
    _check_choice("direction", direction, DIRECTIONS)
    _check_length("spacing", spacing_m)
    steps = [(view - (count - 1) / 2) * spacing_m for view in range(count)]
    if direction == "horizontal":
        offsets = [(step, 0.0, 0.0) for step in steps]
    elif direction == "vertical":
        offsets = [(0.0, step, 0.0) for step in steps]
    else:
        if steps[-1] >= distance_m:
            raise UserError(
                f"the row is {2 * steps[-1]:g} m long, but its middle is only {distance_m:g} m from the target, so that "
                "it would run into it; use a larger 'distance', a smaller 'spacing' or fewer cameras."
            )
        offsets = [(0.0, 0.0, -step) for step in steps]
    return _wall(offsets, aim, azimuth_deg, elevation_deg, distance_m, target)


def grid_rig(
    columns: int,
    rows: int,
    column_spacing_m: float = 0.5,
    row_spacing_m: float = 0.5,
    aim: str = "target",  # of AIMS
    azimuth_deg: float = 0.0,
    elevation_deg: float = 0.0,
    distance_m: float = 3.0,
    target: Sequence[float] = (0.0, 0.0, 0.0),
) -> Rig:
    """A flat wall of cameras, row by row from the top left, whose middle stands at the given angles and distance.

    The wall is perpendicular to the line from its middle to the target. `aim` as in `line_rig`.

    Raises UserError for more than MAX_VIEWS cameras, and for spacings that are not above 0.
    """
    for name, number in (("columns", columns), ("rows", rows)):
        if number < 1:
            raise UserError(f"'{name}' is {number}, but at least 1 is needed.", field=name)
    if columns * rows > MAX_VIEWS:
        raise UserError(
            f"'columns' {columns} times 'rows' {rows} makes {columns * rows} cameras, but at most {MAX_VIEWS} are possible.",
            field="columns",
        )
    _check_length("column_spacing", column_spacing_m)
    _check_length("row_spacing", row_spacing_m)
    offsets = [
        ((column - (columns - 1) / 2) * column_spacing_m, (row - (rows - 1) / 2) * row_spacing_m, 0.0)
        for row in range(rows)
        for column in range(columns)
    ]
    return _wall(offsets, aim, azimuth_deg, elevation_deg, distance_m, target)


def stereo_rig(
    interaxial_m: float = 0.065,
    convergence_m: float = 3.0,
    method: str = "parallel",  # of STEREO_METHODS
    azimuth_deg: float = 0.0,
    elevation_deg: float = 0.0,
    distance_m: float = 3.0,
    target: Sequence[float] = (0.0, 0.0, 0.0),
) -> Rig:
    """A stereo pair, the left camera (view 0) and the right one, `interaxial_m` apart.

    The point between them stands at the given angles and distance and looks at the target. "parallel" keeps both axes
    parallel to that line; convergence is then a sideways shift of the pictures, by
    `focal_px * interaxial / (2 * convergence)` each, after they are made. "toed-in" turns both cameras until their
    axes meet at `convergence_m` in front of that point.

    Raises UserError for lengths that are not above 0, and for what `orbit_c2w` refuses.
    """
    from scipy.spatial.transform import Rotation

    _check_choice("method", method, STEREO_METHODS)
    _check_length("interaxial", interaxial_m)
    _check_length("convergence", convergence_m)
    between = orbit_c2w(azimuth_deg, elevation_deg, distance_m, 0.0, target)
    toe_in = math.atan(interaxial_m / 2 / convergence_m) if method == "toed-in" else 0.0
    poses = []
    for side in (-1, 1):
        offset = torch.eye(4, dtype=torch.float64)
        offset[:3, :3] = torch.from_numpy(Rotation.from_rotvec([0.0, -side * toe_in, 0.0]).as_matrix())
        offset[0, 3] = side * interaxial_m / 2
        poses.append(between @ offset)
    return _still(poses, ("left", "right"))


def close_wide_rig(
    close_m: float = 1.5,
    wide_m: float = 4.0,
    azimuth_deg: float = 0.0,
    elevation_deg: float = 0.0,
    target: Sequence[float] = (0.0, 0.0, 0.0),
) -> Rig:
    """A close-up (view 0) and a wide shot, two cameras on one line to the target.

    Raises UserError where the close-up is not the nearer one, and for what `orbit_c2w` refuses.
    """
    if not close_m < wide_m:
        raise UserError(
            f"'close' is {close_m:g} m and 'wide' {wide_m:g} m, but the close-up must be the nearer one.", field="close"
        )
    poses = [orbit_c2w(azimuth_deg, elevation_deg, distance, 0.0, target) for distance in (close_m, wide_m)]
    return _still(poses, ("close", "wide"))


def _wall(
    offsets: Sequence[tuple[float, float, float]],  # metres, in the axes of the camera in the middle
    aim: str,
    azimuth_deg: float,
    elevation_deg: float,
    distance_m: float,
    target: Sequence[float],
) -> Rig:
    _check_choice("aim", aim, AIMS)
    middle = orbit_c2w(azimuth_deg, elevation_deg, distance_m, 0.0, target)
    poses = []
    for offset in offsets:
        c2w = middle.clone()
        c2w[:, 3] = middle @ torch.tensor([*offset, 1.0], dtype=torch.float64)
        poses.append(look_at_c2w(c2w[:3, 3].tolist(), target, 0.0, azimuth_deg) if aim == "target" else c2w)
    return _still(poses)


def _still(poses: Sequence[Tensor], names: tuple[str, ...] = ()) -> Rig:
    return Rig(names=names or default_names(len(poses)), c2w=torch.stack(list(poses))[:, None])


def _check_count(count: int) -> None:
    if not 1 <= count <= MAX_VIEWS:
        raise UserError(f"'count' is {count}, but 1 to {MAX_VIEWS} cameras are possible.", field="count")


def _check_length(name: str, length_m: float) -> None:
    if not 0 < length_m < math.inf:
        raise UserError(f"'{name}' is {length_m:g}, but it must be a number of metres above 0.", field=name)


def _check_choice(name: str, choice: str, choices: Sequence[str]) -> None:
    if choice not in choices:
        raise UserError(f"'{name}' is {choice!r}, but only {', '.join(choices)} are possible.", field=name)
