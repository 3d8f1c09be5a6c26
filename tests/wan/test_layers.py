import pytest
import torch

from syncam_core.wan.layers import RMSNorm


def norm_and_inputs(dtype=torch.float32):
    torch.manual_seed(0)
    norm = RMSNorm(48, eps=1e-6)
    with torch.no_grad():
        norm.weight.normal_(1, 0.3)
    return norm, (3 * torch.randn(2, 50, 48)).to(dtype).requires_grad_(), torch.randn(2, 50, 48)


def by_hand(norm, x):
    x, weight = x.detach().double().requires_grad_(), norm.weight.detach().double().requires_grad_()
    return x, weight, x / torch.sqrt(x.square().mean(-1, keepdim=True) + 1e-6) * weight


@pytest.mark.parametrize("is_mixed", [False, True])
def test_the_norm_and_its_gradients_are_exact_in_float32_with_and_without_mixed_precision(is_mixed):
    norm, x, direction = norm_and_inputs()
    with torch.autocast("cpu", torch.bfloat16, enabled=is_mixed):
        got = norm(x)
    got.backward(direction)
    x64, weight64, expected = by_hand(norm, x)
    expected.backward(direction.double())
    for one, other in ((got, expected), (x.grad, x64.grad), (norm.weight.grad, weight64.grad)):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one.double(), other, atol=2e-6, rtol=2e-6)


def test_bfloat16_activations_stay_bfloat16_and_lose_no_more_than_their_rounding():
    norm, x, direction = norm_and_inputs(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        got = norm(x)
    got.backward(direction.bfloat16())
    x64, _, expected = by_hand(norm, x)
    expected.backward(direction.bfloat16().double())
    for one, other in ((got, expected), (x.grad, x64.grad)):
        assert one.dtype == torch.bfloat16
        torch.testing.assert_close(one.double(), other, atol=1e-5, rtol=2**-8)


def test_no_gradient_is_needed_of_a_frozen_norm():
    norm, x, direction = norm_and_inputs()
    norm.requires_grad_(False)
    norm(x).backward(direction)
    assert norm.weight.grad is None
    assert x.grad is not None
