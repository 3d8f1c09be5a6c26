"""Look over a data set before training: python -m syncam_core.datasets.collections.checks FOLDER --format syncamvideo

Prints every broken piece of footage with its reason, and ends with 1 if there is any.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

from ...errors import UserError
from ..footage import Scene
from ..problems import BrokenData, Problem, Report, check
from .plain_videos import read_plain_videos
from .pose_files import read_dl3dv, read_realestate10k
from .syncamvideo import read_syncamvideo

__all__ = ["BrokenData", "Problem", "Report", "check", "main"]

FORMATS = ("syncamvideo", "realestate10k", "dl3dv", "videos")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 for a data set in order, 1 for one with problems, 2 for one that cannot be read at all."""
    options = _parser().parse_args(arguments)
    try:
        scenes = _read(options)
        _, report = check(scenes, decode=not options.quick, progress=_progress if sys.stderr.isatty() else _silence)
    except UserError as problem:
        print(f"checks: {problem}", file=sys.stderr)
        return 2
    print(report.table())
    return 1 if report.problems else 0


def _read(options: argparse.Namespace) -> list[Scene]:
    if options.format == "syncamvideo":
        return read_syncamvideo(options.folder, size=options.size, length=options.length, fps=options.fps)
    if options.format == "videos":
        return read_plain_videos(options.folder, size=options.size, length=options.length, fps=options.fps)
    tour = {"size": options.size, "pictures": options.pictures, "gap": options.gap, "caption": options.caption}
    if options.format == "dl3dv":
        return read_dl3dv(options.folder, images=options.images, **tour)
    return read_realestate10k(options.folder, options.frames, **tour)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m syncam_core.datasets.collections.checks",
        description="Name everything in a data set that must not be trained on. Ends with 1 if there is anything.",
    )
    parser.add_argument("folder", help="the data set; of realestate10k, its pose files")
    parser.add_argument("--format", choices=FORMATS, default=FORMATS[0])
    parser.add_argument("--size", type=_size, default=(480, 832), help="HEIGHTxWIDTH of the training, 480x832")
    parser.add_argument("--length", type=int, help="frames that a clip must have")
    parser.add_argument("--fps", type=float, help="frames per second that a clip must have")
    parser.add_argument("--frames", help="realestate10k: the folder of the frames, if not beside the pose files")
    parser.add_argument("--images", default="", help='dl3dv: use this folder\'s pictures, like "images_4"')
    parser.add_argument("--pictures", type=int, default=8, help="realestate10k, dl3dv: pictures of a scene")
    parser.add_argument("--gap", type=int, default=100, help="realestate10k, dl3dv: most frames between two pictures")
    parser.add_argument("--caption", default="", help="realestate10k, dl3dv: of scenes that have none")
    parser.add_argument("--quick", action="store_true", help="judge files, poses and containers; decode nothing")
    return parser


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a height and a width, like 480x832.")
    return int(match[1]), int(match[2])


def _silence(done: int, total: int) -> None:
    return


def _progress(done: int, total: int) -> None:
    print(f"\r{done} of {total} scenes", end="\n" if done == total else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
