"""The templates of re-capture as a person runs them, in both node renderers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from frontend import RENDERERS, errors, in_app, picture, renderer, settled

EXAMPLES = Path(__file__).resolve().parents[2] / "example_workflows"
UNKNOWN = "return app.graph._nodes.filter(n => n.has_errors || !LiteGraph.registered_node_types[n.type]).length"
BELOW_ALL = """
    const below = app.graph._nodes.map((n) => n.pos[1] + n.size[1]);
    app.canvas.ds.scale = Math.min(0.62, 900 / Math.max(...below));
    app.canvas.ds.offset = [60, 60];
    app.canvas.setDirty(true, true);
"""
# What nodes take up, in the graph's units: the page knows better than the graph where nodes are elements of it.
PLACES = """
    const scale = app.canvas.ds.scale;
    return app.graph._nodes.map((node) => {
        const shown = document.querySelector(`[data-node-id="${node.id}"]`)?.getBoundingClientRect();
        const [x, y] = shown ? [shown.x / scale, shown.y / scale] : [node.pos[0], node.pos[1] - LiteGraph.NODE_TITLE_HEIGHT];
        const [width, height] = shown ? [shown.width / scale, shown.height / scale]
            : [node.size[0], node.size[1] + LiteGraph.NODE_TITLE_HEIGHT];
        return [node.title, x, y, x + width, y + height];
    });
"""


@pytest.fixture(params=RENDERERS["argvalues"], ids=RENDERERS["ids"])
def page(request, page_again):
    return page_again(request.param, size=(1800, 1000))


def covered(places: list) -> list[tuple[str, str]]:
    """Pairs of nodes that lie on one another."""
    return [
        (one[0], other[0])
        for i, one in enumerate(places)
        for other in places[i + 1 :]
        if all(min(one[k + 2], other[k + 2]) - max(one[k], other[k]) > 1 for k in (1, 2))
    ]


@pytest.mark.parametrize("name", ["recapture_one", "recapture_many", "recapture_edit"])
def test_a_template_films_the_clip_again_and_its_nodes_stand_free_with_what_they_show(page, request, server, name):
    shutil.copy(EXAMPLES / "input" / "syncam_demo_clip.mp4", server.folder / "input")
    (path,) = (file for file in EXAMPLES.glob("[0-9]*.json") if f'"{name}"' in file.read_text(encoding="utf-8"))
    in_app(page, "await app.loadGraphData(argument)", json.loads(path.read_text(encoding="utf-8")))
    assert in_app(page, UNKNOWN) == 0
    in_app(
        page,
        "for (const end of ['success', 'error'])"
        " window.comfyAPI.api.api.addEventListener(`execution_${end}`, () => { window.ended = end; });"
        " await app.queuePrompt(0);",
    )
    page.wait_for_function("window.ended", timeout=240_000)
    assert page.evaluate("window.ended") == "success"
    in_app(page, BELOW_ALL)
    assert covered(settled(page, PLACES, quiet_s=1)) == []  # films load, and their nodes grow
    picture(page, f"{name}_{renderer(request)}")
    if name == "recapture_many":
        shown = in_app(
            page, "return Object.values(app.nodeOutputs).find(o => o.syncam_player).syncam_player[0].views.length"
        )
        assert shown == 5  # the source and its re-captures
    assert in_app(page, UNKNOWN) == 0
    assert errors(page) == []
