"""Captions as numbers, as the model sees them in ComfyUI: umT5 for Wan2.1, a table of words for the demo model."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from ..datasets.files import fingerprint
from ..disk.checkpoint import WeightsError, open_state_dict
from ..errors import UserError
from ..synthetic.text import encode_prompt

TOKENS = 512  # shorter captions end in zeros, which cross-attention counts: training and inference must agree
END = 1
NORM_EPS = 1e-6
BUCKETED_DISTANCE = 128  # words farther apart share the last bucket of relative positions
WEIGHT_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


class DemoText:
    """The demo model's encoder: a fixed vector per word of the procedural world."""

    id = "syncam-demo-words-1"

    def __call__(self, caption: str) -> Tensor:  # (16 or more, 64) float32
        return encode_prompt(caption)


class Umt5:
    """The encoder of a file like `umt5_xxl_fp16.safetensors`, with the tokenizer that ComfyUI's files carry.

    Weights stay in the file's dtype and are widened one matrix at a time: results are float32 in the memory of the
    file (11.4 GB for XXL in 16 bits), as ComfyUI computes them. Sizes are read from the tensors. Files in fp8 or with
    scales are refused: they save memory that the cache needs only once, and move every caption a little.

    Captions are taken literally: "(words:1.2)" has no weight here. Raises UserError for another kind of file.
    """

    def __init__(self, path: str | Path, device: torch.device | str = "cpu"):
        import sentencepiece

        path = Path(path)
        try:
            self._state, _ = open_state_dict(path)
        except OSError as problem:
            raise UserError(f"'{path}' cannot be read: {problem.strerror or problem}.") from None
        except WeightsError as problem:
            raise UserError(str(problem)) from problem
        keys = set(self._state)
        needed = ("spiece_model", "shared.weight", _block(0, "0.SelfAttention.q"))
        missing = [key for key in needed if key not in keys]
        if missing:
            raise UserError(f"'{path}' has no '{missing[0]}'; ComfyUI's umt5_xxl file in fp16 or bf16 is needed.")
        dtype = self._state[_block(0, "0.SelfAttention.q")].dtype
        if dtype not in WEIGHT_DTYPES or any(key.endswith(("scale", "scale_weight")) for key in keys):
            raise UserError(f"'{path}' holds weights in fp8 or with scales; use the file in fp16 or bf16.")
        self.depth = 1 + max(int(key.split(".")[2]) for key in keys if key.startswith("encoder.block."))
        self.device = torch.device(device)
        self._held: dict[str, Tensor] = {}
        self._pieces = sentencepiece.SentencePieceProcessor(
            model_proto=self._state["spiece_model"].numpy().tobytes(), add_bos=False, add_eos=False
        )
        self.id = f"umt5-{fingerprint(path, ['umt5', 1])[:16]}"

    @torch.no_grad()
    def __call__(self, caption: str) -> Tensor:  # (512 or more, dim) float32
        ids = torch.tensor([*self._pieces.encode(caption), END])
        x = self._state["shared.weight"][ids].to(self.device, torch.float32)
        buckets = position_buckets(len(ids)).to(self.device)
        for index in range(self.depth):
            x = x + self._attention(index, self._norm(x, _block(index, "0.layer_norm")), buckets)
            y = self._norm(x, _block(index, "1.layer_norm"))
            gate = F.gelu(self._linear(y, _block(index, "1.DenseReluDense.wi_0")), approximate="tanh")
            y = gate * self._linear(y, _block(index, "1.DenseReluDense.wi_1"))
            x = x + self._linear(y, _block(index, "1.DenseReluDense.wo"))
        x = self._norm(x, "encoder.final_layer_norm.weight")
        return F.pad(x, (0, 0, 0, max(0, TOKENS - len(x)))).cpu()

    def _attention(self, index: int, x: Tensor, buckets: Tensor) -> Tensor:  # (tokens, dim)
        """T5's: no scale, a learned bias per distance and head; umT5 has one table per block."""
        bias = self._weight(_block(index, "0.SelfAttention.relative_attention_bias"))[buckets].permute(2, 0, 1)
        heads = len(bias)
        q, k, v = (
            self._linear(x, _block(index, f"0.SelfAttention.{name}")).unflatten(1, (heads, -1)).transpose(0, 1)
            for name in "qkv"
        )
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0)
        return self._linear(y.transpose(0, 1).flatten(1), _block(index, "0.SelfAttention.o"))

    def _norm(self, x: Tensor, key: str) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + NORM_EPS) * self._weight(key)

    def _linear(self, x: Tensor, key: str) -> Tensor:
        return F.linear(x, self._weight(key))

    def _weight(self, key: str) -> Tensor:
        if key not in self._held:
            self._held[key] = self._state[key].to(self.device)
        return self._held[key].float()


def _block(index: int, name: str) -> str:
    return f"encoder.block.{index}.layer.{name}.weight"


def position_buckets(tokens: int, buckets: int = 32) -> Tensor:  # (tokens, tokens) int64: of query and key
    """T5's buckets of relative positions: half of them for keys after the query; near ones exact, far ones by their
    logarithm."""
    position = torch.arange(tokens)
    away = position[None, :] - position[:, None]
    half, exact = buckets // 2, buckets // 4
    far = torch.log(away.abs().clamp_min(1).float() / exact) / math.log(BUCKETED_DISTANCE / exact) * (half - exact)
    bucket = torch.where(away.abs() < exact, away.abs(), (exact + far.long()).clamp_max(half - 1))
    return bucket + half * (away > 0)


def text_encoder(kind: str, path: str | None = None, device: torch.device | str = "cpu") -> DemoText | Umt5:
    """`kind` "demo" or "umt5" (with its file): called with a caption it gives (tokens, dim) float32 on the CPU; `.id`
    changes when its results do. Raises UserError."""
    if kind == "demo":
        return DemoText()
    if kind != "umt5":
        raise UserError(f"'text.encoder' is {kind!r}; possible are demo and umt5.")
    if not path:
        raise UserError("'text.file' is missing: the umT5 file, like models/text_encoders/umt5_xxl_fp16.safetensors.")
    return Umt5(path, device)
