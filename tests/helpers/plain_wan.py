"""Wan2.1 with SynCamMaster's view synchronization, written a second time as plainly as possible.

It shares no code with the product or the host: state dicts by the published key names, loops over samples, views and
frames, complex numbers for the rotary code, everything in float64. Slow, and meant to be read beside the paper.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

EPS = 1e-6


def random_state(dim=256, depth=2, ffn=384, text_dim=48, seed=0, view_sync=True, channels=16) -> dict[str, Tensor]:
    """A state dict in the key names and shapes of the authors' checkpoint, float32, of modest size."""
    generator = torch.Generator().manual_seed(seed)

    def matrix(*shape):
        return torch.randn(shape, generator=generator) / math.sqrt(math.prod(shape[1:]))

    def vector(*shape, around=0.0):
        return around + 0.2 * torch.randn(shape, generator=generator)

    state = {
        "patch_embedding.weight": matrix(dim, channels, 1, 2, 2),
        "patch_embedding.bias": vector(dim),
        "text_embedding.0.weight": matrix(dim, text_dim),
        "text_embedding.0.bias": vector(dim),
        "text_embedding.2.weight": matrix(dim, dim),
        "text_embedding.2.bias": vector(dim),
        "time_embedding.0.weight": matrix(dim, 256),
        "time_embedding.0.bias": vector(dim),
        "time_embedding.2.weight": matrix(dim, dim),
        "time_embedding.2.bias": vector(dim),
        "time_projection.1.weight": matrix(6 * dim, dim),
        "time_projection.1.bias": vector(6 * dim),
        "head.head.weight": matrix(4 * channels, dim),
        "head.head.bias": vector(4 * channels),
        "head.modulation": vector(1, 2, dim),
    }
    for i in range(depth):
        block = f"blocks.{i}."
        attentions = ["self_attn", "cross_attn"] + (["mvs_attn"] if view_sync else [])
        for attention in attentions:
            for name in "qkvo":
                state[f"{block}{attention}.{name}.weight"] = matrix(dim, dim)
                state[f"{block}{attention}.{name}.bias"] = vector(dim)
            for name in ("norm_q", "norm_k"):
                state[f"{block}{attention}.{name}.weight"] = vector(dim, around=1.0)
        state[block + "norm3.weight"] = vector(dim, around=1.0)
        state[block + "norm3.bias"] = vector(dim)
        state[block + "ffn.0.weight"] = matrix(ffn, dim)
        state[block + "ffn.0.bias"] = vector(ffn)
        state[block + "ffn.2.weight"] = matrix(dim, ffn)
        state[block + "ffn.2.bias"] = vector(dim)
        state[block + "modulation"] = vector(1, 6, dim)
        if view_sync:
            state[block + "cam_encoder.weight"] = matrix(dim, 12)
            state[block + "cam_encoder.bias"] = vector(dim)
            state[block + "projector.weight"] = matrix(dim, dim)
            state[block + "projector.bias"] = vector(dim)
            state[block + "modulation_mvs"] = vector(1, 3, dim)
    return state


def linear(state, name, x):
    return x @ state[name + ".weight"].double().T + state[name + ".bias"].double()


def layer_norm(x):
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt(centred.pow(2).mean(-1, keepdim=True) + EPS)


def rms_norm(state, name, x):
    return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * state[name + ".weight"].double()


def gelu_tanh(x):
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def silu(x):
    return x / (1 + torch.exp(-x))


