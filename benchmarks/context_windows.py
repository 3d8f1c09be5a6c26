"""Long videos of several views in context windows of the host, against the same videos sampled whole.

    COMFYUI_PATH=/path/to/ComfyUI python benchmarks/context_windows.py [--length 161 --views 2 --scenes 4]

The demo model films held-out scenes with the same cameras and noise in every row. It has been trained on 17 frames, so
the whole video is as far outside of its training as the windows are near to it.

- "one evaluation": relative difference of the model's answer to the whole one's, for noise mixed half and half with the
  whole run's result; once in all frames, once in the latent frames at seams.
- "result": the same of the sampled latents. Differences grow over the steps, so this says more about sampling than about
  seams.
- "seam jump": how much the decoded pictures change from one latent frame to the next where a window begins or ends, as a
  ratio to the other places. In the whole video the same places are measured; there the ratio says what chance gives.
- "reprojection": how well the views agree, in pixels of 64 (see docs/training.md).
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from host import load_host

SIZE = 64
STEPS, CFG, SHIFT = 20, 3.0, 5.0
HALF = 0.5  # the noise level of the one evaluation


@dataclass(frozen=True)
class Row:
    length: int = 0  # frames of a window; 0: the whole video
    overlap: int = 0
    freenoise: bool = False

    @property
    def name(self) -> str:
        name = f"windows of {self.length}, overlap {self.overlap}" if self.length else "whole"
        return name + (", FreeNoise" if self.freenoise else "")

    def seams(self, frames: int) -> list[int]:
        """Latent frames where a window begins, or the first one behind its end (the host's static schedule)."""
        if not self.length:
            return []
        size, overlap = (self.length - 1) // 4 + 1, self.overlap // 4
        starts = [*range(0, frames - size, size - overlap), frames - size]
        return sorted({place for start in starts for place in (start, start + size) if 0 < place < frames})


ROWS = (Row(), Row(17, 8), Row(33, 16), Row(49, 16), Row(81, 32), Row(81, 32, True))


@dataclass(frozen=True)
class Measured:
    evaluation: float
    evaluation_at_seams: float
    result: float
    seam_jump: float
    whole_jump: float  # at the same places
    reprojection_px: float
    seconds: float


def relative(got, truth, frames: list[int] | None = None) -> float:
    """(views, channels, frames, height, width) each; all frames or some."""
    if frames is not None:
        got, truth = got[:, :, frames], truth[:, :, frames]
    return ((got - truth).norm() / truth.norm()).item()


def jump(video, seams: list[int]) -> float:
    """Change of (views, frames, height, width, 3) at the seams over that at the other latent frames."""
    change = (video[:, 1:] - video[:, :-1]).abs().mean(dim=(0, 2, 3, 4))[::4]  # into latent frame 1, 2, 3, ...
    at = [change[k - 1].item() for k in seams]
    other = [change[k - 1].item() for k in range(1, len(change) + 1) if k not in seams]
    return statistics.mean(at) / statistics.mean(other)


class Studio:
    """The demo model in the host, filming one scene at a time."""

    def __init__(self, length: int, views: int):
        self.run, self.length, self.views = load_host("--cpu"), length, views
        self.model, self.clip, self.vae, self.weights, *_ = self.run("SynCamDemoModel")
        (self.negative,) = self.run("CLIPTextEncode", clip=self.clip, text="")
        self.whole = {}

    def patched(self, rig, row: Row):
        (cameras,) = self.run("SynCamEncodeCameras", rig=rig, length=self.length)
        (latent,) = self.run("SynCamEmptyLatent", cameras=cameras, width=SIZE, height=SIZE, length=self.length)
        (model,) = self.run("SynCamApply", model=self.model, weights=self.weights, cameras=cameras)
        if row.length:
            (model,) = self.run(
                "WanContextWindowsManual",
                model=model,
                context_length=row.length,
                context_overlap=row.overlap,
                context_schedule="standard_static",
                context_stride=1,
                closed_loop=False,
                fuse_method="pyramid",
                freenoise=row.freenoise,
            )
        return model, latent

    def film(self, scene, rig, row: Row, seed: int) -> Measured:
        import torch

        from syncam_core.metrics import score_scenes

        model, latent = self.patched(rig, row)
        (positive,) = self.run("CLIPTextEncode", clip=self.clip, text=scene.prompt())
        settings = {"seed": seed, "steps": STEPS, "cfg": CFG, "shift": SHIFT}
        started = time.perf_counter()
        (sampled,) = self.run(
            "SynCamSampler",
            model=model,
            positive=positive,
            negative=self.negative,
            latent=latent,
            sampler_name="euler",
            scheduler="simple",
            **settings,
        )
        seconds = time.perf_counter() - started
        (views,) = self.run("SynCamDecodeViews", latent=sampled, vae=self.vae)
        video = torch.stack([view.float() for view in views])
        (score,) = score_scenes([(video, rig)])
        samples = sampled["samples"]
        if not row.length:
            self.whole = {"samples": samples, "video": video}
        answer = self.evaluation(model, positive, seed)
        if not row.length:
            self.whole["answer"] = answer
        seams = row.seams(samples.shape[2])
        return Measured(
            relative(answer, self.whole["answer"]),
            relative(answer, self.whole["answer"], seams) if seams else 0.0,
            relative(samples, self.whole["samples"]),
            jump(video, seams) if seams else float("nan"),
            jump(self.whole["video"], seams) if seams else float("nan"),
            score.reprojection_px,
            seconds,
        )

    def evaluation(self, model, positive, seed: int):
        """One Euler step from half noise to none: the clean latent as the model sees it."""
        import comfy.sample
        import comfy.samplers
        import torch

        samples = self.whole["samples"]
        noise = comfy.sample.prepare_noise(samples, seed + 1)
        with torch.inference_mode():
            return comfy.sample.sample_custom(
                model,
                noise,
                1.0,
                comfy.samplers.sampler_object("euler"),
                torch.tensor([HALF, 0.0]),
                positive,
                positive,
                samples,
                disable_pbar=True,
                seed=seed,
            ).clone()


def table(rows: dict[Row, list[Measured]]) -> str:
    """Medians over the scenes."""
    heads = ("", "one evaluation", "at seams", "result", "seam jump", "whole, same places", "reprojection", "seconds")
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row, measured in rows.items():
        if not measured:
            continue
        told = [statistics.median(getattr(m, name) for m in measured) for name in Measured.__dataclass_fields__]
        cells = [f"{told[0]:.3f}", f"{told[1]:.3f}", f"{told[2]:.2f}", f"{told[3]:.2f}", f"{told[4]:.2f}"]
        # The whole video is what the others are measured against, and FreeNoise begins from noise of its own.
        without = range(5) if not row.length else range(3) if row.freenoise else ()
        cells = ["" if i in without else cell for i, cell in enumerate(cells)]
        lines.append("| " + " | ".join([row.name, *cells, f"{told[5]:.2f} px", f"{told[6]:.0f}"]) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--length", type=int, default=161)
    parser.add_argument("--views", type=int, default=2)
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--first", type=int, default=0, help="number of the first held-out scene")
    options = parser.parse_args()
    studio = Studio(options.length, options.views)
    from syncam_core.training.gate import held_out_scene

    rows: dict[Row, list[Measured]] = {row: [] for row in ROWS if row.length < options.length}
    for number in range(options.first, options.first + options.scenes):
        scene, rig = held_out_scene(number, options.views)
        for row, measured in rows.items():
            measured.append(studio.film(scene, rig, row, seed=number))
            print(f"scene {number}, {row.name}: {measured[-1]}", flush=True)
    print(f"\n{options.length} frames, {options.views} views, medians over {options.scenes} scenes\n\n{table(rows)}")


if __name__ == "__main__":
    main()
