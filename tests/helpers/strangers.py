"""Add-ons of other packs, reduced to the hook they use and the way they use it. Each says in words what it stands for."""

from __future__ import annotations

import functools
import types
from unittest import mock

import torch
from torch import nn


def replaced_forward(model, path: str, forward):
    """A clone whose blocks have ``forward(module, *args, **kwargs)`` bound in place of ``blocks.i.<path>.forward``."""
    patched = model.clone()
    for index, block in enumerate(patched.get_model_object("diffusion_model").blocks):
        module = getattr(block, path)
        patched.add_object_patch(f"diffusion_model.blocks.{index}.{path}.forward", types.MethodType(forward, module))
    return patched


def negative_in_text_attention(model, negative_text: torch.Tensor, mode: str = "default", scale: float = 6.0):
    """Normalized attention guidance as KJNodes sets it: text attention steers away from a negative text of batch 1.

    In its default mode a batch is taken for [positive, negative] and only the first half is steered; in "batch" mode
    all rows are.
    """
    from comfy.ldm.modules.attention import optimized_attention

    with torch.inference_mode():  # as nodes are run
        negative = model.get_model_object("diffusion_model").text_embedding(negative_text)

    def attended(self, x, text, options):
        q, k, v = self.norm_q(self.q(x)), self.norm_k(self.k(text)), self.v(text)
        return optimized_attention(q, k, v, heads=self.num_heads, transformer_options=options)

    def forward(self, x, context, transformer_options=None, **kwargs):
        options = transformer_options or {}
        first, rest = x, None
        away = negative
        if mode == "batch":
            away = negative.repeat(x.shape[0], 1, 1)
        elif context.shape[0] > 1:
            (first, rest), (context, rest_context) = x.chunk(2), context.chunk(2)
        towards = attended(self, first, context, options)
        guided = towards * scale - attended(self, first, away, options) * (scale - 1)
        length, most = guided.norm(p=1, dim=-1, keepdim=True), 2.5 * towards.norm(p=1, dim=-1, keepdim=True)
        out = 0.75 * towards + 0.25 * guided * (most / length).clamp(max=1)
        if rest is not None:
            out = torch.cat([out, attended(self, rest, rest_context, options)])
        return self.o(out)

    return replaced_forward(model, "cross_attn", forward)


def enhanced_video(model, frames: int, weight: float = 2.0):
    """Enhance-A-Video: self-attention scaled by how much the frames look at each other, a mean over the whole batch."""

    def forward(self, x, freqs, transformer_options=None):
        q, k = (part.unflatten(1, (frames, -1)).transpose(1, 2) for part in (self.q(x), self.k(x)))
        share = torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, dim=-1)
        off_diagonal = share.sum(dim=(-1, -2)) - share.diagonal(dim1=-1, dim2=-2).sum(-1)
        score = (off_diagonal.mean() / (frames * (frames - 1)) * (frames + weight)).clamp(min=1)
        return type(self).forward(self, x, freqs, transformer_options=transformer_options or {}) * score

    return replaced_forward(model, "self_attn", forward)


def chunked_feed_forward(model, chunks: int = 3):
    """Chunk feed-forward: tokens go through the feed-forward in parts."""

    def forward(self, x):
        return torch.cat([nn.Sequential.forward(self, part) for part in x.chunk(chunks, dim=1)], dim=1)

    return replaced_forward(model, "ffn", forward)


def memory_efficient_attention(model):
    """Self- and text attention with a kernel of their own, which lets queries and keys go early."""

    def kernel(q, k, v, heads):
        q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))
        return nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

    def self_forward(self, x, freqs, transformer_options=None):
        from comfy.ldm.flux.math import apply_rope1

        q, k = (
            apply_rope1(norm(layer(x)).unflatten(-1, (self.num_heads, -1)), freqs).flatten(2)
            for norm, layer in ((self.norm_q, self.q), (self.norm_k, self.k))
        )
        return self.o(kernel(q, k, self.v(x), self.num_heads))

    def cross_forward(self, x, context, transformer_options=None, **kwargs):
        return self.o(kernel(self.norm_q(self.q(x)), self.norm_k(self.k(context)), self.v(context), self.num_heads))

    return replaced_forward(replaced_forward(model, "self_attn", self_forward), "cross_attn", cross_forward)


def attention_override(model, seen: list | None = None):
    """SageAttention: every attention that is given the options goes to another kernel, here one that is not exact."""

    def override(original, q, k, v, heads, *args, **kwargs):
        if seen is not None:
            seen.append(tuple(q.shape))
        return original(q.bfloat16().to(q), k, v, heads, *args, **kwargs)

    patched = model.clone()
    patched.model_options["transformer_options"]["optimized_attention_override"] = override
    return patched


