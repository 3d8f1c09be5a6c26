"""SynCam Render Views inside the real host: files probed, decoded and compared with what core nodes make."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
from footage import files_in, named_rig
from PIL import Image

from syncam_core.cameras import rig_from_json
from syncam_core.formats import read_rig_file
from syncam_core.video.codecs import CODECS

H264 = {"codec": "h264", "bit_depth": "8", "crf": 12.0}
CHOICES = [
    {"codec": key, "bit_depth": str(bits), **({"crf": 10.0} if about.crf is not None else {})}
    for key, about in CODECS.items()
    for bits in about.pixels
]
IDS = [f"{choice['codec']}-{choice['bit_depth']}" for choice in CHOICES]
FRAMES, HEIGHT, WIDTH = 9, 64, 96


@pytest.fixture
def outputs(comfy, tmp_path):
    """An output folder and a temp folder of its own for each test."""
    before = comfy.folders.get_output_directory(), comfy.folders.get_temp_directory()
    (tmp_path / "output").mkdir()
    comfy.folders.set_output_directory(str(tmp_path / "output"))
    comfy.folders.set_temp_directory(str(tmp_path / "temp"))
    yield tmp_path / "output"
    comfy.folders.set_output_directory(before[0])
    comfy.folders.set_temp_directory(before[1])


@pytest.fixture(scope="module")
def vae(comfy):
    """The host's Wan2.1 VAE of width 1 with random weights: fast, and its pictures have some contrast."""
    import comfy.sd
    from comfy.ldm.wan.vae import WanVAE

    shape = {"dim": 1, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_scales": []}
    model = WanVAE(**shape, temperal_downsample=[False, True, True], dropout=0.0)
    generator = torch.Generator().manual_seed(0)
    state = {key: 0.3 * torch.randn(value.shape, generator=generator) for key, value in model.state_dict().items()}
    return comfy.sd.VAE(sd=state)


def latent(views=3, frames=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {"samples": torch.randn(views, 16, frames, HEIGHT // 8, WIDTH // 8, generator=generator)}


@pytest.fixture
def render(comfy, vae, outputs):
    """Run the node as the host does, hidden inputs and interrupt included; gives its outputs and its UI entry."""
    import execution

    def run(samples=None, filename_prefix="syncam/film", fps=15.0, codec=H264, prompt=None, workflow=None, **more):
        inputs = {"latent": samples or latent(), "vae": vae, "filename_prefix": filename_prefix, "fps": fps}
        inputs = {key: [value] for key, value in {**inputs, "codec": codec, **more}.items()}
        hidden = {"PROMPT": prompt, "EXTRA_PNGINFO": workflow and {"workflow": workflow}}
        with torch.inference_mode():
            out, shown, _, _ = asyncio.run(
                execution.get_output_data(
                    "job", "7", comfy.nodes["SynCamRenderViews"], inputs, v3_data={"hidden_inputs": hidden}
                )
            )
        files, videos, grid = (values[0] for values in out)
        return SimpleNamespace(files=files, videos=out[1], first=videos, grid=grid, shown=shown)

    return run


@pytest.fixture
def views(comfy, vae):
    """What the other nodes decode of a latent: per view (frames, height, width, 3)."""
    return lambda samples=None: comfy.run("SynCamDecodeViews", latent=samples or latent(), vae=vae)[0]


def probe(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        context = stream.codec_context
        said = {"dst_color_range": "JPEG", "src_colorspace": 1, "src_color_range": 1}
        said = {} if frames[0].format.is_rgb else said
        return SimpleNamespace(
            count=len(frames),
            times=[frame.pts * stream.time_base for frame in frames],
            rate=stream.average_rate,
            size=(stream.height, stream.width),
            pix_fmt=context.pix_fmt,
            color_tags=(context.color_primaries, context.color_trc, context.colorspace, context.color_range),
            tags={key.lower(): value for key, value in container.metadata.items()},
            rgb=np.stack([frame.to_ndarray(format="rgb24", **said) for frame in frames]).astype(int),
            rgb48=np.stack([frame.to_ndarray(format="rgb48le", **said) for frame in frames]),
        )


# ---- the files


@pytest.mark.parametrize("choice", CHOICES, ids=IDS)
def test_all_files_of_a_run_are_alike_and_the_grid_shows_what_the_views_show(render, views, outputs, choice):
    expected = [(view * 255).round().int().numpy() for view in views()]
    render(codec=choice, rig=named_rig("left", "mid", "right"))
    suffix = CODECS[choice["codec"]].suffix
    names = [f"film_00001_{part}{suffix}" for part in ("left", "mid", "right")]
    grid_name = f"film_00001_grid{suffix}"
    others = ["film_00001_rig.json", "film_00001_sheet.png"]
    assert files_in(outputs) == sorted(f"syncam/{name}" for name in (*names, grid_name, *others))

    singles = [probe(outputs / "syncam" / name) for name in names]
    together = probe(outputs / "syncam" / grid_name)
    exact = [Fraction(index, 15) for index in range(FRAMES)]
    if suffix == ".mkv":
        exact = [Fraction(round(1000 * time), 1000) for time in exact]
    lossless = choice["codec"] == "ffv1"
    for film in (*singles, together):
        assert film.count == FRAMES
        assert film.times == exact
        assert film.rate == 15
        assert film.pix_fmt == CODECS[choice["codec"]].pixels[int(choice["bit_depth"])]
        assert film.color_tags == ((1, 1, 0, 2) if lossless else (1, 1, 1, 1))
    assert together.size == (HEIGHT, 3 * WIDTH)
    for index, (film, pixels) in enumerate(zip(singles, expected, strict=True)):
        assert film.size == (HEIGHT, WIDTH)
        assert np.abs(film.rgb - pixels).mean() < 4
        below_label = slice(26, None)
        tile = together.rgb[:, :, WIDTH * index : WIDTH * (index + 1)]
        assert np.abs(tile - film.rgb)[:, below_label].mean() < 2.5


@pytest.mark.parametrize("depth", ["8", "16"])
def test_the_lossless_path_is_bit_equal_to_what_was_decoded_and_so_are_the_tiles(render, views, outputs, depth):
    run = render(codec={"codec": "ffv1", "bit_depth": depth})
    white, form = (255, "rgb") if depth == "8" else (65535, "rgb48")
    grid = getattr(probe(run.files.folder / run.files.grid), form)
    for index, (file, view) in enumerate(zip(run.files.files, views(), strict=True)):
        pixels = (view.numpy().clip(0, 1) * np.float32(white) + np.float32(0.5)).astype(int)
        film = getattr(probe(run.files.folder / file), form)
        assert np.array_equal(film, pixels)
        assert np.array_equal(grid[:, 26:, WIDTH * index : WIDTH * (index + 1)], film[:, 26:])


def test_the_outputs_are_the_files(comfy, render, outputs):
    rig = named_rig("a", "b", "c")
    run = render(fps=23.976, rig=rig)
    files = run.files
    assert files.folder == (outputs / "syncam").absolute()
    assert (files.subfolder, files.kind, files.frames) == ("syncam", "output", FRAMES)
    assert files.fps == Fraction(24000, 1001)
    assert (files.names, files.colors) == (rig.names, rig.colors)
    assert files.sizes == ((HEIGHT, WIDTH),) * 3
    assert [video.get_stream_source() for video in run.videos] == [str(files.folder / file) for file in files.files]
    assert run.grid.get_dimensions() == (3 * WIDTH, HEIGHT)
    assert run.first.get_frame_count() == FRAMES
    assert comfy.nodes["SynCamRenderViews"].GET_NODE_INFO_V1()["output_is_list"] == [False, True, False]
    assert [item["filename"] for item in run.shown["images"]] == [files.grid, *files.files]
    assert [item["filename"] for item in run.shown["files"]] == [files.rig, files.sheet]


def test_what_browsers_do_not_play_is_shown_as_a_preview_in_the_temp_folder(comfy, render, outputs):
    run = render(codec={"codec": "prores_422_hq"})
    (shown,) = run.shown["images"]
    assert shown["type"] == "temp"
    preview = probe(Path(comfy.folders.get_temp_directory()) / shown["filename"])
    assert (preview.pix_fmt, preview.size, preview.count) == ("yuv420p", (HEIGHT, 3 * WIDTH), FRAMES)
    assert [item["filename"] for item in run.shown["files"]] == [run.files.grid, *run.files.files, run.files.sheet]


@pytest.mark.parametrize(
    ("films", "written"), [("views", ["view-1", "view-2", "view-3"]), ("grid", ["grid"])], ids=["views", "grid"]
)
@pytest.mark.parametrize("sheet", [False, True])
def test_only_what_was_asked_for_is_written(render, outputs, films, written, sheet):
    run = render(films=films, contact_sheet=sheet)
    videos = [f"film_00001_{part}.mp4" for part in written]
    expected = sorted([*videos, *["film_00001_sheet.png"] * sheet])
    assert [name.removeprefix("syncam/") for name in files_in(outputs)] == expected
    blocked = [run.grid] if films == "views" else [run.files, run.first]
    for output in blocked:
        assert "'films' leaves its files out; set 'films' to 'views and grid'" in output.message
    shown = [item["filename"] for item in run.shown["images"]]
    assert shown == videos


def test_the_sheet_and_the_sidecar_are_those_of_save_views(comfy, render, views, outputs):
    rig = named_rig("left", "mid", "right")
    run = render(rig=rig, codec={"codec": "ffv1", "bit_depth": "16"})
    comfy.run("SynCamSaveViews", views=views(), filename_prefix=["other"], fps=[15.0], rig=[rig])
    with (
        Image.open(outputs / "syncam" / run.files.sheet) as ours,
        Image.open(outputs / "other_00001_sheet.png") as other,
    ):
        assert np.abs(np.asarray(ours).astype(int) - np.asarray(other)).max() <= 1
    text = (outputs / "syncam" / run.files.rig).read_text(encoding="utf-8")
    assert torch.equal(rig_from_json(text).c2w, rig.c2w)
    facts = json.loads(text)["metadata"]
    assert (facts["fps"], facts["frames"], facts["grid"]) == (15.0, FRAMES, run.files.grid)
    assert [view["file"] for view in facts["views"]] == list(run.files.files)


@pytest.mark.parametrize("choice", [CHOICES[0], {"codec": "prores_422_hq"}, CHOICES[-1]], ids=["mp4", "mov", "mkv"])
def test_every_file_brings_workflow_prompt_and_rig_back(render, outputs, choice):
    from comfy.cli_args import args

    prompt, workflow = {"7": {"class_type": "SynCamRenderViews", "inputs": {"a": "ä"}}}, {"nodes": [{"id": 7}]}
    rig = named_rig("left", "mid", "right")
    run = render(codec=choice, rig=rig, prompt=prompt, workflow=workflow)
    for file in (*run.files.files, run.files.grid):
        tags = probe(run.files.folder / file).tags
        assert json.loads(tags["prompt"]) == prompt
        assert json.loads(tags["workflow"]) == workflow
        read = read_rig_file(run.files.folder / file)
        assert torch.equal(read.c2w, rig.c2w)
        assert (read.names, read.colors) == (rig.names, rig.colors)
    with Image.open(run.files.folder / run.files.sheet) as sheet:
        assert json.loads(sheet.text["workflow"]) == workflow
        assert rig_from_json(sheet.text["syncam_rig"]).names == rig.names

    args.disable_metadata = True
    try:
        run = render(codec=choice, rig=rig, prompt=prompt, workflow=workflow)
    finally:
        args.disable_metadata = False
    assert not {"prompt", "workflow", "syncam_rig"} & set(probe(run.files.folder / run.files.grid).tags)


def test_load_rig_offers_and_reads_a_rendered_video(comfy, render, outputs):
    rig = named_rig("left", "mid", "right")
    run = render(rig=rig)
    without = render()
    inputs = Path(comfy.folders.get_input_directory())
    (inputs / "with_rig.mp4").write_bytes((run.files.folder / run.files.grid).read_bytes())
    (inputs / "without.mp4").write_bytes((without.files.folder / without.files.grid).read_bytes())
    try:
        offered = comfy.nodes["SynCamLoadRig"].GET_SCHEMA().inputs[0].options
        assert "with_rig.mp4" in offered
        assert "without.mp4" not in offered
        (read,) = comfy.run("SynCamLoadRig", file="with_rig.mp4", cameras="3, 1")
        assert read.names == ("right", "left")
        with pytest.raises(ValueError, match=r"^SynCamLoadRig: file 'without\.mp4': it is a video without a rig in it"):
            comfy.run("SynCamLoadRig", file="without.mp4", cameras="")
    finally:
        for name in ("with_rig.mp4", "without.mp4"):
            (inputs / name).unlink()


def test_a_layout_arranges_the_grid(comfy, render, outputs):
    (layout,) = comfy.run(
        "SynCamLayout",
        kind={"kind": "stacked"},
        gap=0,
        background="#000000",
        names=False,
        angles=False,
        timecode=False,
    )
    run = render(layout=layout)
    assert probe(run.files.folder / run.files.grid).size == (3 * HEIGHT, WIDTH)


def test_tiled_decoding_is_that_of_the_host(comfy, render, vae, outputs):
    samples = latent(2)
    run = render(samples, tiled=True, codec={"codec": "ffv1", "bit_depth": "16"})
    (tiled,) = comfy.run("VAEDecodeTiled", vae=vae, samples=samples, tile_size=512)
    for file, view in zip(run.files.files, tiled.reshape(2, FRAMES, HEIGHT, WIDTH, 3), strict=True):
        film = probe(run.files.folder / file).rgb48
        assert np.abs(film / 65535 - view.numpy().clip(0, 1)).max() < 1e-4


def test_an_image_latent_gives_videos_of_one_frame(render, outputs):
    run = render({"samples": torch.randn(2, 16, HEIGHT // 8, WIDTH // 8)})
    assert [probe(run.files.folder / file).count for file in (*run.files.files, run.files.grid)] == [1, 1, 1]


# ---- frame interpolation


@pytest.fixture(scope="module")
def rife(comfy):
    """The host's RIFE with few channels and random weights, loaded as its loader does it."""
    import comfy.model_management as management
    import comfy.model_patcher
    from comfy_extras.frame_interpolation_models.ifnet import IFNet
    from comfy_extras.nodes_frame_interpolation import FrameInterpolationModelLoader

    generator = torch.Generator().manual_seed(0)
    shapes = IFNet(head_ch=4, channels=(8, 8, 8, 8, 8)).state_dict()
    state = {key: 0.02 * torch.randn(value.shape, generator=generator) for key, value in shapes.items()}
    model = FrameInterpolationModelLoader._detect_and_load(state).eval().to(torch.float32)
    device = management.get_torch_device()
    return comfy.model_patcher.CoreModelPatcher(model, load_device=device, offload_device=torch.device("cpu"))


def test_frames_in_between_are_the_hosts_and_the_others_stay_where_they_are_in_time(
    comfy, render, views, outputs, rife, monkeypatch
):
    module = sys.modules[comfy.nodes["SynCamRenderViews"].__module__]
    monkeypatch.setattr(module, "MADE_AT_ONCE", 9)  # three groups
    samples = latent(2)
    run = render(samples, interpolation=rife, multiplier=3, codec={"codec": "ffv1", "bit_depth": "16"})
    assert run.files.fps == 45
    assert run.files.frames == 3 * (FRAMES - 1) + 1
    for file, view in zip(run.files.files, views(samples), strict=True):
        film = probe(run.files.folder / file)
        (whole,) = comfy.run("FrameInterpolate", interp_model=rife, images=view, multiplier=3)
        assert np.abs(film.rgb48 / 65535 - whole.numpy()).max() < 1e-4
        assert np.abs(film.rgb48[::3] / 65535 - view.numpy().clip(0, 1)).max() < 1e-4
        assert film.rate == 45
        assert [film.times[3 * index] for index in range(FRAMES)] == [
            Fraction(round(1000 * Fraction(index, 15)), 1000) for index in range(FRAMES)
        ]


def test_without_a_model_the_multiplier_means_nothing(render, outputs):
    run = render(latent(1), multiplier=4)
    assert (run.files.fps, run.files.frames) == (15, FRAMES)


# ---- what is refused, and what happens to what was there


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"samples": {"samples": torch.zeros(2, 16, 4)}}, r"'latent' is 2 x 16 x 4"),
        ({"samples": {"samples": torch.zeros(2, 48, 1, 8, 8)}}, r"'latent' has 48 channels, but 'vae' decodes 16"),
        ({"rig": named_rig("a", "b")}, r"'rig' has 2 cameras but 'latent' has 3 views; connect the rig that"),
        ({"fps": 0.0}, r"'fps' is 0; use 0\.01 to 240"),
        ({"codec": {"codec": "vp9"}}, r"'codec' is 'vp9'; possible are h264"),
        ({"codec": {"codec": "h264", "bit_depth": "12"}}, r"'bit_depth' is 12, but H\.264 has 8 or 10"),
        ({"codec": {"codec": "h264", "bit_depth": "8", "crf": 99}}, r"'crf' is 99; H\.264 has 0"),
        ({"films": "none"}, r"'films' is 'none'; possible are views and grid, views, grid"),
        ({"samples": latent(1), "films": "views", "codec": {"codec": "h265"}, "small": True}, r"too small for H\.265"),
    ],
)
def test_unfit_inputs_are_a_sentence_and_leave_nothing(render, outputs, inputs, sentence):
    if inputs.pop("small", False):
        inputs["samples"] = {"samples": torch.zeros(1, 16, 1, 4, 4)}
    with pytest.raises(ValueError, match=rf"^SynCamRenderViews: .*{sentence}"):
        render(**inputs)
    assert files_in(outputs) == []
    assert not list(outputs.rglob(".*"))


HOSTILE = ["../evil", "a/../../evil", "..\\evil", "/etc/evil", "C:\\evil", "", ".", "..", "a\nb", "a\x00b", "x" * 300]
HARMLESS = ["con", "nul/aux", "🎥 film", "e\u0301", "a" * 180, "%date:yyyy%/%width%x%height%", "-rf", "syncam/./b/"]


@pytest.mark.parametrize("prefix", HOSTILE)
def test_prefixes_that_lead_out_or_nowhere_are_refused_when_queued_and_when_run(comfy, render, outputs, prefix):
    with pytest.raises(ValueError, match=r"^SynCamRenderViews: 'filename_prefix' is "):
        render(latent(1), filename_prefix=prefix)
    assert files_in(outputs.parent) == []
    queued = comfy.nodes["SynCamRenderViews"].validate_inputs(filename_prefix=prefix)
    assert queued.startswith("SynCamRenderViews: 'filename_prefix' is ")


@pytest.mark.parametrize("prefix", HARMLESS)
def test_other_prefixes_end_up_inside_the_output_folder(comfy, render, outputs, prefix):
    assert comfy.nodes["SynCamRenderViews"].validate_inputs(filename_prefix=prefix) is True
    run = render(latent(1), filename_prefix=prefix, contact_sheet=False)
    assert run.files.folder.resolve().is_relative_to(outputs.resolve())
    assert len(files_in(outputs)) == 2
    assert [path for path in files_in(outputs.parent) if not path.startswith("output/")] == []


def test_numbers_go_on_and_nothing_is_overwritten(render, outputs):
    first = render(latent(1), contact_sheet=False).files
    before = (first.folder / first.grid).read_bytes()
    (first.folder / "FILM_00002_grid.mp4").write_bytes(b"somebody's")
    third = render(latent(1, seed=1), contact_sheet=False).files
    assert third.grid == "film_00003_grid.mp4"
    assert (first.folder / first.grid).read_bytes() == before
    assert (first.folder / "FILM_00002_grid.mp4").read_bytes() == b"somebody's"


def test_a_number_that_another_process_is_rendering_under_is_left_to_it(render, outputs):
    (outputs / "syncam" / ".syncam-film_00001").mkdir(parents=True)
    run = render(latent(1), contact_sheet=False)
    assert run.files.grid == "film_00002_grid.mp4"


def test_a_name_that_appears_while_rendering_keeps_its_file(comfy, render, outputs, monkeypatch):
    module = sys.modules[f"{comfy.pack.__name__}.syncam_core.video.view_files"]
    original = module.write_sheet

    def somebody_else_is_faster(path, *rest):
        original(path, *rest)
        (outputs / "syncam" / "film_00001_grid.mp4").write_bytes(b"theirs")

    monkeypatch.setattr(module, "write_sheet", somebody_else_is_faster)
    with pytest.raises(ValueError, match=r"cannot be written to \(.*exists already\); nothing was saved"):
        render(latent(1))
    assert files_in(outputs) == ["syncam/film_00001_grid.mp4"]
    assert (outputs / "syncam" / "film_00001_grid.mp4").read_bytes() == b"theirs"


def test_a_take_in_a_folder_of_its_own_is_whole_or_not_there(comfy, render, outputs, monkeypatch):
    run = render(latent(1), folder_per_take=True)
    assert run.files.folder == outputs / "syncam" / "film_00001"
    written = ["grid.mp4", "sheet.png", "view-1.mp4"]
    assert files_in(outputs) == [f"syncam/film_00001/film_00001_{name}" for name in written]

    module = sys.modules[f"{comfy.pack.__name__}.syncam_core.video.view_files"]
    monkeypatch.setattr(module, "write_sheet", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ValueError, match="No space left on device"):
        render(latent(1, seed=1), folder_per_take=True)
    assert [path.name for path in (outputs / "syncam").iterdir()] == ["film_00001"]


@pytest.mark.parametrize("frames_done", [1, 9, 20, 36])
def test_an_interrupt_between_any_two_frames_leaves_no_file(comfy, render, outputs, monkeypatch, frames_done):
    import comfy.model_management as management
    import comfy.utils as host

    seen = []

    def hook(value, total, preview, node_id=None):
        seen.append((value, total))
        if value == frames_done:
            management.interrupt_current_processing()

    monkeypatch.setattr(host, "PROGRESS_BAR_HOOK", hook)
    monkeypatch.setattr(host, "PROGRESS_THROTTLE_MIN_INTERVAL", 0)
    monkeypatch.setattr(host, "PROGRESS_THROTTLE_MIN_PERCENT", 0)
    if frames_done < 36:
        with pytest.raises(management.InterruptProcessingException):
            render()
        assert files_in(outputs) == []
        assert not list(outputs.rglob(".*"))
        assert list(Path(comfy.folders.get_temp_directory()).iterdir()) == []
    else:
        render()
        management.interrupt_current_processing(False)
    assert seen == [(value, 36) for value in range(1, frames_done + 1)]


def test_a_file_where_the_folder_should_be_is_explained(render, outputs):
    (outputs / "syncam").write_text("a file")
    with pytest.raises(ValueError, match=r"^SynCamRenderViews: 'syncam/film' cannot be written to \(.*\)"):
        render(latent(1))
    assert files_in(outputs) == ["syncam"]


def test_a_disk_without_room_for_the_frames_is_said_before_anything_is_decoded(render, outputs, vae, monkeypatch):
    import shutil

    frames, usage = 2 * 9 * HEIGHT * WIDTH * 3, shutil.disk_usage  # of 2 views, 8 bit
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(folder)._replace(free=64 * 2**20 + frames - 1))
    with monkeypatch.context() as decoding:
        decoding.setattr(vae, "decode", lambda *_: pytest.fail("something was decoded"))
        with pytest.raises(
            ValueError, match=r"^SynCamRenderViews: the decoded frames need 0 MB for a while in '.*', but"
        ):
            render(latent(2))
    assert files_in(outputs) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(folder)._replace(free=64 * 2**20 + frames))
    render(latent(2))


@pytest.mark.parametrize("limit", [3_000, 30_000])
def test_a_disk_that_fills_up_leaves_nothing_and_says_so(render, outputs, limit):
    """The system refuses to let files grow beyond a limit: first the spool, then the videos meet it."""
    resource = pytest.importorskip("resource")
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    samples = latent(1 if limit > 3_000 else 2, frames=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(ValueError, match=r"^SynCamRenderViews: .*(cannot be kept in|nothing was saved).*"):
            render(samples, codec={"codec": "ffv1", "bit_depth": "16"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert files_in(outputs) == []
    assert not list(outputs.rglob(".*"))


KILLED = """
import sys, time
sys.path[:0] = [sys.argv[1] + "/benchmarks"]
from host import load_host
run = load_host("--cpu")
import folder_paths
import torch
folder_paths.set_output_directory(sys.argv[2])
folder_paths.set_temp_directory(sys.argv[3])
import comfy.utils
comfy.utils.PROGRESS_BAR_ENABLED = True
def hook(value, total, preview, node_id=None):
    if value == 14:
        print("in the middle", flush=True)
        time.sleep(60)
comfy.utils.PROGRESS_BAR_HOOK = hook
comfy.utils.PROGRESS_THROTTLE_MIN_INTERVAL = comfy.utils.PROGRESS_THROTTLE_MIN_PERCENT = 0
from render import narrow_vae
vae = narrow_vae()
codec = {"codec": "h264", "bit_depth": "8", "crf": 18.0}
latent = {"samples": torch.randn(2, 16, 3, 8, 12)}
run("SynCamRenderViews", latent=latent, vae=vae, filename_prefix="syncam/film", fps=15.0, codec=codec)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_process_killed_in_the_middle_leaves_no_file_and_the_next_run_works(comfy, render, outputs):
    pack = Path(__file__).resolve().parents[2]
    temp = outputs.parent / "temp of the killed"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(pack), str(outputs), str(temp)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert "in the middle\n" in iter(process.stdout.readline, "")
    finally:
        process.kill()
        process.wait()
    visible = [name for name in files_in(outputs) if not name.startswith("syncam/.syncam-")]
    assert visible == []
    assert files_in(temp) == [], "the decoded frames are gone with the process"
    leftover = outputs / "syncam" / ".syncam-film_00001"
    assert leftover.is_dir()

    run = render(latent(1), contact_sheet=False)
    assert run.files.grid == "film_00002_grid.mp4", "the number of the killed run is not used again"
    long_ago = time.time() - 25 * 3600
    for path in (*leftover.iterdir(), leftover):
        os.utime(path, (long_ago, long_ago))
    render(latent(1), contact_sheet=False)
    assert not leftover.exists(), "what is a day old is removed"


# ---- memory


def test_no_more_than_one_view_is_held_at_a_time(comfy, vae, outputs, monkeypatch):
    """Every decoded tensor is gone before the next view is decoded."""
    import gc
    import weakref

    alive, most = [], []
    module = sys.modules[comfy.nodes["SynCamRenderViews"].__module__]
    original = module.decode_view

    def watched(*arguments):
        gc.collect()
        most.append(sum(reference() is not None for reference in alive))
        images = original(*arguments)
        alive.append(weakref.ref(images))
        return images

    monkeypatch.setattr(module, "decode_view", watched)
    comfy.run("SynCamRenderViews", latent=latent(4), vae=vae, filename_prefix="m", fps=15.0, codec=H264)
    assert most == [0, 0, 0, 0]
