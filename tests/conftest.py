"""Fixtures: the real ComfyUI, in this process or as a server. ``python3 scripts/dev.py test`` sets COMFYUI_PATH."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import workers
from hypothesis import HealthCheck, settings

# The same examples on every machine: what a run finds, the next one finds. scripts/fuzz_formats.py looks for new ones.
settings.register_profile("repeatable", derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")

PACK = Path(__file__).resolve().parent.parent


def pytest_configure(config):
    config.pluginmanager.register(workers.Workers())
    if workers.is_worker(config):
        workers.share_cores(config)


def comfyui_path() -> Path:
    path = os.environ.get("COMFYUI_PATH", "")
    if not (Path(path) / "comfy" / "ldm").is_dir():
        pytest.fail("COMFYUI_PATH does not name a ComfyUI; run the tests with: python3 scripts/dev.py test")
    return Path(path)


@pytest.fixture(scope="session")
def comfy(tmp_path_factory):
    """The host in this process on the CPU, with the pack imported as the host imports it.

    ``.nodes[node_id]`` is a node class, ``.run(node_id, **inputs)`` executes it and returns its outputs as a tuple,
    ``.brought`` are the modules that loading the pack added to what the host had loaded, ``.calls`` its network calls.
    """
    root = comfyui_path()
    sys.path.insert(0, str(root))
    arguments, sys.argv = sys.argv, ["main.py", "--cpu", "--base-directory", str(tmp_path_factory.mktemp("base"))]
    try:
        import comfy.options

        comfy.options.enable_args_parsing()
        import comfy.cli_args
        import utils.extra_config  # noqa: F401 (first, as the host does: older ones then put another utils on the path)
    finally:
        sys.argv = arguments
    import execution  # noqa: F401
    import folder_paths
    import torch

    import nodes as host_nodes

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(2)
    for folder in (folder_paths.get_input_directory(), folder_paths.get_output_directory(), folder_paths.models_dir):
        os.makedirs(folder, exist_ok=True)
    asyncio.run(host_nodes.init_builtin_extra_nodes())
    loaded_before = set(sys.modules)
    with network_calls() as calls:
        pack = import_pack()
        extension = asyncio.run(pack.comfy_entrypoint())
    classes = {node.GET_SCHEMA().node_id: node for node in asyncio.run(extension.get_node_list())}
    brought = {name for name in set(sys.modules) - loaded_before if not name.startswith(pack.__name__)}

    def run(node_id: str, **inputs) -> tuple:
        with torch.inference_mode():
            node = classes.get(node_id)
            if node is not None:
                result = node.EXECUTE_NORMALIZED(**inputs)
                return result.result
            node = host_nodes.NODE_CLASS_MAPPINGS[node_id]
            if hasattr(node, "EXECUTE_NORMALIZED"):
                return node.EXECUTE_NORMALIZED(**inputs).result
            return getattr(node(), node.FUNCTION)(**inputs)

    return SimpleNamespace(
        root=root, nodes=classes, run=run, folders=folder_paths, pack=pack, brought=brought, calls=calls
    )


@pytest.fixture
def outputs(comfy, tmp_path):
    """An output folder of its own for each test."""
    before = comfy.folders.get_output_directory()
    comfy.folders.set_output_directory(str(tmp_path))
    yield tmp_path
    comfy.folders.set_output_directory(before)


@contextmanager
def network_calls():
    """What Python itself reports of connections and name look-ups in the block, as a list of (event, address)."""
    seen, active = [], True

    def hook(event: str, arguments: tuple) -> None:
        if active and event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
            seen.append((event, str(arguments[1:])))

    sys.addaudithook(hook)  # hooks stay for good, so this one is only switched off
    try:
        yield seen
    finally:
        active = False


def import_pack():
    """Import the pack by path under the name that the host gives it."""
    name = str(PACK).replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, PACK / "__init__.py", submodule_search_locations=[str(PACK)])
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def pytest_terminal_summary(terminalreporter):
    """Leave the numbers of the last line for dev.py's table."""
    if file := os.environ.get("SYNCAM_NUMBERS"):
        kinds = ("passed", "failed", "error", "skipped")
        counted = {kind: len(terminalreporter.stats.get(kind, ())) for kind in kinds}
        Path(file).write_text(json.dumps({kind: count for kind, count in counted.items() if count}), "utf-8")


@pytest.fixture(scope="session")
def node():
    """The program of Node.js; without one that starts the test is skipped."""
    from javascript import find_node

    program = find_node()
    if not program:
        pytest.skip("no Node.js starts on this machine; install one (Debian, Ubuntu: libatomic1 for Playwright's)")
    return program


@pytest.fixture(scope="session")
def javascript(node):
    """Evaluates JavaScript: ``javascript.evaluate("async (x) => ...", x)``, with web/lib at hand."""
    from javascript import JavaScript

    process = JavaScript(node)
    yield process
    process.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """A real server with only this pack, its own folders, a camera file and tiny Wan files."""
    import plain_wan
    from comfy_server import Server
    from host_wan import write_base, write_view_sync

    folder = tmp_path_factory.mktemp("server")
    server = Server(comfyui_path(), folder)
    try:
        for file in (PACK / "example_workflows" / "input").iterdir():
            (folder / "input" / file.name).write_bytes(file.read_bytes())
        state = plain_wan.random_state()
        write_base(state, folder / "models" / "diffusion_models" / "tiny_base.safetensors")
        write_view_sync(state, folder / "models" / "syncam" / "tiny_views.safetensors")
        yield server
    finally:
        server.stop()
