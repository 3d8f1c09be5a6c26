"""The training loop, through Hugging Face accelerate: one process or many, the same numbers.

A checkpoint is a folder that appears whole (written under another name, then renamed), so a run that was killed at any
moment goes on from the last one; since every draw depends on the step alone, it then repeats what was lost exactly.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, DistributedType
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from ..disk.staged import flush
from ..errors import UserError
from .batches import Batch, Batches
from .config import OptimizerConfig, TrainConfig
from .latent_cache import CachedScene
from .logs import append_lines, keep_lines_before
from .optimizers import Ema, build_optimizers
from .precision import warn_of_slow_bfloat16
from .trainee import ReCaptureTrainee, Trainee, build_trainee, matrices_of
from .validation import held_out_batches, validate

CHECKPOINT = "checkpoint-"


class NonFiniteLoss(RuntimeError):
    """The loss of a scene is infinite or no number; the message names it. Nothing was changed by its batch."""


def train(config: TrainConfig, scenes: list[CachedScene], text_of: Callable[[str], Tensor]) -> Path:
    """Train, or go on where the output folder's last checkpoint stands. Returns the output folder.

    `text_of` gives the embedding of a caption (words, text_dim). Raises UserError before the first step for what cannot
    work, NonFiniteLoss during training.
    """
    run = prepared(config, scenes, text_of)
    started = time.monotonic()
    recent: list[dict[str, float]] = []
    with tqdm(total=config.steps, initial=run.first, disable=not run.is_main, mininterval=1) as bar:
        for step, batch in enumerate(run.loader, start=run.first):
            pace = learning_pace(config.optimizer, step, config.steps)
            run.set_pace(pace)
            losses = one_step(
                run.accelerator, run.model, run.optimizers, batch.to(run.accelerator.device), config, step
            )
            if run.ema:
                run.ema.update(run.trainable, step)
            recent.append({"step": step, "loss": losses, **kind_of(batch)})
            done = step + 1
            is_last = done == config.steps
            spent = run.seconds + time.monotonic() - started
            saves = done % config.checkpoint_every == 0 or is_last
            if done % config.log_every == 0 or saves:  # what a checkpoint has behind it will not be computed again
                write_log(run.accelerator, run.log, recent, pace, spent)
                bar.set_postfix(loss=f"{sum(r['loss'] for r in recent) / len(recent):.4f}")
                recent = []
            measures = config.validation and (done % config.validation.every == 0 or is_last)
            if measures and run.is_main:  # the others wait at the next step
                report = run.validated(config, step, spent)
                bar.write(f"step {done}: " + ", ".join(f"{k} {v:.4f}" for k, v in report.items()))
            if saves:
                save_checkpoint(run.accelerator, config, run.output, done, spent, run.ema)
            bar.update()
    run.accelerator.end_training()
    return run.output


@dataclass
class Run:
    """All that a training holds, at the step where it begins or goes on."""

    accelerator: Accelerator
    model: torch.nn.Module  # the Trainee, as the accelerator wraps it
    optimizers: list[torch.optim.Optimizer]
    peaks: list[float]  # the learning rate of every group of the optimizers, in their order
    trainable: dict[str, torch.nn.Parameter]
    ema: Ema | None
    loader: Iterable[Batch]  # from step `first` on
    held_out: Batches | None  # for the validation
    output: Path
    first: int  # the step to begin with
    seconds: float  # spent before it

    @property
    def is_main(self) -> bool:
        return self.accelerator.is_main_process

    @property
    def log(self) -> Path:
        return self.output / "log.jsonl"

    def set_pace(self, pace: float) -> None:
        groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
        for group, peak in zip(groups, self.peaks, strict=True):
            group["lr"] = peak * pace

    def validated(self, config: TrainConfig, step: int, seconds: float) -> dict[str, float]:
        """The measures on the held-out scenes, which go into the logs, too."""
        assert self.held_out is not None
        report = validate(config, self.accelerator.unwrap_model(self.model), self.ema, self.held_out)
        append_lines(self.log, [{"step": step, "seconds": round(seconds), **report}])
        self.accelerator.log(report, step=step + 1)
        return report


def prepared(config: TrainConfig, scenes: list[CachedScene], text_of: Callable[[str], Tensor]) -> Run:
    """The model, its optimizers and its batches, from the last checkpoint of the output folder where there is one."""
    # batches of the base alone use no parameter of the module, which DDP takes for a mistake unless it is told
    has_unused = any(mix.share and not mix.view_sync for mix in config.mix)
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        gradient_accumulation_steps=config.accumulate,
        log_with="tensorboard",
        project_dir=config.output,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=has_unused)],
    )
    batches = Batches(config, scenes, text_of, accelerator.process_index, accelerator.num_processes)
    held_out = held_out_batches(config, text_of) if config.validation else None
    output = Path(config.output)
    last = last_checkpoint(output)
    if last is not None:
        check_same_run(config, last)
    torch.manual_seed(config.seed)
    trainee = build_trainee(config.model, config.objective).to(accelerator.device)
    warn_of_slow_bfloat16(accelerator.device, config.mixed_precision)
    check_distribution(config, accelerator)
    trainable = {name: p for name, p in trainee.named_parameters() if p.requires_grad}
    o, matrices = config.optimizer, matrices_of(trainee) if config.optimizer.name == "muon" else ()
    optimizers = build_optimizers(trainable, o.name, o.lr, o.weight_decay, o.muon_lr, o.betas, matrices)
    peaks = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    if config.compile != "no":
        trainee.base.compile_blocks(config.compile)
    model, *optimizers = accelerator.prepare(trainee, *optimizers)
    ema = Ema(trainable, config.ema_decay) if config.ema_decay else None
    first, seconds = load_checkpoint(accelerator, last, ema) if last is not None else (0, 0.0)
    loader = torch.utils.data.DataLoader(
        batches,
        batch_size=None,
        sampler=range(first, config.steps),
        num_workers=config.workers,
        prefetch_factor=4 if config.workers else None,
    )
    run = Run(accelerator, model, optimizers, peaks, trainable, ema, loader, held_out, output, first, seconds)
    if accelerator.is_main_process:
        output.mkdir(parents=True, exist_ok=True)
        remove_unfinished(output)
        keep_lines_before(run.log, first)
    accelerator.wait_for_everyone()
    accelerator.init_trackers("tensorboard")
    return run


def one_step(
    accelerator: Accelerator,
    model: torch.nn.Module,
    optimizers: list[torch.optim.Optimizer],
    batch: Batch,
    config: TrainConfig,
    step: int,
) -> float:
    """Gradients of a batch, in `accumulate` parts, and a step of every optimizer; the mean loss over all processes."""
    for optimizer in optimizers:
        optimizer.zero_grad()
    losses = []
    for index in range(config.accumulate):
        part = batch.part(index, config.accumulate)
        with accelerator.accumulate(model):  # gradients are exchanged after the last part, and divided by the parts
            with accelerator.autocast():
                loss = model(part)
            check_finite(accelerator, loss, part.names, step)
            accelerator.backward(loss.mean())
        losses.append(loss.detach())
    norm = accelerator.clip_grad_norm_(model.parameters(), config.optimizer.clip_norm or math.inf)
    # scaled gradients (fp16) may overflow, then the scaler skips the step
    if norm is not None and accelerator.scaler is None and not math.isfinite(norm):
        raise NonFiniteLoss(_not_finite("gradients", f"of {_listed(batch.names)}", step))
    for optimizer in optimizers:
        optimizer.step()
    return accelerator.gather(torch.cat(losses)).mean().item()


def check_finite(accelerator: Accelerator, loss: Tensor, names: tuple[str, ...], step: int) -> None:
    """Every process learns of it, so that none waits for the others for ever."""
    broken = ~torch.isfinite(loss.detach())
    if not accelerator.gather(broken).any():
        return
    here = [name for name, bad in zip(names, broken.tolist(), strict=True) if bad]
    where = f"of {_listed(here)}" if here else "in another process (its message names the scene)"
    raise NonFiniteLoss(_not_finite("loss", where, step))


def _not_finite(what: str, where: str, step: int) -> str:
    return (
        f"the {what} {where} at step {step}: not a finite number; look at that footage or leave it out, lower the "
        "learning rate, or go on from the last checkpoint with another seed."
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))


def learning_pace(o: OptimizerConfig, step: int, steps: int) -> float:
    """Warm-up from zero, constant, then a straight line down to `final`."""
    rise = min(1.0, (step + 1) / (o.warmup_steps + 1))
    into = step - (steps - o.decay_steps)
    fall = 1.0 if into < 0 else 1 + (o.final - 1) * into / max(o.decay_steps, 1)
    return rise * fall


def kind_of(batch: Batch) -> dict[str, int | bool]:
    views = len(batch.latents) // len(batch.names)
    return {"views": views, "latent_frames": batch.latents.shape[2], "view_sync": batch.view_sync}


def check_distribution(config: TrainConfig, accelerator: Accelerator) -> None:
    shards = accelerator.distributed_type in (DistributedType.FSDP, DistributedType.DEEPSPEED)
    if shards and config.optimizer.name == "muon":
        raise UserError("'optimizer.name' is muon, which needs whole matrices; use adamw with FSDP or DeepSpeed.")
    if shards and config.ema_decay:
        raise UserError("'ema_decay' needs whole parameters; set it to 0 with FSDP or DeepSpeed.", field="ema_decay")
    if shards and config.validation:
        raise UserError("'validation' needs whole parameters; leave it out with FSDP or DeepSpeed.", field="validation")


def checkpoints(output: Path) -> list[Path]:
    """Those of the run, the last one last; what people put beside them under other names is theirs."""
    found = [p for p in output.glob(f"{CHECKPOINT}*") if p.name.removeprefix(CHECKPOINT).isdecimal()]
    return sorted(found, key=lambda p: int(p.name.removeprefix(CHECKPOINT)))


def last_checkpoint(output: Path) -> Path | None:
    return next(reversed(checkpoints(output)), None)


def check_same_run(config: TrainConfig, checkpoint: Path) -> None:
    told = json.loads((checkpoint / "progress.json").read_text(encoding="utf-8"))
    if told["config"] != config.fingerprint():
        raise UserError(
            f"'output' is {config.output}, which holds a run with another configuration; choose another folder, or "
            "take back what was changed (data, mix, model, optimizer, ... decide the weights; 'steps' may grow).",
            field="output",
        )
    planned = told.get("steps", config.steps)
    decay_begins = min(planned, config.steps) - config.optimizer.decay_steps
    if planned != config.steps and told["step"] > decay_begins:
        raise UserError(
            f"'steps' is {config.steps}, but the run in {config.output} was planned for {planned} and its learning rate "
            f"already falls (step {told['step']}); go on with {planned} steps, or begin another run from its weights.",
            field="steps",
        )


def save_checkpoint(
    accelerator: Accelerator, config: TrainConfig, output: Path, done: int, seconds: float, ema: Ema | None
) -> None:
    whole = output / f"{CHECKPOINT}{done:08d}"
    part = output / f"unfinished-{done:08d}"
    accelerator.wait_for_everyone()
    accelerator.save_state(str(part))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        if ema:
            save_file(ema.values, part / "ema.safetensors")
        progress = {"step": done, "seconds": seconds, "steps": config.steps, "config": config.fingerprint()}
        (part / "progress.json").write_text(json.dumps(progress), encoding="utf-8")
        for file in part.rglob("*"):
            if file.is_file():
                flush(file)
        if whole.exists():
            shutil.rmtree(whole)
        os.replace(part, whole)
        for folder in checkpoints(output)[: -config.keep_checkpoints]:
            shutil.rmtree(folder, ignore_errors=True)
    accelerator.wait_for_everyone()


def load_checkpoint(accelerator: Accelerator, folder: Path, ema: Ema | None) -> tuple[int, float]:
    accelerator.load_state(str(folder))
    progress = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
    if ema:
        saved = load_file(folder / "ema.safetensors")
        ema.values = {name: saved[name].to(value.device) for name, value in ema.values.items()}
    return progress["step"], progress["seconds"]


def remove_unfinished(output: Path) -> None:
    for folder in output.glob("unfinished-*"):
        shutil.rmtree(folder, ignore_errors=True)


def write_log(
    accelerator: Accelerator, log: Path, recent: Sequence[Mapping[str, float]], pace: float, seconds: float
) -> None:
    if not accelerator.is_main_process:
        return
    append_lines(log, recent)
    accelerator.log(
        {"loss": sum(r["loss"] for r in recent) / len(recent), "pace": pace, "seconds": seconds},
        step=recent[-1]["step"] + 1,
    )


def trained_parameters(config: TrainConfig, checkpoint: Path) -> tuple[Trainee | ReCaptureTrainee, int]:
    """The model of a checkpoint, with the averaged parameters where there are any, and its step."""
    torch.manual_seed(config.seed)
    trainee = build_trainee(config.model, config.objective)
    trainee.load_state_dict(load_file(checkpoint / "model.safetensors"))
    if (checkpoint / "ema.safetensors").exists():
        trainee.load_state_dict(load_file(checkpoint / "ema.safetensors"), strict=False)
    return trainee, json.loads((checkpoint / "progress.json").read_text(encoding="utf-8"))["step"]
