"""Datasets stand below training: who reads one does not load the trainer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_importing_datasets_brings_no_module_of_training():
    code = (
        "import sys; import syncam_core.datasets, syncam_core.datasets.read, syncam_core.datasets.write\n"
        "print([name for name in sys.modules if name.startswith('syncam_core.training') or name == 'accelerate'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_names_of_before_lead_to_the_same_code():
    from syncam_core.dataset.read import open_scene as of_before
    from syncam_core.datasets import open_scene

    assert of_before is open_scene
    command = [sys.executable, "-m", "syncam_core.training.data.checks", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--quick" in done.stdout
