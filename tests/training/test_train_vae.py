"""The demo autoencoder's training: it goes on exactly where it stopped, and the encoder stays as it was finished."""

import json

import pytest
import torch
from safetensors.torch import load_file

from syncam_core.training.train_vae import VaeConfig, VaeRun, WorldClips, sharpness_loss, steadiness_loss, train_vae


def tiny(folder, **changes):
    sizes = {"dim": 4, "size": 16, "batch_frames": 5, "latent_clips": 8}
    steps = {"steps": 4, "decoder_steps": 4, "image_steps": 2, "save_every": 2}
    return VaeConfig(folder=str(folder), **{**sizes, **steps, **changes})


def test_a_run_that_stopped_at_any_checkpoint_ends_as_the_uninterrupted_one(tmp_path):
    whole = load_file(train_vae(tiny(tmp_path / "whole")))
    for stop in (2, 4, 6):  # within the first phase, at the switch, within the second
        config = tiny(tmp_path / f"stop{stop}")
        run = VaeRun(config)
        (tmp_path / f"stop{stop}").mkdir()
        batches = WorldClips(config, 0, 8)
        while run.step < stop:
            if run.step == config.steps:
                run.finish_encoder(tmp_path / "encoder.safetensors")
            run.one_step(batches[run.step])
            if run.step % 2 == 0:
                run.save(tmp_path / f"stop{stop}" / "vae.safetensors")
        resumed = load_file(train_vae(config))
        assert whole.keys() == resumed.keys()
        assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_only_the_decoder_learns_after_the_encoder_is_finished(tmp_path):
    final = load_file(train_vae(tiny(tmp_path)))
    finished = load_file(tmp_path / "vae_encoder.safetensors")
    changed = {key.split(".")[0] for key in final if not torch.equal(final[key], finished[key])}
    assert changed == {"decoder", "conv2"}


def test_training_lowers_the_loss_and_is_logged(tmp_path):
    train_vae(tiny(tmp_path, steps=60, decoder_steps=20, image_steps=60, save_every=20))
    lines = [json.loads(line) for line in (tmp_path / "vae_log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [20, 40, 60, 80]
    assert lines[2]["loss"] < 0.9 * lines[0]["loss"]
    assert lines[2]["psnr_image"] > lines[0]["psnr_image"]


def test_one_that_goes_on_from_a_file_begins_with_it_and_keeps_what_its_latents_mean(tmp_path):
    first = train_vae(tiny(tmp_path / "first"))
    still = {"lr": 1e-9, "muon_lr": 1e-9, "steps": 2, "image_steps": 0, "decoder_steps": 1, "size": 32, "world": 2}
    train_vae(tiny(tmp_path / "second", begin=str(first), **still))
    given, finished = load_file(first), load_file(tmp_path / "second" / "vae_encoder.safetensors")
    assert given.keys() == finished.keys()
    for key, tensor in given.items():
        torch.testing.assert_close(finished[key], tensor, atol=1e-6, rtol=1e-5)


def test_clips_show_the_version_of_the_world_that_is_asked_for(tmp_path):
    one, two = (WorldClips(tiny(tmp_path, world=world), 0, 8)[3] for world in (1, 2))
    assert one.shape == two.shape
    assert (one - two).abs().mean() > 0.01


def edge_at(
    column, softness=0.0, side=32
):  # (1, 3, 1, side, side) in -1..1: dark left of the column, bright right of it
    distance = torch.arange(side) - column + 0.5
    ramp = distance.sign() if softness == 0 else torch.tanh(distance / softness)
    return ramp.expand(1, 3, 1, side, side).clone()


def test_a_sharp_edge_beside_its_place_is_nearer_in_sharpness_than_a_blurred_one_in_it():
    truth = edge_at(16)
    beside, blurred = edge_at(17), edge_at(16, softness=3.0)
    assert sharpness_loss(truth, truth) == 0
    assert sharpness_loss(beside, truth) < 0.5 * sharpness_loss(blurred, truth)
    # stripes as strong as the edge are no edge, and noise in its place is no help
    stripes = 0.5 * torch.arange(32).remainder(2).mul(2).sub(1).expand(1, 3, 1, 32, 32)
    assert sharpness_loss(stripes, truth) > sharpness_loss(blurred, truth)
    noisy = blurred + 0.5 * torch.randn(blurred.shape, generator=torch.Generator().manual_seed(0))
    assert sharpness_loss(noisy, truth) > sharpness_loss(blurred, truth)


def test_stripes_all_over_are_not_the_edges_that_have_the_same_strength_together():
    columns = torch.arange(35)
    edges = (columns // 7 % 2 * 2.0 - 1).expand(
        1, 3, 1, 35, 35
    )  # one in every window: 2 high in a seventh of its columns
    stripes = 7**-0.5 * (columns % 2 * 2.0 - 1).expand(1, 3, 1, 35, 35)  # the same root mean square
    assert sharpness_loss(stripes, edges) > 0.4


def test_sharpness_can_be_learned_where_nothing_has_an_edge():
    flat = torch.zeros(1, 3, 1, 32, 32, requires_grad=True)
    sharpness_loss(flat + 0.01 * edge_at(16), edge_at(16)).backward()
    assert torch.isfinite(flat.grad).all()
    assert flat.grad.abs().max() > 0


def test_a_decoder_that_is_sharpened_leaves_the_latents_as_they_were(tmp_path):
    first = train_vae(tiny(tmp_path / "first"))
    only_decoder = {"steps": 0, "image_steps": 0, "decoder_steps": 2, "begin": str(first)}
    plain = load_file(train_vae(tiny(tmp_path / "plain", **only_decoder)))
    sharp = load_file(train_vae(tiny(tmp_path / "sharp", **only_decoder, sharpness=2.5)))
    given = load_file(first)
    for key in given:
        if not key.startswith(("decoder", "conv2")):
            assert torch.equal(sharp[key], given[key])
    assert any(not torch.equal(sharp[key], plain[key]) for key in given)


def test_a_picture_that_flickers_is_not_steady_and_one_that_is_wrong_all_along_is():
    still = torch.zeros(1, 3, 5, 8, 8)
    flicker = still + 0.1 * torch.tensor([0.0, 1, 0, 1, 0]).view(1, 1, 5, 1, 1)
    assert steadiness_loss(flicker, still) == pytest.approx(0.1)
    assert steadiness_loss(still + 0.1, still) == 0
    moving = still + torch.arange(5.0).view(1, 1, 5, 1, 1)
    assert steadiness_loss(moving, moving) == 0
    assert steadiness_loss(still, moving) == 1
    assert steadiness_loss(still[:, :, :1], moving[:, :, :1]) == 0  # a single picture moves nowhere


def test_steadiness_changes_what_the_decoder_learns(tmp_path):
    first = train_vae(tiny(tmp_path / "first"))
    only_decoder = {"steps": 0, "image_steps": 0, "image_share": 0.0, "decoder_steps": 2, "begin": str(first)}
    plain = load_file(train_vae(tiny(tmp_path / "plain", **only_decoder)))
    steady = load_file(train_vae(tiny(tmp_path / "steady", **only_decoder, steadiness=3.0)))
    changed = {key.split(".")[0] for key in plain if not torch.equal(plain[key], steady[key])}
    assert changed == {"decoder", "conv2"}
