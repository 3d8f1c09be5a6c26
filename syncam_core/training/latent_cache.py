"""Latents and text, encoded once: one safetensors file per scene, one per caption.

Each file appears whole or not at all, so that a build that was killed goes on where it was, to the same bytes as
without the kill. Several processes may build different parts of a data set in one folder at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..cameras.json_text import Json
from ..datasets.footage import BrokenFootage, Footage, Kind, Scene
from ..datasets.problems import BrokenData, Problem, check, check_on_broken, odd_ones_out, pictures_of, scene_problem
from ..disk.names import file_slugs
from ..disk.staged import HIDDEN, staged_file
from ..errors import UserError

FORMAT = "syncam latents"
TEXT_FORMAT = "syncam text"
VERSION = 1
DTYPES = (torch.bfloat16, torch.float16, torch.float32)

# The order of several metadata keys in a safetensors file is random; a single one keeps equal caches equal bytes.
_KEY = "syncam"

Progress = Callable[[int, int], None]  # (done, total)


@dataclass(frozen=True)
class CacheReport:
    """What `LatentCache.build` did."""

    encoded: tuple[str, ...]  # scenes whose file was written
    kept: tuple[str, ...]  # scenes that were there, unchanged
    problems: tuple[Problem, ...]  # what was left out
    others: tuple[str, ...]  # scenes in the folder that were not among those to build

    def __str__(self) -> str:
        text = f"{len(self.encoded)} scenes encoded, {len(self.kept)} were there, {len(self.problems)} problems."
        if self.others:
            text += (
                f" The folder also holds {len(self.others)} scenes that were not asked for, like {self.others[0]!r}."
            )
        return text


@dataclass(frozen=True, eq=False)
class CachedScene:
    """A scene in the cache. Latents are read when asked for, unless they are held in memory."""

    name: str
    kind: Kind
    caption: str
    names: tuple[str, ...]  # of the views
    c2w: Tensor | None  # (views, 1 or frames, 4, 4) float64; None: unknown
    shape: tuple[int, ...]  # of the latents: views, channels, latent frames, height, width
    dtype: torch.dtype
    frames: int  # of the video, before the VAE
    fingerprints: tuple[str, ...]  # of the views
    encoder_id: str
    path: Path
    held: Tensor | None = None

    @property
    def views(self) -> int:
        return self.shape[0]

    def latents(
        self,
        view_indices: Sequence[int] | None = None,  # None: all
        latent_frames: int | None = None,  # the first ones; None: all. Wan's VAE is causal: a prefix is a shorter clip
    ) -> Tensor:  # (len(view_indices), channels, latent_frames, height, width)
        """The latents of some views, in that order. Raises UserError for views or frames that are not there."""
        views = list(range(self.views) if view_indices is None else view_indices)
        frames = self.shape[2] if latent_frames is None else latent_frames
        if not views or not all(0 <= view < self.views for view in views):
            raise UserError(f"scene {self.name!r} has the views 0 to {self.views - 1}, but {views} are asked for.")
        if not 1 <= frames <= self.shape[2]:
            raise UserError(f"scene {self.name!r} has {self.shape[2]} latent frames, but {frames} are asked for.")
        if self.held is not None:
            return self.held[views, :, :frames]
        with _opened(self.path) as file:
            part = file.get_slice("latents")
            return torch.stack([part[view, :, :frames] for view in views])


class LatentCache:
    """The latents of one data set in one folder."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def path(self, scene_name: str) -> Path:
        """The file of a scene: readable, safe on every file system, and unique."""
        digest = hashlib.sha256(scene_name.encode("utf-8", "surrogatepass")).hexdigest()
        return self.folder / f"{file_slugs([scene_name])[0]}-{digest[:16]}.safetensors"

    def build(
        self,
        scenes: Iterable[Scene],
        encode: Callable[[Tensor], Tensor],  # (frames, height, width, 3) uint8 -> (16, latent frames, h, w) float
        encoder_id: str,  # changes when the encoder's results do
        on_broken: str = "skip",
        progress: Progress = lambda done, total: None,
        dtype: torch.dtype = torch.bfloat16,
    ) -> CacheReport:
        """Encode what is not there yet, view by view.

        A view counts as there while footage (by its fingerprint), encoder and dtype are the same; of a changed scene
        only the changed views are encoded. Broken footage is left out and reported, and the file of a scene that
        cannot be used any more is removed. With `on_broken` "refuse" it raises BrokenData with everything that is
        broken: at once, where files, poses and containers show it; at the end, where only decoding does.
        """
        check_on_broken(on_broken)
        if dtype not in DTYPES:
            raise UserError(f"'dtype' is {dtype}, but latents are kept as bfloat16, float16 or float32.", field="dtype")
        given = list(scenes)
        good, report = check(given, on_broken, decode=False)
        self.folder.mkdir(parents=True, exist_ok=True)
        problems = list(report.problems)
        encoded: list[str] = []
        kept: list[str] = []
        for done, scene in enumerate(good):
            progress(done, len(good))
            is_written, found = self._build_scene(scene, encode, encoder_id, dtype)
            problems += found
            if is_written is not None:
                (encoded if is_written else kept).append(scene.name)
        progress(len(good), len(good))
        usable = {*encoded, *kept}
        for scene in given:
            if scene.name not in usable:
                self.path(scene.name).unlink(missing_ok=True)
        if problems and on_broken == "refuse":
            raise BrokenData(problems)
        ours = {self.path(name).name for name in usable}
        others = [path for path in sorted(self.folder.glob("*.safetensors")) if path.name not in ours]
        names = tuple((_header(path, FORMAT) or {"name": path.name})["name"] for path in others)
        return CacheReport(tuple(encoded), tuple(kept), tuple(problems), names)

    def _build_scene(
        self, scene: Scene, encode: Callable[[Tensor], Tensor], encoder_id: str, dtype: torch.dtype
    ) -> tuple[bool | None, list[Problem]]:
        """Whether the scene's file was written, None where it cannot be used, and what was broken."""
        path = self.path(scene.name)
        cached = _cached_views(path, encoder_id, dtype)
        problems: list[Problem] = []
        views: list[tuple[Footage, Tensor | None, tuple[int, ...]]] = []  # footage, latents if new, frames and shape
        for footage in scene.footage:
            try:
                if footage.fingerprint in cached:
                    views.append((footage, None, cached[footage.fingerprint][1]))
                else:
                    pictures = pictures_of(footage, scene.kind)
                    latents = _encoded(pictures, encode, dtype)
                    views.append((footage, latents, (len(pictures), *latents.shape)))
            except BrokenFootage as problem:
                problems.append(Problem(scene.name, footage.name, str(problem)))
        odd = odd_ones_out([shape for _, _, shape in views], lambda shape: f"{shape[0]} frames and latents {shape[1:]}")
        problems += [Problem(scene.name, views[index][0].name, why) for index, why in odd.items()]
        views = [view for index, view in enumerate(views) if index not in odd]
        whole = scene_problem(scene, len(views))
        if whole:
            return None, [*problems, Problem(scene.name, None, whole)]
        header = {
            "format": FORMAT,
            "version": VERSION,
            "name": scene.name,
            "kind": str(scene.kind),
            "caption": scene.caption,
            "views": [{"name": footage.name, "fingerprint": footage.fingerprint} for footage, _, _ in views],
            "frames": views[0][2][0],
            "encoder_id": encoder_id,
        }
        if all(latents is None for _, latents, _ in views) and header == _header(path, FORMAT):
            return False, problems
        with contextlib.ExitStack() as opened:
            known = opened.enter_context(_opened(path)).get_slice("latents") if cached else ()
            all_latents = [
                known[cached[footage.fingerprint][0]] if latents is None else latents for footage, latents, _ in views
            ]
            tensors = {"latents": torch.stack(all_latents)}
        c2w = _together([footage.c2w for footage, _, _ in views])
        if c2w is not None:
            tensors["c2w"] = c2w
        _write(path, tensors, header)
        return True, problems


