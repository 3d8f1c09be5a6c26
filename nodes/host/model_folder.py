"""The folders of the weights: models/syncam, and models/syncam_metrics for other people's networks that measure."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths

from ...syncam_core.metrics.weights_files import FOLDER as METRICS_FOLDER

FOLDER = "syncam"


def register_model_folder() -> None:
    """Make them known; folders that extra_model_paths has set for the keys keep counting."""
    for key in (FOLDER, METRICS_FOLDER):
        folder = os.path.join(folder_paths.models_dir, key)
        known, _ = folder_paths.folder_names_and_paths.get(key, ([], set()))
        folders = list(dict.fromkeys([*known, folder]))
        folder_paths.folder_names_and_paths[key] = (folders, set(folder_paths.supported_pt_extensions))


def metrics_folders() -> list[Path]:
    """Where networks that measure are looked for."""
    return [Path(folder) for folder in folder_paths.get_folder_paths(METRICS_FOLDER)]
