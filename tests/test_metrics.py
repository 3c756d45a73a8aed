import math

import pytest
import torch
import torch.nn.functional as F

from cueco_solo.metrics import alignment, perplexity, uniformity


def test_perplexity_counts_effective_bins():
    assert perplexity(torch.ones(8)).item() == pytest.approx(8)
    assert perplexity(torch.tensor([0.0, 5.0, 0.0])).item() == pytest.approx(1)
    assert perplexity(torch.tensor([3.0, 3.0, 0.0])).item() == pytest.approx(2)
    assert perplexity(torch.zeros(4)).item() == 1
    assert perplexity(torch.full((2,), 1e-3)).item() == pytest.approx(2)


def test_alignment_of_equal_opposite_and_orthogonal_pairs():
    z = F.normalize(torch.randn(5, 3), dim=1)
    assert alignment(z, z).item() == 0
    assert alignment(z, -z).item() == pytest.approx(4)
    eye = torch.eye(4)
    assert alignment(eye[:2], eye[2:]).item() == pytest.approx(2)


def test_uniformity_against_a_loop():
    z = F.normalize(torch.randn(6, 3, dtype=torch.float64), dim=1)
    pairs = [(i, j) for i in range(6) for j in range(i)]
    potential = sum(math.exp(-2 * ((z[i] - z[j]) ** 2).sum()) for i, j in pairs) / len(pairs)
    assert uniformity(z).item() == pytest.approx(math.log(potential))
    assert uniformity(z[:1].expand(4, 3)).item() == pytest.approx(0)
