"""CLIP (Radford et al., arXiv 2103.00020): pictures and words as vectors of one length, whose cosine says how alike.

The network is the transformers library's, read from one file of any of OpenAI's sizes; ViT-B/32 unless another is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...errors import UserError
from ..weights_files import State
from .files import CLIP, Networks, load_strictly

if TYPE_CHECKING:
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
HEAD_WIDTH = 64  # of all of OpenAI's transformers
TOKENS = 77  # of a prompt, with its two ends; what is behind is cut off
VOCABULARY_FILES = ("vocab.json", "merges.txt")


def load_clip(networks: Networks) -> CLIPModel:
    """Raises `MissingFile`."""

    def build(state: State) -> CLIPModel:
        from transformers import CLIPModel

        tensors = {name: state[name] for name in state if not name.endswith("position_ids")}  # older files keep counts
        with torch.device("meta"):
            model = CLIPModel(config_of(tensors))
        positions = {name: buffer for name, buffer in model.named_buffers() if buffer.is_meta}
        model = load_strictly(model, tensors)
        for name, buffer in positions.items():
            owner, _, attribute = name.rpartition(".")
            count = torch.arange(buffer.shape[-1]).expand(buffer.shape)
            model.get_submodule(owner).register_buffer(attribute, count, persistent=False)
        return model

    return networks.get(CLIP, "CLIP", build)


def config_of(state: State) -> CLIPConfig:
    """The sizes of the network that the tensors are of. Raises KeyError where one is missing."""
    from transformers import CLIPConfig

    width, _, patch, _ = state["vision_model.embeddings.patch_embedding.weight"].shape
    places = state["vision_model.embeddings.position_embedding.weight"].shape[0] - 1
    words, text_width = state["text_model.embeddings.token_embedding.weight"].shape

    def tower(of: str, width: int) -> dict[str, int]:
        layers = len({name.split(".")[3] for name in state if name.startswith(f"{of}_model.encoder.layers.")})
        inner = state[f"{of}_model.encoder.layers.0.mlp.fc1.weight"].shape[0]
        heads = max(1, width // HEAD_WIDTH)
        return {
            "hidden_size": width,
            "intermediate_size": inner,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
        }

    return CLIPConfig(
        text_config={
            **tower("text", text_width),
            "vocab_size": words,
            "max_position_embeddings": state["text_model.embeddings.position_embedding.weight"].shape[0],
            "bos_token_id": words - 2,
            "eos_token_id": words - 1,
            "pad_token_id": words - 1,
        },
        vision_config={**tower("vision", width), "patch_size": patch, "image_size": patch * round(places**0.5)},
        projection_dim=state["visual_projection.weight"].shape[0],
    )


@torch.no_grad()
def picture_vectors(
    model: CLIPModel,
    pictures: Sequence[np.ndarray],  # (height, width, 3) uint8
) -> Tensor:  # (pictures, dim) of length 1
    """The shorter side is scaled to the network's (bicubic), and the middle is cut out, as OpenAI's code does it: of a
    wide picture both ends are not seen."""
    side = image_side(model)
    pixels = torch.stack([_cropped(picture, side) for picture in pictures]).to(model.device)
    pooled = model.vision_model(pixel_values=pixels).pooler_output
    return _of_length_1(model.visual_projection(pooled))


def image_side(model: CLIPModel) -> int:
    """Pixels of the network's square pictures."""
    return int(model.config.to_dict()["vision_config"]["image_size"])


@torch.no_grad()
def prompt_vector(model: CLIPModel, tokenizer: CLIPTokenizer, prompt: str) -> Tensor:  # (dim,) of length 1
    tokens = tokenizer(prompt, truncation=True, max_length=TOKENS, return_tensors="pt").input_ids.to(model.device)
    return _of_length_1(model.text_projection(model.text_model(input_ids=tokens).pooler_output))[0]


def words_counted(tokenizer: CLIPTokenizer, prompt: str) -> tuple[int, int]:
    """How many of the prompt's words CLIP reads, and how many there are."""
    words, room = prompt.split(), TOKENS - 2
    for count, word in enumerate(words):
        room -= len(tokenizer(word).input_ids) - 2
        if room < 0:
            return count, len(words)
    return len(words), len(words)


def load_tokenizer(networks: Networks) -> CLIPTokenizer:
    """From the first folder that has its two files. Raises UserError where none has."""
    from transformers import CLIPTokenizer

    for folder in (*networks.folders, *networks.tokenizers):  # the words beside the network are its own
        if all((Path(folder) / name).is_file() for name in VOCABULARY_FILES):
            return CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
    raise UserError(
        "CLIP's words need 'vocab.json' (1 MB) and 'merges.txt' (0.5 MB), which ComfyUI has in comfy/sd1_tokenizer; name "
        "that folder with --tokenizer."
    )


def _cropped(picture: np.ndarray, side: int) -> Tensor:  # (3, side, side)
    image = Image.fromarray(picture)
    scale = side / min(image.size)
    width, height = (max(side, round(length * scale)) for length in image.size)
    left, top = (width - side) // 2, (height - side) // 2
    image = image.resize((width, height), Image.Resampling.BICUBIC).crop((left, top, left + side, top + side))
    pixels = torch.from_numpy(np.asarray(image, np.float32) / 255)
    return ((pixels - torch.tensor(MEAN)) / torch.tensor(STD)).permute(2, 0, 1)


def _of_length_1(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors.float(), dim=-1).cpu()
