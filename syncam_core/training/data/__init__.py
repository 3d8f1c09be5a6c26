"""Names of before: the readers are in :mod:`syncam_core.datasets.collections`, caches in ``training.latent_cache``."""
