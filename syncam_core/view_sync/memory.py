"""How much memory a sampling needs, and what would fit instead.

Counted from how the blocks work: the stream of all tokens three times, beside it the largest piece that is worked on at
once, and what a sampling keeps. The counts are in vectors of the stream's width and name what is alive at the peak.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

from ..wan.geometry import WAN21, Geometry
from .coupling import COUPLINGS, Groups, groups_of

MEMORY_CHOICES = ("auto", "whole", "low")
MOST_TOKENS = 32768  # one view of 81 frames at 832 x 480: a GPU is as fast with it as with more
LEAST_TOKENS = 2048
FFN_SHARE = 4  # the feed-forward layer's pieces are smaller, as its hidden layer is wider
PIECE_WIDTHS = 12  # for "auto": what a piece holds at its peak, about, in vectors of the stream

WORDS = 512  # of a prompt, padded
TEXTS = 2  # positive and negative
LATENT_COPIES = 10  # of the sampler, in float32: noise, x, what each conditioning predicts, ...
STREAMS = 2  # the block's input and its output; the last layer holds as many


@dataclass(frozen=True)
class Transformer:
    """A Wan2.1's sizes; the defaults are those of T2V 1.3B in 16 bits."""

    dim: int = 1536
    ffn: int = 8960
    heads: int = 12
    depth: int = 30
    text_dim: int = 4096
    weight_bytes: int = 2  # of a number of the base
    module_weight_bytes: int = 2
    itemsize: int = 2  # of a number that is computed with
    patch_numbers: int = WAN21.patch_numbers


@dataclass(frozen=True)
class Job:
    """What is sampled."""

    views: int
    frames: int  # of a video
    width: int  # pixels
    height: int
    coupling: str = "joint"
    group_size: int = 2
    memory: str = "auto"
    stacked: int = 1  # conditionings that go through the model together
    geometry: Geometry = WAN21
    recapture: bool = False  # each view is filmed again from a source, which stands behind it in time

    @property
    def grid(self) -> tuple[int, int, int]:
        """Frames, height and width of the stream in tokens; with a source twice the frames."""
        edge = self.geometry.token_pixels
        frames = self.geometry.latent_frames(self.frames) * (2 if self.recapture else 1)
        return frames, math.ceil(self.height / edge), math.ceil(self.width / edge)


@dataclass(frozen=True)
class Need:
    """Bytes."""

    weights: int
    working: int

    @property
    def total(self) -> int:
        return self.weights + self.working


def tokens_at_once(memory: str, dim: int, itemsize: int, free: float) -> int:
    """Rows of the stream that are worked on at once; ``free`` bytes count for "auto"."""
    if memory == "whole":
        return 2**62
    if memory == "low":
        return LEAST_TOKENS
    return int(max(LEAST_TOKENS, min(MOST_TOKENS, free / 4 / (PIECE_WIDTHS * dim * itemsize))))


def memory_need(job: Job, model: Transformer, free: float = math.inf, fused: bool = True) -> Need:
    """Weights of the base and the module, and the most that is alive beside them during one sampling.

    ``free`` is what the device has for both, in bytes. ``fused`` says that attention and rotation are done by kernels
    that keep nothing, as on a GPU; else they are done as the host does them on a CPU, with scores of some queries at a
    time (as many as ``free`` allows) and, for float32, PyTorch's own kernel between the views.
    """
    weights = weight_bytes(model, job.recapture)
    return Need(weights, kept_bytes(job, model) + peak_bytes(job, model, max(0, free - weights), fused))


