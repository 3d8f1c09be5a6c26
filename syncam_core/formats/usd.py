"""Cameras of OpenUSD stages (.usda, .usdc, .usd): Blender, Maya, Houdini, Unreal, Omniverse read and write them.

Every Camera prim is a camera of the rig, with the transforms of what it stands in; the stage says its unit and which
axis is up. Camera axes are OpenGL's (x right, y up, the camera looks along -z). Written are a translation and a
quaternion with a time sample for each frame: between samples a reader mixes matrices number by number, so that a matrix
half way of a turn of 90 degrees is scaled to 0.71, but turns quaternions as one turns a camera.

Focal length and aperture are in tenths of the stage's unit. The aperture across goes with the picture's width; the one
that is written for its height belongs to `image_size`. Lenses that change are kept as they begin.

Needs OpenUSD's own library: `pip install usd-core`.
"""

from __future__ import annotations

import itertools
import os
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from ..cameras.rig import Lens, Rig
from ..errors import UserError
from .axes_and_units import FLIP_YZ, Z_UP_TO_RIG, in_metres, in_units, metres_per_unit, rig_of
from .files import MAX_FRAMES, chosen_of, make_folder, write_text
from .json_values import lens_of, positive
from .lost_of_lenses import say_lost, shift_losses, told, zoom_losses
from .usd_layer import BEGINNINGS, first_line, layer_of

if TYPE_CHECKING:
    from pxr import Usd

NAME = "OpenUSD"
SUFFIXES = (".usda", ".usdc", ".usd")
UNIT = "in the file"
WORDS = "OpenUSD begins with #usda"
FILE_READ = "OpenUSD stage (`.usda`, `.usdc`, `.usd`) with cameras; needs `pip install usd-core`"
CAMERA_AXES = "x right, y up, z back"
WORLD_AXES = "y or z up, as the stage says"
FILE_WRITTEN = "one stage: `.usda`"
AXES_WRITTEN = "x right, y up, z back; world y up"
LOST = "colours"

_BLENDER_NAME = "userProperties:blender:object_name"
RAW_MM = 300.0  # no sensor is so wide: the file holds millimetres whatever its unit is


class _Usd(NamedTuple):
    gf: ModuleType
    sdf: ModuleType
    tf: ModuleType
    usd: ModuleType
    geom: ModuleType


def _library() -> _Usd:
    try:
        from pxr import Gf, Sdf, Tf, Usd, UsdGeom
    except ImportError as problem:
        raise UserError(
            "reading and writing OpenUSD needs its library, which is not installed: pip install usd-core."
        ) from problem
    return _Usd(Gf, Sdf, Tf, Usd, UsdGeom)


def looks_like(path: Path, head: bytes) -> bool:
    return head.removeprefix(BOM_UTF8).startswith(tuple(BEGINNINGS))


