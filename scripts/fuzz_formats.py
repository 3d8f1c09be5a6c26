#!/usr/bin/env python3
"""Fuzz the camera file formats with atheris: no input may raise anything but a ValueError with one sentence.

    pip install atheris                                     needs Linux or macOS, and torch, numpy and scipy beside it
    python scripts/fuzz_formats.py --minutes 10             all formats
    python scripts/fuzz_formats.py --minutes 2 --format colmap --corpus some/folder

The corpus begins with files that the formats themselves write, and is kept in --corpus if one is given. An input that
crashes, takes longer than 10 seconds or more than 2 GB is written to the working folder as crash-..., timeout-... or
oom-...; show it with `--reproduce crash-...`. The first byte of an input chooses the format, the second one how the
rest is laid out: one file, or (COLMAP) a folder of cameras and images.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

LONGEST_INPUT = 20_000
SECONDS, MEGABYTES = 10, 2048
LONGEST_MESSAGE = 900

# What the formats look for, which a fuzzer would have to guess letter by letter.
WORDS = (
    '"frame0"', '"frames"', '"cameras"', '"keyframes"', '"frame"', '"ease"', '"interpolation"', '"azimuth"', '"distance"',
    '"c2w"', '"R"', '"rvec"', '"t"', '"K"', '"width"', '"unit_m"', '"unit_scale"', '"up"', '"name"', '"lens_mm"',
    '"matrix_world"', '"transform_matrix"', '"file_path"', '"time"', '"fl_x"', '"camera_angle_x"', '"syncam"', '"format"',
    "null", "true", "NaN", "-Infinity", "1e308", "[[", "]]", "{}", "\\u0000", "PINHOLE", "OPENCV", "images/cam01/", "#",
)  # fmt: skip

# What the formats read and never write.
BY_HAND = {
    "rig_json": """{"cameras": [{"name": "a", "azimuth": 0, "distance": 3, "target": [0, 0, 1]}, {"interpolation":
"linear", "keyframes": [{"frame": 0, "azimuth": 0, "distance": 3, "ease": "in_out"}, {"frame": 8, "azimuth": 90, "distance":
2, "roll": 5}]}]}""",
    "opencv": """{"unit_m": 1, "up": "z", "cameras": [{"rvec": [[0, 0.1, 0], [0, 0.2, 0]], "t": [[0, 0, 3], [0, 1, 3]],
"K": [[800, 0, 400], [0, 800, 200], [0, 0, 1]], "width": 800}]}""",
    "nerfstudio": """{"camera_angle_x": 0.7, "aabb_scale": 4, "scale": 0.5, "offset": [0, 0, 1], "frames": [{"file_path":
"./cam_2/f_1", "time": 0, "transform_matrix": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 3]]}]}""",
    "colmap": """# Number of images: 1
