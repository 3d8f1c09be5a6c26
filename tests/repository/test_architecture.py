"""The picture in docs/architecture.md is that of the imports."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def drawn() -> dict[str, set[str]]:
    """The arrows of the first picture, by where they begin."""
    picture = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").split("```mermaid\n")[1].split("```")[0]
    arrows: dict[str, set[str]] = {}
    for line in re.sub(r'\["[^"]*"\]', "", picture).splitlines():
        chain = line.split("-->")
        for start, end in itertools.pairwise(chain):
            arrows.setdefault(start.strip(), set()).add(end.strip())
    return arrows


def imported() -> dict[str, set[str]]:
    """Which rooms of the core the files of each room import, at the top or inside a function."""
    core, arrows = ROOT / "syncam_core", {}
    for path in core.rglob("*.py"):
        folder = list(path.relative_to(core).parent.parts)
        room = folder[0] if folder else path.stem
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                place = [*folder[: len(folder) - node.level + 1], *(node.module or "").split(".")]
                names = [place[0]] if place[0] else [alias.name for alias in node.names]
                arrows.setdefault(room, set()).update(name for name in names if name != room)
    return arrows


def reached(start: str, arrows: dict[str, set[str]]) -> set[str]:
    found, waiting = set(), [start]
    while waiting:
        new = arrows.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


@pytest.mark.parametrize("arrows", [drawn(), imported()], ids=["drawn", "imported"])
def test_no_way_leads_back_to_where_it_began(arrows):
    assert len(arrows) > 8
    assert [room for room in arrows if room in reached(room, arrows)] == []


def test_every_import_between_rooms_of_the_core_follows_the_arrows_of_the_picture():
    arrows = drawn()
    rooms = set(arrows) | set().union(*arrows.values())
    for room, others in imported().items():
        if room in rooms:
            assert others & rooms <= reached(room, arrows), room


def test_the_core_imports_nothing_of_the_host_nor_of_the_nodes():
    for path in (ROOT / "syncam_core").rglob("*.py"):
        names = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add((node.module or "").split(".")[0])
        assert not names & {
            "comfy",
            "comfy_api",
            "comfy_extras",
            "comfy_execution",
            "folder_paths",
            "nodes",
            "server",
        }, path


def product_files() -> list[Path]:
    python = [ROOT / "__init__.py", *(ROOT / "nodes").rglob("*.py"), *(ROOT / "syncam_core").rglob("*.py")]
    return [
        *python,
        *(ROOT / "web/js").rglob("*.mjs"),
        *(ROOT / "web/js").rglob("*.js"),
        *(ROOT / "web/lib").glob("*.mjs"),
    ]


def lines_of(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")


def test_no_file_of_the_product_is_longer_than_450_lines():
    files = product_files()
    assert len(files) > 300
    assert [f"{path.relative_to(ROOT)}: {lines_of(path)}" for path in files if lines_of(path) > 450] == []


def test_no_function_is_longer_than_a_screen_of_60_lines_but_the_schemas_of_nodes():
    long = []
    for path in product_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if path.suffix == ".py" else ():
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name != "define_schema":
                lines = (node.end_lineno or 0) - node.lineno + 1
                long += [f"{path.relative_to(ROOT)} {node.name}: {lines}"] if lines > 60 else []
    assert long == []


def test_any_is_said_at_most_30_times():
    words = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in product_files()
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id == "Any"
    ]
    assert len(words) <= 30, words


def test_every_execute_of_a_node_says_the_types_of_what_it_takes_and_gives():
    untyped, seen = [], 0
    for path in (ROOT / "nodes").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == "execute":
                seen += 1
                taken = [*node.args.posonlyargs, *node.args.args[1:], *node.args.kwonlyargs]
                if node.returns is None or any(one.annotation is None for one in taken):
                    untyped.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert seen >= 58
    assert untyped == []
