"""Re-capture weights: of the 825 tensors of Wan2.1 1.3B ReCamMaster trained the 300 of self-attention, and 120 new ones."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor

from ..disk.module_file import ModuleFile, ModuleWeights, attention_shapes, camera_shapes
from ..view_sync.weights import has_view_sync
from .module import POSE_NUMBERS

ENCODER_KEY = "blocks.0.cam_encoder.weight"
SELF_ATTENTION = ".self_attn."  # in the keys of tensors that replace the base's


def block_shapes(dim: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of one block's 14 tensors."""
    return {**camera_shapes(dim, POSE_NUMBERS), **attention_shapes("self_attn", dim)}


class ReCaptureWeights(ModuleWeights):
    """The 420 tensors of one file: the new ones, and those that replace the base's."""

    @property
    def module(self) -> dict[str, Tensor]:
        """Ready for ``ReCapture(dim, depth).load_state_dict``."""
        return {key: tensor for key, tensor in self.tensors.items() if SELF_ATTENTION not in key}

    @property
    def self_attention(self) -> dict[str, Tensor]:
        """Keyed ``blocks.N.self_attn.…``."""
        return {key: tensor for key, tensor in self.tensors.items() if SELF_ATTENTION in key}


def has_recapture(keys: Collection[str]) -> bool:
    """Whether a file with such keys holds re-capture weights: a camera encoder without the module of view sync."""
    return any(key.endswith(ENCODER_KEY) for key in keys) and not has_view_sync(keys)


RECAPTURE_FILE = ModuleFile(
    format="syncam-recapture",
    name="re-capture",
    license_note=(
        "Extracted from a ReCamMaster checkpoint; the licence is that of the source, "
        "see the model card of KwaiVGI/ReCamMaster-Wan2.1."
    ),
    marker=ENCODER_KEY,
    parts=("cam_encoder", "projector", "self_attn"),
    block_shapes=block_shapes,
    recognizes=has_recapture,
    instead=lambda keys: (
        f"has no re-capture weights ('{ENCODER_KEY}' without 'mvs_attn') among its {len(keys)} keys; "
        "here ReCamMaster's checkpoint or the small file made from it is needed."
    ),
    weights=ReCaptureWeights,
)
read_recapture_weights, write_recapture_weights = RECAPTURE_FILE.read, RECAPTURE_FILE.write
