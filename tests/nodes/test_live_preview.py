"""What a sampling shows: which moments of which view, how large, to whom."""

from __future__ import annotations

import base64
import importlib
import io
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

NAMES, COLORS = ("left", "right"), ("#3399ff", "#ff8000")


@pytest.fixture
def live(comfy):
    return importlib.import_module(f"{comfy.pack.__name__}.nodes.host.live_preview")


@pytest.fixture
def previewer(comfy):
    """The host's previewer for Wan2.1, with numbers that make a picture's value easy to foretell: red is channel 0."""
    import latent_preview

    factors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], *[[0.0, 0.0, 0.0]] * 14]
    return latent_preview.Latent2RGBPreviewer(factors)


def coded(views: int, frames: int, height: int = 6, width: int = 10) -> torch.Tensor:
    """A latent whose channel 0 says the view and whose channel 1 says the frame, in 255 steps from -1 to 1."""
    x0 = torch.full((views, 16, frames, height, width), -1.0)
    x0[:, 0] = (torch.arange(views) * 20 / 127.5 - 1)[:, None, None, None]
    x0[:, 1] = (torch.arange(frames) * 10 / 127.5 - 1)[None, :, None, None]
    return x0


def sent_by(live, previewer, x0, monkeypatch, client="page", node="8", steps=7, step=0):
    import server

    messages = []
    instance = SimpleNamespace(client_id=client, send_sync=lambda *message: messages.append(message))
    monkeypatch.setattr(server.PromptServer, "instance", instance, raising=False)
    cameras = SimpleNamespace(names=NAMES, colors=COLORS)
    still = live.LivePreview(previewer, cameras, node).show(step, x0, steps)
    return messages, still


def test_every_view_has_a_row_and_every_moment_a_column(live, previewer, monkeypatch):
    messages, _ = sent_by(live, previewer, coded(2, 21), monkeypatch)
    ((event, message, client),) = messages
    assert (event, client) == ("syncam.live_preview", "page")
    assert (message["node"], message["step"], message["steps"], message["moments"]) == ("8", 1, 7, 10)
    assert message["views"] == [{"name": "left", "color": "#3399ff"}, {"name": "right", "color": "#ff8000"}]
    sheet = np.array(Image.open(io.BytesIO(base64.b64decode(message["picture"].split(",")[1]))))
    assert sheet.shape == (2 * 6, 10 * 10, 3)
    moments = [0, 2, 4, 7, 9, 11, 13, 16, 18, 20]  # evenly spaced over 21, ends included
    for view in range(2):
        for column, moment in enumerate(moments):
            red, green, _ = sheet[view * 6 + 3, column * 10 + 5].astype(int)
            assert abs(red - 20 * view) <= 12, (view, column)
            assert abs(green - 10 * moment) <= 12, (view, column)


def test_short_clips_show_all_their_frames_and_pictures_stand_still(live):
    assert live.moments_of(1) == [0]
    assert live.moments_of(5) == [0, 1, 2, 3, 4]
    assert len(live.moments_of(200)) == 10


def test_the_still_is_a_grid_that_moves_on_with_every_step_and_says_which_step_it_is(live, previewer, monkeypatch):
    x0 = coded(2, 5, 48, 80)
    greens, corners = [], []
    for step in range(3):
        _, (kind, picture, limit) = sent_by(live, previewer, x0, monkeypatch, step=step)
        assert (kind, limit) == ("JPEG", 512)
        assert max(picture.size) == 512
        assert picture.width / picture.height == pytest.approx(2 * 80 / 48, rel=0.02)
        pixels = np.array(picture).astype(int)
        middle = pixels[picture.height // 2, [picture.width // 4, 3 * picture.width // 4]]
        assert [red for red, _, _ in middle] == pytest.approx([0, 20], abs=3)
        greens.append(middle[0][1])
        corners.append(pixels[-30:, -60:])
        # the name of each view stands in its corner in its colour
        for view, color in enumerate(COLORS):
            corner = pixels[:30, view * picture.width // 2 :][:, :70].reshape(-1, 3)
            wanted = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
            assert np.abs(corner - wanted).sum(1).min() < 60, view
    assert greens == pytest.approx([0, 10, 20], abs=3)
    assert np.abs(corners[0] - corners[1]).max() > 60


def test_nobody_is_sent_anything_who_did_not_queue_and_the_host_decides_whether_there_are_previews(
    live, previewer, monkeypatch, comfy
):
    messages, still = sent_by(live, previewer, coded(2, 3), monkeypatch, client=None)
    assert messages == []
    assert still[1].size[0] == 512
    messages, _ = sent_by(live, previewer, coded(2, 3), monkeypatch, node=None)
    assert messages == []

    import comfy.utils
    import latent_preview

    model = SimpleNamespace(load_device="cpu", model=SimpleNamespace(latent_format=None))
    monkeypatch.setattr(latent_preview, "get_previewer", lambda *_: None)
    seen = []
    monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", lambda *given, **_: seen.append(given))
    live.all_views_callback(model, 4)(0, coded(2, 3), None, 4)
    assert seen == [(1, 4, None)]


def test_large_and_many_views_make_no_larger_messages(live, previewer, monkeypatch):
    noise = torch.randn(12, 16, 21, 90, 160, generator=torch.Generator().manual_seed(0))
    messages, _ = sent_by(live, previewer, noise, monkeypatch)
    data = base64.b64decode(messages[0][1]["picture"].split(",")[1])
    width, height = Image.open(io.BytesIO(data)).size
    assert width * height <= 500_000
    assert len(data) < 500_000  # noise is the worst that a JPEG can meet
    assert [view["name"] for view in messages[0][1]["views"]] == [f"view {i}" for i in range(1, 13)]


def test_a_network_that_previews_is_asked_as_often_as_for_a_still_and_fills_the_clip_step_by_step(live, monkeypatch):
    calls = []

    class Network:
        def decode_latent_to_preview_image(self, kind, x0):
            calls.append(tuple(x0.shape))
            return (
                kind,
                Image.new(
                    "RGB", (80, 48), (int(x0[0, 0, 0, 0, 0] * 127.5 + 127.5), int(x0[0, 1, 0, 0, 0] * 127.5 + 127.5), 0)
                ),
                512,
            )

    preview = live.LivePreview(Network(), None, None)
    for step in range(4):
        preview.show(step, coded(2, 3), 9)
        assert len(calls) == 2 * (step + 1)
    assert set(calls) == {(1, 16, 1, 6, 10)}
    seen = [[tile.getpixel((0, 0))[:2] for tile in row] for row in preview.tiles]
    for view in range(2):
        for moment in range(3):
            assert seen[view][moment] == pytest.approx((20 * view, 10 * moment), abs=1)


def test_names_and_colours_go_from_the_rig_to_the_sampler_and_old_results_have_none(comfy, live):
    (rig,) = comfy.run("SynCamRigOrbit", azimuths="0, 30", elevations="0", distances="3")
    cameras = comfy.run("SynCamEncodeCameras", rig=rig, length=5)[0]
    assert (cameras.names, cameras.colors) == (tuple(rig.names), tuple(rig.colors))
    assert live.names_and_colors_of(cameras, 2) == (list(rig.names), list(rig.colors))
    old = type(cameras)(cameras.poses)
    assert live.names_and_colors_of(old, 2)[0] == ["view 1", "view 2"]
    assert live.names_and_colors_of(cameras, 3)[0] == ["view 1", "view 2", "view 3"]
