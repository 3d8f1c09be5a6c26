"""The re-capture module of ReCamMaster: what stands beside the blocks of a Wan2.1 transformer.

In every block the camera of each latent frame is added to what self-attention reads, on the target's frames and, the same
cameras once more, on the source's; a projector stands between self-attention's output and its gate:

    y = norm1(x) (1 + scale) + shift + camera([poses, poses])
    x = x + gate * projector(self_attention(y))

Source: ReCamMaster (arXiv 2503.11647), section 3.2, in the form of the public Wan2.1 weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..wan.attention import Device, Operations
from ..wan.layers import Blocks

POSE_NUMBERS = 12


class ReCaptureBlock(nn.Module):
    """The module beside one block; parameter names are those of the authors' checkpoint."""

    def __init__(
        self, dim: int, device: Device | None = None, dtype: torch.dtype | None = None, operations: Operations = nn
    ):
        super().__init__()
        self.cam_encoder = operations.Linear(POSE_NUMBERS, dim, device=device, dtype=dtype)
        self.projector = operations.Linear(dim, dim, device=device, dtype=dtype)

    def camera(self, poses: Tensor, like: Tensor) -> Tensor:
        """(trajectories, frames, 12) -> (trajectories, 2 * frames, dim), in the dtype and on the device of ``like``:
        the target's cameras for its own frames and for those of the source behind them."""
        seen = self.cam_encoder(poses.to(like))
        return torch.cat([seen, seen], dim=1)


class ReCapture(nn.Module):
    """All re-capture blocks of a model: ``blocks.N.{cam_encoder,projector}``."""

    def __init__(
        self,
        dim: int,
        depth: int,
        device: Device | None = None,
        dtype: torch.dtype | None = None,
        operations: Operations = nn,
    ):
        super().__init__()
        self.dim = dim
        self.blocks = Blocks(ReCaptureBlock(dim, device, dtype, operations) for _ in range(depth))
