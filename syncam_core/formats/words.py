"""What people are told about the formats, from what each module says of itself: tooltips, and tables of the help pages."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from . import FORMATS

ASKED_FOR = "asked for"


def title_of(module: ModuleType) -> str:
    """The name without what stands in parentheses behind it: "COLMAP"."""
    return module.NAME.split(" (")[0]


def titles(**having: object) -> str:
    """The formats whose modules have these values, as a sentence lists them: "COLMAP, RealEstate10K and Nuke"."""
    return listed(title_of(module) for module in FORMATS.values() if _has(module, having))


def keys(**having: object) -> str:
    """Their keys, likewise."""
    return listed(key for key, module in FORMATS.items() if _has(module, having))


def listed(parts: Iterable[str]) -> str:
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def reading_table() -> str:
    """The formats in Markdown, as the help page of SynCam Load Rig shows them."""
    rows: list[tuple[str, ...]] = [("format", "file", "camera axes and matrix", "world", "unit")]
    for key, module in FORMATS.items():
        unit = f"**{module.UNIT}**" if module.UNIT == ASKED_FOR else module.UNIT
        rows.append((f"`{key}`", module.FILE_READ, module.CAMERA_AXES, module.WORLD_AXES, unit))
    return _table(rows)


def writing_table() -> str:
    """The formats in Markdown, as the help page of SynCam Save Rig shows them."""
    rows: list[tuple[str, ...]] = [("format", "what is written", "axes of the file", "unit", "what is lost")]
    for key, module in FORMATS.items():
        unit = f"{module.UNIT}, always" if module.UNIT in ("metres", "centimetres") else "any"
        rows.append((f"`{key}`", module.FILE_WRITTEN, module.AXES_WRITTEN, unit, module.LOST))
    return _table(rows)


def _has(module: ModuleType, having: dict[str, object]) -> bool:
    return all(getattr(module, name, None) == value for name, value in having.items())


def _table(rows: list[tuple[str, ...]]) -> str:
    head, *others = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([head, "|---" * len(rows[0]) + "|", *others])
