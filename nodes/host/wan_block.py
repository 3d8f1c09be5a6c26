"""One transformer block of the host, in pieces that bound its memory, with modules inserted around its self-attention.

Source: the host's ``WanAttentionBlock.forward``; where an insert adds nothing the result equals it bit for bit, which a
test holds. Only the block's own submodules are called, so that whatever is patched into them counts.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import comfy.ldm.wan.model
import comfy.model_management
import torch
from comfy.ldm.modules.attention import attention_pytorch, optimized_attention
from comfy.ldm.wan.model import WanAttentionBlock, WanSelfAttention, WanT2VCrossAttention, repeat_e
from torch import Tensor, nn

from ...syncam_core.errors import UserError
from ...syncam_core.view_sync.memory import FFN_SHARE
from .add_ons import refuse_parts
from .sampling_cache import Once, once_per_chunk

STEP = "syncam_view_sync"  # in the transformer_options of one forward
OVERRIDE = "optimized_attention_override"  # the host's, there too
SPARSE_MODULE = "nodes_sparse_attention"  # where the host's Model Sparse Attention makes its override


class Insert:
    """A module beside the blocks and what it does around block ``index``'s self-attention; as it stands, nothing.

    The stream is (rows, tokens, dim): views of a conditioning together, tokens in the order frames, height, width of
    ``step.grid``. ``rows`` says which rows of it are at work. Tensors that are handed in may be changed in place.
    """

    def acts_on(self, index: int) -> bool:
        return True

    def attention_input(self, index: int, y: Tensor, rows: slice, step: Step) -> Tensor:
        """What self-attention looks at, in place of the normalised and modulated stream ``y``."""
        return y

    def attention_output(self, index: int, y: Tensor, rows: slice, step: Step) -> Tensor:
        """What is gated and added to the stream, in place of self-attention's output ``y``."""
        return y

    def after_self_attention(self, index: int, x: Tensor, time: Tensor, step: Step, options: dict) -> None:
        """Change the whole stream ``x`` in place; ``time`` (rows, n, 6, dim) is Wan's own modulation by the timestep."""


class Step(NamedTuple):
    """What the blocks need during one forward; lives in that forward's ``transformer_options``."""

    blocks: Sequence[nn.Module]  # the transformer's own
    inserts: tuple[Insert, ...]  # none: the views are only shown to replaced attentions one by one
    views: int
    rows: int  # of the stream: every view of every conditioning
    grid: tuple[int, int, int]  # frames, height, width in tokens
    context_img_len: int | None  # image tokens at the front of the text, which the host does not tell block patches
    most_tokens: int  # rows of the stream that are worked on at once
    once: Once
    blocks_run: list[int]
    node: str = "SynCamApply"  # whose inserts these are, for sentences
    is_part: bool = False  # on one of several devices, which is to hold its share and no more: see `is_nobody_elses`

    def inserts_of(self, index: int) -> list[Insert]:
        return [insert for insert in self.inserts if insert.acts_on(index)]

    @property
    def one_view(self) -> list[slice]:
        """Rows of each view, for those who take a batch for the conditionings of one video."""
        return [slice(view, None, self.views) for view in range(self.views)]


class Modulation(NamedTuple):
    """By the timestep, each (rows, n, dim)."""

    shift: Tensor
    scale: Tensor
    gate: Tensor


@dataclass(frozen=True)
class BlockPatch:
    """Stands in for block ``index`` of the transformer; ``previous`` is whoever stood there before."""

    index: int
    previous: Callable | None = None

    def __call__(self, args: dict, extra: dict) -> dict:
        # Older add-ons with a forward of their own hand the options over beside the block.
        options = args.get("transformer_options") or extra.get("transformer_options") or {}
        original = functools.partial(self.run, extra["original_block"], options)
        if self.previous is None:
            return original(args)
        return self.previous(args, {**extra, "original_block": original})

    def run(self, original_block: Callable, options: dict, args: dict) -> dict:
        options = args.get("transformer_options") or options
        step = options.get(STEP)
        if step is None:
            return original_block(args)
        step.blocks_run.append(self.index)
        refuse_parts(args["img"].shape, step.rows, math.prod(step.grid), step.node)
        if not step.inserts_of(self.index) and not replaced(step.blocks):
            return original_block(args)
        check_grid(args["img"], step)
        return {"img": run_block(self.index, args, step, options)}


