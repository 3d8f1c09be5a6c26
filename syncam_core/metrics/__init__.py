"""How well generated views agree with each other and with their cameras, in numbers with controls."""

from .controls import control_takes, mixed_seeds, shuffled_cameras, unrelated_scenes
from .intervals import Interval, Summary, ratio, summarize, to_text
from .locate import locate_subject
from .score import DEMO_REFERENCE, NoSubject, SyncScore, demo_reference_c2w, score_scene, score_scenes

__all__ = [
    "DEMO_REFERENCE",
    "Interval",
    "NoSubject",
    "Summary",
    "SyncScore",
    "control_takes",
    "demo_reference_c2w",
    "locate_subject",
    "mixed_seeds",
    "ratio",
    "score_scene",
    "score_scenes",
    "shuffled_cameras",
    "summarize",
    "to_text",
    "unrelated_scenes",
]
