"""What measures cameras shows it on the node: the right cameras beside cameras in another order, in both renderers."""

from __future__ import annotations

import json

import pytest
from docs_scripts import template
from frontend import RENDERERS, errors, in_app, picture, renderer, settled

from syncam_core.metrics.suite import METRICS

BUILD = """
    await app.loadGraphData(argument);
    const of = (type) => app.graph._nodes.filter((node) => node.type == type);
    const [world] = of("SynCamRenderWorld");
    for (const [name, value] of Object.entries({ width: 256, height: 144, length: 5 }))
        world.widgets.find((widget) => widget.name == name).value = value;
    of("SynCamCameraAccuracy").forEach((accuracy, index) => {
        accuracy.widgets.find(({ name }) => name == "every").value = 8; // one moment of five
        const link = app.graph.getLink(accuracy.inputs.find(({ name }) => name == "rig").link);
        const node = LiteGraph.createNode("SynCamMetrics");
        node.pos = [accuracy.pos[0], accuracy.pos[1] + accuracy.size[1] + 500];
        app.graph.add(node);
        node.widgets.find(({ name }) => name == "metrics").value = "rot_err, trans_err";
        const rig = app.graph.getNodeById(link.origin_id);
        const into = (name) => node.inputs.findIndex((input) => input.name == name);
        world.connect(0, node, into("views"));
        rig.connect(link.origin_slot, node, into("rig"));
        const words = LiteGraph.createNode("PreviewAny");
        words.pos = [node.pos[0] + 500, node.pos[1]];
        app.graph.add(words);
        node.connect(0, words, 0);
    });
    window.ended = "";
    for (const end of ["success", "error"])
        window.comfyAPI.api.api.addEventListener(`execution_${end}`, () => { window.ended = end; });
    await app.queuePrompt(0);
"""
DEMO = """
    await app.loadGraphData(argument);
    const made = (type, x, y, values = {}) => {
        const node = LiteGraph.createNode(type);
        node.pos = [x, y];
        app.graph.add(node);
        for (const [name, value] of Object.entries(values))
            node.widgets.find((widget) => widget.name == name).value = value;
        return node;
    };
    const [asked] = app.graph._nodes.filter(({ type }) => type == "SynCamRigOrbit");
    // Not moved on by one: a ring that is turned as a whole has the same angles between its cameras.
    const [decoded] = app.graph._nodes.filter(({ type }) => type == "SynCamDecodeViews");
    const shuffled = made("SynCamRigOrbit", asked.pos[0], 1700, { azimuths: "180, 0, 90, -90", elevations: "20" });
    shuffled.widgets.find(({ name }) => name == "distances").value =
        asked.widgets.find(({ name }) => name == "distances").value;
    [asked, shuffled].forEach((rig, index) => {
        const node = made("SynCamMetrics", 500, 1400 + index * 700, { metrics: "sync, azimuth", every: 1 });
        decoded.connect(0, node, node.inputs.findIndex(({ name }) => name == "views"));
        rig.connect(0, node, node.inputs.findIndex(({ name }) => name == "rig"));
        const words = made("PreviewAny", 1000, node.pos[1]);
        node.connect(1, words, 0);
    });
    window.ended = "";
    for (const end of ["success", "error"])
        window.comfyAPI.api.api.addEventListener(`execution_${end}`, () => { window.ended = end; });
    await app.queuePrompt(0);
"""
SHOWN = """
    const words = app.graph._nodes.filter((node) => node.type == "PreviewAny")
        .map((node) => app.nodeOutputs[node.id]?.text?.[0]);
    const pictures = app.graph._nodes.filter(({ type }) => ["SynCamCameraAccuracy", "SynCamMetrics"].includes(type))
        .map((node) => app.nodeOutputs[node.id]?.images?.length);
    return [words, pictures];
"""


@pytest.fixture(params=RENDERERS["argvalues"], ids=RENDERERS["ids"])
def page(request, page_again):
    return page_again(request.param, size=(1800, 1100))


def test_badges_of_cameras_in_another_order_differ(page, request):
    in_app(page, BUILD, json.loads(template("camera_accuracy").read_text("utf-8")))
    page.wait_for_function("window.ended", timeout=240_000)
    assert page.evaluate("window.ended") == "success"
    words, pictures = in_app(page, SHOWN)
    assert len(words) == len(set(words)) == 4  # of two nodes each: right cameras, cameras in another order
    assert all("RotErr" in text for text in words)
    assert pictures == [1, 1, 1, 1]
    in_app(page, "await app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    settled(page, SHOWN)
    picture(page, f"measuring_{renderer(request)}", after_ms=2500)
    assert errors(page) == []


def test_badges_of_the_demos_views_turn_amber_for_cameras_in_another_order(page, request):
    in_app(page, DEMO, json.loads(template("syncam_demo").read_text("utf-8")))
    page.wait_for_function("window.ended", timeout=240_000)
    assert page.evaluate("window.ended") == "success"
    reports, pictures = in_app(page, SHOWN)
    right, shuffled = ({name: told["value"] for name, told in json.loads(text)["metrics"].items()} for text in reports)
    assert right["azimuth"] < METRICS["azimuth"].good < 15 < shuffled["azimuth"]
    assert right["sync"] < METRICS["sync"].good < shuffled["sync"]
    assert pictures == [1, 1]
    in_app(page, "await app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    settled(page, SHOWN)
    picture(page, f"measuring_demo_{renderer(request)}", after_ms=2500)
    assert errors(page) == []
