"""The text that training sees is the text that ComfyUI gives to Wan2.1."""

from __future__ import annotations

import pytest
import tiny_umt5
import torch

from syncam_core.training.text import text_encoder

LONG = " ".join([*tiny_umt5.SENTENCES] * 12)  # beyond 512 tokens


def hosts_clip(path, dtype):
    """The host's own Wan text encoder, its tokenizer and loader, at the file's sizes."""
    import comfy.sd
    import comfy.text_encoders.wan
    import comfy.utils

    class Target:
        clip = comfy.text_encoders.wan.te(dtype_t5=dtype)
        tokenizer = comfy.text_encoders.wan.WanT5Tokenizer
        params = {}  # noqa: RUF012

    state = comfy.utils.load_torch_file(str(path), safe_load=True)
    sizes = {
        "d_model": tiny_umt5.DIM,
        "d_ff": tiny_umt5.INNER,
        "d_kv": tiny_umt5.HEAD_DIM,
        "num_heads": tiny_umt5.HEADS,
        "num_layers": tiny_umt5.DEPTH,
        "vocab_size": tiny_umt5.VOCABULARY,
    }
    return comfy.sd.CLIP(
        Target,
        tokenizer_data={"spiece_model": state["spiece_model"]},
        state_dict=[state],
        model_options={"umt5xxl_model_config": sizes},
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_umt5_gives_what_the_hosts_encoder_gives(comfy, tmp_path, dtype):
    path = tiny_umt5.write_umt5(tmp_path / "umt5.safetensors", dtype=dtype)
    clip, encoder = hosts_clip(path, dtype), text_encoder("umt5", str(path))
    for caption in (*tiny_umt5.SENTENCES, "", "  spaces   and\nlines ", "unknown: ∮ 🦊", LONG):
        theirs = clip.encode_from_tokens(clip.tokenize(caption))[0].float()
        ours = encoder(caption)
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max(), caption[:40]
