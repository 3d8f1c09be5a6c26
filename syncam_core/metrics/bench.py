"""What one measurement works with: its settings, its networks, and the features that several metrics share."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..cameras.meter import measure
from ..disk.staged import staged_file
from ..errors import UserError
from ..video.clip import BITS_8, Clip, in_depth
from .networks import clip, files, i3d, inception
from .networks.files import Networks
from .score import SyncScore, demo_reference_c2w, score_scene
from .takes import Take, rig_at
from .weights_files import WeightsFile

DEFAULT_EVERY = 8  # frames: Wan's 81 have 11 such moments
CLIP_FRAMES = 16  # of FVD
PICTURES_AT_ONCE = 8
LENSES = ("training data", "rig")

if TYPE_CHECKING:
    from .camera_accuracy import CameraAccuracy

Item = TypeVar("Item")


class NotMeasured(UserError):
    """Why there is no number, in a sentence: a finding, not a mistake."""


@dataclass
class Bench:
    """Settings and networks. `progress` is called with what is done of one metric, 0..1; its exceptions end the work."""

    networks: Networks = field(default_factory=Networks)
    every: int = DEFAULT_EVERY  # only every so many frames are looked at
    matcher: str = "auto"
    lens: str = LENSES[0]
    truth: Take | None = None  # the same views as they should be
    keeps_features: bool = False  # beside the take's files, so that sets grow
    progress: Callable[[float], None] = lambda share: None
    _known: dict[str, np.ndarray] = field(default_factory=dict)
    _of: Take | None = None
    _score: SyncScore | None = None
    _accuracy: CameraAccuracy | None = None
    _done: float = 0.0  # of the metric at hand
    _step: float = 1.0  # how much of it the item at hand is

    def pairs(self, take: Take) -> list[int]:
        """The frames that CLIP sees: every so many, and the one behind each, for adjacent frames."""
        return sorted({at for moment in take.moments(self.every) for at in (moment, moment + 1) if at < take.frames})

    def clip_vectors(self, take: Take) -> np.ndarray:  # (views, frames of `pairs`, dim) of length 1
        """CLIP's vectors of pictures. Raises `MissingFile`."""
        shape = take.views, len(self.pairs(take))
        return self._features(take, "clip", files.CLIP, "CLIP", shape, lambda: self._clip_vectors(take))

    def inception_features(self, take: Take) -> np.ndarray:  # (views * moments, 2048)
        pictures = take.views * len(take.moments(self.every))
        return self._features(take, "inception", files.INCEPTION, "FID", (pictures,), lambda: self._inception(take))

    def clip_logits(self, take: Take) -> np.ndarray:  # (clips, 400)
        """I3D's logits of the clips of 16 frames that follow each other in each view."""
        clips = self.clips_over_time(take)
        return self._features(take, "i3d", files.I3D, "FVD", (len(clips),), lambda: self._i3d(clips))

    def moment_logits(self, take: Take) -> np.ndarray:  # (moments, 400)
        """I3D's logits of clips across the views of one moment."""
        clips, order = self.clips_over_views(take), azimuth_order(take)  # that of the rig, which may be edited
        kind = f"i3d_views {' '.join(map(str, order))}"
        return self._features(take, kind, files.I3D, "FVD-V", (len(clips),), lambda: self._i3d(clips))

    def sync_score(self, take: Take) -> SyncScore:
        """The demo world's own score. Raises UserError for what it cannot be taken of."""
        self._look_at(take)
        if self._score is None:
            rig, moments, views = take.rig, take.moments(self.every), []
            assert rig is not None  # it is needed
            for view in self._counted(take.clips):
                pictures = [torch.from_numpy(in_depth(view[moment], BITS_8)) for moment in moments]
                views.append(torch.stack(pictures).float() / 255)
            self._score = score_scene(views, rig_at(rig, moments), reference_c2w=demo_reference_c2w())
        return self._score

    def camera_accuracy(self, take: Take) -> CameraAccuracy:
        """RotErr and TransErr. Raises UserError, and `NotMeasured` where too few matches agree."""
        from .camera_accuracy import camera_accuracy
        from .matched_pixels import chosen_matcher

        self._look_at(take)
        if self._accuracy is None:
            matcher, _ = chosen_matcher(self)
            rig, done = take.rig, itertools.count(1)
            assert rig is not None  # it is needed
            pairs = (take.views - 1) * len(take.moments(self.every))
            self._accuracy = camera_accuracy(
                take.clips,
                rig,
                matcher,
                lens=self.lens,
                every=self.every,
                on_pair=lambda: self.progress(next(done) / pairs),
            )
        if not self._accuracy.measured:
            best = max(self._accuracy.pairs, key=lambda pair: pair.inliers)
            raise NotMeasured(f"{best.said()}, {self._accuracy.matcher}")
        return self._accuracy

    # ---- what the networks are shown

    def clips_over_time(self, take: Take) -> _Clips:
        frames = min(CLIP_FRAMES, take.frames)
        if frames < i3d.FEWEST_FRAMES:
            raise NotMeasured(f"the videos have {take.frames} frames, but I3D needs {i3d.FEWEST_FRAMES}.")
        begins = range(0, take.frames - frames + 1, frames)
        return _Clips([(view, range(begin, begin + frames)) for view in take.clips for begin in begins])

    def clips_over_views(self, take: Take) -> _Clips:
        """16 pictures of one moment from the views in the order of their azimuths, each the nearest: fewer than 9 are
        too few for I3D, so views are repeated (4 views: each 4 times)."""
        order = azimuth_order(take)
        sixteen = [order[at * len(order) // CLIP_FRAMES] for at in range(CLIP_FRAMES)]
        return _Clips([([take.clips[view] for view in sixteen], moment) for moment in take.moments(self.every)])

    def _clip_vectors(self, take: Take) -> np.ndarray:
        network, frames = clip.load_clip(self.networks), self.pairs(take)
        vectors = [
            clip.picture_vectors(network, pictures).numpy()
            for view in self._counted(take.clips)
            for pictures in self._batches(view, frames)
        ]
        return np.concatenate(vectors).reshape(take.views, len(frames), -1)

    def _inception(self, take: Take) -> np.ndarray:
        network = inception.load_inception(self.networks)
        return np.concatenate(
            [
                inception.features_of(network, pictures).numpy()
                for view in self._counted(take.clips)
                for pictures in self._batches(view, take.moments(self.every))
            ]
        )

    def _i3d(self, clips: _Clips) -> np.ndarray:
        network = i3d.load_i3d(self.networks)
        return np.stack([i3d.logits_of(network, resized(frames)).numpy() for frames in self._counted(clips)])

    def _batches(self, view: Clip, frames: Sequence[int]) -> Iterator[list[np.ndarray]]:
        for first in range(0, len(frames), PICTURES_AT_ONCE):
            self.progress(self._done + self._step * first / len(frames))
            yield [in_depth(view[frame], BITS_8) for frame in frames[first : first + PICTURES_AT_ONCE]]

    def _counted(self, items: Sequence[Item]) -> Iterator[Item]:
        """The items one by one, with the share that is done before each."""
        for index, item in enumerate(items):
            self._done, self._step = index / len(items), 1 / len(items)
            self.progress(self._done)
            yield item
        self.progress(1.0)

    # ---- features that are there already

    def _features(
        self,
        take: Take,
        kind: str,
        file: WeightsFile,
        what: str,
        shape: tuple[int, ...],  # all axes but the last
        make: Callable[[], np.ndarray],
    ) -> np.ndarray:
        self._look_at(take)
        rate = "" if take.fps is None else f" at {take.fps!r}"  # 41 frames at 8.05 are not those at 8 per second
        key = f"{kind}/{self.networks.digest(file, what)}/every {self.every}/{take.frames}{rate}"
        if key not in self._known:
            stored = _stored(take) if self.keeps_features else {}
            if key not in stored or stored[key].shape[:-1] != shape:
                stored[key] = make()
                if self.keeps_features:
                    _store(take, stored)
            self._known[key] = stored[key]
        return self._known[key]

    def _look_at(self, take: Take) -> None:
        if self._of is not take:
            self._of, self._known, self._score, self._accuracy = take, {}, None, None


@dataclass(frozen=True)
class _Clips(Sequence[list[np.ndarray]]):
    """Clips of pictures, each read when it is asked for: frames of one view, or all views at one moment."""

    of: Sequence[tuple[Clip, range] | tuple[list[Clip], int]]

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # slices are not needed
        source, at = self.of[index]
        if isinstance(at, range):
            return [in_depth(source[frame], BITS_8) for frame in at]
        return [in_depth(view[at], BITS_8) for view in source]


def azimuth_order(take: Take) -> list[int]:
    """The views from the least azimuth to the largest; as they are without a rig."""
    if take.rig is None:
        return list(range(take.views))
    angles = [view.azimuth_deg for view in measure(take.rig.at_frame(0)).views]
    return sorted(range(take.views), key=angles.__getitem__)


def resized(frames: Sequence[np.ndarray]) -> Tensor:  # (frames, 3, 224, 224) in 0..255
    """Bilinear to I3D's square, whatever the shape, as FVD's authors do it."""
    pictures = [torch.from_numpy(frame).permute(2, 0, 1)[None].float() for frame in frames]
    sides = (i3d.SIDE, i3d.SIDE)
    return torch.cat(
        [torch.nn.functional.interpolate(picture, sides, mode="bilinear", align_corners=False) for picture in pictures]
    )


# ---- beside the files of a take


def features_file(take: Take) -> Path | None:
    """Where a take's features are kept: beside its first video."""
    if not take.files:
        return None
    first = take.files[0]
    return first.with_name(f"{take.name.rpartition('/')[2]}_features.npz")


def _identity(take: Take) -> str:
    return json.dumps([[file.name, file.stat().st_size, file.stat().st_mtime_ns] for file in take.files])


def _stored(take: Take) -> dict[str, np.ndarray]:
    file = features_file(take)
    try:
        with np.load(file, allow_pickle=False) as archive:  # type: ignore[arg-type]  # None raises TypeError
            if sum(entry.file_size for entry in archive.zip.infolist()) > file.stat().st_size:  # type: ignore[union-attr]
                return {}  # it would unpack to more than it is, which savez never writes
            stored = {name: archive[name] for name in archive.files}
    except Exception:  # what is damaged is made again, whatever the readers of zip archives and arrays say of it
        return {}
    return stored if str(stored.pop("videos", "")) == _identity(take) else {}


def _store(take: Take, features: dict[str, np.ndarray]) -> None:
    file = features_file(take)
    if file is None:
        return
    try:
        with staged_file(file) as hidden, open(hidden, "wb") as opened:
            save: Callable[..., None] = np.savez  # its type takes no dictionary: an array might be named as its option
            save(opened, videos=np.array(_identity(take)), **features)
    except OSError:
        pass  # a folder that cannot be written to costs the time again, nothing else
