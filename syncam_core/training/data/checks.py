"""``python -m syncam_core.training.data.checks``: the command's name of before, see
:mod:`syncam_core.datasets.collections.checks`."""

from ...datasets.collections.checks import main

if __name__ == "__main__":
    raise SystemExit(main())
