"""A small umT5 file in the format of ComfyUI's, with a tokenizer that was trained on a few sentences."""

from __future__ import annotations

import io
import math
from pathlib import Path

import sentencepiece
import torch
from safetensors.torch import save_file
from torch import Tensor

SENTENCES = (
    "a red fox runs through the snow",
    "two children fly a kite on a windy beach",
    "一只红色的狐狸在雪地里奔跑",
    "the camera circles a dancer in a dark hall, slowly, from left to right",
    "Ein Mann liest die Zeitung; es regnet.",
)
DIM, INNER, HEADS, HEAD_DIM, DEPTH, VOCABULARY = 48, 80, 3, 20, 3, 120


def tokenizer() -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 4),
        model_writer=model,
        vocab_size=VOCABULARY,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    return model.getvalue()


def state(seed: int = 0, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def matrix(*shape: int, size: float = 1.0) -> Tensor:
        return (size * torch.randn(shape, generator=generator) / math.sqrt(shape[-1])).to(dtype)

    def gains() -> Tensor:
        return (1 + 0.2 * torch.randn(DIM, generator=generator)).to(dtype)

    tensors = {"shared.weight": matrix(VOCABULARY, DIM, size=5.0), "encoder.final_layer_norm.weight": gains()}
    for index in range(DEPTH):
        block = f"encoder.block.{index}.layer."
        for name in "qkv":
            tensors[f"{block}0.SelfAttention.{name}.weight"] = matrix(HEADS * HEAD_DIM, DIM)
        tensors[f"{block}0.SelfAttention.o.weight"] = matrix(DIM, HEADS * HEAD_DIM)
        tensors[f"{block}0.SelfAttention.relative_attention_bias.weight"] = matrix(32, HEADS, size=3.0)
        tensors[f"{block}0.layer_norm.weight"] = gains()
        tensors[f"{block}1.DenseReluDense.wi_0.weight"] = matrix(INNER, DIM)
        tensors[f"{block}1.DenseReluDense.wi_1.weight"] = matrix(INNER, DIM)
        tensors[f"{block}1.DenseReluDense.wo.weight"] = matrix(DIM, INNER)
        tensors[f"{block}1.layer_norm.weight"] = gains()
    tensors["spiece_model"] = torch.frombuffer(bytearray(tokenizer()), dtype=torch.uint8)
    return tensors


def write_umt5(path: Path, **options) -> Path:
    save_file(state(**options), path)
    return path
