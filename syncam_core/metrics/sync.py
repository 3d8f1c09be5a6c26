"""``python -m syncam_core.metrics.sync``: score the videos that SynCam Save Views wrote, with the rig beside them.

The score locates one strongly coloured subject before a pale background, as in the demo world; it is not meant for
arbitrary footage.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path

import torch
from torch import Tensor

from ..cameras.rig import Rig
from ..errors import UserError
from .intervals import MEASURES, summarize, to_text
from .score import SyncScore, demo_reference_c2w, score_scene
from .takes import reason, rig_files, video_files

__all__ = ["SyncScore", "main", "read_take", "read_video", "score_scene"]


def read_take(
    rig_file: str | Path,
) -> tuple[Tensor, Rig]:  # (views, frames, height, width, 3) float32 in 0..1, Rig
    """The views that a rig JSON names under metadata, from its own folder, and the rig.

    A rig JSON without that metadata stands for all .mp4 files beside it but grids, in the order of their names.

    Raises UserError for files that are missing, unreadable or of different sizes, and for a number of videos that is
    not that of the cameras.
    """
    rig, files, _ = video_files(Path(rig_file))
    views = [read_video(file) for file in files]
    for file, view in zip(files, views, strict=True):
        if view.shape != views[0].shape:
            first, other = (f"{v.shape[0]} frames of {v.shape[2]} x {v.shape[1]}" for v in (views[0], view))
            raise UserError(f"'{files[0].name}' has {first} but '{file.name}' {other}; all views must be alike.")
    return torch.stack(views).float().div_(255), rig


def read_video(file: str | Path) -> Tensor:  # (frames, height, width, 3) uint8
    """All frames of a video file. Raises UserError where it cannot be read."""
    import av

    from ..video.clip import BITS_8, in_depth
    from ..video.read import open_video, rgb_of

    try:
        with open_video(file) as container:
            frames = [torch.from_numpy(in_depth(rgb_of(frame), BITS_8)) for frame in container.decode(video=0)]
    except (av.error.FFmpegError, OSError, IndexError) as problem:
        raise UserError(f"'{Path(file).name}' cannot be read as a video ({reason(problem)}).") from problem
    if not frames:
        raise UserError(f"'{Path(file).name}' has no frames.")
    return torch.stack(frames)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m syncam_core.metrics.sync", description=__doc__)
    parser.add_argument(
        "folder", type=Path, help="a folder with videos and *_rig.json of SynCam Save Views, or one *_rig.json"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--rig-in-world",
        action="store_true",
        help="measure azimuths with the cameras where the rig says (for films of the world itself); by default the "
        "first camera is taken to be where the demo model always sees it: azimuth 0, elevation 20, 5 m away",
    )
    options = parser.parse_args(arguments)
    reference = None if options.rig_in_world else demo_reference_c2w()
    try:
        scores = {}
        for rig_file in rig_files(options.folder):
            video, rig = read_take(rig_file)
            try:
                scores[rig_file.name] = score_scene(video, rig, reference_c2w=reference)
            except UserError as problem:
                raise problem.told(f"'{rig_file.name}': {problem}") from problem
    except UserError as problem:
        print(problem, file=sys.stderr)
        return 1
    print(_as_json(scores) if options.json else _as_table(scores))
    return 0


def _as_table(scores: dict[str, SyncScore]) -> str:
    if len(scores) == 1:
        return next(iter(scores.values())).to_text()
    name_width = max(map(len, scores))
    lines = ["  ".join([" " * name_width, *(heading.rjust(len(heading)) for heading, _ in MEASURES.values())])]
    for name, score in scores.items():
        cells = [
            _cell(getattr(score, measure), decimals).rjust(len(heading))
            for measure, (heading, decimals) in MEASURES.items()
        ]
        lines.append("  ".join([name.ljust(name_width), *cells]))
    return "\n".join(lines) + "\n\nmedian over clips [95 % interval]\n" + to_text({"": summarize([*scores.values()])})


def _as_json(scores: dict[str, SyncScore]) -> str:
    summary = summarize([*scores.values()])
    medians = {
        name: {key: number if math.isfinite(number) else None for key, number in vars(interval).items()}
        for name, interval in summary.measures.items()
    }
    document = {"scenes": {name: score.to_json() for name, score in scores.items()}, "median": medians}
    return json.dumps(document, indent=2, allow_nan=False)


def _cell(number: float, decimals: int) -> str:
    return f"{number:.{decimals}f}" if math.isfinite(number) else "-"


if __name__ == "__main__":
    sys.exit(main())