def weight_bytes(model: Transformer, recapture: bool = False) -> int:
    d, f = model.dim, model.ffn
    attention = 4 * (d * d + d) + 2 * d
    block = 2 * attention + 2 * d * f + f + d + 2 * d + 6 * d
    text = model.text_dim * d + d + d * d + d
    time = 256 * d + d + d * d + d + 6 * (d * d + d)
    ends = 2 * d * model.patch_numbers + d + model.patch_numbers + 2 * d
    module = 4 * (d * d + d) + 2 * d + 12 * d + d + 3 * d  # its last two layers are one
    if recapture:  # its self-attention stands in the base's place
        module = d * d + d + 12 * d + d
    return (model.depth * block + text + time + ends) * model.weight_bytes + (
        model.depth * module * model.module_weight_bytes
    )


def kept_bytes(job: Job, model: Transformer) -> int:
    """What is computed once for a sampling (cameras, the text's keys and values), and the latents."""
    frames, height, width = job.grid
    groups = sample_groups(job)
    members = sum(len(group.members) for group in groups)
    changes = COUPLINGS[job.coupling].changes and not job.recapture
    # Groups that all begin with view 0 see its cameras as they are; others have their own for query, key and value.
    own = job.recapture or all(group.members[0] == 0 for group in groups)
    rows = job.views if own else 3 * members
    cameras = 0 if changes else rows * frames * model.dim * model.itemsize * model.depth
    text = 2 * TEXTS * WORDS * model.dim * model.itemsize * model.depth
    text += job.stacked * job.views * WORDS * model.text_dim * model.itemsize  # as the forward gets it
    latents = LATENT_COPIES * job.views * frames * height * width * model.patch_numbers * 4
    return cameras + text + latents


