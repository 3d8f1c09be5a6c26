"""The node that puts view synchronization into a model."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ...syncam_core.cameras.encoding import CameraEncoding
from ...syncam_core.cameras.rig import MAX_VIEWS
from ...syncam_core.view_sync.control import STRONGEST, ViewControl
from ...syncam_core.view_sync.coupling import COUPLINGS
from ...syncam_core.view_sync.settings import Settings
from ..host.view_sync_patch import apply_view_sync
from ..host.weights_kinds import VIEW_SYNC, check_kind, refuse_bare_recapture
from ..shared.inputs import memory_input, percent_input
from ..shared.node import SynCamNode
from ..shared.socket_types import CamerasType, ControlType, WeightsType


class SynCamApply(SynCamNode):
    @classmethod
    def define_schema(cls):
        couplings = " ".join(f"{name}: {coupling.words}." for name, coupling in COUPLINGS.items())
        sized = " and ".join(name for name, coupling in COUPLINGS.items() if coupling.sized)
        return io.Schema(
            node_id="SynCamApply",
            display_name="SynCam Apply",
            category="SynCam",
            description=(
                "Synchronizes the views of a Wan2.1 text-to-video model: every video of the latent batch is filmed by "
                "one camera of the rig, at the same moment. Works with the stock samplers as well; LoRAs, shift and "
                "other patches may stand before or after it."
            ),
            search_aliases=[
                "syncammaster",
                "multi camera",
                "multi view",
                "wan camera",
                "camera control",
                "multicam",
                "wan multi view",
            ],
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
                percent_input("start_percent", 0.0, "Share of the sampling after which synchronization begins."),
                percent_input("end_percent", 1.0, "Share of the sampling after which synchronization ends."),
                # Optional, so that jobs from before they were there still run.
                io.Combo.Input(
                    "coupling",
                    options=list(COUPLINGS),
                    default="joint",
                    optional=True,
                    tooltip=f"Which views look at each other. {couplings} With two views all are the same.",
                ),
                io.Int.Input(
                    "group_size",
                    default=2,
                    min=2,
                    max=MAX_VIEWS,
                    optional=True,
                    tooltip=f"Views in a group of {sized}; the others do without.",
                ),
                memory_input(optional=True),
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
        model: ModelPatcher,
        weights: ModelPatcher,
        cameras: CameraEncoding,
        strength: float = 1.0,
        start_percent: float = 0.0,
        end_percent: float = 1.0,
        coupling: str = "joint",
        group_size: int = 2,
        memory: str = "auto",
        control: ViewControl | None = None,
    ) -> io.NodeOutput:
        refuse_bare_recapture(model)
        check_kind(weights, VIEW_SYNC)
        settings = Settings(strength, start_percent, end_percent, coupling, group_size, memory, control)
        return io.NodeOutput(apply_view_sync(model, weights, cameras, settings))


NODES = (SynCamApply,)
