"""Files of data sets that others made: read within bounds, named in messages, never outside of their folder."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn

from ..disk.bounded import file_text
from ..disk.names import natural
from ..errors import UserError
from ..formats.files import is_leftover
from .footage import BrokenFootage, Footage

MAX_CAPTION_BYTES = 64 * 2**10
MAX_TABLE_BYTES = 512 * 2**20  # a million captions of 500 bytes
MAX_ENTRY_LENGTH = 1000
DEEPEST = 4  # folders below the data set's in which scenes are looked for: "train/f24_aperture5/scene1" is at 3

_WHOLE_BYTES = 4 * 2**20
_SAMPLES, _SAMPLE_BYTES = 64, 64 * 2**10


@dataclass(frozen=True)
class Unreadable:
    """Stands in for the `read` of footage that is known to be broken before it is opened."""

    why: str  # a sentence that names the file

    def probe(self) -> NoReturn:
        raise BrokenFootage(self.why)

    def __call__(self) -> NoReturn:
        raise BrokenFootage(self.why)


def broken(name: str, why: str) -> Footage:
    """Footage that `check` will report with the sentence `why`."""
    return Footage(name=name, c2w=None, read=Unreadable(why), fingerprint="")


def data_folder(folder: str | Path) -> Path:
    """The folder of a data set. Raises UserError where there is none."""
    path = Path(folder)
    if not path.is_dir():
        raise UserError(f"{str(folder)!r} is no folder; give the folder that holds the data set.")
    return path


def entry_path(entry: str) -> PurePosixPath:
    """A file that a table or a JSON file names, relative to the data set's folder.

    Both kinds of slashes separate. Links on the disk are followed, since whoever owns the disk made them; the words of
    an untrusted file lead nowhere outside. Raises UserError for a name that is absolute, climbs with "..", or is no
    name at all.
    """
    path = PurePosixPath(entry.strip().replace("\\", "/"))
    if not path.parts or len(entry) > MAX_ENTRY_LENGTH or "\0" in entry:
        raise UserError(f"{entry[:80]!r} is not the name of a file.")
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", path.parts[0]):
        raise UserError(f"{entry[:80]!r} leads out of the data set's folder; names must be relative, without '..'.")
    return path


def walk(folder: Path, depth: int = DEEPEST) -> Iterator[Path]:
    """The folder itself and those below it, in natural order; hidden ones are left out."""
    yield folder
    if depth > 0:
        for path in entries_of(folder):
            if path.is_dir():
                yield from walk(path, depth - 1)


def entries_of(folder: Path, suffixes: Sequence[str] = ()) -> list[Path]:
    """What a folder holds, or its entries with one of the suffixes, in natural order, without what systems left there."""
    found = [path for path in folder.iterdir() if not is_leftover(path.name)]
    found = [path for path in found if not suffixes or path.suffix.lower() in suffixes]
    return sorted(found, key=lambda path: natural(path.name))


def read_text(path: Path, most_bytes: int, shown: str) -> str:
    """A UTF-8 text of bounded size. Raises UserError with a sentence that calls the file `shown`."""
    return file_text(path, most_bytes, f"'{shown}'", "such file")


def fingerprint(path: Path, settings: Iterable[object]) -> str:
    """A hash that changes with the file's content, and with how it is read.

    Of a file beyond 4 MB, 64 evenly spaced pieces stand for the whole: a video that is encoded or downloaded anew
    differs in all of them, and a data set of terabytes need not be read twice. Times do not count, so that a copy of
    a data set finds its cache.
    """
    digest = hashlib.sha256(repr(tuple(settings)).encode())
    try:
        size = path.stat().st_size
        digest.update(str(size).encode())
        with path.open("rb") as file:
            if size <= _WHOLE_BYTES:
                digest.update(file.read(_WHOLE_BYTES))
            else:
                for sample in range(_SAMPLES):
                    file.seek((size - _SAMPLE_BYTES) * sample // (_SAMPLES - 1))
                    digest.update(file.read(_SAMPLE_BYTES))
    except OSError:
        digest.update(b"unreadable")
    return digest.hexdigest()


def caption_table(folder: Path) -> dict[PurePosixPath, str]:
    """The captions of `metadata.csv` (columns file_name, relative to the folder, and text); empty without the file.

    An empty text is kept as such: the caller reports it. Raises UserError for another kind of table, for a name that
    leads out of the folder, and for two texts of one file.
    """
    path = folder / "metadata.csv"
    if not path.exists():
        return {}
    text = read_text(path, MAX_TABLE_BYTES, path.name)
    captions: dict[PurePosixPath, str] = {}
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        missing = {"file_name", "text"} - set(rows.fieldnames or ())
        if missing:
            raise UserError(f"it has no column {min(missing)!r}; the columns file_name and text are needed.")
        for row in rows:
            if not (row["file_name"] or "").strip():
                raise UserError(f"line {rows.line_num} names no file.")
            name, caption = entry_path(row["file_name"]), (row["text"] or "").strip()
            if any(map(is_leftover, name.parts)):
                continue  # of a script that listed all files
            if captions.setdefault(name, caption) != caption:
                raise UserError(f"line {rows.line_num} gives '{name}' a second text; leave one out.")
    except (ValueError, csv.Error) as problem:
        raise UserError(f"'metadata.csv': {problem}") from problem
    return captions
