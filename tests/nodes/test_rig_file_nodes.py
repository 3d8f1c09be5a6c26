"""Loading and saving camera files of every format, in ComfyUI's input and output folders."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch

from syncam_core.cameras import Rig, orbit_rig
from syncam_core.formats import FORMATS, write_rig_file

UNITLESS = ("realestate10k", "colmap", "nerfstudio", "nuke_chan")


@pytest.fixture(scope="module")
def save_rig(comfy):
    """SynCamSaveRig, as the pack's own module has it."""
    return importlib.import_module(f"{comfy.pack.__name__}.nodes.rigs.files").SynCamSaveRig


@pytest.fixture
def folders(comfy, tmp_path):
    before = comfy.folders.get_input_directory(), comfy.folders.get_output_directory()
    for name in ("input", "output"):
        (tmp_path / name).mkdir()
    comfy.folders.set_input_directory(str(tmp_path / "input"))
    comfy.folders.set_output_directory(str(tmp_path / "output"))
    yield tmp_path
    comfy.folders.set_input_directory(before[0])
    comfy.folders.set_output_directory(before[1])


def moving_rig() -> Rig:
    c2w = orbit_rig([0, 30, 60], [0, 10, 5], [3]).c2w.repeat(1, 5, 1, 1)
    c2w[:, :, 0, 3] += torch.arange(5) * 0.1
    return Rig(("left", "middle", "right"), c2w)


def save(node, rig, prefix="syncam/rig", format="rig_json", unit_m=0.0):
    """The path and what the node shows."""
    with torch.inference_mode():
        result = node.EXECUTE_NORMALIZED(rig=rig, filename_prefix=prefix, format=format, unit_m=unit_m)
    return Path(result.result[0]), result.ui


def offered(comfy) -> list[str]:
    return comfy.nodes["SynCamLoadRig"].INPUT_TYPES()["required"]["file"][1]["options"]


def test_the_inputs_of_save_rig_are_the_contract(save_rig):
    schema = save_rig.GET_SCHEMA()
    assert [(one.id, one.io_type, getattr(one, "default", None)) for one in schema.inputs] == [
        ("rig", "SYNCAM_RIG", None),
        ("filename_prefix", "STRING", "syncam/rig"),
        ("format", "COMBO", "rig_json"),
        ("unit_m", "FLOAT", 0.0),
    ]
    assert [one.io_type for one in schema.outputs] == ["STRING"]
    assert (schema.node_id, schema.category, schema.is_output_node) == ("SynCamSaveRig", "SynCam/Rig", True)
    assert all(one.tooltip for one in [*schema.inputs, *schema.outputs])
    assert [*schema.inputs[2].options] == [*FORMATS]


@pytest.mark.parametrize("key", list(FORMATS))
def test_what_one_node_saves_the_other_loads(comfy, save_rig, folders, key):
    rig = orbit_rig([0, 30, 60], [0, 10, 5], [3]) if key == "first_release" else moving_rig()
    path, shown = save(save_rig, rig, format=key)
    assert path.exists()
    assert path.parent == folders / "output" / "syncam"
    assert shown["text"][0].startswith(f"syncam/{path.name}\n")
    assert "3 cameras" in shown["text"][0]
    unit = {"unit_m": 1.0} if key in UNITLESS else {}
    (back,) = comfy.run("SynCamLoadRig", file=f"syncam/{path.name} [output]", cameras="", **unit)
    assert back.names == rig.names
    torch.testing.assert_close(back.c2w, rig.c2w, atol=1e-6, rtol=0)
    (named,) = comfy.run("SynCamLoadRig", file=f"syncam/{path.name} [output]", cameras="", format=key, **unit)
    assert torch.equal(named.c2w, back.c2w)


@pytest.mark.parametrize("key", ["rig_json", "realestate10k", "colmap"])
def test_nothing_is_ever_overwritten(save_rig, folders, key):
    paths = [save(save_rig, moving_rig(), format=key)[0] for _ in range(3)]
    assert [path.stem for path in paths] == ["rig_00001", "rig_00002", "rig_00003"]
    before = paths[0].stat().st_mtime_ns
    (folders / "output" / "syncam" / "rig_00004.txt").write_text("somebody's")
    assert save(save_rig, moving_rig(), format=key)[0].stem == "rig_00005"
    assert (folders / "output" / "syncam" / "rig_00004.txt").read_text() == "somebody's"
    assert paths[0].stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "prefix", ["../evil", "syncam/../../evil", "/tmp/evil", "C:\\evil", "..", "", "a/..", "r\x07ig", "x" * 300]
)
def test_a_prefix_that_leads_elsewhere_is_refused_when_queued_and_when_run(save_rig, folders, prefix):
    sentence = save_rig.validate_inputs(filename_prefix=prefix)
    assert sentence.startswith("SynCamSaveRig: 'filename_prefix' is ")
    with pytest.raises(ValueError, match="SynCamSaveRig: 'filename_prefix'") as refused:
        save(save_rig, moving_rig(), prefix)
    assert str(refused.value) == sentence
    assert [*(folders / "output").rglob("*")] == []


def test_a_rig_that_a_format_cannot_hold_leaves_nothing_behind(save_rig, folders):
    with pytest.raises(ValueError, match=r"^SynCamSaveRig: .*still cameras only"):
        save(save_rig, moving_rig(), format="first_release")
    with pytest.raises(ValueError, match=r"^SynCamSaveRig: .*a rig JSON is in metres"):
        save(save_rig, moving_rig(), unit_m=0.01)
    assert [path for path in (folders / "output").rglob("*") if path.is_file()] == []


