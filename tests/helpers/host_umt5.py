"""The host's own Wan text encoder around the small umT5 file."""

from __future__ import annotations

from pathlib import Path

import tiny_umt5


def hosts_clip(path: Path, dtype=None):
    """Its encoder, tokenizer and loader, at the file's sizes."""
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
