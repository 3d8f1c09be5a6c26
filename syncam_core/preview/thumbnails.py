"""What each camera sees: a proxy figure on a floor, rendered without any model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..cameras.meter import Meter, measure
from ..cameras.rig import Rig
from ..errors import UserError
from ..synthetic import Scene, render
from ..video.labels import draw_plate, label_plates
from ..video.layout import plan_grid
from ..video.layout_film import compose_frame
from .rig_picture import check_figure_scale
from .stage import Stage

# The most upright of the synthetic subjects, with a face: front and back are told apart at a glance.
SMOOTH_PIXELS = 500_000  # up to so many, edges are smoothed, at four times the price
FIGURE = Scene(shape="pillar", color="blue", motion="standing", floor="concrete", sky="clear")


def thumbnails(
    rig: Rig,
    width: int = 320,
    height: int = 184,
    *,
    frame: int = 0,
    figure_scale: float = 1.0,
    labels: bool = True,
    meter: Meter | None = None,
) -> Tensor:  # (views, height, width, 3) float32 in 0..1
    """One picture per camera, by its own lens: its sensor's width fills the picture's width.

    The figure, 1.4 m tall times `figure_scale`, stands with its middle at the rig's common look-at point (3 m before
    view 0 where there is none) and looks towards azimuth 0. Moving cameras are shown at `frame`.

    Raises UserError for a size below 16 pixels or above 4096, a frame that a moving rig does not have, and a scale
    outside of what is possible.
    """
    for name, side in (("width", width), ("height", height)):
        if not 16 <= side <= 4096:
            raise UserError(f"'{name}' of the thumbnails is {side}, but 16 to 4096 pixels are possible.", field=name)
    check_figure_scale(figure_scale)
    at = rig.index_of(frame)
    c2w = torch.from_numpy(Stage.of(rig, meter or measure(rig)).c2w[:, at : at + 1].copy())
    c2w[..., :3, 3] /= figure_scale  # a larger figure seen from here is the same as this one seen from nearer
    seen = replace(rig, c2w=c2w)
    supersample = 2 if len(rig.names) * width * height <= SMOOTH_PIXELS else 1
    pictures = render(FIGURE, seen, height, width, [0.0], supersample=supersample)[:, 0]
    if labels:
        names = [f"{number}. {name}" for number, name in enumerate(rig.names, start=1)]
        plates = label_plates(names, rig.colors, [(height, width)] * len(names))
        for picture, plate in zip(pictures.numpy(), plates, strict=True):
            if plate is not None:
                draw_plate(picture, plate, 0, 0)
    return pictures.clamp_(0, 1)


def thumbnail_sheet(
    pictures: Tensor,  # (views, height, width, 3) float32 in 0..1
) -> np.ndarray:  # (height, width, 3) uint8
    """All thumbnails in one picture."""
    frames = list((pictures * 255).round().to(torch.uint8).numpy())
    return compose_frame(frames, plan_grid([picture.shape[:2] for picture in frames]))
