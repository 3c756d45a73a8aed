"""Self-Classifier's loss as loops over numbers, and the options under which it is tested."""

import itertools
from typing import Any

import pytest
import torch

V, T, N, C = 4, 2, 5, 3
EPS = 1e-12
V1 = {"temperature": 0.3, "column_temperature": 0.3, "normalize_rows": False}
OPTIONS: dict[str, dict[str, Any]] = {
    "algorithm 1": V1,
    "rows": {**V1, "normalize_rows": True},
    "column temperature": {**V1, "column_temperature": 0.7},
    "rows, column temperature": {**V1, "column_temperature": 0.1, "normalize_rows": True},
    "v2": {
        "temperature": 0.1,
        "column_temperature": 0.05,
        "normalize_rows": True,
        "normalize_columns": True,
    },
}
every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())


def cosines(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, dtype=torch.float64, generator=generator) * 2 - 1


def naive(
    logits: torch.Tensor,
    *,
    num_targets: int,
    temperature: float,
    column_temperature: float,
    normalize_rows: bool,
    normalize_columns: bool = False,
) -> torch.Tensor:
    """Eqs. 3 and 4 and Algorithm 1, number by number."""
    views, heads, samples, classes = logits.shape
    n_range, c_range = range(samples), range(classes)

    def target(x: torch.Tensor) -> list[list[torch.Tensor]]:
        e = [[torch.exp(x[n, c] / column_temperature) for c in c_range] for n in n_range]
        p = [[e[n][c] / sum(e[m][c] for m in n_range) for c in c_range] for n in n_range]
        return [[v / sum(row) for v in row] for row in p] if normalize_rows else p

    def log_prediction(x: torch.Tensor) -> list[list[torch.Tensor]]:
        e = [[torch.exp(x[n, c] / temperature) for c in c_range] for n in n_range]
        p = [[e[n][c] / sum(e[n]) for c in c_range] for n in n_range]
        if normalize_columns:
            sums = [sum(p[n][c] for n in n_range) for c in c_range]
            sums = [s if s > EPS else torch.tensor(EPS, dtype=s.dtype) for s in sums]
            p = [[samples / classes * p[n][c] / sums[c] + EPS for c in c_range] for n in n_range]
        return [[torch.log(v) for v in row] for row in p]

    losses = []
    for head in range(heads):
        targets = [target(logits[i, head]) for i in range(num_targets)]
        predictions = [log_prediction(logits[j, head]) for j in range(views)]
        pairs = [(i, j) for i in range(num_targets) for j in range(views) if i != j]
        total = 0.0
        for (i, j), n, c in itertools.product(pairs, n_range, c_range):
            total = total - targets[i][n][c] * predictions[j][n][c] / (samples * len(pairs))
        losses.append(total)
    return torch.stack(losses)