def stretched_rope(model, by: float = 3.0):
    """RIFLEx: a rope embedder in place of the model's own, with the time axis slowed down."""

    class Stretched(nn.Module):
        def __init__(self, original):
            super().__init__()
            self.original = original

        def forward(self, ids):
            ids = ids.clone()
            ids[..., 0] /= by
            return self.original(ids)

    patched = model.clone()
    original = patched.get_model_object("diffusion_model").rope_embedder
    patched.add_object_patch("diffusion_model.rope_embedder", Stretched(original))
    return patched


def old_forward_with_cache(model, keep: int = 1):
    """TeaCache and MagCache: the model function is called with an older ``forward_orig`` in the model's instance.

    That one makes time embeddings of three axes, calls blocks without options, hands the options of replaced blocks over
    in the second argument, and of ``keep`` steps computes only the first: the others add what it had added.
    """
    from comfy.ldm.wan.model import sinusoidal_embedding_1d

    patched = model.clone()
    diffusion_model = patched.get_model_object("diffusion_model")
    kept, step = {}, {"sigma": None, "number": -1}

    def forward_orig(self, x, t, context, clip_fea=None, freqs=None, transformer_options=None, **kwargs):
        options = transformer_options
        x = self.patch_embedding(x.float()).to(x.dtype)
        grid = x.shape[2:]
        x = x.flatten(2).transpose(1, 2)
        e = self.time_embedding(sinusoidal_embedding_1d(self.freq_dim, t).to(dtype=x.dtype))
        e0 = self.time_projection(e).unflatten(1, (6, self.dim))
        context = self.text_embedding(context)
        replacements = options.get("patches_replace", {}).get("dit", {})
        if float(t[0]) != step["sigma"]:
            step.update(sigma=float(t[0]), number=step["number"] + 1)
        name = tuple(options["cond_or_uncond"])
        if step["number"] % keep == 0 or name not in kept:
            before = x
            for i, block in enumerate(self.blocks):

                def original(args, block=block):
                    return {"img": block(args["img"], context=args["txt"], e=args["vec"], freqs=args["pe"])}

                replacement = replacements.get(("double_block", i), lambda args, extra: extra["original_block"](args))
                args = {"img": x, "txt": context, "vec": e0, "pe": freqs}
                x = replacement(args, {"original_block": original, "transformer_options": options})["img"]
            kept[name] = x - before
        else:
            x = x + kept[name]
        return self.unpatchify(self.head(x, e), grid)

    # mock.patch.multiple binds to the module when the node runs, as these add-ons do.
    stand_in = mock.patch.multiple(diffusion_model, forward_orig=types.MethodType(forward_orig, diffusion_model))

    def wrapper(model_function, args):
        with stand_in:
            return model_function(args["input"], args["timestep"], **args["c"])

    patched.set_model_unet_function_wrapper(wrapper)
    return patched


def skipped_blocks(model, blocks=(1,)):
    """Skip Layer Guidance of KJNodes: writes over block replacements and takes a batch of two for [uncond, cond]."""

    def skip(args, extra):
        if args["img"].shape[0] != 2:
            return args
        second = {key: args[key][1:] if args[key].shape[0] == 2 else args[key] for key in ("img", "txt", "vec", "pe")}
        out = extra["original_block"](second)
        return {"img": torch.cat([args["img"][:1], out["img"]])}

    patched = model.clone()
    options = patched.model_options["transformer_options"].copy()
    replace = {name: dict(kind) for name, kind in options.get("patches_replace", {}).items()}
    for index in blocks:
        replace.setdefault("dit", {})[("double_block", index)] = skip
    patched.model_options["transformer_options"] = {**options, "patches_replace": replace}
    return patched


class ReWrittenWan(nn.Module):
    """ReWanPatcher of RES4LYF: another class, put onto the model itself, that knows neither wrappers nor patches."""

    def forward(self, x, timestep, context, transformer_options=None, **kwargs):
        return x


class ReWrittenBlock(nn.Module):
    def forward(self, x, *args, **kwargs):
        return x


class swapped_classes:
    """The classes swapped in place, for all clones at once; taken back at the end."""

    def __init__(self, model):
        self.wan = model.model.diffusion_model

    def __enter__(self):
        self.classes = type(self.wan), [type(block) for block in self.wan.blocks]
        self.wan.__class__ = ReWrittenWan
        for block in self.wan.blocks:
            block.__class__ = ReWrittenBlock

    def __exit__(self, *problem):
        self.wan.__class__ = self.classes[0]
        for block, own in zip(self.wan.blocks, self.classes[1], strict=True):
            block.__class__ = own


