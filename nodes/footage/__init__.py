"""What is made of the views, and how well they agree."""

from . import (
    bullet_time,
    camera_accuracy,
    edit,
    export_dataset,
    layout,
    load_dataset,
    metrics,
    player,
    render,
    render_world,
    split_join,
    sync_score,
    take_files,
    views,
)

MODULES = (
    views,
    layout,
    render,
    player,
    edit,
    bullet_time,
    split_join,
    export_dataset,
    load_dataset,
    sync_score,
    camera_accuracy,
    metrics,
    render_world,
    take_files,
)
NODES = [node for module in MODULES for node in module.NODES]
