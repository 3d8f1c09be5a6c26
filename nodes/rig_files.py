"""The node that writes a rig into a camera file."""

from __future__ import annotations

import os

from comfy_api.latest import io, ui

from ..syncam_core.formats import FORMATS, file_name, write_rig_file
from ..syncam_core.video import staged_files
from .sentences import sentences_of, verdict
from .sockets import RigType
from .views import disk_sentences, normal_prefix, output_place, saved


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


NODES = (SynCamSaveRig,)