def read(path: Path, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The rig of a stage; it moves over the stage's time codes, one frame for each, or for as many as last a frame.

    Raises UserError for a stage that refers to other files, which are not read, and for cameras without perspective.
    """
    pxr = _library()
    with _refused(pxr):
        return _rig(pxr.usd.Stage.Open(layer_of(path)), cameras, unit_m, pxr)


@contextmanager
def _refused(pxr: _Usd) -> Iterator[None]:
    """USD finds some faults of a file only when it is asked for what is wrong."""
    try:
        yield
    except (pxr.tf.ErrorException, UnicodeDecodeError) as problem:
        raise UserError(f"OpenUSD cannot read it ({first_line(problem)}).") from problem


def _rig(stage: Usd.Stage, cameras: str, unit_m: float | None, pxr: _Usd) -> Rig:
    unit = metres_per_unit(unit_m, pxr.geom.GetStageMetersPerUnit(stage), "metersPerUnit")
    prims = [
        prim
        for prim in stage.Traverse(pxr.usd.TraverseInstanceProxies())
        if prim.IsA(pxr.geom.Camera) or _is_merged(prim)
    ]
    if not prims:
        raise UserError("it holds no cameras; export them with the scene.")
    names = _names(prims)
    chosen = chosen_of(cameras, names)
    codes = _time_codes(stage, [prims[index] for index in chosen], pxr)
    world = Z_UP_TO_RIG if pxr.geom.GetStageUpAxis(stage) == pxr.geom.Tokens.z else FLIP_YZ
    poses = torch.from_numpy(_matrices([prims[index] for index in chosen], codes, pxr))
    c2w = in_metres(world @ poses @ FLIP_YZ, unit)
    lenses = [_lens(prims[index], names[index], codes[0], unit, pxr) for index in chosen]
    say_lost({names[index]: _lost(prims[index], codes) for index in chosen})
    return rig_of([names[index] for index in chosen], list(c2w), lenses)


def write(
    rig: Rig,
    path: Path,
    unit_m: float = 1.0,
    image_size: tuple[int, int] = (832, 480),
    fps: float = 16.0,
    first_frame: int = 1,
) -> None:
    """Write a rig as a stage: frame k has the time code `first_frame` + k, `fps` of which are a second."""
    from scipy.spatial.transform import Rotation

    pxr = _library()
    width, height = (positive(length, "image_size") for length in image_size)
    stage = pxr.usd.Stage.CreateInMemory()
    pxr.geom.SetStageUpAxis(stage, pxr.geom.Tokens.y)
    pxr.geom.SetStageMetersPerUnit(stage, positive(unit_m, "unit_m (metres per unit of the file)"))
    stage.SetTimeCodesPerSecond(positive(fps, "fps"))
    stage.SetStartTimeCode(first_frame)
    stage.SetEndTimeCode(first_frame + rig.frames - 1)
    stage.SetDefaultPrim(pxr.geom.Xform.Define(stage, "/Rig").GetPrim())
    tenths = 1 / (100 * unit_m)  # of a unit in a millimetre
    poses = FLIP_YZ @ in_units(rig.c2w, unit_m) @ FLIP_YZ
    for camera, name, lens in zip(poses, rig.names, rig.lenses, strict=True):
        prim = pxr.geom.Camera.Define(stage, f"/Rig/{_identifier(name, stage, pxr)}")
        prim.GetPrim().SetDisplayName(name)
        prim.CreateFocalLengthAttr(lens.focal_mm * tenths)
        prim.CreateHorizontalApertureAttr(lens.sensor_width_mm * tenths)
        prim.CreateVerticalApertureAttr(lens.sensor_width_mm * tenths * height / width)
        prim.CreateClippingRangeAttr(pxr.gf.Vec2f(0.01 / unit_m, 1e4 / unit_m))
        move, turn = prim.AddTranslateOp(), prim.AddOrientOp(pxr.geom.XformOp.PrecisionDouble)
        quaternions = _continuous(Rotation.from_matrix(camera[:, :3, :3].numpy()).as_quat())
        still = bool((camera == camera[:1]).all())
        for frame, (place, (x, y, z, w)) in enumerate(zip(camera[:, :3, 3].tolist(), quaternions, strict=True)):
            code = pxr.usd.TimeCode.Default() if still else pxr.usd.TimeCode(first_frame + frame)
            move.Set(pxr.gf.Vec3d(*place), code)
            turn.Set(pxr.gf.Quatd(w, x, y, z), code)
            if still:
                break
    _export(stage, path, pxr)


def _export(stage: Usd.Stage, path: Path, pxr: _Usd) -> None:
    layer = stage.GetRootLayer()
    if path.suffix.lower() not in (".usdc", ".usd"):
        return write_text(path, layer.ExportToString())
    make_folder(path.parent)
    try:
        layer.Export(os.fspath(path))
    except (pxr.tf.ErrorException, OSError) as problem:
        raise UserError(f"file {path.name!r} cannot be written.") from problem
    return None


def _is_merged(prim: Usd.Prim) -> bool:
    """Whether it is a camera that Blender merged with its object (*Merge parent Xform*), and calls an Xform."""
    return bool(prim.GetTypeName() == "Xform" and prim.GetAttribute("projection") and prim.GetAttribute(_BLENDER_NAME))


def _names(prims: Sequence[Usd.Prim]) -> list[str]:
    """What people call each camera: its display name, else its prim's, else that of the prim that it stands in.

    Blender calls the prim after the lens's data, and the prim around it after the object, with the name as people see it
    in an attribute.
    """
    names = [_blender_name(prim) or prim.GetDisplayName() or prim.GetName() for prim in prims]
    if len(set(names)) < len(names):
        names = [prim.GetParent().GetName() for prim in prims]
    if len(set(names)) < len(names) or not all(names):
        names = [str(prim.GetPath()).strip("/")[-64:] for prim in prims]
    return names


def _blender_name(prim: Usd.Prim) -> str:
    for holder in (prim, prim.GetParent()):
        name = holder.GetAttribute(_BLENDER_NAME).Get() if holder else None
        if isinstance(name, str):
            return name
    return ""


def _time_codes(stage: Usd.Stage, prims: Sequence[Usd.Prim], pxr: _Usd) -> list[float]:
    """The codes of the frames: those of the stage, or of its samples, and one where nothing moves."""
    samples: set[float] = set()
    only: set[float] = set()  # of what has one sample, and so stands still
    for prim in prims:
        while prim:
            for operation in pxr.geom.Xformable(prim).GetOrderedXformOps() if prim.IsA(pxr.geom.Xformable) else ():
                found = operation.GetTimeSamples()
                (samples if len(found) > 1 else only).update(found)
            prim = prim.GetParent()
    if not samples:
        return [min(only)] if only else [0.0]
    begin, end = min(samples), max(samples)
    if stage.HasAuthoredTimeCodeRange():
        begin, end = stage.GetStartTimeCode(), stage.GetEndTimeCode()
    step = _codes_of_a_frame(stage)
    if not 0 <= (end - begin) / step < MAX_FRAMES:  # false for NaN, too
        raise UserError(f"it has the frames {begin:g} to {end:g}; 1 to {MAX_FRAMES} of them are possible.")
    return [begin + step * frame for frame in range(round((end - begin) / step) + 1)]


def _codes_of_a_frame(stage: Usd.Stage) -> int:
    """1, but where a stage counts finer than its frames, and says both: 25 of 600 time codes at 24 frames per second."""
    if not (stage.HasAuthoredMetadata("framesPerSecond") and stage.HasAuthoredMetadata("timeCodesPerSecond")):
        return 1
    codes, frames = stage.GetTimeCodesPerSecond(), stage.GetFramesPerSecond()
    whole = frames > 0 and codes < MAX_FRAMES * frames and codes % frames == 0
    return max(1, int(codes / frames)) if whole else 1


def _matrices(prims: Sequence[Usd.Prim], codes: Sequence[float], pxr: _Usd) -> np.ndarray:
    """Camera to world (cameras, frames, 4, 4), without the scale of what the cameras stand in."""
    result = np.empty((len(prims), len(codes), 4, 4))
    cache = pxr.geom.XformCache()
    for frame, code in enumerate(codes):
        cache.SetTime(pxr.usd.TimeCode(code))
        for index, prim in enumerate(prims):
            matrix = cache.GetLocalToWorldTransform(prim)
            lengths = [matrix.GetRow3(axis).GetLength() for axis in range(3)]
            if max(abs(length - 1) for length in lengths) > 1e-9:
                matrix = matrix.RemoveScaleShear()
            result[index, frame] = np.array(matrix).T
    return result


def _lens(prim: Usd.Prim, name: str, code: float, unit_m: float, pxr: _Usd) -> Lens:
    if prim.GetAttribute("projection").Get(code) == pxr.geom.Tokens.orthographic:
        raise UserError(f"camera {name[:60]!r} is orthographic; only cameras with perspective are possible.")

    def length(attribute: str, unwritten: float) -> float:
        given = prim.GetAttribute(attribute)
        return _number(given.Get(code) if given else unwritten, f"camera {name[:60]!r}: {attribute}")

    focal, aperture = length("focalLength", 50.0), length("horizontalAperture", 20.955)  # USD's own where none is
    millimetres = 100 * unit_m if aperture * 100 * unit_m < RAW_MM else 1.0
    return lens_of(_rounded(focal * millimetres), _rounded(aperture * millimetres), f"camera {name[:60]!r}")


def _lost(prim: Usd.Prim, codes: Sequence[float]) -> list[str]:
    """Of a camera whose lens was read. Apertures are in the same unit as their offsets."""

    def length(attribute: str, code: float, unwritten: float) -> float:
        given = prim.GetAttribute(attribute)
        found = told(given.Get(code)) if given else None
        return unwritten if found is None else found

    size = [
        length(f"{axis}Aperture", codes[0], usual) for axis, usual in (("horizontal", 20.955), ("vertical", 15.2908))
    ]
    offsets = [length(f"{axis}ApertureOffset", codes[0], 0.0) for axis in ("horizontal", "vertical")]
    shifts = [offset / side for offset, side in zip(offsets, size, strict=True) if side]
    zoom = zoom_losses([length("focalLength", code, 0.0) for code in codes])
    return shift_losses(shifts) + zoom


def _number(value: object, place: str) -> float:
    """The shortest digits that are this float32: 0.24, and not 0.23999999463558197.

    USD itself keeps whatever a damaged file says, as a value of a type that nothing is.
    """
    if not isinstance(value, float):
        raise UserError(f"{place} is no number.")
    return float(str(np.float32(value)))


def _rounded(length: float) -> float:
    return float(f"{length:.7g}")  # a float32 holds no more


def _identifier(name: str, stage: Usd.Stage, pxr: _Usd) -> str:
    """The name as a prim may be called, unlike those that are there."""
    base = pxr.tf.MakeValidIdentifier(name.encode("ascii", "replace").decode().replace("?", "_"))
    found, number = base, 1
    while stage.GetPrimAtPath(f"/Rig/{found}"):
        number += 1
        found = f"{base}_{number}"
    return str(found)


def _continuous(quaternions: np.ndarray) -> list[list[float]]:
    """Each quaternion with the sign that is nearer to the one before: both mean one rotation, but not to a mixer."""
    for before, this in itertools.pairwise(quaternions):
        if before @ this < 0:
            this *= -1
    result: list[list[float]] = quaternions.tolist()
    return result
