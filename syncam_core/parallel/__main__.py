"""``torchrun ... -m syncam_core.parallel``: one job of many views over several GPUs or machines, without ComfyUI.

    torchrun --nproc-per-node 4 -m syncam_core.parallel --base wan2.1_t2v_1.3B_bf16.safetensors \\
        --view-sync syncammaster.safetensors --vae wan_2.1_vae.safetensors --text umt5_xxl_fp16.safetensors \\
        --prompt "a dog runs over a meadow" --rig rig.json --to out

On several machines the same command on each, with torchrun's --nnodes, --node-rank and --master-addr. Files are read by
every process; texts by the first one alone.
"""

from __future__ import annotations

import argparse
import os
import sys
from fractions import Fraction
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from ..cameras import Rig, encode_cameras
from ..disk.staged import staged_files
from ..errors import UserError
from ..formats import read_rig_file
from ..training.caching import read_vae
from ..training.config import Objective
from ..training.sample import sample
from ..training.text import text_encoder
from ..training.trainee import Trainee, load_base
from ..video import frame_rate
from ..video.clip import BITS_8, MadeClip, in_order
from ..video.view_files import ViewFiles
from ..view_sync.coupling import COUPLINGS
from ..view_sync.module import ViewSync
from ..view_sync.weights import read_weights
from ..wan import layers
from ..wan.geometry import WAN21
from .distributed import LOST, ProcessExchange, joined
from .exchange import PeerLost
from .headless import ParallelBase, decoded, team_of
from .plan import SPLITS, planned

