"""What people try first in the rig editor and the player because other programs have it."""

from __future__ import annotations

import json

import pytest
from frontend import RENDERERS, errors, in_app

from syncam_core.cameras.rig_json import rig_from_document

EDITOR = "window.comfyAPI.app.app.graph._nodes.find(n => n.type == 'SynCamRigEditor')?.widgets[0].editor"
PLAYER = "window.comfyAPI.app.app.graph._nodes.find(n => n.type == 'SynCamPlayer')?.widgets.find(w => w.player)?.player"


@pytest.fixture(params=RENDERERS["argvalues"], ids=RENDERERS["ids"])
def page(request, page_again):
    page = page_again(request.param)
    add(page, "SynCamRigEditor")
    page.wait_for_function(f"{EDITOR}?.view?.frames > 0 && {EDITOR}.meter")
    return page


def add(page, kind: str) -> None:
    in_app(
        page,
        "app.graph.clear(); const node = LiteGraph.createNode(argument); node.pos = [200, 80]; app.graph.add(node);"
        "app.canvas.ds.reset();",
        kind,
    )


def state(page) -> dict:
    prompt = in_app(page, "return (await app.graphToPrompt()).output")
    return next(node["inputs"]["state"] for node in prompt.values() if node["class_type"] == "SynCamRigEditor")


def type_into(page, name: str, text: str) -> None:
    page.fill(f".sc-editor input[name={name}]", text)
    page.press(f".sc-editor input[name={name}]", "Enter")


def drag_camera(page, index: int, by: tuple[float, float]) -> None:
    page.wait_for_function(f"!{EDITOR}.view.request")
    box = page.locator(".sc-label b").nth(index).bounding_box()
    start = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + by[0], start[1] + by[1], steps=6)
    page.mouse.up()


def said(page) -> str:
    return page.locator(".sc-note").inner_text()


def test_a_key_at_frame_0_then_a_drag_at_frame_40_is_a_move(page):
    page.click("[data-action=timeline]")
    page.locator(".sc-stage").focus()
    page.keyboard.press("k")
    assert "First key at frame 0" in said(page)
    assert page.get_by_role("button", name="Keyframe at frame 0").is_visible()
    type_into(page, "frame", "40")
    before = state(page)["cameras"][0]
    drag_camera(page, 0, (60, 0))
    keys = state(page)["cameras"][0]["keyframes"]
    assert [key["frame"] for key in keys] == [0, 40]
    assert (keys[0]["azimuth"], keys[0]["distance"]) == (before["azimuth"], before["distance"])
    assert abs(keys[1]["azimuth"]) > 3
    assert rig_from_document(state(page)).frames == 81, "the timeline is as long as it was"
    assert errors(page) == []


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("30+15", 45),
        ("90/4", 22.5),
        ("-(10 - 2,5)*2", -15),
        ("1e1", 10),
        (".5 + .25", 0.75),
        ("\uff0d\uff11\uff15\uff0e\uff15 °", -15.5),
    ],
)
def test_sums_are_typed_into_number_fields(page, typed, number):
    type_into(page, "azimuth", typed)
    assert state(page)["cameras"][0]["azimuth"] == number


@pytest.mark.parametrize(
    ("name", "typed", "words"),
    [
        ("azimuth", "abc", "no number"),
        ("azimuth", "30+", "no number"),
        ("distance", "0", "0.1"),
        ("elevation", "95", "-90 to 90"),
    ],
)
def test_what_cannot_be_typed_is_said_and_what_was_there_comes_back(page, name, typed, words):
    before = state(page)
    type_into(page, name, typed)
    assert words in said(page)
    assert state(page) == before


def test_a_camera_without_a_name_and_a_rig_without_cameras_are_refused_in_a_sentence(page):
    type_into(page, "name", " ")
    assert "A camera needs a name" in said(page)
    page.locator(".sc-stage").focus()
    for _ in range(3):
        page.keyboard.press("Delete")
    assert "A rig has one camera at least" in said(page)
    assert [camera["name"] for camera in state(page)["cameras"]] == ["right"]


def test_one_more_camera_comes_last_and_its_name_has_its_number(page):
    page.locator(".sc-stage").focus()
    for _ in range(3):
        page.keyboard.press("n")
        page.locator(".sc-card").nth(0).click()
        page.locator(".sc-stage").focus()
    assert [camera["name"] for camera in state(page)["cameras"]] == ["front", "right", "cam03", "cam04", "cam05"]


