import pytest
import torch

from syncam_core.synthetic.scene import SYNONYMS, VOCABULARY, Scene
from syncam_core.synthetic.text import TEXT_DIM, TOKENS, encode_prompt, token_ids, word_vectors


def test_words_are_orthogonal_vectors_with_a_mean_square_of_1_and_the_padding_is_zero():
    vectors = word_vectors()
    assert vectors.shape == (2 + len(VOCABULARY), TEXT_DIM)
    assert not vectors[0].any()
    products = vectors[1:].double() @ vectors[1:].double().T / TEXT_DIM
    torch.testing.assert_close(products, torch.eye(1 + len(VOCABULARY), dtype=torch.float64), atol=1e-6, rtol=0)


def test_the_vectors_are_the_same_every_time_whatever_torch_draws_besides():
    first = word_vectors()
    torch.manual_seed(99)
    assert torch.equal(word_vectors(), first)


def test_the_vectors_stay_what_the_trained_models_know():
    # the end token and the last word there is today; an orthogonal basis is unique but for signs, which LAPACK fixes
    vectors = word_vectors()
    assert vectors[1, :3].tolist() == pytest.approx([-0.1906, -0.2722, 0.5002], abs=1e-3)
    assert vectors[2 + VOCABULARY.index("pink"), :3].tolist() == pytest.approx([0.7494, 1.7198, -1.8121], abs=1e-3)


def test_a_prompt_is_its_words_the_end_and_zeros():
    prompt = Scene("cone", "yellow", "bouncing", "sand", "pink").prompt()
    assert prompt == "a yellow cone bouncing on sand under a pink sky"
    encoded, vectors = encode_prompt(prompt), word_vectors()
    assert encoded.shape == (TOKENS, TEXT_DIM)
    words = prompt.split()
    for place, word in enumerate(words):
        assert torch.equal(encoded[place], vectors[2 + VOCABULARY.index(word)]), word
    assert torch.equal(encoded[len(words)], vectors[1])
    assert not encoded[len(words) + 1 :].any()


def test_every_prompt_of_the_world_fits_and_no_two_scenes_share_an_encoding():
    prompts = {Scene.random(seed).prompt() for seed in range(100)}
    assert {encode_prompt(p).shape for p in prompts} == {(TOKENS, TEXT_DIM)}
    assert len({encode_prompt(p).numpy().tobytes() for p in prompts}) == len(prompts)


def test_unknown_words_case_and_punctuation_change_nothing():
    plain = encode_prompt("a red cube turning on grass")
    assert torch.equal(encode_prompt("A wonderful RED cube, slowly turning -- on Grass!"), plain)
    assert torch.equal(encode_prompt("zebra 4k masterpiece"), encode_prompt(""))


@pytest.mark.parametrize(("spoken", "meant"), SYNONYMS.items())
def test_a_synonym_is_encoded_as_the_word_it_stands_for(spoken, meant):
    assert token_ids(f"a {spoken}") == token_ids(f"a {meant}")
    assert len(token_ids(spoken)) == 2


def test_the_order_of_words_is_kept():
    assert token_ids("red cube") == [*token_ids("cube red")[1::-1], 1]


def test_the_empty_prompt_is_the_end_token_alone():
    assert token_ids("") == [1]
    assert encode_prompt("").any(1).tolist() == [True] + [False] * (TOKENS - 1)


def test_a_prompt_longer_than_usual_is_not_cut():
    long = " ".join(["red"] * 20)
    assert encode_prompt(long).shape == (21, TEXT_DIM)
    assert torch.equal(encode_prompt(long)[20], word_vectors()[1])
