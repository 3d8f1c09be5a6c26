"""The moves of ReCamMaster in the rig editor are those of the node, at every frame that the model reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from syncam_core.cameras import rig_from_json
from syncam_core.cameras.trajectories import CHORD, ORBIT, RECAM_MOVES, recam_rig

EDITOR = Path(__file__).resolve().parents[2] / "web" / "js" / "rig_editor" / "trajectories.mjs"
MAKE = f"""async (text) => {{
    const {{ MOVES, trajectories }} = await import("{EDITOR.as_uri()}");
    const cameras = trajectories.make(JSON.parse(text));
    const possible = trajectories.fields[0][2];
    return JSON.stringify({{ names: Object.values(MOVES).map(([name]) => name), possible, cameras }});
}}"""


def made(javascript, **values):
    answer = json.loads(javascript.evaluate(MAKE, json.dumps({"move": "allMoves", **values})))
    cameras = answer.pop("cameras")
    return answer, rig_from_json(json.dumps({"format": "syncam-rig", "version": 1, "cameras": cameras}))


@pytest.mark.parametrize(
    ("amount", "distance", "path", "length"),
    [
        (1, 4, "chord", 81),
        (1, 4, "trueOrbit", 81),
        (-1.5, 5, "chord", 17),
        (2.5, 3, "trueOrbit", 121),
        (3, 4, "chord", 5),
    ],
)
def test_the_editors_moves_are_the_nodes(javascript, amount, distance, path, length):
    answer, rig = made(javascript, amount=amount, distance=distance, path=path, length=length)
    truth = recam_rig("1-10", amount, distance, CHORD if path == "chord" else ORBIT, length)
    assert answer["names"] == [move.name for move in RECAM_MOVES]
    assert len(answer["possible"]) == 1 + len(RECAM_MOVES)
    assert rig.names == truth.names
    assert rig.c2w.shape == truth.c2w.shape
    assert np.abs((rig.c2w - truth.c2w)[:, ::4].numpy()).max() < 1e-9
    # Between the frames that the model reads angles and places go straight: off by the sagitta of what four frames turn.
    turn = np.radians(30 * abs(amount)) * 4 / length
    assert np.abs((rig.c2w - truth.c2w).numpy()).max() < distance * turn**2 / 4


def test_a_length_that_is_not_4n_plus_1_becomes_the_nearest(javascript):
    assert made(javascript, amount=1, distance=4, path="chord", length=19)[1].frames in (17, 21)
