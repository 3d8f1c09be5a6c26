"""``python -m syncam_core.view_sync.convert``: extract the small view-sync file from the authors' full checkpoint."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..disk.module_file import FLOAT_DTYPES, ModuleFile
from ..errors import UserError
from .weights import VIEW_SYNC_FILE

convert = VIEW_SYNC_FILE.convert


def main(
    arguments: list[str] | None = None,
    file: ModuleFile[Any] = VIEW_SYNC_FILE,
    package: str = "syncam_core.view_sync",
    authors: str = "SynCamMaster",
) -> int:
    """The command for one kind of weights. Returns the exit status."""
    what = f"Extract the small {file.name} file from the authors' full checkpoint."
    parser = argparse.ArgumentParser(prog=f"python -m {package}.convert", description=what)
    parser.add_argument("source", type=Path, help=f"{authors}'s step20000.ckpt, or an extracted file")
    parser.add_argument("target", type=Path, help="the .safetensors file to write, e.g. in ComfyUI/models/syncam")
    parser.add_argument("--dtype", choices=["keep", *FLOAT_DTYPES], default="keep", help="default: as in the source")
    parser.add_argument("--force", action="store_true", help="overwrite the target")
    options = parser.parse_args(arguments)

    def show(done: int, total: int) -> None:
        print(f"\rhashing {options.source.name}: {100 * done // total} %", end="", file=sys.stderr)

    try:
        written = file.convert(options.source, options.target, options.dtype, options.force, show)
    except (UserError, OSError) as error:
        print(f"\n{error}" if sys.stderr.isatty() else error, file=sys.stderr)
        return 1
    print(file=sys.stderr)
    size = options.target.stat().st_size / 1e6
    print(f"{options.target}: {len(written.tensors)} tensors, {written.depth} blocks of {written.dim}, {size:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
