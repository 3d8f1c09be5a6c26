"""What a beginner gets wrong first, and is told: an unsynchronized model, cut moves, camera words; and what is shown."""

from __future__ import annotations

import sys

import pytest
import torch
from host_wan import TEXTS, TinyWan, conditioning, empty

SETTINGS = {"seed": 3, "steps": 2, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple"}
TEXT = {"positive": conditioning(TEXTS[0]), "negative": conditioning(TEXTS[1])}
STILL = '{"name": "a", "azimuth": 0, "elevation": 0, "distance": 3}'


@pytest.fixture(scope="module")
def tiny(comfy):
    return TinyWan(comfy, "first_hour")


def said_of(comfy, rig, length: int) -> tuple[list[str], list[str]]:
    """What SynCam Encode Cameras says: warnings about the released weights, and remarks."""
    shown = comfy.nodes["SynCamEncodeCameras"].EXECUTE_NORMALIZED(rig=rig, length=length).ui
    return shown["warning"], shown["remarks"]


def moving(comfy, *keys: tuple[int, float], frames: int = 81):
    poses = ", ".join(f'{{"frame": {at}, "azimuth": {angle}, "elevation": 0, "distance": 3}}' for at, angle in keys)
    text = f'{{"format": "syncam-rig", "version": 1, "frames": {frames}, "cameras": [{STILL}, {{"name": "b", "keyframes": [{poses}]}}]}}'
    return comfy.run("SynCamRigJSON", rig_json=text)[0]


def test_several_videos_of_a_model_without_syncam_apply_are_refused_before_any_work(comfy, tiny):
    with pytest.raises(
        ValueError, match=r"^SynCamSampler: 'model' does not come from SynCam Apply, .*3 unrelated"
    ) as told:
        comfy.run("SynCamSampler", model=tiny.base(), latent=empty(3), **TEXT, **SETTINGS)
    assert told.value.field == "model"


def test_on_purpose_it_samples_what_the_stock_sampler_does_and_one_video_needs_no_switch(comfy, tiny):
    plain = comfy.run("ModelSamplingSD3", model=tiny.base(), shift=5.0)[0]
    for views, switch in ((3, {"unsynchronized": True}), (1, {})):
        ours = comfy.run("SynCamSampler", model=tiny.base(), latent=empty(views), **TEXT, **SETTINGS, **switch)[0]
        stock = comfy.run("KSampler", model=plain, latent_image=empty(views), **TEXT, **SETTINGS, denoise=1.0)[0]
        assert torch.equal(ours["samples"], stock["samples"])


def test_the_switch_stands_behind_all_inputs_that_were_there_before(comfy):
    inputs = comfy.nodes["SynCamSampler"].GET_SCHEMA().inputs
    assert [one.id for one in inputs][-2:] == ["noise_order", "unsynchronized"]
    assert (inputs[-1].default, inputs[-1].optional) == (False, True)


def test_a_move_that_goes_on_behind_the_video_is_said_with_both_numbers(comfy):
    rig = moving(comfy, (0, 0), (80, 30))
    (told,) = said_of(comfy, rig, 17)[1]
    assert "move over 81 frames, the video has 17" in told
    assert said_of(comfy, rig, 81)[1] == []
    assert said_of(comfy, moving(comfy, (0, 0), (16, 30)), 17)[1] == [], "it stands still behind the video"


def test_the_warning_is_about_what_is_filmed(comfy):
    """From 0 to 60 degrees in 80 frames: 12 degrees in the first 17."""
    rig = moving(comfy, (0, 0), (80, 60))
    (warned,) = said_of(comfy, rig, 81)[0]
    assert "60° to the right" in warned
    assert not any("60°" in text for text in said_of(comfy, rig, 17)[0])


@pytest.mark.parametrize(
    ("azimuths", "words"),
    [
        ("0", "One camera"),
        ("0, 20, 0", "'cam01' and 'cam03' stand in one place"),
        ("0, 20", None),
        ("0, 360", "one place"),
    ],
)
def test_a_lone_camera_and_two_in_one_place_are_remarked(comfy, azimuths, words):
    (rig,) = comfy.run("SynCamRigOrbit", azimuths=azimuths, elevations="0", distances="3")
    said = said_of(comfy, rig, 5)[1]
    assert (len(said) == 1 and words in said[0]) if words else said == []


@pytest.mark.parametrize(
    ("azimuths", "distance", "apart_m"),
    [("0, 20", 300, 104), ("0, 180", 9, None), ("0, 180", 9.1, 18), ("-60, 60", 500, 866)],
)
def test_distances_in_centimetres_are_remarked(comfy, azimuths, distance, apart_m):
    (rig,) = comfy.run("SynCamRigOrbit", azimuths=azimuths, elevations="0", distances=str(distance))
    said = said_of(comfy, rig, 5)[1]
    assert [f"'cam02' stands {apart_m} m from 'cam01'" in one for one in said] == [True] * (apart_m is not None)


def test_a_latent_that_no_sampler_has_touched_is_remarked_where_it_is_decoded(comfy):
    remarks = sys.modules[f"{comfy.pack.__name__}.nodes.host.latents"].remarks_on_samples
    assert remarks(torch.full((2, 16, 2, 8, 8), 1e-6)) == []
    assert "nothing has been sampled" in remarks(torch.zeros(2, 16, 2, 8, 8))[0]


def test_all_cameras_of_a_file_come_in_unless_somebody_chooses(comfy):
    inputs = {one.id: one for one in comfy.nodes["SynCamLoadRig"].GET_SCHEMA().inputs}
    assert inputs["cameras"].default == ""


@pytest.fixture
def prompts(comfy):
    return sys.modules[f"{comfy.pack.__name__}.nodes.host.prompts"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a red ball", None),
        ("  ", "is empty"),
        ("a potter pans for gold in a frying pan", None),
        ("Handheld camera, zoom in on the face", "'camera', 'handheld', 'zoom in'"),
        ("a CLOSE-UP of a cat", "'close-up'"),
    ],
)
def test_words_about_the_camera_are_found_through_whatever_stands_before_the_sampler(prompts, text, words):
    prompt = {
        "1": {"class_type": "CLIPTextEncode", "inputs": {"text": text, "clip": ["9", 1]}},
        "2": {"class_type": "ConditioningSetTimestepRange", "inputs": {"conditioning": ["1", 0], "start": 0.0}},
        "3": {"class_type": "SynCamSampler", "inputs": {"positive": ["2", 0], "negative": ["4", 0]}},
        "4": {"class_type": "CLIPTextEncode", "inputs": {"text": "camera shake", "clip": ["9", 1]}},
    }
    said = prompts.remarks_on_prompt(prompt, "3")
    assert (len(said) == 1 and words in said[0]) if words else said == []


