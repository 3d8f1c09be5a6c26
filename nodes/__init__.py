"""The nodes, in the order of the user's way: rig, encode, model, sample, footage, score."""

from comfy_api.latest import ComfyExtension, io

from . import (
    control,
    dataset,
    demo,
    edit,
    encode,
    given,
    guider,
    layouts,
    model,
    player,
    render,
    rig,
    rig_builders,
    rig_change,
    rig_editor,
    rig_files,
    rig_look,
    rig_motion,
    rig_sockets,
    sample,
    score,
    split,
    time_views,
    views,
)

RIGS = (rig, rig_editor, rig_builders, rig_change, rig_motion, rig_files, rig_sockets, rig_look)
FOOTAGE = (views, layouts, render, player, edit, time_views, split, dataset)
MODULES = (*RIGS, encode, model, control, given, sample, guider, *FOOTAGE, score, demo)


class SynCamExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [node for module in MODULES for node in module.NODES]
