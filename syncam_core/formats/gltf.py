"""Cameras of glTF 2.0 scenes (.glb, .gltf): all of them, with the nodes that they stand in, still or animated.

Metres, y up; cameras look along -z (x right, y up). A camera's lens is its vertical angle of view and the ratio of the
picture's sides. Times are seconds: frames are read at the animation's own steps, between which rotations are turned and
not mixed. Lenses that change (KHR_animation_pointer) are kept as they begin.

Needs pygltflib: `pip install pygltflib`.
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import math
import os
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import numpy as np
import torch

from ..cameras.json_text import parse_json
from ..cameras.rig import Lens, Rig
from ..disk.bounded import MAX_BYTES, file_bytes
from ..errors import UserError
from .axes_and_units import FLIP_YZ, in_metres, in_units, metres_per_unit, rig_of
from .files import MAX_FRAMES, chosen_of
from .json_values import lens_of, positive

if TYPE_CHECKING:
    from pygltflib import GLTF2, Camera, Node

NAME = "glTF"
SUFFIXES = (".glb", ".gltf")
UNIT = "metres"
WORDS = "glTF has 'asset' and 'nodes'"
FILE_READ = "glTF scene (`.glb`, `.gltf`) with cameras; needs `pip install pygltflib`"
CAMERA_AXES = "x right, y up, z back"
WORLD_AXES = "y up"
FILE_WRITTEN = "one scene: `.glb`"
AXES_WRITTEN = "x right, y up, z back; world y up"
LOST = "colours; moving cameras have 7 digits"

FLOAT = 5126
_INTEGERS = {5120: ("i1", 127), 5121: ("u1", 255), 5122: ("<i2", 32767), 5123: ("<u2", 65535)}  # kind, largest
_WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}
LEAST_STEP_S = 1e-4
MAX_PARTS = 30_000
MAX_DEPTH = 1000
_KEYS = ("asset", "scene", "scenes", "nodes", "cameras", "animations", "accessors", "bufferViews", "buffers")
_MOVING = ("channels", "samplers")


def looks_like(path: Path, head: bytes) -> bool:
    return head.startswith(b"glTF") or (b'"asset"' in head and (b'"bufferViews"' in head or b'"nodes"' in head))


# -- reading ---------------------------------------------------------------------------------------------------------


def read(path: Path, cameras: str = "", unit_m: float | None = None) -> Rig:
    """The rig of a scene. Raises UserError for cameras without perspective, and for buffers outside of its folder."""
    scene = _loaded(path)
    try:
        holders = [index for index, node in enumerate(scene.nodes) if node.camera is not None]
        if not holders:
            raise UserError("it holds no cameras; export them with the scene.")
        names = _names(scene, holders)
        chosen = chosen_of(cameras, names)
        above = {child: parent for parent, node in enumerate(scene.nodes) for child in node.children or ()}
        chains = [_chain(above, holders[index]) for index in chosen]
        tracks = _tracks(scene, path, {index for chain in chains for index in chain})
        times = _frame_times([tracks[key] for chain in chains for key in tracks if key[0] in chain])
        poses = [torch.from_numpy(_world(scene, chain, tracks, times)) for chain in chains]
        lenses = [_lens(scene, holders[index], names[index]) for index in chosen]
    except (IndexError, TypeError, AttributeError, KeyError, ValueError) as problem:
        if isinstance(problem, UserError):
            raise
        raise UserError(f"it is damaged ({type(problem).__name__}: {str(problem)[:80]}).") from problem
    scale = metres_per_unit(unit_m, 1.0, "")
    return rig_of([names[index] for index in chosen], [in_metres(FLIP_YZ @ p @ FLIP_YZ, scale) for p in poses], lenses)


def _loaded(path: Path) -> GLTF2:
    library = _library()
    text, blob = _parts(file_bytes(path))
    document = parse_json(text, MAX_BYTES)
    if not isinstance(document, dict):
        raise UserError("it cannot be read as glTF: it is no object.")
    # Of a large scene little is about cameras, and the library takes 0.2 ms for each part.
    kept = {key: document[key] for key in _KEYS if key in document}
    animations = kept.get("animations")
    of_each = [
        one.get(key)
        for one in (animations if isinstance(animations, list) else ())
        if isinstance(one, dict)
        for key in _MOVING
    ]
    count = sum(len(value) for value in [*kept.values(), *of_each] if isinstance(value, list))
    if count > MAX_PARTS:
        raise UserError(f"it has {count} nodes and parts of animations; at most {MAX_PARTS} are read. Export less.")
    try:
        scene: GLTF2 = library.gltf_from_json(json.dumps(kept))
    except Exception as problem:  # the library says nothing of what it may raise
        raise UserError(f"it cannot be read as glTF ({type(problem).__name__}).") from problem
    if scene is None or not isinstance(scene.nodes, list):
        raise UserError("it cannot be read as glTF: it has no nodes.")
    scene.set_binary_blob(blob)
    return scene


def _parts(content: bytes) -> tuple[str, bytes]:
    """The document and the numbers of a .glb file; all of a .gltf file is the document."""
    blob = b""
    if content.startswith(b"glTF"):
        place = 12
        found: list[tuple[bytes, bytes]] = []
        while place + 8 <= len(content) and len(found) < 2:  # what comes behind the numbers is an extension's
            length, kind = struct.unpack_from("<I4s", content, place)
            found.append((kind, content[place + 8 : place + 8 + length]))
            if len(found[-1][1]) < length:
                raise UserError("it ends too early; copy it again.")
            place += 8 + length
        if not found or found[0][0] != b"JSON":
            raise UserError("it is no glTF 2.0: its first part is not the document.")
        content = found[0][1]
        blob = next((numbers for kind, numbers in found if kind == b"BIN\0"), b"")
    try:
        return content.decode("utf-8-sig"), blob
    except UnicodeDecodeError as problem:
        raise UserError("it is not UTF-8 text.") from problem


def _library() -> type[GLTF2]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pygltflib import GLTF2
    except ImportError as problem:
        raise UserError(
            "reading and writing glTF needs a library that is not installed: pip install pygltflib."
        ) from problem
    return GLTF2


def _names(scene: GLTF2, holders: Sequence[int]) -> list[str]:
    """Nodes' names; numbered where two have the same, which glTF allows."""
    names: dict[str, None] = {}
    for place, index in enumerate(holders, 1):
        name = str(scene.nodes[index].name or f"camera {place}")
        names[name if name not in names else f"{name} ({place})"] = None
    return [*names]


