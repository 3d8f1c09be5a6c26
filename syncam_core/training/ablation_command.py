"""The command ``ablation`` of ``python -m syncam_core.training``: Tables 2 and 3 of the paper in miniature."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tqdm import tqdm

from ..disk.names import file_slugs
from ..errors import UserError
from ..metrics.bench import Bench
from ..metrics.networks.files import Networks
from ..metrics.report import run as measure_takes
from ..metrics.report import to_text
from ..metrics.suite import check_bench, chosen
from ..metrics.tables import measured_table, table_of
from ..metrics.takes import read_takes
from ..synthetic import DEMO_WORLD, WORLDS
from ..wan.vae import WanVAE
from . import ablation, gate
from .caching import read_vae
from .config import ModelConfig, Objective
from .trainee import Trainee, build_trainee


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "the paper's tables 2 and 3 in miniature, with seeds and intervals"
    one = commands.add_parser("ablation", help=text, description=f"{text[0].upper()}{text[1:]}.")
    one.set_defaults(run=run_ablation)
    one.add_argument(
        "--row",
        action="append",
        required=True,
        metavar="NAME=FILE",
        help="a view-sync file, 'off' for the base alone, or a folder of real takes; give it once for each row",
    )
    one.add_argument(
        "--table", default="2", choices=["2", "3"], help="2: films from words; 3: novel views of a given one"
    )
    one.add_argument("--base", type=Path, metavar="FILE", help="of the toy world; not needed for folders")
    one.add_argument("--vae", metavar="FILE")
    one.add_argument(
        "--scales",
        nargs="+",
        default=["noised,3", *(f"{video:g},{text:g}" for video, text in ablation.PAPER_SCALES)],
        metavar="S_V,S_T",
        help="of table 3; 'noised' in the place of s_V shows the given view with the noise of the step",
    )
    one.add_argument("--world", type=int, default=DEMO_WORLD, choices=WORLDS)
    one.add_argument("--scenes", type=int, default=16)
    one.add_argument("--views", type=int, default=4)
    one.add_argument("--steps", type=int, default=20)
    one.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of the noise; every scene with each")
    one.add_argument("--every", type=int, default=4, help="frames between the moments that are looked at")
    one.add_argument("--metrics", default="", help="default: the table's")
    one.add_argument("--models", type=Path, help="folder of the metrics' networks; without it they are not measured")
    one.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="for a report of each row, and the table")


def run_ablation(options: argparse.Namespace) -> None:
    rows = [*ablation.rows_of(options.row)]
    is_toy = any(not path.is_dir() for _, path in rows)
    if is_toy and (options.base is None or options.vae is None):
        raise UserError("rows of the toy world need '--base' and '--vae'.")
    names = (
        chosen(options.metrics)
        if options.metrics
        else list(ablation.ABLATION if options.table == "2" else ablation.NOVEL_VIEW)
    )
    bench = Bench(Networks([options.models] if options.models else []), options.every)
    check_bench(bench)
    config = gate.GateConfig(options.scenes, options.views, steps=options.steps, world=options.world)
    vae = read_vae(options.vae) if is_toy else None
    options.to.mkdir(parents=True, exist_ok=True)
    reports = []
    for name, path in rows:
        if path.is_dir():
            reports.append((name, measure_takes(read_takes(path), names, bench)))
            continue
        assert vae is not None
        mode = "off" if path.name == "off" else "full"
        model = ModelConfig(base=str(options.base), view_sync=None if mode == "off" else str(path))
        trainee = build_trainee(model, Objective())
        assert isinstance(trainee, Trainee)
        for label, film in films_of(name, trainee, vae, config, mode, options):
            with tqdm(desc=label, mininterval=1, unit="clip") as bar:
                films = film(partial(moved, bar))
            reports.append((label, films.report(names, bench)))
    for label, report in reports:
        gate.save_json(options.to / f"{file_slugs([label])[0]}.json", report)
        print(f"\n{label}\n{to_text(report)}")
    measured = measured_table("In miniature: everything that was measured", reports)
    table = f"{measured.to_text()}\n\n{table_of(f'table{options.table}', reports).to_text()}"
    (options.to / f"table{options.table}.md").write_text(table + "\n", encoding="utf-8")
    print(f"\n{table}")


def moved(bar: tqdm, done: int, total: int) -> None:
    bar.total = total
    bar.update(done - bar.n)


def films_of(
    name: str, trainee: Trainee, vae: WanVAE, config: gate.GateConfig, mode: str, options: argparse.Namespace
) -> Iterator[tuple[str, Callable[[ablation.Progress], ablation.Films]]]:
    """The rows of one view-sync file: one in table 2, one for each pair of scales in table 3."""
    if options.table == "2":
        yield name, lambda progress: ablation.filmed(trainee, vae, config, options.seeds, mode, progress)
        return
    for pair in options.scales:
        video, _, text = pair.partition(",")
        try:
            scales = (1.0 if video == "noised" else float(video), float(text))
        except ValueError:
            raise UserError(f"'--scales' is {pair!r}; two numbers are needed, like 1.8,7.5, or noised,3.") from None
        yield (
            f"{name}, s_V {video}, s_T {text}",
            partial(ablation.novel_views, trainee, vae, config, scales, options.seeds, video != "noised"),
        )
