"""Train a small Wan-format autoencoder on the procedural world: first all of it, then the decoder alone.

When the encoder is done its latents are turned to their principal axes and scaled, so that a diffusion model meets
numbers of about unit size in every channel that matters; that affine map is folded into the two 1x1x1 convolutions
around the latents, which changes no picture.
"""

from __future__ import annotations

import json
import math
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from einops import rearrange
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..cameras import orbit_rig
from ..synthetic import Scene, frame_times, render
from .optimizers import Ema, build_optimizers
from .wan_vae import CHANNELS, LATENT_MEAN, LATENT_STD, ResidualBlock, WanVAE, normalize_latents


@dataclass(frozen=True)
class VaeConfig:
    folder: str  # where checkpoints and the result go
    seed: int = 0
    dim: int = 8
    size: int = 64  # pixels, square
    fps: float = 8.0
    steps: int = 1700  # all of the autoencoder
    decoder_steps: int = 3000  # then the decoder alone
    image_steps: int = 500  # the first steps see single frames only
    image_share: float = 0.3  # afterwards
    batch_frames: int = 9
    muon_lr: float = 0.02
    lr: float = 2e-3
    kl: float = 3e-4
    subject_weight: float = 4.0  # how much more a saturated pixel counts
    latent_power: float = 0.5  # 0 leaves the principal axes at their natural sizes, 1 makes all equal
    ema_decay: float = 0.995
    save_every: int = 200
    mixed_precision: str = "no"
    azimuth_deg: float = 180.0
    elevation_deg: tuple[float, float] = (8.0, 35.0)
    distance_m: tuple[float, float] = (4.5, 5.5)


