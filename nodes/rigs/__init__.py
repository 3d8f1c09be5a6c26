"""Where cameras come from, in the order in which people find them."""

from . import (
    builders,
    editor,
    files,
    motion,
    other_packs,
    preview,
    recam,
    text,
    transforms,
)

MODULES = (text, files, editor, builders, transforms, motion, recam, other_packs, preview)
NODES = [node for module in MODULES for node in module.NODES]
