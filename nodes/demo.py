"""A toy model in the real file formats, small enough to run the whole pack on any CPU before any download.

Its weights are random: it shows that everything works together, and its pictures are noise.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import comfy.ldm.wan.model
import comfy.ldm.wan.vae
import comfy.model_management
import comfy.ops
import comfy.sd
import comfy.sd1_clip
import comfy.text_encoders.t5
import comfy.utils
import folder_paths
import torch
from comfy_api.latest import io
from safetensors.torch import save_file

from ..syncam_core.view_sync.module import ViewSync
from .patch import load_view_sync
from .sockets import WeightsType

SEED = 0
BASE = {"dim": 192, "ffn_dim": 768, "num_heads": 6, "num_layers": 6, "text_dim": 64}
VAE = {"dim": 8, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "temperal_downsample": [False, True, True]}
TEXT = {
    "d_model": BASE["text_dim"],
    "d_ff": 128,
    "d_kv": 16,
    "num_heads": 4,
    "num_layers": 2,
    "vocab_size": 259,
    "dense_act_fn": "gelu_pytorch_tanh",
    "is_gated_act": True,
    "model_type": "umt5",
}


class SynCamDemoModel(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="SynCamDemoModel",
            display_name="SynCam Demo Model",
            category="SynCam",
            description=(
                "A toy model with RANDOM weights in the real file formats: proves that the workflow runs on this "
                "machine, without any download. Its pictures are noise; for pictures load the real Wan2.1 files."
            ),
            outputs=[
                io.Model.Output(display_name="model"),
                io.Clip.Output(display_name="clip"),
                io.Vae.Output(display_name="vae"),
                WeightsType.Output(display_name="weights"),
            ],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        folder = Path(folder_paths.get_temp_directory()) / "syncam_demo_model"
        files = write_random_model(folder)
        vae_state, vae_metadata = comfy.utils.load_torch_file(files["vae"], return_metadata=True)
        return io.NodeOutput(
            comfy.sd.load_diffusion_model(files["base"]),
            load_text_encoder(files["text_encoder"]),
            comfy.sd.VAE(sd=vae_state, metadata=vae_metadata),
            load_view_sync(files["view_sync"]),
        )


def write_random_model(folder: Path, seed: int = SEED) -> dict[str, str]:
    """Write base, view-sync, VAE and text encoder files with seeded random weights; files that exist are kept."""
    folder.mkdir(parents=True, exist_ok=True)
    wan = comfy.ldm.wan.model.WanModel(
        model_type="t2v", device="cpu", dtype=torch.float32, operations=comfy.ops.disable_weight_init, **BASE
    )
    parts = {
        "base": (wan, {"config": json.dumps({"transformer": {k: BASE[k] for k in ("num_heads", "text_dim")}})}),
        "view_sync": (ViewSync(BASE["dim"], BASE["num_layers"]), {"license_note": "random weights"}),
        "vae": (comfy.ldm.wan.vae.WanVAE(**VAE), None),
        "text_encoder": (
            comfy.text_encoders.t5.T5(TEXT, torch.float32, "cpu", comfy.ops.disable_weight_init),
            None,
        ),
    }
    files = {}
    for number, (name, (module, metadata)) in enumerate(parts.items()):
        path = folder / f"{name}_random.safetensors"
        files[name] = str(path)
        if path.exists():
            continue
        randomize(module, torch.Generator().manual_seed(seed + number))
        temporary = path.with_suffix(".part")
        save_file({key: value.contiguous() for key, value in module.state_dict().items()}, temporary, metadata)
        os.replace(temporary, path)
    return files


@torch.no_grad()
def randomize(module: torch.nn.Module, generator: torch.Generator) -> None:
    """Fill all parameters so that activations keep their size: matrices by their fan-in, gains near one, biases small."""
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        is_gain = name.endswith(("gamma", "norm_q.weight", "norm_k.weight", "norm3.weight", "layer_norm.weight"))
        if is_gain:
            parameter.copy_(1 + 0.1 * noise)
        elif parameter.ndim >= 2 and "modulation" not in name:
            parameter.copy_(noise / parameter[0].numel() ** 0.5)
        else:
            parameter.copy_(0.1 * noise)


class ByteTokens:
    """Text as its UTF-8 bytes: token 0 pads, 1 ends, byte b is token b + 3."""

    @classmethod
    def from_pretrained(cls, path, **kwargs):
        return cls()

    def __call__(self, text: str) -> dict[str, list[int]]:
        return {"input_ids": [byte + 3 for byte in text.encode()] + [1]}

    def get_vocab(self) -> dict[str, int]:
        return {f"<{byte}>": byte + 3 for byte in range(256)}


class DemoTokenizer(comfy.sd1_clip.SDTokenizer):
    def __init__(self, embedding_directory=None, tokenizer_data=None):
        super().__init__(
            pad_with_end=False,
            embedding_size=TEXT["d_model"],
            embedding_key="syncam_demo",
            tokenizer_class=ByteTokens,
            has_start_token=False,
            pad_to_max_length=False,
            max_length=99999999,
            min_length=32,
            pad_token=0,
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
            special_tokens={"end": 1, "pad": 0},
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

    clip, tokenizer, params = DemoPromptEncoder, DemoPromptTokenizer, {}


def load_text_encoder(path: str) -> comfy.sd.CLIP:
    state = comfy.utils.load_torch_file(path, safe_load=True)
    return comfy.sd.CLIP(DemoTarget, state_dict=[state], parameters=sum(t.numel() for t in state.values()))


NODES = (SynCamDemoModel,)
