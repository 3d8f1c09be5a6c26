"""The autoencoder by itself; its equality with the host's is tested where the host is (tests/nodes)."""

import pytest
import torch
from safetensors.torch import save_file

from syncam_core.training.train_vae import load_vae, standardize_latents
from syncam_core.wan.vae import WanVAE, denormalize_latents, normalize_latents

SMALL = {"dim": 4, "multiples": (1, 2, 2, 2), "blocks": 1}


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(0)
    model = WanVAE(**SMALL).eval().requires_grad_(False)
    for name, parameter in model.named_parameters():
        if name.endswith("gamma"):
            parameter.uniform_(0.5, 1.5)
    return model


def clip(frames, height=16, width=24, seed=0, batch=1):
    return torch.rand(batch, 3, frames, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.mark.parametrize("frames", [1, 5, 9, 17])
def test_a_clip_becomes_an_eighth_in_space_and_a_quarter_in_time_and_comes_back(vae, frames):
    mean, log_variance = vae.encode(clip(frames, batch=2))
    assert mean.shape == log_variance.shape == (2, 16, (frames + 3) // 4, 2, 3)
    assert vae.decode(mean).shape == (2, 3, frames, 16, 24)


@pytest.mark.parametrize("frames", [1, 5, 9, 17])
def test_piece_by_piece_gives_the_same_as_all_at_once(vae, frames):
    video = clip(frames)
    for whole, pieces in zip(vae.encode(video), vae.encode(video, piecewise=True), strict=True):
        torch.testing.assert_close(whole, pieces, atol=1e-5, rtol=1e-5)
    latents = torch.randn(1, 16, (frames + 3) // 4, 2, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(vae.decode(latents), vae.decode(latents, piecewise=True), atol=1e-5, rtol=1e-5)


def test_the_first_latents_of_a_clip_are_those_of_its_beginning_and_likewise_its_pictures(vae):
    video = clip(17)
    latents = vae.encode(video)[0]
    for frames in (1, 5, 9, 13):
        beginning = vae.encode(video[:, :, :frames])[0]
        torch.testing.assert_close(beginning, latents[:, :, : beginning.shape[2]], atol=1e-5, rtol=1e-5)
        first = vae.decode(latents[:, :, : beginning.shape[2]])
        torch.testing.assert_close(first, vae.decode(latents)[:, :, :frames], atol=1e-5, rtol=1e-5)


def test_a_latent_frame_depends_on_its_four_pictures(vae):
    video = clip(9)
    latents = vae.encode(video)[0]
    for changed, first in ((0, 0), (1, 1), (4, 1), (5, 2), (8, 2)):
        other = video.clone()
        other[:, :, changed] += 0.3
        moved = (vae.encode(other)[0] - latents).abs().amax((0, 1, 3, 4)) > 1e-4
        assert moved.tolist()[: first + 1] == [False] * first + [True]


def test_clips_of_a_batch_do_not_touch_each_other(vae):
    two = clip(5, batch=2)
    together = vae.encode(two)[0]
    for i in range(2):
        torch.testing.assert_close(vae.encode(two[i : i + 1])[0][0], together[i], atol=1e-5, rtol=1e-5)


def test_normalising_is_undone_exactly_enough():
    latents = torch.randn(2, 16, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 3
    torch.testing.assert_close(denormalize_latents(normalize_latents(latents)), latents, atol=1e-5, rtol=1e-5)
    assert normalize_latents(latents.bfloat16()).dtype == torch.bfloat16


def latents_of(vae, count=24):
    means = vae.encode(clip(5, batch=count, seed=3))[0]
    return means.transpose(0, 1).flatten(1)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_turning_the_latents_to_their_axes_changes_no_picture_and_gives_the_sizes_that_are_wanted(vae, power):
    torch.manual_seed(1)
    turned = WanVAE(**SMALL).eval().requires_grad_(False)
    turned.load_state_dict(vae.state_dict())
    # spread the channels, as a trained encoder's are: from 4 down to 0.1
    scale = torch.logspace(0.6, -1, 16)
    turned.conv1.weight[:16] *= scale[:, None, None, None, None] * 10
    turned.conv1.bias[:16].normal_()
    turned.conv2.weight /= scale[None, :, None, None, None] * 10
    video = clip(9, seed=5)
    before = turned.decode(turned.encode(video)[0])

    old = latents_of(turned)
    spread = torch.linalg.eigvalsh(torch.cov(old.double())).flip(0).sqrt()
    standardize_latents(turned, old, power)
    after = turned.decode(turned.encode(video)[0])
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)

    new = normalize_latents(latents_of(turned).view(16, -1, 1, 1, 1).transpose(0, 1)).flatten(1).T.double()
    torch.testing.assert_close(new.mean(1), torch.zeros(16, dtype=torch.float64), atol=1e-3, rtol=0)
    covariance = torch.cov(new)
    # axes too thin to matter (below a hundredth of the widest) are not blown up
    floored = spread.clamp_min(spread.max() / 100)
    wanted = floored ** (1 - power)
    wanted = wanted / wanted.square().mean().sqrt() * (spread / floored)
    torch.testing.assert_close(covariance.diagonal().sqrt(), wanted, atol=1e-3, rtol=1e-2)
    off = covariance - torch.diag(covariance.diagonal())
    assert off.abs().max() < 1e-3, "principal axes are not correlated"


def test_a_file_is_read_back_with_its_own_width(tmp_path):
    torch.manual_seed(0)
    written = WanVAE(dim=8)
    save_file(written.state_dict(), tmp_path / "vae.safetensors")
    read = load_vae(tmp_path / "vae.safetensors")
    assert not read.training
    assert all(torch.equal(value, read.state_dict()[key]) for key, value in written.state_dict().items())


def test_the_default_is_the_size_of_the_real_file():
    with torch.device("meta"):
        real = WanVAE()
    assert (len(real.state_dict()), sum(p.numel() for p in real.parameters())) == (194, 126_892_531)
