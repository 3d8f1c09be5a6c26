"""What a person reads while a job runs and when it fails, and which files come back."""

import errno
import http.server
import queue
import socket
import subprocess
import sys
import threading
import urllib.parse
from types import SimpleNamespace

import dev
import dev_server
import pytest
from dev_terminal import Problem, duration

WORKFLOW = {
    "1": {"class_type": "EmptyImage", "inputs": {}},
    "2": {"class_type": "SynCamSampler", "inputs": {}, "_meta": {"title": "My sampler"}},
}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.6, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (63, "1 min 03 s"),
        (3599.7, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds, text):
    assert duration(seconds) == text


def test_the_progress_line_counts_nodes_and_steps_and_estimates_from_the_steps_after_the_first():
    progress = dev_server.Progress(nodes=9)
    progress.enter("1", "Loader")
    progress.enter("2", "Sampler")
    progress.enter("2", "Sampler")
    assert progress.line(now=0) == "[2/9] Sampler"
    progress.advance(1, 20, now=100.0)  # the first step pays for loading the model, so it starts the clock
    assert progress.line(now=100.0) == "[2/9] Sampler: step 1/20"
    progress.advance(5, 20, now=102.0)
    assert progress.line(now=102.0) == "[2/9] Sampler: step 5/20, 2.00 it/s, 8 s left"
    progress.advance(20, 20, now=109.5)
    assert progress.line(now=109.5) == "[2/9] Sampler: step 20/20, 2.00 it/s"


def test_the_progress_of_one_node_is_not_that_of_the_next():
    progress = dev_server.Progress(nodes=2)
    progress.enter("a", "A")
    progress.advance(1, 10, now=0.0)
    progress.advance(9, 10, now=4.0)
    progress.enter("b", "B")
    progress.advance(1, 10, now=5.0)
    progress.advance(3, 10, now=6.0)
    assert progress.line(now=6.0) == "[2/2] B: step 3/10, 2.00 it/s, 4 s left"


def test_a_second_bar_in_the_same_node_starts_the_estimate_again():
    progress = dev_server.Progress(nodes=1)
    progress.enter("a", "A")
    progress.advance(1, 10, now=0.0)
    progress.advance(10, 10, now=90.0)
    progress.advance(1, 10, now=91.0)
    progress.advance(2, 10, now=92.0)
    assert progress.line(now=92.0).endswith("step 2/10, 1.00 it/s, 8 s left")


def followed(*events):
    inbox = queue.Queue()
    for kind, data in events:
        inbox.put({"type": kind, "data": data})
    inbox.put(None)
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])
    return inbox, process


def test_a_job_is_followed_to_its_own_success(tmp_path, capsys):
    inbox, process = followed(
        ("status", {"status": {}}),
        ("execution_error", {"prompt_id": "another", "exception_message": "not ours"}),
        ("executing", {"prompt_id": "job", "node": "2"}),
        ("progress", {"prompt_id": "job", "node": "2", "value": 4, "max": 4}),
        ("executing", {"prompt_id": "job", "node": None}),
        ("execution_success", {"prompt_id": "job"}),
    )
    dev_server.follow(dev_server.Server(process, 0, tmp_path / "log"), inbox, WORKFLOW, "job")
    process.wait()
    assert "[1/2] My sampler: step 4/4" in capsys.readouterr().err


def test_an_execution_error_becomes_its_sentence(tmp_path):
    error = {"prompt_id": "job", "node_id": "2", "node_type": "SynCamSampler", "exception_message": "3 cameras but 2\n"}
    inbox, process = followed(("execution_error", {**error, "traceback": ["File ..."]}))
    with pytest.raises(Problem) as caught:
        dev_server.follow(dev_server.Server(process, 0, tmp_path / "log"), inbox, WORKFLOW, "job")
    process.wait()
    assert str(caught.value) == "SynCamSampler (node 2) failed: 3 cameras but 2"


def test_a_server_that_dies_in_the_job_is_reported_with_the_end_of_its_log(tmp_path):
    (tmp_path / "log").write_text("start\nout of memory\n")
    inbox, process = followed()
    with pytest.raises(Problem, match=r"(?s)exit code 3.*out of memory"):
        dev_server.follow(dev_server.Server(process, 0, tmp_path / "log"), inbox, WORKFLOW, "job")


