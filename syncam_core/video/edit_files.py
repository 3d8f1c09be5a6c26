"""Which files an edit is saved in for editing programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import UserError
from .edit import Edit
from .edit_media import check_files, sound_of
from .fcp7_export import fcp7_text
from .fcpx_export import fcpx_remark, fcpx_text
from .mlt_export import mlt_text
from .otio_export import edl_text, otio_text
from .view_files import SavedViews


@dataclass(frozen=True)
class EditFormat:
    """One format. `remark` gives a sentence about what it leaves unsaid of an edit, or nothing."""

    suffix: str
    text: Callable[[Edit, SavedViews], str]
    remark: Callable[[Edit, SavedViews], str] = lambda edit, files: ""


def _silence(edit: Edit, files: SavedViews) -> str:
    return "the .edl has the pictures alone; the sound is in the other files." if sound_of(files) else ""


FORMATS = {
    "otio": EditFormat(".otio", otio_text),
    "edl": EditFormat(".edl", edl_text, _silence),
    "fcp7 xml": EditFormat(".xml", fcp7_text),
    "fcpxml": EditFormat(".fcpxml", fcpx_text, lambda edit, files: fcpx_remark(edit)),
    "mlt": EditFormat(".mlt", mlt_text),
}
ALL, OTIO_AND_EDL = "all", "otio and edl"
CHOICES = {ALL: tuple(FORMATS), OTIO_AND_EDL: ("otio", "edl"), **{name: (name,) for name in FORMATS}}


def edit_texts(edit: Edit, files: SavedViews, choice: str = ALL) -> tuple[dict[str, str], list[str]]:
    """The files by suffix, and a sentence for each that cannot say the edit, or not all of it.

    Raises UserError for a choice that there is not, for files that are not the edit's, and where nothing is left to
    save.
    """
    if choice not in CHOICES:
        raise UserError(f"'formats' is {str(choice)[:40]!r}; possible are {', '.join(CHOICES)}.", field="formats")
    check_files(edit, files)
    texts: dict[str, str] = {}
    sentences: list[str] = []
    for name in CHOICES[choice]:
        kind = FORMATS[name]
        try:
            texts[kind.suffix] = kind.text(edit, files)
            sentences.append(kind.remark(edit, files))
        except UserError as problem:
            if len(CHOICES[choice]) == 1:
                raise
            sentences.append(f"no {kind.suffix}: {problem}")
    if not texts:
        raise UserError(" ".join(sentences))
    return texts, [sentence for sentence in sentences if sentence]
