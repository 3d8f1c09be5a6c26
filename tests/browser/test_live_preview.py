"""The preview of a sampling as it is seen on the node, in both node renderers."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from docs_scripts import template
from frontend import RENDERERS, errors, in_app, picture, renderer
from PIL import Image

PACK = Path(__file__).resolve().parents[2]
WIDGET = "syncam_live_preview"
VIEWS, MOMENTS, LATENT_SIDE = 4, 5, 8  # of the demo workflow
STEPS = 60  # enough to look on for some seconds on a quick machine
HAS_PREVIEW = f"window.sampler.widgets.some(w => w.name == '{WIDGET}')"


@pytest.fixture(params=RENDERERS["argvalues"], ids=RENDERERS["ids"])
def page(request, page_again):
    """The demo workflow, with previews switched on."""
    page = page_again(request.param, size=(1300, 950), settings={"Comfy.Execution.PreviewMethod": "latent2rgb"})
    in_app(
        page,
        """
        await app.loadGraphData(argument);
        window.sampler = app.graph._nodes.find(n => n.type == 'SynCamSampler');
        window.heard = [];
        const { api } = window.comfyAPI.api;
        api.addEventListener('syncam.live_preview', ({ detail }) => window.heard.push(detail));
        api.addEventListener('executing', ({ detail }) => { if (detail === null) window.done = true; });
        app.canvas.ds.scale = 1;
        app.canvas.ds.offset = [120 - window.sampler.pos[0], 80 - window.sampler.pos[1]];
        app.canvas.setDirty(true, true);
        """,
        json.loads(template("syncam_demo").read_text(encoding="utf-8")),
    )
    return page


def queue(page, seed: int, steps: int) -> None:
    in_app(
        page,
        """
        for (const [name, value] of Object.entries(argument))
            window.sampler.widgets.find(w => w.name == name).value = value;
        await app.queuePrompt(0, 1);
        """,
        {"seed": seed, "steps": steps},
    )


def drawn(page) -> list[str]:
    """What the canvas shows every 100 ms for a while, with what the node says to screen readers."""
    return page.evaluate(
        f"""async () => {{
            const seen = [];
            for (let i = 0; i < 12; i += 1) {{
                const canvas = window.sampler.widgets.find(w => w.name == '{WIDGET}')?.element;
                if (canvas) seen.push([canvas.getAttribute('aria-label'), canvas.toDataURL('image/png')]);
                await new Promise(resolve => setTimeout(resolve, 100));
            }}
            return seen;
        }}"""
    )


def pixels(data_url: str) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(base64.b64decode(data_url.split(",", 1)[1]))).convert("RGB")).astype(int)


def test_all_views_move_on_the_sampler_while_it_works_and_leave_when_it_is_done_or_interrupted(page, request):
    kind = renderer(request)
    seed = {"classic": 101, "vue": 201}[kind]  # the server remembers what it has sampled
    queue(page, seed, STEPS)
    page.wait_for_function("window.heard.length > 3", timeout=240_000)
    # No second picture, the host's still, beside it.
    shown, stills = page.evaluate(
        """([name]) => [
            window.sampler.widgets.some(w => w.name == name),
            [...document.querySelectorAll(`[data-node-id="${window.sampler.id}"] img`)]
                .filter(image => image.clientWidth > 8).length + (window.sampler.imgs?.length ?? 0),
        ]""",
        [WIDGET],
    )
    assert shown
    assert stills == 0
    seen = drawn(page)
    picture(page, f"live_preview_{kind}")
    names = ", ".join(f"cam{number:02}" for number in range(1, VIEWS + 1))
    assert seen
    assert all(label.endswith(f"/ {STEPS}: {names}") for label, _ in seen)

    page.wait_for_function(f"!{HAS_PREVIEW}", timeout=120_000)
    heard = page.evaluate("window.heard")
    assert [message["step"] for message in heard] == list(range(1, STEPS + 1))
    assert {message["moments"] for message in heard} == {MOMENTS}
    last = pixels(heard[-1]["picture"])
    assert last.shape == (VIEWS * LATENT_SIDE, MOMENTS * LATENT_SIDE, 3)
    assert [view["color"] for view in heard[-1]["views"]] == page.evaluate(
        "async () => (await import('/extensions/ComfyUI-SynCam/lib/rig.mjs')).PALETTE.slice(0, 4)"
    )
    # Views differ, and so do the moments of each: the ball walks.
    tiles = last.reshape(VIEWS, LATENT_SIDE, MOMENTS, LATENT_SIDE, 3).swapaxes(1, 2)
    assert all(np.abs(tiles[0] - tiles[view]).mean() > 4 for view in range(1, VIEWS))
    assert all(np.abs(tiles[view][0] - tiles[view][-1]).max() > 20 for view in range(VIEWS))

    assert not page.locator(".syncam-live-node").count()
    page.wait_for_function("window.done", timeout=120_000)  # the other nodes too: each takes the preview away
    page.wait_for_timeout(1500)  # the host shows its last still now, as on any sampler, and the node takes its size
    height = page.evaluate("window.sampler.size[1]")

    # Between two steps the clip goes on: one message alone shows every moment.
    page.evaluate("window.comfyAPI.api.api.dispatchCustomEvent('syncam.live_preview', window.heard.at(-1))")
    page.wait_for_function(f"window.sampler.widgets.some(w => w.name == '{WIDGET}' && w.element.width > 0)")
    page.wait_for_timeout(1500)  # the node takes its size
    assert len({shown for _, shown in drawn(page)}) == MOMENTS
    page.evaluate("window.comfyAPI.api.api.dispatchCustomEvent('execution_success', {})")
    assert not page.evaluate(HAS_PREVIEW)

    before = page.evaluate("window.heard.length")
    queue(page, seed + 1, 200)
    page.wait_for_function(f"window.heard.length > {before} + 3", timeout=240_000)
    assert page.evaluate(HAS_PREVIEW)
    saved = in_app(
        page, "return app.graph.serialize().nodes.find(n => n.type == 'SynCamSampler').widgets_values.length"
    )
    assert saved == 12  # the values of the inputs, and what comes after the seed: nothing of the preview
    in_app(page, "await window.comfyAPI.api.api.interrupt(null)")
    page.wait_for_function(f"!{HAS_PREVIEW}", timeout=60_000)
    # It does not grow with every run; Nodes 2.0 takes a moment to shrink.
    page.wait_for_function("height => Math.abs(window.sampler.size[1] - height) <= 2", arg=height, timeout=20_000)
    assert errors(page) == []
