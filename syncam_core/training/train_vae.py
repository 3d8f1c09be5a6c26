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
from dataclasses import dataclass
from pathlib import Path

import torch
from einops import rearrange
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from ..cameras import orbit_rig
from ..errors import UserError
from ..metrics.edges import luma_gradients
from ..synthetic import PLACE_RADIUS_M, Scene, frame_times, render
from ..wan.vae import CHANNELS, LATENT_MEAN, LATENT_STD, ResidualBlock, WanVAE, normalize_latents
from .logs import append_lines, keep_lines_before
from .optimizers import Ema, build_optimizers
from .precision import warn_of_slow_bfloat16


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
    sharpness: float = 0.0  # weight of `sharpness_loss` while the decoder learns alone
    steadiness: float = 0.0  # weight of `steadiness_loss`, likewise
    latent_clips: int = 192  # whose latents say how large each axis is
    latent_power: float = 0.5  # 0 leaves the principal axes at their natural sizes, 1 makes all equal
    ema_decay: float = 0.995
    save_every: int = 200
    mixed_precision: str = "no"
    azimuth_deg: float = 180.0
    elevation_deg: tuple[float, float] = (8.0, 35.0)
    distance_m: tuple[float, float] = (4.5, 5.5)
    place_radius_m: float = PLACE_RADIUS_M  # how far from the origin the subject may be
    world: int = 1  # version of the procedural world
    begin: str | None = None  # an autoencoder of this width to go on from; what its latents mean is kept


class WorldClips(torch.utils.data.Dataset[Tensor]):
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
    scene = Scene.random(draw.randrange(2**62), config.place_radius_m, config.world)
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


def sharpness_loss(picture: Tensor, target: Tensor, window: int = 7) -> Tensor:
    """How far the strength of edges around each pixel is from the target's, (batch, 3, frames, height, width) both.

    Where an edge is uncertain, the nearest picture in L1 or L2 is a blurred one; its gradients are weak wherever the true
    edge may lie. Here the root mean square gradient of the luma over a window of `window` pixels is compared, which a sharp
    edge a pixel off has right and a blurred one in the right place has not; and the mean absolute one, which stripes all
    over have far too large where one edge has it right.
    """
    made, true = _edge_strength(picture, window), _edge_strength(target, window)
    return (made - true).abs().mean((1, 2, 3, 4)).sum()


def steadiness_loss(picture: Tensor, target: Tensor) -> Tensor:
    """How far the changes from frame to frame are from the target's, L1; (batch, 3, frames, height, width) both.

    A few latent frames tell of four pictures each: what stands still in the world must do so in all of them, though each
    alone may have it almost right.
    """
    if picture.shape[2] < 2:
        return picture.new_zeros(())
    return (picture.diff(dim=2) - target.diff(dim=2)).abs().mean()


def _edge_strength(
    video: Tensor,  # (batch, 3, frames, height, width)
    window: int,
) -> Tensor:  # (2, batch, frames, height - window, width - window): root mean square, and mean absolute gradient
    right, down = luma_gradients(video.movedim(1, -1))
    square, absolute = right.square() + down.square(), right.abs() + down.abs()
    mean_square, mean_absolute = (functional.avg_pool2d(of, window, stride=1) for of in (square, absolute))
    return torch.stack([(mean_square + 1e-4).sqrt(), mean_absolute])


