"""The kinds of weights files in models/syncam. What a file holds is told from its keys, never from its name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from comfy.model_patcher import ModelPatcher
from torch import nn

from ...syncam_core.disk.checkpoint import WeightsError, open_state_dict
from ...syncam_core.errors import UserError
from ...syncam_core.recapture.module import ReCapture
from ...syncam_core.recapture.weights import convert_recapture, is_recapture
from ...syncam_core.view_sync.convert import convert
from ...syncam_core.view_sync.module import ViewSync
from ...syncam_core.view_sync.weights import MARKER_KEY
from .recapture_patch import load_recapture
from .view_sync_patch import load_view_sync


@dataclass(frozen=True)
class Kind:
    """``recognizes`` the keys of a file, ``load`` reads it into a ``module`` that the host's model management owns."""

    name: str  # in sentences
    node: str  # that these weights go into
    module: type[nn.Module]
    recognizes: Callable[[Collection[str]], bool]
    load: Callable[[str], ModelPatcher]
    convert: Callable  # (source, target, dtype, progress=...) -> what was written, with tensors, depth and dim


VIEW_SYNC = Kind(
    name="the view-sync weights of SynCamMaster",
    node="SynCamApply",
    module=ViewSync,
    recognizes=lambda keys: any(key.endswith(MARKER_KEY) for key in keys),
    load=load_view_sync,
    convert=convert,
)
RECAPTURE = Kind(
    name="the re-capture weights of ReCamMaster",
    node="SynCamReCamApply",
    module=ReCapture,
    recognizes=is_recapture,
    load=load_recapture,
    convert=convert_recapture,
)
KINDS = (VIEW_SYNC, RECAPTURE)


def kind_of(path: str) -> Kind:
    """What a file holds. Raises ``WeightsError`` with one sentence where it cannot be read."""
    try:
        keys, _ = open_state_dict(Path(path))
    except OSError as error:
        raise WeightsError(f"'{Path(path).name}' cannot be read: {error.strerror or error}.") from None
    # The reader of view-sync weights knows what a file of no kind is instead.
    return next((kind for kind in KINDS if kind.recognizes(keys)), VIEW_SYNC)


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
