"""`python -m syncam_core.training ablation`: rows of weights, over scenes and seeds, as reports and a table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from syncam_core.cameras import orbit_rig, rig_to_json
from syncam_core.training import ablation
from syncam_core.training.__main__ import main
from syncam_core.training.caching import read_vae
from syncam_core.training.config import ModelConfig, Objective
from syncam_core.training.gate import GateConfig, encode_video
from syncam_core.training.trainee import build_trainee
from syncam_core.video import write_video

DEMO = Path(__file__).resolve().parents[2] / "demo_model"
BASE, VIEWS, VAE = (str(DEMO / f"syncam_demo_{name}.safetensors") for name in ("base", "view_sync", "vae"))
SMALL = GateConfig(scenes=1, views=2, length=5, steps=2)


@pytest.fixture(scope="module")
def demo():
    return build_trainee(ModelConfig(base=BASE, view_sync=VIEWS), Objective()), read_vae(VAE)


def ablate(folder, *arguments) -> int:
    return main(["ablation", "--to", str(folder), *map(str, arguments)])


def save_takes(folder: Path) -> None:
    folder.mkdir()
    rig = orbit_rig([0.0, 40.0], [10.0], [4.0])
    for number, shade in ((1, 80), (2, 160)):
        files = [f"t_{number:05}_{name}.mp4" for name in rig.names]
        for file in files:
            write_video(folder / file, [np.full((64, 64, 3), shade, np.uint8)] * 5, 8)
        about = {"views": [{"camera": c, "file": f} for c, f in zip(rig.names, files, strict=True)]}
        (folder / f"t_{number:05}_rig.json").write_text(rig_to_json(rig, about))


def test_weights_the_base_alone_and_real_takes_are_rows_of_one_table(tmp_path, capsys):
    save_takes(tmp_path / "takes")
    rows = [f"all data={VIEWS}", "module off=off", f"real files={tmp_path / 'takes'}"]
    options = ["--base", BASE, "--vae", VAE, "--scenes", 1, "--views", 2, "--steps", 1, "--seeds", 0, 1, "--every", 8]
    rows = [part for row in rows for part in ("--row", row)]
    assert ablate(tmp_path / "out", *rows, *options, "--metrics", "azimuth,psnr,clip_v") == 0, capsys.readouterr().err
    told = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "out").glob("*.json")}
    assert set(told) == {"all-data", "module-off", "real-files"}
    assert [take["name"] for take in told["all-data"]["takes"]] == ["scene 0, seed 0", "scene 0, seed 1"]
    psnr = told["all-data"]["metrics"]["psnr"]
    assert psnr["low"] <= psnr["value"] <= psnr["high"]
    assert psnr["takes"] == 2
    assert told["all-data"]["takes"][0]["metrics"] != told["module-off"]["takes"][0]["metrics"]
    assert "no truth is given" in told["real-files"]["metrics"]["psnr"]["not_measured"]
    table = (tmp_path / "out" / "table2.md").read_text()
    assert "| Method | Azimuth ↓ | PSNR ↑ | CLIP-V ↑ |" in table
    assert f"| all data | {told['all-data']['metrics']['azimuth']['value']:.1f} [" in table
    assert "| module off | - | - |" in table
    assert "- all data: CLIP-V; module off: CLIP-V; real files: CLIP-V: CLIP needs model.safetensors" in table


def test_novel_views_have_a_row_for_each_pair_of_scales(tmp_path, capsys):
    options = ["--base", BASE, "--vae", VAE, "--scenes", 1, "--views", 2, "--steps", 1, "--seeds", 0, "--table", 3]
    scales = ["--scales", "noised,3", "1.8,7.5"]
    assert ablate(tmp_path, "--row", f"demo={VIEWS}", *options, *scales, "--metrics", "psnr,ssim") == 0
    table = (tmp_path / "table3.md").read_text()
    assert "| demo, s_V noised, s_T 3 | - |" in table
    assert "| demo, s_V 1.8, s_T 7.5 | - |" in table
    report = json.loads((tmp_path / "demo-s_V-1-8-s_T-7-5.json").read_text())
    assert report["takes"][0]["views"] == 1  # the given one does not count


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--row", "no file"], "a name and what it stands for"),
        (["--row", f"a={VIEWS}"], "'--base' and '--vae'"),
        (["--row", f"a={VIEWS}", "--base", BASE, "--vae", VAE, "--table", "3", "--scales", "1"], "like 1.8,7.5"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, capsys, arguments, words):
    assert ablate(tmp_path, *arguments) == 2
    assert words in capsys.readouterr().err


def test_the_guidance_is_equation_7_over_three_looks_at_the_given_view(demo):
    trainee, _ = demo
    (pair,), (true,) = ablation.pairs_of(SMALL), ablation.truth_of(SMALL)
    given = encode_video(demo[1], true[0])
    seen = []
    forward = trainee.base.forward

    def watched(x, time, context, *more):
        result = forward(x, time, context, *more)
        seen.append((x.clone(), context[0].clone(), result.float()))
        return result

    one = GateConfig(scenes=1, views=2, length=5, steps=1)
    trainee.base.forward = watched
    try:
        made = ablation._sampled(trainee, one, pair, given, (1.5, 4.0), 3, True)
    finally:
        trainee.base.forward = forward
    noise = torch.randn((2, *given.shape), generator=torch.Generator().manual_seed(3))
    by_look = {("clean" if torch.equal(x[0], given) else "noised", float(c.abs().sum())): v for x, c, v in seen}
    assert len(by_look) == 3
    (nothing,) = (v for (look, _), v in by_look.items() if look == "noised")
    (empty,) = {c for look, c in by_look if look == "noised"}
    video = by_look["clean", empty]
    (both,) = (v for (look, c), v in by_look.items() if look == "clean" and c != empty)
    expected = nothing + 1.5 * (video - nothing) + 4.0 * (both - video)
    torch.testing.assert_close(made[1], (noise - expected)[1], atol=1e-5, rtol=1e-5)  # one step from sigma 1 to 0
    assert torch.equal(made[0], given)


def test_the_same_seed_films_the_same_and_another_one_another(demo):
    first, again, other = (ablation.filmed(*demo, SMALL, [seed]).takes[0].clips[1][4].astype(int) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert np.abs(first - other).mean() > 1
