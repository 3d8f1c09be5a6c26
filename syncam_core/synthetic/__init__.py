"""A small procedural world that any camera of a rig can film: what it shows, where its subject is, its picture."""

from .projection import focal_px, project
from .render import render, render_with_mask, subject_mask
from .scene import (
    COLORS,
    DEMO_WORLD,
    FLOORS,
    GROUND_Y_M,
    MOTIONS,
    PLACE_RADIUS_M,
    SHAPES,
    SKIES,
    SUN_DIRECTION,
    VOCABULARY,
    WORLDS,
    Scene,
    frame_times,
    vocabulary_words,
)

__all__ = [
    "COLORS",
    "DEMO_WORLD",
    "FLOORS",
    "GROUND_Y_M",
    "MOTIONS",
    "PLACE_RADIUS_M",
    "SHAPES",
    "SKIES",
    "SUN_DIRECTION",
    "VOCABULARY",
    "WORLDS",
    "Scene",
    "focal_px",
    "frame_times",
    "project",
    "render",
    "render_with_mask",
    "subject_mask",
    "vocabulary_words",
]