@torch.no_grad()
def begin_near_identity(vae: WanVAE) -> None:
    """Residual branches begin small: deep stacks then learn faster."""
    for module in vae.modules():
        if isinstance(module, ResidualBlock):
            last = module.residual[6]
            assert isinstance(last, nn.Conv3d)
            last.weight.mul_(0.3)


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
    assert vae.conv1.bias is not None
    assert vae.conv2.bias is not None
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
    """Train, or go on from the last checkpoint; the result is `vae.safetensors` in the folder.

    `vae_encoder.safetensors` appears beside it when the encoder is done: latents made with it stay valid while the
    decoder goes on.
    """
    folder = Path(config.folder)
    folder.mkdir(parents=True, exist_ok=True)
    run = VaeRun(config)
    log_file = folder / "vae_log.jsonl"
    keep_lines_before(log_file, run.step + 1)
    total = config.steps + config.decoder_steps
    batches = torch.utils.data.DataLoader(
        WorldClips(config, run.step, total), batch_size=None, num_workers=1, prefetch_factor=8
    )
    losses = []
    with tqdm(total=total, initial=run.step, mininterval=1) as bar:
        for video in batches:
            if run.step == config.steps and not run.decoder_only:
                bar.write(json.dumps(run.finish_encoder(folder / "vae_encoder.safetensors")))
            losses.append(run.one_step(video))
            bar.update()
            if run.step % config.save_every == 0 or run.step == total:
                report = run.save(folder / "vae.safetensors")
                report["loss"], losses = round(sum(losses) / len(losses), 5), []
                append_lines(log_file, [report])
                bar.write(json.dumps(report))
    return folder / "vae.safetensors"


