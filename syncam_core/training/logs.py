"""Logs of JSON lines, each with its step, that a resumed run continues without gap or repetition."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..disk.staged import staged_file


def append_lines(log: Path, lines: Sequence[Mapping[str, object]]) -> None:
    with open(log, "a", encoding="utf-8") as file:
        file.writelines(json.dumps({k: _plain(v) for k, v in line.items()}) + "\n" for line in lines)


def keep_lines_before(log: Path, step: int) -> None:
    """What comes after the checkpoint will be written again; a half line, too."""
    if not log.exists():
        return
    kept = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] < step:
                kept.append(line)
        except (ValueError, KeyError, TypeError):
            continue
    with staged_file(log) as part:
        part.write_text("".join(line + "\n" for line in kept), encoding="utf-8")


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
