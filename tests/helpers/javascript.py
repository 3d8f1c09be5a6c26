"""The pack's JavaScript libraries (web/lib/*.mjs) in Node.js, without a browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import playwright

EVALUATE = Path(__file__).with_name("evaluate.mjs")


def find_node() -> str | None:
    """A Node.js that starts: the one inside Playwright, which the test tools bring, else one on PATH."""
    bundled = Path(playwright.__file__).parent / "driver" / ("node.exe" if os.name == "nt" else "node")
    for node in (str(bundled), shutil.which("node")):
        if node and subprocess.run([node, "--version"], capture_output=True, check=False).returncode == 0:
            return node
    return None


class JavaScript:
    """One process of Node.js that evaluates functions, as a page of a browser would."""

    def __init__(self, node: str):
        self.process = subprocess.Popen(
            [node, str(EVALUATE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def evaluate(self, source: str, argument: Any = None) -> Any:
        """What the function `source` gives for `argument`, both as JSON; ``import("/name.mjs")`` in it finds web/lib."""
        self.process.stdin.write(json.dumps({"source": source, "argument": argument}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"problem": "Node.js has ended"}')
        if "problem" in answer:
            raise RuntimeError(answer["problem"])
        return answer["value"]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()