class TextCache:
    """What the text encoder makes of captions, in one folder."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def path(self, caption: str, encoder_id: str) -> Path:
        digest = hashlib.sha256(f"{encoder_id}\0{caption}".encode("utf-8", "surrogatepass"))
        return self.folder / f"{digest.hexdigest()}.safetensors"

    def build(
        self,
        captions: Iterable[str],  # repeated ones count once; the empty one is possible, for caption dropout
        encode_text: Callable[[str], Tensor],  # -> (tokens, dim)
        encoder_id: str,  # changes when the encoder's results do
        progress: Progress = lambda done, total: None,
        dtype: torch.dtype = torch.bfloat16,
    ) -> int:
        """Encode the captions that are not there yet, and return how many these were.

        Raises UserError, naming the caption, for an encoding that is not finite.
        """
        if dtype not in DTYPES:
            raise UserError(f"'dtype' is {dtype}, but text is kept as bfloat16, float16 or float32.", field="dtype")
        self.folder.mkdir(parents=True, exist_ok=True)
        wanted = list(dict.fromkeys(captions))
        encoded = 0
        for done, caption in enumerate(wanted):
            progress(done, len(wanted))
            path = self.path(caption, encoder_id)
            header = {"format": TEXT_FORMAT, "version": VERSION, "caption": caption, "encoder_id": encoder_id}
            header["dtype"] = str(dtype).removeprefix("torch.")
            if _header(path, TEXT_FORMAT) == header:
                continue
            tokens = encode_text(caption).detach().to(device="cpu", dtype=dtype)
            if tokens.ndim != 2:
                raise UserError(f"the text encoder made {tuple(tokens.shape)} of a caption; (tokens, dim) is needed.")
            if not torch.isfinite(tokens).all():
                raise UserError(f"the text encoder made NaN or infinite numbers of the caption {caption[:80]!r}.")
            _write(path, {"tokens": tokens}, header)
            encoded += 1
        progress(len(wanted), len(wanted))
        return encoded

    def load(self, caption: str, encoder_id: str) -> Tensor:  # (tokens, dim)
        """The encoding of a caption. Raises UserError where it was not built."""
        path = self.path(caption, encoder_id)
        if not path.is_file():
            raise UserError(f"the caption {caption[:80]!r} is not in the text cache '{self.folder}'; build it first.")
        with _opened(path) as file:
            return file.get_tensor("tokens").clone()


def open_cache(folder: str | os.PathLike[str], in_memory: bool = False) -> list[CachedScene]:
    """The scenes of a cache folder, sorted by name.

    Raises UserError for an empty folder, a damaged file, and a folder of caches that do not belong together: other
    encoders, dtypes or picture sizes, or clips of different lengths within one kind of scene.
    """
    folder = Path(folder)
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        raise UserError(f"'{folder}' holds no cached scenes; build the cache first.")
    scenes = sorted((_cached_scene(path, in_memory) for path in paths), key=lambda scene: scene.name)
    first_of_kind: dict[Kind, CachedScene] = {}
    for scene in scenes:
        like = first_of_kind.setdefault(scene.kind, scene)
        _refuse_other(scene, scenes[0], "encoder", lambda one: one.encoder_id)
        _refuse_other(scene, scenes[0], "dtype", lambda one: one.dtype)
        _refuse_other(scene, scenes[0], "shape (channels, height, width)", lambda one: one.shape[1:2] + one.shape[3:])
        _refuse_other(scene, like, "number of latent frames", lambda one: one.shape[2])
    return scenes


def _refuse_other(scene: CachedScene, first: CachedScene, what: str, value: Callable[[CachedScene], object]) -> None:
    if value(scene) != value(first):
        raise UserError(
            f"the cache '{scene.path.parent}' is mixed: the {what} of {scene.name!r} is {value(scene)}, but that of "
            f"{first.name!r} is {value(first)}; give each data set and encoder a folder of its own."
        )


def _cached_scene(path: Path, in_memory: bool) -> CachedScene:
    header = _header(path, FORMAT)
    if header is None:
        raise UserError(f"'{path}' is damaged or no file of the latent cache; delete it and build the cache again.")
    with _opened(path) as file:
        part = file.get_slice("latents")
        return CachedScene(
            name=header["name"],
            kind=Kind(header["kind"]),
            caption=header["caption"],
            names=tuple(view["name"] for view in header["views"]),
            c2w=file.get_tensor("c2w").clone() if "c2w" in file.keys() else None,  # noqa: SIM118 (not a mapping)
            shape=tuple(part.get_shape()),
            dtype=_dtype(part),
            frames=header["frames"],
            fingerprints=tuple(view["fingerprint"] for view in header["views"]),
            encoder_id=header["encoder_id"],
            path=path,
            held=file.get_tensor("latents").clone() if in_memory else None,  # without clone() a view of the file
        )


class _Slice(Protocol):
    def get_dtype(self) -> str: ...


def _dtype(part: _Slice) -> torch.dtype:
    return {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}[part.get_dtype()]


def _header(path: Path, of_format: str) -> dict[str, Json] | None:
    """What a cache file says about itself; None for a file that is missing, damaged, or something else."""
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[_KEY])
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    return header if header.get("format") == of_format and header.get("version") == VERSION else None


def _cached_views(
    path: Path, encoder_id: str, dtype: torch.dtype
) -> dict[str, tuple[int, tuple[int, ...]]]:  # fingerprint -> (place, (frames, *shape of the latents))
    header = _header(path, FORMAT)
    if header is None or header["encoder_id"] != encoder_id:
        return {}
    with _opened(path) as file:
        part = file.get_slice("latents")
        if _dtype(part) != dtype:
            return {}
        shape = (header["frames"], *part.get_shape()[1:])
    return {view["fingerprint"]: (place, shape) for place, view in enumerate(header["views"]) if view["fingerprint"]}


def _encoded(pictures: Tensor, encode: Callable[[Tensor], Tensor], dtype: torch.dtype) -> Tensor:
    latents = encode(pictures).detach().to(device="cpu", dtype=dtype)
    if latents.ndim != 4:
        shape = tuple(latents.shape)
        raise UserError(f"the encoder made {shape} of a video; (channels, frames, height, width) is needed.")
    if not torch.isfinite(latents).all():
        raise BrokenFootage(f"its latents hold NaN or infinite numbers as {str(dtype).removeprefix('torch.')}.")
    return latents


def _together(poses: list[Tensor | None]) -> Tensor | None:  # (views, 1 or frames, 4, 4)
    """The poses of all views; standing cameras beside moving ones repeat theirs."""
    known = [pose for pose in poses if pose is not None]
    if len(known) < len(poses):
        return None
    frames = max(map(len, known))
    return torch.stack([pose.expand(frames, 4, 4) for pose in known])


def _opened(path: Path) -> safe_open:
    """A safetensors file as a context. Raises UserError with a sentence for one that cannot be read."""
    try:
        return safe_open(path, framework="pt")
    except (OSError, SafetensorError) as problem:
        raise UserError(f"'{path}' cannot be read ({problem}); delete it and build the cache again.") from problem


def _write(path: Path, tensors: dict[str, Tensor], header: dict[str, Json]) -> None:
    """Write a file that is there as a whole or not at all, whenever the process or the machine stops."""
    content = save({key: tensor.contiguous() for key, tensor in tensors.items()}, {_KEY: json.dumps(header)})
    try:
        with staged_file(path, durable=True, name=f"{path.stem}.") as staged:
            staged.write_bytes(content)
    except FileNotFoundError:  # another process, which has just written the same scene, tidied up below
        if not path.exists():
            raise
    for left in path.parent.glob(f"{HIDDEN}{path.stem}.*"):  # of builds that were killed
        with contextlib.suppress(OSError):
            left.unlink()
