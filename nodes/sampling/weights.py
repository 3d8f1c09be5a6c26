"""Nodes that load, convert and apply view-sync weights."""

from __future__ import annotations

import os
import re
from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths
from comfy_api.latest import io, ui

from ...syncam_core.cameras.rig import MAX_VIEWS
from ...syncam_core.errors import UserError
from ...syncam_core.view_sync.control import STRONGEST
from ...syncam_core.view_sync.convert import convert
from ...syncam_core.view_sync.coupling import COUPLINGS
from ...syncam_core.view_sync.weights import FLOAT_DTYPES, WeightsError
from ..host.model_folder import FOLDER
from ..host.view_sync_patch import MEMORY_CHOICES, apply_view_sync, load_view_sync
from ..shared.errors import sentences_of, verdict
from ..shared.socket_types import CamerasType, ControlType, WeightsType


class SynCamLoadWeights(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamLoadWeights",
            display_name="SynCam Load Weights",
            category="SynCam",
            description=(
                "Loads the view-sync weights of SynCamMaster: the authors' checkpoint step20000.ckpt, or the small "
                ".safetensors file that SynCam Convert Weights makes from it. Put them into models/syncam."
            ),
            search_aliases=["syncammaster", "multi view weights"],
            inputs=[
                io.Combo.Input(
                    "weights_name",
                    options=folder_paths.get_filename_list(FOLDER),
                    tooltip="A file in models/syncam. What it holds is told from its keys, not from its name.",
                )
            ],
            outputs=[WeightsType.Output(display_name="weights", tooltip="Goes into SynCam Apply.")],
        )

    @classmethod
    def validate_inputs(cls, weights_name):
        # Naming the input replaces the host's own check, whose message does not say where files go.
        known = weights_name is None or weights_name in folder_paths.get_filename_list(FOLDER)
        return known or unknown_weights(weights_name)

    @classmethod
    def fingerprint_inputs(cls, weights_name):
        status = os.stat(folder_paths.get_full_path_or_raise(FOLDER, weights_name))
        return f"{weights_name} {status.st_size} {status.st_mtime_ns}"

    @classmethod
    def execute(cls, weights_name) -> io.NodeOutput:
        path = weights_name and folder_paths.get_full_path(FOLDER, weights_name)
        if not path:
            raise UserError(unknown_weights(weights_name))
        try:
            return io.NodeOutput(load_view_sync(path))
        except UserError as problem:
            raise problem.told(f"SynCamLoadWeights: in 'weights_name', {problem}", field="weights_name") from problem


