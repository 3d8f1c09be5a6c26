"""How long a sampling at 832 x 480 and 81 frames takes on named cards, counted and not measured: the table of README.md.

Floating point operations of Wan2.1 T2V 1.3B with view synchronization (flops.py; the joint coupling), divided by half of
the card's published rate of dense bfloat16 products with float32 sums. Half is what such transformers usually reach.
Needs nothing, takes a second: python benchmarks/minutes.py
"""

from __future__ import annotations

from types import SimpleNamespace

from flops import base_flops, module_flops
from models import Shape, Widths

REACHED = 0.5
TERAFLOPS = {  # NVIDIA's data sheets
    "RTX 3060 12 GB": 25.3,
    "RTX 3090": 71.0,
    "RTX 4090": 165.2,
    "RTX 5090": 209.5,
    "A100": 312.0,
    "H100 SXM": 989.4,
}
WAYS = {"50 steps, CFG 5": 100, "4 steps, CFG 1": 4}  # forwards; a guidance scale of 1 needs one a step


def sampling_flops(views: int, forwards: int) -> float:
    shape, real = Shape(views, 21, 30, 52), Widths(depth=30)
    joint = [SimpleNamespace(members=range(views), asked=range(views))]
    return forwards * (base_flops(real, shape) + module_flops(real, shape, joint, 4))


def spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def rows() -> list[str]:
    columns = [(views, way) for way in WAYS for views in (2, 4)]
    lines = ["| card | " + " | ".join(f"{views} views, {way}" for views, way in columns) + " |", "|---" * 5 + "|"]
    for card, rate in TERAFLOPS.items():
        seconds = [sampling_flops(views, WAYS[way]) / (rate * 1e12 * REACHED) for views, way in columns]
        lines.append(f"| {card} | " + " | ".join(map(spoken, seconds)) + " |")
    return lines


if __name__ == "__main__":
    print("\n".join(rows()))
