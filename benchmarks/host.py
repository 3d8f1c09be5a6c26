"""ComfyUI in this process, with this pack in it: what benchmarks of nodes run on."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

PACK = Path(__file__).resolve().parent.parent

Run = Callable[..., tuple]  # (node id, **inputs) -> outputs


def load_host(*arguments: str) -> Run:
    """Start ComfyUI's own code without a server, as ``main.py`` with these arguments would ("--cpu"), and the pack.

    COMFYUI_PATH names the ComfyUI; without it, it is the one in whose custom_nodes this pack stands. Its models are not
    read: folders are temporary ones. Exits with a sentence where there is none.
    """
    root = Path(os.environ.get("COMFYUI_PATH") or PACK.parent.parent).resolve()
    if not (root / "comfy" / "ldm").is_dir():
        sys.exit(f"{root} is no ComfyUI; set COMFYUI_PATH to the folder that holds its main.py.")
    sys.path.insert(0, str(root))  # before this folder's parent, whose 'nodes' is the pack's
    base = tempfile.mkdtemp(prefix="syncam_benchmark_")
    given, sys.argv = sys.argv, ["main.py", "--base-directory", base, *arguments]
    try:
        import comfy.options

        comfy.options.enable_args_parsing()
        import comfy.cli_args
    finally:
        sys.argv = given
    import execution  # noqa: F401  (imports what nodes expect to be there)
    import folder_paths
    import torch

    import nodes

    for folder in (folder_paths.get_input_directory(), folder_paths.get_output_directory(), folder_paths.models_dir):
        os.makedirs(folder, exist_ok=True)
    comfy.utils.PROGRESS_BAR_ENABLED = False
    asyncio.run(nodes.init_builtin_extra_nodes())
    extension = asyncio.run(pack_module().comfy_entrypoint())
    ours = {node.GET_SCHEMA().node_id: node for node in asyncio.run(extension.get_node_list())}

    def run(node_id: str, **inputs) -> tuple:
        if "rig" in inputs:
            inputs["rig"] = of_the_pack(inputs["rig"])
        with torch.inference_mode():
            node = ours.get(node_id) or nodes.NODE_CLASS_MAPPINGS[node_id]
            if hasattr(node, "EXECUTE_NORMALIZED"):
                return node.EXECUTE_NORMALIZED(**inputs).result
            return getattr(node(), node.FUNCTION)(**inputs)

    return run


def of_the_pack(rig):
    """The rig of a benchmark's own import of the core as one of the pack's, which knows it under another name."""
    cameras = sys.modules["syncam_pack.syncam_core.cameras"]
    if isinstance(rig, cameras.Rig):
        return rig
    from syncam_core.cameras import rig_to_json

    return cameras.rig_from_json(rig_to_json(rig))


def pack_module():
    """The pack, imported by path under a name of its own, as the host does it."""
    spec = importlib.util.spec_from_file_location(
        "syncam_pack", PACK / "__init__.py", submodule_search_locations=[str(PACK)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["syncam_pack"] = module
    spec.loader.exec_module(module)
    return module
