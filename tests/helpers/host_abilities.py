"""What the host under test can do. A test of an ability that an older host has not is skipped, and says which one it is."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import re
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

ANCHOR = "frame before a context window ('causal_window_fix')"
CLONES = "multi-GPU clones of a model"
BETWEEN_BLOCKS = "patches between Wan's blocks ('double_block')"


def asks_the_windows_node() -> bool:
    from comfy.context_windows import IndexListContextHandler

    return "causal_window_fix" in inspect.signature(IndexListContextHandler).parameters


def anchor_input(anchor: bool | None) -> dict[str, bool]:
    """Of Context Windows (Manual): whether each window is run with the frame before it; None is what the host does itself."""
    if anchor:
        need(ANCHOR)
    return {} if anchor is None or not has(ANCHOR) else {"causal_window_fix": anchor}


def asks_the_model_patcher() -> bool:
    from comfy.model_patcher import ModelPatcher

    return hasattr(ModelPatcher, "match_multigpu_clones")


def asks_wan_itself() -> bool:
    """Whether its transformer calls what `set_model_double_block_patch` was given."""
    from comfy.ldm.wan.model import WanModel

    return 'patches["double_block"]' in inspect.getsource(WanModel.forward_orig).replace("'", '"')


def asks_the_films() -> bool:
    """Whether the host turns a film upright that was filmed with the camera on its side."""
    from comfy_api.latest import InputImpl

    return ".rotation" in inspect.getsource(InputImpl.VideoFromFile.get_components_internal)


def asks_for_node(node_id: str) -> bool:
    import nodes

    return node_id in nodes.NODE_CLASS_MAPPINGS


# The oldest host on which each was seen, and how this one is asked.
ABILITIES: dict[str, tuple[tuple[int, int], Callable[[], bool]]] = {
    ANCHOR: ((0, 24), asks_the_windows_node),
    CLONES: ((0, 24), asks_the_model_patcher),
    BETWEEN_BLOCKS: ((0, 30), asks_wan_itself),
    "turning of films that lie on their side": ((0, 24), asks_the_films),
    "Uni3C": ((0, 30), lambda: importlib.util.find_spec("comfy.ldm.wan.uni3c") is not None),
    "adaLN in comfy-kitchen": ((0, 30), lambda: hasattr(importlib.import_module("comfy_kitchen"), "adaln")),
    "renderer of Gaussian splats": (
        (0, 24),
        lambda: importlib.util.find_spec("comfy_extras.nodes_gaussian_splat") is not None,
    ),
    "Create Camera Info": ((0, 24), lambda: asks_for_node("CreateCameraInfo")),
}


def has(ability: str) -> bool:
    return ABILITIES[ability][1]()


def need(ability: str) -> None:
    """Skip the test that asks where the host has no such ability."""
    if not has(ability):
        skip(ability)


def need_nodes_of(prompt: dict[str, dict], known: Collection[str] | None = None) -> None:
    """Skip the test where the host lacks a node of the core that a workflow needs; `known` are those of a server."""
    node_id = "CreateCameraInfo"
    there = asks_for_node(node_id) if known is None else node_id in known
    if not there and any(node["class_type"] == node_id for node in prompt.values()):
        skip("Create Camera Info")


def skip(ability: str) -> None:
    pytest.skip(f"ComfyUI {'.'.join(map(str, version()))} has no {ability}")


def version() -> tuple[int, ...]:
    told = Path(os.environ["COMFYUI_PATH"], "comfyui_version.py").read_text(encoding="utf-8")
    return tuple(map(int, re.search(r"\d+\.\d+\.\d+", told)[0].split(".")))
