"""The nodes, in the order of the user's way: cameras, sampling, footage, score."""

from comfy_api.latest import ComfyExtension, io

from . import footage, rigs, sampling

ROOMS = (rigs, sampling, footage)


class SynCamExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [node for room in ROOMS for node in room.NODES]
