"""The page of a take as somebody opens it who has nothing else: from the disk, in a browser, without a network."""

from __future__ import annotations

import io
import json
import re
import time
from fractions import Fraction

import numpy as np
import pytest
import torch
from coded_clips import coded_take, view_and_frame
from frontend import RENDERERS, errors, in_app, picture
from PIL import Image
from random_rigs import random_rig

from syncam_core.cameras import Lens, Rig, orbit_rig
from syncam_core.synthetic.projection import project
from syncam_core.take_files.page import BESIDE, WEB, words_of, write_page
from syncam_core.take_files.take import ToldTake

WORDS = words_of(WEB.parent / "locales")
FRAMES = 12
HOSTILE = ("</script><script>hacked=1</script>", "<img src=x onerror=hacked=1>", "<b>bold</b>", "{{script}}")
# Of each view: what the texture on its frustum says in its blocks.
ON_FRUSTA = """
    () => {
        const { space, frame } = syncamTake;
        const found = space.items.map(({ texture }) => {
            const canvas = new OffscreenCanvas(texture.image.width, texture.image.height);
            const context = canvas.getContext('2d');
            context.drawImage(texture.image, 0, 0);
            const bits = (row) => [0, 1, 2, 3, 4, 5].reduce(
                (sum, bit) => sum + ((context.getImageData(16 * bit + 8, 16 * row + 8, 1, 1).data[1] > 128) << bit), 0);
            return [bits(0), bits(1)];
        });
        return { frame, found };
    }
"""
DRAWN = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"


@pytest.fixture
def show(browser):
    """Opens a page from the disk in a window of a size; ``page.errors`` and ``page.requests`` collect what is said."""
    contexts = []

    def opened(path, size=(1100, 760), motion="reduce", **options):
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, reduced_motion=motion, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.errors, page.requests = [], []
        page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.requestWillBeSent", lambda event: page.requests.append(event["request"]["url"]))
        page.goto(path.as_uri())
        wait_until(page, "Boolean(globalThis.syncamTake)")
        return page

    yield opened
    for context in contexts:
        context.close()


def moving_ring(count: int, frames: int, names=()) -> Rig:
    """Cameras around, of which the first moves."""
    ring = orbit_rig([360 / count * index for index in range(count)], [15], [3])
    c2w = ring.c2w.expand(-1, frames, -1, -1).clone()
    c2w[0] = torch.cat([orbit_rig([4.0 * frame], [15], [3]).c2w[0] for frame in range(frames)])
    return Rig(tuple(names) or ring.names, c2w, ring.colors)


def wait_until(page, expression: str, seconds: float = 120) -> None:
    """Playwright's own way evaluates a text in the page, which its policy forbids."""
    until = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < until, (expression, page.errors, page.locator("[role=alert]").all_inner_texts())
        page.wait_for_timeout(50)


def all_there(page, frames: int = FRAMES) -> None:
    wait_until(page, f"syncamTake.reel?.sets.size === {frames}")


def gate(page, scale: float = 1.0) -> np.ndarray:
    """The pixels of the view that is looked through."""
    page.evaluate(DRAWN)
    box = page.evaluate("syncamTake.space.box")
    stage = page.locator(".stage").bounding_box()
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        left, top = scale * (stage["x"] + box["x"]), scale * (stage["y"] + box["y"])
        return np.array(shot.convert("RGB").crop((left, top, left + scale * box["width"], top + scale * box["height"])))


