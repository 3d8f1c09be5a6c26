"""The noise that views start from, and the lists of numbers by which people name views."""

import math

import pytest
import torch

from syncam_core.cameras.spoken import choose_views, whole_numbers
from syncam_core.errors import UserError
from syncam_core.view_sync.noise import noise_of_views, read_noise_order, shared_draw, shrunk

SHAPE = (16, 5, 24, 32)  # 61,440 numbers: a correlation is known to 0.004


def draws(views, seed=0):
    return torch.randn(views, *SHAPE, generator=torch.Generator().manual_seed(seed))


def correlations(noise):
    return torch.corrcoef(noise.flatten(1))


def test_independent_noise_is_the_draws_as_they_are():
    own = draws(3)
    assert torch.equal(noise_of_views(own, seed=0), own)


def test_shared_noise_is_one_draw_for_all_views_that_the_seed_decides():
    noise = noise_of_views(draws(3), 7, "shared")
    assert torch.equal(noise[0], noise[1])
    assert torch.equal(noise[0], noise[2])
    assert not torch.equal(noise[0], noise_of_views(draws(3), 8, "shared")[0])


@pytest.mark.parametrize("mix", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_mixed_noise_keeps_the_variance_and_any_two_views_correlate_by_the_mix(mix):
    noise = noise_of_views(draws(3), 0, "mixed", mix)
    assert noise.mean().abs() < 0.01
    assert noise.flatten(1).var(dim=1).tolist() == pytest.approx([1, 1, 1], abs=0.03)
    expected = torch.full((3, 3), mix).fill_diagonal_(1)
    torch.testing.assert_close(correlations(noise), expected, atol=0.02, rtol=0)


def test_a_mix_of_0_is_independent_and_a_mix_of_1_is_shared():
    own = draws(2)
    assert torch.equal(noise_of_views(own, 3, "mixed", 0.0), own)
    assert torch.equal(noise_of_views(own, 3, "mixed", 1.0), noise_of_views(own, 3, "shared"))


@pytest.mark.parametrize("noise", ["shared", "mixed"])
def test_views_that_are_added_or_reordered_leave_the_others_as_they_are(noise):
    four = noise_of_views(draws(4), 0, noise, 0.3)
    assert torch.equal(noise_of_views(draws(4)[:2], 0, noise, 0.3), four[:2])
    assert torch.equal(noise_of_views(draws(4)[[2, 0]], 0, noise, 0.3), four[[2, 0]])


def test_the_shared_draw_is_none_of_the_own_ones_nor_of_nearby_seeds():
    for seed in (0, 1, 2**32, 2**64 - 1):
        shared = shared_draw(SHAPE, seed)
        for other in (seed, (seed + 1) % 2**64, (seed - 1) % 2**64):
            pair = torch.stack([shared, draws(1, other)[0]])
            assert correlations(pair)[0, 1].abs() < 5 / math.sqrt(shared.numel())


def test_draws_keep_their_dtype():
    assert noise_of_views(draws(2).half(), 0, "mixed").dtype == torch.float16


@pytest.mark.parametrize(
    ("noise", "mix", "words"), [("pink", 0.5, "'noise' is 'pink'"), ("mixed", 1.5, "1.5"), ("mixed", math.nan, "nan")]
)
def test_what_is_no_noise_is_refused(noise, mix, words):
    with pytest.raises(UserError, match=words):
        noise_of_views(draws(1), 0, noise, mix)


@pytest.mark.parametrize(
    ("text", "order"),
    [("", None), ("  ", None), ("2, 0, 1", [2, 0, 1]), ("2 0;1", [2, 0, 1]), ("0-1, 7", [0, 1, 7]), ("3,3,3", [3] * 3)],
)
def test_an_order_of_draws_is_read(text, order):
    assert read_noise_order(text, 3) == order


def test_an_order_for_another_number_of_views_is_refused():
    with pytest.raises(UserError, match="'noise_order' names 2 draws, but there are 3 views"):
        read_noise_order("0, 1", 3)
    assert read_noise_order("0, 1", None) == [0, 1]


@pytest.mark.parametrize("text", ["a", "1.5", "-1", "1-", "0-2-4", "1000", "٣", "1e1", "0x1", "+1"])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(UserError, match="'numbers' holds"):
        whole_numbers(text, "numbers")


@pytest.mark.parametrize(
    ("text", "views", "chosen"),
    [
        ("0", 4, [0]),
        ("3, 1", 4, [3, 1]),
        ("0-3", 4, [0, 1, 2, 3]),
        ("0 - 1, 3", 4, [0, 1, 3]),
        ("all", 3, [0, 1, 2]),
        ("all but 2", 4, [0, 1, 3]),
        (" ALL  but 0, 2-3 ", 5, [1, 4]),
        ("all but 0", 1, []),
    ],
)
def test_views_are_named_by_number_range_or_exception(text, views, chosen):
    assert choose_views(text, views, "views") == chosen


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no view"),
        ("all but", "names no view|holds"),
        ("all but left", "holds 'left'"),
        ("1, 1", "view 1 twice"),
        ("0-2, 1", "view 1 twice"),
        ("4", "names view 4, but the views are 0 to 3"),
        ("all but 4", "names view 4, but the views are 0 to 3"),
        ("2-1", "write '1-2'"),
        ("allbut 2", "holds 'allbut'"),
    ],
)
def test_views_that_cannot_be_meant_are_refused(text, words):
    with pytest.raises(UserError, match=words):
        choose_views(text, 4, "views")


@pytest.mark.parametrize(("times", "size"), [(2, (14, 26)), (3, (10, 16)), (20, (2, 2))])
def test_a_shrunk_noise_is_made_of_whole_blocks_has_even_sides_and_the_variance_of_noise(times, size):
    noise = torch.randn(2, 16, 3, 58 if times == 20 else 30, 53, generator=torch.Generator().manual_seed(1))
    small, (height, width) = shrunk(noise, times), size
    assert small.shape == (2, 16, 3, *size)
    blocks = noise[..., : height * times, : width * times].unflatten(-1, (width, times)).unflatten(-3, (height, times))
    assert torch.allclose(small, blocks.mean(dim=(-1, -3)) * times, atol=1e-5)
    assert small.var().item() == pytest.approx(1, abs=0.15)
