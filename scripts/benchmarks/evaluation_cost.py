"""What k-NN and K-means evaluation cost, as ratios against peers measured in the same run.

    python scripts/benchmarks/evaluation_cost.py [--train 50000] [--test 10000] [--dim 512]

Prints seconds and ratios on planted clusters, rectified as a backbone's features are: k-NN with 20,
100 and 200 neighbours by both distances over solo-learn's classifier, once for each, and K-means
with ten restarts over scikit-learn's, with the inertia reached.
"""

import argparse

import torch
from common import machine, timed
from sklearn.cluster import KMeans

from cueco_solo.evaluation.cluster import fitted_kmeans
from cueco_solo.evaluation.features import Features
from cueco_solo.evaluation.knn import DISTANCES, knn_accuracies
from cueco_solo.host import WeightedKNNClassifier

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=int, default=50_000)
    parser.add_argument("--test", type=int, default=10_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--classes", type=int, nargs="+", default=[10, 100])
    args = parser.parse_args()
    print(machine())
    torch.manual_seed(0)
    for classes in args.classes:
        features = planted((args.train, args.test), args.dim, classes)
        shape = f"{args.train} x {args.dim}, {classes} classes"
        ours, scores = timed(lambda features=features: knn_accuracies(features, _KS))
        theirs, expected = timed(lambda features=features: solo_learn(features))
        apart = max(abs(scores[name] - expected[name]) for name in expected)
        print(
            f"{shape}: k-NN {ours:.1f} s = {ours / theirs:.2f} x solo-learn's {theirs:.1f} s; "
            f"figures at most {apart:.2f} % apart",
            flush=True,
        )
        x = features.train
        ours, fitted = timed(lambda x=x, k=classes: fitted_kmeans(x, k, _RESTARTS, seed=0))
        peer = KMeans(classes, n_init=_RESTARTS, random_state=0)
        theirs, peer = timed(lambda x=x, peer=peer: peer.fit(x.numpy()))
        print(
            f"{shape}: K-means {ours:.1f} s = {ours / theirs:.2f} x scikit-learn's {theirs:.1f} s "
            f"at {fitted.inertia_ / peer.inertia_:.4f} x its inertia",
            flush=True,
        )


if __name__ == "__main__":
    main()
