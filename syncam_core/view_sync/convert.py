"""``python -m syncam_core.view_sync.convert``: extract the small view-sync file from the authors' full checkpoint."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from ..errors import UserError
from .weights import (
    FLOAT_DTYPES,
    ViewSyncWeights,
    check_target,
    file_sha256,
    read_weights,
    tensors_sha256,
    write_weights,
)


def convert(
    source: str | Path,
    target: str | Path,
    dtype: str = "keep",
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ViewSyncWeights:
    """Write ``target`` (.safetensors, view-sync tensors only) from ``source`` and read it back to prove it.

    ``dtype`` is "keep", "fp32", "bf16" or "fp16"; ``progress(done, total)`` counts the source's bytes. Returns what
    was written. Raises ``UserError`` (``WeightsError`` for a wrong source), ``FileExistsError`` or ``OSError``.
    """
    source, target = Path(source), Path(target)
    if dtype != "keep" and dtype not in FLOAT_DTYPES:
        raise UserError(f"dtype is '{dtype}'; choose keep, {', '.join(FLOAT_DTYPES)}.", field="dtype")
    check_target(target, overwrite)
    weights = read_weights(source)
    write_weights(
        weights,
        target,
        source=weights.metadata.get("source", source.name),
        source_sha256=weights.metadata.get("source_sha256") or file_sha256(source, progress),
        dtype=FLOAT_DTYPES.get(dtype),
        overwrite=overwrite,
    )
    written = read_weights(target)
    if tensors_sha256(written.tensors) != written.metadata["tensors_sha256"]:
        raise OSError(f"'{target.name}' does not read back as it was written; check the disk and convert again.")
    return written


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m syncam_core.view_sync.convert", description=__doc__)
    parser.add_argument("source", type=Path, help="SynCamMaster's step20000.ckpt, or an extracted file")
    parser.add_argument("target", type=Path, help="the .safetensors file to write, e.g. in ComfyUI/models/syncam")
    parser.add_argument("--dtype", choices=["keep", *FLOAT_DTYPES], default="keep", help="default: as in the source")
    parser.add_argument("--force", action="store_true", help="overwrite the target")
    options = parser.parse_args(arguments)

    def show(done: int, total: int) -> None:
        print(f"\rhashing {options.source.name}: {100 * done // total} %", end="", file=sys.stderr)

    try:
        written = convert(options.source, options.target, options.dtype, options.force, show)
    except (UserError, OSError) as error:
        print(f"\n{error}" if sys.stderr.isatty() else error, file=sys.stderr)
        return 1
    print(file=sys.stderr)
    size = options.target.stat().st_size / 1e6
    print(f"{options.target}: {len(written.tensors)} tensors, {written.depth} blocks of {written.dim}, {size:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
