"""The rig JSON, version 1: cameras as a person writes them and as the pack saves them."""

from .reading import FORMAT, MAX_CHARACTERS, VERSION, rig_from_document, rig_from_json
from .tracks import MAX_FRAMES
from .writing import rig_to_json

__all__ = ["FORMAT", "MAX_CHARACTERS", "MAX_FRAMES", "VERSION", "rig_from_document", "rig_from_json", "rig_to_json"]
