"""How far a rig lies from what the released weights were trained on.

They have seen pairs of cameras of one scene: standing still, level, with one lens, all looking at the same character,
and less than 30 degrees of azimuth and less than 15 of elevation apart (the authors' pair list). The meter holds every
pair and every view against that. `web/lib/meter.mjs` is the same in JavaScript; both run the cases in
`tests/shared_cases/meter`.

**Azimuth and elevation** are those of the direction that a camera looks from, as in the authors' list, which reads them
from the rotation: for a camera that looks at a point they are its azimuth and elevation about that point. Differences
take the short way round.

**The common look-at point** is the least-squares crossing of the viewing axes of the first frame: the point with the
smallest sum of squared distances from them. Cameras that miss it by more than 5 degrees are left out, as long as more
than half of the cameras remain ("common"). Where all cameras stand on one line and look along it, such as a close-up
and a wide view, the point could be anywhere on it: the world's origin if it lies before all of them, else 3 m before
the foremost camera, or midway between cameras that face each other ("axis"). Otherwise, for parallel or scattered axes
and for cameras that all stand on one spot, there is none ("none"): distances then differ by the way along the mean
viewing direction, and every view counts as being at the edge at best.

**Overlap** of two cameras: the share of what one sees that the other sees as well, the mean of both ways. "What it
sees" are 240 points: a grid of 10 x 6 in its picture (832 x 480, by its own lens) at 4 depths evenly spaced within
0.5 to 1.5 times its distance from the common point, or 3 m without one.

**Moving cameras** are measured at up to 9 evenly spaced frames, and the largest difference and the smallest overlap
count.

**Trajectories**: cameras that all begin at one pose and move are no views of one moment but re-captures of one source, and
are held against the training data of ReCamMaster instead (`trajectories.py`).
"""

from .findings import Bridge, Meter, PairMeter, Problem, ViewMeter
from .geometry import ASSUMED_DISTANCE_M, PICTURE_ASPECT
from .measure import measure
from .report import to_document, to_json, to_text
from .verdicts import AZIMUTH_LIMIT_DEG, ELEVATION_LIMIT_DEG, angle_verdict
from .warning import warn

__all__ = [
    "ASSUMED_DISTANCE_M",
    "AZIMUTH_LIMIT_DEG",
    "ELEVATION_LIMIT_DEG",
    "PICTURE_ASPECT",
    "Bridge",
    "Meter",
    "PairMeter",
    "Problem",
    "ViewMeter",
    "angle_verdict",
    "measure",
    "to_document",
    "to_json",
    "to_text",
    "warn",
]
