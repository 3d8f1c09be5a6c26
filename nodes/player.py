"""A player that keeps all views on one clock."""

NODES = ()
