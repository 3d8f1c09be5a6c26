"""Videos of N views: grids, contact sheets, labels and files."""

from .frames import clean_rgb, frames_uint8
from .labels import LabelPlate, label_plate, label_plates
from .layout import MAX_COLUMNS, GridLayout, Tile, compose_frame, grid_frames, grid_shape, plan_grid
from .sheet import sheet_moments, sheet_picture, write_sheet
from .write import FASTEST_FPS, SLOWEST_FPS, VideoWriter, check_video_size, frame_rate, write_video

__all__ = [
    "FASTEST_FPS",
    "MAX_COLUMNS",
    "SLOWEST_FPS",
    "GridLayout",
    "LabelPlate",
    "Tile",
    "VideoWriter",
    "check_video_size",
    "clean_rgb",
    "compose_frame",
    "frame_rate",
    "frames_uint8",
    "grid_frames",
    "grid_shape",
    "label_plate",
    "label_plates",
    "plan_grid",
    "sheet_moments",
    "sheet_picture",
    "write_sheet",
    "write_video",
]
