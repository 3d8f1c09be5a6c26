"""The player as a person meets it, in both node renderers. Every frame carries its view and its number as black and white
blocks, which are read back from the pixels on screen: what the player says about a frame is compared with what it shows.
"""

from __future__ import annotations

import io
import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from frontend import RENDERERS, errors, in_app, picture, renderer, wait_until_ready

from syncam_core.video import write_video
from syncam_core.video.cut_list import cuts_of, text_of

PACK = Path(__file__).resolve().parents[2]

PLAYER = "window.comfyAPI.app.app.graph._nodes.find(n => n.type == 'SynCamPlayer')?.widgets.find(w => w.player)?.player"
VIEWS, FRAMES, FPS = 3, 45, 15
HEIGHT, WIDTH, BLOCK = 96, 160, 20
GRAYS = np.array([60, 130, 200], np.uint8)

# What the pixels of every picture on the stage say: [view, frame] of each, and what the player says it shows.
READ = f"""
    () => {{
        const player = {PLAYER};
        const {{ canvas, context }} = player;
        const ratio = canvas.width / player.stage.clientWidth;
        const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
        const bits = ({{ x, y, width, height, from = 0 }}, row) => {{
            let value = 0;
            for (let bit = 0; bit < 8; bit += 1) {{
                const [u, v] = [(bit + 0.5) * {BLOCK} / {WIDTH}, (row + 0.5) * {BLOCK} / {HEIGHT}];
                const [px, py] = [Math.round((x + width * u) * ratio), Math.round((y + height * v) * ratio)];
                if (pixels[4 * (py * canvas.width + px)] > 128) value += 1 << bit;
            }}
            return value;
        }};
        return {{
            pictures: player.places.map((place) => [bits(place, 0), bits(place, 1)]),
            said: player.frame,
            readout: Number(player.readout.querySelector('b').textContent),
        }};
    }}
"""