class VaeRun:
    """The autoencoder in training, its averages and optimizers, as the folder's last checkpoint has them."""

    def __init__(self, config: VaeConfig):
        self.config = config
        warn_of_slow_bfloat16("cpu", config.mixed_precision)
        torch.manual_seed(config.seed)
        self.vae = load_vae(config.begin).train() if config.begin else WanVAE(config.dim)
        if not config.begin:
            begin_near_identity(self.vae)
        self.ema = Ema(dict(self.vae.named_parameters()), config.ema_decay)
        self.step, self.seconds, self.started = 0, 0.0, time.monotonic()
        self.state_file = Path(config.folder) / "vae_state.pt"
        state = torch.load(self.state_file, weights_only=True) if self.state_file.exists() else None
        if state:
            self.step, self.seconds, self.ema.values = state["step"], state["seconds"], state["ema"]
            self.vae.load_state_dict(state["model"])
        self.decoder_only = self.step > config.steps  # at the switch itself the encoder is still to be finished
        self.optimizers = self._new_optimizers()
        for optimizer, saved in zip(self.optimizers, state["optimizers"] if state else (), strict=False):
            optimizer.load_state_dict(saved)

    def one_step(self, video: Tensor) -> float:
        """Train on one batch (clips, 3, frames, height, width); the reconstruction loss."""
        c = self.config
        self._set_learning_rates()
        generator = torch.Generator().manual_seed(self.step)
        with _autocast(c), torch.set_grad_enabled(not self.decoder_only):
            mean, log_variance = self.vae.encode(video)
        mean, log_variance = mean.float(), log_variance.float().clamp(-20, 10)
        noise = torch.randn(mean.shape, generator=generator)
        if self.decoder_only:  # a little noise, as a diffusion model's latents have it
            latents, kl = mean + 0.1 * torch.tensor(LATENT_STD).view(-1, 1, 1, 1) * noise, mean.new_zeros(())
        else:
            latents = mean + (log_variance / 2).exp() * noise
            kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        with _autocast(c):
            picture = self.vae.decode(latents)
        reconstruction = reconstruction_loss(picture.float(), video, c.subject_weight)
        if self.decoder_only and c.sharpness:
            reconstruction = reconstruction + c.sharpness * sharpness_loss(picture.float(), video)
        if self.decoder_only and c.steadiness:
            reconstruction = reconstruction + c.steadiness * steadiness_loss(picture.float(), video)
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        (reconstruction + c.kl * kl).backward()
        norm = torch.nn.utils.clip_grad_norm_(self.vae.parameters(), 1.0)
        if not torch.isfinite(norm):
            raise UserError(f"the loss at step {self.step} is no finite number; lower 'lr' and 'muon_lr'.")
        for optimizer in self.optimizers:
            optimizer.step()
        self.ema.update(dict(self.vae.named_parameters()), self._into_phase()[0])
        self.step += 1
        return reconstruction.item()

    @torch.no_grad()
    def finish_encoder(self, file: Path) -> dict[str, list[float]]:
        """Keep the averaged encoder for good, its latents standardized; from here on the decoder learns alone.

        An autoencoder that was begun with keeps its axes, so that a diffusion model of its latents can go on, too.
        Returns what the latents' standard deviations are for the diffusion model.
        """
        self.vae.load_state_dict(self.ema.values)
        draw = random.Random("vae latents")
        clips = torch.stack([world_clip(self.config, draw, 17) for _ in range(self.config.latent_clips)]).split(8)
        if not self.config.begin:
            latents = torch.cat([self.vae.encode(some)[0] for some in clips])
            standardize_latents(self.vae, rearrange(latents, "b c t h w -> c (b t h w)"), self.config.latent_power)
        save_file({k: v.contiguous() for k, v in self.vae.state_dict().items()}, file)
        self.ema = Ema(dict(self.vae.named_parameters()), self.config.ema_decay)
        self.decoder_only = True
        self.vae.zero_grad()  # what the encoder learned last must not count when gradients are clipped
        self.optimizers = self._new_optimizers()
        normal = normalize_latents(torch.cat([self.vae.encode(some)[0] for some in clips[:4]]))
        return {"latent_std": [round(s, 3) for s in normal.transpose(0, 1).flatten(1).std(1).tolist()]}

    def save(self, file: Path) -> dict[str, float]:
        """Write the averaged autoencoder and, whole or not at all, the state to go on from; how good it is."""
        raw = {name: p.detach().clone() for name, p in self.vae.named_parameters()}
        seconds = self.seconds + time.monotonic() - self.started
        self.vae.load_state_dict(self.ema.values)
        report = {
            "step": self.step,
            "seconds": round(seconds),
            "psnr_image": round(psnr(self.vae, self.config, 1), 2),
            "psnr_video": round(psnr(self.vae, self.config, 17, 4), 2),
        }
        save_file({k: v.contiguous() for k, v in self.vae.state_dict().items()}, file)
        self.vae.load_state_dict(raw)
        state = {"step": self.step, "seconds": seconds, "model": raw, "ema": self.ema.values}
        state["optimizers"] = [o.state_dict() for o in self.optimizers]
        part = self.state_file.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.state_file)
        return report

    def _into_phase(self) -> tuple[int, int]:
        """Steps done and to be done of this phase."""
        c = self.config
        return (self.step - c.steps, c.decoder_steps) if self.decoder_only else (self.step, c.steps)

    def _set_learning_rates(self) -> None:
        """Warm-up, then half a cosine down to 3 %."""
        done, steps = self._into_phase()
        pace = min(1.0, (done + 1) / 40) * (0.03 + 0.97 * (1 + math.cos(math.pi * done / steps)) / 2)
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = group.setdefault("peak_lr", group["lr"]) * pace

    def _new_optimizers(self) -> list[torch.optim.Optimizer]:
        """Muon for the kernels of what still learns, AdamW for the rest of it."""
        for name, p in self.vae.named_parameters():
            p.requires_grad_(not self.decoder_only or name.startswith(("decoder", "conv2")))
        chosen = {name: p for name, p in self.vae.named_parameters() if p.requires_grad}
        kernels = [
            name for name, p in chosen.items() if p.ndim >= 4 and p.shape[0] > 3 and min(p[0].numel(), len(p)) > 1
        ]
        c = self.config
        return build_optimizers(chosen, "muon", lr=c.lr, muon_lr=c.muon_lr, weight_decay=0.0, matrices=kernels)


def _autocast(config: VaeConfig) -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16, enabled=config.mixed_precision == "bf16")


def load_vae(path: Path | str) -> WanVAE:
    return WanVAE.of(load_file(path)).eval()
