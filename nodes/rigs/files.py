"""Nodes that read a rig from a camera file, and write one."""

from __future__ import annotations

import os

from comfy_api.latest import io, ui

from ...syncam_core.cameras import Rig
from ...syncam_core.disk.staged import staged_files
from ...syncam_core.formats import FORMATS, PICTURES, camera_suffixes, file_name, read_rig_file, write_rig_file
from ...syncam_core.formats.words import ASKED_FOR, keys, titles
from ..host.input_files import camera_files, file_state, input_path
from ..host.output_files import disk_sentences, normal_prefix, output_place, saved
from ..shared.inputs import unit_input
from ..shared.node import SynCamNode
from .inputs import CATEGORY, cameras_input, rig_given, rig_output


class SynCamLoadRig(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamLoadRig",
            display_name="SynCam Load Rig",
            category="SynCam",
            description=(
                "Cameras from a file or folder in the input folder: a rig JSON such as SynCam Save Views writes beside "
                f"its videos, or cameras of other programs and data sets ({titles()}). The help page tells more of each."
            ),
            search_aliases=[
                "syncamvideo",
                "camera_extrinsics",
                "load cameras",
                "camera file",
                "camera rig",
                "realestate10k",
                "cameractrl",
                "colmap",
                "transforms.json",
                "nuke chan",
                "blender",
                "blender camera",
                "nuke",
                "maya camera",
                "houdini camera",
                "nerfstudio",
                "import cameras",
                "tracking data",
            ],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=camera_files(),
                    tooltip=f"A camera file ({', '.join(camera_suffixes())}) in the input folder or in a folder directly "
                    "below it, a video of SynCam Save Views or SynCam Render Views that carries its rig, or a folder with "
                    "a COLMAP model or with one pose file per camera. What it holds is told from its content.",
                ),
                cameras_input(
                    "",
                    "Which cameras, and in which order: names, letters or numbers, like '1, 3', 'cam01, cam03', '5-8' or "
                    "'all but 2'. The first becomes view 0, the reference. Empty means all.",
                ),
                # Optional, so that jobs from before there were other formats still run.
                io.Combo.Input(
                    "format",
                    options=["auto", *FORMATS],
                    default="auto",
                    optional=True,
                    tooltip="The format of the file; 'auto' tells it from the content. The help page lists them.",
                ),
                unit_input(
                    "Metres in one unit of the file: 1 for metres, 0.01 for centimetres. 0 is what the format or the file "
                    f"itself says; {titles(UNIT=ASKED_FOR)} say nothing, so that it is needed for these.",
                    default=0.0,
                    least=0.0,
                    optional=True,
                ),
                io.Combo.Input(
                    "pictures",
                    options=list(PICTURES),
                    default="auto",
                    optional=True,
                    tooltip=f"{titles(HAS_PICTURES=True)}: whether pictures are frames of moving cameras ('moving') or a "
                    "still camera each ('stills'). 'auto' tells it from their names, lenses and times. Other formats say "
                    "it themselves.",
                ),
            ],
            outputs=[rig_output("The cameras. Goes into SynCam Encode Cameras.")],
        )

    @classmethod
    def validate_inputs(cls, file: object = None) -> bool | str:
        # Naming the input replaces the host's own check: files that came after the page was loaded count, too.
        return True if file is None else cls.judged(input_path, file)

    @classmethod
    def fingerprint_inputs(cls, file: str | None = None, **others: object) -> str:
        return file_state(input_path(file or ""))

    @classmethod
    def execute(
        cls, file: str, cameras: str = "", format: str = "auto", unit_m: float = 0.0, pictures: str = "auto"
    ) -> io.NodeOutput:
        return io.NodeOutput(read_rig_file(input_path(file), cameras, unit_m or None, format, pictures))


class SynCamSaveRig(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamSaveRig",
            display_name="SynCam Save Rig",
            category=CATEGORY,
            description=(
                f"Writes the cameras of a rig into the output folder, in the format of another program: {titles()}. "
                "The help page says what each format loses."
            ),
            search_aliases=["export cameras", "save cameras", "camera file", "colmap", "transforms.json", "nuke chan"],
            is_output_node=True,
            inputs=[
                rig_given("The cameras to write."),
                io.String.Input(
                    "filename_prefix",
                    default="syncam/rig",
                    tooltip="Folder and beginning of the name, inside the output folder: <prefix>_<number> with the "
                    "format's suffix, or a folder of that name. May hold %date:yyyy-MM-dd%.",
                ),
                io.Combo.Input(
                    "format",
                    options=list(FORMATS),
                    default="rig_json",
                    tooltip=f"{keys(LOST='nothing')} keeps everything, the help page says what the others lose. "
                    f"{keys(FILE_PER_CAMERA=True)} write a file per camera.",
                ),
                unit_input(
                    "Metres in one unit of the file: 1 for metres, 0.01 for centimetres. 0 is the format's own unit, or "
                    "metres where it has none.",
                    default=0.0,
                    least=0.0,
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="path", tooltip="The file, or the folder where the format needs several files."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, filename_prefix: str | None = None) -> bool | str:
        return True if filename_prefix is None else cls.judged(normal_prefix, filename_prefix)

    @classmethod
    def execute(cls, rig: Rig, filename_prefix: str, format: str = "rig_json", unit_m: float = 0.0) -> io.NodeOutput:
        folder, subfolder, stem = output_place(normal_prefix(filename_prefix), 0, 0)
        name = file_name(rig, stem, format)
        with disk_sentences(folder), staged_files(folder) as stage:
            write_rig_file(rig, stage / name, format, unit_m or None)
        path = os.path.join(folder, name)
        shown = ui.PreviewText(summary(rig, os.path.join(subfolder, name), format)).as_dict()
        if os.path.isfile(path):
            shown["files"] = [saved(name, subfolder)]
        return io.NodeOutput(path, ui=shown)


def summary(rig: Rig, file: str, format: str) -> str:
    """What was saved, in two lines."""
    cameras = "1 camera" if rig.views == 1 else f"{rig.views} cameras"
    motion = "still" if rig.is_static else f"{rig.frames} frames"
    return f"{file}\n{FORMATS[format].NAME}: {cameras}, {motion}"


NODES = (
    SynCamLoadRig,
    SynCamSaveRig,
)
