"""Reading and writing view-sync weights: the authors' full checkpoint, or the small file extracted from it.

The authors publish the whole transformer (825 base tensors and 450 view-sync tensors for Wan2.1 1.3B) as a pickled
``.ckpt``; only the 450 matter here. What a file holds is told from its keys, never from its name. Files are treated as
untrusted: nothing in them is executed and no more memory is used than their tensors need.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..disk.checkpoint import WeightsError, open_state_dict
from ..disk.staged import staged_file
from ..errors import UserError
from .module import POSE_NUMBERS

FORMAT = "syncam-view-sync"
FORMAT_VERSION = 1
LICENSE_NOTE = (
    "Extracted from a SynCamMaster checkpoint; the licence is that of the source, "
    "see the model card of KwaiVGI/SynCamMaster-Wan2.1."
)
FLOAT_DTYPES = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}

MARKER_KEY = "blocks.0.mvs_attn.q.weight"
MODULE_KEY = re.compile(r"blocks\.(\d{1,4})\.(cam_encoder|projector|modulation_mvs|mvs_attn)\b")
LORA_KEY = re.compile(r"lora_|\.alpha$|lokr_|hada_|oft_|dora_scale|^lycoris_|\.diff(_b)?$")


@dataclass(frozen=True, eq=False)
class ViewSyncWeights:
    """The view-sync tensors of one file, ready for ``ViewSync(dim, depth).load_state_dict(tensors)``.

    ``tensors`` are keyed ``blocks.N.…`` on the CPU, possibly memory-mapped, in the dtypes of the file; ``metadata`` is
    what a small file says about its origin (empty for a full checkpoint).
    """

    tensors: dict[str, Tensor]
    dim: int
    depth: int
    metadata: dict[str, str]

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that holds every tensor of the file without loss."""
        dtypes = {t.dtype for t in self.tensors.values()}
        return dtypes.pop() if len(dtypes) == 1 else torch.float32


def block_shapes(dim: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of one view-sync block's 15 tensors."""
    shapes = {
        "cam_encoder.weight": (dim, POSE_NUMBERS),
        "cam_encoder.bias": (dim,),
        "projector.weight": (dim, dim),
        "projector.bias": (dim,),
        "modulation_mvs": (1, 3, dim),
        "mvs_attn.norm_q.weight": (dim,),
        "mvs_attn.norm_k.weight": (dim,),
    }
    for name in "qkvo":
        shapes[f"mvs_attn.{name}.weight"] = (dim, dim)
        shapes[f"mvs_attn.{name}.bias"] = (dim,)
    return shapes


def expected_shapes(dim: int, depth: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all view-sync tensors of a model with ``depth`` blocks of width ``dim``."""
    return {f"blocks.{i}.{name}": shape for i in range(depth) for name, shape in block_shapes(dim).items()}


def read_weights(path: str | os.PathLike) -> ViewSyncWeights:
    """Read view-sync weights from a full ``.ckpt`` or a ``.safetensors`` file.

    Raises :class:`WeightsError` with one sentence when the file is damaged, unsafe, or something else.
    """
    path = Path(path)
    try:
        state, metadata = open_state_dict(path)
    except OSError as error:
        raise WeightsError(f"'{path.name}' cannot be read: {error.strerror or error}.") from None
    prefix = _module_prefix(state.keys(), path.name)
    ours = [key for key in state if key.startswith(prefix) and MODULE_KEY.match(key, len(prefix))]
    tensors = {key[len(prefix) :]: state[key] for key in ours}
    # Views of one storage, or strides of zero, can make a small file ask for any amount of memory.
    if sum(tensor.nbytes for tensor in tensors.values()) > path.stat().st_size:
        raise WeightsError(f"'{path.name}' would unpack to more than the file holds; download it again.")
    dim, depth = _check_shapes(tensors, path.name)
    return ViewSyncWeights(tensors, dim, depth, metadata)


def write_weights(
    weights: ViewSyncWeights,
    path: str | os.PathLike,
    *,
    source: str,
    source_sha256: str = "",
    dtype: torch.dtype | None = None,
    overwrite: bool = False,
    license_note: str = LICENSE_NOTE,
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
        digest.update(memoryview(tensor.flatten().view(torch.uint8).numpy()))
    return digest.hexdigest()


def file_sha256(path: str | os.PathLike, progress: Callable[[int, int], None] = lambda done, total: None) -> str:
    """SHA-256 of a file, read in pieces; ``progress(done, total)`` is called in bytes."""
    total, done, digest = os.path.getsize(path), 0, hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(16 * 2**20):
            digest.update(piece)
            done += len(piece)
            progress(done, total)
    return digest.hexdigest()


def _module_prefix(keys: Iterable[str], name: str) -> str:
    """What stands before ``blocks.0.…`` in the file's keys; raises if the file is not view-sync weights."""
    keys = list(keys)
    marker = next((key for key in keys if key.endswith(MARKER_KEY)), None)
    if marker is not None:
        return marker.removesuffix(MARKER_KEY)
    if any(LORA_KEY.search(key) for key in keys):
        what = "is a LoRA; load it with a LoRA loader on the model"
    elif any(key.endswith("blocks.0.cam_encoder.weight") for key in keys):
        what = (
            "is a ReCamMaster checkpoint (a camera encoder without 'mvs_attn'), which re-films one video "
            "and cannot synchronize views"
        )
    elif any(key.endswith("blocks.0.self_attn.q.weight") for key in keys):
        what = "is a Wan model without view-sync weights; load it with 'Load Diffusion Model'"
    elif any(MODULE_KEY.search(key) for key in keys):
        what = f"holds view-sync weights in part but not '{MARKER_KEY}'; download it again"
    else:
        what = f"has no view-sync weights ('{MARKER_KEY}') among its {len(keys)} keys"
    raise WeightsError(f"'{name}' {what}; here SynCamMaster's checkpoint or the small file made from it is needed.")


def _check_shapes(tensors: Mapping[str, Tensor], name: str) -> tuple[int, int]:
    dim = tensors[MARKER_KEY].shape[0] if tensors[MARKER_KEY].ndim else 0
    depth = 1 + max(int(MODULE_KEY.match(key).group(1)) for key in tensors)
    # Every block has 15 tensors: a depth beyond their number is a forged key, and listing it would cost memory.
    expected = expected_shapes(dim, min(depth, len(tensors)))
    missing = [key for key in expected if key not in tensors]
    if missing or depth > len(tensors):
        raise WeightsError(
            f"'{name}' lacks {len(missing)} of its {len(expected)} view-sync tensors (first '{missing[0]}'); "
            "download or convert it again."
        )
    for key, tensor in tensors.items():
        if key not in expected:
            raise WeightsError(f"'{name}' holds '{key}', which the view-sync module does not have.")
        if tuple(tensor.shape) != expected[key]:
            raise WeightsError(
                f"'{name}': '{key}' has shape {tuple(tensor.shape)}, {expected[key]} was expected for width {dim}."
            )
        if not tensor.dtype.is_floating_point:
            raise WeightsError(f"'{name}': '{key}' is stored as {tensor.dtype}; floating point is needed.")
    return dim, depth
