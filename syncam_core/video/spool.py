"""Frames kept on the disk instead of in memory, for as long as somebody needs them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from ..errors import UserError
from .clip import Clip, MadeClip, in_depth

ROOM_TO_SPARE = 64 * 2**20  # bytes that stay free beside the frames
CHECKED_AT_ONCE = 64 * 2**20  # of frames beyond those that were announced


class Spool:
    """A nameless file of raw frames in `folder`.

    The system takes it back when it is closed, when nothing refers to it any more, and when the process is killed. It
    is read and written, not mapped: pages of a mapped file would count as memory of the process, all of them.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        needed: int = 0,  # bytes, where they are known; there may be more
    ) -> None:
        """Raises UserError with a sentence where the disk has no room for it, OSError where the folder is no good."""
        os.makedirs(folder, exist_ok=True)
        self._folder = os.fspath(folder)
        self._end = self._checked = 0  # what is written, and up to where there was room
        self._check_room(needed)
        self._file = tempfile.TemporaryFile(dir=folder, prefix="syncam-", buffering=0)  # noqa: SIM115 (it stays open)

    def new_clip(self, height: int, width: int, dtype: np.dtype) -> SpooledClip:
        return SpooledClip(self, height, width, np.dtype(dtype))

    def write(self, data: memoryview) -> int:
        """Append bytes and return where they begin. Raises UserError with a sentence where the disk takes no more."""
        begin = self._end
        if begin + len(data) > self._checked:
            self._check_room(CHECKED_AT_ONCE)
        try:
            self._file.seek(begin)
            while len(data):
                written = self._file.write(data)  # a nearly full disk takes a part, and refuses the next
                self._end += written
                data = data[written:]
        except OSError as error:
            raise UserError(
                f"the decoded frames cannot be kept in '{self._folder}' ({error.strerror or error}); free some space, "
                "or start ComfyUI with --temp-directory on another disk."
            ) from error
        return begin

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < needed + ROOM_TO_SPARE:
            so_far = f" more than the {gigabytes(self._end)} that are there" if self._end else ""
            raise UserError(
                f"the decoded frames need {gigabytes(needed)}{so_far} for a while in '{self._folder}', but "
                f"{gigabytes(free)} are free there; free some space, use fewer or smaller views, or start ComfyUI "
                "with --temp-directory on another disk."
            )
        self._checked = self._end + needed

    def read(self, begin: int, data: memoryview) -> None:
        self._file.seek(begin)
        while len(data):
            count = self._file.readinto(data)
            if not count:
                raise OSError("the file with the decoded frames is shorter than it was")
            data = data[count:]

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        file = getattr(self, "_file", None)  # there is none where the disk was full
        if file is not None:
            file.close()


@dataclass(frozen=True, eq=False)
class SpooledClip:
    """The frames of a clip, appended once, in order, and read as often as wanted."""

    spool: Spool
    height: int
    width: int
    dtype: np.dtype
    begins: list[int] = field(default_factory=list)

    def append(self, frame: np.ndarray) -> None:
        if frame.shape != (self.height, self.width, 3) or frame.dtype != self.dtype:
            raise UserError(
                f"a frame is {frame.shape} {frame.dtype}, but the clip is {(self.height, self.width, 3)} {self.dtype}."
            )
        self.begins.append(self.spool.write(_bytes_of(np.ascontiguousarray(frame))))

    def keeping(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The same frames; each one is appended as it passes."""
        for frame in frames:
            self.append(frame)
            yield frame

    def __len__(self) -> int:
        return len(self.begins)

    def __getitem__(self, index: int) -> np.ndarray:  # (height, width, 3), the caller's to change
        if not 0 <= index < len(self.begins):
            raise IndexError(f"frame {index} of {len(self.begins)}")
        frame = np.empty((self.height, self.width, 3), self.dtype)
        self.spool.read(self.begins[index], _bytes_of(frame))
        return frame


def as_depth(clip: Clip, dtype: np.dtype) -> Clip:
    """The same clip with frames of another dtype."""
    if clip.dtype == dtype:
        return clip
    return MadeClip(len(clip), clip.height, clip.width, np.dtype(dtype), lambda index: in_depth(clip[index], dtype))


def frame_bytes(height: int, width: int, dtype: np.dtype) -> int:
    return height * width * 3 * np.dtype(dtype).itemsize


def gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 5e7 else f"{count / 1e6:.0f} MB"


def _bytes_of(frame: np.ndarray) -> memoryview:
    return frame.reshape(-1).view(np.uint8).data
