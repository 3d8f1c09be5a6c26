"""The browser for the browser tests is one that starts and can be driven; without one the reason is said."""

import dev
import pytest


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A PATH with nothing on it, so no apt-get either."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(file, exit_code):
    file.write_text(f"#!/bin/sh\nexit {exit_code}\n")
    file.chmod(0o755)
    return str(file)


def test_a_browser_that_starts_is_preferred_to_a_stub_that_only_says_how_to_install_one(path):
    program(path / "chromium-browser", exit_code=1)
    real = program(path / "google-chrome", exit_code=0)
    assert dev.browser_for_tests([program(path / "playwright", exit_code=0)], {}) == real


def test_the_browser_that_the_variable_names_comes_first(path, monkeypatch, tmp_path):
    program(path / "chromium", exit_code=0)
    named = program(tmp_path / "my browser", exit_code=0)
    monkeypatch.setenv("SYNCAM_CHROMIUM", named)
    assert dev.find_chromium() == named


def test_without_a_browser_the_tests_that_need_one_are_said_to_be_skipped(path, capsys):
    assert dev.browser_for_tests([program(path / "playwright", exit_code=0)], {}) == ""
    assert "No Chromium found" in capsys.readouterr().err


def test_a_browser_that_cannot_be_driven_is_no_browser_and_the_remedy_is_named(path, capsys):
    program(path / "chromium", exit_code=0)
    assert dev.browser_for_tests([program(path / "playwright", exit_code=127)], {}) == ""
    assert "libatomic1" in capsys.readouterr().err
