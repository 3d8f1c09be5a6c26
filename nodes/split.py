"""Views taken apart and put together, so that any node can work on one of them."""

NODES = ()
