"""The kinds of weights files in models/syncam. What a file holds is told from its keys, never from its name.

Another kind of weights is an entry of `KINDS`; its node asks for it with :func:`check_kind`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor, nn

from ...syncam_core.disk.checkpoint import WeightsError, open_state_dict
from ...syncam_core.disk.module_file import ModuleWeights
from ...syncam_core.errors import UserError
from ...syncam_core.recapture.module import ReCapture
from ...syncam_core.recapture.weights import RECAPTURE_FILE
from ...syncam_core.view_sync.module import ViewSync, fold_output
from ...syncam_core.view_sync.weights import VIEW_SYNC_FILE


@dataclass(frozen=True)
class Kind:
    """``recognizes`` the keys of a file; ``load`` reads it into a ``module`` that the host's model management owns."""

    name: str  # in sentences
    node: str  # that these weights go into
    small_file: str  # what its converted file is called, unless another name is given
    module: type[nn.Module]
    recognizes: Callable[[Collection[str]], bool]
    load: Callable[[str], ModelPatcher]
    convert: Callable[..., ModuleWeights]  # (source, target, dtype, progress=...)


def kind_of(path: str) -> Kind:
    """What a file holds. Raises ``WeightsError`` with one sentence where it cannot be read."""
    try:
        state, _ = open_state_dict(Path(path))
    except OSError as error:
        raise WeightsError(f"'{Path(path).name}' cannot be read: {error.strerror or error}.") from None
    # The reader of view-sync weights knows what a file of no kind is instead.
    return next((kind for kind in KINDS if kind.recognizes(state.keys())), VIEW_SYNC)


def load_weights(path: str) -> ModelPatcher:
    """The weights of a file of any kind. Raises ``WeightsError`` with one sentence where it is of none."""
    return kind_of(path).load(path)


def check_kind(weights: ModelPatcher, wanted: Kind) -> None:
    """Raise ``UserError`` for weights of another kind on a node's socket."""
    if isinstance(weights.model, wanted.module):
        return
    found = next((kind for kind in KINDS if isinstance(weights.model, kind.module)), None)
    what = f"{found.name}, which go into {found.node}" if found else type(weights.model).__name__
    raise UserError(
        f"'weights' are {what}; here {wanted.name} are needed, so choose such a file in SynCamLoadWeights.",
        field="weights",
    )


def refuse_bare_recapture(model: ModelPatcher) -> None:
    """Raise ``UserError`` for a model that was loaded from ReCamMaster's whole checkpoint as if it were a base.

    The host's loader leaves the camera encoder and the projector out, and what is left films nothing again. Which file a
    model is from stands in what the host keeps to load it once more; where it keeps nothing, nothing is known.
    """
    kept = getattr(model, "cached_patcher_init", None)  # (function, arguments, ...)
    path = kept[1][0] if kept and kept[1] else None
    if isinstance(path, str) and os.path.isfile(path) and _is_recapture_file(path, os.stat(path).st_mtime_ns):
        raise UserError(
            f"'model' is ReCamMaster's checkpoint '{Path(path).name}', of which the loader has left the cameras out; load "
            "Wan2.1 T2V 1.3B in its place, and this file with SynCamLoadWeights for SynCamReCamApply.",
            field="model",
        )


@functools.lru_cache(maxsize=16)
def _is_recapture_file(path: str, changed: int) -> bool:
    try:
        state, _ = open_state_dict(Path(path))
    except (OSError, WeightsError):
        return False
    return RECAPTURE_FILE.recognizes(state.keys())


def load_view_sync(path: str, disable_dynamic: bool = False) -> ModelPatcher:
    """Read a weights file into the view-sync module, as :func:`owned_by_host`. Raises ``WeightsError``."""
    weights = VIEW_SYNC_FILE.read(path)
    dtype = torch.float32 if weights.dtype == torch.float64 else weights.dtype
    folded = dtype.itemsize > 1  # a product of matrices kept in 8 bits would not be those matrices
    device = comfy.model_management.unet_offload_device()
    module = ViewSync(weights.dim, weights.depth, device, dtype, comfy.ops.manual_cast, folded)
    tensors = fold_output(weights.tensors) if folded else weights.tensors
    again = (load_view_sync, (path,))
    return owned_by_host(module, {key: tensor.to(dtype) for key, tensor in tensors.items()}, again, disable_dynamic)


def load_recapture(path: str, disable_dynamic: bool = False) -> ModelPatcher:
    """Read a weights file into the re-capture module, as :func:`owned_by_host`. Raises ``WeightsError``."""
    weights = RECAPTURE_FILE.read(path)
    dtype = torch.float32 if weights.dtype == torch.float64 else weights.dtype
    device = comfy.model_management.unet_offload_device()
    module = ReCapture(weights.dim, weights.depth, device, dtype, comfy.ops.manual_cast)
    tensors = {key: tensor.to(dtype) for key, tensor in weights.module.items()}
    patcher = owned_by_host(module, tensors, (load_recapture, (path,)), disable_dynamic)
    # Part of the file, but patches of the base: the host keeps them beside the base's own weights.
    module.self_attention = weights.self_attention
    return patcher


def owned_by_host(
    module: nn.Module, tensors: dict[str, Tensor], again: tuple[Callable, tuple], disable_dynamic: bool = False
) -> ModelPatcher:
    """A module of the host's own layers, on its offload device, with these tensors, that its model management loads,
    offloads, clones and counts. ``again`` is a function and its arguments that make the same one anew, for another
    device; ``disable_dynamic`` is the host's own switch when it does so."""
    comfy.model_management.archive_model_dtypes(module)
    # The host rebinds CoreModelPatcher at start-up, so it is looked up now.
    patcher_class = comfy.model_patcher.ModelPatcher if disable_dynamic else comfy.model_patcher.CoreModelPatcher
    devices = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    patcher = patcher_class(module, *devices)
    module.load_state_dict(tensors, strict=True, assign=patcher.is_dynamic())
    module.eval().requires_grad_(False)
    patcher.cached_patcher_init = again
    return patcher


VIEW_SYNC = Kind(
    name="the view-sync weights of SynCamMaster",
    node="SynCamApply",
    small_file="syncammaster_wan2.1_1.3b_bf16.safetensors",
    module=ViewSync,
    recognizes=VIEW_SYNC_FILE.recognizes,
    load=load_view_sync,
    convert=VIEW_SYNC_FILE.convert,
)
RECAPTURE = Kind(
    name="the re-capture weights of ReCamMaster",
    node="SynCamReCamApply",
    small_file="recammaster_wan2.1_1.3b_bf16.safetensors",
    module=ReCapture,
    recognizes=RECAPTURE_FILE.recognizes,
    load=load_recapture,
    convert=RECAPTURE_FILE.convert,
)
KINDS = (VIEW_SYNC, RECAPTURE)