def is_block_patch(replacement: object) -> bool:
    return isinstance(replacement, BlockPatch)


def run_block(index: int, args: dict, step: Step, options: dict) -> Tensor:
    """The block's output (rows, tokens, dim) for the host's ``args`` of a block patch, with the step's inserts."""
    block, time = unwrapped(step.blocks[index]), args["vec"]
    if time.ndim < 4:
        time = time.unsqueeze(1)
    weight = comfy.model_management.cast_to(block.modulation, dtype=args["img"].dtype, device=args["img"].device)
    modulation = (weight.unsqueeze(0) + time).unbind(2)
    inserts = step.inserts_of(index)
    attend = functools.partial(
        self_attention, index, args["img"], args["pe"], Modulation(*modulation[:3]), inserts, step, options
    )
    parts = self_attention_parts(block, args["img"], step, options)
    x = in_parts(args["img"], attend, parts, is_nobody_elses(index, step, options))
    for insert in inserts:
        insert.after_self_attention(index, x, time, step, options)
    add_text_attention(index, x, args["txt"], step, options)
    for patch in options.get("patches", {}).get("attn2_patch", []):
        x = patch({"x": x, "transformer_options": options})
    add_feed_forward(block, x, Modulation(*modulation[3:]), max(1, step.most_tokens // FFN_SHARE))
    return x


def self_attention(
    index: int,
    given: Tensor,
    positions: Tensor,
    modulation: Modulation,
    inserts: Sequence[Insert],
    step: Step,
    options: dict,
    rows: slice,
) -> Tensor:
    """Those rows of the stream with the block's self-attention added."""
    block, part = unwrapped(step.blocks[index]), given[rows].contiguous()
    y = modulated(block.norm1, part, repeat_e(modulation.shift[rows], part), repeat_e(modulation.scale[rows], part))
    for insert in inserts:
        y = insert.attention_input(index, y, rows, step)
    own = positions[rows] if positions.shape[0] == given.shape[0] else positions
    if in_queries(block.self_attn, y, step, options):
        y = attended_by_queries(block.self_attn, y, own, step.most_tokens, options)
    else:
        y = block.self_attn(y, own, transformer_options=options)
    for insert in inserts:
        y = insert.attention_output(index, y, rows, step)
    return torch.addcmul(part, y, repeat_e(modulation.gate[rows], part))


def modulated(norm: nn.Module, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Wan's adaptive layer norm. Hosts since 0.36 have it as a function, one fused step on CUDA for many tokens."""
    host = vars(comfy.ldm.wan.model).get("modulate")
    return torch.addcmul(shift, norm(x), 1 + scale) if host is None else host(x, norm, shift, scale)


def self_attention_parts(block: nn.Module, given: Tensor, step: Step, options: dict) -> list[slice]:
    # A patch may count on seeing the whole batch. A replaced forward takes the batch for the conditionings of one video.
    if not is_stock(block.self_attn, WanSelfAttention):
        return step.one_view
    if "attn1_patch" in options.get("patches", {}):
        return [slice(None)]
    return list(row_pieces(given, step.most_tokens))


def in_parts(given: Tensor, work: Callable[[slice], Tensor], parts: list[slice], in_place: bool = False) -> Tensor:
    if len(parts) == 1:
        return work(parts[0])
    # `given` itself may still belong to somebody
    whole = given if in_place else torch.empty_like(given, memory_format=torch.contiguous_format)
    for rows in parts:
        whole[rows] = work(rows)
    return whole.contiguous()


def is_nobody_elses(index: int, step: Step, options: dict) -> bool:
    """Whether the block's input may be changed in place: only the host's own loop over the blocks has it besides.

    Asked on several devices alone, where a stream less is a third of the memory. Who patches a block around ours, or
    sees the stream after each block, may keep it.
    """
    registered = options.get("patches_replace", {}).get("dit", {}).get(("double_block", index))
    is_alone = isinstance(registered, BlockPatch) and registered.previous is None
    return step.is_part and is_alone and not options.get("patches", {}).get("double_block")


def add_text_attention(index: int, x: Tensor, text: Tensor, step: Step, options: dict) -> None:
    block = unwrapped(step.blocks[index])
    attn, kept = block.cross_attn, text_of(index, block, text, step)
    alone = is_stock(attn, WanT2VCrossAttention)
    for piece in pieces(x, step.most_tokens) if alone else [(rows, slice(None)) for rows in step.one_view]:
        part, rows = x[piece], piece[0]
        if kept is None:
            y = attn(block.norm3(part), text[rows], context_img_len=step.context_img_len, transformer_options=options)
        else:
            y = attn.norm_q(attn.q(block.norm3(part)))
            attend = attention_of(attn, options)
            y = attn.o(attend(y, kept.keys[rows], kept.values[rows], attn.num_heads, transformer_options=options))
        part += y
        del part, y


def add_feed_forward(block: nn.Module, x: Tensor, modulation: Modulation, most_tokens: int) -> None:
    for rows, tokens in pieces(x, most_tokens):
        part = x[rows, tokens]
        shift, scale, gate = (
            repeat_e(e[rows], x[rows])[:, tokens if e.shape[1] > 1 else slice(None)] for e in modulation
        )
        y = block.ffn(modulated(block.norm2, part, shift, scale))
        part.addcmul_(y, gate)
        del part, y


def in_queries(attn: nn.Module, y: Tensor, step: Step, options: dict) -> bool:
    """Whether a row is more than a device of several may work on at once, and nobody has to see all of its queries."""
    if not step.is_part or y.shape[1] <= step.most_tokens or torch.compiler.is_compiling():
        return False
    strangers = OVERRIDE in options or "attn1_patch" in options.get("patches", {})
    return not strangers and is_stock(attn, WanSelfAttention) and "apply_rope1" in vars(comfy.ldm.wan.model)


def attended_by_queries(attn: nn.Module, y: Tensor, positions: Tensor, most_tokens: int, options: dict) -> Tensor:
    """What the host's self-attention gives for ``y``, in the place of ``y``: keys and values of all tokens, queries in
    pieces."""

    def turned(layer: nn.Module, norm: nn.Module, tokens: slice) -> Tensor:
        heads = norm(layer(y[:, tokens])).unflatten(2, (attn.num_heads, -1))
        return comfy.ldm.wan.model.apply_rope1(heads, positions[:, tokens]).flatten(2)

    keys, values = torch.empty_like(y), attn.v(y)
    attend, parts = attention_of(attn, options), [tokens for _, tokens in pieces(y[:1], most_tokens)]
    for tokens in parts:
        keys[:, tokens] = turned(attn.k, attn.norm_k, tokens)
    for tokens in parts:
        queries = turned(attn.q, attn.norm_q, tokens)
        y[:, tokens] = attn.o(attend(queries, keys, values, heads=attn.num_heads, transformer_options=options))
    return y


# ---- pieces


def row_pieces(x: Tensor, most_tokens: int) -> Iterator[slice]:
    at_once = max(1, most_tokens // x.shape[1])
    for start in range(0, x.shape[0], at_once):
        yield slice(start, start + at_once)


def pieces(x: Tensor, most_tokens: int) -> Iterator[tuple[slice, slice]]:
    """Parts of (rows, tokens, dim) with at most so many tokens: whole rows where they fit, else parts of one row."""
    for rows in row_pieces(x, most_tokens):
        for start in range(0, x.shape[1], most_tokens):
            yield rows, slice(start, start + most_tokens)


def check_grid(x: Tensor, step: Step) -> None:
    frames, height, width = step.grid
    if math.prod(step.grid) != x.shape[1]:
        raise UserError(
            f"{step.node}: the model works on {x.shape[1]} tokens, but 'cameras' describes {frames} latent frames of "
            f"{height * width}; remove reference or time conditioning that adds frames to the latent."
        )


# ---- attention


def attention_of(module: nn.Module, options: dict) -> Callable[..., Tensor]:
    """The host's attention for one of its modules. A quantized checkpoint may have chosen one for this very module (hosts
    since 0.36); an override, which the host's own attention asks, counts more."""
    chosen = getattr(getattr(module, "comfy_attention", None), "function", None)
    return optimized_attention if chosen is None or OVERRIDE in options else chosen


def view_attention(options: dict, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
    """The host's attention, with its overrides but for a sparse one: a view that does not look at all of the others is
    not synchronized with them. Where the host would choose for the CPU, float32 goes to PyTorch's kernel: 1.5 times as
    fast as the host's own there, which in turn is the faster one for 16 bits."""
    if OVERRIDE in options and is_sparse(options[OVERRIDE]):
        options = {key: value for key, value in options.items() if key != OVERRIDE}
    if q.device.type == "cpu" and q.dtype == torch.float32 and OVERRIDE not in options:
        return attention_pytorch(q, k, v, heads=heads)
    return optimized_attention(q, k, v, heads=heads, transformer_options=options)


def is_sparse(override: object) -> bool:
    """Whether an attention override is that of the host's Model Sparse Attention (hosts since 0.36), told by the module
    that its function or its class is from."""
    while isinstance(override, functools.partial):
        override = override.func
    # The host names a module of its own by its path, where it loads it as nodes; who imports it, with dots.
    return (getattr(override, "__module__", None) or "").endswith(SPARSE_MODULE)


def is_stock(attention: nn.Module, stock: type) -> bool:
    # The host leaves the bound original in the instance when it takes a replacement back. Compared by code, since
    # inside torch.compile a method's function is never the same as its class's.
    return getattr(attention.forward, "__code__", None) is getattr(stock.forward, "__code__", None)


def is_plain(block: nn.Module) -> bool:
    """Whether a block does what :func:`run_block` repeats; one with a forward of its own (audio, pose) does more."""
    return type(unwrapped(block)).forward is WanAttentionBlock.forward


def replaced(blocks: Sequence[nn.Module]) -> bool:
    """Whether an add-on stands in for the attention of some block."""
    attentions = (attention for block in map(unwrapped, blocks) for attention in (block.self_attn, block.cross_attn))
    return not all(is_stock(attention, type(attention)) for attention in attentions)


class Text(NamedTuple):
    keys: Tensor  # (rows, words, dim)
    values: Tensor


def text_of(index: int, block: nn.Module, text: Tensor, step: Step) -> Text | None:
    """Keys and values of the text, computed once for a sampling and once for all views that share it.

    None where the block must be asked itself: another kind of text attention, or one that somebody has replaced.
    """
    attn = block.cross_attn
    if not step.once.keeps_text or not is_stock(attn, WanT2VCrossAttention) or torch.compiler.is_compiling():
        return None
    kept = step.once.text_like(text)
    if index not in kept.blocks:
        both = attn.norm_k(attn.k(text)), attn.v(text)
        kept.blocks[index] = [once_per_chunk(rows, step.views) for rows in both]
    return Text(*(rows.repeat_interleave(text.shape[0] // len(rows), dim=0) for rows in kept.blocks[index]))


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside a ``torch.compile`` wrapper, or the module itself."""
    return getattr(module, "_orig_mod", module)
