"""The folder of the weights, models/syncam."""

from __future__ import annotations

import os

import folder_paths

FOLDER = "syncam"


def register_model_folder() -> None:
    """Make ``models/syncam`` known; folders that extra_model_paths has set for the key keep counting."""
    folder = os.path.join(folder_paths.models_dir, FOLDER)
    known, _ = folder_paths.folder_names_and_paths.get(FOLDER, ([], set()))
    folders = list(dict.fromkeys([*known, folder]))
    folder_paths.folder_names_and_paths[FOLDER] = (folders, set(folder_paths.supported_pt_extensions))
