"""Camera names in pictures: a dark translucent plate with the name in the camera's colour, rendered once per view."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..errors import UserError
from .clip import WHITE

TEXT_TO_PICTURE_HEIGHT = 0.045
# Small views get larger letters in proportion, as far as the label still leaves most of the view free.
READABLE_TEXT_PX, SMALLEST_TEXT_PX = 11, 8
# Together these bound the share of a view that its label hides to a tenth.
WIDEST_PLATE = 0.5
TALLEST_PLATE = 0.2
LONGEST_NAME = 200

PLATE_RGB = (12, 12, 14)
PLATE_OPACITY = 0.88
# WCAG 2.2, success criterion 1.4.3, for text of this size
LEAST_CONTRAST = 4.5
CORNER_OVERSAMPLING = 4

# Pillow's own font holds plain Latin letters only. For other names the system is asked, by file name as Pillow looks
# fonts up on Windows, macOS and Linux, the ones with Chinese, Japanese, Korean, Cyrillic and Greek letters first.
SYSTEM_FONTS = (
    "msyh.ttc",
    "Arial Unicode.ttf",
    "Hiragino Sans GB.ttc",
    "NotoSansCJK-Regular.ttc",
    "wqy-microhei.ttc",
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "arial.ttf",
)
NO_CHARACTER = "\U0010fffe"


@dataclass(frozen=True, eq=False)
class LabelPlate:
    """A rendered label, ready to be laid over any number of frames: `picture * keep + ink`."""

    ink: np.ndarray  # (height, width, 3) float32 in 0..1
    keep: np.ndarray  # (height, width, 1) float32: the share of the picture that shines through
    margin: int  # distance from the view's top left corner, in pixels


def label_plate(
    text: str,
    color: str,
    picture_height: int,
    picture_width: int,
    whole: bool = False,  # of numbers a part would be wrong: rather no label at all
) -> LabelPlate | None:
    """Render a name for views of the given size; None where the view is too small for a readable label.

    `color` is "#rrggbb". It is lightened where it would not stand out from the plate on a white picture. A name that
    does not fit into half of the view's width ends in an ellipsis; characters that no font has become boxes.
    """
    small_view_size = max(SMALLEST_TEXT_PX, min(READABLE_TEXT_PX, picture_height / 10))
    size = round(max(picture_height * TEXT_TO_PICTURE_HEIGHT, small_view_size))
    text, font = with_font(printable(text), size)
    ascent, descent = font.getmetrics()
    padding_x, padding_y = round(size * 0.5), round(size * 0.2)
    height = ascent + descent + 2 * padding_y
    widest = int(picture_width * WIDEST_PLATE)
    shortened = ellipsized(text, font, widest - 2 * padding_x)
    if whole and shortened != text:
        return None
    text = shortened
    if not text or height > picture_height * TALLEST_PLATE:
        return None
    width = min(widest, int(np.ceil(font.getlength(text))) + 2 * padding_x)

    glyphs = Image.new("L", (width, height))
    ImageDraw.Draw(glyphs).text((padding_x, padding_y + ascent), text, fill=255, font=font, anchor="ls")
    text_share = np.asarray(glyphs, np.float32)[..., None] / 255
    plate_share = _rounded_rectangle(height, width, radius=height // 4)[..., None] * PLATE_OPACITY
    plate_rgb = np.asarray(PLATE_RGB, np.float32) / 255
    text_rgb = np.asarray(_readable(color), np.float32)
    return LabelPlate(
        ink=text_share * text_rgb + (1 - text_share) * plate_share * plate_rgb,
        keep=(1 - text_share) * (1 - plate_share),
        margin=round(size * 0.4),
    )


def label_plates(
    names: Sequence[str],
    colors: Sequence[str],  # "#rrggbb"
    sizes: Sequence[tuple[int, int]],  # (height, width) of each view's pictures
) -> list[LabelPlate | None]:
    """The labels of several views, each sized for its own view."""
    return [label_plate(name, color, *size) for name, color, size in zip(names, colors, sizes, strict=True)]


def draw_plate(
    picture: np.ndarray,  # (height, width, 3) uint8, uint16, or float in 0..1; changed in place
    plate: LabelPlate,
    top: int,
    left: int,
) -> None:
    """Lay a label over the view whose top left corner is given."""
    height, width = plate.keep.shape[:2]
    top, left = top + plate.margin, left + plate.margin
    under = picture[top : top + height, left : left + width]
    keep, ink = plate.keep[: under.shape[0], : under.shape[1]], plate.ink[: under.shape[0], : under.shape[1]]
    if picture.dtype == np.float32:
        under[...] = under * keep + ink
    else:
        under[...] = (under * keep + ink * WHITE[picture.dtype] + 0.5).astype(picture.dtype)


def printable(text: str) -> str:
    """The text on one line: control, format and surrogate characters crash or confuse text layout."""
    spaced = "".join(c if not unicodedata.category(c).startswith("C") else " " for c in str(text)[:LONGEST_NAME])
    return " ".join(spaced.split())


def with_font(text: str, size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """The text and the font that has most of its characters; without accents where even that one lacks some."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise UserError("labels need a Pillow with FreeType; reinstall Pillow from its official wheel.")
    lacking = _lacking(font, text)
    for name in SYSTEM_FONTS if lacking else ():
        try:
            other = ImageFont.truetype(name, size)
        except OSError:
            continue
        if _lacking(other, text) < lacking:
            font, lacking = other, _lacking(other, text)
    if lacking:
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return text, font


def _lacking(font: ImageFont.FreeTypeFont, text: str) -> int:
    """How many characters of the text the font draws as its box for unknown ones."""
    box = _pixels(font, NO_CHARACTER)
    return sum(_pixels(font, character) == box for character in set(text))


def _pixels(font: ImageFont.FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:  # size, coverage
    mask = font.getmask(character)
    return mask.size, bytes(mask)


def ellipsized(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text, shortened until it is at most `width` pixels wide; empty where not even one letter fits."""
    if font.getlength(text) <= width:
        return text
    for end in range(len(text) - 1, 0, -1):
        shortened = text[:end].rstrip() + "…"
        if font.getlength(shortened) <= width:
            return shortened
    return ""


def _rounded_rectangle(height: int, width: int, radius: int) -> np.ndarray:  # (height, width) float32 coverage
    k = CORNER_OVERSAMPLING
    large = Image.new("L", (width * k, height * k))
    ImageDraw.Draw(large).rounded_rectangle((0, 0, width * k - 1, height * k - 1), radius * k, fill=255)
    return np.asarray(large.resize((width, height), Image.Resampling.BOX), np.float32) / 255


def _readable(color: str) -> tuple[float, ...]:
    """The colour in 0..1, mixed with as little white as gives it the least contrast on the plate over white."""
    digits = color.removeprefix("#")
    rgb = tuple(int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    backdrop = tuple(PLATE_OPACITY * channel / 255 + (1 - PLATE_OPACITY) for channel in PLATE_RGB)
    needed = LEAST_CONTRAST * (luminance(backdrop) + 0.05) - 0.05
    for step in range(101):
        white = step / 100
        mixed = tuple(channel + (1 - channel) * white for channel in rgb)
        if luminance(mixed) >= needed:
            break
    return mixed


def luminance(rgb: tuple[float, ...]) -> float:
    """Relative luminance of an sRGB colour (WCAG 2.2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
