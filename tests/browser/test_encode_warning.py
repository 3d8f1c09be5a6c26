"""What nodes say of their run, as a person sees it on them, in both node renderers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from docs_scripts import template
from frontend import RENDERERS

BUILD = """() => {
    const { graph } = window.comfyAPI.app.app;
    graph.clear();
    const types = ["SynCamRigOrbit", "SynCamEncodeCameras", "SynCamEmptyLatent", "SaveLatent"];
    const nodes = types.map((type, index) => {
        const node = LiteGraph.createNode(type);
        node.pos = [40 + 340 * index, 120];
        graph.add(node);
        return node;
    });
    nodes.slice(1).forEach((node, index) => nodes[index].connect(0, node, 0));
}"""
# Runs the graph; gives the node's warning (null for none), its size, and what of it goes into the prompt and the file.
RUN = """async ([azimuths, prefix]) => {
    const { app } = window.comfyAPI.app;
    const { api } = window.comfyAPI.api;
    const node = (type) => app.graph._nodes.find((one) => one.type == type);
    const values = {
        SynCamRigOrbit: { azimuths },
        SynCamEncodeCameras: { length: 5 },
        SynCamEmptyLatent: { width: 64, height: 64, length: 5 },
        SaveLatent: { filename_prefix: prefix },
    };
    for (const [type, widgets] of Object.entries(values)) {
        for (const widget of node(type).widgets) if (widget.name in widgets) widget.value = widgets[widget.name];
    }
    const over = new Promise((resolve) => api.addEventListener("execution_success", resolve, { once: true }));
    await app.queuePrompt(0, 1);
    await over;
    await new Promise((resolve) => setTimeout(resolve, 300));
    const encode = node("SynCamEncodeCameras");
    const { output, workflow } = await app.graphToPrompt();
    return {
        warning: encode.widgets.find((widget) => widget.name == "warning")?.value ?? null,
        size: [...encode.size],
        inputs: Object.keys(output[encode.id].inputs).sort(),
        saved: workflow.nodes.find((one) => one.id == encode.id).widgets_values,
    };
}"""
SENTENCE = (
    "1 of 2 cameras is outside of what the released weights were trained on; "
    "'cam02': 61.5° to the right of 'cam01' (trained: less than 30°)."
)


@pytest.fixture(params=RENDERERS["argvalues"], ids=RENDERERS["ids"])
def opened(request, page_again, open_page):
    """A function that gives a page with the graph built; when it is called again, one that was opened afresh."""
    given = []

    def opened():
        page = (open_page if given else page_again)(request.param, size=(1600, 700))
        given.append(page)
        page.evaluate(BUILD)
        return page

    return opened


def test_the_warning_comes_goes_and_comes_back_on_a_fresh_page_where_the_node_is_cached(opened, request):
    page, run = opened(), f"warning/{request.node.name[-5:-1]}"
    fine = page.evaluate(RUN, ["0, 20", f"{run}/1"])
    warned = page.evaluate(RUN, ["0, 61.5", f"{run}/2"])
    assert (fine["warning"], warned["warning"]) == (None, SENTENCE)
    assert warned["size"][1] > fine["size"][1]
    for state in (fine, warned):
        assert (state["inputs"], state["saved"]) == (["length", "rig"], [5])
    again = page.evaluate(RUN, ["0, 20", f"{run}/3"])
    assert (again["warning"], again["size"][1]) == (None, fine["size"][1])
    page.evaluate(RUN, ["0, 61.5", f"{run}/4"])
    assert opened().evaluate(RUN, ["0, 61.5", f"{run}/5"])["warning"] == SENTENCE


def test_save_edit_names_its_files_on_the_node_and_neither_prompt_nor_workflow_hold_them(opened):
    page = opened()
    workflow = template("multicam_edit").read_text("utf-8")
    node = "window.comfyAPI.app.app.graph._nodes.find(n => n.type == 'SynCamSaveEdit')"
    page.evaluate(
        """async (workflow) => {
            const { app } = window.comfyAPI.app;
            await app.loadGraphData(workflow);
            const sampler = app.graph._nodes.find((one) => one.type == "SynCamSampler");
            sampler.widgets.find((widget) => widget.name == "steps").value = 2;
            await app.queuePrompt(0, 1);
        }""",
        json.loads(workflow),
    )
    page.wait_for_function(
        f"{node}.widgets?.some(w => w.name == 'saved' && w.value.includes('.otio'))", timeout=240_000
    )
    # A node out of sight draws no widget, and newer frontends draw no texts that are too small to be read.
    page.evaluate(
        f"(canvas => {{ canvas.ds.scale = 1; canvas.centerOnNode({node}); }})(window.comfyAPI.app.app.canvas)"
    )
    words = page.evaluate(f"{node}.widgets.find(w => w.name == 'saved').value")
    assert [line.rsplit(".", 1)[1] for line in words.splitlines()[:2]] == ["otio", "edl"]
    shown = (
        "words => [...document.querySelectorAll('textarea')].some(box => box.value == words && box.clientHeight > 0)"
    )
    page.wait_for_function(shown, arg=words, timeout=20_000)
    inputs, saved = page.evaluate(
        """async () => {
            const { output, workflow } = await window.comfyAPI.app.app.graphToPrompt();
            const node = workflow.nodes.find((one) => one.type == "SynCamSaveEdit");
            return [Object.keys(output[node.id].inputs).sort(), node.widgets_values ?? []];
        }"""
    )
    assert inputs == ["edit", "files", "formats"]
    assert ".otio" not in json.dumps(saved)
    if folder := os.environ.get("SYNCAM_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"save_edit_{page.evaluate('LiteGraph.vueNodesMode === true')}.png")
