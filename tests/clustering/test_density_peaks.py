"""Density peaks against a loop written from their definition."""

import math

import pytest
import torch
import torch.nn.functional as F

from cueco_solo.clustering.density_peaks import density_peaks


def peaks_of(units, num_peaks):
    """Peaks of one set, strongest first, in plain Python."""
    n = len(units)
    squared = [[2 - 2 * float(units[i] @ units[j]) for j in range(n)] for i in range(n)]
    pairs = [squared[i][j] for i in range(n) for j in range(n) if i != j]
    width = 0.25 * sum(pairs) / len(pairs) if pairs else 1.0
    density = [
        1 + sum(math.exp(-squared[i][j] / width) for j in range(n) if j != i) for i in range(n)
    ]
    strength = []
    for i in range(n):
        denser = [squared[i][j] for j in range(n) if density[j] > density[i]]
        others = [squared[i][j] for j in range(n) if j != i]
        gap = min(denser) if denser else max(others, default=0)
        strength.append(density[i] * math.sqrt(gap))
    return sorted(range(n), key=lambda i: -strength[i])[:num_peaks]


@pytest.mark.parametrize("num_peaks", [2, 3, 5])
def test_against_a_loop(num_peaks):
    generator = torch.Generator().manual_seed(num_peaks)
    units = F.normalize(torch.randn(20, 9, 4, generator=generator, dtype=torch.float64), dim=2)
    valid = torch.rand(20, 9, generator=generator) < 0.7
    valid[:, 4] = True
    peaks, there = density_peaks(units, valid, num_peaks)
    for t in range(20):
        places = valid[t].nonzero().squeeze(1)
        found = peaks[t][there[t]].tolist()
        expected = [int(places[i]) for i in peaks_of(units[t][places], num_peaks)]
        if len(expected) == 2 == len(places):  # both are as strong
            assert sorted(found) == sorted(expected)
        else:
            assert found == expected


def test_groups_give_a_peak_each_however_unequal_they_are():
    generator = torch.Generator().manual_seed(0)
    centres = F.normalize(torch.randn(3, 32, generator=generator), dim=1)
    of = torch.tensor([0] * 14 + [1] * 7 + [2] * 3)
    units = F.normalize(centres[of] + 0.03 * torch.randn(24, 32, generator=generator), dim=1)
    order = torch.randperm(24, generator=generator)
    peaks, _ = density_peaks(units[order][None], torch.ones(1, 24, dtype=torch.bool), 3)
    assert sorted(of[order][peaks[0]].tolist()) == [0, 1, 2]


def test_fewer_units_than_peaks_are_all_peaks():
    units = F.normalize(torch.randn(3, 2, 4), dim=2)
    valid = torch.tensor([[True, True], [False, True], [True, False]])
    peaks, there = density_peaks(units, valid, 4)
    assert [sorted(p[t].tolist()) for p, t in zip(peaks, there, strict=True)] == [[0, 1], [1], [0]]


def test_coinciding_units_are_finite():
    units = F.normalize(torch.ones(1, 5, 4), dim=2)
    peaks, there = density_peaks(units, torch.ones(1, 5, dtype=torch.bool), 2)
    assert there.all() and len(set(peaks[0].tolist())) == 2
