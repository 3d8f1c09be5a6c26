"""The pack as a person sees it: the shipped workflows in the real frontend, in both node renderers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from docs_scripts import template
from frontend import RENDERERS, in_app, picture, renderer

PACK = Path(__file__).resolve().parents[2]
WORKFLOWS = PACK / "example_workflows"


@pytest.fixture(params=RENDERERS["argvalues"], ids=RENDERERS["ids"])
def page(request, page_again):
    """A page of the server's frontend with a blank workflow."""
    return page_again(request.param, size=(1600, 900))


def card(page, name: str):
    """The card of a template; the browser shows more of them as somebody scrolls down."""
    words = page.get_by_text(name, exact=True)
    for _ in range(20):
        if words.count():
            return words.first
        page.mouse.move(900, 600)  # among the cards
        page.mouse.wheel(0, 2000)
        page.wait_for_timeout(300)
    raise AssertionError(f"no card for {name}")


def test_the_demo_is_in_the_template_browser_loads_without_red_nodes_runs_and_shows_the_videos(page, request, server):
    kind = renderer(request)
    in_app(page, "await app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    page.get_by_text("ComfyUI-SynCam").first.click()
    page.wait_for_function("[...document.querySelectorAll('img')].filter(i => i.naturalWidth == 640).length >= 4")
    picture(page, f"templates_{kind}")
    for path in WORKFLOWS.glob("[0-9]*.json"):
        card(page, path.stem)
    listed = in_app(page, "return (await window.comfyAPI.api.api.getWorkflowTemplates())['ComfyUI-SynCam']")
    assert listed == sorted(path.stem for path in WORKFLOWS.glob("[0-9]*.json"))  # not the names that they had before

    card(page, template("syncam_demo").stem).click()
    page.wait_for_function("window.comfyAPI.app.app.graph._nodes.some(n => n.type == 'SynCamSaveViews')")
    types, red = in_app(
        page,
        "const nodes = app.graph._nodes;"
        "return [nodes.map(n => n.type), nodes.filter(n => n.has_errors || !LiteGraph.registered_node_types[n.type])]",
    )
    assert "SynCamDemoModel" in types
    assert red == []
    assert page.get_by_text("This workflow has missing nodes").count() == 0

    page.get_by_text("Run", exact=True).first.click()
    page.wait_for_function(
        "Object.values(window.comfyAPI.app.app.nodeOutputs).some(o => o.images?.length == 5 && o.animated?.[0])",
        timeout=240_000,
    )
    page.wait_for_function(
        "[...document.querySelectorAll('video')].some(v => v.readyState >= 2 && v.videoWidth == 512)"
    )
    picture(page, f"demo_{kind}", after_ms=500)

    # The host's own preview on the node is no input, so that an unchanged graph is not run, and written, once more.
    written = sorted(path.name for path in (server.folder / "output").rglob("*") if path.is_file())
    prompt = in_app(page, "return (await app.graphToPrompt()).output")
    (saving,) = (node for node in prompt.values() if node["class_type"] == "SynCamSaveViews")
    assert "video-preview" not in saving["inputs"]
    in_app(
        page,
        """
        const { api } = window.comfyAPI.api;
        const over = new Promise(resolve => api.addEventListener('execution_success', resolve, { once: true }));
        await app.queuePrompt(0, 1);
        await over;
        """,
    )
    assert sorted(path.name for path in (server.folder / "output").rglob("*") if path.is_file()) == written
    assert page.ours == []


def leave_out_the_codec_of_other_hosts(expected: dict, shown: dict) -> None:
    """Save Video's codec is called `codec` before ComfyUI 0.34 and `format.codec` since; API files name it both ways."""
    for number, node in expected.items():
        if node["class_type"] == "SaveVideo" and number in shown:
            codecs = {"codec", "format.codec"}
            known = codecs & set(shown[number]["inputs"])
            assert known
            assert codecs <= set(node["inputs"])
            for unknown in codecs - known:
                del node["inputs"][unknown]


def test_every_ui_workflow_is_the_same_prompt_as_its_api_file_and_misses_no_node(page):
    for path in sorted(WORKFLOWS.glob("[0-9]*.json")):
        workflow = json.loads(path.read_text(encoding="utf-8"))
        expected = json.loads((WORKFLOWS / "api" / f"{workflow['extra']['api']}.json").read_text(encoding="utf-8"))
        prompt, missing = in_app(
            page,
            "await app.loadGraphData(argument);"
            "const missing = app.graph._nodes.filter(n => !LiteGraph.registered_node_types[n.type]);"
            "return [(await app.graphToPrompt()).output, missing.map(n => n.type)]",
            workflow,
        )
        assert missing == [], path.name
        shown = {key: node for key, node in prompt.items() if node["class_type"] != "MarkdownNote"}
        for node in shown.values():
            node["inputs"].pop("video-preview", None)  # once Load Video has drawn its preview
        leave_out_the_codec_of_other_hosts(expected, shown)
        assert {k: (n["class_type"], n["inputs"]) for k, n in shown.items()} == {
            k: (n["class_type"], n["inputs"]) for k, n in expected.items()
        }, path.name
    assert page.ours == []


def test_workflows_saved_before_give_the_prompts_that_they_gave(page, server):
    """What was recorded before the pack was rearranged, and the defaults of what was appended since."""
    recorded = json.loads((PACK / "tests" / "shared_cases" / "workflows_of_0.1.0.json").read_text(encoding="utf-8"))
    info = server.get("/object_info")
    for name, workflow in recorded["ui"].items():
        expected = recorded["api"][name]
        prompt = in_app(page, "await app.loadGraphData(argument); return (await app.graphToPrompt()).output", workflow)
        for node in expected.values():
            if node["class_type"] == "SaveVideo":
                node["inputs"]["format.codec"] = node["inputs"]["codec"]
        leave_out_the_codec_of_other_hosts(expected, prompt)
        for number, node in expected.items():
            shown = prompt[number]
            assert shown["class_type"] == node["class_type"], name
            later = {key: value for key, value in shown["inputs"].items() if key not in node["inputs"]}
            later.pop("video-preview", None)
            assert {key: shown["inputs"].get(key) for key in node["inputs"]} == node["inputs"], (name, number)
            declared = info[node["class_type"]]["input"]
            widgets = {**declared.get("required", {}), **declared.get("optional", {})}
            for key, value in later.items():
                assert value == widgets[key][1]["default"], (name, number, key)
    assert page.ours == []


@pytest.mark.parametrize("node_id", ["SynCamRigRing", "SynCamSaveViews", "SynCamRigEditor"])
def test_the_help_panel_of_a_node_shows_its_picture(page, request, node_id):
    in_app(
        page,
        "app.graph.clear(); const node = LiteGraph.createNode(argument); node.pos = [500, 200]; app.graph.add(node);"
        "app.canvas.ds.reset(); app.canvas.selectNode(node); app.canvas.setDirty(true, true)",
        node_id,
    )
    page.get_by_test_id("info-button").first.click()
    page.wait_for_function(
        "id => [...document.querySelectorAll('img')].some(i => i.src.includes(`/docs/`) && i.src.includes(id)"
        " && i.naturalWidth > 500 && i.clientWidth > 200)",
        arg=node_id,
    )
    picture(page, f"help_{node_id}_{renderer(request)}")
    assert page.ours == []


def test_every_node_has_a_help_page(server):
    info = server.get("/object_info")
    ours = [node_id for node_id in info if node_id.startswith("SynCam")]
    assert len(ours) >= 13
    for node_id in ours:
        text = server.bytes(f"/extensions/ComfyUI-SynCam/docs/{node_id}.md").decode()
        assert text.startswith(f"# {info[node_id]['display_name']}"), node_id
        for name in (*info[node_id]["input_order"].get("required", []), *info[node_id]["output_name"]):
            assert f"`{name}`" in text, f"{node_id}.md does not explain {name}"


def test_thumbnails_stand_beside_the_workflows_and_names_of_downloads_are_complete():
    for path in WORKFLOWS.glob("[0-9]*.json"):
        assert path.with_suffix(".jpg").exists()
        nodes = json.loads(path.read_text(encoding="utf-8"))["nodes"]
        for node in nodes:
            for model in node["properties"].get("models", []):
                assert model["name"] in node["widgets_values"]
                assert set(model) == {"name", "url", "directory"}