def test_a_camera_that_comes_back_from_afar_is_seen_again(page):
    type_into(page, "distance", "1000")
    type_into(page, "distance", "3")
    page.wait_for_function(f"!{EDITOR}.view.request")
    assert page.evaluate(f"{EDITOR}.view.free.position.length()") < 30


def test_cameras_that_are_chosen_together_move_together_and_a_click_lets_go(page):
    page.locator(".sc-card").nth(0).click()
    page.locator(".sc-card").nth(1).click(modifiers=["Control"])
    type_into(page, "azimuth", "10")
    type_into(page, "distance", "4")
    first, second = state(page)["cameras"]
    assert (first["azimuth"], second["azimuth"]) == (10, 35)
    assert (first["distance"], second["distance"]) == (4, 4)
    page.locator(".sc-card").nth(1).click()
    page.locator(".sc-card").nth(1).click()
    type_into(page, "azimuth", "50")
    assert [camera["azimuth"] for camera in state(page)["cameras"]] == [10, 50]


def test_a_camera_that_is_left_out_stays_in_the_editor_and_is_not_filmed(page):
    page.locator(".sc-card").nth(1).click()
    page.click("[data-action=more]")
    page.get_by_role("menuitem", name="Do not film this camera").click()
    document = state(page)
    assert len(document["cameras"]) == 2
    text = in_app(
        page,
        """
        const [editor] = app.graph._nodes;
        const meter = LiteGraph.createNode('SynCamRigMeter'); meter.pos = [1500, 0]; app.graph.add(meter);
        editor.connect(0, meter, 0);
        const { api } = window.comfyAPI.api;
        const over = new Promise(resolve => api.addEventListener('execution_success', resolve, { once: true }));
        await app.queuePrompt(0, 1);
        await over;
        await new Promise(resolve => setTimeout(resolve, 300));
        return meter.widgets.find(w => w.name == 'findings').value;
        """,
    )
    assert text.startswith("1 camera: ")
    assert "right" not in text
    type_into(page, "name", "side")
    assert state(page)["metadata"]["left_out"] == ["side"]
    page.locator(".sc-card").nth(0).click()
    page.click("[data-action=more]")
    assert page.get_by_role("menuitem", name="Do not film this camera").is_disabled(), "somebody has to"


def test_a_shot_size_is_a_distance_by_the_lens(page):
    page.click("[data-action=more]")
    page.get_by_role("menuitem", name="Close-up").click()
    near = state(page)["cameras"][0]["distance"]
    page.click("[data-action=more]")
    page.get_by_role("menuitem", name="Wide shot").click()
    far = state(page)["cameras"][0]["distance"]
    assert far / near == pytest.approx(2.5 / 0.28, rel=0.02)
    # 24 mm on 23.76 mm in 832 x 480: 31.9 degrees of height, in which 2.5 figures of 1.4 m stand
    assert far == pytest.approx(2.5 * 1.4 / 2 / (23.76 / 2 / 24 * 480 / 832), rel=0.01)


def test_a_camera_across_the_line_of_the_reference_is_said_to_be_there(page):
    page.locator(".sc-card").nth(1).click()
    for azimuth, across in (("80", False), ("100", True), ("-170", True)):
        type_into(page, "azimuth", azimuth)
        page.wait_for_timeout(300)
        assert ("180" in page.locator(".sc-corner").inner_text()) == across, azimuth


def test_pictures_have_the_shape_of_the_latent_behind(page):
    in_app(
        page,
        """
        const [editor] = app.graph._nodes;
        const encode = LiteGraph.createNode('SynCamEncodeCameras'), latent = LiteGraph.createNode('SynCamEmptyLatent');
        for (const node of [encode, latent]) { node.pos = [1500, 0]; app.graph.add(node); }
        editor.connect(0, encode, 0); encode.connect(0, latent, 0);
        latent.widgets.find(w => w.name == 'width').value = 480;
        latent.widgets.find(w => w.name == 'height').value = 832;
        """,
    )
    page.locator(".sc-toolbar, .sc-bar").first.hover()
    page.mouse.move(5, 500)
    page.locator(".sc-stage").hover()
    page.locator(".sc-stage").focus()
    page.keyboard.press("5")
    page.wait_for_function(f"!{EDITOR}.view.request")
    box = page.locator(".sc-gate").bounding_box()
    assert box["width"] / box["height"] == pytest.approx(480 / 832, rel=0.02)
    assert page.evaluate(f"{EDITOR}.view.eye.aspect") == pytest.approx(480 / 832)


