"""Inception-v3 as the Fréchet Inception Distance looks through it: TensorFlow's network of 2015-12-05, 2048 numbers.

It is torchvision's with the pooling of TensorFlow: means that do not count what is beyond the edge and, in the last block,
the largest in place of the mean; pictures are resized as TensorFlow 1 did (both as in torch-fidelity and pytorch-fid).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..weights_files import State
from .files import INCEPTION, Networks, load_strictly

SIDE = 299  # pixels
CLASSES = 1008
MEAN_POOLED = ("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e", "Mixed_7b")
LARGEST_POOLED = "Mixed_7c"


class FidInception(nn.Module):
    """Pictures -> features."""

    def __init__(self) -> None:
        from torchvision.models import Inception3  # ComfyUI brings it

        super().__init__()
        network = Inception3(num_classes=CLASSES, aux_logits=False, transform_input=False, init_weights=False)
        for name, layer in network.named_children():
            if name not in ("fc", "dropout", "avgpool"):
                self.add_module(name, layer)
        for name in MEAN_POOLED:
            _pool_before(getattr(self, name), lambda x: functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False))
        _pool_before(getattr(self, LARGEST_POOLED), lambda x: functional.max_pool2d(x, 3, 1, 1))

    def forward(
        self,
        pictures: Tensor,  # (pictures, 3, height, width) in 0..255
    ) -> Tensor:  # (pictures, 2048)
        x = (resized_like_tensorflow(pictures, SIDE) - 128) / 128
        for layer in self.children():
            x = layer(x)
        return x.mean((2, 3))


class _Pooled(nn.Module):
    """A branch's layer behind a pooling of ours: torchvision's own, of which it is handed the input, is left out."""

    def __init__(self, layer: nn.Module, pool: Callable[[Tensor], Tensor]):
        super().__init__()
        self.conv, self.bn = layer.get_submodule("conv"), layer.get_submodule("bn")
        self.pool = pool
        self.seen: Tensor | None = None

    def forward(self, _: Tensor) -> Tensor:
        assert self.seen is not None
        x, self.seen = self.seen, None
        return functional.relu(self.bn(self.conv(self.pool(x))))


def _pool_before(block: nn.Module, pool: Callable[[Tensor], Tensor]) -> None:
    branch = _Pooled(block.get_submodule("branch_pool"), pool)
    block.branch_pool = branch
    block.register_forward_pre_hook(lambda _, inputs: setattr(branch, "seen", inputs[0]))


def resized_like_tensorflow(
    pictures: Tensor,  # (pictures, channels, height, width)
    side: int,
) -> Tensor:  # (pictures, channels, side, side)
    """Bilinear between the four pixels at and behind i height / side, as tf.image.resize_bilinear of TensorFlow 1 has
    it: neither smoothed nor centred."""

    def along(x: Tensor, axis: int) -> Tensor:
        size = x.shape[axis]
        # single precision, as there: 299ths round to other pixels otherwise
        place = torch.arange(side, dtype=torch.float32, device=x.device) * torch.tensor(
            size / side, dtype=torch.float32
        )
        low = place.long()
        share = (place - low).view([-1 if a == axis else 1 for a in range(x.ndim)])
        lower, higher = x.index_select(axis, low), x.index_select(axis, (low + 1).clamp_max(size - 1))
        return lower + (higher - lower) * share

    return along(along(pictures.float(), 3), 2)


def load_inception(networks: Networks) -> FidInception:
    """Raises `MissingFile`."""

    def build(state: State) -> FidInception:
        network = FidInception()
        counters = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
        own = {name: tensor for name, tensor in state.items() if not name.startswith(("fc.", "AuxLogits."))}
        return load_strictly(network, {**counters, **own})

    return networks.get(INCEPTION, "FID", build)


@torch.no_grad()
def features_of(
    network: FidInception,
    pictures: list[np.ndarray],  # (height, width, 3) uint8 each, of one size
) -> Tensor:  # (pictures, 2048)
    device = next(network.parameters()).device
    batch = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return network(batch.to(device)).float().cpu()
