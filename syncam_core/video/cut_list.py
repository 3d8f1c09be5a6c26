"""Cut lists: which camera is on screen from when, as a person types it.

::

    0 A; 24 B; 48 A ~6          # at frame 0 the first camera, then the second, back with a cross-fade of 6 frames
    1.5s "left, high"           # times in seconds; names in quotes
    00:00:04:00 2               # timecode without dropped frames; numbers of views count from 1

Entries stand between ";" or line ends: a time, a camera, and optionally "~" with a number of frames. A camera is a name
(upper and lower case are one where only one camera fits), a letter (A is the first view, after Z come AA, AB), or a number
(1 is the first view); where several of these fit, the name wins over the letter over the number. In quotes it is always a
name, and '""' stands for a quotation mark in it. From "#" to the end of the line is a comment. An empty list means the
first view from beginning to end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..cameras.spoken import LONGEST_SHOWN, QUOTED, in_quotes, letter_of, narrow, view_of
from ..errors import UserError
from .timecode import frame_of_timecode

LONGEST_TEXT = 1_000_000
MOST_ENTRIES = 20_000
TIMES = "write a frame number (24), seconds (1.5s) or timecode (00:00:01:09)"
BETWEEN = ";\uff1b\r\n"  # entries; the semicolon also as East Asian input methods type it

TOKEN = re.compile(r'"(?:[^"\r\n]|"")*"|#[^\r\n]*|[^"#]+|"')
FRAME = re.compile(r"\d{1,18}", re.ASCII)
SEVERAL = re.compile(r"[,\uff0c\u3001/|>\u2192]\s*\d")  # in the place of a camera: the next entry begins there
SECONDS = re.compile(r"(\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})s", re.ASCII)
# Where drop-frame timecode has its ";" this grammar would see the end of an entry, so it is looked for first.
DROP_FRAME = re.compile(r"(?<![\w:.])\d{1,2}([:;])\d{1,2}\1\d{1,2}[;,]\d{1,3}(?![\d:])", re.ASCII)


@dataclass(frozen=True)
class Cut:
    """From frame `start` on the film shows `view`; a cross-fade of `fade` frames lies around that frame.

    Half of the cross-fade comes before the cut (the smaller half where `fade` is odd), as editing programs place it: it
    covers the frames from ``start - before`` up to, not including, ``start + after``.
    """

    start: int
    view: int
    fade: int = 0

    @property
    def before(self) -> int:
        return self.fade // 2

    @property
    def after(self) -> int:
        return self.fade - self.fade // 2


@dataclass(frozen=True)
class Entry:
    """One entry of a cut list as it was typed."""

    when: str
    camera: str  # a name in quotes keeps them
    fade: int
    text: str  # for messages


def entries_of(text: str) -> list[Entry]:
    """The entries of a cut list, before anything is known about the views.

    Raises UserError with a sentence that names the entry for one that lacks its camera, for an unknown way to write a
    time, and for drop-frame timecode.
    """
    if len(text) > LONGEST_TEXT:
        raise UserError(f"the cut list has {len(text)} characters; at most {LONGEST_TEXT} are possible.")
    dropped = DROP_FRAME.search(TOKEN.sub(lambda token: " " if token[0][0] in '"#' else token[0], text))
    if dropped is not None:
        frame_of_timecode(dropped[0], Fraction(30))  # says why not
    pieces = pieces_of(text, BETWEEN)
    if len(pieces) > MOST_ENTRIES:
        raise UserError(f"the cut list has {len(pieces)} entries; at most {MOST_ENTRIES} are possible.")
    return [_entry(piece) for piece in pieces]


def pieces_of(text: str, separators: str) -> list[str]:
    """The text between separators that stand outside of quotes, without comments; empty pieces are left out.

    Raises UserError with a sentence for a quotation mark without its partner in the line.
    """
    pieces: list[list[str]] = [[]]
    for token in TOKEN.finditer(text):
        kind = token[0][0]
        if token[0] == '"':
            line = text[token.start() : token.start() + LONGEST_SHOWN + 1].splitlines()[0]
            raise UserError(f"the name in {_shown(line)} has no closing quotation mark; add it.")
        if kind == '"':
            pieces[-1].append(token[0])
        elif kind != "#":
            first, *others = re.split(f"[{separators}]", token[0])
            pieces[-1].append(first)
            pieces += [[other] for other in others]
    return [piece for piece in ("".join(parts).strip() for parts in pieces) if piece]


def cuts_of(text: str, frames: int, fps: Fraction, names: Sequence[str]) -> tuple[Cut, ...]:
    """The cuts of a list over views of `frames` frames at `fps`, whose cameras have these names.

    Seconds mean the frame that begins nearest to them, the later one of two that are equally near. Raises UserError
    with a sentence that names the entry for everything that cannot be cut so (see `check_cuts`).
    """
    entries = entries_of(text)
    if not entries:
        return (Cut(0, 0),)
    if len(entries) > frames:
        raise UserError(
            f"the cut list has {len(entries)} entries, but the views have {frames_in_words(frames)}; remove some."
        )
    cuts = [Cut(_frame_of(entry, fps), _view_of(entry, names), entry.fade) for entry in entries]
    check_cuts(cuts, frames, len(names), [_shown(entry.text) for entry in entries])
    return tuple(cuts)


def text_of(cuts: Sequence[Cut], names: Sequence[str]) -> str:
    """The cut list in one line, "0 A; 24 B; 48 A ~6": frame numbers, and letters where no camera's name takes them."""
    taken = {name.casefold() for name in names}

    def camera(view: int) -> str:
        letter = letter_of(view)
        return '"{}"'.format(names[view].replace('"', '""')) if letter.casefold() in taken else letter

    return "; ".join(f"{cut.start} {camera(cut.view)}" + f" ~{cut.fade}" * (cut.fade > 0) for cut in cuts)


