"""Views from latents straight to files, one at a time."""

NODES = ()
