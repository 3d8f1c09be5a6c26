"""Prints, as JSON, how much memory forwards of a random Wan2.1 of real widths take; run in a process of its own.

``real``: resident memory at its peak, less before, of a forward on the CPU in float32, by number of views.
``meta``: bytes of tensors alive at once at 832 x 480, counted without computing, in bfloat16.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

PACK = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PACK / "benchmarks"), str(PACK)]


def main() -> None:
    from host import load_host

    load_host("--cpu")
    import torch
    from measure import counted_peak, resident_peak
    from models import Pair, ReCapturePair, Shape, Widths

    torch.set_num_threads(1)
    with torch.inference_mode():
        pair = Pair(Widths(), torch.float32)
        resident_peak(pair, Shape(1, 21, 4, 4), "joint", "auto")  # what the first run keeps for good
        real = {views: resident_peak(pair, Shape(views, 21, 4, 4), "joint", "auto") for views in (1, 2, 4, 8)}
        meta = Pair(Widths(depth=1), torch.bfloat16, "meta")
        cases = [("joint", "auto", 2), ("joint", "auto", 4), ("joint", "low", 1), ("nearest", "auto", 3)]
        counted = [[*case, counted_peak(meta, Shape(case[2], 21, 30, 52), case[0], case[1])] for case in cases]
        pair = ReCapturePair(Widths(depth=1), torch.bfloat16, "meta")
        shapes = [(memory, count) for memory in ("auto", "low") for count in (1, 4)]
        filmed = [[*one, counted_peak(pair, Shape(one[1], 21, 30, 52), "", one[0])] for one in shapes]
    print(json.dumps({"real": real, "meta": counted, "recapture": filmed}))


if __name__ == "__main__":
    main()
