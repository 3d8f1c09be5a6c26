"""Optimizers by name: AdamW for everything, or Muon for the matrices and AdamW for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from ..errors import UserError


def build_optimizers(
    parameters: dict[str, nn.Parameter],
    optimizer: str = "adamw",
    lr: float = 1e-4,
    weight_decay: float = 0.01,
    muon_lr: float = 0.02,
    betas: tuple[float, float] = (0.9, 0.999),
    matrices: Iterable[str] = (),
) -> list[torch.optim.Optimizer]:
    """`optimizer` "adamw": one for all. "muon": Muon for the parameters named in `matrices`, AdamW for the others."""
    if optimizer not in ("adamw", "muon"):
        raise UserError(f"'optimizer' is {optimizer!r}; possible are adamw and muon.", field="optimizer")
    names = set(matrices) if optimizer == "muon" else set()
    built: list[torch.optim.Optimizer] = []
    if names:
        from .muon import MatrixMuon  # PyTorch has Muon since 2.9, and AdamW needs less

        chosen = [p for name, p in parameters.items() if name in names]
        built.append(MatrixMuon(chosen, lr=muon_lr, weight_decay=weight_decay, ns_steps=5))
    rest = [p for name, p in parameters.items() if name not in names]
    if rest:
        built.append(torch.optim.AdamW(rest, lr=lr, weight_decay=weight_decay, betas=betas))
    return built


class Ema:
    """An exponential moving average of parameters, in float32; young averages follow faster: (n + 1) / (n + 10)."""

    def __init__(self, parameters: Mapping[str, Tensor], decay: float):
        self.decay = decay
        self.values = {name: p.detach().float().clone() for name, p in parameters.items()}

    @torch.no_grad()
    def update(self, parameters: Mapping[str, Tensor], step: int) -> None:
        decay = min(self.decay, (step + 1) / (step + 10))
        torch._foreach_lerp_(
            list(self.values.values()), [parameters[name].detach().float() for name in self.values], 1 - decay
        )
