"""The exchange between threads: what arrives, that nobody waits for who has failed, and what is counted."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from syncam_core.parallel.exchange import Meeting, PeerLost, to_frames, to_views
from syncam_core.parallel.plan import bytes_of_swap, planned
from syncam_core.parallel.team import TeamStream


def together(size: int, work, meeting: Meeting | None = None) -> list:
    """What each member's thread returns or raises."""
    meeting = meeting or Meeting(size)
    results: list = [None] * size

    def run(rank: int) -> None:
        try:
            results[rank] = work(meeting.member(rank))
        except Exception as problem:
            results[rank] = problem
        finally:
            meeting.leave()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
    return results


@pytest.mark.parametrize(("size", "views", "frames"), [(2, 2, 5), (2, 5, 21), (3, 4, 7), (3, 3, 2), (4, 4, 1)])
def test_all_views_at_own_frames_and_back_many_times_in_any_rhythm(size, views, frames):
    plan = planned(1, views, size, "views")
    x = torch.randn(2, views, frames, 6, 8)

    def work(exchange):
        own = plan.views[exchange.rank]
        mine = x[:, own.start : own.stop].clone()
        for turn in range(12):
            if (turn + exchange.rank) % 3 == 0:
                time.sleep(0.002)
            whole = to_frames(exchange, mine, plan.views)
            to_views(exchange, whole.add_(1), plan.views, mine)
        return mine, exchange.bytes_sent

    results = together(size, work)
    expected = x.clone()
    for _ in range(12):
        expected += 1
    assert torch.equal(torch.cat([mine for mine, _ in results], dim=1), expected)
    # by hand: what is neither a device's own views nor its own frames travels, there and back
    per_frame = 2 * 6 * 8 * 4  # two conditionings, 6 tokens of 8 numbers in float32
    counted = [12 * sent for sent in bytes_of_swap(plan, frames, per_frame)]
    assert [sent for _, sent in results] == counted
    home = sum(
        len(own) * len(share) for own, share in zip(plan.views, torch.arange(frames).tensor_split(size), strict=True)
    )
    assert sum(counted) == 12 * 2 * (views * frames - home) * per_frame


def test_who_waits_for_a_member_that_failed_is_told_at_once():
    def work(exchange):
        x = torch.zeros(1, 1, 4, 2, 2)
        to_frames(exchange, x, [range(1), range(1, 2), range(2, 3)])
        if exchange.rank == 1:
            raise ZeroDivisionError("by hand")
        to_frames(exchange, x, [range(1), range(1, 2), range(2, 3)])

    started = time.monotonic()
    first, failed, last = together(3, work)
    assert time.monotonic() - started < 10
    assert isinstance(failed, ZeroDivisionError)
    assert isinstance(first, PeerLost)
    assert isinstance(last, PeerLost)


def test_nobody_waits_for_a_member_that_did_less_than_the_others():
    def work(exchange):
        for _ in range(2 + exchange.rank):
            to_frames(exchange, torch.zeros(1, 1, 4, 2, 2), [range(1), range(1, 2)])
        return "done"

    first, second = together(2, work)
    assert first == "done"
    assert isinstance(second, PeerLost)


def test_an_interruption_is_seen_at_the_next_exchange():
    class Stopped(Exception):
        pass

    asked = []

    def check() -> None:
        asked.append(1)
        if len(asked) == 5:
            raise Stopped

    def work(exchange):
        while True:
            to_frames(exchange, torch.zeros(1, 1, 4, 2, 2), [range(1), range(1, 2)])

    results = together(2, work, Meeting(2, check))
    assert sorted(type(result).__name__ for result in results) == ["PeerLost", "Stopped"]


def test_another_forward_s_modulation_is_exchanged_anew_and_the_same_one_only_once():
    plan = planned(1, 3, 2, "views")
    times = [torch.randn(3, 1, 4, 8) for _ in range(2)]

    def work(exchange):
        own = plan.views[exchange.rank]
        stream = TeamStream(exchange, plan, exchange.rank, (4, 2, 3), 2**62)
        mine = [time[own.start : own.stop].clone() for time in times]
        found = [stream.time(mine[0]), stream.time(mine[0]), stream.time(mine[1])]
        return found, exchange.bytes_sent

    results = together(2, work)
    for found, sent in results:
        assert found[1] is found[0]
        for got, given in zip((found[0], found[2]), times, strict=True):
            assert torch.equal(got, given[:, :, :3])
        assert sent > 0
