"""Captions as numbers, without ComfyUI. That umT5 says what ComfyUI's says is in tests/nodes/test_training_text.py."""

from __future__ import annotations

import math

import pytest
import tiny_umt5
import torch
from safetensors.torch import save_file

from syncam_core.errors import UserError
from syncam_core.synthetic.text import encode_prompt
from syncam_core.training.text import position_buckets, text_encoder


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tiny_umt5.write_umt5(tmp_path_factory.mktemp("text") / "umt5_tiny.safetensors")


def test_a_caption_is_followed_by_exact_zeros_up_to_512_tokens(file):
    encoder = text_encoder("umt5", str(file))
    tokens = encoder("a red fox")
    assert tokens.shape == (512, tiny_umt5.DIM)
    assert tokens.dtype == torch.float32
    length = int(tokens.abs().sum(1).count_nonzero())
    assert 2 <= length < 15
    assert (tokens[:length].abs().sum(1) > 0).all()


def test_the_empty_caption_is_the_end_token_alone(file):
    assert int(text_encoder("umt5", str(file))("").abs().sum(1).count_nonzero()) == 1


def test_parentheses_are_words_and_no_weights(file):
    encoder = text_encoder("umt5", str(file))
    assert not torch.equal(encoder("a (red) fox"), encoder("a red fox"))
    assert int(encoder("a (red) fox").abs().sum(1).count_nonzero()) > int(
        encoder("a red fox").abs().sum(1).count_nonzero()
    )


def test_two_files_have_two_ids_and_a_copy_the_same(file, tmp_path):
    other = tiny_umt5.write_umt5(tmp_path / "other.safetensors", seed=1)
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(file.read_bytes())
    ids = [text_encoder("umt5", str(path)).id for path in (file, other, copy)]
    assert ids[0] == ids[2] != ids[1]


def test_the_demo_encoder_is_the_demo_models_table_of_words():
    encoder = text_encoder("demo")
    assert encoder.id == "syncam-demo-words-1"
    assert torch.equal(encoder("a red cone"), encode_prompt("a red cone"))


def test_positions_fall_into_t5s_buckets():
    buckets = position_buckets(400)
    for query, key in ((0, 0), (0, 7), (9, 2), (5, 13), (100, 0), (0, 127), (0, 128), (399, 0), (0, 399), (50, 90)):
        away = abs(key - query)
        near = away if away < 8 else min(15, 8 + math.floor(math.log(away / 8) / math.log(16) * 8 + 1e-9))
        assert buckets[query, key] == near + (16 if key > query else 0), (query, key)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("spiece_model"), "has no 'spiece_model'"),
        (lambda state: state.pop("encoder.block.0.layer.0.SelfAttention.q.weight"), "has no .encoder"),
        (lambda state: state.update(scaled_fp8=torch.zeros(2), **{"a.scale_weight": torch.ones(1)}), "with scales"),
        (
            lambda state: state.update(
                {
                    "encoder.block.0.layer.0.SelfAttention.q.weight": state[
                        "encoder.block.0.layer.0.SelfAttention.q.weight"
                    ].to(torch.float8_e4m3fn)
                }
            ),
            "in fp8",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(tmp_path, change, message):
    state = tiny_umt5.state()
    change(state)
    save_file(state, tmp_path / "umt5.safetensors")
    with pytest.raises(UserError, match=message):
        text_encoder("umt5", str(tmp_path / "umt5.safetensors"))


def test_what_is_no_weights_file_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "umt5.safetensors").write_bytes(b"no weights at all")
    for path, message in (("umt5.safetensors", "neither"), ("none.safetensors", "cannot be read")):
        with pytest.raises(UserError, match=message):
            text_encoder("umt5", str(tmp_path / path))
    with pytest.raises(UserError, match="umT5 file"):
        text_encoder("umt5")
    with pytest.raises(UserError, match="demo and umt5"):
        text_encoder("clip")
