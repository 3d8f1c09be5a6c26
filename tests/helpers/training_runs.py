"""Training runs in processes of their own: one that is killed again and again, the same left alone, some of two.

Started as a program, so that the processes it forks begin clean and at once: everything is imported, nothing has run.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from accelerate import debug_launcher
from tiny_training import lone_video, ring_scene, text_of, tiny_config

from syncam_core.datasets.footage import Kind
from syncam_core.training.config import Angles, Dropout, Mix, Objective, OptimizerConfig, TrainConfig
from syncam_core.training.loop import train

KILLS = 10


def scenes() -> list:
    return [
        *(ring_scene(f"ring{i}") for i in range(3)),
        *(ring_scene(f"pictures{i}", frames=1, kind=Kind.MULTI_VIEW_IMAGES) for i in range(2)),
        lone_video("video"),
    ]


def long_run(output: Path) -> TrainConfig:
    """All that has a state: both optimizers, averages, warm-up and decay, every kind of batch."""
    return tiny_config(
        output,
        steps=160,
        mix=(
            Mix(Kind.MULTI_VIEW_VIDEO, 0.6, scenes=2),
            Mix(Kind.MULTI_VIEW_IMAGES, 0.2, scenes=2),
            Mix(Kind.VIDEO, 0.2, scenes=2, views=1, view_sync=False),
        ),
        angles=(Angles(0, 0, 100), Angles(60, 60, 180)),
        dropout=Dropout(0.1, 0.1, 0.1),
        objective=Objective(stratified=True),
        optimizer=OptimizerConfig("muon", 1e-3, warmup_steps=20, decay_steps=40),
        ema_decay=0.95,
        log_every=3,
        checkpoint_every=4,
        workers=1,
    )


def shared_runs(output: Path) -> dict[str, TrainConfig]:
    """What several processes compute together."""
    mix = (Mix(Kind.MULTI_VIEW_VIDEO, 0.7, scenes=4), Mix(Kind.MULTI_VIEW_IMAGES, 0.3, scenes=4, views=3))
    plain = tiny_config("", mix=mix, ema_decay=0.9, dropout=Dropout(0.2, 0.2, 0.2), seed=3)
    with_alone = (replace(mix[0], share=0.5), Mix(Kind.VIDEO, 0.5, scenes=4, views=1, view_sync=False))
    runs = {
        "plain": plain,
        "accumulated": replace(plain, accumulate=2),
        "with_base_alone": replace(plain, mix=with_alone),
    }
    return {name: replace(run, output=str(output / name)) for name, run in runs.items()}


def killed_run(output: Path, seed: int) -> list[dict]:
    """Kill -9 at random moments of the run and of its start, then let it finish. Where each life began and ended."""
    draw, lives = random.Random(seed), []
    for _ in range(KILLS):
        lives.append({"began": lines(output)})
        child = os.fork()
        if child == 0:
            quietly(train, long_run(output))
        enough = lines(output) + draw.choice((0, 3, 6, 9, 12))
        while lines(output) < enough or not (output / "log.jsonl").exists():
            if os.waitpid(child, os.WNOHANG)[0]:
                raise RuntimeError("the run ended before it could be killed")
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.05))  # within a step, or while a checkpoint is written
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        lives[-1]["ended"] = lines(output)
        lives[-1]["unfinished"] = len(list(output.glob("unfinished-*")))
    finished_run(output)
    return lives


def finished_run(output: Path) -> None:
    child = os.fork()
    if child == 0:
        quietly(train, long_run(output))
    if os.waitpid(child, 0)[1]:
        raise RuntimeError("the run could not be finished")


def quietly(function, config: TrainConfig) -> None:
    """In a forked process: run, and leave without what the parent wanted to do."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        function(config, scenes(), text_of)
    except BaseException:
        os._exit(1)
    os._exit(0)


def lines(output: Path) -> int:
    log = output / "log.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def run_together(config: TrainConfig) -> None:
    train(config, scenes(), text_of)


if __name__ == "__main__":
    import torch._dynamo  # these two are what the first optimizer and the first log import: here once for all processes
    import torch.utils.tensorboard  # noqa: F401

    folder = Path(sys.argv[1])
    for run in shared_runs(folder / "together").values():
        debug_launcher(run_together, (run,), num_processes=2)
    lives = killed_run(folder / "killed", seed=20241210)
    finished_run(folder / "uninterrupted")
    print(json.dumps(lives))
