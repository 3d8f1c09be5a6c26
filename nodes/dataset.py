"""Views with their cameras as a dataset, written and read."""

NODES = ()
