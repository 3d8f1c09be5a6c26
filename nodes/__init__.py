"""The nodes, in the order of the user's way: rig, encode, model, sample, views."""

from comfy_api.latest import ComfyExtension, io

from . import demo, encode, model, rig, sample, views


class SynCamExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [node for module in (rig, encode, model, sample, views, demo) for node in module.NODES]