def test_the_unit_scales_both_ways(comfy, save_rig, folders):
    rig = moving_rig()
    path, _ = save(save_rig, rig, format="nerfstudio", unit_m=0.01)
    (metres,) = comfy.run("SynCamLoadRig", file=f"syncam/{path.name} [output]", cameras="", unit_m=1.0)
    torch.testing.assert_close(metres.c2w[..., :3, 3], rig.c2w[..., :3, 3] * 100)
    path, _ = save(save_rig, rig, format="nuke_chan", unit_m=0.01)
    (back,) = comfy.run("SynCamLoadRig", file=f"syncam/{path.name} [output]", cameras="", unit_m=0.01)
    torch.testing.assert_close(back.c2w, rig.c2w)


@pytest.mark.parametrize("key", ["realestate10k", "colmap", "nuke_chan"])
def test_a_format_without_a_unit_asks_for_it_by_the_inputs_name(comfy, save_rig, folders, key):
    path, _ = save(save_rig, moving_rig(), format=key)
    with pytest.raises(ValueError, match=r"^SynCamLoadRig: folder 'rig_00001': .*'unit_m'"):
        comfy.run("SynCamLoadRig", file=f"syncam/{path.name} [output]", cameras="")


def test_camera_files_and_folders_are_offered_and_other_texts_and_folders_are_not(comfy, folders):
    root, rig = folders / "input", moving_rig()
    for key, name in (("colmap", "tour/sparse/0"), ("realestate10k", "poses"), ("nuke_chan", "shots/day1")):
        write_rig_file(rig, root / name, key)
    write_rig_file(rig.select([0]), root / "clip.txt", "realestate10k")
    write_rig_file(rig.select([0]), root / "hero.chan", "nuke_chan")
    (root / "wildcards.txt").write_text("red\ngreen\n")
    (root / "3d").mkdir()
    (root / "3d" / "notes.txt").write_text("nothing")
    each = [f"poses/0{place}_{name}.txt" for place, name in enumerate(rig.names, start=1)]
    assert offered(comfy) == ["clip.txt", "hero.chan", "poses", *each, "shots/day1", "tour"]
    for file in offered(comfy):
        assert comfy.nodes["SynCamLoadRig"].validate_inputs(file=file) is True
        assert comfy.run("SynCamLoadRig", file=file, cameras="1", unit_m=1.0)[0].frames == 5
    (cameras,) = comfy.run("SynCamLoadRig", file="tour", cameras="right, left", unit_m=1.0)
    assert cameras.names == ("right", "left")
    assert "holds no cameras" in comfy.nodes["SynCamLoadRig"].validate_inputs(file="3d")


def test_a_folder_is_read_again_when_one_of_its_files_changes(comfy, folders):
    write_rig_file(moving_rig(), folders / "input" / "tour" / "sparse" / "0", "colmap")
    node = comfy.nodes["SynCamLoadRig"]
    before = node.fingerprint_inputs(file="tour", cameras="", format="auto", unit_m=1.0)
    assert before == node.fingerprint_inputs(file="tour", cameras="1")
    write_rig_file(orbit_rig([0], [0], [2]), folders / "input" / "tour" / "sparse" / "0", "colmap")
    assert before != node.fingerprint_inputs(file="tour", cameras="")


def test_a_folder_outside_is_refused_even_with_a_model_in_it(comfy, folders):
    write_rig_file(moving_rig(), folders / "secret", "colmap")
    write_rig_file(moving_rig(), folders / "input_of_others", "colmap")  # begins like the input folder
    (folders / "input" / "link").symlink_to(folders / "secret")
    for file in ("../secret", "../input_of_others", "link"):
        with pytest.raises(ValueError, match="leads out of the input folder"):
            comfy.run("SynCamLoadRig", file=file, cameras="", unit_m=1.0)


def test_an_unknown_format_is_refused_with_those_that_are_possible(comfy, folders):
    write_rig_file(moving_rig(), folders / "input" / "rig.json", "rig_json")
    with pytest.raises(ValueError, match=r"^SynCamLoadRig: .*'format' is 'fbx'; possible are rig_json, "):
        comfy.run("SynCamLoadRig", file="rig.json", cameras="", format="fbx")


def test_pictures_is_the_last_input_of_load_rig_and_optional_and_overrules_the_guess(comfy, folders):
    inputs = comfy.nodes["SynCamLoadRig"].INPUT_TYPES()
    assert [*inputs["required"], *inputs["optional"]] == ["file", "cameras", "format", "unit_m", "pictures"]
    assert inputs["optional"]["pictures"][1]["options"] == ["auto", "stills", "moving"]
    model = folders / "input" / "walk"
    model.mkdir()
    (model / "cameras.txt").write_text("1 PINHOLE 640 480 500 500 320 240\n")
    rows = [f"{n + 1} 1 0 0 0 {n} 0 3 1 frame_{n:05d}.png\n\n" for n in range(5)]
    (model / "images.txt").write_text("".join(rows))
    (rig,) = comfy.run("SynCamLoadRig", file="walk", cameras="", unit_m=1.0)
    assert (rig.views, rig.frames) == (1, 5)
    (rig,) = comfy.run("SynCamLoadRig", file="walk", cameras="", unit_m=1.0, pictures="stills")
    assert (rig.views, rig.frames) == (5, 1)


def test_leftovers_of_other_systems_are_not_offered(comfy, folders):
    (folders / "input" / "._rig.json").write_bytes(b"\0\5\26\7")
    (folders / "input" / "__MACOSX").mkdir()
    write_rig_file(moving_rig(), folders / "input" / "rig.json", "rig_json")
    write_rig_file(moving_rig(), folders / "input" / "__MACOSX" / "rig.json", "rig_json")
    assert [file for file in offered(comfy) if "rig.json" in file] == ["rig.json"]
