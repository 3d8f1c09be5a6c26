"""Muon for every parameter that can be read as a matrix."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
QUINTIC = (3.4445, -4.7750, 2.0315)  # steep at zero; leaves singular values of about 0.7 to 1.2, which is near enough
LEAST_NORM = 1e-7


class MatrixMuon(torch.optim.Optimizer):
    """Muon (Jordan et al. 2024) with Nesterov momentum: the step is the momentum with its singular values brought to 1.

    A convolution's kernel is the matrix (out channels, rest). The step is `lr sqrt(max(1, rows / columns))` long, the
    weight decay decoupled. Like torch.optim.Muon, whose states it reads and which may read its; matrices of one shape are
    taken together, and a CPU calculates in float32: few have instructions for bfloat16, and without them PyTorch's steps
    took more than twice as long as the gradients of a small model (see docs/training.md).
    """

    def __init__(self, parameters: Iterable[nn.Parameter], *, lr: float, weight_decay: float, ns_steps: int):
        self._parameters = list(parameters)
        # the same memory under two shapes, so that a step on the matrix is a step on the parameter
        matrices = [nn.Parameter(p.detach().view(p.shape[0], -1)) for p in self._parameters]
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay, "ns_steps": ns_steps})

    @torch.no_grad()
    def step(  # type: ignore[override]  # the two signatures of torch's stub in one
        self, closure: Callable[[], float] | None = None
    ) -> float | None:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        gradients = iter([p.grad for p in self._parameters])
        for group in self.param_groups:
            moved = [(m, g.reshape(m.shape)) for m in group["params"] if (g := next(gradients)) is not None]
            updates = orthogonalized(
                [self._momentum(matrix, gradient) for matrix, gradient in moved], group["ns_steps"]
            )
            for (matrix, _), update in zip(moved, updates, strict=True):
                rows, columns = matrix.shape
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(update.to(matrix.dtype), alpha=-group["lr"] * math.sqrt(max(1.0, rows / columns)))
        return loss

    def _momentum(self, matrix: Tensor, gradient: Tensor) -> Tensor:
        state = self.state[matrix]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        state["momentum_buffer"].lerp_(gradient, 1 - MOMENTUM)
        return gradient.lerp(state["momentum_buffer"], MOMENTUM)

    def zero_grad(self, set_to_none: bool = True) -> None:
        for parameter in self._parameters:
            parameter.grad = None
        super().zero_grad(set_to_none)


def orthogonalized(matrices: list[Tensor], steps: int) -> list[Tensor]:
    """Each matrix U S V' as about U V', by `steps` of Newton and Schulz; in the precision that the device is quick in."""
    found: list[Tensor] = [torch.empty(0)] * len(matrices)
    lying = [m.mT if m.shape[0] > m.shape[1] else m for m in matrices]
    for shape in {m.shape for m in lying}:
        places = [place for place, m in enumerate(lying) if m.shape == shape]
        together = torch.stack([lying[place] for place in places])
        together = together.float() if together.device.type == "cpu" else together.bfloat16()
        together = together / together.norm(dim=(1, 2), keepdim=True).clamp(min=LEAST_NORM)
        a, b, c = QUINTIC
        for _ in range(steps):
            gram = together @ together.mT
            together = torch.baddbmm(together, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), together, beta=a)
        for place, matrix in zip(places, together.unbind(), strict=True):
            found[place] = matrix.mT if matrices[place].shape != matrix.shape else matrix
    return found
