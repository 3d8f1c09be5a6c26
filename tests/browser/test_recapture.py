"""The template of four re-captures as a person runs it, in both node renderers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from frontend import RENDERERS, errors, in_app, picture, renderer

EXAMPLES = Path(__file__).resolve().parents[2] / "example_workflows"


@pytest.fixture(params=RENDERERS["argvalues"], ids=RENDERERS["ids"])
def page(request, open_page):
    return open_page(request.param, size=(1800, 1000))


def test_the_template_films_the_clip_again_and_the_player_shows_source_and_re_captures(
    page, request, tmp_path_factory, server
):
    shutil.copy(EXAMPLES / "input" / "syncam_demo_clip.mp4", server.folder / "input")
    (path,) = (file for file in EXAMPLES.glob("[0-9]*.json") if '"recapture_many"' in file.read_text(encoding="utf-8"))
    in_app(page, "await app.loadGraphData(argument)", json.loads(path.read_text(encoding="utf-8")))
    red = in_app(
        page, "return app.graph._nodes.filter(n => n.has_errors || !LiteGraph.registered_node_types[n.type]).length"
    )
    assert red == 0
    in_app(page, "await app.queuePrompt(0)")
    page.wait_for_function(
        "Object.values(window.comfyAPI.app.app.nodeOutputs).some(o => o.syncam_player?.[0].views.length == 5)",
        timeout=240_000,
    )
    in_app(page, "app.canvas.ds.scale = 0.62; app.canvas.ds.offset = [60, 60]; app.canvas.setDirty(true, true)")
    page.wait_for_timeout(1500)
    picture(page, tmp_path_factory, f"recapture_{renderer(request)}")
    assert errors(page) == []
