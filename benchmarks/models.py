"""Wan2.1 with view synchronization at its real widths and random weights: the pack's in the host, and the plain one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from plain import PlainReCaptureBlock, PlainWan
from torch import Tensor

TEXT_DIM, WORDS = 4096, 512


@dataclass(frozen=True)
class Widths:
    """Of a Wan2.1; the defaults are those of T2V 1.3B but for the number of blocks."""

    dim: int = 1536
    ffn: int = 8960
    heads: int = 12
    depth: int = 2


@dataclass(frozen=True)
class Shape:
    """Of a latent in tokens."""

    views: int
    frames: int
    height: int
    width: int

    @property
    def frame(self) -> int:
        return self.height * self.width

    @property
    def tokens(self) -> int:
        return self.views * self.frames * self.frame


class Pair:
    """One set of random weights as the host's model with our patch, as the host's model alone, and as the plain one."""

    def __init__(self, widths: Widths, dtype: torch.dtype, device: str = "cpu"):
        import comfy.model_patcher
        import comfy.ops
        import comfy.supported_models

        self.widths, self.dtype, self.device = widths, dtype, torch.device(device)
        self.patch = sys.modules["syncam_pack.nodes.host.view_sync_patch"]
        self.step = sys.modules["syncam_pack.nodes.host.wan_block"].STEP
        module = sys.modules["syncam_pack.syncam_core.view_sync.module"]
        config = comfy.supported_models.WAN21_T2V(
            {
                "image_model": "wan2.1",
                "model_type": "t2v",
                "dim": widths.dim,
                "ffn_dim": widths.ffn,
                "num_heads": widths.heads,
                "num_layers": widths.depth,
                "in_dim": 16,
                "out_dim": 16,
                "text_dim": TEXT_DIM,
                "patch_size": (1, 2, 2),
                "cross_attn_norm": True,
            }
        )
        config.set_inference_dtype(dtype, None)
        base = config.get_model({}, device=self.device)
        # The host's layers are not initialized, as they are drawn here.
        unfolded = module.ViewSync(widths.dim, widths.depth, self.device, dtype, comfy.ops.manual_cast)
        if not self.is_meta:
            draw(base.diffusion_model)
            draw(unfolded)
        self.base = comfy.model_patcher.ModelPatcher(base, self.device, self.device)
        base.current_patcher = self.base
        folded = module.ViewSync(widths.dim, widths.depth, self.device, dtype, comfy.ops.manual_cast, folded=True)
        folded.load_state_dict(module.fold_output(unfolded.state_dict()), assign=True)
        folded.eval().requires_grad_(False)
        self.weights = comfy.model_patcher.ModelPatcher(folded, self.device, self.device)
        self._state = {**base.diffusion_model.state_dict(), **unfolded.state_dict()}

    @property
    def is_meta(self) -> bool:
        return self.device.type == "meta"

    def plain(self) -> PlainWan:
        w = self.widths
        with torch.device("meta"):
            model = PlainWan(w.dim, w.ffn, w.heads, w.depth, TEXT_DIM)
        model.load_state_dict(self._state, assign=True)
        return model.eval().requires_grad_(False)

    def inputs(self, shape: Shape) -> SimpleNamespace:
        generator = torch.Generator().manual_seed(0)
        size = (shape.views, 16, shape.frames, 2 * shape.height, 2 * shape.width)
        x = torch.empty(size, device="meta") if self.is_meta else torch.randn(size, generator=generator)
        text = torch.randn(1, WORDS, TEXT_DIM, generator=generator)
        return SimpleNamespace(
            x=x.to(self.device),
            timestep=torch.full((shape.views,), 700.0, device=self.device),
            text=text.to(self.device, self.dtype).repeat(shape.views, 1, 1),
            poses=orbit_poses(shape.views, shape.frames),
        )

    def options(self, inputs: SimpleNamespace, once=None, **settings: Any) -> dict:
        """The transformer options with which the host's model runs our blocks, as in one sampling."""
        core = "syncam_pack.syncam_core"
        cameras = sys.modules[f"{core}.cameras"].CameraEncoding(inputs.poses)
        settings = sys.modules[f"{core}.view_sync.settings"].Settings(**settings)
        patched = self.patch.apply_view_sync(self.base, self.weights, cameras, settings)
        options = patched.model_options["transformer_options"].copy()
        if once is not None:
            options[self.patch.ONCE] = once
        wrapper = self.patch.view_sync_of(patched)
        options[self.step] = wrapper.step(patched.model, inputs.x, torch.tensor([0.7]), options, {})
        return options

    def ours(self, inputs: SimpleNamespace, options: dict) -> Tensor:
        step = options[self.step]._replace(blocks_run=[])
        # The forward writes into its options.
        return self.forward(inputs, {**options, self.step: step})

    def forward(self, inputs: SimpleNamespace, options: dict) -> Tensor:
        x = inputs.x.to(self.dtype)
        return self.base.model.diffusion_model(x, inputs.timestep, inputs.text, transformer_options=options)


