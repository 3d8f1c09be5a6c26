"""Cameras: the rig type, its builders and its JSON, and the encoding that the model reads."""

from .builders import orbit_c2w, orbit_rig, parse_numbers
from .encoding import CameraEncoding, encode_cameras, latent_frames_of, relative_poses
from .rig import MAX_VIEWS, PALETTE, Lens, Rig
from .rig_json import rig_from_json, rig_to_json
from .selection import choose_cameras

__all__ = [
    "MAX_VIEWS",
    "PALETTE",
    "CameraEncoding",
    "Lens",
    "Rig",
    "choose_cameras",
    "encode_cameras",
    "latent_frames_of",
    "orbit_c2w",
    "orbit_rig",
    "parse_numbers",
    "relative_poses",
    "rig_from_json",
    "rig_to_json",
]
