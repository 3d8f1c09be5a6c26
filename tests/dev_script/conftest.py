"""The dev script's modules are imported the way `python3 scripts/dev.py` imports them: from its own folder."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))


@pytest.fixture(autouse=True)
def nobodys_machine(monkeypatch, tmp_path):
    """None of the variables that steer the dev script, and a cache folder that is empty."""
    for name in ("COMFYUI_PATH", "COMFYUI_PYTHON", "SYNCAM_CHROMIUM", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SYNCAM_CACHE", str(tmp_path / "cache"))
