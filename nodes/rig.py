"""Nodes that make a rig: from angles, from JSON, from a camera file."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths
from comfy_api.latest import io

from ..syncam_core.cameras import orbit_rig, parse_numbers, rig_from_json
from ..syncam_core.formats import FORMATS, format_of, read_rig_file, video_tag
from .sentences import sentences_of, verdict
from .sockets import RigType

TWO_CAMERAS = """{
  "format": "syncam-rig",
  "version": 1,
  "cameras": [
    {"name": "front", "azimuth": 0, "elevation": 0, "distance": 3.0},
    {"name": "right", "azimuth": 30, "elevation": 10, "distance": 3.0}
  ]
}
"""


class SynCamRigOrbit(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigOrbit",
            display_name="SynCam Orbit Rig",
            category="SynCam",
            description=(
                "Still cameras around one point, each given by its angles and distance. The first camera is view 0, "
                "the reference of all others. The released weights know pairs within 30 degrees of azimuth and 15 of "
                "elevation."
            ),
            search_aliases=["syncammaster cameras", "multi view cameras", "orbit camera", "camera rig"],
            inputs=[
                io.String.Input(
                    "azimuths",
                    default="0, 30",
                    tooltip="Degrees to the right around the subject, one number for each camera: '0, 30'. "
                    "0 stands in front of it. Separate by commas, semicolons or blanks.",
                ),
                io.String.Input(
                    "elevations",
                    default="0",
                    tooltip="Degrees upwards, -90 to 90: one number for all cameras, or one for each.",
                ),
                io.String.Input(
                    "distances",
                    default="3.0",
                    tooltip="Metres to the subject: one number for all cameras, or one for each. "
                    "The authors' example cameras stand 3 to 5 m away.",
                ),
            ],
            outputs=[RigType.Output(display_name="rig", tooltip="The cameras. Goes into SynCam Encode Cameras.")],
        )

    @classmethod
    def validate_inputs(cls, azimuths=None):
        # The host repeats the sentence for every input named here, so one is; the others are judged when it runs.
        return verdict(cls.rig, azimuths, "0", "1") if isinstance(azimuths, str) else True

    @classmethod
    def execute(cls, azimuths, elevations, distances) -> io.NodeOutput:
        return io.NodeOutput(cls.rig(azimuths, elevations, distances))

    @classmethod
    def rig(cls, azimuths, elevations, distances):
        with sentences_of("SynCamRigOrbit"):
            return orbit_rig(
                parse_numbers(azimuths, "azimuths"),
                parse_numbers(elevations, "elevations"),
                parse_numbers(distances, "distances"),
            )


class SynCamRigJSON(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamRigJSON",
            display_name="SynCam Rig from JSON",
            category="SynCam",
            description=(
                "Cameras written as JSON: by azimuth, elevation and distance, or as matrices, still or moving. "
                "The help page shows every key."
            ),
            search_aliases=["syncammaster cameras", "camera json", "camera rig", "camera matrix"],
            inputs=[
                io.String.Input(
                    "rig_json",
                    default=TWO_CAMERAS,
                    multiline=True,
                    dynamic_prompts=False,
                    tooltip="A rig JSON, version 1: degrees and metres; matrices are camera-to-world in OpenCV axes.",
                )
            ],
            outputs=[RigType.Output(display_name="rig", tooltip="The cameras. Goes into SynCam Encode Cameras.")],
        )

    @classmethod
    def validate_inputs(cls, rig_json=None):
        return verdict(cls.rig, rig_json) if isinstance(rig_json, str) else True

    @classmethod
    def execute(cls, rig_json) -> io.NodeOutput:
        return io.NodeOutput(cls.rig(rig_json))

    @classmethod
    def rig(cls, rig_json):
        with sentences_of("SynCamRigJSON"):
            try:
                return rig_from_json(rig_json)
            except ValueError as problem:
                raise ValueError(f"in 'rig_json', {problem}") from problem


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


def camera_files() -> list[str]:
    """The camera files and folders of the input folder and of the folders directly below it, with forward slashes."""
    root = Path(folder_paths.get_input_directory())
    found = []
    for entry in _entries(root):
        offered = _is_camera_file(entry)
        found += [entry.name] * offered
        for below in _entries(Path(entry.path)) if entry.is_dir() else ():
            # A folder within a model, "sparse", is the same model again.
            if not (offered and below.is_dir()) and _is_camera_file(below):
                found.append(f"{entry.name}/{below.name}")
    return sorted(found)


def _entries(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError:  # a folder that is missing or may not be read has no files to offer
        return []


def _is_camera_file(entry: os.DirEntry) -> bool:
    """Texts and folders are looked into: an input folder has many that hold something else."""
    suffix = os.path.splitext(entry.name)[1].lower()
    if suffix in (".json", ".chan"):
        return entry.is_file()
    if suffix in video_tag.SUFFIXES:
        return entry.is_file() and video_tag.has_rig(Path(entry.path))
    return (entry.is_dir() or (suffix == ".txt" and entry.is_file())) and format_of(entry.path) is not None


def file_state(path: str) -> str:
    """A text that changes when a file does; of a folder, when one of its files does, down to sparse/0."""
    places = [path, *(os.path.join(path, place) for place in ("sparse", "0", "sparse/0", "colmap/sparse/0"))]
    below = [entry for place in places if os.path.isdir(place) for entry in _entries(Path(place)) if entry.is_file()]
    states = [(str(file), os.stat(file)) for file in sorted([path, *(entry.path for entry in below)])]
    return str([(name, status.st_mtime_ns, status.st_size) for name, status in states])


def input_path(file: str) -> str:
    """The path of a file, or of a folder of cameras, that a widget or an API user names, inside the host's folders.

    Raises ValueError for a name that leads out of them, and for one that does not exist.
    """
    if not file or not isinstance(file, str):
        raise ValueError("'file' names no file; put a camera file into the input folder and choose it.")
    name, folder = folder_paths.annotated_filepath(file)
    folder = os.path.realpath(folder or folder_paths.get_input_directory())
    try:
        path = os.path.realpath(os.path.join(folder, name))
        inside = os.path.commonpath([folder, path]) == folder
    except ValueError:  # a null byte, or another drive
        inside = False
    if not inside:
        raise ValueError(f"'file' is {file[:200]!r}, which leads out of the input folder; give a path relative to it.")
    if not os.path.isfile(path) and not (os.path.isdir(path) and format_of(path)):
        offer = ", ".join(camera_files()[:8])
        instead = f"choose one of: {offer}" if offer else "put a camera file there (.json, .txt, .chan, COLMAP folder)"
        what = (
            "no such file" if not os.path.isdir(path) else "no such file, and the folder of this name holds no cameras,"
        )
        raise ValueError(f"'file' is {file[:200]!r}, but there is {what} in the input folder; {instead}.")
    return path


NODES = (SynCamRigOrbit, SynCamRigJSON, SynCamLoadRig)
