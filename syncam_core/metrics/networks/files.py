"""Which weights files there are, where people get them, and how one is found and opened.

A file is told by the names of its tensors, whatever it is called. Nothing in it is run (`disk/checkpoint.py`): a TorchScript
archive holds a program, so it is refused, though the field hands I3D around in that form, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from ...disk.checkpoint import WeightsError, open_state_dict
from ...disk.names import natural
from ...errors import UserError

FOLDER = "syncam_metrics"  # the key of the model folder
SUFFIXES = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")
MOST_FILES = 200
DIGEST_BYTES = 2**20

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class NetworkFile:
    """One network's file: its usual name, its size, where it is published, and tensors that only it has."""

    what: str
    name: str
    megabytes: float
    source: str
    marks: tuple[str, ...]

    def sentence(self, folders: Sequence[Path]) -> str:
        """What is missing, as one sentence."""
        where = f"'{folders[0]}'" if folders else f"the model folder '{FOLDER}'"
        return (
            f"{self.what} needs the file '{self.name}' ({self.megabytes:g} MB, from {self.source}) in {where}, under any "
            "name; no file there has its tensors."
        )


FILES: Mapping[str, NetworkFile] = {
    "clip": NetworkFile(
        "CLIP",
        "model.safetensors",
        605,
        "huggingface.co/openai/clip-vit-base-patch32",
        ("visual_projection.weight", "text_projection.weight"),
    ),
    "inception": NetworkFile(
        "Inception (FID)",
        "weights-inception-2015-12-05-6726825d.pth",
        95.5,
        "github.com/toshas/torch-fidelity, release v0.2.0",
        ("Mixed_7c.branch_pool.conv.weight", "fc.weight"),
    ),
    "i3d": NetworkFile(
        "I3D (FVD)",
        "i3d_pretrained_400.pt",
        50.8,
        "github.com/songweige/TATS or github.com/wilson1yan/VideoGPT",
        ("Mixed_5c.b3b.conv3d.weight", "logits.conv3d.weight"),
    ),
    "alexnet": NetworkFile(
        "AlexNet (LPIPS)",
        "alexnet-owt-7be5be79.pth",
        244,
        "download.pytorch.org/models",
        ("features.0.weight", "classifier.6.weight"),
    ),
}


class MissingFile(UserError):
    """A network's file is not there; the sentence says which, how large, where from and whereto."""


@dataclass
class Networks:
    """The networks of some folders, each read when it is first asked for and kept."""

    folders: Sequence[Path] = ()
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    tokenizers: Sequence[Path] = ()  # folders that may hold CLIP's vocab.json and merges.txt
    _found: dict[str, Path] = field(default_factory=dict)
    _loaded: dict[str, nn.Module] = field(default_factory=dict)

    def path(self, key: str) -> Path:
        """Where a network's file is. Raises `MissingFile`."""
        if key not in self._found:
            file, refused = FILES[key], []
            for path in files_of(self.folders):
                try:
                    state, _ = open_state_dict(path, before_1_6=True)
                except (WeightsError, OSError) as problem:
                    refused.append(f" ({problem})" if is_torchscript(path) else "")
                    continue
                if all(mark in state for mark in file.marks):
                    self._found[key] = path
                    break
            else:
                raise MissingFile(file.sentence(self.folders) + "".join(refused))
        return self._found[key]

    def has(self, key: str) -> bool:
        try:
            return bool(self.path(key))
        except MissingFile:
            return False

    def get(self, key: str, build: Callable[[Mapping[str, Tensor]], Network]) -> Network:
        """The network, built of its file's tensors. Raises `MissingFile`, and UserError for tensors that do not fit."""
        if key not in self._loaded:
            path = self.path(key)
            state, _ = open_state_dict(path, before_1_6=True)
            try:
                network = build(state)
            except (RuntimeError, KeyError) as problem:
                reason = " ".join(str(problem).split())[:200]
                raise UserError(f"'{path.name}' is no {FILES[key].what} that is known here ({reason}).") from problem
            self._loaded[key] = network.float().eval().requires_grad_(False).to(self.device)
        return self._loaded[key]  # type: ignore[return-value]  # what was built under this key

    def digest(self, key: str) -> str:
        """What tells one file of a network from another: its size, beginning and end."""
        path = self.path(key)
        size = path.stat().st_size
        with open(path, "rb") as file:
            known = hashlib.sha256(f"{size}".encode() + file.read(DIGEST_BYTES))
            file.seek(max(0, size - DIGEST_BYTES))
            known.update(file.read())
        return known.hexdigest()[:16]


def files_of(folders: Sequence[Path]) -> list[Path]:
    """The weights files of some folders and of those below them, in natural order."""
    found = [path for folder in folders for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES]
    return sorted((path for path in found[:MOST_FILES] if path.is_file()), key=natural)


def is_torchscript(path: Path) -> bool:
    """Whether a file is a program with weights in it, as torch.jit.save writes it."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def load_strictly(network: Network, state: Mapping[str, Tensor]) -> Network:
    """Every tensor has its place, and every place its tensor. Raises RuntimeError otherwise."""
    network.load_state_dict(dict(state), strict=True, assign=True)
    return network
