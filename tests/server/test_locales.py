"""Every word on every node is there in every language."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

LOCALES = Path(__file__).resolve().parents[2] / "locales"
TRANSLATED = ("zh", "ja", "ko")
GROWN = ("codec_", "kind_")  # inputs that a choice brings


def words(language: str, file: str) -> dict:
    return json.loads((LOCALES / language / f"{file}.json").read_text(encoding="utf-8"))


def wanted_of(info: dict) -> set[str]:
    """What has a text on a node, as paths into nodeDefs.json."""
    paths = {"display_name", "description"}
    inputs = {**info["input"].get("required", {}), **info["input"].get("optional", {})}
    for name, (_, *options) in inputs.items():
        paths.add(f"inputs.{name}.name")
        if options and options[0].get("tooltip"):
            paths.add(f"inputs.{name}.tooltip")
    for index, tooltip in enumerate(info.get("output_tooltips") or [None] * len(info["output"])):
        paths.add(f"outputs.{index}.name")
        if tooltip:
            paths.add(f"outputs.{index}.tooltip")
    return paths


def paths_in(tree: dict, before: str = "") -> dict[str, str]:
    found = {}
    for key, value in tree.items():
        found |= paths_in(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": value}
    return found


@pytest.fixture(scope="module")
def ours(server) -> dict[str, dict]:
    return {name: info for name, info in server.get("/object_info").items() if name.startswith("SynCam")}


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_text_of_a_node_is_missing_and_none_is_left_over(ours, language):
    translated = words(language, "nodeDefs")
    assert set(translated) == set(ours)
    for name, info in ours.items():
        there = {
            path: text
            for path, text in paths_in(translated[name]).items()
            if not path.split(".")[1:2] or not path.split(".")[1].startswith(GROWN)
        }
        assert set(there) == wanted_of(info), name
        assert all(text.strip() for text in there.values()), name


@pytest.mark.parametrize("language", TRANSLATED)
def test_descriptions_are_translated_and_not_copied(ours, language):
    for name, info in ours.items():
        description = words(language, "nodeDefs")[name]["description"]
        assert description != info["description"]
        assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]", description), name


@pytest.mark.parametrize("language", TRANSLATED)
def test_editor_and_player_have_the_same_words_and_gaps_in_every_language(language):
    english, other = paths_in(words("en", "main")), paths_in(words(language, "main"))
    assert set(other) == set(english)
    for path, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", other[path])) == sorted(re.findall(r"\{\w+\}", text)), path
