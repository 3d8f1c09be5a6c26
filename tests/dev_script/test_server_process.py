"""The server as a child process: it is waited for, and it always ends. A small main.py stands where ComfyUI's stands."""

import os
import subprocess
import sys
import time
from pathlib import Path

import dev_server
import pytest
from dev_host import Comfy
from dev_pack import ShownPack
from dev_terminal import Problem

MAIN = """
import http.server, json, os, pathlib, subprocess, sys
here = pathlib.Path(__file__).parent
{before}
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
(here / "pids").write_text(f"{{os.getpid()}} {{child.pid}}")
print("started with", sys.argv[1:], "in", os.getcwd(), "path", sys.path[0], flush=True)

class Stats(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({{"system": {{"argv": sys.argv}}}}).encode())

port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Stats).serve_forever()
"""


PACK = ShownPack("ComfyUI-SynCam", ("--extra-model-paths-config", "ours.yaml"))


def comfyui(tmp_path, before=""):
    folder = tmp_path / "ComfyUI"
    folder.mkdir()
    (folder / "main.py").write_text(MAIN.format(before=before))
    return Comfy(folder, Path(sys.executable), "0.30.0", ours=True)


def alive(pid):
    """Whether a process runs; one that has ended but was not yet collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until_gone(pids, limit_s=5.0):
    deadline = time.monotonic() + limit_s
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(alive, pids))


def pids_of(comfy):
    return [int(pid) for pid in (comfy.folder / "pids").read_text().split()]


def test_the_server_is_ready_inside_the_block_and_gone_with_its_children_after_it(tmp_path):
    comfy = comfyui(tmp_path)
    with dev_server.headless_server(comfy, PACK, tmp_path / "run", ["--cpu"]) as server:
        status, _ = dev_server.request(server.port, "GET", "/system_stats")
        pids = pids_of(comfy)
        assert status == 200
        assert all(map(alive, pids))
    assert wait_until_gone(pids)
    log = server.log.read_text()
    assert f"in {comfy.folder} path {comfy.folder}" in log
    for name in ("input", "output", "temp", "user"):
        assert f"'--{name}-directory', '{tmp_path / 'run' / name}'" in log
    assert "'--whitelist-custom-nodes', 'ComfyUI-SynCam'" in log
    assert "'--extra-model-paths-config', 'ours.yaml'" in log


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_the_server_is_gone_after_a_failure_and_after_ctrl_c_in_the_block(tmp_path, error):
    comfy = comfyui(tmp_path)
    with pytest.raises(error), dev_server.headless_server(comfy, PACK, tmp_path / "run", []):
        raise error
    assert wait_until_gone(pids_of(comfy))


def test_a_server_that_does_not_listen_to_ctrl_c_is_ended_all_the_same(tmp_path):
    comfy = comfyui(tmp_path, before="import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)")
    server = dev_server.start_server(comfy, dev_server.free_port(), [], tmp_path / "log")
    dev_server.wait_until_ready(server, argument="--port", limit_s=30)
    dev_server.stop_server(server, patience_s=0.3)
    assert wait_until_gone(pids_of(comfy))


def test_a_server_that_dies_at_the_start_is_reported_with_the_end_of_its_log(tmp_path):
    comfy = comfyui(tmp_path, before="raise SystemExit('no such model')")
    with (
        pytest.raises(Problem, match=r"(?s)exit code 1.*no such model"),
        dev_server.headless_server(comfy, PACK, tmp_path / "run", []),
    ):
        pass


def test_a_server_that_never_answers_is_given_up(tmp_path):
    comfy = comfyui(tmp_path, before="import time; time.sleep(60)")
    server = dev_server.start_server(comfy, dev_server.free_port(), [], tmp_path / "log")
    with pytest.raises(Problem, match="has not answered for 1 s"):
        dev_server.wait_until_ready(server, argument="", limit_s=1)
    dev_server.stop_server(server)


def test_a_port_that_somebody_took_in_between_costs_only_another_attempt(tmp_path):
    lose_once = (
        "if not (here / 'lost').exists():\n"
        "    (here / 'lost').touch()\n"
        "    raise SystemExit('Port 1 is already in use on address 127.0.0.1.')\n"
    )
    comfy = comfyui(tmp_path, before=lose_once)
    with dev_server.headless_server(comfy, PACK, tmp_path / "run", []) as server:
        assert dev_server.request(server.port, "GET", "/")[0] == 200


def test_an_answer_from_somebody_elses_server_is_not_taken_for_ours(tmp_path):
    comfy = comfyui(tmp_path)
    with dev_server.headless_server(comfy, PACK, tmp_path / "run", []) as server:
        assert dev_server.answers(server.port)
        assert dev_server.answers(server.port, str(tmp_path / "run" / "output"))
        assert not dev_server.answers(server.port, str(tmp_path / "another run" / "output"))


def test_the_server_ends_when_the_script_is_killed(tmp_path):
    comfy = comfyui(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(Path(dev_server.__file__).parent)!r})\n"
        "import pathlib, time, dev_host, dev_server\n"
        f"comfy = dev_host.Comfy(pathlib.Path({str(comfy.folder)!r}), pathlib.Path(sys.executable), '')\n"
        f"server = dev_server.start_server(comfy, {dev_server.free_port()}, [], pathlib.Path({str(tmp_path / 'log')!r}))\n"
        "dev_server.wait_until_ready(server, '--port', 30)\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    script = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert script.stdout.readline() == "ready\n"
    server_pid, child_pid = pids_of(comfy)
    assert alive(server_pid)
    script.kill()
    script.wait()
    script.stdout.close()
    assert wait_until_gone([server_pid])
    os.kill(child_pid, 9)  # the stand-in's own child has no such tie
