"""Pictures of a rig before anything is generated: where its cameras stand, and what they see."""

from .rig_picture import draw_rig
from .thumbnails import thumbnail_sheet, thumbnails

__all__ = ["draw_rig", "thumbnail_sheet", "thumbnails"]
