"""A tiny random Wan2.1 in the real file formats inside the real host, and single evaluations of it."""

from __future__ import annotations

import json
from pathlib import Path

import plain_wan
import torch
from safetensors.torch import save_file

FRAMES, HEIGHT, WIDTH = 2, 4, 6  # of a latent that takes no time
VIEW_SYNC_PARTS = ("cam_encoder", "projector", "mvs_attn", "modulation_mvs")


def is_view_sync(key: str) -> bool:
    return any(part in key for part in VIEW_SYNC_PARTS)


def write_base(state: dict[str, torch.Tensor], path: Path, text_dim: int = 48) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    base = {key: value for key, value in state.items() if not is_view_sync(key)}
    save_file(base, path, {"config": json.dumps({"transformer": {"text_dim": text_dim}})})
    return path


def write_view_sync(state: dict[str, torch.Tensor], path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: value for key, value in state.items() if is_view_sync(key)}, path)
    return path


class TinyWan:
    """Files of one random model in the host's folders, loaded through the stock loader and our node."""

    def __init__(self, comfy, name: str, **sizes):
        self.comfy, self.state = comfy, plain_wan.random_state(**sizes)
        models = Path(comfy.folders.models_dir)
        self.base_name = write_base(self.state, models / "diffusion_models" / f"{name}_base.safetensors").name
        self.weights_name = write_view_sync(self.state, models / "syncam" / f"{name}_views.safetensors").name

    def base(self):
        return self.comfy.run("UNETLoader", unet_name=self.base_name, weight_dtype="default")[0]

    def weights(self):
        return self.comfy.run("SynCamLoadWeights", weights_name=self.weights_name)[0]

    def patched(self, poses, base=None, weights=None, **inputs):
        from syncam_core.cameras import CameraEncoding

        return self.comfy.run(
            "SynCamApply",
            model=base or self.base(),
            weights=weights or self.weights(),
            cameras=CameraEncoding(poses),
            **inputs,
        )[0]


def text(tokens: int = 6, seed: int = 0, dim: int = 48) -> torch.Tensor:
    return torch.randn(1, tokens, dim, generator=torch.Generator().manual_seed(seed))


def conditioning(embedding: torch.Tensor) -> list:
    return [[embedding, {}]]


TEXTS = [text(5, seed=1), text(5, seed=2)]  # positive, negative


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    """Normal numbers, the same for the same seed."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def poses(views: int = 2, frames: int = FRAMES, seed: int = 0) -> torch.Tensor:
    """Encoded cameras (views, frames, 12)."""
    return random(views, frames, 12, seed=seed)


def noise(
    views: int = 2, frames: int = FRAMES, height: int = HEIGHT, width: int = WIDTH, seed: int = 4
) -> torch.Tensor:
    """(views, 16, frames, height, width)"""
    return random(views, 16, frames, height, width, seed=seed)


def empty(views: int = 2, frames: int = FRAMES, height: int = HEIGHT, width: int = WIDTH) -> dict[str, torch.Tensor]:
    """A LATENT of zeros."""
    return {"samples": torch.zeros(views, 16, frames, height, width)}


def sampled(comfy, model, latent: dict, texts=TEXTS, node_id: str = "SynCamSampler", **settings) -> dict:
    """The LATENT that a sampling node makes of another one, in few steps; texts are embeddings or CONDITIONING."""
    positive, negative = (conditioning(item) if isinstance(item, torch.Tensor) else item for item in texts)
    key = "latent" if node_id.startswith("SynCam") else "latent_image"
    usual = {"seed": 1, "steps": 3, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple"}
    if node_id == "SynCamSampler":
        usual["unsynchronized"] = True  # what is compared with may be the plain model
    inputs = {key: latent, "positive": positive, "negative": negative, **usual, **settings}
    return comfy.run(node_id, model=model, **inputs)[0]


def velocities(model, x: torch.Tensor, sigma: float, texts: list[torch.Tensor], options=None) -> list[torch.Tensor]:
    """What the model predicts for each text, through the host's own guider, batching and wrappers."""
    import comfy.samplers

    seen = {}

    class Guider(comfy.samplers.CFGGuider):
        def predict_noise(self, _, timestep, model_options=None, seed=None):
            conds = [self.conds[str(i)] for i in range(len(texts))]
            time = torch.full((x.shape[0],), sigma)
            outputs = comfy.samplers.calc_cond_batch(self.inner_model, conds, x, time, model_options)
            seen["velocities"] = [(x - out) / sigma for out in outputs]
            return outputs[0]

    guider = Guider(model)
    guider.inner_set_conds({str(i): conditioning(embedding) for i, embedding in enumerate(texts)})
    with torch.inference_mode():
        sampler = comfy.samplers.sampler_object("euler")
        zeros = torch.zeros_like(x)
        guider.sample(torch.randn_like(x), zeros, sampler, torch.tensor([sigma, 0.0]), disable_pbar=True, seed=0)
    return seen["velocities"]


def relative_error(got: torch.Tensor, truth: torch.Tensor) -> float:
    return ((got.double() - truth).norm() / truth.norm()).item()
