"""Which server gets which job, without a server: what they answer is told here. Real ones are in tests/server."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from syncam_core.farm.ledger import Ledger
from syncam_core.farm.run import Farm
from syncam_core.farm.server import Ended, Server
from syncam_core.farm.table import Job

JOBS = [Job(f"id{number}", f"job{number}", {}, {}) for number in range(3)]


class Small(Server):
    """A server on which every job ends for want of memory."""

    def queued(self) -> set[str]:
        return set()

    def ended(self, job: str) -> Ended:
        return Ended("KSampler: not enough memory", True, (), {})


@pytest.fixture
def farm(tmp_path: Path) -> Farm:
    made = Farm(tmp_path, [Small.at("one:1"), Small.at("two:2")], JOBS, retries=0)
    made.alive, made.waiting, made.left = dict.fromkeys(made.alive, True), deque(JOBS), len(JOBS)
    return made


def test_a_server_has_a_second_job_only_while_there_is_one_for_everybody(farm):
    one, two = farm.servers
    mine, theirs = {}, {}
    assert [farm._take(one, mine), farm._take(one, mine), farm._take(one, mine)] == [JOBS[0], JOBS[1], None]
    farm.waiting = deque(JOBS[2:])
    del mine[JOBS[1].id]
    assert farm._take(one, mine) is None, "the last one is for the server that stands still"
    assert farm._take(two, theirs) is JOBS[2]


def test_a_job_without_memory_is_tried_on_one_other_server_and_that_is_no_loss(farm, tmp_path):
    one, two = farm.servers
    farm.waiting, mine, theirs = deque(JOBS[:1]), {}, {}
    assert farm._take(one, mine) is JOBS[0]
    farm._collect(one, mine)
    assert (list(farm.waiting), mine, Ledger(tmp_path).entries()) == (JOBS[:1], {}, [])
    assert farm._take(one, mine) is None, "somebody with more memory comes for it"
    assert farm._take(two, theirs) is JOBS[0]
    farm._collect(two, theirs)
    (entry,) = Ledger(tmp_path).entries()
    assert (entry.status, entry.server, entry.error) == ("failed", two.url, "KSampler: not enough memory")