def test_eight_videos_are_on_their_frusta_at_one_frame_whatever_is_done(show, tmp_path):
    take = coded_take(tmp_path, moving_ring(8, FRAMES), FRAMES, caption="a red ball")
    page = show(write_page(take, tmp_path, "take", WORDS, "Eight"))
    all_there(page)

    def shows(frame: int) -> bool:
        return page.evaluate(ON_FRUSTA) == {"frame": frame, "found": [[view, frame] for view in range(8)]}

    for key, frame in (("ArrowRight", 1), ("Shift+ArrowRight", 11), ("ArrowLeft", 10), ("Home", 0), ("End", 11)):
        page.keyboard.press(key)
        assert shows(frame), key
    page.locator(".time").fill("5")
    assert shows(5)
    picture(page, "take_page")

    # through a camera its own picture fills the gate; the others, made small, are not in front of the blocks
    page.locator(".size").fill("0.05")
    page.locator("body").click(position={"x": 3, "y": 3})
    for view in (0, 3, 7):
        page.keyboard.press(str(view + 1))
        pixels = gate(page)
        assert view_and_frame(pixels, pixels.shape[1] / 112) == (view, 5)
        assert page.locator(".tile").nth(view).get_attribute("aria-pressed") == "true"
    picture(page, "take_page_through")
    page.keyboard.press("0")
    assert page.evaluate("syncamTake.through") is None

    page.keyboard.press("g")
    page.evaluate(DRAWN)
    picture(page, "take_page_grid")
    assert page.locator(".tile:visible").count() == 8
    boxes = [page.locator(".tile").nth(view).bounding_box() for view in range(8)]
    assert all(box["width"] > 200 for box in boxes)
    page.keyboard.press("g")

    page.locator("select").select_option("2")
    page.locator("body").click(position={"x": 3, "y": 3})
    page.keyboard.press("Space")
    caught = []
    for _ in range(20):
        seen = page.evaluate(ON_FRUSTA)
        assert seen["found"] == [[view, seen["frame"]] for view in range(8)]
        caught.append(seen["frame"])
        page.wait_for_timeout(40)
    page.keyboard.press("Space")
    assert len(set(caught)) > 5
    assert page.evaluate("syncamTake.playing") is False
    assert page.errors == []


@pytest.mark.parametrize(("count", "height", "width"), [(12, 64, 112), (12, 208, 120), (1, 64, 112)], ids=str)
def test_each_of_many_views_or_one_fills_the_page_when_it_is_looked_through(show, tmp_path, count, height, width):
    take = coded_take(tmp_path, moving_ring(count, FRAMES), FRAMES, height, width)
    page = show(write_page(take, tmp_path, "take", WORDS))
    all_there(page)
    page.keyboard.press("End")
    assert page.evaluate(ON_FRUSTA) == {"frame": FRAMES - 1, "found": [[view, FRAMES - 1] for view in range(count)]}
    page.locator(".stage .label").first.wait_for(state="visible")
    for view in [*range(count), 0]:  # and round to the first one
        page.keyboard.press(".")
        page.evaluate("syncamTake.space.labels.forEach((label) => (label.style.opacity = 0))")  # they may be on a block
        pixels = np.array(Image.fromarray(gate(page)).resize((width, height), Image.Resampling.BOX))  # so may outlines
        assert view_and_frame(pixels) == (view, FRAMES - 1), "a neighbour's picture is on it"
        stage, box = page.locator(".stage").bounding_box(), page.evaluate("syncamTake.space.box")
        for label in page.locator(".stage .label:visible b").all():
            place = label.bounding_box()
            assert -12 <= place["x"] + place["width"] / 2 - stage["x"] - box["x"] <= box["width"] + 12
        tile = page.locator(".tile").nth(view)
        assert tile.get_attribute("aria-pressed") == "true"
        strip, place = page.locator(".tiles").bounding_box(), tile.bounding_box()
        assert strip["x"] <= place["x"] + 1
        assert place["x"] + place["width"] <= strip["x"] + strip["width"] + 1
    page.keyboard.press(",")
    assert page.evaluate("syncamTake.through") == count - 1
    page.keyboard.press("Escape")
    page.evaluate(DRAWN)
    # a picture in the strip keeps its shape
    found = page.evaluate(
        """() => {
            const canvas = document.querySelector('.tile canvas');
            const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            const drawn = (x, y) => data[4 * (y * canvas.width + x) + 3] > 0;
            const across = [...Array(canvas.width).keys()].filter((x) => drawn(x, canvas.height >> 1)).length;
            const down = [...Array(canvas.height).keys()].filter((y) => drawn(canvas.width >> 1, y)).length;
            return across / down;
        }"""
    )
    assert found == pytest.approx(width / height, rel=0.06)
    assert page.errors == []


