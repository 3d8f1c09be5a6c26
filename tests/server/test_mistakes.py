"""docs/mistakes.md: what beginners do, and the sentence that answers it, on which node."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from comfy_server import Outcome
from mistakes import MISTAKES, Mistake, broken

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mistakes.md"


def answer(server, mistake: Mistake) -> tuple[str, str, str]:
    """The node's class, the sentence, and when it is said: refused, error or remark."""
    (server.folder / "input" / "empty.json").write_text("")
    (server.folder / "input" / "scene.fbx.json").write_bytes(b"Kaydara FBX Binary  \0\x1a\0")
    prompt = broken(mistake)
    outcome: Outcome = server.run(prompt)
    if outcome.status != "success":
        return outcome.node_type, " ".join(outcome.message.split()), outcome.status
    said = [
        (prompt[number]["class_type"], " ".join(output["remarks"]), "remark")
        for number, output in outcome.outputs.items()
        if output.get("remarks")
    ]
    return said[0] if said else ("", "", "success")


def rows() -> dict[str, list[str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    return {row[0]: row[1:] for row in cells[1:]}


def test_the_page_has_a_row_for_each_mistake_and_no_other():
    assert list(rows()) == [mistake.what for mistake in MISTAKES]
    assert len(MISTAKES) >= 40


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_a_mistake_is_answered_by_the_sentence_of_the_page_on_the_node_that_it_names(server, mistake):
    node, sentence, kind = answer(server, mistake)
    names = server.get("/object_info")
    shown, said, when = rows()[mistake.what]
    assert names[node]["display_name"] == shown
    assert said.replace("\\|", "|").rstrip(".") in sentence
    assert {"refused": "when queued", "error": "before sampling", "remark": "after the run"}[kind] == when
    assert kind != "error" or sentence.startswith("SynCam"), json.dumps(sentence)
