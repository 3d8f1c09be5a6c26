"""Inputs that several nodes share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from comfy_api.latest import io

from ...syncam_core.disk.names import natural
from ...syncam_core.video import FASTEST_FPS, SLOWEST_FPS
from ...syncam_core.view_sync.memory import MEMORY_CHOICES
from .socket_types import LayoutType, RigType

Item = TypeVar("Item")


NULL_TEXT = "None"  # what the host makes of null in a text


def views_input(more: str = "") -> io.Image.Input:
    return io.Image.Input(
        "views", tooltip=f"The list from SynCam Decode Views: one batch of frames per view{more or '.'}"
    )


def rig_input(
    tooltip: str = "Gives the views their cameras' names and colours; it must have a camera per view.",
) -> io.Input:
    return RigType.Input("rig", optional=True, tooltip=tooltip)


def layout_input(purpose: str = "Arranges the views otherwise: connect SynCam Layout.") -> io.Input:
    return LayoutType.Input("layout", optional=True, tooltip=purpose)


def fps_input(meaning: str = "", tooltip: str = "", optional: bool = False) -> io.Float.Input:
    return io.Float.Input(
        "fps",
        default=15.0,
        min=SLOWEST_FPS,
        max=FASTEST_FPS,
        step=0.01,
        optional=optional,
        tooltip=tooltip or f"{meaning} The SynCam weights were trained on videos of 15.",
    )


def prefix_input(default: str) -> io.String.Input:
    return io.String.Input(
        "filename_prefix",
        default=default,
        tooltip=(
            "Folder and beginning of the names, inside the output folder: <prefix>_<number>_<camera>.mp4, "
            "..._grid.mp4, ..._sheet.png and ..._rig.json. May hold %date:yyyy-MM-dd%, %width% and the like."
        ),
    )


def folder_input() -> io.Boolean.Input:
    # Optional, so that jobs from before there was a choice still run, and save where they saved.
    return io.Boolean.Input(
        "folder_per_take",
        default=False,
        optional=True,
        tooltip=(
            "Put the files of each run into a folder of its own, <prefix>_<number>, which editing programs can be "
            "given as it is. Off: all runs side by side."
        ),
    )


def footage_input() -> io.Input:
    return io.MultiType.Input(
        "views",
        types=[io.Image, io.Video],
        tooltip=(
            "One video per view, all of the same length: the list from SynCam Decode Views, or VIDEOs, which the core's "
            "Create List puts into a list."
        ),
    )


def audio_input(where: str) -> io.Input:
    return io.Audio.Input(
        "audio",
        optional=True,
        tooltip=f"The sound of the scene, which begins with the first frame: that of the video that a view was made of, for "
        f"example, by the core's Get Video Components. {where}",
    )


def film_outputs() -> list:
    return [
        io.Image.Output(display_name="images", tooltip="The frames, for any node that takes a video's frames."),
        io.Video.Output(display_name="video", tooltip="The same with its frame rate, for Save Video and the like."),
    ]


def unit_input(tooltip: str, default: float = 1.0, least: float = 0.000001, **options):
    return io.Float.Input(
        "unit_m",
        display_name="metres per unit",
        default=default,
        min=least,
        max=1_000_000,
        step=0.001,
        round=0.000001,
        tooltip=tooltip,
        **options,
    )


def memory_input(**options: bool) -> io.Combo.Input:
    return io.Combo.Input(
        "memory",
        options=list(MEMORY_CHOICES),
        default="auto",
        tooltip="auto: in pieces that cost no time, smaller ones where memory is short. low: the smallest "
        "pieces. whole: no pieces. The result is the same.",
        **options,
    )


def percent_input(name: str, default: float, tooltip: str) -> io.Float.Input:
    return io.Float.Input(name, default=default, min=0.0, max=1.0, step=0.001, tooltip=tooltip)


def members_input(name: str, member: io.Input, most: int, tooltip: str):
    """Sockets that grow with what is connected; `member` is one of them, and `in_order` reads them."""
    template = io.Autogrow.TemplatePrefix(member, prefix=member.id, min=1, max=most)
    return io.Autogrow.Input(name, template=template, tooltip=tooltip)


def in_order(sockets: Mapping[str, Item | None]) -> list[Item]:
    """What is connected, by the socket's number: a prompt may name the sockets in any order, and null is nothing."""
    connected = (sockets[socket] for socket in sorted(sockets, key=natural))
    return [item for item in connected if item is not None]


def items_in_order(sockets: Mapping[str, Iterable[Item | None] | None]) -> list[Item]:
    """The same for a list node, where a socket holds the items of a list."""
    return [item for items in in_order(sockets) for item in items if item is not None]
