"""What a rendered video brings back when it is dropped: the workflow onto ComfyUI's page, the cameras onto the editor."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from frontend import in_app

from syncam_core.cameras import Rig, orbit_rig, rig_to_json
from syncam_core.video import write_video
from syncam_core.video.codecs import frame_dtype

KINDS = {".mp4": ("h264", 8, "video/mp4"), ".mov": ("prores_422_hq", 10, "video/quicktime"), ".mkv": ("ffv1", 8, "")}
EDITOR = (
    "window.comfyAPI.app.app.graph._nodes.find(n => n.type == 'SynCamRigEditor')?.widgets.find(w => w.editor)?.editor"
)


@pytest.fixture(scope="module")
def page(frontend):
    return frontend.again()


@pytest.fixture(scope="module")
def rig():
    return Rig(names=("left", "mid", "right"), c2w=orbit_rig([0.0, 20.0, 40.0], [5.0], [3.0]).c2w)


@pytest.fixture(scope="module")
def video(tmp_path_factory, page, rig):
    """The bytes of a video of each kind, with the workflow of a page that shows one load node, and a rig."""
    workflow = in_app(
        page, "app.graph.clear(); app.graph.add(LiteGraph.createNode('SynCamDemoModel')); return app.graph.serialize()"
    )
    tags = {"workflow": json.dumps(workflow), "syncam_rig": rig_to_json(rig)}

    def made(suffix: str) -> bytes:
        codec, bits, _ = KINDS[suffix]
        path = tmp_path_factory.mktemp("video") / f"film{suffix}"
        write_video(
            path, [np.full((64, 64, 3), 9 * i, frame_dtype(bits)) for i in range(5)], 15, tags, None, codec, bits
        )
        return path.read_bytes()

    return made


def drop(page, selector: str, name: str, content: bytes, kind: str = "", padding: int = 0) -> None:
    page.evaluate(
        """([selector, name, text, type, padding]) => {
            const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes, new Uint8Array(padding)], name, { type }));
            const place = document.querySelector(selector);
            for (const event of ['dragenter', 'dragover', 'drop'])
                place.dispatchEvent(new DragEvent(event, { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        [selector, name, base64.b64encode(content).decode(), kind, padding],
    )


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_video_dropped_onto_the_page_brings_its_workflow_back(page, video, suffix):
    content = video(suffix)
    in_app(page, "app.graph.clear(); app.graph.add(LiteGraph.createNode('SynCamRigRing'));")
    drop(page, "canvas#graph-canvas", f"film{suffix}", content, KINDS[suffix][2])
    page.wait_for_function("window.comfyAPI.app.app.graph._nodes.map(node => node.type).join() == 'SynCamDemoModel'")


@pytest.mark.parametrize("suffix", KINDS)
def test_a_video_dropped_onto_the_editor_brings_its_cameras(page, video, rig, suffix):
    content = video(suffix)
    in_app(
        page,
        "app.graph.clear(); const node = LiteGraph.createNode('SynCamRigEditor'); node.pos = [200, 80];"
        "app.graph.add(node); app.canvas.ds.reset();",
    )
    page.wait_for_function(f"{EDITOR}?.store")
    # Larger than what the server takes: only the beginning is sent.
    drop(page, ".sc-stage", f"film{suffix}", content, KINDS[suffix][2], padding=70 * 2**20)
    page.wait_for_function(f"{EDITOR}.store.doc.cameras.map(camera => camera.name).join() == 'left,mid,right'")
    assert in_app(page, "return app.graph._nodes.map(node => node.type)") == ["SynCamRigEditor"]


def test_a_video_without_cameras_is_explained_in_the_editor(page, tmp_path):
    write_video(tmp_path / "plain.mp4", [np.zeros((64, 64, 3), np.uint8)] * 3, 15)
    in_app(page, "app.graph.clear(); app.graph.add(LiteGraph.createNode('SynCamRigEditor')); app.canvas.ds.reset();")
    page.wait_for_function(f"{EDITOR}?.store")
    drop(page, ".sc-stage", "plain.mp4", (tmp_path / "plain.mp4").read_bytes(), "video/mp4")
    page.locator(".sc-editor [role=alert]:visible").wait_for()
    assert (
        "file 'plain.mp4': it is a video without a rig in it"
        in page.locator(".sc-editor [role=alert]:visible").inner_text()
    )
