"""Nodes that make a rig by rule: one camera, ring, arc, dome, line, grid, stereo pair, close-up and wide, presets."""

from __future__ import annotations

from comfy_api.latest import io

from ...syncam_core.cameras import builders
from ...syncam_core.cameras.presets import PRESETS, preset_rig
from ...syncam_core.cameras.rig import MAX_VIEWS
from ..shared.node import SynCamNode
from .inputs import (
    CATEGORY,
    DEGREE_STEP,
    FARTHEST_M,
    ORIGIN,
    ROUNDING,
    azimuth_input,
    count_input,
    degrees_input,
    distance_input,
    elevation_input,
    metres_input,
    point_input,
    point_of,
    rig_output,
)

TRAINED = "The released weights know still pairs less than 30 degrees of azimuth and 15 of elevation apart."


class SynCamRigCamera(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigCamera",
            display_name="SynCam Camera",
            category=CATEGORY,
            description="One still camera, by angles and distance. SynCam Merge Rigs joins several to a rig.",
            search_aliases=["single camera", "add camera", "camera rig"],
            inputs=[
                azimuth_input(),
                elevation_input(),
                distance_input(),
                degrees_input(
                    "roll", 0.0, "Degrees clockwise about the viewing direction, seen from behind the camera."
                ),
                point_input(),
                io.String.Input("name", default="cam01", tooltip="Stands in labels and file names."),
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def validate_inputs(cls, target: object = None) -> bool | str:
        return cls.judged(point_of, target) if isinstance(target, str) else True

    @classmethod
    def execute(
        cls, azimuth: float, elevation: float, distance: float, roll: float, target: str, name: str
    ) -> io.NodeOutput:
        return io.NodeOutput(builders.camera_rig(azimuth, elevation, distance, roll, point_of(target), name))


class SynCamRigRing(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigRing",
            display_name="SynCam Ring Rig",
            category=CATEGORY,
            description=(
                "Still cameras all the way round the subject, evenly apart, from the first one to the right. "
                f"{TRAINED} In a ring of 12 or fewer even neighbours are farther apart."
            ),
            search_aliases=["orbit ring", "circle", "turntable", "360 cameras", "camera rig"],
            inputs=[
                count_input(4),
                elevation_input(),
                distance_input(),
                degrees_input(
                    "start_azimuth",
                    0.0,
                    "Where the first camera, the reference, stands: degrees to the right; 0 is in front.",
                ),
                point_input(optional=True, advanced=True),
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def execute(
        cls, count: int, elevation: float, distance: float, start_azimuth: float, target: str = ORIGIN
    ) -> io.NodeOutput:
        return io.NodeOutput(builders.ring_rig(count, elevation, distance, start_azimuth, point_of(target)))


class SynCamRigArc(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigArc",
            display_name="SynCam Arc Rig",
            category=CATEGORY,
            description=(
                "Still cameras on an arc around the subject, both ends included; with many cameras a bullet-time arc, "
                f"whose views a cut sweeps through. {TRAINED}"
            ),
            search_aliases=["bullet time", "matrix", "frozen moment", "arc", "camera array", "camera rig"],
            inputs=[
                count_input(3),
                degrees_input(
                    "start_azimuth",
                    -15.0,
                    "Where the arc begins: degrees to the right around the subject; 0 is in front of it.",
                ),
                degrees_input("end_azimuth", 15.0, "Where the arc ends. The last camera stands there."),
                elevation_input(tooltip="Degrees upwards of the first camera, -90 to 90."),
                distance_input("Metres from the first camera to the subject."),
                degrees_input(
                    "rise", 0.0, "Degrees of elevation that the arc climbs from the first to the last camera.", most=180
                ),
                io.Float.Input(
                    "push_in",
                    default=0.0,
                    min=-FARTHEST_M,
                    max=FARTHEST_M,
                    step=0.05,
                    round=ROUNDING,
                    tooltip="Metres that the last camera is closer to the subject than the first one.",
                ),
                io.Combo.Input(
                    "reference",
                    options=list(builders.REFERENCES),
                    default="first",
                    tooltip="Which camera is view 0, the reference. With 'middle' no camera is farther from it than half "
                    "the arc; the names still follow the arc.",
                ),
                point_input(optional=True, advanced=True),
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def execute(
        cls,
        count: int,
        start_azimuth: float,
        end_azimuth: float,
        elevation: float,
        distance: float,
        rise: float,
        push_in: float,
        reference: str,
        target: str = ORIGIN,
    ) -> io.NodeOutput:
        return io.NodeOutput(
            builders.arc_rig(
                count, start_azimuth, end_azimuth, elevation, distance, rise, push_in, reference, point_of(target)
            )
        )


class SynCamRigDome(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigDome",
            display_name="SynCam Dome Rig",
            category=CATEGORY,
            description=(
                "Still cameras spread evenly over a part of the sphere around the subject: a cap in front of it, the "
                f"upper half, or all of it. The first camera is the one nearest to the centre. {TRAINED}"
            ),
            search_aliases=["hemisphere", "sphere", "fibonacci", "capture stage", "camera rig"],
            inputs=[
                count_input(6),
                io.Float.Input(
                    "spread",
                    default=15.0,
                    min=0.01,
                    max=180,
                    step=DEGREE_STEP,
                    round=ROUNDING,
                    tooltip="Degrees that the cameras reach from the centre to all sides. "
                    "90 with elevation 90 is the upper half, 180 the whole sphere.",
                ),
                azimuth_input(tooltip="The centre: degrees to the right around the subject; 0 is in front of it."),
                elevation_input(15.0, "The centre: degrees upwards; 90 is straight above the subject."),
                distance_input(),
                point_input(optional=True, advanced=True),
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def execute(
        cls, count: int, spread: float, azimuth: float, elevation: float, distance: float, target: str = ORIGIN
    ) -> io.NodeOutput:
        return io.NodeOutput(builders.dome_rig(count, spread, azimuth, elevation, distance, point_of(target)))


def aim_input():
    return io.Combo.Input(
        "aim",
        options=list(builders.AIMS),
        default="target",
        tooltip="'target': every camera looks at the subject. 'parallel': all look the same way.",
    )


def middle_inputs():
    return [
        azimuth_input(tooltip="The middle: degrees to the right around the subject; 0 is in front of it."),
        elevation_input(tooltip="The middle: degrees upwards, -90 to 90."),
        distance_input("Metres from the middle to the subject."),
        point_input(optional=True, advanced=True),
    ]


class SynCamRigLine(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigLine",
            display_name="SynCam Line Rig",
            category=CATEGORY,
            description="Still cameras in a straight row: from left to right, from top to bottom, or from near to far.",
            search_aliases=["row of cameras", "slider", "linear array", "light field", "camera rig"],
            inputs=[
                count_input(3),
                metres_input("spacing", 0.5, "Metres between neighbours."),
                io.Combo.Input(
                    "direction",
                    options=list(builders.DIRECTIONS),
                    default="horizontal",
                    tooltip="'horizontal': from left to right. 'vertical': from top to bottom. 'depth': from near to far. "
                    "The first camera is the reference.",
                ),
                aim_input(),
                *middle_inputs(),
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def execute(
        cls,
        count: int,
        spacing: float,
        direction: str,
        aim: str,
        azimuth: float,
        elevation: float,
        distance: float,
        target: str = ORIGIN,
    ) -> io.NodeOutput:
        return io.NodeOutput(
            builders.line_rig(count, spacing, direction, aim, azimuth, elevation, distance, point_of(target))
        )


class SynCamRigGrid(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigGrid",
            display_name="SynCam Grid Rig",
            category=CATEGORY,
            description="Still cameras on a flat wall, row by row from the top left; the first one is the reference.",
            search_aliases=["camera wall", "camera array", "light field", "matrix of cameras", "camera rig"],
            inputs=[
                io.Int.Input("columns", default=3, min=1, max=MAX_VIEWS, tooltip="Cameras side by side."),
                io.Int.Input(
                    "rows",
                    default=2,
                    min=1,
                    max=MAX_VIEWS,
                    tooltip=f"Cameras above each other. Columns times rows: up to {MAX_VIEWS}.",
                ),
                metres_input("column_spacing", 0.5, "Metres between neighbours in a row."),
                metres_input("row_spacing", 0.5, "Metres between one row and the next."),
                aim_input(),
                *middle_inputs(),
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def execute(
        cls,
        columns: int,
        rows: int,
        column_spacing: float,
        row_spacing: float,
        aim: str,
        azimuth: float,
        elevation: float,
        distance: float,
        target: str = ORIGIN,
    ) -> io.NodeOutput:
        return io.NodeOutput(
            builders.grid_rig(
                columns, rows, column_spacing, row_spacing, aim, azimuth, elevation, distance, point_of(target)
            )
        )


class SynCamRigStereo(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigStereo",
            display_name="SynCam Stereo Rig",
            category=CATEGORY,
            description=(
                "A pair of still cameras side by side for stereoscopic pictures: 'left', the reference, and 'right'. "
                "The authors' example cameras stand half a metre apart and more; with a pair of eyes the released weights "
                "are on new ground."
            ),
            search_aliases=["3d", "stereoscopic", "interaxial", "side by side", "vr", "camera rig"],
            inputs=[
                metres_input("interaxial", 0.065, "Metres between the two lenses; eyes are 0.065 m apart.", 0.001),
                metres_input(
                    "convergence",
                    3.0,
                    "Metres in front of the pair at which the axes of toed-in cameras meet. Parallel cameras do not use "
                    "it: there the pictures are shifted afterwards.",
                ),
                io.Combo.Input(
                    "method",
                    options=list(builders.STEREO_METHODS),
                    default="parallel",
                    tooltip="'parallel': both look straight ahead, no vertical disparity. 'toed-in': both turn inwards.",
                ),
                *middle_inputs(),
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def execute(
        cls,
        interaxial: float,
        convergence: float,
        method: str,
        azimuth: float,
        elevation: float,
        distance: float,
        target: str = ORIGIN,
    ) -> io.NodeOutput:
        return io.NodeOutput(
            builders.stereo_rig(interaxial, convergence, method, azimuth, elevation, distance, point_of(target))
        )


class SynCamRigCloseWide(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigCloseWide",
            display_name="SynCam Close-up and Wide Rig",
            category=CATEGORY,
            description=(
                "Two still cameras on one line to the subject: 'close', the reference, and 'wide'. The size of the "
                "shot comes from the distance; the model knows no lens."
            ),
            search_aliases=["close up", "wide shot", "coverage", "two shot sizes", "camera rig"],
            inputs=[
                metres_input("close", 1.5, "Metres from the close-up camera to the subject."),
                metres_input("wide", 4.0, "Metres from the wide camera to the subject; more than 'close'."),
                azimuth_input(),
                elevation_input(),
                point_input(optional=True, advanced=True),
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def execute(
        cls, close: float, wide: float, azimuth: float, elevation: float, target: str = ORIGIN
    ) -> io.NodeOutput:
        return io.NodeOutput(builders.close_wide_rig(close, wide, azimuth, elevation, point_of(target)))


class SynCamRigPreset(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigPreset",
            display_name="SynCam Preset Rig",
            category=CATEGORY,
            description="The camera set-ups of the SynCamMaster authors, number for number.",
            search_aliases=["syncammaster preset", "example cameras", "az el dis", "camera rig"],
            inputs=[
                io.Combo.Input(
                    "preset",
                    options=list(PRESETS),
                    default="authors az",
                    tooltip="The four set-ups of the talk, the three pairs of the released script, or all ten cameras "
                    "of the example file. The first camera is the reference.",
                )
            ],
            outputs=[rig_output()],
        )

    @classmethod
    def execute(cls, preset: str) -> io.NodeOutput:
        return io.NodeOutput(preset_rig(preset))


NODES = (
    SynCamRigCamera,
    SynCamRigRing,
    SynCamRigArc,
    SynCamRigDome,
    SynCamRigLine,
    SynCamRigGrid,
    SynCamRigStereo,
    SynCamRigCloseWide,
    SynCamRigPreset,
)
