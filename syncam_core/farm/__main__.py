"""``python -m syncam_core.farm``: many jobs of one workflow over many ComfyUI servers.

    grid     write a table of prompts x rigs x seeds
    run      run a table's jobs; the same command goes on where it stopped
    status   what is done, and what is not
    cancel   end a run and take its jobs from the servers
    promote  run chosen jobs again with other values, like more steps, and the same seeds

A table is CSV: its columns are inputs of the workflow by title, like "Prompt.text" or "SynCam Sampler.steps", "*.seed"
for every seed, "rig" for a camera file, "name" for the folder of the results. See docs/scale.md.
"""

from __future__ import annotations

import argparse
import csv
import glob
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from tqdm import tqdm

from ..disk.bounded import file_text
from ..errors import UserError
from .ledger import STOP, Entry, Ledger, Plan, only_farm, read_plan, write_plan
from .page import write_page
from .run import PATIENCE_S, Farm
from .server import CANCEL_S, Server, ServerGone
from .table import BadRow, Job, check_kinds, grid_csv, jobs_of, read_rows, seeds_of
from .workflow import Workflow

PAGE_EVERY_S = 5.0
HELP_SERVERS = "addresses like http://10.0.0.5:8188, several"


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, 1 where jobs are left undone, 2 after a sentence about what is wrong, or 130 when interrupted."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (UserError, OSError) as problem:
        print(f"farm {options.command}: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("farm: stopped, and its jobs are taken from the servers; the same command goes on.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(
        prog="python -m syncam_core.farm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run a table's jobs; the same command goes on where it stopped")
    run.set_defaults(run=run_table)
    run.add_argument("table", type=Path, help="CSV")
    run.add_argument("--workflow", type=Path, required=True, help="in API format: File > Export (API)")
    run.add_argument("--to", type=Path, required=True, metavar="FOLDER", help="a folder for each job, and index.html")
    run.add_argument("--dry-run", action="store_true", help="say what would be queued, and queue nothing")
    _add_shared(run)

    grid = commands.add_parser("grid", help="write a table of prompts x rigs x seeds to the standard output")
    grid.set_defaults(run=run_grid)
    grid.add_argument("--workflow", type=Path, required=True)
    grid.add_argument("--prompts", type=Path, metavar="FILE", help="text, one prompt a line")
    grid.add_argument("--rigs", nargs="+", default=[], metavar="FILE", help="camera files, or patterns like 'rigs/*'")
    grid.add_argument("--seeds", default="", help="like 0-3, 7")
    grid.add_argument("--prompt-column", metavar="COLUMN", help="default: the text that is wired to 'positive'")

    status = commands.add_parser("status", help="what is done, and what is not")
    status.set_defaults(run=run_status)
    status.add_argument("folder", type=Path)
    cancel = commands.add_parser("cancel", help="end a run and take its jobs from the servers")
    cancel.set_defaults(run=run_cancel)
    cancel.add_argument("folder", type=Path)

    promote = commands.add_parser("promote", help="run chosen jobs again with other values and the same seeds")
    promote.set_defaults(run=run_promote)
    promote.add_argument("folder", type=Path)
    promote.add_argument("names", nargs="+", help="of jobs, as the page shows them")
    promote.add_argument("--to", type=Path, metavar="FOLDER", help="default: promoted, in the folder")
    _add_shared(promote)
    return whole


def _add_shared(command: argparse.ArgumentParser) -> None:
    command.add_argument("--servers", nargs="+", default=[], metavar="URL", help=HELP_SERVERS)
    command.add_argument("--set", nargs="+", action="extend", default=[], metavar="COLUMN=VALUE", help="for all jobs")
    command.add_argument("--retries", type=int, default=2, help="of a job that a server lost")
    command.add_argument(
        "--patience", type=float, default=PATIENCE_S, metavar="SECONDS", help="how long no server may answer"
    )
    command.add_argument("--engine", choices=["http", "ray"], default="http", help="ray starts the servers as well")
    command.add_argument("--gpus", type=int, default=0, help="with ray: how many servers, one a GPU; 0: all there are")
    command.add_argument("--comfy", type=Path, metavar="FOLDER", help="with ray: ComfyUI, on every machine")
    command.add_argument("--comfy-arguments", default="", help="with ray: more for each main.py, like '--cpu'")


# -- commands --------------------------------------------------------------------------------------------------------


def run_table(options: argparse.Namespace) -> int:
    rows = read_rows(options.table)
    return _run(options, Workflow.read(options.workflow), rows, options.table.parent, options.to)


def run_grid(options: argparse.Namespace) -> int:
    workflow = Workflow.read(options.workflow)
    column = options.prompt_column or (workflow.prompt_column() if options.prompts else "")
    prompts = file_text(options.prompts, called=f"'{options.prompts}'").splitlines() if options.prompts else []
    rigs = [path for pattern in options.rigs for path in sorted(glob.glob(pattern)) or [pattern]]
    missing = next((path for path in rigs if not Path(path).exists()), None)
    if missing is not None:
        raise UserError(f"there is no rig '{missing}'.", field="rigs")
    for needed in filter(None, (column, rigs and "rig", options.seeds and "*.seed")):
        workflow.places(needed)
    sys.stdout.write(grid_csv(column, prompts, rigs, seeds_of(options.seeds)))
    return 0


def run_status(options: argparse.Namespace) -> int:
    plan, ledger = read_plan(options.folder), Ledger(options.folder)
    entries = {entry.id: entry for entry in ledger.entries() if entry.id in plan.jobs}
    for entry in entries.values():
        if entry.status != "done":
            print(f"{entry.status:9} {entry.name}: {entry.error}")
    done = sum(entry.status == "done" for entry in entries.values())
    print(f"{done} of {len(plan.jobs)} done, {len(entries) - done} not, {len(plan.jobs) - len(entries)} to do")
    return 0 if done == len(plan.jobs) else 1


def run_cancel(options: argparse.Namespace) -> int:
    plan = read_plan(options.folder)
    (options.folder / STOP).touch()
    deadline = time.monotonic() + 2 * CANCEL_S
    while time.monotonic() < deadline and not _is_free(options.folder):  # a farm that works sees it
        time.sleep(0.2)
    count = 0
    for url in plan.servers:
        server = Server.at(url)
        with suppress(ServerGone):
            ours = server.queued() & set(plan.jobs)
            server.cancel(ours)
            count += len(ours)
    (options.folder / STOP).unlink(missing_ok=True)
    print(f"{count} jobs were taken from {len(plan.servers)} servers; the same 'farm run' goes on where it stopped.")
    return 0


def run_promote(options: argparse.Namespace) -> int:
    plan, ledger = read_plan(options.folder), Ledger(options.folder)
    by_name = {entry.name: entry for entry in ledger.entries() if entry.id in plan.jobs}
    unknown = next((name for name in options.names if name not in by_name), None)
    if unknown is not None:
        raise UserError(f"there is no job '{unknown}' in '{options.folder}'; possible are {', '.join(by_name)}.")
    if not options.servers and options.engine == "http":
        options.servers = plan.servers
    options.dry_run = False
    rows = [{**by_name[name].row, "name": name} for name in options.names]
    graph: Workflow = Workflow(plan.workflow)  # type: ignore[arg-type]
    return _run(options, graph, rows, Path(plan.beside), options.to or options.folder / "promoted")


# -- a run -----------------------------------------------------------------------------------------------------------


def _run(options: argparse.Namespace, workflow: Workflow, rows: list[dict[str, str]], beside: Path, to: Path) -> int:
    for pair in options.set:
        column, equals, value = pair.partition("=")
        if not equals:
            raise UserError(f"'--set' is {pair!r}; a column and a value are needed, like 'SynCam Sampler.steps=6'.")
        rows = [{**row, column: value} for row in rows]
    jobs = jobs_of(workflow, rows, beside)
    if options.dry_run:
        return _say_plan(jobs, to)
    to.mkdir(parents=True, exist_ok=True)
    with only_farm(to), _servers(options) as servers:
        (to / STOP).unlink(missing_ok=True)
        first = next((server for server in servers if _answers(server)), None)
        if first is not None:
            jobs = check_kinds(workflow, jobs, first)
        good, bad = [job for job in jobs if isinstance(job, Job)], [row for row in jobs if isinstance(row, BadRow)]
        for row in bad:
            print(f"refused {row.name}: {row.sentence}", file=sys.stderr)
        urls = [server.url for server in servers]
        write_plan(to, Plan(dict(workflow.graph), urls, {job.id: job.name for job in good}, str(beside.resolve())))
        all_done = _work(options, to, servers, good)
    return 0 if all_done and not bad else 1


def _work(options: argparse.Namespace, to: Path, servers: Sequence[Server], jobs: Sequence[Job]) -> bool:
    ledger, ids, lock, written = Ledger(to), {job.id: place for place, job in enumerate(jobs)}, threading.Lock(), [0.0]
    columns = Workflow(jobs[0].graph).columns() if jobs else []
    steps = next((column for column in columns if column.endswith(".steps")), "")

    def page() -> None:
        ended = [entry for entry in ledger.entries() if entry.id in ids]
        write_page(to, sorted(ended, key=lambda entry: ids[entry.id]), len(ids), steps)

    done = len(ledger.done() & set(ids))
    with tqdm(total=len(ids), initial=done, unit="job", mininterval=0.5) as bar:

        def told(news: Entry | str) -> None:
            with lock:
                if isinstance(news, str):
                    bar.write(news, file=sys.stderr)
                    return
                if news.status != "done":
                    bar.write(f"{news.status} {news.name}: {news.error}", file=sys.stderr)
                bar.update()
                if time.monotonic() - written[0] > PAGE_EVERY_S:
                    page()
                    written[0] = time.monotonic()

        try:
            return Farm(to, servers, jobs, options.retries, options.patience, told).run()
        finally:
            page()


def _say_plan(jobs: Sequence[Job | BadRow], to: Path) -> int:
    done = Ledger(to).done()
    table = csv.writer(sys.stdout, lineterminator="\n")
    for job in jobs:
        if isinstance(job, BadRow):
            table.writerow(["bad", job.name, job.sentence])
        else:
            table.writerow(["done" if job.id in done else "queue", job.name, *map("=".join, job.row.items())])
    return 1 if any(isinstance(job, BadRow) for job in jobs) else 0


@contextmanager
def _servers(options: argparse.Namespace) -> Iterator[list[Server]]:
    started: AbstractContextManager[list[str]] = nullcontext(options.servers)
    if options.engine == "ray":
        from .ray_servers import started_servers

        started = started_servers(options.gpus, options.comfy, options.comfy_arguments.split())
    with started as urls:
        servers = list(dict.fromkeys(Server.at(url) for url in urls))
        if not servers:
            raise UserError("no server is given; name them with --servers http://127.0.0.1:8188 ...", field="servers")
        yield servers


def _answers(server: Server) -> bool:
    with suppress(ServerGone):
        server.check()
        return True
    return False


def _is_free(folder: Path) -> bool:
    try:
        with only_farm(folder):
            return True
    except UserError:
        return False


if __name__ == "__main__":
    sys.exit(main())
