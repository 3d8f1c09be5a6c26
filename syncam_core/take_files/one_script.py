"""JavaScript modules as one script without imports, which a page opened from the disk can run.

Browsers load no module from another file there. What is joined is this pack's own: imports stand one on a line, exports
before what they name, or, of the bundle of three.js, in one list at the end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

_IMPORT = re.compile(r'^import (?:\* as (?P<whole>\w+)|\{(?P<names>[^}]*)\}) from "(?P<path>\.[^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:class|function|const) (?P<name>\w+))", re.MULTILINE)
_LIST = re.compile(r"^(?P<before>.*)\bexport\{(?P<names>[^}]*)\};", re.DOTALL)


def joined_modules(entry: Path) -> str:
    """The script: each module is a function of its own, called once, those that it imports before it."""
    written: dict[Path, str] = {}
    parts: list[str] = []

    def name_of(path: Path) -> str:
        if path not in written:
            written[path] = ""  # a circle would come back here, and find no name
            text = _as_function(path, name_of)
            written[path] = f"_{len(parts)}_{re.sub(r'[^A-Za-z0-9]', '_', path.stem)}"
            parts.append(f"const {written[path]} = (() => {{\n{text}}})();\n")
        if not written[path]:
            raise ValueError(f"{path.name} imports itself")
        return written[path]

    name_of(entry.resolve())
    return "".join(parts)


def _as_function(path: Path, name_of: Callable[[Path], str]) -> str:
    text = path.read_text(encoding="utf-8")

    def imported(found: re.Match[str]) -> str:
        module = name_of((path.parent / found["path"]).resolve())
        names = found["whole"] or "{" + re.sub(r"\b as \b", ": ", found["names"]) + "}"
        return f"const {names} = {module};\n"

    text = _IMPORT.sub(imported, text)
    listed = _LIST.match(text)
    if listed:
        pairs = [pair.split(" as ") for pair in listed["names"].split(",")]
        text = listed["before"] + text[listed.end() :]
        exports = ", ".join(f"{pair[-1]}: {pair[0]}" for pair in pairs)
    else:
        exports = ", ".join(found["name"] for found in _EXPORT.finditer(text))
        text = _EXPORT.sub("", text)
    return f"{text}\nreturn {{ {exports} }};\n"
