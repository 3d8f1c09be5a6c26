"""ReCamMaster on Wan2.1, written a second time as plainly as possible, for one trajectory; see plain_wan.

The target's noisy frames are followed by the source's clean ones in time. The camera of a frame is added to what
self-attention reads, of the target and of the source alike, and a projector stands before self-attention's gate.
"""

from __future__ import annotations

import itertools

import plain_wan
import torch
from plain_wan import attention, gelu_tanh, layer_norm, linear, rotations, silu
from torch import Tensor


def random_recapture(state: dict[str, Tensor], seed: int = 7) -> dict[str, Tensor]:
    """The authors' whole checkpoint beside a base: the base's tensors, other self-attention, and the new ones."""
    dim = state["head.modulation"].shape[-1]
    depth = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("blocks."))
    views = ("mvs_attn", "modulation_mvs", "cam_encoder", "projector")
    whole = {key: value for key, value in state.items() if not any(part in key for part in views)}
    other = plain_wan.random_state(dim=dim, depth=depth, ffn=8, seed=seed)
    for key, value in other.items():
        if any(part in key for part in ("self_attn", "cam_encoder", "projector")):
            whole[key] = value
    return whole


def forward(
    state: dict[str, Tensor],
    x: Tensor,  # (16, frames, height, width): the target, noisy
    source: Tensor,  # the same shape, clean, in the model's own scale
    timestep: float,
    context: Tensor,  # (words, text_dim)
    poses: Tensor,  # (frames, 12)
    head_dim: int = 128,
) -> Tensor:  # velocity of the target, as x
    dim = state["head.modulation"].shape[-1]
    heads = dim // head_dim
    depth = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("blocks."))
    _, frames, height, width = x.shape
    both = torch.cat([x.double(), source.double()], dim=1)
    rows, columns = (height + 1) // 2, (width + 1) // 2
    both = torch.cat([both, both[..., : 2 * rows - height, :]], dim=-2)
    both = torch.cat([both, both[..., : 2 * columns - width]], dim=-1)

    kernel = state["patch_embedding.weight"].double().reshape(dim, 64)
    places = [(f, r, c) for f in range(2 * frames) for r in range(rows) for c in range(columns)]
    patches = [both[:, f, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2].reshape(64) for f, r, c in places]
    tokens = torch.stack(patches) @ kernel.T + state["patch_embedding.bias"].double()

    frequency = torch.tensor([10000.0 ** (-j / 128) for j in range(128)], dtype=torch.float64)
    wave = torch.cat([torch.cos(timestep * frequency), torch.sin(timestep * frequency)])
    time = linear(state, "time_embedding.2", silu(linear(state, "time_embedding.0", wave)))
    modulation = linear(state, "time_projection.1", silu(time)).reshape(6, dim)
    text = linear(state, "text_embedding.2", gelu_tanh(linear(state, "text_embedding.0", context.double())))
    turn = rotations(places, head_dim)
    camera_of = torch.tensor([f % frames for f, _, _ in places])

    for i in range(depth):
        block = f"blocks.{i}."
        shift, scale, gate, shift2, scale2, gate2 = modulation + state[block + "modulation"][0].double()
        cameras = linear(state, block + "cam_encoder", poses.double())
        y = layer_norm(tokens) * (1 + scale) + shift + cameras[camera_of]
        y = attention(state, block + "self_attn", y, y, heads, turn)
        tokens = tokens + gate * linear(state, block + "projector", y)
        norm3 = layer_norm(tokens) * state[block + "norm3.weight"].double() + state[block + "norm3.bias"]
        tokens = tokens + attention(state, block + "cross_attn", norm3, text, heads)
        y = layer_norm(tokens) * (1 + scale2) + shift2
        tokens = tokens + gate2 * linear(state, block + "ffn.2", gelu_tanh(linear(state, block + "ffn.0", y)))

    shift, scale = state["head.modulation"][0].double() + time
    y = linear(state, "head.head", layer_norm(tokens) * (1 + scale) + shift)
    out = torch.empty(16, 2 * frames, 2 * rows, 2 * columns, dtype=torch.float64)
    for n, (f, r, c) in enumerate(places):
        out[:, f, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2] = y[n].reshape(2, 2, 16).permute(2, 0, 1)
    return out[:, :frames, :height, :width]


def sample(state, noise, source, positive, negative, poses, steps, cfg, shift) -> Tensor:
    """Euler from pure noise with classifier-free guidance; the source stands clean behind every step of both passes."""
    x = noise.double()
    for here, after in itertools.pairwise(plain_wan.sigmas(steps, shift)):
        text = forward(state, x, source, 1000 * here, positive, poses)
        empty = forward(state, x, source, 1000 * here, negative, poses)
        x = x + (empty + cfg * (text - empty)) * (after - here)
    return x
