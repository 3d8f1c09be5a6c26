"""The list of camera files in a full input folder, beside the lists of the host's own Load Video and Load Image.

The host asks for such lists on every page and several times for each prompt. Measured in turn, in processor time, so that
what else the machine does slows all of them alike; the first list, for which files are looked into, is told apart.

    COMFYUI_PATH=... python benchmarks/listing.py            5,000 captions, 2,000 JSON, 500 videos: half a minute
    COMFYUI_PATH=... python benchmarks/listing.py --folders  the captions in 50 folders, which the host does not look into
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
RUNS = 15


def seconds(list_it: Callable[[], object]) -> float:
    begun = time.process_time()
    list_it()
    return time.process_time() - begun


def fill(root: Path, in_folders: bool) -> None:
    for number in range(5000):
        folder = root / f"captions {number // 100:02d}" if in_folders else root
        folder.mkdir(exist_ok=True)
        (folder / f"{number:04d}.txt").write_text("a person on a bridge, evening, " * 8)
    for number in range(2000):
        (root / f"{number:04d}.json").write_text("{}")
    for number in range(500):
        (root / f"{number:04d}.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(100))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folders", action="store_true", help="captions in 50 folders of 100")
    options = parser.parse_args()
    from benchmarks.host import load_host

    load_host("--cpu")
    import folder_paths

    import nodes

    fill(Path(folder_paths.get_input_directory()), options.folders)
    listing = next(module for name, module in sys.modules.items() if name.endswith("nodes.host.input_files"))
    lists = {
        "SynCam Load Rig": listing.camera_files,
        "Load Video": nodes.NODE_CLASS_MAPPINGS["LoadVideo"].define_schema,
        "Load Image": nodes.NODE_CLASS_MAPPINGS["LoadImage"].INPUT_TYPES,
    }
    print(f"first list of SynCam Load Rig: {seconds(listing.camera_files) * 1000:.0f} ms")
    taken: dict[str, list[float]] = {name: [] for name in lists}
    for _ in range(RUNS):
        for name, list_it in lists.items():
            taken[name].append(seconds(list_it))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, median in medians.items():
        print(f"{name}: {median * 1000:.1f} ms, {median / medians['Load Video']:.2f} x Load Video")


if __name__ == "__main__":
    main()
