"""``python -m syncam_core.metrics``: the paper's tables, of anybody's videos.

    run      measure takes, the folders that SynCam Save Views and SynCam Render Views write
    table    the talk's tables of what run has written
    files    the networks' files: what each is for, its size, its source, and whether it is there

Nothing is downloaded. What cannot be measured says why. See docs/metrics.md; `python -m syncam_core.metrics.sync` scores
the demo world's clips.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from tqdm import tqdm

from ..cameras.spoken import choose_cameras
from ..disk.bounded import file_text
from ..disk.staged import staged_file
from ..errors import UserError
from .bench import DEFAULT_EVERY, LENSES, Bench
from .matched_pixels import AUTO, MATCHERS
from .networks.files import NETWORK_FILES, Networks
from .report import LARGEST_REPORT, read_report, run, to_text
from .suite import SET_METRICS, check_bench, chosen
from .tables import FORMATS, LAYOUTS, table_of
from .takes import Take, check_takes, read_takes, take_files
from .weights_files import FOLDER, find_weights

PACKS_HOST = Path(__file__).resolve().parents[4]  # a pack in ComfyUI/custom_nodes is there


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, 1 after a sentence about what is wrong, or 130 when it was interrupted."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except (UserError, OSError) as problem:
        print(f"{options.command}: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{options.command}: stopped; features that are done are kept beside their takes.", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="python -m syncam_core.metrics", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    runs = commands.add_parser("run", help="measure takes")
    runs.set_defaults(run=run_takes)
    runs.add_argument("takes", nargs="+", type=Path, metavar="TAKE", help="a folder with videos, or one *_rig.json")
    runs.add_argument("--metrics", default="all", help="like clip_v,mat_pix; default: all")
    runs.add_argument("--matcher", default=AUTO, choices=MATCHERS)
    runs.add_argument("--lens", default=LENSES[0], choices=LENSES, help="of the videos, for camera accuracy")
    runs.add_argument("--every", type=int, default=DEFAULT_EVERY, help="look at every so many frames (default 8)")
    runs.add_argument("--prompt", help="the words that the videos were made from; default: those in their files")
    runs.add_argument("--fps", type=float, help="look at frames of this rate, so that takes of several can be compared")
    runs.add_argument("--views", default="", help="only these, by number or name, like '2-4'")
    runs.add_argument(
        "--reference", type=Path, help="folder of takes, for FID, FVD and FVD-V; with folders of takes in it"
    )
    runs.add_argument("--truth", type=Path, help="the same takes as they should be, in the same order; or one for all")
    runs.add_argument("--models", type=Path, help=f"folder of the networks' files; default: models/{FOLDER}")
    runs.add_argument("--tokenizer", type=Path, help="folder with CLIP's vocab.json; default: ComfyUI's sd1_tokenizer")
    runs.add_argument("--device", default="", help="cpu or cuda; default: cuda where there is one")
    runs.add_argument("--no-cache", action="store_true", help="keep no features beside the takes")
    runs.add_argument("--json", type=Path, metavar="FILE", help="write the report, for the command table")
    table = commands.add_parser("table", help="the talk's tables")
    table.set_defaults(run=print_tables)
    table.add_argument("reports", nargs="*", type=Path, metavar="JSON", help="of run: a row each, named after its file")
    table.add_argument("--layout", default="all", choices=[*LAYOUTS, "all"])
    table.add_argument("--with-paper", action="store_true", help="the paper's rows above")
    for form in FORMATS:
        table.add_argument(f"--{form}", dest="form", action="store_const", const=form, default=FORMATS[0])
    files = commands.add_parser("files", help="the networks' files")
    files.set_defaults(run=print_files)
    files.add_argument("--models", type=Path)
    return whole


def model_folders(given: Path | None) -> list[Path]:
    """Raises UserError for a folder that there is not."""
    if given is not None and not given.is_dir():
        raise UserError(f"'--models' is '{given}', which is no folder.")
    return [given or PACKS_HOST / "models" / FOLDER]


def run_takes(options: argparse.Namespace) -> None:
    names = chosen(options.metrics)
    device = device_of(options.device)
    tokenizers = [options.tokenizer] if options.tokenizer else []
    host = Path(os.environ.get("COMFYUI_PATH", PACKS_HOST))
    networks = Networks(model_folders(options.models), device, [*tokenizers, host / "comfy" / "sd1_tokenizer"])
    references = take_folders(options.reference) if options.reference and any(n in SET_METRICS for n in names) else []
    count, truths = sum(map(check_takes, options.takes)), check_takes(options.truth) if options.truth else 0
    for folder in references:
        check_takes(folder)
    if truths not in (0, 1, count):
        raise UserError(
            f"there are {truths} takes in '--truth', but {count} to be measured; give as many, in the same order, or one "
            "for all."
        )
    with ExitStack() as opened:
        document = opened.enter_context(report_file(options.json)) if options.json else None
        bar = opened.enter_context(
            tqdm(total=1.0, bar_format="{desc} {bar} {percentage:3.0f}% {elapsed}", disable=not sys.stderr.isatty())
        )

        def progress(share: float) -> None:
            bar.update(share - bar.n)

        def show(take: str, metric: str) -> None:
            bar.reset()
            bar.set_description(f"{take}: {metric}")

        bench = Bench(
            networks,
            options.every,
            options.matcher,
            options.lens,
            keeps_features=not options.no_cache,
            progress=progress,
        )
        check_bench(bench)

        def of(place: Path) -> Iterator[Take]:
            show(place.name, "its frames are read")
            return (prepared(take, options) for take in read_takes(place))

        def all_of(places: Sequence[Path]) -> Iterator[Take]:
            return itertools.chain.from_iterable(map(of, places))

        report = run(
            all_of(options.takes),
            names,
            bench,
            (lambda: all_of(references)) if references else None,
            truth_of(all_of([options.truth]) if truths else iter(()), truths),
            show,
        )
        if document:
            document.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(to_text(report))


def device_of(name: str) -> torch.device:
    """Raises UserError for a device that there is not."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device).add(1).cpu()
    except (RuntimeError, AssertionError) as problem:  # what PyTorch says of a device that is not here
        reason = str(problem).splitlines()[0][:100]
        raise UserError(
            f"'--device' is '{name}', with which PyTorch cannot work here ({reason}); leave it out, or give cpu."
        ) from problem
    return device


