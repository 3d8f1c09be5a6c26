"""Cameras, view synchronization and video of N views: plain torch and numpy, independent of ComfyUI."""
