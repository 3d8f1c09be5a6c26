"""Control of single views: how far each is synchronized, and what its prompt says."""

from __future__ import annotations

import torch
from comfy.sd import CLIP
from comfy_api.latest import io

from ...syncam_core.cameras import CameraEncoding, TrajectoryEncoding
from ...syncam_core.errors import UserError
from ...syncam_core.view_sync.control import STRONGEST, view_control
from ...syncam_core.view_sync.prompts import prompts_of_views, stack_texts
from ..shared.node import SynCamNode
from ..shared.socket_types import CamerasType, ControlType, TrajectoriesType

PER_TOKEN = ("attention_mask",)  # of what an encoder says beside the embedding; Wan's says nothing


class SynCamViewControl(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamViewControl",
            display_name="SynCam View Control",
            category="SynCam",
            description=(
                "How strongly, when and in which blocks each view is synchronized. As it stands it changes nothing. A "
                "view that receives less is still seen by the others: strength 0 for one view makes the others follow "
                "it."
            ),
            search_aliases=["per view strength", "sync strength", "view schedule", "block range"],
            inputs=[
                io.String.Input(
                    "strengths",
                    default="1.0",
                    tooltip="How strongly a view is tied to the others, times the strength of SynCam Apply: one number "
                    f"for all views, or one for each: '1, 0.5'. 0 to {STRONGEST:g}; 1 is as trained.",
                ),
                io.String.Input(
                    "starts",
                    default="0",
                    tooltip="Share of the sampling after which a view begins to follow the others, 0 to 1: one number "
                    "for all views, or one for each.",
                ),
                io.String.Input(
                    "ends",
                    default="1",
                    tooltip="Share of the sampling after which a view no longer follows the others, 0 to 1: one number "
                    "for all views, or one for each.",
                ),
                io.String.Input(
                    "blocks",
                    default="",
                    tooltip="Blocks of the transformer in which views are synchronized: '0-9, 20'. Empty means all. "
                    "Wan2.1 1.3B has 30, numbered from 0.",
                ),
            ],
            outputs=[ControlType.Output(display_name="control", tooltip="Goes into SynCam Apply.")],
        )

    @classmethod
    def validate_inputs(cls, strengths: str | None = None) -> bool | str:
        # The host repeats the sentence for every input named here, so one is; the others are judged when it runs.
        return cls.judged(view_control, strengths, "0", "1", "") if isinstance(strengths, str) else True

    @classmethod
    def execute(cls, strengths: str, starts: str, ends: str, blocks: str) -> io.NodeOutput:
        return io.NodeOutput(view_control(strengths, starts, ends, blocks))


class SynCamViewPrompts(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamViewPrompts",
            display_name="SynCam View Prompts",
            category="SynCam",
            description=(
                "One prompt for all views, and a few words more for some of them: 'close-up of the hands' for the "
                "second camera. Also as a negative prompt. Without such words it is CLIP Text Encode. The released "
                "weights were trained with one prompt for all views."
            ),
            search_aliases=["per view prompt", "prompt suffix", "per view negative", "multi prompt"],
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoder of Wan2.1 (umT5), from Load CLIP."),
                io.String.Input(
                    "text",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="What all views show: what happens, not how it is filmed.",
                ),
                io.String.Input(
                    "suffixes",
                    default="",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="One line for each camera, put behind the text for its view alone; the first line is for "
                    "the reference. A blank line adds nothing.",
                ),
                io.MultiType.Input(
                    "cameras",
                    types=[CamerasType, TrajectoriesType],
                    tooltip="From SynCam Encode Cameras; says how many views there are. Or trajectories.",
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    display_name="conditioning",
                    tooltip="For 'positive' or 'negative' of a sampler behind SynCam Apply with the same cameras.",
                )
            ],
        )

    @classmethod
    def execute(
        cls, clip: CLIP | None, text: str, suffixes: str, cameras: CameraEncoding | TrajectoryEncoding
    ) -> io.NodeOutput:
        prompts = prompts_of_views(text, suffixes, cameras.views)
        if clip is None:
            raise UserError(
                "'clip' is empty, as the file that it was loaded from holds no text encoder; load Wan's with 'Load CLIP'.",
                field="clip",
            )
        encoded = {
            prompt: clip.encode_from_tokens_scheduled(clip.tokenize(prompt)) for prompt in dict.fromkeys(prompts)
        }
        if len(encoded) == 1:
            return io.NodeOutput(encoded[prompts[0]])
        return io.NodeOutput(one_row_per_view([encoded[prompt] for prompt in prompts]))


def one_row_per_view(conditionings: list[list]) -> list:
    """Conditionings of one prompt each as one conditioning whose batch is the views, in the same order.

    The host gives row i of such a batch to item i of the latent, in every chunk that it stacks.
    """
    return [
        [stack_texts([embedding for embedding, _ in entries]), together([extra for _, extra in entries])]
        for entries in zip(*conditionings, strict=True)  # one entry, or one for each step of a clip schedule
    ]


def together(extras: list[dict]) -> dict:
    """What an encoder says beside the embedding: pooled outputs and masks by view, all else from the first."""
    merged = dict(extras[0])
    for key, value in merged.items():
        if torch.is_tensor(value):
            rows = [extra[key] for extra in extras]
            merged[key] = stack_texts(rows) if key in PER_TOKEN else torch.cat(rows)
    return merged


NODES = (
    SynCamViewControl,
    SynCamViewPrompts,
)
