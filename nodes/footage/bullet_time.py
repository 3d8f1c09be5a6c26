"""Time across views: bullet time, sweeps, stereo, light fields."""

from __future__ import annotations

from functools import partial

from comfy_api.latest import Input, io
from torch import Tensor

from ...syncam_core.cameras import Rig
from ...syncam_core.cameras.spoken import view_of
from ...syncam_core.errors import UserError
from ...syncam_core.video import frame_rate
from ...syncam_core.video.bullet_time import (
    AFTERWARDS,
    BETWEEN,
    BY_AZIMUTH,
    CROSS_FADE,
    CUTS,
    EASES,
    IN_RIG_ORDER,
    MODEL,
    ORDERS,
    Between,
    azimuths_of,
    bullet_time,
    filmed,
    from_left_to_right,
    interpolated,
    steps_between,
    view_sweep,
    way_through,
)
from ...syncam_core.video.clip import Clip, check_same_size
from ...syncam_core.video.quilt import check_left_to_right, quilt, quilt_shape, quilt_suffix
from ...syncam_core.video.stereo import STEREO, check_sides, stereo
from ..host.frame_interpolation import run_interpolation
from ..host.video import clips_of, film_out
from ..shared.checks import names_and_colors
from ..shared.inputs import film_outputs, footage_input, fps_input, rig_input
from ..shared.node import SynCamNode
from ..shared.socket_types import InterpolationType
from .layout import CATEGORY, WHICH_VIEW

LONGEST_FREEZE = 1000  # frames
MOST_PLACES = 64
WHERE_THEY_STAND = "The cameras of the views: tells their names and where they stand. It must have a camera per view."

Views = list[Tensor | Input.Video]


class SynCamBulletTime(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamBulletTime",
            display_name="SynCam Bullet Time",
            category=CATEGORY,
            description=(
                "Time runs, stands still while the picture goes from camera to camera, and runs on. Between two cameras "
                "it cuts, cross-fades, or shows what a frame interpolation model sees there. The more and the closer the "
                "cameras, the better: SynCam Arc Rig makes such rigs."
            ),
            search_aliases=["matrix effect", "frozen moment", "time slice", "freeze frame", "camera array", "flow-mo"],
            is_input_list=True,
            inputs=[
                footage_input(),
                io.Int.Input(
                    "freeze_frame",
                    default=8,
                    min=-1,
                    max=100_000,
                    tooltip="The frame at which time stands still, from 0; -1 is the last one.",
                ),
                *way_inputs(),
                io.Int.Input(
                    "frames_per_view",
                    default=2,
                    min=1,
                    max=240,
                    tooltip="Frames from one camera to the next while time stands still; with cuts, frames per camera.",
                ),
                io.Int.Input(
                    "hold",
                    default=0,
                    min=0,
                    max=LONGEST_FREEZE,
                    tooltip="Frames that the frozen picture rests before the way, at its end, and after the way back.",
                ),
                io.Combo.Input(
                    "between",
                    options=list(BETWEEN),
                    default=CUTS,
                    tooltip=(
                        "What is seen between two cameras: nothing (cuts), a mix of the two, or what the connected frame "
                        "interpolation model makes of them."
                    ),
                ),
                ease_input(),
                ping_pong_input(),
                io.Combo.Input(
                    "then",
                    options=list(AFTERWARDS),
                    default=AFTERWARDS[0],
                    tooltip="'continue': time runs on in the camera that was reached. 'end': the film ends frozen.",
                ),
                fps_input("Frames per second of the video output."),
                rig_input(WHERE_THEY_STAND),
                InterpolationType.Input(
                    "interp_model",
                    optional=True,
                    tooltip="From Load Frame Interpolation Model, where 'between' is 'interpolation model'.",
                ),
            ],
            outputs=film_outputs(),
        )

    @classmethod
    def execute(
        cls,
        views: Views,
        freeze_frame: list[int],
        from_view: list[str],
        to_view: list[str],
        order: list[str],
        frames_per_view: list[int],
        hold: list[int],
        between: list[str],
        ease: list[str],
        ping_pong: list[bool],
        then: list[str],
        fps: list[float],
        rig: list[Rig] | None = None,
        interp_model: list[object] | None = None,
    ) -> io.NodeOutput:
        rate = frame_rate(fps[0])
        if between[0] == MODEL and not interp_model:
            raise UserError(
                f"'between' is {MODEL!r}, but 'interp_model' is not connected; connect Load Frame Interpolation "
                f"Model, or use {CROSS_FADE!r}.",
                field="between",
            )
        names, clips = same_sized(views, rig)
        frozen = freeze_frame[0] if freeze_frame[0] >= 0 else len(clips[0]) - 1
        way = way_through(names, from_view[0], to_view[0], azimuths(order[0], rig, frozen))
        looks = bullet_time(
            len(clips[0]),
            freeze_frame[0],
            way,
            frames_per_view[0],
            hold[0],
            between[0] == CUTS,
            ease[0],
            ping_pong[0],
            then[0],
        )
        made: Between | None = None
        if between[0] == MODEL and interp_model:
            steps = steps_between(frames_per_view[0], ease[0])
            made = interpolated(clips, partial(run_interpolation, interp_model[0]), steps)
        return io.NodeOutput(*film_out(filmed(clips, looks, made), rate))


