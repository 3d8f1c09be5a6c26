import pytest

from syncam_core.view_sync.memory import (
    LEAST_TOKENS,
    MOST_TOKENS,
    Job,
    Transformer,
    memory_need,
    memory_sentence,
    tokens_at_once,
    weight_bytes,
)
from syncam_core.view_sync.module import ViewSync

REAL = Transformer()
EIGHT = Job(8, 81, 832, 480)


def test_the_weights_are_those_of_the_published_models_with_the_module_folded():
    # 1,418,996,800 and 354,954,240 numbers; folding takes one square matrix and its bias from each of 30 blocks.
    assert weight_bytes(REAL) == 2 * (1418996800 + 354954240 - 30 * (1536 * 1536 + 1536))
    module = ViewSync(64, 3, folded=True)
    numbers = sum(parameter.numel() for parameter in module.parameters())
    sizes = {"dim": 64, "ffn": 128, "depth": 3, "text_dim": 32}
    with_module = weight_bytes(Transformer(**sizes, weight_bytes=1, module_weight_bytes=4))
    assert with_module - weight_bytes(Transformer(**sizes, weight_bytes=1, module_weight_bytes=0)) == 4 * numbers


def test_a_re_capture_has_weights_and_words_of_its_own():
    # 71,424,000 new numbers in the authors' checkpoint; its self-attention stands in the base's place.
    assert weight_bytes(REAL, recapture=True) == 2 * (1418996800 + 71424000)
    said = memory_sentence(Job(4, 81, 832, 480, recapture=True), REAL, 40e9)
    assert said.startswith("4 re-captures of 81 frames at 832 x 480 need about ")


def test_beyond_a_constant_it_grows_with_the_streams_of_the_views_and_no_faster():
    def working(views: int, **choices) -> float:
        return memory_need(Job(views, 81, 832, 480, **choices), REAL).working

    stream = 21 * 30 * 52 * 1536 * 2
    for choices in ({}, {"coupling": "anchor"}, {"coupling": "nearest", "group_size": 3}, {"memory": "low"}):
        growth = (working(32, **choices) - working(16, **choices)) / 16
        assert growth < 4.5 * stream, choices


def test_smaller_pieces_need_less_and_stacked_conditionings_more():
    def working(width=416, height=240, **choices) -> int:
        return memory_need(Job(8, 81, width, height, **choices), REAL).working

    assert working(memory="low") < working(memory="auto") < working(memory="whole")
    assert working(832, 480, stacked=2) > 1.5 * working(832, 480)


def test_pieces_are_large_where_memory_is_and_never_smaller_than_the_smallest():
    assert tokens_at_once("auto", 1536, 2, 80e9) == MOST_TOKENS
    assert tokens_at_once("auto", 1536, 2, 1e6) == LEAST_TOKENS
    assert LEAST_TOKENS < tokens_at_once("auto", 1536, 2, 2e9) < MOST_TOKENS
    assert tokens_at_once("low", 1536, 2, 80e9) == LEAST_TOKENS


def test_what_fits_is_said_in_one_line_without_advice():
    text = memory_sentence(EIGHT, REAL, 24e9)
    need = memory_need(EIGHT, REAL)
    assert text == (
        f"8 views of 81 frames at 832 x 480 need about {need.total / 1e9:.1f} GB ({need.weights / 1e9:.1f} GB weights, "
        f"{need.working / 1e9:.1f} GB working memory)."
    )
    assert memory_sentence(Job(1, 81, 832, 480), REAL, 24e9).startswith("1 view of 81 frames at 832 x 480 needs about ")


def test_weights_that_do_not_fit_beside_the_work_wait_in_main_memory():
    need = memory_need(EIGHT, REAL)
    text = memory_sentence(EIGHT, REAL, need.total - 1e8)
    assert text.endswith("are free, so some weights wait in main memory, which takes longer.")


@pytest.mark.parametrize("free", [0.6e9, 1e9, 1.5e9, 2e9, 3e9])
def test_what_is_said_to_fit_does_fit_and_the_next_larger_does_not(free):
    text = memory_sentence(EIGHT, REAL, free)
    told = text.split(": ", 1)[1].removesuffix(", would fit.").split(", or ")

    def fits(**change) -> bool:
        sizes = {"views": 8, "frames": 81, "width": 832, "height": 480, **change}
        return memory_need(Job(**sizes), REAL, free).working <= free

    assert told
    for option in told:
        if "view" in option:
            count = int(option.split()[0])
            assert fits(views=count)
            assert not fits(views=count + 1)
        elif " x " in option:
            width, height = map(int, option.split(" x "))
            assert fits(width=width, height=height)
            assert width % 16 == height % 16 == 0
        elif "frames" in option:
            frames = int(option.split()[0])
            assert frames % 4 == 1
            assert fits(frames=frames)
            assert not fits(frames=frames + 4)
        else:
            assert option == "memory 'low'"
            assert fits(memory="low")


def test_without_main_memory_behind_it_the_weights_have_to_fit_too():
    need = memory_need(EIGHT, REAL)
    free = need.total - 1e8
    text = memory_sentence(EIGHT, REAL, free, weights_wait=False)
    assert text.endswith(", would fit.")
    assert "7 views" in text
    assert memory_need(Job(7, 81, 832, 480), REAL).total <= free


def test_where_no_single_change_is_enough_it_says_so():
    assert memory_sentence(EIGHT, REAL, 5e7).endswith("take fewer views and a smaller size together.")
