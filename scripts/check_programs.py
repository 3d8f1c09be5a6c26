#!/usr/bin/env python3
"""Opens our camera files in real programs, and theirs in ours, and holds the pixels of markers against each other.

    python scripts/check_programs.py                        all of them; the first run installs them (about 2 GB)
    python scripts/check_programs.py blender usd            some of them
    python scripts/check_programs.py --keep FOLDER          keep the files that were written

Each program is a pinned public package in an environment of its own, in the cache folder; nothing is installed where this
runs, which needs what the core needs (torch, numpy, scipy), usd-core and pygltflib. Blender 5.0.1 needs a Python 3.11,
Open3D one up to 3.12; they are looked for on the PATH, in --pythons, and with uv. Blender's .chan add-on is no part of it:
give the folder that holds io_anim_nuke_chan with --chan-addon. Ends with 1 where a marker is off by more than 0.05 px.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from programs.blender_cases import Blender  # noqa: E402
from programs.cases import LIBRARIES, Result  # noqa: E402
from programs.environments import Missing, environment, run_in  # noqa: E402

TOLERANCE_PX = 0.05
PROGRAMS = {"blender": Blender, **LIBRARIES}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="*", help=f"of {', '.join(PROGRAMS)}")
    parser.add_argument("--keep", type=Path, help="a new folder for the files")
    parser.add_argument(
        "--record", type=Path, help="where the tests keep files of the programs: tests/formats/recorded"
    )
    parser.add_argument("--pythons", nargs="*", default=[], help="interpreters to look at first")
    parser.add_argument("--chan-addon", type=Path, help="the folder that holds io_anim_nuke_chan")
    options = parser.parse_args()
    unknown = {*options.programs} - {*PROGRAMS}
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}; possible are {', '.join(PROGRAMS)}")
    folder = options.keep or Path(tempfile.mkdtemp(prefix="syncam_programs_"))
    folder.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    try:
        for key in options.programs or PROGRAMS:
            program = PROGRAMS[key](folder / key, options.chan_addon)
            try:
                python = environment(program.environment, options.pythons)
            except Missing as problem:
                print(f"{key}: left out, {problem}", flush=True)
                continue
            version, answers = run_in(python, ROOT / "scripts" / "programs" / program.script, program.tasks())
            if options.record:
                record(options.record / f"{key}_{version}", program.recorded(answers))
            for result in program.judged(version, answers):
                print(result.line(TOLERANCE_PX), flush=True)
                results.append(result)
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    wrong = [result for result in results if result.is_wrong(TOLERANCE_PX)]
    print(f"\n{len(results)} rows, {len(wrong)} off by more than {TOLERANCE_PX} px")
    sys.exit(bool(wrong) or not results)


def record(folder: Path, recorded: Iterable[tuple[str, Path, dict[str, Any]]]) -> None:
    """Each file or folder beside a .json of what the program saw in it."""
    for name, path, about in recorded:
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / name
        if path.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(path, target)
        else:
            shutil.copy(path, target)
        (folder / f"{name}.seen.json").write_text(json.dumps(about) + "\n")


if __name__ == "__main__":
    main()
