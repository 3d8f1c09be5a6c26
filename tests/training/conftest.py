"""Accelerate keeps its state for the life of a process, which here is that of many files' tests."""

import pytest


def reset() -> None:
    from accelerate.state import AcceleratorState, GradientState

    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


@pytest.fixture(scope="module", autouse=True)
def accelerate_of_this_file():
    reset()
    yield
    reset()


@pytest.fixture
def fresh_accelerate():
    """For this test alone; and one thread, for models that are too small for more."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    reset()
