"""Timecode without dropped frames: hours, minutes, seconds and the frame within the second."""

from __future__ import annotations

import re
from fractions import Fraction

from ..errors import UserError

LAST_HOUR = 99
# Rates for which SMPTE defines timecode, as far as OpenTimelineIO and most editing programs know it.
TIMECODE_RATES = (24, 25, 30, 48, 50, 60)
FIELDS = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2}):(\d{1,3})", re.ASCII)
# Editing programs write a ";" or "," before the frames, or ";" everywhere, where numbers are dropped.
DROP_FRAME = re.compile(r"\d{1,2}([:;])\d{1,2}\1\d{1,2}[;,]\d{1,3}", re.ASCII)


def nominal_rate(fps: Fraction) -> int:
    """The whole number of frames that timecode counts in a second: 24 at 24000/1001, 15 at 15, never less than 1."""
    return max(1, int(fps + Fraction(1, 2)))


def timecode_rate(fps: Fraction) -> tuple[int, int] | None:
    """How many frames per second a timecode counts, and for how many of them each frame counts; None: there is none.

    24000/1001 counts 24, as non-drop timecode does. A rate without a timecode of its own counts the smallest multiple that
    has one: 15 becomes 30, two for each frame, which is as exact.
    """
    for times in range(1, max(TIMECODE_RATES) + 1):
        rate = fps * times
        nominal = nominal_rate(rate)
        if nominal in TIMECODE_RATES and rate in (nominal, Fraction(nominal * 1000, 1001)):
            return nominal, times
    return None


def timecode(frame: int, fps: Fraction) -> str:
    """The timecode of a frame, "00:00:01:09" for frame 24 at 15 frames per second.

    Non-drop: frames are counted at the nominal rate, so that at 30000/1001 the hour of the timecode is 3.6 seconds longer
    than an hour. The frames have two digits, three above 100 per second.
    """
    rate = nominal_rate(fps)
    if not 0 <= frame < (LAST_HOUR + 1) * 3600 * rate:
        raise UserError(f"frame {frame} has no timecode; from 0 to {LAST_HOUR} hours are possible.")
    seconds, frames = divmod(frame, rate)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}:{frames:0{max(2, len(str(rate - 1)))}}"


def frame_of_timecode(text: str, fps: Fraction) -> int:
    """The frame that `timecode` gives this text; leading zeros may be left out.

    Raises UserError with a sentence for drop-frame timecode, for other texts, and for minutes, seconds and frames that
    do not exist.
    """
    text, rate = text.strip(), nominal_rate(fps)
    fields = FIELDS.fullmatch(text)
    if fields is None:
        if is_drop_frame(text):
            raise UserError(
                f"{text!r} is drop-frame timecode, which leaves out numbers to keep up with the clock; give "
                "non-drop timecode (four groups with ':' between them), or the number of the frame."
            )
        raise UserError(f"{text[:40]!r} is no timecode; write hours:minutes:seconds:frames, like 00:00:01:09.")
    hours, minutes, seconds, frames = map(int, fields.groups())
    for value, limit, unit in ((minutes, 60, "minutes"), (seconds, 60, "seconds"), (frames, rate, "frames")):
        if value >= limit:
            per = f" at {float(fps):g} frames per second" if unit == "frames" else ""
            raise UserError(f"{text!r} has {value} {unit}, but they go from 0 to {limit - 1}{per}.")
    return ((hours * 60 + minutes) * 60 + seconds) * rate + frames


def is_drop_frame(text: str) -> bool:
    return DROP_FRAME.fullmatch(text.strip()) is not None
