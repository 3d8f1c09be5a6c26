"""Decode, grid and save nodes inside the real host."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
from footage import files_in, named_rig, ramp
from PIL import Image

from syncam_core.cameras import rig_from_json
from syncam_core.formats import read_rig_file


@pytest.fixture
def save(comfy, outputs):
    """Run SynCam Save Views as the host does, lists, hidden inputs and interrupt included; returns its UI entry."""
    import execution

    def run(views, filename_prefix="syncam/views", fps=15.0, rig=None, sheet=True, prompt=None, extra_pnginfo=None):
        inputs = {"views": views, "filename_prefix": [filename_prefix], "fps": [fps], "contact_sheet": [sheet]}
        if rig is not None:
            inputs["rig"] = [rig]
        hidden = {"PROMPT": prompt, "EXTRA_PNGINFO": extra_pnginfo}
        with torch.inference_mode():
            _, shown, _, _ = asyncio.run(
                execution.get_output_data(
                    "job", "7", comfy.nodes["SynCamSaveViews"], inputs, v3_data={"hidden_inputs": hidden}
                )
            )
        return shown

    return run


def decoded(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        return SimpleNamespace(
            rgb=np.stack([frame.to_ndarray(format="rgb24") for frame in frames]).astype(int),
            times=[frame.pts * stream.time_base for frame in frames],
            metadata=dict(container.metadata),
        )


# ---- SynCamDecodeViews


def small_latent(views=3, frames=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {"samples": torch.randn(views, 16, frames, 4, 6, generator=generator)}


def test_decoded_views_equal_the_stock_decoder_one_by_one(comfy):
    vae = comfy.run("SynCamDemoModel")[2]
    latent = small_latent()
    (views,) = comfy.run("SynCamDecodeViews", latent=latent, vae=vae)
    assert [tuple(view.shape) for view in views] == [(5, 32, 48, 3)] * 3
    stock = comfy.run("VAEDecode", samples=latent, vae=vae)[0].reshape(3, 5, 32, 48, 3)
    for view, expected in zip(views, stock, strict=True):
        torch.testing.assert_close(view, expected, atol=1e-5, rtol=0)


def test_the_views_output_is_a_list_so_that_core_nodes_run_once_per_view(comfy):
    assert comfy.nodes["SynCamDecodeViews"].GET_NODE_INFO_V1()["output_is_list"] == [True]


def tiny_image_vae():
    from comfy.sd import VAE
    from comfy.taesd.taesd import TAESD

    generator = torch.Generator().manual_seed(0)
    state = TAESD(latent_channels=4).state_dict()
    return VAE(sd={key: 0.05 * torch.randn(value.shape, generator=generator) for key, value in state.items()})


def test_an_image_latent_gives_one_frame_per_view(comfy):
    (views,) = comfy.run("SynCamDecodeViews", latent={"samples": torch.randn(2, 4, 4, 6)}, vae=tiny_image_vae())
    assert [tuple(view.shape) for view in views] == [(1, 32, 48, 3)] * 2
    video_vae = comfy.run("SynCamDemoModel")[2]
    (views,) = comfy.run("SynCamDecodeViews", latent={"samples": torch.randn(2, 16, 4, 6)}, vae=video_vae)
    assert [tuple(view.shape) for view in views] == [(1, 32, 48, 3)] * 2


@pytest.mark.parametrize(
    ("latent", "sentence"),
    [
        ({"samples": torch.zeros(2, 16, 4)}, "SynCamDecodeViews: 'latent' is 2 x 16 x 4, but views x channels"),
        ({"samples": torch.zeros(0, 16, 1, 4, 4)}, "'latent' is 0 x 16 x 1 x 4 x 4"),
        ({"samples": [1, 2]}, "does not hold one tensor"),
        ({}, "does not hold one tensor"),
        ({"samples": torch.zeros(2, 48, 1, 4, 4)}, "'latent' has 48 channels, but 'vae' decodes 16; load the VAE"),
    ],
)
def test_latents_that_are_no_views_are_refused_in_a_sentence(comfy, latent, sentence):
    vae = comfy.run("SynCamDemoModel")[2]
    with pytest.raises(ValueError, match=sentence):
        comfy.run("SynCamDecodeViews", latent=latent, vae=vae)


# ---- SynCamViewGrid


def grid(comfy, views, columns=0, labels=False, **inputs):
    return comfy.run("SynCamViewGrid", views=views, columns=[columns], labels=[labels], **inputs)[0]


def test_the_grid_shows_every_view_at_its_place_for_all_frames(comfy):
    views = [ramp(index) for index in range(3)]
    images = grid(comfy, views, columns=2)
    assert images.shape == (6, 192, 256, 3)
    assert images.dtype == torch.float32
    torch.testing.assert_close(images[:, :96, :128], views[0])
    torch.testing.assert_close(images[:, :96, 128:], views[1])
    torch.testing.assert_close(images[:, 96:, :128], views[2])
    assert not images[:, 96:, 128:].any()


def test_one_batch_of_images_is_one_view(comfy):
    view = ramp(1)
    torch.testing.assert_close(grid(comfy, [view]), view)


def test_labels_differ_between_cameras_and_leave_most_of_the_picture(comfy):
    views = [torch.ones(2, 96, 160, 3)] * 2
    plain, with_rig = (grid(comfy, views, labels=True, **rig) for rig in ({}, {"rig": [named_rig("left", "right")]}))
    for images in (plain, with_rig):
        hidden = (images < 1).any(-1)
        assert 0 < hidden.float().mean() < 0.1
        assert torch.equal(images[0], images[1])
        assert not torch.equal(images[0, :, :160], images[0, :, 160:])
    assert not torch.equal(plain, with_rig)


def test_the_label_has_the_colour_of_its_camera(comfy):
    rig = named_rig("left", "right")
    images = grid(comfy, [torch.zeros(1, 480, 832, 3)] * 2, labels=True, rig=[rig])
    for index, color in enumerate(rig.colors):
        rgb = torch.tensor([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        tile = images[0, :, 832 * index : 832 * index + 832]
        assert ((tile - rgb).abs() < 1e-3).all(-1).sum() > 20


def test_nan_pixels_are_black_and_bright_ones_white(comfy):
    view = torch.full((1, 32, 32, 3), float("nan"))
    view[:, :, 16:] = 7.0
    images = grid(comfy, [view])
    assert not images[:, :, :16].any()
    assert (images[:, :, 16:] == 1).all()
    assert torch.isnan(view[:, :, :16]).all(), "the views handed in stay as they are"


def test_views_of_other_sizes_types_and_with_alpha_fit_into_the_grid(comfy):
    views = [torch.ones(2, 48, 64, 4), torch.ones(2, 33, 41, 3, dtype=torch.float16)]
    images = grid(comfy, views)
    assert images.shape == (2, 48, 128, 3)
    assert (images[:, :, :64] == 1).all()
    assert (images[0, :, 64:].any(-1)).sum() == 34 * 42


@pytest.mark.parametrize("node", ["SynCamViewGrid", "SynCamSaveViews"])
@pytest.mark.parametrize(
    ("views", "sentence"),
    [
        ([], "'views' is an empty list"),
        ([torch.zeros(3, 32, 32)], "'views' holds at place 1 a tensor of 3 x 32 x 32.*mask"),
        ([torch.zeros(1, 2, 32, 32, 3)], "1 x 2 x 32 x 32 x 3, but frames x height x width x 3 is needed"),
        ([torch.zeros(2, 32, 32, 3), torch.zeros(2, 32, 32, 2)], "place 2 a tensor of 2 x 32 x 32 x 2"),
        ([torch.zeros(0, 32, 32, 3)], "without pixels"),
        ([None], "place 1 a NoneType"),
        ([ramp(0, frames=5), ramp(1, frames=6)], "number of frames, but 'view 1' has 5, 'view 2' has 6"),
    ],
)
def test_unfit_views_are_refused_before_anything_is_written(comfy, outputs, save, node, views, sentence):
    with pytest.raises(ValueError, match=rf"^{node}: .*{sentence}"):
        save(views) if node == "SynCamSaveViews" else grid(comfy, views)
    assert not list(outputs.iterdir())


@pytest.mark.parametrize("node", ["SynCamViewGrid", "SynCamSaveViews"])
def test_a_rig_with_another_number_of_cameras_is_refused(comfy, outputs, save, node):
    views, rig = [ramp(0), ramp(1)], named_rig("a", "b", "c")
    with pytest.raises(ValueError, match=rf"^{node}: 'rig' has 3 cameras but 'views' has 2 views; connect"):
        save(views, rig=rig) if node == "SynCamSaveViews" else grid(comfy, views, rig=[rig])
    assert not list(outputs.iterdir())


# ---- SynCamSaveViews


def test_a_run_saves_every_view_the_grid_the_rig_and_the_contact_sheet(save, outputs):
    rig = named_rig("left", "right")
    shown = save([ramp(0), ramp(1)], rig=rig)
    names = [f"views_00001_{part}" for part in ("grid.mp4", "left.mp4", "right.mp4", "rig.json", "sheet.png")]
    assert files_in(outputs) == [f"syncam/{name}" for name in sorted(names)]
    place = {"subfolder": "syncam", "type": "output"}
    assert shown == {
        "images": [{"filename": name, **place} for name in names[:3]],
        "animated": [True],
        "files": [{"filename": name, **place} for name in names[3:]],
    }

    text = (outputs / "syncam" / names[3]).read_text(encoding="utf-8")
    assert torch.equal(rig_from_json(text).c2w, rig.c2w)
    assert rig_from_json(text).names == rig.names
    assert json.loads(text)["metadata"] == {
        "fps": 15.0,
        "frames": 6,
        "width": 128,
        "height": 96,
        "views": [
            {"camera": "left", "file": names[1], "width": 128, "height": 96},
            {"camera": "right", "file": names[2], "width": 128, "height": 96},
        ],
        "grid": names[0],
        "sheet": names[4],
    }


def test_the_videos_stay_videos_in_the_frontend_which_takes_a_png_among_them_for_pictures(save):
    shown = save([ramp(0)])
    assert all(item["filename"].endswith(".mp4") for item in shown["images"])


def test_without_a_rig_there_is_no_rig_file_and_without_a_sheet_no_sheet(save, outputs):
    videos = [f"syncam/views_00001_{name}.mp4" for name in ("grid", "view-1", "view-2")]
    shown = save([ramp(0), ramp(1)], sheet=False)
    assert files_in(outputs) == videos
    assert set(shown) == {"images", "animated"}
    (outputs / "syncam").rename(outputs / "before")

    rig = named_rig("left", "right")
    shown = save([ramp(0), ramp(1)], rig=rig, sheet=False)
    assert [item["filename"] for item in shown["files"]] == ["views_00001_rig.json"]
    assert not list((outputs / "syncam").glob("*.png"))
    text = (outputs / "syncam" / "views_00001_rig.json").read_text(encoding="utf-8")
    assert "sheet" not in json.loads(text)["metadata"]
    (outputs / "syncam").rename(outputs / "between")

    shown = save([ramp(0), ramp(1)])
    assert [item["filename"] for item in shown["files"]] == ["views_00001_sheet.png"]


def test_the_contact_sheet_has_a_row_per_view_and_six_moments(save, outputs):
    views = [ramp(index, frames=11, height=130, width=200) for index in range(3)]
    save(views, fps=5.0, rig=named_rig("a", "b", "c"))
    with Image.open(outputs / "syncam" / "views_00001_sheet.png") as picture:
        sheet = np.asarray(picture)
    assert sheet.shape == (24 + 3 * 134, 6 * 204 + 4, 3)
    for row, view in enumerate(views):
        for column in range(6):
            tile = sheet[24 + row * 134 + 30 :, 4 + column * 204 :][:100, :200]
            expected = (view[2 * column, 30:130] * 255).round().numpy()
            assert np.abs(tile - expected).max() <= 1


def test_all_files_have_the_same_times_and_the_grid_shows_what_the_views_show(save, outputs):
    views = [ramp(index) for index in range(3)]
    save(views, fps=23.976)
    folder = outputs / "syncam"
    single = [decoded(folder / f"views_00001_view-{index}.mp4") for index in (1, 2, 3)]
    together = decoded(folder / "views_00001_grid.mp4")
    assert together.rgb.shape == (6, 96, 384, 3)
    for index, (video, view) in enumerate(zip(single, views, strict=True)):
        assert video.times == together.times == [frame * single[0].times[1] for frame in range(6)]
        assert np.abs(video.rgb - (view * 255).round().int().numpy()).mean() < 3
        tile = together.rgb[:, :, 128 * index : 128 * index + 128]
        below_label = slice(24, None)
        assert np.abs(tile - video.rgb)[:, below_label].mean() < 2
        assert np.abs(tile - video.rgb)[:, below_label].max() < 60


def test_with_a_rig_every_mp4_holds_it(save, outputs):
    rig = named_rig("left", "right")
    save([ramp(0), ramp(1)], rig=rig)
    films = sorted(outputs.glob("syncam/*.mp4"))
    assert len(films) == 3
    for film in films:
        read = read_rig_file(film)
        assert tuple(read.names) == ("left", "right")
        torch.testing.assert_close(read.c2w, rig.c2w)


def test_every_mp4_and_the_sheet_bring_workflow_and_prompt_back(comfy, save, outputs):
    from comfy.cli_args import args

    prompt, workflow = {"7": {"class_type": "SynCamSaveViews", "inputs": {"a": "ä"}}}, {"nodes": [{"id": 7}]}
    save([ramp(0)], prompt=prompt, extra_pnginfo={"workflow": workflow})
    args.disable_metadata = True
    try:
        save([ramp(0)], prompt=prompt, extra_pnginfo={"workflow": workflow})
    finally:
        args.disable_metadata = False

    def tags(file):
        if file.suffix == ".mp4":
            return decoded(file).metadata
        with Image.open(file) as picture:
            return picture.text

    for name in ("grid.mp4", "view-1.mp4", "sheet.png"):
        kept = tags(outputs / "syncam" / f"views_00001_{name}")
        assert json.loads(kept["prompt"]) == prompt
        assert json.loads(kept["workflow"]) == workflow
        assert not {"prompt", "workflow"} & set(tags(outputs / "syncam" / f"views_00002_{name}"))


def test_numbers_go_on_and_are_never_used_again(save, outputs):
    for prefix in ("a", "a", "a/", "A", "a_00002", "a"):
        save([ramp(0, frames=1)], filename_prefix=prefix, sheet=False)
    assert files_in(outputs) == [
        "A_00004_grid.mp4",
        "A_00004_view-1.mp4",
        "a_00001_grid.mp4",
        "a_00001_view-1.mp4",
        "a_00002_00001_grid.mp4",
        "a_00002_00001_view-1.mp4",
        "a_00002_grid.mp4",
        "a_00002_view-1.mp4",
        "a_00003_grid.mp4",
        "a_00003_view-1.mp4",
        "a_00005_grid.mp4",
        "a_00005_view-1.mp4",
    ]


def test_any_camera_name_gives_a_safe_file_name(save, outputs):
    rig = named_rig("../../evil", "カメラ", "grid", "GRID", "con", 'a<b>:"|?*', "sheet")
    save([ramp(0, frames=1)] * 7, filename_prefix="n", rig=rig)
    parts = ("evil", "view2", "grid-2", "GRID-3", "view-con", "a-b", "sheet-2", "grid")
    others = ["n_00001_rig.json", "n_00001_sheet.png"]
    assert files_in(outputs) == sorted([*(f"n_00001_{part}.mp4" for part in parts), *others])
    text = (outputs / "n_00001_rig.json").read_text(encoding="utf-8")
    assert [view["camera"] for view in json.loads(text)["metadata"]["views"]] == list(rig.names)


def test_folders_are_made_and_both_slashes_understood(save, outputs):
    save([ramp(0, frames=1)], filename_prefix="shots\\day 1/take")
    parts = ("grid.mp4", "sheet.png", "view-1.mp4")
    assert files_in(outputs) == [f"shots/day 1/take_00001_{part}" for part in parts]


BAD_PREFIXES = ["", " ", ".", "..", "../evil", "a/../../evil", "..\\evil", "/etc/evil", "C:\\evil", "a\nb", "x" * 300]


@pytest.mark.parametrize("prefix", BAD_PREFIXES)
def test_prefixes_that_lead_nowhere_good_are_refused_in_a_sentence(comfy, save, outputs, prefix):
    with pytest.raises(ValueError, match=r"^SynCamSaveViews: 'filename_prefix' is "):
        save([ramp(0)], filename_prefix=prefix)
    assert not list(outputs.iterdir())
    assert not list(outputs.parent.glob("evil*"))
    queued = comfy.nodes["SynCamSaveViews"].validate_inputs(filename_prefix=[prefix])
    assert queued.startswith("SynCamSaveViews: 'filename_prefix' is ")


@pytest.mark.parametrize("fps", [0.0, -5.0, 241.0, float("nan"), float("inf")])
def test_impossible_frame_rates_are_refused_before_anything_is_written(comfy, save, outputs, fps):
    sentence = r"^SynCamSaveViews: 'fps' is .*; use .*0\.01 to 240 frames per second\.$"
    with pytest.raises(ValueError, match=sentence):
        save([ramp(0)], fps=fps)
    assert not list(outputs.iterdir())


def test_linked_widgets_are_not_judged_when_queued(comfy):
    assert comfy.nodes["SynCamSaveViews"].validate_inputs(filename_prefix=(None,)) is True
    assert comfy.nodes["SynCamSaveViews"].validate_inputs(filename_prefix=["a/b"]) is True
    assert comfy.nodes["SynCamViewGrid"].validate_inputs(columns=(None,)) is True
    assert comfy.nodes["SynCamViewGrid"].validate_inputs(columns=[0]) is True
    assert comfy.nodes["SynCamViewGrid"].validate_inputs(columns=["x"]) is True, "the host says that it is no number"
    assert comfy.nodes["SynCamViewGrid"].validate_inputs(columns=[-1]).startswith("SynCamViewGrid: 'columns' is -1;")


@pytest.fixture
def progress(comfy, monkeypatch):
    """Listen to the host's progress bars at every step: `progress.values`, and `progress.listener(value)` if set."""
    import comfy.utils as host

    seen = SimpleNamespace(values=[], listener=None)

    def hook(value, total, preview, node_id=None):
        seen.values.append((value, total))
        if seen.listener:
            seen.listener(value)

    monkeypatch.setattr(host, "PROGRESS_BAR_HOOK", hook)
    monkeypatch.setattr(host, "PROGRESS_THROTTLE_MIN_INTERVAL", 0)
    monkeypatch.setattr(host, "PROGRESS_THROTTLE_MIN_PERCENT", 0)
    return seen


