"""docs/mistakes.md: what beginners do, and the sentence that answers it, on which node.

`COMFYUI_PATH=... PYTHONPATH=.:tests/helpers python tests/server/test_mistakes.py` writes the page anew, for its reader to
judge each sentence.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from comfy_server import Outcome, Server
from mistakes import MISTAKES, Mistake, broken

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "mistakes.md"
WHEN = {"refused": "when queued", "error": "before sampling", "remark": "after the run"}
HEAD = """# What beginners do wrong, and what they are told

Each of these was made over the API, on two cameras of the demo (`tests/server/test_mistakes.py` makes all of them again).
In the browser the sentence stands on the node that is named, in classic nodes and in Nodes 2.0: at once when a workflow is
queued; when the run has come to the node, before anything is sampled; or, where nothing is wrong but something is worth a
word, after the run. Inputs are called there as they are called on the node. Over the API a sentence begins with the node's
id and is in `node_errors`, in `execution_error`, or in the node's outputs as `remarks`.

| mistake | node | sentence | seen on the node |
|---|---|---|---|
"""


def answer(server: Server, mistake: Mistake) -> tuple[str, str, str]:
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
    shown, said, when = rows()[mistake.what]
    assert server.get("/object_info")[node]["display_name"] == shown
    assert said.replace("\\|", "|") in sentence
    assert when == WHEN[kind]


def write_page() -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(os.environ["COMFYUI_PATH"]), Path(folder))
        try:
            for file in (ROOT / "example_workflows" / "input").iterdir():
                (Path(folder) / "input" / file.name).write_bytes(file.read_bytes())
            info, lines = server.get("/object_info"), []
            for mistake in MISTAKES:
                node, sentence, kind = answer(server, mistake)
                plain = sentence.partition(" - ")[2] if sentence.startswith("Custom validation failed") else sentence
                plain = plain.removeprefix(f"{node}: ").replace("|", "\\|")
                name = info.get(node, {}).get("display_name", "?")
                lines.append(f"| {mistake.what} | {name} | {plain} | {WHEN.get(kind, kind)} |\n")
        finally:
            server.stop()
    PAGE.write_text(HEAD + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    write_page()
