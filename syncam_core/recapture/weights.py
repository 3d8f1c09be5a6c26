"""Reading and writing re-capture weights: the authors' full checkpoint, or the small file extracted from it.

The authors publish the whole transformer (825 tensors of Wan2.1 1.3B, of which they trained the 300 of self-attention,
and 120 new ones). Those 420 matter here; the rest is the base model's. Files are read as view-sync weights are: what one
holds is told from its keys, nothing in it is executed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..disk.checkpoint import WeightsError, open_state_dict
from ..disk.staged import staged_file
from ..errors import UserError
from ..view_sync.weights import FLOAT_DTYPES, MARKER_KEY, check_target, file_sha256, tensors_sha256
from .module import POSE_NUMBERS

FORMAT = "syncam-recapture"
FORMAT_VERSION = 1
LICENSE_NOTE = (
    "Extracted from a ReCamMaster checkpoint; the licence is that of the source, "
    "see the model card of KwaiVGI/ReCamMaster-Wan2.1."
)
ENCODER_KEY = "blocks.0.cam_encoder.weight"
OUR_KEY = re.compile(r"blocks\.(\d{1,4})\.(cam_encoder|projector|self_attn)\.")


@dataclass(frozen=True, eq=False)
class ReCaptureWeights:
    """The tensors of one file, on the CPU, possibly memory-mapped, in the dtypes of the file.

    ``module`` are the new ones, ready for ``ReCapture(dim, depth).load_state_dict``; ``self_attention`` replace the
    base's, keyed ``blocks.N.self_attn.…``. ``metadata`` is what a small file says about its origin.
    """

    module: dict[str, Tensor]
    self_attention: dict[str, Tensor]
    dim: int
    depth: int
    metadata: dict[str, str]

    @property
    def tensors(self) -> dict[str, Tensor]:
        return {**self.module, **self.self_attention}

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that holds every tensor of the file without loss."""
        dtypes = {tensor.dtype for tensor in self.tensors.values()}
        return dtypes.pop() if len(dtypes) == 1 else torch.float32


def is_recapture(keys: Collection[str]) -> bool:
    """Whether a file with such keys holds re-capture weights: a camera encoder without the module of view sync."""
    return any(key.endswith(ENCODER_KEY) for key in keys) and not any(key.endswith(MARKER_KEY) for key in keys)


