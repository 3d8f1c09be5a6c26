"""A toy model in the real file formats, trained on a procedural world, small enough for any CPU."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import comfy.latent_formats
import comfy.sd
import comfy.sd1_clip
import comfy.text_encoders.t5
import comfy.utils
import torch
import torch.nn.functional as F
from comfy_api.latest import io
from torch import Tensor

from ...syncam_core.cameras.builders import ring_rig
from ...syncam_core.errors import UserError
from ...syncam_core.synthetic import Scene, render
from ...syncam_core.synthetic.scene import VOCABULARY
from ...syncam_core.synthetic.text import END, FIRST_WORD, PAD, TEXT_DIM, TOKENS, token_ids
from ..host.weights_kinds import load_recapture, load_view_sync
from ..shared.node import SynCamNode
from ..shared.socket_types import WeightsType

FOLDER = Path(__file__).resolve().parents[2] / "demo_model"
PARTS = ("base", "view_sync", "vae", "text_encoder", "recapture")
FILES = {part: FOLDER / f"syncam_demo_{part}.safetensors" for part in PARTS}
TEXT = {
    "d_model": TEXT_DIM,
    "d_ff": 64,
    "d_kv": 16,
    "num_heads": 4,
    "num_layers": 1,
    "vocab_size": FIRST_WORD + len(VOCABULARY),
    "dense_act_fn": "gelu_pytorch_tanh",
    "is_gated_act": True,
    "model_type": "umt5",
}


class SynCamDemoModel(SynCamNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamDemoModel",
            display_name="SynCam Demo Model",
            category="SynCam",
            description=(
                "A toy model of a toy world, in the real file formats: trained on a procedural world of "
                f"{len(VOCABULARY)} words at 64 x 64, 17 frames. It shows synchronized views in seconds on any CPU, "
                "without a download. It knows one subject on a floor with landmarks and nothing else; for real "
                "pictures load the Wan2.1 files. Camera 0 of any rig is taken to be at azimuth 0, elevation 20, 5 m."
            ),
            search_aliases=["syncammaster demo", "toy model", "tiny wan", "example model"],
            outputs=[
                io.Model.Output(display_name="model"),
                io.Clip.Output(display_name="clip"),
                io.Vae.Output(display_name="vae"),
                WeightsType.Output(display_name="weights"),
                WeightsType.Output(display_name="recapture", tooltip="Goes into SynCam ReCam Apply."),
            ],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        missing = [path.name for path in FILES.values() if not path.is_file()]
        if missing:
            raise UserError(
                f"{', '.join(missing)} is missing in the folder demo_model of ComfyUI-SynCam; "
                "install the node pack again."
            )
        vae_state, vae_metadata = comfy.utils.load_torch_file(str(FILES["vae"]), return_metadata=True)
        model = comfy.sd.load_diffusion_model(str(FILES["base"]))
        vae = comfy.sd.VAE(sd=vae_state, metadata=vae_metadata)
        model.model.latent_format = DemoLatents(vae)
        text_encoder = load_text_encoder(str(FILES["text_encoder"]))
        return io.NodeOutput(
            model, text_encoder, vae, load_view_sync(str(FILES["view_sync"])), load_recapture(str(FILES["recapture"]))
        )


class DemoLatents(comfy.latent_formats.Wan21):
    """Wan's latents with the colours of the demo's own autoencoder, by which live previews are drawn."""

    always_previewed = True  # costs nothing here, and shows what the preview of real weights is like

    def __init__(self, vae: comfy.sd.VAE):
        super().__init__()
        self.taesd_decoder_name = None
        clips = previewed_clips()
        latents = torch.cat([vae.encode(clip) for clip in clips]).float().cpu()
        latents = self.process_in(latents)
        # The host shows the first frame alone; each latent frame behind it stands for four, in other colours.
        self.latent_rgb_factors, self.latent_rgb_factors_bias = colors_of(latents[:, :, :1], clips[:, :1])
        self.later_rgb_factors, self.later_rgb_factors_bias = colors_of(latents[:, :, 1:], clips[:, 1:])


def previewed_clips() -> Tensor:  # (clips, 9 frames, 64, 64, 3) in 0..1
    """Clips of the toy world that together have all of its colours."""
    prompts = [
        f"a {color} {shape} {motion} on {floor} under a {sky} sky"
        for (color, shape), motion, (floor, sky) in zip(
            (("red", "ball"), ("green", "cube"), ("blue", "cone"), ("yellow", "pillar"), ("purple", "ball")),
            ("walking", "circling", "bouncing", "turning", "standing"),
            (("sand", "clear"), ("grass", "pink"), ("concrete", "clear"), ("sand", "pink"), ("grass", "clear")),
            strict=True,
        )
    ]
    rig, times_s = ring_rig(4, 20, 5), torch.arange(9) / 8
    return torch.cat([render(Scene.from_prompt(prompt), rig, 64, 64, times_s) for prompt in prompts])


def colors_of(latents: Tensor, clips: Tensor) -> tuple[list[list[float]], list[float]]:
    """The linear map from latents (n, channels, t, h, w) to the colours, in -1..1, of the frames that they stand for, by
    least squares: `clips` is (n, frames, height, width, 3) in 0..1, and `frames` a multiple of t."""
    times, height, width = latents.shape[-3:]
    wanted = F.adaptive_avg_pool3d(clips.movedim(-1, 1) * 2 - 1, (times, height, width))
    given, colors = (x.movedim(1, -1).flatten(0, -2).double() for x in (latents, wanted))
    found = torch.linalg.lstsq(F.pad(given, (0, 1), value=1.0), colors).solution
    return found[:-1].tolist(), found[-1].tolist()


class WordTokens:
    """Text as the words of the demo world, and the end token; words that it does not know are left out."""

    @classmethod
    def from_pretrained(cls, path, **kwargs):
        return cls()

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": token_ids(text)}

    def get_vocab(self) -> dict[str, int]:
        return {word: FIRST_WORD + index for index, word in enumerate(VOCABULARY)}


class DemoTokenizer(comfy.sd1_clip.SDTokenizer):
    def __init__(self, embedding_directory=None, tokenizer_data=None):
        super().__init__(
            pad_with_end=False,
            embedding_size=TEXT["d_model"],
            embedding_key="syncam_demo",
            tokenizer_class=WordTokens,
            has_start_token=False,
            pad_to_max_length=False,
            max_length=99999999,
            min_length=TOKENS,
            pad_token=PAD,
            tokenizer_data=tokenizer_data or {},
        )


class DemoPromptTokenizer(comfy.sd1_clip.SD1Tokenizer):
    def __init__(self, embedding_directory=None, tokenizer_data=None):
        super().__init__(embedding_directory, tokenizer_data or {}, clip_name="syncam_demo", tokenizer=DemoTokenizer)


class DemoTextEncoder(comfy.sd1_clip.SDClipModel):
    def __init__(self, device="cpu", layer="last", layer_idx=None, dtype=None, model_options=None):
        super().__init__(
            device=device,
            layer=layer,
            layer_idx=layer_idx,
            textmodel_json_config=dict(TEXT),
            dtype=dtype,
            special_tokens={"end": END, "pad": PAD},
            model_class=comfy.text_encoders.t5.T5,
            enable_attention_masks=True,
            zero_out_masked=True,
            model_options=model_options or {},
        )


class DemoPromptEncoder(comfy.sd1_clip.SD1ClipModel):
    def __init__(self, device="cpu", dtype=None, model_options=None):
        super().__init__(
            device=device,
            dtype=dtype,
            model_options=model_options or {},
            name="syncam_demo",
            clip_model=DemoTextEncoder,
        )


class DemoTarget:
    """What the host's CLIP takes: an encoder class, a tokenizer class and their parameters."""

    clip, tokenizer = DemoPromptEncoder, DemoPromptTokenizer
    params: ClassVar[dict[str, object]] = {}


def load_text_encoder(path: str) -> comfy.sd.CLIP:
    state = comfy.utils.load_torch_file(path, safe_load=True)
    return comfy.sd.CLIP(DemoTarget, state_dict=[state], parameters=sum(t.numel() for t in state.values()))


NODES = (SynCamDemoModel,)
