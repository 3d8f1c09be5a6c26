"""What is made of the views, and how well they agree."""

from . import (
    bullet_time,
    dataset,
    edit,
    layout,
    player,
    render,
    split_join,
    sync_score,
    views,
)

MODULES = (views, layout, render, player, edit, bullet_time, split_join, dataset, sync_score)
NODES = [node for module in MODULES for node in module.NODES]
