"""The nodes, in the order of the user's way: rig, encode, model, sample, views, score."""

from comfy_api.latest import ComfyExtension, io

from . import demo, encode, model, rig, sample, score, views


class SynCamExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [node for module in (rig, encode, model, sample, views, score, demo) for node in module.NODES]
