"""File names for views: what a camera may be called, a file system may refuse."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

LONGEST_SLUG = 40
# Names that Windows refuses with any extension
DEVICE_NAMES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


def file_slugs(names: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """One file-name part per camera name, in ASCII letters, digits, "-" and "_", unique regardless of case.

    Accents are dropped ("Élan" -> "Elan"), anything else becomes "-"; a name without any usable character is called
    after its place ("view2"). A slug that is in `taken`, or that an earlier view has, gets "-2", "-3" and so on.
    """
    used = {slug.lower() for slug in taken}
    slugs = []
    for index, name in enumerate(names):
        base = _slug(str(name)) or f"view{index + 1}"
        slug, n = base, 1
        while slug.lower() in used:
            n += 1
            slug = f"{base}-{n}"
        used.add(slug.lower())
        slugs.append(slug)
    return slugs


def _slug(name: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", name[:1000]).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", ascii_only)[:LONGEST_SLUG].strip("-_")
    return f"view-{slug}" if slug.lower() in DEVICE_NAMES else slug