def block_shapes(dim: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of one block's 14 tensors."""
    shapes: dict[str, tuple[int, ...]] = {
        "cam_encoder.weight": (dim, POSE_NUMBERS),
        "cam_encoder.bias": (dim,),
        "projector.weight": (dim, dim),
        "projector.bias": (dim,),
        "self_attn.norm_q.weight": (dim,),
        "self_attn.norm_k.weight": (dim,),
    }
    for name in "qkvo":
        shapes[f"self_attn.{name}.weight"] = (dim, dim)
        shapes[f"self_attn.{name}.bias"] = (dim,)
    return shapes


def expected_shapes(dim: int, depth: int) -> dict[str, tuple[int, ...]]:
    return {f"blocks.{i}.{name}": shape for i in range(depth) for name, shape in block_shapes(dim).items()}


def read_recapture_weights(path: str | os.PathLike) -> ReCaptureWeights:
    """Read re-capture weights from a full ``.ckpt`` or a ``.safetensors`` file.

    Raises :class:`WeightsError` with one sentence when the file is damaged, unsafe, or something else.
    """
    path = Path(path)
    try:
        state, metadata = open_state_dict(path)
    except OSError as error:
        raise WeightsError(f"'{path.name}' cannot be read: {error.strerror or error}.") from None
    if not is_recapture(state):
        raise WeightsError(
            f"'{path.name}' has no re-capture weights ('{ENCODER_KEY}' without 'mvs_attn') among its {len(state)} keys; "
            "here ReCamMaster's checkpoint or the small file made from it is needed."
        )
    prefix = next(key for key in state if key.endswith(ENCODER_KEY)).removesuffix(ENCODER_KEY)
    ours = [key for key in state if key.startswith(prefix) and OUR_KEY.match(key, len(prefix))]
    tensors = {key[len(prefix) :]: state[key] for key in ours}
    # Views of one storage, or strides of zero, can make a small file ask for any amount of memory.
    if sum(tensor.nbytes for tensor in tensors.values()) > path.stat().st_size:
        raise WeightsError(f"'{path.name}' would unpack to more than the file holds; download it again.")
    dim, depth = _check_shapes(tensors, path.name)
    own = {key: tensor for key, tensor in tensors.items() if ".self_attn." in key}
    module = {key: tensor for key, tensor in tensors.items() if key not in own}
    return ReCaptureWeights(module, own, dim, depth, metadata)


def write_recapture_weights(
    weights: ReCaptureWeights,
    path: str | os.PathLike,
    *,
    source: str,
    source_sha256: str = "",
    dtype: torch.dtype | None = None,
    overwrite: bool = False,
    license_note: str = LICENSE_NOTE,
) -> Path:
    """Write the small ``.safetensors`` file, whole or not at all, in ``dtype`` (None keeps each tensor's own).

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
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "source": source,
        "source_sha256": source_sha256,
        "license_note": license_note,
        "dim": str(weights.dim),
        "depth": str(weights.depth),
        "dtype": str(dtype or weights.dtype).removeprefix("torch."),
        "block_shapes": json.dumps(block_shapes(weights.dim)),
        "tensors_sha256": tensors_sha256(tensors),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with staged_file(path) as staged:
        save_file(tensors, staged, metadata=metadata)
    return path


def convert_recapture(
    source: str | os.PathLike,
    target: str | os.PathLike,
    dtype: str = "keep",
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ReCaptureWeights:
    """Write ``target`` (.safetensors, the 420 tensors only) from ``source`` and read it back to prove it.

    Arguments and errors are those of :func:`syncam_core.view_sync.convert.convert`.
    """
    source, target = Path(source), Path(target)
    if dtype != "keep" and dtype not in FLOAT_DTYPES:
        raise UserError(f"dtype is '{dtype}'; choose keep, {', '.join(FLOAT_DTYPES)}.", field="dtype")
    check_target(target, overwrite)
    weights = read_recapture_weights(source)
    write_recapture_weights(
        weights,
        target,
        source=weights.metadata.get("source", source.name),
        source_sha256=weights.metadata.get("source_sha256") or file_sha256(source, progress),
        dtype=FLOAT_DTYPES.get(dtype),
        overwrite=overwrite,
    )
    written = read_recapture_weights(target)
    if tensors_sha256(written.tensors) != written.metadata["tensors_sha256"]:
        raise OSError(f"'{target.name}' does not read back as it was written; check the disk and convert again.")
    return written


def _check_shapes(tensors: Mapping[str, Tensor], name: str) -> tuple[int, int]:
    marker = tensors[ENCODER_KEY]
    dim = marker.shape[0] if marker.ndim else 0
    depth = 1 + max(int(match[1]) for key in tensors if (match := OUR_KEY.match(key)))
    # Every block has 14 tensors: a depth beyond their number is a forged key, and listing it would cost memory.
    expected = expected_shapes(dim, min(depth, len(tensors)))
    missing = [key for key in expected if key not in tensors]
    if missing or depth > len(tensors):
        raise WeightsError(
            f"'{name}' lacks {len(missing)} of its {len(expected)} re-capture tensors (first '{missing[0]}'); "
            "download or convert it again."
        )
    for key, tensor in tensors.items():
        if key not in expected:
            raise WeightsError(f"'{name}' holds '{key}', which the re-capture module does not have.")
        if tuple(tensor.shape) != expected[key]:
            raise WeightsError(
                f"'{name}': '{key}' has shape {tuple(tensor.shape)}, {expected[key]} was expected for width {dim}."
            )
        if not tensor.dtype.is_floating_point:
            raise WeightsError(f"'{name}': '{key}' is stored as {tensor.dtype}; floating point is needed.")
    return dim, depth
