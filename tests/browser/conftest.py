"""Fixtures: one headless Chromium for all files of this folder, and pages of the server's frontend in it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
FLAGS = ["--no-sandbox", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
# Without a GPU only WebGL is drawn as on one; all else takes a third less time when the processor draws it plainly.
FLAGS += ["--disable-gpu-rasterization", "--disable-accelerated-2d-canvas"]
FLAGS += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]  # nothing but this machine is asked
FAILED = pytest.StashKey[bool]()
OPENED = pytest.StashKey["OpenedBrowser"]()


class OpenedBrowser:
    """The Chromium at ``path``, with the pages of the server's frontend that were opened in it."""

    def __init__(self, path: str):
        from playwright.sync_api import sync_playwright

        self.playwright = sync_playwright().start()
        self.browser = self.playwright.chromium.launch(executable_path=path, args=FLAGS)
        self.frontend = None

    def close(self) -> None:
        self.browser.close()
        self.playwright.stop()


def close_browser(config) -> None:
    if opened := config.stash.get(OPENED, None):
        del config.stash[OPENED]
        opened.close()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """Close the browser after the last test of this folder: while Playwright is open, nothing else in this process can
    run an event loop."""
    if nextitem is None or HERE not in nextitem.path.parents:
        close_browser(item.config)


def pytest_unconfigure(config):
    close_browser(config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="module")
def browser(request):
    """The headless Chromium; without one on the machine the test is skipped."""
    # dev.py sets it to nothing where a browser is there but cannot be driven.
    path = os.environ.get("SYNCAM_CHROMIUM", shutil.which("chromium"))
    if not path:
        pytest.skip("no Chromium on this machine; install one, or name it in SYNCAM_CHROMIUM")
    stash = request.config.stash
    if OPENED not in stash:
        stash[OPENED] = OpenedBrowser(path)
    return stash[OPENED].browser


@pytest.fixture(scope="module")
def frontend(request, browser, server):
    """Pages of the server's frontend: frontend.Frontend, one for all files."""
    from frontend import Frontend

    opened = request.config.stash[OPENED]
    opened.frontend = opened.frontend or Frontend(browser, server)
    return opened.frontend


@pytest.fixture
def open_page(frontend):
    """A function that opens a fresh page of the frontend for this test, which takes ten seconds: Frontend.open."""
    yield frontend.open
    frontend.close_others()


@pytest.fixture
def page_again(frontend, request):
    """A function that gives the page of an earlier test with a blank workflow, if that one passed: Frontend.again."""
    given = []

    def again(nodes_2: bool = False, **options):
        given.append((frontend.again(nodes_2, **options), nodes_2))
        return given[-1][0]

    yield again
    for page, nodes_2 in given:
        if request.node.stash.get(FAILED, False):
            frontend.lent.remove(page)
        else:
            frontend.give_back(page, nodes_2)
    frontend.close_others()