@pytest.mark.parametrize(("height", "width"), [(480, 832), (832, 480)], ids=["landscape", "portrait"])
def test_a_marker_is_where_the_cameras_matrices_say(show, tmp_path, height, width):
    rig = random_rig(views=4, frames=5, seed=height)
    take = ToldTake(rig, Fraction(15), 5, ((height, width),) * 4)
    page = show(write_page(take, tmp_path, "take", WORDS))
    rng = np.random.default_rng(1)
    for frame in (0, 4):
        page.keyboard.press("Home" if frame == 0 else "End")
        for view in range(4):
            page.keyboard.press(str(view + 1))
            page.evaluate(DRAWN)
            inside = np.array([*rng.uniform(-0.3, 0.3, 2), 1.0]) * rng.uniform(2, 20)
            point = rig.c2w[view, frame, :3, :3].numpy() @ inside + rig.c2w[view, frame, :3, 3].numpy()
            wanted, _ = project(torch.from_numpy(point), rig.c2w[view, frame], rig.lenses[view], height, width)
            found = page.evaluate("(point) => syncamTake.space.pixelOf(point)", point.tolist())
            assert found == pytest.approx(wanted.tolist(), abs=0.05)
            page.keyboard.press("0")


def test_a_shifted_lens_is_drawn_as_the_page_says_it(show, tmp_path):
    """No rig has one, but the page's data may: its pictures are cut from pixels fx, fy, cx, cy."""
    take = ToldTake(orbit_rig([0, 30]), Fraction(15), 1, ((480, 832),) * 2)
    path = write_page(take, tmp_path, "take", WORDS)
    text = path.read_text(encoding="utf-8")
    data = re.search(r'id="take">(.*?)</script>', text)[1]
    told = json.loads(data)
    told["views"][0]["k"] = [700.0, 650.0, 300.0, 260.0]
    path.write_text(text.replace(data, json.dumps(told)), encoding="utf-8")
    page = show(path)
    page.keyboard.press("1")
    page.evaluate(DRAWN)
    point = torch.tensor([0.3, -0.2, 0.4, 1.0], dtype=torch.float64)
    x, y, z, _ = (take.rig.w2c[0, 0] @ point).tolist()
    found = page.evaluate("(point) => syncamTake.space.pixelOf(point)", point[:3].tolist())
    assert found == pytest.approx([700 * x / z + 300, 650 * y / z + 260], abs=0.05)


def test_hostile_names_stay_text_and_nothing_is_asked_of_a_network(show, tmp_path):
    take = coded_take(tmp_path, moving_ring(4, FRAMES, HOSTILE), FRAMES, caption=" ".join(HOSTILE))
    page = show(write_page(take, tmp_path, "take", WORDS, HOSTILE[0]))
    all_there(page)
    assert page.evaluate("globalThis.hacked") is None
    assert page.locator("img, header b").count() == 0
    assert [page.locator(".tile").nth(view).inner_text().split("\n")[-1] for view in range(4)] == [
        f"{view + 1}{name}" for view, name in enumerate(HOSTILE)
    ]
    assert page.title() == page.locator("h1").inner_text() == HOSTILE[0]
    files = [url for url in page.requests if not url.startswith("blob:")]
    assert files == [(tmp_path / "take.html").as_uri()]
    # what a script that got in would try is refused by the policy
    assert page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'asked', (error) => error.name)") == "TypeError"
    assert any("Content Security Policy" in text for text in page.errors)


