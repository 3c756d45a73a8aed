"""Which relative keys a hierarchy of clusters would give, judged by the classes.

    python scripts/benchmarks/rcl_companions.py CHECKPOINT [--epochs 4] [--dbscan-eps 0.707 0.548]
        [--merge-threshold 0.6 0.75] [--max-splits 4] [--min-samples 4] [--batch-size 64] [--seed 0]

CHECKPOINT is one of a run of RCL on data with classes. DBSCAN clusters the keys in its bank, then
the online hierarchy is refined for some epochs with these keys frozen, so that clusterings can be
compared without training. Printed for each level above the first: its clusters, the largest one,
the share of images that have a companion, the share of these whose nearest companion is of their
class, and the NMI with the classes. Then what the criterion of each level but the highest makes of
the highest level's nearest companion: the share that it calls positive, and the share of all images
whose companion is of the same class and yet called negative. A queue holds a part of the images
alone, so a training finds farther companions than these.
"""

import argparse
from pathlib import Path

import torch
from sklearn.metrics import normalized_mutual_info_score

from cueco_solo.checkpoints import read_checkpoint
from cueco_solo.clustering.dbscan import dbscan
from cueco_solo.clustering.hierarchy import Hierarchy


def companions(hierarchy: Hierarchy, level: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Each image's most similar other one in its cluster, int64, and whether there is one."""
    labels, x = hierarchy.labels[level - 1], hierarchy.bank.float()
    similarity = (x @ x.T).masked_fill_(labels[:, None] != labels, -torch.inf)
    nearest = similarity.fill_diagonal_(-torch.inf).max(1)
    return nearest.indices, nearest.values.isfinite()


def describe(hierarchy: Hierarchy, targets: torch.Tensor) -> None:
    """Print the figures of all levels."""
    top = len(hierarchy.labels)
    for level in range(2, top + 1):
        labels = hierarchy.labels[level - 1]
        other, found = companions(hierarchy, level)
        right = (targets[other] == targets)[found]
        nmi = normalized_mutual_info_score(targets, labels)
        print(
            f"  level {level}: {len(labels.unique())} clusters, largest {labels.bincount().max()};"
            f" {found.float().mean():.0%} have a companion, {right.float().mean():.1%} of these"
            f" nearest to one of their class; NMI {nmi:.2f}"
        )
    other, found = companions(hierarchy, top)
    for level in range(2, top):
        labels = hierarchy.labels[level - 1]
        positive = labels[other] == labels
        wrong = found & ~positive & (targets[other] == targets)
        print(
            f"  criterion {level} on level {top}'s companions: {positive[found].float().mean():.0%}"
            f" positive; of the same class, yet negative, for {wrong.float().mean():.0%} of all"
        )


def refined(hierarchy: Hierarchy, batch_size: int, generator: torch.Generator) -> None:
    """Refine for an epoch, the keys as they are."""
    order = torch.randperm(len(hierarchy.bank), generator=generator)
    for samples in order.split(batch_size):
        hierarchy.refine(samples.sort().values, seed=int(hierarchy.steps))


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
    generator = torch.Generator().manual_seed(args.seed)
    for epoch in range(1, args.epochs + 1):
        refined(hierarchy, args.batch_size, generator)
        print(f"after {epoch} epochs of refinement")
        describe(hierarchy, targets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
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
    state = read_checkpoint(args.checkpoint, "CHECKPOINT")["state_dict"]
    if "hierarchy.bank" not in state or not (state["targets"] >= 0).any():
        parser.error(f"{args.checkpoint} isn't of a run of RCL on data with classes")
    known = state["targets"] >= 0
    compare(state["hierarchy.bank"][known], state["targets"][known], args)


if __name__ == "__main__":
    main()
