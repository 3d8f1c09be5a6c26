"""The rig editor with 40 cameras and the player with 8 views of 832 x 480, in Chromium, beside another checkout of the pack.

Both are served by the same ComfyUI and measured in turns. Needs COMFYUI_PATH, Chromium and the tests' requirements; takes
about five minutes:

python benchmarks/browser.py --beside PATH_OF_ANOTHER_CHECKOUT [--turns 4]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "helpers")]

import comfy_server  # noqa: E402
from frontend import Frontend, in_app  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from syncam_core.video.preview_file import PreviewWriter  # noqa: E402

VIEWS, FRAMES, WIDTH, HEIGHT, RATE = 8, 81, 832, 480, 15
CAMERAS = 40
FLAGS = ["--no-sandbox", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
OPEN = """
    app.graph.clear();
    const node = LiteGraph.createNode(argument); node.pos = [60, 40]; app.graph.add(node);
    node.setSize([900, 760]); app.canvas.ds.reset(); app.canvas.setDirty(true, true);
"""
EDIT = """
    const { editor } = app.graph._nodes[0].widgets.find(w => w.editor);
    const cameras = Array.from({ length: argument.cameras }, (_, i) => ({ name: `c${i}`, keyframes: [0, 80].map(frame => (
        { frame, azimuth: 9 * i + frame / 2, elevation: 10 + (i % 5) * 8, distance: 3 + (i % 3) })) }));
    editor.load(JSON.stringify({ format: 'syncam-rig', version: 1, frames: 81, cameras }));
    await new Promise(r => setTimeout(r, 1500));
    const drawn = async (change) => {
        const [began, before] = [performance.now(), editor.view.frames];
        for (let i = 0; performance.now() - began < 4000; i++) {
            change(i);
            await new Promise(requestAnimationFrame);
        }
        return (editor.view.frames - before) / ((performance.now() - began) / 1000);
    };
    return {
        'time runs': await drawn(i => editor.seek(i % 81)),
        'one camera is dragged': await drawn(i => editor.store.change(3, { ...editor.store.doc.cameras[3],
            keyframes: editor.store.doc.cameras[3].keyframes.map(key => ({ ...key, azimuth: key.azimuth + 0.5 })) }, { kind: 'drag' })),
        'the view is turned': await drawn(i => { editor.view.free.position.x += 0.01; editor.view.draw(); }),
    };
"""
PLAY = """
    const { player } = app.graph._nodes[0].widgets.find(w => w.player);
    player.load({ frames: argument.frames, rate: argument.rate, views: argument.files.map((file, i) => ({ name: `view ${i}`,
        color: '#3399ff', angles: '', width: 832, height: 480, url: `/view?type=output&filename=${file}`, download: '', filename: file })) });
    for (let at = 0; at < argument.frames; at++) {
        player.seek(at);
        for (let tries = 0; player.frame !== at && tries < 600; tries++) await new Promise(r => setTimeout(r, 10));
    }
    player.seek(0);
    const shown = []; const began = performance.now();
    player.start();
    let last = -1;
    while (performance.now() - began < 8000) {
        await new Promise(requestAnimationFrame);
        if (player.frame !== last) shown.push(last = player.frame);
    }
    player.pause();
    const dropped = shown.slice(1).reduce((sum, frame, i) => sum + ((frame - shown[i] + argument.frames) % argument.frames) - 1, 0);
    return { 'frames per second': shown.length / ((performance.now() - began) / 1000), dropped };
"""


def films(folder: Path) -> list[str]:
    """Moving patterns that no encoder makes small at once."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    for view in range(VIEWS):
        with PreviewWriter(folder / f"bench_{view}.mp4", Fraction(RATE)) as video:
            for t in range(FRAMES):
                wave = np.sin((x + 7 * t) / (9 + view)) * np.cos((y - 3 * t) / 13)
                video.write((np.stack([wave, -wave, wave * wave], -1) * 127 + 128).astype(np.uint8))
    return [f"bench_{view}.mp4" for view in range(VIEWS)]


def measured(frontend: Frontend, files: list[str]) -> dict[str, float]:
    page = frontend.open(size=(1300, 900))
    in_app(page, OPEN, "SynCamRigEditor")
    page.wait_for_function("window.comfyAPI.app.app.graph._nodes[0].widgets.find(w => w.editor)?.editor?.view")
    numbers = {f"editor, {name}": value for name, value in in_app(page, EDIT, {"cameras": CAMERAS}).items()}
    in_app(page, OPEN, "SynCamPlayer")
    page.wait_for_function("window.comfyAPI.app.app.graph._nodes[0].widgets.find(w => w.player)?.player")
    played = in_app(page, PLAY, {"frames": FRAMES, "rate": RATE, "files": files})
    page.context.close()
    return numbers | {f"player, {name}": value for name, value in played.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--beside", type=Path, required=True, help="another checkout of the pack")
    parser.add_argument("--turns", type=int, default=4)
    options = parser.parse_args()
    packs, results = {"this": ROOT, "other": options.beside.resolve()}, {"this": [], "other": []}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("SYNCAM_CHROMIUM"), args=FLAGS)
        servers, files = {}, []
        try:
            for name, pack in packs.items():
                comfy_server.PACK = pack
                servers[name] = comfy_server.Server(Path(os.environ["COMFYUI_PATH"]), Path(folder) / name)
                output = Path(folder) / name / "output"
                if files:
                    for file in files:
                        shutil.copy(Path(folder) / "this" / "output" / file, output)
                else:
                    files = films(output)
            for turn in range(options.turns):
                for name in sorted(packs, reverse=turn % 2 == 0):  # each begins as often as the other
                    results[name].append(measured(Frontend(browser, servers[name]), files))
                    print(turn, name, results[name][-1], file=sys.stderr, flush=True)
        finally:
            for server in servers.values():
                server.stop()
    print("| what | this | other | this / other [least, most of the turns] |\n|---|---|---|---|")
    for what in results["this"][0]:
        ours, theirs = ([turn[what] for turn in results[name]] for name in ("this", "other"))
        ratios = [a / b for a, b in zip(ours, theirs, strict=True) if b]
        ratio = f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]" if ratios else "-"
        print(f"| {what} | {statistics.median(ours):.1f} | {statistics.median(theirs):.1f} | {ratio} |")


if __name__ == "__main__":
    main()
