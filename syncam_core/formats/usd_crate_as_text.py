"""Run as a process of its own: writes what cameras need of a binary OpenUSD file as a text one, which harms nobody.

    python usd_crate_as_text.py SYS_PATH_AS_JSON BINARY.usdc TEXT.usda

OpenUSD ends the whole process over some damaged binary files; then it is this one. Arrays are left out, as the points
of a mesh say nothing of cameras. Ends with 2 and a sentence of OpenUSD's where it says what is wrong.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys

MOST_MEMORY = 4 * 2**30  # bytes
ORDER = "xformOpOrder"  # the one array that says where a camera is
FAULT = 2  # where OpenUSD says what is wrong


def main(binary: str, text: str) -> None:
    from pxr import Sdf

    layer = Sdf.Layer.OpenAsAnonymous(binary)
    if layer is None:
        sys.exit(FAULT)
    arrays = []

    def visit(path: Sdf.Path) -> None:
        found = layer.GetAttributeAtPath(path) if path.IsPropertyPath() else None
        if found and found.typeName.isArray and found.name != ORDER:
            arrays.append(path)

    layer.Traverse(Sdf.Path.absoluteRootPath, visit)
    for path in arrays:
        owner = layer.GetPrimAtPath(path.GetPrimOrPrimVariantSelectionPath())
        owner.RemoveProperty(layer.GetAttributeAtPath(path))
    layer.Export(text)


if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv[1])
    os.environ["PXR_WORK_THREAD_LIMIT"] = "1"  # the stacks of a thread for each of 128 cores are more than MOST_MEMORY
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has none, and some systems refuse it
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    try:
        main(*sys.argv[2:])
    except Exception as problem:  # of OpenUSD's, which the reader tells
        with contextlib.suppress(UnicodeDecodeError):
            sys.stderr.buffer.write(f"\0{problem}".encode("utf-8", "replace"))
        sys.exit(FAULT)
