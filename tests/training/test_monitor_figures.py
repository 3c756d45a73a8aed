"""The online monitor's figures, in one process and two, against other libraries."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from host import tiny
from host.two_processes import in_two_processes
from monitor_runs import (
    CLASSES,
    IMAGES,
    ON,
    Heard,
    Validation,
    configuration,
    fit,
    in_one_of_two,
    in_one_of_two_unequal,
)
from sklearn.cluster import KMeans
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    normalized_mutual_info_score,
)

from cueco_solo.training.monitor.sample import Sample


def offline(features: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """The figures of K-means, by scikit-learn and NumPy."""
    x, y = features.double().numpy(), labels.numpy()
    clusters = KMeans(CLASSES, n_init=10, random_state=0).fit_predict(x)
    shares = np.bincount(clusters, minlength=CLASSES) / len(x)
    # few enough classes to try every matching
    hits = [np.mean(np.take(order, clusters) == y) for order in permutations(range(CLASSES))]
    singular = np.linalg.svd(x, compute_uv=False)
    p = singular / singular.sum() + 1e-7
    return {
        "nmi": 100 * normalized_mutual_info_score(y, clusters),
        "ami": 100 * adjusted_mutual_info_score(y, clusters),
        "ari": 100 * adjusted_rand_score(y, clusters),
        "acc": 100 * max(hits),
        "rankme": np.exp(-(p * np.log(p)).sum()),
        "cluster_active": float((shares > 0).sum()),
        "cluster_perplexity": np.exp(-(shares * np.log(shares)).sum()),
        "cluster_largest_share": shares.max(),
    }


def offline_pairs(first: torch.Tensor, second: torch.Tensor) -> dict[str, float]:
    """Alignment and uniformity, pair by pair."""
    views = [F.normalize(v.double(), dim=1).numpy() for v in (first, second)]
    spread = []
    for v in views:
        pairs = [(i, j) for i in range(len(v)) for j in range(i)]
        potentials = [np.exp(-2 * ((v[i] - v[j]) ** 2).sum()) for i, j in pairs]
        spread.append(np.log(np.mean(potentials)))
    return {"alignment": ((views[0] - views[1]) ** 2).sum(1).mean(), "uniformity": np.mean(spread)}


def matches(logged: dict[str, float], expected: dict[str, float]) -> None:
    assert set(logged) == {*expected, "seconds"}
    assert {name: logged[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert 0 < logged["seconds"] < 60


def test_figures_are_those_of_other_libraries() -> None:
    model, heard = tiny.build(configuration("simclr", ON)), Heard()
    rows = fit(model, heard)
    expected = offline(torch.cat(heard.features), Validation().labels)
    assert 10 < expected["nmi"] < 95  # neither chance nor perfect
    model.eval()
    with torch.no_grad():
        views = [model(x)["feats"] for x in heard.batch[1]]
    matches(rows.epochs[0], {**expected, **offline_pairs(*views)})


def test_a_sample_of_the_images_is_scored() -> None:
    model, heard = tiny.build(configuration("simclr", "online_clustering.max_images=12")), Heard()
    rows = fit(model, heard)
    chosen = Sample(12)
    chosen.add(torch.arange(IMAGES)[:, None], torch.zeros(IMAGES))
    kept = chosen.rows()[0]
    assert len(kept) == 12
    expected = offline(torch.cat(heard.features)[kept], Validation().labels[kept])
    logged = rows.epochs[0]
    assert {name: logged[name] for name in expected} == pytest.approx(expected, rel=1e-4)


def test_a_sample_hangs_on_the_rows_alone_and_is_fair() -> None:
    x, y = torch.arange(1000)[:, None], torch.arange(1000) % 10
    samples = []
    for size in (1000, 64, 7):
        sample = Sample(100)
        for images, labels in zip(x.split(size), y.split(size), strict=True):
            sample.add(images, labels)
            assert sum(len(part[0]) for part in sample._parts) <= 200 + size
        samples.append(sample.rows())
    for positions, features, labels in samples:
        assert torch.equal(positions, samples[0][0])
        assert torch.equal(features[:, 0], positions)
        assert torch.equal(labels, positions % 10)
    positions = samples[0][0]
    assert len(positions.unique()) == 100
    assert torch.equal(positions, positions.sort().values)
    # of 100 of 1000, in each half and of every label about what chance gives
    assert 30 < (positions < 500).sum() < 70
    assert (samples[0][2].bincount(minlength=10) > 2).all()


def test_two_processes_log_the_figures_of_all_images_once(tmp_path: Path) -> None:
    in_two_processes(in_one_of_two, tmp_path)
    one, two = (torch.load(tmp_path / f"rank{r}.pt", weights_only=True) for r in (0, 1))
    assert one["online"] == two["online"]
    assert one["rows"] == {0: pytest.approx(one["online"])}
    # dealt out in turns, and the last one a repetition
    features = torch.stack([one["features"], two["features"]], dim=1).flatten(0, 1)
    assert len(features) == IMAGES + 1
    expected = offline(features[:IMAGES], Validation().labels)
    views = [torch.cat(pair) for pair in zip(one["views"], two["views"], strict=True)]
    matches(one["online"], {**expected, **offline_pairs(*views)})


def test_two_processes_with_unequal_shares_compute_nothing(tmp_path: Path) -> None:
    in_two_processes(in_one_of_two_unequal, tmp_path)
    for rank in (0, 1):
        assert torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) == {}
