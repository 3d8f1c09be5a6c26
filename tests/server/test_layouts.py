"""Layouts over HTTP: the node whose inputs depend on the kind, in a job as a script sends it."""

from __future__ import annotations

import pytest


def job(**layout) -> dict:
    """One view of two frames: enough for a picture."""
    look = {"gap": 4, "background": "#112233", "names": True, "angles": False, "timecode": False}
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 48, "batch_size": 2, "color": 255}},
        "2": {"class_type": "SynCamLayout", "inputs": {**look, **layout}},
        "3": {
            "class_type": "SynCamViewGrid",
            "inputs": {"views": ["1", 0], "columns": 0, "labels": True, "layout": ["2", 0], "fps": 24.0},
        },
        "4": {"class_type": "PreviewImage", "inputs": {"images": ["3", 0]}},
    }


@pytest.mark.parametrize(
    "layout",
    [
        {"kind": "auto grid"},
        {"kind": "rows x columns", "kind.rows": 2, "kind.columns": 1},
        {"kind": "hero + strip", "kind.main": "A", "kind.strip": "bottom"},
        {"kind": "stacked"},
    ],
)
def test_every_kind_runs_from_a_job_in_api_format(server, layout):
    outcome = server.run(job(**layout))
    assert outcome.status == "success", outcome.message
    assert len(outcome.outputs["4"]["images"]) == 2


def test_a_colour_that_is_none_is_refused_once_when_it_is_queued(server):
    outcome = server.run(job(kind="stacked", background="red"))
    assert outcome.status == "refused"
    assert outcome.message.count("'background' is 'red'; write a colour as '#rrggbb'") == 1


def test_a_kind_that_does_not_exist_is_refused_with_those_that_do(server):
    outcome = server.run(job(kind="mosaic"))
    assert outcome.status == "error"
    assert outcome.message.startswith("SynCamLayout: 'kind' is none of 'auto grid', 'rows x columns', 'hero + strip'")
