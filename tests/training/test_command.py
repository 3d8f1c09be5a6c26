"""`python -m syncam_core.training`: from a data set to the exported files, at tiny sizes."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_umt5
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file

from syncam_core.datasets.footage import BrokenFootage
from syncam_core.training.__main__ import main
from syncam_core.training.caching import CacheConfig, build_cache, latent_encoder, read_vae
from syncam_core.training.config import ModelConfig, Objective, TrainConfig, read_config
from syncam_core.training.latent_cache import open_cache
from syncam_core.training.runs import open_data
from syncam_core.training.trainee import build_trainee
from syncam_core.view_sync.weights import read_weights
from syncam_core.wan.vae import WanVAE

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "training_configs"


def write(path: Path, document: dict) -> str:
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return str(path)


def write_vae(path: Path, seed: int = 0) -> str:
    torch.manual_seed(seed)
    save_file(WanVAE(4).state_dict(), path)
    return str(path)


def cache_document(folder: Path, /, **changes) -> dict:
    document = {
        "folder": str(folder / "latents"),
        "vae": str(folder / "vae.safetensors"),
        "text": {"folder": str(folder / "text"), "encoder": "demo"},
        "procedural": {"count": 3, "views": 3, "length": 5, "supersample": 1},
        "size": [32, 32],
    }
    return {**document, **changes}


def train_document(folder: Path, /, **changes) -> dict:
    document = {
        "output": str(folder / "run"),
        "data": [str(folder / "latents")],
        "text": str(folder / "text"),
        "steps": 4,
        "mix": [{"kind": "multi_view_video", "share": 1, "scenes": 2, "views": 2}],
        "model": {
            "sizes": {"dim": 32, "ffn_dim": 64, "num_heads": 2, "num_layers": 2, "text_dim": 64},
            "train": "all",
            "beginning": "from_scratch",
        },
        "dropout": {"caption": 0.5},
        "ema_decay": 0.9,
        "mixed_precision": "no",
        "workers": 0,
    }
    return {**document, **changes}


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """A folder with an autoencoder, a cache of three scenes and their text; for reading."""
    folder = tmp_path_factory.mktemp("cached")
    write_vae(folder / "vae.safetensors")
    assert main(["cache", write(folder / "cache.yaml", cache_document(folder))]) == 0
    return folder


@pytest.fixture(scope="module")
def trained(cached):
    assert main(["train", write(cached / "train.yaml", train_document(cached))]) == 0
    return cached


def test_the_cache_holds_the_autoencoders_mean_normalised(cached):
    config = read_config(cached / "cache.yaml", kind=CacheConfig)
    scenes = open_cache(config.folder)
    assert [scene.shape for scene in scenes] == [(3, 16, 2, 4, 4)] * 3
    footage = config.scenes()[1].footage[2]
    vae = read_vae(config.vae)
    with torch.no_grad():
        mean, _ = vae.encode(footage.read().permute(3, 0, 1, 2)[None] / 127.5 - 1)
    got = scenes[1].latents([2])[0].float()
    for channel, (low, spread) in {0: (-0.7571, 2.8184), 9: (-0.0715, 2.1526), 15: (-0.2921, 1.9160)}.items():
        assert torch.allclose(got[channel], (mean[0, channel] - low) / spread, rtol=2**-8, atol=1e-3)


def test_a_cache_is_built_once(cached, capsys):
    before = {file: file.stat().st_mtime_ns for file in (cached / "latents").iterdir()}
    assert main(["cache", str(cached / "cache.yaml")]) == 0
    assert "0 scenes encoded, 3 were there, 0 problems. 0 captions" in capsys.readouterr().out
    assert {file: file.stat().st_mtime_ns for file in (cached / "latents").iterdir()} == before


def test_two_processes_together_build_what_one_builds(cached, tmp_path):
    document = cache_document(cached, folder=str(tmp_path / "latents"), text={"folder": str(tmp_path / "text")})
    document["text"]["encoder"] = "demo"
    config = read_config(write(tmp_path / "cache.yaml", document), kind=CacheConfig)
    counts = [len(build_cache(config, share=share, shares=2)[0].encoded) for share in (0, 1)]
    assert counts == [2, 1]
    for name in ("latents", "text"):
        together, alone = ({f.name: f.read_bytes() for f in (at / name).iterdir()} for at in (tmp_path, cached))
        assert together == alone


def test_a_clip_that_wan_cannot_make_is_a_named_problem_and_nothing_is_trained_on_it(cached):
    encode = latent_encoder(read_vae(str(cached / "vae.safetensors")), "cpu", torch.float32, True)
    with pytest.raises(BrokenFootage, match="6 frames"):
        encode(torch.zeros(6, 32, 32, 3, dtype=torch.uint8))


def test_training_goes_from_a_cache_to_files_that_load(trained, capsys):
    folder = trained / "exported"
    assert main(
        [
            *("export", str(trained / "train.yaml"), "--base", str(folder / "base.safetensors")),
            *("--full", str(folder / "full.ckpt"), "--set", "save_dtype=float32"),
        ]
    ) == 0  # fmt: skip
    view_sync = trained / "run" / "view_sync.safetensors"
    averages = load_file(trained / "run" / "checkpoint-00000004" / "ema.safetensors")
    weights = read_weights(view_sync)
    assert (weights.dim, weights.depth) == (32, 2)
    for name, tensor in weights.tensors.items():
        assert torch.equal(tensor, averages[f"view_sync.{name}"])
    loaded = build_trainee(
        ModelConfig(base=str(folder / "base.safetensors"), view_sync=str(view_sync)), Objective()
    ).state_dict()
    assert loaded.keys() == averages.keys()
    assert all(torch.equal(loaded[name], averages[name]) for name in averages)
    full = torch.load(folder / "full.ckpt", weights_only=True)
    assert {k: v.shape for k, v in full.items()} == {k.split(".", 1)[1]: v.shape for k, v in averages.items()}
    assert torch.equal(read_weights(folder / "full.ckpt").tensors["blocks.1.projector.weight"],
                       averages["view_sync.blocks.1.projector.weight"])  # fmt: skip


def test_the_demo_models_files_come_with_their_logs_and_what_made_them(trained, tmp_path, capsys):
    assert main(
        [
            *("demo", str(trained / "train.yaml"), "--vae", str(trained / "vae.safetensors")),
            *("--to", str(tmp_path / "demo")),
        ]
    ) == 0  # fmt: skip
    assert "four files" in capsys.readouterr().out
    parts = {part: tmp_path / "demo" / f"syncam_demo_{part}.safetensors" for part in ("base", "view_sync", "vae")}
    base = build_trainee(ModelConfig(base=str(parts["base"]), view_sync=str(parts["view_sync"])), Objective())
    averages = load_file(trained / "run" / "checkpoint-00000004" / "ema.safetensors")
    for name, tensor in base.state_dict().items():
        assert torch.equal(tensor, averages[name].half().float()), name
    vae, whole = load_file(parts["vae"]), load_file(trained / "vae.safetensors")
    assert all(torch.equal(vae[name], whole[name].half()) for name in whole)
    about = json.loads(parts["view_sync"].with_suffix(".json").read_text(encoding="utf-8"))
    assert (about["steps"], about["seed"], about["dtype"]) == (4, 0, "float16")
    with gzip.open(tmp_path / "demo" / "training_log.jsonl.gz", "rt", encoding="utf-8") as log:
        assert [json.loads(line)["step"] for line in log] == [0, 1, 2, 3]


def test_an_exported_file_says_what_made_it(trained):
    assert main(["export", str(trained / "train.yaml"), "--view-sync", str(trained / "mine.safetensors")]) == 0
    about = json.loads((trained / "mine.json").read_text(encoding="utf-8"))
    config = read_config(trained / "train.yaml")
    assert about["steps"] == 4
    assert about["config"] == config.fingerprint()
    assert about["data_sha256"] == open_data(config).sha256
    assert about["files"]["mine.safetensors"]["bytes"] == (trained / "mine.safetensors").stat().st_size
    weights = read_weights(trained / "mine.safetensors")
    assert "4 steps" in weights.metadata["source"]
    assert about["data_sha256"][:16] in weights.metadata["source"]
    assert weights.dtype == torch.float16


def test_the_same_data_elsewhere_have_the_same_hash_and_other_data_another(cached, tmp_path):
    hashes = []
    for supersample in (1, 1, 2):  # other pictures under the same names and captions
        folder = tmp_path / str(len(hashes))
        folder.mkdir()
        write_vae(folder / "vae.safetensors")
        procedural = {"count": 3, "views": 3, "length": 5, "supersample": supersample}
        document = cache_document(folder, procedural=procedural)
        assert main(["cache", write(folder / "cache.yaml", document)]) == 0
        hashes.append(open_data(read_config(write(folder / "train.yaml", train_document(folder)))).sha256)
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_run_is_not_continued_with_other_data(cached, tmp_path, capsys):
    write_vae(tmp_path / "vae.safetensors")
    cache = write(tmp_path / "cache.yaml", cache_document(tmp_path))
    train = write(tmp_path / "train.yaml", train_document(tmp_path, steps=1))
    assert main(["cache", cache]) == main(["train", train]) == 0
    assert main(["cache", cache, "--set", "procedural.count=4"]) == 0
    capsys.readouterr()
    assert main(["train", train, "--set", "steps=2"]) == 2
    assert "began with other data" in capsys.readouterr().err


def refused(capsys, arguments: list[str]) -> str:
    capsys.readouterr()
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    return err


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data": []}, "'data' is empty"),
        ({"data": ["nowhere"]}, "holds no cached scenes"),
        ({"text": "nowhere"}, "holds no text"),
        ({"stepps": 3}, "'stepps' is unknown"),
        ({"model": {"sizes": {"text_dim": 32}}}, "are 64 wide, but the base reads 32"),
        ({"model": {"base": "nowhere.safetensors"}}, "'nowhere.safetensors' cannot be read"),
        ({"mix": [{"kind": "video", "share": 1, "scenes": 2, "views": 2}]}, "set 'views' to 1"),
        ({"mix": [{"kind": "multi_view_video", "share": 1, "scenes": 2, "views": 9}]}, "asks for 9 views"),
    ],
)
def test_a_training_that_cannot_work_ends_in_one_sentence(cached, tmp_path, capsys, changes, sentence):
    document = train_document(cached, output=str(tmp_path / "run"), **changes)
    assert sentence in refused(capsys, ["train", write(tmp_path / "train.yaml", document)])


def test_a_caption_that_is_missing_from_the_cache_is_named_before_the_first_step(cached, tmp_path, capsys):
    text = tmp_path / "text"
    text.mkdir()
    for file in sorted((cached / "text").iterdir())[1:]:
        (text / file.name).write_bytes(file.read_bytes())
    config = write(tmp_path / "train.yaml", train_document(cached, text=str(text), output=str(tmp_path / "run")))
    assert "build the cache again" in refused(capsys, ["train", config])
    assert not (tmp_path / "run").exists()


def test_latents_of_two_autoencoders_are_not_mixed(cached, tmp_path, capsys):
    write_vae(tmp_path / "vae.safetensors", seed=1)
    text = {"folder": str(cached / "text"), "encoder": "demo"}
    assert main(["cache", write(tmp_path / "cache.yaml", cache_document(tmp_path, text=text))]) == 0
    data = [str(cached / "latents"), str(tmp_path / "latents")]
    config = write(tmp_path / "train.yaml", train_document(cached, data=data, output=str(tmp_path / "run")))
    assert "another autoencoder" in refused(capsys, ["train", config])


def test_text_of_two_encoders_is_not_mixed(cached, tmp_path, capsys):
    umt5 = tiny_umt5.write_umt5(tmp_path / "umt5.safetensors")
    text = {"folder": str(tmp_path / "text"), "encoder": "umt5", "file": str(umt5)}
    document = cache_document(cached, folder=str(tmp_path / "latents"), text=text)
    config = write(tmp_path / "cache.yaml", document)
    assert main(["cache", config]) == 0
    assert main(["cache", config, "--set", "text.encoder=demo"]) == 0
    train = train_document(cached, text=str(tmp_path / "text"), output=str(tmp_path / "run"))
    assert "text of 2 encoders" in refused(capsys, ["train", write(tmp_path / "train.yaml", train)])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"procedural": None}, "0 times"),
        ({"plain_videos": {"folder": "x"}}, "2 times"),
        ({"size": [32, 40]}, "multiples of 16"),
        ({"procedural": {"count": 1, "length": 16}}, "4n+1 frames; use 13 or 17"),
        ({"procedural": {"count": 0}}, "no scene"),
        ({"dtype": "int8"}, "'dtype' is 'int8'"),
        ({"vae": "nowhere.safetensors"}, "cannot be read"),
        ({"text": {"folder": "x", "encoder": "umt5"}}, "'text.file' is missing"),
        ({"procedural": None, "syncamvideo": {"folder": "nowhere"}}, "'nowhere' is no folder"),
    ],
)
def test_a_cache_that_cannot_be_built_ends_in_one_sentence(cached, tmp_path, capsys, changes, sentence):
    document = cache_document(cached, **{"folder": str(tmp_path / "latents"), **changes})
    capsys.readouterr()
    assert main(["cache", write(tmp_path / "cache.yaml", document)]) == 2
    assert sentence in capsys.readouterr().err


def test_what_is_no_autoencoder_is_refused_in_a_sentence(cached, tmp_path, capsys):
    save_file({"weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    document = cache_document(cached, folder=str(tmp_path / "latents"), vae=str(tmp_path / "other.safetensors"))
    assert "no Wan2.1 autoencoder" in refused(capsys, ["cache", write(tmp_path / "cache.yaml", document)])


def test_broken_footage_is_named_and_refused_if_that_is_asked_for(cached, tmp_path, capsys):
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "empty.mp4").write_bytes(b"")
    (tmp_path / "videos" / "empty.txt").write_text("a dog", encoding="utf-8")
    document = cache_document(
        cached, folder=str(tmp_path / "latents"), plain_videos={"folder": str(tmp_path / "videos")}
    )
    del document["procedural"]
    config = write(tmp_path / "cache.yaml", document)
    for arguments in ([], ["--set", "on_broken=refuse"]):
        capsys.readouterr()
        assert main(["cache", config, *arguments]) == 2
        assert "empty.mp4" in capsys.readouterr().err


def test_export_and_gate_want_a_run_that_has_begun(cached, tmp_path, capsys):
    config = write(tmp_path / "train.yaml", train_document(cached, output=str(tmp_path / "run")))
    vae = ["--vae", str(cached / "vae.safetensors")]
    assert "holds no checkpoint" in refused(capsys, ["export", config])
    assert "holds no checkpoint" in refused(capsys, ["gate", config, *vae])
    assert "CONFIG, or --base" in refused(capsys, ["gate", *vae])


def test_a_setting_without_a_value_is_refused(cached, capsys):
    assert "a name and a value" in refused(capsys, ["train", "x.yaml", "--set", "steps"])


def test_the_gate_writes_its_table_its_numbers_and_a_sheet(trained, tmp_path, capsys):
    arguments = ["--scenes", "2", "--views", "2", "--steps", "1", "--modes", "full", "--sheet", "1"]
    arguments += ["--vae", str(trained / "vae.safetensors"), "--to", str(tmp_path)]
    assert main(["gate", str(trained / "train.yaml"), *arguments]) == 0
    assert "reprojection" in capsys.readouterr().out
    rows = json.loads((tmp_path / "2_views.json").read_text(encoding="utf-8"))["rows"]
    assert {"rendered truth", "full", "unrelated scenes"} <= rows.keys()
    with Image.open(tmp_path / "2_views.png") as sheet:
        assert sheet.size == (2 * 6 * 64, 2 * 2 * 64)


def test_the_gate_films_the_larger_world_and_says_what_a_classifier_recognizes(trained, tmp_path, capsys):
    file = tmp_path / "classifier.safetensors"
    config = {"file": str(file), "world": 2, "scenes": 2, "views": 2, "test_scenes": 2, "epochs": 1}
    assert main(["classifier", write(tmp_path / "classifier.yaml", config)]) == 0
    assert "named right in rendered truth of 2 other scenes: shape 0." in capsys.readouterr().out
    arguments = ["gate", str(trained / "train.yaml"), "--scenes", "2", "--views", "2", "--steps", "1"]
    arguments += ["--modes", "full", "--to", str(tmp_path)]
    arguments += ["--sheet", "1", "--vae", str(trained / "vae.safetensors"), "--classifier", str(file)]
    assert "knows world 2, but the gate films world 1" in refused(capsys, arguments)
    assert main([*arguments, "--world", "2"]) == 0
    assert "shape named right" in capsys.readouterr().out
    told = json.loads((tmp_path / "2_views.json").read_text(encoding="utf-8"))
    assert told["gate"]["world"] == 2
    truth, full = told["rows"]["rendered truth"], told["rows"]["full"]
    assert truth["edge_energy"] == [1.0, 1.0, 1.0]
    assert 0 <= full["color_named"][0] <= 1
    assert full["edge_energy"][1] <= full["edge_energy"][0] <= full["edge_energy"][2]
    assert truth["reprojection_px"][0] < 0.6
    assert truth["azimuth_deg"][0] <= 0.5
    with Image.open(tmp_path / "2_views.png") as sheet:
        assert sheet.size == (2 * 6 * 64, 2 * 2 * 64)


def test_the_gate_of_exported_files_is_that_of_the_run(trained, tmp_path, capsys):
    base, view_sync = tmp_path / "base.safetensors", tmp_path / "view_sync.safetensors"
    assert main(
        ["export", str(trained / "train.yaml"), "--set", "save_dtype=float32",
         "--base", str(base), "--view-sync", str(view_sync)]
    ) == 0  # fmt: skip
    common = ["--scenes", "1", "--views", "2", "--steps", "1", "--modes", "full", "--sheet", "1"]
    common += ["--vae", str(trained / "vae.safetensors")]
    files = ["--base", str(base), "--view-sync", str(view_sync), "--to", str(tmp_path / "files")]
    assert main(["gate", str(trained / "train.yaml"), *common, "--to", str(tmp_path / "run")]) == 0
    assert main(["gate", *files, *common]) == 0
    assert (tmp_path / "run" / "2_views.png").read_bytes() == (tmp_path / "files" / "2_views.png").read_bytes()


def test_help_and_mistakes_come_without_a_traceback():
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    for arguments, code, wanted in (
        (["--help"], 0, "encode a data set"),
        (["train", "nowhere.yaml"], 2, "nowhere.yaml"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "syncam_core.training", *arguments],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        assert done.returncode == code, done.stderr
        assert wanted in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("wan_*.yaml")), ids=lambda file: file.name)
def test_a_configuration_that_ships_is_read(file):
    kind = CacheConfig if "cache" in file.name else TrainConfig
    assert read_config(file, kind=kind)


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("cpu.yaml", {"use_cpu": True, "multi_gpu": False, "num_processes": 1}),
        ("one_gpu.yaml", {"use_cpu": False, "multi_gpu": False, "num_processes": 1}),
        ("multi_gpu.yaml", {"multi_gpu": True, "num_processes": 8}),
        ("fsdp.yaml", {"use_fsdp": True, "num_processes": 8, "fsdp_version": 2}),
        ("deepspeed_zero2.yaml", {"use_deepspeed": True, "num_processes": 8}),
    ],
)
def test_accelerate_reads_the_files_that_ship(file, wanted):
    from accelerate.commands import launch

    arguments = launch.launch_command_parser().parse_args(["--config_file", str(CONFIGS / "accelerate" / file), "x.py"])
    read = vars(launch._validate_launch_command(arguments)[0])
    assert {name: read[name] for name in wanted} == wanted
    if read["use_fsdp"]:
        assert read["fsdp_transformer_layer_cls_to_wrap"] == "WanBlock,ViewSyncBlock"
    if read["use_deepspeed"]:
        settings = json.loads((ROOT / read["deepspeed_config_file"]).read_text(encoding="utf-8"))
        assert settings["zero_optimization"]["stage"] == 2