def check_cuts(cuts: Sequence[Cut], frames: int, views: int, labels: Sequence[str] | None = None) -> None:
    """Raise UserError with a sentence that names the entry for cuts that make no film.

    The first must be at frame 0, each later than the one before it, all within the film; the frames of a cross-fade must
    be the film's, and no frame may lie in two of them.
    """
    labels = labels or [f"'{cut.start} {letter_of(cut.view)}'" for cut in cuts]
    if not cuts:
        raise UserError("there are no cuts; the first one says what is seen from frame 0 on.")
    for cut, label in zip(cuts, labels, strict=True):
        if not 0 <= cut.start < frames:
            raise UserError(
                f"the entry {label} begins at frame {cut.start}, but the views have {frames_in_words(frames)}; use 0 to "
                f"{frames - 1}."
            )
        if not 0 <= cut.view < views:
            raise UserError(f"the entry {label} asks for view {cut.view + 1}, but there are {views}.")
        if cut.fade < 0:
            raise UserError(f"the entry {label} has a cross-fade of {cut.fade} frames; use 0 or more.")
    if cuts[0].start != 0:
        raise UserError(
            f"the first entry is {labels[0]}, so that nothing is seen before frame {cuts[0].start}; begin the list with "
            "an entry at 0."
        )
    if cuts[0].fade:
        raise UserError(f"the entry {labels[0]} has a cross-fade, but nothing comes before it; remove the '~'.")
    for index in range(1, len(cuts)):
        earlier, cut, label = cuts[index - 1], cuts[index], labels[index]
        if cut.start == earlier.start:
            raise UserError(
                f"the entries {labels[index - 1]} and {label} both begin at frame {cut.start}; keep one of them."
            )
        if cut.start < earlier.start:
            raise UserError(
                f"the entry {label} begins at frame {cut.start}, before the one in front of it, {labels[index - 1]}; put "
                "the entries in the order of time."
            )
    for index in range(1, len(cuts)):
        _check_fade(cuts, index, frames, labels)


# ---- one entry


def _view_of(entry: Entry, names: Sequence[str]) -> int:
    try:
        return view_of(entry.camera, names, f"the entry {_shown(entry.text)}")
    except UserError as problem:
        if entry.camera.startswith('"') or not SEVERAL.search(entry.camera):
            raise
        raise problem.told(
            f"the entry {_shown(entry.text)} holds several; put ';' or a line end between entries, like '0 A; 24 B'."
        ) from problem


def _entry(text: str) -> Entry:
    when, _, rest = text.replace("\t", " ").replace("\u3000", " ").partition(" ")
    when = narrow(when)
    if not (FRAME.fullmatch(when) or SECONDS.fullmatch(when) or when.count(":") == 3):
        raise UserError(f"the entry {_shown(text)} begins with no time; {TIMES}, then the camera, like '24 A'.")
    quoted = QUOTED.match(rest.lstrip())
    if quoted:
        camera, rest = quoted[0], rest.lstrip()[quoted.end() :].strip()
        if rest and not rest.startswith("~"):
            raise UserError(f"the entry {_shown(text)} goes on behind the camera's name; end it there, or with '~6'.")
        fade, faded = rest[1:].strip(), bool(rest)
    else:
        camera, tilde, fade = rest.partition("~")
        camera, fade, faded = camera.strip(), fade.strip(), bool(tilde)
    if not camera:
        raise UserError(f"the entry {_shown(text)} names no camera; write one behind the time, like '{when[:12]} A'.")
    if faded and not FRAME.fullmatch(fade):
        raise UserError(
            f"the entry {_shown(text)} has the cross-fade {_shown(fade)}; write a whole number of frames, like '~6'."
        )
    return Entry(when, camera, int(fade) if faded else 0, text)


def _frame_of(entry: Entry, fps: Fraction) -> int:
    if FRAME.fullmatch(entry.when):
        return int(entry.when)
    seconds = SECONDS.fullmatch(entry.when)
    if seconds:
        return int(Fraction(seconds[1]) * fps + Fraction(1, 2))
    try:
        return frame_of_timecode(entry.when, fps)
    except UserError as problem:
        raise problem.told(f"in the entry {_shown(entry.text)}, {problem}") from problem


def _check_fade(cuts: Sequence[Cut], index: int, frames: int, labels: Sequence[str]) -> None:
    earlier, cut = cuts[index - 1], cuts[index]
    free_before = cut.start - earlier.start - earlier.after
    if cut.before > free_before:
        reason = (
            f"it would begin in the cross-fade of {labels[index - 1]}"
            if earlier.after
            else f"the shot before it lasts {frames_in_words(cut.start - earlier.start)}"
        )
        raise UserError(
            f"the cross-fade of {labels[index]} begins {frames_in_words(cut.before)} before its cut, but {reason}; use at most "
            f"'~{2 * max(0, free_before) + 1}', or move the cut."
        )
    end = cuts[index + 1].start if index + 1 < len(cuts) else frames
    if cut.after > end - cut.start:
        raise UserError(
            f"the cross-fade of {labels[index]} ends {frames_in_words(cut.after)} after its cut, but its shot lasts "
            f"{frames_in_words(end - cut.start)}; use at most '~{2 * (end - cut.start)}', or move the cut."
        )


def frames_in_words(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"


def _shown(text: str) -> str:
    return in_quotes(text, LONGEST_SHOWN)
