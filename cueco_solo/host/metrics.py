"""Evaluation metrics of both forms, where solo-learn's own stop on current torchmetrics or data."""

import sys
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


@torch.no_grad()
def accuracy_at_k(outputs: Tensor, targets: Tensor, top_k: Sequence[int] = (1, 5)) -> list[Tensor]:
    """Top-k accuracies in percent; with fewer than k classes every sample counts as a hit.

    Of logits or probabilities ``[N, C]`` and int64 classes ``[N]``.

    Returns:
        One float tensor of shape ``[1]`` per k.
    """
    ranked = outputs.topk(min(max(top_k), outputs.size(1)), dim=1).indices
    hits = (ranked == targets[:, None]).float()
    return [hits[:, :k].sum().mul(100.0 / len(targets)).reshape(1) for k in top_k]


class WeightedKNNClassifier(Metric):
    """Weighted k-NN classification of test features by train features.

    Takes solo-learn's arguments and gives solo-learn's values. Differs in that it works with
    torchmetrics from 1.0 on, where a split misses classes that the other has, and in that samples
    without a label (-1) are left out.

    Args:
        k: number of neighbours, at most the number of train samples.
        T: temperature of the votes ``exp(cosine / T)``, for ``distance_fx="cosine"``.
        max_distance_matrix_size: largest number of similarities held at a time.
        distance_fx: ``"cosine"``, or ``"euclidean"`` with votes ``1 / (distance + epsilon)``.
        epsilon: see above.

    Raises:
        ValueError: an unknown ``distance_fx``.
    """

    full_state_update = True
    train_features: list[Tensor]
    train_targets: list[Tensor]
    test_features: list[Tensor]
    test_targets: list[Tensor]

    def __init__(
        self,
        k: int = 20,
        T: float = 0.07,
        max_distance_matrix_size: int = int(5e6),
        distance_fx: str = "cosine",
        epsilon: float = 0.00001,
        **metric_options: Any,
    ):
        super().__init__(**metric_options)
        if distance_fx not in ("cosine", "euclidean"):
            raise ValueError(f"distance_fx={distance_fx!r} must be 'cosine' or 'euclidean'")
        self.k, self.T, self.epsilon = k, T, epsilon
        self.max_distance_matrix_size = max_distance_matrix_size
        self.distance_fx = distance_fx
        for state in ("train_features", "train_targets", "test_features", "test_targets"):
            self.add_state(state, default=[], persistent=False)

    def forward(self, *args: Any, **kwargs: Any) -> None:
        """Same as :meth:`update`: no value per batch."""
        self.update(*args, **kwargs)

    def update(
        self,
        train_features: Tensor | None = None,
        train_targets: Tensor | None = None,
        test_features: Tensor | None = None,
        test_targets: Tensor | None = None,
    ) -> None:
        """Remember a batch of train or test features ``[N, D]`` with their labels ``[N]``."""
        for split, features, targets in (
            ("train", train_features, train_targets),
            ("test", test_features, test_targets),
        ):
            if features is None or targets is None:
                if features is not targets:
                    raise ValueError(f"{split}_features and {split}_targets go together")
                continue
            labelled = targets != -1
            getattr(self, f"{split}_features").append(features[labelled].detach().float())
            getattr(self, f"{split}_targets").append(targets[labelled].detach())

    @torch.no_grad()
    def compute(self) -> tuple[float, float]:
        """Top-1 and top-5 accuracy in percent, ``(-1, -1)`` without features; empties the bank."""
        if not len(self.train_features) or not len(self.test_features):
            return -1, -1
        bank, labels = dim_zero_cat(self.train_features), dim_zero_cat(self.train_targets)
        queries, targets = dim_zero_cat(self.test_features), dim_zero_cat(self.test_targets)
        if self.distance_fx == "cosine":
            bank, queries = F.normalize(bank), F.normalize(queries)
        k, classes = min(self.k, len(bank)), int(torch.cat((labels, targets)).max()) + 1
        chunk = max(1, self.max_distance_matrix_size // len(bank))

        top1 = top5 = 0
        for query, target in zip(queries.split(chunk), targets.split(chunk), strict=True):
            weights, neighbours = self._votes(query, bank).topk(k)
            votes = weights.new_zeros(len(query), classes)
            votes.scatter_add_(1, labels[neighbours], weights)
            hits = votes.sort(1, descending=True).indices == target[:, None]
            top1 += int(hits[:, :1].sum())
            top5 += int(hits[:, : min(5, k)].sum())
        self.reset()
        return 100.0 * top1 / len(queries), 100.0 * top5 / len(queries)

    def _votes(self, query: Tensor, bank: Tensor) -> Tensor:
        if self.distance_fx == "cosine":
            return (query @ bank.T / self.T).exp()
        return 1 / (torch.cdist(query, bank) + self.epsilon)


def replace_in_solo() -> None:
    """Let solo-learn's modules, which must have been imported, use what is defined here."""
    for name, module in list(sys.modules.items()):
        if name.startswith("solo."):
            for metric in (WeightedKNNClassifier, accuracy_at_k):
                if hasattr(module, metric.__name__):
                    setattr(module, metric.__name__, metric)
