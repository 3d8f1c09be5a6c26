"""Edge energy in closed form."""

from __future__ import annotations

import pytest
import torch
from scipy import ndimage

from syncam_core.cameras import orbit_rig
from syncam_core.metrics.edges import edge_energy
from syncam_core.synthetic import Scene, frame_times, render


def test_a_slope_has_the_energy_of_its_squares():
    right, down = torch.meshgrid(torch.arange(20.0), torch.arange(30.0), indexing="xy")
    grey = 0.01 * right + 0.02 * down
    assert edge_energy(grey[..., None].expand(30, 20, 3)) == pytest.approx(0.01**2 + 0.02**2, rel=1e-4)


def test_only_luma_counts_in_its_weights():
    green = torch.zeros(1, 10, 10, 3)
    green[..., 5:, 1] = 1.0  # one edge of 0.7152 in 9 of 81 places
    assert edge_energy(green) == pytest.approx(0.7152**2 / 9, rel=1e-5)


def test_a_flat_picture_has_none_and_contrast_counts_squared():
    assert edge_energy(torch.full((2, 3, 8, 8, 3), 0.4)) == 0
    noise = torch.rand(3, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    assert edge_energy(noise / 2) == pytest.approx(edge_energy(noise) / 4, rel=1e-5)


def test_blur_lowers_it_and_the_painted_world_has_more_of_it():
    rig = orbit_rig([0.0, 90.0], [20.0], [5.0])
    one, two = (render(Scene(world=world), rig, 64, 64, frame_times(2)) for world in (1, 2))
    assert edge_energy(two) > 1.5 * edge_energy(one)
    soft = [torch.from_numpy(ndimage.gaussian_filter(two.numpy(), (0, 0, s, s, 0))) for s in (0.5, 1.0, 2.0)]
    energies = [edge_energy(video) for video in (two, *soft)]
    assert energies == sorted(energies, reverse=True)
    assert energies[2] < 0.6 * energies[0]