class SynCamViewSweep(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamViewSweep",
            display_name="SynCam View Sweep",
            category=CATEGORY,
            description=(
                "Goes from camera to camera while time runs: the film is as long as the views, and each camera is seen "
                "for the same part of it."
            ),
            search_aliases=["camera sweep", "orbit through views", "view transition", "switch camera over time"],
            is_input_list=True,
            inputs=[
                footage_input(),
                *way_inputs(),
                io.Float.Input(
                    "cross_fade",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How much of a camera's time is cross-fades: 0 cuts, 1 fades all the time.",
                ),
                ease_input(),
                ping_pong_input(),
                fps_input("Frames per second of the video output."),
                rig_input(WHERE_THEY_STAND),
            ],
            outputs=film_outputs(),
        )

    @classmethod
    def execute(
        cls,
        views: Views,
        from_view: list[str],
        to_view: list[str],
        order: list[str],
        cross_fade: list[float],
        ease: list[str],
        ping_pong: list[bool],
        fps: list[float],
        rig: list[Rig] | None = None,
    ) -> io.NodeOutput:
        rate = frame_rate(fps[0])
        names, clips = same_sized(views, rig)
        way = way_through(names, from_view[0], to_view[0], azimuths(order[0], rig))
        looks = view_sweep(len(clips[0]), way, cross_fade[0], ease[0], ping_pong[0])
        return io.NodeOutput(*film_out(filmed(clips, looks), rate))


class SynCamStereo(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamStereo",
            display_name="SynCam Stereo",
            category=CATEGORY,
            description=(
                "Two views for two eyes: side by side or one above the other for headsets and 3D screens, or as an "
                "anaglyph for red and cyan glasses. SynCam Stereo Rig makes such pairs of cameras."
            ),
            search_aliases=["stereoscopic", "3d video", "sbs", "anaglyph", "vr", "top bottom", "cross eye"],
            is_input_list=True,
            inputs=[
                footage_input(),
                io.String.Input("left", default="1", tooltip=f"The left camera: {WHICH_VIEW}."),
                io.String.Input(
                    "right",
                    default="2",
                    tooltip=f"The right camera: {WHICH_VIEW}. With a rig connected it is checked that it stands there.",
                ),
                io.Combo.Input(
                    "format",
                    options=list(STEREO),
                    default=STEREO[0],
                    tooltip=(
                        "'half' squeezes both into the size of one view, as 3D screens expect it. Anaglyphs are for red "
                        "(left) and cyan glasses: Dubois' has less ghosting and truer colours, the plain one is brighter."
                    ),
                ),
                io.Boolean.Input(
                    "cross_eyed",
                    default=False,
                    tooltip="Exchanges the two pictures, for viewing side by side with crossed eyes and no glasses.",
                ),
                fps_input("Frames per second of the video output."),
                rig_input(WHERE_THEY_STAND),
            ],
            outputs=film_outputs(),
        )

    @classmethod
    def execute(
        cls,
        views: Views,
        left: list[str],
        right: list[str],
        format: list[str],
        cross_eyed: list[bool],
        fps: list[float],
        rig: list[Rig] | None = None,
    ) -> io.NodeOutput:
        rate = frame_rate(fps[0])
        names, _ = names_and_colors(rig, len(views))
        clips = clips_of(views, names)
        eyes = [view_of(text[0].strip(), names, f"'{what}'") for text, what in ((left, "left"), (right, "right"))]
        if eyes[0] == eyes[1]:
            raise UserError(f"'left' and 'right' are both {names[eyes[0]]!r}; two different views are needed.")
        check_same_size([clips[eye] for eye in eyes], [names[eye] for eye in eyes])
        if rig:
            check_sides(rig[0], *eyes)
        return io.NodeOutput(*film_out(stereo(clips[eyes[0]], clips[eyes[1]], format[0], cross_eyed[0]), rate))


