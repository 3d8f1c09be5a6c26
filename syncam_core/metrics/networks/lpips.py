"""LPIPS (Zhang et al., arXiv 1801.03924), version 0.1 on AlexNet.

The backbone is torchvision's; the 1152 weights of the heads are the authors' and come with this pack (BSD-2, their
copyright stands in the file's metadata).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...disk.checkpoint import open_state_dict
from ..pictures import check_size
from ..weights_files import State
from .files import ALEXNET, Networks, load_strictly

HEADS = Path(__file__).with_name("lpips_alex_v0.1.safetensors")
MEAN, STD = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of pictures in -1..1
TAPS = (1, 4, 7, 9, 11)  # AlexNet's five ReLUs
EPSILON = 1e-10
LEAST_SIDE = 31  # pixels: below, AlexNet's second pooling has nothing left


class Lpips(nn.Module):
    """Two pictures -> their distance, 0 for equal ones."""

    mean: Tensor
    std: Tensor

    def __init__(self, features: nn.Sequential, heads: State):
        super().__init__()
        self.features = features
        self.heads = nn.ParameterList([heads[f"lin{number}.model.1.weight"] for number in range(len(TAPS))])
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(
        self, pictures: Tensor, others: Tensor
    ) -> Tensor:  # both (pairs, 3, height, width) in -1..1 -> (pairs,)
        x = (torch.cat([pictures, others]) - self.mean) / self.std
        distance = torch.zeros(len(pictures), device=x.device)
        for index, layer in enumerate(self.features.children()):
            x = layer(x)
            if index in TAPS:
                unit = x / (x.square().sum(1, keepdim=True).sqrt() + EPSILON)
                first, second = unit.chunk(2)
                weighted = nn.functional.conv2d((first - second).square(), self.heads[TAPS.index(index)])
                distance = distance + weighted.mean((1, 2, 3))
        return distance


def load_lpips(networks: Networks) -> Lpips:
    """Raises `MissingFile`."""

    def build(state: State) -> Lpips:
        from torchvision.models import alexnet

        with torch.device("meta"):
            network = alexnet(weights=None)
        features = load_strictly(network, state).features[: TAPS[-1] + 1]
        for layer in features:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # what is tapped must stay
        return Lpips(features, open_state_dict(HEADS)[0])

    return networks.get(ALEXNET, "LPIPS", build)


@torch.no_grad()
def lpips_of(network: Lpips, picture: np.ndarray, other: np.ndarray) -> float:  # both (height, width, 3) uint8
    """Raises UserError for pictures that are too small for AlexNet."""
    check_size("LPIPS", picture, LEAST_SIDE)
    device = network.mean.device
    pair = torch.from_numpy(np.stack([picture, other])).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
    return float(network(pair[:1], pair[1:]))
