"""Files: what they may be called, read within bounds, written whole or not at all, opened without running them."""