@contextmanager
def report_file(path: Path) -> Iterator[Path]:
    """A hidden file that stands at the path in the end. Raises UserError at once where it could not."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UserError(f"'--json' is '{path}', which is no file in a folder that there is.")
    with staged_file(path) as hidden:
        yield hidden


def prepared(take: Take, options: argparse.Namespace) -> Take:
    """The take as the options want it: other words, another rate, some views."""
    if options.prompt is not None:
        take = take.said(options.prompt)
    if options.fps is not None:
        take = take.at_rate(options.fps)
    if options.views:
        names = take.rig.names if take.rig else [f"view {number + 1}" for number in range(take.views)]
        take = take.select(choose_cameras(options.views, names))
    return take


def truth_of(truths: Iterator[Take], count: int) -> Callable[[int], Take | None]:
    """The truth of one take after another: the next one of as many, or the only one; each is read when it is its turn."""
    only = functools.cache(lambda: next(truths, None))
    return lambda place: next(truths) if count > 1 else only()


def take_folders(folder: Path) -> list[Path]:
    """The folder itself where it holds takes, else the folders in it."""
    try:
        take_files(folder)
        return [folder]
    except UserError:
        below = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
        return below or [folder]


def print_tables(options: argparse.Namespace) -> None:
    names = [path.stem for path in options.reports]
    reports = []
    for path in options.reports:
        try:
            text = file_text(path, LARGEST_REPORT, kind="report")
        except UserError as problem:
            raise UserError(f"'{path}' cannot be read: {problem}") from problem
        is_alone = names.count(path.stem) == 1
        name = path.stem if is_alone else f"{path.resolve().parent.name}/{path.stem}"
        reports.append((name, read_report(text, path.name)))
    layouts = LAYOUTS if options.layout == "all" else [options.layout]
    print("\n\n".join(table_of(layout, reports, options.with_paper).to_text(options.form) for layout in layouts))


def print_files(options: argparse.Namespace) -> None:
    from .matching import MATCHER_FILES

    folders = model_folders(options.models)
    print(f"Folder: {folders[0]}\n")
    matchers = ((f"matcher {name}", file) for name, files in MATCHER_FILES.items() for file in files)
    for what, file in (*NETWORK_FILES, *matchers):
        found = find_weights(file, folders)
        print(f"{what:28} {file.said()}\n{'':28} {f'present: {found[0].name}' if found else 'missing'}")
