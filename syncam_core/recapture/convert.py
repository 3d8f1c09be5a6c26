"""``python -m syncam_core.recapture.convert``: extract the small re-capture file from the authors' full checkpoint."""

from __future__ import annotations

import sys

from ..view_sync.convert import main as convert_command
from .weights import RECAPTURE_FILE


def main(arguments: list[str] | None = None) -> int:
    return convert_command(arguments, RECAPTURE_FILE, "syncam_core.recapture", "ReCamMaster")


if __name__ == "__main__":
    sys.exit(main())
