"""Data sets for training: what each camera filmed, what is broken about it, and a cache of latents and text."""

from .cache import CachedScene, CacheReport, LatentCache, TextCache, open_cache
from .footage import BrokenFootage, Footage, Kind, Scene
from .plain_videos import read_plain_videos
from .pose_files import read_dl3dv, read_realestate10k
from .problems import BrokenData, Problem, Report, check
from .procedural import CameraRanges, procedural_scenes, procedural_world
from .syncamvideo import read_syncamvideo

__all__ = [
    "BrokenData",
    "BrokenFootage",
    "CacheReport",
    "CachedScene",
    "CameraRanges",
    "Footage",
    "Kind",
    "LatentCache",
    "Problem",
    "Report",
    "Scene",
    "TextCache",
    "check",
    "open_cache",
    "procedural_scenes",
    "procedural_world",
    "read_dl3dv",
    "read_plain_videos",
    "read_realestate10k",
    "read_syncamvideo",
]
