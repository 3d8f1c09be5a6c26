"""How the suite is shared between processes (pytest-xdist): what has a costly set-up in common stays in one of them."""

from __future__ import annotations

import os
from functools import cached_property

import pytest
from xdist.scheduler import LoadScopeScheduling

BROWSER = "tests/browser/"
# Tests that share a server or a browser, each one unit of work; every other file is a unit of its own.
SHARED = (BROWSER, "tests/server/")
ALONE = ("tests/server/test_two_checkouts.py", "tests/server/test_farm.py")  # start their own servers
# The costliest units begin first, so that no long one is left for the end when the other processes have run dry.
COSTLIEST = (
    *SHARED,
    "tests/nodes/test_company.py",
    "tests/training/test_loop.py",
    "tests/dev_script/test_set_up.py",
    *ALONE,
)


def unit_of(nodeid: str) -> str:
    """The unit of work that a test belongs to."""
    file = nodeid.partition("::")[0]
    return next((folder for folder in SHARED if file.startswith(folder) and file not in ALONE), file)


def rank(nodeid: str) -> int:
    unit = unit_of(nodeid)
    return COSTLIEST.index(unit) if unit in COSTLIEST else len(COSTLIEST)


class UnitScheduling(LoadScopeScheduling):
    """Hands out units of work, one after another, in the order in which they were collected.

    Where only the browser is tested, its files are units: every process has its own browser, for all that it is given.
    """

    @cached_property
    def only_browser(self) -> bool:
        return all(nodeid.startswith(BROWSER) for nodeid in self.collection)

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0] if self.only_browser else unit_of(nodeid)


class Workers:
    """The plugin that the test processes and the one that directs them load."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config, log):
        config.option.loadscopereorder = False
        return UnitScheduling(config, log)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        if is_worker(config):
            items.sort(key=lambda item: rank(item.nodeid))


def is_worker(config) -> bool:
    return hasattr(config, "workerinput")


def share_cores(config) -> None:
    """Give this process, and the servers it starts, its part of the cores; before numpy and torch are imported."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, cores // config.workerinput["workercount"])
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