def test_a_narrow_node_keeps_all_its_buttons(page):
    in_app(page, "app.graph._nodes[0].setSize([200, 600]); app.canvas.setDirty(true, true)")
    page.wait_for_timeout(400)
    cut = page.evaluate(
        "[...document.querySelectorAll('.sc-editor .sc-bar button')].filter(b => b.offsetParent &&"
        " b.getBoundingClientRect().right > document.querySelector('.sc-editor').getBoundingClientRect().right + 1)"
        ".map(b => b.title)"
    )
    assert cut == []


def test_two_fingers_zoom_the_editor_and_not_the_graph(open_page):
    page = open_page(has_touch=True)
    add(page, "SynCamRigEditor")
    page.wait_for_function(f"{EDITOR}?.view?.frames > 0")
    client, box = page.context.new_cdp_session(page), page.locator(".sc-stage").bounding_box()
    left, right, height = box["x"] + 40, box["x"] + 120, box["y"] + 30

    def touch(kind: str, *points: tuple[float, float]) -> None:
        fingers = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(points)]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    touch("touchStart", (left, height))
    touch("touchStart", (left, height), (right, height))
    for step in range(1, 5):
        touch("touchMove", (left, height), (right + 40 * step, height))
    touch("touchEnd")
    assert in_app(page, "return app.canvas.ds.scale") == 1


def test_cards_show_what_was_filmed_until_something_is_edited(page):
    in_app(
        page,
        """
        const [editor] = app.graph._nodes;
        const add = (type, values) => {
            const node = LiteGraph.createNode(type); node.pos = [1500, 0]; app.graph.add(node);
            for (const [name, value] of Object.entries(values)) node.widgets.find(w => w.name == name).value = value;
            return node;
        };
        const picture = add('EmptyImage', { width: 64, height: 48, batch_size: 10, color: 0xff0000 });
        const views = add('RebatchImages', { batch_size: 5 });
        const save = add('SynCamSaveViews', { filename_prefix: 'habits/taken' });
        picture.connect(0, views, 0); views.connect(0, save, 'views'); editor.connect(0, save, 'rig');
        await app.queuePrompt(0, 1);
        """,
    )
    page.wait_for_function("document.querySelectorAll('.sc-taken:not([hidden])').length == 2", timeout=60_000)
    red, green, blue, _ = page.evaluate(
        "[...document.querySelector('.sc-taken').getContext('2d').getImageData(104, 60, 1, 1).data]"
    )
    assert red > 200
    assert max(green, blue) < 60
    type_into(page, "azimuth", "7")
    assert page.locator(".sc-taken:visible").count() == 0


def test_a_target_is_dragged_with_alt_and_the_camera_stays_where_it_is(page):
    def drag() -> None:
        page.wait_for_function(f"!{EDITOR}.view.request")
        x, y = page.evaluate(
            f"""() => {{
                const stage = document.querySelector('.sc-stage'), box = stage.getBoundingClientRect();
                const at = {EDITOR}.view.project({EDITOR}.store.camera.keyframes[0].target);
                const scale = box.width / stage.offsetWidth;
                return [box.left + at.x * scale, box.top + at.y * scale];
            }}"""
        )
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 60, y - 30, steps=6)
        page.mouse.up()

    before = state(page)
    page.keyboard.down("Alt")
    drag()
    page.keyboard.up("Alt")
    after = state(page)
    drag()  # without the key it is the view that turns
    assert state(page) == after
    x_m, y_m, _ = after["cameras"][0]["target"]
    assert x_m > 0.2
    assert y_m < -0.1
    moved, still = (rig_from_document(given).c2w for given in (after, before))
    assert (moved[0, :, :3, 3] - still[0, :, :3, 3]).abs().max() < 1e-4
    assert (moved[1] - still[1]).abs().max() < 1e-9


@pytest.mark.parametrize("size", [(580, 600), (360, 480)])
def test_a_menu_shows_all_that_it_offers(page, size):
    in_app(page, "app.graph._nodes[0].setSize(argument); app.graph.setDirtyCanvas(true, true)", list(size))
    page.wait_for_timeout(500)
    for action in ("add", "more"):
        page.click(f"[data-action={action}]")
        menu = page.locator(".sc-menu").bounding_box()
        boxes = [item.bounding_box() for item in page.locator(".sc-menu [role=menuitem]").all()]
        assert len(boxes) > 8
        for box in boxes:
            assert menu["x"] <= box["x"] < menu["x"] + menu["width"] - 50
            assert menu["y"] <= box["y"] < box["y"] + box["height"] <= menu["y"] + menu["height"] + 1
        page.keyboard.press("Escape")


