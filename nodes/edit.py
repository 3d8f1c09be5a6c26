"""The multi-camera edit: cut lists, automatic cuts, and their export."""

NODES = ()
