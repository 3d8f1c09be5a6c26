import itertools

import pytest
import torch

from syncam_core.errors import UserError
from syncam_core.training.objective import gaussian_weight, noisy, shifted, sigma_of, velocity


def draws(sampling, count=1000, shift=5.0):
    """Noise levels of evenly spaced numbers from 0..1."""
    return torch.tensor([sigma_of((i + 0.5) / count, sampling, shift) for i in range(count)], dtype=torch.float64)


def test_the_loss_weight_has_the_authors_values():
    timesteps = torch.tensor([1000.0, 900, 833, 700, 500, 300, 100], dtype=torch.float64)
    published = torch.tensor([0, 0.63, 1.03, 1.67, 2.08, 1.67, 0.64], dtype=torch.float64)
    levels = torch.tensor([5 * k / (1000 + 4 * k) for k in range(1, 1001)], dtype=torch.float64)
    nearest = levels[(levels[:, None] - timesteps / 1000).abs().argmin(0)]  # the authors' table knows these only
    torch.testing.assert_close(gaussian_weight(nearest), published, atol=0.0055, rtol=0)


def test_the_loss_weight_is_1_on_average_over_the_authors_timesteps_and_never_below_0():
    assert gaussian_weight(draws("uniform_1000")).mean().item() == pytest.approx(1, abs=1e-9)
    every = gaussian_weight(torch.linspace(0, 1, 5001))
    assert every.dtype == torch.float32
    assert (every >= 0).all()


def test_the_authors_timesteps_are_1000_levels_from_1_down_that_favour_noise():
    levels = draws("uniform_1000")
    assert len(levels.unique()) == 1000
    assert levels.max() == 1
    # t/1000 = k/1000 shifted by 5: sigma > 0.5 where k > 1000/6, sigma >= 5/6 from the middle on
    assert (levels > 0.5).sum() == 834
    assert (levels >= 5 / 6 - 1e-12).sum() == 501
    expected = torch.tensor([5 * k / (1000 + 4 * k) for k in range(1, 1001)], dtype=torch.float64)
    torch.testing.assert_close(levels.sort().values, expected, atol=1e-12, rtol=0)


def test_every_number_within_one_of_the_1000_levels_gives_that_level():
    assert sigma_of(0.0, "uniform_1000", 5.0) == sigma_of(0.000999, "uniform_1000", 5.0) == 1
    assert sigma_of(0.9999999999, "uniform_1000", 5.0) == pytest.approx(5 / 1004)
    assert sigma_of(1.0, "uniform_1000", 5.0) == pytest.approx(5 / 1004)


def test_the_continuous_form_is_the_limit_of_the_levels():
    assert sigma_of(0.0, "uniform", 5.0) == 0
    assert sigma_of(0.5, "uniform", 5.0) == pytest.approx(5 / 6)
    assert (draws("uniform").sort().values - draws("uniform_1000").sort().values).abs().max() < 0.003


def test_logit_normal_is_symmetric_about_the_middle_before_its_shift():
    plain = draws("logit_normal", shift=1.0)
    torch.testing.assert_close(plain + plain.flip(0), torch.ones_like(plain))
    # a third of a standard normal lies within 0.4307 of 0, and the logistic of that is 0.6061
    assert ((plain - 0.5).abs() < 0.1061).double().mean().item() == pytest.approx(1 / 3, abs=0.002)
    torch.testing.assert_close(draws("logit_normal", shift=5.0), 5 * plain / (1 + 4 * plain))
    assert 0 < sigma_of(0.0, "logit_normal", 5.0) < sigma_of(1.0, "logit_normal", 5.0) < 1


def test_a_shift_keeps_both_ends_and_the_order():
    for shift in (0.5, 1.0, 3.0, 8.0):
        levels = [shifted(i / 50, shift) for i in range(51)]
        assert (levels[0], levels[-1]) == (0, 1)
        assert all(a < b for a, b in itertools.pairwise(levels))
    assert shifted(0.3, 1.0) == 0.3


def test_an_unknown_way_to_draw_is_refused_with_the_possible_ones():
    with pytest.raises(UserError, match="'timesteps' is 'cosine'; possible are uniform_1000, uniform, logit_normal"):
        sigma_of(0.5, "cosine", 5.0)


def test_the_velocity_leads_from_the_picture_to_the_noise_and_back():
    generator = torch.Generator().manual_seed(0)
    x, noise = torch.randn(2, 3, 16, 2, 4, 4, generator=generator, dtype=torch.float64)
    sigma = torch.rand(3, generator=generator, dtype=torch.float64).view(-1, 1, 1, 1, 1)
    at = noisy(x, noise, sigma)
    torch.testing.assert_close(at, (1 - sigma) * x + sigma * noise)
    torch.testing.assert_close(at - sigma * velocity(x, noise), x)
    torch.testing.assert_close(at + (1 - sigma) * velocity(x, noise), noise)
    assert torch.equal(noisy(x, noise, torch.zeros(())), x)
    assert torch.equal(noisy(x, noise, torch.ones(())), noise)