# ---- the player


@pytest.fixture(params=RENDERERS["argvalues"], ids=RENDERERS["ids"])
def player(request, page_again):
    """A player with eleven views that need no video: its reel is asked for nothing here."""
    page = page_again(request.param)
    add(page, "SynCamPlayer")
    page.wait_for_function(f"Boolean({PLAYER})")
    film = {
        "frames": 40,
        "rate": 15,
        "views": [
            {
                "name": f"view {i}",
                "color": "#3399ff",
                "angles": "",
                "width": 160,
                "height": 96,
                "url": "",
                "download": "",
                "filename": "",
            }
            for i in range(11)
        ],
    }
    page.evaluate(
        f"""film => {{
            const player = {PLAYER};
            player.load(film);
            player.reel.dispose();
            player.failed = false;
            player.reel = {{ has: () => true, get: () => null, look: () => {{}}, dispose: () => {{}} }};
            player.seek(20);
            player.element.focus();
        }}""",
        film,
    )
    return page


def test_j_k_and_l_shuttle(player):
    at = f"{PLAYER}.frame"
    player.keyboard.press("l")
    player.wait_for_function(f"{at} > 23")
    player.keyboard.press("j")
    player.wait_for_function(f"{at} < 20")
    player.keyboard.press("j")
    assert player.evaluate(f"{PLAYER}.speed") > 1
    player.keyboard.press("k")
    assert player.evaluate(f"{PLAYER}.playing") is False


def test_keys_reach_views_above_nine(player):
    player.keyboard.press("0")
    assert player.evaluate(f"{PLAYER}.selected") == 9
    player.keyboard.press("Shift+Digit1")
    assert player.evaluate(f"{PLAYER}.selected") == 10


def test_a_bad_list_is_said_while_it_is_typed(player):
    write = f"text => {{ const {{ cuts }} = {PLAYER}.options; cuts.write(text); }}"
    player.evaluate(write, "0 A; x")
    assert "“x”" in player.locator(".sp-note[role=alert]").inner_text()
    player.evaluate(write, "0 A; 10 B")
    assert player.locator(".sp-note[role=alert]:visible").count() == 0


def test_the_edge_of_a_shot_is_pulled_on_the_timeline_up_to_its_neighbours(player):
    player.evaluate(f"{PLAYER}.options.cuts.write('0 A; 10 B; 30 C')")
    box = player.locator(".sp-rail").bounding_box()
    at = lambda frame: (box["x"] + box["width"] * frame / 39, box["y"] + box["height"] - 6)  # noqa: E731
    for target, expected in ((15, "0 A; 15 B; 30 C"), (38, "0 A; 29 B; 30 C")):
        start = json.loads(player.evaluate(f"JSON.stringify({PLAYER}.cuts)"))[1]["frame"]
        player.mouse.move(*at(start))
        player.mouse.down()
        player.mouse.move(*at(target), steps=5)
        player.mouse.up()
        assert player.evaluate(f"{PLAYER}.options.cuts.read()") == expected


def test_name_plates_of_a_wipe_lie_beside_or_above_each_other(player):
    player.evaluate(f"{PLAYER}.film.views.forEach(v => {{ v.width = 40; v.name = 'a long name'; }})")
    player.keyboard.press("w")
    boxes = [player.locator(".sp-stage > .sp-name").nth(i).bounding_box() for i in range(2)]
    beside = boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"] or boxes[1]["x"] + boxes[1]["width"] <= boxes[0]["x"]
    above = boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]
    assert beside or above


def test_each_view_says_its_number_and_the_letter_of_the_list(player):
    chip = player.locator(".sp-chip").nth(1)
    assert [chip.locator(part).inner_text() for part in ("b", "small")] == ["2", "B"]


def test_the_list_leaves_the_room_to_the_pictures(player):
    player.wait_for_timeout(500)
    heights = player.evaluate(
        "[...document.querySelectorAll('textarea')].filter(t => t.offsetParent).map(t => t.clientHeight)"
    )
    assert max(heights) < 90
    assert player.locator(".sp-stage").bounding_box()["height"] > 200
