"""`scene.json`: what a scene's camera files have no place for.

    {"format": "syncam-scene", "version": 1, "layout": "nerfstudio", "unit_m": 1.0,
     "fps": 15.0, "frames": 81, "width": 832, "height": 480,
     "cameras": [{"stem": "cam01", "name": "left", "color": "#3399ff",
                  "lens": {"focal_mm": 24.0, "sensor_width_mm": 23.76}}, ...]}

`cameras` are in the order of the views. `stem` is what their files and the camera files call them; `width` and `height`
are the pictures' before a video grew to even sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ..cameras.json_text import Json, parse_json
from ..cameras.rig import MAX_VIEWS, Lens, name_problem
from ..disk.bounded import file_text
from ..errors import UserError
from ..formats.files import MAX_FRAMES
from ..formats.json_values import as_list, as_object, lens_of, number, refuse_foreign, shown, write_json

FILE = "scene.json"
FORMAT = "syncam-scene"
LAYOUTS = {
    "syncamvideo": "a video per camera and one camera file, as SynCamVideo and the training have it",
    "nerfstudio": "a folder per frame with pictures and transforms.json",
    "colmap": "a folder per frame with pictures and a text model",
    "nerfstudio_4d": "pictures of all frames and one transforms.json with their times",
    "colmap_4d": "pictures of all frames and one text model with COLMAP's rigs and frames",
    "dnerf": "pictures of all frames and transforms_train.json, _val and _test with their times, as D-NeRF has them",
}
MAX_BYTES = 2**20
LARGEST_SIDE = 16384


@dataclass(frozen=True)
class SceneFacts:
    """The content of a `scene.json`."""

    layout: str
    fps: Fraction
    frames: int
    height: int
    width: int
    stems: tuple[str, ...]  # of the files of each view
    names: tuple[str, ...]
    colors: tuple[Json, ...]  # "#rrggbb", which the rig judges
    lenses: tuple[Lens, ...]


def write_facts(folder: Path, facts: SceneFacts) -> None:
    """Raises UserError where the file cannot be written."""
    head = {
        "format": FORMAT,
        "version": 1,
        "layout": facts.layout,
        "unit_m": 1.0,
        "fps": float(facts.fps),
        "frames": facts.frames,
        "width": facts.width,
        "height": facts.height,
    }
    cameras = [
        {
            "stem": stem,
            "name": name,
            "color": color,
            "lens": {"focal_mm": lens.focal_mm, "sensor_width_mm": lens.sensor_width_mm},
        }
        for stem, name, color, lens in zip(facts.stems, facts.names, facts.colors, facts.lenses, strict=True)
    ]
    write_json(folder / FILE, head, "cameras", cameras)


def read_facts(folder: Path) -> SceneFacts | None:
    """The facts of a scene; None where it has no such file, as those of other programs. Raises UserError."""
    if not (folder / FILE).exists():
        return None
    try:
        return _facts(parse_json(file_text(folder / FILE, MAX_BYTES), MAX_BYTES))
    except UserError as problem:
        raise problem.told(f"'{FILE}': {problem}") from problem


def _facts(document: Json) -> SceneFacts:
    from ..video.write import frame_rate

    refuse_foreign(document, FORMAT, "cameras")
    if document.get("layout") not in LAYOUTS:
        raise UserError(
            f"layout is {shown(document.get('layout'))}; possible are {', '.join(LAYOUTS)}.", field="layout"
        )
    cameras = [as_object(one, f"cameras[{index}]") for index, one in enumerate(as_list(document["cameras"], "cameras"))]
    if len(cameras) > MAX_VIEWS:
        raise UserError(f"it has {len(cameras)} cameras, but at most {MAX_VIEWS} are possible.")
    lenses = [as_object(one.get("lens"), f"cameras[{index}].lens") for index, one in enumerate(cameras)]
    facts = SceneFacts(
        layout=document["layout"],
        fps=frame_rate(number(document.get("fps"), "fps")),
        frames=_whole(document.get("frames"), "frames", MAX_FRAMES),
        height=_whole(document.get("height"), "height", LARGEST_SIDE),
        width=_whole(document.get("width"), "width", LARGEST_SIDE),
        stems=_different(cameras, "stem"),
        names=_different(cameras, "name"),
        colors=tuple(one.get("color") for one in cameras),
        lenses=tuple(
            lens_of(lens.get("focal_mm"), lens.get("sensor_width_mm"), f"cameras[{index}].lens")
            for index, lens in enumerate(lenses)
        ),
    )
    return facts


def _different(cameras: list[dict[str, Json]], key: str) -> tuple[str, ...]:
    texts: list[Json] = [one.get(key) for one in cameras]
    for index, text in enumerate(texts):
        problem = name_problem(text)
        if problem:
            raise UserError(f"cameras[{index}].{key} is {shown(text)}: it {problem}")
        if text in texts[:index]:
            raise UserError(f"two cameras have the {key} {text!r}; every one needs its own.")
    return tuple(texts)


def _whole(value: Json, place: str, most: int) -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise UserError(f"{place} is {shown(value)}, but a whole number from 1 to {most} is needed.", place=place)
    return value
