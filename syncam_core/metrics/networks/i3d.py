"""I3D (Carreira and Zisserman, arXiv 1705.07750) as the Fréchet Video Distance looks through it: 400 logits of Kinetics.

The names of the tensors are those of `i3d_pretrained_400.pt` (VideoGPT, TATS), which was converted from the network that
the distance was published with (Unterthiner et al., arXiv 1812.01717).
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from ...errors import UserError
from ..weights_files import State
from . import files
from .files import Networks, load_strictly

SIDE = 224  # pixels
FEWEST_FRAMES = 9  # the last pooling looks at two of what eight halves to one
CLASSES = 400
BLOCKS = {  # channels of b0, b1a, b1b, b2a, b2b, b3b
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
Three = tuple[int, int, int]


class I3D(nn.Module):
    """Clips -> logits. Channels of all layers are divided by `thinner` for tests."""

    def __init__(self, thinner: int = 1):
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64 // thinner, (7, 7, 7), (2, 2, 2))
        self.MaxPool3d_2a_3x3 = SamePool((1, 3, 3), (1, 2, 2))
        self.Conv3d_2b_1x1 = Unit(64 // thinner, 64 // thinner)
        self.Conv3d_2c_3x3 = Unit(64 // thinner, 192 // thinner, (3, 3, 3))
        self.MaxPool3d_3a_3x3 = SamePool((1, 3, 3), (1, 2, 2))
        pools = {
            "3c": ("MaxPool3d_4a_3x3", SamePool((3, 3, 3), (2, 2, 2))),
            "4f": ("MaxPool3d_5a_2x2", SamePool((2, 2, 2), (2, 2, 2))),
        }
        channels = 192
        for name, branches in BLOCKS.items():
            self.add_module(name, Block(channels // thinner, [width // thinner for width in branches]))
            channels = sum(branches[index] for index in (0, 2, 4, 5))
            if name[-2:] in pools:
                self.add_module(*pools[name[-2:]])
        self.logits = Unit(channels // thinner, CLASSES, is_last=True)

    def forward(
        self,
        clips: Tensor,  # (clips, 3, frames, 224, 224) in -1..1
    ) -> Tensor:  # (clips, 400)
        x = clips
        for name, layer in self.named_children():
            if name == "logits":
                x = nn.functional.avg_pool3d(x, (2, 7, 7), stride=1)
            x = layer(x)
        return x.mean((2, 3, 4))


class Unit(nn.Module):
    """Convolution, normalisation, ReLU; the last one of the network is a convolution with a bias alone."""

    def __init__(
        self, inputs: int, outputs: int, size: Three = (1, 1, 1), stride: Three = (1, 1, 1), is_last: bool = False
    ):
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, outputs, size, stride, bias=is_last)
        self.bn = None if is_last else nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv3d(padded_like_tensorflow(x, self.conv3d.kernel_size, self.conv3d.stride))
        return x if self.bn is None else self.bn(x).relu_()


class SamePool(nn.Module):
    def __init__(self, size: Three, stride: Three):
        super().__init__()
        self.size, self.stride = size, stride

    def forward(self, x: Tensor) -> Tensor:
        # Zeros are right: what is pooled comes from a ReLU.
        return nn.functional.max_pool3d(padded_like_tensorflow(x, self.size, self.stride), self.size, self.stride)


class Block(nn.Module):
    def __init__(self, inputs: int, widths: list[int]):
        super().__init__()
        self.b0 = Unit(inputs, widths[0])
        self.b1a, self.b1b = Unit(inputs, widths[1]), Unit(widths[1], widths[2], (3, 3, 3))
        self.b2a, self.b2b = Unit(inputs, widths[3]), Unit(widths[3], widths[4], (3, 3, 3))
        self.b3a, self.b3b = SamePool((3, 3, 3), (1, 1, 1)), Unit(inputs, widths[5])

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))], dim=1)


def padded_like_tensorflow(x: Tensor, size: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Zeros around so that the output is the input over the stride, rounded up; the odd one stands behind."""
    missing = [max(k - (n % s or s), 0) for n, k, s in zip(x.shape[2:], size, stride, strict=True)]
    pads = [(pad // 2, pad - pad // 2) for pad in reversed(missing)]
    return nn.functional.pad(x, [*itertools.chain.from_iterable(pads)])


def load_i3d(networks: Networks) -> I3D:
    """Raises `MissingFile`."""

    def build(state: State) -> I3D:
        with torch.device("meta"):
            network = I3D()
        counters = {
            f"{name}.num_batches_tracked" for name, of in network.named_modules() if isinstance(of, nn.BatchNorm3d)
        }
        zeros = {name: torch.zeros((), dtype=torch.long) for name in counters}  # the converted file has none
        return load_strictly(network, {**zeros, **state})

    return networks.get(files.I3D, "FVD", build)


@torch.no_grad()
def logits_of(
    network: I3D,
    clip: Tensor,  # (frames, 3, 224, 224) in 0..255
) -> Tensor:  # (400,)
    """Of one clip. Raises UserError below 9 frames, which the network's pooling brings to nothing."""
    if len(clip) < FEWEST_FRAMES:
        raise UserError(f"I3D looks at clips of {FEWEST_FRAMES} frames or more, but this one has {len(clip)}.")
    device = next(network.parameters()).device
    return network((clip.to(device) / 127.5 - 1).transpose(0, 1)[None])[0].float().cpu()
