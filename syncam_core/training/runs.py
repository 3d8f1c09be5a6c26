"""Around a training run: its data as a whole before the first step, its results as files afterwards."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..disk.checkpoint import open_state_dict
from ..disk.module_file import file_sha256
from ..disk.staged import staged_file
from ..errors import UserError
from .caching import read_vae
from .config import ModelConfig, TrainConfig
from .export import export_base, export_demo_text_encoder, export_full, export_recapture, export_view_sync
from .latent_cache import CachedScene, TextCache, open_cache
from .loop import last_checkpoint, trained_parameters
from .trainee import ReCaptureTrainee, Trainee

DATA_FILE = "data.json"


@dataclass(frozen=True, eq=False)
class RunData:
    scenes: list[CachedScene]
    text_of: Callable[[str], Tensor]
    sha256: str  # of what the scenes and captions are, wherever they lie


def open_data(config: TrainConfig) -> RunData:
    """The caches of a run, held against each other and against the model. Raises UserError before hours are lost."""
    scenes = [scene for folder in config.data for scene in open_cache(folder, config.in_memory)]
    if not scenes:
        raise UserError("'data' is empty; give at least one folder of cached latents.", field="data")
    held_out = open_cache(config.validation.cache) if config.validation else []
    for scene in (*scenes, *held_out):
        if scene.encoder_id != scenes[0].encoder_id:
            raise UserError(
                f"{scene.name!r} in '{scene.path.parent}' was encoded by another autoencoder than {scenes[0].name!r} "
                f"in '{scenes[0].path.parent}'; build both caches with the same file."
            )
    encoder = text_encoder_id(config.text)
    cache = TextCache(config.text)
    captions = {scene.caption for scene in (*scenes, *held_out)} | ({""} if config.dropout.caption else set())
    for caption in sorted(captions):
        if not cache.path(caption, encoder).is_file():
            raise UserError(f"the caption {caption[:80]!r} is not in '{config.text}'; build the cache again.")
    words = cache.load(min(captions), encoder)
    if words.shape[1] != text_dim(config.model):
        raise UserError(
            f"the captions in '{config.text}' are {words.shape[1]} wide, but the base reads {text_dim(config.model)}; "
            "encode them with the base's own text encoder."
        )

    @lru_cache(maxsize=None if config.in_memory else 64)
    def text_of(caption: str) -> Tensor:
        return cache.load(caption, encoder)

    return RunData(scenes, text_of, data_sha256(scenes, encoder))


def data_sha256(scenes: Sequence[CachedScene], text_encoder: str) -> str:
    digest = hashlib.sha256(text_encoder.encode())
    for scene in scenes:
        told = (scene.name, str(scene.kind), scene.caption, scene.fingerprints, scene.encoder_id, str(scene.dtype))
        digest.update(repr(told).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def text_encoder_id(folder: str) -> str:
    """Of the encoder that filled a text cache. Raises UserError unless it is one."""
    found = set()
    for path in Path(folder).glob("*.safetensors"):
        try:
            with safe_open(path, framework="pt") as file:
                found.add(json.loads(file.metadata()["syncam"])["encoder_id"])
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            raise UserError(f"'{path}' is no file of the text cache; delete it and build the cache again.") from None
    if len(found) != 1:
        what = f"text of {len(found)} encoders ({', '.join(sorted(found))})" if found else "no text"
        raise UserError(f"'{folder}' holds {what}; one text encoder's is needed.")
    return found.pop()


def text_dim(config: ModelConfig) -> int:
    """How wide a caption's vectors must be. Raises UserError for a file that is no base."""
    if not config.base:
        return config.sizes.text_dim
    try:
        state, _ = open_state_dict(Path(config.base))
    except OSError as problem:
        raise UserError(f"'{config.base}' cannot be read: {problem.strerror or problem}.") from None
    if "text_embedding.0.weight" not in set(state):
        raise UserError(f"'{config.base}' is no Wan2.1 text-to-video model.")
    return state["text_embedding.0.weight"].shape[1]


def claim(config: TrainConfig, data: RunData, is_main: bool) -> None:
    """Note in the output folder what is trained on. Raises UserError where a run there has begun with other data."""
    file = Path(config.output) / DATA_FILE
    if file.exists() and last_checkpoint(Path(config.output)) is not None:
        if json.loads(file.read_text(encoding="utf-8"))["sha256"] != data.sha256:
            raise UserError(
                f"'output' is {config.output}, whose run began with other data; choose another folder, and go on from "
                f"its weights with 'model.{'recapture' if config.model.train == 'recapture' else 'view_sync'}'.",
                field="output",
            )
    elif is_main:
        file.parent.mkdir(parents=True, exist_ok=True)
        about = {"sha256": data.sha256, "scenes": len(data.scenes)}
        with staged_file(file) as part:
            part.write_text(json.dumps(about) + "\n", encoding="utf-8")


