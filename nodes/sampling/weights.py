"""Nodes that load and convert weights."""

from __future__ import annotations

import os
import re
from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths
from comfy_api.latest import io, ui

from ...syncam_core.disk.checkpoint import WeightsError
from ...syncam_core.disk.module_file import FLOAT_DTYPES
from ...syncam_core.errors import UserError
from ..host.model_folder import FOLDER
from ..host.weights_kinds import RECAPTURE, VIEW_SYNC, kind_of, load_weights
from ..shared.node import SynCamNode
from ..shared.socket_types import WeightsType


class SynCamLoadWeights(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamLoadWeights",
            display_name="SynCam Load Weights",
            category="SynCam",
            description=(
                "Loads the weights of SynCamMaster (synchronized views) or ReCamMaster (a video filmed again): the authors' "
                "checkpoint step20000.ckpt, or the small .safetensors file that SynCam Convert Weights makes from it. "
                "Put them into models/syncam."
            ),
            search_aliases=["syncammaster", "multi view weights"],
            inputs=[
                io.Combo.Input(
                    "weights_name",
                    options=folder_paths.get_filename_list(FOLDER),
                    tooltip="A file in models/syncam. What it holds is told from its keys, not from its name.",
                )
            ],
            outputs=[
                WeightsType.Output(display_name="weights", tooltip="Goes into SynCam Apply, or SynCam ReCam Apply.")
            ],
        )

    @classmethod
    def validate_inputs(cls, weights_name: str | None) -> bool | str:
        # Naming the input replaces the host's own check, whose message does not say where files go.
        known = weights_name is None or weights_name in folder_paths.get_filename_list(FOLDER)
        return known or f"{cls.node_id}: {unknown_weights(weights_name)}"

    @classmethod
    def fingerprint_inputs(cls, weights_name: str) -> str:
        status = os.stat(folder_paths.get_full_path_or_raise(FOLDER, weights_name))
        return f"{weights_name} {status.st_size} {status.st_mtime_ns}"

    @classmethod
    def execute(cls, weights_name: str | None) -> io.NodeOutput:
        path = weights_name and folder_paths.get_full_path(FOLDER, weights_name)
        if not path:
            raise UserError(unknown_weights(weights_name))
        try:
            return io.NodeOutput(load_weights(path))
        except UserError as problem:
            raise problem.told(f"in 'weights_name', {problem}", field="weights_name") from problem


class SynCamConvertWeights(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamConvertWeights",
            display_name="SynCam Convert Weights",
            category="SynCam",
            description=(
                "Writes what matters of the authors' 3 to 7 GB checkpoint, of either model, into a 0.7 GB .safetensors file in "
                "models/syncam, once. It loads faster and opens without a pickle."
            ),
            inputs=[
                io.Combo.Input(
                    "weights_name",
                    options=folder_paths.get_filename_list(FOLDER),
                    tooltip="The authors' checkpoint in models/syncam.",
                ),
                io.String.Input(
                    "file_name",
                    default=VIEW_SYNC.small_file,
                    tooltip="Name of the new file in models/syncam. An existing file is never overwritten. Left as it is, "
                    f"ReCamMaster's weights get {RECAPTURE.small_file}.",
                ),
                io.Combo.Input(
                    "dtype",
                    options=["keep", *FLOAT_DTYPES],
                    default="bf16",
                    tooltip="bf16 is what the authors' inference runs in; keep stores each tensor as it is.",
                ),
            ],
            outputs=[io.String.Output(display_name="file_name", tooltip="Choose it in SynCam Load Weights.")],
            is_output_node=True,
        )

    @classmethod
    def validate_inputs(cls, file_name: str | None) -> bool | str:
        return cls.judged(check_file_name, file_name)

    @classmethod
    def execute(cls, weights_name: str, file_name: str, dtype: str) -> io.NodeOutput:
        check_file_name(file_name)
        source = folder_paths.get_full_path_or_raise(FOLDER, weights_name)
        bar = comfy.utils.ProgressBar(100)

        def progress(done: int, total: int) -> None:
            bar.update_absolute(100 * done // total, 100)
            comfy.model_management.throw_exception_if_processing_interrupted()

        try:
            kind = kind_of(source)
            file_name = kind.small_file if file_name == VIEW_SYNC.small_file else file_name
            target = Path(folder_paths.get_folder_paths(FOLDER)[0]) / file_name
            written = kind.convert(source, target, dtype, progress=progress)
        except WeightsError as problem:
            raise UserError(f"in 'weights_name', {problem}", field="weights_name") from problem
        except (UserError, OSError) as problem:
            raise UserError(f"in 'file_name', {problem}", field="file_name") from problem
        megabytes = target.stat().st_size / 1e6
        report = (
            f"{file_name}: {len(written.tensors)} tensors, {written.depth} blocks of {written.dim}, {megabytes:.0f} MB"
        )
        return io.NodeOutput(file_name, ui=ui.PreviewText(report))


def unknown_weights(weights_name: str | None) -> str:
    files = folder_paths.get_filename_list(FOLDER)
    if files:
        remedy = (
            f"but models/{FOLDER} holds {', '.join(files[:8])}{', ...' if len(files) > 8 else ''}; choose one of these"
        )
    else:
        remedy = f"but models/{FOLDER} holds no file; put SynCamMaster's checkpoint there"
    return f"'weights_name' is '{weights_name}', {remedy}."


def check_file_name(file_name: str | None) -> None:
    """Raise UserError unless ``file_name`` is the plain name of a safetensors file (a link is None)."""
    if file_name is None or (file_name.endswith(".safetensors") and re.fullmatch(r"[^/\\:\x00-\x1f]+", file_name)):
        return
    raise UserError(
        f"'file_name' is '{file_name}'; give a plain name ending in .safetensors, without folders.",
        field="file_name",
    )


NODES = (
    SynCamLoadWeights,
    SynCamConvertWeights,
)
