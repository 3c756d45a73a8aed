"""How often an image's nearest neighbour in its cluster is of its class: RCL's clusterings judged
without training.

    python scripts/benchmarks/rcl_companions.py CHECKPOINT [--epochs 4] [--dbscan-eps 0.707 0.548]
        [--merge-threshold 0.6 0.75] [--max-splits 4] [--min-samples 4] [--batch-size 64] [--seed 0]

CHECKPOINT is one of a run of RCL on data with classes; its own clusters don't count. DBSCAN
clusters the keys in its bank; the online hierarchy is then refined for some epochs, the keys as
they are. Radii and thresholds go from the coarsest level down and are those of rcl-digits-placed,
unless given. Printed for each level above the first: its clusters, the largest one, the share of
images with a companion (another image of their cluster), the share of these whose nearest companion
is of their class, and the NMI with the classes. Then what the criteria between the first and the
last call the nearest companion on the highest level: positive, or negative though it is of the same
class, or positive though it isn't; shares of the images that have one.

These figures are better than a training's, which compares one view with the part of the images that
is in its queue; the keys in the bank are means of two views, from steps all over the last epoch.
All pairs are compared at once: for some thousands of images.
"""

import argparse
from pathlib import Path

import torch
from sklearn.metrics import normalized_mutual_info_score

from cueco_solo.clustering.dbscan import dbscan
from cueco_solo.clustering.hierarchy import Hierarchy
from cueco_solo.losses.rcl import nearest_entries
from cueco_solo.training.checkpoints import read_checkpoint


def describe(hierarchy: Hierarchy, targets: torch.Tensor) -> None:
    """Print the figures of all levels above the first."""
    keys, levels = hierarchy.bank.float(), hierarchy.labels[1:]
    companions = (levels[:, :, None] == levels[:, None]) & ~torch.eye(len(keys), dtype=torch.bool)
    nearest, found = nearest_entries(keys, keys, companions)
    alike = targets[nearest] == targets
    for level, labels in enumerate(levels, 2):
        have, right = found[level - 2], alike[level - 2][found[level - 2]]
        nmi = normalized_mutual_info_score(targets, labels)
        print(
            f"  level {level}: {len(labels.unique())} clusters, largest {labels.bincount().max()};"
            f" {have.float().mean():.0%} have a companion, {right.float().mean():.1%} of these"
            f" nearest to one of their class; NMI {nmi:.2f}"
        )
    top, highest, right = len(levels) + 1, nearest[-1][found[-1]], alike[-1][found[-1]]
    for level, labels in enumerate(levels[:-1], 2):
        positive = labels[highest] == labels[found[-1]]
        print(
            f"  criterion {level} on level {top}'s: {positive.float().mean():.0%} positive;"
            f" {(~positive & right).float().mean():.0%} negative though of the same class,"
            f" {(positive & ~right).float().mean():.0%} positive though not"
        )


def refine_epoch(hierarchy: Hierarchy, args: argparse.Namespace, order: torch.Generator) -> None:
    """Refine with every batch of an epoch, as a training does with the batches of all processes."""
    for samples in torch.randperm(len(hierarchy.bank), generator=order).split(args.batch_size):
        if len(samples) == args.batch_size:  # solo-learn drops an incomplete one
            hierarchy.refine(samples.sort().values, seed=args.seed + int(hierarchy.steps) + 1)


def compare(keys: torch.Tensor, targets: torch.Tensor, args: argparse.Namespace) -> None:
    """DBSCAN of the keys, then the epochs of refinement."""
    hierarchy = Hierarchy(
        *keys.shape,
        len(args.dbscan_eps) + 1,
        max_splits=args.max_splits,
        merge_threshold=args.merge_threshold,
    )
    hierarchy.bank.copy_(keys)
    found = dbscan(keys, args.dbscan_eps, min_samples=args.min_samples, seed=args.seed)
    hierarchy.restart(found.flip(0))  # from level 2 up
    print("DBSCAN")
    describe(hierarchy, targets)
    order = torch.Generator().manual_seed(args.seed)
    for epoch in range(1, args.epochs + 1):
        refine_epoch(hierarchy, args, order)
        print(f"after epoch {epoch} of refinement")
        describe(hierarchy, targets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--dbscan-eps", type=float, nargs="+", default=[0.707, 0.548])
    parser.add_argument("--merge-threshold", type=float, nargs="+", default=[0.6, 0.75])
    parser.add_argument("--max-splits", type=int, default=4)
    parser.add_argument("--min-samples", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if len(args.dbscan_eps) != len(args.merge_threshold):
        parser.error("--dbscan-eps and --merge-threshold need a value for each level above 1")
    if args.dbscan_eps != sorted(args.dbscan_eps, reverse=True):
        parser.error("--dbscan-eps must not rise: it goes from the coarsest level down")
    try:
        state = read_checkpoint(args.checkpoint, "CHECKPOINT")["state_dict"]
    except ValueError as error:
        parser.error(str(error))
    targets = state.get("targets", torch.empty(0))
    known = targets >= 0
    if "hierarchy.bank" not in state or not known.any():
        parser.error(f"{args.checkpoint} isn't of a run of RCL on data with classes")
    compare(state["hierarchy.bank"][known], targets[known], args)


if __name__ == "__main__":
    main()
