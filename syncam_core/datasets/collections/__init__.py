"""Readers of what others publish: folders of many scenes, for training."""
