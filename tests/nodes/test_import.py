"""Loading the pack is cheap: it brings nothing but itself to what the host has loaded anyway."""

import sys


def test_loading_the_pack_adds_only_small_modules_of_the_standard_library(comfy):
    packages = {name.split(".")[0] for name in comfy.brought}
    assert packages - {"comfy_extras"} <= set(sys.stdlib_module_names), "comfy_extras is the host's own"


def test_loading_the_pack_opens_no_connection_and_no_gpu(comfy):
    import torch

    assert comfy.calls == []
    assert not torch.cuda.is_initialized()