class ReCapturePair(Pair):
    """The same weights with ReCamMaster's module in place of view sync; its self-attention is the base's."""

    def __init__(self, widths: Widths, dtype: torch.dtype, device: str = "cpu"):
        super().__init__(widths, dtype, device)
        import comfy.model_patcher
        import comfy.ops

        self.recapture = sys.modules["syncam_pack.nodes.host.recapture_patch"]
        kind = sys.modules["syncam_pack.syncam_core.recapture.module"].ReCapture
        module = kind(widths.dim, widths.depth, self.device, dtype, comfy.ops.manual_cast).requires_grad_(False)
        if not self.is_meta:
            draw(module)
        own = {k: v for k, v in self.base.model.diffusion_model.state_dict().items() if ".self_attn." in k}
        module.self_attention = own
        self.module = comfy.model_patcher.ModelPatcher(module, self.device, self.device)
        self._state = {**self.base.model.diffusion_model.state_dict(), **module.state_dict()}

    def plain(self) -> PlainWan:
        w = self.widths
        with torch.device("meta"):
            model = PlainWan(w.dim, w.ffn, w.heads, w.depth, TEXT_DIM, PlainReCaptureBlock)
        model.load_state_dict(self._state, assign=True)
        return model.eval().requires_grad_(False)

    def inputs(self, shape: Shape) -> SimpleNamespace:
        """Those of as many trajectories as ``shape`` has views, and one source of the same size."""
        inputs = super().inputs(shape)
        size = inputs.x[:1].shape
        inputs.source = torch.empty(size, device="meta") if self.is_meta else torch.randn(size) / 2
        return inputs

    def options(self, inputs: SimpleNamespace, once=None, memory: str = "auto") -> dict:
        patch = self.recapture
        trajectories = sys.modules["syncam_pack.syncam_core.cameras.trajectories"].TrajectoryEncoding(inputs.poses)
        block = sys.modules["syncam_pack.nodes.host.wan_block"].BlockPatch
        replaced = {("double_block", i): block(i) for i in range(self.widths.depth)}
        options = {"patches_replace": {"dit": replaced}, "cond_or_uncond": [0]}
        if once is not None:
            options[patch.ONCE] = once
        wrapper = patch.ReCaptureWrapper(self.module, trajectories, memory, inputs.source)
        options[self.step] = wrapper.step(self.base.model, inputs.x, torch.tensor([0.7]), options, {})
        return options

    def forward(self, inputs: SimpleNamespace, options: dict) -> Tensor:
        x, source = inputs.x.to(self.dtype), inputs.source.to(self.dtype).expand_as(inputs.x)
        model = self.base.model.diffusion_model
        return model(x, inputs.timestep, inputs.text, time_dim_concat=source, transformer_options=options)


def new_once():
    return sys.modules["syncam_pack.nodes.host.sampling_cache"].Once()


@torch.no_grad()
def draw(module: torch.nn.Module) -> None:
    """Random weights under which activations stay of ordinary size."""
    # Repeated: drawing every number would take longer than what is measured.
    noise = torch.randn(2**20 + 7, generator=torch.Generator().manual_seed(0))
    for name, parameter in module.named_parameters():
        scale = parameter[0].numel() ** -0.5 if parameter.ndim > 1 and "modulation" not in name else 0.1
        scaled = (noise * scale).to(parameter)
        for part in parameter.view(-1).split(len(noise)):
            part.copy_(scaled[: len(part)])
        if "norm" in name and name.endswith("weight"):
            parameter += 1


def orbit_poses(views: int, frames: int) -> Tensor:
    """(views, frames, 12): cameras around one point."""
    from syncam_core.cameras import orbit_rig
    from syncam_core.cameras.encoding import encode_poses

    rig = orbit_rig([20.0 * i for i in range(views)], [10.0], [3.0])
    return encode_poses(rig.c2w).float().expand(-1, frames, -1).contiguous()