1 1 0 0 0 0.5 0 3 7 my photo.jpg
10.5 20.5 -1 30 40 12
""",
}


def main() -> None:
    options = parser().parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        import atheris
    except ImportError:
        sys.exit("fuzz_formats: atheris is missing; install it with: pip install atheris")
    with atheris.instrument_imports(include=["syncam_core"]):
        import syncam_core.formats as formats

        keys = list(formats.FORMATS)
        for key in keys:
            formats.FORMATS[key]
    if options.format and options.format not in keys:
        sys.exit(f"fuzz_formats: there is no format {options.format!r}; possible are {', '.join(keys)}")
    logging.disable(logging.WARNING)

    folder = Path(tempfile.mkdtemp(prefix="syncam_fuzz_"))
    corpus = Path(options.corpus or folder / "corpus")
    corpus.mkdir(parents=True, exist_ok=True)
    write_seeds(corpus, keys)
    judge = Judge(formats.read_rig_file, keys, options.format, folder)
    arguments = [sys.argv[0], str(options.reproduce)] if options.reproduce else [sys.argv[0], str(corpus)]
    words = folder / "words"
    words.write_text("".join(f"{json.dumps(word)}\n" for word in WORDS))  # libFuzzer escapes as JSON does
    limits = [
        f"-dict={words}",
        f"-max_total_time={int(options.minutes * 60)}",
        f"-max_len={LONGEST_INPUT}",
        "-print_final_stats=1",
    ]
    atheris.Setup([*arguments, *limits, f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}"], judge)
    try:
        atheris.Fuzz()  # ends the process
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def parser() -> argparse.ArgumentParser:
    parsed = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parsed.add_argument("--minutes", type=float, default=10)
    parsed.add_argument("--format", help="only this one, by its key")
    parsed.add_argument("--corpus", help="a folder that keeps the inputs worth going on from")
    parsed.add_argument("--reproduce", type=Path, help="run one input, such as crash-...")
    return parsed


class Judge:
    """What is run on every input: the file is read as its format and as whatever it looks like."""

    def __init__(self, read, keys: list[str], only: str | None, folder: Path) -> None:
        self.read, self.keys, self.only, self.folder = read, keys, only, folder

    def __call__(self, data: bytes) -> None:
        if len(data) < 2:
            return
        key = self.only or self.keys[data[0] % len(self.keys)]
        path = self.laid_out(key, data[1], data[2:])
        for format in (key, "auto"):
            try:
                self.read(path, unit_m=1.0, format=format)
            except ValueError as problem:
                refuse_no_sentence(problem)

    def laid_out(self, key: str, how: int, content: bytes) -> Path:
        if key != "colmap":
            path = self.folder / "input"
            path.write_bytes(content)
            return path
        path, kind = self.folder / "model", (".bin", ".txt")[how % 2]
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        # The cameras' length in two bytes, then the cameras, then the images
        length = int.from_bytes(content[:2], "little")
        (path / f"cameras{kind}").write_bytes(content[2 : 2 + length])
        (path / f"images{kind}").write_bytes(content[2 + length :])
        return path


def refuse_no_sentence(problem: ValueError) -> None:
    """Raises AssertionError for a message that no person should see."""
    message = str(problem)
    if type(problem) is not ValueError or not message.isprintable() or len(message) > LONGEST_MESSAGE:
        raise AssertionError(f"{type(problem).__name__}: {message[:2000]!a}") from problem


def write_seeds(corpus: Path, keys: list[str]) -> None:
    """Inputs that hold valid files of all formats: still and moving cameras."""
    from syncam_core.cameras import Rig, orbit_rig
    from syncam_core.formats import write_rig_file

    still = orbit_rig([0, 30], [0, 10], [3])
    moving = Rig(("hero",), still.c2w.transpose(0, 1)[:1])
    with tempfile.TemporaryDirectory() as place:
        for number, key in enumerate(keys):
            for rig in (still.select([0]), moving) if key != "first_release" else (still,):
                name = f"seed_{key}_{rig.frames}"
                path = Path(place) / f"{name}.{'chan' if key == 'nuke_chan' else 'txt'}"
                if key != "colmap":
                    write_rig_file(rig, path, key)
                    (corpus / name).write_bytes(bytes([number, 0]) + path.read_bytes())
                    continue
                for how, kind in enumerate((".bin", ".txt")):
                    write_rig_file(rig, path, key, binary=kind == ".bin")
                    cameras, images = ((path / f"{part}{kind}").read_bytes() for part in ("cameras", "images"))
                    content = len(cameras).to_bytes(2, "little") + cameras + images
                    (corpus / f"{name}{kind}").write_bytes(bytes([number, how]) + content)
    for key, text in BY_HAND.items():
        cameras = "7 OPENCV 800 600 700 710 400 300 0.1 0 0 0\n" if key == "colmap" else ""
        length = len(cameras).to_bytes(2, "little") if cameras else b""
        (corpus / f"hand_{key}").write_bytes(bytes([keys.index(key), 1]) + length + (cameras + text).encode())


if __name__ == "__main__":
    main()
