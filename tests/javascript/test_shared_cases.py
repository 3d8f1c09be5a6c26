"""The cases that both languages share, in JavaScript alone, under the test runner of Node.js."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import meter_cases
import rig_cases

HERE = Path(__file__).parent


def test_every_shared_case_is_met_by_the_libraries_alone(node):
    command = [node, "--test", "--test-reporter=tap", *sorted(map(str, HERE.glob("*.test.mjs")))]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    counted = {name: int(number) for name, number in re.findall(r"^# (tests|pass) (\d+)$", done.stdout, re.MULTILINE)}
    cases = len(rig_cases.ACCEPTED) + len(meter_cases.NAMES)
    print(f"{cases} shared cases in JavaScript")
    assert cases > 50
    assert counted == {"tests": cases, "pass": cases}