def rotations(positions, head_dim):
    """One unit complex number per token and channel pair; ``positions`` are (first, row, column) of each token."""
    share = 2 * (head_dim // 6)
    widths = (head_dim - 2 * share, share, share)
    turns = []
    for position in positions:
        row = []
        for axis, width in enumerate(widths):
            row += [position[axis] * 10000.0 ** (-2 * j / width) for j in range(width // 2)]
        turns.append(row)
    angle = torch.tensor(turns, dtype=torch.float64)
    return torch.complex(torch.cos(angle), torch.sin(angle))


def rotate(x, turn, heads):
    """x (tokens, dim): neighbouring channels of a head are the real and imaginary part of one number."""
    tokens, dim = x.shape
    numbers = torch.view_as_complex(x.reshape(tokens, heads, dim // heads // 2, 2).contiguous())
    return torch.view_as_real(numbers * turn[:, None, :]).reshape(tokens, dim)


def attention(state, name, x, context, heads, turn=None):
    """Attention of x (tokens, dim) over context (keys, dim), head by head."""
    q = rms_norm(state, name + ".norm_q", linear(state, name + ".q", x))
    k = rms_norm(state, name + ".norm_k", linear(state, name + ".k", context))
    v = linear(state, name + ".v", context)
    if turn is not None:
        q, k = rotate(q, turn, heads), rotate(k, turn, heads)
    size = x.shape[1] // heads
    out = torch.empty_like(q)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        weight = torch.softmax(q[:, part] @ k[:, part].T / math.sqrt(size), dim=-1)
        out[:, part] = weight @ v[:, part]
    return linear(state, name + ".o", out)


def forward(state, x, timestep, context, poses=None, strength=1.0, head_dim=128, view_indices=None):
    """Velocity of x (views, 16, frames, height, width) at one timestep 0..1000.

    ``context`` (views, tokens, text_dim); ``poses`` (views, frames, 12) or None for the plain base model;
    ``view_indices`` are the positions of the views in the rotary code, 0, 1, 2, ... unless given.
    """
    state_dim = state["head.modulation"].shape[-1]
    heads = state_dim // head_dim
    depth = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("blocks."))
    views, _, frames, height, width = x.shape
    x = x.double()
    rows, columns = (height + 1) // 2, (width + 1) // 2
    # Odd sizes are continued by the first row and column again, as the host's padding does.
    x = torch.cat([x, x[..., : 2 * rows - height, :]], dim=-2)
    x = torch.cat([x, x[..., : 2 * columns - width]], dim=-1)
    per_frame = rows * columns

    kernel = state["patch_embedding.weight"].double().reshape(state_dim, 64)
    tokens = []
    for view in range(views):
        patches = []
        for f in range(frames):
            for r in range(rows):
                for c in range(columns):
                    patches.append(x[view, :, f, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2].reshape(64))
        tokens.append(torch.stack(patches) @ kernel.T + state["patch_embedding.bias"].double())

    frequency = torch.tensor([10000.0 ** (-j / 128) for j in range(128)], dtype=torch.float64)
    wave = torch.cat([torch.cos(timestep * frequency), torch.sin(timestep * frequency)])
    time = linear(state, "time_embedding.2", silu(linear(state, "time_embedding.0", wave)))
    modulation = linear(state, "time_projection.1", silu(time)).reshape(6, state_dim)
    text = [
        linear(state, "text_embedding.2", gelu_tanh(linear(state, "text_embedding.0", context[view].double())))
        for view in range(views)
    ]

    space_time = [(f, r, c) for f in range(frames) for r in range(rows) for c in range(columns)]
    turn = rotations(space_time, head_dim)
    across = [(v, r, c) for v in view_indices or range(views) for r in range(rows) for c in range(columns)]
    turn_views = rotations(across, head_dim)

    for i in range(depth):
        block = f"blocks.{i}."
        shift, scale, gate, shift2, scale2, gate2 = modulation + state[block + "modulation"][0].double()
        for view in range(views):
            y = layer_norm(tokens[view]) * (1 + scale) + shift
            tokens[view] = tokens[view] + gate * attention(state, block + "self_attn", y, y, heads, turn)
        if poses is not None:
            tokens = synchronize(state, block, tokens, modulation, poses, strength, heads, turn_views, per_frame)
        for view in range(views):
            norm3 = layer_norm(tokens[view]) * state[block + "norm3.weight"].double() + state[block + "norm3.bias"]
            tokens[view] = tokens[view] + attention(state, block + "cross_attn", norm3, text[view], heads)
            y = layer_norm(tokens[view]) * (1 + scale2) + shift2
            y = linear(state, block + "ffn.2", gelu_tanh(linear(state, block + "ffn.0", y)))
            tokens[view] = tokens[view] + gate2 * y

    shift, scale = state["head.modulation"][0].double() + time
    out = torch.empty(views, 16, frames, 2 * rows, 2 * columns, dtype=torch.float64)
    for view in range(views):
        y = linear(state, "head.head", layer_norm(tokens[view]) * (1 + scale) + shift)
        for n, (f, r, c) in enumerate(space_time):
            out[view, :, f, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2] = y[n].reshape(2, 2, 16).permute(2, 0, 1)
    return out[..., :height, :width]


def synchronize(state, block, tokens, modulation, poses, strength, heads, turn_views, per_frame):
    """Steps 3 to 8: all views attend to each other within one latent frame."""
    shift, scale, gate = modulation[:3] + state[block + "modulation_mvs"][0].double()
    views, frames = poses.shape[:2]
    result = [view.clone() for view in tokens]
    for f in range(frames):
        here = slice(f * per_frame, (f + 1) * per_frame)
        seen = []
        for view in range(views):
            y = layer_norm(tokens[view][here]) * (1 + scale) + shift
            seen.append(y + linear(state, block + "cam_encoder", poses[view, f].double()))
        together = torch.cat(seen)
        mixed = attention(state, block + "mvs_attn", together, together, heads, turn_views)
        delta = gate * linear(state, block + "projector", mixed)
        for view in range(views):
            part = delta[view * per_frame : (view + 1) * per_frame]
            result[view][here] = result[view][here] + strength * part
    return result


def sigmas(steps: int, shift: float) -> list[float]:
    """The authors' noise levels: evenly spaced 1 - i/steps, shifted towards noise, then 0."""
    even = [1 - i / steps for i in range(steps)]
    return [shift * s / (1 + (shift - 1) * s) for s in even] + [0.0]


def sample(state, noise, positive, negative, poses, steps, cfg, shift):
    """Euler from pure noise with classifier-free guidance; returns the latent in the model's own scale."""
    x = noise.double()
    levels = sigmas(steps, shift)
    for here, after in itertools.pairwise(levels):
        text = forward(state, x, 1000 * here, positive, poses)
        empty = forward(state, x, 1000 * here, negative, poses)
        x = x + (empty + cfg * (text - empty)) * (after - here)
    return x
