"""What is worth a word about a rig and the length of a video before anything is sampled. None of it is a mistake."""

from __future__ import annotations

from itertools import combinations

from .meter.verdicts import KNOWN_DISTANCES_M
from .rig import Rig

FARTHEST_APART_M = 2 * KNOWN_DISTANCES_M[1]  # two training cameras on opposite sides of the subject
SAME_PLACE_M, SAME_AXES = 1e-3, 1e-3  # closer than this, two cameras film the same picture


def remarks_on(rig: Rig, length: int) -> list[str]:
    """Sentences about a rig that films `length` frames: a move that is cut off, a lone camera, two in one place, other units."""
    said = []
    if rig.frames > length and bool((rig.c2w[:, length:] != rig.c2w[:, length - 1 : length]).any()):
        said.append(
            f"The cameras move over {rig.frames} frames, the video has {length}: the rest of the move is not filmed; set "
            f"'length' to {rig.frames}, or the frames of the rig to {length}."
        )
    if rig.views == 1:
        said.append("One camera: there is nothing to synchronize it with; add another one.")
    seen = rig.cut(0, min(rig.frames, length)).c2w
    from_reference_m = (seen[:, 0, :3, 3] - seen[0, 0, :3, 3]).norm(dim=-1)
    farthest, apart_m = int(from_reference_m.argmax()), float(from_reference_m.max())
    if apart_m > FARTHEST_APART_M:
        said.append(
            f"'{rig.names[farthest]}' stands {apart_m:.0f} m from '{rig.names[0]}', training cameras at most "
            f"{FARTHEST_APART_M:g} m from each other: a rig is in metres; if these are centimetres, make the distances 100 "
            "times smaller, or give a file's 'unit_m' as 0.01."
        )
    for one, other in combinations(range(rig.views), 2):
        apart_m = (seen[one, :, :3, 3] - seen[other, :, :3, 3]).norm(dim=-1).max()
        turned = (seen[one, :, :3, :3] - seen[other, :, :3, :3]).abs().max()
        if apart_m < SAME_PLACE_M and turned < SAME_AXES:
            said.append(f"'{rig.names[one]}' and '{rig.names[other]}' stand in one place: their views show the same.")
            break
    return said
