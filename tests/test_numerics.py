import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cueco_solo.numerics import alignment, lidar, perplexity, rank_me, uniformity


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


def lidar_by_loops(views: np.ndarray, delta: float = 1e-4, epsilon: float = 1e-8) -> float:
    """As the paper defines it, with the inverse square root of the scatter within."""
    n, q, d = views.shape
    means = [sum(view for view in image) / q for image in views]
    grand = sum(means) / n
    between, within = np.zeros((d, d)), np.zeros((d, d))
    for image, mean in zip(views, means, strict=True):
        between += np.outer(mean - grand, mean - grand) / (n - 1)
        for view in image:
            within += np.outer(view - mean, view - mean) / (n * (q - 1))
    values, vectors = np.linalg.eigh(within + delta * np.eye(d))
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    spectrum = np.linalg.eigvalsh(root @ between @ root).clip(0)
    shares = [value / spectrum.sum() + epsilon for value in spectrum]
    return math.exp(-sum(share * math.log(share) for share in shares))


@pytest.mark.parametrize(("n", "q", "d"), [(7, 3, 4), (4, 5, 9), (2, 2, 3), (30, 10, 16)])
@pytest.mark.parametrize("noise", [0.0, 0.1, 2.0])
def test_lidar_against_loops(n: int, q: int, d: int, noise: float):
    random = np.random.default_rng(n)
    images = random.normal(size=(n, 1, d)) * np.logspace(0, -2, d)
    views = images + noise * random.normal(size=(n, q, d)) + 3
    expected = lidar_by_loops(views)
    assert lidar(torch.from_numpy(views)).item() == pytest.approx(expected, rel=1e-6)
    assert 1 <= expected <= min(n - 1, d) + 1e-3
    single = lidar(torch.from_numpy(views).float()).item()
    assert single == pytest.approx(expected, rel=1e-3)


def test_lidar_of_known_features():
    """Directions that views agree on count, those in which they differ don't."""
    random = torch.Generator().manual_seed(0)
    images = torch.randn(200, 1, 8, generator=random, dtype=torch.float64)
    noise = torch.randn(200, 10, 8, generator=random, dtype=torch.float64)
    seen = torch.tensor([1.0] * 3 + [0.0] * 5, dtype=torch.float64)
    views = images * seen + noise * (0.01 * seen + (1 - seen))
    assert lidar(views).item() == pytest.approx(3, rel=0.05)
    assert rank_me(views.flatten(0, 1)).item() > 6
    assert lidar(torch.ones(4, 3, 5)).item() == pytest.approx(1, abs=1e-4)  # collapsed


@pytest.mark.parametrize("shape", [(1, 3, 4), (3, 1, 4), (6, 4)])
def test_lidar_needs_several_views_of_several_images(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="must be"):
        lidar(torch.zeros(shape))
