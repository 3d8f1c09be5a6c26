"""``python -m syncam_core.training``: from videos to a view-sync or re-capture file. Each step reads one YAML configuration.

    vae      train a small autoencoder on the procedural world (for real footage use Wan2.1's own)
    cache    encode a data set and its captions once
    train    train, or go on from the last checkpoint
    export   write the files that ComfyUI loads
    demo     write the demo model's four files
    gate     score a demo model on scenes that it has never seen
    ablation     the paper's tables 2 and 3 in miniature, of several view-sync files or folders of takes
    classifier   teach a small classifier, from rendered truth, to name what the gate's pictures show

Several processes: accelerate launch --config_file FILE -m syncam_core.training train CONFIG. See docs/training.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from accelerate import PartialState
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ..errors import UserError
from ..metrics.recognition import load_classifier, save_classifier
from ..synthetic import DEMO_WORLD, WORLDS
from ..wan.vae import WanVAE
from . import ablation_command, gate, recapture_gate
from .caching import CacheConfig, build_cache, read_vae
from .classifier import ClassifierConfig, train_classifier
from .config import ModelConfig, Objective, read_config
from .loop import NonFiniteLoss, last_checkpoint, train, trained_parameters
from .runs import claim, export_demo, export_run, gather_shards, open_data
from .train_vae import VaeConfig, train_vae
from .trainee import ReCaptureTrainee, Trainee, build_trainee


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, 2 after a sentence about what is wrong, or 130 when it was interrupted."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except (UserError, OSError, NonFiniteLoss) as problem:
        print(f"{options.command}: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{options.command}: stopped; the same command goes on from what was saved last.", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="python -m syncam_core.training", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], None], text: str, config: str
    ) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        one.add_argument("config", help=config, nargs="?" if name == "gate" else None)
        one.add_argument(
            "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="like optimizer.lr=3e-5"
        )
        one.set_defaults(run=run)
        return one

    command("vae", run_vae, "train a small autoencoder on the procedural world", "VaeConfig: see train_vae.py")
    command("cache", run_cache, "encode a data set and its captions once", "CacheConfig: see caching.py")
    command("train", run_train, "train, or go on from the last checkpoint", "TrainConfig: see config.py")
    export = command("export", run_export, "write the files that ComfyUI loads", "the run's TrainConfig")
    export.add_argument("--view-sync", type=Path, metavar="FILE", help="default: view_sync.safetensors in 'output'")
    export.add_argument(
        "--recapture", type=Path, metavar="FILE", help="of a run that trains it; default: recapture.safetensors there"
    )
    export.add_argument("--base", type=Path, metavar="FILE", help="the base as well, for Load Diffusion Model")
    export.add_argument(
        "--full", type=Path, metavar="FILE", help="both in the authors' layout, .ckpt or .safetensors, as well"
    )
    demo = command("demo", run_demo, "write the demo model's four files", "the run's TrainConfig")
    demo.add_argument("--vae", type=Path, required=True, metavar="FILE", help="the autoencoder, its decoder finished")
    demo.add_argument("--to", type=Path, required=True, metavar="FOLDER")
    command("classifier", run_classifier, "teach a classifier to name what pictures show", "see classifier.py")
    held_out = command(
        "gate", run_gate, "score a demo model on scenes that it has never seen", "the run's TrainConfig; none for files"
    )
    add_gate_options(held_out)
    ablation_command.add_command(commands)
    return whole


def add_gate_options(held_out: argparse.ArgumentParser) -> None:
    held_out.add_argument("--base", type=Path, metavar="FILE", help="an exported base ...")
    held_out.add_argument("--view-sync", type=Path, metavar="FILE", help="... and its view-sync file, instead of a run")
    held_out.add_argument("--recapture", type=Path, metavar="FILE", help="... or its re-capture file")
    held_out.add_argument("--vae", required=True, metavar="FILE", help="the autoencoder that the caches were made with")
    held_out.add_argument(
        "--world", type=int, default=DEMO_WORLD, choices=WORLDS, help="version of the procedural world"
    )
    held_out.add_argument(
        "--classifier", metavar="FILE", help="of the command classifier: also say how often subjects are recognized"
    )
    held_out.add_argument("--scenes", type=int, help="default: 64; of re-capture 32, with a trajectory each")
    held_out.add_argument(
        "--least-move",
        type=float,
        default=0.5,
        help="of re-capture: how far cameras go at least, as a share of the most",
    )
    held_out.add_argument("--views", type=int, nargs="+", default=[4], help="like 2 4: one after the other")
    held_out.add_argument("--modes", nargs="+", default=["full", "masked", "off"], choices=["full", "masked", "off"])
    held_out.add_argument("--steps", type=int, default=20, help="of the sampler")
    held_out.add_argument("--seed", type=int, default=0, help="other scenes and other noise")
    held_out.add_argument("--sheet", type=int, default=4, metavar="SCENES", help="on the contact sheet")
    held_out.add_argument("--to", type=Path, metavar="FOLDER", help="default: gate in the run's 'output'")


def overrides(options: argparse.Namespace) -> dict[str, str]:
    for pair in options.set:
        if "=" not in pair:
            raise UserError(f"'--set' is {pair!r}; a name and a value are needed, like optimizer.lr=3e-5.")
    return dict(pair.split("=", 1) for pair in options.set)


def run_vae(options: argparse.Namespace) -> None:
    print(train_vae(read_config(options.config, overrides(options), VaeConfig)))


def run_cache(options: argparse.Namespace) -> None:
    config = read_config(options.config, overrides(options), CacheConfig)
    process = PartialState()
    with Bars(not process.is_main_process) as bars:
        report, captions = build_cache(config, process.device, process.process_index, process.num_processes, bars.show)
    for problem in report.problems:
        print(problem, file=sys.stderr)
    if process.num_processes > 1:  # what the others made is no surprise
        report = dataclasses.replace(report, others=())
    print(f"{config.folder}: {report} {captions} captions encoded.")
    if not report.encoded and not report.kept and process.num_processes == 1:
        raise UserError("no scene of the data set can be used.")


class Bars:
    """A progress bar per kind of work, with the time that is left."""

    def __init__(self, hidden: bool):
        self.hidden = hidden
        self.bars: dict[str, tqdm] = {}

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *exception: object) -> None:
        for bar in self.bars.values():
            bar.close()

    def show(self, what: str, done: int, total: int) -> None:
        if what not in self.bars:
            self.bars[what] = tqdm(desc=what, disable=self.hidden, total=total, mininterval=1)
        self.bars[what].update(done - self.bars[what].n)


def run_train(options: argparse.Namespace) -> None:
    config = read_config(options.config, overrides(options))
    data = open_data(config)
    process = PartialState()
    claim(config, data, process.is_main_process)
    output = train(config, data.scenes, data.text_of)
    if process.is_main_process:
        print(f"{output}: {config.steps} steps; next: export {options.config}")


def run_export(options: argparse.Namespace) -> None:
    config = read_config(options.config, overrides(options))
    kind = "recapture" if config.model.train == "recapture" else "view_sync"
    other = options.view_sync if kind == "recapture" else options.recapture
    if other is not None or (kind == "recapture" and options.full is not None):
        raise UserError(
            f"the run trains {kind}; leave out what it does not have, and give '--{kind.replace('_', '-')}'."
        )
    module = getattr(options, kind) or Path(config.output) / f"{kind}.safetensors"
    about = export_run(config, module, options.base, options.full)
    for name, file in about["files"].items():
        print(f"{name}: {file['bytes'] / 1e6:.1f} MB, step {about['steps']}, {config.save_dtype}")


def run_demo(options: argparse.Namespace) -> None:
    about = export_demo(read_config(options.config, overrides(options)), options.vae, options.to)
    megabytes = sum(file.stat().st_size for file in options.to.glob("syncam_demo_*.safetensors")) / 1e6
    print(f"{options.to}: four files, {megabytes:.1f} MB together, step {about['steps']}")


def run_gate(options: argparse.Namespace) -> None:
    trainee, folder = judged_model(options)
    vae = read_vae(options.vae)
    if isinstance(trainee, ReCaptureTrainee):
        return gate_of_recapture(options, trainee, vae, folder)
    scenes = options.scenes or gate.GateConfig.scenes
    classifier = None
    if options.classifier is not None:
        classifier, about = load_classifier(options.classifier)
        if about["world"] != options.world:
            raise UserError(
                f"'--classifier' knows world {about['world']}, but the gate films world {options.world}; give "
                "'--world', or train a classifier of this world."
            )
    folder.mkdir(parents=True, exist_ok=True)
    for views in options.views:
        settings = gate.GateConfig(
            scenes=scenes,
            views=views,
            steps=options.steps,
            seed=options.seed,
            world=options.world,
            modes=tuple(options.modes),
        )
        with Bars(False) as bars:
            result = gate.run_gate(
                trainee, vae, settings, lambda done, total: bars.show("scenes", done, total), classifier
            )
        print(f"{scenes} held-out scenes, {views} views\n\n{gate.report(result)}\n")
        gate.save_json(folder / f"{views}_views.json", {"gate": vars(settings), "rows": gate.to_json(result)})
        write_sheet(folder / f"{views}_views.png", result["takes"]["full"][: options.sheet])


def gate_of_recapture(options: argparse.Namespace, trainee: ReCaptureTrainee, vae: WanVAE, folder: Path) -> None:
    settings = recapture_gate.ReCaptureGateConfig(
        scenes=options.scenes or recapture_gate.SCENES,
        steps=options.steps,
        seed=options.seed,
        least_of_a_move=options.least_move,
    )
    folder.mkdir(parents=True, exist_ok=True)
    with Bars(False) as bars:
        result = recapture_gate.run_recapture_gate(
            trainee, vae, settings, lambda done, total: bars.show("re-captures", done, total)
        )
    rows = recapture_gate.recapture_rows(result["scores"])
    print(f"{settings.scenes} held-out trajectories\n\n{recapture_gate.recapture_report(rows)}\n")
    plain = {name: {m: [i.value, i.low, i.high] for m, i in row.items()} for name, row in rows.items()}
    gate.save_json(folder / "recapture.json", {"gate": vars(settings), "rows": plain})
    shown = (recapture_gate.COPIED, recapture_gate.MODEL, "rendered truth")  # source, made, asked for
    takes = [torch.stack(take) for take in zip(*(result["takes"][name] for name in shown), strict=True)]
    write_sheet(folder / "recapture.png", takes[: options.sheet])


def judged_model(options: argparse.Namespace) -> tuple[Trainee | ReCaptureTrainee, Path]:
    """The model of a run or of files, and the folder for the results."""
    modules = [file for file in (options.view_sync, options.recapture) if file is not None]
    if (options.config is None) == (options.base is None) or len(modules) != (options.base is not None):
        raise UserError("give a training run's CONFIG, or --base and either --view-sync or --recapture.")
    if options.config is not None:
        config = read_config(options.config, overrides(options))
        checkpoint = last_checkpoint(Path(config.output))
        if checkpoint is None:
            raise UserError(f"'output' is {config.output}, which holds no checkpoint; train first.", field="output")
        gather_shards(checkpoint)
        trainee, _ = trained_parameters(config, checkpoint)
    elif options.recapture is not None:
        files = ModelConfig(base=str(options.base), recapture=str(options.recapture), train="recapture")
        trainee = build_trainee(files, Objective())
    else:
        trainee = build_trainee(ModelConfig(base=str(options.base), view_sync=str(options.view_sync)), Objective())
    if options.to is None and options.config is None:
        raise UserError("'--to' is missing: the folder for the results.")
    return trainee, options.to or Path(config.output) / "gate"


def run_classifier(options: argparse.Namespace) -> None:
    config = read_config(options.config, overrides(options), ClassifierConfig)
    with Bars(False) as bars:
        classifier, shares = train_classifier(config, bars.show)
    save_classifier(classifier, Path(config.file), {**vars(config), "file": Path(config.file).name})
    found = ", ".join(f"{name} {share.to_text()}" for name, share in shares.items())
    print(f"{config.file}: named right in rendered truth of {config.test_scenes} other scenes: {found}")


def write_sheet(path: Path, videos: Sequence[Tensor]) -> None:
    """One row per view of each video (views, frames, height, width, 3), moments from left to right."""
    picture = torch.cat([gate.contact_sheet(video) for video in videos])
    sheet = Image.fromarray((picture.clamp(0, 1) * 255).round().byte().numpy())
    sheet.resize((2 * sheet.width, 2 * sheet.height), Image.Resampling.NEAREST).save(path)


if __name__ == "__main__":
    sys.exit(main())