PRECISIONS = {"bf16": torch.bfloat16, "fp32": torch.float32}


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, 2 after a sentence about what is wrong, 3 where another process has ended, 130 when interrupted."""
    options = parser().parse_args(arguments)
    try:
        with joined() as device:
            run(options, device)
    except PeerLost as problem:
        print(f"syncam_core.parallel: {problem}; this one ends, too.", file=sys.stderr)
        return LOST
    except (UserError, OSError) as problem:
        print(f"syncam_core.parallel: {problem}", file=sys.stderr)
        return 2
    except (RuntimeError, MemoryError) as problem:
        if not is_out_of_memory(problem):
            raise
        print(
            f"syncam_core.parallel: process {os.environ['RANK']} has not enough memory for its views; start more "
            f"processes, or choose a smaller size or length ({str(problem).splitlines()[0]}).",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("syncam_core.parallel: stopped.", file=sys.stderr)
        return 130
    return 0


def is_out_of_memory(problem: Exception) -> bool:
    """On a GPU, or on the CPU, where PyTorch has no error of its own for it."""
    return isinstance(problem, (torch.OutOfMemoryError, MemoryError)) or "DefaultCPUAllocator" in str(problem)


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="torchrun --nproc-per-node N -m syncam_core.parallel",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = whole.add_argument
    add("--base", required=True, metavar="FILE", help="Wan2.1 text-to-video")
    add("--view-sync", required=True, metavar="FILE")
    add("--vae", metavar="FILE", help="without one only the latents are written")
    add("--rig", required=True, type=Path, metavar="FILE", help="any camera file; a view for each camera")
    add("--to", required=True, type=Path, metavar="FOLDER")
    add("--text", metavar="FILE", help="umT5 in 16 bits, or the word demo for the demo model's")
    add("--prompt", default="")
    add("--negative", default="")
    add("--conditioning", type=Path, metavar="FILE", help="a safetensors file with the tensors positive and negative "
        "(words, text_dim), in place of a text encoder")  # fmt: skip
    for name, default in (("width", 832), ("height", 480), ("length", 81), ("seed", 0), ("steps", 50)):
        add(f"--{name}", type=int, default=default)
    for name, number in (("cfg", 5.0), ("shift", 5.0), ("fps", 15.0)):
        add(f"--{name}", type=float, default=number)
    add("--coupling", choices=list(COUPLINGS), default="joint")
    add("--group-size", type=int, default=2)
    add("--split", choices=list(SPLITS), default="auto")
    add("--precision", choices=list(PRECISIONS), default="bf16")
    return whole


def run(options: argparse.Namespace, device: torch.device) -> None:
    everyone = ProcessExchange()
    rig = read_rig_file(options.rig)
    cameras = encode_cameras(rig, options.length)
    plan = planned(2, cameras.views, everyone.size, options.split)
    if plan.devices < everyone.size:
        raise UserError(
            f"{everyone.size} processes are too many for {cameras.views} views with 'split' {options.split}; start "
            f"{plan.devices}."
        )
    check_size(options)
    texts = conditioning(options, everyone, device)
    trainee = load(options, device)
    base = ParallelBase(
        trainee.base, plan, everyone.rank, team_of(plan, everyone.rank), everyone,
        options.coupling, options.group_size, options.seed,
    )  # fmt: skip
    bar = tqdm(total=options.steps, desc=f"{cameras.views} views on {plan.devices} devices", disable=everyone.rank > 0)
    with bar:
        latents = sample(
            trainee,
            texts[:1],
            texts[1],
            cameras.poses[None],
            (options.height // WAN21.pixels, options.width // WAN21.pixels),
            [options.seed],
            options.steps,
            options.cfg,
            options.shift,
            mixed_precision=options.precision == "bf16",
            model=base,
            progress=lambda done, total: bar.update() and None,
        )[0]
    if everyone.rank == 0:
        options.to.mkdir(parents=True, exist_ok=True)
        save_file({"samples": latents}, options.to / "latents.safetensors")
    if options.vae:
        del trainee, base
        vae = read_vae(options.vae).to(device)
        views = decoded(vae, latents, everyone, device, lambda view: tqdm.write(f"view {view} is decoded"))
        if everyone.rank == 0:
            write(views, rig, options)


def check_size(options: argparse.Namespace) -> None:
    for name in ("width", "height"):
        if getattr(options, name) % WAN21.token_pixels or getattr(options, name) <= 0:
            raise UserError(
                f"'--{name}' is {getattr(options, name)}; give a multiple of {WAN21.token_pixels}.", field=name
            )


def conditioning(options: argparse.Namespace, everyone: ProcessExchange, device: torch.device) -> Tensor:
    """(2, words, text_dim): positive and negative, read or encoded by the first process for all."""
    told: list[object] = [None]
    if everyone.rank == 0:
        try:
            told[0] = read_conditioning(options) if options.conditioning else encoded(options, device)
        except UserError as problem:
            told[0] = str(problem)
    dist.broadcast_object_list(told, device=device)
    if isinstance(told[0], str):
        raise UserError(told[0])
    assert isinstance(told[0], Tensor)
    return told[0]


def read_conditioning(options: argparse.Namespace) -> Tensor:
    try:
        tensors = load_file(options.conditioning)
        return torch.nn.utils.rnn.pad_sequence([tensors["positive"], tensors["negative"]], batch_first=True).float()
    except (SafetensorError, OSError, KeyError, RuntimeError) as problem:
        raise UserError(
            f"'{options.conditioning}' holds no conditioning (positive and negative, words x numbers each): {problem}"
        ) from problem


def encoded(options: argparse.Namespace, device: torch.device) -> Tensor:
    if not options.text:
        raise UserError("no text encoder; give '--text FILE', or the texts as numbers with '--conditioning FILE'.")
    kind, file = ("demo", None) if options.text == "demo" else ("umt5", options.text)
    encoder = text_encoder(kind, file, device)
    texts = [encoder(caption) for caption in (options.prompt, options.negative)]
    return torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)


def load(options: argparse.Namespace, device: torch.device) -> Trainee:
    dtype = PRECISIONS[options.precision]
    base, weights = load_base(options.base, dtype), read_weights(options.view_sync)
    have, need = (weights.dim, weights.depth), (base.config.dim, base.config.num_layers)
    if have != need:
        raise UserError(
            f"'--view-sync' is for width {have[0]} with {have[1]} blocks, but '--base' has width {need[0]} with "
            f"{need[1]}; give the weights that belong to it."
        )
    view_sync = ViewSync(*have, dtype=dtype, operations=layers)
    view_sync.load_state_dict(weights.tensors)
    return Trainee(base, view_sync, Objective()).to(device).requires_grad_(False)


def write(views: list[Tensor], rig: Rig, options: argparse.Namespace) -> None:
    rate = frame_rate(options.fps)

    def clip(view: Tensor) -> MadeClip:
        frames, height, width, _ = view.shape
        return MadeClip(frames, height, width, BITS_8, lambda index: view[index].numpy())

    files = ViewFiles(rig.names, rig.colors, Fraction(rate), rig=rig)
    clips = [clip(view) for view in views]
    files.check(clips)
    planned_files = files.planned(clips, options.to.absolute(), "", "views")
    with staged_files(options.to) as stage:
        files.write(stage, planned_files, [(clip, in_order(clip)) for clip in clips], lambda: None)
    print(f"{options.to}: {len(views)} views of {len(clips[0])} frames")


if __name__ == "__main__":
    sys.exit(main())