def _chain(above: dict[int, int], index: int) -> list[int]:
    """A node and those that it stands in, the outermost first."""
    chain = [index]
    while chain[-1] in above:
        if len(chain) > MAX_DEPTH:
            raise UserError(f"its nodes stand in one another in a circle, or more than {MAX_DEPTH} deep.")
        chain.append(above[chain[-1]])
    return chain[::-1]


@dataclass(frozen=True)
class _Track:
    """How one property of a node moves; `values` (keys, width), or (keys, 3, width) with tangents for CUBICSPLINE."""

    times: np.ndarray
    values: np.ndarray
    interpolation: str

    def at(self, times: np.ndarray, turns: bool) -> np.ndarray:
        """(frames, width)"""
        inside = times.clip(self.times[0], self.times[-1])
        if len(self.times) == 1:
            only = self.values[0, 1] if self.interpolation == "CUBICSPLINE" else self.values[0]
            return np.repeat(only[None], len(times), 0)
        if self.interpolation == "STEP":
            # Keys are float32: a frame's time may lie just before the key that it is meant to be at.
            held: np.ndarray = self.values[np.searchsorted(self.times, inside + LEAST_STEP_S, "right") - 1]
            return held
        begin = (np.searchsorted(self.times, inside, "right") - 1).clip(0, len(self.times) - 2)
        length = self.times[begin + 1] - self.times[begin]
        share = ((inside - self.times[begin]) / np.where(length > 0, length, 1))[:, None]
        if self.interpolation == "CUBICSPLINE":
            (_, start, leaving), (entering, end, _) = (self.values[begin + side].swapaxes(0, 1) for side in (0, 1))
            two, three = share**2, share**3
            found = (2 * three - 3 * two + 1) * start + (three - 2 * two + share) * length[:, None] * leaving
            return found + (-2 * three + 3 * two) * end + (three - two) * length[:, None] * entering
        start, end = self.values[begin], self.values[begin + 1]
        return _turned(start, end, share) if turns else start + share * (end - start)


