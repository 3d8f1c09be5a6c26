"""A user's mistake is a sentence that names its input; a fault of the program stays an error with its trace."""

from __future__ import annotations

import sys

import pytest
import torch


def test_a_fault_of_the_program_inside_a_node_is_not_dressed_as_a_users_sentence(comfy, monkeypatch):
    """Planted where every node for footage asks for its views: a conversion that fails, as a bug would."""
    checks = sys.modules[f"{comfy.pack.__name__}.nodes.footage.sync_score"]

    def planted(views):
        return int("not a number")

    monkeypatch.setattr(checks, "check_views", planted)
    rig = comfy.run("SynCamRigRing", count=2, elevation=0.0, distance=4.0, start_azimuth=0.0)[0]
    with pytest.raises(ValueError, match=r"^invalid literal for int") as fault:
        comfy.run("SynCamSyncScore", views=[torch.zeros(1, 64, 64, 3)] * 2, rig=[rig])
    assert type(fault.value) is ValueError
    assert [frame.name for frame in fault.traceback][-1] == "planted"


def test_a_users_mistake_carries_the_input_that_it_is_about(comfy):
    with pytest.raises(ValueError, match="SynCamRigOrbit: 'elevations'") as refused:
        comfy.run("SynCamRigOrbit", azimuths="0, 30", elevations="95", distances="3")
    assert (type(refused.value).__name__, refused.value.field) == ("UserError", "elevations")
    with pytest.raises(ValueError, match="SynCamRigJSON: in 'rig_json'") as refused:
        comfy.run("SynCamRigJSON", rig_json='{"cameras": [{"azimuth": 0, "distance": "near"}]}')
    assert refused.value.field == "rig_json"
    assert refused.value.place.startswith("cameras[0]")


def test_a_validator_hides_no_fault_of_the_program_either(comfy):
    verdict = sys.modules[f"{comfy.pack.__name__}.nodes.shared.errors"].verdict

    def planted(value):
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        verdict(planted, 1)
