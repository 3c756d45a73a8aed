"""Weighted k-NN classification of frozen features, as in solo-learn."""

from collections.abc import Sequence

from cueco_solo.evaluation.features import Features
from cueco_solo.host import WeightedKNNClassifier

DISTANCES = ("cosine", "euclidean")


def knn_accuracies(
    features: Features, ks: Sequence[int] = (20, 100, 200), temperature: float = 0.07
) -> dict[str, float]:
    """Accuracies of test features classified by their nearest train features.

    Args:
        features: of both splits.
        ks: numbers of neighbours; all train features, if there are fewer.
        temperature: of the cosine votes ``exp(cosine / temperature)``; Euclidean votes are
            ``1 / distance``.

    Returns:
        Percent by ``"<distance>_<k>_top1"`` and ``"..._top5"``.
    """
    scores = {}
    for distance in DISTANCES:
        for k in ks:
            classifier = WeightedKNNClassifier(k=k, T=temperature, distance_fx=distance)
            classifier.update(
                train_features=features.train,
                train_targets=features.train_labels,
                test_features=features.test,
                test_targets=features.test_labels,
            )
            top1, top5 = classifier.compute()
            scores[f"{distance}_{k}_top1"] = float(top1)
            scores[f"{distance}_{k}_top5"] = float(top5)
    return scores
