"""View-sync weights: the 450 tensors that SynCamMaster adds to the 825 of Wan2.1 1.3B."""

from __future__ import annotations

import re
from collections.abc import Collection

from ..disk.module_file import ModuleFile, ModuleWeights, attention_shapes, camera_shapes
from .module import POSE_NUMBERS

ViewSyncWeights = ModuleWeights  # ready for ``ViewSync(dim, depth).load_state_dict(tensors)``

MARKER_KEY = "blocks.0.mvs_attn.q.weight"
LORA_KEY = re.compile(r"lora_|\.alpha$|lokr_|hada_|oft_|dora_scale|^lycoris_|\.diff(_b)?$")


def block_shapes(dim: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of one view-sync block's 15 tensors."""
    return {**camera_shapes(dim, POSE_NUMBERS), "modulation_mvs": (1, 3, dim), **attention_shapes("mvs_attn", dim)}


def has_view_sync(keys: Collection[str]) -> bool:
    return any(key.endswith(MARKER_KEY) for key in keys)


def instead_of_view_sync(keys: Collection[str]) -> str:
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
    return f"{what}; here SynCamMaster's checkpoint or the small file made from it is needed."


VIEW_SYNC_FILE = ModuleFile(
    format="syncam-view-sync",
    name="view-sync",
    license_note=(
        "Extracted from a SynCamMaster checkpoint; the licence is that of the source, "
        "see the model card of KwaiVGI/SynCamMaster-Wan2.1."
    ),
    marker=MARKER_KEY,
    parts=("cam_encoder", "projector", "modulation_mvs", "mvs_attn"),
    block_shapes=block_shapes,
    recognizes=has_view_sync,
    instead=instead_of_view_sync,
    weights=ViewSyncWeights,
)
MODULE_KEY = VIEW_SYNC_FILE.key
expected_shapes, read_weights, write_weights = (
    VIEW_SYNC_FILE.expected_shapes,
    VIEW_SYNC_FILE.read,
    VIEW_SYNC_FILE.write,
)
