"""Where the one strongly coloured subject of a video is, in every view and frame."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

# Larger pictures are averaged down: a centroid over hundreds of pixels stays exact to a fraction of a pixel.
WORKING_WIDTH = 96
SMOOTHING = 0.5 / 64  # sigma as a share of the width: noise raises chroma, and pale floors would reach the threshold

# How colourful a pixel is: chroma (largest minus smallest channel) over largest + DARK_OFFSET. In the demo world it is
# above 0.35 on every part of the subject but its eyes, at most 0.20 elsewhere. Unlike chroma alone it is about the
# same on the subject's lit face and on its dark back, so that a blurred outline is cut at the same place all round:
# with a blur of 1 px in 64 the centroid is off by 0.3 px (median), by 0.5 px with a threshold on chroma.
DARK_OFFSET = 0.1
PALE, COLORFUL = 0.24, 0.36  # how much of an outline's pixel counts rises from 0 to 1 in between
LEAST_CHROMA = 0.1  # nearly black pixels have no colour worth the name

SMALLEST_SHARE = 0.0015  # of the picture: 6 px of 64 x 64; below it is a speck
LARGEST_SHARE = 0.6  # above it is a coloured picture, not a subject in one
CUT_OFF = 0.25  # touching the picture's edge over this share of the region's size (root of its area)


@dataclass(frozen=True, eq=False)
class Sighting:
    """What was seen of the subject.

    `centroid_px` (views, frames, 2) float64 is right, down in pixels of the video, NaN where no subject is, or where
    the picture's edge cuts it off. `region` (views, frames, height, width) bool is the subject's place in pictures
    averaged down to `WORKING_WIDTH`.
    """

    centroid_px: Tensor
    region: Tensor


def locate_subject(
    video: Tensor,  # (views, frames, height, width, 3) in 0..1
) -> Tensor:  # (views, frames, 2) float64
    """The subject's centroid in pixels (right, down; the first pixel's centre is 0.5, 0.5), NaN where none is seen."""
    return find_subject(video).centroid_px


def find_subject(
    video: Tensor,  # (views, frames, height, width, 3) in 0..1
) -> Sighting:
    """The largest connected colourful region of every picture: the subject, if the world is pale and has only one.

    Specks, and smaller ghosts beside the subject, do not count. Holes (the eyes are black) belong to it.
    """
    # Loaded here: the pack's nodes are imported without it.
    from scipy import ndimage

    views, frames, height, width = video.shape[:4]
    small = working_size(video)
    sigma = SMOOTHING * small.shape[3]
    rgb = ndimage.gaussian_filter(small.numpy(), (0, 0, sigma, sigma, 0), mode="nearest")
    largest = rgb.max(-1)
    chroma = largest - rgb.min(-1)
    colorful = chroma / (largest + DARK_OFFSET)
    is_candidate = (colorful > (PALE + COLORFUL) / 2) & (chroma > LEAST_CHROMA)

    centroid = np.full((views, frames, 2), np.nan)
    region = np.zeros(is_candidate.shape, bool)
    scale = (width / small.shape[3], height / small.shape[2])
    for place in np.ndindex(views, frames):
        found = _largest_region(is_candidate[place], ndimage)
        if found is None:
            continue
        region[place] = found
        if not _is_cut_off(found):
            centroid[place] = _centroid(found, colorful[place], ndimage) * scale
    return Sighting(torch.from_numpy(centroid), torch.from_numpy(region))


def working_size(
    video: Tensor,  # (views, frames, height, width, 3)
    working_width: int = WORKING_WIDTH,
) -> Tensor:  # (views, frames, smaller height, smaller width, 3) float32 on the CPU
    """The pictures averaged down to at most `working_width`, in the same proportions to a fraction of a pixel."""
    views, frames, height, width = video.shape[:4]
    if width <= working_width:
        return video.to(device="cpu", dtype=torch.float32)
    size = (max(1, round(height * working_width / width)), working_width)
    # frame by frame: a long clip of full size does not fit into memory a second time as float32
    small = torch.empty(views, frames, *size, 3)
    for view, frame in np.ndindex(views, frames):
        picture = video[view, frame].to(device="cpu", dtype=torch.float32).permute(2, 0, 1)[None]
        small[view, frame] = torch.nn.functional.interpolate(picture, size, mode="area")[0].permute(1, 2, 0)
    return small


def _largest_region(is_candidate: np.ndarray, ndimage: ModuleType) -> np.ndarray | None:  # (height, width) bool
    labels, count = ndimage.label(is_candidate)
    if not count:
        return None
    areas = np.bincount(labels.ravel())[1:]
    share = areas.max() / is_candidate.size
    if not SMALLEST_SHARE <= share <= LARGEST_SHARE:
        return None
    return ndimage.binary_fill_holes(labels == areas.argmax() + 1)


def _is_cut_off(region: np.ndarray) -> bool:
    longest = max(region[0].sum(), region[-1].sum(), region[:, 0].sum(), region[:, -1].sum())
    return bool(longest > CUT_OFF * np.sqrt(region.sum()))


def _centroid(region: np.ndarray, colorful: np.ndarray, ndimage: ModuleType) -> np.ndarray:  # right, down
    """The mean place of the region; pixels on its outline count by how colourful they are."""
    share = np.clip((colorful - PALE) / (COLORFUL - PALE), 0, 1) * ndimage.binary_dilation(region)
    share[ndimage.binary_erosion(region)] = 1
    rows, columns = share.sum(1), share.sum(0)
    right = columns @ (np.arange(len(columns)) + 0.5)
    down = rows @ (np.arange(len(rows)) + 0.5)
    return np.array([right, down]) / share.sum()
