"""Conversions compose: a file rewritten from format to format holds what the last format says of the rig itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from syncam_core.cameras import Lens, Rig
from syncam_core.errors import UserError
from syncam_core.formats import FORMATS, file_name, read_rig_file, write_rig_file

# What the reader must be told; None: the file says it.
UNITS = {key: 1.0 for key, module in FORMATS.items() if module.UNIT == "asked for"}
STILL_ONLY = {"first_release"}

rare = settings(
    deadline=None, max_examples=4, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


def rig_of(seed: int, moving: bool) -> Rig:
    generator = np.random.default_rng(seed)
    frames = 3 if moving else 1
    c2w = np.tile(np.eye(4), (3, frames, 1, 1))
    c2w[..., :3, :3] = Rotation.random(3 * frames, random_state=generator).as_matrix().reshape(3, frames, 3, 3)
    c2w[..., :3, 3] = generator.normal(size=(3, frames, 3)) * 5
    return Rig(names=("cam01", "cam02", "cam03"), c2w=c2w)


def through(rig: Rig, key: str, folder) -> Rig:
    path = folder / file_name(rig, f"{key}_{len(list(folder.iterdir()))}", key)
    write_rig_file(rig, path, key)
    return read_rig_file(path, unit_m=UNITS.get(key))


@pytest.mark.parametrize("moving", [False, True], ids=["still", "moving"])
@pytest.mark.parametrize("key", list(FORMATS))
@given(seed=st.integers(0, 2**32 - 1))
@rare
def test_a_rig_comes_back_from_every_format(tmp_path, key, moving, seed):
    rig = rig_of(seed, moving)
    if moving and key in STILL_ONLY:
        with pytest.raises(UserError, match="still cameras only"):
            through(rig, key, tmp_path)
        return
    back = through(rig, key, tmp_path)
    assert back.names == rig.names
    torch.testing.assert_close(back.c2w, rig.c2w, atol=1e-6, rtol=0)


@pytest.mark.parametrize("moving", [False, True], ids=["still", "moving"])
@pytest.mark.parametrize("first", list(FORMATS))
def test_a_to_b_to_c_equals_a_to_c(tmp_path, first, moving):
    keys = [key for key in FORMATS if not (moving and key in STILL_ONLY)]
    if first not in keys:
        with pytest.raises(UserError, match="still cameras only"):
            through(rig_of(7, moving), first, tmp_path)
        return
    from_first = through(rig_of(7, moving), first, tmp_path)
    direct = {third: through(from_first, third, tmp_path) for third in keys}
    for second in keys:
        for third in keys:
            composed = through(direct[second], third, tmp_path)
            assert composed.names == direct[third].names, (first, second, third)
            torch.testing.assert_close(composed.c2w, direct[third].c2w, atol=1e-6, rtol=0)


# -- lenses, and pictures of any shape --------------------------------------------------------------------------------

SIZED = ("usd", "gltf", "open3d", "colmap", "nerfstudio")
RATIO = 1e-6  # of focal length and sensor: USD and glTF hold float32 and an angle


def with_lenses(rig: Rig, views: int, seed: int) -> Rig:
    generator = np.random.default_rng(seed)
    lenses = [Lens(*generator.uniform((12, 6), (200, 60))) for _ in range(views)]
    return Rig(rig.names[:views], rig.c2w[:views], lenses=tuple(lenses))


def eight(seed: int, moving: bool) -> Rig:
    rigs = [rig_of(seed + part, moving).c2w for part in range(3)]
    return Rig(tuple(f"cam{view:02d}" for view in range(1, 9)), torch.cat(rigs)[:8])


def ratios(rig: Rig) -> list[float]:
    return [lens.focal_mm / lens.sensor_width_mm for lens in rig.lenses]


def sized(rig: Rig, key: str, size: tuple[int, int], folder) -> Rig:
    path = folder / str(len(list(folder.iterdir()))) / file_name(rig, rig.names[0], key)
    path.parent.mkdir()
    write_rig_file(rig, path, key, image_size=size)
    return read_rig_file(path, unit_m=UNITS.get(key), format=key)


@pytest.mark.parametrize("first", SIZED)
@given(
    seed=st.integers(0, 2**31),
    views=st.integers(1, 8),
    moving=st.booleans(),
    sizes=st.lists(st.sampled_from([(832, 480), (480, 832), (512, 512), (1920, 817)]), min_size=2, max_size=2),
    second=st.sampled_from(SIZED),
)
@rare
def test_lenses_of_one_to_eight_views_come_through_two_formats_for_pictures_of_any_shape(
    tmp_path, first, seed, views, moving, sizes, second
):
    rig = with_lenses(eight(seed, moving), views, seed)
    once = sized(rig, first, sizes[0], tmp_path)
    twice = sized(once, second, sizes[1], tmp_path)
    for back in (once, twice):
        assert back.names == rig.names
        torch.testing.assert_close(back.c2w, rig.c2w, atol=1e-5, rtol=0)
        assert ratios(back) == pytest.approx(ratios(rig), rel=RATIO)
