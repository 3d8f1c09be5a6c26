"""One process of several, as torchrun would start it: samples of a small random model, held against one process."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from types import SimpleNamespace

import torch
from tiny_training import random_wan, relative_error

from syncam_core.parallel.__main__ import main as parallel_main
from syncam_core.parallel.distributed import LOST, ProcessExchange, joined
from syncam_core.parallel.exchange import PeerLost
from syncam_core.parallel.headless import ParallelBase, team_of
from syncam_core.parallel.plan import planned
from syncam_core.training.config import Objective
from syncam_core.training.sample import sample
from syncam_core.training.trainee import Trainee
from syncam_core.view_sync.coupling import groups_of

CASES = [  # views, frames, coupling, split
    (2, 5, "joint", "views"),
    (3, 7, "joint", "views"),
    (4, 5, "anchor", "views"),
    (5, 3, "nearest", "views"),
    (4, 5, "routed", "views"),
    (3, 5, "joint", "auto"),
]
SIZE, STEPS = (4, 6), 2


def command(*arguments: str) -> int:
    """``python -m syncam_core.parallel``."""
    return parallel_main(list(arguments))


def program(what: str) -> int:
    """ "equal" prints a JSON line of relative errors and of the bytes that were sent; "killed" ends the second process by a
    signal in mid-sampling, "silent" stops it there. The exit code, as of a program."""
    try:
        return main(what)
    except PeerLost as problem:
        print(f"{problem}; this one ends, too.", file=sys.stderr)
        return LOST


def refused_while_others_join() -> int:
    """What all are given is refused, by the first process at once, while the others are slow to join. The exit code."""
    from syncam_core.errors import UserError
    from syncam_core.parallel import distributed

    made, store = [], distributed.TCPStore

    def slow(*given, **named):
        if made and os.environ["RANK"] != "0":
            time.sleep(1)
        made.append(given)
        return store(*given, **named)

    distributed.TCPStore = slow
    try:
        with joined():
            if os.environ["RANK"] != "0":
                time.sleep(0.5)
            raise UserError("no such rig.")
    except UserError as problem:
        print(problem, file=sys.stderr)
        return 2


def main(what: str) -> int:
    torch.set_num_threads(1)
    trainee = Trainee(*random_wan()[1:], Objective())
    text, negative = torch.randn(1, 4, 12, generator=generator(1)), torch.randn(4, 12, generator=generator(2))
    report = []
    with joined():
        everyone = ProcessExchange()
        for views, frames, coupling, split in CASES if what == "equal" else CASES[:1]:
            poses = torch.randn(1, views, frames, 12, generator=generator(3))
            plan = planned(2, views, everyone.size, split)
            base = ParallelBase(trainee.base, plan, everyone.rank, team_of(plan, everyone.rank), everyone, coupling)
            settings = {"size": SIZE, "seeds": [5], "steps": STEPS, "guidance": 5.0, "mixed_precision": False}

            def strike(done: int, total: int) -> None:
                if what == "killed" and everyone.rank == 1:
                    os.kill(os.getpid(), signal.SIGKILL)
                if what == "silent" and everyone.rank == 1:
                    os.kill(os.getpid(), signal.SIGSTOP)

            got = sample(trainee, text, negative, poses, model=base, progress=strike, **settings)
            one = alone(trainee, text, negative, poses, coupling, settings)
            report.append([relative_error(got, one), base.team.bytes_sent])
    print(json.dumps(report))
    return 0


def alone(trainee, text, negative, poses, coupling, settings):
    """The same by one process: its own plan of one device, but for joint, which is the plain sampler's."""
    if coupling == "joint":
        return sample(trainee, text, negative, poses, **settings)
    return sample(trainee, text, negative, poses, model=Coupled(trainee, coupling), **settings)


class Coupled:
    """Each block adds what its groups give, by the module's own in-place form for inference."""

    def __init__(self, trainee: Trainee, coupling: str):
        self.trainee, self.coupling, self.forwards = trainee, coupling, 0

    def __call__(self, x, timestep, context, view_sync, poses, attention, view_attention=None):
        groups = groups_of(self.coupling, poses[0], 2, self.forwards, 0)
        self.forwards += 1

        beside = SimpleNamespace(blocks=[plain(block, groups) for block in view_sync.blocks])
        return self.trainee.base(x, timestep, context, beside, poses, attention, view_attention)


def plain(block, groups):
    def added(x, time, poses, grid, rope, heads, attention):
        changed = x.clone()
        block.add_to(changed, time, block.see(poses[0], groups, x), grid, rope, heads, attention)
        return changed - x

    return added


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
