"""The metrics' networks once more, as plain functions of a state dict's names, and small files in the real layouts."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

# ---- CLIP's file


def clip_shapes(
    width=768, text_width=512, layers=12, text_layers=12, patch=32, side=224, words=49408, out=512
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of model.safetensors of openai/clip-vit-base-patch32: 398 tensors, 151,277,313 numbers."""
    shapes = {
        "logit_scale": (),
        "text_model.embeddings.token_embedding.weight": (words, text_width),
        "text_model.embeddings.position_embedding.weight": (77, text_width),
        "vision_model.embeddings.class_embedding": (width,),
        "vision_model.embeddings.patch_embedding.weight": (width, 3, patch, patch),
        "vision_model.embeddings.position_embedding.weight": ((side // patch) ** 2 + 1, width),
        "visual_projection.weight": (out, width),
        "text_projection.weight": (out, text_width),
    }
    norms = {"text_model.final_layer_norm": text_width, "vision_model.pre_layrnorm": width}
    norms["vision_model.post_layernorm"] = width
    for tower, size, depth in (("text", text_width, text_layers), ("vision", width, layers)):
        for layer in range(depth):
            at = f"{tower}_model.encoder.layers.{layer}"
            for part in "kvq":
                shapes |= _linear(f"{at}.self_attn.{part}_proj", size, size)
            shapes |= _linear(f"{at}.self_attn.out_proj", size, size)
            shapes |= _linear(f"{at}.mlp.fc1", 4 * size, size) | _linear(f"{at}.mlp.fc2", size, 4 * size)
            norms |= {f"{at}.layer_norm1": size, f"{at}.layer_norm2": size}
    return shapes | {f"{name}.{kind}": (size,) for name, size in norms.items() for kind in ("weight", "bias")}


def _linear(name: str, out: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, inputs), f"{name}.bias": (out,)}


WORDS = ["a", "red", "ball", "walking", "on", "sand", "under", "clear", "sky", "blue", "cube"]


def save_tiny_clip(folder: Path, seed: int = 0) -> None:
    """A CLIP of two layers and the words above, with its tokenizer's files."""
    letters = sorted(set("".join(WORDS)))
    merges = []
    for word in WORDS:
        parts = [*word[:-1], f"{word[-1]}</w>"]
        while len(parts) > 1:
            merges.append((parts[0], parts[1]))
            parts = [parts[0] + parts[1], *parts[2:]]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in dict.fromkeys(merges))]
    tokens = [*dict.fromkeys(tokens), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: at for at, token in enumerate(tokens)}))
    lines = ["#version: 0.2", *dict.fromkeys(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    drawn = torch.Generator().manual_seed(seed)
    shapes = clip_shapes(64, 64, 2, 2, 32, 64, len(tokens), 32)
    save_file(
        {
            name: torch.randn(shape, generator=drawn) * (0.5 if name.endswith("weight") else 0.1)
            for name, shape in shapes.items()
        },
        folder / "clip.safetensors",
    )


# ---- Inception, of TensorFlow, 2015


def inception_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of weights-inception-2015-12-05-6726825d.pth: of each layer a convolution and a normalisation."""
    convolutions: dict[str, tuple[int, ...]] = {
        "Conv2d_1a_3x3": (32, 3, 3, 3),
        "Conv2d_2a_3x3": (32, 32, 3, 3),
        "Conv2d_2b_3x3": (64, 32, 3, 3),
        "Conv2d_3b_1x1": (80, 64, 1, 1),
        "Conv2d_4a_3x3": (192, 80, 3, 3),
    }
    for block, inputs, pool in (("5b", 192, 32), ("5c", 256, 64), ("5d", 288, 64)):
        for branch, shape in (
            ("branch1x1", (64, inputs, 1, 1)),
            ("branch5x5_1", (48, inputs, 1, 1)),
            ("branch5x5_2", (64, 48, 5, 5)),
            ("branch3x3dbl_1", (64, inputs, 1, 1)),
            ("branch3x3dbl_2", (96, 64, 3, 3)),
            ("branch3x3dbl_3", (96, 96, 3, 3)),
            ("branch_pool", (pool, inputs, 1, 1)),
        ):
            convolutions[f"Mixed_{block}.{branch}"] = shape
    for branch, shape in (
        ("branch3x3", (384, 288, 3, 3)),
        ("branch3x3dbl_1", (64, 288, 1, 1)),
        ("branch3x3dbl_2", (96, 64, 3, 3)),
        ("branch3x3dbl_3", (96, 96, 3, 3)),
    ):
        convolutions[f"Mixed_6a.{branch}"] = shape
    for block, c in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
        for branch, shape in (
            ("branch1x1", (192, 768, 1, 1)),
            ("branch7x7_1", (c, 768, 1, 1)),
            ("branch7x7_2", (c, c, 1, 7)),
            ("branch7x7_3", (192, c, 7, 1)),
            ("branch7x7dbl_1", (c, 768, 1, 1)),
            ("branch7x7dbl_2", (c, c, 7, 1)),
            ("branch7x7dbl_3", (c, c, 1, 7)),
            ("branch7x7dbl_4", (c, c, 7, 1)),
            ("branch7x7dbl_5", (192, c, 1, 7)),
            ("branch_pool", (192, 768, 1, 1)),
        ):
            convolutions[f"Mixed_{block}.{branch}"] = shape
    for branch, shape in (
        ("branch3x3_1", (192, 768, 1, 1)),
        ("branch3x3_2", (320, 192, 3, 3)),
        ("branch7x7x3_1", (192, 768, 1, 1)),
        ("branch7x7x3_2", (192, 192, 1, 7)),
        ("branch7x7x3_3", (192, 192, 7, 1)),
        ("branch7x7x3_4", (192, 192, 3, 3)),
    ):
        convolutions[f"Mixed_7a.{branch}"] = shape
    for block, inputs in (("7b", 1280), ("7c", 2048)):
        for branch, shape in (
            ("branch1x1", (320, inputs, 1, 1)),
            ("branch3x3_1", (384, inputs, 1, 1)),
            ("branch3x3_2a", (384, 384, 1, 3)),
            ("branch3x3_2b", (384, 384, 3, 1)),
            ("branch3x3dbl_1", (448, inputs, 1, 1)),
            ("branch3x3dbl_2", (384, 448, 3, 3)),
            ("branch3x3dbl_3a", (384, 384, 1, 3)),
            ("branch3x3dbl_3b", (384, 384, 3, 1)),
            ("branch_pool", (192, inputs, 1, 1)),
        ):
            convolutions[f"Mixed_{block}.{branch}"] = shape
    shapes: dict[str, tuple[int, ...]] = {"fc.weight": (1008, 2048), "fc.bias": (1008,)}
    for name, shape in convolutions.items():
        shapes[f"{name}.conv.weight"] = shape
        shapes |= {f"{name}.bn.{kind}": shape[:1] for kind in ("weight", "bias", "running_mean", "running_var")}
    return shapes


def plain_inception(state: dict[str, Tensor], pictures: Tensor) -> Tensor:
    """(pictures, 3, 299, 299) in 0..255 -> (pictures, 2048), block by block from the names alone."""

    def unit(x, name, stride=1, padding=0):
        x = F.conv2d(x, state[f"{name}.conv.weight"], None, stride, padding)
        bn = [state[f"{name}.bn.{kind}"] for kind in ("running_mean", "running_var", "weight", "bias")]
        return F.relu(F.batch_norm(x, *bn, eps=0.001))

    def chain(x, *units):
        for name, *options in units:
            x = unit(x, name, *options)
        return x

    def mean(x):  # without the zeros beyond the edge
        inside = F.avg_pool2d(torch.ones_like(x[:, :1]), 3, 1, 1)
        return F.avg_pool2d(x, 3, 1, 1) / inside

    x = chain((pictures - 128) / 128, ("Conv2d_1a_3x3", 2), ("Conv2d_2a_3x3",), ("Conv2d_2b_3x3", 1, 1))
    x = chain(F.max_pool2d(x, 3, 2), ("Conv2d_3b_1x1",), ("Conv2d_4a_3x3",))
    x = F.max_pool2d(x, 3, 2)
    for block in ("5b", "5c", "5d"):
        b = f"Mixed_{block}.branch"
        double = chain(x, (f"{b}3x3dbl_1",), (f"{b}3x3dbl_2", 1, 1), (f"{b}3x3dbl_3", 1, 1))
        five = chain(x, (f"{b}5x5_1",), (f"{b}5x5_2", 1, 2))
        x = torch.cat([unit(x, f"{b}1x1"), five, double, unit(mean(x), f"{b}_pool")], 1)
    b = "Mixed_6a.branch"
    double = chain(x, (f"{b}3x3dbl_1",), (f"{b}3x3dbl_2", 1, 1), (f"{b}3x3dbl_3", 2))
    x = torch.cat([unit(x, f"{b}3x3", 2), double, F.max_pool2d(x, 3, 2)], 1)
    row, column = (0, 3), (3, 0)
    for block in ("6b", "6c", "6d", "6e"):
        b = f"Mixed_{block}.branch"
        seven = chain(x, (f"{b}7x7_1",), (f"{b}7x7_2", 1, row), (f"{b}7x7_3", 1, column))
        tail = ((f"{b}7x7dbl_2", 1, column), (f"{b}7x7dbl_3", 1, row), (f"{b}7x7dbl_4", 1, column))
        double = chain(x, (f"{b}7x7dbl_1",), *tail, (f"{b}7x7dbl_5", 1, row))
        x = torch.cat([unit(x, f"{b}1x1"), seven, double, unit(mean(x), f"{b}_pool")], 1)
    b = "Mixed_7a.branch"
    seven = chain(x, (f"{b}7x7x3_1",), (f"{b}7x7x3_2", 1, row), (f"{b}7x7x3_3", 1, column), (f"{b}7x7x3_4", 2))
    x = torch.cat([chain(x, (f"{b}3x3_1",), (f"{b}3x3_2", 2)), seven, F.max_pool2d(x, 3, 2)], 1)
    for block in ("7b", "7c"):
        b = f"Mixed_{block}.branch"
        three, double = unit(x, f"{b}3x3_1"), chain(x, (f"{b}3x3dbl_1",), (f"{b}3x3dbl_2", 1, 1))
        wide = [unit(three, f"{b}3x3_2a", 1, (0, 1)), unit(three, f"{b}3x3_2b", 1, (1, 0))]
        wide += [unit(double, f"{b}3x3dbl_3a", 1, (0, 1)), unit(double, f"{b}3x3dbl_3b", 1, (1, 0))]
        pooled = mean(x) if block == "7b" else F.max_pool2d(x, 3, 1, 1)
        x = torch.cat([unit(x, f"{b}1x1"), *wide, unit(pooled, f"{b}_pool")], 1)
    return x.mean((2, 3))


# ---- I3D

I3D_BLOCKS = {
    "3b": (192, 64, 96, 128, 16, 32, 32),
    "3c": (256, 128, 128, 192, 32, 96, 64),
    "4b": (480, 192, 96, 208, 16, 48, 64),
    "4c": (512, 160, 112, 224, 24, 64, 64),
    "4d": (512, 128, 128, 256, 24, 64, 64),
    "4e": (512, 112, 144, 288, 32, 64, 64),
    "4f": (528, 256, 160, 320, 32, 128, 128),
    "5b": (832, 256, 160, 320, 32, 128, 128),
    "5c": (832, 384, 192, 384, 48, 128, 128),
}


def i3d_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of i3d_pretrained_400.pt: 287 tensors, 12.7 million numbers."""
    convolutions = {
        "Conv3d_1a_7x7": (64, 3, 7, 7, 7),
        "Conv3d_2b_1x1": (64, 64, 1, 1, 1),
        "Conv3d_2c_3x3": (192, 64, 3, 3, 3),
    }
    for block, (inputs, *w) in I3D_BLOCKS.items():
        at = f"Mixed_{block}"
        convolutions |= {
            f"{at}.b0": (w[0], inputs, 1, 1, 1),
            f"{at}.b1a": (w[1], inputs, 1, 1, 1),
            f"{at}.b1b": (w[2], w[1], 3, 3, 3),
            f"{at}.b2a": (w[3], inputs, 1, 1, 1),
            f"{at}.b2b": (w[4], w[3], 3, 3, 3),
            f"{at}.b3b": (w[5], inputs, 1, 1, 1),
        }
    shapes: dict[str, tuple[int, ...]] = {"logits.conv3d.weight": (400, 1024, 1, 1, 1), "logits.conv3d.bias": (400,)}
    for name, shape in convolutions.items():
        shapes[f"{name}.conv3d.weight"] = shape
        shapes |= {f"{name}.bn.{kind}": shape[:1] for kind in ("weight", "bias", "running_mean", "running_var")}
    return shapes


def plain_i3d(state: dict[str, Tensor], clip: Tensor) -> Tensor:
    """(3, frames, 224, 224) in -1..1 -> (400,)."""

    def around(x, size, stride):
        pads = []
        for n, k, s in zip(reversed(x.shape[2:]), reversed(size), reversed(stride), strict=True):
            whole = max((-(-n // s) - 1) * s + k - n, 0)
            pads += [whole // 2, whole - whole // 2]
        return F.pad(x, pads)

    def unit(x, name, stride=(1, 1, 1)):
        weight = state[f"{name}.conv3d.weight"]
        x = F.conv3d(around(x, weight.shape[2:], stride), weight, None, stride)
        bn = [state[f"{name}.bn.{kind}"] for kind in ("running_mean", "running_var", "weight", "bias")]
        return F.relu(F.batch_norm(x, *bn, eps=1e-5))

    def pool(x, size, stride):
        return F.max_pool3d(around(x, size, stride), size, stride)

    x = pool(unit(clip[None], "Conv3d_1a_7x7", (2, 2, 2)), (1, 3, 3), (1, 2, 2))
    x = pool(unit(unit(x, "Conv3d_2b_1x1"), "Conv3d_2c_3x3"), (1, 3, 3), (1, 2, 2))
    for block in I3D_BLOCKS:
        at = f"Mixed_{block}"
        if block == "4b":
            x = pool(x, (3, 3, 3), (2, 2, 2))
        if block == "5b":
            x = pool(x, (2, 2, 2), (2, 2, 2))
        one, two = unit(unit(x, f"{at}.b1a"), f"{at}.b1b"), unit(unit(x, f"{at}.b2a"), f"{at}.b2b")
        x = torch.cat([unit(x, f"{at}.b0"), one, two, unit(pool(x, (3, 3, 3), (1, 1, 1)), f"{at}.b3b")], 1)
    x = F.avg_pool3d(x, (2, 7, 7), 1)
    return F.conv3d(x, state["logits.conv3d.weight"], state["logits.conv3d.bias"]).mean((2, 3, 4))[0]


# ---- LPIPS


def alexnet_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of alexnet-owt-7be5be79.pth."""
    weights = {
        "features.0": (64, 3, 11, 11),
        "features.3": (192, 64, 5, 5),
        "features.6": (384, 192, 3, 3),
        "features.8": (256, 384, 3, 3),
        "features.10": (256, 256, 3, 3),
        "classifier.1": (4096, 9216),
        "classifier.4": (4096, 4096),
        "classifier.6": (1000, 4096),
    }
    return {f"{n}.{k}": s if k == "weight" else s[:1] for n, s in weights.items() for k in ("weight", "bias")}


def plain_lpips(state: dict[str, Tensor], heads: list[Tensor], first: Tensor, second: Tensor) -> float:
    """(3, height, width) in 0..255 each: squared differences of unit features, weighted, averaged over places, added."""

    def taps(picture):
        mean, std = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
        x = ((picture.permute(1, 2, 0) / 127.5 - 1 - mean) / std).permute(2, 0, 1)[None]
        for at, stride, padding, pooled in ((0, 4, 2, 0), (3, 1, 2, 1), (6, 1, 1, 1), (8, 1, 1, 0), (10, 1, 1, 0)):
            x = F.max_pool2d(x, 3, 2) if pooled else x
            x = F.relu(F.conv2d(x, state[f"features.{at}.weight"], state[f"features.{at}.bias"], stride, padding))
            yield x[0] / (x[0].norm(dim=0, keepdim=True) + 1e-10)

    pairs = zip(taps(first), taps(second), heads, strict=True)
    return sum(float(((a - b).square() * head.view(-1, 1, 1)).sum(0).mean()) for a, b, head in pairs)


# ---- files


def random_state(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    """Numbers that keep a deep network's signal alive: its weights by their inputs, variances about 1."""
    drawn = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=drawn)
        if name.endswith("running_var"):
            value = 0.5 + value.abs()
        elif name.endswith("weight") and len(shape) > 1:
            value *= (2 / value[0].numel()) ** 0.5
        elif name.endswith("bn.weight"):
            value = 1 + 0.1 * value
        else:
            value *= 0.1
        state[name] = value
    return state
