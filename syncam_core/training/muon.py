"""Muon for every parameter that can be read as a matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import nn


class MatrixMuon(torch.optim.Muon):
    """PyTorch's Muon for parameters of two and more axes: a convolution's kernel is a matrix (out channels, rest)."""

    def __init__(self, parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float, ns_steps: int):
        self._parameters = list(parameters)
        # the same memory under two shapes, so that a step on the matrix is a step on the parameter
        matrices = [nn.Parameter(p.detach().view(p.shape[0], -1)) for p in self._parameters]
        super().__init__(matrices, lr=lr, weight_decay=weight_decay, ns_steps=ns_steps)

    @torch.no_grad()
    def step(  # type: ignore[override]  # the two signatures of torch's stub in one
        self, closure: Callable[[], float] | None = None
    ) -> float | None:
        matrices = [m for group in self.param_groups for m in group["params"]]
        for matrix, parameter in zip(matrices, self._parameters, strict=True):
            matrix.grad = None if parameter.grad is None else parameter.grad.reshape(matrix.shape)
        return super().step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        for parameter in self._parameters:
            parameter.grad = None
        super().zero_grad(set_to_none)
