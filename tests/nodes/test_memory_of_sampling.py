import sys

import host_wan
import pytest

from syncam_core.cameras import orbit_rig
from syncam_core.cameras.encoding import encode_poses

SHAPE = (3, 16, 5, 12, 20)


@pytest.fixture(scope="module")
def told(comfy):
    """(model, the function, the host's model management)"""
    rig = orbit_rig([0.0, 20.0, 40.0], [0.0], [3.0])
    poses = encode_poses(rig.c2w).float().expand(-1, SHAPE[2], -1).contiguous()
    model = host_wan.TinyWan(comfy, "memory_of_sampling").patched(poses)
    host = comfy.pack.__name__ + ".nodes.host"
    patch, memory = sys.modules[host + ".view_sync_patch"], sys.modules[host + ".memory"]
    return lambda cfg=5.0: memory.memory_of_sampling(model, patch.view_sync_of(model), SHAPE, cfg)


def test_a_sampling_says_what_it_samples_and_what_that_needs(told):
    assert told().startswith("3 views of 17 frames at 160 x 96 need about ")
    assert told().endswith("working memory).")


def test_where_memory_is_short_it_says_what_would_fit(told, monkeypatch):
    import comfy.model_management

    monkeypatch.setattr(comfy.model_management, "get_free_memory", lambda *_, **__: 2.2e7)
    assert " MB are free: " in told()
    assert told().endswith(", would fit.")


def test_both_prompts_at_once_need_more_than_one(told):
    def working(sentence: str) -> float:
        return float(sentence.split(" weights, ")[1].split(" MB")[0])

    assert working(told(cfg=5.0)) >= working(told(cfg=1.0))
