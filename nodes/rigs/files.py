"""Nodes that read a rig from a camera file, and write one."""

from __future__ import annotations

import os

from comfy_api.latest import io, ui

from ...syncam_core.disk.staged import staged_files
from ...syncam_core.formats import FORMATS, file_name, read_rig_file, write_rig_file
from ..host.input_files import camera_files, file_state, input_path
from ..host.output_files import disk_sentences, normal_prefix, output_place, saved
from ..shared.errors import sentences_of, verdict
from ..shared.socket_types import RigType


class SynCamLoadRig(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamLoadRig",
            display_name="SynCam Load Rig",
            category="SynCam",
            description=(
                "Cameras from a file in the input folder: a rig JSON such as SynCam Save Views writes beside its "
                "videos, camera files of SynCamVideo, RealEstate10K and CameraCtrl, nerfstudio, OpenCV, Blender and "
                "Nuke, or the folder of a COLMAP model."
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
            ],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=camera_files(),
                    tooltip="A camera file (.json, .txt, .chan) in the input folder or in a folder directly below it, "
                    "a video of SynCam Save Views or SynCam Render Views that carries its rig, or a folder with a COLMAP "
                    "model or with one pose file per camera. What it holds is told from its content.",
                ),
                io.String.Input(
                    "cameras",
                    default="1, 3",
                    tooltip="Which cameras, and in which order: names or numbers, like '1, 3' or 'cam01, cam03'. "
                    "The first becomes view 0, the reference. Empty means all.",
                ),
                # Optional, so that jobs from before there were other formats still run.
                io.Combo.Input(
                    "format",
                    options=["auto", *FORMATS],
                    default="auto",
                    optional=True,
                    tooltip="The format of the file; 'auto' tells it from the content. The help page lists them.",
                ),
                io.Float.Input(
                    "unit_m",
                    display_name="metres per unit",
                    default=0.0,
                    min=0.0,
                    max=1e6,
                    step=0.001,
                    round=0.000001,
                    optional=True,
                    tooltip="Metres in one unit of the file: 1 for metres, 0.01 for centimetres. 0 is what the format "
                    "or the file itself says; RealEstate10K, COLMAP, nerfstudio and Nuke say nothing, so that it is "
                    "needed for these.",
                ),
            ],
            outputs=[RigType.Output(display_name="rig", tooltip="The cameras. Goes into SynCam Encode Cameras.")],
        )

    @classmethod
    def validate_inputs(cls, file=None):
        # Naming the input replaces the host's own check: files that came after the page was loaded count, too.
        return True if file is None else verdict(cls.path_of, file)

    @classmethod
    def fingerprint_inputs(cls, file=None, cameras=None, format=None, unit_m=None):
        return file_state(input_path(file))

    @classmethod
    def execute(cls, file, cameras="", format="auto", unit_m=0.0) -> io.NodeOutput:
        path = cls.path_of(file)
        with sentences_of("SynCamLoadRig"):
            return io.NodeOutput(read_rig_file(path, cameras, unit_m or None, format))

    @classmethod
    def path_of(cls, file: str) -> str:
        with sentences_of("SynCamLoadRig"):
            return input_path(file)


class SynCamSaveRig(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamSaveRig",
            display_name="SynCam Save Rig",
            category="SynCam/Rig",
            description=(
                "Writes the cameras of a rig into the output folder, in the format of another program: rig JSON, "
                "SynCamVideo, RealEstate10K and CameraCtrl, COLMAP, nerfstudio, OpenCV, Blender or Nuke. The help page "
                "says what each format loses."
            ),
            search_aliases=["export cameras", "save cameras", "camera file", "colmap", "transforms.json", "nuke chan"],
            is_output_node=True,
            inputs=[
                RigType.Input("rig", tooltip="The cameras to write."),
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
                    tooltip="rig_json keeps everything. realestate10k and nuke_chan write a file per camera, colmap a "
                    "model without points, first_release still cameras only.",
                ),
                io.Float.Input(
                    "unit_m",
                    display_name="metres per unit",
                    default=0.0,
                    min=0.0,
                    max=1e6,
                    step=0.001,
                    round=0.000001,
                    tooltip="Metres in one unit of the file: 1 for metres, 0.01 for centimetres. 0 is the format's own "
                    "unit, or metres where it has none.",
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="path", tooltip="The file, or the folder where the format needs several files."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, filename_prefix=None):
        return True if filename_prefix is None else verdict(cls.prefix, filename_prefix)

    @classmethod
    def execute(cls, rig, filename_prefix, format="rig_json", unit_m=0.0) -> io.NodeOutput:
        prefix = cls.prefix(filename_prefix)
        with sentences_of("SynCamSaveRig"):
            folder, subfolder, stem = output_place(prefix, 0, 0)
            name = file_name(rig, stem, format)
            with disk_sentences(folder), staged_files(folder) as stage:
                write_rig_file(rig, stage / name, format, unit_m or None)
        path = os.path.join(folder, name)
        shown = ui.PreviewText(summary(rig, os.path.join(subfolder, name), format)).as_dict()
        if os.path.isfile(path):
            shown["files"] = [saved(name, subfolder)]
        return io.NodeOutput(path, ui=shown)

    @classmethod
    def prefix(cls, filename_prefix: str) -> str:
        with sentences_of("SynCamSaveRig"):
            return normal_prefix(filename_prefix)


def summary(rig, file: str, format: str) -> str:
    """What was saved, in two lines."""
    cameras = "1 camera" if rig.views == 1 else f"{rig.views} cameras"
    motion = "still" if rig.is_static else f"{rig.frames} frames"
    return f"{file}\n{FORMATS[format].NAME}: {cameras}, {motion}"


NODES = (
    SynCamLoadRig,
    SynCamSaveRig,
)
