"""The weights files of modules that stand beside a transformer's blocks: the authors' checkpoint, or the small file.

Authors publish their module with the whole transformer around it, as a pickled ``.ckpt``; only the module's tensors
matter here. What a file holds is told from its keys, never from its name. Files are treated as untrusted: nothing in them
is executed and no more memory is used than their tensors need. Another module's files are another `ModuleFile`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..errors import UserError
from .checkpoint import WeightsError, open_state_dict
from .staged import staged_file

FORMAT_VERSION = 1
FLOAT_DTYPES = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


@dataclass(frozen=True, eq=False)
class ModuleWeights:
    """A module's tensors, keyed ``blocks.N.…`` on the CPU, possibly memory-mapped, in the dtypes of the file.

    ``metadata`` is what a small file says about its origin (empty for a full checkpoint).
    """

    tensors: dict[str, Tensor]
    dim: int
    depth: int
    metadata: dict[str, str]

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that holds every tensor of the file without loss."""
        dtypes = {tensor.dtype for tensor in self.tensors.values()}
        return dtypes.pop() if len(dtypes) == 1 else torch.float32


Weights = TypeVar("Weights", bound=ModuleWeights)


@dataclass(frozen=True, eq=False)
class ModuleFile(Generic[Weights]):
    """One kind of module, as its files have it."""

    format: str  # in the metadata of the small file
    name: str  # in sentences
    license_note: str
    marker: str  # the end of a key that tells the kind, of block 0's matrix (dim, ...)
    parts: tuple[str, ...]  # of a block, that are the module's
    block_shapes: Callable[[int], dict[str, tuple[int, ...]]]  # of width dim: names and shapes of one block's tensors
    recognizes: Callable[[Collection[str]], bool]  # a file by its keys
    instead: Callable[[Collection[str]], str]  # what a file of other keys is, and what is needed
    weights: type[Weights]  # what one holds

    @property
    def key(self) -> re.Pattern[str]:
        return re.compile(rf"blocks\.(\d{{1,4}})\.({'|'.join(self.parts)})\b")

    def expected_shapes(self, dim: int, depth: int) -> dict[str, tuple[int, ...]]:
        """Names and shapes of all tensors for a model with ``depth`` blocks of width ``dim``."""
        return {f"blocks.{i}.{name}": shape for i in range(depth) for name, shape in self.block_shapes(dim).items()}

    def read(self, path: str | os.PathLike[str]) -> Weights:
        """Read a full ``.ckpt`` or a ``.safetensors`` file.

        Raises :class:`WeightsError` with one sentence when the file is damaged, unsafe, or something else.
        """
        path = Path(path)
        try:
            state, metadata = open_state_dict(path)
        except OSError as error:
            raise WeightsError(f"'{path.name}' cannot be read: {error.strerror or error}.") from None
        if not self.recognizes(state):
            raise WeightsError(f"'{path.name}' {self.instead(state)}")
        prefix = next(key for key in state if key.endswith(self.marker)).removesuffix(self.marker)
        ours = [key for key in state if key.startswith(prefix) and self.key.match(key, len(prefix))]
        tensors = {key[len(prefix) :]: state[key] for key in ours}
        # Views of one storage, or strides of zero, can make a small file ask for any amount of memory.
        if sum(tensor.nbytes for tensor in tensors.values()) > path.stat().st_size:
            raise WeightsError(f"'{path.name}' would unpack to more than the file holds; download it again.")
        dim, depth = self._check_shapes(tensors, path.name)
        return self.weights(tensors, dim, depth, metadata)

    def write(
        self,
        weights: Weights,
        path: str | os.PathLike[str],
        *,
        source: str,
        source_sha256: str = "",
        dtype: torch.dtype | None = None,
        overwrite: bool = False,
        license_note: str = "",
    ) -> Path:
        """Write the small ``.safetensors`` file, whole or not at all, in ``dtype`` (None keeps each tensor's own).

        The metadata records ``source`` (and its SHA-256), shapes, dtype, a licence note and the SHA-256 of the tensors.
        Raises ``FileExistsError`` unless ``overwrite``, ``UserError`` when values do not fit into ``dtype``.
        """
        path = Path(path)
        check_target(path, overwrite)
        tensors = {}
        for key, tensor in weights.tensors.items():
            cast = tensor.to(dtype or tensor.dtype)
            if not torch.isfinite(cast.float()).all():
                raise UserError(f"'{key}' holds values that are not finite as {cast.dtype}; choose bf16 or fp32.")
            tensors[key] = cast.contiguous()
        metadata = {
            "format": self.format,
            "format_version": str(FORMAT_VERSION),
            "source": source,
            "source_sha256": source_sha256,
            "license_note": license_note or self.license_note,
            "dim": str(weights.dim),
            "depth": str(weights.depth),
            "dtype": str(dtype or weights.dtype).removeprefix("torch."),
            "block_shapes": json.dumps(self.block_shapes(weights.dim)),
            "tensors_sha256": tensors_sha256(tensors),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with staged_file(path) as staged:
            save_file(tensors, staged, metadata=metadata)
        return path

    def convert(
        self,
        source: str | os.PathLike[str],
        target: str | os.PathLike[str],
        dtype: str = "keep",
        overwrite: bool = False,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Weights:
        """Write ``target`` (.safetensors, the module's tensors only) from ``source`` and read it back to prove it.

        ``dtype`` is "keep", "fp32", "bf16" or "fp16"; ``progress(done, total)`` counts the source's bytes. Returns what
        was written. Raises ``UserError`` (``WeightsError`` for a wrong source), ``FileExistsError`` or ``OSError``.
        """
        source, target = Path(source), Path(target)
        if dtype != "keep" and dtype not in FLOAT_DTYPES:
            raise UserError(f"dtype is '{dtype}'; choose keep, {', '.join(FLOAT_DTYPES)}.", field="dtype")
        check_target(target, overwrite)
        weights = self.read(source)
        self.write(
            weights,
            target,
            source=weights.metadata.get("source", source.name),
            source_sha256=weights.metadata.get("source_sha256") or file_sha256(source, progress),
            dtype=FLOAT_DTYPES.get(dtype),
            overwrite=overwrite,
        )
        written = self.read(target)
        if tensors_sha256(written.tensors) != written.metadata["tensors_sha256"]:
            target.unlink()
            raise OSError(f"'{target.name}' does not read back as it was written; check the disk and convert again.")
        return written

    def _check_shapes(self, tensors: Mapping[str, Tensor], name: str) -> tuple[int, int]:
        marker = tensors[self.marker]
        dim = marker.shape[0] if marker.ndim else 0
        depth = 1 + max(int(match[1]) for key in tensors if (match := self.key.match(key)))
        # Every block has a dozen tensors: a depth beyond their number is a forged key, and listing it would cost memory.
        expected = self.expected_shapes(dim, min(depth, len(tensors)))
        missing = [key for key in expected if key not in tensors]
        if missing or depth > len(tensors):
            raise WeightsError(
                f"'{name}' lacks {len(missing)} of its {len(expected)} {self.name} tensors (first '{missing[0]}'); "
                "download or convert it again."
            )
        for key, tensor in tensors.items():
            if key not in expected:
                raise WeightsError(f"'{name}' holds '{key}', which the {self.name} module does not have.")
            if tuple(tensor.shape) != expected[key]:
                raise WeightsError(
                    f"'{name}': '{key}' has shape {tuple(tensor.shape)}, {expected[key]} was expected for width {dim}."
                )
            if not tensor.dtype.is_floating_point:
                raise WeightsError(f"'{name}': '{key}' is stored as {tensor.dtype}; floating point is needed.")
        return dim, depth


def attention_shapes(name: str, dim: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a block's attention layer with norms of queries and keys."""
    shapes: dict[str, tuple[int, ...]] = {f"{name}.norm_{one}.weight": (dim,) for one in "qk"}
    for one in "qkvo":
        shapes |= {f"{name}.{one}.weight": (dim, dim), f"{name}.{one}.bias": (dim,)}
    return shapes


def camera_shapes(dim: int, numbers: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a block's camera encoder, of so many numbers a pose, and its projector."""
    return {
        "cam_encoder.weight": (dim, numbers),
        "cam_encoder.bias": (dim,),
        "projector.weight": (dim, dim),
        "projector.bias": (dim,),
    }


def check_target(path: Path, overwrite: bool = False) -> None:
    """Raise before any work if ``path`` is no name for a small file, or is taken."""
    if path.suffix != ".safetensors":
        raise UserError(f"'{path.name}' must end in .safetensors.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"'{path.name}' exists already; choose another name.")


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes of the tensors in the order of their names."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        tensor = tensors[key].contiguous()
        digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def file_sha256(path: str | os.PathLike[str], progress: Callable[[int, int], None] = lambda done, total: None) -> str:
    """SHA-256 of a file, read in pieces; ``progress(done, total)`` is called in bytes."""
    total, done, digest = os.path.getsize(path), 0, hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(16 * 2**20):
            digest.update(piece)
            done += len(piece)
            progress(done, total)
    return digest.hexdigest()
