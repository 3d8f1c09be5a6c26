"""A take as a recording for Rerun (.rrd): cameras with their videos, their paths, and where they look, over time.

Everything stands below "world", whose axes are the rig's (x right, y down, z away; metres). "world/cameras/<name>" has the
camera's pose (camera to world) at each frame that it moves in, a pinhole in pixels with the camera's own axes (x right, y
down, z forward: RDF), and the picture. Timelines: "frame" counts from 0, "time" is frame / fps in seconds. Rerun keeps
numbers as float32.

Recordings are for the Rerun that wrote them, or a newer one. Needs its library: `pip install rerun-sdk`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import av
import numpy as np
from PIL import Image

from ..errors import UserError
from ..video.preview_file import frames_of_file
from ..video.read import open_video
from .take import ToldTake, subject_track

if TYPE_CHECKING:
    import rerun as rr

VIDEOS, JPEGS = PICTURES = ("videos", "jpeg")
PLAYED_CODECS = ("h264", "hevc", "av1")  # in .mp4, of what this pack writes
MOST_BYTES = 1024 * 2**20  # of one video: a recording holds each as one value, which ends at 2 GB
JPEG_QUALITY = 90
OLDEST = (0, 28)  # version that was tried
DRAWN_SHARE = 0.25  # of the way to what is filmed: where a camera's picture is drawn


def _library() -> ModuleType:
    try:
        import rerun
    except ImportError as problem:
        raise UserError(
            "writing a Rerun recording needs its library, which is not installed: pip install rerun-sdk."
        ) from problem
    version = re.match(r"(\d+)\.(\d+)", str(rerun.__version__))
    if version is None or tuple(map(int, version.groups())) < OLDEST:
        raise UserError(
            f"writing a Rerun recording needs rerun-sdk {OLDEST[0]}.{OLDEST[1]} or newer, but {rerun.__version__} is "
            "installed: pip install -U rerun-sdk."
        )
    return rerun


def check_rerun(take: ToldTake, pictures: str) -> None:
    """Raise UserError for what cannot be written, before any work."""
    _library()
    if pictures not in PICTURES:
        raise UserError(f"'pictures' is {pictures!r}; possible are {', '.join(PICTURES)}.", field="pictures")
    for path in take.videos:
        if pictures == VIDEOS and path.stat().st_size > MOST_BYTES:
            raise UserError(
                f"'{path.name}' has {path.stat().st_size // 2**20} MB; a recording holds videos of at most "
                f"{MOST_BYTES // 2**20} MB: set 'pictures' to {JPEGS}, or save the views with a higher crf.",
                field="pictures",
            )


def steps_of_rerun(take: ToldTake, pictures: str) -> int:
    """How often `write_rerun` ticks."""
    return sum(1 if pictures == VIDEOS and _plays(path) else take.frames for path in take.videos) + take.rig.views


def write_rerun(
    take: ToldTake,
    path: Path,
    title: str = "",
    pictures: str = VIDEOS,
    tick: Callable[[], None] = lambda: None,  # called after each piece; its exceptions end the work
) -> None:
    """Write the recording. Videos that Rerun does not play, or all with "jpeg", become JPEG pictures frame by frame.

    Raises UserError where the library is missing or refuses, and for videos without the frames that they should have.
    """
    check_rerun(take, pictures)
    rr = _library()
    with _opened(rr, path, _blueprint(take, rr)) as recording:
        recording.send_recording_name(title or path.stem)
        recording.log("world", rr.ViewCoordinates.RDF, static=True, strict=True)
        if take.caption:
            recording.log("caption", rr.TextDocument(take.caption), static=True, strict=True)
        track = subject_track(take.rig)
        _log_subject(recording, take, track, rr)
        for view in range(take.rig.views):
            _log_camera(recording, take, view, track[0], rr)
            tick()
            if take.videos:
                _log_pictures(recording, take, view, pictures, rr, tick)


@contextmanager
def _opened(rr: ModuleType, path: Path, blueprint: object) -> Iterator[rr.RecordingStream]:
    recording = rr.RecordingStream("syncam")
    try:
        recording.save(path, default_blueprint=blueprint)
        yield recording
        recording.flush()
    finally:
        recording.disconnect()  # closes the file


def _blueprint(take: ToldTake, rr: ModuleType) -> object:
    import rerun.blueprint as shown

    space = shown.Spatial3DView(origin="world", name="Cameras")
    views = [shown.Spatial2DView(origin=_path(take, view), name=name) for view, name in enumerate(take.rig.names)]
    parts = [space, shown.Grid(*views)] if take.videos else [space]
    return shown.Blueprint(shown.Horizontal(*parts), shown.TimePanel(timeline="time"), collapse_panels=True)


def _path(take: ToldTake, view: int) -> str:
    import rerun

    return rerun.new_entity_path(["world", "cameras", take.rig.names[view]])


def _times(take: ToldTake, frames: range, rr: ModuleType) -> list[rr.TimeColumn]:
    """The timelines of some frames."""
    seconds = [float(frame / take.fps) for frame in frames]
    return [rr.TimeColumn("frame", sequence=frames), rr.TimeColumn("time", duration=seconds)]


def _color(take: ToldTake, view: int) -> list[int]:
    return list(bytes.fromhex(take.rig.colors[view][1:]))


def _log_subject(recording: rr.RecordingStream, take: ToldTake, track: np.ndarray, rr: ModuleType) -> None:
    if len(track) == 1:
        points = rr.Points3D(track, radii=0.03, labels=["subject"])
        recording.log("world/subject", points, static=True, strict=True)
        return
    style = rr.Points3D.from_fields(radii=0.03, labels=["subject"])
    recording.log("world/subject", style, static=True, strict=True)
    columns = rr.Points3D.columns(positions=track)
    recording.send_columns("world/subject", _times(take, range(len(track)), rr), columns, strict=True)
    strip = rr.LineStrips3D([track], colors=[[160, 160, 160]])
    recording.log("world/subject/path", strip, static=True, strict=True)


def _log_camera(recording: rr.RecordingStream, take: ToldTake, view: int, subject: np.ndarray, rr: ModuleType) -> None:
    place, poses = _path(take, view), take.rig.c2w[view].numpy()
    (fx, fy, cx, cy), (height, width) = take.intrinsics[view], take.shown_sizes[view]
    color = _color(take, view)
    pinhole = rr.Pinhole(
        image_from_camera=[[fx, 0, cx], [0, fy, cy], [0, 0, 1]],
        resolution=[width, height],
        camera_xyz=rr.ViewCoordinates.RDF,
        image_plane_distance=max(DRAWN_SHARE * float(np.linalg.norm(poses[0, :3, 3] - subject)), 1e-3),
        color=color,
    )
    recording.log(place, pinhole, static=True, strict=True)
    if (poses == poses[:1]).all():
        still = rr.Transform3D(translation=poses[0, :3, 3], mat3x3=poses[0, :3, :3])
        recording.log(place, still, static=True, strict=True)
        return
    moving = rr.Transform3D.columns(translation=poses[:, :3, 3], mat3x3=poses[:, :3, :3])
    recording.send_columns(place, _times(take, range(len(poses)), rr), moving, strict=True)
    strip = rr.LineStrips3D([poses[:, :3, 3]], colors=[color])
    recording.log(f"world/paths/{place.rpartition('/')[2]}", strip, static=True, strict=True)


def _log_pictures(
    recording: rr.RecordingStream, take: ToldTake, view: int, pictures: str, rr: ModuleType, tick: Callable[[], None]
) -> None:
    place, path = _path(take, view), take.videos[view]
    if pictures == VIDEOS and _plays(path):
        video = rr.AssetVideo(path=path)
        moments = video.read_frame_timestamps_nanos()
        if len(moments) < take.frames:
            raise _too_few(path, len(moments), take)
        recording.log(place, video, static=True, strict=True)
        columns = rr.VideoFrameReference.columns_nanos(moments[: take.frames])
        recording.send_columns(place, _times(take, range(take.frames), rr), columns, strict=True)
        tick()
        return
    found = 0
    recording.log(place, rr.EncodedImage.from_fields(media_type="image/jpeg"), static=True, strict=True)
    for picture in itertools.islice(frames_of_file(path), take.frames):
        now = _times(take, range(found, found + 1), rr)
        recording.send_columns(place, now, rr.EncodedImage.columns(blob=[_jpeg(picture)]), strict=True)
        found += 1
        tick()
    if found < take.frames:
        raise _too_few(path, found, take)


def _plays(path: Path) -> bool:
    """Whether Rerun plays a video file as it is."""
    if path.suffix.lower() != ".mp4":
        return False
    try:
        with open_video(path) as container:
            context = container.streams.video[0].codec_context
            return av.Codec(context.name).canonical_name in PLAYED_CODECS and context.pix_fmt == "yuv420p"
    except (av.error.InvalidDataError, IndexError) as problem:
        raise UserError(f"'{path.name}' is no video file.", field="files") from problem


def _jpeg(picture: np.ndarray) -> bytes:  # (height, width, 3) uint8
    out = BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return out.getvalue()


def _too_few(path: Path, found: int, take: ToldTake) -> UserError:
    return UserError(
        f"'{path.name}' has {found} frames, but the take has {take.frames}; save the views again.", field="files"
    )
