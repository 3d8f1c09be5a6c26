"""A tiny model whose view synchronization adds nothing: what SynCamApply must leave as it was."""

from __future__ import annotations

from pathlib import Path

import torch
from host_wan import TinyWan, write_view_sync


def silenced(tiny: TinyWan) -> TinyWan:
    """The same base with view-sync weights whose projector is zero."""
    quiet = TinyWan.__new__(TinyWan)
    quiet.comfy, quiet.base_name = tiny.comfy, tiny.base_name
    quiet.state = {key: torch.zeros_like(t) if "projector" in key else t for key, t in tiny.state.items()}
    folder = Path(tiny.comfy.folders.models_dir) / "syncam"
    quiet.weights_name = write_view_sync(quiet.state, folder / f"silent_{tiny.weights_name}").name
    return quiet
