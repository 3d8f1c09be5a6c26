"""The name of :mod:`syncam_core.datasets.read` before it moved; kept for scripts of before."""

from ..datasets.read import StoredScene, open_scene, scenes_in

__all__ = ["StoredScene", "open_scene", "scenes_in"]
