"""How N views stand in one picture."""

NODES = ()