def test_a_prompt_that_is_not_known_is_no_empty_one(prompts):
    assert prompts.remarks_on_prompt(None, None) == prompts.remarks_on_prompt({"3": {"inputs": {}}}, "3") == []


# ---- the demo's preview


@pytest.fixture(scope="module")
def demo(comfy):
    return comfy.run("SynCamDemoModel")


def test_the_demos_preview_has_the_colours_of_what_it_will_be(comfy, demo):
    """Pictures that the colours were not fitted to: within a tenth, where Wan's own colours are three times as far off."""
    import latent_preview
    from comfy.latent_formats import Wan21

    model, _, vae, *_ = demo
    module = sys.modules[type(model.model.latent_format).__module__]
    rig = module.ring_rig(3, 35, 6)
    scene = module.Scene.from_prompt("a green cone turning on concrete under a pink sky")
    pictures = module.render(scene, rig, 64, 64, torch.zeros(1))[:, 0]
    with torch.inference_mode():
        latents = model.model.latent_format.process_in(torch.cat([vae.encode(one[None]) for one in pictures]))

    def error(latent_format) -> float:
        factors = latent_format.latent_rgb_factors, latent_format.latent_rgb_factors_bias
        previewer = latent_preview.Latent2RGBPreviewer(*factors)
        seen = [previewer.decode_latent_to_preview(latent[None]) for latent in latents]
        shown = torch.stack([torch.frombuffer(bytearray(one.tobytes()), dtype=torch.uint8) for one in seen])
        small = torch.nn.functional.avg_pool2d(pictures.movedim(-1, 1), 8).movedim(1, -1).flatten(1)
        return float((shown / 255 - small).abs().mean())

    own, wan = error(model.model.latent_format), error(Wan21())
    assert own < 0.06
    assert wan > 2 * own


def test_the_demos_preview_has_its_colours_at_every_moment_of_a_clip(comfy, demo):
    """Clips that the colours were not fitted to; those of the first moment are far off at all others."""
    model, _, vae, *_ = demo
    module = sys.modules[type(model.model.latent_format).__module__]
    live = sys.modules[f"{comfy.pack.__name__}.nodes.host.live_preview"]
    scene = module.Scene.from_prompt("a green cone bouncing on concrete under a pink sky")
    clips = module.render(scene, module.ring_rig(3, 35, 6), 64, 64, torch.arange(17) / 8)
    with torch.inference_mode():
        latents = model.model.latent_format.process_in(torch.cat([vae.encode(clip) for clip in clips]))

    def error(preview, time: int) -> float:
        tiles = [row[time] for row in preview.decoded(latents, range(5), 0)]
        shown = torch.stack([torch.frombuffer(bytearray(tile.tobytes()), dtype=torch.uint8) for tile in tiles])
        small = torch.nn.functional.avg_pool2d(clips[:, 4 * time].movedim(-1, 1), 8).movedim(1, -1).flatten(1)
        return float((shown / 255 - small).abs().mean())

    first, later = live.previewer_of(model), live.later_previewer_of(model)
    own = [error(live.LivePreview(first, later=later), time) for time in range(5)]
    of_first = [error(live.LivePreview(first), time) for time in range(5)]
    assert max(own) < 0.08
    assert own[0] == of_first[0]
    assert min(of_first[1:]) > 2 * max(own[1:])


def test_the_demo_is_previewed_whatever_the_hosts_setting_says_and_other_models_as_it_says(comfy, demo):
    import latent_preview

    live = sys.modules[f"{comfy.pack.__name__}.nodes.host.live_preview"]
    assert latent_preview.args.preview_method.value == "none"
    assert isinstance(live.previewer_of(demo[0]), latent_preview.Latent2RGBPreviewer)
    assert live.previewer_of(TinyWan(comfy, "first_hour_preview").base()) is None