class WrittenFile(TypedDict):
    bytes: int
    sha256: str


class Exported(TypedDict):
    """What made the files of a run, as their JSON says it."""

    steps: int
    seconds: int
    config: str  # fingerprint
    data_sha256: str | None
    seed: int
    dtype: str
    files: dict[str, WrittenFile]  # by name


def export_run(
    config: TrainConfig, module: Path | None, base: Path | None = None, full: Path | None = None
) -> Exported:
    """Write the last checkpoint's weights (averaged, where the run averages) as files that people load; `module` is that
    of view sync or, where it was trained, of re-capture.

    Beside the first of them a JSON of the same name says what made them; it is returned. Raises UserError.
    """
    output = Path(config.output)
    checkpoint = last_checkpoint(output)
    if checkpoint is None:
        raise UserError(f"'output' is {config.output}, which holds no checkpoint; train first.", field="output")
    gather_shards(checkpoint)
    trainee, step = trained_parameters(config, checkpoint)
    progress = json.loads((checkpoint / "progress.json").read_text(encoding="utf-8"))
    data = output / DATA_FILE
    about: Exported = {
        "steps": step,
        "seconds": round(progress["seconds"]),
        "config": progress["config"],
        "data_sha256": json.loads(data.read_text(encoding="utf-8"))["sha256"] if data.exists() else None,
        "seed": config.seed,
        "dtype": config.save_dtype,
        "files": {},
    }
    source = (
        f"ComfyUI-SynCam training: {about['steps']} steps, {about['seconds']} s, config {about['config']}, "
        f"data {str(about['data_sha256'])[:16]}"
    )
    dtype = getattr(torch, config.save_dtype)
    written = []
    if module and isinstance(trainee, ReCaptureTrainee):
        written.append(export_recapture(trainee, module, dtype, source))
    elif module and isinstance(trainee, Trainee):
        written.append(export_view_sync(trainee, module, dtype, source))
    if base:
        written.append(export_base(trainee, base, dtype))
    if full and isinstance(trainee, Trainee):
        written.append(export_full(trainee, full, dtype))
    about["files"] = {path.name: {"bytes": path.stat().st_size, "sha256": file_sha256(path)} for path in written}
    written[0].with_suffix(".json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return about


def export_demo(config: TrainConfig, vae: Path, folder: Path) -> Exported:
    """The four files that the SynCamDemoModel node loads, in float16, and beside them what made them: the JSON of
    `export_run` and the logs. `vae` is the file that `train_vae` leaves, with its log. Raises UserError."""
    autoencoder = read_vae(str(vae))
    config = dataclasses.replace(config, save_dtype="float16")
    about = export_run(config, folder / "syncam_demo_view_sync.safetensors", folder / "syncam_demo_base.safetensors")
    halves = {key: value.to(torch.float16).contiguous() for key, value in autoencoder.state_dict().items()}
    save_file(halves, folder / "syncam_demo_vae.safetensors")
    export_demo_text_encoder(folder / "syncam_demo_text_encoder.safetensors")
    for log, name in ((Path(config.output) / "log.jsonl", "training_log"), (vae.parent / "vae_log.jsonl", "vae_log")):
        if log.exists():
            lines = log.read_bytes()
            (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(lines, mtime=0))
    return about


def gather_shards(checkpoint: Path) -> None:
    """Make the one weights file of a checkpoint that FSDP or DeepSpeed wrote in parts."""
    whole = checkpoint / "model.safetensors"
    if whole.exists():
        return
    if (checkpoint / "pytorch_model_fsdp_0").is_dir():
        from accelerate.utils import merge_fsdp_weights

        merge_fsdp_weights(str(checkpoint / "pytorch_model_fsdp_0"), str(checkpoint))
    elif (checkpoint / "pytorch_model").is_dir():
        from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint

        state = get_fp32_state_dict_from_zero_checkpoint(str(checkpoint), tag="pytorch_model")
        save_file({key: value.contiguous() for key, value in state.items()}, whole)
    if not whole.exists():
        raise UserError(f"'{checkpoint}' holds no weights that can be exported.")