def peak_bytes(job: Job, model: Transformer, free: float, fused: bool) -> int:
    """The most that one forward holds at once; ``free`` bytes are there beside the weights."""
    frames, height, width = job.grid
    frame, rows = height * width, job.stacked * job.views
    tokens = frames * frame  # of a row
    at_once = tokens_at_once(job.memory, model.dim, model.itemsize, free)
    vector = model.dim * model.itemsize
    as_float = 4 / model.itemsize  # of a vector
    copied = as_float if model.itemsize < 4 else 0

    rows_at_once = min(rows, max(1, at_once // tokens))
    attended = rows_at_once * tokens
    own: float = 5 * attended * vector  # input, query, key, value, output
    if not fused:
        rotating = 3 + copied + as_float
        own = max(rotating, 5 + SPLIT_COPIES) * attended * vector
        own += split_scores(rows_at_once * model.heads, tokens, tokens, model.itemsize, free)

    frames_at_once = min(frames, max(1, at_once // (rows * frame)))
    together = frames_at_once * rows * frame
    groups = sample_groups(job)
    members = max(len(group.members) for group in groups)
    turning = copied + (1.5 if fused else 1) * as_float  # what rotating a key takes beside it
    if len(groups) == 1:
        # Before the attention: the piece, query and key.
        attending, waiting, asked = together, 0, 3
    else:
        # The piece, query, key and value of all views, and the sum; then those that the groups at work take of them.
        groups_at_once = min(len(groups), max(1, at_once // (job.stacked * frames_at_once * frame) // members))
        attending = job.stacked * frames_at_once * frame * members * groups_at_once
        waiting, asked = 5, 4
    sync = waiting * together + (asked + turning) * attending
    if not fused:
        answering = SPLIT_COPIES if model.itemsize < 4 else 2
        sync = max(sync, waiting * together + (asked + 1 + answering) * attending)
    sync *= 0 if job.recapture else vector
    if not fused and model.itemsize < 4 and not job.recapture:
        batch = attending // (members * frame) * model.heads
        sync += split_scores(batch, members * frame, members * frame, model.itemsize, free)

    piece = min(rows * tokens, max(1, at_once // FFN_SHARE))
    hidden = (2 + 2 * model.ffn / model.dim) * piece * vector
    asking: float = 5 * min(rows * tokens, at_once) * vector
    if not fused:
        asking += SPLIT_COPIES * min(rows * tokens, at_once) * vector
        asked = max(1, min(rows * tokens, at_once) // tokens)
        asking += split_scores(asked * model.heads, min(tokens, at_once), WORDS, model.itemsize, free)

    stream = rows * tokens * vector
    in_block = STREAMS * stream + max(sync, hidden, asking)
    # The first block's input is not one piece of memory, so the rows at work are copied.
    in_attention = (STREAMS - (rows_at_once == rows)) * stream + attended * vector + own
    embedding = (1 + copied) * stream
    around = tokens * (model.dim // model.heads) * 2 * 4  # the rotation of every token
    around += rows * WORDS * 3 * model.dim * model.itemsize  # the text, its keys and its values, for every view
    return int(max(in_block, in_attention, embedding) + around)


SPLIT_COPIES = 4  # query, key and value in the order of heads, and the output in that of tokens


def split_scores(batch: int, queries: int, keys: int, itemsize: int, free: float) -> float:
    """Bytes of the host's attention for CPUs: scores of a number of queries and all keys, before and after the softmax.

    Source: ``attention_sub_quad`` of the host.
    """
    for at_once in (4096, 2048, 1024, 512, 256):
        if free / (batch * itemsize * at_once * 4) >= keys:
            break
    return 2 * batch * min(queries, at_once) * keys * itemsize


def sample_groups(job: Job) -> Groups:
    """The groups of a rig, to count them: which cameras are near to each other changes little."""
    poses = torch.eye(3, 4).flatten().repeat(job.views, 1, 1)
    poses[:, 0, 3] = torch.arange(job.views)
    return groups_of(job.coupling, poses, job.group_size)


def memory_sentence(job: Job, model: Transformer, free: float, fused: bool = True, weights_wait: bool = True) -> str:
    """What a sampling needs; where that is not free, also what would fit instead.

    ``weights_wait`` says that weights for which there is no room stay in main memory, as the host does it with a GPU,
    so that only the working memory has to fit.
    """
    need = memory_need(job, model, free, fused)
    text = (
        f"{views(job.views, job.recapture)} of {job.frames} frames at {job.width} x {job.height} need about {gb(need.total)} "
        f"({gb(need.weights)} weights, {gb(need.working)} working memory)"
    )
    if job.views == 1:
        text = text.replace("need", "needs", 1)
    if need.total <= free:
        return text + "."
    text += f"; {gb(free)} are free"
    room = free if weights_wait else free - need.weights
    if need.working <= room:
        return text + ", so some weights wait in main memory, which takes longer."
    instead = list(fitting(job, model, free, fused, room))
    if not instead:
        return text + f": take fewer {'re-captures' if job.recapture else 'views'} and a smaller size together."
    return text + f": {', or '.join(instead)}, would fit."


def fitting(job: Job, model: Transformer, free: float, fused: bool, room: float) -> Iterator[str]:
    """What would fit into ``room`` with one change: pieces, views, size, length."""

    def fits(other: Job) -> bool:
        return memory_need(other, model, free, fused).working <= room

    if job.memory != "low" and fits(replace(job, memory="low")):
        yield "memory 'low'"
    for count in range(job.views - 1, 0 if job.recapture else 1, -1):
        if fits(replace(job, views=count)):
            yield views(count, job.recapture)
            break
    for share in (0.875, 0.75, 0.625, 0.5, 0.375, 0.25):
        edge = job.geometry.token_pixels
        width, height = (max(edge, round(size * share / edge) * edge) for size in (job.width, job.height))
        if fits(replace(job, width=width, height=height)):
            yield f"{width} x {height}"
            break
    step = job.geometry.frames
    for frames in range(job.frames - step, step, -step):
        if fits(replace(job, frames=frames)):
            yield f"{frames} frames"
            break


def views(count: int, recapture: bool = False) -> str:
    what = "re-capture" if recapture else "view"
    return f"1 {what}" if count == 1 else f"{count} {what}s"


def gb(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 0.95e9 else f"{size / 1e6:.0f} MB"
