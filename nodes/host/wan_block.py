"""One transformer block of the host with the views synchronized in it, in pieces that bound its memory.

Source: the host's ``WanAttentionBlock.forward``; with a zero projector the result equals it bit for bit, which a test
holds. Only the block's own submodules are called, so that whatever is patched into them counts.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import comfy.model_management
import torch
from comfy.ldm.modules.attention import attention_pytorch, optimized_attention
from comfy.ldm.wan.model import WanSelfAttention, WanT2VCrossAttention, repeat_e
from torch import Tensor

from ...syncam_core.view_sync.coupling import Groups
from ...syncam_core.view_sync.memory import FFN_SHARE
from ...syncam_core.view_sync.module import Rope, ViewSync
from .sampling_cache import Once, once_per_chunk


class Step(NamedTuple):
    """What the blocks need during one forward; lives in that forward's ``transformer_options``."""

    blocks: Any  # the transformer's own blocks
    module: ViewSync
    poses: Tensor  # (views, latent frames, 12)
    groups: Groups
    strength: float | Tensor  # or one number per row of the batch
    only_blocks: frozenset[int] | None  # None: all
    rope: Rope
    heads: int
    context_img_len: int | None  # image tokens at the front of the text, which the host does not tell block patches
    most_tokens: int  # rows of the stream that are worked on at once
    once: Once
    cameras: tuple | None  # names the cameras in `once`; None: they are not kept
    blocks_run: list[int]
    rows: int  # of the stream: every view of every conditioning
    grid: tuple[int, int, int]
    attends_only: bool = False  # no synchronization now: the views are only shown to replaced attentions one by one