def _turned(start: np.ndarray, end: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Spherical interpolation of quaternions (frames, 4), the short way."""
    from scipy.spatial.transform import Rotation

    begin = Rotation.from_quat(start)
    way = (begin.inv() * Rotation.from_quat(end)).as_rotvec()
    found: np.ndarray = (begin * Rotation.from_rotvec(way * share)).as_quat()
    return found


def _tracks(scene: GLTF2, path: Path, nodes: set[int]) -> dict[tuple[int, str], _Track]:
    """How nodes move, by node and property; where several animations move one thing, the first one's."""
    tracks: dict[tuple[int, str], _Track] = {}
    buffers: dict[int, bytes] = {}
    for animation in scene.animations or ():
        for channel in animation.channels:
            target = channel.target
            key = (target.node, target.path)
            if target.node not in nodes or target.path not in ("translation", "rotation", "scale") or key in tracks:
                continue
            sampler = animation.samplers[channel.sampler]
            times = _numbers(scene, sampler.input, path, buffers)[:, 0].astype(np.float64)
            values = _numbers(scene, sampler.output, path, buffers).astype(np.float64)
            kind = sampler.interpolation or "LINEAR"
            if kind == "CUBICSPLINE":
                values = values.reshape(len(times), 3, -1)
            if (
                not len(times)
                or not np.isfinite(times).all()
                or len(values) != len(times)
                or not (np.diff(times) >= 0).all()
            ):
                raise UserError("it has an animation whose times and values do not fit together.")
            tracks[key] = _Track(times, values, kind)
    return tracks


def _numbers(scene: GLTF2, index: int, path: Path, buffers: dict[int, bytes]) -> np.ndarray:
    """The (count, width) numbers of an accessor."""
    accessor = scene.accessors[index]
    width, count = _WIDTHS[accessor.type], accessor.count
    if accessor.sparse is not None or accessor.bufferView is None:
        raise UserError("it has an animation with sparse numbers, which are not read; export it without.")
    if not 0 < count <= 10 * MAX_FRAMES:
        raise UserError(f"it has an animation of {count} keys; at most {10 * MAX_FRAMES} are possible.")
    view = scene.bufferViews[accessor.bufferView]
    name, largest = ("<f4", 1) if accessor.componentType == FLOAT else _INTEGERS[accessor.componentType]
    kind = np.dtype(name)
    begin = (view.byteOffset or 0) + (accessor.byteOffset or 0)
    stride = view.byteStride or width * kind.itemsize
    if view.buffer not in buffers:
        buffers[view.buffer] = _buffer(scene, view.buffer, path)
    content = buffers[view.buffer]
    if begin < 0 or begin + stride * (count - 1) + width * kind.itemsize > len(content):
        raise UserError("it has an animation that reaches beyond its buffer.")
    found: np.ndarray = np.ndarray((count, width), kind, content, begin, (stride, kind.itemsize))
    return found if accessor.componentType == FLOAT else np.maximum(found / largest, -1.0)


def _buffer(scene: GLTF2, index: int, path: Path) -> bytes:
    """The bytes of a buffer: in the file itself, in its text, or in a file beside it."""
    uri = scene.buffers[index].uri
    if uri is None:
        return scene.binary_blob() or b""
    if uri.startswith("data:"):
        try:
            return base64.b64decode(uri.partition(",")[2], validate=True)
        except binascii.Error as problem:
            raise UserError("it has a buffer that is not base64.") from problem
    name = unquote(uri)  # blanks are %20
    beside = os.path.realpath(path.parent)
    if Path(name).name != name or ":" in name or os.path.dirname(os.path.realpath(path.parent / name)) != beside:
        raise UserError(f"it has its numbers in {name[:60]!r}; only files beside it are read. Export it as .glb.")
    return file_bytes(path.parent / name, called=f"its file {name[:60]!r}")


def _frame_times(tracks: Sequence[_Track]) -> np.ndarray:
    """Seconds of the frames: from the first key to the last, in steps of the nearest two keys."""
    moving = [track.times for track in tracks if len(track.times) > 1]  # one key holds still, whenever it is
    if not moving:
        return np.zeros(1)
    keys = np.unique(np.concatenate(moving))
    steps = np.diff(keys)
    steps = steps[steps > LEAST_STEP_S]
    if not len(steps):
        return keys[:1]
    # Times are float32: the mean of the steps that are nearly the smallest is nearer to the true one.
    step = float(steps[steps < 1.05 * steps.min()].mean())
    count = round(float(keys[-1] - keys[0]) / step) + 1
    if count > MAX_FRAMES:
        raise UserError(f"it moves over {count} frames; at most {MAX_FRAMES} are possible.")
    return np.asarray(keys[0] + (keys[-1] - keys[0]) * np.arange(count) / max(1, count - 1))


def _world(scene: GLTF2, chain: Sequence[int], tracks: dict[tuple[int, str], _Track], times: np.ndarray) -> np.ndarray:
    """Camera to world (frames, 4, 4) of the last node of a chain, without scale."""
    result = np.eye(4)
    for index in chain:
        result = result @ _local(scene.nodes[index], index, tracks, times)
    if not any(key[0] in chain for key in tracks):
        result = result[:1]
    lengths = np.linalg.norm(result[:, :3, :3], axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):  # no scale at all makes NaN, which is refused
        result[:, :3, :3] /= np.where(np.abs(lengths - 1) > 1e-9, lengths, 1)
    return result


def _local(node: Node, index: int, tracks: dict[tuple[int, str], _Track], times: np.ndarray) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    if node.matrix is not None:
        return np.repeat(np.array(node.matrix, np.float64).reshape(4, 4).T[None], len(times), 0)

    def values(name: str, given: list[float] | None, default: list[float]) -> np.ndarray:
        track = tracks.get((index, name))
        still = np.array(given or default, np.float64)[None]
        return np.repeat(still, len(times), 0) if track is None else track.at(times, name == "rotation")

    matrix = np.zeros((len(times), 4, 4))
    matrix[:, 3, 3] = 1
    turns = Rotation.from_quat(values("rotation", node.rotation, [0, 0, 0, 1])).as_matrix()
    matrix[:, :3, :3] = turns * values("scale", node.scale, [1, 1, 1])[:, None]
    matrix[:, :3, 3] = values("translation", node.translation, [0, 0, 0])
    return matrix


def _lens(scene: GLTF2, index: int, name: str) -> Lens:
    camera = scene.cameras[scene.nodes[index].camera]
    if camera.type != "perspective" or camera.perspective is None or not camera.perspective.yfov:
        raise UserError(f"camera {name[:60]!r} is {str(camera.type)[:20]}; only cameras with perspective are possible.")
    yfov = float(camera.perspective.yfov)
    if not 0 < yfov < math.pi:
        raise UserError(f"camera {name[:60]!r} has the angle of view {yfov:g}; above 0 and below pi is needed.")
    aspect, sensor = float(camera.perspective.aspectRatio or 832 / 480), Lens().sensor_width_mm
    told = (camera.extras or {}).get("sensor_width_mm") if isinstance(camera.extras, dict) else None
    sensor = told if isinstance(told, (int, float)) and told > 0 else sensor
    return lens_of(sensor / (2 * math.tan(yfov / 2) * aspect), sensor, f"camera {name[:60]!r}")


# -- writing ---------------------------------------------------------------------------------------------------------


def write(
    rig: Rig, path: Path, unit_m: float = 1.0, image_size: tuple[int, int] = (832, 480), fps: float = 16.0
) -> None:
    """Write a rig as a scene with one animation: frame k at k / `fps` seconds. `unit_m` other than 1 is not glTF's."""
    library = _library()
    from pygltflib import (
        Accessor,
        Animation,
        AnimationChannel,
        AnimationChannelTarget,
        AnimationSampler,
        Asset,
        Buffer,
        BufferView,
        Node,
        Scene,
    )
    from scipy.spatial.transform import Rotation

    scene = library(asset=Asset(generator="ComfyUI-SynCam"))
    aspect = positive(image_size[0], "image_size") / positive(image_size[1], "image_size")
    poses = (FLIP_YZ @ in_units(rig.c2w, unit_m) @ FLIP_YZ).numpy()
    blob, animation = bytearray(), Animation(name="rig")

    def accessor(numbers: np.ndarray, kind: str) -> int:
        data = numbers.astype("<f4")
        scene.bufferViews.append(BufferView(buffer=0, byteOffset=len(blob), byteLength=data.nbytes))
        blob.extend(data.tobytes())
        low, high = (getattr(data, which)(0).reshape(-1).tolist() for which in ("min", "max"))
        view = len(scene.bufferViews) - 1
        scene.accessors.append(
            Accessor(bufferView=view, componentType=FLOAT, count=len(data), type=kind, min=low, max=high)
        )
        return len(scene.accessors) - 1

    for index, (pose, name, lens) in enumerate(zip(poses, rig.names, rig.lenses, strict=True)):
        turns = Rotation.from_matrix(pose[:, :3, :3]).as_quat()
        for before, this in itertools.pairwise(turns):  # the shorter way between two frames
            this *= math.copysign(1.0, before @ this)
        scene.cameras.append(_camera(name, lens, aspect))
        places = pose[:, :3, 3]
        scene.nodes.append(Node(name=name, camera=index, translation=places[0].tolist(), rotation=turns[0].tolist()))
        if not (pose == pose[:1]).all():
            times = accessor(np.arange(len(pose)) / fps, "SCALAR")
            for what, values, kind in (("translation", places, "VEC3"), ("rotation", turns, "VEC4")):
                animation.samplers.append(AnimationSampler(input=times, output=accessor(values, kind)))
                target = AnimationChannelTarget(node=index, path=what)
                animation.channels.append(AnimationChannel(sampler=len(animation.samplers) - 1, target=target))
    scene.scene, scene.scenes = 0, [Scene(nodes=list(range(rig.views)))]
    if animation.channels:
        scene.animations.append(animation)
        scene.buffers.append(Buffer(byteLength=len(blob)))
        scene.set_binary_blob(bytes(blob))
    _save(scene, path)


def _camera(name: str, lens: Lens, aspect: float) -> Camera:
    from pygltflib import Camera, Perspective

    yfov = 2 * math.atan(lens.sensor_width_mm / lens.focal_mm / 2 / aspect)
    return Camera(
        name=name,
        type="perspective",
        perspective=Perspective(aspectRatio=aspect, yfov=yfov, znear=0.01, zfar=1000.0),
        extras={"sensor_width_mm": lens.sensor_width_mm},
    )


def _save(scene: GLTF2, path: Path) -> None:
    from pygltflib import BufferFormat

    try:
        if path.suffix.lower() == ".gltf":
            scene.convert_buffers(BufferFormat.DATAURI)
            scene.save_json(str(path))
        else:
            scene.save_binary(str(path))
    except (OSError, ValueError) as problem:
        why = getattr(problem, "strerror", None) or "its name is not possible"
        raise UserError(f"file {path.name!r} cannot be written ({why}).") from problem
