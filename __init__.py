"""ComfyUI-SynCam: one prompt and N cameras in, N synchronized videos of the same moment out."""

import re
from importlib.util import find_spec

WEB_DIRECTORY = "./web"
OLDEST_COMFYUI = (0, 20, 1)  # older ones would load a part of the nodes only


def refuse_an_old_host() -> None:
    """Raise ImportError in one sentence on a ComfyUI that is too old, before any node or page of the pack is there."""
    if find_spec("comfyui_version") is None:  # not in a ComfyUI
        return
    from comfyui_version import __version__

    version = tuple(map(int, re.findall(r"\d+", __version__)[:3]))
    if version < OLDEST_COMFYUI:
        needed = ".".join(map(str, OLDEST_COMFYUI))
        raise ImportError(f"ComfyUI-SynCam needs ComfyUI {needed} or newer, but this is {__version__}; update ComfyUI.")


refuse_an_old_host()


async def comfy_entrypoint():
    """The node pack, as ComfyUI asks for it."""
    from .nodes import SynCamExtension
    from .nodes.host.model_folder import register_model_folder

    register_model_folder()
    return SynCamExtension()


__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]
