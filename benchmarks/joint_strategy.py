"""The paper's ablation of its joint training strategy, in miniature: the same base, four mixes, the same budget each.

    python benchmarks/joint_strategy.py --base demo_model/syncam_demo_base.safetensors \
        --vae demo_model/syncam_demo_vae.safetensors --videos LATENTS --images LATENTS --output FOLDER

The base is frozen and the view-sync module begins as the authors begin it. Every run then films the same held-out
scenes; intervals are 95 % bootstrap intervals over scenes. Source: SynCamMaster (arXiv 2412.07760), Table 2.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from syncam_core.datasets.footage import Kind
from syncam_core.metrics import demo_reference_c2w, mixed_seeds, score_scenes, summarize, to_text
from syncam_core.synthetic.text import encode_prompt
from syncam_core.training.config import Dropout, Mix, ModelConfig, Objective, OptimizerConfig, TrainConfig
from syncam_core.training.gate import GateConfig, decode_latents, generate, held_out_scene
from syncam_core.training.latent_cache import open_cache
from syncam_core.training.loop import last_checkpoint, train, trained_parameters
from syncam_core.training.train_vae import load_vae

VIDEO = Mix(Kind.MULTI_VIEW_VIDEO, 0.6, scenes=8, views=4)
IMAGES = Mix(Kind.MULTI_VIEW_IMAGES, 0.2, scenes=40, views=4)
# with the module on and the camera unknown, which is the identity for the only view
GENERAL = Mix(Kind.VIDEO, 0.2, scenes=32, views=1)
ROWS = {
    "multi-view video only": (VIDEO,),
    "+ multi-view images": (VIDEO, IMAGES),
    "+ general video": (VIDEO, GENERAL),
    "+ both": (VIDEO, IMAGES, GENERAL),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True)
    parser.add_argument("--vae", required=True)
    parser.add_argument("--videos", required=True, help="latent cache of multi-view clips")
    parser.add_argument("--images", required=True, help="latent cache of multi-view pictures")
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--scenes", type=int, default=64)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    scenes = [*open_cache(options.videos, in_memory=True), *open_cache(options.images, in_memory=True)]
    vae = load_vae(options.vae)
    gate = GateConfig(scenes=options.scenes)
    pairs = [held_out_scene(number, gate.views) for number in range(gate.scenes)]
    rigs = [rig for _, rig in pairs]
    rows = {}
    for name, mix in ROWS.items():
        folder = options.output / name.strip("+ ").replace(" ", "_")
        config = TrainConfig(
            output=str(folder),
            data=(options.videos, options.images),
            text="",
            steps=options.steps,
            mix=mix,
            model=ModelConfig(base=options.base),
            reference="first",
            dropout=Dropout(caption=0.1),
            objective=Objective("uniform", 5.0, "none", stratified=True),
            optimizer=OptimizerConfig(
                "muon", lr=2e-3, muon_lr=0.015, betas=(0.9, 0.98), warmup_steps=50, decay_steps=options.steps // 3
            ),
            ema_decay=0.99,
            checkpoint_every=100,
        )
        train(config, scenes, encode_prompt)
        trainee, _ = trained_parameters(config, last_checkpoint(folder))
        videos = [films(trainee, vae, gate, pairs, take) for take in (0, 1)]
        takes = {name: videos[0], f"{name}, mixed seeds": [mixed_seeds(both) for both in zip(*videos, strict=True)]}
        if not rows:  # the frozen base is the same in every run
            takes["module off"] = films(trainee, vae, gate, pairs, 0, "off")
        for label, filmed in takes.items():
            scores = score_scenes(zip(filmed, rigs, strict=True), reference_c2w=demo_reference_c2w())
            rows[label] = summarize(scores)
        print(to_text(rows), flush=True)
        told = {k: {m: [i.value, i.low, i.high] for m, i in s.measures.items()} for k, s in rows.items()}
        (options.output / "joint_strategy.json").write_text(json.dumps(told, indent=1), encoding="utf-8")


def films(trainee, vae, gate: GateConfig, pairs: list, take: int, mode: str = "full") -> list[torch.Tensor]:
    videos = []
    for first in range(0, len(pairs), gate.scenes_at_once):
        some = pairs[first : first + gate.scenes_at_once]
        seeds = [2 * (first + i) + take for i in range(len(some))]
        videos += [decode_latents(vae, latents) for latents in generate(trainee, some, gate, seeds, mode)]
    return videos


if __name__ == "__main__":
    main()
