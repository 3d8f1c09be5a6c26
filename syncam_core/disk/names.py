"""Names of files and folders: in which order people expect them, and what every file system takes."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePath

from ..errors import UserError

LONGEST_SLUG = 40
LONGEST_NAME = 180  # bytes; a file name may have 255 on common file systems
MOST_FOLDERS = 8
# What Windows refuses: these names with any extension, these signs anywhere.
DEVICE_NAMES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
NO_SIGNS = '<>:"|?*'


def natural(name: str | PurePath) -> list[tuple[int, int, str]]:
    """A sorting key by which "cam2" comes before "cam10"."""
    # Not isdigit: "²" is one, but no int. No more than 300: Python refuses to convert endless digits.
    pieces = re.split("([0-9]{1,300})", str(name))
    return [(1, int(piece), piece) if index % 2 else (0, 0, piece) for index, piece in enumerate(pieces)]


# ---- names that are free


def names_in(folder: str | os.PathLike[str]) -> list[str]:
    """What a folder holds; nothing where there is no such folder."""
    with suppress(FileNotFoundError):
        return os.listdir(folder)
    return []


def is_taken(folder: str | os.PathLike[str], name: str) -> bool:
    """Whether a folder holds something of this name, in upper or lower case letters."""
    return any(there.casefold() == name.casefold() for there in names_in(folder))


def free_stem(folder: str | os.PathLike[str], stem: str) -> str:
    """The stem itself, or "<stem>_00002" and so on where files have it, with any suffix and in any case of letters."""
    present = {Path(file).stem.casefold() for file in names_in(folder)}
    number, free = 1, stem
    while free.casefold() in present:
        number += 1
        free = f"{stem}_{number:05}"
    return free


# ---- names that every system takes


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


def checked_folder(given: str, what: str) -> str:
    """A path of folders below another one, with "/" between them, whichever system it was written on.

    Raises UserError, calling the text `what`, for one that leads out or that some file system does not take.
    """
    if not isinstance(given, str):
        raise UserError(f"{what} is {given!r}, but the name of a folder is needed, like 'syncam/dataset'.")
    path = given.strip().replace("\\", "/")
    said = f"{what} is {_shown(given)}"
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or (parts and parts[0][1:2] == ":"):
        raise UserError(f"{said}, which leads out of its folder; use a name inside it, like 'syncam/dataset'.")
    if not parts:
        raise UserError(f"{said}, which names no folder; use a name like 'syncam/dataset'.")
    if len(parts) > MOST_FOLDERS:
        raise UserError(f"{said}, {len(parts)} folders deep; at most {MOST_FOLDERS} are possible.")
    for part in parts:
        _check_part(part, said)
    return "/".join(parts)


def checked_name(given: str, what: str) -> str:
    """The name of a single folder, or an empty text as it is. Raises UserError as `checked_folder` does."""
    if isinstance(given, str) and not given.strip():
        return ""
    path = checked_folder(given, what)
    if "/" in path:
        raise UserError(f"{what} is {_shown(given)}, but it is one folder; use a name without slashes.")
    return path


def _check_part(part: str, said: str) -> None:
    try:
        length = len(part.encode())
    except UnicodeEncodeError as problem:
        raise UserError(f"{said}, which holds half a character; write it again.") from problem
    if length > LONGEST_NAME:
        raise UserError(f"{said}, with a name of {length} bytes; at most {LONGEST_NAME} are possible.")
    bad = next((sign for sign in part if ord(sign) < 32 or ord(sign) == 127 or sign in NO_SIGNS), None)
    if bad is not None:
        raise UserError(f"{said}, which holds {bad!r}; use letters, digits, '-' and '_'.")
    if part.startswith("."):
        raise UserError(f"{said}, with the hidden folder {part[:60]!r}, which readers pass over; drop the first dot.")
    if part != part.strip() or part.endswith("."):
        raise UserError(f"{said}, where {part[:60]!r} begins or ends with a blank or a dot, which Windows drops.")
    if part.split(".")[0].strip().lower() in DEVICE_NAMES:
        raise UserError(f"{said}, but {part[:60]!r} is the name of a device on Windows; use another one.")


def _shown(given: str) -> str:
    return f"{given[:60]!r}" + "..." * (len(given) > 60)
