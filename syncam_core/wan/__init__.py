"""Wan's own parts: how it lays a video out, its transformer and its autoencoder in plain PyTorch."""