def test_videos_beside_the_page_play_as_well_and_a_missing_folder_is_said(show, tmp_path):
    take = coded_take(tmp_path, moving_ring(2, FRAMES), FRAMES)
    path = write_page(take, tmp_path, "a take", WORDS, place=BESIDE)
    page = show(path)
    all_there(page)
    page.keyboard.press("End")
    assert page.evaluate(ON_FRUSTA)["found"] == [[0, FRAMES - 1], [1, FRAMES - 1]]
    assert page.errors == []
    for file in (tmp_path / "a take_videos").iterdir():
        file.unlink()
    page = show(path)
    assert page.locator("[role=alert]").inner_text() == WORDS["en"]["missing"].replace(
        "{file}", "a take_videos/01_cam01.js"
    )


def test_a_rig_alone_plays_on_a_phone_by_touch_in_the_readers_language(show, tmp_path):
    rig = moving_ring(3, FRAMES)
    take = ToldTake(Rig(rig.names, rig.c2w, rig.colors, (Lens(35, 36),) * 3), Fraction(15), FRAMES, ((832, 480),) * 3)
    path = write_page(take, tmp_path, "take", WORDS)
    phone = {"has_touch": True, "is_mobile": True, "device_scale_factor": 2, "locale": "ja-JP"}
    page = show(path, (390, 844), motion="no-preference", **phone)
    wait_until(page, "syncamTake.frame > 2")  # it plays by itself where nobody minds
    play = page.get_by_role("button", name=WORDS["ja"]["pause"])
    play.tap()
    assert page.evaluate("[syncamTake.playing, document.documentElement.lang]") == [False, "ja"]
    before = page.evaluate("syncamTake.space.free.position.toArray()")
    touch = page.context.new_cdp_session(page)
    for kind, x in (("touchStart", 150), ("touchMove", 190), ("touchMove", 240), ("touchEnd", None)):
        points = [] if x is None else [{"x": x, "y": 300}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.evaluate(DRAWN)
    after = page.evaluate("syncamTake.space.free.position.toArray()")
    assert np.linalg.norm(np.subtract(after, before)) > 0.3
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    picture(page, "take_page_phone")
    assert page.errors == []


def test_every_control_has_a_name_and_is_reached_by_the_keyboard(show, tmp_path):
    page = show(write_page(coded_take(tmp_path, moving_ring(2, 3), 3), tmp_path, "take", WORDS))
    controls = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select')].filter((one) => one.offsetParent)
            .map((one) => one.getAttribute('aria-label') || one.title)"""
    )
    assert len(controls) == 11
    assert all(controls)
    seen = set()
    for _ in range(len(controls)):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.title"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert seen == set(controls)


@pytest.mark.parametrize("renderers", **RENDERERS)
def test_the_node_links_the_page_that_it_saved(open_page, server, renderers, show):
    page = open_page(renderers, size=(900, 900))
    in_app(
        page,
        """
        app.graph.clear();
        const rig = LiteGraph.createNode('SynCamRigOrbit');
        const save = LiteGraph.createNode('SynCamSavePage');
        for (const node of [rig, save]) app.graph.add(node);
        rig.pos = [20, 60];
        save.pos = [360, 60];
        rig.connect(0, save, save.findInputSlot('rig'));
        app.canvas.ds.reset();
        await app.queuePrompt(0, 1);
        """,
    )
    link = page.locator("a[download]")
    link.wait_for()
    page.wait_for_timeout(500)
    bottom = in_app(page, "return app.graph._nodes.map((node) => node.pos[1] + node.size[1])[1]")
    box = link.bounding_box()
    assert renderers or (300 < box["x"] < 500 and 200 < box["y"] < bottom)
    picture(page, f"save_page_{'vue' if renderers else 'classic'}")
    name = link.get_attribute("download")
    assert re.fullmatch(r"take_0000\d\.html", name)
    assert re.search(r"\(0[.]\d MB\)", link.locator("..").inner_text())
    saved = server.folder / "output" / "syncam" / name
    assert server.bytes(link.get_attribute("href").removeprefix("/api")) == saved.read_bytes()
    assert errors(page) == []
    opened = show(saved)
    assert opened.locator(".tile").count() == 2
    opened.keyboard.press("2")
    assert opened.evaluate("syncamTake.through") == 1
    assert opened.errors == []