class WorldClips(torch.utils.data.Dataset):
    """Item k is the batch of step k, the same whenever it is asked for: (clips, 3, frames, size, size) in -1..1."""

    def __init__(self, config: VaeConfig, first: int, steps: int):
        self.config, self.first, self.steps = config, first, steps

    def __len__(self) -> int:
        return self.steps - self.first

    def __getitem__(self, item: int) -> Tensor:
        c, step = self.config, self.first + item
        draw = random.Random(f"vae batch {c.seed} {step}")
        is_image = step < c.image_steps or draw.random() < c.image_share
        frames = 1 if is_image else draw.choice((5, 5, 9, 9, 17))
        return torch.stack([world_clip(c, draw, frames) for _ in range(max(1, c.batch_frames // frames))])


def world_clip(config: VaeConfig, draw: random.Random, frames: int) -> Tensor:  # (3, frames, size, size)
    scene = Scene.random(draw.randrange(2**62))
    rig = orbit_rig(
        [draw.uniform(-config.azimuth_deg, config.azimuth_deg)],
        [draw.uniform(*config.elevation_deg)],
        [draw.uniform(*config.distance_m)],
    )
    start = draw.uniform(0, 2)
    video = render(scene, rig, config.size, config.size, start + frame_times(frames, config.fps))[0]
    return rearrange(video, "t h w c -> c t h w") * 2 - 1


def reconstruction_loss(picture: Tensor, target: Tensor, subject_weight: float) -> Tensor:
    """L1 + MSE + half the L1 of the gradients; saturated pixels (the subject) count more."""
    chroma = (target.amax(1, keepdim=True) - target.amin(1, keepdim=True)) / 2
    weight = 1 + subject_weight * (chroma > 0.2)
    error = (picture - target) * weight / weight.mean()
    plain = picture - target
    return (
        error.abs().mean()
        + (plain * error).mean()
        + 0.5 * (plain.diff(dim=-1).abs().mean() + plain.diff(dim=-2).abs().mean())
    )


@torch.no_grad()
def begin_near_identity(vae: WanVAE) -> None:
    """Residual branches begin small: deep stacks then learn faster."""
    for module in vae.modules():
        if isinstance(module, ResidualBlock):
            module.residual[6].weight.mul_(0.3)


@torch.no_grad()
def standardize_latents(vae: WanVAE, latents: Tensor, power: float) -> None:
    """Turn the latents to principal axes of about unit size after the diffusion model's normalisation, exactly undone
    by the decoder. `latents` (16, samples) are means of the encoder as it is.

    The axis with standard deviation s gets s**(1 - power), all scaled to a mean square of 1.
    """
    mean = latents.double().mean(1)
    variance, axes = torch.linalg.eigh(torch.cov(latents.double()))
    variance, axes = variance.flip(0), axes.flip(1)
    std = variance.clamp_min(variance.max() * 1e-4).sqrt()
    wanted = std ** (1 - power)
    wanted = wanted / wanted.square().mean().sqrt()
    file_mean, file_std = (torch.tensor(c, dtype=torch.float64) for c in (LATENT_MEAN, LATENT_STD))
    forward = (file_std * wanted / std)[:, None] * axes.T  # new = forward @ (old - mean) + file_mean
    weight, bias = vae.conv1.weight[:CHANNELS, :, 0, 0, 0].double(), vae.conv1.bias[:CHANNELS].double()
    vae.conv1.weight[:CHANNELS, :, 0, 0, 0] = (forward @ weight).float()
    vae.conv1.bias[:CHANNELS] = (forward @ (bias - mean) + file_mean).float()
    back = torch.linalg.inv(forward)
    weight, bias = vae.conv2.weight[..., 0, 0, 0].double(), vae.conv2.bias.double()
    vae.conv2.weight[..., 0, 0, 0] = (weight @ back).float()
    vae.conv2.bias[:] = (bias + weight @ (mean - back @ file_mean)).float()


@torch.no_grad()
def psnr(vae: WanVAE, config: VaeConfig, frames: int, clips: int = 16) -> float:
    draw = random.Random("vae validation")
    video = torch.stack([world_clip(config, draw, frames) for _ in range(clips)])
    picture = vae.decode(vae.encode(video)[0]).clamp(-1, 1)
    return -10 * torch.log10(((picture - video) / 2).square().mean()).item()


def train_vae(config: VaeConfig) -> Path:
    """Train, or go on from the last checkpoint; the result is `vae.safetensors` in the folder."""
    folder = Path(config.folder)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(config.seed)
    vae = WanVAE(config.dim)
    begin_near_identity(vae)
    total = config.steps + config.decoder_steps
    names = dict(vae.named_parameters())
    ema = Ema(names, config.ema_decay)
    state_file = folder / "vae_state.pt"
    state = torch.load(state_file, weights_only=True) if state_file.exists() else None
    first, seconds = 0, 0.0
    if state:
        first, seconds = state["step"], state["seconds"]
        vae.load_state_dict(state["model"])
        ema.values = state["ema"]
    decoder_only = first > config.steps  # at the switch itself the encoder is still to be finished
    optimizers = _optimizers(vae, config, decoder_only)
    if state and state["optimizers"]:
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
    loader = torch.utils.data.DataLoader(
        WorldClips(config, first, total), batch_size=None, num_workers=1, prefetch_factor=8
    )
    started, log = time.monotonic(), []
    for step, video in enumerate(loader, start=first):
        if step == config.steps and not decoder_only:
            vae.load_state_dict(ema.values)
            _finish_encoder(vae, config, folder)
            ema = Ema(dict(vae.named_parameters()), config.ema_decay)
            decoder_only = True
            optimizers = _optimizers(vae, config, decoder_only)
        into, length = (step, config.steps) if not decoder_only else (step - config.steps, config.decoder_steps)
        pace = min(1.0, (into + 1) / 40) * (0.03 + 0.97 * (1 + math.cos(math.pi * into / length)) / 2)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("peak_lr", group["lr"]) * pace
        generator = torch.Generator().manual_seed(step)
        with _autocast(config), torch.set_grad_enabled(not decoder_only):
            mean, log_variance = vae.encode(video)
        mean, log_variance = mean.float(), log_variance.float().clamp(-20, 10)
        if decoder_only:  # a little noise, as a diffusion model's latents have it
            std = torch.tensor(LATENT_STD).view(-1, 1, 1, 1)
            latents = mean + 0.1 * std * torch.randn(mean.shape, generator=generator)
            kl = torch.zeros(())
        else:
            latents = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=generator)
            kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        with _autocast(config):
            picture = vae.decode(latents)
        reconstruction = reconstruction_loss(picture.float(), video, config.subject_weight)
        loss = reconstruction + config.kl * kl
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        ema.update(dict(vae.named_parameters()), step if not decoder_only else step - config.steps)
        log.append(reconstruction.item())
        done = step + 1
        if done % config.save_every == 0 or done == total:
            spent = seconds + time.monotonic() - started
            raw = {name: p.detach().clone() for name, p in vae.named_parameters()}
            vae.load_state_dict(ema.values)
            report = {
                "step": done,
                "seconds": round(spent),
                "loss": round(sum(log) / len(log), 5),
                "kl": round(kl.item(), 3),
                "psnr_image": round(psnr(vae, config, 1), 2),
                "psnr_video": round(psnr(vae, config, 17, 4), 2),
            }
            print(json.dumps(report), flush=True)
            with open(folder / "vae_log.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(report) + "\n")
            save_file({k: v.contiguous() for k, v in vae.state_dict().items()}, folder / "vae.safetensors")
            vae.load_state_dict(raw)
            state = {"step": done, "seconds": spent, "model": raw, "ema": ema.values}
            state["optimizers"] = [o.state_dict() for o in optimizers]
            torch.save(state, state_file.with_suffix(".part"))
            state_file.with_suffix(".part").replace(state_file)
            log = []
    return folder / "vae.safetensors"


def _autocast(config: VaeConfig) -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=config.mixed_precision == "bf16")


def _optimizers(vae: WanVAE, config: VaeConfig, decoder_only: bool) -> list[torch.optim.Optimizer]:
    chosen = {
        name: p for name, p in vae.named_parameters() if not decoder_only or name.startswith(("decoder", "conv2"))
    }
    for name, p in vae.named_parameters():
        p.requires_grad_(name in chosen)
    matrices = [name for name, p in chosen.items() if p.ndim >= 4 and p.shape[0] > 3 and min(p[0].numel(), len(p)) > 1]
    return build_optimizers(chosen, "muon", lr=config.lr, muon_lr=config.muon_lr, weight_decay=0.0, matrices=matrices)


def _finish_encoder(vae: WanVAE, config: VaeConfig, folder: Path) -> None:
    draw = random.Random("vae latents")
    with torch.no_grad():
        clips = [world_clip(config, draw, 17) for _ in range(192)]
        latents = torch.cat([vae.encode(torch.stack(clips[i : i + 8]))[0] for i in range(0, len(clips), 8)])
        standardize_latents(vae, rearrange(latents, "b c t h w -> c (b t h w)"), config.latent_power)
        normal = normalize_latents(torch.cat([vae.encode(torch.stack(clips[i : i + 8]))[0] for i in range(0, 32, 8)]))
    spread = [round(s, 3) for s in normal.transpose(0, 1).flatten(1).std(1).tolist()]
    print(json.dumps({"latent_std": spread}), flush=True)
    save_file({k: v.contiguous() for k, v in vae.state_dict().items()}, folder / "vae_encoder.safetensors")


def load_vae(path: Path | str) -> WanVAE:
    return WanVAE.of(load_file(path)).eval()


def describe(config: VaeConfig) -> dict:
    return asdict(config)
