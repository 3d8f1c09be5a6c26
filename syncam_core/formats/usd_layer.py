"""One file of OpenUSD and nothing else: what it would bring in beside itself is refused before a stage is made of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from codecs import BOM_UTF8
from pathlib import Path
from typing import TYPE_CHECKING

from ..disk.bounded import file_bytes
from ..errors import UserError
from . import usd_crate_as_text

if TYPE_CHECKING:
    from pxr import Sdf

BEGINNINGS = {b"#usda": ".usda", b"PXR-USDC": ".usdc"}
MAX_PRIMS = 100_000  # of a stage, each as often as it is referenced

MAX_TEXT_BYTES = 64 * 2**20  # of what cameras need of a binary file
LONGEST_S = 60

_CRATE_AS_TEXT = Path(usd_crate_as_text.__file__)
_FLATTEN = "flatten it first: usdcat --flatten."


def layer_of(path: Path) -> Sdf.Layer:
    """The layer of a file, whatever the file is called.

    A copy in a folder of its own is opened, so that relative paths in it lead nowhere; absolute ones are refused. Raises
    UserError for a file that refers to others, and for one whose references to itself make far too many prims.
    """
    from pxr import Sdf

    content = file_bytes(path).removeprefix(BOM_UTF8)  # which OpenUSD takes for damage
    suffix = next((suffix for begin, suffix in BEGINNINGS.items() if content.startswith(begin)), None)
    if suffix is None:
        raise UserError("an OpenUSD stage begins with #usda or PXR-USDC; this file does not.")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"stage{suffix}"
        copy.write_bytes(content)
        layer = Sdf.Layer.OpenAsAnonymous(os.fspath(copy if suffix == ".usda" else _as_text(copy)))
    if layer is None:
        raise UserError("OpenUSD cannot read it.")
    others = sorted(filter(None, layer.GetCompositionAssetDependencies()))  # an empty one is the file itself
    if others:
        raise UserError(f"it refers to other files ({others[0][:60]!r}), which are not read; {_FLATTEN}")
    _Prims(layer).refuse_too_many()
    return layer


def _as_text(binary: Path) -> Path:
    """A text beside the binary file with what cameras need of it, made by a process of its own.

    OpenUSD (26.11) ends the process that reads some damaged binary files. Raises UserError for these.
    """
    text = binary.with_suffix(".usda")
    command = [sys.executable, os.fspath(_CRATE_AS_TEXT), json.dumps(sys.path), os.fspath(binary), os.fspath(text)]
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        done = subprocess.run(command, capture_output=True, timeout=LONGEST_S, creationflags=flags, check=False)
    except subprocess.TimeoutExpired as problem:
        raise UserError(f"OpenUSD reads it for more than {LONGEST_S} s; export its cameras alone.") from problem
    if done.returncode == usd_crate_as_text.FAULT:
        said = done.stderr.rpartition(b"\0")[2].decode("utf-8", "replace")
        raise UserError(f"OpenUSD cannot read it ({first_line(said)}).")
    if done.returncode or not text.is_file():
        raise UserError("OpenUSD breaks off over it, so it is damaged; export it again, best as .usda.")
    if text.stat().st_size > MAX_TEXT_BYTES:
        raise UserError(f"as text it has more than {MAX_TEXT_BYTES // 2**20} MB; export its cameras alone.")
    return text


def first_line(problem: Exception | str) -> str:
    """What OpenUSD says, without the places in its own source and of the copy that is read."""
    try:
        text = str(problem)
    except UnicodeDecodeError:  # it repeats bytes of the file
        return "its text is damaged"
    found = re.search(r" : '(.*)'", text, re.DOTALL)
    lines = [line.strip() for line in (found[1] if found else text).splitlines() if line.strip()]
    if not lines:
        return "its text is damaged"
    said = re.sub(r"^\S*stage\.usd[ac]:(?=\d)", "line ", lines[0])
    return re.sub(r" ?<?[^\s<]*stage\.usd[ac]>?", "", said)[:120]


class _Prims:
    """How many prims a layer makes. References to itself multiply: twenty that double are a million."""

    def __init__(self, layer: Sdf.Layer) -> None:
        self.layer = layer
        self.known: dict[Sdf.Path, int] = {}

    def refuse_too_many(self) -> None:
        try:
            count = sum(map(self._count, self.layer.rootPrims))
        except RecursionError as problem:
            raise UserError("its prims are nested too deeply.") from problem
        if count > MAX_PRIMS:
            raise UserError(f"its references to itself make more than {MAX_PRIMS} prims; export its cameras alone.")

    def _count(self, spec: Sdf.PrimSpec) -> int:
        if spec.path in self.known:
            return self.known[spec.path]
        self.known[spec.path] = 0  # a circle ends here, and OpenUSD leaves it out
        if spec.HasInfo("clips"):
            raise UserError(f"it has value clips, which are in other files and not read; {_FLATTEN}")
        inside = [*spec.nameChildren]
        for variants in spec.variantSets.values():
            inside += [variant.primSpec for variant in variants.variants.values()]
        for arcs in (spec.referenceList, spec.payloadList, spec.inheritPathList, spec.specializesList):
            for arc in arcs.GetAddedOrExplicitItems():
                target = self.layer.GetPrimAtPath(getattr(arc, "primPath", arc) or f"/{self.layer.defaultPrim}")
                inside += [target] if target else []
        self.known[spec.path] = min(MAX_PRIMS + 1, 1 + sum(map(self._count, inside)))
        return self.known[spec.path]