class SynCamQuilt(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamQuilt",
            display_name="SynCam Light-Field Quilt",
            category=CATEGORY,
            description=(
                "All views in one picture for light-field screens: the leftmost camera's at the bottom left, on to the "
                "right, then upwards."
            ),
            search_aliases=["looking glass", "hologram", "light field", "lightfield", "quilt video", "lenticular"],
            is_input_list=True,
            inputs=[
                footage_input(),
                io.Int.Input(
                    "columns",
                    default=0,
                    min=0,
                    max=MOST_PLACES,
                    tooltip="Views in a row; 0 chooses. Columns x rows must be the number of views.",
                ),
                io.Int.Input("rows", default=0, min=0, max=MOST_PLACES, tooltip="Rows of views; 0 chooses."),
                io.Combo.Input(
                    "order",
                    options=list(ORDERS),
                    default=IN_RIG_ORDER,
                    tooltip=(
                        "'rig': the views come from left to right as they are. 'azimuth': sorts them so, by the "
                        "cameras' azimuths; needs the rig."
                    ),
                ),
                fps_input("Frames per second of the video output."),
                rig_input(WHERE_THEY_STAND),
            ],
            outputs=[
                *film_outputs(),
                io.String.Output(
                    display_name="suffix",
                    tooltip="What players look for at the end of the file's name, like _qs8x6a0.75: put it there.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        views: Views,
        columns: list[int],
        rows: list[int],
        order: list[str],
        fps: list[float],
        rig: list[Rig] | None = None,
    ) -> io.NodeOutput:
        rate = frame_rate(fps[0])
        _, clips = same_sized(views, rig)
        angles = azimuths(order[0], rig)
        if angles is not None:
            clips = [clips[view] for view in from_left_to_right(angles)]
        elif rig:
            check_left_to_right(rig[0])
        shape = quilt_places(len(clips), columns[0], rows[0])
        suffix = quilt_suffix(*shape, clips[0].height, clips[0].width)
        return io.NodeOutput(*film_out(quilt(clips, *shape), rate), suffix)


# ---- inputs that several nodes share


def way_inputs() -> list[io.Input]:
    return [
        io.String.Input(
            "from_view", default="", tooltip=f"The view that the way begins with: {WHICH_VIEW}; empty is the first."
        ),
        io.String.Input(
            "to_view",
            default="",
            tooltip=(
                f"The view that it ends with: {WHICH_VIEW}; empty is the last. All views between are passed, backwards "
                "where needed; the same view twice goes once around."
            ),
        ),
        io.Combo.Input(
            "order",
            options=list(ORDERS),
            default=IN_RIG_ORDER,
            tooltip=(
                "'rig': the views follow each other as they come. 'azimuth': from the leftmost camera to the rightmost, "
                "by their azimuths; needs the rig."
            ),
        ),
    ]


def ease_input() -> io.Combo.Input:
    return io.Combo.Input(
        "ease",
        options=list(EASES),
        default="none",
        tooltip="'none' keeps one speed, 'in' starts gently, 'out' stops gently, 'in_out' does both.",
    )


def ping_pong_input() -> io.Boolean.Input:
    return io.Boolean.Input("ping_pong", default=False, tooltip="Goes the way back as well, to the view it came from.")


# ---- judging what was given


def same_sized(views: Views, rig: list[Rig] | None) -> tuple[list[str], list[Clip]]:
    names, _ = names_and_colors(rig, len(views))
    clips = clips_of(views, names)
    check_same_size(clips, names)
    return names, clips


def azimuths(order: str, rig: list[Rig] | None, frame: int = 0) -> list[float] | None:
    if order != BY_AZIMUTH:
        return None
    if not rig:
        raise UserError(
            f"'order' is {BY_AZIMUTH!r}, but 'rig' is not connected; connect the rig of the views, or use "
            f"{IN_RIG_ORDER!r}.",
            field="order",
        )
    return azimuths_of(rig[0], frame)


def quilt_places(views: int, columns: int, rows: int) -> tuple[int, int]:
    if not columns and not rows:
        return quilt_shape(views)
    return columns or -(-views // rows), rows or -(-views // columns)


NODES = (
    SynCamBulletTime,
    SynCamViewSweep,
    SynCamStereo,
    SynCamQuilt,
)
