"""`python -m syncam_core.metrics`: takes from their files, features that are kept, the talk's tables."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import plain_networks as plain
import pytest
import torch
from takes import waves

from syncam_core.cameras import orbit_rig, rig_to_json
from syncam_core.errors import UserError
from syncam_core.metrics.command import main
from syncam_core.metrics.takes import prompt_of, read_takes
from syncam_core.video import write_video

RIG = orbit_rig([0.0, 40.0], [10.0], [4.0])
GRAPH = {
    "5": {"class_type": "CLIPTextEncode", "inputs": {"text": "a red ball", "clip": ["1", 0]}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["1", 0]}},
    "8": {"class_type": "SynCamSampler", "inputs": {"positive": ["5", 0], "negative": ["6", 0]}},
}


def save_take(folder: Path, seed: int = 0, number: int = 1, has_rig: bool = True, frames: int = 10) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"take_{number:05}_{name}.mp4" for name in RIG.names]
    for name, view in zip(names, waves(2, frames, 48, 64, seed), strict=True):
        write_video(folder / name, list(view), 8, {"prompt": json.dumps(GRAPH)})
    write_video(folder / f"take_{number:05}_grid.mp4", [np.zeros((48, 128, 3), np.uint8)], 8)
    if has_rig:
        about = {"fps": 8.0, "views": [{"camera": c, "file": f} for c, f in zip(RIG.names, names, strict=True)]}
        (folder / f"take_{number:05}_rig.json").write_text(rig_to_json(RIG, about), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    plain.save_tiny_clip(folder)
    torch.save(plain.random_state(plain.inception_shapes()), folder / "inception.pth")
    return folder


# ---- takes


@pytest.mark.parametrize("has_rig", [True, False])
def test_a_take_is_the_folder_that_save_views_writes(tmp_path, has_rig):
    save_take(tmp_path / "one", has_rig=has_rig)
    (take,) = read_takes(tmp_path / "one")
    assert take.name == "one/take_00001"
    assert (take.views, take.frames, take.fps, take.prompt) == (2, 10, 8.0, "a red ball")
    assert (take.rig is not None) == has_rig
    assert np.abs(take.clips[1][7].astype(int) - waves(2, 10, 48, 64)[1, 7]).mean() < 4


def test_several_runs_in_a_folder_are_takes_of_their_own(tmp_path):
    for number in (1, 2):
        save_take(tmp_path, number, number, has_rig=False)
    assert [take.name.split("/")[1] for take in read_takes(tmp_path)] == ["take_00001", "take_00002"]


def test_a_take_without_a_rig_is_not_lost_beside_one_that_has_its_rig(tmp_path):
    save_take(tmp_path, 1, 1)
    save_take(tmp_path, 2, 2, has_rig=False)
    write_video(tmp_path / "take_00001_edit.mp4", [np.zeros((48, 64, 3), np.uint8)], 8)  # of a take that is known
    write_video(tmp_path / "film.mp4", [np.zeros((48, 64, 3), np.uint8)], 8)
    takes = {take.name.split("/")[1]: (take.views, take.rig is not None) for take in read_takes(tmp_path)}
    assert takes == {"take_00001": (2, True), "take_00002": (2, False)}


def test_the_folder_one_stands_in_has_its_name(tmp_path, monkeypatch):
    save_take(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    assert [take.name for take in read_takes(Path("."))] == ["here/take_00001"]


def test_the_prompt_is_found_behind_other_nodes_and_never_the_negative_one():
    graph = {
        "1": {"class_type": "PrimitiveString", "inputs": {"value": "a blue cube"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["9", 0], "text": ["1", 0]}},
        "3": {"class_type": "WanImageToVideo", "inputs": {"positive": ["2", 0], "negative": ["4", 0]}},
        "4": {"class_type": "CLIPTextEncode", "inputs": {"text": "bad hands"}},
        "5": {"class_type": "CFGGuider", "inputs": {"negative": ["4", 0], "positive": ["3", 0]}},
    }
    assert prompt_of(json.dumps(graph)) == "a blue cube"
    circle = {"1": {"inputs": {"positive": ["2", 0]}}, "2": {"inputs": {"positive": ["1", 0]}}}
    for nothing in ("", "{", "[1]", "{}", json.dumps(circle), '{"1": {"inputs": 3}}'):
        assert prompt_of(nothing) == ""


def test_views_of_different_lengths_are_refused(tmp_path):
    save_take(tmp_path, has_rig=False)
    name = next(path for path in tmp_path.iterdir() if path.name.startswith("take_00001_cam02"))
    write_video(name, list(waves(1, 3, 48, 64)[0]), 8)
    with pytest.raises(UserError, match="10 frames but"):
        list(read_takes(tmp_path))


# ---- run


def run(*arguments) -> int:
    return main(["run", *map(str, arguments)])


def test_run_writes_a_report_that_table_reads(tmp_path, models, capsys):
    for number in range(3):
        save_take(tmp_path / "ours" / str(number), number)
        save_take(tmp_path / "real" / str(number), 10 + number)
    takes = [tmp_path / "ours" / str(number) for number in range(3)]
    report = tmp_path / "ours.json"
    chosen = "fid,clip_t,clip_f,clip_v,psnr"
    done = run(
        *takes,
        "--models",
        models,
        "--metrics",
        chosen,
        "--json",
        report,
        "--reference",
        tmp_path / "real",
        "--truth",
        takes[0],
    )
    printed = capsys.readouterr()
    assert done == 0, printed.err
    told = json.loads(report.read_text())["metrics"]
    assert list(told) == chosen.split(",")
    assert told["fid"]["value"] > 0
    assert told["fid"]["notes"][0] == "12 items against 12"
    assert told["psnr"]["value"] == "inf"  # the first take is its own truth
    assert 0 <= told["clip_f"]["value"] <= 100.001
    assert main(["table", str(report), "--layout", "table1", "--with-paper"]) == 0
    page = capsys.readouterr().out
    assert "| SynCamMaster (paper) | 116.7 | 1401 | 33.40 | 99.36 | 527.1 | 1470 | 93.71 |" in page
    ours = next(line for line in page.splitlines() if line.startswith("| ours |")).split("|")
    assert ours[2].split()[0] == f"{told['fid']['value']:.1f}"
    assert ours[6].strip() == "-"
    assert "- ours: FVD, Mat. Pix.(K), FVD-V: it was not asked for." in page


def test_features_are_kept_beside_the_take_and_made_again_when_a_video_changes(tmp_path, models, capsys):
    take, report = save_take(tmp_path / "t"), tmp_path / "r.json"

    def clip_v():
        assert run(take, "--models", models, "--metrics", "clip_v", "--json", report) == 0
        return json.loads(report.read_text())["metrics"]["clip_v"]["value"]

    first = clip_v()
    (kept,) = take.glob("*_features.npz")
    with np.load(kept) as archive:
        stored = dict(archive)
    key = next(name for name in stored if name.startswith("clip/"))
    stored[key][1] = stored[key][0]  # the views are now the same to whoever trusts what was kept
    with open(kept, "wb") as file:
        np.savez(file, **stored)
    assert clip_v() == pytest.approx(100, abs=1e-3)
    save_take(take, seed=5)
    again = clip_v()
    assert again != pytest.approx(100, abs=1e-3)
    assert again != first
    whole = kept.read_bytes()
    with np.load(kept) as archive:
        stored = dict(archive)
    short = io.BytesIO()
    np.savez(short, **{name: array if name == "videos" else array[:1] for name, array in stored.items()})
    large = io.BytesIO()
    np.savez_compressed(large, **stored, more=np.zeros(10**6))
    wrong = whole[:200] + bytes([whole[200] ^ 255]) + whole[201:]
    for damaged in (b"no archive", whole[: len(whole) // 2], wrong, short.getvalue(), large.getvalue()):
        kept.write_bytes(damaged)
        assert clip_v() == again


def test_features_of_other_frames_are_not_taken_for_these(tmp_path, models):
    take, report = save_take(tmp_path / "t"), tmp_path / "r.json"

    def clip_v(*options):
        assert run(take, "--models", models, "--metrics", "clip_v", "--every", 1, "--json", report, *options) == 0
        return json.loads(report.read_text())["metrics"]["clip_v"]["value"]

    slow, slower = ("--fps", "6.5"), ("--fps", "6.9")  # eight frames of ten, but not the same eight
    assert clip_v(*slower) == clip_v(*slower, "--no-cache") != clip_v(*slow) == clip_v(*slow, "--no-cache")


def test_an_archive_with_a_pickle_in_it_is_not_unpickled(tmp_path, models):
    take = save_take(tmp_path / "t")
    evil = take / "take_00001_features.npz"
    ran = tmp_path / "ran"

    class Bomb:
        def __reduce__(self):
            return (open, (str(ran), "w"))

    np.savez(evil, videos=np.array([Bomb()], dtype=object))
    assert run(take, "--models", models, "--metrics", "clip_v") == 0
    assert not ran.exists()


def test_what_cannot_be_had_says_why_and_the_rest_is_measured(tmp_path, capsys):
    take = save_take(tmp_path / "t")
    empty = tmp_path / "models"
    empty.mkdir()
    assert run(take, "--models", empty, "--metrics", "clip_t,mat_pix,fid,rot_err", "--matcher", "sift") == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("CLIP-T" in line and "model.safetensors (605 MB" in line and str(empty) in line for line in lines)
    assert any("Mat. Pix.(K)" in line and "confidence > 0.2" in line for line in lines)
    assert any("FID" in line and "--reference" in line for line in lines)
    assert any("RotErr" in line and "matches agree" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "does not exist"),
        (["take", "--metrics", "vbench"], "'vbench'"),
        (["take", "--models", "nowhere"], "is no folder"),
        (["take", "--every", "0"], "'every' is 0"),
        (["take", "--views", "7"], "7"),
        (["take", "--fps", "30"], "no frames at 30"),
        (["take", "--fps", "0"], "0 is no rate"),
        (["take", "--fps", "nan"], "nan is no rate"),
        (["take", "--device", "abacus"], "'abacus'"),
        (["take", "--json", "nowhere/r.json"], "'--json' is 'nowhere"),
        (["take", "--json", "take"], "'--json' is 'take'"),
        (["take/take_00001_cam01.mp4"], "is one video"),
        (["take", "take", "take", "--truth", "two"], "2 takes in '--truth', but 3"),
        (["take", "--truth", "two"], "2 takes in '--truth', but 1"),
        (["take", "--reference", "nowhere"], "does not exist"),
        (["take", "--reference", "damaged"], "'take_00001_cam01.mp4' is no video"),
        (["take", "damaged"], "'take_00001_cam01.mp4' is no video"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    save_take(tmp_path / "take")
    for number in (1, 2):
        save_take(tmp_path / "two", number, number)
    damaged = save_take(tmp_path / "damaged") / "take_00001_cam01.mp4"
    damaged.write_bytes(damaged.read_bytes()[:500])
    looked_at = []
    monkeypatch.setattr("syncam_core.metrics.report.measure", lambda *of: looked_at.append(of) or "nothing")
    assert run(*arguments) == 1
    told = capsys.readouterr().err
    assert words in told
    assert not looked_at
    assert len(told.strip().splitlines()) == 1


def test_views_prompt_and_rate_are_chosen(tmp_path, models, capsys):
    take, report = save_take(tmp_path / "t"), tmp_path / "r.json"
    options = ["--views", "2", "--fps", "4", "--prompt", "a blue cube", "--metrics", "clip_t,clip_v"]
    assert run(take, "--models", models, "--json", report, *options) == 0
    (told,) = json.loads(report.read_text())["takes"]
    assert (told["views"], told["frames"], told["fps"], told["prompt"]) == (1, 5, 4.0, "a blue cube")
    assert told["metrics"]["clip_v"]["not_measured"] == "there is one view only"


# ---- table and files


PAPER = {  # arXiv 2412.07760, Tables 1 to 4
    "table1": "137.3 1755 - 97.56 150.4 1742 89.14 152.8 2203 - 98.32 172.9 1661 89.33 113.1 1376 33.48 99.27 116.8 1930 "
    "90.01 116.7 1401 33.40 99.36 527.1 1470 93.71",
    "table2": "149.9 1971 30.97 99.37 460.5 1668 89.68 121.5 1655 33.02 99.36 533.0 1482 93.15 122.4 1608 32.54 99.38 "
    "471.9 1514 90.12 116.7 1401 33.40 99.36 527.1 1470 93.71",
    "table3": "0.4899 16.29 0.4754 0.4901 16.60 0.4783 0.4761 16.47 0.4935 0.5022 14.55 0.4667",
    "table4": "0.25 0.72 0.16 0.67 0.26 0.80 0.12 0.58",
}


@pytest.mark.parametrize("layout", PAPER)
def test_the_papers_tables_are_printed_as_they_are(layout, capsys):
    assert main(["table", "--layout", layout, "--with-paper", "--csv"]) == 0
    rows = [row for row in csv.reader(io.StringIO(capsys.readouterr().out)) if row and not row[0].startswith("#")]
    assert [cell for row in rows[1:] for cell in row[1:]] == PAPER[layout].split()
    assert len({len(row) for row in rows}) == 1


def test_all_tables_come_without_being_asked_for_each_and_in_latex_with_their_headings(capsys):
    assert main(["table", "--with-paper", "--csv"]) == 0
    cells = [cell for row in csv.reader(io.StringIO(capsys.readouterr().out)) for cell in row]
    assert [number for layout in PAPER for number in PAPER[layout].split() if number not in cells] == []
    assert main(["table", "--with-paper", "--latex"]) == 0
    text = capsys.readouterr().out
    assert text.count("\\begin{tabular}") == text.count("\\end{tabular}") == 4
    assert "\\multicolumn{3}{c}{View Synchronization}" in text
    assert "RotErr $\\downarrow$" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["table"], "needs a report"),
        (["table", "x.json"], "cannot be read"),
        (["table", "."], "cannot be read"),
        (["table", "utf16.json"], "cannot be read"),
        (["table", "newer.json"], "of version 2"),
        (["files", "--models", "x"], "no folder"),
    ],
)
def test_mistakes_of_table_and_files_are_one_sentence(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "utf16.json").write_text("{}", encoding="utf-16")
    (tmp_path / "newer.json").write_text(json.dumps({"format": "syncam-metrics", "version": 2, "metrics": {}}))
    assert main(arguments) == 1
    assert words in capsys.readouterr().err


def saved_report(path: Path, **metrics) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\ufeff" + json.dumps({"format": "syncam-metrics", "version": 1, "metrics": metrics}), "utf-8")
    return str(path)


def test_reports_of_one_name_are_told_apart_by_their_folders(tmp_path, capsys):
    files = [saved_report(tmp_path / folder / "r.json", psnr={"value": 9.0, "low": 8, "high": 10}) for folder in "ab"]
    assert main(["table", *files, "--layout", "table3"]) == 0
    page = capsys.readouterr().out
    for folder in "ab":
        assert f"| {folder}/r | - | 9.00 [8.00, 10.00] | - |" in page


def test_what_others_wrote_into_a_report_stays_within_its_cell(tmp_path, capsys):
    told = {
        "psnr": {"value": "nan"},
        "ssim": {"value": "-inf"},
        "lpips": {"not_measured": "a\nb \\input{x} " + "c " * 9999},
    }
    file = saved_report(tmp_path / "[x]^~_.json", **told)
    for form in ("markdown", "csv", "latex"):
        assert main(["table", file, "--layout", "table3", f"--{form}"]) == 0
        page = capsys.readouterr().out
        assert "nan" not in page
        assert max(map(len, page.splitlines())) < 600
        assert not any(line.startswith("b") for line in page.splitlines())
    assert "{[}x]\\textasciicircum{}\\textasciitilde{}\\_ & - & - & - \\\\" in page


def test_files_says_of_each_network_whether_it_is_there(models, capsys):
    assert main(["files", "--models", str(models)]) == 0
    lines = capsys.readouterr().out.splitlines()

    def below(words):
        return next(lines[at + 1].strip() for at, line in enumerate(lines) if words in line)

    assert below("model.safetensors (605 MB") == "present: clip.safetensors"
    assert below("i3d_pretrained_400.pt (51 MB") == "missing"
    assert below("aliked-n16.pth") == "missing"


def test_the_help_and_a_table_come_from_the_command_line_without_a_warning():
    root = Path(__file__).parents[2]
    for arguments, wanted in ((["--help"], "Nothing is downloaded"), (["table", "--with-paper"], "SynCamMaster")):
        done = subprocess.run(
            [sys.executable, "-m", "syncam_core.metrics", *arguments],
            capture_output=True,
            text=True,
            cwd=root,
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        )
        assert done.returncode == 0, done.stderr
        assert wanted in done.stdout
        assert done.stderr == ""
