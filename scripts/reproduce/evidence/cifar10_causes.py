"""What CueCo's clusters hold at the end of runs, beside K-means of the same number of clusters.

    python scripts/reproduce/evidence/cifar10_causes.py RUN [RUN ...] > causes.csv

A row per run: the weights of the losses, and

- of the last epoch, as logged: active clusters and perplexity of the assignments; in percent their
  largest share, and the gradient of the weighted centroid loss over that of the contrastive one;
- NMI with the classes, purity, and the share of images in clusters of which most are of one class
  (pure), in percent, of the validation images by: CueCo's centroids, for queries z; K-means on z;
  K-means on backbone features;
- the mean similarity of the queue's keys to their nearest centroid: of the living ones, and of
  a new K-means on these keys.

An arm without cluster losses keeps clusters all the same, which nothing is learned from.
"""

import argparse
import csv
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics.cluster import contingency_matrix

import cueco_solo
from cueco_solo import host
from cueco_solo.clustering.agreement import label_scores
from cueco_solo.clustering.kmeans import kmeans
from cueco_solo.errors import ConfigError, HostError, config_error
from cueco_solo.evaluation.checks import evaluation_data
from cueco_solo.evaluation.feature_cache import cached_features
from cueco_solo.training.checkpoints import read_checkpoint
from cueco_solo.training.run_folder import Run, load_run

_SEED = 5


def clusters_against_classes(labels: torch.Tensor, clusters: torch.Tensor) -> dict[str, float]:
    counts = contingency_matrix(labels.numpy(), clusters.numpy())
    most, sizes = counts.max(0), counts.sum(0)
    scores = label_scores(labels.numpy(), clusters.numpy())
    return {
        "nmi": scores["nmi"],
        "purity": scores["acc_many_to_one"],
        "pure": 100.0 * sizes[2 * most > sizes].sum() / sizes.sum(),
    }


def logged(run: Run) -> dict[str, float]:
    """Means over the last epoch."""
    with (run.folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    last = [row for row in rows if row["epoch"] == rows[-1]["epoch"]]

    def mean(name: str) -> float:
        return float(np.mean([float(row[name]) for row in last if row.get(name)] or [np.nan]))

    return {
        "active": mean("cluster_active"),
        "perplexity": mean("cluster_perplexity"),
        "largest_share": 100 * mean("cluster_largest_share"),
        "gradient_ratio": 100 * mean("train_centroid_gradient") / mean("train_nce_gradient"),
    }


@torch.no_grad()
def looked_at(folder: Path) -> dict[str, Any]:
    run = load_run(folder)
    if run.cfg.method != "cueco":
        remedy = "give run folders of CueCo"
        raise config_error("RUN", str(folder), f"is of method={run.cfg.method}", remedy)
    model = host.method_class("cueco")(run.cfg)
    model.load_state_dict(read_checkpoint(run.checkpoint, "checkpoint")["state_dict"])
    model.eval()
    features = cached_features(run, evaluation_data(run), False, 256, 0, "cpu")
    z = F.normalize(model.predictor(model.projector(features.test)), dim=-1)
    centroids, number = model.clusters.centroids, len(model.clusters.centroids)
    assignments = {
        "cueco": model.clusters.nearest(z),
        "kmeans_z": kmeans(z, number, seed=_SEED).labels,
        "kmeans_features": kmeans(features.test, number, seed=_SEED).labels,
    }
    keys = model.queue.filled().flatten(0, 1)
    anew = F.normalize(kmeans(keys, number, seed=_SEED).centroids, dim=-1)
    weights = run.cfg.method_kwargs
    found: dict[str, Any] = {
        "seed": run.cfg.seed,
        "centroid_weight": weights.centroid_weight,
        "variance_weight": weights.variance_weight,
        **logged(run),
    }
    for by, clusters in assignments.items():
        scores = clusters_against_classes(features.test_labels, clusters)
        found |= {f"{by}_{name}": value for name, value in scores.items()}
    found["keys_to_living"] = float((keys @ centroids.T).amax(1).mean())
    found["keys_to_new"] = float((keys @ anew.T).amax(1).mean())
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    args = parser.parse_args()
    cueco_solo.register()
    writer = None
    for folder in args.runs:
        try:
            # what is said of the features goes beside the table
            with redirect_stdout(sys.stderr):
                row = looked_at(folder)
        except (ConfigError, HostError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        if writer is None:
            writer = csv.DictWriter(sys.stdout, row)
            writer.writeheader()
        writer.writerow({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
