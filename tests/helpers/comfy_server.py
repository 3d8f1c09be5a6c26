"""A real ComfyUI server with the pack, and a client that speaks its HTTP and websocket API."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

PACK = Path(__file__).resolve().parents[2]
sys.path.append(str(PACK / "scripts"))

from dev_server import LAUNCHER  # noqa: E402

TEXT_EVENT = b"\0\0\0\3"  # the host's number for words shown on a node


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@dataclass
class Outcome:
    """How a queued prompt ended: its events, its outputs per node, and the errors in words."""

    status: str
    events: list[tuple[str, dict]] = field(default_factory=list)
    previews: list[bytes] = field(default_factory=list)
    outputs: dict[str, dict] = field(default_factory=dict)
    node_type: str = ""
    message: str = ""


class Server:
    """``main.py --cpu`` on a free loopback port, with folders of its own.

    SYNCAM_FRONTEND names the folder of another frontend than the one that belongs to the host, that with index.html.
    """

    def __init__(self, comfyui: Path, folder: Path, *flags: str):
        self.folder, self.log_path, self.temporary = folder, folder / "server.log", folder / "tmp"
        for name in ("custom_nodes", "models", "input", "output", "user", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "custom_nodes" / "ComfyUI-SynCam").symlink_to(PACK)
        command = [sys.executable, "-c", LAUNCHER, str(comfyui / "main.py"), "--cpu", "--base-directory", str(folder)]
        command += ["--database-url", "sqlite:///:memory:", "--disable-auto-launch", *flags]
        if frontend := os.environ.get("SYNCAM_FRONTEND"):
            command += ["--front-end-root", frontend]
        self.command, self.comfyui = command, comfyui
        self.environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self.environment["TMPDIR"] = str(self.temporary)  # what is left behind there is this server's
        self.log_file = self.log_path.open("wb")
        for attempt in range(3):
            try:
                self.start(free_port())
                return
            except RuntimeError:
                self.process.kill()
                # Between our look and its start somebody else may have taken the port.
                if attempt == 2 or "already in use" not in self.log():
                    raise

    def start(self, port: int) -> None:
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [*self.command, "--port", str(port)],
            cwd=self.comfyui,
            stdin=subprocess.PIPE,  # it ends with us, however we end
            stdout=self.log_file,
            stderr=subprocess.STDOUT,
            env=self.environment,
        )
        self.wait_until_ready()

    def wait_until_ready(self, seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"ComfyUI ended: {self.log()[-2000:]}")
            try:
                if str(self.folder) in self.get("/system_stats")["system"]["argv"]:  # and not somebody else's server
                    return
            except OSError:
                pass
            time.sleep(0.2)
        raise RuntimeError(f"ComfyUI did not start: {self.log()[-2000:]}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.process.stdin.close()
        self.log_file.close()

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def get(self, path: str):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def bytes(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return answer.read()

    def post(self, path: str, body: dict) -> tuple[int, dict]:
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else {}
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def finish(self, seconds: float = 60) -> None:
        """Let nothing wait in the queue and nothing run."""
        deadline = time.monotonic() + seconds
        while any(self.get("/queue").values()):
            self.post("/queue", {"clear": True})
            self.post("/interrupt", {})
            if time.monotonic() > deadline:
                raise RuntimeError("ComfyUI does not end what it runs.")
            time.sleep(0.1)

    def forget(self) -> None:
        """Unload all models and drop all cached results; the server does so when its queue is idle."""
        blank = {"width": 16, "height": 16, "batch_size": 1, "color": 0}
        probe = {
            "1": {"class_type": "EmptyImage", "inputs": blank},
            "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
        }
        self.run(probe)
        self.post("/free", {"unload_models": True, "free_memory": True})
        for _ in range(100):
            if not [data for kind, data in self.run(probe).events if kind == "execution_cached" and data["nodes"]]:
                return
        raise RuntimeError("ComfyUI still answers from its cache.")

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def run(self, prompt: dict, on_event=None, previews: bool = False, seconds: float = 300) -> Outcome:
        """Queue an API-format prompt and wait for its end. ``on_event(kind, data)`` may act meanwhile."""
        return asyncio.run(asyncio.wait_for(self._run(prompt, on_event, previews), seconds))

    async def _run(self, prompt: dict, on_event, previews: bool) -> Outcome:
        client = str(uuid.uuid4())
        outcome = Outcome("queued")
        body = {"prompt": prompt, "client_id": client}
        if previews:
            body["extra_data"] = {"preview_method": "latent2rgb"}
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{self.url}/ws?clientId={client}", max_msg_size=0) as socket_,
        ):
            await socket_.send_json({"type": "feature_flags", "data": {"supports_preview_metadata": True}})
            async with session.post(self.url + "/prompt", json=body) as answer:
                result = await answer.json()
            if result.get("node_errors") or "prompt_id" not in result:
                outcome.status = "refused"
                for error in result.get("node_errors", {}).values():
                    outcome.node_type = error["class_type"]
                    outcome.message += " ".join(f"{e['message']}: {e['details']}" for e in error["errors"])
                outcome.message = outcome.message or result["error"]["message"]
                return outcome
            prompt_id = result["prompt_id"]
            async for message in socket_:
                if message.type == aiohttp.WSMsgType.BINARY:
                    if message.data[:4] != TEXT_EVENT:
                        outcome.previews.append(message.data)
                    continue
                event = json.loads(message.data)
                kind, data = event["type"], event.get("data") or {}
                if data.get("prompt_id") not in (None, prompt_id):
                    continue
                outcome.events.append((kind, data))
                if on_event:
                    await asyncio.to_thread(on_event, kind, data)
                if kind in ("execution_success", "execution_error", "execution_interrupted"):
                    outcome.status = kind.removeprefix("execution_")
                    outcome.node_type = data.get("node_type", "")
                    outcome.message = data.get("exception_message", "").strip()
                    break
            for _ in range(100):
                history = await asyncio.to_thread(self.get, f"/history/{prompt_id}")
                if prompt_id in history:
                    outcome.outputs = history[prompt_id]["outputs"]
                    break
                await asyncio.sleep(0.1)
        return outcome


def in_background(function, *arguments) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread
