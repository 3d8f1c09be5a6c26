"""The networks of the metrics: which file each needs, and the file's tensors put into it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from ...errors import UserError
from ..weights_files import State, WeightsFile, find_weights, missing

DIGEST_BYTES = 2**20

Network = TypeVar("Network", bound=nn.Module)


def _has(*names: str) -> Callable[[State], bool]:
    return lambda state: all(name in state for name in names)


CLIP = WeightsFile(
    "model.safetensors",
    605,
    "huggingface.co/openai/clip-vit-base-patch32",
    _has("visual_projection.weight", "text_projection.weight"),
)
INCEPTION = WeightsFile(
    "weights-inception-2015-12-05-6726825d.pth",
    95.5,
    "the release v0.2.0 of github.com/toshas/torch-fidelity",
    _has("Mixed_7c.branch_pool.conv.weight", "fc.weight"),
)
I3D = WeightsFile(
    "i3d_pretrained_400.pt",
    50.9,
    "github.com/songweige/TATS; i3d_torchscript.pt is a program and is not opened",
    _has("Mixed_5c.b3b.conv3d.weight", "logits.conv3d.weight"),
)
ALEXNET = WeightsFile(
    "alexnet-owt-7be5be79.pth",
    244.4,
    "download.pytorch.org/models",
    _has("features.10.weight", "classifier.6.weight"),
)


NETWORK_FILES = (
    ("CLIP-T, CLIP-F, CLIP-V", CLIP),
    ("FID", INCEPTION),
    ("FVD, FVD-V", I3D),
    ("LPIPS", ALEXNET),
)


class MissingFile(UserError):
    """A network's file is not there; the sentence says which, how large, where from and whereto."""


@dataclass
class Networks:
    """The networks of some folders, each read when it is first asked for and kept."""

    folders: Sequence[Path] = ()
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    tokenizers: Sequence[Path] = ()  # folders that may hold CLIP's vocab.json and merges.txt
    _found: dict[str, tuple[Path, State]] = field(default_factory=dict)
    _loaded: dict[str, nn.Module] = field(default_factory=dict)

    def find(self, file: WeightsFile, what: str) -> tuple[Path, State]:
        """Where a network's file is, and its tensors. Raises `MissingFile`, saying what needs it."""
        if file.name not in self._found:
            found = find_weights(file, self.folders)
            if found is None:
                raise MissingFile(missing(file, self.folders, what), field="metrics")
            self._found[file.name] = found
        return self._found[file.name]

    def get(self, file: WeightsFile, what: str, build: Callable[[State], Network]) -> Network:
        """The network, built of its file's tensors. Raises `MissingFile`, and UserError for tensors that do not fit."""
        if file.name not in self._loaded:
            path, state = self.find(file, what)
            try:
                network = build(state)
            except (RuntimeError, KeyError) as problem:
                reason = " ".join(str(problem).split())[:200]
                raise UserError(f"'{path.name}' does not fit the network of {what} ({reason}).") from problem
            self._loaded[file.name] = network.float().eval().requires_grad_(False).to(self.device)
        return self._loaded[file.name]  # type: ignore[return-value]  # what was built for this file

    def digest(self, file: WeightsFile, what: str) -> str:
        """What tells one file of a network from another: its size, beginning and end. Raises `MissingFile`."""
        path, _ = self.find(file, what)
        size = path.stat().st_size
        with open(path, "rb") as opened:
            known = hashlib.sha256(f"{size}".encode() + opened.read(DIGEST_BYTES))
            opened.seek(max(0, size - DIGEST_BYTES))
            known.update(opened.read())
        return known.hexdigest()[:16]


def load_strictly(network: Network, state: State) -> Network:
    """Every tensor has its place, and every place its tensor. Raises RuntimeError otherwise."""
    network.load_state_dict(dict(state), strict=True, assign=True)
    return network
