"""The multi-camera edit: cut lists, automatic cuts, and their export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import comfy.model_management
import comfy.utils
import numpy as np
from comfy_api.latest import Input, io, ui
from torch import Tensor

from ...syncam_core.cameras import Rig
from ...syncam_core.disk.names import free_stem
from ...syncam_core.disk.staged import staged_files
from ...syncam_core.errors import UserError
from ...syncam_core.video import frame_rate
from ...syncam_core.video.auto_cut import (
    EVERY,
    METHODS,
    MOTION,
    cuts_by_motion,
    cuts_every,
    cuts_in_shares,
    motion_of,
    order_of,
)
from ...syncam_core.video.clip import BITS_8, Clip
from ...syncam_core.video.cut_list import entries_of, text_of
from ...syncam_core.video.edit import Edit, edit_of, edited
from ...syncam_core.video.edit_files import ALL, CHOICES, OTIO_AND_EDL, edit_texts
from ...syncam_core.video.edit_media import file_stem
from ...syncam_core.video.view_files import SavedViews, first_of
from ..host.output_files import disk_sentences
from ..host.sound import as_audio, heard
from ..host.video import clips_of, film_out
from ..shared.checks import names_and_colors
from ..shared.errors import refusal
from ..shared.inputs import audio_input, film_outputs, footage_input, fps_input, rig_input
from ..shared.node import SynCamNode
from ..shared.socket_types import EditType, FilesType

LONGEST_SHOT = 10_000


class SynCamEdit(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamEdit",
            display_name="SynCam Edit",
            category="SynCam/Footage",
            description=(
                "Cuts the views into one film: a list says which camera is seen from when. All cameras filmed the same "
                "moment, so frame 24 of the film is frame 24 of the camera that is on screen."
            ),
            search_aliases=["multicam", "multi camera edit", "cut list", "switch cameras", "cross-fade", "edl"],
            is_input_list=True,
            inputs=[
                footage_input(),
                io.String.Input(
                    "cuts",
                    default="0 A; 12 B; 24 A",
                    multiline=True,
                    tooltip=(
                        "One entry for each cut, separated by ';' or new lines: a time and a camera, like '24 B'. Times "
                        "are frames (24), seconds (1.5s) or timecode (00:00:01:09); cameras are letters (A is the first "
                        "view), numbers from 1, or names (\"left, high\"). '~6' behind an entry makes a cross-fade of 6 "
                        "frames. Empty: the first view from beginning to end."
                    ),
                ),
                fps_input("Frames per second of the film; seconds and timecode in the list count by it."),
                io.Boolean.Input(
                    "timecode",
                    default=False,
                    tooltip="Write the time into the picture, as hours:minutes:seconds:frames.",
                ),
                rig_input(),
                audio_input(
                    "The film's video carries it. Without it, VIDEOs among the views bring their own, and the first one is heard."
                ),
            ],
            outputs=[
                *film_outputs(),
                EditType.Output(display_name="edit", tooltip="The edit itself, for SynCam Save Edit."),
                io.String.Output(
                    display_name="cuts", tooltip="The cut list in its plainest form: frame numbers, letters, one line."
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, cuts: list[str | None]) -> bool | str:
        return refusal("SynCamEdit", entries_of, cuts, str)

    @classmethod
    def execute(
        cls,
        views: list[Tensor | Input.Video],
        cuts: list[str],
        fps: list[float],
        timecode: list[bool],
        rig: list[Rig] | None = None,
        audio: Sequence[Mapping[str, object] | None] = (None,),
    ) -> io.NodeOutput:
        rate = frame_rate(fps[0])
        names, _ = names_and_colors(rig, len(views))
        clips = clips_of(views, names)
        edit = edit_of(cuts[0], len(clips[0]), rate, names)
        sounds, remarks = heard(audio[0], views, names, edit.frames, rate)
        film = film_out(edited(clips, edit, timecode[0]), rate, as_audio(first_of(sounds)))
        return io.NodeOutput(*film, edit, edit.text, ui={"remarks": remarks} if remarks else None)


class SynCamAutoCut(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamAutoCut",
            display_name="SynCam Auto Cut",
            category="SynCam/Footage",
            description=(
                "Writes a cut list for SynCam Edit by itself: the next view every so many frames, each view once for an "
                "equal share, or always to the view in which most moves."
            ),
            search_aliases=["automatic cut", "auto edit", "multicam", "switch on motion"],
            is_input_list=True,
            inputs=[
                footage_input(),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default=EVERY,
                    tooltip=(
                        "'every n frames': the next view after every shot_length frames, from the beginning again after "
                        "the last. 'round robin': each view once, in equal shares of the film. 'most motion': the cuts "
                        "by which most movement is seen, with no shot shorter than shot_length."
                    ),
                ),
                io.Int.Input(
                    "shot_length",
                    default=12,
                    min=1,
                    max=LONGEST_SHOT,
                    tooltip="Frames of a shot; with 'most motion' the shortest that a shot may be. Not for round robin.",
                ),
                io.String.Input(
                    "order",
                    default="",
                    tooltip=(
                        "Which views to use, and in which order: 'A, C, A, B', by letters, numbers or names. Empty: all, "
                        "in their order. With 'most motion' only which ones."
                    ),
                ),
                rig_input(),
            ],
            outputs=[
                io.String.Output(
                    display_name="cuts", tooltip="The cut list, for SynCam Edit, or to copy there and change by hand."
                )
            ],
        )

    @classmethod
    def execute(
        cls,
        views: list[Tensor | Input.Video],
        method: list[str],
        shot_length: list[int],
        order: list[str],
        rig: list[Rig] | None = None,
    ) -> io.NodeOutput:
        names, _ = names_and_colors(rig, len(views))
        clips, wanted = clips_of(views, names, BITS_8), order_of(order[0], names)
        frames = len(clips[0])
        if method[0] == MOTION:
            cuts = cuts_by_motion(motion_in(clips), shot_length[0], wanted)
        elif method[0] == EVERY:
            cuts = cuts_every(frames, shot_length[0], wanted)
        else:
            cuts = cuts_in_shares(frames, wanted)
        return io.NodeOutput(text_of(cuts, names))


class SynCamSaveEdit(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamSaveEdit",
            display_name="SynCam Save Edit",
            category="SynCam/Footage",
            description=(
                "Saves the edit for editing programs, beside the view files it refers to: as OpenTimelineIO (.otio), CMX "
                "3600 edit decision list (.edl), Final Cut Pro 7 XML (.xml), FCPXML (.fcpxml) and MLT XML (.mlt), with a "
                "track or an angle of one multicam clip for each camera, and the cuts."
            ),
            search_aliases=[
                "opentimelineio",
                "otio",
                "edl",
                "cmx 3600",
                "premiere",
                "resolve",
                "export edit",
                "davinci",
                "davinci resolve",
                "final cut",
                "avid",
                "timeline export",
                "fcpxml",
                "xmeml",
                "kdenlive",
                "shotcut",
                "mlt",
                "multicam clip",
            ],
            is_output_node=True,
            inputs=[
                EditType.Input("edit", tooltip="From SynCam Edit."),
                FilesType.Input(
                    "files",
                    tooltip="The saved views that were cut: from SynCam Save Views or SynCam Render Views.",
                ),
                # Optional, so that jobs from before there was a choice still run, and save what they saved.
                io.Combo.Input(
                    "formats",
                    options=list(CHOICES),
                    default=ALL,
                    optional=True,
                    tooltip=(
                        "Which files to write. DaVinci Resolve reads otio, edl, fcp7 xml and fcpxml; Premiere Pro fcp7 "
                        "xml and edl; Final Cut Pro fcpxml; Kdenlive otio (25.04 and later) and mlt as a clip; Shotcut "
                        "mlt."
                    ),
                ),
            ],
            outputs=[
                io.String.Output(
                    display_name="paths", tooltip="The full path of each file that was saved, one per line."
                )
            ],
        )

    @classmethod
    def execute(cls, edit: Edit, files: SavedViews, formats: str = OTIO_AND_EDL) -> io.NodeOutput:
        check_files_are_there(files)
        texts, note = edit_texts(edit, files, formats)
        with disk_sentences(str(files.folder)):
            stem = free_stem(files.folder, f"{file_stem(files)}_edit")
            with staged_files(files.folder) as stage:
                for suffix, text in texts.items():
                    (stage / f"{stem}{suffix}").write_text(text, encoding="utf-8", newline="\n")
        names = [f"{stem}{suffix}" for suffix in texts]
        words = "\n".join([*(f"{files.subfolder}/{name}".lstrip("/") for name in names), *note])
        # web/js/node_words.js shows the words on the node.
        shown = {
            "saved": [words],
            "files": [ui.SavedResult(name, files.subfolder, io.FolderType(files.kind)) for name in names],
        }
        return io.NodeOutput("\n".join(str(files.folder / name) for name in names), ui=shown)


def motion_in(clips: list[Clip]) -> np.ndarray:  # (views, frames)
    """How much moves in each frame of each view; the interrupt button works between any two frames."""
    progress = comfy.utils.ProgressBar(len(clips) * len(clips[0]))
    rows = []
    for clip in clips:
        row = []
        for moved in motion_of(clip):
            comfy.model_management.throw_exception_if_processing_interrupted()
            row.append(moved)
            progress.update(1)
        rows.append(row)
    return np.array(rows, np.int64)


def check_files_are_there(files: SavedViews) -> None:
    missing = [file for file in files.files if not (files.folder / file).is_file()]
    if missing:
        raise UserError(
            f"'files' names {missing[0]}, which is not in {files.folder} any more; save the views again, by another "
            "filename_prefix or by running SynCam Save Views once more.",
            field="files",
        )


NODES = (SynCamEdit, SynCamAutoCut, SynCamSaveEdit)
