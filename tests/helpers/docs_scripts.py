"""The scripts that make the pictures of the documentation, as modules."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).resolve().parents[2] / "scripts" / "docs"


def docs_script(name: str) -> ModuleType:
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))
    return importlib.import_module(name)


def template(name: str) -> Path:
    """The shipped UI workflow whose API file is called `name`."""
    return docs_script("drawing").template(name)
