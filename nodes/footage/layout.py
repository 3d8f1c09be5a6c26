"""How N views stand in one picture."""

from __future__ import annotations

from comfy_api.latest import io

from ...syncam_core.errors import UserError
from ...syncam_core.video.layout import (
    CORNERS,
    GRID,
    HERO,
    LARGEST_SHARE,
    MAX_COLUMNS,
    PICTURE_IN_PICTURE,
    SIDE_BY_SIDE,
    SMALLEST_SHARE,
    STACKED,
    STRIPS,
    WIDEST_GAP,
    Layout,
    check_color,
)
from ..shared.node import SynCamNode
from ..shared.socket_types import LayoutType

CATEGORY = "SynCam/Footage"
AUTO, ROWS_AND_COLUMNS = "auto grid", "rows x columns"  # both are grids
NODE_KINDS = (AUTO, ROWS_AND_COLUMNS, HERO, SIDE_BY_SIDE, STACKED, PICTURE_IN_PICTURE)
WHICH_VIEW = "a camera's name, its letter (A is the first view), or its number (1 is the first)"


class SynCamLayout(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamLayout",
            display_name="SynCam Layout",
            category=CATEGORY,
            description=(
                "Says how several views stand in one picture: in a grid, as one large view with the others beside it, "
                "side by side, stacked, or as picture in picture, with labels in the cameras' colours. For SynCam View "
                "Grid, SynCam Save Views and SynCam Render Views."
            ),
            search_aliases=[
                "split screen",
                "hero and strip",
                "picture in picture",
                "pip",
                "side by side",
                "stack videos",
                "video wall",
                "multiview",
            ],
            inputs=[
                io.DynamicCombo.Input(
                    "kind",
                    options=[
                        io.DynamicCombo.Option(AUTO, []),
                        io.DynamicCombo.Option(ROWS_AND_COLUMNS, [rows_input(), columns_input()]),
                        io.DynamicCombo.Option(HERO, [main_input(), strip_input()]),
                        io.DynamicCombo.Option(SIDE_BY_SIDE, []),
                        io.DynamicCombo.Option(STACKED, []),
                        io.DynamicCombo.Option(
                            PICTURE_IN_PICTURE, [main_input(), inset_input(), corner_input(), share_input()]
                        ),
                    ],
                    tooltip=(
                        "'auto grid': equal places, arranged so that each view is largest on a 16:9 screen. 'hero + "
                        "strip': one large view, the others small beside or below it. 'side by side' makes all views "
                        "equally tall, 'stacked' equally wide."
                    ),
                ),
                io.Int.Input(
                    "gap",
                    default=0,
                    min=0,
                    max=WIDEST_GAP,
                    step=2,
                    tooltip="Pixels between the views, and between an inset and the edge of the picture.",
                ),
                io.Color.Input(
                    "background",
                    default="#000000",
                    tooltip="The colour between and beside the views, as #rrggbb: #000000 is black, #ffffff white.",
                ),
                io.Boolean.Input(
                    "names", default=True, tooltip="Writes the camera's name into each view, in the camera's colour."
                ),
                io.Boolean.Input(
                    "angles",
                    default=False,
                    tooltip=(
                        "Writes azimuth, elevation and distance of the camera into each view. Needs a rig where the "
                        "layout is used."
                    ),
                ),
                io.Boolean.Input(
                    "timecode",
                    default=False,
                    tooltip="Writes the running time into each view, as hours:minutes:seconds:frames.",
                ),
            ],
            outputs=[LayoutType.Output(display_name="layout", tooltip="For every node that shows several views.")],
        )

    @classmethod
    def validate_inputs(cls, background: str | None, *, kind: object = None) -> bool | str:
        # The host hands over what depends on another input as well; named behind the star it is not judged here.
        if not isinstance(background, str):
            return True  # a link; it is judged when the node runs
        return cls.judged(check_color, background)

    @classmethod
    def execute(
        cls,
        gap: int,
        background: str,
        names: bool,
        angles: bool,
        timecode: bool,
        kind: dict[str, object] | None = None,
    ) -> io.NodeOutput:
        if kind is None:  # the host leaves out what it does not know
            raise UserError(f"'kind' is none of {', '.join(map(repr, NODE_KINDS))}; use one of these.", field="kind")
        chosen = dict(kind)
        name = chosen.pop("kind")
        chosen["kind"] = GRID if name in (AUTO, ROWS_AND_COLUMNS) else name
        look = {"gap": gap, "background": background, "names": names, "angles": angles, "timecode": timecode}
        return io.NodeOutput(Layout(**chosen, **look))


# ---- inputs of the kinds


def rows_input() -> io.Int.Input:
    return io.Int.Input(
        "rows", default=2, min=0, max=MAX_COLUMNS, tooltip="Rows of equal places; 0: as many as the columns leave."
    )


def columns_input() -> io.Int.Input:
    return io.Int.Input(
        "columns", default=0, min=0, max=MAX_COLUMNS, tooltip="Places in a row; 0: as many as the rows leave."
    )


def main_input() -> io.String.Input:
    return io.String.Input("main", default="1", tooltip=f"The large view: {WHICH_VIEW}.")


def inset_input() -> io.String.Input:
    return io.String.Input("inset", default="2", tooltip=f"The small view in the corner: {WHICH_VIEW}.")


def strip_input() -> io.Combo.Input:
    return io.Combo.Input(
        "strip", options=list(STRIPS), default=STRIPS[0], tooltip="Where the small views stand: beside it or below it."
    )


def corner_input() -> io.Combo.Input:
    return io.Combo.Input(
        "corner", options=list(CORNERS), default=CORNERS[0], tooltip="The corner in which the small view stands."
    )


def share_input() -> io.Float.Input:
    return io.Float.Input(
        "share",
        default=0.3,
        min=SMALLEST_SHARE,
        max=LARGEST_SHARE,
        step=0.01,
        tooltip="How much of the large view's width and height the small view may have, without being distorted.",
    )


NODES = (SynCamLayout,)
