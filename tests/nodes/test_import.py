"""Loading the pack is cheap: it brings nothing but itself to what the host has loaded anyway."""

import subprocess
import sys
from pathlib import Path

import pytest
from host_abilities import ABILITIES, has, version

PACK = Path(__file__).parents[2]


def test_loading_the_pack_adds_only_small_modules_of_the_standard_library(comfy):
    packages = {name.split(".")[0] for name in comfy.brought}
    assert packages - {"comfy_extras"} <= set(sys.stdlib_module_names), "comfy_extras is the host's own"


def test_loading_the_pack_opens_no_connection_and_no_gpu(comfy):
    import torch

    assert comfy.calls == []
    assert not torch.cuda.is_initialized()


def test_a_host_older_than_the_floor_is_refused_in_one_sentence_before_any_node_is_there(tmp_path):
    """On such a host a part of the nodes would load; its real version file is all that the pack looks at."""
    (tmp_path / "comfyui_version.py").write_text('__version__ = "0.18.1"\n', encoding="utf-8")
    code = (
        "import sys, importlib.util; sys.path.insert(0, sys.argv[1])\n"
        "spec = importlib.util.spec_from_file_location('pack', sys.argv[2] + '/__init__.py',"
        " submodule_search_locations=[sys.argv[2]])\n"
        "module = importlib.util.module_from_spec(spec); sys.modules['pack'] = module\n"
        "try:\n    spec.loader.exec_module(module)\n"
        "except ImportError as refused:\n    print(refused)\n"
        "print([name for name in sys.modules if name.startswith('pack.')], hasattr(module, 'comfy_entrypoint'))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path, PACK], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "ComfyUI-SynCam needs ComfyUI 0.20.1 or newer, but this is 0.18.1; update ComfyUI.",
        "[] False",
    ]


def test_the_floor_is_the_same_in_the_code_the_registry_and_the_readme(comfy):
    floor = ".".join(map(str, comfy.pack.OLDEST_COMFYUI))
    assert f'requires-comfyui = ">={floor}"' in (PACK / "pyproject.toml").read_text(encoding="utf-8")
    assert f"Needs ComfyUI {floor} or newer" in (PACK / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("ability", ABILITIES)
def test_no_test_is_left_out_for_an_ability_that_a_host_of_this_age_has(comfy, ability):
    since, _ = ABILITIES[ability]
    assert has(ability) or version() < since
