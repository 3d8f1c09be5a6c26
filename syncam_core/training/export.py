"""From a checkpoint of a training run to the files that people load."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from ..recapture.weights import SELF_ATTENTION, ReCaptureWeights, write_recapture_weights
from ..synthetic.text import word_vectors
from ..view_sync.weights import ViewSyncWeights, write_weights
from .trainee import ReCaptureTrainee, Trainee

LICENSE_NOTE = "Trained with ComfyUI-SynCam; the licence is up to whoever trained it."


def export_view_sync(trainee: Trainee, path: Path, dtype: torch.dtype, source: str, license_note: str = "") -> Path:
    """The small file that SynCamLoadWeights reads."""
    tensors = {key: value.detach().cpu() for key, value in trainee.view_sync.state_dict().items()}
    weights = ViewSyncWeights(tensors, trainee.view_sync.dim, len(trainee.view_sync.blocks), {})
    return write_weights(
        weights, path, source=source, dtype=dtype, overwrite=True, license_note=license_note or LICENSE_NOTE
    )


def export_recapture(trainee: ReCaptureTrainee, path: Path, dtype: torch.dtype, source: str) -> Path:
    """The small file of re-capture that SynCamLoadWeights reads, self-attention in it."""
    own = {key: value for key, value in trainee.base.state_dict().items() if SELF_ATTENTION in key}
    tensors = {key: value.detach().cpu() for key, value in {**trainee.recapture.state_dict(), **own}.items()}
    weights = ReCaptureWeights(tensors, trainee.recapture.dim, len(trainee.recapture.blocks), {})
    return write_recapture_weights(weights, path, source=source, dtype=dtype, overwrite=True, license_note=LICENSE_NOTE)


def export_base(trainee: Trainee | ReCaptureTrainee, path: Path, dtype: torch.dtype) -> Path:
    """The transformer for the host's stock loader; what it cannot tell from the shapes stands in the metadata."""
    tensors = {key: value.detach().cpu().to(dtype).contiguous() for key, value in trainee.base.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, _base_metadata(trainee))
    return path


def _base_metadata(trainee: Trainee | ReCaptureTrainee) -> dict[str, str]:
    config = trainee.base.config
    return {"config": json.dumps({"transformer": {"num_heads": config.num_heads, "text_dim": config.text_dim}})}


def export_demo_text_encoder(path: Path, dtype: torch.dtype = torch.float16) -> Path:
    """The demo world's word vectors as a one-layer umT5 encoder whose layer adds nothing to them."""
    vectors = word_vectors()
    dim = vectors.shape[1]
    block = "encoder.block.0.layer"
    shapes = {f"{block}.0.SelfAttention.{part}.weight": (dim, dim) for part in "qkvo"}
    shapes[f"{block}.0.SelfAttention.relative_attention_bias.weight"] = (32, 4)
    shapes |= {f"{block}.1.DenseReluDense.{part}.weight": (dim, dim) for part in ("wi_0", "wi_1", "wo")}
    tensors = {key: torch.zeros(shape) for key, shape in shapes.items()}
    norms = (f"{block}.0.layer_norm", f"{block}.1.layer_norm", "encoder.final_layer_norm")
    tensors |= {f"{norm}.weight": torch.ones(dim) for norm in norms}
    tensors["shared.weight"] = vectors
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: tensor.to(dtype) for key, tensor in tensors.items()}, path)
    return path


def export_full(trainee: Trainee, path: Path, dtype: torch.dtype) -> Path:
    """One checkpoint in the authors' layout: base and view-sync tensors side by side, without a wrapper."""
    state = {**trainee.base.state_dict(), **trainee.view_sync.state_dict()}
    tensors = {key: value.detach().cpu().to(dtype).contiguous() for key, value in state.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file(tensors, path, _base_metadata(trainee))
    else:
        torch.save(tensors, path)
    return path
