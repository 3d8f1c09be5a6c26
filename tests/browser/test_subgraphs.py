"""What a node inside a subgraph holds is given back when another workflow is opened, as when changing tabs."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

import numpy as np
import pytest
from frontend import RENDERERS, errors, in_app
from PIL import Image

REOPENINGS = (6, 20)
ALIVE = "window.contexts.filter(context => !context.isContextLost()).length"
HELD = "[...window.held].map(one => one.kind ?? (one.disconnect ? 'observer' : 'timer')).sort()"
# What outlives elements and keeps its maker alive: listeners on the window, the document, the host's api; timers; observers.
COUNT_HELD = """
    const pack = () => new Error().stack.includes('/extensions/ComfyUI-SynCam/');
    window.held = new Set();
    const { addEventListener, removeEventListener } = EventTarget.prototype;
    EventTarget.prototype.addEventListener = function (kind, listener, options) {
        if (!(this instanceof Element) && !(this instanceof AbortSignal) && pack()) {
            const entry = { target: this, kind, listener };
            window.held.add(entry);
            if (options?.once) addEventListener.call(this, kind, () => window.held.delete(entry), { once: true });
            options?.signal?.addEventListener('abort', () => window.held.delete(entry));
        }
        return addEventListener.call(this, kind, listener, options);
    };
    EventTarget.prototype.removeEventListener = function (kind, listener, options) {
        for (const entry of window.held)
            if (entry.target === this && entry.kind === kind && entry.listener === listener) window.held.delete(entry);
        return removeEventListener.call(this, kind, listener, options);
    };
    const { setInterval, clearInterval } = window;
    window.setInterval = (...given) => {
        const timer = setInterval(...given);
        if (pack()) window.held.add(timer);
        return timer;
    };
    window.clearInterval = (timer) => { window.held.delete(timer); clearInterval(timer); };
    for (const name of ['ResizeObserver', 'IntersectionObserver', 'MutationObserver'])
        window[name] = class extends window[name] {
            constructor(...given) { super(...given); if (pack()) window.held.add(this); }
            disconnect() { window.held.delete(this); super.disconnect(); }
        };
"""


class Part(NamedTuple):
    """What a node has inside itself: the expressions are of the node `inner`."""

    node_type: str
    held: str  # the object
    ready: str
    selector: str  # its elements
    contexts: int = 0  # of WebGL


PARTS = {
    "editor": Part("SynCamRigEditor", "w.editor", "w.editor?.view?.frames > 0", ".sc-editor", 1),
    "player": Part("SynCamPlayer", "w.player", "w.player?.stage.clientWidth > 8", ".sp-player"),
    "live preview": Part("SynCamSampler", "w.preview", "w.element?.width > 0", "canvas[aria-label^='1 / 2']"),
}


def preview_message() -> dict:
    """What SynCam Sampler sends of two views and two moments, but for the node."""
    picture = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(picture, "PNG")
    return {
        "picture": "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode(),
        "views": [{"name": "cam01", "color": "#f00"}, {"name": "cam02", "color": "#0f0"}],
        "rows": 1,
        "moments": 2,
        "aspect": 1,
        "step": 1,
        "steps": 2,
    }


@pytest.fixture(scope="module", params=RENDERERS["argvalues"], ids=RENDERERS["ids"])
def page(frontend, request):
    """A fresh page for all parts, in which what the pack holds is counted."""
    page = frontend.open(request.param)
    page.evaluate(f"() => {{ {COUNT_HELD} }}")
    yield page
    frontend.close_others()


@pytest.mark.parametrize("name", PARTS)
def test_what_is_in_a_subgraph_gives_everything_back_when_another_workflow_comes(page, name):
    part = PARTS[name]
    page.errors.clear()
    page.evaluate("window.seen = []")
    widget = "window.inner?.widgets.find(w => w.editor || w.player || w.name == 'syncam_live_preview')"

    def opened(workflow) -> None:
        in_app(page, "await app.loadGraphData(argument)", workflow)
        in_app(
            page,
            """
            const host = app.graph._nodes.find(n => n.isSubgraphNode?.());
            app.canvas.openSubgraph(host.subgraph, host);
            window.inner = host.subgraph.nodes[0];
            app.canvas.ds.reset();
            app.canvas.setDirty(true, true);
            if (window.inner.type == 'SynCamSampler')
                window.comfyAPI.api.api.dispatchCustomEvent(
                    'syncam.live_preview', { ...argument, node: `${host.id}:${window.inner.id}` });
            """,
            preview_message(),
        )
        page.wait_for_function(f"(w => w && {part.ready})({widget})")
        page.evaluate(f"window.seen.push(new WeakRef((w => {part.held})({widget})))")

    nested = in_app(
        page,
        """
        app.graph.clear();
        const node = LiteGraph.createNode(argument);
        node.pos = [200, 80];
        app.graph.add(node);
        app.graph.convertToSubgraph(new Set([node]));
        return JSON.parse(JSON.stringify((app.rootGraph ?? app.graph).serialize()));
        """,
        part.node_type,
    )
    page.evaluate("window.held.clear()")  # the first node, which was made outside of a subgraph
    opened(nested)
    page.wait_for_function(f"{ALIVE} == {part.contexts}")
    held = page.evaluate(HELD)
    for reopening in range(1, max(REOPENINGS) + 1):
        opened(nested)
        if reopening in REOPENINGS:
            page.wait_for_function(f"{ALIVE} == {part.contexts}")
            assert page.locator(part.selector).count() == 1
            assert page.evaluate(HELD) == held
    page.evaluate("window.inner = null")
    in_app(page, "await app.loadGraphData({ nodes: [], links: [], version: 0.4 })")
    page.wait_for_function(f"{ALIVE} == 0")
    assert page.locator(part.selector).count() == 0
    assert page.evaluate(HELD) == []
    session = page.context.new_cdp_session(page)
    left = "window.seen.filter(one => one.deref()).length"
    for _ in range(10):
        session.send("HeapProfiler.collectGarbage")
        page.wait_for_timeout(200)
        if page.evaluate(left) <= 2:
            break
    # The host keeps the nodes themselves, of every kind; what was in them is gone, but for what it shows last.
    assert page.evaluate(left) <= 2
    assert errors(page) == []
