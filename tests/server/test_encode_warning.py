"""What SynCam Encode Cameras says of a rig: with its output, also where the host answers a run from its cache."""

from __future__ import annotations


def prompt(azimuths: str, prefix: str) -> dict:
    rig = {"azimuths": azimuths, "elevations": "0", "distances": "3.0"}
    latent = {"cameras": ["encode", 0], "width": 64, "height": 64, "length": 5}
    return {
        "rig": {"class_type": "SynCamRigOrbit", "inputs": rig},
        "encode": {"class_type": "SynCamEncodeCameras", "inputs": {"rig": ["rig", 0], "length": 5}},
        "latent": {"class_type": "SynCamEmptyLatent", "inputs": latent},
        "save": {"class_type": "SaveLatent", "inputs": {"samples": ["latent", 0], "filename_prefix": prefix}},
    }


def said(server, azimuths: str, prefix: str) -> tuple[list[str], list[str], bool]:
    """What the history and the page hear of the node, and whether the host took it from its cache."""
    outcome = server.run(prompt(azimuths, prefix))
    assert outcome.status == "success", outcome.message
    heard = [data["output"] for kind, data in outcome.events if kind == "executed" and data["node"] == "encode"]
    (cached,) = (data["nodes"] for kind, data in outcome.events if kind == "execution_cached")
    return outcome.outputs["encode"]["warning"], heard[-1]["warning"], "encode" in cached


def test_a_warning_is_said_again_when_the_node_comes_from_the_cache_and_goes_when_the_rig_is_fine(server):
    sentence = (
        "1 of 2 cameras is outside of what the released weights were trained on; "
        "'cam02': 61.5° to the right of 'cam01' (trained: less than 30°)."
    )
    assert said(server, "0, 61.5", "warning/a") == ([sentence], [sentence], False)
    assert said(server, "0, 61.5", "warning/b") == ([sentence], [sentence], True)
    assert said(server, "0, 20.5", "warning/c") == ([], [], False)
