import math

import pytest
import torch
import torch.nn.functional as F

from cueco_solo.numerics import alignment, perplexity, rank_me, uniformity


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


def test_rank_me_of_known_spectra():
    orthonormal, _ = torch.linalg.qr(torch.randn(50, 8, dtype=torch.float64))
    assert rank_me(orthonormal).item() == pytest.approx(8, rel=1e-4)
    assert rank_me(7e3 * orthonormal).item() == pytest.approx(8, rel=1e-4)
    assert rank_me(orthonormal.T).item() == pytest.approx(8, rel=1e-4)
    ones = torch.ones(50, 8)
    assert rank_me(ones).item() == pytest.approx(1, abs=1e-4)  # not centred, else 0 / 0
    assert rank_me(torch.zeros(5, 3)).item() == pytest.approx(1, abs=1e-4)
    # shares 1/2, 1/4, 1/4: the entropy is 1.5 bits
    assert rank_me(torch.diag(torch.tensor([2.0, 1.0, 1.0]))).item() == pytest.approx(2**1.5)


def test_rank_me_is_that_of_the_singular_values():
    """Also over several parts of the rows, where some singular values are all but zero."""
    z = torch.randn(9000, 12, generator=torch.Generator().manual_seed(0))
    z = z * torch.logspace(0, -9, 12)
    s = torch.linalg.svdvals(z.double())
    p = s / s.sum() + 1e-7
    expected = math.exp(-sum(float(share) * math.log(share) for share in p))
    assert rank_me(z).item() == pytest.approx(expected, rel=1e-6)
    assert rank_me(z.T).item() == pytest.approx(expected, rel=1e-6)
    assert rank_me(1e4 * z).item() == pytest.approx(expected, rel=1e-6)