def test_progress_counts_all_frames_of_all_files(save, progress):
    save([ramp(0), ramp(1)])
    assert progress.values == [(frame, 18) for frame in range(1, 19)]


@pytest.mark.parametrize("frames_done", [1, 9, 13, 20, 26])
def test_an_interrupt_in_any_file_leaves_none(save, outputs, progress, frames_done):
    import comfy.model_management as management

    def interrupt(value):
        if value == frames_done:
            management.interrupt_current_processing()

    views, rig = [ramp(0, frames=9), ramp(1, frames=9)], named_rig("a", "b")
    save([ramp(0)], filename_prefix="older")
    before = files_in(outputs)
    progress.listener = interrupt
    with pytest.raises(management.InterruptProcessingException):
        save(views, filename_prefix="set", rig=rig)
    assert files_in(outputs) == before
    assert not list(outputs.rglob(".*")), "no temporary folders either"

    progress.listener = None
    save(views, filename_prefix="set", rig=rig)
    assert len(files_in(outputs)) == len(before) + 5


def test_a_failure_in_the_middle_leaves_no_files(comfy, save, outputs):
    """The grid is the last file; a disk that is full by then must take the finished views with it."""
    resource = pytest.importorskip("resource")
    noise = [torch.rand(10, 96, 96, 3), torch.zeros(10, 96, 96, 3)]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(ValueError, match=r"^SynCamSaveViews: .* cannot be written to \(.*\); nothing was saved\.$"):
            save([noise[1], noise[0]])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert files_in(outputs) == []


def test_a_file_in_the_place_of_the_folder_is_explained(save, outputs):
    (outputs / "syncam").write_text("a file")
    with pytest.raises(ValueError, match=r"^SynCamSaveViews: 'syncam/views' cannot be written to"):
        save([ramp(0)])
    assert files_in(outputs) == ["syncam"]


def test_a_grid_too_large_for_a_video_is_refused_before_encoding(save, outputs):
    views = [torch.zeros(1, 1, 1, 3).expand(1, 4000, 4000, 3)] * 25
    with pytest.raises(ValueError, match=r"^SynCamSaveViews: a video of 20000 x 20000 pixels is too large"):
        save(views)
    assert not list(outputs.iterdir())
