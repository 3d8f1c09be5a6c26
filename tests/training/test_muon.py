"""Muon: beside PyTorch's, which calculates in bfloat16, and by what it is for."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from syncam_core.training.muon import MatrixMuon, orthogonalized

SHAPES = [(12, 8), (8, 12), (8, 12), (6, 2, 3, 3, 3), (16, 16)]


def parameters() -> list[nn.Parameter]:
    draw = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=draw)) for shape in SHAPES]


def stepped(optimizer: torch.optim.Optimizer, params: list[nn.Parameter], steps: int) -> None:
    draw = torch.Generator().manual_seed(1)
    for _ in range(steps):
        for p, shape in zip(params, SHAPES, strict=True):
            p.grad = torch.randn(shape, generator=draw).view(p.shape)
        optimizer.step()


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="PyTorch has Muon since 2.9")
def test_steps_are_those_of_pytorchs_muon():
    ours, theirs = parameters(), [nn.Parameter(p.detach().flatten(1)) for p in parameters()]
    stepped(MatrixMuon(ours, lr=0.02, weight_decay=0.1, ns_steps=5), ours, 3)
    stepped(torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, ns_steps=5), theirs, 3)
    for one, other, begun in zip(ours, theirs, parameters(), strict=True):
        moved, apart = other - begun.flatten(1), one.flatten(1) - other
        assert apart.norm() < 0.02 * moved.norm()  # bfloat16 has 8 bits


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="PyTorch has Muon since 2.9")
def test_a_run_that_pytorchs_muon_began_goes_on():
    theirs = [nn.Parameter(p.detach().flatten(1)) for p in parameters()]
    begun = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, ns_steps=5)
    for p in theirs:
        p.grad = torch.ones_like(p)
    begun.step()
    ours = parameters()
    optimizer = MatrixMuon(ours, lr=0.02, weight_decay=0.1, ns_steps=5)
    optimizer.load_state_dict(begun.state_dict())
    before = [p.detach().clone() for p in ours]
    for p in ours:
        p.grad = torch.zeros_like(p)
    optimizer.step()
    assert all((p - b).abs().max() > 0.001 for p, b in zip(ours, before, strict=True))  # the momentum still moves it


def test_singular_values_come_to_about_one():
    matrices = [p.detach().flatten(1) for p in parameters()]
    for made, matrix in zip(orthogonalized(matrices, 5), matrices, strict=True):
        assert made.shape == matrix.shape
        assert made.dtype == torch.float32
        values = torch.linalg.svdvals(made)
        assert values.min() > 0.4
        assert values.max() < 1.3
        u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
        assert (made * (u @ vh)).sum() > 0.9 * made.norm() * (u @ vh).norm()


def test_what_has_no_gradient_stays():
    params = parameters()
    optimizer = MatrixMuon(params, lr=0.02, weight_decay=0.1, ns_steps=5)
    params[1].grad = torch.ones(SHAPES[1])
    optimizer.step()
    assert [torch.equal(p, b) for p, b in zip(params, parameters(), strict=True)] == [True, False, True, True, True]
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)
