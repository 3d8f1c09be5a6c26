"""Which view gets which prompt."""

import pytest
import torch

from syncam_core.errors import UserError
from syncam_core.view_sync.prompts import prompts_of_views, stack_texts


@pytest.mark.parametrize(
    ("suffixes", "prompts"),
    [
        ("", ["a fox", "a fox", "a fox"]),
        ("from the front\nfrom behind\nfrom above", ["a fox from the front", "a fox from behind", "a fox from above"]),
        ("\n  close-up  \n", ["a fox", "a fox close-up", "a fox"]),
        ("one", ["a fox one", "a fox", "a fox"]),
        ("\r\n\r\nlast\r\n", ["a fox", "a fox", "a fox last"]),
        ("a\nb\nc\n\n   \n", ["a fox a", "a fox b", "a fox c"]),
    ],
)
def test_the_line_of_a_view_stands_behind_the_text(suffixes, prompts):
    assert prompts_of_views("a fox", suffixes, 3) == prompts


def test_a_text_without_a_suffix_stays_as_typed_and_a_suffix_needs_no_text():
    assert prompts_of_views(" a fox\n", "\nruns", 2) == [" a fox\n", " a fox runs"]
    assert prompts_of_views("", "blurry", 2) == ["blurry", ""]


def test_words_on_a_line_that_no_view_has_are_refused():
    with pytest.raises(UserError, match=r"'suffixes' says 'c' on line 3, but 'cameras' has 2 views"):
        prompts_of_views("a fox", "a\nb\nc", 2)


def test_shorter_texts_are_continued_by_zeros_and_keep_their_place():
    texts = [torch.full((1, tokens, 4), float(tokens)) for tokens in (2, 5, 3)]
    stacked = stack_texts(texts)
    assert stacked.shape == (3, 5, 4)
    for row, text in zip(stacked, texts, strict=True):
        assert torch.equal(row[: text.shape[1]], text[0])
        assert not row[text.shape[1] :].any()
    assert torch.equal(stack_texts([torch.ones(1, 2), torch.ones(1, 3)]), torch.tensor([[1.0, 1, 0], [1, 1, 1]]))
