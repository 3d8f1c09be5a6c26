"""The node that parts the views of a sampling over the devices of the machine."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ...syncam_core.parallel.plan import SPLITS
from ..host.parallel import in_parallel
from ..shared.node import SynCamNode

MOST_DEVICES = 64


class SynCamViewParallel(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamViewParallel",
            display_name="SynCam View Parallel",
            category="SynCam",
            description=(
                "Parts the views of one sampling over the GPUs of this machine: each works on its own views, and hands "
                "the others what they need where views look at each other. The result is that of one GPU. May stand "
                "before or after SynCam Apply and other patches; every GPU holds the whole model."
            ),
            search_aliases=[
                "multi gpu",
                "several gpus",
                "two gpus",
                "multi-gpu views",
                "parallel sampling",
                "tensor parallel",
            ],
            inputs=[
                io.Model.Input("model", tooltip="From Load Diffusion Model, SynCam Apply, or any patch behind them."),
                io.Int.Input(
                    "devices",
                    default=0,
                    min=0,
                    max=MOST_DEVICES,
                    tooltip="How many GPUs work on it; 0 is all of this machine. With one, everything is as without "
                    "this node.",
                ),
                io.Combo.Input(
                    "split",
                    options=list(SPLITS),
                    default="auto",
                    tooltip=" ".join(f"{name}: {words}." for name, words in SPLITS.items()),
                ),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="For SynCam Sampler or any other sampler.")],
        )

    @classmethod
    def execute(cls, model: ModelPatcher, devices: int = 0, split: str = "auto") -> io.NodeOutput:
        return io.NodeOutput(in_parallel(model, devices, split))


NODES = (SynCamViewParallel,)
