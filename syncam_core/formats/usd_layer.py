"""One file of OpenUSD and nothing else: what it would bring in beside itself is refused before a stage is made of it."""

from __future__ import annotations

import os
import re
import tempfile
from codecs import BOM_UTF8
from pathlib import Path
from typing import TYPE_CHECKING

from ..disk.bounded import file_bytes
from ..errors import UserError

if TYPE_CHECKING:
    from pxr import Sdf

BEGINNINGS = {b"#usda": ".usda", b"PXR-USDC": ".usdc"}
MAX_PRIMS = 100_000  # of a stage, each as often as it is referenced

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
        layer = Sdf.Layer.OpenAsAnonymous(os.fspath(copy))
    if layer is None:
        raise UserError("OpenUSD cannot read it.")
    others = sorted(filter(None, layer.GetCompositionAssetDependencies()))  # an empty one is the file itself
    if others:
        raise UserError(f"it refers to other files ({others[0][:60]!r}), which are not read; {_FLATTEN}")
    _Prims(layer).refuse_too_many()
    return layer


def first_line(problem: Exception) -> str:
    """What OpenUSD says, without the places in its own source and of the copy that is read."""
    try:
        text = str(problem)
    except UnicodeDecodeError:  # it repeats bytes of the file
        return "its text is damaged"
    found = re.search(r" : '(.*)'", text, re.DOTALL)
    lines = [line.strip() for line in (found[1] if found else text).splitlines() if line.strip()]
    if not lines:
        return "its text is damaged"
    text = re.sub(r"^\S*stage\.usd[ac]:(?=\d)", "line ", lines[0])
    return re.sub(r"@[^@]*stage\.usd[ac]@", "the file", text)[:120]


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
