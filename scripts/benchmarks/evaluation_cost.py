"""What evaluation on cached features costs, as ratios against peers measured in the same run.

    python scripts/benchmarks/evaluation_cost.py [--train 50000] [--test 10000] [--dim 512]
        [--only knn kmeans sweep] [--epochs 100]

Prints seconds and ratios on planted clusters, rectified as a backbone's features are: k-NN with 20,
100 and 200 neighbours by both distances over solo-learn's classifier, once for each; K-means with
ten restarts over scikit-learn's, with the inertia reached; and the linear sweep of 13 rates, choice
and final probe, over one probe of the fixed recipe and over scikit-learn's logistic regression.
"""

import argparse

import torch
from common import machine, timed
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

from cueco_solo.evaluation.cluster import fitted_kmeans
from cueco_solo.evaluation.features import Features
from cueco_solo.evaluation.knn import DISTANCES, knn_accuracies
from cueco_solo.evaluation.linear import cached_linear_accuracies, parse_linear
from cueco_solo.evaluation.linear_sweep import swept_linear
from cueco_solo.evaluation.scale import Standard
from cueco_solo.host import WeightedKNNClassifier
from cueco_solo.training.compose import compose_config

_KS, _RESTARTS = (20, 100, 200), 10


def planted(sizes: tuple[int, int], dim: int, classes: int) -> Features:
    centres = 0.25 * torch.randn(classes, dim)
    labels = [torch.randint(classes, (size,)) for size in sizes]
    train, test = (torch.relu(centres[of] + torch.randn(len(of), dim)) for of in labels)
    return Features(train, labels[0], test, labels[1], classes)


def solo_learn(features: Features) -> dict[str, float]:
    scores = {}
    for distance in DISTANCES:
        for k in _KS:
            classifier = WeightedKNNClassifier(k=k, T=0.07, distance_fx=distance)
            train = features.train, features.train_labels
            classifier.update(*train, features.test, features.test_labels)
            found = classifier.compute()
            scores.update({f"{distance}_{k}_top{n}": v for n, v in zip((1, 5), found, strict=True)})
    return scores


def time_knn(features: Features, shape: str) -> None:
    ours, scores = timed(lambda: knn_accuracies(features, _KS))
    theirs, expected = timed(lambda: solo_learn(features))
    apart = max(abs(scores[name] - expected[name]) for name in expected)
    print(
        f"{shape}: k-NN {ours:.1f} s = {ours / theirs:.2f} x solo-learn's {theirs:.1f} s; "
        f"figures at most {apart:.2f} % apart",
        flush=True,
    )


def time_kmeans(features: Features, shape: str) -> None:
    x, classes = features.train, features.num_classes
    ours, fitted = timed(lambda: fitted_kmeans(x, classes, _RESTARTS, seed=0))
    peer = KMeans(classes, n_init=_RESTARTS, random_state=0)
    theirs, peer = timed(lambda: peer.fit(x.numpy()))
    print(
        f"{shape}: K-means {ours:.1f} s = {ours / theirs:.2f} x scikit-learn's {theirs:.1f} s "
        f"at {fitted.inertia_ / peer.inertia_:.4f} x its inertia",
        flush=True,
    )


def time_sweep(features: Features, shape: str, epochs: int) -> None:
    given = ["hardware=cpu", "data.train_path=.", "data.val_path=.", f"max_epochs={epochs}"]
    cfg = parse_linear(compose_config("linear-custom", None, given, linear=True))
    ours, (scores, choice) = timed(lambda: swept_linear(features, cfg, [1e-6]))
    one, fixed = timed(lambda: cached_linear_accuracies(features, cfg))
    standard = Standard(features.train)
    train, test = (standard(x).numpy() for x in (features.train, features.test))
    peer = LogisticRegression(C=1.0, max_iter=1000)
    theirs, peer = timed(lambda: peer.fit(train, features.train_labels.numpy()))
    accuracy = 100 * peer.score(test, features.test_labels.numpy())
    print(
        f"{shape}, {epochs} epochs: sweep {ours:.1f} s = {ours / one:.2f} x the fixed recipe's "
        f"{one:.1f} s = {ours / theirs:.2f} x scikit-learn's {theirs:.1f} s; top-1 "
        f"{scores['top1']:.2f} at rate {choice.best.learning_rate:.3g}, "
        f"{fixed['top1']:.2f} and {accuracy:.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=int, default=50_000)
    parser.add_argument("--test", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--classes", type=int, nargs="+", default=[10, 100])
    parser.add_argument("--epochs", type=int, default=100, help="of the linear probes")
    measured = ("knn", "kmeans", "sweep")
    parser.add_argument("--only", choices=measured, nargs="+", default=measured)
    args = parser.parse_args()
    print(machine())
    torch.manual_seed(0)
    for classes in args.classes:
        features = planted((args.train, args.test), args.dim, classes)
        shape = f"{args.train} x {args.dim}, {classes} classes"
        if "knn" in args.only:
            time_knn(features, shape)
        if "kmeans" in args.only:
            time_kmeans(features, shape)
        if "sweep" in args.only:
            time_sweep(features, shape, args.epochs)


if __name__ == "__main__":
    main()
