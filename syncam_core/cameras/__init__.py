"""Cameras: the rig type, everything that makes, changes, moves and judges one, its JSON, and what the model reads.

    rig = merge_rigs([ring_rig(4, elevation_deg=10), camera_rig(distance_m=1.5, name="close")])
    print(measure(rig).verdict)                # against what the released weights were trained on
    poses = encode_cameras(rig, 81).poses      # (views, latent frames, 12)

Metres and degrees; camera-to-world matrices in OpenCV axes; the conventions stand at `Rig`.
"""

from .builders import (
    arc_rig,
    bullet_time_rig,
    camera_rig,
    close_wide_rig,
    dome_rig,
    grid_rig,
    line_rig,
    orbit_rig,
    ring_rig,
    stereo_rig,
)
from .encoding import CameraEncoding, encode_cameras, relative_poses
from .keyframes import bake_keyframes
from .meter import Meter, measure
from .motion import MOVES, Move, move_cameras
from .orbit import look_at_c2w, orbit_c2w
from .presets import PRESETS, preset_rig
from .rig import MAX_VIEWS, PALETTE, Lens, Rig
from .rig_json import rig_from_json, rig_to_json
from .spoken import choose_cameras, parse_numbers
from .trajectories import TrajectoryEncoding, encode_trajectories, recam_rig
from .transforms import merge_rigs, reorder_rig, retarget_rig, scale_rig, translate_rig, turn_rig

__all__ = [
    "MAX_VIEWS",
    "MOVES",
    "PALETTE",
    "PRESETS",
    "CameraEncoding",
    "Lens",
    "Meter",
    "Move",
    "Rig",
    "TrajectoryEncoding",
    "arc_rig",
    "bake_keyframes",
    "bullet_time_rig",
    "camera_rig",
    "choose_cameras",
    "close_wide_rig",
    "dome_rig",
    "encode_cameras",
    "encode_trajectories",
    "grid_rig",
    "line_rig",
    "look_at_c2w",
    "measure",
    "merge_rigs",
    "move_cameras",
    "orbit_c2w",
    "orbit_rig",
    "parse_numbers",
    "preset_rig",
    "recam_rig",
    "relative_poses",
    "reorder_rig",
    "retarget_rig",
    "rig_from_json",
    "rig_to_json",
    "ring_rig",
    "scale_rig",
    "stereo_rig",
    "translate_rig",
    "turn_rig",
]
