"""Jobs for farms: the host's own nodes, seconds or milliseconds of work each."""

from __future__ import annotations

# A picture of one colour, blurred: seconds or milliseconds of work, as its size says.
GRAPH = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 32, "height": 32, "batch_size": 1, "color": 0},
        "_meta": {"title": "Colour"},
    },
    "2": {
        "class_type": "ImageBlur",
        "inputs": {"image": ["1", 0], "blur_radius": 1, "sigma": 1.0},
        "_meta": {"title": "Blur"},
    },
    "3": {
        "class_type": "SaveImage",
        "inputs": {"images": ["2", 0], "filename_prefix": "farm"},
        "_meta": {"title": "Save"},
    },
}


def slow(count: int, offset: int, side: int = 640) -> list[dict[str, object]]:
    big = {"Colour.width": side, "Colour.height": side, "Blur.blur_radius": 31, "Blur.sigma": 9}
    return [{"name": f"slow{n}", "Colour.color": offset + n, **big} for n in range(count)]