class split_batch:
    """ParallelAnything: a forward in the model's instance that hands out parts of the batch and joins the results."""

    def __init__(self, model, sizes: tuple[int, ...], marked: bool):
        self.wan, self.sizes, self.marked = model.model.diffusion_model, sizes, marked

    def __enter__(self):
        original = self.wan.forward

        def forward(wan, x, timestep, context=None, **kwargs):
            parts = zip(*(t.split(self.sizes) for t in (x, timestep, context)), strict=True)
            return torch.cat([original(a, b, context=c, **kwargs) for a, b, c in parts])

        self.wan.forward = types.MethodType(forward, self.wan)
        if self.marked:
            self.wan._true_parallel_active = True

    def __exit__(self, *problem):
        vars(self.wan).pop("forward")
        vars(self.wan).pop("_true_parallel_active", None)


class sharded_tokens:
    """Sequence parallelism of raylight: this process runs the blocks on its share of the tokens."""

    def __init__(self, model, share: int = 2):
        self.wan, self.share = model.model.diffusion_model, share

    def __enter__(self):
        from comfy.ldm.wan.model import sinusoidal_embedding_1d

        def forward_orig(wan, x, t, context, clip_fea=None, freqs=None, transformer_options=None, **kwargs):
            x = wan.patch_embedding(x.float()).to(x.dtype)
            grid = x.shape[2:]
            transformer_options["grid_sizes"] = grid
            whole = x.flatten(2).transpose(1, 2)
            e = wan.time_embedding(sinusoidal_embedding_1d(wan.freq_dim, t.flatten())).unflatten(0, (t.shape[0], -1))
            e0 = wan.time_projection(e).unflatten(2, (6, wan.dim))
            context = wan.text_embedding(context)
            x, freqs = (part.chunk(self.share, dim=1)[0] for part in (whole, freqs))
            replacements = transformer_options["patches_replace"]["dit"]
            for i, block in enumerate(wan.blocks):
                original = functools.partial(one_block, block)
                args = {"img": x, "txt": context, "vec": e0, "pe": freqs, "transformer_options": transformer_options}
                x = replacements[("double_block", i)](args, {"original_block": original})["img"]
            return wan.unpatchify(wan.head(whole, e), grid)

        self.wan.forward_orig = types.MethodType(forward_orig, self.wan)

    def __exit__(self, *problem):
        vars(self.wan).pop("forward_orig")


def one_block(block, args: dict) -> dict:
    options = args["transformer_options"]
    return {
        "img": block(args["img"], context=args["txt"], e=args["vec"], freqs=args["pe"], transformer_options=options)
    }


def one_video_at_a_time(model):
    """A wrapper around the model function that saves memory by running the videos of a batch one after another."""

    def wrapper(model_function, args):
        x, t, c = args["input"], args["timestep"], args["c"]
        text = c["c_crossattn"]
        outputs = [
            model_function(x[i : i + 1], t[i : i + 1], **{**c, "c_crossattn": text[i : i + 1]})
            for i in range(x.shape[0])
        ]
        return torch.cat(outputs)

    patched = model.clone()
    patched.set_model_unet_function_wrapper(wrapper)
    return patched


class PackedLinear(nn.Module):
    """A linear layer as GGUF loaders make them: ``weight`` is a row of bytes, unpacked when the layer is called."""

    def __init__(self, layer: nn.Linear):
        super().__init__()
        self.shape = tuple(layer.weight.shape)
        scale = layer.weight.detach().abs().amax(dim=1, keepdim=True) / 127
        self.weight = nn.Parameter((layer.weight / scale).round().to(torch.int8).flatten(), requires_grad=False)
        self.register_buffer("scale", scale)
        self.bias = nn.Parameter(layer.bias.detach().clone(), requires_grad=False)

    def unpacked(self) -> torch.Tensor:
        return self.weight.view(self.shape).to(self.scale) * self.scale

    def forward(self, x):
        return nn.functional.linear(x, self.unpacked().to(x), self.bias.to(x))


LAYERS = ("self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "cross_attn.q", "cross_attn.k", "ffn.0", "ffn.2")


def pack_linears(model) -> None:
    """Put packed layers into every block of the model, in place."""
    for block in model.model.diffusion_model.blocks:
        for name in LAYERS:
            parent, _, last = name.rpartition(".")
            holder = block.get_submodule(parent)
            holder._modules[last] = PackedLinear(holder._modules[last])


def unpack_linears(model) -> None:
    """Plain layers with the very numbers that the packed ones unpack to, in place."""
    for block in model.model.diffusion_model.blocks:
        for name in LAYERS:
            parent, _, last = name.rpartition(".")
            holder = block.get_submodule(parent)
            packed = PackedLinear(holder._modules[last])
            holder._modules[last].weight.data.copy_(packed.unpacked())
