"""In which precision a device calculates quickly."""

from __future__ import annotations

import warnings

import torch


def is_quick_in_bfloat16(device: torch.device | str) -> bool:
    """False for a CPU without instructions for bfloat16 (before Sapphire Rapids and Zen 4): PyTorch then converts number
    by number, and a product of matrices takes about 70 times as long as in float32 (PyTorch 2.11, AVX2)."""
    if torch.device(device).type != "cpu":
        return True
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def warn_of_slow_bfloat16(device: torch.device | str, mixed_precision: str) -> None:
    """Before a training that would only seem to stand still."""
    if mixed_precision == "bf16" and not is_quick_in_bfloat16(device):
        warnings.warn(
            "'mixed_precision' is bf16, for which this processor has no instructions: steps take many times as long as "
            'with --set mixed_precision="no".',
            stacklevel=2,
        )
