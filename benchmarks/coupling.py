"""How well the views of the demo model agree under each coupling, at 2, 4 and 8 views.

    COMFYUI_PATH=/path/to/ComfyUI python benchmarks/coupling.py --output FOLDER [--scenes 32 --seeds 2 --views 2 4 8]

Every clip is filmed by the nodes themselves in ComfyUI's own code: SynCam Apply with the coupling, SynCam Sampler, SynCam
Decode Views. All rows of a number of views film the same held-out scenes with the same cameras and the same noise.
A clip that is done stands in FOLDER/coupling.jsonl, so the command may be stopped and given again; FOLDER/coupling.json and
FOLDER/coupling.md tell what is there so far. Scenes count once all rows have filmed them.

A scene's score is its mean over the seeds, a row's the median over scenes with its 95 % bootstrap interval (scenes
resampled). "of joint" is the ratio to the joint coupling over the same scenes; below 1 is better.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from host import PACK, load_host

SIZE, LENGTH = 64, 17  # what the demo model was trained on
DEMO_FILES = sorted((PACK / "demo_model").glob("*.safetensors"))


@dataclass(frozen=True)
class Row:
    """One line of the table; without a coupling the base films alone."""

    name: str
    coupling: str | None = None
    group_size: int = 2

    def fits(self, views: int) -> bool:
        """Groups of all views are the joint coupling again, except for pairs, which say that all are the same."""
        return self.group_size == 2 or self.group_size < views


OFF, JOINT = Row("module off"), Row("joint", "joint")
ROWS = (
    JOINT,
    Row("anchor", "anchor"),
    Row("nearest, k = 1", "nearest", 2),
    Row("nearest, k = 2", "nearest", 3),
    Row("routed in twos", "routed", 2),
    Row("routed in fours", "routed", 4),
    OFF,
)


@dataclass(frozen=True)
class Sampling:
    steps: int = 20
    cfg: float = 3.0
    shift: float = 5.0


class Films:
    """The scores of clips that are done, in a file of one line for each. Lines of other settings are left alone."""

    def __init__(self, path: Path, settings: dict[str, Any]):
        self.path, self.settings = path, settings
        self.done: dict[tuple, dict] = {}  # (views, row, scene, seed) -> line
        for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                continue  # cut off in the middle of writing
            if line["settings"] == settings:
                self.done[line["views"], line["row"], line["scene"], line["seed"]] = line

    def add(self, views: int, row: str, scene: int, seed: int, **told) -> None:
        line = {"views": views, "row": row, "scene": scene, "seed": seed, **told, "settings": self.settings}
        self.done[views, row, scene, seed] = line
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


class Studio:
    """The demo model in the host."""

    def __init__(self, sampling: Sampling):
        self.run, self.sampling = load_host("--cpu"), sampling
        self.model, self.clip, self.vae, self.weights, *_ = self.run("SynCamDemoModel")
        (self.negative,) = self.run("CLIPTextEncode", clip=self.clip, text="")

    def film(self, scene, rig, row: Row, noise_seed: int):
        """The views of one clip (views, frames, height, width, 3), and the seconds that sampling took."""
        import torch

        (cameras,) = self.run("SynCamEncodeCameras", rig=rig, length=LENGTH)
        (latent,) = self.run("SynCamEmptyLatent", cameras=cameras, width=SIZE, height=SIZE, length=LENGTH)
        (positive,) = self.run("CLIPTextEncode", clip=self.clip, text=scene.prompt())
        model = self.model
        if row.coupling is not None:
            inputs = {"model": model, "weights": self.weights, "cameras": cameras}
            (model,) = self.run("SynCamApply", **inputs, coupling=row.coupling, group_size=row.group_size)
        started = time.perf_counter()
        (sampled,) = self.run(
            "SynCamSampler",
            model=model,
            positive=positive,
            negative=self.negative,
            latent=latent,
            seed=noise_seed,
            sampler_name="euler",
            scheduler="simple",
            **asdict(self.sampling),
        )
        seconds = time.perf_counter() - started
        (views,) = self.run("SynCamDecodeViews", latent=sampled, vae=self.vae)
        return torch.stack([view.float().cpu() for view in views]), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--scenes", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=2, help="clips of each scene with noise of their own")
    parser.add_argument("--views", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--steps", type=int, default=Sampling.steps)
    parser.add_argument("--cfg", type=float, default=Sampling.cfg)
    parser.add_argument("--shift", type=float, default=Sampling.shift)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--report", action="store_true", help="film nothing, write the tables of what is there")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    sampling = Sampling(options.steps, options.cfg, options.shift)
    films = Films(options.output / "coupling.jsonl", settings_of(sampling))
    try:
        if not options.report:
            film_all(films, sampling, options.views, options.scenes, options.seeds, options.threads)
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
    tables = {views: table(films, views, options.scenes, options.seeds) for views in options.views}
    text = to_markdown(tables, films.settings, options.seeds)
    (options.output / "coupling.md").write_text(text, encoding="utf-8")
    told = {"settings": films.settings, "machine": machine(), "views": {str(v): t for v, t in tables.items() if t}}
    (options.output / "coupling.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(text)


def film_all(films: Films, sampling: Sampling, views: Sequence[int], scenes: int, seeds: int, threads: int) -> None:
    import torch

    if threads:
        torch.set_num_threads(threads)
    wanted = [
        (count, row, scene, seed)
        for scene in range(scenes)  # scene by scene, so that a run that is stopped has all rows of the first ones
        for count in views
        for row in ROWS
        if row.fits(count)
        for seed in range(seeds)
    ]
    missing = [clip for clip in wanted if (clip[0], clip[1].name, *clip[2:]) not in films.done]
    if not missing:
        return
    studio = Studio(sampling)
    from syncam_core.metrics import demo_reference_c2w, score_scenes
    from syncam_core.metrics.intervals import MEASURES
    from syncam_core.training.gate import held_out_scene

    for number, (count, row, scene_number, seed) in enumerate(missing, 1):
        scene, rig = held_out_scene(scene_number, count)
        clip, seconds = studio.film(scene, rig, row, noise_seed=2 * scene_number + seed)
        (score,) = score_scenes([(clip, rig)], reference_c2w=demo_reference_c2w())
        measures = {name: json_number(getattr(score, name)) for name in MEASURES}
        films.add(count, row.name, scene_number, seed, seconds=round(seconds, 3), measures=measures)
        print(
            f"{number} of {len(missing)}: {count} views, {row.name}, scene {scene_number}, seed {seed}: "
            f"{score.reprojection_px:.2f} px, {seconds:.1f} s",
            flush=True,
        )


def table(films: Films, views: int, scenes: int, seeds: int) -> dict[str, Any]:
    """By row name: how many scenes, intervals by measure, medians by seed, the ratio to joint, and seconds of a clip."""
    from syncam_core.metrics.intervals import MEASURES, ratio, summarize

    rows = [row.name for row in ROWS if row.fits(views)]
    complete = [
        scene
        for scene in range(scenes)
        if all((views, row, scene, seed) in films.done for row in rows for seed in range(seeds))
    ]
    if not complete:
        return {}

    def lines(row: str, seed: int) -> list[dict]:
        return [films.done[views, row, scene, seed] for scene in complete]

    def scores(row: str) -> list[SimpleNamespace]:
        clips = zip(*(lines(row, seed) for seed in range(seeds)), strict=True)
        return [SimpleNamespace(**{name: mean_of(clip, name) for name in MEASURES}) for clip in clips]

    joint = scores(JOINT.name)
    told = {}
    for row in rows:
        own = scores(row)
        of_joint = ratio(own, joint)
        told[row] = {
            "scenes": len(complete),
            "measures": {name: [i.value, i.low, i.high] for name, i in summarize(own).measures.items()},
            "reprojection_px_by_seed": [
                statistics.median(line["measures"]["reprojection_px"] for line in lines(row, seed))
                for seed in range(seeds)
            ],
            "of_joint": [of_joint.value, of_joint.low, of_joint.high],
            "seconds": statistics.median(line["seconds"] for seed in range(seeds) for line in lines(row, seed)),
        }
    return told


def mean_of(clips: Sequence[dict], measure: str) -> float:
    values = [clip["measures"][measure] for clip in clips]
    there = [value for value in values if value is not None]
    return statistics.fmean(there) if there else math.nan


def to_markdown(tables: dict[int, dict], settings: dict[str, Any], seeds: int) -> str:
    from syncam_core.metrics.intervals import Interval

    where = machine()
    lines = [
        f"Demo model {settings['model']}, {SIZE} x {SIZE}, {LENGTH} frames, {settings['steps']} steps, CFG "
        f"{settings['cfg']:g}, shift {settings['shift']:g}; {date.today()}, {where['processor']}, PyTorch "
        f"{where['torch']}. Median over scenes [95 % bootstrap interval]; a scene counts with its mean over "
        f"{seeds} seed{'s' if seeds > 1 else ''}.",
        "",
        "| views | coupling | scenes | reprojection px | by seed | of joint | azimuth between views | located | s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for views, rows in tables.items():
        for name, told in rows.items():
            interval = {measure: Interval(*numbers) for measure, numbers in told["measures"].items()}
            cells = [
                str(views),
                name,
                str(told["scenes"]),
                interval["reprojection_px"].to_text(),
                ", ".join(f"{value:.2f}" for value in told["reprojection_px_by_seed"]),
                "1" if name == JOINT.name else Interval(*told["of_joint"]).to_text(),
                interval["azimuth_pair_deg"].to_text(1),
                interval["located"].to_text(),
                f"{told['seconds']:.1f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def settings_of(sampling: Sampling) -> dict[str, Any]:
    """What must agree for two clips to stand in one table."""
    digest = hashlib.sha256()
    for path in DEMO_FILES:
        digest.update(path.read_bytes())
    return {"model": digest.hexdigest()[:12], "size": SIZE, "length": LENGTH, **asdict(sampling)}


def machine() -> dict[str, str]:
    import torch

    return {"processor": platform.processor() or platform.machine(), "torch": torch.__version__}


def json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None


if __name__ == "__main__":
    main()
