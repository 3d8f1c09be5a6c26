"""Videos of N views: clips and what is composed of them, and the files they are kept in."""

from .write import FASTEST_FPS, SLOWEST_FPS, VideoWriter, check_video_size, frame_rate, write_video

__all__ = ["FASTEST_FPS", "SLOWEST_FPS", "VideoWriter", "check_video_size", "frame_rate", "write_video"]
