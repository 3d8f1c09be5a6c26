"""Lays templates out: groups in rows, the nodes of a group in columns, so that wires run forward and nothing overlaps.

python scripts/docs/layout.py

Writes the templates that are listed here; what is drawn by hand in ComfyUI is left as it is. The browser tests look at all.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where syncam_core lies

from drawing import template

GAP, PAD = 24, 12  # between groups and nodes; between a group's edge and its nodes
TITLE, HEAD = 30, 40  # heights of a node's title and of a group's, in the canvas' pixels
COLOURS = ("#3f9fc8", "#c8a040", "#8888e0", "#4fc08a", "#c06a5f")


@dataclass(frozen=True)
class Group:
    """A box with a title around nodes: their numbers, column by column. Without a title: the nodes alone."""

    columns: list[list[int]]
    title: str = ""


@dataclass(frozen=True)
class Layout:
    """Rows from top to bottom, of stacks from left to right, of groups from top to bottom; [width, height] of nodes."""

    rows: list[list[list[Group]]]
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    tall: bool = False  # the last stack of a row stands beside the next row, too


def recapture(views: Group, note: int, *beside: Group, **sizes: tuple[int, int]) -> Layout:
    clip, rig = Group([[2], [3], [4]], "3 Your clip"), Group([[5], [6]], "2 Cameras")
    model, sampling = Group([[1], [8, 9]], "1 Model and prompt"), Group([[7, 10], [11]], "4 Sampling")
    common = {1: (260, 138), 2: (250, 338), 3: (225, 110), 4: (260, 238), 5: (286, 206), 6: (260, 106), 7: (280, 146)}
    common |= {8: (250, 120), 9: (250, 120), 10: (280, 162), 11: (250, 600), note: (760, 200)}
    joined = {12: (225, 106), 13: (235, 90), 14: (235, 90), 15: (225, 98)}
    stacks = [[model, rig], [clip, Group([[note]])], [sampling]]
    return Layout([stacks, [[views], *([group] for group in beside)]], common | joined | numbered(sizes))


def baseline(columns: list[list[int]], **sizes: tuple[int, int]) -> Layout:
    rig, model = Group([[5], [6]], "1 Cameras"), Group([[1, 2], [3, 4], [8, 9]], "2 Model and prompt")
    sampling, views = Group([[7, 10], [11]], "3 Sampling"), Group([[12], [13]], "4 SynCamMaster's views")
    other = Group(columns, "5 The baseline, from the same first frames")
    common = {5: (324, 166), 11: (250, 560), 12: (225, 106), 26: (240, 280), 27: (240, 320), 40: (270, 420)}
    return Layout(
        [[[rig, model], [sampling], [views]], [[Group([[90]])], [other]]], common | {90: (320, 450)} | numbered(sizes)
    )


def numbered(sizes: dict[str, tuple[int, int]]) -> dict[int, tuple[int, int]]:
    return {int(name[1:]): size for name, size in sizes.items()}


TALL = {"_11": (250, 726)}  # a sampler with the preview of four views, where something stands below
LAYOUTS = {
    "recapture_one": recapture(Group([[12], [13, 14], [15], [16]], "5 Views"), 17, _16=(420, 330)),
    "recapture_many": recapture(
        Group([[12], [13, 14], [15], [17], [18]], "5 Views"),
        19,
        Group([[16]]),  # the player: all on one clock
        _16=(520, 326),
        **TALL,
    ),
    "recapture_edit": recapture(Group([[12], [13, 14], [15], [16], [17]], "5 Views and the cut"), 18, _17=(420, 330)),
    "dataset_points": Layout(
        [
            [
                [Group([[1]], "1 Cameras"), Group([[5]])],
                [Group([[2]], "2 What they film")],
                [Group([[3], [4]], "3 Two scenes, with points")],
            ]
        ],
        {1: (320, 166), 2: (270, 330), 3: (300, 470), 4: (300, 470), 5: (344, 450)},
    ),
    "baseline_svd_xt": baseline([[20, 21], [22, 23], [24], [25], [40]], _21=(360, 120), _23=(240, 270), _24=(240, 320)),
    "baseline_wan_camera": baseline(
        [[20, 25], [21, 23], [22, 24], [26], [27], [28], [40]],
        **{
            f"_{number}": (225, height)
            for number, height in {20: 130, 25: 220, 21: 90, 23: 86, 22: 90, 24: 100}.items()
        },
        _26=(230, 280),
        _27=(230, 320),
        _28=(210, 80),
        _40=(260, 420),
        _90=(290, 450),
    ),
    "baseline_wan_i2v": baseline([[20, 21, 23], [22, 24], [26], [27], [28], [40]], _23=(240, 86)),
}


def box_of(group: Group, nodes: dict[int, dict]) -> tuple[int, int]:
    """Width and height of a group, with its edges."""
    width = sum(max(nodes[number]["size"][0] for number in column) for column in group.columns)
    height = max(sum(nodes[number]["size"][1] + TITLE + GAP for number in column) - GAP for column in group.columns)
    edges = (2 * PAD, HEAD + PAD) if group.title else (0, 0)
    return width + GAP * (len(group.columns) - 1) + edges[0], height + edges[1]


def place(group: Group, left: int, top: int, nodes: dict[int, dict]) -> None:
    x, first = (left + PAD, top + HEAD + TITLE) if group.title else (left, top + TITLE)
    for column in group.columns:
        y = first
        for number in column:
            nodes[number]["pos"] = [x, y]
            y += nodes[number]["size"][1] + TITLE + GAP
        x += max(nodes[number]["size"][0] for number in column) + GAP


def lay_out(workflow: dict, layout: Layout) -> None:
    nodes = {node["id"]: node for node in workflow["nodes"]}
    placed = [n for row in layout.rows for stack in row for group in stack for column in group.columns for n in column]
    if sorted(placed) != sorted(nodes):
        raise ValueError(f"the layout places {sorted(placed)}, the workflow has {sorted(nodes)}")
    for number, size in layout.sizes.items():
        if number in nodes:
            nodes[number]["size"] = list(size)
    workflow["groups"], top = [], 0
    for row in layout.rows:
        left = lowest = 0
        for stack in row:
            y = top
            for group in stack:
                width, height = box_of(group, nodes)
                place(group, left, y, nodes)
                if group.title:
                    workflow["groups"].append(framed(group.title, [left, y, width, height], len(workflow["groups"])))
                y += height + GAP
            left += max(box_of(group, nodes)[0] for group in stack) + GAP
            if not (layout.tall and stack is row[-1] and len(row) > 1):
                lowest = max(lowest, y)
        top = lowest


def framed(title: str, bounding: list[int], index: int) -> dict:
    colour = COLOURS[index % len(COLOURS)]
    return {"id": index + 1, "title": title, "bounding": bounding, "color": colour, "font_size": 24, "flags": {}}


def main() -> None:
    for name, layout in LAYOUTS.items():
        path: Path = template(name)
        workflow = json.loads(path.read_text(encoding="utf-8"))
        lay_out(workflow, layout)
        path.write_text(json.dumps(workflow, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
