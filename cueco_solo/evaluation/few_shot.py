"""Few-shot classification: logistic regression on k frozen features of each class, drawn often."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import sem
from scipy.stats import t as student
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from tqdm import tqdm

from cueco_solo.errors import config_error
from cueco_solo.evaluation.accuracy import mean_per_class
from cueco_solo.evaluation.features import Features
from cueco_solo.evaluation.scale import Standard
from cueco_solo.evaluation.subsets import balanced_order

_ITERATIONS = 1000


class Shots(NamedTuple):
    """Accuracies with k images of each class, in percent.

    Attributes:
        mean: over the draws.
        half_width: of the 95 % interval of the mean (Student's t); None of a single draw.
        draws: one by one.
        hits: of each test image, the share of the draws that classify it correctly, ``[M]``.
    """

    mean: float
    half_width: float | None
    draws: list[float]
    hits: Tensor


def possible_shots(labels: Tensor, ks: Sequence[int]) -> list[int]:
    """Those of ``ks`` of which each class has enough images, and all together more than are drawn.

    Args:
        labels: of the training images, int64 ``[N]``.

    Raises:
        ConfigError: every class has one image only, so that all draws would be the same.
    """
    counts = labels.unique(return_counts=True)[1]
    if counts.max() == 1:
        raise config_error(
            "--train-path",
            len(labels),
            "images are one of each class, of which no two draws differ",
            "give several images of each class",
        )
    return [k for k in ks if k <= counts.min() and k * len(counts) < len(labels)]


def check_shots(labels: Tensor, ks: Sequence[int]) -> None:
    """Refuse numbers of images that can't be drawn.

    Raises:
        ConfigError: see :func:`possible_shots`; or a class has too few images.
    """
    there = possible_shots(labels, ks)
    if missing := [k for k in ks if k not in there]:
        classes, counts = labels.unique(return_counts=True)
        most = int(min(counts.min(), (len(labels) - 1) // len(classes)))
        reason = f"the smallest class has {counts.min()} training images"
        if missing[0] <= counts.min():
            reason = f"of all {missing[0]} training images of each class, no two draws differ"
        remedy = f"give --k {' '.join(map(str, there or [most]))}"
        raise config_error("--k", missing[0], f"must be at most {most}: {reason}", remedy)


def few_shot_accuracies(
    features: Features, ks: Sequence[int], seeds: Sequence[int], per_class: bool = False
) -> dict[int, Shots]:
    """Accuracies of test features from k training features of each class.

    The classifier is scikit-learn's logistic regression with its L2 penalty (C = 1), as in Tian et
    al. 2020, on features that :class:`.scale.Standard` has scaled by all training features, without
    labels: the penalty weighs the same for features of any size.

    Args:
        ks: numbers of images of each class, each of which has that many.
        seeds: of the draws, one each; under one seed, a smaller k draws part of what a larger one
            draws.
        per_class: the mean of the classes' accuracies, instead of that of the images.

    Returns:
        By k.
    """
    standard = Standard(features.train)
    x, labels = standard(features.train).numpy(), features.train_labels.numpy()
    test, targets = standard(features.test).numpy(), features.test_labels
    classes = len(np.unique(labels))
    shares: dict[int, list[float]] = {k: [] for k in ks}
    hits = {k: torch.zeros(len(test)) for k in ks}
    with tqdm(total=len(ks) * len(seeds), desc="few-shot", unit="fit", leave=False) as bar:
        for seed in seeds:
            order = balanced_order(labels.tolist(), seed)
            for k in ks:
                drawn = order[: k * classes]
                fitted = LogisticRegression(max_iter=_ITERATIONS).fit(x[drawn], labels[drawn])
                right = torch.from_numpy(fitted.predict(test)) == targets
                share = mean_per_class(right, targets) if per_class else 100 * right.double().mean()
                shares[k].append(float(share))
                hits[k] += right / len(seeds)
                bar.update()
    return {k: Shots(float(np.mean(of)), _half_width(of), of, hits[k]) for k, of in shares.items()}


def _half_width(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    return float(student.ppf(0.975, len(values) - 1) * sem(values))
