"""The farm over two real servers: jobs done once, whatever dies meanwhile."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from comfy_server import PACK, Server
from farm_jobs import GRAPH, slow
from PIL import Image

from syncam_core.farm.__main__ import main
from syncam_core.farm.ledger import Ledger
from syncam_core.farm.run import Farm
from syncam_core.farm.server import Server as Client
from syncam_core.farm.table import jobs_of
from syncam_core.farm.workflow import Workflow


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    comfyui = Path(os.environ.get("COMFYUI_PATH", ""))
    servers = [Server(comfyui, tmp_path_factory.mktemp(name), "--disable-api-nodes") for name in ("one", "two")]
    yield servers
    for server in servers:
        server.stop()


@pytest.fixture
def work(tmp_path):
    """A folder with the workflow; ``table(rows)`` writes a table there, ``run(...)`` runs it in this process."""

    class Work:
        folder, out = tmp_path, tmp_path / "out"

        def table(self, rows: list[dict[str, object]]) -> list[str]:
            (tmp_path / "w.json").write_text(json.dumps(GRAPH))
            with (tmp_path / "t.csv").open("w", newline="") as file:
                table = csv.DictWriter(file, rows[0])
                table.writeheader()
                table.writerows(rows)
            return ["run", str(tmp_path / "t.csv"), "--workflow", str(tmp_path / "w.json"), "--to", str(self.out)]

        def done(self) -> Counter[str]:
            return Counter(entry.name for entry in Ledger(self.out).entries() if entry.status == "done")

    return Work()


def executed(server: Server) -> int:
    """How often the server has begun a job since it was started."""
    return len(server.get("/history"))


def urls(servers: list[Server]) -> list[str]:
    return ["--servers", *(server.url for server in servers)]


def small(count: int, offset: int = 0) -> list[dict[str, object]]:
    return [{"name": f"job{n}", "Colour.color": offset + n} for n in range(count)]


def test_jobs_go_to_both_servers_and_their_files_come_home(two, work, capsys):
    before = [executed(server) for server in two]
    assert main([*work.table(slow(6, 100)), *urls(two)]) == 0
    assert work.done() == Counter(f"slow{n}" for n in range(6))
    assert sum(map(executed, two)) == sum(before) + 6
    assert all(executed(server) > count for server, count in zip(two, before, strict=True))
    for entry in Ledger(work.out).entries():
        (file,) = entry.files
        content = (work.out / entry.folder / file).read_bytes()
        server = next(server for server in two if server.url == entry.server)
        assert content in [path.read_bytes() for path in (server.folder / "output").iterdir()]
        assert entry.seconds > 0
    page = (work.out / "index.html").read_text()
    assert "6 of 6 done" in page
    places = [page.index(f"slow{n}/farm_") for n in range(6)]
    assert places == sorted(places), "as the table has them, whoever was done first"
    assert f'data-folder="{work.out}"' in page
    assert main(["status", str(work.out)]) == 0
    assert "6 of 6 done" in capsys.readouterr().out


def test_run_twice_nothing_is_queued(two, work):
    command = [*work.table(small(4, 200)), *urls(two)]
    assert main(command) == 0
    before = [executed(server) for server in two]
    assert main(command) == 0
    assert [executed(server) for server in two] == before


def test_a_bad_row_is_named_and_the_others_are_done(two, work, capsys):
    rows = [{**row, "Blur.blur_radius": 1} for row in small(4, 300)]
    rows[1]["Blur.blur_radius"] = 99  # the host's own limit is 31
    rows[2]["Blur.blur_radius"] = 1.5
    rows[3]["Blur.blur_radius"] = "wide"
    assert main([*work.table(rows), *urls(two)]) == 1
    said = capsys.readouterr().err
    assert "refused job1: ImageBlur: Value 99 bigger than max of 31" in said
    assert "refused job2: 'Blur.blur_radius' is '1.5'; a whole number is needed." in said
    assert "refused job3: 'Blur.blur_radius' is 'wide'; a number is needed" in said
    assert work.done() == Counter(["job0"])


def test_an_unknown_column_is_refused_before_anything_is_queued(two, work, capsys):
    before = [executed(server) for server in two]
    assert main([*work.table([{"Blur.radius": 1}]), *urls(two)]) == 2
    assert "no input 'Blur.radius'" in capsys.readouterr().err
    assert [executed(server) for server in two] == before
    assert not work.out.exists()


def test_a_server_killed_and_started_again_in_mid_run_costs_no_job_and_doubles_none(two, work):
    command = [*work.table(slow(12, 400)), *urls(two)]
    result: list[int] = []
    farm = threading.Thread(target=lambda: result.append(main(command)))
    farm.start()
    wait_until(lambda: two[1].get("/queue")["queue_running"])
    two[1].process.send_signal(signal.SIGKILL)
    two[1].process.wait()
    two[1].start(two[1].port)
    farm.join(240)
    assert result == [0]
    assert work.done() == Counter(f"slow{n}" for n in range(12))
    folders = [path.name for path in work.out.iterdir() if path.is_dir()]
    assert sorted(folders) == sorted(f"slow{n}" for n in range(12))
    lines = [json.loads(line) for line in (work.out / "farm.jsonl").read_text().splitlines()]
    assert len(lines) == 12


def test_a_killed_farm_goes_on_without_queueing_again(two, work):
    command = [*work.table(slow(6, 500)), *urls(two)]
    before = sum(map(executed, two))
    farm = subprocess.Popen([sys.executable, "-m", "syncam_core.farm", *command], cwd=PACK, env=os.environ)
    wait_until(lambda: work.done() and all(server.get("/queue")["queue_running"] for server in two))
    farm.kill()
    farm.wait()
    assert main(command) == 0
    assert work.done() == Counter(f"slow{n}" for n in range(6))
    assert sum(map(executed, two)) == before + 6


def test_an_interrupt_takes_its_jobs_from_the_servers(two, work):
    command = [*work.table(slow(8, 600)), *urls(two)]
    heeds = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "  # also behind a shell's &
    )
    program = heeds + "runpy.run_module('syncam_core.farm', run_name='__main__')"
    farm = subprocess.Popen([sys.executable, "-c", program, *command], cwd=PACK, env=os.environ)
    wait_until(lambda: all(server.get("/queue")["queue_running"] for server in two))
    farm.send_signal(signal.SIGINT)
    assert farm.wait(60) == 130
    wait_until(lambda: not any(queue for server in two for queue in server.get("/queue").values()))
    assert sum(work.done().values()) < 8
    assert main(command) == 0
    assert work.done() == Counter(f"slow{n}" for n in range(8))


def test_cancel_ends_a_farm_from_outside(two, work):
    command = [*work.table(slow(8, 700)), *urls(two)]
    farm = subprocess.Popen([sys.executable, "-m", "syncam_core.farm", *command], cwd=PACK, stderr=subprocess.PIPE)
    wait_until(lambda: all(server.get("/queue")["queue_running"] for server in two))
    assert main(["cancel", str(work.out)]) == 0
    said = farm.communicate(timeout=60)[1].decode()
    assert farm.returncode == 2
    assert "it was cancelled" in said
    assert not any(queue for server in two for queue in server.get("/queue").values())
    assert main(["status", str(work.out)]) == 1


class Unheard(Client):
    """The first interrupt of every job is lost, as the host forgets one that comes after it took the job and before it
    began it (about one in 300 that are sent in that moment)."""

    def __init__(self, url: str):
        super().__init__(url)
        self.told: set[str] = set()

    def _json(self, path, body=None):
        if path == "/interrupt" and body["prompt_id"] not in self.told:
            self.told.add(body["prompt_id"])
            return {}
        return super()._json(path, body)


@pytest.mark.parametrize(("kind", "count"), [(Client, 20), (Unheard, 3)])
def test_a_job_that_is_cancelled_in_the_moment_in_which_it_begins_is_not_done(two, kind, count):
    rows = [{column: str(value) for column, value in row.items()} for row in slow(count, 1200)]
    jobs = jobs_of(Workflow(GRAPH), rows, Path())
    server = kind(two[0].url)
    for job in jobs:
        server.queue(job.id, job.graph)
        while job.id not in {item[1] for item in two[0].get("/queue")["queue_running"]}:
            pass
        server.cancel([job.id])
        assert job.id not in server.queued()
    assert [server.ended(job.id).error for job in jobs] == ["it was interrupted on the server"] * len(jobs)


def test_a_second_farm_in_one_folder_is_refused(two, work, capsys):
    command = [*work.table(slow(4, 800)), *urls(two)]
    first = threading.Thread(target=main, args=(command,))
    first.start()
    wait_until(lambda: any(server.get("/queue")["queue_running"] for server in two))
    assert main(command) == 2
    assert "another farm works in" in capsys.readouterr().err
    first.join(120)
    assert work.done() == Counter(f"slow{n}" for n in range(4))


def test_a_failing_job_is_not_tried_again_and_says_why(two, work, capsys):
    rows = small(2, 900)
    rows[1]["Save.filename_prefix"] = "../../outside"
    rows[0]["Save.filename_prefix"] = "inside"
    before = sum(map(executed, two))
    assert main([*work.table(rows), *urls(two)]) == 1
    assert "failed job1: SaveImage:" in capsys.readouterr().err
    assert work.done() == Counter(["job0"])
    assert sum(map(executed, two)) == before + 2


def test_a_result_whose_server_vanishes_while_it_is_fetched_is_made_again(two, work, monkeypatch):
    """The first fetch from the second server meets its death."""
    killed = threading.Event()
    fetch = Client.fetch

    def fatal(self, output, to):
        if self.url == two[1].url and not killed.is_set():
            killed.set()
            two[1].process.kill()
            two[1].process.wait()
        return fetch(self, output, to)

    monkeypatch.setattr(Client, "fetch", fatal)
    work.table(slow(5, 1000))
    work.out.mkdir()
    rows = list(csv.DictReader((work.folder / "t.csv").open()))
    jobs = jobs_of(Workflow.read(work.folder / "w.json"), rows, work.folder)
    assert Farm(work.out, [Client(server.url) for server in two], jobs).run()
    assert killed.is_set()
    assert work.done() == Counter(f"slow{n}" for n in range(5))
    assert sorted(p.name for p in work.out.iterdir() if p.is_dir()) == sorted(f"slow{n}" for n in range(5))
    two[1].start(two[1].port)


def test_chosen_jobs_are_promoted_with_other_values(two, work):
    assert main([*work.table(small(3, 1100)), *urls(two)]) == 0
    assert main(["promote", str(work.out), "job2", "--set", "Colour.width=64"]) == 0
    (entry,) = Ledger(work.out / "promoted").entries()
    assert entry.row == {"name": "job2", "Colour.color": "1102", "Colour.width": "64"}
    (scouted,) = (one for one in Ledger(work.out).entries() if one.name == "job2")
    with (
        Image.open(work.out / "promoted" / "job2" / entry.files[0]) as picture,
        Image.open(work.out / "job2" / scouted.files[0]) as small_one,
    ):
        assert picture.size == (64, 32)
        assert picture.getpixel((32, 16)) == small_one.getpixel((16, 16)) != (0, 0, 0)


def test_three_hundred_jobs_leave_memory_handles_and_threads_as_they_were(two, work, monkeypatch):
    monkeypatch.setattr("syncam_core.farm.run.POLL_S", 0.02)  # jobs of milliseconds: else it only waits

    def state(process: int) -> tuple[int, int, int]:
        status = Path(f"/proc/{process}/status").read_text()
        field = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if len(line.split()) > 1}
        return int(field["VmRSS"]) // 1024, len(os.listdir(f"/proc/{process}/fd")), int(field["Threads"])

    main([*work.table(small(50, 3000)), *urls(two)])  # pools and caches fill
    processes = [os.getpid(), *(server.process.pid for server in two)]
    before = [state(process) for process in processes]
    work.out = work.folder / "many"
    assert main([*work.table(small(300, 2000))[:-1], str(work.out), *urls(two)]) == 0
    assert sum(work.done().values()) == 300
    time.sleep(1)
    for was, now in zip(before, map(state, processes), strict=True):
        assert now[0] < was[0] + 40  # MB; the servers keep the history of 300 jobs
        assert now[1] <= was[1] + 3
        assert now[2] <= was[2] + 1


def wait_until(is_so, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
