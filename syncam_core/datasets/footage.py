"""What a dataset reader finds: scenes, and in each the footage of its cameras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from torch import Tensor

from ..errors import UserError


class Kind(str, Enum):
    """What a scene can teach. The paper's joint strategy draws from all three."""

    __str__ = str.__str__  # as StrEnum, which Python 3.10 does not have

    MULTI_VIEW_VIDEO = "multi_view_video"  # several cameras film the same moment
    MULTI_VIEW_IMAGES = "multi_view_images"  # several pictures of a scene that stands still
    VIDEO = "video"  # one camera, whose pose is unknown


@dataclass(frozen=True)
class Footage:
    """What one camera filmed; its pictures are read only when asked for.

    Raises (on `read`) BrokenFootage when the file does not hold what was promised.
    """

    name: str  # unique within the scene, and the same next time: "cam03", "frame_000123"
    c2w: Tensor | None  # (1 or frames, 4, 4) float64, OpenCV axes, metres; 1 stands still; None is unknown
    read: Callable[[], Tensor]  # () -> (frames, height, width, 3) uint8
    fingerprint: str  # changes when the file or the pose does


@dataclass(frozen=True)
class Scene:
    """Footage of one scene, at the same moments of it."""

    name: str  # unique within the dataset, and the same next time
    kind: Kind
    caption: str
    footage: tuple[Footage, ...]


class BrokenFootage(UserError):
    """Footage that must not be trained on, in one sentence that names it."""