def synchronized_block(index: int, args: dict, step: Step, grid: tuple[int, int, int], options: dict) -> Tensor:
    """The block's output (batch, tokens, dim) for the host's ``args`` of a block patch."""
    block, given, time = unwrapped(step.blocks[index]), args["img"], args["vec"]
    if time.ndim < 4:
        time = time.unsqueeze(1)
    weight = comfy.model_management.cast_to(block.modulation, dtype=given.dtype, device=given.device)
    shift, scale, gate, ffn_shift, ffn_scale, ffn_gate = (weight.unsqueeze(0) + time).unbind(2)

    patches = options.get("patches", {})
    positions = args["pe"]

    def self_attended(rows: slice) -> Tensor:
        part = given[rows].contiguous()
        y = torch.addcmul(repeat_e(shift[rows], part), block.norm1(part), 1 + repeat_e(scale[rows], part))
        own = positions[rows] if positions.shape[0] == given.shape[0] else positions
        y = block.self_attn(y, own, transformer_options=options)
        return torch.addcmul(part, y, repeat_e(gate[rows], part))

    # A patch may count on seeing the whole batch. A replaced forward takes the batch for the conditionings of one video.
    one_view = [slice(view, None, len(step.poses)) for view in range(len(step.poses))]
    if not is_stock(block.self_attn, WanSelfAttention):
        parts = one_view
    else:
        parts = [slice(None)] if "attn1_patch" in patches else list(row_pieces(given, step.most_tokens))
    if len(parts) == 1:
        x = self_attended(parts[0])
    else:
        x = torch.empty_like(
            given, memory_format=torch.contiguous_format
        )  # `given` itself may still belong to somebody
        for rows in parts:
            x[rows] = self_attended(rows)

    if not step.attends_only and (step.only_blocks is None or index in step.only_blocks):
        synchronize(index, x, time, grid, step, options)

    text = text_of(index, block, args["txt"], step)
    alone = is_stock(block.cross_attn, WanT2VCrossAttention)
    for piece in pieces(x, step.most_tokens) if alone else [(rows, slice(None)) for rows in one_view]:
        part, rows = x[piece], piece[0]
        if text is None:
            y = block.cross_attn(
                block.norm3(part),
                args["txt"][rows],
                context_img_len=step.context_img_len,
                transformer_options=options,
            )
        else:
            attn = block.cross_attn
            y = attn.norm_q(attn.q(block.norm3(part)))
            y = attn.o(
                optimized_attention(
                    y, text.keys[rows], text.values[rows], heads=attn.num_heads, transformer_options=options
                )
            )
        part += y
        del part, y
    for patch in patches.get("attn2_patch", []):
        x = patch({"x": x, "transformer_options": options})

    for rows, tokens in pieces(x, step.most_tokens // FFN_SHARE):
        part = x[rows, tokens]
        m = [repeat_e(e[rows], x[rows])[:, tokens if e.shape[1] > 1 else slice(None)] for e in (ffn_shift, ffn_scale)]
        y = block.ffn(torch.addcmul(m[0], block.norm2(part), 1 + m[1]))
        part.addcmul_(y, repeat_e(ffn_gate[rows], x[rows])[:, tokens if ffn_gate.shape[1] > 1 else slice(None)])
        del part, y
    return x


def synchronize(index: int, x: Tensor, time: Tensor, grid: tuple[int, int, int], step: Step, options: dict) -> None:
    view_block = step.module.blocks[index]
    see = functools.partial(view_block.see, step.poses, step.groups, x)
    seen = see() if step.cameras is None else step.once.get(("cameras", index, step.cameras, x.device, x.dtype), see)
    attention = functools.partial(view_attention, options)
    view_block.add_to(x, time, seen, grid, step.rope, step.heads, attention, step.strength, step.most_tokens)


def row_pieces(x: Tensor, most_tokens: int) -> Iterator[slice]:
    at_once = max(1, most_tokens // x.shape[1])
    for start in range(0, x.shape[0], at_once):
        yield slice(start, start + at_once)


def pieces(x: Tensor, most_tokens: int) -> Iterator[tuple[slice, slice]]:
    """Parts of (rows, tokens, dim) with at most so many tokens: whole rows where they fit, else parts of one row."""
    for rows in row_pieces(x, most_tokens):
        for start in range(0, x.shape[1], most_tokens):
            yield rows, slice(start, start + most_tokens)


def is_stock(attention, stock: type) -> bool:
    # The host leaves the bound original in the instance when it takes a replacement back. Compared by code, since
    # inside torch.compile a method's function is never the same as its class's.
    return getattr(attention.forward, "__code__", None) is getattr(stock.forward, "__code__", None)


def replaced(blocks) -> bool:
    """Whether an add-on stands in for the attention of some block."""
    attentions = (attention for block in map(unwrapped, blocks) for attention in (block.self_attn, block.cross_attn))
    return not all(is_stock(attention, type(attention)) for attention in attentions)


def view_attention(options: dict, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """The host's attention, with its overrides. Where it would choose for the CPU, float32 goes to PyTorch's kernel:
    1.5 times as fast as the host's own there, which in turn is the faster one for 16 bits."""
    if q.device.type == "cpu" and q.dtype == torch.float32 and "optimized_attention_override" not in options:
        return attention_pytorch(q, k, v, heads=heads)
    return optimized_attention(q, k, v, heads=heads, transformer_options=options)


class Text(NamedTuple):
    keys: Tensor  # (rows, words, dim)
    values: Tensor


def text_of(index: int, block, text: Tensor, step: Step) -> Text | None:
    """Keys and values of the text, computed once for a sampling and once for all views that share it.

    None where the block must be asked itself: another kind of text attention, or one that somebody has replaced.
    """
    attn = block.cross_attn
    if not step.once.keeps_text or not is_stock(attn, WanT2VCrossAttention) or torch.compiler.is_compiling():
        return None
    kept = step.once.text_like(text)
    if index not in kept.blocks:
        both = attn.norm_k(attn.k(text)), attn.v(text)
        kept.blocks[index] = [once_per_chunk(rows, len(step.poses)) for rows in both]
    return Text(*(rows.repeat_interleave(text.shape[0] // len(rows), dim=0) for rows in kept.blocks[index]))


def unwrapped(module):
    """The module inside a ``torch.compile`` wrapper, or the module itself."""
    return getattr(module, "_orig_mod", module)
