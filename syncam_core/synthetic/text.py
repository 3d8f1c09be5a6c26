"""Prompts as numbers: a fixed vector per word of the world's vocabulary, in the shape of a T5 encoder's output."""

from __future__ import annotations

import torch
from torch import Tensor

from .scene import VOCABULARY, vocabulary_words

TEXT_DIM = 64
TOKENS = 16  # shorter prompts are padded with zeros: softmax counts them, so training and inference must agree
PAD, END, FIRST_WORD = 0, 1, 2
_SEED = 20241210


def token_ids(text: str) -> list[int]:
    """The words that the world understands (synonyms count as the word), then the end; all others are dropped."""
    return [FIRST_WORD + VOCABULARY.index(word) for word in vocabulary_words(text)] + [END]


def word_vectors() -> Tensor:  # (tokens, 64) float32
    """Orthogonal vectors with a mean square of 1, so that words cannot be confused; the padding's is zero.

    Words added to the end of the vocabulary leave the others' vectors as they are. 64 minus two words fit.
    """
    generator = torch.Generator().manual_seed(_SEED)
    orthogonal = torch.linalg.qr(torch.randn(TEXT_DIM, TEXT_DIM, generator=generator, dtype=torch.float64))[0]
    vectors = (orthogonal.T * TEXT_DIM**0.5)[: FIRST_WORD + len(VOCABULARY)].float()
    vectors[PAD] = 0
    return vectors


def encode_prompt(text: str) -> Tensor:  # (16 or more, 64) float32
    """What the demo model's text encoder says to a prompt; the empty prompt is the end token alone."""
    ids = token_ids(text)
    return word_vectors()[ids + [PAD] * (TOKENS - len(ids))]