def test_a_refused_workflow_is_explained_node_by_node():
    answer = {
        "error": {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation"},
        "node_errors": {
            "3": {
                "class_type": "SynCamEncodeCameras",
                "errors": [
                    {"message": "Custom validation failed for node", "details": "length - 'length' is 80; use 77 or 81"}
                ],
            },
            "4": {
                "class_type": "SynCamApply",
                "errors": [{"message": "Required input is missing", "details": "model"}],
            },
        },
    }
    lines = dev_server.refusal(answer).splitlines()
    assert lines[1].strip() == (
        "SynCamEncodeCameras (node 3): Custom validation failed for node: length - 'length' is 80; use 77 or 81"
    )
    assert lines[2].strip() == "SynCamApply (node 4): Required input is missing: model"


def test_a_refusal_without_nodes_gives_its_own_message():
    error = {"type": "missing_node_type", "message": "Node 'X' not found.", "details": "Node ID '#1'"}
    assert "Node 'X' not found.: Node ID '#1'" in dev_server.refusal({"error": error, "node_errors": {}})


def test_every_file_in_the_outputs_is_found_once_whatever_its_key():
    video = {"filename": "a.mp4", "subfolder": "syncam", "type": "output", "format": "video/h264-mp4"}
    picture = {"filename": "p.png", "subfolder": "", "type": "temp"}
    outputs = {
        "1": {"images": [picture], "animated": [True]},
        "2": {"gifs": [video], "files": [video, {"filename": "rig.json", "subfolder": "", "type": "output"}]},
        "3": {"text": ["filename"], "n": 3},
    }
    found = dev_server.output_files(outputs)
    assert [file["filename"] for file in found] == ["p.png", "a.mp4", "rig.json"]
    assert found[1] == {"filename": "a.mp4", "subfolder": "syncam", "type": "output"}
    assert dev_server.result_files(outputs) == found[1:], "the preview picture is not a result"
    assert dev_server.result_files({"1": outputs["1"]}) == found[:1], "unless there is nothing else"


def test_what_nodes_show_as_text_is_found():
    outputs = {"1": {"text": ["4 views", 3]}, "2": {"images": []}, "3": {"text": None}, "4": {"text": ("two\nlines",)}}
    assert dev_server.output_texts(outputs) == ["4 views", "two\nlines"]


@pytest.fixture
def files_server():
    """A server that hands out, for any /view, the name it was asked for and a count."""
    count = iter(range(1, 100))

    class View(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = f"{urllib.parse.urlsplit(self.path).query} #{next(count)}".encode()
            self.send_response(404 if b"missing" in body else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), View) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield SimpleNamespace(port=server.server_port)
        server.shutdown()
        thread.join()


def test_a_fetched_file_never_replaces_one_that_is_there(tmp_path, files_server):
    file = {"filename": "demo 1.mp4", "subfolder": "a&b", "type": "output"}
    paths = [dev_server.fetch(files_server, file, tmp_path / "output") for _ in range(3)]
    assert [path.name for path in paths] == ["demo 1.mp4", "demo 1_2.mp4", "demo 1_3.mp4"]
    query = "filename=demo+1.mp4&subfolder=a%26b&type=output"
    assert [path.read_text() for path in paths] == [f"{query} #1", f"{query} #2", f"{query} #3"]


def test_a_fetched_file_stays_in_the_output_folder_whatever_its_name(tmp_path, files_server):
    for name in ("../../evil.mp4", "/etc/evil.mp4", "..\\evil.mp4", "evil"):
        path = dev_server.fetch(files_server, {"filename": name}, tmp_path / "output")
        assert path.parent == tmp_path / "output"


def test_a_result_that_the_server_does_not_hand_out_is_named(tmp_path, files_server):
    with pytest.raises(Problem, match=r"missing\.mp4 \(HTTP 404\)"):
        dev_server.fetch(files_server, {"filename": "missing.mp4"}, tmp_path / "output")


def test_a_free_port_is_free_and_a_listening_one_is_not():
    assert dev_server.port_is_free(dev_server.free_port())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not dev_server.port_is_free(taken.getsockname()[1])


def test_serving_on_a_taken_port_names_the_option_before_anything_is_set_up():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Problem, match=rf"Port {port} is in use.*--port \d+"):
            dev.main(["serve", "--port", str(port)])


@pytest.mark.parametrize(
    "log",
    [
        "Port 8188 is already in use on address 127.0.0.1. Please close the other application",
        f"OSError: [Errno {errno.EADDRINUSE}] error while attempting to bind on address ('127.0.0.1', 8188)",
        "[Errno 10048] error while attempting to bind: only one usage of each socket address",
    ],
)
def test_a_lost_port_is_recognised_in_the_servers_log(log):
    assert dev_server.PORT_TAKEN.search(log)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not JSON"),
        ('{"nodes": [], "links": []}', "not in API format"),
        ("[]", "not in API format"),
        (None, "cannot be read"),
    ],
)
def test_a_workflow_that_cannot_be_queued_is_refused_at_once(tmp_path, text, sentence):
    file = tmp_path / "workflow.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Problem, match=sentence):
        dev.main(["demo", "--workflow", str(file)])
