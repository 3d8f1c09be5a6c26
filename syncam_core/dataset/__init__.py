"""The name of :mod:`syncam_core.datasets` before it moved below training; kept for scripts of before."""

from ..datasets import *  # noqa: F403
