"""Widths, heights and lengths that Wan's videos may have, within what the host's widgets allow."""

from __future__ import annotations

from comfy_api.latest import io

import nodes as host_nodes

from ...syncam_core.errors import UserError
from ...syncam_core.wan.geometry import WAN21

SMALLEST_SIDE = WAN21.token_pixels
LONGEST_VIDEO = host_nodes.MAX_RESOLUTION  # the limit of the host's own video nodes


def side_inputs() -> list[io.Input]:
    return [
        io.Int.Input(
            name,
            default=pixels,
            min=SMALLEST_SIDE,
            max=host_nodes.MAX_RESOLUTION,
            step=WAN21.token_pixels,
            tooltip="Pixels, a multiple of 8 (better 16). The released weights know 832 x 480.",
        )
        for name, pixels in (("width", 832), ("height", 480))
    ]


def length_input(tooltip: str, least: int = 1) -> io.Int.Input:
    return io.Int.Input("length", default=81, min=least, max=LONGEST_VIDEO, step=WAN21.frames, tooltip=tooltip)


def check_size(width: int, height: int, length: int) -> None:
    """Raise UserError for what :func:`check_side` or :func:`check_length` refuse."""
    check_side("width", width)
    check_side("height", height)
    check_length(length)


def check_length(length: int) -> None:
    """Raise UserError for a length that is not 4n+1, or beyond the range of the widget."""
    WAN21.check_length(length)
    if length > LONGEST_VIDEO:
        raise UserError(
            f"'length' is {length}, but at most {WAN21.length_below(LONGEST_VIDEO)} frames are possible.",
            field="length",
        )


def check_side(name: str, pixels: int) -> None:
    """Raise UserError for a width or height that is not a multiple of 8, or beyond the range of the widget."""
    if not SMALLEST_SIDE <= pixels <= host_nodes.MAX_RESOLUTION:
        raise UserError(
            f"'{name}' is {pixels}, but it must lie between {SMALLEST_SIDE} and {host_nodes.MAX_RESOLUTION} pixels.",
            field=name,
        )
    step = WAN21.pixels
    below = pixels // step * step
    if pixels != below:
        raise UserError(
            f"'{name}' is {pixels}, but it must be a multiple of {step}; use {below} or {below + step}.",
            field=name,
        )
