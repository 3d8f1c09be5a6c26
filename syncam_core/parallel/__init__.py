"""The views of one sampling over several devices: who has what, and what they hand each other."""
