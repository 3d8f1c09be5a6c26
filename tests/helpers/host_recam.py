"""A tiny random base with its re-capture weights, in the real file formats inside the real host."""

from __future__ import annotations

from pathlib import Path

import plain_recapture
import plain_wan
import torch
from host_wan import write_base, write_view_sync

from syncam_core.cameras.trajectories import TrajectoryEncoding


class TinyReCam:
    """Files of one random base, its re-capture checkpoint as the authors pack it, and its view sync."""

    def __init__(self, comfy, name: str = "recam"):
        self.comfy, self.base_state = comfy, plain_wan.random_state()
        self.state = plain_recapture.random_recapture(self.base_state)
        models = Path(comfy.folders.models_dir)
        self.base_name = write_base(self.base_state, models / "diffusion_models" / f"{name}_base.safetensors").name
        self.views_name = write_view_sync(self.base_state, models / "syncam" / f"{name}_views.safetensors").name
        self.weights_name = f"{name}.ckpt"
        torch.save(self.state, models / "syncam" / self.weights_name)

    def base(self):
        return self.comfy.run("UNETLoader", unet_name=self.base_name, weight_dtype="default")[0]

    def weights(self):
        return self.comfy.run("SynCamLoadWeights", weights_name=self.weights_name)[0]

    def patched(self, poses, source, base=None, **inputs):
        """``source`` in the model's own scale, as :mod:`plain_recapture` takes it."""
        import comfy.latent_formats

        inputs.setdefault("source", {"samples": comfy.latent_formats.Wan21().process_out(source)})
        trajectories = poses if isinstance(poses, TrajectoryEncoding) else TrajectoryEncoding(poses)
        return self.comfy.run(
            "SynCamReCamApply", model=base or self.base(), weights=self.weights(), trajectories=trajectories, **inputs
        )[0]
