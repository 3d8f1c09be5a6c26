"""Add-ons that people use with Wan, as functions (comfy, model) -> model: the host's own, and others' hooks."""

from __future__ import annotations

import strangers
import torch
from host_abilities import BETWEEN_BLOCKS, need


def node(node_id, **inputs):
    return lambda comfy, model: comfy.run(node_id, model=model, **inputs)[0]


def lora(comfy, model):
    from comfy.sd import load_lora_for_models

    generator = torch.Generator().manual_seed(9)
    low = {
        f"diffusion_model.blocks.{block}.{layer}.lora_{part}.weight": torch.randn(shape, generator=generator) / 4
        for block in range(2)
        for layer, width in (("self_attn.q", 128), ("cross_attn.v", 128), ("ffn.0", 96))
        for part, shape in (("A", (4, 128)), ("B", (width, 4)))
    }
    return load_lora_for_models(model, None, low, 1.0, 0)[0]


def post_cfg(comfy, model):
    patched = model.clone()
    patched.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * 0.9 + args["cond_denoised"] * 0.1)
    return patched


def zero_star(comfy, model):
    """CFG-Zero*: the negative is scaled by its overlap with the positive, view by view."""

    def guided(args):
        cond, uncond = args["cond"], args["uncond"]
        overlap = (cond * uncond).flatten(1).sum(1) / uncond.square().flatten(1).sum(1)
        uncond = uncond * overlap.view(-1, 1, 1, 1, 1)
        return uncond + args["cond_scale"] * (cond - uncond)

    patched = model.clone()
    patched.set_model_sampler_cfg_function(guided)
    return patched


def attention_patches(comfy, model):
    """MultiTalk's hooks: a wrapper around the transformer and something added after the text attention."""
    from comfy.patcher_extension import WrappersMP

    patched = model.clone()
    patched.set_model_patch(lambda args: args["x"] * 1.01, "attn2_patch")
    patched.set_model_patch(lambda args: args["x"] * 0.99, "attn1_patch")
    patched.add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, "stranger", lambda executor, *a, **k: executor(*a, **k))
    return patched


def residuals(comfy, model):
    """Uni3C's hook: something added to the stream behind every block, in place."""
    need(BETWEEN_BLOCKS)

    def add(args):
        args["img"][:, args["img_offset"] :] += 0.05 * args["vec"][:, :1]
        return args

    patched = model.clone()
    patched.set_model_double_block_patch(add)
    return patched


def foreign_block(comfy, model):
    """A block replacement that runs the block and then does something of its own."""
    patched = model.clone()
    return set_behind(patched, 1)


def set_behind(patched, index):
    def replaced(args, extra):
        return {"img": extra["original_block"](args)["img"].roll(1, dims=-1)}

    patched.set_model_patch_replace(replaced, "dit", "double_block", index)
    return patched


SLG = {"double_layers": "1", "single_layers": "", "start_percent": 0.0, "end_percent": 1.0}
ROPE = {"scale_x": 1.0, "shift_x": 0.0, "scale_y": 1.0, "shift_y": 0.0, "scale_t": 2.0, "shift_t": 1.0}
CACHE = {"reuse_threshold": 3.0, "start_percent": 0.0, "end_percent": 1.0, "verbose": False}
WORKS = {
    "LoRA": lora,
    "ModelSamplingSD3": node("ModelSamplingSD3", shift=2.0),
    "EasyCache": node("EasyCache", **CACHE),
    "LazyCache": node("LazyCache", **CACHE),
    "SkipLayerGuidanceDiT": node("SkipLayerGuidanceDiT", scale=3.0, rescaling_scale=0.0, **SLG),
    "SkipLayerGuidanceDiTSimple": node("SkipLayerGuidanceDiTSimple", **SLG),
    "RescaleCFG": node("RescaleCFG", multiplier=0.7),
    "post-CFG function": post_cfg,
    "CFG-Zero*": zero_star,
    "ScaleROPE": node("ScaleROPE", **ROPE),
    "RIFLEx": lambda comfy, model: strangers.stretched_rope(model),
    "SageAttention": lambda comfy, model: strangers.attention_override(model),
    "memory-efficient SageAttention": lambda comfy, model: strangers.memory_efficient_attention(model),
    "chunked feed-forward": lambda comfy, model: strangers.chunked_feed_forward(model),
    "TeaCache": lambda comfy, model: strangers.old_forward_with_cache(model, keep=2),
    "MultiTalk's hooks": attention_patches,
    "Uni3C's hook": residuals,
}
WITHOUT_EFFECT = {
    "NAGuidance of the host": node("NAGuidance", nag_scale=5.0, nag_alpha=0.5, nag_tau=1.5),
    "wanBlockSwap": node("wanBlockSwap"),
    "TeaCache that skips nothing": lambda comfy, model: strangers.old_forward_with_cache(model),
    "chunked feed-forward": lambda comfy, model: strangers.chunked_feed_forward(model),
}
# Kernels and chunks of their own give the same numbers up to rounding.
ROUNDING = ("memory-efficient SageAttention", "chunked feed-forward")
COMPILED = {"whole": None, "block by block": [f"diffusion_model.blocks.{i}" for i in range(2)]}