def coded_frame(view: int, frame: int) -> np.ndarray:
    """A picture with the view in its first row of blocks and the frame in its second, lowest bit first."""
    picture = np.full((HEIGHT, WIDTH, 3), GRAYS[view], np.uint8)
    for row, value in enumerate((view, frame)):
        for bit in range(8):
            color = 255 * (value >> bit & 1)
            picture[row * BLOCK : (row + 1) * BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = color
    return picture


def view_and_frame(picture: np.ndarray) -> tuple[int, int]:
    """What the blocks of a picture in its own size say."""
    rows = picture[BLOCK // 2 : 2 * BLOCK : BLOCK, BLOCK // 2 : 8 * BLOCK : BLOCK, 1] > 128
    return tuple(sum(1 << bit for bit in range(8) if row[bit]) for row in rows)


def frames_of(file) -> list[np.ndarray]:
    with av.open(file) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def frames_of_bytes(data: bytes) -> list[np.ndarray]:
    return frames_of(io.BytesIO(data))


@pytest.fixture(scope="module")
def coded(server):
    """All views one after another in one video in the input folder, and each in a file of the output folder."""
    frames = [[coded_frame(view, frame) for frame in range(FRAMES)] for view in range(VIEWS)]
    write_video(server.folder / "input" / "coded.mp4", (frame for view in frames for frame in view), FPS)
    (server.folder / "output").mkdir(exist_ok=True)
    for view, pictures in enumerate(frames):
        write_video(server.folder / "output" / f"coded_{view}.mp4", pictures, FPS)


@pytest.fixture(params=RENDERERS["argvalues"], ids=RENDERERS["ids"])
def page(request, page_again, coded):
    page = page_again(request.param, size=(1300, 950))
    run_views(page)
    return page


@pytest.fixture(params=RENDERERS["argvalues"], ids=RENDERERS["ids"])
def fresh_page(request, open_page, coded):
    """The same where nothing was played before: Chromium keeps that, even when the file is gone."""
    page = open_page(request.param, size=(1300, 950))
    run_views(page)
    return page


def run_views(page) -> None:
    """A rig, the coded video cut into views, and the player, queued; wait until every frame is there."""
    in_app(
        page,
        """
        app.graph.clear();
        const add = (type, pos, values = {}) => {
            const node = LiteGraph.createNode(type);
            node.pos = pos;
            app.graph.add(node);
            for (const [name, value] of Object.entries(values)) node.widgets.find(w => w.name === name).value = value;
            return node;
        };
        const load = add('LoadVideo', [-900, 0], { file: 'coded.mp4' });
        const parts = add('GetVideoComponents', [-600, 0]);
        const split = add('RebatchImages', [-350, 0], { batch_size: argument.frames });
        const rig = add('SynCamRigOrbit', [-600, 300], { azimuths: '0, 25, 50' });
        const player = add('SynCamPlayer', [340, 30], { fps: argument.fps });
        load.connect(0, parts, 0);
        parts.connect(0, split, 0);
        split.connect(0, player, player.findInputSlot('views'));
        rig.connect(0, player, player.findInputSlot('rig'));
        app.canvas.ds.reset();
        await app.queuePrompt(0, 1);
        """,
        {"frames": FRAMES, "fps": FPS},
    )
    all_there(page)


def all_there(page) -> None:
    page.wait_for_function(f"{PLAYER}?.reel?.sets.size == {FRAMES}", timeout=120_000)


def read(page) -> dict:
    return page.evaluate(READ)


def grays_beside_the_divider(page) -> tuple[int, int]:
    """The gray below the blocks, a little left and a little right of the divider."""
    return tuple(
        page.evaluate(
            f"""() => {{
                const player = {PLAYER};
                const ratio = player.canvas.width / player.stage.clientWidth;
                const {{ x, y, width, height }} = player.picture;
                return [-6, 6].map(by => player.context.getImageData(
                    Math.round((x + width * player.share + by) * ratio), Math.round((y + height * 0.8) * ratio), 1, 1
                ).data[0]);
            }}"""
        )
    )


def cuts_in_prompt(page) -> str:
    prompt = in_app(page, "return (await app.graphToPrompt()).output")
    return next(node["inputs"]["cuts"] for node in prompt.values() if node["class_type"] == "SynCamPlayer")


def test_scrubbing_stepping_and_playing_show_the_same_frame_of_all_views(page, request):
    def shows(frame: int) -> bool:
        seen = read(page)
        return seen == {"pictures": [[view, frame] for view in range(VIEWS)], "said": frame, "readout": frame}

    assert shows(0)
    rail = page.locator(".sp-rail").bounding_box()
    y = rail["y"] + rail["height"] / 2

    def x_of(frame: int) -> float:
        return rail["x"] + rail["width"] * frame / (FRAMES - 1)

    page.mouse.move(x_of(3), y)
    page.mouse.down()
    for frame in (3, 31, 17, 44, 1, 22):
        page.mouse.move(x_of(frame), y, steps=3)
        assert shows(frame), f"scrubbed to {frame}: {read(page)}"
    page.mouse.up()
    picture(page, f"player_{renderer(request)}")

    for key, frame in (("ArrowRight", 23), ("ArrowLeft", 22), ("Shift+ArrowRight", 32), ("End", 44), ("Home", 0)):
        page.keyboard.press(key)
        assert shows(frame), key

    # whatever is caught while it plays is one frame of all views, and the one that the player names
    page.keyboard.press("Space")
    caught = []
    for _ in range(25):
        seen = read(page)
        assert seen["pictures"] == [[view, seen["said"]] for view in range(VIEWS)]
        caught.append(seen["said"])
        page.wait_for_timeout(40)
    page.keyboard.press("Space")
    assert len(set(caught)) > 5
    stopped = read(page)
    page.wait_for_timeout(300)
    assert read(page) == stopped
    assert shows(stopped["said"])
    assert errors(page) == []


def test_keys_record_the_cuts_that_the_edit_renders_and_a_reload_brings_everything_back(page, request, server):
    page.locator(".sp-player").focus()
    page.keyboard.press("r")
    for key, steps in (("2", 12), ("3", 10), ("1", 5)):
        for _ in range(steps):
            page.keyboard.press("ArrowRight")
        page.keyboard.press(key)
    assert cuts_in_prompt(page) == "0 A; 12 B; 22 C; 27 A"

    page.keyboard.press("u")  # the last one back, and one live
    page.keyboard.press("Space")
    page.wait_for_function(f"{PLAYER}.frame >= 35")
    page.keyboard.press("1")
    page.keyboard.press("Space")
    page.keyboard.press("r")
    text = cuts_in_prompt(page)
    cuts = cuts_of(text, FRAMES, Fraction(FPS), ["cam01", "cam02", "cam03"])
    assert text.startswith("0 A; 12 B; 22 C; ")
    assert (cuts[-1].view, len(cuts)) == (0, 4)
    assert 35 <= cuts[-1].start < FRAMES

    page.keyboard.press("c")  # the edit: at each frame the view that the list says
    page.keyboard.press("Home")
    for frame in range(FRAMES):
        view = next(cut.view for cut in reversed(cuts) if cut.start <= frame)
        assert read(page)["pictures"] == [[view, frame]]
        page.keyboard.press("ArrowRight")
    picture(page, f"player_edit_{renderer(request)}")

    in_app(
        page,
        """
        const node = type => app.graph._nodes.find(n => n.type == type);
        const edit = LiteGraph.createNode('SynCamEdit');
        const save = LiteGraph.createNode('SaveVideo');
        for (const made of [edit, save]) app.graph.add(made);
        edit.pos = [950, 60];
        save.pos = [1300, 60];
        node('RebatchImages').connect(0, edit, edit.findInputSlot('views'));
        node('SynCamRigOrbit').connect(0, edit, edit.findInputSlot('rig'));
        node('SynCamPlayer').connect(0, edit, edit.findInputSlot('cuts'));
        edit.connect(1, save, 0);
        window.finished = new Promise(resolve => window.comfyAPI.api.api.addEventListener('execution_success', resolve));
        await app.queuePrompt(0, 1);
        await window.finished;
        """,
    )
    history = next(iter(server.get("/history?max_items=1").values()))
    assert history["status"]["status_str"] == "success"
    (film,) = (saved for output in history["outputs"].values() for saved in output.get("images", []))
    rendered = [
        view_and_frame(frame) for frame in frames_of(server.folder / "output" / film["subfolder"] / film["filename"])
    ]
    assert rendered == [
        (next(cut.view for cut in reversed(cuts) if cut.start <= frame), frame) for frame in range(FRAMES)
    ]
    assert page.evaluate(f"{PLAYER}.reel.sets.size") == FRAMES  # the same views again: nothing was fetched again

    in_app(page, "await app.extensionManager.workflow?.activeWorkflow?.changeTracker?.checkState?.()")
    page.wait_for_timeout(1500)  # the host keeps drafts a moment after a change
    page.reload(wait_until="domcontentloaded")
    wait_until_ready(page)
    all_there(page)
    assert read(page)["pictures"] == [[view, 0] for view in range(VIEWS)]
    assert cuts_in_prompt(page) == text
    assert errors(page) == []


def test_wipe_solo_loop_speed_and_downloads(fresh_page, server, request):
    page = fresh_page
    page.locator(".sp-player").focus()
    press = page.keyboard.press
    press("s")
    press("3")
    assert read(page)["pictures"] == [[2, 0]]
    press("w")
    press("Shift+Digit2")
    divider = page.locator(".sp-divider").bounding_box()
    stage = page.evaluate(f"(() => {{ const p = {PLAYER}; return p.picture }})()")
    middle = (divider["x"] + divider["width"] / 2, divider["y"] + divider["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] - stage["width"] / 4, middle[1], steps=4)
    page.mouse.up()
    left, right = grays_beside_the_divider(page)
    assert (left, right) == (pytest.approx(GRAYS[2], abs=6), pytest.approx(GRAYS[1], abs=6))
    assert page.locator(".sp-divider").get_attribute("aria-valuenow") == "25"
    press("x")
    assert grays_beside_the_divider(page) == (pytest.approx(GRAYS[1], abs=6), pytest.approx(GRAYS[2], abs=6))
    picture(page, f"player_wipe_{renderer(request)}")

    press("g")
    for _ in range(5):
        press("ArrowRight")
    press("i")
    for _ in range(4):
        press("ArrowRight")
    press("o")
    page.locator(".sp-speed").select_option("2")
    page.locator(".sp-player").focus()
    press("Space")
    seen = set()
    for _ in range(20):
        seen.add(read(page)["said"])
        page.wait_for_timeout(35)
    press("Space")
    assert seen <= set(range(5, 10))
    assert len(seen) > 2
    press("Home")
    assert read(page)["said"] == 5

    page.locator(".sp-chip").nth(1).click()
    link = page.locator("[data-action=download]")
    assert link.get_attribute("download").endswith("cam02.mp4")
    frames = frames_of_bytes(server.bytes(link.get_attribute("href").removeprefix("/api")))
    assert [view_and_frame(frame) for frame in frames] == [(1, frame) for frame in range(FRAMES)]
    assert page.locator(".sp-chip").nth(1).get_attribute("aria-checked") == "true"
    where = in_app(page, "return [...app.canvas.ds.offset, app.canvas.ds.scale]")
    page.locator(".sp-stage").hover()
    page.mouse.wheel(0, 300)
    assert in_app(page, "return [...app.canvas.ds.offset, app.canvas.ds.scale]") == where

    # previews that somebody has deleted come back with the next run of the unchanged graph
    previews = list((server.folder / "temp").glob("syncam_player_*.mp4"))
    assert len(previews) >= VIEWS
    for file in previews:
        file.unlink()
    page.context.new_cdp_session(page).send("Network.clearBrowserCache")
    in_app(
        page,
        """
        const node = app.graph._nodes.find(n => n.type == 'SynCamPlayer');
        const said = node.properties.syncam_film;
        node.onExecuted({ syncam_player: [{ ...said, frames: said.frames - 1 }] }); // as after a reload: read anew
        """,
    )
    page.locator(".sp-player [role=alert]:visible").wait_for()
    in_app(page, "await app.queuePrompt(0, 1)")
    all_there(page)
    assert page.locator(".sp-player [role=alert]:visible").count() == 0
    assert all(file.is_file() for file in previews[:VIEWS])

    # a node that is removed keeps no decoder, no pictures
    left_over = page.evaluate(
        f"""() => {{
            const {{ reel }} = window.kept = {PLAYER};
            window.comfyAPI.app.app.graph.clear();
            return [reel.sets.size, reel.decks.filter(deck => deck.video.src).length, reel.disposed];
        }}"""
    )
    assert left_over == [0, 0, True]
    assert errors(page) == []


def test_saved_files_play_and_files_that_are_gone_are_explained_in_the_users_language(open_page, coded):
    page = open_page(True, "ja", (1300, 950))
    page.evaluate(
        """([views, frames, fps, missing]) => {
            const app = window.comfyAPI.app.app;
            app.graph.clear();
            const node = LiteGraph.createNode('SynCamPlayer');
            const mirror = LiteGraph.createNode('SynCamRigTransform');
            window.rig = LiteGraph.createNode('SynCamRigEditor'); // two cameras: front and right
            for (const made of [window.rig, mirror, node]) app.graph.add(made);
            node.pos = [340, 30];
            mirror.pos = [100, 700];
            window.rig.pos = [-500, 30];
            window.rig.connect(0, mirror, mirror.findInputSlot('rig'));
            mirror.connect(0, node, node.findInputSlot('rig'));
            app.canvas.ds.reset();
            const file = view => ({ filename: `coded_${view}.mp4`, subfolder: '', type: 'output' });
            window.film = last => ({ frames, fps: [fps, 1], cuts: '', problem: '', views: [0, 1, last].map(view =>
                ({ name: ['front', 'right'][view] ?? `cam${view}`, color: '#3399ff', angles: '', width: 160, height: 96,
                   file: file(view), download: file(view) })) });
            node.onExecuted({ syncam_player: [window.film(2)] });
        }""",
        [VIEWS, FRAMES, FPS, 9],
    )
    all_there(page)
    page.locator(".sp-player").focus()
    for key, frame in (("End", 44), ("ArrowLeft", 43), ("Home", 0)):
        page.keyboard.press(key)
        assert read(page)["pictures"] == [[view, frame] for view in range(VIEWS)]
    chosen = "window.rig.widgets.find(w => w.editor)?.editor.store.selected"
    page.wait_for_function(f"{chosen} === 0")
    page.keyboard.press("2")
    assert page.evaluate(chosen) == 1  # the camera of the same name, in the editor at the beginning of the rig
    in_app(page, "app.graph._nodes.find(n => n.type == 'SynCamPlayer').onExecuted({ syncam_player: [window.film(7)] })")
    page.locator(".sp-player [role=alert]:visible").wait_for()
    said = page.locator(".sp-player [role=alert]:visible").inner_text()
    assert "cam7" in said
    words = json.loads((PACK / "locales" / "ja" / "main.json").read_text(encoding="utf-8"))["syncamPlayer"]
    assert said == words["gone"].replace("{name}", "cam7")
    assert page.locator(".sp-player").get_attribute("aria-label") == words["player"]


def test_a_film_that_fits_into_memory_is_kept_whole_so_that_nothing_is_decoded_while_it_plays(page_again):
    size, budget = {"width": 832, "height": 480}, 400e6
    plans = page_again().evaluate(
        """async ([views, lengths, budget]) => {
            const { plan } = await import('/extensions/ComfyUI-SynCam/js/player/reel.mjs');
            return lengths.map(frames => plan(views, frames, budget));
        }""",
        [[size] * 8, list(range(2, 601)), budget],
    )
    for frames, plan in enumerate(plans, start=2):
        held = 4 * 8 * size["width"] * size["height"] * plan["scale"] ** 2 * plan["room"]
        assert held <= budget * (1 + 1e-9)
        assert plan["room"] == frames or plan["scale"] == 0.35, frames
        assert plan["room"] >= min(frames, 200)


def test_cut_lists_are_read_as_the_edit_node_reads_them(page_again):
    page = page_again()
    names = ["front", "b", "left, high", "Élan"]
    rate = Fraction(24000, 1001)
    for text in (
        "0 A; 24 B; 48 A",
        "0 front\n12 b # and so on\n24 D ~6",
        '0 1; 1.5s "left, high"; 00:00:02:01 4',
        '0 C; .5s A ~3; 40 "b"',
        "",
    ):
        mine = page.evaluate(
            """async ([text, rate, names]) => {
                const { readCuts, writeCuts } = await import('/extensions/ComfyUI-SynCam/lib/cuts.mjs');
                const cuts = readCuts(text, rate, names);
                return [cuts.map(({ frame, view, fade }) => [frame, view, fade]), writeCuts(cuts, names)];
            }""",
            [text, float(rate), names],
        )
        wanted = cuts_of(text, 100, rate, names)
        if text:
            assert mine == [[[cut.start, cut.view, cut.fade] for cut in wanted], text_of(wanted, names)]
        else:
            assert mine == [[], ""]
    for text in ("0 E", "0 A; nonsense", "24 A; 12 B", '0 "A"', "0 A; 00:00:01;02 B"):
        bad = page.evaluate(
            """async ([text, names]) => typeof (await import('/extensions/ComfyUI-SynCam/lib/cuts.mjs'))
                .readCuts(text, 24, names)""",
            [text, names],
        )
        assert bad == "string", text
        with pytest.raises(ValueError, match=r"entry|entries|drop-frame"):
            cuts_of(text, 100, Fraction(24), names)
