"""Time across views: bullet time, sweeps, stereo, light fields."""

NODES = ()