class SynCamConvertWeights(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamConvertWeights",
            display_name="SynCam Convert Weights",
            category="SynCam",
            description=(
                "Writes the view-sync tensors of the authors' 3.5 GB checkpoint into a 0.7 GB .safetensors file in "
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
                    default="syncammaster_wan2.1_1.3b_bf16.safetensors",
                    tooltip="Name of the new file in models/syncam. An existing file is never overwritten.",
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
    def validate_inputs(cls, file_name):
        return verdict(check_file_name, file_name)

    @classmethod
    def execute(cls, weights_name, file_name, dtype) -> io.NodeOutput:
        check_file_name(file_name)
        source = folder_paths.get_full_path_or_raise(FOLDER, weights_name)
        target = Path(folder_paths.get_folder_paths(FOLDER)[0]) / file_name
        bar = comfy.utils.ProgressBar(100)

        def progress(done: int, total: int) -> None:
            bar.update_absolute(100 * done // total, 100)
            comfy.model_management.throw_exception_if_processing_interrupted()

        with sentences_of("SynCamConvertWeights"):
            try:
                written = convert(source, target, dtype, progress=progress)
            except WeightsError as problem:
                raise UserError(f"in 'weights_name', {problem}", field="weights_name") from problem
            except (UserError, OSError) as problem:
                raise UserError(f"in 'file_name', {problem}", field="file_name") from problem
        megabytes = target.stat().st_size / 1e6
        report = (
            f"{file_name}: {len(written.tensors)} tensors, {written.depth} blocks of {written.dim}, {megabytes:.0f} MB"
        )
        return io.NodeOutput(file_name, ui=ui.PreviewText(report))


class SynCamApply(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamApply",
            display_name="SynCam Apply",
            category="SynCam",
            description=(
                "Synchronizes the views of a Wan2.1 text-to-video model: every video of the latent batch is filmed by "
                "one camera of the rig, at the same moment. Works with the stock samplers as well; LoRAs, shift and "
                "other patches may stand before or after it."
            ),
            search_aliases=["syncammaster", "multi camera", "multi view"],
            inputs=[
                io.Model.Input("model", tooltip="Wan2.1 T2V 1.3B, with any LoRA."),
                WeightsType.Input("weights", tooltip="From SynCam Load Weights."),
                CamerasType.Input("cameras", tooltip="From SynCam Encode Cameras. View 0 is the reference."),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=STRONGEST,
                    step=0.01,
                    tooltip="How strongly the views are tied together. 1 is as trained, 0 is the plain model.",
                ),
                io.Float.Input(
                    "start_percent",
                    default=0.0,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    tooltip="Share of the sampling after which synchronization begins.",
                ),
                io.Float.Input(
                    "end_percent",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.001,
                    tooltip="Share of the sampling after which synchronization ends.",
                ),
                # Optional, so that jobs from before they were there still run.
                io.Combo.Input(
                    "coupling",
                    options=list(COUPLINGS),
                    default="joint",
                    optional=True,
                    tooltip="Which views look at each other. joint: all at once, as in the paper. anchor: each with the "
                    "reference view, in the pairs that the released weights were trained on. nearest: each with its "
                    "nearest cameras. routed: groups that change at every step. With two views all are the same.",
                ),
                io.Int.Input(
                    "group_size",
                    default=2,
                    min=2,
                    max=MAX_VIEWS,
                    optional=True,
                    tooltip="Views in a group of nearest and routed; the others do without.",
                ),
                io.Combo.Input(
                    "memory",
                    options=list(MEMORY_CHOICES),
                    default="auto",
                    optional=True,
                    tooltip="auto: in pieces that cost no time, smaller ones where memory is short. low: the smallest "
                    "pieces. whole: no pieces. The result is the same.",
                ),
                ControlType.Input(
                    "control",
                    optional=True,
                    tooltip="From SynCam View Control: strength and range of each view, and which blocks synchronize.",
                ),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="Sample a latent with one batch item per view.")],
        )

    @classmethod
    def execute(
        cls,
        model,
        weights,
        cameras,
        strength=1.0,
        start_percent=0.0,
        end_percent=1.0,
        coupling="joint",
        group_size=2,
        memory="auto",
        control=None,
    ) -> io.NodeOutput:
        for name, value, largest in (
            ("strength", strength, STRONGEST),
            ("start_percent", start_percent, 1.0),
            ("end_percent", end_percent, 1.0),
        ):
            # Linked values bypass the limits of the widgets, and NaN passes them.
            if not 0 <= value <= largest:
                raise UserError(f"SynCamApply: '{name}' is {value}; give a number from 0 to {largest:g}.", field=name)
        if start_percent > end_percent:
            raise UserError(
                f"SynCamApply: 'start_percent' is {start_percent}, after 'end_percent' {end_percent}; "
                "set it to a smaller number.",
                field="start_percent",
            )
        for name, value, choices in (("coupling", coupling, COUPLINGS), ("memory", memory, MEMORY_CHOICES)):
            if value not in choices:
                raise UserError(f"SynCamApply: '{name}' is '{value}'; choose {', '.join(choices)}.", field=name)
        if not 2 <= group_size <= MAX_VIEWS:
            raise UserError(
                f"SynCamApply: 'group_size' is {group_size}; give a number from 2 to {MAX_VIEWS}.", field="group_size"
            )
        return io.NodeOutput(
            apply_view_sync(
                model,
                weights,
                cameras.poses,
                strength,
                start_percent,
                end_percent,
                coupling,
                group_size,
                memory,
                control,
                getattr(cameras, "names", ()),  # results of earlier versions have none
                getattr(cameras, "colors", ()),
            )
        )


def unknown_weights(weights_name: str) -> str:
    files = folder_paths.get_filename_list(FOLDER)
    if files:
        remedy = (
            f"but models/{FOLDER} holds {', '.join(files[:8])}{', ...' if len(files) > 8 else ''}; choose one of these"
        )
    else:
        remedy = f"but models/{FOLDER} holds no file; put SynCamMaster's checkpoint there"
    return f"SynCamLoadWeights: 'weights_name' is '{weights_name}', {remedy}."


def check_file_name(file_name: str | None) -> None:
    """Raise UserError unless ``file_name`` is the plain name of a safetensors file (a link is None)."""
    if file_name is None or (file_name.endswith(".safetensors") and re.fullmatch(r"[^/\\:\x00-\x1f]+", file_name)):
        return
    raise UserError(
        f"SynCamConvertWeights: 'file_name' is '{file_name}'; give a plain name ending in .safetensors, without folders.",
        field="file_name",
    )


NODES = (
    SynCamLoadWeights,
    SynCamConvertWeights,
    SynCamApply,
)
