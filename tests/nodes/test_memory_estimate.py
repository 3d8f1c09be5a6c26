"""What the core estimates of the memory that a sampling takes, against what the host's model really takes."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from syncam_core.view_sync.memory import Job, Transformer, peak_bytes

MEASURE = Path(__file__).resolve().parents[1] / "helpers" / "measure_memory.py"


@pytest.fixture(scope="module")
def measured():
    """Peaks of forwards in a process of its own, where freed memory goes back to the system at once."""
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(2**20), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(MEASURE)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_estimate_is_within_20_percent_of_what_a_process_really_takes(measured):
    model = Transformer(depth=2, itemsize=4)
    for views, taken in measured["real"].items():
        job = Job(int(views), 81, 64, 64)
        assert peak_bytes(job, model, math.inf, fused=False) == pytest.approx(taken, rel=0.2), views


def test_the_estimate_is_within_3_percent_of_the_tensors_alive_at_the_real_size(measured):
    for coupling, memory, views, taken in measured["meta"]:
        job = Job(views, 81, 832, 480, coupling=coupling, memory=memory)
        assert peak_bytes(job, Transformer(), math.inf, fused=True) == pytest.approx(taken, rel=0.03), (
            coupling,
            memory,
            views,
        )


def test_so_it_is_for_re_captures_whose_stream_holds_the_source_too(measured):
    for memory, count, taken in measured["recapture"]:
        job = Job(count, 81, 832, 480, memory=memory, recapture=True)
        assert peak_bytes(job, Transformer(), math.inf, fused=True) == pytest.approx(taken, rel=0.03), (memory, count)
